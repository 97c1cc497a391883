// SPDX-License-Identifier: BSD-3-Clause
// VICI's codec: the README's example byte for byte, there and back, every way to cut a packet short, trees
// that are none, and every limit.
#include "vici/vici.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t buf[2 * VICI_PACKET_MAX];

// The message that strongSwan's own description encodes as an example.
static int example(uint8_t *to, size_t size)
{
	struct vici_out o;

	vici_begin(&o, to, size, VICI_REQUEST, "try");
	vici_text(&o, "key1", "value1");
	vici_section(&o, "section1");
	vici_section(&o, "sub-section");
	vici_text(&o, "key2", "value2");
	vici_section_end(&o);
	vici_list(&o, "list1");
	vici_item(&o, "item1");
	vici_item(&o, "item2");
	vici_list_end(&o);
	vici_section_end(&o);
	return vici_end(&o);
}

static const uint8_t example_message[] = {
	3,   4,   'k', 'e', 'y', '1', 0,   6,   'v', 'a', 'l', 'u', 'e', '1', 1,   8,
	's', 'e', 'c', 't', 'i', 'o', 'n', '1', 1,   11,  's', 'u', 'b', '-', 's', 'e',
	'c', 't', 'i', 'o', 'n', 3,   4,   'k', 'e', 'y', '2', 0,   6,   'v', 'a', 'l',
	'u', 'e', '2', 2,   4,   5,   'l', 'i', 's', 't', '1', 5,   0,   5,   'i', 't',
	'e', 'm', '1', 5,   0,   5,   'i', 't', 'e', 'm', '2', 6,   2,
};

Test(vici, example_byte_for_byte)
{
	int n = example(buf, sizeof(buf));

	cr_assert_eq(n, (int)(VICI_HEADER + 1 + 4 + sizeof(example_message)));
	cr_expect_eq(vici_len(buf, (size_t)n), n);
	cr_expect_eq(buf[VICI_HEADER], VICI_REQUEST);
	cr_expect_eq(memcmp(buf + VICI_HEADER + 1, "\3try", 4), 0);
	cr_expect_eq(memcmp(buf + VICI_HEADER + 5, example_message, sizeof(example_message)), 0);
}

// Walks over a message and writes it down, "s1{k=v,l[a,b]}".
static void describe(struct vici_in in, char *out, size_t size)
{
	struct vici_elem e;
	size_t n = 0;

	out[0] = '\0';
	while (vici_next(&in, &e) > 0) {
		char name[64], value[64];
		vici_name_text(&e, name, sizeof(name));
		vici_value_text(&e, value, sizeof(value));
		const char *form[] = {[VICI_SECTION] = "%s{",  [VICI_SECTION_END] = "}%s%s",
				      [VICI_VALUE] = "%s=%s ", [VICI_LIST] = "%s[",
				      [VICI_ITEM] = "%s%s ",   [VICI_LIST_END] = "]%s%s"};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		n += (size_t)snprintf(out + n, size - n, form[e.type], name, value);
#pragma GCC diagnostic pop
	}
}

Test(vici, example_read)
{
	struct vici_packet p;
	struct err err;
	char text[256];
	int n = example(buf, sizeof(buf));

	cr_assert_eq(vici_decode(buf, (size_t)n, &p, &err), 0);
	cr_expect_eq(p.op, VICI_REQUEST);
	cr_expect_str_eq(p.name, "try");
	describe(p.message, text, sizeof(text));
	cr_expect_str_eq(text,
			 "key1=value1 section1{sub-section{key2=value2 }list1[item1 item2 ]}");
	cr_expect(vici_find_text(p.message, "key1", text, sizeof(text)));
	cr_expect_str_eq(text, "value1");
	cr_expect_not(vici_find_text(p.message, "key2", text, sizeof(text)), "it is further down");
	cr_expect_str_eq(text, "");
}

Test(vici, skip)
{
	struct vici_packet p;
	struct vici_elem e;
	struct err err;
	struct vici_out o;

	vici_begin(&o, buf, sizeof(buf), VICI_EVENT, "e");
	vici_section(&o, "a");
	vici_section(&o, "b");
	vici_section_end(&o);
	vici_list(&o, "l");
	vici_item(&o, "");
	vici_list_end(&o);
	vici_section_end(&o);
	vici_list(&o, "m");
	vici_list_end(&o);
	vici_bool(&o, "z", true);
	int n = vici_end(&o);
	cr_assert_gt(n, 0);
	cr_assert_eq(vici_decode(buf, (size_t)n, &p, &err), 0);
	cr_assert_eq(vici_next(&p.message, &e), 1);
	cr_expect_eq(vici_skip(&p.message, &e), 1);
	cr_assert_eq(vici_next(&p.message, &e), 1);
	cr_expect(vici_named(&e, "m"));
	cr_expect_eq(vici_skip(&p.message, &e), 1);
	cr_assert_eq(vici_next(&p.message, &e), 1);
	cr_expect(vici_named(&e, "z") && vici_value_is(&e, "yes"));
	cr_expect_eq(vici_skip(&p.message, &e), 1, "a value has nothing to skip");
	cr_expect_eq(vici_next(&p.message, &e), 0);
}

