// SPDX-License-Identifier: BSD-3-Clause
// Latencies as a histogram, told as members of a JSON object.
#pragma once

#include <stdint.h>
#include <stdio.h>

#define BUCKETS 20000 // of 50 us
#define BUCKET_NS 50000

struct latency {
	uint64_t bucket[BUCKETS + 1], worst_ns;
};

static inline void latency_note(struct latency *l, uint64_t ns)
{
	uint64_t b = ns / BUCKET_NS;

	l->bucket[b < BUCKETS ? b : BUCKETS]++;
	l->worst_ns = ns > l->worst_ns ? ns : l->worst_ns;
}

static inline double percentile(const struct latency *l, double share)
{
	uint64_t all = 0, below = 0;

	for (unsigned i = 0; i <= BUCKETS; i++)
		all += l->bucket[i];
	for (unsigned i = 0; i <= BUCKETS; i++)
		if ((below += l->bucket[i]) >= (uint64_t)(share * (double)all) && below != 0)
			return (i + 1) * (BUCKET_NS / 1e6);
	return 0;
}

static inline void latency_print(const char *prefix, const struct latency *l)
{
	printf(", \"%sp50_ms\": %.2f, \"%sp99_ms\": %.2f, \"%sp999_ms\": %.2f, \"%sworst_ms\": "
	       "%.2f",
	       prefix, percentile(l, 0.5), prefix, percentile(l, 0.99), prefix,
	       percentile(l, 0.999), prefix, (double)l->worst_ns / 1e6);
}
