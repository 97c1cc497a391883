// SPDX-License-Identifier: BSD-3-Clause
// Static calls.
#include "config_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct calls_build {
	struct config_build *b;
	uint32_t *used; // by media address and port: call + 1 that has it
	const struct config_customer **by_name;
	unsigned n_by_name;
};

static int customer_cmp(const void *pa, const void *pb)
{
	const struct config_customer *const *a = pa, *const *b = pb;
	return strcmp((*a)->name, (*b)->name);
}

static int customer_find(const void *name, const void *p)
{
	const struct config_customer *const *c = p;
	return strcmp(name, (*c)->name);
}

static int names_sort(struct calls_build *s)
{
	const struct config *c = s->b->c;
	s->by_name = calloc(c->n_customers + 1, sizeof(void *));
	if (s->by_name == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_customers; i++) {
		if (!text_none(c->customers[i].name))
			s->by_name[s->n_by_name++] = &c->customers[i];
	}
	qsort(s->by_name, s->n_by_name, sizeof(void *), customer_cmp);
	return 0;
}

// The index of the media address, or -1.
static int media_build(struct config_build *b, const char *key, const char *text,
		       struct config_leg *leg)
{
	const struct config *c = b->c;
	bool unsure = false;
	if (text_none(text) || !text_address(&b->main, key, text, &leg->media))
		return -1;
	for (unsigned i = 0; i < c->n_media; i++) {
		if (ip_addr_equal(&c->media[i].address, &leg->media))
			return (int)i;
		unsure |= c->media[i].address.family == 0;
	}
	if (c->n_media == 0)
		mistake(&b->main, key, "%s is not a media address: there are none; add it to media",
			IP_STR(&leg->media));
	else if (!unsure)
		mistake(&b->main, key,
			"%s is not a media address; choose one of media, or add it there",
			IP_STR(&leg->media));
	return -1;
}

static void port_build(struct calls_build *s, const char *key, unsigned call, int media,
		       struct config_leg *leg)
{
	const struct config_file *f = &s->b->main;
	if (leg->port == 0)
		return;
	if (leg->port % 2 != 0) {
		mistake(f, key, "%u is odd; RTP takes an even port, its RTCP the odd one above",
			leg->port);
		return;
	}
	if (media < 0)
		return;
	const struct config_media *m = &s->b->c->media[media];
	if (m->port_hi == 0)
		return;
	if (leg->port < m->port_lo || leg->port + !leg->mux > m->port_hi) {
		mistake(f, key, "%u is outside the address's ports %u-%u%s", leg->port, m->port_lo,
			m->port_hi, leg->mux ? "" : ", or its RTCP port above is");
		return;
	}
	uint32_t *used = &s->used[(size_t)media * 65536 + leg->port];
	if (*used != 0)
		mistake(f, key, "%u of %s is already calls[%u]'s; choose another, or leave it out",
			leg->port, IP_STR(&leg->media), *used - 1);
	else
		*used = call + 1;
}

static void customer_build(struct calls_build *s, const char *key, const char *name,
			   struct config_leg *leg)
{
	struct config_build *b = s->b;
	leg->customer = -1;
	if (text_none(name))
		return;
	const struct config_customer **found =
		bsearch(name, s->by_name, s->n_by_name, sizeof(void *), customer_find);
	if (found == NULL) {
		if (!b->customers_unread)
			mistake(&b->main, KEY("%s.customer", key),
				"there is no customer %s; expected the name of one in %s",
				SHOW(name),
				b->raw->customers != NULL ? SHOW(b->raw->customers)
							  : "customers, which is not given");
		return;
	}
	const struct config_customer *c = *found;
	leg->customer = (int)(c - b->c->customers);
	// Of two customers with one name, which was reported, either may be meant.
	bool twin =
		(found > s->by_name && strcmp((*(found - 1))->name, name) == 0) ||
		(found + 1 < s->by_name + s->n_by_name && strcmp((*(found + 1))->name, name) == 0);
	bool inside = twin || leg->remote.addr.family == 0 || c->n_domain == 0;
	for (unsigned i = 0; i < c->n_domain && !inside; i++)
		inside = c->domain[i].addr.family == 0 ||
			 ip_prefix_contains(&c->domain[i], &leg->remote.addr);
	if (!inside)
		mistake(&b->main, KEY("%s.remote", key),
			"%s is outside the domain of %s; its packets would not enter the tunnel",
			IP_STR(&leg->remote.addr), c->name);
}

