// SPDX-License-Identifier: BSD-3-Clause
// The plane's memory, the workers and the rings between them.
#include "base/log.h"
#include "control_priv.h"
#include "punt.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdlib.h>
#include <string.h>

#define HANDOVER_RING 4096
#define ICMP_PER_SECOND 500

// The entry of ip, or one that it may have: that of an address which is ours no more, so that
// addresses may come and go, or an empty one as long as another stays empty (a lookup ends there).
static struct local_addr *local_slot(struct plane *plane, uint32_t ip, bool make)
{
	struct local_addr *unused = NULL;
	unsigned taken = 0;

	for (unsigned i = 0; i < LOCALS_MAX; i++)
		taken += plane->local[i].ip != 0;
	for (uint32_t i = LOCAL_HASH(ip);; i = (i + 1) & (LOCALS_MAX - 1)) {
		struct local_addr *l = &plane->local[i];
		if (l->ip == ip)
			return l;
		if (l->ip != 0 && l->kind == LOCAL_NONE && unused == NULL)
			unused = l;
		if (l->ip != 0)
			continue;
		if (!make)
			return NULL;
		return unused != NULL ? unused : taken < LOCALS_MAX - 1 ? l : NULL;
	}
}

// Empties entries that were given up and that no lookup has to go beyond.
static void local_trim(struct plane *plane, struct local_addr *l)
{
	uint32_t i = (uint32_t)(l - plane->local);

	while (plane->local[(i + 1) & (LOCALS_MAX - 1)].ip == 0 && plane->local[i].ip != 0 &&
	       plane->local[i].kind == LOCAL_NONE) {
		__atomic_store_n(&plane->local[i].ip, 0, __ATOMIC_RELEASE);
		i = (i - 1) & (LOCALS_MAX - 1);
	}
}

void local_set(struct plane *plane, uint32_t ip, uint8_t kind, uint8_t media, bool present)
{
	struct local_addr *l = local_slot(plane, ip, present);

	if (l == NULL) {
		if (present)
			log_error("more than %d addresses of our own; one is ignored",
				  LOCALS_MAX - 1);
		return;
	}
	if (present) {
		if (kind & LOCAL_MEDIA)
			l->media = media;
		// The address before its kind: until then it is found as none of ours.
		__atomic_store_n(&l->ip, ip, __ATOMIC_RELEASE);
		__atomic_store_n(&l->kind, (uint8_t)(l->kind | kind), __ATOMIC_RELEASE);
	} else {
		__atomic_store_n(&l->kind, (uint8_t)(l->kind & ~kind), __ATOMIC_RELEASE);
		local_trim(plane, l);
	}
	route_gen_move(plane);
}

void route_gen_move(struct plane *plane)
{
	uint32_t gen = plane->route_gen + 1;

	__atomic_store_n(&plane->route_gen, gen != 0 ? gen : 1, __ATOMIC_RELEASE);
}

static int media_address_open(struct control *ctl, unsigned i, struct err *err)
{
	const struct config_media *cm = &ctl->config->media[i];
	struct media_addr *m = rte_zmalloc("media", sizeof(*m), 64);

	if (m == NULL)
		return err_set(err, -ENOMEM,
			       "no memory for media address %u (raise memory.megabytes)", i);
	m->ip = cm->address.v4.s_addr;
	m->lo = cm->port_lo;
	m->hi = cm->port_hi;
	ctl->plane->media[i] = m;
	local_set(ctl->plane, m->ip, LOCAL_MEDIA, (uint8_t)i, true);
	return 0;
}

int plane_open(struct control *ctl, struct err *err)
{
	const struct config *cfg = ctl->config;
	struct plane *p = rte_zmalloc("plane", sizeof(*p), 64);

	ctl->plane = p;
	if (p == NULL)
		goto no_memory;
	p->n_workers = (uint16_t)cfg->n_workers;
	p->n_legs_max = cfg->max_calls * 2;
	p->tsc_hz = rte_get_tsc_hz();
	p->route_gen = 1;
	p->qsbr = rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(WORKERS_MAX), 64);
	p->leg_slot = rte_zmalloc("leg slots", sizeof(*p->leg_slot) * p->n_legs_max, 64);
	if (p->qsbr == NULL || p->leg_slot == NULL || rte_rcu_qsbr_init(p->qsbr, WORKERS_MAX) != 0)
		goto no_memory;
	p->n_media = (uint16_t)cfg->n_media;
	for (unsigned i = 0; i < cfg->n_media; i++) {
		int rc = media_address_open(ctl, i, err);
		if (rc < 0)
			return rc;
	}
	return 0;
