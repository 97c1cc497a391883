// SPDX-License-Identifier: BSD-3-Clause
// SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714) for the packet path: suites and what a leg needs of keys.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// X(id, name as in RFC 4568 and its registry, key bytes, salt bytes, SRTP tag bytes, SRTCP tag bytes)
#define SRTP_SUITES(X)                                              \
	X(AES_CM_128_80, "AES_CM_128_HMAC_SHA1_80", 16, 14, 10, 10) \
	X(AES_CM_128_32, "AES_CM_128_HMAC_SHA1_32", 16, 14, 4, 10)  \
	X(AES_CM_256_80, "AES_256_CM_HMAC_SHA1_80", 32, 14, 10, 10) \
	X(AES_CM_256_32, "AES_256_CM_HMAC_SHA1_32", 32, 14, 4, 10)  \
	X(AEAD_128, "AEAD_AES_128_GCM", 16, 12, 16, 16)             \
	X(AEAD_256, "AEAD_AES_256_GCM", 32, 12, 16, 16)

enum srtp_suite {
	SRTP_NONE, // plain RTP
#define X(id, ...) SRTP_##id,
	SRTP_SUITES(X)
#undef X
		SRTP_SUITE_COUNT
};

#define SRTP_MASTER_MAX 46 // bytes of key and salt
#define SRTP_MKI_MAX 16    // bytes that we accept; RFC 4568 allows 128

// One direction's keys, as a=crypto carries them.
struct srtp_params {
	enum srtp_suite suite;
	uint8_t master[SRTP_MASTER_MAX]; // key, then salt
	uint8_t mki[SRTP_MKI_MAX];
	uint8_t mki_len;                                                // 0: none
	bool unencrypted_srtp, unencrypted_srtcp, unauthenticated_srtp; // RFC 4568 section 6.3
	uint64_t lifetime; // packets; 0: the suite's own limit
};

struct srtp_suite_info {
	const char *name;
	uint8_t key_len, salt_len, tag_len, rtcp_tag_len; // bytes
};
extern const struct srtp_suite_info srtp_suites[SRTP_SUITE_COUNT];

// The suite of a name, in any case; SRTP_NONE if there is none.
enum srtp_suite srtp_suite_by_name(const char *name, size_t len);

// A new master key and salt for p->suite, from the kernel's random numbers. Returns 0, or -EIO.
int srtp_params_random(struct srtp_params *p);
// Whether a context can be made of them: 0, -EINVAL, or -EOPNOTSUPP for UNAUTHENTICATED_SRTP, with
// which anybody could put words into a call. UNENCRYPTED_SRTP and UNENCRYPTED_SRTCP are served.
int srtp_params_check(const struct srtp_params *p, struct err *err);
// The same suite, keys, MKI, session parameters and lifetime.
bool srtp_params_equal(const struct srtp_params *a, const struct srtp_params *b);
