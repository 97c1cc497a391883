// SPDX-License-Identifier: BSD-3-Clause
// SRTP in, at the ingress leg's owner: what leaves here is plain and authentic, so the latch and the
// statistics see nothing else of an SRTP leg. Whatever the relay will drop in any case goes to it for
// the name, without a cipher's work.
#include "chain.h"
#include "ip/ip.h"
#include "rtp/leg.h"
#include "rtp/rtp_hdr.h"
#include "srtp/srtp_ctx.h"
#include "worker.h"

// Named drops of lib/srtp.
static const uint8_t drop_of[] = {
	[SRTP_SHORT] = DROP_SRTP_SHORT,     [SRTP_BAD_MKI] = DROP_SRTP_MKI,
	[SRTP_REPLAYED] = DROP_SRTP_REPLAY, [SRTP_FORGED] = DROP_SRTP_AUTH,
	[SRTP_EXPIRED] = DROP_SRTP_KEY,
};

static inline uint8_t open_finish(struct rte_mbuf *m, const struct srtp_op *op)
{
	const struct leg *leg = pkt_obj(m);
	struct rte_ipv4_hdr *ip = pkt_ip(m);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	uint16_t len = (uint16_t)(op->len + sizeof(*udp));

	if (unlikely(op->status != SRTP_OK)) {
		if (op->status != SRTP_OK_OLD)
			return pkt_drop(m, drop_of[op->status]);
		pkt_tag(m)->flags |= PKT_OLD_KEYS;
	}
	udp->dgram_len = rte_cpu_to_be_16(len);
	m->data_len = (uint16_t)(sizeof(*ip) + len);
	m->pkt_len = m->data_len;
	// Made anew: by srtp_seal if it goes on as SRTP.
	udp->dgram_cksum = leg->onward & REF_SRTP ? 0 : udp4_cksum(ip, udp, len);
	return STAGE_rtp_relay;
}

// False: for the relay to drop.
static inline bool op_fill(struct rte_mbuf *m, struct srtp_op *op)
{
	const struct leg *leg = pkt_obj(m);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(pkt_ip(m) + 1);

	op->ctx = leg_srtp_in(leg);
	op->data = (uint8_t *)(udp + 1);
	op->len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp);
	return op->len >= 2 && (op->data[0] & 0xc0) == 0x80 &&
	       pkt_tag(m)->customer == leg->customer;
}

static void prefetch(struct rte_mbuf **pkt, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(leg_srtp_in(pkt_obj(pkt[i])));
	for (uint16_t i = 0; i < n; i++)
		srtp_ctx_prefetch(leg_srtp_in(pkt_obj(pkt[i])));
}

void stage_srtp_open(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	struct srtp_op op[BURST_MAX];
	uint8_t at[BURST_MAX];
	unsigned k = 0;

	prefetch(pkt, n);
	for (uint16_t i = 0; i < n; i++) {
		if (unlikely(!op_fill(pkt[i], &op[k]))) {
			next[i] = STAGE_rtp_relay;
		} else if (unlikely(rtp_is_rtcp(op[k].data[1]))) {
			srtcp_open(w->crypto, &op[k], w->now);
			next[i] = open_finish(pkt[i], &op[k]);
		} else {
			at[k++] = (uint8_t)i;
		}
	}
	worker_ahead(w);
	srtp_open_burst(w->crypto, op, k, w->now);
	chain_brought(w);
	chain_next(w, n);
	for (unsigned j = 0; j < k; j++)
		next[at[j]] = open_finish(pkt[at[j]], &op[j]);
}
