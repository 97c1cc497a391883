// SPDX-License-Identifier: BSD-3-Clause
// A message's dictionary as the call engine wants it: verb, keys, flags.
#pragma once

#include "words.h"

struct ng_field {
	struct ng_str text; // of a NUMBER, too, if it came as text
	int64_t num;
	bool there;
};

// A flag that ends with a name, in the order in which they came.
struct ng_named {
	struct ng_named *next;
	enum ng_prefix prefix;
	struct ng_str name;
};

struct ng_request {
	enum ng_verb verb;
	struct ng_field key[NG_KEY_COUNT];
	struct ng_str pair[2][2]; // of direction and received-from, see ng_pair
	uint64_t flags[(NG_FLAG_COUNT + 63) / 64];
	struct ng_named *named, **named_end;
	unsigned unknown;            // keys and flags that we don't know
	struct ng_str unknown_first; // the first of them
};

enum ng_pair { NG_DIRECTION, NG_RECEIVED_FROM };

// Texts stay where they are. -EINVAL: there is no verb, or a number is none; -EOPNOTSUPP: the verb is not
// known or not built; -ENOMEM. err says what the proxy is told.
int ng_request_read(struct ng_arena *a, const struct ng_val *message, struct ng_request *out,
		    struct err *err);

static inline bool ng_flag(const struct ng_request *r, enum ng_flag flag)
{
	return r->flags[flag / 64] >> (flag % 64) & 1;
}
