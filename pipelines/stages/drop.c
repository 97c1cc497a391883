// SPDX-License-Identifier: BSD-3-Clause
// Counts by reason and gives the buffers back.
#include "worker.h"

void stage_drop(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++) {
		w->drops[pkt_cold(pkt[i])->drop]++;
		next[i] = STAGE_KEPT;
	}
	rte_pktmbuf_free_bulk(pkt, n);
}
