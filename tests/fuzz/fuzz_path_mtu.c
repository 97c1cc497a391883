// SPDX-License-Identifier: BSD-3-Clause
// What a raw ICMP socket gives.
#include "ip/path_mtu.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct path_mtu t;

	if (path_mtu_read(data, size, &t) && (t.mtu == 0 || t.spi == 0))
		abort();
	return 0;
}
