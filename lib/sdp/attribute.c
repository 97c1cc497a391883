// SPDX-License-Identifier: BSD-3-Clause
// "a=" lines: their table, and one function for each kind whose value says something.
#include "scan.h"

#include <errno.h>

typedef int (*attr_read)(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value);

enum { AT_SESSION = 1, AT_MEDIA = 2, AT_BOTH = 3 };

static int read_rtcp(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	struct scan s = scan_of(value);
	struct ip_endpoint *e = &r->section->rtcp;
	uint32_t port;

	(void)line;
	scan_blanks(&s);
	if (!scan_number(&s, UINT16_MAX, &port) || !scan_at_gap(&s))
		return sdp_mistake(r, -EINVAL, "a=rtcp: needs a port of 0 to 65535");
	*e = (struct ip_endpoint){.port = (uint16_t)port};
	scan_blanks(&s);
	return s.at == s.end ? 0 : sdp_read_address(r, &s, &e->addr);
}

static int read_rtcp_mux(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	(void)line;
	(void)value;
	r->section->rtcp_mux = true;
	return 0;
}

static int read_rtcp_mux_only(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	r->section->rtcp_mux_only = true;
	return read_rtcp_mux(r, line, value);
}

static int read_crypto(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	struct sdp *sdp = r->sdp;

	(void)line;
	if (sdp->n_crypto == SDP_CRYPTO_MAX)
		return sdp_mistake(r, -E2BIG, "more than %d a=crypto lines", SDP_CRYPTO_MAX);
	if (sdp_crypto_parse(value.at, value.len, &sdp->crypto[sdp->n_crypto]) < 0)
		return sdp_mistake(r, -EINVAL,
				   "a=crypto: is a tag, a suite, \"inline:\" with a key of the "
				   "suite's length, and session parameters");
	sdp->n_crypto++;
	r->section->n_crypto++;
	return 0;
}

static int read_fingerprint(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	(void)line;
	(void)value;
	*(r->section != NULL ? &r->section->dtls : &r->sdp->dtls) = true;
	return 0;
}

static int read_ice(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	(void)line;
	(void)value;
	*(r->section != NULL ? &r->section->ice : &r->session_ice) = true;
	return 0;
}

static int read_ice_lite(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	(void)line;
	(void)value;
	r->sdp->ice_lite = true;
	return 0;
}

static int set_direction(struct sdp_reader *r, enum sdp_direction d)
{
	if (r->section != NULL) {
		r->section->direction = d;
		r->section->own_direction = true;
	} else {
		r->sdp->direction = d;
		r->sdp->own_direction = true;
	}
	return 0;
}

static int read_direction(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	// The line as a whole is the word.
	struct sdp_span word = {r->sdp->text + line->at + 2, line->len - 2};

	(void)value;
	for (unsigned d = SDP_SENDRECV; d <= SDP_INACTIVE; d++)
		if (sdp_span_is(word, sdp_direction_name((enum sdp_direction)d)))
			return set_direction(r, (enum sdp_direction)d);
	line->kind = SDP_LINE_OTHER; // "a=sendonly:x" is none
	return 0;
}

// A line of a payload type, or of all ("*"). What has none is not ours, and stays.
static bool read_type(struct sdp_line *line, struct scan *s, uint32_t *type)
{
	scan_blanks(s);
	if (scan_number(s, 127, type) && scan_at_gap(s)) {
		line->value = (int16_t)*type;
		return true;
	}
	if (!scan_char(s, '*') || !scan_at_gap(s))
		line->kind = SDP_LINE_OTHER;
	line->value = -1;
	return false;
}

static struct sdp_codec *listed(struct sdp_reader *r, uint32_t type)
{
	return r->codec_of[type] == SDP_NOT_LISTED ? NULL : &r->sdp->codec[r->codec_of[type]];
}

static int read_rtpmap(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	struct scan s = scan_of(value);
	uint32_t type, rate, channels = 0;
	struct sdp_codec *c;

	if (!read_type(line, &s, &type) || (c = listed(r, type)) == NULL)
		return 0;
	scan_blanks(&s);
	struct sdp_span name = scan_until(&s, '/');
	if (name.len == 0 || !scan_char(&s, '/') || !scan_number(&s, UINT32_MAX, &rate) ||
	    (scan_char(&s, '/') && !scan_number(&s, UINT8_MAX, &channels)) || !scan_at_gap(&s))
		return sdp_mistake(r, -EINVAL,
				   "a=rtpmap:%u is name/clock rate, perhaps with /channels", type);
	c->name = name;
	c->clock_rate = rate;
	c->channels = (uint8_t)channels;
	return 0;
}

static int read_fmtp(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	struct scan s = scan_of(value);
	struct sdp_codec *c;
	uint32_t type;

	if (read_type(line, &s, &type) && (c = listed(r, type)) != NULL && c->fmtp.len == 0)
		scan_rest(&s, &c->fmtp);
	return 0;
}

static int read_rtcp_fb(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	struct scan s = scan_of(value);
	uint32_t type;

	(void)r;
	read_type(line, &s, &type);
	return 0;
}

// Milliseconds, perhaps with a fraction (RFC 8866 section 6.4), which is cut.
static int read_ms(struct sdp_reader *r, struct sdp_span value, uint16_t *out)
{
	struct scan s = scan_of(value);
	uint32_t ms, fraction;

	scan_blanks(&s);
	if (!scan_number(&s, UINT16_MAX, &ms) ||
	    (scan_char(&s, '.') && !scan_number(&s, UINT32_MAX, &fraction)) || !scan_at_gap(&s))
		return sdp_mistake(r, -EINVAL, "a packet time is in milliseconds, 65535 at most");
	*out = (uint16_t)ms;
	return 0;
}

