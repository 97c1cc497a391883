// SPDX-License-Identifier: BSD-3-Clause
#include "chain.h"

#include "base/line.h"
#include "dispatch.h"

static void header(struct worker *w, unsigned i)
{
	line_own(rte_pktmbuf_mtod(w->next->pkt[i], void *));
}

// A guess that the packet is plain IPv4 for us: if not, some other entry is brought in.
static void entry(struct worker *w, unsigned i)
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
static void object(struct worker *w, unsigned i)
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

const chain_step_fn chain_fn[CHAIN_LINKS] = {
	[CHAIN_HEADER] = header,
	[CHAIN_ENTRY] = entry,
	[CHAIN_OBJECT] = object,
};
