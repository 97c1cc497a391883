// SPDX-License-Identifier: BSD-3-Clause
#include "rtcp.h"

#include "rtp_hdr.h"

#include <stddef.h>

#define RTT_MAX_US 10000000
#define SR_OLD_S 60 // an SR that was sent longer ago is nobody's reference

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// The next packet of a compound from *at on that is an SR or RR with its whole fixed part, or NULL.
// Lengths were checked, and are again: this reads what came from outside.
static const uint8_t *report_find(const uint8_t *p, uint32_t len, uint32_t *at, uint32_t *size)
{
	while (len - *at >= 8) {
		const uint8_t *h = p + *at;
		*size = 4 * (((uint32_t)h[2] << 8 | h[3]) + 1);
		if (*size > len - *at)
			return NULL;
		*at += *size;
		if ((h[1] == RTCP_SR && *size >= 28) || (h[1] == RTCP_RR && *size >= 8))
			return h;
	}
	return NULL;
}

__attribute__((cold)) void rtcp_sent(struct rtcp_view *v, const uint8_t *p, uint32_t len,
				     uint64_t now)
{
	uint32_t at = 0, size;
	const uint8_t *h;

	while ((h = report_find(p, len, &at, &size)) != NULL) {
		if (h[1] != RTCP_SR)
			continue;
		v->sr_mid = be32(h + 10);
		v->sr_tsc = now;
	}
}

static void round_trip(struct rtcp_view *v, uint32_t lsr, uint32_t dlsr, uint64_t now,
		       uint64_t tsc_hz)
{
	uint64_t passed = now - v->sr_tsc;

	if (lsr == 0 || lsr != v->sr_mid || passed > tsc_hz * SR_OLD_S) // a past of the future, too
		return;
	uint64_t us = passed * 1000000 / tsc_hz;
	uint64_t held = (uint64_t)dlsr * 1000000 / 65536;

	if (us >= held && us - held <= RTT_MAX_US)
		v->rtt_us = us - held > 0 ? (uint32_t)(us - held) : 1;
}

__attribute__((cold)) void rtcp_came(struct rtcp_view *v, const uint8_t *p, uint32_t len,
				     uint64_t now, uint64_t tsc_hz)
{
	uint32_t at = 0, size;
	const uint8_t *h;

	while ((h = report_find(p, len, &at, &size)) != NULL) {
		uint32_t head = h[1] == RTCP_SR ? 28 : 8;
		if ((h[0] & 0x1f) == 0 || size < head + 24)
			continue;
		const uint8_t *b = h + head;
		v->far_share = b[4];
		v->far_lost = be32(b + 4) & 0xffffff;
		v->far_jitter = be32(b + 12);
		v->reports++;
		round_trip(v, be32(b + 16), be32(b + 20), now, tsc_hz);
	}
}
