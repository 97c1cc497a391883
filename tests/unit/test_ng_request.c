// SPDX-License-Identifier: BSD-3-Clause
// Verbs, keys and flags of the NG protocol, in all their spellings.
#include "ng/request.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct ng_arena arena;
static struct ng_request req;
static struct err err;

static void setup(void)
{
	ng_arena_init(&arena, 4 << 20);
}

static void teardown(void)
{
	ng_arena_free(&arena);
}

TestSuite(ng_request, .init = setup, .fini = teardown);

static int request(const char *json)
{
	struct ng_val *v;

	ng_arena_reset(&arena);
	cr_assert_eq(ng_decode(&arena, NG_JSON, json, strlen(json), &v, &err), 0, "%s: %s", json,
		     err.text);
	return ng_request_read(&arena, v, &req, &err);
}

static void good(const char *json)
{
	cr_assert_eq(request(json), 0, "%s: %s", json, err.text);
}

Test(ng_request, verbs)
{
	good("{\"command\":\"Block_DTMF\"}");
	cr_expect_eq(req.verb, NG_VERB_BLOCK_DTMF);
	good("{\"Command\":\"block media\"}");
	cr_expect_eq(req.verb, NG_VERB_BLOCK_MEDIA);
	cr_expect_eq(request("{\"command\":\"start forwarding\"}"), -EOPNOTSUPP);
	cr_expect_str_eq(err.text, "Command \"start forwarding\" is not supported");
	cr_expect_eq(request("{\"command\":\"dance\"}"), -EOPNOTSUPP);
	cr_expect_str_eq(err.text, "Unrecognized command");
	cr_expect_eq(request("{}"), -EINVAL);
	cr_expect_eq(request("{\"command\":5}"), -EINVAL);
}

Test(ng_request, spellings_of_keys)
{
	const char *spellings[] = {"call-id", "call id", "Call_ID", "CALL-ID"};

	for (size_t i = 0; i < 4; i++) {
		char json[128];
		snprintf(json, sizeof(json), "{\"command\":\"ping\",\"%s\":\"x y\"}", spellings[i]);
		good(json);
		cr_expect(ng_str_is(req.key[NG_KEY_CALL_ID].text, "x y"));
		cr_expect_eq(req.unknown, 0);
	}
}

Test(ng_request, numbers)
{
	good("{\"command\":\"delete\",\"delete delay\":\"30\",\"TOS\":184,\"ptime\":\"-1\"}");
	cr_expect_eq(req.key[NG_KEY_DELETE_DELAY].num, 30);
	cr_expect_eq(req.key[NG_KEY_TOS].num, 184);
	cr_expect_eq(req.key[NG_KEY_PTIME].num, -1);
	const char *bad[] = {"", "x", "-", "1 ", "1234567890123", "0x10"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char json[128];
		snprintf(json, sizeof(json), "{\"command\":\"ping\",\"ptime\":\"%s\"}", bad[i]);
		cr_expect_eq(request(json), -EINVAL, "'%s'", bad[i]);
	}
}

// One meaning in each of its forms.
Test(ng_request, forms_of_flags)
{
	const char *forms[] = {
		"\"flags\":[\"trust-address\",\"strict "
		"source\"],\"rtcp-mux\":[\"demux\"],\"replace\":[\"Origin\"]",
		"\"flags\":\"trust-address strict_source rtcp-mux-demux replace-origin\"",
		"\"rtpp-flags\":\"trust-address strict-source rtcp-mux=[demux] replace=origin\"",
		"\"trust address\":\"yes\",\"strict-source\":1,\"rtcp "
		"mux\":\"demux\",\"replace\":\"origin\"",
		"\"flags\":{\"trust-address\":\"on\",\"strict-source\":1,\"asymmetric\":\"no\"},"
		"\"rtcp-mux\":{\"demux\":true},\"replace\":[\"origin\"],\"symmetric\":\"off\"",
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char json[512];
		snprintf(json, sizeof(json), "{\"command\":\"offer\",%s}", forms[i]);
		good(json);
		cr_expect(ng_flag(&req, NG_FLAG_TRUST_ADDRESS), "%s", forms[i]);
		cr_expect(ng_flag(&req, NG_FLAG_STRICT_SOURCE), "%s", forms[i]);
		cr_expect(ng_flag(&req, NG_FLAG_RTCP_MUX_DEMUX), "%s", forms[i]);
		cr_expect(ng_flag(&req, NG_FLAG_REPLACE_ORIGIN), "%s", forms[i]);
		cr_expect_not(ng_flag(&req, NG_FLAG_ASYMMETRIC) ||
			      ng_flag(&req, NG_FLAG_SYMMETRIC));
		cr_expect_eq(req.unknown, 0, "%s", forms[i]);
	}
}

