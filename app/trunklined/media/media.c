// SPDX-License-Identifier: BSD-3-Clause
// Media: pairs of legs made as signalling wants them, published, replaced and taken away.
//
// The workers find a leg by its media port and by its slot (packets in rings). Both are set with release
// stores once the pair is whole. A change publishes another pair at the same places; what is in a ring
// then goes on in the new one, unless something differs that the packet's next stage was chosen by.
#include "base/log.h"
#include "media_priv.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LET_GO_US 2000 // that a worker may take for a round

int media_engine_open(struct control *ctl, struct err *err)
{
	const struct config *cfg = ctl->config;
	struct media_engine *e = calloc(1, sizeof(*e));

	ctl->media = e;
	if (e == NULL)
		return err_set(err, -ENOMEM, "no memory");
	TAILQ_INIT(&e->all);
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		TAILQ_INIT(&e->wheel[i]);
	e->ticked = media_ms(ctl, rte_rdtsc()) / MEDIA_TICK_MS;
	e->legs = rte_mempool_create("legs", cfg->max_calls + MEDIA_SPARE, sizeof(struct leg_pair),
				     0, 0, NULL, NULL, NULL, NULL, SOCKET_ID_ANY,
				     RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET);
	e->free_slot = rte_malloc("slots", sizeof(uint32_t) * ctl->plane->n_legs_max, 0);
	if (e->legs == NULL || e->free_slot == NULL)
		return err_set(err, -ENOMEM, "no memory for %u calls (raise memory.megabytes)",
			       cfg->max_calls);
	for (uint32_t i = ctl->plane->n_legs_max; i-- > 0;)
		e->free_slot[e->n_free_slots++] = i;
	for (unsigned i = 0; i < cfg->n_media; i++)
		if (port_pool_open(&e->ports[i], cfg->media[i].port_lo, cfg->media[i].port_hi) < 0)
			return err_set(err, -ENOMEM, "no memory for media ports");
	return 0;
}

void media_engine_close(struct control *ctl)
{
	struct media_engine *e = ctl->media;
	struct media *m;

	if (e == NULL)
		return;
	while ((m = TAILQ_FIRST(&e->all)) != NULL)
		media_close(m, NULL);
	defer_flush(ctl->defer, 100);
	for (unsigned i = 0; i < MEDIA_MAX; i++)
		port_pool_close(&e->ports[i]);
	rte_free(e->free_slot);
	rte_mempool_free(e->legs);
	free(e);
	ctl->media = NULL;
}

void media_timeouts_default(const struct control *ctl, struct media_timeouts *out)
{
	const struct config *cfg = ctl->config;

	*out = (struct media_timeouts){.silence = cfg->timeouts.silence,
				       .held = cfg->timeouts.held,
				       .offer = cfg->timeouts.offer,
				       .final = cfg->timeouts.final};
}

// ---- slots ----

static void slot_take(struct control *ctl, struct leg *leg)
{
	struct media_engine *e = ctl->media;

	leg->id = e->free_slot[--e->n_free_slots];
	struct leg_slot *slot = &ctl->plane->leg_slot[leg->id];
	leg->gen = ++slot->gen;
	__atomic_store_n(&slot->leg, leg, __ATOMIC_RELEASE);
}

static void slot_give(struct control *ctl, const struct leg *leg)
{
	struct media_engine *e = ctl->media;

	__atomic_store_n(&ctl->plane->leg_slot[leg->id].leg, NULL, __ATOMIC_RELEASE);
	e->free_slot[e->n_free_slots++] = leg->id;
}

static void legs_count(struct control *ctl, const struct leg_pair *pair, int by)
{
	for (unsigned i = 0; i < 2; i++)
		ctl->media->legs_of[pair->leg[i].owner] += (unsigned)by;
}

// What a packet in a ring was told of the leg: at which worker and stage it goes on.
static bool way_same(const struct leg *a, const struct leg *b)
{
	return a->owner == b->owner && a->customer == b->customer && a->local_ip == b->local_ip &&
	       a->local_port == b->local_port && a->local_rtcp == b->local_rtcp &&
	       (a->srtp_in != NULL) == (b->srtp_in != NULL) &&
	       (a->srtp_out != NULL) == (b->srtp_out != NULL);
}

