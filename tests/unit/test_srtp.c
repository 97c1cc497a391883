// SPDX-License-Identifier: BSD-3-Clause
// What no peer makes happen at will: limits, forgotten SSRCs, changes of keys, parameters.
#include "srtp/stream.h"
#include "test_srtp_util.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#define SEED ((struct rng){0x5eed5eed5eed})

Test(srtp, names)
{
	for (unsigned i = SRTP_NONE + 1; i < SRTP_SUITE_COUNT; i++)
		cr_assert_eq(srtp_suite_by_name(srtp_suites[i].name, strlen(srtp_suites[i].name)),
			     i);
	cr_assert_eq(srtp_suite_by_name("aes_cm_128_hmac_sha1_32", 23), SRTP_AES_CM_128_32);
	cr_assert_eq(srtp_suite_by_name("AES_CM_128_HMAC_SHA1_80 ", 24), SRTP_NONE);
	cr_assert_eq(srtp_suite_by_name("AES_CM_128_HMAC_SHA1_8", 22), SRTP_NONE);
	cr_assert_eq(srtp_suite_by_name("", 0), SRTP_NONE);
}

Test(srtp, params)
{
	struct rng r = SEED;
	struct err err;
	struct srtp_params p = params_make(&r, SRTP_AES_CM_128_80, 4), q = p;

	cr_assert_eq(srtp_params_check(&p, &err), 0);
	cr_assert(srtp_params_equal(&p, &q));
	q.master[29] ^= 1;
	cr_assert_not(srtp_params_equal(&p, &q));
	q.master[29] ^= 1;
	q.master[30] ^= 1; // beyond key and salt
	cr_assert(srtp_params_equal(&p, &q));
	q.mki[3] ^= 1;
	cr_assert_not(srtp_params_equal(&p, &q));
	p.unencrypted_srtp = true;
	cr_assert_eq(srtp_params_check(&p, &err), 0);
	p.suite = SRTP_AEAD_256;
	cr_assert_eq(srtp_params_check(&p, &err), -EINVAL);
	p.unencrypted_srtp = false;
	p.unauthenticated_srtp = true;
	cr_assert_eq(srtp_params_check(&p, &err), -EOPNOTSUPP);
	p.unauthenticated_srtp = false;
	p.lifetime = (1ULL << 48) + 1;
	cr_assert_eq(srtp_params_check(&p, &err), -EINVAL);
	p.lifetime = 0;
	p.mki_len = SRTP_MKI_MAX + 1;
	cr_assert_eq(srtp_params_check(&p, &err), -EINVAL);
	p.mki_len = 0;
	p.suite = SRTP_NONE;
	cr_assert_eq(srtp_params_check(&p, &err), -EINVAL);
	p.suite = SRTP_AEAD_128;
	cr_assert_eq(srtp_params_random(&p), 0);
	q = p;
	cr_assert_eq(srtp_params_random(&p), 0);
	cr_assert_not(srtp_params_equal(&p, &q));
}

// RFC 3711 section 3.3.1 and appendix A.
Test(srtp, index)
{
	static const struct {
		uint64_t top, want;
		uint16_t seq;
	} t[] = {
		{SRTP_NO_INDEX, 40000, 40000},
		{SRTP_NO_INDEX, 0, 0},
		{0, 65535, 65535}, // there is nothing before 0
		{0xffff, 0x10000, 0},
		{0x10000, 0xffff, 0xffff},
		{0x17fff, 0x1ffff, 0xffff},
		{0x17ffe, 0xffff, 0xffff},
		{0x18000, 0x10000, 0},
		{0x18001, 0x20000, 0},
		{0xffffffffffff, 0xffffffff7fff, 0x7fff},
		{0xffffffffffff, 0x1000000000000, 0},
	};
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		cr_assert_eq(index_near(t[i].top, t[i].seq), t[i].want, "%u: %lx", i,
			     index_near(t[i].top, t[i].seq));
}

