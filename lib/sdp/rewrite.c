// SPDX-License-Identifier: BSD-3-Clause
// One pass over the lines: each is kept, cut or replaced; new ones follow m= (c=) or end a section (a=).
#include "scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct writer {
	const struct sdp *sdp;
	char *out;
	size_t len, size;
	bool full;
};

static void put(struct writer *w, const char *text, size_t len)
{
	if (w->full || len > w->size - w->len) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->len, text, len);
	w->len += len;
}

static void put_span(struct writer *w, struct sdp_span s)
{
	put(w, s.at, s.len);
}

static void put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_end(struct writer *w)
{
	put(w, w->sdp->newline == 1 ? "\n" : "\r\n", w->sdp->newline);
}

// A line of ours begins; the text's last one may have had no ending.
static void begin_line(struct writer *w)
{
	if (w->len > 0 && !w->full && w->out[w->len - 1] != '\n')
		put_end(w);
}

__attribute__((format(printf, 2, 3))) static void put_line(struct writer *w, const char *fmt, ...)
{
	char text[256]; // only for texts whose length is known to us
	va_list ap;

	begin_line(w);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_text(w, text);
	put_end(w);
}

static void put_line_of(struct writer *w, const char *prefix, const char *value)
{
	begin_line(w);
	put_text(w, prefix);
	put_text(w, value);
	put_end(w);
}

static void keep(struct writer *w, const struct sdp_line *line)
{
	put(w, w->sdp->text + line->at, line->len + line->end);
}

// The ending of a line that was replaced.
static void keep_end(struct writer *w, const struct sdp_line *line)
{
	put(w, w->sdp->text + line->at + line->len, line->end);
}

static const char *address_text(const struct ip_addr *a, char buf[static IP_ADDR_STRLEN + 8])
{
	char text[IP_ADDR_STRLEN];

	snprintf(buf, IP_ADDR_STRLEN + 8, "IP%c %s", a->family == AF_INET6 ? '6' : '4',
		 ip_addr_str(a, text));
	return buf;
}

static void put_connection(struct writer *w, const struct ip_addr *a)
{
	char buf[IP_ADDR_STRLEN + 8];

	put_text(w, "c=IN ");
	put_text(w, address_text(a, buf));
}

// ---- the session's part ----

static void put_origin(struct writer *w, const struct sdp_change *c, const struct sdp_line *line)
{
	const struct sdp *sdp = w->sdp;
	const char *after = sdp->version.at + sdp->version.len; // " IN IP4 address"
	const char *end = sdp->text + line->at + line->len;
	char buf[IP_ADDR_STRLEN + 8];

	put_text(w, "o=");
	if (c->username != NULL)
		put_text(w, c->username);
	else
		put_span(w, sdp->username);
	put_text(w, " ");
	if (c->session_id != NULL)
		put_text(w, c->session_id);
	else
		put_span(w, sdp->session_id);
	put_text(w, " ");
	if (c->version != NULL)
		put_text(w, c->version);
	else
		put_span(w, sdp->version);
	if (c->origin.family != 0) {
		put_text(w, " IN ");
		put_text(w, address_text(&c->origin, buf));
	} else {
		put(w, after, (size_t)(end - after));
	}
	keep_end(w, line);
}

static void session_line(struct writer *w, const struct sdp_change *c, const struct sdp_line *line)
{
	switch (line->kind) {
	case SDP_LINE_ORIGIN:
		if (c->origin.family == 0 && c->username == NULL && c->session_id == NULL &&
		    c->version == NULL)
			break;
		put_origin(w, c, line);
		return;
	case SDP_LINE_NAME:
		if (c->name == NULL)
			break;
		put_text(w, "s=");
		put_text(w, c->name);
		keep_end(w, line);
		return;
	case SDP_LINE_CONNECTION:
		if (c->connection.family == 0 || w->sdp->address.family == 0)
			break;
		put_connection(w, &c->connection);
		keep_end(w, line);
		return;
	case SDP_LINE_GROUP:
		if (c->cut_group)
			return;
		break;
	case SDP_LINE_ICE:
		if (c->cut_ice)
			return;
		break;
	case SDP_LINE_DTLS:
		if (c->cut_dtls)
			return;
		break;
	}
	keep(w, line);
}

