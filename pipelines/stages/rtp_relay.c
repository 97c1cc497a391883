// SPDX-License-Identifier: BSD-3-Clause
// The ingress half of the relay, at the ingress leg's owner: is it RTP or RTCP, does it come from
// the leg's peer, what does it say of loss and jitter. Nothing of the far leg is read here.
// A packet from the learned source touches the leg's first line alone; the rest is for strangers, gaps and RTCP.
#include "adjacency.h"
#include "chain.h"
#include "dispatch.h"
#include "recording.h"
#include "rtp/leg.h"
#include "rtp/rtp_hdr.h"

// Named drops of lib/rtp.
static const uint8_t drop_of[] = {
	[RTP_KIND_VERSION] = DROP_RTP_VERSION,
	[RTP_KIND_TRUNCATED] = DROP_RTP_TRUNCATED,
	[RTP_KIND_OTHER] = DROP_RTP_OTHER,
};

// Never learned from: a source behind the tunnel of somebody else.
static bool source_is_anothers(struct worker *w, const struct leg *leg, uint32_t ip)
{
	uint16_t whose = tunnel_to(w->plane, ip);

	return whose != 0 && whose != leg->customer;
}

// It came in by an inside port, itself or where its hairpins began.
static bool from_inside(const struct worker *w, const struct rte_mbuf *m)
{
	return w->plane->port[pkt_port(m)].inside;
}

// RTCP that does not come from where RTCP came from before.
static uint8_t rtcp_stranger(struct worker *w, struct rte_mbuf *m, struct leg *leg, uint32_t ip,
			     uint16_t port, bool muxed)
{
	if ((muxed ? leg->latch : leg->rtcp_latch) == LATCH_OPEN && source_is_anothers(w, leg, ip))
		return pkt_drop(m, DROP_IP_SOURCE);
	// The peer before may be at the same host: its last report says nothing of the new one's port.
	if (pkt_tag(m)->flags & PKT_OLD_KEYS) {
		leg->rtcp_refused++;
		return pkt_drop(m, DROP_RTP_SOURCE);
	}
	if (leg_latch_rtcp(leg, ip, port, muxed, from_inside(w, m)) != LATCH_PASS)
		return pkt_drop(m, DROP_RTP_SOURCE);
	return STAGE_rtp_send;
}

static uint8_t relay_rtcp(struct worker *w, struct rte_mbuf *m, struct leg *leg,
			  const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp, bool muxed)
{
	uint32_t len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp);

	if (unlikely(!(muxed ? leg_latched(leg, ip->src_addr, udp->src_port)
			     : leg_latched_rtcp(leg, ip->src_addr, udp->src_port)))) {
		uint8_t next = rtcp_stranger(w, m, leg, ip->src_addr, udp->src_port, muxed);
		if (next != STAGE_rtp_send)
			return next;
	}
	leg->rtcp_rx_packets++;
	leg->rtcp_rx_bytes += len;
	rtcp_came(&leg->rtcp, (const uint8_t *)(udp + 1), len, w->now, w->plane->tsc_hz);
	pkt_tag(m)->flags |= PKT_RTCP;
	return STAGE_rtp_send;
}

// RTP that does not come from where the leg's RTP came from before: the guard's matter.
static uint8_t rtp_stranger(struct worker *w, struct rte_mbuf *m, struct leg *leg,
			    const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp)
{
	const struct rtp_hdr *rtp = (const struct rtp_hdr *)(udp + 1);
	bool old_keys = pkt_tag(m)->flags & PKT_OLD_KEYS;
	struct latch_packet p = {
		.ip = ip->src_addr,
		.port = udp->src_port,
		.seq = rte_be_to_cpu_16(rtp->seq),
		.ssrc = rte_be_to_cpu_32(rtp->ssrc),
		.tick = (uint32_t)(w->now >> TICK_SHIFT),
		.type = rtp->mpt & 0x7f,
		.verified = leg_srtp_in(leg) != NULL && !old_keys, // or it would not be here
		.old_keys = old_keys,
		.inside = from_inside(w, m),
	};

	if (leg->latch != LATCH_FIXED && source_is_anothers(w, leg, p.ip))
		return pkt_drop(m, DROP_IP_SOURCE);
	switch (leg_latch_stranger(leg, &p)) {
	case LATCH_PASS:
		return STAGE_rtp_send;
	case LATCH_WAIT:
		return pkt_drop(m, DROP_RTP_UNPROVEN);
	case LATCH_REFUSED:
		break;
	}
	return pkt_drop(m, DROP_RTP_SOURCE);
}

static inline uint8_t relay_rtp(struct worker *w, struct rte_mbuf *m, struct leg *leg,
				const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp)
{
	const struct rtp_hdr *rtp = (const struct rtp_hdr *)(udp + 1);
	uint32_t len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp);
	uint16_t seq = rte_be_to_cpu_16(rtp->seq);

	if (unlikely(!leg_latched(leg, ip->src_addr, udp->src_port))) {
		uint8_t next = rtp_stranger(w, m, leg, ip, udp);
		if (next != STAGE_rtp_send)
			return next;
	}
	rtp_stats_update(&leg->rx, &leg->detail, seq, rte_be_to_cpu_32(rtp->ssrc),
			 rte_be_to_cpu_32(rtp->ts), len, w->now);
	if (unlikely(seq % RTP_SAMPLE_EVERY == 0)) {
		uint32_t head = rtp_hdr_len((const uint8_t *)rtp);
		rtp_detail_sample(&leg->detail, rtp->mpt & 0x7f, (const uint8_t *)rtp + head,
				  len - head);
	}
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
	if (unlikely(leg->flags & LEG_RECORD))
		record_copy(w, m, leg->record);
	ref_t onward = leg->onward;
	if (unlikely(REF_OWNER(onward) != w->id) && REF_OWNER(onward) == LEG_GATED)
		return STAGE_rtp_gate;
	return dispatch_far(w, m, leg_far(leg), REF_OWNER(onward), onward & REF_SRTP);
}

void stage_rtp_relay(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	chain_next(w, n);
	for (uint16_t i = 0; i < n; i++)
		next[i] = relay_one(w, pkt[i]);
}
