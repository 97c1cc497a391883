// SPDX-License-Identifier: BSD-3-Clause
#include "chain.h"

#include "base/line.h"
#include "dispatch.h"

static inline void header(struct worker *w, unsigned i)
{
	line_own(rte_pktmbuf_mtod(w->next->pkt[i], void *));
}

// A guess that the packet is plain IPv4 for us: if not, some other entry is brought in.
static inline void entry(struct worker *w, unsigned i)
{
	const struct rte_mbuf *m = w->next->pkt[i];
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
	const uint8_t *l4 = (const uint8_t *)(ip + 1);
	const ref_t *at = NULL;

	if (likely(m->data_len >= RTE_ETHER_HDR_LEN + sizeof(*ip) + 12)) {
		if (ip->next_proto_id == IPPROTO_ESP4)
			at = &w->plane->sa_in[(uint32_t)l4[2] << 8 | l4[3]];
		else
			at = dispatch_entry(w->plane, ip, m->data_len - RTE_ETHER_HDR_LEN);
	}
	w->next_entry[i] = at;
	if (likely(at != NULL))
		rte_prefetch0(at);
}

// The SA, or both legs.
static inline void object(struct worker *w, unsigned i)
{
	const ref_t *at = w->next_entry[i];

	if (unlikely(at == NULL))
		return;
	ref_t ref = ref_load(at);
	struct leg *leg = REF_PTR(ref);
	bool media = (uintptr_t)at - (uintptr_t)w->plane->sa_in >= sizeof(w->plane->sa_in);
	rte_prefetch0(leg);
	if (!media || unlikely(ref == 0))
		return;
	rte_prefetch0(&leg_other(leg, ref & REF_SECOND)->local_ip);
}

void chain_next(struct worker *w, unsigned n)
{
	struct rx_queue *q = w->next;

	if (q == NULL || q->chain.links == CHAIN_LINKS)
		return;
	unsigned link = q->chain.links++, at = q->chain.done[link];
	unsigned end = link == 0 ? q->n : q->chain.done[link - 1];
	end = end < at + n ? end : at + n;
	q->chain.done[link] = (uint8_t)(end > at ? end : at);
	switch (link) {
	case CHAIN_HEADER:
		for (; at < end; at++)
			header(w, at);
		break;
	case CHAIN_ENTRY:
		for (; at < end; at++)
			entry(w, at);
		break;
	default:
		for (; at < end; at++)
			object(w, at);
	}
}
