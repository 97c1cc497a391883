// SPDX-License-Identifier: BSD-3-Clause
// NG frames: in a datagram, in a stream in pieces, and what their dictionaries ask for.
#include "ng/frame.h"
#include "ng/request.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frame(const char *data, size_t size)
{
	struct ng_frame f;
	struct ng_arena a;
	struct ng_val *v;
	struct ng_request req;
	struct err err;

	if (ng_frame_split(data, size, &f) < 0)
		return;
	ng_arena_init(&a, 32 << 20);
	if (ng_decode(&a, f.format, f.body.at, f.body.len, &v, &err) == 0 &&
	    ng_request_read(&a, v, &req, &err) == 0) {
		unsigned n = 0;
		for (const struct ng_named *m = req.named; m != NULL; m = m->next, n++)
			if (m->name.len == 0 || n > NG_MESSAGE_MAX)
				abort();
		if (!ng_verb_built(req.verb))
			abort();
	}
	ng_arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ng_scan scan = {0}, whole = {0};
	size_t used, at = 0, first = 0;
	int rc = 0, one;

	frame((const char *)data, size);
	one = ng_scan_feed(&whole, (const char *)data, size, &first);
	for (size_t step = size > 0 ? data[0] % 7 + 1 : 1; rc == 0 && at < size; at += used)
		rc = ng_scan_feed(&scan, (const char *)data + at,
				  step < size - at ? step : size - at, &used);
	// In pieces or at once: the same frame.
	if (rc != one || (rc == 1 && at != first))
		abort();
	if (rc == 1)
		frame((const char *)data, at);
	return 0;
}
