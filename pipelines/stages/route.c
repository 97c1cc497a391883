// SPDX-License-Identifier: BSD-3-Clause
// Longest-prefix match for what has no remembered way: transit, ICMP errors, outer headers whose
// route changed. TTL and MTU are checked here.
#include "adjacency.h"
#include "ip/ip.h"

static uint8_t too_big(struct rte_mbuf *m, const struct nexthop *nh)
{
	struct pkt_cold *cold = pkt_cold(m);

	cold->mtu = nh->mtu;
	if ((pkt_tag(m)->flags & PKT_OUTER) &&
	    (pkt_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)))
		return pkt_drop(m, DROP_TOO_BIG); // nobody to tell: we are the sender
	if (pkt_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) {
		cold->icmp_type = ICMP_UNREACHABLE;
		cold->icmp_code = ICMP_FRAG_NEEDED;
		cold->drop = DROP_TOO_BIG;
		return STAGE_icmp;
	}
	cold->resume = STAGE_tx;
	return STAGE_fragment;
}

static void resolve_ask(struct worker *w, uint8_t port, uint32_t ip)
{
	struct resolve_ring *r = &w->resolve;
	uint32_t tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);

	if (r->head - tail >= RESOLVE_MAX)
		return;
	r->want[r->head % RESOLVE_MAX].ip = ip;
	r->want[r->head % RESOLVE_MAX].port = port;
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
}

static uint8_t route_one(struct worker *w, struct rte_mbuf *m)
{
	const struct plane *p = w->plane;
	struct rte_ipv4_hdr *ip = pkt_ip(m);
	struct pkt_tag *tag = pkt_tag(m);
	const struct nexthop *nh = nexthop_get(p, route_lookup(p, ip->dst_addr));

	if (nh == NULL)
		return pkt_drop(m, DROP_NO_ROUTE);
	// The platform may send into tunnels; for the rest we are no router.
	if (!(tag->flags & (PKT_OURS | PKT_FROM_TUNNEL)) &&
	    (nh->kind == NH_ADJACENCY || nh->kind == NH_UNRESOLVED))
		return pkt_drop(m, DROP_TRANSIT_DENIED);
	if (!(tag->flags & PKT_OURS)) {
		if (ip->time_to_live <= 1) {
			struct pkt_cold *cold = pkt_cold(m);
			cold->icmp_type = ICMP_TIME_EXCEEDED;
			cold->icmp_code = 0;
			cold->drop = DROP_IP_TTL;
			return STAGE_icmp;
		}
		ip4_ttl_dec(ip);
	}
	switch (nh->kind) {
	case NH_ADJACENCY:
		pkt_obj_set(m, nh);
		return likely(m->data_len <= nh->mtu) ? STAGE_tx : too_big(m, nh);
	case NH_TUNNEL: {
		if (tag->flags & PKT_OUTER)
			return pkt_drop(m, DROP_NO_ROUTE);
		const struct customer *c = customer_load(p, nh->customer);
		if (c == NULL)
			return pkt_drop(m, DROP_NO_SA);
		tag->customer = nh->customer;
		tag->flags &= (uint8_t)~PKT_FROM_TUNNEL;
		if (c->owner != w->id)
			return pkt_handover(m, c->owner, STAGE_tier, 0, 0);
		return STAGE_tier;
	}
	case NH_UNRESOLVED: // the kernel resolves the neighbour; the packet is the price
		resolve_ask(w, nh->port, nh->gateway != 0 ? nh->gateway : ip->dst_addr);
		return pkt_drop(m, DROP_NEIGHBOUR);
	case NH_LOCAL: // media and tunnels are never for our own kernel, whoever signals so
		return tag->flags & PKT_OUTER ? pkt_drop(m, DROP_NO_ROUTE) : STAGE_exception;
	case NH_BLACKHOLE:
		return pkt_drop(m, DROP_BLACKHOLE);
	default:
		return pkt_drop(m, DROP_NO_ROUTE);
	}
}

void stage_route(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = route_one(w, pkt[i]);
}
