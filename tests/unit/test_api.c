// SPDX-License-Identifier: BSD-3-Clause
// The control API's framing, messages, and the checks of arguments against the table.
#include "api/api.h"
#include "api/command.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ---- framing ----

static size_t framed(uint8_t *out, const char *text)
{
	size_t n = strlen(text);

	out[0] = (uint8_t)(n >> 24);
	out[1] = (uint8_t)(n >> 16);
	out[2] = (uint8_t)(n >> 8);
	out[3] = (uint8_t)n;
	memcpy(out + 4, text, n);
	return n + 4;
}

Test(frame, split_at_every_byte)
{
	static const char text[] = "{\"v\":1,\"cmd\":\"ping\"}";
	uint8_t message[64];
	size_t n = framed(message, text), used;

	for (size_t cut = 0; cut <= n; cut++) {
		struct api_frame f;
		api_frame_init(&f, 100);
		int first = api_frame_feed(&f, message, cut, &used);
		cr_assert_eq(used, cut);
		cr_assert_eq(first, cut == n ? 1 : 0);
		if (cut < n)
			cr_assert_eq(api_frame_feed(&f, message + cut, n - cut, &used), 1);
		cr_assert_eq(f.len, n - 4);
		cr_assert_arr_eq(f.buf, text, n - 4);
		api_frame_clear(&f);
	}
}

Test(frame, stops_at_the_end_of_a_message)
{
	uint8_t two[64];
	size_t first = framed(two, "{}"), all = first + framed(two + first, "[1]"), used;
	struct api_frame f;

	api_frame_init(&f, 100);
	cr_assert_eq(api_frame_feed(&f, two, all, &used), 1);
	cr_assert_eq(used, first);
	api_frame_clear(&f);
	cr_assert_eq(api_frame_feed(&f, two + first, all - first, &used), 1);
	cr_assert_eq(used, all - first);
	cr_assert_arr_eq(f.buf, "[1]", 3);
	api_frame_clear(&f);
}

Test(frame, lengths)
{
	static const struct {
		uint8_t head[4];
		int result;
	} cases[] = {
		{{0, 0, 0, 0}, -EBADMSG},
		{{0, 0, 0, 1}, 0},
		{{0, 0, 1, 0}, 0},
		{{0, 0, 1, 1}, -EMSGSIZE},
		{{0x80, 0, 0, 1}, -EMSGSIZE},
		{{255, 255, 255, 255}, -EMSGSIZE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct api_frame f;
		size_t used;
		api_frame_init(&f, 256);
		cr_assert_eq(api_frame_feed(&f, cases[i].head, 4, &used), cases[i].result, "%zu",
			     i);
		api_frame_clear(&f);
	}
}

Test(frame, memory_follows_what_arrives)
{
	static const uint8_t head[4] = {0, 0x40, 0, 0}; // 4 MiB are announced
	static uint8_t part[10000];
	struct api_frame f;
	size_t used;

	api_frame_init(&f, API_REQUEST_MAX);
	cr_assert_eq(api_frame_feed(&f, head, 4, &used), 0);
	cr_assert_eq(f.size, 0);
	cr_assert_eq(api_frame_feed(&f, part, sizeof(part), &used), 0);
	cr_assert_lt(f.size, 4 * sizeof(part));
	api_frame_clear(&f);
}

Test(frame, encode)
{
	json_t *message = json_pack("{s:i}", "v", 1);
	uint8_t *out;
	size_t len;

	cr_assert_eq(api_frame_encode(message, 7, &out, &len), 0);
	cr_assert_eq(len, 11);
	cr_assert_arr_eq(out, "\0\0\0\7{\"v\":1}", 11);
	free(out);
	cr_assert_eq(api_frame_encode(message, 6, &out, &len), -EMSGSIZE);
	json_object_set_new(message, "long", json_sprintf("%050000d", 1));
	cr_assert_eq(api_frame_encode(message, 100000, &out, &len), 0);
	cr_assert_eq(len, 4 + 7 + 1 + 6 + 1 + 50002);
	free(out);
	json_decref(message);
}

// ---- messages ----

static json_t *load(const char *text, struct err *err)
{
	return api_json_load((const uint8_t *)text, strlen(text), true, err);
}

Test(message, garbage)
{
	static const char *const bad[] = {"",
					  "{",
					  "nonsense",
					  "[]",
					  "1",
					  "{\"a\":1}}",
					  "{\"a\":1,\"a\":2}",
					  "{\"a\":\"\xff\"}",
					  "{\"secret\": secret }"};
	struct err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_null(load(bad[i], &err), "%s", bad[i]);
		cr_assert_null(strstr(err.text, "secret"), "the text quotes the message");
	}
}