static uint8_t seal_seq(struct crypto *c, struct srtp_ctx *ctx, uint32_t ssrc, uint16_t seq,
			uint8_t *p, uint32_t *len)
{
	struct rng r = SEED;

	*len = rtp_make(&r, p, ssrc, seq, 100, true);
	return seal_one(c, ctx, p, len);
}

Test(srtp, lifetime)
{
	struct crypto *c = crypto_new();
	struct rng r = SEED;
	struct srtp_params params = params_make(&r, SRTP_AES_CM_128_32, 0);
	uint8_t p[PACKET_MAX];
	uint32_t len;

	params.lifetime = 3;
	struct srtp_ctx *out = ctx_make(c, &params), *in = ctx_make(c, &params);
	for (uint16_t i = 0; i < 3; i++) {
		cr_assert_eq(seal_seq(c, out, 1, i, p, &len), SRTP_OK);
		cr_assert_eq(open_one(c, in, p, &len), SRTP_OK);
	}
	cr_assert_eq(seal_seq(c, out, 1, 3, p, &len), SRTP_EXPIRED);
	out->limit = 4;
	cr_assert_eq(seal_seq(c, out, 1, 3, p, &len), SRTP_OK);
	cr_assert_eq(open_one(c, in, p, &len), SRTP_EXPIRED);
	for (unsigned i = 0; i < 4; i++) {
		uint32_t n = rtcp_make(&r, p, 1, 4);
		uint8_t want = i < 3 ? SRTP_OK : SRTP_EXPIRED;
		cr_assert_eq(rtcp_seal_one(c, out, p, &n), want);
		if (i < 3)
			cr_assert_eq(rtcp_open_one(c, in, p, &n), want);
	}
	ctx_free(out);
	ctx_free(in);
	crypto_free(c);
}

// The last rollover counter ends a key, whatever its lifetime.
Test(srtp, index_is_used_up)
{
	struct crypto *c = crypto_new();
	struct rng r = SEED;
	struct srtp_params params = params_make(&r, SRTP_AEAD_128, 0);
	struct srtp_ctx *out = ctx_make(c, &params);
	uint8_t p[PACKET_MAX];
	uint32_t len;

	cr_assert_eq(seal_seq(c, out, 1, 65534, p, &len), SRTP_OK);
	out->stream[0].top = 0xfffffffffffe;
	cr_assert_eq(seal_seq(c, out, 1, 65535, p, &len), SRTP_OK);
	cr_assert_eq(seal_seq(c, out, 1, 0, p, &len), SRTP_EXPIRED);
	ctx_free(out);
	crypto_free(c);
}

// The quietest of the known SSRCs makes room, and stays away.
Test(srtp, forgotten)
{
	struct crypto *c = crypto_new();
	struct rng r = SEED;
	struct srtp_params params = params_make(&r, SRTP_AES_CM_128_80, 0);
	struct srtp_ctx *out = ctx_make(c, &params);
	uint8_t p[PACKET_MAX];
	uint32_t len;

	for (uint32_t i = 1; i <= SRTP_STREAMS; i++)
		cr_assert_eq(seal_seq(c, out, i, 1, p, &len), SRTP_OK);
	cr_assert_eq(seal_seq(c, out, 1, 2, p, &len), SRTP_OK);
	cr_assert_eq(seal_seq(c, out, 77, 2, p, &len), SRTP_OK);
	cr_assert_eq(seal_seq(c, out, 2, 2, p, &len), SRTP_REPLAYED, "2 was the quietest");
	cr_assert_eq(seal_seq(c, out, 1, 3, p, &len), SRTP_OK);
	cr_assert_eq(seal_seq(c, out, 3, 3, p, &len), SRTP_OK);
	cr_assert_eq(seal_seq(c, out, 77, 3, p, &len), SRTP_OK);
	// Of fifty more, hardly one looks like a forgotten one.
	unsigned refused = 0;
	for (uint32_t i = 1; i <= 50; i++)
		refused += seal_seq(c, out, i * 0x01234567, 1, p, &len) != SRTP_OK;
	cr_assert_leq(refused, 2u);
	ctx_free(out);
	crypto_free(c);
}

