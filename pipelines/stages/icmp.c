// SPDX-License-Identifier: BSD-3-Clause
// An ICMP error (cold.icmp_type, icmp_code, mtu) about a packet, to its sender, in the packet's own
// buffer; the packet itself is counted as dropped for cold.drop.
#include "adjacency.h"
#include "ip/ip.h"

// Our address at the port where the packet came in. What tells of the path's MTU has to be believed, though: our own
// kernel drops what comes from itself, and a tunnel's selectors need not let any but the packet's destination speak.
static uint32_t source_of(const struct worker *w, struct rte_mbuf *m)
{
	const struct pkt_cold *cold = pkt_cold(m);

	if (cold->icmp_type == ICMP_UNREACHABLE && cold->icmp_code == ICMP_FRAG_NEEDED &&
	    ((pkt_tag(m)->flags & (PKT_OURS | PKT_FROM_TUNNEL)) ||
	     tunnel_to(w->plane, pkt_ip(m)->src_addr) != 0)) // from one tunnel into another
		return pkt_ip(m)->dst_addr;
	return w->plane->port[pkt_port(m)].ip;
}

static uint8_t icmp_one(struct worker *w, struct rte_mbuf *m)
{
	const struct pkt_cold *cold = pkt_cold(m);
	struct pkt_tag *tag = pkt_tag(m);
	uint8_t error[ICMP_ERROR_MAX];
	uint32_t src = source_of(w, m);

	if (src == 0 || !event_admit(&w->icmp_limit, w->now)) {
		w->drops[DROP_ICMP_LIMIT]++;
		return pkt_drop(m, (enum drop_reason)cold->drop);
	}
	int len = icmp_error_build(error, sizeof(error), rte_pktmbuf_mtod(m, uint8_t *),
				   m->data_len, cold->icmp_type, cold->icmp_code, cold->mtu, src);
	if (len < 0 || (uint32_t)len > (uint32_t)m->data_len + rte_pktmbuf_tailroom(m)) {
		w->drops[DROP_ICMP_LIMIT]++;
		return pkt_drop(m, (enum drop_reason)cold->drop);
	}
	w->drops[cold->drop]++;
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), error, (size_t)len);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	tag->flags = (uint8_t)((tag->flags & PKT_TRACED) | PKT_OURS);
	tag->customer = 0;
	return STAGE_route;
}

void stage_icmp(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = icmp_one(w, pkt[i]);
}
