// SPDX-License-Identifier: BSD-3-Clause
// One pass over the lines; then what sections have from the session and from one another.
#include "scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int sdp_mistake(struct sdp_reader *r, int code, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->err, code, "SDP line %u: %s", r->line, text);
}

int sdp_read_address(struct sdp_reader *r, struct scan *s, struct ip_addr *out)
{
	struct sdp_span net = scan_word(s), family = scan_word(s), word;
	char text[IP_ADDR_STRLEN], quote[SDP_QUOTE_MAX];
	struct ip_addr a;

	scan_blanks(s);
	word = scan_until(s, '/'); // what follows is of multicast
	out->family = 0;
	if (word.len == 0)
		return sdp_mistake(r, -EINVAL,
				   "an address is \"IN IP4 a.b.c.d\" or \"IN IP6 ...\"");
	if (!sdp_span_is(net, "IN"))
		return 0;
	if (!sdp_span_is(family, "IP4") && !sdp_span_is(family, "IP6"))
		return sdp_mistake(r, -EINVAL, "address family \"%s\" is neither IP4 nor IP6",
				   sdp_quote(family, quote));
	if (word.len < sizeof(text)) {
		memcpy(text, word.at, word.len);
		text[word.len] = '\0';
	}
	if (word.len >= sizeof(text) || ip_addr_parse(text, &a) != 0 ||
	    (a.family == AF_INET) != sdp_span_is(family, "IP4"))
		return sdp_mistake(r, -EINVAL,
				   "\"%s\" is no address of family %.3s; names are not looked up",
				   sdp_quote(word, quote), family.at);
	*out = a;
	r->sdp->ipv6 |= a.family == AF_INET6;
	return 0;
}

// ---- lines that are not attributes ----

// From the end, because user names with blanks in them are seen.
static int read_origin(struct sdp_reader *r, struct sdp_span value)
{
	struct sdp_span field[5]; // session id, version, network, family, address
	const char *end = value.at + value.len;

	for (int i = 4; i >= 0; i--) {
		while (end > value.at && end[-1] == ' ')
			end--;
		const char *from = end;
		while (from > value.at && from[-1] != ' ')
			from--;
		field[i] = (struct sdp_span){from, (uint32_t)(end - from)};
		end = from;
	}
	if (field[0].len == 0)
		return sdp_mistake(r, -EINVAL,
				   "o= is user name, session id, version, IN, IP4 or IP6, address");
	while (end > value.at && end[-1] == ' ')
		end--;
	r->sdp->username = (struct sdp_span){value.at, (uint32_t)(end - value.at)};
	r->sdp->session_id = field[0];
	r->sdp->version = field[1];
	r->sdp->origin_address = field[4];
	r->sdp->ipv6 |= sdp_span_is(field[3], "IP6");
	return 0;
}

static int read_connection(struct sdp_reader *r, struct sdp_span value)
{
	struct scan s = scan_of(value);
	struct ip_addr a;
	int rc = sdp_read_address(r, &s, &a);

	if (rc < 0)
		return rc;
	if (r->section == NULL) {
		r->sdp->address = a;
	} else if (!r->section->own_connection) { // further ones are of multicast
		r->section->address = a;
		r->section->own_connection = true;
	}
	return 0;
}

static int read_types(struct sdp_reader *r, struct scan *s)
{
	struct sdp_section *sec = r->section;
	char quote[SDP_QUOTE_MAX];

	for (;;) {
		struct sdp_span word = scan_word(s);
		struct scan w = scan_of(word);
		uint32_t type;
		if (word.len == 0)
			break;
		if (!scan_number(&w, 127, &type) || w.at != w.end) {
			if (sec->port == 0) { // "*", "-" and the like: nobody takes it
				sec->odd_formats = true;
				continue;
			}
			return sdp_mistake(r, -EINVAL,
					   "payload type \"%s\" is no number of 0 to 127",
					   sdp_quote(word, quote));
		}
		if (r->codec_of[type] != SDP_NOT_LISTED)
			continue;
		if (r->sdp->n_codecs == SDP_CODECS_MAX)
			return sdp_mistake(r, -E2BIG, "more than %d payload types", SDP_CODECS_MAX);
		r->codec_of[type] = (int16_t)r->sdp->n_codecs;
		struct sdp_codec *c = &r->sdp->codec[r->sdp->n_codecs++];
		*c = (struct sdp_codec){.type = (uint8_t)type};
		if (type < sizeof(sdp_statics) / sizeof(sdp_statics[0]) && sdp_statics[type].name) {
			c->name = (struct sdp_span){sdp_statics[type].name,
						    (uint32_t)strlen(sdp_statics[type].name)};
			c->clock_rate = sdp_statics[type].clock_rate;
			c->channels = sdp_statics[type].channels;
		}
		sec->types[type / 64] |= 1ULL << type % 64;
		sec->n_codecs++;
	}
	if (sec->n_codecs == 0 && sec->port != 0)
		return sdp_mistake(r, -EINVAL, "m= names no payload type");
	return 0;
}

