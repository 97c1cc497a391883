// SPDX-License-Identifier: BSD-3-Clause
// SRTP out, at the egress leg's owner, before the headers are made: they follow the new size.
#include "chain.h"
#include "ip/ip.h"
#include "rtp/leg.h"
#include "srtp/srtp_ctx.h"
#include "worker.h"

// Named drops of lib/srtp.
static const uint8_t drop_of[] = {
	[SRTP_SHORT] = DROP_SRTP_SHORT,
	[SRTP_REPLAYED] = DROP_SRTP_REPEAT,
	[SRTP_EXPIRED] = DROP_SRTP_KEY,
};

static inline uint8_t seal_finish(struct rte_mbuf *m, const struct srtp_op *op)
{
	struct rte_ipv4_hdr *ip = pkt_ip(m);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	uint16_t len = (uint16_t)(op->len + sizeof(*udp));

	if (unlikely(op->status != SRTP_OK))
		return pkt_drop(m, drop_of[op->status]);
	udp->dgram_len = rte_cpu_to_be_16(len);
	m->data_len = (uint16_t)(sizeof(*ip) + len);
	m->pkt_len = m->data_len;
	// With the addresses as they are; rtp_send adds what their change makes.
	udp->dgram_cksum = udp4_cksum(ip, udp, len);
	return STAGE_rtp_send;
}

static void prefetch(struct rte_mbuf **pkt, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(((const struct leg *)pkt_obj(pkt[i]))->srtp_out);
	for (uint16_t i = 0; i < n; i++)
		srtp_ctx_prefetch(((const struct leg *)pkt_obj(pkt[i]))->srtp_out);
}

void stage_srtp_seal(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	struct srtp_op op[BURST_MAX];
	uint8_t at[BURST_MAX];
	unsigned k = 0;

	prefetch(pkt, n);
	chain_next(w, n);
	for (uint16_t i = 0; i < n; i++) {
		struct leg *leg = pkt_obj(pkt[i]);
		struct rte_ipv4_hdr *ip = pkt_ip(pkt[i]);
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
		uint16_t len = rte_be_to_cpu_16(udp->dgram_len);
		// A tag would vouch for it; plain audio goes on with its checksum as it is.
		if (unlikely(!udp4_cksum_ok(ip, udp, len))) {
			next[i] = pkt_drop(pkt[i], DROP_UDP_CHECKSUM);
			continue;
		}
		if (unlikely(rte_pktmbuf_tailroom(pkt[i]) < SRTCP_TAILROOM)) {
			next[i] = pkt_drop(pkt[i], DROP_NO_BUFFER);
			continue;
		}
		op[k].ctx = leg->srtp_out;
		op[k].data = (uint8_t *)(udp + 1);
		op[k].len = len - (uint32_t)sizeof(*udp);
		if (unlikely(pkt_tag(pkt[i])->flags & PKT_RTCP)) {
			// Nobody can read it any more once it is sealed.
			rtcp_sent(&leg->rtcp, op[k].data, op[k].len, w->now);
			srtcp_seal(w->crypto, &op[k]);
			next[i] = seal_finish(pkt[i], &op[k]);
			continue;
		}
		at[k++] = (uint8_t)i;
	}
	worker_ahead(w);
	srtp_seal_burst(w->crypto, op, k);
	chain_brought(w);
	chain_next(w, n);
	for (unsigned j = 0; j < k; j++)
		next[at[j]] = seal_finish(pkt[at[j]], &op[j]);
}
