// SPDX-License-Identifier: BSD-3-Clause
// The table of suites, and the small parts of lib/crypto.
#include "crypto/crypto.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(suite, names)
{
	cr_assert_eq(suite_by_name("aes128gcm16"), SUITE_AES_GCM_128);
	cr_assert_eq(suite_by_name("aes256-sha512"), SUITE_AES_CBC_256_SHA512);
	cr_assert_eq(suite_by_name("chacha20poly1305"), SUITE_CHACHA20_POLY1305);
	cr_assert_eq(suite_by_name(""), -ENOENT);
	cr_assert_eq(suite_by_name("aes128gcm1"), -ENOENT);
	cr_assert_eq(suite_by_name("AES128GCM16"), -ENOENT);
	for (int i = 0; i < SUITE_COUNT; i++)
		cr_assert_eq(suite_by_name(suites[i].name), i);
}

// What the packet path takes for granted.
Test(suite, shapes)
{
	for (int i = 0; i < SUITE_COUNT; i++) {
		const struct suite *s = &suites[i];
		bool cbc = s->family == SUITE_CBC_HMAC;
		cr_assert_eq(s->iv_len, cbc ? 16 : 8, "%s", s->name);
		cr_assert_eq(s->block, cbc ? 16 : 4, "%s", s->name);
		cr_assert_eq(s->salt_len, cbc ? 0 : 4, "%s", s->name);
		cr_assert_eq(s->auth_len != 0, cbc, "%s", s->name);
		if (cbc && s->auth_len != 20)
			cr_assert_eq(s->icv_len, s->auth_len / 2, "%s (RFC 4868)", s->name);
		cr_assert(s->icv_len % 4 == 0 && s->icv_len >= 12 && s->icv_len <= 32, "%s",
			  s->name);
		cr_assert_eq(suite_material_len(s), (size_t)s->key_len + s->salt_len + s->auth_len);
	}
}

Test(crypto, context)
{
	struct crypto *c = crypto_new();
	cr_assert_not_null(c);
	cr_assert(strncmp(crypto_describe(c), "ipsec-mb ", 9) == 0, "%s", crypto_describe(c));
	struct hkey_span span = crypto_hkey_span(c);
	cr_assert(span.mid >= HKEY_START && span.end > span.mid &&
		  span.end <= sizeof(struct gcm_key_data));
	cr_assert(span.per >= 16 || (span.per == 0 && span.end <= KEY_LINES * 64));
	crypto_free(c);
	crypto_free(NULL);
}

static bool tail_covers(unsigned from, unsigned to, unsigned bytes, unsigned at)
{
	unsigned lo = bytes < to - from ? to - bytes : from;
	return at < to && (at | 63) >= lo; // whole lines are loaded
}

// The span covers what the cipher reads: a damaged power outside it changes no tag.
Test(crypto, hkey_span)
{
	struct crypto *c = crypto_new();
	static struct keys good, bad;
	static uint8_t in[2048], out[2048];
	uint8_t material[20] = {1}, nonce[16] = {2}, aad[8] = {3}, want[16], got[16];
	memset(in, 0x5a, sizeof(in));
	keys_expand(c, SUITE_AES_GCM_128, material, &good);
	struct hkey_span span = crypto_hkey_span(c);
	unsigned lens[] = {16, 48, 204, 300, 512, 1400}, changed = 0;
	for (unsigned l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
		unsigned bytes = span.per == 0 ? span.end : ((lens[l] + 15) / 16 + 1) * span.per;
		c->gcm_enc[0](&good.gcm, &c->gcm_ctx, out, in, lens[l], nonce, aad, 8, want, 16);
		for (unsigned at = 176; at < sizeof(struct gcm_key_data); at += 16) {
			memcpy(&bad, &good, sizeof(bad));
			((uint8_t *)&bad)[at + 3] ^= 0x10;
			c->gcm_enc[0](&bad.gcm, &c->gcm_ctx, out, in, lens[l], nonce, aad, 8, got,
				      16);
			if (memcmp(got, want, 16) == 0)
				continue;
			changed++;
			cr_expect(tail_covers(HKEY_START, span.mid, bytes, at) ||
					  tail_covers(span.mid, span.end, bytes, at),
				  "length %u reads offset %u", lens[l], at);
		}
	}
	cr_assert(changed > 0, "no power is used at all");
	crypto_free(c);
}

Test(crypto, tag_equal)
{
	uint8_t a[32], b[32];
	for (int i = 0; i < 32; i++)
		a[i] = b[i] = (uint8_t)(i * 7);
	for (unsigned len = 12; len <= 32; len += 4) {
		cr_assert(tag_equal(a, b, len));
		for (unsigned bit = 0; bit < 256; bit++) {
			b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			cr_assert_eq(tag_equal(a, b, len), bit / 8 >= len);
			b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

Test(crypto, wipe)
{
	uint8_t secret[64];
	memset(secret, 0xaa, sizeof(secret));
	secret_wipe(secret, sizeof(secret) - 1);
	for (int i = 0; i < 63; i++)
		cr_assert_eq(secret[i], 0);
	cr_assert_eq(secret[63], 0xaa);
}
