// SPDX-License-Identifier: BSD-3-Clause
// A customer's token bucket, one a direction, metered on the outer IPv4 length. Owner worker only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Tokens are bytes in 36.28 fixed point: a refill is one multiplication, and a rate is exact to
// 10 ppm from 10 Mbit/s on at TSCs up to 5 GHz, without overflow up to 100 Gbit/s at 1 GHz.
#define TIER_SHIFT 28
#define TIER_FILL_SHIFT 10        // TSC ticks in a unit of fill
#define TIER_DEPTH_MIN (2 * 9216) // bytes: two of the largest packets
#define TIER_BURST_MAX 1000       // ms

struct tier_bucket {
	uint64_t tokens;         // [w] bytes << TIER_SHIFT
	uint64_t depth;          // bytes << TIER_SHIFT: what may be sent at once
	uint32_t per_tick;       // bytes << TIER_SHIFT a TSC tick
	uint32_t fill;           // after so much time the bucket is full; 0: always (no limit)
	uint64_t last;           // [w] TSC of the last refill
	uint64_t packets, bytes; // [w] passed
	uint64_t over_packets, over_bytes; // [w] refused
};

_Static_assert(sizeof(struct tier_bucket) == 64, "a bucket is one cache line");

// Sets up a full bucket with its counters at zero. rate in bit/s (0: no limit), burst in
// milliseconds of that rate (cut at TIER_BURST_MAX; the bucket is never less deep than
// TIER_DEPTH_MIN), tsc_hz in ticks a second (not 0). Rates beyond the fixed point are cut at its
// ends.
void tier_bucket_init(struct tier_bucket *b, uint64_t rate, uint32_t burst_ms, uint64_t tsc_hz,
		      uint64_t now);

// Another rate for a bucket that is in use; writes nothing that is marked [w], so that the control
// thread may call it: counters go on, tokens are cut to the new depth by the next packet.
void tier_bucket_set_rate(struct tier_bucket *b, uint64_t rate, uint32_t burst_ms, uint64_t tsc_hz);

// Takes len bytes if they are there. Returns false, and takes nothing, if not. A now before the
// last one (another core's TSC) refills nothing.
static inline bool tier_admit(struct tier_bucket *b, uint32_t len, uint64_t now);

#include "tier_inline.h"
