// SPDX-License-Identifier: BSD-3-Clause
// ESP out: from the inner IPv4 header to the outer one, and on to the peer.
#include "adjacency.h"
#include "esp/esp.h"

static inline uint8_t encap_finish(struct worker *w, struct rte_mbuf *m, const struct esp_out *op)
{
	struct pkt_tag *tag = pkt_tag(m);

	if (unlikely(op->status != ESP_OK))
		return pkt_drop(m, DROP_SA_EXHAUSTED);
	m->data_off = (uint16_t)(op->outer - (uint8_t *)m->buf_addr);
	m->data_len = op->outer_len;
	m->pkt_len = op->outer_len;
	tag->flags = (uint8_t)((tag->flags & PKT_TRACED) | PKT_OURS | PKT_OUTER);
	const struct nexthop *nh = nexthop_get(w->plane, op->sa->nexthop);
	pkt_obj_set(m, nh);
	return likely(nh != NULL && nh->kind == NH_ADJACENCY && op->outer_len <= nh->mtu)
		       ? STAGE_tx
		       : STAGE_route;
}

void stage_esp_encap(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	struct esp_out op[BURST_MAX];
	uint8_t at[BURST_MAX];
	unsigned k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sa_out *sa = pkt_obj(pkt[i]);
		if (unlikely(rte_pktmbuf_headroom(pkt[i]) < ESP_HEADROOM + 18 ||
			     rte_pktmbuf_tailroom(pkt[i]) < esp_out_tail(sa, pkt[i]->data_len))) {
			next[i] = pkt_drop(pkt[i], DROP_NO_BUFFER);
			continue;
		}
		op[k].sa = sa;
		op[k].inner = rte_pktmbuf_mtod(pkt[i], uint8_t *);
		op[k].len = pkt[i]->data_len;
		at[k++] = (uint8_t)i;
	}
	worker_ahead(w);
	esp_encap_burst(w->crypto, op, k, w->now);
	for (unsigned j = 0; j < k; j++)
		next[at[j]] = encap_finish(w, pkt[at[j]], &op[j]);
}
