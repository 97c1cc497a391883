// SPDX-License-Identifier: BSD-3-Clause
// a=crypto lines (RFC 4568), in and out.
#include "sdp/sdp.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUITE "AES_CM_128_HMAC_SHA1_80"
#define KEY "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"

static struct sdp_crypto c;

static int parse(const char *text)
{
	// Of its exact size, for sanitizers.
	size_t len = strlen(text);
	char *copy = malloc(len + (len == 0));
	memcpy(copy, text, len);
	int rc = sdp_crypto_parse(copy, len, &c);
	free(copy);
	return rc;
}

Test(sdp_crypto, of_the_rfc)
{
	cr_assert_eq(parse("1 " SUITE " inline:" KEY "|2^20|1:4"), 0);
	cr_expect_eq(c.tag, 1);
	cr_expect(c.usable);
	cr_expect_eq(c.params.suite, SRTP_AES_CM_128_80);
	cr_expect_arr_eq(c.params.master, "YS___semctl () {\t220;}\n}\nunles", 30);
	cr_expect_eq(c.params.lifetime, 1 << 20);
	cr_expect_eq(c.params.mki_len, 4);
	cr_expect_arr_eq(c.params.mki, "\0\0\0\1", 4);
	cr_expect_not(c.padded);
}

Test(sdp_crypto, forms)
{
	static const struct {
		const char *text;
		uint64_t lifetime;
		unsigned mki_len;
	} good[] = {
		{"1 " SUITE " inline:" KEY, 0, 0},
		{"999999999 aes_cm_128_hmac_sha1_32 INLINE:" KEY "|2^48", 1ULL << 48, 0},
		{"1 " SUITE " inline:" KEY "|281474976710656", 1ULL << 48, 0},
		{"1 " SUITE "  inline:" KEY "|1000000  WSH=64 KDR=0 -XY", 1000000, 0},
		{"1 " SUITE " inline:" KEY "|66:1", 0, 1},
		{"1 " SUITE " inline:" KEY "|2^31|340282366920938463463374607431768211455:16",
		 1ULL << 31, 16},
		{"1 " SUITE " inline:" KEY "|000000000000000000000000000000000000000000001:1", 0,
		 1},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_eq(parse(good[i].text), 0, "%s", good[i].text);
		cr_expect(c.usable, "%s", good[i].text);
		cr_expect_eq(c.params.lifetime, good[i].lifetime, "%s", good[i].text);
		cr_expect_eq(c.params.mki_len, good[i].mki_len, "%s", good[i].text);
	}
	cr_assert_eq(parse("1 " SUITE " inline:" KEY " UNENCRYPTED_SRTP UNENCRYPTED_SRTCP"), 0);
	cr_expect(c.usable && c.params.unencrypted_srtp && c.params.unencrypted_srtcp);
}

Test(sdp_crypto, well_formed_but_not_ours)
{
	const char *texts[] = {
		"1 F8_128_HMAC_SHA1_80 inline:x",
		"1 NEW_SUITE new:method;x:y A B C",
		"1 " SUITE " ike:" KEY,
		"1 " SUITE " inline:" KEY "|2^20|1:4;inline:" KEY "|2^20|2:4",
		"1 " SUITE " inline:" KEY "|5:17",
		"1 " SUITE " inline:" KEY "|5:128",
		"1 " SUITE " inline:" KEY " KDR=1",
		"1 " SUITE " inline:" KEY " FEC_ORDER=FEC_SRTP",
		"1 " SUITE " inline:" KEY " UNAUTHENTICATED_SRTP",
		"1 " SUITE " inline:" KEY " FUTURE",
		"1 AEAD_AES_128_GCM inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA UNENCRYPTED_SRTP",
	};
	const struct srtp_params none = {0};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_expect_eq(parse(texts[i]), 0, "%s", texts[i]);
		cr_expect_not(c.usable, "%s", texts[i]);
		cr_expect_eq(c.tag, 1);
		cr_expect_eq(memcmp(&c.params, &none, sizeof(none)), 0, "%s", texts[i]);
	}
}

