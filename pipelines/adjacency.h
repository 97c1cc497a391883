// SPDX-License-Identifier: BSD-3-Clause
// Routes for stages: the longest-prefix match, and the cache of its answer that legs and SAs keep.
#pragma once

#include "worker.h"

#include <rte_byteorder.h>
#include <rte_lpm.h>

// Index of the nexthop for dst (network order); 0 (NH_NONE) if there is no route.
static inline uint32_t route_lookup(const struct plane *p, uint32_t dst)
{
	uint32_t index;

	return rte_lpm_lookup(p->lpm, rte_be_to_cpu_32(dst), &index) == 0 ? index : 0;
}

static inline const struct nexthop *nexthop_get(const struct plane *p, uint32_t index)
{
	return __atomic_load_n(&p->nexthop[index], __ATOMIC_RELAXED); // dependent loads follow
}

// Into whose tunnel the way to ip leads; 0: into none. Who sends from there in the clear, or from
// another tunnel, is not who he says he is (RFC 4301 section 5.2 step 4).
static inline uint16_t tunnel_to(const struct plane *p, uint32_t ip)
{
	const struct nexthop *nh = nexthop_get(p, route_lookup(p, ip));

	return nh != NULL && nh->kind == NH_TUNNEL ? nh->customer : 0;
}

// The generation is read before the lookup: a change in between makes the cached answer stale, not wrong.
static inline uint32_t route_gen(const struct plane *p)
{
	return __atomic_load_n(&p->route_gen, __ATOMIC_ACQUIRE);
}