static int read_media(struct sdp_reader *r, struct sdp_span value)
{
	struct sdp *sdp = r->sdp;
	struct scan s = scan_of(value);
	uint32_t port, count;

	if (sdp->n_sections == SDP_SECTIONS_MAX)
		return sdp_mistake(r, -E2BIG, "more than %d media sections", SDP_SECTIONS_MAX);
	if (sdp->n_sections == 0)
		sdp->session_lines = (uint16_t)(r->line - 1);
	struct sdp_section *sec = r->section = &sdp->section[sdp->n_sections++];
	*sec = (struct sdp_section){
		.first_line = (uint16_t)(r->line - 1),
		.address = sdp->address,
		.direction = sdp->direction,
		.ice = r->session_ice,
		.dtls = sdp->dtls,
		.first_codec = sdp->n_codecs,
		.first_crypto = sdp->n_crypto,
	};
	memset(r->codec_of, 0xff, sizeof(r->codec_of));
	sec->media = scan_word(&s);
	scan_blanks(&s);
	if (sec->media.len == 0 || !scan_number(&s, UINT16_MAX, &port) ||
	    (scan_char(&s, '/') && !scan_number(&s, UINT16_MAX, &count)) || !scan_at_gap(&s))
		return sdp_mistake(r, -EINVAL,
				   "m= is media, port of 0 to 65535, protocol, formats");
	sec->port = (uint16_t)port;
	sec->proto_text = scan_word(&s);
	if (sec->proto_text.len == 0)
		return sdp_mistake(r, -EINVAL, "m= names no protocol");
	sec->proto = sdp_proto_by_name(sec->proto_text.at, sec->proto_text.len);
	return sec->proto == SDP_PROTO_OTHER ? 0 : read_types(r, &s);
}

static int read_line(struct sdp_reader *r, struct sdp_line *line)
{
	const char *at = r->sdp->text + line->at;
	struct sdp_span value = {at + 2, line->len - 2};
	char quote[SDP_QUOTE_MAX];

	line->kind = SDP_LINE_OTHER;
	line->value = 0;
	if (line->len == 0 && r->line > 1)
		return 0;
	if (r->line == 1 && (line->len < 3 || memcmp(at, "v=0", 3) != 0))
		return sdp_mistake(r, -EINVAL, "SDP begins with \"v=0\"");
	if (line->len < 2 || at[1] != '=' || at[0] < 'a' || at[0] > 'z')
		return sdp_mistake(r, -EINVAL, "\"%s\" is not a letter, '=' and a value",
				   sdp_quote((struct sdp_span){at, line->len}, quote));
	switch (at[0]) {
	case 'm':
		line->kind = SDP_LINE_MEDIA;
		return read_media(r, value);
	case 'c':
		line->kind = SDP_LINE_CONNECTION;
		return read_connection(r, value);
	case 'b':
		line->kind = SDP_LINE_BANDWIDTH;
		return 0;
	case 'a':
		return sdp_read_attribute(r, line, value);
	case 'o':
		if (r->section != NULL)
			return sdp_mistake(r, -EINVAL, "o= is of the session and stands before m=");
		line->kind = SDP_LINE_ORIGIN;
		return read_origin(r, value);
	case 's':
		if (r->section == NULL) {
			line->kind = SDP_LINE_NAME;
			r->sdp->name = value;
		}
	}
	return 0;
}