Test(message, depth)
{
	char text[4096];
	struct err err;

	for (int depth = 1; depth < 40; depth++) {
		size_t n = (size_t)snprintf(text, sizeof(text), "{\"a\":\"[[[{{{\\\"[[[\",\"b\":");
		for (int i = 1; i < depth; i++)
			text[n++] = '[';
		text[n++] = '1';
		for (int i = 1; i < depth; i++)
			text[n++] = ']';
		text[n++] = '}';
		text[n] = '\0';
		json_t *o = load(text, &err);
		cr_assert_eq(o != NULL, depth <= API_DEPTH_MAX, "%d", depth);
		json_decref(o);
	}
}

Test(message, every_prefix_is_refused)
{
	static const char text[] =
		"{\"v\":1,\"cmd\":\"x\\u00e9\",\"args\":{\"a\":[1,2.5e3,null,true]}}";
	struct err err;

	for (size_t n = 0; n + 1 < sizeof(text) - 1; n++)
		cr_assert_null(api_json_load((const uint8_t *)text, n, true, &err), "%zu", n);
	json_t *o = load(text, &err);
	cr_assert_not_null(o);
	json_decref(o);
}

Test(message, answers)
{
	json_t *a = api_answer_ok(NULL);
	cr_assert(json_is_object(json_object_get(a, "data")));
	json_decref(a);
	a = api_answer_error("failed", "cut \xc3", NULL);
	cr_assert(json_is_string(json_object_get(a, "error")),
		  "an answer, even if the text is not");
	cr_assert_null(json_object_get(a, "details"));
	json_decref(a);
}

// ---- the table ----

Test(table, is_sound)
{
	for (unsigned c = 0; c < API_COMMANDS; c++) {
		const struct api_command *cmd = &api_commands[c];
		cr_assert_eq(api_command_find(cmd->name), cmd);
		cr_assert_neq(cmd->help[0], '\0');
		bool optional_position = false;
		for (const struct api_arg *a = cmd->args; a->name != NULL; a++) {
			cr_assert_eq(api_arg_find(cmd, a->name), a, "%s %s twice", cmd->name,
				     a->name);
			cr_assert_lt(strlen(a->name), 30);
			cr_assert_eq(strspn(a->name, "abcdefghijklmnopqrstuvwxyz_"),
				     strlen(a->name));
			cr_assert((a->type != API_UINT && a->type != API_REAL) ||
				  strstr(a->spec, "..") != NULL);
			cr_assert(a->type != API_CHOICE || strchr(a->spec, '|') != NULL);
			cr_assert(!(a->how & API_POS) || a->type != API_BOOL);
			// A required one after an optional one could not be told apart.
			cr_assert(!(a->how & API_POS) || !(a->how & API_REQ) || !optional_position);
			optional_position |= (a->how & API_POS) && !(a->how & API_REQ);
		}
	}
	cr_assert_null(api_command_find("show"));
	cr_assert_null(api_command_find(""));
}

static void check(const char *command, const char *json, const char *says)
{
	struct err err = {0};
	json_t *args = json == NULL ? NULL : json_loads(json, JSON_DECODE_ANY, NULL);

	cr_assert(json == NULL || args != NULL, "test's own mistake: %s", json);
	int r = api_args_check(api_command_find(command), args, &err);
	if (says == NULL) {
		cr_assert_eq(r, 0, "%s %s: %s", command, json, err.text);
	} else {
		cr_assert_eq(r, -EINVAL, "%s %s", command, json);
		cr_assert_not_null(strstr(err.text, says), "%s %s: \"%s\" lacks \"%s\"", command,
				   json, err.text, says);
	}
	json_decref(args);
}

#define SA_BUT(more)                                                                              \
	"{\"customer\":\"a\",\"suite\":\"aes128gcm16\",\"spi_in\":256,\"spi_out\":\"0x100\","     \
	"\"key_in\":\"00\",\"key_out\":\"0xAb:cD\",\"local\":\"1.2.3.4\",\"peer\":\"1.2.3.4:1\"," \
	"\"remote_net\":\"1.2.3.0/24\"" more "}"

