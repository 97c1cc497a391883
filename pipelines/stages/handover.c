// SPDX-License-Identifier: BSD-3-Clause
// To the worker that owns the packet's customer, call or transmit queue. One ring for each pair of
// workers and direction, so both ends are single.
#include "worker.h"

#include <rte_ring.h>

void stage_handover(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	uint16_t i = 0;

	while (i < n) { // runs of packets for one worker
		uint8_t to = pkt_cold(pkt[i])->to;
		uint16_t end = (uint16_t)(i + 1);
		while (end < n && pkt_cold(pkt[end])->to == to)
			end++;
		unsigned room = w->out[to] == NULL
					? 0
					: rte_ring_sp_enqueue_burst(w->out[to], (void **)&pkt[i],
								    (unsigned)(end - i), NULL);
		w->handed_over += room;
		for (uint16_t j = i; j < end; j++)
			next[j] = j - i < (int)room ? (uint8_t)STAGE_KEPT
						    : pkt_drop(pkt[j], DROP_HANDOVER_FULL);
		i = end;
	}
}
