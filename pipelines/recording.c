// SPDX-License-Identifier: BSD-3-Clause
#include "recording.h"

void record_copy(struct worker *w, struct rte_mbuf *m, uint32_t number)
{
	struct rte_mbuf *copy =
		w->record == NULL ? NULL : rte_pktmbuf_copy(m, w->pool, 0, UINT32_MAX);

	if (copy == NULL) {
		w->records_lost++;
		return;
	}
	__builtin_memcpy(&copy->hash, &w->now, sizeof(w->now));
	pkt_cold(copy)->slot = number;
	if (rte_ring_sp_enqueue(w->record, copy) == 0) {
		w->records++;
		return;
	}
	rte_pktmbuf_free(copy);
	w->records_lost++;
}