// ---- a section ----

struct edit {
	const struct sdp_section *sec;
	const struct sdp_section_change *c;
	uint16_t port;          // that is written
	struct ip_addr address; // that its own c= gets; family 0: stays as it is, or is not needed
	bool cut_crypto, cut_dtls, cut_ice, cut_group;
	bool rtcp_touched; // a=rtcp is replaced or goes
	bool did_connection, did_rtcp, did_mux, did_direction, did_ptime, did_mid, did_label;
};

static uint16_t port_of(const struct sdp_section *sec, const struct sdp_section_change *c)
{
	if (c->pass)
		return sec->port;
	if (c->reject)
		return 0;
	return c->port != 0 ? c->port : sec->port;
}

static bool has(const uint64_t set[2], unsigned type)
{
	return set[type / 64] >> type % 64 & 1;
}

static void put_types(struct writer *w, const struct edit *e)
{
	const struct sdp_codec *codec = &w->sdp->codec[e->sec->first_codec];
	char text[8];

	for (unsigned i = 0; i < e->sec->n_codecs; i++) {
		if (has(e->c->strip, codec[i].type))
			continue;
		snprintf(text, sizeof(text), " %u", codec[i].type);
		put_text(w, text);
	}
}

// Written as it came where it stays, in whatever case.
static bool proto_changes(const struct edit *e)
{
	return e->c->proto != SDP_PROTO_OTHER && e->c->proto != e->sec->proto;
}

static bool types_change(const struct edit *e)
{
	return !e->c->reject && ((e->c->strip[0] & e->sec->types[0]) != 0 ||
				 (e->c->strip[1] & e->sec->types[1]) != 0);
}

static void put_media(struct writer *w, const struct edit *e, const struct sdp_line *line)
{
	const struct sdp_section *sec = e->sec;
	const char *formats = sec->proto_text.at + sec->proto_text.len;
	const char *end = w->sdp->text + line->at + line->len;
	char port[8];

	if (e->port == sec->port && !proto_changes(e) && !types_change(e)) {
		keep(w, line);
		return;
	}
	put_text(w, "m=");
	put_span(w, sec->media);
	snprintf(port, sizeof(port), " %u ", e->port);
	put_text(w, port);
	if (proto_changes(e))
		put_text(w, sdp_proto_name(e->c->proto));
	else
		put_span(w, sec->proto_text);
	if (types_change(e))
		put_types(w, e);
	else
		put(w, formats, (size_t)(end - formats));
	keep_end(w, line);
}

// c= of a section that has none of its own stands after m= and i=.
static void insert_connection(struct writer *w, struct edit *e)
{
	if (e->did_connection || e->sec->own_connection || e->address.family == 0)
		return;
	e->did_connection = true;
	begin_line(w);
	put_connection(w, &e->address);
	put_end(w);
}

static void connection_line(struct writer *w, struct edit *e, const struct sdp_line *line)
{
	if (e->address.family == 0) {
		keep(w, line);
	} else if (!e->did_connection) {
		e->did_connection = true;
		put_connection(w, &e->address);
		keep_end(w, line);
	}
}

// The first line of a kind is replaced, further ones go. Returns whether to write.
static bool first(bool *did)
{
	bool was = *did;

	*did = true;
	return !was;
}

static void replace(struct writer *w, bool *did, const struct sdp_line *line, const char *prefix,
		    const char *value)
{
	if (!first(did))
		return;
	put_text(w, prefix);
	put_text(w, value);
	keep_end(w, line);
}

static void replace_number(struct writer *w, bool *did, const struct sdp_line *line,
			   const char *prefix, unsigned n)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", n);
	replace(w, did, line, prefix, text);
}

