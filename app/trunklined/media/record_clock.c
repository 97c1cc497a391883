// SPDX-License-Identifier: BSD-3-Clause
#include "record_clock.h"

#include <stdlib.h>

#define SECOND 1000000000
#define STEP (SECOND / 100) // further apart: the clock was set, or nobody looked for long

void record_clock_set(struct record_clock *c, uint64_t hz, uint64_t tsc, int64_t wall)
{
	*c = (struct record_clock){
		.hz = hz, .tsc = tsc, .ns = wall, .wall = wall, .slope = SECOND / (double)hz};
}

void record_clock_take(struct record_clock *c, uint64_t tsc, int64_t wall)
{
	int64_t ns = record_clock_ns(c, tsc), ahead = ns - wall;

	if ((int64_t)(tsc - c->tsc) < (int64_t)(c->hz / 2))
		return;
	if (llabs(ahead) > STEP) {
		record_clock_set(c, c->hz, tsc, wall);
		return;
	}
	double rate = (double)(wall - c->wall) / (double)(tsc - c->tsc);
	c->tsc = tsc;
	c->ns = ns;
	c->wall = wall;
	c->slope = rate * (1 - (double)ahead / SECOND);
}

int64_t record_clock_ns(const struct record_clock *c, uint64_t tsc)
{
	return c->ns + (int64_t)((double)(int64_t)(tsc - c->tsc) * c->slope);
}
