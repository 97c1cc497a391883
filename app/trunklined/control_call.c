// SPDX-License-Identifier: BSD-3-Clause
// Calls: two legs made in one piece, found by the workers by their media ports.
#include "base/log.h"
#include "control_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <string.h>

#define CHECK_SHARE 10 // the inactivity scan sees every call once in so many runs

int calls_open(struct control *ctl, struct err *err)
{
	const struct config *cfg = ctl->config;
	struct rte_hash_parameters hp = {
		.name = "calls",
		.entries = cfg->max_calls < 64 ? 64 : cfg->max_calls + cfg->max_calls / 4,
		.key_len = CALL_ID_MAX,
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE, // what is announced fits
	};

	TAILQ_INIT(&ctl->calls);
	ctl->call_by_id = rte_hash_create(&hp);
	// A few more than calls: deleted ones wait for the workers before they come back.
	ctl->leg_pool = rte_mempool_create("legs", cfg->max_calls + 1024, sizeof(struct leg_pair),
					   0, 0, NULL, NULL, NULL, NULL, SOCKET_ID_ANY,
					   RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET);
	ctl->free_slot = rte_malloc("slots", sizeof(uint32_t) * ctl->plane->n_legs_max, 0);
	if (ctl->call_by_id == NULL || ctl->leg_pool == NULL || ctl->free_slot == NULL)
		return err_set(err, -ENOMEM, "no memory for %u calls (raise memory.megabytes)",
			       cfg->max_calls);
	for (uint32_t i = ctl->plane->n_legs_max; i-- > 0;)
		ctl->free_slot[ctl->n_free_slots++] = i;
	for (unsigned i = 0; i < cfg->n_media; i++)
		if (port_pool_open(&ctl->ports[i], cfg->media[i].port_lo, cfg->media[i].port_hi) <
		    0)
			return err_set(err, -ENOMEM, "no memory for media ports");
	return 0;
}

struct call *call_find(const struct control *ctl, const char *id)
{
	char key[CALL_ID_MAX] = {0};
	void *call;

	snprintf(key, sizeof(key), "%s", id);
	return rte_hash_lookup_data(ctl->call_by_id, key, &call) >= 0 ? call : NULL;
}

static int media_index(const struct control *ctl, const struct ip_addr *a)
{
	for (unsigned i = 0; i < ctl->config->n_media; i++)
		if (ip_addr_equal(&ctl->config->media[i].address, a))
			return (int)i;
	return -1;
}

static ref_t *leg_ref(const struct control *ctl, unsigned media, uint16_t port)
{
	return &ctl->plane->media[media]->leg[port];
}

static void leg_fill(struct control *ctl, struct leg *leg, const struct config_leg *cl,
		     uint16_t port, uint16_t customer, uint32_t clock_rate)
{
	const struct plane *p = ctl->plane;

	leg->owner = customer != 0 ? p->customer[customer]->owner
				   : (uint16_t)((port / 2) % p->n_workers);
	leg->local_port = htons(port);
	leg->local_rtcp = htons(cl->mux ? port : (uint16_t)(port + 1));
	leg->flags = cl->mux ? LEG_RTCP_MUX : 0;
	leg_identity_set(leg, customer, cl->media.v4.s_addr, cl->dscp);
	leg->latch = cl->remote.addr.family == 0 || cl->latch ? LATCH_OPEN : LATCH_FIXED;
	leg->rtcp_latch = leg->latch;
	if (cl->remote.addr.family != 0) {
		leg->remote_ip = leg->out_ip = leg->rtcp_ip = cl->remote.addr.v4.s_addr;
		leg->remote_port = leg->out_port = htons(cl->remote.port);
		leg->rtcp_port = cl->mux ? leg->out_port : htons((uint16_t)(cl->remote.port + 1));
	}
	leg->last_tick = (uint32_t)(rte_rdtsc() >> TICK_SHIFT);
	leg->rx.clock_mult = rtp_clock_mult(clock_rate, p->tsc_hz);
}

