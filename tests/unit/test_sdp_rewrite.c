// SPDX-License-Identifier: BSD-3-Clause
// SDP is written again: text in, text out.
#include "sdp/sdp.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"

static struct sdp sdp;
static struct sdp_change change;
static struct sdp_section_change *const first = &change.section[0];
static struct err err;
static char out[SDP_BYTES_MAX];

static void setup(void)
{
	memset(&change, 0, sizeof(change));
}

TestSuite(sdp_rewrite, .init = setup);

static struct ip_addr addr(const char *text)
{
	struct ip_addr a = {0};

	cr_assert_eq(ip_addr_parse(text, &a), 0);
	return a;
}

static int rewrite(const char *text)
{
	cr_assert_eq(sdp_parse(&sdp, text, strlen(text), 0, &err), 0, "%s: %s", text, err.text);
	return sdp_rewrite(&sdp, &change, out, sizeof(out), &err);
}

static void gives(const char *text, const char *want)
{
	int n = rewrite(text);

	cr_assert_geq(n, 0, "%s: %s", text, err.text);
	cr_expect((size_t)n == strlen(want) && memcmp(out, want, (size_t)n) == 0,
		  "from\n%s\ngot\n%.*s\nwanted\n%s", text, n, out, want);
}

Test(sdp_rewrite, nothing)
{
	const char *texts[] = {
		"v=0",
		"v=0\r\n\r\n",
		"v=0\r\no= odd  name 1  2 IN IP4 1.2.3.4 \ns= x \r\nm=audio  5/2  rtp/avp  0 8  "
		"0\r\nc=IN IP4 1.2.3.4/5\r\nc=IN IP4 1.2.3.5/5\r\na=rtcp:6\r\na=rtcp-mux\r\n"
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY
		"\r\na=sendonly\r\na=sendrecv\r\n\r\n\r\n",
	};
	for (size_t i = 0; i < 3; i++)
		gives(texts[i], texts[i]);
}

Test(sdp_rewrite, session)
{
	const char *text = "v=0\r\no=a b 1  2 IN IP4 192.0.2.1 \r\ns=call\nc=IN IP4 192.0.2.2\r\n";

	change.version = "9";
	gives(text, "v=0\r\no=a b 1 9 IN IP4 192.0.2.1 \r\ns=call\nc=IN IP4 192.0.2.2\r\n");
	change.origin = addr("198.18.0.1");
	change.username = "-";
	change.session_id = "77";
	change.name = "trunk line";
	change.connection = addr("2001:db8::5");
	gives(text, "v=0\r\no=- 77 9 IN IP4 198.18.0.1\r\ns=trunk line\nc=IN IP6 2001:db8::5\r\n");
}

// The relay's usual work.
Test(sdp_rewrite, relay)
{
	change.origin = change.connection = first->address = addr("198.18.0.1");
	first->port = 30000;
	first->rtcp_port = 30001;
	first->set_direction = true;
	gives("v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	      "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=x-own:1\r\n",
	      "v=0\r\no=- 1 2 IN IP4 198.18.0.1\r\ns=-\r\nc=IN IP4 198.18.0.1\r\nt=0 0\r\n"
	      "m=audio 30000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=x-own:1\r\n"
	      "a=sendrecv\r\na=rtcp:30001\r\n");
}

Test(sdp_rewrite, replaced_in_place)
{
	change.section[0] = (struct sdp_section_change){
		.port = 30000,
		.rtcp_port = 30001,
		.address = addr("198.18.0.1"),
		.set_direction = true,
		.direction = SDP_INACTIVE,
		.ptime = 30,
		.mid = "m",
		.label = "l",
	};
	gives("v=0\nm=audio 4000/2 RTP/AVP 8\nc=IN IP4 192.0.2.1/127/2\na=ptime:20\n"
	      "a=sendonly\na=recvonly\na=rtcp:4001 IN IP4 192.0.2.1\na=mid:x\na=label:y\na=z\n",
	      "v=0\nm=audio 30000 RTP/AVP 8\nc=IN IP4 198.18.0.1\na=ptime:30\n"
	      "a=inactive\na=rtcp:30001\na=mid:m\na=label:l\na=z\n");
	gives("v=0\nm=audio 4000 RTP/AVP 8",
	      "v=0\nm=audio 30000 RTP/AVP 8\nc=IN IP4 198.18.0.1\na=inactive\na=rtcp:30001\n"
	      "a=ptime:30\na=mid:m\na=label:l\n");
}

