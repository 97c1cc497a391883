// SPDX-License-Identifier: BSD-3-Clause
#include "tier.h"

#include <string.h>

// Nobody's burst: large enough for any packet, small enough that tokens never overflow.
#define DEPTH_UNLIMITED (1ULL << 62)

void tier_bucket_set_rate(struct tier_bucket *b, uint64_t rate, uint32_t burst_ms, uint64_t tsc_hz)
{
	if (rate == 0) {
		b->per_tick = 0;
		b->fill = 0;
		b->depth = DEPTH_UNLIMITED;
		return;
	}
	uint64_t ms = burst_ms < TIER_BURST_MAX ? burst_ms : TIER_BURST_MAX;
	unsigned __int128 tick = ((unsigned __int128)rate << TIER_SHIFT) / 8 + tsc_hz / 2;
	unsigned __int128 bytes = (unsigned __int128)rate * ms / 8000;

	tick /= tsc_hz;
	b->per_tick = tick > UINT32_MAX ? UINT32_MAX : tick == 0 ? 1 : (uint32_t)tick;
	if (bytes < TIER_DEPTH_MIN)
		bytes = TIER_DEPTH_MIN;
	if (bytes > DEPTH_UNLIMITED >> TIER_SHIFT)
		bytes = DEPTH_UNLIMITED >> TIER_SHIFT;
	b->depth = (uint64_t)bytes << TIER_SHIFT;
	uint64_t fill = ((b->depth / b->per_tick) >> TIER_FILL_SHIFT) + 1;
	b->fill = fill > UINT32_MAX ? UINT32_MAX : (uint32_t)fill;
}

void tier_bucket_init(struct tier_bucket *b, uint64_t rate, uint32_t burst_ms, uint64_t tsc_hz,
		      uint64_t now)
{
	memset(b, 0, sizeof(*b));
	tier_bucket_set_rate(b, rate, burst_ms, tsc_hz);
	b->tokens = b->depth;
	b->last = now;
}
