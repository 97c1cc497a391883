// SPDX-License-Identifier: BSD-3-Clause
// SDP is read: text in, meaning out.
#include "sdp/sdp.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct sdp sdp;
static struct err err;

#define HEAD "v=0\r\no=alice 12 34 IN IP4 192.0.2.1\r\ns=a b\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"

static int read_flags(const char *text, unsigned flags)
{
	err.text[0] = '\0';
	return sdp_parse(&sdp, text, strlen(text), flags, &err);
}

static void good(const char *text)
{
	cr_assert_eq(read_flags(text, 0), 0, "%s: %s", text, err.text);
}

static bool is_at(const struct ip_addr *a, const char *text)
{
	struct ip_addr b = {0};

	return ip_addr_parse(text, &b) == 0 && ip_addr_equal(a, &b);
}

#define expect_span(span, text)                                                           \
	cr_expect((span).len == strlen(text) && memcmp((span).at, text, (span).len) == 0, \
		  "%.*s is not %s", (int)(span).len, (span).at, text)

Test(sdp, session)
{
	good(HEAD "a=sendonly\r\na=tool:x\r\n");
	expect_span(sdp.username, "alice");
	expect_span(sdp.session_id, "12");
	expect_span(sdp.version, "34");
	expect_span(sdp.origin_address, "192.0.2.1");
	expect_span(sdp.name, "a b");
	cr_expect(is_at(&sdp.address, "192.0.2.2"));
	cr_expect_eq(sdp.direction, SDP_SENDONLY);
	cr_expect(sdp.own_direction);
	cr_expect_eq(sdp.n_sections, 0);
	cr_expect_eq(sdp.session_lines, 7);
	cr_expect_eq(sdp.n_lines, 7);
	cr_expect_eq(sdp.newline, 2);
	cr_expect_not(sdp.ipv6);
}

Test(sdp, origin_with_blanks)
{
	good("v=0\no=- 1 2 IN IP6 2001:db8::1 \ns=-\n");
	expect_span(sdp.username, "-");
	expect_span(sdp.origin_address, "2001:db8::1");
	cr_expect(sdp.ipv6);
	cr_expect_eq(sdp.newline, 1);
	good("v=0\no=My IP Phone 1 2 IN IP4 host.example\ns=-\n");
	expect_span(sdp.username, "My IP Phone");
	expect_span(sdp.session_id, "1");
	cr_expect_eq(read_flags("v=0\no=1 2 IN IP4\n", 0), -EINVAL);
	cr_expect_eq(read_flags("v=0\nm=audio 1 RTP/AVP 0\no=- 1 2 IN IP4 1.2.3.4\n", 0), -EINVAL);
}

Test(sdp, section)
{
	good(HEAD "m=audio 4000 RTP/AVP 8 0 96 101 8\r\n"
		  "i=talk\r\n"
		  "c=IN IP4 198.51.100.7/127\r\n"
		  "b=AS:80\r\n"
		  "a=rtpmap:96 opus/48000/2\r\n"
		  "a=fmtp:96 useinbandfec=1; x=y\r\n"
		  "a=rtpmap:101 telephone-event/8000\r\n"
		  "a=fmtp:101 0-15\r\n"
		  "a=rtcp-fb:* nack\r\n"
		  "a=rtcp-fb:96 nack pli\r\n"
		  "a=rtcp:4007 IN IP4 198.51.100.8\r\n"
		  "a=ptime:20\r\n"
		  "a=maxptime:40.5\r\n"
		  "a=recvonly\r\n"
		  "a=label:one\r\n"
		  "a=mid:a1\r\n");
	cr_assert_eq(sdp.n_sections, 1);
	struct sdp_section *s = &sdp.section[0];
	cr_expect_eq(sdp.session_lines, 5);
	cr_expect_eq(s->first_line, 5);
	cr_expect_eq(s->n_lines, 16);
	expect_span(s->media, "audio");
	expect_span(s->proto_text, "RTP/AVP");
	cr_expect_eq(s->proto, SDP_RTP_AVP);
	cr_expect_eq(s->port, 4000);
	cr_expect(s->own_connection);
	cr_expect(is_at(&s->address, "198.51.100.7"));
	cr_expect_eq(s->rtcp.port, 4007);
	cr_expect(is_at(&s->rtcp.addr, "198.51.100.8"));
	cr_expect_eq(s->ptime, 20);
	cr_expect_eq(s->maxptime, 40);
	cr_expect(s->own_direction);
	cr_expect_eq(s->direction, SDP_RECVONLY);
	expect_span(s->label, "one");
	expect_span(s->mid, "a1");
	cr_expect_not(s->rtcp_mux || s->ice || s->dtls || s->bundled);

	cr_assert_eq(s->n_codecs, 4);
	cr_expect_eq(s->types[0], 1 << 8 | 1 << 0);
	cr_expect_eq(s->types[1], 1ULL << 32 | 1ULL << 37);
	const struct sdp_codec *c = &sdp.codec[s->first_codec];
	cr_expect_eq(c[0].type, 8);
	expect_span(c[0].name, "PCMA");
	cr_expect_eq(c[0].clock_rate, 8000);
	expect_span(c[1].name, "PCMU");
	cr_expect_eq(c[2].type, 96);
	expect_span(c[2].name, "opus");
	cr_expect_eq(c[2].clock_rate, 48000);
	cr_expect_eq(c[2].channels, 2);
	expect_span(c[2].fmtp, "useinbandfec=1; x=y");
	expect_span(c[3].fmtp, "0-15");
	cr_expect_eq(s->dtmf_type, 101);
	cr_expect_eq(sdp.line[13].kind, SDP_LINE_CODEC);
	cr_expect_eq(sdp.line[13].value, -1);
	cr_expect_eq(sdp.line[14].value, 96);
}

