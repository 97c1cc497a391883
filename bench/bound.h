// SPDX-License-Identifier: BSD-3-Clause
// The bound of a case: a program with the memory of the real one, in the same bursts, and none of its logic. Each
// packet gets the raw call with its own keys, and the lines of memory that the answer depends on are loaded once,
// all asked for ahead. Nothing is checked, counted, decided or written but the packet itself.
#pragma once

#include "base/line.h"
#include "world.h"

// Relays with one raw call: SCENE_ESP_PLAIN with AES-GCM or AES-CBC, not in UDP; SCENE_SRTP_PLAIN, SCENE_PLAIN_SRTP.
bool bound_has(const struct world_spec *s);
// n packets of such a scene as they came from the wire; next: the burst after them. They are opened or sealed in
// place, and stay as long as they are.
void bound_burst(const struct world *w, struct rte_mbuf **pkt, unsigned n, struct rte_mbuf **next,
		 unsigned n_next);
// bound_srtp.c: of the SRTP scenes.
void bound_srtp_burst(const struct world *w, struct rte_mbuf **pkt, unsigned n,
		      struct rte_mbuf **next, unsigned n_next);

// Packet i of the next burst, brought in to be written.
static inline void bound_next(struct rte_mbuf **next, unsigned n_next, unsigned i)
{
	for (unsigned at = 0; i < n_next && at < next[i]->data_len; at += 64)
		line_own(rte_pktmbuf_mtod_offset(next[i], uint8_t *, at));
}