Test(vici, operations)
{
	static const struct {
		enum vici_op op;
		const char *name;
	} ops[] = {{VICI_REQUEST, "r"},   {VICI_RESPONSE, NULL},     {VICI_UNKNOWN, NULL},
		   {VICI_REGISTER, "r"},  {VICI_UNREGISTER, "r"},    {VICI_CONFIRM, NULL},
		   {VICI_EVENT, "event"}, {VICI_EVENT_UNKNOWN, NULL}};
	struct vici_packet p;
	struct vici_out o;
	struct err err;

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		vici_begin(&o, buf, sizeof(buf), ops[i].op, ops[i].name);
		int n = vici_end(&o);
		cr_assert_eq(vici_decode(buf, (size_t)n, &p, &err), 0, "%u", ops[i].op);
		cr_expect_eq(p.op, ops[i].op);
		cr_expect_str_eq(p.name, ops[i].name != NULL ? ops[i].name : "");
		bool more = ops[i].op == VICI_REQUEST || ops[i].op == VICI_RESPONSE ||
			    ops[i].op == VICI_EVENT;
		vici_begin(&o, buf, sizeof(buf), ops[i].op, ops[i].name);
		vici_text(&o, "a", "b");
		n = vici_end(&o);
		cr_expect_eq(vici_decode(buf, (size_t)n, &p, &err), more ? 0 : -EBADMSG, "%u",
			     ops[i].op);
	}
	uint8_t unknown[] = {0, 0, 0, 1, VICI_OPS};
	cr_expect_eq(vici_decode(unknown, sizeof(unknown), &p, &err), -EBADMSG);
}

Test(vici, lengths)
{
	static const uint8_t none[] = {0, 0, 0, 0}, most[] = {0, 8, 0, 0}, beyond[] = {0, 8, 0, 1},
			     huge[] = {0xff, 0xff, 0xff, 0xff};

	for (size_t i = 0; i < VICI_HEADER; i++)
		cr_expect_eq(vici_len(most, i), 0);
	cr_expect_eq(vici_len(none, 4), -EBADMSG);
	cr_expect_eq(vici_len(most, 4), VICI_HEADER + VICI_PACKET_MAX);
	cr_expect_eq(vici_len(beyond, 4), -EBADMSG);
	cr_expect_eq(vici_len(huge, 4), -EBADMSG);
}

// Cut anywhere, with the length put right, it is no tree; and nothing is read beyond the end.
Test(vici, cut_short)
{
	int n = example(buf, sizeof(buf));
	unsigned whole = 0;

	for (int len = VICI_HEADER + 1; len < n; len++) {
		struct vici_packet p;
		struct err err;
		uint8_t *copy = malloc((size_t)len);
		memcpy(copy, buf, (size_t)len);
		cr_expect_eq(vici_decode(copy, (size_t)len, &p, &err), -EBADMSG,
			     "length not right");
		copy[0] = copy[1] = copy[2] = 0;
		copy[3] = (uint8_t)(len - VICI_HEADER);
		whole += vici_decode(copy, (size_t)len, &p, &err) == 0;
		free(copy);
	}
	// Without any element, and after "key1".
	cr_expect_eq(whole, 2);
}

static int decode_message(const uint8_t *message, size_t n)
{
	uint8_t *copy = malloc(VICI_HEADER + 1 + n);
	struct vici_packet p;
	struct err err;

	copy[0] = 0;
	copy[1] = (uint8_t)((1 + n) >> 16);
	copy[2] = (uint8_t)((1 + n) >> 8);
	copy[3] = (uint8_t)(1 + n);
	copy[4] = VICI_RESPONSE;
	memcpy(copy + 5, message, n);
	int rc = vici_decode(copy, VICI_HEADER + 1 + n, &p, &err);
	free(copy);
	return rc;
}

