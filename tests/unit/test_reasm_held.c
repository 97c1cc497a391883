// SPDX-License-Identifier: BSD-3-Clause
// How many fragments are held at once. A handle is a number: its datagram's, and its own in it.
#include "ip/reasm.h"

#include <criterion/criterion.h>
#include <rte_ip.h>

#define TIMEOUT 1000
#define CONTEXTS 64
#define CAP REASM_HELD_MIN
#define LEN 256

struct bed {
	struct reasm *r;
	struct reasm_out out;
	uint64_t now;
	unsigned held;                 // handles that did not come back
	struct rte_ipv4_hdr ip[65536]; // by the datagram's number
};

static struct bed bed;

static void open_bed(void)
{
	bed.r = reasm_create(CONTEXTS, CAP, TIMEOUT, 5);
	cr_assert_not_null(bed.r);
}

static void count_back(void *arg, void *handle)
{
	(void)arg;
	(void)handle;
	bed.held--;
}

static void close_bed(void)
{
	reasm_destroy(bed.r, count_back, NULL);
	cr_expect_eq(bed.held, 0);
}

TestSuite(reasm_held, .init = open_bed, .fini = close_bed);

static struct reasm_stats stats(void)
{
	struct reasm_stats s;

	reasm_stats_get(bed.r, &s);
	return s;
}

// Fragment i of datagram id. Whatever it does, no more are held than may be, and it is counted.
static enum reasm_result put_at(uint16_t id, unsigned i, uint32_t off, bool more)
{
	struct frag_entry e = {
		.handle = (void *)((uintptr_t)id * REASM_FRAGS + i),
		.l3 = (uint8_t *)&bed.ip[id],
		.payload_off = 20,
		.len = LEN,
		.frag_off = (uint16_t)off,
		.more = more,
	};

	bed.ip[id].packet_id = id;
	enum reasm_result got = reasm_put(bed.r, &e, bed.now, &bed.out);
	bed.held += 1u - bed.out.n_drop - bed.out.n_frags;
	cr_assert_leq(bed.held, CAP, "%u are held", bed.held);
	cr_assert_eq(stats().fragments, bed.held);
	cr_assert_eq(bed.out.n_drop != 0, bed.out.reason != REASM_HELD);
	return got;
}

static enum reasm_result put(uint16_t id, unsigned i, bool more)
{
	return put_at(id, i, i * LEN, more);
}

// Fragments [0, n) of a datagram, which goes on.
static void begin(uint16_t id, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(put(id, i, true), REASM_HELD, "datagram %u, fragment %u", id, i);
}

// What came back are the first n fragments of a datagram.
static void expect_dropped(unsigned id, unsigned n, enum reasm_result reason)
{
	cr_expect_eq(bed.out.n_drop, n, "%u came back", bed.out.n_drop);
	cr_expect_eq(bed.out.reason, reason);
	for (unsigned i = 0; i < bed.out.n_drop; i++)
		cr_expect_eq(bed.out.drop[i], (void *)((uintptr_t)id * REASM_FRAGS + i));
}

Test(reasm_held, flood_takes_no_more_than_its_share)
{
	for (uint16_t id = 0; id < 1000; id++)
		for (unsigned i = 0; i < REASM_FRAGS; i++) {
			cr_assert_eq(put(id, i, true), REASM_HELD);
			if (i == 0 && id >= CAP / REASM_FRAGS)
				expect_dropped(id - CAP / REASM_FRAGS, REASM_FRAGS, REASM_TOO_MANY);
			else
				cr_assert_eq(bed.out.n_drop, 0);
		}
	cr_expect_eq(bed.held, CAP);
	cr_expect_eq(stats().held, CAP / REASM_FRAGS);
	cr_expect_eq(stats().evicted, 1000 - CAP / REASM_FRAGS);
	cr_expect_eq(stats().refused + stats().timed_out + stats().completed, 0);
}

Test(reasm_held, oldest_goes_first)
{
	const unsigned n[] = {3, 16, 1, 16, 16, 12};

	for (uint16_t id = 0; id < 6; id++)
		begin(id, n[id]);
	cr_assert_eq(bed.held, CAP);
	// Age counts from the first fragment: the next one does not make a datagram younger.
	cr_expect_eq(put(5, 12, true), REASM_HELD);
	expect_dropped(0, 3, REASM_TOO_MANY);
	begin(6, 2);
	cr_expect_eq(put(6, 2, true), REASM_HELD);
	expect_dropped(1, 16, REASM_TOO_MANY);
	cr_expect_eq(stats().evicted, 2);
	// Those that are left are whole still.
	cr_expect_eq(put(2, 1, false), REASM_COMPLETE);
	cr_expect_eq(bed.out.n_frags, 2);
}

