// SPDX-License-Identifier: BSD-3-Clause
// To the kernel, by the TAP of the port that the packet came in by: ARP, IKE, ping, BGP, and what
// needs a neighbour resolved. Rate-limited a source and a port (punt.h), so that a flood costs its
// source and its port only.
#include "adjacency.h"
#include "punt.h"

#include <rte_ether.h>
#include <rte_ring.h>

// In front of the payload again: the Ethernet header that the frame came with, or, for a packet
// that was made or decrypted here, one from the port to itself.
static void ethernet_restore(struct worker *w, struct rte_mbuf *m, uint8_t port)
{
	struct rte_ether_hdr *eth =
		(struct rte_ether_hdr *)rte_pktmbuf_prepend(m, sizeof(struct rte_ether_hdr));

	if (pkt_tag(m)->flags & (PKT_FROM_TUNNEL | PKT_OURS)) {
		eth->dst_addr = w->plane->port[port].mac;
		eth->src_addr = w->plane->port[port].mac;
		eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	}
}

// The kernel answers whoever the source is, and trusts its own answers into tunnels: what comes in
// the clear must not come from behind one. Nor may what comes from outside say that it is from inside, whom
// services may trust (control.ng_allow): the kernel would look at neither.
static bool source_is_spoofed(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth =
		(const struct rte_ether_hdr *)(rte_pktmbuf_mtod(m, uint8_t *) - sizeof(*eth));

	if (pkt_tag(m)->flags & (PKT_FROM_TUNNEL | PKT_OURS))
		return false;
	if (eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
	    m->data_len < sizeof(struct rte_ipv4_hdr))
		return false;
	const struct nexthop *nh =
		nexthop_get(w->plane, route_lookup(w->plane, pkt_ip(m)->src_addr));
	if (nh == NULL)
		return false;
	if (nh->kind == NH_TUNNEL)
		return true;
	return (nh->kind == NH_ADJACENCY || nh->kind == NH_UNRESOLVED) &&
	       w->plane->port[nh->port].inside && !w->plane->port[pkt_port(m)].inside;
}

// The source's limit; NULL: it has none. *known says which half of the port's rate it uses.
static uint64_t *source_limit(struct worker *w, struct rte_mbuf *m, bool *known)
{
	const struct pkt_tag *tag = pkt_tag(m);
	const struct rte_ether_hdr *eth =
		(const struct rte_ether_hdr *)(rte_pktmbuf_mtod(m, uint8_t *) - sizeof(*eth));

	*known = true;
	if (tag->flags & PKT_FROM_TUNNEL)
		return &w->sources->customer[tag->customer % CUSTOMERS_MAX];
	if ((tag->flags & PKT_OURS) || w->plane->port[pkt_port(m)].inside ||
	    eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP))
		return NULL;
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
	    m->data_len >= sizeof(struct rte_ipv4_hdr)) {
		uint32_t ip = pkt_ip(m)->src_addr;
		const struct punt_peers *peers =
			__atomic_load_n(&w->plane->punt_peers, __ATOMIC_RELAXED);
		int peer = punt_peers_find(peers, ip);
		if (peer >= 0)
			return &w->sources->peer[peer];
		*known = false;
		return punt_stranger(w->sources, ip);
	}
	*known = false;
	return punt_stranger(w->sources, rte_jhash(&eth->src_addr, RTE_ETHER_ADDR_LEN, 0));
}

static uint8_t exception_one(struct worker *w, struct rte_mbuf *m)
{
	uint8_t port = pkt_port(m);
	bool known;

	if (source_is_spoofed(w, m))
		return pkt_drop(m, DROP_IP_SOURCE);
	uint64_t *due = source_limit(w, m, &known);
	if (due != NULL && w->sources->ticks != 0 && !punt_source_admit(w->sources, due, w->now))
		return pkt_drop(m, DROP_PUNT_SOURCE);
	if (!event_admit(known ? &w->punt_known[port] : &w->punt_limit[port], w->now))
		return pkt_drop(m, DROP_PUNT_LIMIT);
	if (w->punt[port] == NULL || rte_pktmbuf_headroom(m) < sizeof(struct rte_ether_hdr))
		return pkt_drop(m, DROP_PUNT_FULL);
	ethernet_restore(w, m, port);
	if (rte_ring_mp_enqueue(w->punt[port], m) != 0)
		return pkt_drop(m, DROP_PUNT_FULL);
	return STAGE_KEPT;
}

void stage_exception(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = exception_one(w, pkt[i]);
}
