// SPDX-License-Identifier: BSD-3-Clause
// AES-CBC with HMAC for a burst: multi-buffer lanes filled across SAs.
#pragma once

#include "esp.h"

struct crypto;

// What one packet of a CBC suite needs, packet k of a burst.
struct cbc_pkt {
	uint8_t *esp;    // at the SPI
	uint32_t icv_at; // offset of the ICV from there
	uint32_t seq_hi; // with ESN: network order, hashed behind the ciphertext
	const struct keys *keys;
	uint8_t suite;
	uint8_t esn;
	uint8_t forged; // out, of cbc_open
};

// Verifies, then decrypts in place what is good.
void cbc_open(struct crypto *c, struct cbc_pkt *pkt, unsigned n);
// Encrypts in place from the IV field on, with IV 0, and appends the ICV: what stands in the
// IV field comes out as the IV of the payload.
void cbc_seal(struct crypto *c, struct cbc_pkt *pkt, unsigned n);
