// SPDX-License-Identifier: BSD-3-Clause
// Applying a configuration: at start everything is new, on reload only what differs is touched, so
// that nobody else's packets notice.
#include "base/log.h"
#include "config/config.h"
#include "control_priv.h"
#include "ike/ike.h"
#include "media/media_priv.h"
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct changes {
	unsigned customers, sas, calls;
	unsigned failed; // entries that could not be applied
	int rc;          // of the first
};

static const struct config_customer *customer_in(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->n_customers; i++)
		if (strcmp(cfg->customers[i].name, name) == 0)
			return &cfg->customers[i];
	return NULL;
}

static const struct config_sa *sa_in_config(const struct config_customer *cc, uint32_t spi_in)
{
	for (unsigned i = 0; cc != NULL && i < cc->n_sas; i++)
		if (cc->sas[i].spi_in == spi_in)
			return &cc->sas[i];
	return NULL;
}

static const struct config_call *call_in(const struct config *cfg, const char *id)
{
	for (unsigned i = 0; cfg != NULL && i < cfg->n_calls; i++)
		if (strcmp(cfg->calls[i].id, id) == 0)
			return &cfg->calls[i];
	return NULL;
}

// An SPI may have become another customer's by the API.
static bool sa_is_of(struct control *ctl, uint32_t spi_in, const char *name)
{
	const struct sa_pair *pair = sa_find(ctl, spi_in);

	return pair != NULL && strcmp(ctl->customer[pair->customer].plane->name, name) == 0;
}

// A call's customers by their numbers in the plane instead of the configuration's.
static int call_apply(struct control *ctl, const struct config *cfg, const struct config_call *cc,
		      struct err *err)
{
	struct config_call copy = *cc;

	for (unsigned i = 0; i < 2; i++) {
		int c = cc->leg[i].customer;
		copy.leg[i].customer = c < 0 ? 0 : customer_find(ctl, cfg->customers[c].name);
	}
	int rc = control_call_add(ctl, &copy, err);
	if (rc < 0)
		err_prefix(err, "call %s", cc->id);
	return rc;
}

// What the old configuration had and the new one has not, or has otherwise.
static void old_remove(struct control *ctl, const struct config *old, const struct config *cfg,
		       struct changes *n)
{
	for (unsigned i = 0; i < old->n_calls; i++) {
		const struct config_call *was = &old->calls[i], *is = call_in(cfg, was->id);
		if (is != NULL && config_call_equal(old, was, cfg, is))
			continue;
		n->calls += call_end(ctl, was->id, "reload", NULL) == 0;
	}
	for (unsigned i = 0; i < old->n_customers; i++) {
		const struct config_customer *was = &old->customers[i];
		const struct config_customer *is = customer_in(cfg, was->name);
		bool moved = is != NULL && is->worker != was->worker;
		for (unsigned j = 0; j < was->n_sas; j++) {
			const struct config_sa *sa = sa_in_config(is, was->sas[j].spi_in);
			if (sa != NULL && !moved && config_sa_equal(sa, &was->sas[j]))
				continue;
			n->sas += sa_is_of(ctl, was->sas[j].spi_in, was->name) &&
				  control_sa_del(ctl, was->sas[j].spi_in, NULL) == 0;
		}
	}
}

static void customer_drop(struct control *ctl, uint16_t id)
{
	struct sa_pair *pair;

	ike_customer_drop(ctl, id);
	while ((pair = TAILQ_FIRST(&ctl->customer[id].sas)) != NULL)
		sa_remove(ctl, pair);
	media_customer_gone(ctl, id);
	customer_remove(ctl, id);
}

// What can't be had (an SPI, a port, memory) keeps nothing else from being applied. The first error is told.
static void entry_failed(struct changes *n, int rc, const struct err *why, struct err *err)
{
	if (rc >= 0)
		return;
	if (n->failed++ == 0) {
		n->rc = rc;
		*err = *why;
	}
}

