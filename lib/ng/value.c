// SPDX-License-Identifier: BSD-3-Clause
#include "value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (64 << 10)

struct ng_chunk {
	struct ng_chunk *next; // older
	size_t size, used;
	_Alignas(16) char bytes[];
};

void ng_arena_init(struct ng_arena *a, size_t limit)
{
	*a = (struct ng_arena){.limit = limit};
}

static void chunks_free(struct ng_chunk *c)
{
	while (c != NULL) {
		struct ng_chunk *next = c->next;
		explicit_bzero(c->bytes, c->used); // SDP has keys in it
		free(c);
		c = next;
	}
}

void ng_arena_reset(struct ng_arena *a)
{
	struct ng_chunk *first = a->chunk, *prev = NULL;

	a->values = 0;
	a->failed = false;
	a->total = 0;
	if (first == NULL)
		return;
	while (first->next != NULL) {
		prev = first;
		first = first->next;
	}
	if (prev != NULL) {
		prev->next = NULL;
		chunks_free(a->chunk);
	}
	explicit_bzero(first->bytes, first->used);
	first->used = 0;
	a->chunk = first;
	a->total = first->size;
}

void ng_arena_free(struct ng_arena *a)
{
	chunks_free(a->chunk);
	ng_arena_init(a, a->limit);
}

void *ng_alloc(struct ng_arena *a, size_t size)
{
	struct ng_chunk *c = a->chunk;

	size = (size + 15) & ~(size_t)15;
	if (c == NULL || c->size - c->used < size) {
		size_t want = size > CHUNK ? size : CHUNK;
		if (a->failed || want > a->limit || a->total > a->limit - want ||
		    (c = malloc(sizeof(*c) + want)) == NULL) {
			a->failed = true;
			return NULL;
		}
		*c = (struct ng_chunk){.next = a->chunk, .size = want};
		a->chunk = c;
		a->total += want;
	}
	void *at = c->bytes + c->used;
	c->used += size;
	return at;
}

struct ng_val *ng_add(struct ng_arena *a, struct ng_val *in, const char *key, enum ng_type type)
{
	struct ng_val *v = a->failed ? NULL : ng_alloc(a, sizeof(*v));

	if (v == NULL)
		return NULL;
	*v = (struct ng_val){.type = type};
	if (key != NULL)
		v->key = ng_str_of(key);
	a->values++;
	if (in == NULL)
		return v;
	if (in->last != NULL)
		in->last->next = v;
	else
		in->first = v;
	in->last = v;
	return v;
}

void ng_add_int(struct ng_arena *a, struct ng_val *in, const char *key, int64_t num)
{
	struct ng_val *v = ng_add(a, in, key, NG_INT);

	if (v != NULL)
		v->num = num;
}

void ng_add_str(struct ng_arena *a, struct ng_val *in, const char *key, struct ng_str str)
{
	struct ng_val *v = ng_add(a, in, key, NG_STR);

	if (v != NULL)
		v->str = str;
}

void ng_add_text(struct ng_arena *a, struct ng_val *in, const char *key, const char *text)
{
	ng_add_str(a, in, key, ng_str_of(text));
}

void ng_add_printf(struct ng_arena *a, struct ng_val *in, const char *key, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	char *copy = ng_alloc(a, len + 1);
	if (copy == NULL)
		return;
	memcpy(copy, text, len);
	ng_add_str(a, in, key, (struct ng_str){copy, (uint32_t)len});
}

const struct ng_val *ng_get(const struct ng_val *dict, const char *key)
{
	if (dict == NULL || dict->type != NG_DICT)
		return NULL;
	for (const struct ng_val *v = dict->first; v != NULL; v = v->next)
		if (ng_str_is(v->key, key))
			return v;
	return NULL;
}

bool ng_str_is(struct ng_str s, const char *text)
{
	return s.at != NULL && strlen(text) == s.len && memcmp(s.at, text, s.len) == 0;
}

struct ng_str ng_str_of(const char *text)
{
	return (struct ng_str){text, (uint32_t)strlen(text)};
}
