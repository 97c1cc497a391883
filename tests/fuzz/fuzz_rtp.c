// SPDX-License-Identifier: BSD-3-Clause
// UDP payloads on a media port, one after another: the check never reads outside them, and what it lets
// through has headers that are inside. Statistics and the reader of RTCP take whatever passes. The input is
// records of a length in one byte, and so many bytes.
#include "rtp/rtcp.h"
#include "rtp/rtp_detail.h"
#include "rtp/rtp_hdr.h"
#include "rtp/rtp_stats.h"

#include <stdlib.h>
#include <string.h>

#define TSC_HZ UINT64_C(2600000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rtp_stats stats;
static struct rtp_detail detail;
static struct rtcp_view view;
static uint64_t now;

static void came_rtp(const uint8_t *p, uint32_t len)
{
	uint32_t head = rtp_hdr_len(p), received = stats.received, lost = rtp_stats_lost(&stats);
	struct rtp_hdr h;

	if (head > len)
		abort();
	memcpy(&h, p, sizeof(h));
	rtp_stats_update(&stats, &detail, rte_be_to_cpu_16(h.seq), rte_be_to_cpu_32(h.ssrc),
			 rte_be_to_cpu_32(h.ts), len, now);
	rtp_detail_sample(&detail, h.mpt & 0x7f, p + head, len - head);
	if (stats.received != received + 1 || stats.jitter > 16 * RTP_JITTER_STEP)
		abort();
	if (lost > UINT32_MAX / 2 || detail.silent > detail.sampled)
		abort();
}

static void came(const uint8_t *p, uint32_t len)
{
	now += TSC_HZ / 50;
	switch (rtp_check(p, len)) {
	case RTP_KIND_RTP:
		came_rtp(p, len);
		break;
	case RTP_KIND_RTCP:
		rtcp_came(&view, p, len, now, TSC_HZ);
		if (view.rtt_us > 10000000)
			abort();
		rtcp_sent(&view, p, len, now);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	stats = (struct rtp_stats){.clock_mult = rtp_clock_mult(8000, TSC_HZ)};
	memset(&detail, 0, sizeof(detail));
	memset(&view, 0, sizeof(view));
	now = TSC_HZ;
	while (size > 1) {
		uint32_t len = data[0] < size - 1 ? data[0] : (uint32_t)size - 1;
		uint8_t *p = malloc(len + (len == 0)); // of its exact size, for the sanitizer
		if (p == NULL)
			break;
		memcpy(p, data + 1, len);
		came(p, len);
		free(p);
		data += 1 + len;
		size -= 1 + len;
	}
	return 0;
}
