// SPDX-License-Identifier: BSD-3-Clause
// Jobs of ipsec-mb's burst calls, filled as lib/esp and lib/srtp fill theirs.
#pragma once

#include "crypto/crypto.h"

// HMAC over len bytes from data on. inner, outer: the key's states.
static inline void job_hmac(IMB_JOB *job, const uint8_t *data, uint32_t len, const uint8_t *inner,
			    const uint8_t *outer, uint8_t *tag, unsigned tag_len)
{
	job->src = data;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = len;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = tag_len;
	job->u.HMAC._hashed_auth_key_xor_ipad = inner;
	job->u.HMAC._hashed_auth_key_xor_opad = outer;
}

// len bytes from data + from on, in place. enc, dec: round keys.
static inline void job_cipher(IMB_JOB *job, uint8_t *data, uint32_t from, uint32_t len,
			      const uint8_t *iv, const void *enc, const void *dec, unsigned key_len)
{
	job->src = data;
	job->cipher_start_src_offset_in_bytes = from;
	job->dst = data + from;
	job->msg_len_to_cipher_in_bytes = len;
	job->iv = iv;
	job->iv_len_in_bytes = 16;
	job->enc_keys = enc;
	job->dec_keys = dec;
	job->key_len_in_bytes = key_len;
}
