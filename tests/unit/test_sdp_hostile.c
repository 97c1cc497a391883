// SPDX-License-Identifier: BSD-3-Clause
// SDP from strangers: limits, random texts, and how long the worst of them take.
#include "sdp/sdp.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct sdp sdp;
static struct sdp_change change;
static struct err err;
static char text[2 * SDP_BYTES_MAX], out[2 * SDP_BYTES_MAX];
static size_t len;

static void add(const char *s)
{
	size_t n = strlen(s);

	cr_assert(len + n <= sizeof(text));
	memcpy(text + len, s, n);
	len += n;
}

static void add_times(unsigned n, const char *s)
{
	while (n-- > 0)
		add(s);
}

static int parse(void)
{
	return sdp_parse(&sdp, text, len, 0, &err);
}

static void limit(const char *head, unsigned fits, const char *unit, const char *say)
{
	len = 0;
	add(head);
	add_times(fits, unit);
	cr_expect_eq(parse(), 0, "%s", err.text);
	add(unit);
	cr_expect_eq(parse(), -E2BIG);
	cr_expect_not_null(strstr(err.text, say), "%s: not %s", err.text, say);
}

Test(sdp_hostile, limits)
{
	char types[600] = "m=audio 1 RTP/AVP";

	limit("v=0\n", SDP_LINES_MAX - 1, "a=x\n", "more than 2048 lines");
	limit("v=0\n", SDP_SECTIONS_MAX, "m=audio 1 RTP/AVP 0\n", "more than 32 media sections");
	for (unsigned i = 0; i < 128; i++)
		snprintf(types + strlen(types), 6, " %u", i);
	strncat(types, "\n", 2);
	limit("v=0\n", SDP_CODECS_MAX / 128, types, "more than 512 payload types");
	limit("v=0\nm=audio 1 RTP/AVP 0\n", SDP_CRYPTO_MAX, "a=crypto:1 X y:z\n",
	      "more than 64 a=crypto lines");
	limit("v=0\n", SDP_MID_MAX, "a=group:BUNDLE x\n", "more than 32 bundled sections");
	limit("v=0\na=", SDP_BYTES_MAX - 6, "x", "at most 65535 are read");
}

// ---- random texts ----

static unsigned seed;

