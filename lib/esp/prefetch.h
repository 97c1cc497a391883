// SPDX-License-Identifier: BSD-3-Clause
// Which cache lines of a key a packet touches.
#pragma once

#include "crypto/keys.h"

#include <stdint.h>

static inline void lines_prefetch(const void *base, unsigned from, unsigned to)
{
	for (unsigned at = from & ~63u; at < to; at += 64)
		__builtin_prefetch((const uint8_t *)base + at, 0, 3);
}

// The last bytes of [from, to), at most all.
static inline void tail_prefetch(const void *base, unsigned from, unsigned to, unsigned bytes)
{
	lines_prefetch(base, bytes < to - from ? to - bytes : from, to);
}

// len: bytes of ciphertext. dec: the direction of a CBC key.
static inline void keys_prefetch(const struct keys *k, uint8_t suite, struct hkey_span span,
				 uint32_t len, bool dec)
{
	unsigned rounds = suites[suite].key_len / 4 + 7;   // round keys
	if (suite <= SUITE_AES_GCM_256 && span.per == 0) { // no gap worth a loop's branches
#pragma GCC unroll 8
		for (unsigned i = 0; i < KEY_LINES; i++)
			__builtin_prefetch((const uint8_t *)k + i * 64, 0, 3);
	} else if (suite <= SUITE_AES_GCM_256) {
		uint32_t powers = ((len + 15) / 16 + 1) * span.per;
		lines_prefetch(k, 0, rounds * 16);
		tail_prefetch(k, HKEY_START, span.mid, powers);
		tail_prefetch(k, span.mid, span.end, powers);
	} else if (suite == SUITE_CHACHA20_POLY1305) {
		lines_prefetch(k, 0, sizeof(k->chacha));
	} else {
		const uint8_t *aes = dec ? k->cbc.dec : k->cbc.enc;
		lines_prefetch(aes, 0, rounds * 16);
		lines_prefetch(k->cbc.hmac, 0, hmac_outer(suite) * 2);
	}
}