no_memory:
	return err_set(err, -ENOMEM, "no memory for the tables (raise memory.megabytes)");
}

void plane_close(struct control *ctl)
{
	struct plane *p = ctl->plane;

	if (p == NULL)
		return;
	for (unsigned i = 0; i < MEDIA_MAX; i++)
		rte_free(p->media[i]);
	free((void *)(uintptr_t)p->punt_peers);
	rte_free(p->leg_slot);
	rte_free(p->qsbr);
	rte_free(p);
	ctl->plane = NULL;
}

static int worker_open(struct control *ctl, unsigned id, struct err *err)
{
	const struct config *cfg = ctl->config;
	struct plane *p = ctl->plane;
	struct worker *w = rte_zmalloc("worker", sizeof(*w), 64);

	ctl->worker[id] = w;
	if (w == NULL)
		goto no_memory;
	if (worker_init(w, p, (uint16_t)id, devices_pool(ctl->devices, SOCKET_ID_ANY)) < 0)
		goto no_memory;
	w->cpu = cfg->workers[id];
	w->sleep = cfg->idle == IDLE_SLEEP;
	for (unsigned d = 0; d < p->n_devices; d++)
		for (uint16_t q = 0; q < p->device[d].n_rxq; q++)
			if (device_queue_worker(p, (uint16_t)d, q) == id &&
			    worker_queue_add(w, (uint16_t)d, q) < 0)
				goto no_memory;
	uint64_t now = rte_rdtsc();
	for (unsigned i = 0; i < p->n_ports; i++) {
		w->punt[i] = ctl->tap[i]->to_kernel;
		if (p->device[p->port[i].device].tx_owner == id)
			w->inject[i] = ctl->tap[i]->from_kernel;
		uint64_t half = (uint64_t)cfg->punt_rate * EVENT_BYTES * 8 / 2;
		tier_bucket_init(&w->punt_limit[i], half, 100, p->tsc_hz, now);
		tier_bucket_init(&w->punt_known[i], half, 100, p->tsc_hz, now);
	}
	punt_sources_init(w->sources, cfg->punt_source_rate, p->tsc_hz, (uint32_t)rte_rand());
	tier_bucket_init(&w->icmp_limit, (uint64_t)ICMP_PER_SECOND * EVENT_BYTES * 8, 100,
			 p->tsc_hz, now);
	return 0;
no_memory:
	return err_set(err, -ENOMEM, "no memory for worker %u (raise memory.megabytes)", id);
}

static int handover_open(struct control *ctl, unsigned from, unsigned to, struct err *err)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "handover-%u-%u", from, to);
	struct rte_ring *r =
		rte_ring_create(name, HANDOVER_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (r == NULL)
		return err_set(err, -ENOMEM, "no memory for ring %s", name);
	ctl->worker[from]->out[to] = r;
	ctl->worker[to]->in[from] = r;
	return 0;
}

int workers_open(struct control *ctl, struct err *err)
{
	unsigned n = ctl->plane->n_workers;
	int rc;

	for (unsigned i = 0; i < n; i++)
		if ((rc = worker_open(ctl, i, err)) < 0)
			return rc;
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n; j++)
			if (i != j && (rc = handover_open(ctl, i, j, err)) < 0)
				return rc;
	return 0;
}

int workers_launch(struct control *ctl, struct err *err)
{
	for (unsigned i = 0; i < ctl->plane->n_workers; i++) {
		int rc = rte_eal_remote_launch(worker_main, ctl->worker[i], i + 1);
		if (rc < 0)
			return err_set(err, rc, "worker %u did not start: %s", i, strerror(-rc));
	}
	return 0;
}

void workers_stop(struct control *ctl)
{
	if (ctl->plane == NULL)
		return;
	for (unsigned i = 0; i < ctl->plane->n_workers; i++)
		if (ctl->worker[i] != NULL)
			ctl->worker[i]->stop = true;
	for (unsigned i = 0; i < ctl->plane->n_workers; i++)
		rte_eal_wait_lcore(i + 1);
}

static void ring_empty(struct rte_ring *r)
{
	void *m;

	while (rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

void workers_close(struct control *ctl)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		struct worker *w = ctl->worker[i];
		if (w == NULL)
			continue;
		tx_flush(w);
		for (unsigned j = 0; j < WORKERS_MAX; j++)
			if (w->in[j] != NULL)
				ring_empty(w->in[j]);
		worker_fini(w);
		rte_free(w);
		ctl->worker[i] = NULL;
	}
}
