// SPDX-License-Identifier: BSD-3-Clause
#include "rtp/rtp_stats.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define HZ 2600000000ULL
#define PTIME (HZ / 50) // 20 ms

// A stream of 160-sample packets on a perfect clock.
struct source {
	struct rtp_stats s;
	struct rtp_detail d;
	uint64_t now;
	uint32_t ssrc, ts;
};

static struct source source_make(void)
{
	struct source f = {.now = 12345678901ULL, .ssrc = 0xdecade, .ts = 0xfffff000};

	f.s.clock_mult = rtp_clock_mult(8000, HZ);
	return f;
}

static void send(struct source *f, uint16_t seq)
{
	rtp_stats_update(&f->s, &f->d, seq, f->ssrc, f->ts, 172, f->now);
	f->now += PTIME;
	f->ts += 160;
}

Test(rtp_stats, in_order_across_the_wrap)
{
	struct source f = source_make();

	for (uint32_t i = 0; i < 200000; i++)
		send(&f, (uint16_t)(65000 + i));
	cr_expect_eq(f.s.received, 200000);
	cr_expect_eq(rtp_stats_expected(&f.s), 200000);
	cr_expect_eq(rtp_stats_lost(&f.s), 0);
	cr_expect_eq(f.s.max_ext, 65000 + 199999);
	cr_expect_eq(f.s.bytes, 200000ull * 172);
}

Test(rtp_stats, first_packet_may_look_like_a_zeroed_struct)
{
	struct source f = source_make();

	f.ssrc = 0;
	send(&f, 2000);
	cr_expect_eq(rtp_stats_expected(&f.s), 1);
	cr_expect_eq(rtp_stats_lost(&f.s), 0);
	cr_expect_eq(f.s.jitter, 0);
	cr_expect_eq(rtp_stats_expected(&(struct rtp_stats){0}), 0);
	cr_expect_eq(rtp_stats_lost(&(struct rtp_stats){0}), 0);
}

Test(rtp_stats, losses_and_late_packets)
{
	struct source f = source_make();

	for (uint16_t i = 0; i < 100; i++)
		if (i < 40 || i >= 50)
			send(&f, i);
	cr_expect_eq(rtp_stats_lost(&f.s), 10);
	for (uint16_t i = 40; i < 45; i++) // late, at most 59 back
		send(&f, i);
	cr_expect_eq(rtp_stats_lost(&f.s), 5);
	for (int i = 0; i < 20; i++)
		send(&f, 99);
	cr_expect_eq(rtp_stats_lost(&f.s), 0, "duplicates never make it negative");
	cr_expect_eq(f.s.max_ext, 99);
}

Test(rtp_stats, step_edges)
{
	// Distance to the highest number, and whether A.1 takes the packet as of the sequence.
	const struct {
		int step;
		bool jump;
	} row[] = {{0, false},    {1, false},   {2999, false}, {3000, true}, {3001, true},
		   {32768, true}, {-101, true}, {-100, true},  {-99, false}, {-1, false}};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct source f = source_make();
		send(&f, 1000);
		send(&f, (uint16_t)(1000 + row[i].step));
		cr_expect_eq(f.s.bad, row[i].jump, "step %d", row[i].step);
		uint32_t lost = !row[i].jump && row[i].step > 0 ? (uint32_t)row[i].step - 1 : 0;
		cr_expect_eq(rtp_stats_lost(&f.s), lost, "step %d", row[i].step);
	}
}

Test(rtp_stats, a_stray_is_no_loss_and_two_in_a_row_restart)
{
	struct source f = source_make();

	for (uint16_t i = 0; i < 10; i++)
		send(&f, i);
	send(&f, 12); // 10 and 11 are lost
	send(&f, 40000);
	cr_expect_eq(f.s.max_ext, 12);
	send(&f, 50000); // no successor of the first stray
	cr_expect_eq(f.s.max_ext, 12);
	send(&f, 13);
	cr_expect_eq(rtp_stats_lost(&f.s), 2);
	cr_expect_eq(f.s.received, 14);
	send(&f, 50001); // the stray before it was not next to it in time, but A.1 takes it
	cr_expect_eq(f.s.max_ext, 50001);
	for (uint16_t i = 50002; i < 50010; i++)
		send(&f, i);
	cr_expect_eq(rtp_stats_lost(&f.s), 2);
	cr_expect_eq(rtp_stats_expected(&f.s), f.s.received + 2);
}