Test(reasm_held, completed_datagrams_free_their_share)
{
	begin(0, REASM_FRAGS);
	begin(1, REASM_FRAGS);
	begin(2, REASM_FRAGS);
	for (uint16_t id = 10; id < 1000; id++) {
		begin(id, REASM_FRAGS - 1);
		cr_assert_eq(put(id, REASM_FRAGS - 1, false), REASM_COMPLETE);
		cr_assert_eq(bed.out.n_frags, REASM_FRAGS);
	}
	cr_expect_eq(bed.held, 3 * REASM_FRAGS);
	// The one that completes a datagram takes no room.
	begin(3, REASM_FRAGS - 1);
	begin(4, 1);
	cr_expect_eq(bed.held, CAP);
	cr_expect_eq(put(3, REASM_FRAGS - 1, false), REASM_COMPLETE);
	cr_expect_eq(bed.out.n_drop, 0);
	cr_expect_eq(stats().evicted, 0);
	cr_expect_eq(stats().completed, 991);
}

Test(reasm_held, oldest_may_be_its_own)
{
	begin(0, 8);
	for (uint16_t id = 1; id <= CAP - 8; id++)
		begin(id, 1);
	cr_expect_eq(put(0, 8, true), REASM_TOO_MANY);
	expect_dropped(0, 9, REASM_TOO_MANY);
	cr_expect_eq(stats().evicted, 1);
	cr_expect_eq(put(0, 9, false), REASM_TOO_MANY, "the rest of it is refused");
	cr_expect_eq(bed.out.n_drop, 1);
	for (uint16_t id = 1; id <= CAP - 8; id++)
		cr_expect_eq(put(id, 1, false), REASM_COMPLETE, "datagram %u", id);
	// In time it may come again, and is counted no more.
	bed.now = TIMEOUT;
	begin(0, 1);
	cr_expect_eq(stats().evicted, 1);
	cr_expect_eq(stats().timed_out, 0);
}

Test(reasm_held, refused_datagrams_hold_nothing)
{
	for (uint16_t id = 0; id < 8; id++) {
		begin(id, 2);
		cr_assert_eq(put_at(id, 2, LEN / 2, true), REASM_OVERLAP);
		cr_assert_eq(bed.out.n_drop, 3);
	}
	cr_expect_eq(bed.held, 0);
	for (uint16_t id = 10; id < 14; id++)
		begin(id, REASM_FRAGS);
	cr_expect_eq(stats().held, 12);
	cr_expect_eq(put(14, 0, true), REASM_HELD);
	expect_dropped(10, REASM_FRAGS, REASM_TOO_MANY);
	cr_expect_eq(stats().evicted, 1);
	cr_expect_eq(stats().refused, 8);
	cr_expect_eq(stats().held, 4);
}

Test(reasm_held, what_is_late_is_counted_so)
{
	begin(0, REASM_FRAGS);
	bed.now = TIMEOUT - 1;
	for (uint16_t id = 1; id < 4; id++)
		begin(id, REASM_FRAGS);
	bed.now = TIMEOUT;
	cr_expect_eq(put(4, 0, true), REASM_HELD);
	expect_dropped(0, REASM_FRAGS, REASM_TIMEOUT);
	cr_expect_eq(put(5, 0, true), REASM_HELD);
	bed.now = 2 * TIMEOUT;
	cr_expect_eq(reasm_expire(bed.r, bed.now, count_back, NULL), 5);
	cr_expect_eq(bed.held, 0);
	cr_expect_eq(stats().fragments, 0);
	cr_expect_eq(stats().timed_out, 6);
	cr_expect_eq(stats().evicted, 0);
}

Test(reasm_held, storm)
{
	uint64_t rng = 0x9e3779b97f4a7c15ULL;

	for (unsigned i = 0; i < 200000; i++) {
		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		bed.now += rng >> 60;
		put((uint16_t)(rng % 96), rng >> 8 & 3, rng >> 16 & 7);
	}
	cr_expect(stats().completed > 100 && stats().evicted > 100 && stats().timed_out > 100);
}

Test(reasm_held, share_of_the_buffers)
{
	static const struct {
		uint32_t buffers, workers, share;
	} row[] = {
		{65536, 1, 4096}, {65536, 2, 4096},  {65536, 3, 2730},    {65536, 11, 744},
		{16384, 1, 2048}, {4096, 1, 512},    {4096, 8, 64},       {4096, 32, 64},
		{0, 1, 64},       {131072, 4, 4096}, {16777216, 1, 4096}, {16777216, 32, 4096},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++)
		cr_expect_eq(reasm_share(row[i].buffers, row[i].workers), row[i].share, "row %zu",
			     i);
}
