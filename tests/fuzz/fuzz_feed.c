// SPDX-License-Identifier: BSD-3-Clause
// The IKE feed's decoder: whatever it takes, encoding gives the same bytes, and every count is in its
// range.
#include "ike/feed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void in_range(const struct feed_msg *m)
{
	if (m->type == FEED_SA_ADD &&
	    (m->sa.encr_len > FEED_KEY_MAX || m->sa.integ_len > FEED_KEY_MAX ||
	     m->sa.n_src > FEED_TS_MAX || m->sa.n_dst > FEED_TS_MAX))
		abort();
	if (m->type == FEED_SEQS && m->seqs.n > FEED_SEQS_MAX)
		abort();
	if (m->type == FEED_NOTE && strnlen(m->note.text, FEED_TEXT_MAX) == FEED_TEXT_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct feed_msg m;
	static uint8_t again[FEED_MESSAGE_MAX];
	uint8_t *copy;
	struct err err;

	if (size < FEED_HEADER || size > FEED_MESSAGE_MAX)
		return 0;
	// The length is set right, so that what follows it is reached; the heap catches what reads beyond.
	copy = malloc(size);
	memcpy(copy, data, size);
	copy[0] = 0;
	copy[1] = (uint8_t)(size >> 16);
	copy[2] = (uint8_t)(size >> 8);
	copy[3] = (uint8_t)size;
	if (feed_len(copy, size) != (int)size)
		abort();
	if (feed_decode(copy, size, &m, &err) == 0) {
		in_range(&m);
		int n = feed_encode(&m, again, sizeof(again));
		bool later =
			(m.type & ~FEED_ANSWER) == FEED_HELLO && m.hello.version > FEED_VERSION;
		if (n < 0 || (!later && ((size_t)n != size || memcmp(again, copy, size) != 0)))
			abort();
	}
	free(copy);
	return 0;
}
