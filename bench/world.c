// SPDX-License-Identifier: BSD-3-Clause
// The plane and the worker, as the daemon makes them.
#include "world.h"

#include "ip/reasm.h"
#include "world_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdlib.h>
#include <string.h>

const struct rte_ether_addr mac_of_port[2] = {{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}};
const struct rte_ether_addr mac_of_peer[2] = {{{2, 0, 0, 0, 1, 1}}, {{2, 0, 0, 0, 1, 2}}};

static void local_put(struct plane *p, uint32_t ip, uint8_t kind, uint8_t media)
{
	uint32_t i = LOCAL_HASH(ip);

	while (p->local[i].ip != 0)
		i = (i + 1) & (LOCALS_MAX - 1);
	p->local[i] = (struct local_addr){.ip = ip, .kind = kind, .media = media};
}

static void port_make(struct plane *p, unsigned i, uint32_t ip)
{
	p->port[i] = (struct port){.device = (uint8_t)i,
				   .index = (uint8_t)i,
				   .inside = i == INSIDE,
				   .up = 1,
				   .mtu = 1500,
				   .mac = mac_of_port[i],
				   .ip = ip};
	snprintf(p->port[i].name, sizeof(p->port[i].name), i == INSIDE ? "inside" : "outside");
	p->device[i].id = (uint16_t)i;
	p->device[i].n_rxq = p->device[i].n_txq = 1;
	p->device[i].port_untagged = (uint8_t)(i + 1);
	memset(p->device[i].txq, -1, sizeof(p->device[i].txq));
	p->device[i].txq[0] = 0;
	local_put(p, ip, LOCAL_KERNEL, 0);
}

static void adjacency_make(struct world *w, uint32_t index, unsigned port)
{
	struct nexthop *nh = &w->nexthops[index];
	struct rte_ether_hdr eth = {.dst_addr = mac_of_peer[port],
				    .src_addr = mac_of_port[port],
				    .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};

	*nh = (struct nexthop){.kind = NH_ADJACENCY,
			       .port = (uint8_t)port,
			       .mtu = 1500,
			       .l2_len = sizeof(eth),
			       .index = index};
	memcpy(nh->l2, &eth, sizeof(eth));
	w->plane->nexthop[index] = nh;
}

static int routes_make(struct world *w)
{
	struct plane *p = w->plane;
	int rc;

	adjacency_make(w, NH_OUTSIDE, OUTSIDE);
	adjacency_make(w, NH_INSIDE, INSIDE);
	rc = rte_lpm_add(p->lpm, GATEWAY_NET, 10, NH_OUTSIDE);
	rc = rc != 0 ? rc : rte_lpm_add(p->lpm, STRANGER_NET, 16, NH_OUTSIDE);
	rc = rc != 0 ? rc : rte_lpm_add(p->lpm, PLATFORM_NET, 24, NH_INSIDE);
	for (uint32_t k = 1; rc == 0 && k <= w->spec.customers; k++) {
		uint32_t index = NH_TUNNELS + k;
		w->nexthops[index] = (struct nexthop){
			.kind = NH_TUNNEL, .customer = (uint16_t)k, .mtu = 1500, .index = index};
		p->nexthop[index] = &w->nexthops[index];
		rc = rte_lpm_add(p->lpm, PHONE_NET | k << 8, 24, index);
	}
	return rc;
}

static int plane_make(struct world *w, struct err *err)
{
	struct rte_lpm_config lpm = {.max_rules = CUSTOMERS_MAX * 2, .number_tbl8s = 256};
	struct plane *p = rte_zmalloc("plane", sizeof(*p), 64);

	w->plane = p;
	if (p == NULL)
		return err_set(err, -ENOMEM, "no memory for the plane");
	p->n_workers = 1;
	p->n_ports = p->n_devices = 2;
	p->n_legs_max = CALLS_MAX * 2;
	p->tsc_hz = rte_get_tsc_hz();
	p->route_gen = 1;
	p->qsbr = rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(WORKERS_MAX), 64);
	p->lpm = rte_lpm_create("bench", SOCKET_ID_ANY, &lpm);
	w->nexthops =
		rte_zmalloc("nexthops", sizeof(struct nexthop) * (NH_TUNNELS + CUSTOMERS_MAX), 64);
	p->leg_slot = rte_zmalloc("leg slots", sizeof(*p->leg_slot) * p->n_legs_max, 64);
	if (p->qsbr == NULL || p->lpm == NULL || w->nexthops == NULL || p->leg_slot == NULL ||
	    rte_rcu_qsbr_init(p->qsbr, WORKERS_MAX) != 0)
		return err_set(err, -ENOMEM, "no memory for the plane's tables");
	rte_rcu_qsbr_thread_register(p->qsbr, 0);
	rte_rcu_qsbr_thread_online(p->qsbr, 0);
	port_make(p, OUTSIDE, OUTSIDE_IP);
	port_make(p, INSIDE, INSIDE_IP);
	return routes_make(w) == 0 ? 0 : err_set(err, -ENOMEM, "routes do not fit");
}

