// SPDX-License-Identifier: BSD-3-Clause
#include "kdf.h"

#include "crypto/crypto.h"

#include <stdlib.h>
#include <string.h>

// Key derivation labels (RFC 3711 section 4.3.1): these, and 3 more for SRTCP.
enum label { LABEL_KEY, LABEL_AUTH, LABEL_SALT, LABELS };

size_t srtp_keys_size(enum srtp_suite suite)
{
	const struct srtp_keys *k = NULL;

	return srtp_is_aead(suite) ? sizeof(k->gcm) : sizeof(k->cm);
}

// The keystream of AES-CM under the master key, from (salt xor label) * 2^16 on.
void srtp_derive(struct crypto *c, const struct srtp_params *p, bool rtcp, struct srtp_session *out)
{
	const struct srtp_suite_info *s = &srtp_suites[p->suite];
	uint8_t *to[LABELS] = {out->key, out->auth, out->salt};
	const unsigned len[LABELS] = {s->key_len, sizeof(out->auth), s->salt_len};
	uint8_t round[16 * 15] __attribute__((aligned(16)));
	uint8_t unused[16 * 15] __attribute__((aligned(16)));

	if (s->key_len == 16)
		IMB_AES_KEYEXP_128(c->mgr, p->master, round, unused);
	else
		IMB_AES_KEYEXP_256(c->mgr, p->master, round, unused);
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < LABELS; i++) {
		uint8_t *iv = c->nonce[i];
		memset(iv, 0, 16);
		memcpy(iv, p->master + s->key_len, s->salt_len);
		iv[7] ^= (uint8_t)(i + (rtcp ? LABELS : 0));
		c->jobs[i].src = to[i];
		c->jobs[i].dst = to[i];
		c->jobs[i].cipher_start_src_offset_in_bytes = 0;
		c->jobs[i].msg_len_to_cipher_in_bytes = len[i];
		c->jobs[i].iv = iv;
		c->jobs[i].iv_len_in_bytes = 16;
		c->jobs[i].enc_keys = c->jobs[i].dec_keys = round;
		c->jobs[i].key_len_in_bytes = s->key_len;
	}
	crypto_ctr_burst(c, s->key_len, LABELS);
	secret_wipe(round, sizeof(round));
	secret_wipe(unused, sizeof(unused));
}

// AES-CM's keys are those of a CBC suite with SHA-1, without the half that decrypts.
void srtp_keys_expand(struct crypto *c, enum srtp_suite suite, const struct srtp_session *s,
		      struct srtp_keys *out)
{
	bool wide = srtp_suites[suite].key_len == 32;
	unsigned key_len = srtp_suites[suite].key_len;
	uint8_t material[32 + 20];
	struct keys keys;

	if (srtp_is_aead(suite)) {
		if (wide)
			IMB_AES256_GCM_PRE(c->mgr, s->key, &out->gcm);
		else
			IMB_AES128_GCM_PRE(c->mgr, s->key, &out->gcm);
		return;
	}
	memcpy(material, s->key, key_len);
	memcpy(material + key_len, s->auth, sizeof(s->auth));
	keys_expand(c, wide ? SUITE_AES_CBC_256_SHA1 : SUITE_AES_CBC_128_SHA1, material, &keys);
	memcpy(out->cm.hmac, keys.cbc.hmac, sizeof(out->cm.hmac));
	memcpy(out->cm.round, keys.cbc.enc, sizeof(out->cm.round));
	secret_wipe(material, sizeof(material));
	secret_wipe(&keys, sizeof(keys));
}