// New keys: the rollover counters go on, at both ends; what was sent before passes for a while.
Test(srtp, change_of_keys)
{
	struct crypto *c = crypto_new();
	struct rng r = SEED;
	uint8_t p[PACKET_MAX], late[3][PACKET_MAX];
	uint32_t len, late_len[3];

	for (unsigned s = SRTP_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		struct srtp_params a = params_make(&r, (enum srtp_suite)s, 0),
				   b = params_make(&r, (enum srtp_suite)s, s % 2 ? 4 : 0);
		struct srtp_ctx *out = ctx_make(c, &a), *in = ctx_make(c, &a);
		struct srtp_ctx *out2 = ctx_make(c, &b), *in2 = ctx_make(c, &b);
		for (uint32_t seq = 60000; seq < 200000; seq += 20000) {
			cr_assert_eq(seal_seq(c, out, 9, (uint16_t)seq, p, &len), SRTP_OK);
			cr_assert_eq(open_one(c, in, p, &len), SRTP_OK);
		}
		for (unsigned i = 0; i < 3; i++)
			cr_assert_eq(
				seal_seq(c, out, 9, (uint16_t)(180001 + i), late[i], &late_len[i]),
				SRTP_OK);
		srtp_ctx_follow(out2, out, 100);
		srtp_ctx_follow(in2, in, 100);
		cr_assert_eq(seal_seq(c, out2, 9, (uint16_t)200000, p, &len), SRTP_OK);
		cr_assert_eq(open_one(c, in2, p, &len), SRTP_OK);
		cr_assert_eq(in2->stream[0].top, 200000u);
		uint32_t report = len = rtcp_make(&r, p, 9, 3);
		cr_assert_eq(rtcp_seal_one(c, out, p, &len), SRTP_OK);
		cr_assert_eq(rtcp_open_one(c, in2, p, &len), SRTP_OK_OLD);
		cr_assert_eq(len, report);
		struct srtp_op op = {.ctx = in2, .data = late[0], .len = late_len[0]};
		srtp_open_burst(c, &op, 1, 99);
		cr_assert_eq(op.status, SRTP_OK_OLD);
		cr_assert_eq(op.len, late_len[0] - srtp_suites[a.suite].tag_len);
		op = (struct srtp_op){.ctx = in2, .data = late[1], .len = late_len[1]};
		srtp_open_burst(c, &op, 1, 100);
		cr_assert_neq(op.status, SRTP_OK);
		cr_assert_eq(srtp_ctx_detach(in2), in);
		op = (struct srtp_op){.ctx = in2, .data = late[2], .len = late_len[2]};
		srtp_open_burst(c, &op, 1, 0);
		cr_assert_neq(op.status, SRTP_OK);
		ctx_free(out);
		ctx_free(in);
		ctx_free(out2);
		ctx_free(in2);
	}
	crypto_free(c);
}

// Keys that changed while nothing was sent: what was counted with the first ones goes on with the third.
Test(srtp, quiet_keys)
{
	struct crypto *c = crypto_new();
	struct rng r = SEED;
	uint8_t p[PACKET_MAX];
	uint32_t len;

	for (unsigned s = SRTP_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		struct srtp_ctx *out[4], *in[4];
		for (unsigned k = 0; k < 4; k++) {
			struct srtp_params keys = params_make(&r, (enum srtp_suite)s, 0);
			out[k] = ctx_make(c, &keys);
			in[k] = ctx_make(c, &keys);
		}
		for (uint32_t seq = 60000; seq < 200000; seq += 20000) {
			cr_assert_eq(seal_seq(c, out[0], 9, (uint16_t)seq, p, &len), SRTP_OK);
			cr_assert_eq(open_one(c, in[0], p, &len), SRTP_OK);
		}
		for (unsigned k = 1; k < 4; k++) {
			srtp_ctx_follow(out[k], out[k - 1], 0);
			srtp_ctx_follow(in[k], in[k - 1], 0);
			if (k > 1) {
				srtp_ctx_detach(out[k - 1]);
				srtp_ctx_detach(in[k - 1]);
			}
			if (k == 2) { // only another stream is heard meanwhile
				cr_assert_eq(seal_seq(c, out[k], 8, 5, p, &len), SRTP_OK);
				cr_assert_eq(open_one(c, in[k], p, &len), SRTP_OK);
			}
		}
		cr_assert_eq(seal_seq(c, out[3], 9, (uint16_t)200000, p, &len), SRTP_OK);
		cr_assert_eq(open_one(c, in[3], p, &len), SRTP_OK);
		cr_assert_eq(in[3]->stream[0].top, 200000u);
		for (unsigned k = 0; k < 4; k++) {
			ctx_free(out[k]);
			ctx_free(in[k]);
		}
	}
	crypto_free(c);
}

