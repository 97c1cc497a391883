// SPDX-License-Identifier: BSD-3-Clause
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct reading {
	struct ng_arena *a;
	struct ng_request *req;
	struct err *err;
};

static int key_take(struct reading *r, enum ng_key key, const struct ng_val *v);

static bool means_no(const struct ng_val *v)
{
	char word[NG_WORD_MAX + 1];

	if (v->type == NG_INT)
		return v->num == 0;
	if (v->type != NG_STR || !ng_word_normalise(v->str, word))
		return false;
	// Of "all": no more than one flow, or than what is meant without it.
	static const char *const no[] = {"no",   "off",          "false", "0",
					 "none", "offer-answer", "flows", "except-offer-answer"};
	for (unsigned i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (strcmp(word, no[i]) == 0)
			return true;
	return false;
}

static void unknown(struct reading *r, struct ng_str word)
{
	if (r->req->unknown++ == 0)
		r->req->unknown_first = word;
}

// A text without the blanks around it.
static struct ng_str trimmed(struct ng_str s)
{
	while (s.len > 0 && (*s.at == ' ' || *s.at == '\t')) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static int text_set(struct reading *r, enum ng_key key, struct ng_str s)
{
	struct ng_val v = {.type = NG_STR, .str = s};

	return key_take(r, key, &v);
}

// "codec-strip-PCMU": the part after the prefix keeps its spelling.
static int named_add(struct reading *r, enum ng_prefix prefix, struct ng_str name)
{
	struct ng_named *n = ng_alloc(r->a, sizeof(*n));

	if (n == NULL)
		return err_set(r->err, -ENOMEM, "out of memory");
	*n = (struct ng_named){.prefix = prefix, .name = name};
	*r->req->named_end = n;
	r->req->named_end = &n->next;
	return 0;
}

// One flag, with the word of the key that it came in ("rtcp-mux") in front, or NULL. It may also be a
// setting, KEY=VALUE, or a transport protocol.
static int flag_take(struct reading *r, const char *before, struct ng_str s)
{
	char full[2 * NG_WORD_MAX + 2], word[NG_WORD_MAX + 1];
	const char *equals;
	size_t len;

	s = trimmed(s);
	if (s.len == 0)
		return 0;
	if (before == NULL && (equals = memchr(s.at, '=', s.len)) != NULL) {
		struct ng_str name = {s.at, (uint32_t)(equals - s.at)};
		struct ng_str value = {equals + 1, s.len - name.len - 1};
		struct ng_word w = {0};
		if (ng_word_normalise(trimmed(name), word))
			w = ng_word_find(word, NG_WORD_KEY);
		if (w.kind != NG_WORD_NONE && w.id != NG_KEY_FLAGS && w.id != NG_KEY_COMMAND)
			return text_set(r, (enum ng_key)w.id, trimmed(value));
		unknown(r, s);
		return 0;
	}
	if (!ng_word_normalise(s, word)) {
		unknown(r, s);
		return 0;
	}
	size_t skip = before != NULL ? strlen(before) + 1 : 0;
	snprintf(full, sizeof(full), "%s%s%s", before != NULL ? before : "",
		 before != NULL ? "-" : "", word);
	struct ng_word w = ng_word_find(full, NG_WORD_FLAG);
	if (w.kind != NG_WORD_NONE) {
		r->req->flags[w.id / 64] |= UINT64_C(1) << (w.id % 64);
		return 0;
	}
	enum ng_prefix prefix = ng_prefix_find(full, &len);
	if (prefix != NG_PREFIX_COUNT && len >= skip)
		return named_add(
			r, prefix,
			(struct ng_str){s.at + (len - skip), (uint32_t)(s.len - (len - skip))});
	if (before == NULL && memchr(s.at, '/', s.len) != NULL) // RTP/SAVP
		return text_set(r, NG_KEY_TRANSPORT, s);
	unknown(r, s);
	return 0;
}

// "trust-address rtcp-mux=[demux accept] ICE=remove": parts at blanks that are in no brackets.
static int flags_text(struct reading *r, const char *before, struct ng_str s)
{
	uint32_t from = 0;
	bool inside = false;
	int rc;

	for (uint32_t i = 0; i <= s.len; i++) {
		char c = i < s.len ? s.at[i] : ' ';
		if (c == '[' || c == ']')
			inside = c == '[';
		if (i < s.len && ((c != ' ' && c != ',' && c != '\t') || inside))
			continue;
		if (i > from &&
		    (rc = flag_take(r, before, (struct ng_str){s.at + from, i - from})) < 0)
			return rc;
		from = i + 1;
	}
	return 0;
}

// Flags as a text, as a list, as a dictionary of "yes" and "no", or, for codecs, as a dictionary of lists.
static int flags_take(struct reading *r, const char *before, const struct ng_val *v)
{
	char key[NG_WORD_MAX + 1], deeper[2 * NG_WORD_MAX + 2];
	struct ng_str s = v->type == NG_STR ? v->str : (struct ng_str){0};
	int rc = 0;

	if (v->type == NG_INT)
		return 0;
	if (v->type == NG_STR) {
		if (s.len > 1 && s.at[0] == '[' && s.at[s.len - 1] == ']')
			s = (struct ng_str){s.at + 1, s.len - 2};
		return flags_text(r, before, s);
	}
	for (const struct ng_val *m = v->first; m != NULL && rc == 0; m = m->next) {
		if (v->type == NG_LIST) {
			if (m->type == NG_STR)
				rc = flag_take(r, before, m->str);
		} else if (m->type == NG_LIST || m->type == NG_DICT) {
			if (!ng_word_normalise(m->key, key)) {
				unknown(r, m->key);
				continue;
			}
			snprintf(deeper, sizeof(deeper), "%s%s%s", before != NULL ? before : "",
				 before != NULL ? "-" : "", key);
			rc = flags_take(r, deeper, m);
		} else if (!means_no(m)) {
			rc = flag_take(r, before, m->key);
		}
	}
	return rc;
}

static int number_take(struct reading *r, enum ng_key key, struct ng_str s, int64_t *out)
{
	int64_t n = 0;
	uint32_t i = s.len > 0 && s.at[0] == '-';

	if (s.len == i || s.len > 12)
		goto bad;
	for (uint32_t at = i; at < s.len; at++) {
		if (s.at[at] < '0' || s.at[at] > '9')
			goto bad;
		n = n * 10 + (s.at[at] - '0');
	}
	*out = i ? -n : n;
	return 0;
bad:
	return err_set(r->err, -EINVAL, "%s: %.*s is no number", ng_key_name(key),
		       s.len < 32 ? (int)s.len : 32, s.len > 0 ? s.at : "");
}

// A list of two texts, or a text of two words.
static void pair_take(struct ng_str pair[2], const struct ng_val *v)
{
	unsigned n = 0;

	pair[0] = pair[1] = (struct ng_str){0};
	if (v->type == NG_LIST) {
		for (const struct ng_val *m = v->first; m != NULL && n < 2; m = m->next)
			if (m->type == NG_STR)
				pair[n++] = m->str;
		return;
	}
	if (v->type != NG_STR)
		return;
	struct ng_str s = v->str;
	if (s.len > 1 && s.at[0] == '[' && s.at[s.len - 1] == ']')
		s = (struct ng_str){s.at + 1, s.len - 2};
	s = trimmed(s);
	const char *space = s.len > 0 ? memchr(s.at, ' ', s.len) : NULL;
	pair[0] = s;
	if (space != NULL) {
		pair[0].len = (uint32_t)(space - s.at);
		pair[1] = trimmed((struct ng_str){space + 1, s.len - pair[0].len - 1});
	}
}

static int key_take(struct reading *r, enum ng_key key, const struct ng_val *v)
{
	struct ng_field *f = &r->req->key[key];

	f->there = true;
	switch (ng_key_type(key)) {
	case NG_FLAGS:
		return flags_take(r, NULL, v);
	case NG_WORDS:
		return flags_take(r, ng_key_name(key), v);
	case NG_PAIR:
		pair_take(r->req->pair[key == NG_KEY_DIRECTION ? NG_DIRECTION : NG_RECEIVED_FROM],
			  v);
		return 0;
	case NG_NUMBER:
		if (v->type == NG_INT)
			f->num = v->num;
		f->text = v->type == NG_STR ? v->str : (struct ng_str){0};
		return v->type == NG_STR ? number_take(r, key, v->str, &f->num) : 0;
	default:
		if (v->type == NG_STR)
			f->text = v->str;
		else if (v->type == NG_INT)
			f->num = v->num;
		return 0;
	}
}

static int verb_take(struct reading *r)
{
	struct ng_field *f = &r->req->key[NG_KEY_COMMAND];
	char word[NG_WORD_MAX + 1];
	struct ng_word w = {0};

	if (!f->there || f->text.at == NULL)
		return err_set(r->err, -EINVAL, "Dictionary contains no key \"command\"");
	if (ng_word_normalise(f->text, word))
		w = ng_word_find(word, NG_WORD_VERB);
	if (w.kind == NG_WORD_NONE)
		return err_set(r->err, -EOPNOTSUPP, "Unrecognized command");
	r->req->verb = (enum ng_verb)w.id;
	if (!ng_verb_built(r->req->verb))
		return err_set(r->err, -EOPNOTSUPP, "Command \"%.*s\" is not supported",
			       (int)f->text.len, f->text.at);
	return 0;
}

int ng_request_read(struct ng_arena *a, const struct ng_val *message, struct ng_request *out,
		    struct err *err)
{
	struct reading r = {.a = a, .req = out, .err = err};
	char word[NG_WORD_MAX + 1];
	int rc;

	memset(out, 0, sizeof(*out));
	out->named_end = &out->named;
	for (const struct ng_val *v = message->first; v != NULL; v = v->next) {
		bool sane = ng_word_normalise(v->key, word);
		struct ng_word w = {0};
		if (sane)
			w = ng_word_find(word, NG_WORD_KEY);
		if (w.kind != NG_WORD_NONE)
			rc = key_take(&r, (enum ng_key)w.id, v);
		else if (sane && means_no(v) &&
			 ng_word_find(word, NG_WORD_FLAG).kind != NG_WORD_NONE)
			rc = 0;
		else
			rc = flag_take(&r, NULL, v->key); // a flag as a key, or unknown
		if (rc < 0)
			return rc;
	}
	return verb_take(&r);
}
