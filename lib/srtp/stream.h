// SPDX-License-Identifier: BSD-3-Clause
// The SSRCs of a context and their counters. Included by lib/srtp's .c files only.
#pragma once

#include "esp/replay.h"
#include "srtp_ctx.h"

#include <string.h>

#define STREAM_NONE SRTP_STREAMS

static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_raw32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

// ssrc: as in memory.
static inline unsigned stream_find(const struct srtp_ctx *ctx, uint32_t ssrc)
{
	if (__builtin_expect(ctx->ssrc[ctx->last] == ssrc && ctx->n_streams != 0, 1))
		return ctx->last;
	for (unsigned i = 0; i < ctx->n_streams; i++)
		if (ctx->ssrc[i] == ssrc)
			return i;
	return STREAM_NONE;
}

// RFC 3711 section 3.3.1: the index nearest to the highest one. There is nothing before 0.
static inline uint64_t index_near(uint64_t top, uint16_t seq)
{
	if (top == SRTP_NO_INDEX)
		return seq;
	uint64_t roc = top >> 16;
	int step = (int)seq - (int)(top & 0xffff);

	if ((top & 0xffff) < 0x8000)
		roc -= (step > 0x8000) & (roc != 0);
	else
		roc += step < -0x8000;
	return roc << 16 | seq;
}

// Of a stream that the context does not know: with another key it may have been known, and its
// rollover counter goes on.
static inline uint64_t index_first(const struct srtp_ctx *ctx, uint32_t ssrc, uint16_t seq)
{
	const struct srtp_ctx *prev = __atomic_load_n(&ctx->prev, __ATOMIC_RELAXED);
	unsigned i = prev != NULL ? stream_find(prev, ssrc) : STREAM_NONE;

	if (i != STREAM_NONE && prev->stream[i].top != SRTP_NO_INDEX)
		return index_near(prev->stream[i].top, seq);
	for (i = 0; i < ctx->n_base; i++)
		if (ctx->base_ssrc[i] == ssrc)
			return index_near(ctx->base_top[i], seq);
	return seq;
}

// No packet of it was accepted yet; SRTCP may have been.
static inline bool stream_is_new(const struct srtp_ctx *ctx, unsigned stream)
{
	return stream == STREAM_NONE || ctx->stream[stream].top == SRTP_NO_INDEX;
}

static inline uint64_t index_guess(const struct srtp_ctx *ctx, unsigned stream, uint32_t ssrc,
				   uint16_t seq)
{
	if (__builtin_expect(stream_is_new(ctx, stream), 0))
		return index_first(ctx, ssrc, seq);
	return index_near(ctx->stream[stream].top, seq);
}

static inline bool index_fresh(const struct srtp_ctx *ctx, unsigned stream, uint64_t index)
{
	const struct srtp_stream *s = &ctx->stream[stream];

	return s->top == SRTP_NO_INDEX || replay_check(s->seen, 3, SRTP_WINDOW, s->top, index);
}

static inline void index_mark(struct srtp_ctx *ctx, unsigned stream, uint64_t index)
{
	struct srtp_stream *s = &ctx->stream[stream];

	if (__builtin_expect(s->top == SRTP_NO_INDEX, 0)) // bits are all 0
		s->top = index;
	s->top = replay_update(s->seen, 3, s->top, index);
}

static inline void stream_use(struct srtp_ctx *ctx, unsigned stream)
{
	if (__builtin_expect(ctx->last == stream, 1))
		return;
	ctx->stamp[ctx->last] = ++ctx->clock;
	ctx->last = (uint8_t)stream;
}

// Whether the SSRC was forgotten (or, rarely, looks like one that was).
bool stream_gone(const struct srtp_ctx *ctx, uint32_t ssrc);
// Takes the SSRC in; of four others the one that was quiet the longest is forgotten.
unsigned stream_add(struct srtp_ctx *ctx, uint32_t ssrc);

// AES-CM's IV (RFC 3711 section 4.1.1), or the nonce of GCM (RFC 7714 section 8.1) in its first 12
// bytes: salt, SSRC, index.
static inline void nonce_make(uint8_t *nonce, const uint8_t *salt, bool aead, uint32_t ssrc,
			      uint64_t index)
{
	uint64_t at = __builtin_bswap64(index << 16), word[2];

	memcpy(word, salt, 16);
	word[0] ^= aead ? (uint64_t)ssrc << 16 | at << 48 : (uint64_t)ssrc << 32;
	word[1] ^= aead ? at >> 16 : at;
	memcpy(nonce, word, 16);
}