static void slot_move(struct control *ctl, const struct leg *old, struct leg *leg)
{
	struct leg_slot *slot = &ctl->plane->leg_slot[old->id];

	leg->id = old->id;
	leg->gen = way_same(old, leg) ? old->gen : ++slot->gen;
	__atomic_store_n(&slot->leg, leg, __ATOMIC_RELEASE);
}

// ---- pairs ----

static struct leg_pair *pair_get(struct control *ctl)
{
	void *pair;

	if (rte_mempool_get(ctl->media->legs, &pair) == 0)
		return pair;
	defer_poll(ctl->defer);
	return rte_mempool_get(ctl->media->legs, &pair) == 0 ? pair : NULL;
}

// The pool is the control thread's, so is this.
static void pair_release(void *pair)
{
	rte_mempool_put(rte_mempool_from_obj(pair), pair);
}

// The way to a signalled peer is known, or asked for, before the first packet needs it.
static void peer_resolve(struct control *ctl, const struct leg *leg)
{
	if (leg->out_ip == 0)
		return;
	const struct nexthop *nh = mirror_lookup(ctl->mirror, leg->out_ip);
	if (nh->kind == NH_UNRESOLVED)
		mirror_resolve(ctl->mirror, nh->port, nh->gateway != 0 ? nh->gateway : leg->out_ip);
}

static void pair_publish(const struct media *m)
{
	for (unsigned i = 0; i < 2; i++) {
		media_leg_publish(m->ctl, &m->pair->leg[i], m->spec.side[i].address, i == 1);
		peer_resolve(m->ctl, &m->pair->leg[i]);
	}
}

static int keys_make(const struct media *m, const struct media_spec *spec,
		     const struct leg_srtp *old, struct leg_srtp made[2], struct err *err)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct media_side_spec *s = &spec->side[i];
		int rc = leg_srtp_make(m->ctl->crypto, m->ctl->plane->tsc_hz, &s->in, &s->out,
				       old != NULL ? &old[i] : NULL, &made[i], err);
		if (rc == 0)
			continue;
		if (i == 1)
			leg_srtp_discard(&made[0], old);
		err_prefix(err, "side %c", 'a' + (int)i);
		return rc;
	}
	return 0;
}

static void spec_set(struct media *m, const struct media_spec *spec, const uint16_t port[2])
{
	m->spec = *spec;
	for (unsigned i = 0; i < 2; i++)
		m->spec.side[i].port = port[i];
}

// ---- open ----

static int legs_make(struct media *m, const struct media_spec *spec, struct err *err)
{
	uint16_t port[2];
	int rc;

	if ((m->pair = pair_get(m->ctl)) == NULL)
		return err_set(err, -ENOMEM, "no memory for legs (raise memory.megabytes)");
	if ((rc = media_ports_take(m, spec, true, port, err)) < 0)
		goto no_ports;
	if ((rc = keys_make(m, spec, NULL, m->keys, err)) < 0)
		goto no_keys;
	media_legs_fill(m, spec, port, m->keys, NULL, m->pair);
	spec_set(m, spec, port);
	// Both halves are whole before the first packet: it goes from one to the other.
	for (unsigned i = 0; i < 2; i++)
		slot_take(m->ctl, &m->pair->leg[i]);
	legs_count(m->ctl, m->pair, 1);
	pair_publish(m);
	return 0;
no_keys:
	for (unsigned i = 0; i < 2; i++)
		media_port_untake(m->ctl, spec->side[i].address, port[i]);
no_ports:
	pair_release(m->pair);
	return rc;
}

int media_open(struct control *ctl, const char *key, const struct media_spec *spec,
	       const struct media_events *ev, void *arg, struct media **out, struct err *err)
{
	struct media_engine *e = ctl->media;
	uint64_t now = rte_rdtsc();
	int rc = media_spec_check(ctl, spec, err);

	if (rc < 0)
		return rc;
	if (e->n >= ctl->config->max_calls)
		return err_set(err, -EUSERS, "Parallel session limit reached");
	struct media *m = calloc(1, sizeof(*m) + strlen(key) + 1);
	if (m == NULL)
		return err_set(err, -ENOMEM, "no memory");
	m->ctl = ctl;
	m->ev = ev;
	m->arg = arg;
	m->opened_ms = m->quiet_ms = m->looked_ms = media_ms(ctl, now);
	m->recent[0].heard_ms = m->recent[1].heard_ms = m->opened_ms;
	m->since = time(NULL);
	memcpy(m->key, key, strlen(key));
	if ((rc = legs_make(m, spec, err)) < 0) {
		free(m);
		return rc;
	}
	TAILQ_INSERT_TAIL(&e->all, m, link);
	e->n++;
	m->serial = ++e->opened;
	media_timer_arm(m, now);
	*out = m;
	return 0;
}

