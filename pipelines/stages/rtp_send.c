// SPDX-License-Identifier: BSD-3-Clause
// The egress half of the relay, at the egress leg's owner: a fresh IPv4 header and UDP ports in
// front of the untouched payload, and the way out, which the leg remembers until a route changes.
#include "adjacency.h"
#include "chain.h"
#include "dispatch.h"
#include "ip/ip.h"
#include "rtp/leg.h"

static bool is_media(const struct plane *p, uint32_t ip)
{
	const struct local_addr *local = local_lookup(p, ip);

	return local != NULL && (local->kind & LOCAL_MEDIA);
}

// Looks up the way to the leg's peer. A tunnel must be the leg's own customer's.
static void leg_route(struct worker *w, struct leg *leg)
{
	const struct plane *p = w->plane;
	uint32_t gen = route_gen(p);

	leg->hairpin = is_media(p, leg->out_ip);
	leg->nexthop = route_lookup(p, leg->out_ip);
	leg->route_gen = gen;
}

// The header as three words of 64 bits, stored at once: a narrow store before a wide load of the
// same bytes would stall both the checksum and the transmission.
struct header {
	uint64_t word[3]; // version..offset; TTL..source; destination, ports
};
_Static_assert(sizeof(struct header) == sizeof(struct rte_ipv4_hdr) + 4, "up to the UDP ports");

// Addresses and ports change; everything else of the header is made anew, so that nothing of the
// far side's (options, TTL, DF) passes. The UDP checksum follows by difference (RFC 1624).
static inline void headers_write(struct rte_mbuf *m, const struct leg *leg, uint16_t sport,
				 uint32_t dst, uint16_t dport)
{
	struct rte_ipv4_hdr *ip = pkt_ip(m);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	struct header was, is;

	memcpy(&was, ip, sizeof(was));
	uint16_t total = (uint16_t)(sizeof(*ip) + rte_be_to_cpu_16(udp->dgram_len));
	uint32_t tos = ((uint32_t)was.word[0] >> 8 & leg->tos_keep) | leg->tos;
	uint32_t first = 0x45 | tos << 8 | (uint32_t)rte_cpu_to_be_16(total) << 16;
	uint32_t id = (uint32_t)(was.word[0] >> 32) & 0xffff;
	uint32_t ports = (uint32_t)dport << 16 | sport;
	uint16_t sum = (uint16_t)~cksum_fold((uint64_t)leg->ip_sum + first + id + dst);

	is.word[0] = (uint64_t)id << 32 | first;
	is.word[1] =
		(uint64_t)leg->local_ip << 32 | (uint32_t)sum << 16 | IPPROTO_UDP << 8 | LEG_TTL;
	is.word[2] = (uint64_t)ports << 32 | dst;
	uint64_t diff = cksum_diff32((uint32_t)(was.word[1] >> 32), leg->local_ip) +
			cksum_diff32((uint32_t)was.word[2], dst) +
			cksum_diff32((uint32_t)(was.word[2] >> 32), ports);
	udp->dgram_cksum = udp_cksum_apply(udp->dgram_cksum, diff);
	memcpy(ip, &is, sizeof(is));
	m->data_len = total;
	m->pkt_len = total;
}

static inline uint8_t way_out(struct worker *w, struct rte_mbuf *m, const struct leg *leg,
			      uint32_t nexthop)
{
	const struct nexthop *nh = nexthop_get(w->plane, nexthop);
	struct pkt_tag *tag = pkt_tag(m);

	// PKT_OUTER: should the route change before it is looked up again, then not into a tunnel.
	tag->flags = (uint8_t)((tag->flags & PKT_TRACED) | PKT_OURS | PKT_OUTER);
	pkt_obj_set(m, nh);
	if (likely(nh != NULL && nh->kind == NH_ADJACENCY && leg->out_customer == 0)) {
		tag->customer = 0;
		return likely(m->data_len <= nh->mtu) ? STAGE_tx : STAGE_route;
	}
	// In a tunnel means in its own customer's; a customer's audio never leaves in the clear.
	if (likely(nh != NULL && nh->kind == NH_TUNNEL && nh->customer == leg->out_customer)) {
		tag->customer = leg->out_customer;
		return STAGE_tier;
	}
	if (leg->out_customer != 0 || (nh != NULL && nh->kind == NH_TUNNEL))
		return pkt_drop(m, DROP_RTP_CUSTOMER);
	tag->customer = 0;
	return STAGE_route;
}

// RTCP may go elsewhere than RTP does, and then by another way. It is rare: nothing is remembered.
static uint8_t send_rtcp(struct worker *w, struct rte_mbuf *m, struct leg *leg)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(pkt_ip(m) + 1);
	uint32_t to = leg_rtcp_ip(leg), nexthop = leg->nexthop;
	bool hairpin = leg->hairpin;

	if (to == 0)
		return pkt_drop(m, DROP_RTP_NO_PEER);
	if (to != leg->out_ip) {
		hairpin = is_media(w->plane, to);
		nexthop = route_lookup(w->plane, to);
	}
	if (hairpin)
		return STAGE_hairpin;
	uint32_t len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp);
	leg->rtcp_tx_packets++;
	leg->rtcp_tx_bytes += len;
	if (leg->srtp_out == NULL) // else srtp_seal has noted it
		rtcp_sent(&leg->rtcp, (const uint8_t *)(udp + 1), len, w->now);
	headers_write(m, leg, leg->local_rtcp, to, leg_rtcp_port(leg));
	return way_out(w, m, leg, nexthop);
}

static inline uint8_t send_one(struct worker *w, struct rte_mbuf *m)
{
	struct leg *leg = pkt_obj(m);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(pkt_ip(m) + 1);

	if (unlikely(leg->route_gen != route_gen(w->plane)) && leg->out_ip != 0)
		leg_route(w, leg);
	if (unlikely(pkt_tag(m)->flags & PKT_RTCP))
		return send_rtcp(w, m, leg);
	if (unlikely(leg->out_ip == 0))
		return pkt_drop(m, DROP_RTP_NO_PEER);
	if (unlikely(leg->hairpin))
		return STAGE_hairpin;
	leg->tx_packets++;
	leg->tx_bytes += rte_be_to_cpu_16(udp->dgram_len) - sizeof(*udp);
	headers_write(m, leg, leg->local_port, leg->out_ip, leg->out_port);
	return way_out(w, m, leg, leg->nexthop);
}

void stage_rtp_send(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	chain_next(w, n);
	for (uint16_t i = 0; i < n; i++)
		next[i] = send_one(w, pkt[i]);
}
