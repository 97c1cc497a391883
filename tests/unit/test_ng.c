// SPDX-License-Identifier: BSD-3-Clause
// Bencode, JSON and framing of the NG protocol.
#include "ng/frame.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct ng_arena arena;

static void setup(void)
{
	ng_arena_init(&arena, 4 << 20);
}

static void teardown(void)
{
	ng_arena_free(&arena);
}

TestSuite(ng, .init = setup, .fini = teardown);

static int decode(enum ng_format f, const char *text, size_t len, struct ng_val **v)
{
	struct err err = {""};
	int rc = ng_decode(&arena, f, text, len, v, &err);

	cr_expect(rc == 0 || err.text[0] != '\0', "%s", text);
	return rc;
}

static const char *encoded(enum ng_format f, const struct ng_val *v)
{
	static char buf[4096];
	struct ng_str s;

	cr_assert_eq(ng_encode(&arena, f, v, &s), 0);
	cr_assert_lt(s.len, sizeof(buf));
	memcpy(buf, s.at, s.len);
	buf[s.len] = '\0';
	return buf;
}

Test(ng, bencode_there_and_back)
{
	const char *good[] = {
		"de",
		"d7:command4:pinge",
		"d1:ai0e1:bi-17e1:cl1:x0:i5eee",
		"d1:dd1:dd1:dleeee",
		"d0:0:e",
		"d1:ai999999999999999999ee",
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct ng_val *v;
		cr_assert_eq(decode(NG_BENCODE, good[i], strlen(good[i]), &v), 0, "%s", good[i]);
		cr_expect_str_eq(encoded(NG_BENCODE, v), good[i]);
	}
}

Test(ng, bencode_bad)
{
	const char *bad[] = {
		"",
		"d",
		"l",
		"le",
		"i5e",
		"1:a",
		"dx",
		"d1",
		"d1:",
		"d1:a",
		"d1:ae",
		"d1:ai",
		"d1:aie",
		"d1:ai-e",
		"d1:ai5",
		"d1:a2:xe",
		"di5e1:ae",
		"dee",
		"d1:a1:xe ",
		"d-1:ae",
		"d1:ai1000000000000000000ee",
		"d99999999999999999999:ae",
		"d1:al",
		"d1:ald",
		"d01:ae",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ng_val *v;
		ng_arena_reset(&arena);
		cr_expect_eq(decode(NG_BENCODE, bad[i], strlen(bad[i]), &v), -EBADMSG, "%s",
			     bad[i]);
	}
}

Test(ng, bounds)
{
	enum { N = NG_MESSAGE_MAX + 1 };
	static char text[N];
	struct ng_val *v;

	memset(text, 'l', sizeof(text));
	memcpy(text, "d1:a", 4);
	cr_expect_eq(decode(NG_BENCODE, text, sizeof(text) - 1, &v), -E2BIG, "depth");
	for (size_t i = 5; i + 2 < N; i += 2)
		memcpy(text + i, "0:", 2);
	cr_expect_eq(decode(NG_BENCODE, text, sizeof(text) - 1, &v), -E2BIG, "number of values");
	cr_expect_eq(decode(NG_BENCODE, text, sizeof(text), &v), -E2BIG, "size");
	memset(text, '[', sizeof(text));
	memcpy(text, "{\"a\":", 5);
	cr_expect_lt(decode(NG_JSON, text, sizeof(text) - 1, &v), 0);
	const char *deep = "{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}";
	cr_expect_eq(decode(NG_JSON, deep, strlen(deep), &v), -E2BIG);
}

Test(ng, json_there_and_back)
{
	const char *pairs[][2] = {
		{"{}", "{}"},
		{"{\"a\": [1, true, false, 2.9, null, \"x\"]}", "{\"a\":[1,1,0,2,\"x\"]}"},
		{"{\"a\":\"\\r\\n\\\"\\\\\\u0001\\u00e4\"}",
		 "{\"a\":\"\\r\\n\\\"\\\\\\u0001\xc3\xa4\"}"},
		{"{\"a\":{\"b\":{}}}", "{\"a\":{\"b\":{}}}"},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct ng_val *v;
		cr_assert_eq(decode(NG_JSON, pairs[i][0], strlen(pairs[i][0]), &v), 0);
		cr_expect_str_eq(encoded(NG_JSON, v), pairs[i][1]);
	}
	const char *bad[] = {"",
			     "[]",
			     "\"a\"",
			     "{",
			     "{\"a\"}",
			     "{\"a\":1}x",
			     "{\"a\":9999999999999999999}",
			     "{\"a\":1000000000000000000}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ng_val *v;
		cr_expect_eq(decode(NG_JSON, bad[i], strlen(bad[i]), &v), -EBADMSG, "%s", bad[i]);
	}
}

