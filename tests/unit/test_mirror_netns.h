// SPDX-License-Identifier: BSD-3-Clause
// A plane, two TAPs and a mirror against a real kernel. Ports: 0 outside 198.18.10.1/24, 1 inside
// 198.18.20.1/24.
#pragma once

#include "edge/defer.h"
#include "edge/device.h"
#include "edge/mirror.h"

#include <event2/event.h>
#include <rte_ethdev.h>
#include <stdio.h>

extern unsigned failures, checks;

#define CHECK(what, ...)                                                           \
	do {                                                                       \
		checks++;                                                          \
		if (!(what)) {                                                     \
			failures++;                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
		}                                                                  \
	} while (0)

struct world {
	struct plane *plane;
	struct event_base *base;
	struct devices *devices;
	struct defer *defer;
	struct mirror *mirror;
	struct tap *tap[2];
	unsigned locals;
};

struct ip_prefix prefix(const char *addr, uint8_t len);
void run(const char *command); // a failure if it fails
// Lets the control loop and the only worker live for a while.
void live(struct world *w, unsigned ms);
// Where the LPM leads; checks that the mirror thinks the same.
const struct nexthop *way(struct world *w, const char *dst);
// The next frame that the kernel sends on a port, NULL: none.
struct rte_mbuf *from_kernel(struct world *w, unsigned port);
void drain(struct world *w);

void test_silent(struct world *w);
