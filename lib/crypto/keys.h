// SPDX-License-Identifier: BSD-3-Clause
// The seam over intel-ipsec-mb: expanded keys, and one context a thread.
#pragma once

#include "suite.h"

#include <intel-ipsec-mb.h>
#include <stdbool.h>
#include <stdint.h>

// Expanded keys of one SA, 64-byte aligned by whoever holds them. Wiped when the SA is freed.
// In cbc, one direction's packets touch enc and hmac, the other's hmac and dec.
struct keys {
	union {
		struct gcm_key_data gcm;
		struct {
			uint8_t enc[16 * 15]; // AES round keys
			uint8_t pad[16];
			uint8_t hmac[128]; // HMAC's inner state, at hmac_outer() the outer one
			uint8_t dec[16 * 15];
		} cbc;
		uint8_t chacha[32];
	};
} __attribute__((aligned(64)));

// Where the outer HMAC state of a CBC suite lies in keys.cbc.hmac: right behind the inner one, so
// that SHA-1 and SHA-256 touch one cache line.
static inline unsigned hmac_outer(enum suite_id suite)
{
	return ((suite - SUITE_AES_CBC_128_SHA1) & 3) < 2 ? 32 : 64;
}

// Which powers of the GHASH key a message of n blocks (the AAD is one) uses, as offsets in struct
// gcm_key_data: the last n * per bytes of [HKEY_START, mid) and of [mid, end). It depends on the
// CPU and on the library. per 0: all of them, up to end, whatever the length; they and the round keys are KEY_LINES lines.
#define KEY_LINES 8
#define HKEY_START ((unsigned)offsetof(struct gcm_key_data, ghash_keys))
struct hkey_span {
	uint16_t mid, end, per;
};

// One thread's crypto context (an IMB_MGR and what bursts need).
struct crypto;

// NULL if there is no memory or the CPU has no AES instructions.
struct crypto *crypto_new(void);
void crypto_free(struct crypto *c);
// "ipsec-mb 1.3.0, AVX512 with VAES", for status output.
const char *crypto_describe(const struct crypto *c);
// From now on ciphers bring in what is noted there (ahead.h). NULL: nothing.
struct ahead;
void crypto_ahead_set(struct crypto *c, struct ahead *ahead);
// Called for each packet of ESP that proved authentic, of AEAD behind its cipher and before the next one's, so that what
// the packet will need can be asked for meanwhile. NULL: nothing.
struct esp_in;
typedef void (*crypto_opened_fn)(void *ctx, const struct esp_in *op);
void crypto_opened_set(struct crypto *c, crypto_opened_fn opened, void *ctx);
struct hkey_span crypto_hkey_span(const struct crypto *c);
// Expands material (suite_material_len() bytes: cipher key, salt, authentication key).
void keys_expand(struct crypto *c, enum suite_id suite, const uint8_t *material, struct keys *out);
// Zeroes memory in a way that the compiler keeps.
void secret_wipe(void *p, size_t len);

// Whether two tags are equal, in a time that depends on len only. len is a multiple of 4.
static inline bool tag_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	uint32_t diff = 0;
	for (unsigned i = 0; i < len; i += 4) {
		uint32_t x, y;
		__builtin_memcpy(&x, a + i, 4);
		__builtin_memcpy(&y, b + i, 4);
		diff |= x ^ y;
	}
	return diff == 0;
}
