// SPDX-License-Identifier: BSD-3-Clause
#include "recording.h"

#include "ip/ip.h"

// A packet that was opened (SRTP) or came by a hairpin has the total length and the header
// checksum of before: rtp_send makes the header anew in any case.
static void header_mend(struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = pkt_ip(m);

	ip->total_length = rte_cpu_to_be_16(m->data_len);
	ip4_header_cksum_set(ip);
}

void record_copy(struct worker *w, struct rte_mbuf *m, uint32_t number)
{
	struct rte_mbuf *copy =
		w->record == NULL ? NULL : rte_pktmbuf_copy(m, w->pool, 0, UINT32_MAX);

	if (copy == NULL) {
		w->records_lost++;
		return;
	}
	header_mend(copy);
	__builtin_memcpy(&copy->hash, &w->now, sizeof(w->now));
	pkt_cold(copy)->slot = number;
	if (rte_ring_sp_enqueue(w->record, copy) == 0) {
		w->records++;
		return;
	}
	rte_pktmbuf_free(copy);
	w->records_lost++;
}
