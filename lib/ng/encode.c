// SPDX-License-Identifier: BSD-3-Clause
// Values to messages: once to learn the size, and once to write.
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct writer {
	char *to; // NULL: only counts
	size_t n;
};

static void put(struct writer *w, const char *bytes, size_t n)
{
	if (w->to != NULL)
		memcpy(w->to + w->n, bytes, n);
	w->n += n;
}

static void put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_int(struct writer *w, int64_t num)
{
	char text[24], *at = text + sizeof(text);
	uint64_t n = num < 0 ? 0 - (uint64_t)num : (uint64_t)num;

	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	if (num < 0)
		*--at = '-';
	put(w, at, (size_t)(text + sizeof(text) - at));
}

static void bencode_str(struct writer *w, struct ng_str s)
{
	put_int(w, s.len);
	put(w, ":", 1);
	if (s.len > 0)
		put(w, s.at, s.len);
}

static void bencode(struct writer *w, const struct ng_val *v)
{
	switch (v->type) {
	case NG_STR:
		bencode_str(w, v->str);
		return;
	case NG_INT:
		put(w, "i", 1);
		put_int(w, v->num);
		put(w, "e", 1);
		return;
	default:
		put(w, v->type == NG_DICT ? "d" : "l", 1);
		for (const struct ng_val *m = v->first; m != NULL; m = m->next) {
			if (v->type == NG_DICT)
				bencode_str(w, m->key);
			bencode(w, m);
		}
		put(w, "e", 1);
	}
}

// Bytes of the UTF-8 character that begins here, 0 if none does (RFC 3629).
static size_t utf8_len(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > left || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static void json_str(struct writer *w, struct ng_str s)
{
	const unsigned char *at = (const unsigned char *)s.at;
	char escape[8];

	put(w, "\"", 1);
	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_len(at + i, s.len - i);
		const char *shorthand = at[i] == '\n'   ? "\\n"
					: at[i] == '\r' ? "\\r"
					: at[i] == '"'  ? "\\\""
					: at[i] == '\\' ? "\\\\"
							: NULL;
		if (shorthand != NULL)
			put_text(w, shorthand);
		else if (n == 0 || at[i] < 0x20)
			put(w, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", at[i]));
		else
			put(w, s.at + i, n);
		i += n > 0 ? n : 1;
	}
	put(w, "\"", 1);
}

static void json(struct writer *w, const struct ng_val *v)
{
	switch (v->type) {
	case NG_STR:
		json_str(w, v->str);
		return;
	case NG_INT:
		put_int(w, v->num);
		return;
	default:
		put(w, v->type == NG_DICT ? "{" : "[", 1);
		for (const struct ng_val *m = v->first; m != NULL; m = m->next) {
			if (m != v->first)
				put(w, ",", 1);
			if (v->type == NG_DICT) {
				json_str(w, m->key);
				put(w, ":", 1);
			}
			json(w, m);
		}
		put(w, v->type == NG_DICT ? "}" : "]", 1);
	}
}

int ng_encode(struct ng_arena *a, enum ng_format format, const struct ng_val *v, struct ng_str *out)
{
	void (*write)(struct writer *, const struct ng_val *) = format == NG_JSON ? json : bencode;
	struct writer w = {0};

	if (a->failed || v == NULL)
		return -ENOMEM;
	write(&w, v);
	size_t size = w.n;
	w = (struct writer){.to = ng_alloc(a, size)};
	if (w.to == NULL)
		return -ENOMEM;
	write(&w, v);
	*out = (struct ng_str){w.to, (uint32_t)size};
	return 0;
}
