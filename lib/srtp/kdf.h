// SPDX-License-Identifier: BSD-3-Clause
// Session keys (RFC 3711 section 4.3 with a key derivation rate of 0, RFC 6188, RFC 7714 section 11).
#pragma once

#include "srtp_ctx.h"

struct crypto;

// What the master key and salt give for SRTP, or for SRTCP.
void srtp_derive(struct crypto *c, const struct srtp_params *p, bool rtcp,
		 struct srtp_session *out);
// Expands a session's keys; out has srtp_keys_size() bytes.
void srtp_keys_expand(struct crypto *c, enum srtp_suite suite, const struct srtp_session *s,
		      struct srtp_keys *out);
size_t srtp_keys_size(enum srtp_suite suite);

static inline bool srtp_is_aead(enum srtp_suite suite)
{
	return suite >= SRTP_AEAD_128;
}
