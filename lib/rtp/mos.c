// SPDX-License-Identifier: BSD-3-Clause
#include "mos.h"

#include <math.h>

#define R_DEFAULT 93.2 // G.107: all inputs at their defaults, no delay, no loss

// Ie: impairment by coding alone; Bpl: how well it bears loss (G.113 appendix I). G.722 and Opus
// have no narrowband values there: coding counts nothing, Bpl is taken from codecs of their kind.
static const struct {
	double ie, bpl;
} codec[] = {
	[MOS_CODEC_OTHER] = {0, 0}, [MOS_CODEC_G711] = {0, 25.1}, [MOS_CODEC_G729] = {11, 19},
	[MOS_CODEC_G722] = {0, 10}, [MOS_CODEC_OPUS] = {0, 20},
};

enum mos_codec mos_codec_of(uint8_t payload_type, uint32_t clock_rate)
{
	if (payload_type == 0 || payload_type == 8)
		return MOS_CODEC_G711;
	if (payload_type == 9)
		return MOS_CODEC_G722;
	if (payload_type == 18)
		return MOS_CODEC_G729;
	return payload_type >= 96 && clock_rate == 48000 ? MOS_CODEC_OPUS : MOS_CODEC_OTHER;
}

// Idd of G.107 (7-27): absolute delay without echo.
static double delay_impairment(double ms)
{
	if (ms <= 100)
		return 0;
	double x = log2(ms / 100);
	return 25 * (pow(1 + pow(x, 6), 1.0 / 6) - 3 * pow(1 + pow(x / 3, 6), 1.0 / 6) + 2);
}

// Ie-eff of G.107 (7-29). BurstR: mean run of losses over what random loss would have, 1 / (1 - p).
static double loss_impairment(const struct mos_input *in)
{
	double ie = codec[in->codec].ie, percent = in->lost * 100;
	double burst = in->run * (1 - in->lost);

	if (percent <= 0)
		return ie;
	return ie +
	       (95 - ie) * percent / (percent / (burst > 1 ? burst : 1) + codec[in->codec].bpl);
}

double mos_r(const struct mos_input *in)
{
	double r = R_DEFAULT - delay_impairment(in->delay_ms) - loss_impairment(in);

	return r < 0 ? 0 : r;
}

double mos_rate(const struct mos_input *in)
{
	if (in->codec == MOS_CODEC_OTHER)
		return 0;
	double r = mos_r(in);
	double mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
	return mos < 1 ? 1 : mos;
}
