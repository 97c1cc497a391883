// SPDX-License-Identifier: BSD-3-Clause
// What a listener would think of a stream: the E-model (ITU-T G.107) from loss and delay, for the control side.
//
// All of the model's other inputs have G.107's default values (echo, noise, loudness: R starts at 93.2), so
// that the figure compares calls, and says nothing of microphones. Codecs' impairments are those of G.113
// appendix I. Loss concealment is taken for granted, as all receivers have it. Wideband codecs are rated on the
// narrowband scale: what they are better is not seen, what loss does to them is.
#pragma once

#include <stdint.h>

enum mos_codec {
	MOS_CODEC_OTHER,
	MOS_CODEC_G711,
	MOS_CODEC_G729,
	MOS_CODEC_G722,
	MOS_CODEC_OPUS,
};

// By a static payload type (RFC 3551); a dynamic one of 48 kHz is Opus (RFC 7587).
enum mos_codec mos_codec_of(uint8_t payload_type, uint32_t clock_rate);

struct mos_input {
	enum mos_codec codec;
	double lost; // share of packets that did not come, 0..1
	double run; // mean number of lost packets in a row, 0 or 1 and more: losses in bursts hurt more
	double delay_ms; // mouth to ear, one way
};

// 1..5; 0 for a codec that is not known.
double mos_rate(const struct mos_input *in);
// The transmission rating R that it comes from, 0..100.
double mos_r(const struct mos_input *in);