// ---- change ----

// Its SRTP contexts are one worker's at a time: before another gets them, no worker sees the legs any more.
static int legs_let_go(struct media *m, struct err *err)
{
	struct control *ctl = m->ctl;

	for (unsigned i = 0; i < 2; i++) {
		media_port_withdraw(ctl, m->spec.side[i].address, media_port(m, i));
		__atomic_store_n(&ctl->plane->leg_slot[m->pair->leg[i].id].leg, NULL,
				 __ATOMIC_RELEASE);
	}
	uint64_t token = rte_rcu_qsbr_start(ctl->plane->qsbr);
	uint64_t until = rte_rdtsc() + ctl->plane->tsc_hz / 1000000 * LET_GO_US;
	while (rte_rcu_qsbr_check(ctl->plane->qsbr, token, false) != 1)
		if (rte_rdtsc() > until)
			break;
	if (rte_rcu_qsbr_check(ctl->plane->qsbr, token, false) == 1)
		return 0;
	for (unsigned i = 0; i < 2; i++)
		__atomic_store_n(&ctl->plane->leg_slot[m->pair->leg[i].id].leg, &m->pair->leg[i],
				 __ATOMIC_RELEASE);
	pair_publish(m);
	return err_set(err, -EBUSY, "a worker is busy with the call's SRTP keys; try again");
}

static bool keys_move(const struct media *m, const struct media_spec *spec, const uint16_t port[2])
{
	for (unsigned i = 0; i < 2; i++) {
		const struct leg *old = &m->pair->leg[i];
		uint16_t owner = media_owner(m->ctl, &spec->side[i], port[i], old);
		if (owner != old->owner && (m->keys[i].in != NULL || m->keys[i].out != NULL))
			return true;
	}
	return false;
}

// What the old pair counts from the moment of the copy on is missing in the new one.
static void former_begin(struct media *m, struct former *o, const struct leg_pair *pair)
{
	*o = (struct former){.m = m, .pair = m->pair};
	for (unsigned i = 0; i < 2; i++)
		figures_read(&pair->leg[i], NULL, &o->since[i]);
	LIST_INSERT_HEAD(&m->formers, o, link);
}

// Contexts count for themselves, and go on with the new pair or go: then what they counted is missing.
static void keys_replace(struct media *m, struct former *o, const struct leg_srtp keys[2])
{
	for (unsigned i = 0; i < 2; i++) {
		struct leg_srtp old = m->keys[i];
		uint64_t auth = srtp_figure(&old, FIG_SRTP_AUTH);
		uint64_t replay = srtp_figure(&old, FIG_SRTP_REPLAY);
		m->keys[i] = keys[i];
		leg_srtp_release(m->ctl->defer, &old, &m->keys[i]);
		// former_add() takes the difference.
		o->since[i].n[FIG_SRTP_AUTH] = srtp_figure(&m->keys[i], FIG_SRTP_AUTH) - auth;
		o->since[i].n[FIG_SRTP_REPLAY] = srtp_figure(&m->keys[i], FIG_SRTP_REPLAY) - replay;
	}
}

static void pair_replace(struct media *m, const struct media_spec *spec, const uint16_t port[2],
			 struct leg_pair *pair, const struct leg_srtp keys[2], struct former *o)
{
	struct control *ctl = m->ctl;
	uint16_t was[2] = {media_port(m, 0), media_port(m, 1)};
	unsigned address[2] = {m->spec.side[0].address, m->spec.side[1].address};

