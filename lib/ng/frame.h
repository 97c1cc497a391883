// SPDX-License-Identifier: BSD-3-Clause
// "COOKIE MESSAGE", as a datagram holds it or as it comes in a stream, where the message itself says
// where it ends.
#pragma once

#include "value.h"

#define NG_COOKIE_MAX 255

struct ng_frame {
	struct ng_str cookie, body;
	enum ng_format format;
};

// Parts of a whole frame; they point into data. -EBADMSG if it is none.
int ng_frame_split(const char *data, size_t len, struct ng_frame *out);

// Finds a frame's end in a stream that comes in pieces. Zeroed, it is at a frame's begin.
struct ng_scan {
	enum {
		NG_SCAN_COOKIE,
		NG_SCAN_BENCODE,
		NG_SCAN_LENGTH,
		NG_SCAN_TEXT,
		NG_SCAN_INT,
		NG_SCAN_JSON,
		NG_SCAN_JSON_TEXT,
		NG_SCAN_JSON_ESCAPE,
	} state;
	uint32_t depth;
	size_t n, text; // bytes of the frame so far; of the text that are still to come
	bool begun;     // the body has
};

// Takes up to len more bytes. *used of them belong to this frame. Returns 1 if the frame is whole
// (s is zeroed), 0 if more has to come, -EBADMSG if it can't become one, -E2BIG if it is too long.
int ng_scan_feed(struct ng_scan *s, const char *data, size_t len, size_t *used);