Test(sdp_crypto, malformed)
{
	const char *texts[] = {
		"",
		" ",
		"1",
		"x " SUITE " inline:" KEY,
		"0 " SUITE " inline:" KEY,
		"1000000000 " SUITE " inline:" KEY,
		"1" SUITE " inline:" KEY,
		"1 " SUITE,
		"1 " SUITE " inline:",
		"1 " SUITE " inline:" KEY "A",
		"1 " SUITE " inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGV",
		"1 " SUITE " inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGV*",
		"1 " SUITE " inline:" KEY "=",
		"1 " SUITE " inline:" KEY "|",
		"1 " SUITE " inline:" KEY "|0",
		"1 " SUITE " inline:" KEY "|2^49",
		"1 " SUITE " inline:" KEY "|3^20",
		"1 " SUITE " inline:" KEY "|281474976710657",
		"1 " SUITE " inline:" KEY "|99999999999999999999999999",
		"1 " SUITE " inline:" KEY "|2^20|",
		"1 " SUITE " inline:" KEY "|2^20|1",
		"1 " SUITE " inline:" KEY "|1:0",
		"1 " SUITE " inline:" KEY "|256:1",
		"1 " SUITE " inline:" KEY "|1:129",
		"1 " SUITE " inline:" KEY "|:4",
		"1 " SUITE " inline:" KEY "|1:4|2",
		"1 " SUITE " inline:" KEY "|2^20|1:4x",
		"1 UNKNOWN nothing",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(parse(texts[i]), -EINVAL, "%s", texts[i]);
}

// Every suite, MKI length and parameter there and back; keys with and without '='.
Test(sdp_crypto, there_and_back)
{
	char line[SDP_CRYPTO_LINE_MAX];
	unsigned seed = 7;

	for (unsigned n = 0; n < 20000; n++) {
		struct sdp_crypto in = {.tag = 1 + (unsigned)rand_r(&seed) % 999999999,
					.usable = true};
		struct srtp_params *p = &in.params;
		p->suite = (enum srtp_suite)(SRTP_NONE + 1 + n % (SRTP_SUITE_COUNT - 1));
		const struct srtp_suite_info *suite = &srtp_suites[p->suite];
		size_t len = (size_t)suite->key_len + suite->salt_len;
		for (size_t i = 0; i < len; i++)
			p->master[i] = (uint8_t)rand_r(&seed);
		in.padded = len % 3 != 0 && n & 64;
		p->mki_len = (uint8_t)((unsigned)rand_r(&seed) % (SRTP_MKI_MAX + 1));
		for (size_t i = 0; i < p->mki_len; i++)
			p->mki[i] = n & 128 ? 0xff : (uint8_t)rand_r(&seed);
		if (n & 256)
			p->lifetime = n & 512 ? 1ULL << (1 + (unsigned)rand_r(&seed) % 48)
					      : 1 + (uint64_t)rand_r(&seed);
		p->unencrypted_srtp = (n & 1024) && p->suite < SRTP_AEAD_128;
		p->unencrypted_srtcp = n & 2048;
		int size = sdp_crypto_write(&in, line);
		cr_assert(size > 0 && size < SDP_CRYPTO_LINE_MAX);
		const char *value = line + strlen("a=crypto:");
		cr_assert_eq(sdp_crypto_parse(value, (size_t)size - strlen("a=crypto:"), &c), 0,
			     "%.*s", size, line);
		cr_assert(c.usable && c.tag == in.tag && c.padded == in.padded, "%.*s", size, line);
		cr_assert(srtp_params_equal(&c.params, &in.params), "%.*s", size, line);
	}
}

Test(sdp_crypto, not_to_be_written)
{
	char line[SDP_CRYPTO_LINE_MAX];
	struct sdp_crypto bad[] = {
		{.tag = 1},
		{.tag = 0, .params.suite = SRTP_AEAD_128},
		{.tag = 1000000000, .params.suite = SRTP_AEAD_128},
		{.tag = 1, .params = {.suite = SRTP_AEAD_128, .mki_len = SRTP_MKI_MAX + 1}},
		{.tag = 1, .params.suite = SRTP_SUITE_COUNT},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(sdp_crypto_write(&bad[i], line), -EINVAL);
	// The longest line of all has room.
	struct sdp_crypto most = {.tag = 999999999,
				  .padded = true,
				  .params = {.suite = SRTP_AES_CM_256_80,
					     .lifetime = (1ULL << 48) - 1,
					     .mki_len = SRTP_MKI_MAX,
					     .unencrypted_srtp = true,
					     .unencrypted_srtcp = true,
					     .unauthenticated_srtp = true}};
	memset(most.params.mki, 0xff, SRTP_MKI_MAX);
	cr_expect_lt(sdp_crypto_write(&most, line), SDP_CRYPTO_LINE_MAX);
}
