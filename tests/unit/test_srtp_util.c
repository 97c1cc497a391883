// SPDX-License-Identifier: BSD-3-Clause
#include "test_srtp_util.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

uint64_t rng_next(struct rng *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dULL;
}

void rng_fill(struct rng *r, void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)p)[i] = (uint8_t)(rng_next(r) >> 32);
}

struct srtp_ctx *ctx_make(struct crypto *c, const struct srtp_params *p)
{
	struct err err = {0};
	struct srtp_ctx *ctx = aligned_alloc(64, srtp_ctx_size(p));

	cr_assert_not_null(ctx);
	cr_assert_eq(srtp_ctx_init(ctx, p, c, &err), 0, "%s", err.text);
	return ctx;
}

void ctx_free(struct srtp_ctx *ctx)
{
	srtp_ctx_wipe(ctx);
	free(ctx);
}

struct srtp_params params_make(struct rng *r, enum srtp_suite suite, uint8_t mki_len)
{
	struct srtp_params p = {.suite = suite, .mki_len = mki_len};

	rng_fill(r, p.master, sizeof(p.master));
	rng_fill(r, p.mki, mki_len);
	return p;
}

uint32_t rtp_make(struct rng *r, uint8_t *p, uint32_t ssrc, uint16_t seq, uint32_t len, bool plain)
{
	uint64_t dice = plain ? 0 : rng_next(r);
	uint32_t cc = dice % 8 == 1 ? (uint32_t)(dice >> 8) % 4 : 0;
	uint32_t ext = dice % 8 == 2 ? 1 + (uint32_t)(dice >> 8) % 3 : 0;
	uint32_t head = 12 + 4 * cc;

	rng_fill(r, p, 12 + 16 + 16 + len);
	p[0] = (uint8_t)(0x80 | cc | (ext != 0 ? 0x10 : 0));
	p[1] = (uint8_t)(dice >> 16 & 0x1f);
	p[2] = (uint8_t)(seq >> 8);
	p[3] = (uint8_t)seq;
	memcpy(p + 8, &ssrc, 4);
	if (ext != 0) {
		p[head + 2] = 0;
		p[head + 3] = (uint8_t)ext;
		head += 4 + 4 * ext;
	}
	return head + len;
}

uint32_t rtcp_make(struct rng *r, uint8_t *p, uint32_t ssrc, uint32_t words)
{
	rng_fill(r, p, 8 + 4 * words);
	memcpy(p, (uint8_t[]){0x80, 201, 0, 1}, 4);
	memcpy(p + 4, &ssrc, 4);
	if (words != 0)
		memcpy(p + 8, (uint8_t[]){0x81, 202, 0, (uint8_t)(words - 1)}, 4);
	return 8 + 4 * words;
}

uint8_t open_one(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t *len)
{
	struct srtp_op op = {.ctx = ctx, .data = p, .len = *len};

	srtp_open_burst(c, &op, 1, 0);
	*len = op.len;
	return op.status;
}

uint8_t seal_one(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t *len)
{
	struct srtp_op op = {.ctx = ctx, .data = p, .len = *len};

	srtp_seal_burst(c, &op, 1);
	*len = op.len;
	return op.status;
}

uint8_t rtcp_open_one(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t *len)
{
	struct srtp_op op = {.ctx = ctx, .data = p, .len = *len};

	srtcp_open(c, &op, 0);
	*len = op.len;
	return op.status;
}

uint8_t rtcp_seal_one(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t *len)
{
	struct srtp_op op = {.ctx = ctx, .data = p, .len = *len};

	srtcp_seal(c, &op);
	*len = op.len;
	return op.status;
}
