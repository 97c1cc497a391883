// SPDX-License-Identifier: BSD-3-Clause
// The latch on the fast path. Included by leg.h only.
#pragma once

#include <string.h>

_Static_assert(__builtin_offsetof(struct leg, remote_ip) % 8 == 0 &&
		       __builtin_offsetof(struct leg, remote_port) ==
			       __builtin_offsetof(struct leg, remote_ip) + 4 &&
		       __builtin_offsetof(struct leg, latch) ==
			       __builtin_offsetof(struct leg, remote_ip) + 6,
	       "address, port and latch are one aligned word");
_Static_assert(__builtin_offsetof(struct leg, rtcp_ip) % 8 == 0 &&
		       __builtin_offsetof(struct leg, rtcp_port) ==
			       __builtin_offsetof(struct leg, rtcp_ip) + 4 &&
		       __builtin_offsetof(struct leg, rtcp_latch) ==
			       __builtin_offsetof(struct leg, rtcp_ip) + 6,
	       "address, port and latch are one aligned word");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "latch_word is little-endian");
_Static_assert(LATCH_OPEN == 0, "an open latch matches nothing");

// Address, port and "not open" in one word: equal words are a pass.
static inline bool latch_match(const void *remote, uint32_t ip, uint16_t port)
{
	uint64_t word;

	memcpy(&word, remote, sizeof(word));
	return (word & 0xffffffffffffULL) == ((uint64_t)port << 32 | ip) &&
	       (word >> 48 & 0xff) != LATCH_OPEN;
}

static inline bool leg_latched(const struct leg *leg, uint32_t ip, uint16_t port)
{
	return latch_match(&leg->remote_ip, ip, port);
}

static inline bool leg_latched_rtcp(const struct leg *leg, uint32_t ip, uint16_t port)
{
	return latch_match(&leg->rtcp_ip, ip, port);
}
