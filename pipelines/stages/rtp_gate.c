// SPDX-License-Identifier: BSD-3-Clause
// Between the halves of the relay, for calls that are not just relayed: on hold, blocked, silenced. Ordinary
// calls never come here: their legs name the far leg's owner, these name nobody (LEG_GATED). obj is
// the ingress leg, whose packets have been counted: a blocked peer is heard from, and not passed on.
#include "dispatch.h"
#include "ip/ip.h"
#include "rtp/leg.h"
#include "rtp/rtp_hdr.h"
#include "worker.h"

#define TYPE_PCMU 0 // RFC 3551
#define TYPE_PCMA 8

// Digital silence in place of the audio. False: the codec has none that could be made here; what is
// missing then becomes silence in the far jitter buffer.
static bool silence_write(struct rte_udp_hdr *udp)
{
	uint8_t *pay = (uint8_t *)(udp + 1);
	uint32_t len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp);
	uint8_t type = pay[1] & 0x7f;
	uint32_t at = rtp_hdr_len(pay), end = len;

	if (type != TYPE_PCMU && type != TYPE_PCMA)
		return false;
	if (pay[0] & RTP_PADDING)
		end -= pay[len - 1];
	if (at >= end)
		return true;
	uint16_t was = cksum_fold(cksum_add(0, pay, len));
	memset(pay + at, type == TYPE_PCMU ? 0xff : 0xd5, end - at);
	uint16_t is = cksum_fold(cksum_add(0, pay, len));
	udp->dgram_cksum = udp_cksum_apply(udp->dgram_cksum, cksum_diff16(was, is));
	return true;
}

static uint8_t gate_one(struct worker *w, struct rte_mbuf *m)
{
	struct leg *leg = pkt_obj(m);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(pkt_ip(m) + 1);
	struct leg *far = leg_far(leg);
	const struct rtp_hdr *rtp = (const struct rtp_hdr *)(udp + 1);

	if (!(pkt_tag(m)->flags & PKT_RTCP)) {
		if (leg->gate & LEG_GATE_BLOCKED)
			return pkt_drop(m, DROP_CALL_BLOCKED);
		if (leg->gate & LEG_GATE_HELD)
			return pkt_drop(m, DROP_CALL_HELD);
		if (leg->gate & LEG_GATE_DTMF && (rtp->mpt & 0x7f) == leg->dtmf_type)
			return pkt_drop(m, DROP_CALL_DTMF);
		if (leg->gate & LEG_GATE_SILENCED && !silence_write(udp))
			return pkt_drop(m, DROP_CALL_SILENCED);
	}
	return dispatch_far(w, m, far, far->owner, leg->onward & REF_SRTP);
}

void stage_rtp_gate(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = gate_one(w, pkt[i]);
}