static void attribute_line(struct writer *w, struct edit *e, const struct sdp_line *line)
{
	const struct sdp_section_change *c = e->c;
	bool cut = (line->kind == SDP_LINE_CRYPTO && e->cut_crypto) ||
		   (line->kind == SDP_LINE_DTLS && e->cut_dtls) ||
		   (line->kind == SDP_LINE_ICE && e->cut_ice) ||
		   (line->kind == SDP_LINE_GROUP && e->cut_group);

	if (cut)
		return;
	if (c->reject || c->pass) {
		keep(w, line);
		return;
	}
	switch (line->kind) {
	case SDP_LINE_RTCP:
		if (!e->rtcp_touched)
			break;
		if (c->rtcp_port != 0)
			replace_number(w, &e->did_rtcp, line, "a=rtcp:", c->rtcp_port);
		return;
	case SDP_LINE_RTCP_MUX:
		e->did_mux = true;
		if (c->rtcp_mux == SDP_OFF)
			return;
		break;
	case SDP_LINE_DIRECTION:
		if (!c->set_direction)
			break;
		replace(w, &e->did_direction, line, "a=", sdp_direction_name(c->direction));
		return;
	case SDP_LINE_CODEC:
		if (line->value >= 0 && has(c->strip, (unsigned)line->value))
			return;
		break;
	case SDP_LINE_PTIME:
		if (c->ptime == 0)
			break;
		replace_number(w, &e->did_ptime, line, "a=ptime:", c->ptime);
		return;
	case SDP_LINE_MID:
		if (c->mid == NULL)
			break;
		replace(w, &e->did_mid, line, "a=mid:", c->mid);
		return;
	case SDP_LINE_LABEL:
		if (c->label == NULL)
			break;
		replace(w, &e->did_label, line, "a=label:", c->label);
		return;
	}
	keep(w, line);
}

static int append(struct writer *w, struct edit *e, struct err *err)
{
	const struct sdp_section_change *c = e->c;

	if (c->set_direction && !e->did_direction)
		put_line(w, "a=%s", sdp_direction_name(c->direction));
	if (c->rtcp_port != 0 && !e->did_rtcp)
		put_line(w, "a=rtcp:%u", c->rtcp_port);
	if (c->rtcp_mux == SDP_ON && !e->did_mux)
		put_line(w, "a=rtcp-mux");
	if (c->ptime != 0 && !e->did_ptime)
		put_line(w, "a=ptime:%u", c->ptime);
	if (c->mid != NULL && !e->did_mid)
		put_line_of(w, "a=mid:", c->mid);
	if (c->label != NULL && !e->did_label)
		put_line_of(w, "a=label:", c->label);
	for (unsigned i = 0; i < c->n_crypto; i++) {
		char line[SDP_CRYPTO_LINE_MAX];
		int n = sdp_crypto_write(&c->crypto[i], line);
		if (n < 0)
			return err_set(err, n, "SRTP key %u for m= line %u has no suite or tag",
				       i + 1, e->sec->first_line + 1u);
		begin_line(w);
		put(w, line, (size_t)n);
		put_end(w);
		explicit_bzero(line, sizeof(line));
	}
	for (unsigned i = 0; c->extra != NULL && c->extra[i] != NULL; i++)
		put_line_of(w, "", c->extra[i]);
	return 0;
}

// What c= has to say so that the section is where it should be, the session's c= being changed or not.
static struct ip_addr wanted_address(const struct sdp *sdp, const struct sdp_change *change,
				     const struct edit *e)
{
	const struct sdp_section *sec = e->sec;
	struct ip_addr want = sec->address, none = {0};
	const struct ip_addr *session = sdp->address.family != 0 && change->connection.family != 0
						? &change->connection
						: &sdp->address;

	if (!e->c->pass && !e->c->reject && e->c->address.family != 0)
		want = e->c->address;
	if (sec->own_connection)
		return ip_addr_equal(&want, &sec->address) ? none : want;
	if (e->port == 0 || ip_addr_equal(&want, session))
		return none;
	return want;
}

static int write_section(struct writer *w, const struct sdp_change *change, unsigned i,
			 struct err *err)
{
	const struct sdp *sdp = w->sdp;
	const struct sdp_section *sec = &sdp->section[i];
	const struct sdp_section_change *c = &change->section[i];
	struct edit e = {
		.sec = sec,
		.c = c,
		.port = port_of(sec, c),
		.cut_crypto = !c->pass && (c->cut_crypto || c->reject),
		.cut_dtls = !c->pass && (c->cut_dtls || c->reject),
		.cut_ice = !c->pass && (c->cut_ice || c->reject),
		.cut_group = !c->pass && change->cut_group,
		.rtcp_touched = c->port != 0 || c->address.family != 0 || c->rtcp_port != 0,
	};
	unsigned end = sec->first_line + sec->n_lines, last = end;

