// SPDX-License-Identifier: BSD-3-Clause
#include "esp_cbc.h"

#include "crypto/crypto.h"

#include <string.h>

#define CBC_HEAD 8 // SPI and sequence number
#define CBC_IV 16

static inline unsigned hash_of(const struct cbc_pkt *p)
{
	return (p->suite - SUITE_AES_CBC_128_SHA1) & 3u;
}

static inline unsigned long_key(const struct cbc_pkt *p)
{
	return p->suite >= SUITE_AES_CBC_256_SHA1;
}

// Hashes every packet, hash by hash, into to[packet], or where the ICV goes if to is NULL.
static void hmac_all(struct crypto *c, struct cbc_pkt *pkt, unsigned n, uint8_t (*to)[64])
{
	uint8_t member[4][CRYPTO_BURST];
	unsigned count[4] = {0};
	for (unsigned i = 0; i < n; i++) {
		unsigned h = hash_of(&pkt[i]);
		member[h][count[h]++] = (uint8_t)i;
	}
	for (unsigned h = 0; h < 4; h++) {
		if (count[h] == 0)
			continue;
		for (unsigned j = 0; j < count[h]; j++) {
			struct cbc_pkt *p = &pkt[member[h][j]];
			IMB_JOB *job = &c->jobs[j];
			job->src = p->esp;
			job->hash_start_src_offset_in_bytes = 0;
			job->msg_len_to_hash_in_bytes = p->icv_at + (p->esn ? 4 : 0);
			job->auth_tag_output = to != NULL ? to[member[h][j]] : p->esp + p->icv_at;
			job->auth_tag_output_len_in_bytes = suites[p->suite].icv_len;
			job->u.HMAC._hashed_auth_key_xor_ipad = p->keys->cbc.hmac;
			job->u.HMAC._hashed_auth_key_xor_opad =
				p->keys->cbc.hmac + hmac_outer(p->suite);
		}
		crypto_hmac_burst(c, h, count[h]);
	}
}

// Cipher jobs of every packet that is not forged, key length by key length.
static void cbc_all(struct crypto *c, struct cbc_pkt *pkt, unsigned n, enum crypto_dir dir)
{
	static const uint8_t zero_iv[CBC_IV] __attribute__((aligned(16)));
	for (unsigned key = 0; key < 2; key++) {
		unsigned count = 0;
		for (unsigned i = 0; i < n; i++) {
			struct cbc_pkt *p = &pkt[i];
			if (p->forged | (long_key(p) != key))
				continue;
			unsigned from = dir == CRYPTO_ENCRYPT ? CBC_HEAD : CBC_HEAD + CBC_IV;
			IMB_JOB *job = &c->jobs[count++];
			job->src = p->esp;
			job->cipher_start_src_offset_in_bytes = from;
			job->dst = p->esp + from;
			job->msg_len_to_cipher_in_bytes = p->icv_at - from;
			job->iv = dir == CRYPTO_ENCRYPT ? zero_iv : p->esp + CBC_HEAD;
			job->iv_len_in_bytes = CBC_IV;
			job->enc_keys = p->keys->cbc.enc;
			job->dec_keys = p->keys->cbc.dec;
			job->key_len_in_bytes = key ? 32 : 16;
		}
		if (count != 0)
			crypto_cbc_burst(c, dir, key ? 32 : 16, count);
	}
}

void cbc_open(struct crypto *c, struct cbc_pkt *pkt, unsigned n)
{
	uint32_t saved[CRYPTO_BURST];
	for (unsigned i = 0; i < n; i++) {
		pkt[i].forged = 0;
		if (pkt[i].esn) {
			memcpy(&saved[i], pkt[i].esp + pkt[i].icv_at, 4);
			memcpy(pkt[i].esp + pkt[i].icv_at, &pkt[i].seq_hi, 4);
		}
	}
	hmac_all(c, pkt, n, c->tag);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *icv = pkt[i].esp + pkt[i].icv_at;
		if (pkt[i].esn)
			memcpy(icv, &saved[i], 4);
		pkt[i].forged = !tag_equal(icv, c->tag[i], suites[pkt[i].suite].icv_len);
	}
	cbc_all(c, pkt, n, CRYPTO_DECRYPT);
}

void cbc_seal(struct crypto *c, struct cbc_pkt *pkt, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pkt[i].forged = 0;
	cbc_all(c, pkt, n, CRYPTO_ENCRYPT);
	for (unsigned i = 0; i < n; i++) {
		if (pkt[i].esn)
			memcpy(pkt[i].esp + pkt[i].icv_at, &pkt[i].seq_hi, 4);
	}
	hmac_all(c, pkt, n, NULL);
}
