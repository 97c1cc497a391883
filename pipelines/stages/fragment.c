// SPDX-License-Identifier: BSD-3-Clause
// Cuts a packet that is larger than the path (cold.mtu) and may be fragmented; the pieces go on in
// cold.resume. Rare, so it copies.
#include "ip/frag.h"
#include "worker.h"

#define PIECES_MAX 16

static struct rte_mbuf *piece_make(struct worker *w, struct rte_mbuf *m,
				   const struct frag_piece *piece)
{
	struct rte_ipv4_hdr *ip = pkt_ip(m);
	struct rte_mbuf *f = rte_pktmbuf_alloc(w->pool);

	if (f == NULL)
		return NULL;
	uint8_t *to = (uint8_t *)rte_pktmbuf_append(f, (uint16_t)(sizeof(*ip) + piece->len));
	if (to == NULL) {
		rte_pktmbuf_free(f);
		return NULL;
	}
	frag_header(to, ip, piece);
	memcpy(to + sizeof(*ip), (const uint8_t *)(ip + 1) + piece->offset, piece->len);
	*pkt_tag(f) = *pkt_tag(m);
	*pkt_cold(f) = *pkt_cold(m);
	pkt_obj_set(f, pkt_obj(m));
	pkt_port_set(f, pkt_port(m));
	f->port = m->port;
	return f;
}

static uint8_t fragment_one(struct worker *w, struct rte_mbuf *m)
{
	struct frag_piece piece[PIECES_MAX];
	struct rte_mbuf *made[PIECES_MAX];
	int n = frag_plan(pkt_ip(m), pkt_cold(m)->mtu, piece, PIECES_MAX);
	int i;

	if (n < 0)
		return pkt_drop(m, DROP_FRAG_FAILED);
	for (i = 0; i < n; i++)
		if ((made[i] = piece_make(w, m, &piece[i])) == NULL)
			goto no_buffer;
	for (i = 0; i < n; i++)
		if (!stage_emit(w, pkt_cold(m)->resume, made[i]))
			goto no_room;
	rte_pktmbuf_free(m);
	return STAGE_KEPT;
no_room: // those before i are on their way
	for (; i < n; i++)
		rte_pktmbuf_free(made[i]);
	return pkt_drop(m, DROP_FRAG_FAILED);
no_buffer:
	while (i-- > 0)
		rte_pktmbuf_free(made[i]);
	return pkt_drop(m, DROP_FRAG_FAILED);
}

void stage_fragment(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = fragment_one(w, pkt[i]);
}
