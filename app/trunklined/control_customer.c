// SPDX-License-Identifier: BSD-3-Clause
// Customers: their shard, tier, allow-list, outbound policies, and the routes of their domains.
#include "base/log.h"
#include "control_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>

uint16_t customer_find(const struct control *ctl, const char *name)
{
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++) {
		const struct customer *c = ctl->customer[i].plane;
		if (c != NULL && strcmp(c->name, name) == 0)
			return (uint16_t)i;
	}
	return 0;
}

static void object_free(void *p)
{
	rte_free(p);
}

static struct allow_list *allow_make(const struct config_customer *cc)
{
	struct allow_list *list =
		rte_zmalloc("allow", sizeof(*list) + cc->n_allow * sizeof(struct allow_rule), 64);

	if (list == NULL)
		return NULL;
	for (unsigned i = 0; i < cc->n_allow; i++) {
		const struct config_allow *a = &cc->allow[i];
		uint32_t mask = a->net.len == 0 ? 0 : UINT32_MAX << (32 - a->net.len);
		list->rule[list->n++] = (struct allow_rule){
			.net = ntohl(a->net.addr.v4.s_addr) & mask,
			.mask = mask,
			.proto = a->proto,
			.port_lo = a->port_lo,
			.port_hi = a->port_hi,
		};
	}
	return list;
}

static uint16_t owner_choose(const struct control *ctl, uint16_t id,
			     const struct config_customer *cc)
{
	return cc->worker >= 0 ? (uint16_t)cc->worker : (uint16_t)(id % ctl->plane->n_workers);
}

// Numbers go round: one that was given back rests as long as can be, for packets of the customer who
// had it may be on their way between stages or workers. 0: none is left.
static uint16_t id_take(struct control *ctl)
{
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++) {
		ctl->customer_last = (uint16_t)(ctl->customer_last % (CUSTOMERS_MAX - 1) + 1);
		if (ctl->customer[ctl->customer_last].plane == NULL)
			return ctl->customer_last;
	}
	return 0;
}

int customer_add(struct control *ctl, const struct config_customer *cc, struct err *err)
{
	uint64_t now = rte_rdtsc(), hz = ctl->plane->tsc_hz;
	uint16_t id = id_take(ctl);

	if (id == 0)
		return err_set(err, -ENOSPC,
			       "customer %s: there are %d already, the most there can be", cc->name,
			       CUSTOMERS_MAX - 1);
	struct customer *c = rte_zmalloc("customer", sizeof(*c), 64);
	struct allow_list *allow = allow_make(cc);
	if (c == NULL || allow == NULL) {
		rte_free(c);
		rte_free(allow);
		return err_set(err, -ENOMEM, "customer %s: no memory (raise memory.megabytes)",
			       cc->name);
	}
	c->id = id;
	c->owner = owner_choose(ctl, id, cc);
	c->allow = allow;
	snprintf(c->name, sizeof(c->name), "%s", cc->name);
	tier_bucket_init(&c->in, cc->rate, cc->burst_ms, hz, now);
	tier_bucket_init(&c->out, cc->rate, cc->burst_ms, hz, now);
	ctl->customer[id].plane = c;
	ctl->customer[id].config = cc;
	TAILQ_INIT(&ctl->customer[id].sas);
	__atomic_store_n(&ctl->plane->customer[id], c, __ATOMIC_RELEASE);
	return id;
}

void customer_routes_withdraw(struct control *ctl, uint16_t id)
{
	struct customer_state *cs = &ctl->customer[id];

	if (!cs->routed)
		return;
	for (unsigned i = 0; i < cs->config->n_domain; i++)
		mirror_tunnel_del(ctl->mirror, &cs->config->domain[i], NULL);
	cs->routed = false;
}

static int routes_install(struct control *ctl, uint16_t id, struct err *err)
{
	struct customer_state *cs = &ctl->customer[id];

	if (cs->routed || (cs->plane->spd == NULL && !cs->trap))
		return 0;
	cs->routed = true;
	for (unsigned i = 0; i < cs->config->n_domain; i++) {
		int rc = mirror_tunnel_add(ctl->mirror, &cs->config->domain[i], id, err);
		if (rc < 0) {
			customer_routes_withdraw(ctl, id);
			return rc;
		}
	}
	return 0;
}

