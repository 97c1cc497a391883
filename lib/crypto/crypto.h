// SPDX-License-Identifier: BSD-3-Clause
// The inside of a crypto context, for the packet paths (ESP, SRTP) that call ipsec-mb with it.
#pragma once

#include "keys.h"

#include <intel-ipsec-mb.h>
#include <stdint.h>

#define CRYPTO_BURST 64

enum crypto_dir { CRYPTO_ENCRYPT, CRYPTO_DECRYPT };

// Everything here belongs to one thread. The arrays are scratch, one entry a packet of a burst; they
// hold nothing secret but between the calls of one burst.
struct crypto {
	IMB_MGR *mgr;
	aes_gcm_enc_dec_t gcm_enc[3], gcm_dec[3]; // by suite_id: AES_GCM_128, 192, 256
	struct hkey_span hkey;
	char text[64];
	struct gcm_context_data gcm_ctx __attribute__((aligned(64)));
	struct chacha20_poly1305_context_data chacha_ctx __attribute__((aligned(64)));
	uint64_t seq[CRYPTO_BURST];
	uint8_t nonce[CRYPTO_BURST][16] __attribute__((aligned(64)));
	uint8_t aad[CRYPTO_BURST][16] __attribute__((aligned(64)));
	uint8_t tag[CRYPTO_BURST][64] __attribute__((aligned(64)));
	IMB_JOB jobs[CRYPTO_BURST] __attribute__((aligned(64)));
};

_Static_assert(SUITE_AES_GCM_128 == 0 && SUITE_AES_GCM_256 == 2, "gcm_enc is indexed by suite");

// c->jobs[0..n): HMAC with the hash of a CBC suite (0 SHA-1, 1 SHA-256, 2 SHA-384, 3 SHA-512). All
// lanes are busy whatever keys the jobs have. On return every tag is written.
static inline void crypto_hmac_burst(struct crypto *c, unsigned hash, unsigned n)
{
	static const IMB_HASH_ALG alg[] = {IMB_AUTH_HMAC_SHA_1, IMB_AUTH_HMAC_SHA_256,
					   IMB_AUTH_HMAC_SHA_384, IMB_AUTH_HMAC_SHA_512};
	IMB_SUBMIT_HASH_BURST_NOCHECK(c->mgr, c->jobs, n, alg[hash]);
}

// c->jobs[0..n): AES-CBC, all with the same key length (bytes) and direction.
static inline void crypto_cbc_burst(struct crypto *c, enum crypto_dir dir, unsigned key_len,
				    unsigned n)
{
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(c->mgr, c->jobs, n, IMB_CIPHER_CBC,
					dir == CRYPTO_ENCRYPT ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT,
					(IMB_KEY_SIZE_BYTES)key_len);
}

// ChaCha20-Poly1305 (RFC 8439) in place. nonce: 12 bytes; tag: 16 bytes out.
static inline void crypto_chacha(struct crypto *c, enum crypto_dir dir, const struct keys *k,
				 const uint8_t *nonce, const uint8_t *aad, unsigned aad_len,
				 uint8_t *data, uint64_t len, uint8_t *tag)
{
	IMB_CHACHA20_POLY1305_INIT(c->mgr, k->chacha, &c->chacha_ctx, nonce, aad, aad_len);
	if (dir == CRYPTO_ENCRYPT)
		IMB_CHACHA20_POLY1305_ENC_UPDATE(c->mgr, k->chacha, &c->chacha_ctx, data, data,
						 len);
	else
		IMB_CHACHA20_POLY1305_DEC_UPDATE(c->mgr, k->chacha, &c->chacha_ctx, data, data,
						 len);
	IMB_CHACHA20_POLY1305_ENC_FINALIZE(c->mgr, &c->chacha_ctx, tag, 16);
}
