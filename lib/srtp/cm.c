// SPDX-License-Identifier: BSD-3-Clause
#include "cm.h"

void cm_hash(struct crypto *c, struct cm_pkt *pkt, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		const struct cm_pkt *p = &pkt[k];
		IMB_JOB *job = &c->jobs[k];
		job->src = p->data;
		job->hash_start_src_offset_in_bytes = 0;
		job->msg_len_to_hash_in_bytes = p->hash_len;
		job->auth_tag_output = c->tag[k];
		job->auth_tag_output_len_in_bytes = 12;
		job->u.HMAC._hashed_auth_key_xor_ipad = p->keys->cm.hmac;
		job->u.HMAC._hashed_auth_key_xor_opad = p->keys->cm.hmac + 32;
	}
	crypto_hmac_burst(c, 0, n);
}

void cm_cipher(struct crypto *c, struct cm_pkt *pkt, unsigned n)
{
	for (unsigned wide = 0; wide < 2; wide++) {
		unsigned key_len = wide ? 32 : 16, count = 0;
		for (unsigned k = 0; k < n; k++) {
			const struct cm_pkt *p = &pkt[k];
			if (p->skip | (p->wide != wide) | (p->len == 0))
				continue;
			IMB_JOB *job = &c->jobs[count++];
			job->src = p->data;
			job->cipher_start_src_offset_in_bytes = p->from;
			job->dst = p->data + p->from;
			job->msg_len_to_cipher_in_bytes = p->len;
			job->iv = p->iv;
			job->iv_len_in_bytes = 16;
			job->enc_keys = job->dec_keys = p->keys->cm.round;
			job->key_len_in_bytes = key_len;
		}
		if (count != 0)
			crypto_ctr_burst(c, key_len, count);
	}
}