Test(sdp_rewrite, connection_goes_after_title)
{
	first->address = addr("198.18.0.1");
	gives("v=0\nm=audio 4000 RTP/AVP 8\ni=x\nb=AS:1\na=y\n\n",
	      "v=0\nm=audio 4000 RTP/AVP 8\ni=x\nc=IN IP4 198.18.0.1\nb=AS:1\na=y\n\n");
	gives("v=0\nm=audio 4000 RTP/AVP 8\ni=x",
	      "v=0\nm=audio 4000 RTP/AVP 8\ni=x\nc=IN IP4 198.18.0.1\n");
	gives("v=0\nm=audio 0 RTP/AVP 8\n", "v=0\nm=audio 0 RTP/AVP 8\n"); // rejected
}

// Sections that keep their address keep it also if the session's changes.
Test(sdp_rewrite, connection_of_others)
{
	change.connection = change.section[0].address = addr("198.18.0.1");
	change.section[1].pass = true;
	gives("v=0\nc=IN IP4 192.0.2.1\nm=audio 1 RTP/AVP 0\nm=image 2 udptl t38\na=x\n"
	      "m=audio 3 RTP/AVP 0\nc=IN IP4 192.0.2.3\nm=audio 4 RTP/AVP 0\nm=audio 0 x y\n",
	      "v=0\nc=IN IP4 198.18.0.1\nm=audio 1 RTP/AVP 0\nm=image 2 udptl t38\n"
	      "c=IN IP4 192.0.2.1\na=x\nm=audio 3 RTP/AVP 0\nc=IN IP4 192.0.2.3\n"
	      "m=audio 4 RTP/AVP 0\nc=IN IP4 192.0.2.1\nm=audio 0 x y\n");
}

Test(sdp_rewrite, rtcp)
{
	const char *text = "v=0\nm=audio 4 RTP/AVP 0\na=rtcp:5\na=rtcp-mux\na=rtcp-mux-only\na=x\n";

	first->port = 6;
	gives(text, "v=0\nm=audio 6 RTP/AVP 0\na=rtcp-mux\na=rtcp-mux-only\na=x\n");
	first->rtcp_mux = SDP_OFF;
	gives(text, "v=0\nm=audio 6 RTP/AVP 0\na=x\n");
	first->rtcp_mux = SDP_ON;
	gives(text, "v=0\nm=audio 6 RTP/AVP 0\na=rtcp-mux\na=rtcp-mux-only\na=x\n");
	gives("v=0\nm=audio 4 RTP/AVP 0\n", "v=0\nm=audio 6 RTP/AVP 0\na=rtcp-mux\n");
}

Test(sdp_rewrite, keys)
{
	struct sdp_crypto ours[2] = {{.tag = 1, .params.suite = SRTP_AES_CM_128_80},
				     {.tag = 2, .params.suite = SRTP_AEAD_128}};
	const char *text = "v=0\r\nm=audio 4 RTP/SAVP 0\r\n"
			   "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY "\r\na=x\r\n";

	first->cut_crypto = true;
	first->proto = SDP_RTP_AVP;
	gives(text, "v=0\r\nm=audio 4 RTP/AVP 0\r\na=x\r\n");
	first->proto = SDP_RTP_SAVPF;
	first->n_crypto = 2;
	first->crypto = ours;
	gives(text,
	      "v=0\r\nm=audio 4 RTP/SAVPF 0\r\na=x\r\n"
	      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
	      "inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"
	      "a=crypto:2 AEAD_AES_128_GCM inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n");
	ours[1].params.suite = SRTP_NONE;
	cr_expect_eq(rewrite(text), -EINVAL);
}

Test(sdp_rewrite, webrtc_to_plain)
{
	change.cut_group = change.cut_ice = change.cut_dtls = true;
	change.section[0] = change.section[1] = (struct sdp_section_change){
		.port = 30000, .proto = SDP_RTP_AVP, .cut_dtls = true, .cut_ice = true};
	gives("v=0\na=group:BUNDLE 0 1\na=group:LS 0 1\na=ice-lite\na=fingerprint:sha-1 00\n"
	      "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\na=ice-ufrag:x\na=ice-pwd:x\n"
	      "a=candidate:1 1 udp 1 1.2.3.4 5 typ host\na=end-of-candidates\na=setup:active\n"
	      "a=fingerprint:sha-1 00\na=tls-id:1\na=ssrc:1 cname:x\n"
	      "m=audio 0 UDP/TLS/RTP/SAVPF 0\na=bundle-only\na=mid:1\n",
	      "v=0\na=group:LS 0 1\nm=audio 30000 RTP/AVP 0\na=mid:0\na=ssrc:1 cname:x\n"
	      "m=audio 30000 RTP/AVP 0\na=mid:1\n");
}

Test(sdp_rewrite, reject)
{
	first->reject = true;
	first->port = 5; // not looked at
	first->n_crypto = 1;
	gives("v=0\nm=audio 4/2 RTP/SAVP 0  8\na=rtcp:5\na=ice-ufrag:x\na=setup:active\n"
	      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY "\na=sendonly\n",
	      "v=0\nm=audio 0 RTP/SAVP 0  8\na=rtcp:5\na=sendonly\n");
	gives("v=0\nm=image 4 udptl t38\n", "v=0\nm=image 0 udptl t38\n");
}

