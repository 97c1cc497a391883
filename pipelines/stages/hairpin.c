// SPDX-License-Identifier: BSD-3-Clause
// The egress leg's peer is one of our own media ports: the packet goes straight to the leg behind
// that port, as if it had left and come back, without route, tunnel or crypto. The number of such
// hops is bounded, so that calls wired in a circle end in a named drop.
#include "dispatch.h"
#include "ip/ip.h"
#include "rtp/leg.h"

static uint8_t hairpin_one(struct worker *w, struct rte_mbuf *m)
{
	struct leg *leg = pkt_obj(m);
	struct pkt_tag *tag = pkt_tag(m);
	struct rte_ipv4_hdr *ip = pkt_ip(m);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	bool rtcp = tag->flags & PKT_RTCP;
	uint32_t to = rtcp ? leg_rtcp_ip(leg) : leg->out_ip;
	uint16_t port = rtcp ? leg_rtcp_port(leg) : leg->out_port;

	if (unlikely(++tag->hops > HOPS_MAX))
		return pkt_drop(m, DROP_HAIRPIN_LOOP);
	const struct local_addr *local = local_lookup(w->plane, to);
	if (unlikely(local == NULL || !(local->kind & LOCAL_MEDIA)))
		return pkt_drop(m, DROP_NO_CALL);
	const struct media_addr *media = w->plane->media[local->media];
	uint16_t at = rte_be_to_cpu_16(port);
	ref_t ref = ref_load(&media->leg[at]);
	if (unlikely(ref == 0))
		return pkt_drop(m, media->ended[at / 8] & 1u << at % 8 ? DROP_CALL_ENDED
								       : DROP_NO_CALL);
	// The next leg sees this one as its peer. The checksums are made good by rtp_send, which
	// takes the difference to the addresses that it finds.
	uint16_t sport = rtcp ? leg->local_rtcp : leg->local_port;
	uint64_t diff = cksum_diff32(ip->src_addr, leg->local_ip) + cksum_diff32(ip->dst_addr, to) +
			cksum_diff16(udp->src_port, sport) + cksum_diff16(udp->dst_port, port);
	udp->dgram_cksum = udp_cksum_apply(udp->dgram_cksum, diff);
	ip->src_addr = leg->local_ip;
	ip->dst_addr = to;
	udp->src_port = sport;
	udp->dst_port = port;
	uint32_t len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp);
	if (rtcp) {
		leg->rtcp_tx_packets++;
		leg->rtcp_tx_bytes += len;
		if (leg->srtp_out == NULL) // else srtp_seal has noted it
			rtcp_sent(&leg->rtcp, (const uint8_t *)(udp + 1), len, w->now);
	} else {
		leg->tx_packets++;
		leg->tx_bytes += len;
	}
	// Authentic as the next leg's own customer only if both legs are the same customer's.
	tag->flags &= (uint8_t) ~(PKT_RTCP | PKT_OLD_KEYS);
	tag->customer = leg->out_customer;
	return dispatch_leg(w, m, ref);
}

void stage_hairpin(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = hairpin_one(w, pkt[i]);
	dispatch_bring(w, pkt, n, next, 0);
}
