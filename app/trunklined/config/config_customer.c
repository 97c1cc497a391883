// SPDX-License-Identifier: BSD-3-Clause
// Customers: each by itself.
#include "config_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void worker_build(struct config_build *b, const struct config_file *f, const char *text,
			 struct config_customer *c)
{
	c->worker = -1;
	if (text_none(text) || strcmp(text, "any") == 0)
		return;
	size_t n = strspn(text, "0123456789");
	unsigned long i = strtoul(text, NULL, 10);
	if (n == 0 || n > 4 || text[n] != '\0') {
		mistake(f, "worker", "%s is not a worker; expected any, or an index into workers",
			SHOW(text));
		return;
	}
	if (b->c->n_workers > 0 && i >= b->c->n_workers) {
		mistake(f, "worker", "there is no worker %lu; expected 0 to %u, or any", i,
			b->c->n_workers - 1);
		return;
	}
	c->worker = (int)i;
}

static int domain_build(const struct config_file *f, const struct raw_customer *raw,
			struct config_customer *c)
{
	c->domain = calloc(raw->n_domain + 1, sizeof(*c->domain));
	if (c->domain == NULL)
		return -ENOMEM;
	c->n_domain = raw->n_domain;
	for (unsigned i = 0; i < raw->n_domain; i++) {
		const char *key = KEY("domain[%u]", i), *text = raw->domain[i], *why;
		struct ip_prefix p;
		if (text_none(text) || !text_network(f, key, text, &p))
			continue;
		why = ip_prefix_not_public(&p);
		if (why != NULL)
			mistake(f, key, "%s is %s; an encryption domain must be public",
				PREFIX_STR(&p), why);
		else
			c->domain[i] = p;
	}
	return 0;
}

static int allow_build(const struct config_file *f, const struct raw_customer *raw,
		       struct config_customer *c)
{
	c->allow = calloc(raw->n_allow + 1, sizeof(*c->allow));
	if (c->allow == NULL)
		return -ENOMEM;
	c->n_allow = raw->n_allow;
	for (unsigned i = 0; i < raw->n_allow; i++) {
		if (!text_none(raw->allow[i]))
			text_allow(f, KEY("allow[%u]", i), raw->allow[i], &c->allow[i]);
	}
	return 0;
}

static int customer_build(struct config_build *b, unsigned i)
{
	struct customer_file *cf = &b->customers[i];
	struct config_customer *c = &b->c->customers[i];
	struct raw_customer *raw = cf->raw;
	c->file = strdup(cf->f.name);
	if (c->file == NULL)
		return -ENOMEM;
	c->line = config_file_line(&cf->f, "name");
	c->worker = -1;
	if (raw == NULL) {
		c->name = strdup("");
		return c->name == NULL ? -ENOMEM : 0;
	}
	c->name = text_take(&raw->name);
	if (!text_none(c->name))
		text_name(&cf->f, "name", c->name, 63);
	c->rate = (uint64_t)enum_or(raw->tier, 0) * 1000000;
	c->burst_ms = (uint32_t)uint_or(raw->burst_ms, 20);
	worker_build(b, &cf->f, raw->worker, c);
	if (!text_none(raw->gateway))
		text_address(&cf->f, "gateway", raw->gateway, &c->gateway);
	if (cf->f.n_secrets > 0 && (cf->mode & 077) != 0)
		mistake(&cf->f, "sas", "mode %04o lets others read the keys; chmod 600 %s",
			cf->mode & 07777, cf->f.name);
	int ret = domain_build(&cf->f, raw, c);
	if (ret == 0)
		ret = allow_build(&cf->f, raw, c);
	if (ret == 0)
		ret = config_build_ike(b, i);
	return ret < 0 ? ret : config_build_sas(b, i);
}

int config_build_customers(struct config_build *b)
{
	struct config *c = b->c;
	c->customers = calloc(b->n_customers + 1, sizeof(*c->customers));
	if (c->customers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < b->n_customers; i++) {
		c->n_customers = i + 1;
		int ret = customer_build(b, i);
		if (ret < 0)
			return ret;
	}
	if (b->n_customers > c->max_customers)
		mistake(&b->main, b->raw->limits != NULL ? "limits.customers" : "customers",
			"there are %u customers, and limits.customers is %u; raise it",
			b->n_customers, c->max_customers);
	return 0;
}
