// SPDX-License-Identifier: BSD-3-Clause
// Memory that the thread will need next. Ciphers compute and hardly touch memory, so the time of each
// packet's cipher is used to bring a later packet into the cache.
#pragma once

#include "../base/line.h"

#include <stdint.h>

#define AHEAD_MAX 64

struct ahead {
	uint32_t n, at; // noted; brought in
	uint32_t bytes; // of the longest: packets of a burst are much alike
	const uint8_t *data[AHEAD_MAX];
};

// Notes len bytes at data; what does not fit is forgotten. Any address will do, it is only a hint.
static inline void ahead_note(struct ahead *a, const void *data, uint32_t len)
{
	if (a->n == AHEAD_MAX)
		return;
	a->data[a->n++] = data;
	a->bytes = len > a->bytes ? len : a->bytes;
}

// Brings in one of those noted, to be written.
static inline void ahead_step(struct ahead *a)
{
	if (a->at >= a->n)
		return;
	const uint8_t *data = a->data[a->at++];
	switch ((a->bytes + 63) / 64) {
	default:
		line_own(data + 5 * 64);
		__attribute__((fallthrough));
	case 5:
		line_own(data + 4 * 64);
		__attribute__((fallthrough));
	case 4:
		line_own(data + 3 * 64);
		__attribute__((fallthrough));
	case 3:
		line_own(data + 2 * 64);
		__attribute__((fallthrough));
	case 2:
		line_own(data + 64);
		__attribute__((fallthrough));
	case 1:
	case 0:
		line_own(data);
	}
}

static inline void ahead_clear(struct ahead *a)
{
	a->n = a->at = a->bytes = 0;
}