Test(rtp_stats, new_ssrc_carries_losses_over)
{
	struct source f = source_make();

	for (uint32_t stream = 0; stream < 5; stream++) {
		f.ssrc = 100 + stream;
		f.ts = stream * 0x37654321;
		for (uint16_t i = 0; i < 20; i++)
			if (i != 7)
				send(&f, (uint16_t)(stream * 30000 + i));
		cr_expect_eq(rtp_stats_lost(&f.s), stream + 1);
		cr_expect_eq(f.s.received, 19 * (stream + 1));
		cr_expect_lt(f.s.jitter, 16, "jitter starts again");
	}
	// Duplicates count against losses, but leave no debt to the next stream.
	f.ssrc = 1;
	for (int i = 0; i < 100; i++)
		send(&f, 77);
	f.ssrc = 2;
	send(&f, 5);
	send(&f, 7);
	cr_expect_eq(rtp_stats_lost(&f.s), 1);
}

// RFC 3550 A.1 and A.3 as the RFC has them (with 17-bit sequence arithmetic), for one stream.
struct reference {
	uint16_t max_seq;
	uint32_t cycles, base_seq, bad_seq, received;
	uint64_t total, lost_before;
};

static void reference_init(struct reference *r, uint16_t seq)
{
	r->max_seq = seq;
	r->base_seq = seq;
	r->bad_seq = 65537;
	r->cycles = 0;
	r->received = 0;
}

// Losses of all streams; duplicates count against them, but leave no debt to the next stream.
static int64_t reference_lost(const struct reference *r)
{
	int64_t lost = (int64_t)r->cycles + r->max_seq - r->base_seq + 1 - r->received;

	lost += (int64_t)r->lost_before;
	return lost < 0 ? 0 : lost;
}

static void reference_update(struct reference *r, uint16_t seq)
{
	uint16_t udelta = (uint16_t)(seq - r->max_seq);

	r->total++;
	if (r->total == 1) {
		reference_init(r, seq);
	} else if (udelta < 3000) {
		if (seq < r->max_seq)
			r->cycles += 65536;
		r->max_seq = seq;
	} else if (udelta <= 65536 - 100) {
		if (seq != r->bad_seq) {
			r->bad_seq = (seq + 1) & 65535;
			return;
		}
		r->lost_before = (uint64_t)reference_lost(r);
		reference_init(r, seq);
	}
	r->received++;
}

Test(rtp_stats, random_walk_agrees_with_the_rfc)
{
	uint64_t x = 88172645463325252ULL;
	struct source f = source_make();
	struct reference r = {0};
	uint16_t seq = 0;

	for (int i = 0; i < 2000000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		unsigned kind = (unsigned)(x % 1000);
		if (kind < 960)
			seq = (uint16_t)(seq + 1);
		else if (kind < 990)
			seq = (uint16_t)(seq + 1 + x / 1000 % 20);
		else if (kind < 996)
			seq = (uint16_t)(seq - x / 1000 % 20);
		else
			seq = (uint16_t)(x >> 40);
		send(&f, seq);
		reference_update(&r, seq);
		cr_assert_eq((uint16_t)f.s.max_ext, r.max_seq, "packet %d", i);
		cr_assert_eq(rtp_stats_lost(&f.s), reference_lost(&r), "packet %d", i);
		if (i % 100000 == 99999) {
			f = source_make();
			r = (struct reference){0};
		}
	}
}

