// SPDX-License-Identifier: BSD-3-Clause
// Recorded legs: the worker leaves a copy of what it relays for a thread that writes it to a file.
// A copy shows the packet as it came, decrypted if it was encrypted. Where that thread cannot follow,
// copies are lost and counted, the call's own packets never.
#pragma once

#include "worker.h"

// Beside a copy's bytes, which begin at the IPv4 header.
struct record_mark {
	uint64_t tsc;    // of the round in which it came
	uint32_t number; // leg.record
};

static inline struct record_mark record_mark_get(const struct rte_mbuf *m)
{
	struct record_mark mark = {.number = pkt_cold((struct rte_mbuf *)m)->slot};

	__builtin_memcpy(&mark.tsc, &m->hash, sizeof(mark.tsc));
	return mark;
}

// Copies a packet that the leg has accepted.
void record_copy(struct worker *w, struct rte_mbuf *m, uint32_t number);
