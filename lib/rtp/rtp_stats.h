// SPDX-License-Identifier: BSD-3-Clause
// Reception statistics of a leg, RFC 3550 appendix A.1 (sequence), A.3 (loss) and A.8 (jitter).
//
// A leg may carry one stream after another: a new SSRC, or two consecutive packets after a jump,
// start a new one. Packets, bytes and losses go on counting; the sequence and the jitter start
// again (a jump keeps the jitter: it is the same source). Written by the leg's owner only.
#pragma once

#include "rtp_detail.h"

#include <stdbool.h>
#include <stdint.h>

#define RTP_MAX_DROPOUT 3000       // RFC 3550 A.1: a larger step forward is a jump
#define RTP_MAX_MISORDER 100       // ... and so is one further back
#define RTP_JITTER_STEP (1u << 17) // a larger change of transit time is a new time base, not jitter
#define RTP_CLOCK_SHIFT 32

// 40 bytes, so that a leg's ingress half fits one cache line. All zero but clock_mult to start
// with.
struct rtp_stats {
	uint32_t ssrc;        // host order, of the current stream
	uint32_t max_ext;     // highest sequence number, extended by its wraps
	uint32_t expect_base; // max_ext + expect_base is the number of packets expected so far
	uint32_t received;    // packets, all streams; 0: nothing yet
	uint32_t transit;     // arrival - timestamp of the last packet, RTP time units
	uint32_t jitter;      // A.8, scaled by 16, RTP time units
	uint32_t clock_mult;  // rtp_clock_mult(), set by control
	uint16_t bad_seq;     // sequence number that would confirm a jump ...
	uint16_t bad;         // ... if this is not 0
	uint64_t bytes;       // RTP with its header, all streams
};

_Static_assert(sizeof(struct rtp_stats) == 40, "rtp_stats is 40 bytes");

// RTP time units a TSC tick, 0.32 fixed point, for struct rtp_stats.clock_mult. The error is at
// most 73 ppm at 8 kHz and 5 GHz. clock_rate 0 counts as 8000; tsc_hz must not be 0.
uint32_t rtp_clock_mult(uint32_t clock_rate, uint64_t tsc_hz);

// ---- packet path ----

// A.8 for one packet.
static inline void rtp_jitter_update(struct rtp_stats *s, uint32_t transit)
{
	uint32_t d = transit - s->transit;

	s->transit = transit;
	d = (int32_t)d < 0 ? 0u - d : d;
	d = d < RTP_JITTER_STEP ? d : 0;
	s->jitter += d - ((s->jitter + 8) >> 4);
}

// What a packet means that is not the next one in sequence; called by rtp_stats_update only.
void rtp_stats_odd(struct rtp_stats *s, struct rtp_detail *d, uint16_t seq, uint32_t ssrc,
		   uint32_t transit);

// A valid RTP packet arrived: its fields in host order, its length with header in bytes, and the
// TSC. d is not touched by the next packet in sequence.
static inline void rtp_stats_update(struct rtp_stats *s, struct rtp_detail *d, uint16_t seq,
				    uint32_t ssrc, uint32_t ts, uint32_t len, uint64_t now)
{
	// Low 32 bits of the time: transit is only ever a difference modulo 2^32.
	uint32_t transit = (uint32_t)((now * s->clock_mult) >> RTP_CLOCK_SHIFT) - ts;
	uint16_t step = (uint16_t)(seq - s->max_ext);

	s->bytes += len;
	if (__builtin_expect(ssrc != s->ssrc || step != 1, 0)) {
		rtp_stats_odd(s, d, seq, ssrc, transit);
		return;
	}
	s->received++;
	s->max_ext++; // the carry into the upper half is the wrap
	rtp_jitter_update(s, transit);
}

// ---- snapshots for the control side: take a copy of the struct first ----

// Packets that should have arrived, all streams.
static inline uint32_t rtp_stats_expected(const struct rtp_stats *s)
{
	return s->received == 0 ? 0 : s->max_ext + s->expect_base;
}

// Packets lost, all streams, as A.3 has it: duplicates can make it smaller, never negative.
// rtp_detail.lost is without that.
uint32_t rtp_stats_lost(const struct rtp_stats *s);
// Interarrival jitter in microseconds; clock_rate in Hz as given to rtp_clock_mult.
uint32_t rtp_stats_jitter_us(const struct rtp_stats *s, uint32_t clock_rate);

// Counts at the last report, for the fraction lost since then. All zero to start with.
struct rtp_interval {
	uint32_t expected, received;
};

// Fraction lost since the last call, in 1/256 (RFC 3550 A.3); sets *prior to now.
uint8_t rtp_stats_fraction(const struct rtp_stats *s, struct rtp_interval *prior);
