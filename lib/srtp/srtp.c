// SPDX-License-Identifier: BSD-3-Clause
#include "srtp.h"

#include "crypto/keys.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define LIFETIME_MAX (1ULL << 48) // RFC 3711 section 9.2

const struct srtp_suite_info srtp_suites[SRTP_SUITE_COUNT] = {
#define X(id, name, key, salt, tag, rtcp_tag) [SRTP_##id] = {name, key, salt, tag, rtcp_tag},
	SRTP_SUITES(X)
#undef X
};

enum srtp_suite srtp_suite_by_name(const char *name, size_t len)
{
	for (unsigned i = SRTP_NONE + 1; i < SRTP_SUITE_COUNT; i++)
		if (strlen(srtp_suites[i].name) == len &&
		    strncasecmp(srtp_suites[i].name, name, len) == 0)
			return (enum srtp_suite)i;
	return SRTP_NONE;
}

static size_t master_len(const struct srtp_params *p)
{
	return (size_t)srtp_suites[p->suite].key_len + srtp_suites[p->suite].salt_len;
}

int srtp_params_random(struct srtp_params *p)
{
	ssize_t len = (ssize_t)master_len(p);

	return getrandom(p->master, (size_t)len, 0) == len ? 0 : -EIO;
}

int srtp_params_check(const struct srtp_params *p, struct err *err)
{
	if (p->suite <= SRTP_NONE || p->suite >= SRTP_SUITE_COUNT)
		return err_set(err, -EINVAL, "SRTP suite %d is none of ours", (int)p->suite);
	if (p->mki_len > SRTP_MKI_MAX)
		return err_set(err, -EINVAL, "MKI of %u bytes: at most %u are served", p->mki_len,
			       SRTP_MKI_MAX);
	if (p->unauthenticated_srtp)
		return err_set(err, -EOPNOTSUPP,
			       "UNAUTHENTICATED_SRTP is refused: anybody could speak in the call");
	if (p->unencrypted_srtp && p->suite >= SRTP_AEAD_128)
		return err_set(err, -EINVAL,
			       "UNENCRYPTED_SRTP does not go with %s, which always encrypts",
			       srtp_suites[p->suite].name);
	if (p->lifetime > LIFETIME_MAX)
		return err_set(err, -EINVAL, "SRTP lifetime is more than 2^48 packets");
	return 0;
}

bool srtp_params_equal(const struct srtp_params *a, const struct srtp_params *b)
{
	return a->suite == b->suite && a->mki_len == b->mki_len && a->lifetime == b->lifetime &&
	       a->unencrypted_srtp == b->unencrypted_srtp &&
	       a->unencrypted_srtcp == b->unencrypted_srtcp &&
	       a->unauthenticated_srtp == b->unauthenticated_srtp &&
	       memcmp(a->mki, b->mki, a->mki_len) == 0 &&
	       memcmp(a->master, b->master, master_len(a)) == 0;
}
