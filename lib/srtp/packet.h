// SPDX-License-Identifier: BSD-3-Clause
// What opening and sealing have in common. Included by lib/srtp's .c files only.
#pragma once

#include "crypto/crypto.h"
#include "esp/prefetch.h"
#include "rtp/rtp_hdr.h"
#include "srtp_ctx.h"

_Static_assert(SRTP_BURST_MAX <= CRYPTO_BURST, "scratch is large enough");

// Bytes of header of an RTP packet of len bytes, or 0 if it is none or is cut short.
static inline uint32_t srtp_head_len(const uint8_t *p, uint32_t len)
{
	if (__builtin_expect(len >= 12 && p[0] == 0x80, 1))
		return 12;
	if (len < 12 || (p[0] & 0xc0) != 0x80)
		return 0;
	uint32_t head = 12u + 4u * (p[0] & 0x0f);
	if ((p[0] & RTP_EXTENSION) && head + 4 > len)
		return 0;
	head = rtp_hdr_len(p);
	return head <= len ? head : 0;
}

#define KEYS_AHEAD 3 // packets; found by measuring

static inline unsigned gcm_of(const struct srtp_ctx *ctx)
{
	return ctx->flags & SRTP_CTX_LONG ? SUITE_AES_GCM_256 : SUITE_AES_GCM_128;
}

// Which lines a packet of len bytes touches of its keys.
static inline void gcm_keys_prefetch(const struct crypto *c, const struct srtp_op *op)
{
	keys_prefetch((const struct keys *)&op->ctx->keys, (uint8_t)gcm_of(op->ctx), c->hkey,
		      op->len, false);
}

static inline void cm_keys_prefetch(const struct srtp_ctx *ctx)
{
	lines_prefetch(&ctx->keys, 0, 64 + (ctx->flags & SRTP_CTX_LONG ? 240 : 176));
}
