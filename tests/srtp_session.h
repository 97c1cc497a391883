// SPDX-License-Identifier: BSD-3-Clause
// libsrtp2 as a second opinion on SRTP: a session with our parameters.
#pragma once

#include "srtp/srtp_ctx.h"

#include <srtp2/srtp.h>
#include <stdlib.h>

static inline void oracle_policy_set(srtp_policy_t *p, enum srtp_suite suite)
{
	switch (suite) {
	case SRTP_AES_CM_128_80:
	case SRTP_AES_CM_128_32:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtp);
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtcp);
		break;
	case SRTP_AES_CM_256_80:
	case SRTP_AES_CM_256_32:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtp);
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
		break;
	case SRTP_AEAD_128:
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtcp);
		break;
	default:
		srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtp);
		srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtcp);
	}
	if (suite == SRTP_AES_CM_128_32 || suite == SRTP_AES_CM_256_32)
		p->rtp.auth_tag_len = 4;
}

// srtp_init() has been called. Every SSRC of one direction: ssrc_any_inbound, ssrc_any_outbound.
static inline srtp_t oracle_session(struct srtp_params *params, srtp_ssrc_type_t type)
{
	srtp_policy_t p = {.ssrc.type = type, .window_size = SRTP_WINDOW};
	srtp_master_key_t key = {params->master, params->mki, params->mki_len};
	srtp_master_key_t *keys = &key;
	srtp_t s;

	oracle_policy_set(&p, params->suite);
	if (params->mki_len != 0) {
		p.keys = &keys;
		p.num_master_keys = 1;
	} else {
		p.key = params->master;
	}
	if (params->unencrypted_srtp)
		p.rtp.sec_serv = sec_serv_auth;
	if (params->unencrypted_srtcp)
		p.rtcp.sec_serv = sec_serv_auth;
	if (srtp_create(&s, &p) != srtp_err_status_ok)
		abort();
	return s;
}
