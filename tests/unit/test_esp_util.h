// SPDX-License-Identifier: BSD-3-Clause
// What the ESP tests share: SA pairs, inner packets, and a second implementation of ESP's
// cryptography over OpenSSL.
#pragma once

#include "crypto/crypto.h"
#include "esp/esp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MATERIAL_MAX 128
#define BUF_SIZE 4096
#define INNER_AT 256 // where inner packets start in a buffer

// A deterministic stream (xorshift64*), so that a failure can be repeated.
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *r);
void rng_fill(struct rng *r, void *p, size_t len);

struct pair {
	struct sa_spec spec;
	uint8_t material[MATERIAL_MAX];
	struct sa_in *in;
	struct sa_out *out;
};

// A spec with random keys, window 64, and a selector for everything.
void pair_spec(struct pair *p, enum suite_id suite, uint32_t flags, struct rng *r);
// Makes both SAs of the spec; fails the test if that fails.
void pair_make(struct pair *p, struct crypto *c);
void pair_free(struct pair *p);
// Sets both directions as if everything up to seq had been sent and received.
void pair_seek(struct pair *p, uint64_t seq);

// A valid IPv4 packet of len bytes, random beyond its header.
void inner_make(uint8_t *p, uint32_t len, uint8_t tos, bool df, struct rng *r);
uint16_t ip_sum(const uint8_t *p, unsigned len); // 0 for a header with a right checksum

// ESP over OpenSSL. plain includes padding, pad length and next header. seq is 64 bit; its upper
// half counts with esn. iv: as long as the suite's. Returns the length of the ESP packet in out.
size_t ref_seal(enum suite_id suite, const uint8_t *material, bool esn, uint32_t spi, uint64_t seq,
		const uint8_t *iv, const uint8_t *plain, size_t len, uint8_t *out);
// The length of the plaintext in out, or -1 if the ICV is wrong.
int ref_open(enum suite_id suite, const uint8_t *material, bool esn, uint32_t seq_hi,
	     const uint8_t *esp, size_t len, uint8_t *out);