// SRTCP's index is not reset by new keys (RFC 3711 section 3.4), also if the ones between sealed nothing.
Test(srtp, rtcp_index_goes_on)
{
	struct crypto *c = crypto_new();
	struct rng r = SEED;
	struct srtp_params keys = params_make(&r, SRTP_AEAD_128, 0);
	struct srtp_ctx *out[3];
	uint8_t p[PACKET_MAX];
	uint32_t len;

	for (unsigned k = 0; k < 3; k++) {
		keys.master[0]++;
		out[k] = ctx_make(c, &keys);
	}
	for (unsigned i = 0; i < 5; i++) {
		len = rtcp_make(&r, p, 9, 3);
		cr_assert_eq(rtcp_seal_one(c, out[0], p, &len), SRTP_OK);
	}
	srtp_ctx_follow(out[1], out[0], 0);
	len = rtcp_make(&r, p, 9, 3); // after the new context was made, before it was taken
	cr_assert_eq(rtcp_seal_one(c, out[0], p, &len), SRTP_OK);
	len = rtcp_make(&r, p, 9, 3);
	cr_assert_eq(rtcp_seal_one(c, out[1], p, &len), SRTP_OK);
	cr_assert_eq(out[1]->rtcp_index, 7);
	srtp_ctx_follow(out[2], out[1], 0);
	len = rtcp_make(&r, p, 9, 3);
	cr_assert_eq(rtcp_seal_one(c, out[2], p, &len), SRTP_OK);
	cr_assert_eq(p[len - 1], 7, "the index in the packet");
	cr_assert_eq(out[2]->rtcp_packets, 1, "the lifetime is of this key");
	out[2]->rtcp_index = 1u << 31;
	len = rtcp_make(&r, p, 9, 3);
	cr_assert_eq(rtcp_seal_one(c, out[2], p, &len), SRTP_EXPIRED);
	for (unsigned k = 0; k < 3; k++)
		ctx_free(out[k]);
	crypto_free(c);
}

// Every length up to a whole packet: refused, and nobody reads behind the end.
Test(srtp, short_ones)
{
	struct crypto *c = crypto_new();
	struct rng r = SEED;
	uint8_t p[PACKET_MAX];

	for (unsigned s = SRTP_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		struct srtp_params params = params_make(&r, (enum srtp_suite)s, 4);
		struct srtp_ctx *in = ctx_make(c, &params);
		for (uint32_t len = 0; len < 64; len++)
			for (unsigned first = 0; first < 256; first++) {
				uint8_t *exact = malloc(len + 1);
				struct srtp_op op = {.ctx = in, .data = exact, .len = len};
				rng_fill(&r, p, sizeof(p));
				memcpy(exact, p, len);
				exact[0] = (uint8_t)first;
				srtp_open_burst(c, &op, 1, 0);
				cr_assert_neq(op.status, SRTP_OK);
				op.len = len;
				srtcp_open(c, &op, 0);
				cr_assert_neq(op.status, SRTP_OK);
				free(exact);
			}
		ctx_free(in);
	}
	crypto_free(c);
}
