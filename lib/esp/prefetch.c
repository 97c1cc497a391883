// SPDX-License-Identifier: BSD-3-Clause
#include "prefetch.h"

#include "esp.h"

void esp_in_prefetch(const struct sa_in *sa, uint32_t len)
{
	__builtin_prefetch(&sa->bitmap[sa->seq_top / 64 & sa->window_mask], 1, 3);
	__builtin_prefetch(&sa->selector, 0, 3);
	keys_prefetch(&sa->keys, sa->suite, sa->hkey, len > 32 ? len - 32 : 0, true);
}

void esp_out_prefetch(const struct sa_out *sa, uint32_t len)
{
	__builtin_prefetch(sa->outer, 1, 3);
	keys_prefetch(&sa->keys, sa->suite, sa->hkey, len + 2, false);
}