static unsigned below(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static void random_line(void)
{
	static const char *const lines[] = {
		"c=IN IP4 192.0.2.1",
		"c=IN IP6 ::1",
		"c=IN IP4 239.0.0.1/127/3",
		"m=audio 4000 RTP/AVP 0 8 96 101",
		"m=audio 0 RTP/SAVP 0",
		"m=video 9 UDP/TLS/RTP/SAVPF 96 97",
		"m=image 5 udptl t38",
		"m=audio 3/4 rtp/avpf 127",
		"i=info",
		"b=AS:64",
		"k=clear:x",
		"a=rtpmap:96 opus/48000/2",
		"a=fmtp:96 a=b",
		"a=rtcp-fb:* nack",
		"a=rtcp:5 IN IP4 192.0.2.9",
		"a=rtcp-mux",
		"a=rtcp-mux-only",
		("a=crypto:7 AES_CM_128_HMAC_SHA1_80 "
		 "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"),
		"a=crypto:8 OTHER x:y",
		"a=fingerprint:sha-256 AA",
		"a=setup:passive",
		"a=ice-ufrag:u",
		"a=candidate:1 1 udp 1 1.2.3.4 5 typ host",
		"a=sendonly",
		"a=inactive",
		"a=ptime:20",
		"a=maxptime:40",
		"a=mid:a",
		"a=label:b",
		"a=group:BUNDLE a b",
		"a=bundle-only",
		"a=tool:x",
		"a=rtcp-rsize",
		"o=- 1 2 IN IP4 1.2.3.4",
		"s=name",
		"t=0 0",
		"",
		"z=\x80\xff",
	};
	add(lines[below(sizeof(lines) / sizeof(lines[0]))]);
	add(below(8) == 0 ? "\n" : "\r\n");
}

static void random_text(void)
{
	len = 0;
	add(below(2) ? "v=0\r\n" : "v=0\n");
	for (unsigned n = below(40); n > 0; n--)
		random_line();
	if (below(4) == 0)
		len -= below(8) % len;
	for (unsigned n = below(4); n > 0; n--)
		if (below(4) == 0)
			text[5 % len + below((unsigned)len - 5 % (unsigned)len)] = (char)below(256);
}

Test(sdp_hostile, rewrite_of_nothing_is_the_text, .timeout = 120)
{
	unsigned read = 0;

	memset(&change, 0, sizeof(change));
	seed = 1;
	for (unsigned round = 0; round < 60000; round++) {
		random_text();
		char *exact = malloc(len);
		memcpy(exact, text, len);
		if (sdp_parse(&sdp, exact, len, 0, &err) == 0) {
			read++;
			int n = sdp_rewrite(&sdp, &change, out, sizeof(out), &err);
			cr_assert_eq(n, (int)len, "%.*s\n->\n%.*s", (int)len, text, n, out);
			cr_assert_eq(memcmp(out, text, len), 0, "%.*s\n->\n%.*s", (int)len, text, n,
				     out);
		}
		free(exact);
	}
	cr_expect_gt(read, 10000, "only %u texts were readable", read);
}

// Whatever is changed, the result is SDP again that says what was wanted.
Test(sdp_hostile, rewritten_is_sdp, .timeout = 120)
{
	static struct sdp again;
	struct sdp_crypto key = {.tag = 3, .params.suite = SRTP_AEAD_256};
	unsigned written = 0;

	seed = 5;
	for (unsigned round = 0; round < 60000; round++) {
		random_text();
		if (parse() < 0)
			continue;
		memset(&change, 0, sizeof(change));
		if (below(2))
			ip_addr_parse("198.18.0.1", &change.connection);
		change.cut_group = below(2);
		for (unsigned i = 0; i < sdp.n_sections; i++) {
			struct sdp_section_change *c = &change.section[i];
			c->pass = below(4) == 0;
			c->reject = below(4) == 0;
			c->port =
				(uint16_t)(below(2) && sdp.section[i].n_codecs > 0 ? 30000 + i : 0);
			c->rtcp_port = (uint16_t)(below(2) ? 31000 + i : 0);
			if (below(2))
				ip_addr_parse("198.18.0.1", &c->address);
			c->rtcp_mux = (enum sdp_choice)below(3);
			c->cut_crypto = below(2);
			c->n_crypto = below(2);
			c->crypto = &key;
			c->set_direction = below(2);
			c->direction = (enum sdp_direction)below(4);
			c->ptime = (uint16_t)(below(2) * 30);
			c->mid = below(2) ? "mid" : NULL;
		}
		int n = sdp_rewrite(&sdp, &change, out, sizeof(out), &err);
		cr_assert_geq(n, 0, "%s", err.text);
		cr_assert_eq(sdp_parse(&again, out, (size_t)n, 0, &err), 0, "%s\n%.*s", err.text, n,
			     out);
		cr_assert_eq(again.n_sections, sdp.n_sections);
		for (unsigned i = 0; i < sdp.n_sections; i++) {
			const struct sdp_section_change *c = &change.section[i];
			const struct sdp_section *was = &sdp.section[i], *is = &again.section[i];
			uint16_t port = c->pass || (!c->reject && c->port == 0) ? was->port
					: c->reject                             ? 0
										: c->port;
			cr_assert_eq(is->port, port);
			written++;
			const struct ip_addr *want = !c->pass && !c->reject && c->address.family
							     ? &c->address
							     : &was->address;
			cr_assert(is->port == 0 || ip_addr_equal(&is->address, want),
				  "%.*s\n->\n%.*s", (int)len, text, n, out);
			if (c->pass || c->reject || was->proto == SDP_PROTO_OTHER)
				continue;
			cr_assert_eq(is->n_crypto,
				     (c->cut_crypto ? 0 : was->n_crypto) + c->n_crypto);
			cr_assert(!c->set_direction || is->direction == c->direction);
			cr_assert(c->rtcp_port == 0 || is->rtcp.port == c->rtcp_port);
			cr_assert(c->rtcp_mux == SDP_KEEP ||
				  is->rtcp_mux == (c->rtcp_mux == SDP_ON));
			cr_assert(c->ptime == 0 || is->ptime == c->ptime);
		}
	}
	cr_expect_gt(written, 10000);
}

// ---- time ----

static double microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

// The best of a few, so that a busy machine does not decide.
static double cost(void)
{
	double best = 1e9;

	for (unsigned i = 0; i < 20; i++) {
		double from = microseconds();
		if (parse() == 0)
			sdp_rewrite(&sdp, &change, out, sizeof(out), NULL);
		double took = microseconds() - from;
		best = took < best ? took : best;
	}
	return best;
}

static void fill(const char *head, const char *unit, size_t size)
{
	len = 0;
	add(head);
	while (len + strlen(unit) <= size)
		add(unit);
}

#ifdef __SANITIZE_ADDRESS__
#define WORST_US 50000 // instrumented
#else
#define WORST_US 5000
#endif

// Eight times the text takes about eight times as long; quadratic work would take 64 times.
Test(sdp_hostile, linear, .timeout = 120)
{
	static const struct {
		const char *head, *unit;
	} worst[] = {
		{"v=0\nm=audio 1 RTP/AVP", " 0"},
		{"v=0\nm=audio 1 RTP/AVP", "                "},
		{"v=0\nm=audio 1 RTP/AVP ", "0"},
		{"v=0\na=", "a"},
		{"v=0\na=group:BUNDLE", "                "},
		{"v=0\no=", "x "},
		{"v=0\no=1 2 IN IP4 1", " "},
		{"v=0\nc=IN IP4 ", "1"},
		{"v=0\nm=audio 1 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:", "A"},
		{"v=0\nm=audio 1 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
		 "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|",
		 "0"},
		{"v=0\nm=audio 1 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
		 "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
		 ";inline:"},
		{"v=0\nm=audio 1 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
		 "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
		 " -x"},
		{"v=0\nm=audio 1 RTP/AVP 0\na=fmtp:0 ", "x"},
		{"v=0\nm=audio 1 RTP/AVP 0\n", "\n"},
		{"v=0\nm=audio 1 RTP/AVP 0\n", "a=rtpmap:0 PCMU/8000\n"},
		{"v=0\nm=audio 1 RTP/AVP 0\n", "a=mid:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"},
		{"v=0\n", "a=group:BUNDLE\n"},
		{"v=0\n", "s=\n"},
	};
	memset(&change, 0, sizeof(change));
	change.name = "x";
	change.section[0].port = 5;
	change.section[0].strip[0] = 2;
	for (size_t i = 0; i < sizeof(worst) / sizeof(worst[0]); i++) {
		fill(worst[i].head, worst[i].unit, 8190);
		double small = cost();
		fill(worst[i].head, worst[i].unit, 65520);
		double large = cost();
		cr_expect_lt(large, 16 * small + 50, "%s%s...: %.0f us for 8 KB, %.0f us for 64 KB",
			     worst[i].head, worst[i].unit, small, large);
		cr_expect_lt(large, WORST_US, "%s%s...: %.0f us", worst[i].head, worst[i].unit,
			     large);
	}
}
