// SPDX-License-Identifier: BSD-3-Clause
// The tables, as the control thread makes them.
#include "world.h"

#include "ip/ip.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <string.h>

#define RING_SIZE 512
#define HANDOVER_SIZE 64
#define POOL_SIZE 4095
#define SLOTS 4096
#define TBL8S 64
#define WINDOW 1024

static const struct rte_ether_addr mac_port[2] = {{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}};
static const struct rte_ether_addr mac_peer[2] = {{{2, 0, 0, 0, 1, 1}}, {{2, 0, 0, 0, 1, 2}}};

// ---- ethdevs and buffers: once a process ----

static struct {
	struct rte_mempool *pool;
	struct rte_ring *to[2], *from[2];
} bed;

static int device_make(unsigned i, struct err *err)
{
	struct rte_eth_conf conf = {0};
	char name[32];

	snprintf(name, sizeof(name), "to-%u", i);
	bed.to[i] = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, 0);
	snprintf(name, sizeof(name), "from-%u", i);
	bed.from[i] = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, 0);
	if (bed.to[i] == NULL || bed.from[i] == NULL)
		return err_set(err, -ENOMEM, "no memory for rings");
	snprintf(name, sizeof(name), "port-%u", i);
	int id = rte_eth_from_rings(name, &bed.to[i], 1, &bed.from[i], 1, 0);
	if (id != (int)i || rte_eth_dev_configure((uint16_t)id, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup((uint16_t)id, 0, 512, 0, NULL, bed.pool) != 0 ||
	    rte_eth_tx_queue_setup((uint16_t)id, 0, 512, 0, NULL) != 0 ||
	    rte_eth_dev_start((uint16_t)id) != 0)
		return err_set(err, -EIO, "ring port %u does not start: %s", i,
			       rte_strerror(rte_errno));
	return 0;
}

static int bed_make(struct err *err)
{
	if (bed.pool != NULL)
		return 0;
	bed.pool = rte_pktmbuf_pool_create("packets", POOL_SIZE, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					   SOCKET_ID_ANY);
	if (bed.pool == NULL)
		return err_set(err, -ENOMEM, "packet buffers: %s", rte_strerror(rte_errno));
	int rc = device_make(OUTSIDE, err);
	return rc < 0 ? rc : device_make(INSIDE, err);
}

// ---- plane ----

static void local_put(struct plane *p, uint32_t ip, uint8_t kind, uint8_t media)
{
	uint32_t be = rte_cpu_to_be_32(ip), i = LOCAL_HASH(be);

	while (p->local[i].ip != 0)
		i = (i + 1) & (LOCALS_MAX - 1);
	p->local[i] = (struct local_addr){.ip = be, .kind = kind, .media = media};
}

static void port_make(struct plane *p, unsigned i, uint32_t ip)
{
	p->port[i] = (struct port){.device = (uint8_t)i,
				   .index = (uint8_t)i,
				   .inside = i == INSIDE,
				   .up = 1,
				   .mtu = 1500,
				   .mac = mac_port[i],
				   .ip = rte_cpu_to_be_32(ip)};
	p->device[i].id = (uint16_t)i;
	p->device[i].n_rxq = p->device[i].n_txq = 1;
	p->device[i].port_untagged = (uint8_t)(i + 1);
	memset(p->device[i].txq, -1, sizeof(p->device[i].txq));
	p->device[i].txq[0] = 0;
	local_put(p, ip, LOCAL_KERNEL, 0);
}

static void adjacency_make(struct world *w, uint32_t index, unsigned port)
{
	struct nexthop *nh = &w->hop[index];
	struct rte_ether_hdr eth = {.dst_addr = mac_peer[port],
				    .src_addr = mac_port[port],
				    .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};

	*nh = (struct nexthop){.kind = NH_ADJACENCY,
			       .port = (uint8_t)port,
			       .mtu = 1500,
			       .l2_len = sizeof(eth),
			       .index = index};
	memcpy(nh->l2, &eth, sizeof(eth));
}

void route_set(struct world *w, uint32_t net, uint8_t len, uint32_t hop)
{
	if (hop == HOP_NONE)
		rte_lpm_delete(w->plane->lpm, net, len);
	else if (rte_lpm_add(w->plane->lpm, net, len, hop) != 0)
		rte_panic("no room for a route\n");
	w->plane->route_gen++;
}

