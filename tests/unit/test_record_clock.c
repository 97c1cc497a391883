// SPDX-License-Identifier: BSD-3-Clause
// A recording's time stamps: close to the wall clock however far the TSC is from what is said of
// it, and never back.
#include "media/record_clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define HZ 2000000000ull
#define START 1795646023123456789
#define SECOND 1000000000ll

struct truth {
	double hz;   // what the TSC really does
	double rate; // seconds of the wall clock in a second
};

static int64_t wall_at(struct truth t, uint64_t tsc)
{
	return START + (int64_t)((double)tsc / t.hz * t.rate * SECOND);
}

// A stamp each millisecond, none before the one before it. Returns how far they are off once some
// pairs have been taken, ns.
static int64_t follow(struct record_clock *c, struct truth t, unsigned seconds)
{
	const uint64_t tick = HZ / 1000, keep = 1017; // ms between pairs
	int64_t last = 0, off = 0;

	record_clock_set(c, HZ, 0, wall_at(t, 0));
	for (uint64_t ms = 1; ms < seconds * 1000; ms++) {
		uint64_t tsc = ms * tick;
		if (ms % keep == 0)
			record_clock_take(c, tsc, wall_at(t, tsc));
		int64_t now = record_clock_ns(c, tsc), err = llabs(now - wall_at(t, tsc));
		cr_assert_gt(now, last, "back by %ld ns after %lu ms", (long)(last - now),
			     (unsigned long)ms);
		last = now;
		if (ms > 3000 && err > off)
			off = err;
	}
	return off;
}

Test(record_clock, follows_the_wall_clock)
{
	static const struct truth truths[] = {
		{HZ, 1},           {HZ * 1.0024, 1}, {HZ * 0.9976, 1},
		{HZ * 1.00005, 1}, {HZ, 1.0005},     {HZ * 0.998, 0.9995},
	};
	struct record_clock c;

	for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++) {
		int64_t off = follow(&c, truths[i], 600);
		cr_expect_lt(off, 2000, "row %zu: %ld ns off", i, (long)off);
	}
}

Test(record_clock, a_clock_that_is_set)
{
	static const int64_t steps[] = {-3600 * SECOND, -SECOND, 50000000, 3600 * SECOND};
	struct record_clock c;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		record_clock_set(&c, HZ, 0, START);
		record_clock_take(&c, HZ, START + SECOND);
		record_clock_take(&c, 2 * HZ, START + 2 * SECOND + steps[i]);
		cr_expect_eq(record_clock_ns(&c, 2 * HZ), START + 2 * SECOND + steps[i], "row %zu",
			     i);
		cr_expect_eq(record_clock_ns(&c, 3 * HZ), START + 3 * SECOND + steps[i], "row %zu",
			     i);
	}
}

// By less than what counts as set: it is slowed down, and right again in a second.
Test(record_clock, a_small_step_back)
{
	const int64_t step = 8000000;
	struct record_clock c;

	record_clock_set(&c, HZ, 0, START);
	record_clock_take(&c, HZ, START + SECOND - step);
	cr_expect_eq(record_clock_ns(&c, HZ), START + SECOND, "no step back");
	record_clock_take(&c, 2 * HZ, START + 2 * SECOND - step);
	record_clock_take(&c, 3 * HZ, START + 3 * SECOND - step);
	cr_expect_lt(llabs(record_clock_ns(&c, 4 * HZ) - (START + 4 * SECOND - step)), 2000000);
	record_clock_take(&c, 4 * HZ, START + 4 * SECOND - step);
	cr_expect_lt(llabs(record_clock_ns(&c, 5 * HZ) - (START + 5 * SECOND - step)), 100000);
}

Test(record_clock, before_the_pair_and_pairs_too_close)
{
	struct record_clock c;

	record_clock_set(&c, HZ, HZ, START);
	cr_expect_eq(record_clock_ns(&c, HZ / 2), START - SECOND / 2);
	record_clock_take(&c, HZ + HZ / 4, START + SECOND);
	record_clock_take(&c, HZ / 2, START + SECOND);
	cr_expect_eq(record_clock_ns(&c, 2 * HZ), START + SECOND);
}
