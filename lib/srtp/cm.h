// SPDX-License-Identifier: BSD-3-Clause
// AES-CM with HMAC-SHA1 for a burst: multi-buffer lanes filled across contexts.
#pragma once

#include "crypto/crypto.h"
#include "srtp_ctx.h"

#include <string.h>

// What one packet needs, packet k of a burst.
struct cm_pkt {
	uint8_t *data;
	const struct srtp_keys *keys;
	const uint8_t *iv;
	uint32_t hash_len;  // from data on, with the rollover counter or SRTCP index behind
	uint32_t from, len; // what is enciphered
	uint32_t saved;     // what lay where the rollover counter is
	uint8_t wide;       // 256-bit key
	uint8_t skip;       // not to be enciphered
	uint8_t op;
};

// Tags to c->tag[0..n).
void cm_hash(struct crypto *c, struct cm_pkt *pkt, unsigned n);
void cm_cipher(struct crypto *c, struct cm_pkt *pkt, unsigned n);

// Whether two tags of 4 or 10 bytes are equal, in a time that depends on len only.
static inline bool cm_tag_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	uint64_t x = 0, y = 0;
	uint16_t u = 0, v = 0;

	if (len == 4) {
		memcpy(&x, a, 4);
		memcpy(&y, b, 4);
	} else {
		memcpy(&x, a, 8);
		memcpy(&y, b, 8);
		memcpy(&u, a + 8, 2);
		memcpy(&v, b + 8, 2);
	}
	return ((x ^ y) | (uint64_t)(u ^ v)) == 0;
}
