// SPDX-License-Identifier: BSD-3-Clause
// AES-CM with HMAC-SHA1 for a burst: multi-buffer lanes filled across contexts.
#pragma once

#include "crypto/crypto.h"
#include "srtp_ctx.h"

#include <string.h>

// A tag of 4 or 10 bytes.
struct cm_tag {
	uint64_t head;
	uint16_t tail;
};

// What one packet needs, packet k of a burst.
struct cm_pkt {
	uint8_t *data;
	const struct srtp_keys *keys;
	const uint8_t *iv;
	uint32_t hash_len;  // from data on, with the rollover counter or SRTCP index behind
	uint32_t from, len; // what is enciphered
	uint32_t saved;     // what lay where the rollover counter is ...
	struct cm_tag tag;  // ... and the packet's tag, which may begin there
	uint8_t wide;       // 256-bit key
	uint8_t skip;       // not to be enciphered
	uint8_t op;
};

// Tags to c->tag[0..n).
void cm_hash(struct crypto *c, struct cm_pkt *pkt, unsigned n);
void cm_cipher(struct crypto *c, struct cm_pkt *pkt, unsigned n);

static inline struct cm_tag cm_tag_load(const uint8_t *p, unsigned len)
{
	struct cm_tag t = {0};

	if (len == 4) {
		memcpy(&t.head, p, 4);
	} else {
		memcpy(&t.head, p, 8);
		memcpy(&t.tail, p + 8, 2);
	}
	return t;
}

// In a time that does not depend on where they differ.
static inline bool cm_tag_equal(struct cm_tag a, struct cm_tag b)
{
	return ((a.head ^ b.head) | (uint64_t)(a.tail ^ b.tail)) == 0;
}