Test(table, arguments)
{
	check("ping", NULL, NULL);
	check("ping", "{}", NULL);
	check("ping", "{\"x\":1}", "takes no arguments");
	check("ping", "[]", "object");
	check("show call", NULL, "needs id");
	check("show call", "{\"id\":\"\"}", "no call's id");
	check("show call", "{\"id\":\"a b\"}", "no call's id");
	check("show call", "{\"id\":\"a(b)\\\\x20c@h;x\"}", NULL);
	check("call del", "{\"id\":\"a b\"}", "no call's id");
	check("show calls", "{\"min_loss\":0.5,\"max_mos\":3}", NULL);
	check("show calls", "{\"min_loss\":-0.1}", "a number, 0..100");
	check("show calls", "{\"min_loss\":\"1\"}", "a number, 0..100");
	check("show call", "{\"id\":null}", "string");
	check("show sas", "{\"costumer\":\"a\"}", "did you mean customer?");
	check("show sas", "{\"limit\":0}", NULL);
	check("show sas", "{\"limit\":1000001}", "0..1000000");
	check("show sas", "{\"limit\":-1}", "0..1000000");
	check("show sas", "{\"limit\":1.0}", "whole number");
	check("show drops", "{\"all\":1}", "true or false");
	check("show routes", "{\"to\":\"::1\"}", NULL);
	check("show routes", "{\"to\":\"1.2.3.4/8\"}", "no IP address");
	check("log level", "{\"level\":\"info\"}", NULL);
	check("log level", "{\"level\":\"inf\"}", "error|warn");
	check("log level", "{\"level\":\"info|debug\"}", "error|warn");
	check("sa add", SA_BUT(""), NULL);
	check("sa add", SA_BUT(",\"local_net\":[\"0.0.0.0/0\",\"10.0.0.0/8\"]"), NULL);
	check("sa add", SA_BUT(",\"local_net\":[\"10.0.0.1/8\"]"), "beyond");
	check("sa add", SA_BUT(",\"local_net\":[1]"), "string");
	check("sa add", SA_BUT(",\"ports\":\"2-1\""), "range");
	check("sa add", SA_BUT(",\"ports\":\"0-65536\""), "range");
	check("sa add", SA_BUT(",\"ports\":\"80\""), NULL);
	check("sa del", "{\"spi\":255}", "256");
	check("sa del", "{\"spi\":4294967296}", "256");
	check("sa del", "{\"spi\":\"0x1g\"}", "256");
	check("sa del", "{\"spi\":\"-300\"}", "256");
	check("sa del", "{\"spi\":\"4294967295\"}", NULL);
}

Test(table, keys_are_not_quoted)
{
	struct err err;
	const struct api_arg *key = api_arg_find(api_command_find("sa add"), "key_in");

	cr_assert_null(api_arg_parse(key, "c0ffee0", &err));
	cr_assert_null(strstr(err.text, "c0ffee"));
	cr_assert_null(api_arg_parse(key, "", &err));
	char longer[600];
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cr_assert_null(api_arg_parse(key, longer, &err));
	cr_assert_null(strstr(err.text, "aaaa"));
}

Test(table, suggestions)
{
	static const char *const names[] = {"customer", "limit", "spi_in", "spi_out"};
	static const struct {
		const char *text, *meant;
	} cases[] = {
		{"custmer", "customer"},
		{"Customer", "customer"},
		{"cust", "customer"},
		{"limti", "limit"},
		{"spi-in", "spi_in"},
		{"xyz", NULL},
		{"", NULL},
		{"l", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = api_suggest(cases[i].text, names, 4);
		if (cases[i].meant == NULL)
			cr_assert_null(got, "%s: %s", cases[i].text, got);
		else
			cr_assert_str_eq(got, cases[i].meant);
	}
}

Test(table, values)
{
	struct err err;
	uint8_t out[4];
	uint16_t low, high;
	struct ip_endpoint e;
	const struct api_command *add = api_command_find("sa add");
	json_t *v = api_arg_parse(api_arg_find(add, "window"), "1024", &err);

	cr_assert_eq(json_integer_value(v), 1024);
	json_decref(v);
	cr_assert_null(api_arg_parse(api_arg_find(add, "window"), "-1", &err));
	cr_assert_null(api_arg_parse(api_arg_find(add, "window"), "99999999999999999999", &err));
	v = api_arg_parse(api_arg_find(add, "esn"), "no", &err);
	cr_assert(json_is_false(v));
	cr_assert_eq(api_hex_parse("0x01:fF", out, 4), 2);
	cr_assert_arr_eq(out, "\x01\xff", 2);
	cr_assert_eq(api_hex_parse("0102030405", out, 4), -EMSGSIZE);
	cr_assert_eq(api_hex_parse("012", out, 4), -EINVAL);
	cr_assert_eq(api_hex_parse("01:", out, 4), -EINVAL);
	cr_assert_eq(api_range_parse("5-70", &low, &high), 0);
	cr_assert(low == 5 && high == 70);
	cr_assert_eq(api_range_parse("5-", &low, &high), -EINVAL);
	cr_assert_eq(api_range_parse("-5", &low, &high), -EINVAL);
	cr_assert_eq(api_endpoint_parse("[2001:db8::1]:5", &e), 0);
	cr_assert(e.addr.family == AF_INET6 && e.port == 5);
	cr_assert_eq(api_endpoint_parse("2001:db8::1", &e), 0);
	cr_assert_eq(e.port, 0);
	cr_assert_eq(api_endpoint_parse("1.2.3.4:", &e), -EINVAL);
}
