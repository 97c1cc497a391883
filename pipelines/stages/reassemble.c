// SPDX-License-Identifier: BSD-3-Clause
// Fragments addressed to the gateway: what is whole again goes where it would have gone in one
// piece. Only ESP and UDP come here, and only up to the size of a buffer.
#include "dispatch.h"
#include "ip/ip.h"
#include "ip/reasm.h"

#include <errno.h>
#include <rte_ether.h>

// Named drops of lib/ip.
static const uint8_t drop_of[] = {
	[REASM_TINY] = DROP_FRAG_TINY,         [REASM_OVERLAP] = DROP_FRAG_OVERLAP,
	[REASM_TOO_MANY] = DROP_FRAG_TOO_MANY, [REASM_TOO_BIG] = DROP_FRAG_TOO_BIG,
	[REASM_TIMEOUT] = DROP_FRAG_TIMEOUT,
};

// Puts the datagram into a fresh buffer; NULL if that is not possible, and counts the fragments.
static struct rte_mbuf *datagram_make(struct worker *w, const struct reasm_out *out)
{
	struct rte_mbuf *first = out->frag[0].handle;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (m == NULL) {
		w->drops[DROP_NO_BUFFER] += out->n_frags;
		return NULL;
	}
	int len = reasm_write(out, rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_tailroom(m));
	if (len < 0) {
		w->drops[len == -EBADMSG ? DROP_ECN : DROP_FRAG_TOO_BIG] += out->n_frags;
		rte_pktmbuf_free(m);
		return NULL;
	}
	// The kernel gets it with the first one's link-layer header, which lies in front still.
	memcpy(rte_pktmbuf_mtod(m, uint8_t *) - RTE_ETHER_HDR_LEN,
	       rte_pktmbuf_mtod(first, uint8_t *) - RTE_ETHER_HDR_LEN, RTE_ETHER_HDR_LEN);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	m->port = first->port;
	*pkt_tag(m) = *pkt_tag(first);
	*pkt_cold(m) = *pkt_cold(first);
	pkt_port_set(m, pkt_port(first));
	return m;
}

static void reassemble_one(struct worker *w, struct rte_mbuf *m)
{
	struct reasm_out out;
	struct frag_entry e;

	if (reasm_entry_init(&e, m, rte_pktmbuf_mtod(m, uint8_t *), m->data_len) < 0) {
		w->drops[DROP_FRAGMENT]++;
		rte_pktmbuf_free(m);
		return;
	}
	enum reasm_result r = reasm_put(w->reasm, &e, w->now, &out);
	for (uint16_t i = 0; i < out.n_drop; i++) {
		w->drops[drop_of[out.reason]]++;
		rte_pktmbuf_free(out.drop[i]);
	}
	if (r != REASM_COMPLETE)
		return;
	struct rte_mbuf *whole = datagram_make(w, &out);
	for (uint16_t i = 0; i < out.n_frags; i++)
		rte_pktmbuf_free(out.frag[i].handle);
	if (whole == NULL)
		return;
	const struct local_addr *local = local_lookup(w->plane, pkt_ip(whole)->dst_addr);
	uint8_t to = local != NULL ? dispatch_local(w, whole, local, true)
				   : pkt_drop(whole, DROP_FRAGMENT);
	if (!stage_emit(w, to, whole)) {
		w->drops[DROP_NO_BUFFER]++;
		rte_pktmbuf_free(whole);
	}
}

void stage_reassemble(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++) {
		reassemble_one(w, pkt[i]);
		next[i] = STAGE_KEPT;
	}
}

static void fragment_drop(void *arg, void *handle)
{
	struct worker *w = arg;

	w->drops[DROP_FRAG_TIMEOUT]++;
	rte_pktmbuf_free(handle);
}

void reassemble_expire(struct worker *w)
{
	reasm_expire(w->reasm, w->now, fragment_drop, w);
}

void reassemble_close(struct worker *w)
{
	if (w->reasm != NULL)
		reasm_destroy(w->reasm, fragment_drop, w);
	w->reasm = NULL;
}
