// SPDX-License-Identifier: BSD-3-Clause
// The inside of a crypto context, for the packet paths (ESP, SRTP) that call ipsec-mb with it.
#pragma once

#include "ahead.h"
#include "keys.h"

#include <intel-ipsec-mb.h>
#include <stdint.h>

#define CRYPTO_BURST 64

enum crypto_dir { CRYPTO_ENCRYPT, CRYPTO_DECRYPT };

// Everything here belongs to one thread. The arrays are scratch, one entry a packet of a burst;
// they hold nothing secret but between the calls of one burst.
struct crypto {
	IMB_MGR *mgr;
	struct ahead *ahead;     // NULL: none
	crypto_opened_fn opened; // NULL: none
	void *opened_ctx;
	IMB_MGR *few; // with SHA instructions, for what does not fill mgr's lanes; NULL: no need
	aes_gcm_enc_dec_t gcm_enc[3], gcm_dec[3]; // by suite_id: AES_GCM_128, 192, 256
	struct hkey_span hkey;
	char text[64];
	struct gcm_context_data gcm_ctx __attribute__((aligned(64)));
	uint64_t seq[CRYPTO_BURST];
	uint8_t nonce[CRYPTO_BURST][16] __attribute__((aligned(64)));
	uint8_t aad[CRYPTO_BURST][16] __attribute__((aligned(64)));
	uint8_t tag[CRYPTO_BURST][64] __attribute__((aligned(64)));
	IMB_JOB jobs[CRYPTO_BURST] __attribute__((aligned(64)));
};

_Static_assert(SUITE_AES_GCM_128 == 0 && SUITE_AES_GCM_256 == 2, "gcm_enc is indexed by suite");

// c->jobs[0..n): HMAC with the hash of a CBC suite (0 SHA-1, 1 SHA-256, 2 SHA-384, 3 SHA-512).
// Lanes are shared whatever keys the jobs have. On return every tag is written.
//
// With AVX512, sixteen lanes of SHA-1 and SHA-256 cost the same however few are busy: 3,000 cycles
// for one packet of 232 bytes, where SHA instructions take 520. So a rest that is too small goes
// there.
static inline void crypto_hmac_burst(struct crypto *c, unsigned hash, unsigned n)
{
	static const IMB_HASH_ALG alg[] = {IMB_AUTH_HMAC_SHA_1, IMB_AUTH_HMAC_SHA_256,
					   IMB_AUTH_HMAC_SHA_384, IMB_AUTH_HMAC_SHA_512};
	static const uint8_t enough[] = {6, 12, 0, 0}; // found by measuring
	unsigned rest = n % 16;
	if (c->few == NULL || rest >= enough[hash])
		rest = 0;
	if (rest != 0)
		IMB_SUBMIT_HASH_BURST_NOCHECK(c->few, c->jobs + n - rest, rest, alg[hash]);
	if (n != rest)
		IMB_SUBMIT_HASH_BURST_NOCHECK(c->mgr, c->jobs, n - rest, alg[hash]);
}

// c->jobs[0..n): AES-CBC, all with the same key length (bytes) and direction.
static inline void crypto_cbc_burst(struct crypto *c, enum crypto_dir dir, unsigned key_len,
				    unsigned n)
{
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(c->mgr, c->jobs, n, IMB_CIPHER_CBC,
					dir == CRYPTO_ENCRYPT ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT,
					(IMB_KEY_SIZE_BYTES)key_len);
}

// c->jobs[0..n): AES-CTR with a whole block as IV, all with the same key length (bytes).
static inline void crypto_ctr_burst(struct crypto *c, unsigned key_len, unsigned n)
{
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(c->mgr, c->jobs, n, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT,
					(IMB_KEY_SIZE_BYTES)key_len);
}

// ChaCha20-Poly1305 (RFC 8439) in place. nonce: 12 bytes; tag: 16 bytes out. A job, because the
// library's direct calls take a fifth longer; nothing else waits in the manager, so it comes back
// done.
static inline void crypto_chacha(struct crypto *c, enum crypto_dir dir, const struct keys *k,
				 const uint8_t *nonce, const uint8_t *aad, unsigned aad_len,
				 uint8_t *data, uint64_t len, uint8_t *tag)
{
	IMB_JOB *job = IMB_GET_NEXT_JOB(c->mgr);
	job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->cipher_direction = dir == CRYPTO_ENCRYPT ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = dir == CRYPTO_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->enc_keys = job->dec_keys = k->chacha;
	job->key_len_in_bytes = 32;
	job->src = job->dst = data;
	job->cipher_start_src_offset_in_bytes = job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = job->msg_len_to_hash_in_bytes = len;
	job->iv = nonce;
	job->iv_len_in_bytes = 12;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = 16;
	job->u.CHACHA20_POLY1305.aad = aad;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = aad_len;
	IMB_SUBMIT_JOB_NOCHECK(c->mgr);
}
