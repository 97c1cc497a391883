// SPDX-License-Identifier: BSD-3-Clause
// Bencode and JSON to values and back: what was read once is read the same again.
#include "ng/frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(enum ng_format format, const char *data, size_t size)
{
	struct ng_arena a;
	struct ng_val *v = NULL, *again = NULL;
	struct ng_str out, twice;
	struct err err;

	ng_arena_init(&a, 32 << 20);
	if (ng_decode(&a, format, data, size, &v, &err) == 0) {
		if (v == NULL || ng_encode(&a, NG_BENCODE, v, &out) < 0)
			abort();
		a.values = 0;
		if (out.len <= NG_MESSAGE_MAX &&
		    (ng_decode(&a, NG_BENCODE, out.at, out.len, &again, &err) < 0 ||
		     ng_encode(&a, NG_BENCODE, again, &twice) < 0 || twice.len != out.len ||
		     memcmp(out.at, twice.at, out.len) != 0))
			abort();
		if (ng_encode(&a, NG_JSON, v, &out) < 0)
			abort();
	}
	ng_arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	round_trip(NG_BENCODE, (const char *)data, size);
	round_trip(NG_JSON, (const char *)data, size);
	return 0;
}
