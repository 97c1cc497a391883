// SPDX-License-Identifier: BSD-3-Clause
// A sequence of fragments, each with its own idea of offset and length. Every handle comes back
// exactly once, no more are held than may be, and a datagram that comes back whole has no holes.
#include "ip/ip.h"
#include "ip/reasm.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HELD_MAX REASM_FRAGS

static unsigned live;

static void drop(void *arg, void *handle)
{
	(void)arg;
	free(handle);
	live--;
}

static void complete(const struct reasm_out *out)
{
	static uint8_t whole[65535];
	uint32_t at = 0;

	for (uint16_t i = 0; i < out->n_frags; i++) {
		if (out->frag[i].frag_off != at || out->frag[i].more != (i + 1 < out->n_frags))
			abort();
		at += out->frag[i].len;
	}
	int n = reasm_write(out, whole, sizeof(whole));
	if (n > 0 && (uint32_t)n != out->frag[0].payload_off + at)
		abort();
	for (uint16_t i = 0; i < out->n_frags; i++)
		drop(NULL, out->frag[i].handle);
}

// Six bytes of input make a fragment: id and time, header length and ECN, flags and offset, length.
static void feed(struct reasm *r, const uint8_t *d, uint64_t *now)
{
	size_t len = 20 + 8 * (size_t)d[4] + (d[5] & 0x3f);
	uint8_t *p = calloc(1, len);
	struct reasm_out out;
	struct frag_entry e;

	*now += d[0] >> 4;
	p[0] = (uint8_t)(0x40 | (d[1] & 0x0f));
	p[1] = d[1] >> 6;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	p[5] = d[0] & 0x0f;
	p[6] = d[2] & 0x3f;
	p[7] = d[3];
	if (reasm_entry_init(&e, p, p, len) < 0) {
		free(p);
		return;
	}
	live++;
	if (reasm_put(r, &e, *now, &out) == REASM_COMPLETE)
		complete(&out);
	for (uint16_t i = 0; i < out.n_drop; i++)
		drop(NULL, out.drop[i]);
	if (live > HELD_MAX)
		abort();
	if (d[5] & 0x80)
		reasm_expire(r, *now, drop, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reasm *r = reasm_create(5, HELD_MAX, 120, 7);
	uint64_t now = 0;

	for (; size >= 6; data += 6, size -= 6)
		feed(r, data, &now);
	reasm_destroy(r, drop, NULL);
	if (live != 0)
		abort();
	return 0;
}
