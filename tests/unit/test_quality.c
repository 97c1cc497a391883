// SPDX-License-Identifier: BSD-3-Clause
// What a stream's sequence, its payload and passing RTCP tell of its quality.
#include "rtp/mos.h"
#include "rtp/rtcp.h"
#include "rtp/rtp_stats.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HZ 2600000000ULL

struct feed {
	struct rtp_stats s;
	struct rtp_detail d;
};

static void send(struct feed *f, uint32_t n)
{
	rtp_stats_update(&f->s, &f->d, (uint16_t)n, 5, n * 160, 172, (uint64_t)n * HZ / 50);
}

Test(quality, late_twice_and_lost)
{
	struct feed f = {0};

	f.s.clock_mult = rtp_clock_mult(8000, HZ);
	for (uint32_t n = 65500; n < 65700; n++) // across the wrap
		if (n != 65510 && (n < 65530 || n > 65534) && n != 65600)
			send(&f, n);
	cr_expect_eq(f.d.lost, 7);
	cr_expect_eq(f.d.runs, 3);
	cr_expect_eq(rtp_detail_burst(&f.d), 5);
	send(&f, 65699);
	send(&f, 65690);
	cr_expect_eq(f.d.duplicate, 2);
	cr_expect_eq(f.d.lost, 7, "what came twice hides no loss");
	send(&f, 65700);
	send(&f, 65703);
	send(&f, 65701);
	send(&f, 65702);
	cr_expect_eq(f.d.reordered, 2);
	cr_expect_eq(f.d.lost, 7);
	cr_expect_eq(f.d.runs, 3, "a gap that was filled is no run");
	send(&f, 65702);
	cr_expect_eq(f.d.duplicate, 3);
}

// Against a list of what was sent: any order within the window, twice or never.
Test(quality, agrees_with_a_list)
{
	srand(7);
	for (int round = 0; round < 50; round++) {
		struct feed f = {0};
		uint32_t sent[3000] = {0}, lost = 0, twice = 0, late = 0, high = 0;
		f.s.clock_mult = rtp_clock_mult(8000, HZ);
		sent[0] = 1;
		send(&f, 60000);
		for (uint32_t n = 1; n < 3000; n++) {
			uint32_t i = rand() % 8 == 0 && high > 40 ? high - (uint32_t)rand() % 40
				     : rand() % 6 == 0            ? high + 1 + (uint32_t)rand() % 5
								  : high + 1;
			if (i >= 3000)
				break;
			twice += sent[i] > 0;
			late += sent[i] == 0 && i < high;
			sent[i]++;
			high = i > high ? i : high;
			send(&f, 60000 + i);
		}
		for (uint32_t i = 0; i < high; i++)
			lost += sent[i] == 0;
		cr_assert_eq(f.d.duplicate, twice, "round %d", round);
		cr_assert_eq(f.d.reordered, late, "round %d", round);
		cr_assert_eq(f.d.lost, lost, "round %d", round);
	}
}

Test(quality, a_new_stream_keeps_the_counts)
{
	struct feed f = {0};

	for (uint32_t n = 0; n < 50; n++)
		if (n != 20)
			send(&f, n);
	send(&f, 49);
	rtp_stats_update(&f.s, &f.d, 9, 6, 0, 172, 0);
	rtp_stats_update(&f.s, &f.d, 10, 6, 160, 172, 0);
	cr_expect_eq(f.d.lost, 1);
	rtp_stats_update(&f.s, &f.d, 8, 6, 160, 172, 0);
	cr_expect_eq(f.d.duplicate, 2, "before its first number: not to be told from twice");
}

Test(quality, silence)
{
	struct rtp_detail d = {0};
	uint8_t quiet[160], speech[160], sid[2] = {0};

	for (unsigned i = 0; i < 160; i++) {
		quiet[i] = (uint8_t)(i % 2 ? 0xff - i % 8 : 0x7f - i % 8);
		speech[i] = (uint8_t)(0x80 + i % 64);
	}
	rtp_detail_sample(&d, 0, quiet, 160);
	cr_expect(d.sampled == 1 && d.silent == 1 && d.type == 0);
	rtp_detail_sample(&d, 0, speech, 160);
	cr_expect(d.sampled == 2 && d.silent == 1);
	memset(quiet, 0xd5, sizeof(quiet));
	rtp_detail_sample(&d, 8, quiet, 160);
	cr_expect(d.sampled == 3 && d.silent == 2 && d.type == 8);
	rtp_detail_sample(&d, 8, speech, 160);
	cr_expect_eq(d.silent, 2);
	rtp_detail_sample(&d, 13, sid, 1);
	rtp_detail_sample(&d, 18, sid, 2);
	cr_expect_eq(d.silent, 4);
	rtp_detail_sample(&d, 18, speech, 20);
	rtp_detail_sample(&d, 9, speech, 160);
	cr_expect(d.silent == 4 && d.sampled == 7, "G.722 is not judged");
	rtp_detail_sample(&d, 0, quiet, 0);
	rtp_detail_sample(&d, 0, quiet, 3);
}

static void be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