// ---- what is known at the end ----

// Events go at the clock rate of what is spoken, if there is a type for that.
static uint8_t dtmf_type(const struct sdp *sdp, const struct sdp_section *sec)
{
	const struct sdp_codec *c = &sdp->codec[sec->first_codec];
	uint8_t found = 0;

	for (unsigned i = 0; i < sec->n_codecs; i++) {
		if (!sdp_span_is(c[i].name, "telephone-event"))
			continue;
		if (c[i].clock_rate == c[0].clock_rate)
			return c[i].type;
		if (found == 0)
			found = c[i].type;
	}
	return found;
}

static bool same_span(struct sdp_span a, struct sdp_span b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static int finish_section(struct sdp_reader *r, unsigned i, unsigned flags)
{
	struct sdp *sdp = r->sdp;
	struct sdp_section *sec = &sdp->section[i];
	unsigned end = i + 1u < sdp->n_sections ? sdp->section[i + 1].first_line : sdp->n_lines;

	sec->n_lines = (uint16_t)(end - sec->first_line);
	sec->dtmf_type = dtmf_type(sdp, sec);
	for (unsigned m = 0; m < r->n_mids && sec->mid.len > 0; m++)
		sec->bundled |= same_span(sec->mid, r->mid[m]);
	if (!(flags & SDP_IPV6_REFUSE) || sec->port == 0)
		return 0;
	if (sec->address.family == AF_INET6 || sec->rtcp.addr.family == AF_INET6)
		return err_set(
			r->err, -EAFNOSUPPORT,
			"SDP line %u: this media is at an IPv6 address; only IPv4 is relayed here",
			sec->first_line + 1u);
	return 0;
}

// ---- lines ----

// The line at the offset. A CR without LF is an end of line to some and none to others, so lines could
// be hidden by it; NUL likewise.
static int cut_line(struct sdp_reader *r, uint32_t at, struct sdp_line *line)
{
	const char *from = r->sdp->text + at;
	size_t left = r->sdp->len - at;
	const char *lf = memchr(from, '\n', left);
	size_t len = lf != NULL ? (size_t)(lf - from) : left;

	line->at = at;
	line->end = lf != NULL;
	if (lf != NULL && len > 0 && from[len - 1] == '\r') {
		len--;
		line->end = 2;
	}
	line->len = (uint32_t)len;
	if (memchr(from, '\r', len) != NULL)
		return sdp_mistake(r, -EINVAL, "a carriage return that does not end the line");
	if (memchr(from, '\0', len) != NULL)
		return sdp_mistake(r, -EINVAL, "a zero byte");
	return 0;
}

int sdp_parse(struct sdp *sdp, const char *text, size_t len, unsigned flags, struct err *err)
{
	struct sdp_reader r = {.sdp = sdp, .err = err};
	int rc;

	memset(sdp, 0, offsetof(struct sdp, line));
	if (len > SDP_BYTES_MAX)
		return err_set(err, -E2BIG, "SDP of %zu bytes: at most %d are read", len,
			       SDP_BYTES_MAX);
	if (len == 0)
		return err_set(err, -EINVAL, "SDP is empty");
	sdp->text = text;
	sdp->len = (uint32_t)len;
	for (uint32_t at = 0; at < sdp->len;) {
		r.line = sdp->n_lines + 1u;
		if (sdp->n_lines == SDP_LINES_MAX)
			return sdp_mistake(&r, -E2BIG, "more than %d lines", SDP_LINES_MAX);
		struct sdp_line *line = &sdp->line[sdp->n_lines];
		if ((rc = cut_line(&r, at, line)) < 0 || (rc = read_line(&r, line)) < 0)
			return rc;
		sdp->n_lines++;
		at += line->len + line->end;
	}
	sdp->newline = sdp->line[0].end == 1 ? 1 : 2;
	if (sdp->n_sections == 0)
		sdp->session_lines = sdp->n_lines;
	for (unsigned i = 0; i < sdp->n_sections; i++)
		if ((rc = finish_section(&r, i, flags)) < 0)
			return rc;
	return 0;
}

void sdp_wipe(struct sdp *sdp)
{
	explicit_bzero(sdp->crypto, sizeof(sdp->crypto));
}
