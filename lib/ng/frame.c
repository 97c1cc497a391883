// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

int ng_frame_split(const char *data, size_t len, struct ng_frame *out)
{
	for (; len > 0 && (*data == '\n' || *data == '\r'); len--)
		data++;
	const char *space = memchr(data, ' ', len < NG_COOKIE_MAX + 1 ? len : NG_COOKIE_MAX + 1);

	if (space == NULL || space == data || (size_t)(space - data) + 1 >= len)
		return -EBADMSG;
	// Some clients end a datagram with a line end.
	while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
		len--;
	out->cookie = (struct ng_str){data, (uint32_t)(space - data)};
	const char *body = space + 1;
	while (body < data + len && *body == ' ')
		body++;
	out->body = (struct ng_str){body, (uint32_t)(data + len - body)};
	if (out->body.len == 0 || (body[0] != 'd' && body[0] != '{'))
		return -EBADMSG;
	out->format = body[0] == '{' ? NG_JSON : NG_BENCODE;
	return 0;
}

static int closed(struct ng_scan *s)
{
	if (--s->depth > 0)
		return 0;
	*s = (struct ng_scan){0};
	return 1;
}

static int opened(struct ng_scan *s)
{
	return ++s->depth > NG_DEPTH_MAX ? -E2BIG : 0;
}

static int cookie_char(struct ng_scan *s, char c)
{
	if (s->begun && c != ' ') {
		s->state = c == '{' ? NG_SCAN_JSON : NG_SCAN_BENCODE;
		return c == '{' || c == 'd' ? opened(s) : -EBADMSG;
	}
	if (c == ' ') {
		s->begun = true;
		return s->n == 1 ? -EBADMSG : 0;
	}
	if (s->n == 1 && (c == '\n' || c == '\r'))
		s->n = 0; // between frames
	return s->n > NG_COOKIE_MAX ? -EBADMSG : 0;
}

static int bencode_char(struct ng_scan *s, char c)
{
	if (c == 'd' || c == 'l')
		return opened(s);
	if (c == 'e')
		return closed(s);
	if (c == 'i')
		s->state = NG_SCAN_INT;
	else if (isdigit((unsigned char)c)) {
		s->state = NG_SCAN_LENGTH;
		s->text = (size_t)(c - '0');
	} else {
		return -EBADMSG;
	}
	return 0;
}

static int length_char(struct ng_scan *s, char c)
{
	if (c == ':') {
		s->state = s->text > 0 ? NG_SCAN_TEXT : NG_SCAN_BENCODE;
		return 0;
	}
	if (!isdigit((unsigned char)c))
		return -EBADMSG;
	s->text = s->text * 10 + (size_t)(c - '0');
	return s->text > NG_MESSAGE_MAX ? -E2BIG : 0;
}

static int json_char(struct ng_scan *s, char c)
{
	if (c == '{' || c == '[')
		return opened(s);
	if (c == '}' || c == ']')
		return closed(s);
	if (c == '"')
		s->state = NG_SCAN_JSON_TEXT;
	return 0;
}

static int one_char(struct ng_scan *s, char c)
{
	switch (s->state) {
	case NG_SCAN_COOKIE:
		return cookie_char(s, c);
	case NG_SCAN_BENCODE:
		return bencode_char(s, c);
	case NG_SCAN_LENGTH:
		return length_char(s, c);
	case NG_SCAN_TEXT:
		if (--s->text == 0)
			s->state = NG_SCAN_BENCODE;
		return 0;
	case NG_SCAN_INT:
		if (c == 'e')
			s->state = NG_SCAN_BENCODE;
		return c == 'e' || c == '-' || isdigit((unsigned char)c) ? 0 : -EBADMSG;
	case NG_SCAN_JSON:
		return json_char(s, c);
	case NG_SCAN_JSON_TEXT:
		if (c == '"' || c == '\\')
			s->state = c == '"' ? NG_SCAN_JSON : NG_SCAN_JSON_ESCAPE;
		return 0;
	default:
		s->state = NG_SCAN_JSON_TEXT;
		return 0;
	}
}

int ng_scan_feed(struct ng_scan *s, const char *data, size_t len, size_t *used)
{
	int rc = 0;

	for (*used = 0; rc == 0 && *used < len; (*used)++) {
		if (++s->n > NG_MESSAGE_MAX)
			return -E2BIG;
		rc = one_char(s, data[*used]);
	}
	return rc;
}