	e.address = wanted_address(sdp, change, &e);
	while (last > sec->first_line + 1u && sdp->line[last - 1].len == 0)
		last--; // blank lines stay the last
	if (c->pass)
		keep(w, &sdp->line[sec->first_line]);
	else
		put_media(w, &e, &sdp->line[sec->first_line]);
	for (unsigned n = sec->first_line + 1u; n < last; n++) {
		const struct sdp_line *line = &sdp->line[n];
		if (line->len == 0 || sdp->text[line->at] != 'i')
			insert_connection(w, &e);
		if (line->kind == SDP_LINE_CONNECTION)
			connection_line(w, &e, line);
		else
			attribute_line(w, &e, line);
	}
	insert_connection(w, &e);
	int rc = c->pass || c->reject ? 0 : append(w, &e, err);
	for (unsigned n = last; n < end; n++)
		keep(w, &sdp->line[n]);
	return rc;
}

// ---- what the caller wants written ----

static int check_text(const char *text, const char *what, const char *forbidden, struct err *err)
{
	if (text == NULL || text[strcspn(text, forbidden)] == '\0')
		return 0;
	return err_set(err, -EINVAL, "%s has a character that SDP does not allow there", what);
}

static int check_change(const struct sdp *sdp, const struct sdp_change *c, struct err *err)
{
	if (check_text(c->username, "o= user name", "\r\n", err) < 0 ||
	    check_text(c->session_id, "o= session id", " \r\n", err) < 0 ||
	    check_text(c->version, "o= version", " \r\n", err) < 0 ||
	    check_text(c->name, "s=", "\r\n", err) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < sdp->n_sections; i++) {
		const struct sdp_section *sec = &sdp->section[i];
		const struct sdp_section_change *s = &c->section[i];
		if (s->pass || s->reject)
			continue;
		if (sec->proto == SDP_PROTO_OTHER && s->proto != SDP_PROTO_OTHER)
			return err_set(err, -EINVAL,
				       "SDP line %u: this media is no RTP, and can't become %s",
				       sec->first_line + 1u, sdp_proto_name(s->proto));
		if (sec->proto != SDP_PROTO_OTHER && port_of(sec, s) != 0 &&
		    !(sec->types[0] & ~s->strip[0]) && !(sec->types[1] & ~s->strip[1]))
			return err_set(err, -EINVAL, "SDP line %u: no payload type would be left",
				       sec->first_line + 1u);
		if (sec->odd_formats && port_of(sec, s) != 0)
			return err_set(err, -EINVAL,
				       "SDP line %u: it has formats that are no payload types",
				       sec->first_line + 1u);
		if (check_text(s->mid, "a=mid", " \r\n", err) < 0 ||
		    check_text(s->label, "a=label", " \r\n", err) < 0)
			return -EINVAL;
		for (unsigned n = 0; s->extra != NULL && s->extra[n] != NULL; n++)
			if (check_text(s->extra[n], "an extra line", "\r\n", err) < 0)
				return -EINVAL;
	}
	return 0;
}

int sdp_rewrite(const struct sdp *sdp, const struct sdp_change *change, char *out, size_t size,
		struct err *err)
{
	struct writer w = {.sdp = sdp, .out = out, .size = size < INT32_MAX ? size : INT32_MAX};
	int rc = check_change(sdp, change, err);

	for (unsigned i = 0; rc == 0 && i < sdp->session_lines; i++)
		session_line(&w, change, &sdp->line[i]);
	for (unsigned i = 0; rc == 0 && i < sdp->n_sections; i++)
		rc = write_section(&w, change, i, err);
	if (rc < 0)
		return rc;
	if (w.full)
		return err_set(err, -ENOSPC, "the rewritten SDP is longer than %zu bytes", size);
	return (int)w.len;
}