static void customers_change(struct control *ctl, const struct config *old,
			     const struct config *cfg, struct changes *n, struct err *err)
{
	for (unsigned i = 0; old != NULL && i < old->n_customers; i++) {
		const struct config_customer *was = &old->customers[i];
		const struct config_customer *is = customer_in(cfg, was->name);
		uint16_t id = customer_find(ctl, was->name); // 0: there was no room for it
		if (id == 0 || (is != NULL && is->worker == was->worker))
			continue;
		customer_drop(ctl, id);
		n->customers++;
	}
	// A network that one customer has lost another may have got: first all withdraw.
	for (unsigned i = 0; old != NULL && i < cfg->n_customers; i++) {
		const struct config_customer *is = &cfg->customers[i];
		uint16_t id = customer_find(ctl, is->name);
		if (id == 0)
			continue;
		const struct config_customer *was = ctl->customer[id].config;
		bool same = config_domain_equal(was, is);
		// Their selectors are those of the old domain, or IKE has no part any more: charon
		// deletes what is its own, but has no knowledge of orphans.
		if (!same || (was->ike != NULL && is->ike == NULL))
			ike_customer_drop(ctl, id);
		if (!same)
			customer_routes_withdraw(ctl, id);
	}
	for (unsigned i = 0; i < cfg->n_customers; i++) {
		const struct config_customer *is = &cfg->customers[i];
		uint16_t id = customer_find(ctl, is->name);
		struct err why;
		int rc = 0;
		if (id == 0) {
			rc = customer_add(ctl, is, &why);
			n->customers++;
		} else if (config_customer_equal(ctl->customer[id].config, is)) {
			ctl->customer[id].config = is;
		} else {
			rc = customer_change(ctl, id, is, &why);
			n->customers++;
		}
		entry_failed(n, rc, &why, err);
	}
}

static void new_add(struct control *ctl, const struct config *cfg, struct changes *n,
		    struct err *err)
{
	struct err why;

	for (unsigned i = 0; i < cfg->n_customers; i++) {
		const struct config_customer *cc = &cfg->customers[i];
		for (unsigned j = 0; j < cc->n_sas; j++) {
			if (sa_is_of(ctl, cc->sas[j].spi_in, cc->name))
				continue;
			int rc = control_sa_add(ctl, cc->name, &cc->sas[j], &why);
			if (rc < 0)
				err_prefix(&why, "%s:%d: sas[%u]", cc->file, cc->sas[j].line, j);
			n->sas += rc == 0;
			entry_failed(n, rc, &why, err);
		}
	}
	for (unsigned i = 0; i < cfg->n_calls; i++) {
		if (call_find(ctl, cfg->calls[i].id) != NULL)
			continue;
		int rc = call_apply(ctl, cfg, &cfg->calls[i], &why);
		n->calls += rc == 0;
		entry_failed(n, rc, &why, err);
	}
}

static int apply(struct control *ctl, const struct config *old, const struct config *cfg,
		 struct changes *n, struct err *err)
{
	if (old != NULL)
		old_remove(ctl, old, cfg, n);
	customers_change(ctl, old, cfg, n, err);
	new_add(ctl, cfg, n, err);
	if (n->failed > 1)
		err_prefix(err, "%u entries could not be applied, all others are; the first",
			   n->failed);
	return n->rc;
}

int config_apply(struct control *ctl, struct config *cfg, struct err *err)
{
	struct changes n = {0};

	return apply(ctl, NULL, cfg, &n, err);
}

int control_reload(struct control *ctl, char **report, struct err *err)
{
	struct config *cfg = NULL;
	struct changes n = {0};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	*report = NULL;
	if (f == NULL)
		return err_set(err, -ENOMEM, "no memory");
	int mistakes = config_load(ctl->config_path, &cfg, f);
	const char *what = mistakes == 0 ? config_static_change(ctl->config, cfg) : NULL;
	if (what != NULL)
		fprintf(f, "%s: %s cannot change while running; restart trunklined for that\n",
			ctl->config_path, what);
	fclose(f);
	if (mistakes != 0 || what != NULL) {
		config_free(cfg);
		*report = text;
		return err_set(err, -EINVAL, "the configuration has mistakes; nothing was applied");
	}
	free(text);
	struct config *old = ctl->config;
	int rc = apply(ctl, old, cfg, &n, err);
	// Customers now refer to the new one even if something found no room.
	ctl->config = cfg;
	ctl->config_gen++;
	if (cfg->log_level != old->log_level) // else -d or "log level" holds
		log_level_set((enum log_level)cfg->log_level);
	if (ctl->vici != NULL)
		ike_vici_reload(ctl->vici);
	config_free(old);
	if (rc < 0)
		return rc;
	if (asprintf(report, "reloaded: %u customers, %u SA pairs and %u calls changed",
		     n.customers, n.sas, n.calls) < 0)
		*report = NULL;
	log_notice("%s", *report != NULL ? *report : "reloaded");
	return 0;
}
