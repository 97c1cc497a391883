// SPDX-License-Identifier: BSD-3-Clause
// The ESP cipher suites, declared once.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum suite_family { SUITE_GCM, SUITE_CBC_HMAC, SUITE_CHACHA };

// X(id, name, family, cipher key bytes, salt bytes, auth key bytes, IV bytes, block bytes, ICV
// bytes) The name is what the configuration, the API and the CLI use. block is what the ciphertext
// is a multiple of (RFC 4303 section 2.4: at least 4). Sources: RFC 4106, RFC 3602 with RFC 2404
// and RFC 4868, RFC 7634.
#define SUITES(X)                                                                     \
	X(AES_GCM_128, "aes128gcm16", SUITE_GCM, 16, 4, 0, 8, 4, 16)                  \
	X(AES_GCM_192, "aes192gcm16", SUITE_GCM, 24, 4, 0, 8, 4, 16)                  \
	X(AES_GCM_256, "aes256gcm16", SUITE_GCM, 32, 4, 0, 8, 4, 16)                  \
	X(AES_CBC_128_SHA1, "aes128-sha1", SUITE_CBC_HMAC, 16, 0, 20, 16, 16, 12)     \
	X(AES_CBC_128_SHA256, "aes128-sha256", SUITE_CBC_HMAC, 16, 0, 32, 16, 16, 16) \
	X(AES_CBC_128_SHA384, "aes128-sha384", SUITE_CBC_HMAC, 16, 0, 48, 16, 16, 24) \
	X(AES_CBC_128_SHA512, "aes128-sha512", SUITE_CBC_HMAC, 16, 0, 64, 16, 16, 32) \
	X(AES_CBC_256_SHA1, "aes256-sha1", SUITE_CBC_HMAC, 32, 0, 20, 16, 16, 12)     \
	X(AES_CBC_256_SHA256, "aes256-sha256", SUITE_CBC_HMAC, 32, 0, 32, 16, 16, 16) \
	X(AES_CBC_256_SHA384, "aes256-sha384", SUITE_CBC_HMAC, 32, 0, 48, 16, 16, 24) \
	X(AES_CBC_256_SHA512, "aes256-sha512", SUITE_CBC_HMAC, 32, 0, 64, 16, 16, 32) \
	X(CHACHA20_POLY1305, "chacha20poly1305", SUITE_CHACHA, 32, 4, 0, 8, 4, 16)

enum suite_id {
#define X(id, ...) SUITE_##id,
	SUITES(X)
#undef X
		SUITE_COUNT
};

struct suite {
	const char *name;
	enum suite_family family;
	uint8_t key_len, salt_len, auth_len; // bytes
	uint8_t iv_len, block, icv_len;      // bytes
};

extern const struct suite suites[SUITE_COUNT];

// The id of a name, or -ENOENT.
int suite_by_name(const char *name);

// Bytes of key material that a suite takes: cipher key, then salt, then authentication key.
static inline size_t suite_material_len(const struct suite *s)
{
	return (size_t)s->key_len + s->salt_len + s->auth_len;
}
