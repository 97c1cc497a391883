// SPDX-License-Identifier: BSD-3-Clause
// The wall-clock time of a TSC: a straight line, laid anew about once a second from a pair of
// both, because the TSC's frequency is known roughly and the wall clock is steered. A new line
// begins where the one before ends and makes up for the difference within a second, so that time
// never goes back, unless the wall clock was set.
#pragma once

#include <stdint.h>

struct record_clock {
	uint64_t hz;  // of the TSC, as is said
	uint64_t tsc; // where the line begins,
	int64_t ns;   // the time there, since 1970,
	int64_t wall; // and what the wall clock said
	double slope; // ns a tick
};

// wall: ns since 1970, at tsc.
void record_clock_set(struct record_clock *c, uint64_t hz, uint64_t tsc, int64_t wall);
// A later pair. Less than half a second after the one before it does nothing.
void record_clock_take(struct record_clock *c, uint64_t tsc, int64_t wall);
// ns since 1970. tsc may lie before the last pair.
int64_t record_clock_ns(const struct record_clock *c, uint64_t tsc);