static void routes_make(struct world *w)
{
	adjacency_make(w, HOP_OUTSIDE, OUTSIDE);
	adjacency_make(w, HOP_INSIDE, INSIDE);
	w->hop[HOP_BLACKHOLE] = (struct nexthop){.kind = NH_BLACKHOLE, .index = HOP_BLACKHOLE};
	w->hop[HOP_LOCAL] = (struct nexthop){.kind = NH_LOCAL, .index = HOP_LOCAL};
	route_set(w, IP(100, 64, 0, 0), 24, HOP_OUTSIDE);
	route_set(w, IP(203, 0, 113, 0), 24, HOP_OUTSIDE);
	route_set(w, IP(198, 18, 20, 0), 24, HOP_INSIDE);
	for (uint32_t k = 1; k < CUSTOMERS; k++) {
		w->hop[HOP_TUNNEL + k] = (struct nexthop){.kind = NH_TUNNEL,
							  .customer = (uint16_t)k,
							  .mtu = UINT16_MAX,
							  .index = HOP_TUNNEL + k};
		route_set(w, IP(44, 0, k, 0), 24, HOP_TUNNEL + k);
	}
	for (uint32_t i = 0; i < HOP_TUNNEL + CUSTOMERS; i++)
		w->plane->nexthop[i] = &w->hop[i];
}

static int media_make(struct plane *p, uint8_t i, uint32_t ip)
{
	struct media_addr *m = rte_zmalloc("media", sizeof(*m), 64);

	if (m == NULL)
		return -ENOMEM;
	m->ip = rte_cpu_to_be_32(ip);
	m->lo = 10000;
	m->hi = 59999;
	p->media[i] = m;
	p->n_media++;
	local_put(p, ip, LOCAL_MEDIA | LOCAL_KERNEL, i);
	return 0;
}

static int plane_make(struct world *w, struct err *err)
{
	struct rte_lpm_config lpm = {.max_rules = 1024, .number_tbl8s = TBL8S};
	struct plane *p = rte_zmalloc("plane", sizeof(*p), 64);

	w->plane = p;
	if (p == NULL)
		return err_set(err, -ENOMEM, "no memory for the plane");
	p->n_workers = (uint16_t)w->n_workers;
	p->n_ports = p->n_devices = 2;
	p->n_legs_max = SLOTS;
	p->tsc_hz = rte_get_tsc_hz();
	p->route_gen = 1;
	p->lpm = rte_lpm_create("routes", SOCKET_ID_ANY, &lpm);
	p->leg_slot = rte_zmalloc("slots", SLOTS * sizeof(*p->leg_slot), 64);
	w->hop = rte_zmalloc("hops", (HOP_TUNNEL + CUSTOMERS) * sizeof(*w->hop), 64);
	if (p->lpm == NULL || p->leg_slot == NULL || w->hop == NULL ||
	    media_make(p, 0, MEDIA_A) < 0 || media_make(p, 1, MEDIA_B) < 0)
		return err_set(err, -ENOMEM, "no memory for the plane's tables");
	port_make(p, OUTSIDE, OUTSIDE_IP);
	port_make(p, INSIDE, INSIDE_IP);
	routes_make(w);
	return 0;
}

static int worker_make(struct world *w, unsigned id, struct err *err)
{
	struct worker *k = rte_zmalloc("worker", sizeof(*k), 64);

	w->worker[id] = k;
	if (k == NULL || worker_init(k, w->plane, (uint16_t)id, w->pool) < 0)
		return err_set(err, -ENOMEM, "no memory for a worker");
	for (uint16_t i = 0; i < 2; i++) {
		k->punt[i] = w->punt[i];
		if (id == 0 && worker_queue_add(k, i, 0) < 0)
			return err_set(err, -ENOMEM, "no memory for a queue");
	}
	return 0;
}

static int workers_make(struct world *w, struct err *err)
{
	for (unsigned i = 0; i < 2; i++) {
		w->punt[i] = rte_ring_create(i == 0 ? "punt-0" : "punt-1", RING_SIZE, 0, 0);
		w->handover[i] =
			rte_ring_create(i == 0 ? "handover-0" : "handover-1", HANDOVER_SIZE, 0, 0);
		if (w->punt[i] == NULL || w->handover[i] == NULL)
			return err_set(err, -ENOMEM, "no memory for rings");
	}
	for (unsigned i = 0; i < w->n_workers; i++) {
		int rc = worker_make(w, i, err);
		if (rc < 0)
			return rc;
	}
	if (w->n_workers == 2) {
		w->worker[0]->out[1] = w->worker[1]->in[0] = w->handover[1];
		w->worker[1]->out[0] = w->worker[0]->in[1] = w->handover[0];
	}
	return 0;
}

// ---- customers ----

void allow_set(struct world *w, unsigned k, const struct allow_rule *rule, unsigned n)
{
	struct allow_list *list =
		rte_zmalloc("allow", sizeof(*list) + n * sizeof(list->rule[0]), 64);

	list->n = n;
	memcpy(list->rule, rule, n * sizeof(*rule));
	rte_free(w->allow[k]);
	w->allow[k] = list;
	w->customer[k]->allow = list;
}