// A sender report with one block, then a BYE.
static uint32_t report(uint8_t *p, uint8_t type, uint32_t mid, uint32_t lsr, uint32_t dlsr)
{
	uint32_t head = type == 200 ? 28 : 8, size = head + 24;

	memset(p, 0, size + 8);
	p[0] = 0x81;
	p[1] = type;
	p[3] = (uint8_t)(size / 4 - 1);
	if (type == 200) {
		be32(p + 8, mid >> 16);
		be32(p + 12, mid << 16);
	}
	be32(p + head + 4, 64u << 24 | 17);
	be32(p + head + 12, 80);
	be32(p + head + 16, lsr);
	be32(p + head + 20, dlsr);
	memcpy(p + size, "\x81\xcb\0\1\0\0\0\1", 8);
	return size + 8;
}

Test(quality, round_trip)
{
	struct rtcp_view v = {0};
	uint8_t p[128];
	uint64_t t = 5 * HZ;

	rtcp_sent(&v, p, report(p, 200, 0x12345678, 0, 0), t);
	cr_expect_eq(v.sr_mid, 0x12345678);
	// Answered 500 ms later, of which the peer kept it for 450.
	rtcp_came(&v, p, report(p, 201, 0, 0x12345678, 65536 * 45 / 100), t + HZ / 2, HZ);
	cr_expect(v.rtt_us > 49900 && v.rtt_us < 50100, "%u", v.rtt_us);
	cr_expect(v.far_share == 64 && v.far_lost == 17 && v.far_jitter == 80 && v.reports == 1);
	uint32_t was = v.rtt_us;
	rtcp_came(&v, p, report(p, 201, 0, 0x12345679, 0), t + HZ, HZ);
	cr_expect_eq(v.rtt_us, was, "an answer to what was never sent");
	rtcp_came(&v, p, report(p, 201, 0, 0x12345678, 65536 * 9), t + HZ, HZ);
	cr_expect_eq(v.rtt_us, was, "kept longer than it took");
	rtcp_came(&v, p, report(p, 201, 0, 0x12345678, 0), t + 61 * HZ, HZ);
	cr_expect_eq(v.rtt_us, was, "too long ago");
	rtcp_came(&v, p, report(p, 201, 0, 0x12345678, 0), t - HZ, HZ);
	cr_expect_eq(v.rtt_us, was, "before it was sent");
	rtcp_came(&v, p, report(p, 200, 1, 0x12345678, 65536 * 48 / 100), t + HZ / 2, HZ);
	cr_expect(v.rtt_us > 19900 && v.rtt_us < 20100, "in a sender report: %u", v.rtt_us);
}

Test(quality, reports_cut_short)
{
	uint8_t p[128];

	for (unsigned type = 200; type <= 201; type++) {
		uint32_t len = report(p, (uint8_t)type, 1, 2, 3);
		for (uint32_t n = 0; n <= len; n++) {
			struct rtcp_view v = {0};
			uint8_t *cut = malloc(n + 1); // nothing behind it: the sanitizer looks
			memcpy(cut, p, n);
			rtcp_sent(&v, cut, n, 1);
			rtcp_came(&v, cut, n, 1, HZ);
			free(cut);
		}
	}
}

static double mos(enum mos_codec codec, double lost, double run, double delay)
{
	return mos_rate(&(struct mos_input){codec, lost, run, delay});
}

Test(quality, e_model)
{
	// G.107: R 93.2 without any impairment, MOS 4.41 (annex B).
	cr_expect_float_eq(mos_r(&(struct mos_input){.codec = MOS_CODEC_G711}), 93.2, 1e-9);
	cr_expect_float_eq(mos(MOS_CODEC_G711, 0, 0, 0), 4.41, 0.005);
	// 1 % lost at random, concealed: Ie-eff = 95 / (1 + 25.1).
	cr_expect_float_eq(mos_r(&(struct mos_input){MOS_CODEC_G711, 0.01, 1, 0}), 93.2 - 95 / 26.1,
			   1e-9);
	// G.729A: Ie 11 (G.113).
	cr_expect_float_eq(mos_r(&(struct mos_input){.codec = MOS_CODEC_G729}), 82.2, 1e-9);
	// Delay: nothing up to 100 ms, some 5 to 15 at 250 to 300 (G.107's own curve).
	cr_expect_float_eq(mos(MOS_CODEC_G711, 0, 0, 100), 4.41, 0.005);
	double r = mos_r(&(struct mos_input){MOS_CODEC_G711, 0, 0, 300});
	cr_expect(r > 76 && r < 84, "%f", r);
	// More loss is worse, bursts are worse, and it stays within 1..5.
	double last = 5;
	for (double p = 0; p <= 1; p += 0.01) {
		double m = mos(MOS_CODEC_G711, p, 1, 50);
		cr_expect(m <= last && m >= 1 && m < 5, "%f: %f", p, m);
		cr_expect_leq(mos(MOS_CODEC_G711, p, 8, 50), m);
		last = m;
	}
	cr_expect_lt(last, 1.5);
	cr_expect_eq(mos(MOS_CODEC_OTHER, 0, 0, 0), 0);
	cr_expect_eq(mos_codec_of(8, 8000), MOS_CODEC_G711);
	cr_expect_eq(mos_codec_of(18, 8000), MOS_CODEC_G729);
	cr_expect_eq(mos_codec_of(111, 48000), MOS_CODEC_OPUS);
	cr_expect_eq(mos_codec_of(96, 8000), MOS_CODEC_OTHER);
}
