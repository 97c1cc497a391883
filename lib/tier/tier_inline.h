// SPDX-License-Identifier: BSD-3-Clause
// Included by tier.h only.
#pragma once

static inline bool tier_admit(struct tier_bucket *b, uint32_t len, uint64_t now)
{
	uint64_t elapsed = now - b->last;
	uint64_t need = (uint64_t)len << TIER_SHIFT;

	elapsed = (int64_t)elapsed < 0 ? 0 : elapsed;
	b->last += elapsed;
	// Nonsense after a long idle time, but then it is not used.
	uint64_t tokens = b->tokens + elapsed * b->per_tick;
	tokens = tokens < b->depth ? tokens : b->depth;
	tokens = (elapsed >> TIER_FILL_SHIFT) >= b->fill ? b->depth : tokens;

	if (__builtin_expect(tokens >= need, 1)) {
		b->tokens = tokens - need;
		b->packets++;
		b->bytes += len;
		return true;
	}
	b->tokens = tokens;
	b->over_packets++;
	b->over_bytes += len;
	return false;
}