static int worker_make(struct world *w, struct err *err)
{
	struct worker *k = rte_zmalloc("worker", sizeof(*k), 64);
	uint64_t hz = rte_get_tsc_hz(), now = rte_rdtsc();

	w->worker = k;
	if (k == NULL)
		return err_set(err, -ENOMEM, "no memory for the worker");
	if (worker_init(k, w->plane, 0, ports_pool()) < 0)
		return err_set(err, -ENOMEM, "no memory for the worker");
	for (unsigned i = 0; i < 2; i++) {
		char name[32];
		if (worker_queue_add(k, (uint16_t)i, 0) < 0)
			return err_set(err, -ENOMEM, "no memory for the worker");
		snprintf(name, sizeof(name), "punt-%u", i);
		k->punt[i] = rte_ring_create(name, 64, SOCKET_ID_ANY, RING_F_SC_DEQ);
		tier_bucket_init(&k->punt_limit[i], 1000000, 100, hz, now);
		tier_bucket_init(&k->punt_known[i], 1000000, 100, hz, now);
	}
	tier_bucket_init(&k->icmp_limit, 1000000, 100, hz, now);
	if (k->punt[0] == NULL || k->punt[1] == NULL)
		return err_set(err, -ENOMEM, "no memory for the worker");
	return 0;
}

static int stock_fill(struct world *w, struct err *err)
{
	uint32_t n = rte_mempool_avail_count(w->pool) - 2048; // some stay for the worker's own use

	w->stock =
		calloc(w->pool->size, sizeof(*w->stock)); // refilled, it may come to hold them all
	if (w->stock == NULL || rte_pktmbuf_alloc_bulk(w->pool, w->stock, n) != 0)
		return err_set(err, -ENOMEM, "no packet buffers");
	w->n_stock = n;
	return 0;
}

int world_open(struct world *w, const struct world_spec *spec, struct err *err)
{
	int rc;

	memset(w, 0, sizeof(*w));
	w->spec = *spec;
	if (spec->scene == SCENE_ESP_ESP && w->spec.customers < 2)
		w->spec.customers = 2;
	if (spec->scene == SCENE_HAIRPIN)
		w->spec.calls += w->spec.calls & 1;
	if ((rc = ports_open(err)) < 0)
		return rc;
	w->pool = ports_pool();
	w->crypto = crypto_new();
	if (w->crypto == NULL)
		return err_set(err, -ENOMEM, "no crypto context");
	if ((rc = plane_make(w, err)) < 0 || (rc = worker_make(w, err)) < 0 ||
	    (rc = customers_make(w, err)) < 0 || (rc = calls_make(w, err)) < 0 ||
	    (rc = stock_fill(w, err)) < 0)
		world_close(w);
	return rc;
}

static void worker_free(struct worker *k)
{
	struct rte_mbuf *m;

	for (unsigned i = 0; i < 2; i++) {
		while (k->punt[i] != NULL && rte_ring_dequeue(k->punt[i], (void **)&m) == 0)
			rte_pktmbuf_free(m);
		rte_ring_free(k->punt[i]);
	}
	worker_fini(k);
	rte_free(k);
}

void world_close(struct world *w)
{
	struct rte_mbuf *m;

	for (unsigned i = 0; i < 4; i++) {
		struct rte_ring *r = ports_ring(i & 1, i >> 1);
		while (r != NULL && rte_ring_dequeue(r, (void **)&m) == 0)
			rte_pktmbuf_free(m);
	}
	rte_pktmbuf_free_bulk(w->stock, w->n_stock);
	free(w->stock);
	if (w->worker != NULL)
		worker_free(w->worker);
	calls_free(w);
	customers_free(w);
	if (w->plane != NULL) {
		rte_lpm_free(w->plane->lpm);
		rte_free(w->plane->leg_slot);
		rte_free(w->plane->qsbr);
		rte_free(w->plane);
	}
	rte_free(w->nexthops);
	crypto_free(w->crypto);
	memset(w, 0, sizeof(*w));
}