static void slot_take(struct control *ctl, struct leg *leg)
{
	leg->id = ctl->free_slot[--ctl->n_free_slots];
	struct leg_slot *slot = &ctl->plane->leg_slot[leg->id];
	leg->gen = ++slot->gen;
	__atomic_store_n(&slot->leg, leg, __ATOMIC_RELEASE);
}

static void leg_publish(struct control *ctl, struct leg *leg, unsigned media, bool second)
{
	uint16_t port = ntohs(leg->local_port);
	ref_t ref = REF_MAKE(leg, leg->owner) | (second ? REF_SECOND : 0);

	__atomic_store_n(leg_ref(ctl, media, port), ref, __ATOMIC_RELEASE);
	if (!(leg->flags & LEG_RTCP_MUX))
		__atomic_store_n(leg_ref(ctl, media, (uint16_t)(port + 1)), ref, __ATOMIC_RELEASE);
}

static void leg_withdraw(struct control *ctl, struct leg *leg, unsigned media)
{
	uint16_t port = ntohs(leg->local_port);

	__atomic_store_n(leg_ref(ctl, media, port), 0, __ATOMIC_RELEASE);
	__atomic_store_n(leg_ref(ctl, media, (uint16_t)(port + 1)), 0, __ATOMIC_RELEASE);
	__atomic_store_n(&ctl->plane->leg_slot[leg->id].leg, NULL, __ATOMIC_RELEASE);
	ctl->free_slot[ctl->n_free_slots++] = leg->id;
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

static int ports_take(struct control *ctl, struct config_call *cc, int media[2], struct err *err)
{
	for (unsigned i = 0; i < 2; i++) {
		char text[IP_ADDR_STRLEN];
		struct config_leg *leg = &cc->leg[i];
		media[i] = media_index(ctl, &leg->media);
		int port = -ENOENT;
		if (media[i] < 0)
			err_set(err, port, "leg %c: %s is no media address of ours", 'a' + (int)i,
				ip_addr_str(&leg->media, text));
		else if ((port = port_pool_take(&ctl->ports[media[i]], leg->port)) == -ENOSPC)
			err_set(err, port, "leg %c: Ran out of ports at %s", 'a' + (int)i,
				ip_addr_str(&leg->media, text));
		else if (port < 0)
			err_set(err, port, "leg %c: port %u of %s is taken, odd or out of range",
				'a' + (int)i, leg->port, ip_addr_str(&leg->media, text));
		if (port < 0) {
			if (i == 1)
				port_pool_give(&ctl->ports[media[0]], cc->leg[0].port);
			return port;
		}
		leg->port = (uint16_t)port;
	}
	return 0;
}

static int call_check(struct control *ctl, const struct config_call *cc, struct err *err)
{
	if (call_find(ctl, cc->id) != NULL)
		return err_set(err, -EEXIST, "there is a call %s already", cc->id);
	if (ctl->n_calls >= ctl->config->max_calls)
		return err_set(err, -ENOSPC, "Parallel session limit reached (limits.calls: %u)",
			       ctl->config->max_calls);
	for (unsigned i = 0; i < 2; i++) {
		int c = cc->leg[i].customer, family = cc->leg[i].remote.addr.family;
		if (family != 0 && family != AF_INET)
			return err_set(err, -EAFNOSUPPORT, "leg %c: remote is IPv4 for now",
				       'a' + (int)i);
		if (c > 0 && (c >= CUSTOMERS_MAX || ctl->plane->customer[c] == NULL))
			return err_set(err, -ENOENT, "leg %c: no such customer", 'a' + (int)i);
	}
	return 0;
}

// The customers of cc's legs are plane ids here (control_customer_index), 0 or less for none.
int control_call_add(struct control *ctl, struct config_call *cc, struct err *err)
{
	struct leg_pair *pair;
	struct call *call;
	int media[2];
	int rc = call_check(ctl, cc, err);

	if (rc < 0 || (rc = ports_take(ctl, cc, media, err)) < 0)
		return rc;
	call = rte_zmalloc("call", sizeof(*call), 0);
	if (call == NULL || rte_mempool_get(ctl->leg_pool, (void **)&pair) < 0)
		goto no_memory;
	memset(pair, 0, sizeof(*pair));
	snprintf(call->id, sizeof(call->id), "%s", cc->id);
	call->clock_rate = cc->clock_rate;
	call->timeout = cc->timeout;
	call->since = time(NULL);
	for (unsigned i = 0; i < 2; i++) {
		int c = cc->leg[i].customer;
		call->leg[i] = &pair->leg[i];
		call->media[i] = (uint8_t)media[i];
		leg_fill(ctl, call->leg[i], &cc->leg[i], cc->leg[i].port, c > 0 ? (uint16_t)c : 0,
			 cc->clock_rate);
	}
	for (unsigned i = 0; i < 2; i++)
		call->leg[i]->peer = REF_MAKE(call->leg[!i], call->leg[!i]->owner);
	if ((rc = rte_hash_add_key_data(ctl->call_by_id, call->id, call)) < 0) {
		rte_mempool_put(ctl->leg_pool, pair);
		goto no_memory;
	}
	TAILQ_INSERT_TAIL(&ctl->calls, call, link);
	ctl->n_calls++;
	// Both halves are whole before the first packet: it goes from one to the other.
	for (unsigned i = 0; i < 2; i++)
		slot_take(ctl, call->leg[i]);
	for (unsigned i = 0; i < 2; i++) {
		leg_publish(ctl, call->leg[i], call->media[i], i == 1);
		peer_resolve(ctl, call->leg[i]);
	}
	return 0;
no_memory:
	rte_free(call);
	for (unsigned i = 0; i < 2; i++)
		port_pool_give(&ctl->ports[media[i]], cc->leg[i].port);
	return err_set(err, -ENOMEM, "no memory (raise memory.megabytes)");
}

// The pool is the control thread's, so is this.
static void leg_pair_release(void *pair)
{
	rte_mempool_put(rte_mempool_from_obj(pair), pair);
}

static void call_remove(struct control *ctl, struct call *call)
{
	if (ctl->scan == call)
		ctl->scan = TAILQ_NEXT(call, link);
	for (unsigned i = 0; i < 2; i++) {
		leg_withdraw(ctl, call->leg[i], call->media[i]);
		port_pool_give(&ctl->ports[call->media[i]], ntohs(call->leg[i]->local_port));
	}
	rte_hash_del_key(ctl->call_by_id, call->id);
	TAILQ_REMOVE(&ctl->calls, call, link);
	ctl->n_calls--;
	defer_free(ctl->defer, call->leg[0], leg_pair_release);
	rte_free(call);
}

int control_call_del(struct control *ctl, const char *id, struct err *err)
{
	struct call *call = call_find(ctl, id);

	if (call == NULL)
		return err_set(err, -ENOENT, "there is no call %s; see: trunkline show calls", id);
	call_remove(ctl, call);
	return 0;
}

void calls_check(struct control *ctl)
{
	uint32_t now = (uint32_t)(rte_rdtsc() >> TICK_SHIFT);
	uint64_t ticks_per_s = ctl->plane->tsc_hz >> TICK_SHIFT;
	unsigned n = ctl->n_calls / CHECK_SHARE + 1;

	for (unsigned i = 0; i < n; i++) {
		if (ctl->scan == NULL && (ctl->scan = TAILQ_FIRST(&ctl->calls)) == NULL)
			return;
		struct call *call = ctl->scan;
		ctl->scan = TAILQ_NEXT(call, link);
		uint32_t a = now - call->leg[0]->last_tick, b = now - call->leg[1]->last_tick;
		uint32_t silent = a < b ? a : b;
		// A tick written after now was read looks like ages ago.
		if (call->timeout == 0 || silent > UINT32_MAX / 2 ||
		    silent < call->timeout * ticks_per_s)
			continue;
		log_notice("call %s ended: no packets on either leg for %u s", call->id,
			   call->timeout);
		call_remove(ctl, call);
	}
}

void calls_close(struct control *ctl)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&ctl->calls)) != NULL)
		call_remove(ctl, call);
	defer_flush(ctl->defer, 100);
	for (unsigned i = 0; i < MEDIA_MAX; i++)
		port_pool_close(&ctl->ports[i]);
	rte_free(ctl->free_slot);
	rte_hash_free(ctl->call_by_id);
	rte_mempool_free(ctl->leg_pool);
}
