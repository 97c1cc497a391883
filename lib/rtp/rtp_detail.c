// SPDX-License-Identifier: BSD-3-Clause
// The set of missing numbers is brought up to date only when something irregular happens. As long as each
// packet was the next one, all between at and the highest number have come, so that shifting in zeros
// is right; the common packet writes nothing here.
#include "rtp_detail.h"

#define SET 64u

static void set_advance(struct rtp_detail *d, uint32_t max)
{
	uint32_t by = max - d->at;

	d->missing = by >= SET ? 0 : d->missing << by;
	d->at = max;
}

void rtp_detail_gap(struct rtp_detail *d, uint32_t max, uint32_t step)
{
	uint32_t lost = step - 1;

	set_advance(d, max);
	if (step >= SET)
		d->missing = UINT64_MAX << 1;
	else
		d->missing = d->missing << step | ((1ULL << step) - 2);
	d->at = max + step;
	if (d->run > d->run_max)
		d->run_max = d->run;
	d->lost += lost;
	d->runs++;
	d->run = d->run_len = lost;
	d->run_first = max + 1;
}

bool rtp_detail_late(struct rtp_detail *d, uint32_t max, uint32_t back)
{
	set_advance(d, max);
	if (back < SET && (d->missing >> back & 1) == 0) {
		d->duplicate++;
		return false;
	}
	if (back < SET)
		d->missing &= ~(1ULL << back);
	d->reordered++;
	d->lost -= d->lost > 0;
	if (d->run > 0 && max - back - d->run_first < d->run_len && --d->run == 0)
		d->runs--;
	return true;
}

void rtp_detail_restart(struct rtp_detail *d, uint32_t max)
{
	d->missing = 0;
	d->at = max;
	if (d->run > d->run_max)
		d->run_max = d->run;
	d->run = d->run_len = 0;
}

#define TYPE_PCMU 0
#define TYPE_PCMA 8
#define TYPE_CN 13
#define TYPE_G729 18
#define TYPE_DYNAMIC 96
#define SID_MAX 3     // bytes: a G.729 SID frame has 2, an Opus DTX packet up to 3
#define LOOKS 16      // samples of a packet
#define MU_QUIET 0x0f // of 0x7f, by magnitude: below about -48 dB of full scale
#define A_QUIET 0x07  // the same in A-law

static bool g711_silent(const uint8_t *p, uint32_t len, uint8_t invert, uint8_t quiet)
{
	uint32_t step = len / LOOKS;

	for (uint32_t i = 0; i<len; i += step> 0 ? step : 1)
		if (((p[i] ^ invert) & 0x7f) > quiet)
			return false;
	return true;
}

__attribute__((cold)) void rtp_detail_sample(struct rtp_detail *d, uint8_t type,
					     const uint8_t *payload, uint32_t len)
{
	bool silent;

	d->type = type;
	if (type == TYPE_CN)
		silent = true;
	else if (type == TYPE_PCMU)
		silent = g711_silent(payload, len, 0xff, MU_QUIET);
	else if (type == TYPE_PCMA)
		silent = g711_silent(payload, len, 0x55, A_QUIET);
	else if (type == TYPE_G729 || type >= TYPE_DYNAMIC)
		silent = len <= SID_MAX;
	else
		return;
	d->sampled++;
	d->silent += silent;
}