static int customers_make(struct world *w, struct err *err)
{
	const struct allow_rule platform = {
		.net = IP(198, 18, 20, 0), .mask = 0xffffff00u, .port_hi = 65535};
	struct allow_rule sip = platform, any = {.port_hi = 65535};

	sip.proto = IPPROTO_UDP;
	sip.port_lo = sip.port_hi = 5060;
	for (uint16_t k = 1; k < CUSTOMERS; k++) {
		struct customer *c = rte_zmalloc("customer", sizeof(*c), 64);
		if (c == NULL)
			return err_set(err, -ENOMEM, "no memory for a customer");
		c->id = k;
		c->owner = (uint16_t)((k - 1u) % w->n_workers);
		tier_bucket_init(&c->in, 0, 0, w->plane->tsc_hz, 0);
		tier_bucket_init(&c->out, 0, 0, w->plane->tsc_hz, 0);
		w->customer[k] = w->plane->customer[k] = c;
		allow_set(w, k, k == ACME ? &platform : k == GLOBEX ? &sip : &any, 1);
		int rc = tunnel_make(w, k, 0, 0, 65535, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static struct sa_in *in_make(struct world *w, const struct sa_spec *spec, struct err *err)
{
	struct sa_in *sa = rte_zmalloc("sa", sa_in_size(spec), 64);

	return sa != NULL && sa_in_init(sa, spec, w->crypto, err) == 0 ? sa : NULL;
}

static struct sa_out *out_make(struct world *w, const struct sa_spec *spec, struct err *err)
{
	struct sa_out *sa = rte_zmalloc("sa", sa_out_size(spec), 64);

	return sa != NULL && sa_out_init(sa, spec, w->crypto, err) == 0 ? sa : NULL;
}

static struct ip_endpoint nat_t(uint32_t ip)
{
	return (struct ip_endpoint){.addr = {.family = AF_INET, .v4.s_addr = rte_cpu_to_be_32(ip)},
				    .port = 4500};
}

int tunnel_make(struct world *w, unsigned k, uint16_t tfc_pad, uint16_t port_lo, uint16_t port_hi,
		struct err *err)
{
	struct tunnel *t = &w->tunnel[k];
	uint8_t material[128];
	bool wide = k == WIDE;

	tunnel_free(w, k);
	memset(material, (int)(0x11 * k), sizeof(material));
	struct sa_spec s = {
		.spi = 0xc1000000u | k,
		.suite = wide ? SUITE_AES_CBC_128_SHA256 : SUITE_AES_GCM_128,
		.flags = (k == GLOBEX ? SA_ENCAP : 0u) | SA_DSCP | SA_ECN | SA_DF_COPY,
		.window = WINDOW,
		.owner = w->customer[k]->owner,
		.customer = (uint16_t)k,
		.local = nat_t(OUTSIDE_IP),
		.peer = nat_t(GATEWAY(k)),
		.material = material,
		.n_selectors = 1,
	};
	struct sa_spec peer = s;
	peer.local = s.peer;
	peer.peer = s.local;
	struct selector *sel = &s.selectors[0];
	*sel = (struct selector){.src_lo = wide ? 0 : IP(44, 0, k, 0),
				 .src_hi = wide ? UINT32_MAX : IP(44, 0, k, 255),
				 .dst_hi = UINT32_MAX,
				 .sport_hi = 65535,
				 .dport_lo = port_lo,
				 .dport_hi = port_hi};
	peer.selectors[0] = *sel;
	t->in = in_make(w, &s, err);
	t->to_us = out_make(w, &peer, err);
	s.spi = peer.spi = 0xd1000000u | k;
	s.tfc_pad = tfc_pad;
	*sel = (struct selector){.src_hi = UINT32_MAX,
				 .dst_lo = IP(44, 0, k, 0),
				 .dst_hi = IP(44, 0, k, 255),
				 .sport_lo = port_lo,
				 .sport_hi = port_hi,
				 .dport_hi = 65535};
	t->out = out_make(w, &s, err);
	t->from_us = in_make(w, &peer, err);
	t->spd = rte_zmalloc("spd", sizeof(*t->spd) + sizeof(t->spd->sa[0]), 64);
	if (t->in == NULL || t->out == NULL || t->to_us == NULL || t->from_us == NULL ||
	    t->spd == NULL)
		return -ENOMEM;
	t->spd->n = 1;
	t->spd->sa[0] = t->out;
	w->customer[k]->spd = t->spd;
	w->plane->sa_in[k] = REF_MAKE(t->in, t->in->owner);
	return 0;
}

void tunnel_free(struct world *w, unsigned k)
{
	struct tunnel *t = &w->tunnel[k];

	w->plane->sa_in[k] = 0;
	w->customer[k]->spd = NULL;
	rte_free(t->in);
	rte_free(t->out);
	rte_free(t->to_us);
	rte_free(t->from_us);
	rte_free(t->spd);
	memset(t, 0, sizeof(*t));
}

// ---- calls ----

static ref_t *ref_of(struct world *w, uint32_t media, uint16_t port)
{
	return &w->plane->media[media == MEDIA_A ? 0 : 1]->leg[port];
}

static void leg_make(struct world *w, struct leg *leg, const struct side *s)
{
	leg->owner = s->customer != 0 ? w->customer[s->customer]->owner
				      : (uint16_t)(s->port / 2 % w->n_workers);
	leg->flags = s->mux ? LEG_RTCP_MUX : 0;
	leg_identity_set(leg, s->customer, rte_cpu_to_be_32(s->media), -1);
	leg->local_port = rte_cpu_to_be_16(s->port);
	leg->local_rtcp = rte_cpu_to_be_16((uint16_t)(s->port + !s->mux));
	const struct latch_policy policy = {
		.learn = s->open,
		.strict = !s->open,
		.first_come = LATCH_FIRST_ANYBODY,
	};
	struct latch_peer peer = {rte_cpu_to_be_32(s->remote), rte_cpu_to_be_16(s->remote_port)};
	leg_latch_set(leg, &policy, peer, (struct latch_peer){0}, w->plane->tsc_hz);
	leg->rx.clock_mult = rtp_clock_mult(8000, w->plane->tsc_hz);
	leg->id = w->next_slot++ % SLOTS;
	leg->gen = ++w->plane->leg_slot[leg->id].gen;
	w->plane->leg_slot[leg->id].leg = leg;
}

void call_publish(struct world *w, struct leg_pair *pair)
{
	for (unsigned i = 0; i < 2; i++) {
		struct leg *leg = &pair->leg[i];
		uint32_t media = rte_be_to_cpu_32(leg->local_ip);
		uint16_t port = rte_be_to_cpu_16(leg->local_port);
		leg->onward = leg_onward(leg, &pair->leg[!i]);
		*ref_of(w, media, port) = leg_port_ref(leg, i == 1);
		if (!(leg->flags & LEG_RTCP_MUX))
			*ref_of(w, media, (uint16_t)(port + 1)) = leg_port_ref(leg, i == 1);
	}
}

struct leg_pair *call_make(struct world *w, struct side a, struct side b)
{
	struct leg_pair *pair = rte_zmalloc("legs", sizeof(*pair), 64);
	const struct side *side[2] = {&a, &b};

	if (pair == NULL)
		rte_panic("no memory for a call\n");
	for (unsigned i = 0; i < 2; i++)
		leg_make(w, &pair->leg[i], side[i]);
	call_publish(w, pair);
	return pair;
}

void call_withdraw(struct world *w, struct leg_pair *pair)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct leg *leg = &pair->leg[i];
		uint32_t media = rte_be_to_cpu_32(leg->local_ip);
		uint16_t port = rte_be_to_cpu_16(leg->local_port);
		*ref_of(w, media, port) = 0;
		*ref_of(w, media, (uint16_t)(port + 1)) = 0;
		w->plane->leg_slot[leg->id].leg = NULL;
	}
}

void call_free(struct leg_pair *pair)
{
	rte_free(pair);
}

// ---- life ----

int world_open(struct world *w, unsigned n_workers, struct err *err)
{
	int rc = bed_make(err);

	if (rc < 0)
		return rc;
	memset(w, 0, sizeof(*w));
	w->n_workers = n_workers;
	w->pool = bed.pool;
	memcpy(w->to, bed.to, sizeof(w->to));
	memcpy(w->from, bed.from, sizeof(w->from));
	w->crypto = crypto_new();
	if (w->crypto == NULL)
		return err_set(err, -ENOMEM, "no crypto context");
	if ((rc = plane_make(w, err)) < 0 || (rc = workers_make(w, err)) < 0 ||
	    (rc = customers_make(w, err)) < 0)
		return rc;
	w->buffers = rte_mempool_avail_count(w->pool);
	world_mark(w);
	return 0;
}

void world_close(struct world *w)
{
	for (unsigned i = 0; i < w->n_workers; i++) {
		worker_fini(w->worker[i]);
		rte_free(w->worker[i]);
	}
	for (unsigned k = 1; k < CUSTOMERS; k++) {
		tunnel_free(w, k);
		rte_free(w->allow[k]);
		rte_free(w->customer[k]);
	}
	for (unsigned i = 0; i < 2; i++) {
		rte_ring_free(w->punt[i]);
		rte_ring_free(w->handover[i]);
		rte_free(w->plane->media[i]);
	}
	rte_lpm_free(w->plane->lpm);
	rte_free(w->plane->leg_slot);
	rte_free(w->plane);
	rte_free(w->hop);
	crypto_free(w->crypto);
}
