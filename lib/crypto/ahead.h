// SPDX-License-Identifier: BSD-3-Clause
// Memory that the thread will need next. Ciphers compute and hardly touch memory, so the time of each
// packet's cipher is used to bring a later packet into the cache.
#pragma once

#include "../base/line.h"

#include <stdint.h>

#define AHEAD_MAX 64
#define AHEAD_LINES_MAX 6 // cache lines of one packet that are worth it

struct ahead {
	uint32_t n, at; // noted; brought in
	struct {
		const uint8_t *data;
		uint32_t lines;
	} mem[AHEAD_MAX];
};

// Notes len bytes at data; what does not fit is forgotten. Any address will do, it is only a hint.
static inline void ahead_note(struct ahead *a, const void *data, uint32_t len)
{
	uint32_t lines = (len + 63) / 64;

	if (a->n == AHEAD_MAX)
		return;
	a->mem[a->n].data = data;
	a->mem[a->n++].lines = lines < AHEAD_LINES_MAX ? lines : AHEAD_LINES_MAX;
}

// Brings in one of those noted, to be written.
static inline void ahead_step(struct ahead *a)
{
	if (a->at >= a->n)
		return;
	const uint8_t *data = a->mem[a->at].data;
	uint32_t lines = a->mem[a->at++].lines;
	for (uint32_t i = 0; i < lines; i++)
		line_own(data + i * 64);
}

static inline void ahead_clear(struct ahead *a)
{
	a->n = a->at = 0;
}
