// SPDX-License-Identifier: BSD-3-Clause
// Why a tunnel is down, from the lines of charon's log.
#include "vici_priv.h"

#include <string.h>

const char *vici_reason(const char *line)
{
	static const struct {
		const char *part, *why;
	} reasons[] = {
		{"giving up after ", "its gateway does not answer"},
		{"MAC mismatched", "the pre-shared keys differ"},
		{"no shared key found", "there is no pre-shared key for the identities"},
		{"received AUTHENTICATION_FAILED",
		 "its gateway does not accept us: the pre-shared key or the identities differ"},
		{"received NO_PROPOSAL_CHOSEN", "its gateway accepts none of our proposals"},
		{"no acceptable proposal found", "its gateway offers none of our proposals"},
		{"received TS_UNACCEPTABLE", "its gateway accepts none of our networks"},
		{"no acceptable traffic selectors found",
		 "its gateway asks for none of the networks "
		 "that it may have"},
		{"unable to install", "its SAs were refused here"},
		{"received DELETE for IKE_SA", "its gateway has ended it"},
		{"received DELETE for ESP CHILD_SA", "its gateway has ended it"},
		{"half open IKE_SA", "its gateway began and did not go on"},
		{"duplicate IKE_SA", "its gateway has come anew"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (strstr(line, reasons[i].part) != NULL)
			return reasons[i].why;
	return NULL;
}