	media_legs_fill(m, spec, port, keys, m->pair, pair);
	former_begin(m, o, pair);
	for (unsigned i = 0; i < 2; i++)
		slot_move(ctl, &m->pair->leg[i], &pair->leg[i]);
	legs_count(ctl, m->pair, -1);
	legs_count(ctl, pair, 1);
	m->pair = pair;
	spec_set(m, spec, port);
	pair_publish(m);
	for (unsigned i = 0; i < 2; i++)
		if (was[i] != port[i] || address[i] != spec->side[i].address)
			media_port_end(ctl, address[i], was[i]);
	keys_replace(m, o, keys);
	defer_free(ctl->defer, o, former_end);
}

int media_change(struct media *m, const struct media_spec *spec, struct err *err)
{
	struct control *ctl = m->ctl;
	struct leg_srtp keys[2];
	uint16_t port[2];
	uint64_t now = rte_rdtsc();
	int rc = media_spec_check(ctl, spec, err);

	if (rc < 0)
		return rc;
	struct former *o = malloc(sizeof(*o));
	struct leg_pair *pair = pair_get(ctl);
	if (o == NULL || pair == NULL) {
		rc = err_set(err, -ENOMEM, "no memory for legs (raise memory.megabytes)");
		goto no_pair;
	}
	if ((rc = media_ports_take(m, spec, false, port, err)) < 0)
		goto no_pair;
	if ((rc = keys_make(m, spec, m->keys, keys, err)) < 0)
		goto no_keys;
	if (keys_move(m, spec, port) && (rc = legs_let_go(m, err)) < 0)
		goto kept;
	pair_replace(m, spec, port, pair, keys, o);
	m->quiet_ms = media_ms(ctl, now);
	media_timer_drop(m);
	media_timer_arm(m, now);
	return 0;
kept:
	for (unsigned i = 0; i < 2; i++)
		leg_srtp_discard(&keys[i], &m->keys[i]);
no_keys:
	for (unsigned i = 0; i < 2; i++)
		if (!media_port_stays(m, spec, i))
			media_port_untake(ctl, spec->side[i].address, port[i]);
no_pair:
	if (pair != NULL)
		pair_release(pair);
	free(o);
	return rc;
}

// ---- close ----

static void formers_forget(struct media *m)
{
	struct former *o;

	while ((o = LIST_FIRST(&m->formers)) != NULL) {
		LIST_REMOVE(o, link);
		o->m = NULL;
	}
	free(m->base);
	m->base = NULL;
}

void media_close(struct media *m, struct media_stats *stats)
{
	struct control *ctl = m->ctl;
	struct media_engine *e = ctl->media;

	for (unsigned i = 0; i < 2; i++)
		media_port_end(ctl, m->spec.side[i].address, media_port(m, i));
	for (unsigned i = 0; i < 2; i++)
		slot_give(ctl, &m->pair->leg[i]);
	legs_count(ctl, m->pair, -1);
	if (stats != NULL)
		media_stats(m, stats);
	formers_forget(m);
	media_timer_drop(m);
	if (e->cursor == m)
		e->cursor = TAILQ_NEXT(m, link);
	if (e->look == m)
		e->look = TAILQ_NEXT(m, link);
	if (e->listed == m)
		e->listed = TAILQ_PREV(m, media_list, link);
	TAILQ_REMOVE(&e->all, m, link);
	e->n--;
	e->ended++;
	defer_free(ctl->defer, m->pair, pair_release);
	for (unsigned i = 0; i < 2; i++)
		leg_srtp_release(ctl->defer, &m->keys[i], NULL);
	explicit_bzero(m, sizeof(*m));
	free(m);
}

void media_customer_gone(struct control *ctl, uint16_t customer)
{
	struct media_engine *e = ctl->media;

	e->cursor = TAILQ_FIRST(&e->all);
	while (e->cursor != NULL) {
		struct media *m = e->cursor;
		e->cursor = TAILQ_NEXT(m, link);
		if (m->spec.side[0].customer != customer && m->spec.side[1].customer != customer)
			continue;
		e->timed_out[MEDIA_END_CUSTOMER]++;
		m->ev->timed_out(m->arg, m, MEDIA_END_CUSTOMER);
	}
}

// ---- what it is ----

const struct media_spec *media_spec_of(const struct media *m)
{
	return &m->spec;
}

uint16_t media_port(const struct media *m, unsigned side)
{
	return m->spec.side[side].port;
}

const struct ip_addr *media_address(const struct media *m, unsigned side)
{
	return &m->ctl->config->media[m->spec.side[side].address].address;
}
