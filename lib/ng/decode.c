// SPDX-License-Identifier: BSD-3-Clause
// Messages to values: bencode in one pass, JSON by jansson.
#include "value.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#define INT_DIGITS_MAX INT64_C(999999999999999999)
#define ARENA_SHORT "the message is larger than we take"

struct reader {
	struct ng_arena *a;
	const char *data;
	size_t len, at;
	unsigned depth;
	struct err *err;
};

static int bad(const struct reader *r, const char *what)
{
	return err_set(r->err, -EBADMSG, "bencode, byte %zu: %s", r->at, what);
}

// LENGTH:BYTES
static int read_str(struct reader *r, struct ng_str *out)
{
	size_t n = 0, digits = 0;

	for (; r->at < r->len && isdigit((unsigned char)r->data[r->at]); r->at++, digits++) {
		n = n * 10 + (size_t)(r->data[r->at] - '0');
		if (n > r->len)
			return bad(r, "a text is longer than the message");
	}
	if (digits == 0)
		return bad(r, "expected a text, i, l, d or e");
	if (r->at == r->len || r->data[r->at] != ':')
		return bad(r, "expected ':' after a text's length");
	r->at++;
	if (n > r->len - r->at)
		return bad(r, "a text is longer than the message");
	*out = (struct ng_str){r->data + r->at, (uint32_t)n};
	r->at += n;
	return 0;
}

// i[-]DIGITSe
static int read_int(struct reader *r, int64_t *out)
{
	bool negative = false;
	uint64_t n = 0;
	size_t digits = 0;

	r->at++;
	if (r->at < r->len && r->data[r->at] == '-') {
		negative = true;
		r->at++;
	}
	for (; r->at < r->len && isdigit((unsigned char)r->data[r->at]); r->at++, digits++) {
		if (digits == 18)
			return bad(r, "a number has more than 18 digits");
		n = n * 10 + (uint64_t)(r->data[r->at] - '0');
	}
	if (digits == 0 || r->at == r->len || r->data[r->at] != 'e')
		return bad(r, "a number is written i, digits, e");
	r->at++;
	*out = negative ? -(int64_t)n : (int64_t)n;
	return 0;
}

static int read_value(struct reader *r, struct ng_val *in, struct ng_str key, struct ng_val **out);

// l VALUE... e, or d KEY VALUE ... e
static int read_members(struct reader *r, struct ng_val *v)
{
	int rc;

	r->at++;
	if (++r->depth > NG_DEPTH_MAX)
		return err_set(r->err, -E2BIG, "bencode: nested deeper than %d", NG_DEPTH_MAX);
	for (;;) {
		struct ng_str key = {0};
		if (r->at == r->len)
			return bad(r, "the message ends within a list or dictionary");
		if (r->data[r->at] == 'e')
			break;
		if (v->type == NG_DICT && (rc = read_str(r, &key)) < 0)
			return rc;
		if ((rc = read_value(r, v, key, NULL)) < 0)
			return rc;
	}
	r->at++;
	r->depth--;
	return 0;
}

static int read_value(struct reader *r, struct ng_val *in, struct ng_str key, struct ng_val **out)
{
	if (r->at == r->len)
		return bad(r, "the message ends where a value should be");
	char c = r->data[r->at];
	enum ng_type type = c == 'i' ? NG_INT : c == 'l' ? NG_LIST : c == 'd' ? NG_DICT : NG_STR;
	struct ng_val *v = r->a->values < NG_VALUES_MAX ? ng_add(r->a, in, NULL, type) : NULL;
	if (v == NULL)
		return err_set(r->err, -E2BIG, ARENA_SHORT);
	v->key = key;
	if (out != NULL)
		*out = v;
	switch (type) {
	case NG_STR:
		return read_str(r, &v->str);
	case NG_INT:
		return read_int(r, &v->num);
	default:
		return read_members(r, v);
	}
}

