// SPDX-License-Identifier: BSD-3-Clause
// The ingress half of the relay, at the ingress leg's owner: is it RTP or RTCP, does it come from
// the leg's peer, what does it say of loss and jitter. Nothing of the far leg is read here but the pointer.
#include "adjacency.h"
#include "dispatch.h"
#include "rtp/leg.h"
#include "rtp/rtp_hdr.h"

// Named drops of lib/rtp.
static const uint8_t drop_of[] = {
	[RTP_KIND_VERSION] = DROP_RTP_VERSION,
	[RTP_KIND_TRUNCATED] = DROP_RTP_TRUNCATED,
	[RTP_KIND_OTHER] = DROP_RTP_OTHER,
};

// The latch is about to learn: never a source behind the tunnel of somebody else.
static bool source_is_anothers(struct worker *w, const struct leg *leg, uint32_t ip)
{
	uint16_t whose = tunnel_to(w->plane, ip);

	return whose != 0 && whose != leg->customer;
}

static inline uint8_t relay_rtcp(struct worker *w, struct rte_mbuf *m, struct leg *leg,
				 const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp,
				 bool muxed)
{
	uint8_t state = muxed ? leg->latch : leg->rtcp_latch;
	enum latch_verdict v;

	if (unlikely(state == LATCH_OPEN && source_is_anothers(w, leg, ip->src_addr)))
		return pkt_drop(m, DROP_IP_SOURCE);
	v = muxed ? leg_latch(leg, ip->src_addr, udp->src_port)
		  : leg_latch_rtcp(leg, ip->src_addr, udp->src_port);
	if (v != LATCH_PASS)
		return pkt_drop(m, DROP_RTP_SOURCE);
	leg->rtcp_rx_packets++;
	leg->rtcp_rx_bytes += rte_be_to_cpu_16(udp->dgram_len) - sizeof(*udp);
	pkt_tag(m)->flags |= PKT_RTCP;
	return STAGE_rtp_send;
}

static inline uint8_t relay_rtp(struct worker *w, struct rte_mbuf *m, struct leg *leg,
				const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp)
{
	const struct rtp_hdr *rtp = (const struct rtp_hdr *)(udp + 1);
	uint32_t len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp);

	if (unlikely(leg->latch == LATCH_OPEN && source_is_anothers(w, leg, ip->src_addr)))
		return pkt_drop(m, DROP_IP_SOURCE);
	if (unlikely(leg_latch(leg, ip->src_addr, udp->src_port) != LATCH_PASS))
		return pkt_drop(m, DROP_RTP_SOURCE);
	rtp_stats_update(&leg->rx, rte_be_to_cpu_16(rtp->seq), rte_be_to_cpu_32(rtp->ssrc),
			 rte_be_to_cpu_32(rtp->ts), len, w->now);
	return STAGE_rtp_send;
}

static inline uint8_t relay_one(struct worker *w, struct rte_mbuf *m)
{
	struct leg *leg = pkt_obj(m);
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	const uint8_t *pay = (const uint8_t *)(udp + 1);
	uint32_t len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp);
	uint8_t next;

	if (unlikely(pkt_tag(m)->customer != leg->customer))
		return pkt_drop(m, DROP_RTP_CUSTOMER);
	// Only a hairpin sends from our own addresses: a latch may know one, so this is no matter of it.
	if (unlikely(local_lookup(w->plane, ip->src_addr) != NULL && pkt_tag(m)->hops == 0))
		return pkt_drop(m, DROP_IP_SOURCE);
	bool odd = (udp->dst_port & RTE_BE16(1)) != 0;
	enum rtp_kind kind = rtp_check(pay, len);
	if (likely(kind == RTP_KIND_RTP && !odd))
		next = relay_rtp(w, m, leg, ip, udp);
	else if (kind == RTP_KIND_RTCP && (odd || (leg->flags & LEG_RTCP_MUX)))
		next = relay_rtcp(w, m, leg, ip, udp, !odd);
	else
		return pkt_drop(m, kind <= RTP_KIND_RTCP ? DROP_RTP_PORT : drop_of[kind]);
	if (unlikely(next != STAGE_rtp_send))
		return next;
	leg->last_tick = (uint32_t)(w->now >> TICK_SHIFT);
	struct leg *far = REF_PTR(leg->peer);
	pkt_obj_set(m, far);
	if (unlikely(REF_OWNER(leg->peer) != w->id))
		return pkt_handover(m, REF_OWNER(leg->peer), STAGE_rtp_send, far->id, far->gen);
	return STAGE_rtp_send;
}

void stage_rtp_relay(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = relay_one(w, pkt[i]);
}
