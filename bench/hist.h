// SPDX-License-Identifier: BSD-3-Clause
// A histogram with constant relative precision (as HdrHistogram's): 64 steps a power of two, so 1.6 %.
#pragma once

#include <stdint.h>
#include <string.h>

#define HIST_SUB 64
#define HIST_BUCKETS (HIST_SUB * 40)

struct hist {
	uint64_t n, max;
	uint64_t bucket[HIST_BUCKETS];
};

static inline void hist_clear(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

static inline void hist_add(struct hist *h, uint64_t v)
{
	unsigned shift = v < 2 * HIST_SUB ? 0 : 57 - (unsigned)__builtin_clzll(v);
	unsigned at = shift * HIST_SUB + (unsigned)(v >> shift);

	h->bucket[at < HIST_BUCKETS ? at : HIST_BUCKETS - 1]++;
	h->n++;
	h->max = v > h->max ? v : h->max;
}

static inline void hist_merge(struct hist *to, const struct hist *from)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
	to->n += from->n;
	to->max = from->max > to->max ? from->max : to->max;
}

// The value that a share of all values does not exceed; share 0..1.
static inline uint64_t hist_quantile(const struct hist *h, double share)
{
	uint64_t want = (uint64_t)(share * (double)h->n + 0.5), seen = 0;

	want = want < 1 ? 1 : want;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen < want)
			continue;
		unsigned shift = i < 2 * HIST_SUB ? 0 : i / HIST_SUB - 1;
		uint64_t top = ((i - (uint64_t)shift * HIST_SUB + 1) << shift) - 1;
		return top < h->max ? top : h->max;
	}
	return h->max;
}
