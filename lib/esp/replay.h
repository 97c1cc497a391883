// SPDX-License-Identifier: BSD-3-Clause
// The anti-replay window (RFC 4303 section 3.4.3 and appendix A2) as a ring of 64-bit words (RFC
// 6479): moving it clears whole words, no bit is ever shifted.
//
// State: top, the highest sequence number accepted, and bitmap, a ring of mask + 1 words; the bit
// of number s is bit s % 64 of word s / 64 & mask. The ring has at least one word more than the
// window, so clearing a word never forgets a number that is still inside. Numbers are 64 bit;
// without ESN the upper half is 0, and because nothing above 2^32 - 1 exists the window never
// wraps.
//
// replay_check() and replay_update() are separate because the packet is verified in between.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Words of the bitmap for a window (packets, a power of two from 64 on), a power of two.
static inline uint32_t replay_words(uint32_t window)
{
	return window / 64 * 2;
}

// The window right after everything up to top, 0 included, has been seen.
static inline void replay_init(uint64_t *bitmap, uint32_t words, uint64_t top)
{
	memset(bitmap, 0xff, words * sizeof(*bitmap));
	bitmap[top / 64 & (words - 1)] = ~0ULL >> (63 - top % 64);
}

// The 64-bit number behind the 32 bits that a packet carries (RFC 4303 A2.2): the only one in
// [bottom of the window, bottom + 2^32). The bottom is not below 0 (where A2.2 says "Th - 1" with
// Th = 0 there is no such number). Past 2^64 - 1 the result wraps and replay_check() refuses it.
static inline uint64_t replay_seq_esn(uint32_t low, uint64_t top, uint32_t window)
{
	uint64_t bottom = top < window ? 0 : top - window + 1;
	return bottom + (uint32_t)(low - (uint32_t)bottom);
}

// Whether seq may be accepted: not left of the window, not seen (as 0 is from the start).
static inline bool replay_check(const uint64_t *bitmap, uint32_t mask, uint32_t window,
				uint64_t top, uint64_t seq)
{
	if (seq > top)
		return true;
	bool seen = bitmap[seq / 64 & mask] >> (seq % 64) & 1;
	return (top - seq < window) & !seen;
}

// Marks seq, which replay_check() has passed, and returns the new top.
static inline uint64_t replay_update(uint64_t *bitmap, uint32_t mask, uint64_t top, uint64_t seq)
{
	uint64_t word = seq / 64;
	if (seq > top) {
		uint64_t ahead = word - top / 64;
		if (ahead > mask)
			ahead = (uint64_t)mask + 1;
		for (; ahead > 0; ahead--)
			bitmap[(word - ahead + 1) & mask] = 0;
		top = seq;
	}
	bitmap[word & mask] |= 1ULL << (seq % 64);
	return top;
}