Test(sdp, several_sections)
{
	good(HEAD "a=group:BUNDLE 0 2\r\na=group:LS 0 1\r\na=inactive\r\n"
		  "m=audio 4000 RTP/AVP 0\r\na=mid:0\r\na=rtcp-mux\r\n"
		  "m=video 0 RTP/AVP 31\r\na=mid:1\r\na=sendrecv\r\n"
		  "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:2\r\na=bundle-only\r\n"
		  "m=image 5000 udptl t38\r\na=T38FaxVersion:0\r\na=rtcp:bad\r\n"
		  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
	cr_assert_eq(sdp.n_sections, 5);
	cr_expect(sdp.section[0].bundled && sdp.section[0].rtcp_mux);
	cr_expect_not(sdp.section[0].rtcp_mux_only);
	cr_expect_eq(sdp.section[0].direction, SDP_INACTIVE);
	cr_expect_not(sdp.section[0].own_direction);
	cr_expect_not(sdp.section[1].bundled);
	cr_expect_eq(sdp.section[1].port, 0);
	cr_expect_eq(sdp.section[1].direction, SDP_SENDRECV);
	cr_expect(sdp.section[2].bundled);
	cr_expect_eq(sdp.section[2].proto, SDP_DTLS_SAVPF);
	cr_expect_eq(sdp.section[3].proto, SDP_PROTO_OTHER);
	cr_expect_eq(sdp.section[3].port, 5000);
	cr_expect_eq(sdp.section[3].n_codecs, 0);
	cr_expect(is_at(&sdp.section[3].address, "192.0.2.2"));
	cr_expect_eq(sdp.section[4].proto, SDP_PROTO_OTHER);
	cr_expect_eq(sdp.section[4].n_lines, 1);
	cr_expect_eq(sdp.line[6].kind, SDP_LINE_OTHER); // LS is not ours
}

Test(sdp, security_and_ice)
{
	good(HEAD
	     "m=audio 1 RTP/SAVP 0\r\n"
	     "a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
	     "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\r\n"
	     "a=crypto:2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm\r\n"
	     "m=audio 2 RTP/AVP 0\r\na=fingerprint:sha-1 00\r\na=setup:actpass\r\n"
	     "a=ice-ufrag:x\r\na=candidate:1 1 udp 1 192.0.2.1 2 typ host\r\n");
	cr_expect_eq(sdp.section[0].n_crypto, 2);
	cr_expect(sdp.crypto[0].usable);
	cr_expect_eq(sdp.crypto[0].params.suite, SRTP_AES_CM_128_80);
	cr_expect_not(sdp.crypto[1].usable);
	cr_expect_eq(sdp.crypto[1].tag, 2);
	cr_expect_not(sdp.section[0].ice || sdp.section[0].dtls);
	cr_expect_eq(sdp.section[1].n_crypto, 0);
	cr_expect_eq(sdp.section[1].first_crypto, 2);
	cr_expect(sdp.section[1].ice && sdp.section[1].dtls);
	sdp_wipe(&sdp);
	for (size_t i = 0; i < sizeof(sdp.crypto); i++)
		cr_assert_eq(((const char *)sdp.crypto)[i], 0);

	good("v=0\na=ice-lite\na=ice-pwd:x\na=fingerprint:sha-1 00\nm=audio 1 RTP/AVP 0\n");
	cr_expect(sdp.ice_lite && sdp.dtls && sdp.section[0].ice && sdp.section[0].dtls);
}

Test(sdp, events_at_the_rate_of_speech)
{
	good("v=0\nm=audio 1 RTP/AVP 96 97 98\na=rtpmap:96 opus/48000/2\n"
	     "a=rtpmap:97 telephone-event/8000\na=rtpmap:98 TELEPHONE-event/48000\n");
	cr_expect_eq(sdp.section[0].dtmf_type, 98);
	good("v=0\nm=audio 1 RTP/AVP 0 98\na=rtpmap:98 telephone-event/16000\n");
	cr_expect_eq(sdp.section[0].dtmf_type, 98);
	good("v=0\nm=audio 1 RTP/AVP 0\na=rtpmap:98 telephone-event/8000\n"); // not listed in m=
	cr_expect_eq(sdp.section[0].dtmf_type, 0);
	cr_expect_eq(sdp.section[0].n_codecs, 1);
}

Test(sdp, ipv6)
{
	const char *v6 = "v=0\nc=IN IP6 2001:db8::1\nm=audio 1 RTP/AVP 0\n";
	good(v6);
	cr_expect(sdp.ipv6);
	cr_expect(is_at(&sdp.section[0].address, "2001:db8::1"));
	cr_expect_eq(read_flags(v6, SDP_IPV6_REFUSE), -EAFNOSUPPORT);
	cr_expect_str_eq(err.text, "SDP line 3: this media is at an IPv6 address; only IPv4 is "
				   "relayed here");
	// Where no media goes it harms nobody.
	cr_expect_eq(read_flags("v=0\nc=IN IP6 ::1\nm=audio 1 RTP/AVP 0\nc=IN IP4 192.0.2.1\n"
				"m=audio 0 RTP/AVP 0\n",
				SDP_IPV6_REFUSE),
		     0);
	cr_expect_eq(read_flags("v=0\nc=IN IP4 192.0.2.1\nm=audio 1 RTP/AVP 0\n"
				"a=rtcp:2 IN IP6 ::1\n",
				SDP_IPV6_REFUSE),
		     -EAFNOSUPPORT);
}

Test(sdp, lenient)
{
	const char *texts[] = {
		"v=0",
		"v=0\r\n\r\n\r\n",
		"v=0\nm=audio 0 RTP/AVP\n",
		"v=0\nm=audio  5004/2  rtp/avp  0  8 \na=rtpmap: 0 PCMU/8000\n",
		"v=0\nc=ATM NSAP 47.0091.8100.0000.0060.3e64.fd01.0060.3e64.fd01.00\n",
		"v=0\nm=audio 1 RTP/AVP 0\na=fmtp:red 0/5\na=rtcp-fb:x\na=fmtp\na=rtcp:0\n",
		"v=0\nm=audio 1 RTP/AVP 0\na=ptime: 20\na=ptime:12.5\na=\na=:\na=::\n",
		"v=0\na=ptime:x\na=crypto:x\na=rtcp:x\na=rtpmap:x\n", // of a session: none of ours
		"v=0\r\no=- 1 1 IN IP4 192.0.2.1\ns=mixed\r\n",
		"v=0\nm=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0\na=sendonly:x\na=SENDONLY\n",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		good(texts[i]);
	cr_expect_eq(sdp.section[0].direction, SDP_SENDONLY);
	cr_expect(is_at(&sdp.section[0].address, "0.0.0.0"));
}

Test(sdp, mistakes)
{
	static const struct {
		const char *text, *say;
	} bad[] = {
		{"", "SDP is empty"},
		{"x", "SDP line 1: SDP begins with \"v=0\""},
		{"\r\nv=0\r\n", "SDP line 1: SDP begins with \"v=0\""},
		{"v=0\nhello\n", "SDP line 2: \"hello\" is not a letter, '=' and a value"},
		{"v=0\nb\n", "SDP line 2: \"b\" is not a letter, '=' and a value"},
		{"v=0\n\x01=\n", "SDP line 2: \"?=\" is not a letter, '=' and a value"},
		{"v=0\nc=IN IP4\n",
		 "SDP line 2: an address is \"IN IP4 a.b.c.d\" or \"IN IP6 ...\""},
		{"v=0\nc=IN IP5 1.2.3.4\n",
		 "SDP line 2: address family \"IP5\" is neither IP4 nor IP6"},
		{"v=0\nc=IN IP4 a.example\n", "SDP line 2: \"a.example\" is no address of family "
					      "IP4; names are not looked up"},
		{"v=0\nc=IN IP4 ::1\n",
		 "SDP line 2: \"::1\" is no address of family IP4; names are not looked up"},
		{"v=0\nc=IN IP4 1.2.3.4000000000000000000000000000000000000000000000000000000\n",
		 "SDP line 2: \"1.2.3.4000000000000000000000000000000000...\" is no address of "
		 "family IP4; names are not looked up"},
		{"v=0\nm=audio\n",
		 "SDP line 2: m= is media, port of 0 to 65535, protocol, formats"},
		{"v=0\nm=audio 65536 RTP/AVP 0\n",
		 "SDP line 2: m= is media, port of 0 to 65535, protocol, formats"},
		{"v=0\nm=audio 18446744073709551617 RTP/AVP 0\n",
		 "SDP line 2: m= is media, port of 0 to 65535, protocol, formats"},
		{"v=0\nm=audio 1x RTP/AVP 0\n",
		 "SDP line 2: m= is media, port of 0 to 65535, protocol, formats"},
		{"v=0\nm=audio 1\n", "SDP line 2: m= names no protocol"},
		{"v=0\nm=audio 1 RTP/AVP\n", "SDP line 2: m= names no payload type"},
		{"v=0\nm=audio 1 RTP/AVP 128\n",
		 "SDP line 2: payload type \"128\" is no number of 0 to 127"},
		{"v=0\nm=audio 1 RTP/AVP -1\n",
		 "SDP line 2: payload type \"-1\" is no number of 0 to 127"},
		{"v=0\nm=audio 1 RTP/AVP 0\na=rtpmap:0 PCMU\n",
		 "SDP line 3: a=rtpmap:0 is name/clock rate, perhaps with /channels"},
		{"v=0\nm=audio 1 RTP/AVP 0\na=rtcp:\n",
		 "SDP line 3: a=rtcp: needs a port of 0 to 65535"},
		{"v=0\nm=audio 1 RTP/AVP 0\na=rtcp:5 IN\n",
		 "SDP line 3: an address is \"IN IP4 a.b.c.d\" or \"IN IP6 ...\""},
		{"v=0\nm=audio 1 RTP/AVP 0\na=ptime:x\n",
		 "SDP line 3: a packet time is in milliseconds, 65535 at most"},
		{"v=0\nm=audio 1 RTP/AVP 0\na=mid:\n", "SDP line 3: a=mid: needs a name"},
		{"v=0\r\ns=a\rb=c\r\n", "SDP line 2: a carriage return that does not end the line"},
		{"v=0\r\ns=a\r\r\n", "SDP line 2: a carriage return that does not end the line"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(read_flags(bad[i].text, 0), -EINVAL, "%s", bad[i].text);
		cr_expect_str_eq(err.text, bad[i].say);
	}
	cr_expect_eq(sdp_parse(&sdp, "v=0\ns=\0\n", 8, 0, &err), -EINVAL);
	cr_expect_str_eq(err.text, "SDP line 2: a zero byte");
}

Test(sdp, names)
{
	for (unsigned p = SDP_PROTO_OTHER + 1; p < SDP_PROTO_COUNT; p++) {
		const char *name = sdp_proto_name((enum sdp_proto)p);
		cr_expect_eq(sdp_proto_by_name(name, strlen(name)), p);
		cr_expect_eq(sdp_proto_secure((enum sdp_proto)p), strstr(name, "SAVP") != NULL);
		cr_expect_eq(sdp_proto_feedback((enum sdp_proto)p), name[strlen(name) - 1] == 'F');
	}
	cr_expect_null(sdp_proto_name(SDP_PROTO_OTHER));
	cr_expect_eq(sdp_proto_by_name("rtp/SAVPf", 9), SDP_RTP_SAVPF);
	cr_expect_eq(sdp_proto_by_name("RTP/AVPX", 8), SDP_PROTO_OTHER);
	cr_expect_eq(sdp_proto_by_name("", 0), SDP_PROTO_OTHER);
	cr_expect_not(sdp_proto_secure(SDP_PROTO_OTHER) || sdp_proto_feedback(SDP_PROTO_OTHER));
	cr_expect_str_eq(sdp_direction_name(SDP_RECVONLY), "recvonly");
	cr_expect(sdp_span_is((struct sdp_span){"AbC", 3}, "aBc"));
	cr_expect_not(sdp_span_is((struct sdp_span){"abcd", 4}, "abc"));
}
