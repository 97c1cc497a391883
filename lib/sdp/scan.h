// SPDX-License-Identifier: BSD-3-Clause
// Reading fields off a piece of text; what the files of this library share.
#pragma once

#include "sdp.h"

#include <string.h>

// What is left of a text.
struct scan {
	const char *at, *end;
};

static inline struct scan scan_of(struct sdp_span s)
{
	return (struct scan){s.at, s.at + s.len};
}

static inline size_t scan_left(const struct scan *s)
{
	return (size_t)(s->end - s->at);
}

static inline void scan_blanks(struct scan *s)
{
	while (s->at < s->end && *s->at == ' ')
		s->at++;
}

static inline bool scan_char(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

// Up to stop, a blank or the end; stop is left standing.
static inline struct sdp_span scan_until(struct scan *s, char stop)
{
	const char *from = s->at;

	while (s->at < s->end && *s->at != stop && *s->at != ' ')
		s->at++;
	return (struct sdp_span){from, (uint32_t)(s->at - from)};
}

// The next word; blanks before it are passed over. len 0: there is none.
static inline struct sdp_span scan_word(struct scan *s)
{
	scan_blanks(s);
	return scan_until(s, ' ');
}

// Digits, at least one, of a value of at most max.
static inline bool scan_number(struct scan *s, uint32_t max, uint32_t *out)
{
	const char *from = s->at;
	uint64_t n = 0;

	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
		n = n * 10 + (uint64_t)(*s->at - '0');
		if (n > max)
			return false;
	}
	*out = (uint32_t)n;
	return s->at > from;
}

// A number is followed by a blank or nothing.
static inline bool scan_at_gap(const struct scan *s)
{
	return s->at == s->end || *s->at == ' ';
}

static inline void scan_rest(struct scan *s, struct sdp_span *out)
{
	scan_blanks(s);
	*out = (struct sdp_span){s->at, (uint32_t)scan_left(s)};
	s->at = s->end;
}

#define SDP_QUOTE_MAX 44
// A piece of a stranger's text that is fit for a message: shortened, with '?' for what can't be shown.
const char *sdp_quote(struct sdp_span s, char buf[static SDP_QUOTE_MAX]);

// What RFC 3551 says of a static payload type; name NULL for the others.
struct sdp_static {
	const char *name;
	uint32_t clock_rate;
	uint8_t channels;
};
extern const struct sdp_static sdp_statics[35];

// ---- reading, between parse.c and attribute.c ----

#define SDP_NOT_LISTED (-1)

struct sdp_reader {
	struct sdp *sdp;
	struct sdp_section *section; // NULL: in the session's part
	struct err *err;
	unsigned line;         // from 1
	bool session_ice;      // credentials for all sections
	int16_t codec_of[128]; // of the section's payload types, or SDP_NOT_LISTED
	unsigned n_mids;       // of a=group:BUNDLE
	struct sdp_span mid[SDP_MID_MAX];
};

// "NETTYPE ADDRTYPE ADDRESS": 0 with family 0 if the network is not the Internet, or a mistake.
int sdp_read_address(struct sdp_reader *r, struct scan *s, struct ip_addr *out);
// The value of an "a=" line.
int sdp_read_attribute(struct sdp_reader *r, struct sdp_line *line, struct sdp_span value);
__attribute__((format(printf, 3, 4))) int sdp_mistake(struct sdp_reader *r, int code,
						      const char *fmt, ...);
