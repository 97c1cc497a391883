// SPDX-License-Identifier: BSD-3-Clause
// What a stream's sequence tells beyond RFC 3550's figures: packets that came late or twice, runs of
// losses, silence. Touched only by a packet that is not the next one in sequence, and by one in
// RTP_SAMPLE_EVERY to look at the payload. Written by the leg's owner only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RTP_SAMPLE_EVERY 32 // a power of two: packets by their sequence number

// All zero to start with.
struct rtp_detail {
	uint64_t missing;   // bit i: number at - i has not come; valid as of at, see rtp_detail.c
	uint32_t at;        // extended sequence number
	uint32_t lost;      // never came
	uint32_t reordered; // came, after one with a higher number
	uint32_t duplicate; // came again
	uint32_t runs;      // of one or more lost packets in a row
	uint32_t run_max;   // the longest of all but the last
	uint32_t run_first; // the last one: its first number ...
	uint32_t run_len;   // ... as long as it was found ...
	uint32_t run;       // ... and less those that came late
	uint32_t sampled;   // packets whose payload was looked at
	uint32_t silent;    // of these, silence or comfort noise
	uint8_t type;       // payload type that was seen last
};

_Static_assert(sizeof(struct rtp_detail) <= 64, "one line");

// max: the highest extended number before this packet. A step of 2 or more further: those between
// are missing.
void rtp_detail_gap(struct rtp_detail *d, uint32_t max, uint32_t step);
// back numbers behind max (0: max itself) came. False: it had come already.
bool rtp_detail_late(struct rtp_detail *d, uint32_t max, uint32_t back);
// A new sequence begins at max: the counters stay.
void rtp_detail_restart(struct rtp_detail *d, uint32_t max);

// Notes the payload type, and looks whether the payload (len bytes) is silence. Of G.711 some samples
// are looked at; others are silent by their length (SID frames) or not judged. Not for SRTP's ciphertext.
void rtp_detail_sample(struct rtp_detail *d, uint8_t type, const uint8_t *payload, uint32_t len);

// Longest run of lost packets.
static inline uint32_t rtp_detail_burst(const struct rtp_detail *d)
{
	return d->run > d->run_max ? d->run : d->run_max;
}
