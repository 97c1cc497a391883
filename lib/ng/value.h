// SPDX-License-Identifier: BSD-3-Clause
// What an NG message holds, whether it came as bencode or as JSON: texts, whole numbers, lists and
// dictionaries. Values live in an arena and go all at once.
//
// An arena that runs out remembers it: adding to it does nothing from then on, and ng_encode() fails.
// So a caller that builds an answer has one error to look at, at the end.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NG_MESSAGE_MAX 65507 // bytes of a message, that of a UDP datagram
#define NG_DEPTH_MAX 16      // dictionaries and lists within one another
#define NG_VALUES_MAX 8192   // values in a message that comes in

// Bytes, not NUL-terminated; at is NULL for "there is none".
struct ng_str {
	const char *at;
	uint32_t len;
};

enum ng_type { NG_STR, NG_INT, NG_LIST, NG_DICT };

struct ng_val {
	enum ng_type type;
	struct ng_str key;   // in a dictionary
	struct ng_val *next; // in the same dictionary or list
	union {
		struct ng_str str;
		int64_t num;
		struct {
			struct ng_val *first, *last;
		};
	};
};

struct ng_arena {
	struct ng_chunk *chunk;
	size_t total, limit; // bytes
	unsigned values;
	bool failed; // it ran out
};

// Bytes that the arena may grow to; nothing is allocated yet.
void ng_arena_init(struct ng_arena *a, size_t limit);
// Forgets everything in it, and keeps its first chunk for the next message.
void ng_arena_reset(struct ng_arena *a);
void ng_arena_free(struct ng_arena *a);
// Not zeroed, aligned for any type; NULL if the arena ran out.
void *ng_alloc(struct ng_arena *a, size_t size);

// New values at the end of a dictionary (key, not copied) or of a list (key NULL). "in" may be NULL,
// for a value that stands alone. They return NULL if the arena ran out; in may be such a NULL.
struct ng_val *ng_add(struct ng_arena *a, struct ng_val *in, const char *key, enum ng_type type);
void ng_add_int(struct ng_arena *a, struct ng_val *in, const char *key, int64_t num);
void ng_add_text(struct ng_arena *a, struct ng_val *in, const char *key,
		 const char *text); // not copied
void ng_add_str(struct ng_arena *a, struct ng_val *in, const char *key,
		struct ng_str str); // likewise
__attribute__((format(printf, 4, 5))) void ng_add_printf(struct ng_arena *a, struct ng_val *in,
							 const char *key, const char *fmt, ...);

// A dictionary's value, or NULL. Linear: for answers and tests.
const struct ng_val *ng_get(const struct ng_val *dict, const char *key);
bool ng_str_is(struct ng_str s, const char *text);
struct ng_str ng_str_of(const char *text);

enum ng_format { NG_BENCODE, NG_JSON };

// Reads a whole message, which is a dictionary. Texts of bencode point into data, which has to stay.
// Returns 0, -EBADMSG (what is wrong and where is in err), or -E2BIG (beyond the bounds above).
int ng_decode(struct ng_arena *a, enum ng_format format, const char *data, size_t len,
	      struct ng_val **out, struct err *err);
// Writes a value into the arena. Bytes that are not UTF-8 become JSON's \u0080 to \u00ff. Returns
// 0, or -ENOMEM if the arena ran out here or before.
int ng_encode(struct ng_arena *a, enum ng_format format, const struct ng_val *v,
	      struct ng_str *out);