Test(ng, json_of_bytes)
{
	struct ng_val *v = ng_add(&arena, NULL, NULL, NG_DICT);

	ng_add_text(&arena, v, "a", "\xe4 \xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xf0\x9f\x98\x80");
	cr_expect_str_eq(encoded(NG_JSON, v),
			 "{\"a\":\"\\u00e4 \\u00c0\\u0080 \\u00ed\\u00a0\\u0080 "
			 "\\u00f4\\u0090\\u0080\\u0080 \xf0\x9f\x98\x80\"}");
}

Test(ng, building)
{
	struct ng_val *v = ng_add(&arena, NULL, NULL, NG_DICT);

	ng_add_text(&arena, v, "result", "ok");
	ng_add_int(&arena, v, "n", -3);
	ng_add_printf(&arena, v, "text", "%d-%s", 5, "x");
	ng_add_text(&arena, ng_add(&arena, v, "list", NG_LIST), NULL, "a");
	cr_expect_str_eq(encoded(NG_BENCODE, v), "d6:result2:ok1:ni-3e4:text3:5-x4:listl1:aee");
	cr_expect_eq(ng_get(v, "n")->num, -3);
	cr_expect_null(ng_get(v, "m"));
}

// What does not fit is an error at the end, whatever was added after it.
Test(ng, arena_runs_out)
{
	struct ng_arena small;
	struct ng_str out;

	ng_arena_init(&small, 200 << 10);
	for (unsigned round = 0; round < 2; round++) {
		struct ng_val *v = ng_add(&small, NULL, NULL, NG_DICT);
		for (unsigned i = 0; i < 10000; i++)
			ng_add_printf(&small, ng_add(&small, v, "k", NG_LIST), NULL, "%u", i);
		cr_expect(small.failed);
		cr_expect_eq(ng_encode(&small, NG_BENCODE, v, &out), -ENOMEM);
		ng_arena_reset(&small);
		v = ng_add(&small, NULL, NULL, NG_DICT);
		cr_expect_eq(ng_encode(&small, NG_BENCODE, v, &out), 0);
	}
	ng_arena_free(&small);
}

Test(ng, frames)
{
	struct ng_frame f;

	cr_assert_eq(ng_frame_split("7_8 de\n", 7, &f), 0);
	cr_expect(ng_str_is(f.cookie, "7_8") && ng_str_is(f.body, "de"));
	cr_expect_eq(f.format, NG_BENCODE);
	cr_assert_eq(ng_frame_split("c {}", 4, &f), 0);
	cr_expect(f.format == NG_JSON && ng_str_is(f.body, "{}"));
	const char *bad[] = {"", "x", "x ", " de", "x y", "de"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_lt(ng_frame_split(bad[i], strlen(bad[i]), &f), 0, "'%s'", bad[i]);
}

Test(ng, stream)
{
	const char *stream = "1 d7:command4:pinge2 {\"a\":\"}\\\"\",\"b\":[{}]}\n3 d0:li-5eee";
	const char *want[] = {"1 d7:command4:pinge", "2 {\"a\":\"}\\\"\",\"b\":[{}]}",
			      "\n3 d0:li-5eee"};
	size_t len = strlen(stream);

	for (size_t step = 1; step <= len; step++) {
		struct ng_scan s = {0};
		size_t at = 0, begin = 0, used;
		unsigned n = 0;
		while (at < len) {
			int rc = ng_scan_feed(&s, stream + at, step < len - at ? step : len - at,
					      &used);
			at += used;
			cr_assert_geq(rc, 0);
			if (rc == 1) {
				cr_assert_lt(n, 3);
				cr_expect_eq(at - begin, strlen(want[n]));
				cr_expect_eq(memcmp(stream + begin, want[n], at - begin), 0);
				begin = at;
				n++;
			}
		}
		cr_expect_eq(n, 3, "step %zu: %u", step, n);
	}
	const char *bad[] = {" de", "1 x", "1 dx", "1 d5x", "1 di5x", "1 d99999999999:"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ng_scan s = {0};
		size_t used;
		cr_expect_lt(ng_scan_feed(&s, bad[i], strlen(bad[i]), &used), 0, "'%s'", bad[i]);
	}
	struct ng_scan s = {0};
	size_t used;
	char *endless = malloc(100000);
	memset(endless, ' ', 100000);
	memcpy(endless, "1 {", 3);
	cr_expect_eq(ng_scan_feed(&s, endless, 100000, &used), -E2BIG);
	free(endless);
}
