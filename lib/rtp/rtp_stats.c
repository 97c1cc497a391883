// SPDX-License-Identifier: BSD-3-Clause
#include "rtp_stats.h"

#include <stddef.h>

uint32_t rtp_clock_mult(uint32_t clock_rate, uint64_t tsc_hz)
{
	uint64_t rate = clock_rate == 0 ? 8000 : clock_rate;
	uint64_t mult = ((rate << RTP_CLOCK_SHIFT) + tsc_hz / 2) / tsc_hz;

	return mult > UINT32_MAX ? UINT32_MAX : (uint32_t)mult;
}

// Makes seq the first number of a sequence: the packet is received and expected, losses stay.
static void sequence_start(struct rtp_stats *s, struct rtp_detail *d, uint16_t seq)
{
	uint32_t lost = rtp_stats_lost(s);

	s->received++;
	s->max_ext = seq;
	s->expect_base = s->received + lost - s->max_ext;
	s->bad = 0;
	rtp_detail_restart(d, s->max_ext);
}

// Within the current sequence, as A.1 bounds it: after a gap, late, or again.
static bool sequence_keeps(struct rtp_stats *s, struct rtp_detail *d, uint16_t seq)
{
	uint16_t step = (uint16_t)(seq - s->max_ext), back = (uint16_t)(s->max_ext - seq);

	if (back < RTP_MAX_MISORDER) {
		rtp_detail_late(d, s->max_ext, back);
		return true;
	}
	if (step >= RTP_MAX_DROPOUT)
		return false;
	if (step > 1)
		rtp_detail_gap(d, s->max_ext, step);
	s->max_ext += step;
	return true;
}

__attribute__((cold, noinline)) void rtp_stats_odd(struct rtp_stats *s, struct rtp_detail *d,
						   uint16_t seq, uint32_t ssrc, uint32_t transit)
{
	if (s->received == 0 || ssrc != s->ssrc) {
		sequence_start(s, d, seq);
		s->ssrc = ssrc;
		s->transit = transit;
		s->jitter = 0;
		return;
	}
	// A late packet's transit time says how late, so A.8 applies.
	if (sequence_keeps(s, d, seq)) {
		s->received++;
		rtp_jitter_update(s, transit);
		return;
	}
	if (s->bad && seq == s->bad_seq) {
		sequence_start(s, d, seq);
		s->transit = transit;
		return;
	}
	// A stray: it arrived, and was not missing.
	s->bad_seq = (uint16_t)(seq + 1);
	s->bad = 1;
	s->received++;
	s->expect_base++;
}

uint32_t rtp_stats_lost(const struct rtp_stats *s)
{
	int32_t lost = (int32_t)(rtp_stats_expected(s) - s->received);

	return lost < 0 ? 0 : (uint32_t)lost;
}

uint32_t rtp_stats_jitter_us(const struct rtp_stats *s, uint32_t clock_rate)
{
	uint64_t rate = clock_rate == 0 ? 8000 : clock_rate;

	return (uint32_t)(((uint64_t)s->jitter * 1000000 / 16 + rate / 2) / rate);
}

uint8_t rtp_stats_fraction(const struct rtp_stats *s, struct rtp_interval *prior)
{
	uint32_t expected = rtp_stats_expected(s);
	uint32_t due = expected - prior->expected;
	uint32_t got = s->received - prior->received;

	prior->expected = expected;
	prior->received = s->received;
	if (due == 0 || (int32_t)(due - got) <= 0)
		return 0;
	uint64_t fraction = ((uint64_t)(due - got) << 8) / due;
	return fraction > 255 ? 255 : (uint8_t)fraction;
}
