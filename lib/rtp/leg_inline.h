// SPDX-License-Identifier: BSD-3-Clause
// The latch: which source a leg accepts, and where it sends to. Included by leg.h only.
#pragma once

#include <string.h>

// What a packet does to a latch.
struct latch_result {
	uint8_t next;    // latch_state
	uint8_t verdict; // latch_verdict
	uint8_t learn;   // 1: the packet's source becomes the remote
};

// The rules, as a pure function of the state and of how the packet's source compares with the
// remote. known: the leg has a remote; same_ip and same_port mean nothing without it.
static inline struct latch_result latch_step(enum latch_state state, bool known, bool same_ip,
					     bool same_port)
{
	bool same = known && same_ip && same_port;

	switch (state) {
	case LATCH_OPEN: // whoever comes first, also when something else was signalled
		return (struct latch_result){LATCH_LEARNED, LATCH_PASS, 1};
	case LATCH_LEARNED:
	case LATCH_FIXED:
		return (struct latch_result){(uint8_t)state, same ? LATCH_PASS : LATCH_REFUSED, 0};
	}
	return (struct latch_result){LATCH_FIXED, LATCH_REFUSED, 0};
}

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

// Off the fast path: an open latch, or a stranger.
enum latch_verdict leg_latch_slow(struct leg *leg, uint32_t ip, uint16_t port);
enum latch_verdict leg_latch_rtcp_slow(struct leg *leg, uint32_t ip, uint16_t port);

static inline enum latch_verdict leg_latch(struct leg *leg, uint32_t ip, uint16_t port)
{
	if (__builtin_expect(latch_match(&leg->remote_ip, ip, port), 1))
		return LATCH_PASS;
	return leg_latch_slow(leg, ip, port);
}

static inline enum latch_verdict leg_latch_rtcp(struct leg *leg, uint32_t ip, uint16_t port)
{
	if (__builtin_expect(latch_match(&leg->rtcp_ip, ip, port), 1))
		return LATCH_PASS;
	return leg_latch_rtcp_slow(leg, ip, port);
}
