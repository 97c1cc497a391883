// SPDX-License-Identifier: BSD-3-Clause
// Cache lines brought in before they are needed, where a plain prefetch is not the best way.
#pragma once

#include <stdint.h>

// A hint for a line that will be written. One that another core or a device wrote last comes to be ours alone at
// once: brought in for reading, it would have to be asked for again by the first store. An instruction of its
// own, since compilers use it only if told that every CPU has it; one that has not ignores it.
static inline void line_own(const void *p)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
}

// Loads a byte and forgets it: for a line whose page may have to be looked up first. Some CPUs drop prefetches
// when several wait for that, or let them hold up what follows; loads in a loop of nothing else overlap.
static inline void line_load(const void *p)
{
	(void)*(const volatile uint8_t *)p;
}