// The policies of the customer's SAs, in a fresh object; without memory for one, if they fit, in the
// old one, for which the workers do without policies for a moment. NULL: neither.
static struct spd *spd_make(struct control *ctl, struct customer_state *cs, uint32_t n)
{
	struct spd *old = (struct spd *)(uintptr_t)cs->plane->spd;
	struct spd *spd = rte_zmalloc("spd", sizeof(*spd) + n * sizeof(spd->sa[0]), 64);
	struct sa_pair *pair;

	if (spd == NULL && old != NULL && n <= old->n) {
		__atomic_store_n(&cs->plane->spd, NULL, __ATOMIC_RELEASE);
		rte_rcu_qsbr_synchronize(ctl->plane->qsbr, RTE_QSBR_THRID_INVALID);
		old->n = 0;
		spd = old;
	}
	if (spd != NULL)
		TAILQ_FOREACH (pair, &cs->sas, of_customer)
			spd->sa[spd->n++] = pair->out;
	for (unsigned i = 0; spd != NULL && i < cs->n_ike; i++)
		spd->sa[spd->n++] = cs->ike[i];
	return spd;
}

int customer_spd_publish(struct control *ctl, uint16_t id, struct err *err)
{
	struct customer_state *cs = &ctl->customer[id];
	const struct spd *old = cs->plane->spd;
	struct spd *spd = NULL;
	struct sa_pair *pair;
	uint32_t n = cs->n_ike;

	TAILQ_FOREACH (pair, &cs->sas, of_customer)
		n++;
	if (n > 0 && (spd = spd_make(ctl, cs, n)) == NULL)
		return err_set(err, -ENOMEM, "no memory (raise memory.megabytes)");
	__atomic_store_n(&cs->plane->spd, spd, __ATOMIC_RELEASE);
	if (old != spd)
		defer_free(ctl->defer, (void *)(uintptr_t)old, object_free);
	if (n == 0 && !cs->trap) {
		customer_routes_withdraw(ctl, id);
		return 0;
	}
	return routes_install(ctl, id, err);
}

int customer_change(struct control *ctl, uint16_t id, const struct config_customer *cc,
		    struct err *err)
{
	struct customer_state *cs = &ctl->customer[id];
	struct customer *c = cs->plane;
	const struct allow_list *old = c->allow;
	struct allow_list *allow = allow_make(cc);

	cs->config = cc;
	// Without memory for what it may reach from now on, it reaches nothing but its calls.
	__atomic_store_n(&c->allow, allow, __ATOMIC_RELEASE);
	defer_free(ctl->defer, (void *)(uintptr_t)old, object_free);
	tier_bucket_set_rate(&c->in, cc->rate, cc->burst_ms, ctl->plane->tsc_hz);
	tier_bucket_set_rate(&c->out, cc->rate, cc->burst_ms, ctl->plane->tsc_hz);
	int rc = routes_install(ctl, id, err);
	return allow != NULL ? rc : err_set(err, -ENOMEM, "customer %s: no memory", cc->name);
}

void customer_remove(struct control *ctl, uint16_t id)
{
	struct customer *c = ctl->customer[id].plane;

	customer_routes_withdraw(ctl, id);
	__atomic_store_n(&ctl->plane->customer[id], NULL, __ATOMIC_RELEASE);
	defer_free(ctl->defer, (void *)(uintptr_t)c->allow, object_free);
	defer_free(ctl->defer, c, object_free);
	free(ctl->customer[id].ike);
	ctl->customer[id] = (struct customer_state){0};
}

int control_peer_check(const struct config *cfg, const struct ip_addr *peer, struct err *err)
{
	char text[IP_ADDR_STRLEN], net[IP_PREFIX_STRLEN];

	for (unsigned i = 0; i < cfg->n_customers; i++) {
		const struct config_customer *c = &cfg->customers[i];
		for (unsigned j = 0; j < c->n_domain; j++)
			if (ip_prefix_contains(&c->domain[j], peer))
				return err_set(
					err, -EPERM,
					"the gateway %s lies in %s, of %s's domain, which is "
					"reached through a tunnel",
					ip_addr_str(peer, text), ip_prefix_str(&c->domain[j], net),
					c->name);
	}
	return 0;
}