static int read_ptime(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	(void)line;
	return read_ms(r, value, &r->section->ptime);
}

static int read_maxptime(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	(void)line;
	return read_ms(r, value, &r->section->maxptime);
}

static int read_mid(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	struct scan s = scan_of(value);

	(void)line;
	r->section->mid = scan_word(&s);
	if (r->section->mid.len == 0)
		return sdp_mistake(r, -EINVAL, "a=mid: needs a name");
	return 0;
}

static int read_label(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	struct scan s = scan_of(value);

	(void)line;
	r->section->label = scan_word(&s);
	return 0;
}

static int read_group(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	struct scan s = scan_of(value);

	if (!sdp_span_is(scan_word(&s), "BUNDLE")) {
		line->kind = SDP_LINE_OTHER;
		return 0;
	}
	for (;;) {
		struct sdp_span mid = scan_word(&s);
		if (mid.len == 0)
			return 0;
		if (r->n_mids == SDP_MID_MAX)
			return sdp_mistake(r, -E2BIG, "more than %d bundled sections", SDP_MID_MAX);
		r->mid[r->n_mids++] = mid;
	}
}

static const struct attr {
	const char *name;
	uint8_t where;
	uint8_t kind;
	bool rtp; // only in sections of RTP
	attr_read read;
} attrs[] = {
	{"rtpmap", AT_MEDIA, SDP_LINE_CODEC, true, read_rtpmap},
	{"fmtp", AT_MEDIA, SDP_LINE_CODEC, true, read_fmtp},
	{"rtcp-fb", AT_MEDIA, SDP_LINE_CODEC, true, read_rtcp_fb},
	{"rtcp", AT_MEDIA, SDP_LINE_RTCP, true, read_rtcp},
	{"rtcp-mux", AT_MEDIA, SDP_LINE_RTCP_MUX, true, read_rtcp_mux},
	{"rtcp-mux-only", AT_MEDIA, SDP_LINE_RTCP_MUX, true, read_rtcp_mux_only},
	{"crypto", AT_MEDIA, SDP_LINE_CRYPTO, true, read_crypto},
	{"fingerprint", AT_BOTH, SDP_LINE_DTLS, false, read_fingerprint},
	{"setup", AT_BOTH, SDP_LINE_DTLS, false, NULL},
	{"tls-id", AT_BOTH, SDP_LINE_DTLS, false, NULL},
	{"connection", AT_BOTH, SDP_LINE_DTLS, false, NULL},
	{"candidate", AT_MEDIA, SDP_LINE_ICE, false, read_ice},
	{"ice-ufrag", AT_BOTH, SDP_LINE_ICE, false, read_ice},
	{"ice-pwd", AT_BOTH, SDP_LINE_ICE, false, read_ice},
	{"ice-options", AT_BOTH, SDP_LINE_ICE, false, NULL},
	{"ice-pacing", AT_BOTH, SDP_LINE_ICE, false, NULL},
	{"ice-mismatch", AT_MEDIA, SDP_LINE_ICE, false, NULL},
	{"ice-lite", AT_SESSION, SDP_LINE_ICE, false, read_ice_lite},
	{"remote-candidates", AT_MEDIA, SDP_LINE_ICE, false, NULL},
	{"end-of-candidates", AT_BOTH, SDP_LINE_ICE, false, NULL},
	{"sendrecv", AT_BOTH, SDP_LINE_DIRECTION, false, read_direction},
	{"sendonly", AT_BOTH, SDP_LINE_DIRECTION, false, read_direction},
	{"recvonly", AT_BOTH, SDP_LINE_DIRECTION, false, read_direction},
	{"inactive", AT_BOTH, SDP_LINE_DIRECTION, false, read_direction},
	{"ptime", AT_MEDIA, SDP_LINE_PTIME, true, read_ptime},
	{"maxptime", AT_MEDIA, SDP_LINE_MAXPTIME, true, read_maxptime},
	{"mid", AT_MEDIA, SDP_LINE_MID, false, read_mid},
	{"label", AT_MEDIA, SDP_LINE_LABEL, false, read_label},
	{"group", AT_SESSION, SDP_LINE_GROUP, false, read_group},
	{"bundle-only", AT_MEDIA, SDP_LINE_GROUP, false, NULL},
	{"rtcp-rsize", AT_MEDIA, SDP_LINE_TOOL, true, NULL},
	{"ssrc", AT_MEDIA, SDP_LINE_TOOL, true, NULL},
	{"ssrc-group", AT_MEDIA, SDP_LINE_TOOL, true, NULL},
	{"msid", AT_MEDIA, SDP_LINE_TOOL, false, NULL},
};

int sdp_read_attribute(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value)
{
	const char *colon = memchr(value.at, ':', value.len);
	struct sdp_span name = {value.at, colon ? (uint32_t)(colon - value.at) : value.len};
	uint8_t where = r->section != NULL ? AT_MEDIA : AT_SESSION;

	if (colon != NULL)
		value = (struct sdp_span){colon + 1, value.len - name.len - 1};
	else
		value.len = 0;
	for (unsigned i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		const struct attr *a = &attrs[i];
		if (!(a->where & where) || !sdp_span_is(name, a->name))
			continue;
		if (a->rtp && r->section->proto == SDP_PROTO_OTHER)
			return 0;
		line->kind = a->kind;
		return a->read != NULL ? a->read(r, line, value) : 0;
	}
	return 0;
}