Test(sdp_rewrite, pass)
{
	const char *text =
		"v=0\nm=audio 4/2 RTP/SAVP 0  8\na=rtcp:5\na=ice-ufrag:x\na=bundle-only\n"
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY "\na=sendonly\n";

	change.cut_group = true;
	change.section[0] = (struct sdp_section_change){.pass = true,
							.port = 9,
							.rtcp_port = 10,
							.address = addr("192.0.2.1"),
							.cut_crypto = true,
							.cut_ice = true,
							.set_direction = true,
							.strip = {~0ULL, ~0ULL},
							.ptime = 30};
	gives(text, text);
}

Test(sdp_rewrite, codecs_stripped)
{
	const char *text = "v=0\nm=audio 4 RTP/AVP 0  96 8 101 8\na=rtpmap:0 PCMU/8000\n"
			   "a=rtpmap:96 opus/48000/2\na=fmtp:96 x=1\na=rtcp-fb:96 nack\n"
			   "a=rtcp-fb:* nack\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n";

	first->strip[96 / 64] = 1ULL << 96 % 64;
	gives(text, "v=0\nm=audio 4 RTP/AVP 0 8 101\na=rtpmap:0 PCMU/8000\na=rtcp-fb:* nack\n"
		    "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n");
	first->strip[1] = 1ULL << 33; // is not there
	gives(text, text);
	first->strip[0] = first->strip[1] = ~0ULL;
	cr_expect_eq(rewrite(text), -EINVAL);
	cr_expect_str_eq(err.text, "SDP line 2: no payload type would be left");
	cr_expect_gt(rewrite("v=0\nm=image 4 udptl t38\n"), 0); // has none
	cr_expect_gt(rewrite("v=0\nm=audio 0 RTP/AVP 0\n"), 0); // rejected anyway
	first->strip[0] = first->strip[1] = 0;
	first->port = 5;
	cr_expect_eq(rewrite("v=0\nm=audio 0 RTP/AVP\n"), -EINVAL);
	cr_expect_eq(rewrite("v=0\nm=audio 0 RTP/AVP * 0\n"), -EINVAL);
	cr_expect_str_eq(err.text, "SDP line 2: it has formats that are no payload types");
	first->proto = SDP_RTP_AVP;
	cr_expect_eq(rewrite("v=0\nm=image 4 udptl t38\n"), -EINVAL);
	cr_expect_str_eq(err.text, "SDP line 2: this media is no RTP, and can't become RTP/AVP");
}

Test(sdp_rewrite, extra_lines)
{
	const char *const extra[] = {"a=one", "a=two", NULL};

	first->extra = extra;
	gives("v=0\nm=audio 4 RTP/AVP 0\nm=audio 5 RTP/AVP 0\n",
	      "v=0\nm=audio 4 RTP/AVP 0\na=one\na=two\nm=audio 5 RTP/AVP 0\n");
}

// What a proxy or a phone chose may not become lines of its own.
Test(sdp_rewrite, no_lines_smuggled_in)
{
	const char *const text = "v=0\no=- 1 2 IN IP4 1.2.3.4\ns=-\nm=audio 4 RTP/AVP 0\n";
	const char *const extra[] = {"a=x\nm=audio 6 RTP/AVP 0", NULL};
	const char *bad[] = {"x\r\na=y", "x\ny", "\r"};

	for (size_t i = 0; i < 3; i++) {
		const char **fields[] = {&change.username, &change.session_id, &change.version,
					 &change.name,     &first->mid,        &first->label};
		for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
			*fields[f] = bad[i];
			cr_expect_eq(rewrite(text), -EINVAL, "field %zu", f);
			*fields[f] = NULL;
		}
	}
	change.username = "a b"; // seen, and read from the end
	cr_expect_gt(rewrite(text), 0);
	first->label = "a b";
	cr_expect_eq(rewrite(text), -EINVAL);
	cr_expect_str_eq(err.text, "a=label has a character that SDP does not allow there");
	first->label = NULL;
	first->extra = extra;
	cr_expect_eq(rewrite(text), -EINVAL);
}

Test(sdp_rewrite, room)
{
	const char *text = "v=0\nm=audio 4 RTP/AVP 0\na=x\n";

	first->port = 40000;
	int n = rewrite(text);
	cr_assert_eq(n, (int)strlen(text) + 4);
	for (size_t size = 0; size < (size_t)n; size++) {
		// Exactly as long as said: sanitizers see a byte written beyond it.
		char *small = malloc(size + 1);
		cr_assert_eq(sdp_rewrite(&sdp, &change, small, size, &err), -ENOSPC);
		free(small);
	}
	cr_expect_eq(sdp_rewrite(&sdp, &change, out, (size_t)n, &err), n);
}
