// SPDX-License-Identifier: BSD-3-Clause
// A sink that stands for the plane, and short forms of what the kernel may say. Two ports: OUT,
// untagged, and IN, with a VLAN.
#pragma once

#include "edge/mirror_core.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define HOPS 64
#define RULES 4096
#define OUT 10 // interface indexes
#define IN 11

struct world {
	struct {
		uint32_t dst, index;
		uint8_t len;
	} rule[RULES];
	unsigned n, room;
	struct nexthop hop[HOPS];
	unsigned resolved, local_added, local_gone, hop_sets;
	uint32_t resolved_ip;
	struct mirror_core *core;
};
extern struct world world;

uint32_t ip(const char *text);
// A new world and a new core (to be freed by the test).
struct mirror_core *start(void);
// Where the sink's rules lead; asserts that the core thinks the same.
const struct nexthop *way(const char *dst);

struct nl_route route_of(const char *dst, uint8_t len, int ifindex, const char *gateway);
// One message each, and the end of the batch.
void route(const char *dst, uint8_t len, int ifindex, const char *gateway);
void unroute(const char *dst, uint8_t len, int ifindex, const char *gateway);
void typed(const char *dst, uint8_t len, int ifindex, uint8_t type, uint32_t table);
void neigh(const char *addr, int ifindex, uint16_t state, uint8_t last);
