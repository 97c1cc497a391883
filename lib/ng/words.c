// SPDX-License-Identifier: BSD-3-Clause
#include "words.h"

#include <ctype.h>
#include <string.h>

#define SLOTS 512 // a power of two, about three times the words

struct entry {
	const char *word; // NULL: empty
	struct ng_word means;
};

static const struct {
	const char *name;
	bool built;
} verbs[] = {
#define NG_VERB(id, word, built, help) {word, built},
#define NG_KEY(...)
#define NG_FLAG(...)
#define NG_PREFIX(...)
#define NG_ALIAS(...)
#include "ng.def"
#undef NG_VERB
#undef NG_KEY
};

static const struct {
	const char *name;
	enum ng_key_type type;
} keys[] = {
#define NG_VERB(...)
#define NG_KEY(id, word, type, help) {word, NG_##type},
#include "ng.def"
#undef NG_KEY
#undef NG_FLAG
};

static const char *const flags[] = {
#define NG_KEY(...)
#define NG_FLAG(id, word, help) word,
#include "ng.def"
#undef NG_FLAG
#undef NG_PREFIX
};

static const char *const prefixes[] = {
#define NG_FLAG(...)
#define NG_PREFIX(id, word, help) word,
#include "ng.def"
#undef NG_PREFIX
#undef NG_ALIAS
};

static const struct {
	const char *other, *word;
} aliases[] = {
#define NG_PREFIX(...)
#define NG_ALIAS(other, word) {other, word},
#include "ng.def"
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct entry table[SLOTS]; // written before main, and read only from then on

static unsigned word_hash(const char *word, enum ng_word_kind kind)
{
	unsigned h = 2166136261u + kind;

	for (; *word != '\0'; word++)
		h = (h ^ (unsigned char)*word) * 16777619u;
	return (h ^ h >> 16) & (SLOTS - 1);
}

static void word_add(const char *word, struct ng_word means)
{
	unsigned i = word_hash(word, means.kind);

	while (table[i].word != NULL)
		i = (i + 1) & (SLOTS - 1);
	table[i] = (struct entry){word, means};
}

__attribute__((constructor)) static void table_make(void)
{
	for (unsigned i = 0; i < COUNT(verbs); i++)
		word_add(verbs[i].name, (struct ng_word){NG_WORD_VERB, i});
	for (unsigned i = 0; i < COUNT(keys); i++)
		word_add(keys[i].name, (struct ng_word){NG_WORD_KEY, i});
	for (unsigned i = 0; i < COUNT(flags); i++)
		word_add(flags[i], (struct ng_word){NG_WORD_FLAG, i});
	for (unsigned i = 0; i < COUNT(aliases); i++) {
		for (enum ng_word_kind k = NG_WORD_VERB; k <= NG_WORD_FLAG; k++) {
			struct ng_word means = ng_word_find(aliases[i].word, k);
			if (means.kind != NG_WORD_NONE)
				word_add(aliases[i].other, means);
		}
	}
}

bool ng_word_normalise(struct ng_str s, char out[static NG_WORD_MAX + 1])
{
	if (s.len > NG_WORD_MAX)
		return false;
	for (uint32_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		out[i] = c == ' ' || c == '_' ? '-' : (char)tolower((unsigned char)c);
	}
	out[s.len] = '\0';
	return s.len > 0 && memchr(out, '\0', s.len) == NULL;
}

struct ng_word ng_word_find(const char *word, enum ng_word_kind kind)
{
	for (unsigned i = word_hash(word, kind); table[i].word != NULL; i = (i + 1) & (SLOTS - 1))
		if (table[i].means.kind == kind && strcmp(table[i].word, word) == 0)
			return table[i].means;
	return (struct ng_word){0};
}

enum ng_prefix ng_prefix_find(const char *word, size_t *len)
{
	for (unsigned i = 0; i < COUNT(prefixes); i++) {
		*len = strlen(prefixes[i]);
		if (strncmp(word, prefixes[i], *len) == 0 && word[*len] != '\0')
			return (enum ng_prefix)i;
	}
	return NG_PREFIX_COUNT;
}

const char *ng_verb_name(enum ng_verb verb)
{
	return verbs[verb].name;
}

bool ng_verb_built(enum ng_verb verb)
{
	return verbs[verb].built;
}

const char *ng_key_name(enum ng_key key)
{
	return keys[key].name;
}

enum ng_key_type ng_key_type(enum ng_key key)
{
	return keys[key].type;
}

const char *ng_flag_name(enum ng_flag flag)
{
	return flags[flag];
}
