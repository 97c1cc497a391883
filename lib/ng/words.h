// SPDX-License-Identifier: BSD-3-Clause
// The words of ng.def as enums, and how one is found. Spelling is normalised once, here.
#pragma once

#include "value.h"

enum ng_verb {
#define NG_VERB(id, ...) NG_VERB_##id,
#define NG_KEY(...)
#define NG_FLAG(...)
#define NG_PREFIX(...)
#define NG_ALIAS(...)
#include "ng.def"
#undef NG_VERB
	NG_VERB_COUNT
};

#define NG_VERB(...)
#undef NG_KEY
enum ng_key {
#define NG_KEY(id, ...) NG_KEY_##id,
#include "ng.def"
#undef NG_KEY
	NG_KEY_COUNT
};

#define NG_KEY(...)
#undef NG_FLAG
enum ng_flag {
#define NG_FLAG(id, ...) NG_FLAG_##id,
#include "ng.def"
#undef NG_FLAG
	NG_FLAG_COUNT
};

#define NG_FLAG(...)
#undef NG_PREFIX
enum ng_prefix {
#define NG_PREFIX(id, ...) NG_PREFIX_##id,
#include "ng.def"
#undef NG_PREFIX
	NG_PREFIX_COUNT
};
#undef NG_VERB
#undef NG_KEY
#undef NG_FLAG
#undef NG_ALIAS

enum ng_key_type { NG_TEXT, NG_NUMBER, NG_PAIR, NG_FLAGS, NG_WORDS };
enum ng_word_kind { NG_WORD_NONE, NG_WORD_VERB, NG_WORD_KEY, NG_WORD_FLAG };

struct ng_word {
	enum ng_word_kind kind;
	unsigned id; // ng_verb, ng_key or ng_flag
};

#define NG_WORD_MAX 63 // bytes; longer ones are no word

// Lower case, with hyphens for blanks and underscores; the length stays. False if it is too long.
bool ng_word_normalise(struct ng_str s, char out[static NG_WORD_MAX + 1]);
// A normalised word; words may be a verb and a key at once, so kind says which is wanted.
// kind is NG_WORD_NONE in the result if there is none.
struct ng_word ng_word_find(const char *word, enum ng_word_kind kind);
// The prefix that a normalised word begins with, or NG_PREFIX_COUNT; *len is its length.
enum ng_prefix ng_prefix_find(const char *word, size_t *len);

const char *ng_verb_name(enum ng_verb verb);
bool ng_verb_built(enum ng_verb verb);
const char *ng_key_name(enum ng_key key);
enum ng_key_type ng_key_type(enum ng_key key);
const char *ng_flag_name(enum ng_flag flag);
