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

// The generation is read before the lookup: a change in between makes the cached answer stale, not wrong.
static inline uint32_t route_gen(const struct plane *p)
{
	return __atomic_load_n(&p->route_gen, __ATOMIC_ACQUIRE);
}
