// SPDX-License-Identifier: BSD-3-Clause
#include "stream.h"

#define GONE_HASHES 3

// Bit k of an SSRC in the filter.
static unsigned gone_bit(uint32_t ssrc, unsigned k)
{
	return (unsigned)(ssrc * 0x9e3779b97f4a7c15ULL >> (64 - 9 * (k + 1))) & 511;
}

bool stream_gone(const struct srtp_ctx *ctx, uint32_t ssrc)
{
	bool all = true;

	for (unsigned k = 0; k < GONE_HASHES; k++) {
		unsigned bit = gone_bit(ssrc, k);
		all &= ctx->gone[bit / 64] >> bit % 64 & 1;
	}
	return all;
}

static unsigned stream_forget(struct srtp_ctx *ctx)
{
	unsigned oldest = ctx->last == 0;

	for (unsigned i = oldest + 1; i < SRTP_STREAMS; i++)
		if (i != ctx->last && (int32_t)(ctx->stamp[i] - ctx->stamp[oldest]) < 0)
			oldest = i;
	for (unsigned k = 0; k < GONE_HASHES; k++) {
		unsigned bit = gone_bit(ctx->ssrc[oldest], k);
		ctx->gone[bit / 64] |= 1ULL << bit % 64;
	}
	return oldest;
}

unsigned stream_add(struct srtp_ctx *ctx, uint32_t ssrc)
{
	unsigned i = ctx->n_streams < SRTP_STREAMS ? ctx->n_streams : stream_forget(ctx);

	memset(&ctx->stream[i], 0, sizeof(ctx->stream[i]));
	ctx->stream[i].top = SRTP_NO_INDEX;
	ctx->ssrc[i] = ssrc;
	ctx->stamp[i] = ++ctx->clock;
	if (i == ctx->n_streams)
		ctx->n_streams++;
	return i;
}