static void leg_build(struct calls_build *s, const char *key, unsigned call,
		      const struct raw_leg *raw, struct config_leg *leg)
{
	const struct config_file *f = &s->b->main;
	leg->port = (uint16_t)uint_or(raw->port, 0);
	leg->mux = bool_or(raw->mux, false);
	leg->dscp = raw->dscp != NULL ? (int)*raw->dscp : -1;
	int media = media_build(s->b, KEY("%s.media", key), raw->media, leg);
	port_build(s, KEY("%s.port", key), call, media, leg);
	if (!text_none(raw->remote))
		text_endpoint(f, KEY("%s.remote", key), raw->remote, true, &leg->remote);
	leg->latch = bool_or(raw->latch, raw->remote == NULL);
	if (!leg->latch && raw->remote == NULL)
		mistake(f, KEY("%s.latch", key),
			"false leaves the peer unknown for ever; give remote, or latch: true");
	customer_build(s, key, raw->customer, leg);
}

static void id_check(struct config_build *b, const char *key, const char *id)
{
	size_t n = strlen(id);
	if (n > 63 || strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789._-") != n)
		mistake(&b->main, key,
			"%s is not an id; expected 1 to 63 of A-Z, a-z, 0-9, '.', '_' "
			"and '-'",
			SHOW(id));
}

static int call_cmp(const void *pa, const void *pb)
{
	const struct config_call *const *a = pa, *const *b = pb;
	int d = strcmp((*a)->id, (*b)->id);
	return d != 0 ? d : *a < *b ? -1 : 1;
}

static int ids_check(struct config_build *b)
{
	const struct config *c = b->c;
	const struct config_call **by_id = calloc(c->n_calls + 1, sizeof(void *));
	if (by_id == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_calls; i++)
		by_id[i] = &c->calls[i];
	qsort(by_id, c->n_calls, sizeof(void *), call_cmp);
	for (unsigned i = 1; i < c->n_calls; i++) {
		if (!text_none(by_id[i]->id) && strcmp(by_id[i - 1]->id, by_id[i]->id) == 0)
			mistake(&b->main, KEY("calls[%u].id", (unsigned)(by_id[i] - c->calls)),
				"%s is calls[%u]'s already; choose another", SHOW(by_id[i]->id),
				(unsigned)(by_id[i - 1] - c->calls));
	}
	free(by_id);
	return 0;
}

static void call_build(struct calls_build *s, unsigned i)
{
	struct config_build *b = s->b;
	struct raw_call *raw = &b->raw->calls[i];
	struct config_call *call = &b->c->calls[i];
	const char *key = KEY("calls[%u]", i);
	call->line = config_file_line(&b->main, key);
	call->id = text_take(&raw->id);
	if (!text_none(call->id))
		id_check(b, KEY("%s.id", key), call->id);
	call->clock_rate = (uint32_t)uint_or(raw->clock_rate, 8000);
	call->timeout = (uint32_t)uint_or(raw->timeout, 60);
	leg_build(s, KEY("%s.a", key), i, raw->a, &call->leg[0]);
	leg_build(s, KEY("%s.b", key), i, raw->b, &call->leg[1]);
}

int config_build_calls(struct config_build *b)
{
	struct config *c = b->c;
	struct calls_build s = {.b = b};
	int ret = -ENOMEM;
	c->calls = calloc(b->raw->n_calls + 1, sizeof(*c->calls));
	s.used = calloc((size_t)(c->n_media + 1) * 65536, sizeof(*s.used));
	if (c->calls == NULL || s.used == NULL || names_sort(&s) < 0)
		goto out;
	for (unsigned i = 0; i < b->raw->n_calls; i++) {
		c->n_calls = i + 1;
		call_build(&s, i);
	}
	if (c->n_calls > c->max_calls)
		mistake(&b->main, "calls", "are %u, and limits.calls is %u; raise it", c->n_calls,
			c->max_calls);
	ret = ids_check(b);
out:
	free(s.used);
	free(s.by_name);
	return ret;
}
