// SPDX-License-Identifier: BSD-3-Clause
// What the SRTP tests share.
#pragma once

#include "crypto/crypto.h"
#include "srtp/srtp_ctx.h"

#define PACKET_MAX 512

// A deterministic stream (xorshift64*), so that a failure can be repeated.
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *r);
void rng_fill(struct rng *r, void *p, size_t len);

// A context of these parameters; fails the test if there is none. ctx_free wipes it.
struct srtp_ctx *ctx_make(struct crypto *c, const struct srtp_params *p);
void ctx_free(struct srtp_ctx *ctx);
// Random keys of a suite, with an MKI of so many bytes.
struct srtp_params params_make(struct rng *r, enum srtp_suite suite, uint8_t mki_len);
// An RTP packet with len bytes of random payload, sometimes with CSRCs and a header extension.
// Returns its length.
uint32_t rtp_make(struct rng *r, uint8_t *p, uint32_t ssrc, uint16_t seq, uint32_t len, bool plain);
// A compound of a receiver report and an SDES chunk of so many words.
uint32_t rtcp_make(struct rng *r, uint8_t *p, uint32_t ssrc, uint32_t words);
// One packet, alone in its burst. Returns srtp_status; *len as srtp_op.len.
uint8_t open_one(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t *len);
uint8_t seal_one(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t *len);
uint8_t rtcp_open_one(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t *len);
uint8_t rtcp_seal_one(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t *len);