static int bencode_decode(struct ng_arena *a, const char *data, size_t len, struct ng_val **out,
			  struct err *err)
{
	struct reader r = {.a = a, .data = data, .len = len, .err = err};
	int rc;

	if (len == 0 || data[0] != 'd')
		return bad(&r, "a message is a dictionary");
	if ((rc = read_value(&r, NULL, (struct ng_str){0}, out)) < 0)
		return rc;
	return r.at == len ? 0 : bad(&r, "something follows the message");
}

static bool text_copy(struct ng_arena *a, const char *text, size_t len, struct ng_str *out)
{
	char *copy = ng_alloc(a, len + 1);

	if (copy == NULL)
		return false;
	memcpy(copy, text, len);
	*out = (struct ng_str){copy, (uint32_t)len};
	return true;
}

// null is as if it were not there.
static int json_value(struct ng_arena *a, json_t *j, struct ng_val *in, const char *key,
		      unsigned depth, struct ng_val **out)
{
	static const enum ng_type types[] = {
		[JSON_OBJECT] = NG_DICT, [JSON_ARRAY] = NG_LIST, [JSON_STRING] = NG_STR,
		[JSON_INTEGER] = NG_INT, [JSON_REAL] = NG_INT,   [JSON_TRUE] = NG_INT,
		[JSON_FALSE] = NG_INT,
	};
	const char *name;
	json_t *member;
	size_t i;
	int rc = 0;

	if (json_is_null(j))
		return 0;
	struct ng_val *v =
		a->values < NG_VALUES_MAX ? ng_add(a, in, NULL, types[json_typeof(j)]) : NULL;
	if (v == NULL || depth > NG_DEPTH_MAX ||
	    (key != NULL && !text_copy(a, key, strlen(key), &v->key)))
		return -E2BIG;
	if (out != NULL)
		*out = v;
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		json_object_foreach (j, name, member)
			if ((rc = json_value(a, member, v, name, depth + 1, NULL)) < 0)
				return rc;
		return 0;
	case JSON_ARRAY:
		json_array_foreach (j, i, member)
			if ((rc = json_value(a, member, v, NULL, depth + 1, NULL)) < 0)
				return rc;
		return 0;
	case JSON_STRING:
		return text_copy(a, json_string_value(j), json_string_length(j), &v->str) ? 0
											  : -E2BIG;
	case JSON_REAL: { // beyond the range a conversion is undefined
		double d = json_real_value(j);
		v->num = d > 1e15 ? (int64_t)1e15 : d < -1e15 ? -(int64_t)1e15 : (int64_t)d;
		return 0;
	}
	case JSON_INTEGER:
		v->num = json_integer_value(j);
		return v->num > INT_DIGITS_MAX || v->num < -INT_DIGITS_MAX ? -EBADMSG : 0;
	default:
		v->num = json_is_true(j);
		return 0;
	}
}

static int json_decode(struct ng_arena *a, const char *data, size_t len, struct ng_val **out,
		       struct err *err)
{
	json_error_t je;
	json_t *j = json_loadb(data, len, 0, &je);

	if (j == NULL)
		return err_set(err, -EBADMSG, "JSON, byte %d: %s", je.position, je.text);
	int rc = json_is_object(j) ? json_value(a, j, NULL, NULL, 1, out) : -EBADMSG;
	json_decref(j);
	if (rc == -EBADMSG)
		return err_set(err, rc,
			       "JSON: a message is an object, and a number has at most 18 digits");
	return rc < 0 ? err_set(err, rc, ARENA_SHORT) : 0;
}

int ng_decode(struct ng_arena *a, enum ng_format format, const char *data, size_t len,
	      struct ng_val **out, struct err *err)
{
	if (len > NG_MESSAGE_MAX)
		return err_set(err, -E2BIG, ARENA_SHORT);
	return format == NG_JSON ? json_decode(a, data, len, out, err)
				 : bencode_decode(a, data, len, out, err);
}