Test(vici, no_trees)
{
	static const struct {
		const char *what;
		uint8_t bytes[12];
		size_t n;
	} bad[] = {
		{"an element of no type", {0}, 1},
		{"an element of an unknown type", {7}, 1},
		{"an end without a section", {2}, 1},
		{"an end of no list", {6}, 1},
		{"an item without a list", {5, 0, 0}, 3},
		{"a section that is not closed", {1, 1, 'a'}, 3},
		{"a list that is not closed", {4, 1, 'a'}, 3},
		{"a list in a list", {4, 1, 'a', 4, 1, 'b', 6, 6}, 8},
		{"a value in a list", {4, 1, 'a', 3, 1, 'b', 0, 0, 6}, 9},
		{"a section in a list", {4, 1, 'a', 1, 1, 'b', 2, 6}, 8},
		{"a section closed in a list", {1, 1, 'a', 4, 1, 'b', 2, 6}, 8},
		{"a name beyond the end", {3, 200, 'a'}, 3},
		{"a value beyond the end", {3, 1, 'a', 0xff, 0xff, 'b'}, 6},
		{"half a length", {3, 1, 'a', 0}, 4},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_eq(decode_message(bad[i].bytes, bad[i].n), -EBADMSG, "%s", bad[i].what);
}

Test(vici, depth)
{
	uint8_t message[3 * 64];

	for (unsigned depth = 1; depth < 40; depth++) {
		struct vici_out o;
		for (unsigned i = 0; i < depth; i++) {
			memcpy(message + 2 * i, "\1\0", 2);
			message[2 * depth + i] = VICI_SECTION_END;
		}
		bool fits = depth <= VICI_DEPTH_MAX;
		cr_expect_eq(decode_message(message, 3 * depth), fits ? 0 : -EBADMSG, "%u", depth);
		vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
		for (unsigned i = 0; i < depth; i++)
			vici_section(&o, "");
		for (unsigned i = 0; i < depth; i++)
			vici_section_end(&o);
		cr_expect_eq(vici_end(&o) > 0, fits, "%u", depth);
	}
}

Test(vici, writing_what_is_no_tree)
{
	struct vici_out o;

	vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
	vici_section(&o, "a");
	cr_expect_eq(vici_end(&o), -EINVAL);
	vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
	vici_section_end(&o);
	cr_expect_eq(vici_end(&o), -EINVAL);
	vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
	vici_item(&o, "a");
	cr_expect_eq(vici_end(&o), -EINVAL);
	vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
	vici_list(&o, "l");
	vici_text(&o, "a", "b");
	vici_list_end(&o);
	cr_expect_eq(vici_end(&o), -EINVAL);
	vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
	vici_list_end(&o);
	cr_expect_eq(vici_end(&o), -EINVAL);
}

Test(vici, writing_into_too_little)
{
	int n = example(buf, sizeof(buf));

	for (size_t size = 0; size < (size_t)n; size++) {
		uint8_t *small = malloc(size + 1);
		cr_expect_eq(example(small, size), -EMSGSIZE, "%zu", size);
		free(small);
	}
	cr_expect_eq(example(buf, (size_t)n), n);
}

Test(vici, limits_of_names_and_values)
{
	static char name[VICI_NAME_MAX + 2], value[VICI_VALUE_MAX + 2];
	struct vici_packet p;
	struct vici_out o;
	struct err err;

	memset(name, 'n', VICI_NAME_MAX);
	memset(value, 'v', VICI_VALUE_MAX);
	vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
	vici_text(&o, name, value);
	int n = vici_end(&o);
	cr_assert_gt(n, 0);
	cr_expect_eq(vici_decode(buf, (size_t)n, &p, &err), 0);
	name[VICI_NAME_MAX] = 'n';
	vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
	vici_text(&o, name, "v");
	cr_expect_eq(vici_end(&o), -EMSGSIZE);
	value[VICI_VALUE_MAX] = 'v';
	vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
	vici_text(&o, "n", value);
	cr_expect_eq(vici_end(&o), -EMSGSIZE);
	value[VICI_VALUE_MAX] = '\0';
	vici_begin(&o, buf, sizeof(buf), VICI_RESPONSE, NULL);
	for (unsigned i = 0; i < 9; i++)
		vici_text(&o, "n", value);
	cr_expect_eq(vici_end(&o), -EMSGSIZE, "a packet beyond what charon takes");
}

static struct vici_elem value_of(const char *text)
{
	return (struct vici_elem){
		.type = VICI_VALUE, .value = (const uint8_t *)text, .value_len = strlen(text)};
}

Test(vici, numbers)
{
	static const struct {
		const char *text;
		int base;
		uint64_t is;
	} cases[] = {
		{"0", 10, 0},
		{"42", 10, 42},
		{"18446744073709551615", 10, UINT64_MAX},
		{"18446744073709551616", 10, 7},
		{"99999999999999999999", 10, 7},
		{"c1000a2F", 16, 0xc1000a2f},
		{"c1000a2f", 10, 7},
		{"-1", 10, 7},
		{" 1", 10, 7},
		{"1 ", 10, 7},
		{"0x10", 16, 7},
		{"", 10, 7},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vici_elem e = value_of(cases[i].text);
		cr_expect_eq(vici_value_uint(&e, cases[i].base, 7), cases[i].is, "%s",
			     cases[i].text);
	}
}

Test(vici, texts)
{
	struct vici_elem e = value_of("a\n\x1b[2J\xc3\xa9 ok");
	char text[16], small[4];

	cr_expect_str_eq(vici_value_text(&e, text, sizeof(text)), "a??[2J?? ok");
	cr_expect_str_eq(vici_value_text(&e, small, sizeof(small)), "a??");
	cr_expect_not(vici_value_is(&e, "a"));
}
