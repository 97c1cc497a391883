// SPDX-License-Identifier: BSD-3-Clause
#include "suite.h"

#include <errno.h>
#include <string.h>

const struct suite suites[SUITE_COUNT] = {
#define X(id, name, family, key, salt, auth, iv, block, icv) \
	[SUITE_##id] = {name, family, key, salt, auth, iv, block, icv},
	SUITES(X)
#undef X
};

int suite_by_name(const char *name)
{
	for (int i = 0; i < SUITE_COUNT; i++) {
		if (strcmp(suites[i].name, name) == 0)
			return i;
	}
	return -ENOENT;
}
