// SPDX-License-Identifier: BSD-3-Clause
// A UDP payload on a media port: the check never reads outside it, and what it lets through has
// headers that are inside it. The statistics take whatever passes.
#include "rtp/rtp_hdr.h"
#include "rtp/rtp_stats.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rtp_stats stats = {.clock_mult = 13216};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t now;
	struct rtp_hdr h;

	if (size > 65507)
		return 0;
	if (rtp_check(data, (uint32_t)size) != RTP_KIND_RTP)
		return 0;
	if (rtp_hdr_len(data) > size)
		abort();
	memcpy(&h, data, sizeof(h));
	uint32_t received = stats.received;
	rtp_stats_update(&stats, rte_be_to_cpu_16(h.seq), rte_be_to_cpu_32(h.ssrc),
			 rte_be_to_cpu_32(h.ts), (uint32_t)size, now += 52000000);
	if (stats.received != received + 1 || stats.jitter > 16 * RTP_JITTER_STEP)
		abort();
	return 0;
}