Test(rtp_stats, clock_mult_is_accurate)
{
	const uint32_t rate[] = {8000, 16000, 44100, 48000, 90000};
	const uint64_t hz[] = {1000000000, 2000000000, 2600000000, 5000000000};

	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < 4; j++) {
			double got = ldexp(rtp_clock_mult(rate[i], hz[j]), -RTP_CLOCK_SHIFT);
			double want = (double)rate[i] / (double)hz[j];
			cr_expect_lt(fabs(got / want - 1), 73e-6, "%u Hz at %lu", rate[i], hz[j]);
		}
	cr_expect_eq(rtp_clock_mult(0, HZ), rtp_clock_mult(8000, HZ));
	cr_expect_eq(rtp_clock_mult(4000000000u, 1000000), UINT32_MAX);
}

Test(rtp_stats, steady_stream_has_no_jitter)
{
	for (uint64_t start = 1; start < 1ULL << 60; start *= 1021) { // up to years of uptime
		struct source f = source_make();
		f.now = start;
		for (uint32_t i = 0; i < 5000; i++)
			send(&f, (uint16_t)i);
		cr_expect_leq(rtp_stats_jitter_us(&f.s, 8000), 125, "one unit, from rounding");
	}
}

Test(rtp_stats, jitter_follows_the_rfc)
{
	struct source f = source_make();
	uint64_t x = 1;
	double jitter = 0, last = 0;

	for (uint32_t i = 0; i < 20000; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		double delay = (double)(x >> 40) / (1 << 24) * 0.030; // 0 to 30 ms
		rtp_stats_update(&f.s, &f.d, (uint16_t)i, f.ssrc, f.ts, 172,
				 f.now + (uint64_t)(delay * (double)HZ));
		if (i > 0)
			jitter += (fabs(delay - last) - jitter) / 16;
		last = delay;
		f.now += PTIME;
		f.ts += 160;
		if (i > 100)
			cr_assert_lt(fabs(rtp_stats_jitter_us(&f.s, 8000) - jitter * 1e6), 130,
				     "packet %u: %u us, reference %.0f us", i,
				     rtp_stats_jitter_us(&f.s, 8000), jitter * 1e6);
	}
	cr_assert_gt(jitter, 0.005);
}

Test(rtp_stats, a_new_time_base_is_no_jitter)
{
	struct source f = source_make();

	for (uint16_t i = 0; i < 1000; i++) {
		if (i % 100 == 50)
			f.ts += 0x40000000 + i * 12345u;
		send(&f, i);
	}
	cr_expect_leq(rtp_stats_jitter_us(&f.s, 8000), 125);
}

Test(rtp_stats, hostile_timestamps_dont_overflow_the_jitter)
{
	struct source f = source_make();

	for (uint32_t i = 0; i < 100000; i++) {
		f.ts += i & 1 ? RTP_JITTER_STEP - 200 : 0u - (RTP_JITTER_STEP - 200);
		send(&f, (uint16_t)i);
		cr_assert_leq(f.s.jitter, 16 * RTP_JITTER_STEP);
	}
	cr_expect_gt(f.s.jitter, 15 * (RTP_JITTER_STEP - 400));
}

Test(rtp_stats, fraction_of_an_interval)
{
	struct source f = source_make();
	struct rtp_interval prior = {0};

	cr_expect_eq(rtp_stats_fraction(&f.s, &prior), 0);
	for (uint16_t i = 0; i < 100; i++)
		send(&f, i);
	cr_expect_eq(rtp_stats_fraction(&f.s, &prior), 0);
	for (uint16_t i = 100; i < 200; i++)
		if (i % 4 != 2)
			send(&f, i);
	cr_expect_eq(rtp_stats_fraction(&f.s, &prior), 64);
	cr_expect_eq(rtp_stats_fraction(&f.s, &prior), 0, "nothing new");
	for (int i = 0; i < 10; i++)
		send(&f, 199);
	cr_expect_eq(rtp_stats_fraction(&f.s, &prior), 0, "duplicates");
	send(&f, (uint16_t)(199 + 2999));
	cr_expect_eq(rtp_stats_fraction(&f.s, &prior), 255);
}
