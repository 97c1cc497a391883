// SPDX-License-Identifier: BSD-3-Clause
// Shared by the files of the made-up control thread.
#pragma once

#include "view.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

struct control {
	bool tracing;
	uint32_t spi; // of the pair that was added
	char call[64];
	struct event_base *base;
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define V4(a, b, c, d)                                                                     \
	{                                                                                  \
		.family = AF_INET,                                                         \
		.v4.s_addr = (in_addr_t)((a) | (b) << 8 | (c) << 16 | (uint32_t)(d) << 24) \
	}
#define NET(a, b, c, d, n)                         \
	{                                          \
		.addr = V4(a, b, c, d), .len = (n) \
	}
#define AT(a, b, c, d, p)                           \
	{                                           \
		.addr = V4(a, b, c, d), .port = (p) \
	}

static inline void *copy(const void *data, size_t size)
{
	void *p = malloc(size);
	return p == NULL ? abort(), p : memcpy(p, data, size);
}