Test(ng_request, settings_among_flags)
{
	good("{\"command\":\"offer\",\"flags\":\"RTP/SAVP direction=[inside acme] "
	     "received-from=[IP4 192.0.2.1] media-address=198.18.0.1 ICE=remove TOS=184 "
	     "label=a,x=y\"}");
	cr_expect(ng_str_is(req.key[NG_KEY_TRANSPORT].text, "RTP/SAVP"));
	cr_expect(ng_str_is(req.pair[NG_DIRECTION][0], "inside"));
	cr_expect(ng_str_is(req.pair[NG_DIRECTION][1], "acme"));
	cr_expect(ng_str_is(req.pair[NG_RECEIVED_FROM][1], "192.0.2.1"));
	cr_expect(ng_str_is(req.key[NG_KEY_MEDIA_ADDRESS].text, "198.18.0.1"));
	cr_expect(ng_flag(&req, NG_FLAG_ICE_REMOVE));
	cr_expect_eq(req.key[NG_KEY_TOS].num, 184);
	cr_expect(ng_str_is(req.key[NG_KEY_LABEL].text, "a"));
	cr_expect_eq(req.unknown, 1);
	cr_expect(ng_str_is(req.unknown_first, "x=y"));
}

Test(ng_request, names_at_the_end)
{
	good("{\"command\":\"offer\",\"codec\":{\"strip\":[\"PCMU\",\"telephone-event\"],\"Mask\":["
	     "\"all\"]},"
	     "\"SDES\":[\"no-AES_CM_128_HMAC_SHA1_32\",\"off\"],\"flags\":[\"codec-offer-G722\","
	     "\"codec_except-opus\",\"SDES-only-AEAD_AES_128_GCM\"]}");
	const struct {
		enum ng_prefix prefix;
		const char *name;
	} want[] = {
		{NG_PREFIX_CODEC_STRIP, "PCMU"},
		{NG_PREFIX_CODEC_STRIP, "telephone-event"},
		{NG_PREFIX_CODEC_MASK, "all"},
		{NG_PREFIX_SDES_NO, "AES_CM_128_HMAC_SHA1_32"},
		{NG_PREFIX_CODEC_OFFER, "G722"},
		{NG_PREFIX_CODEC_EXCEPT, "opus"},
		{NG_PREFIX_SDES_ONLY, "AEAD_AES_128_GCM"},
	};
	const struct ng_named *n = req.named;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++, n = n->next) {
		cr_assert_not_null(n);
		cr_expect_eq(n->prefix, want[i].prefix);
		cr_expect(ng_str_is(n->name, want[i].name), "%s: %.*s", want[i].name,
			  (int)n->name.len, n->name.at);
	}
	cr_expect_null(n);
	cr_expect(ng_flag(&req, NG_FLAG_SDES_OFF));
	cr_expect_eq(req.unknown, 0);
}

Test(ng_request, unknown_is_counted)
{
	good("{\"command\":\"offer\",\"flags\":[\"frobnicate\",\"codec-strip-\",\"x\"],\"colour\":"
	     "\"red\","
	     "\"T.38\":[\"decode\"],\"codec\":{\"polish\":[\"PCMU\"]}}");
	cr_expect_eq(req.unknown, 6);
	cr_expect(ng_str_is(req.unknown_first, "frobnicate"));
}
