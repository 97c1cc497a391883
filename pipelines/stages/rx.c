// SPDX-License-Identifier: BSD-3-Clause
// The sources: this worker's queues, the other workers' handover rings, the kernel's frames.
#include "base/line.h"
#include "worker.h"

#include <rte_ethdev.h>

#define BURSTS_A_ROUND 4 // of one queue, before the next has its turn

static void queue_take(struct worker *w, struct rx_queue *q, struct rte_mbuf **into)
{
	q->pkt = into;
	q->n = rte_eth_rx_burst(w->plane->device[q->device].id, q->queue, into, BURST_MAX);
	for (uint16_t i = 0; i < q->n; i++)
		line_own(into[i]);
}

// Takes the next burst before it works on the one at hand: by the time that it is its turn, its
// mbufs are in the cache, and its packets too if there was a cipher to wait for.
static unsigned queue_poll(struct worker *w, struct rx_queue *q)
{
	struct vec *v = &w->vec[STAGE_classify];
	unsigned done = 0;

	if (q->n == 0)
		queue_take(w, q, q->pkt);
	for (unsigned i = 0; i < BURSTS_A_ROUND && q->n != 0; i++) {
		struct rte_mbuf **spare = v->pkt;
		uint16_t n = q->n;
		v->pkt = q->pkt;
		v->n = n;
		w->brought = q->brought;
		w->chain = q->chain;
		q->chain = (struct chain){0};
		queue_take(w, q, spare);
		w->pending |= 1u << STAGE_classify;
		w->stage[STAGE_rx].packets += n;
		w->stage[STAGE_rx].bursts++;
		w->coming = w->next = q;
		w->from = &w->plane->device[q->device];
		worker_run(w);
		w->coming = w->next = NULL;
		q->brought = w->ahead.n != 0 && w->ahead.at >= w->ahead.n;
		ahead_clear(&w->ahead);
		done += n;
	}
	return done;
}

// What the other worker wrote down by number becomes a pointer again, if it still exists.
static bool object_resolve(struct worker *w, struct rte_mbuf *m)
{
	const struct pkt_cold *cold = pkt_cold(m);
	const struct plane *p = w->plane;

	switch (cold->resume) {
	case STAGE_srtp_open:
	case STAGE_rtp_relay:
	case STAGE_srtp_seal:
	case STAGE_rtp_send: {
		struct leg *leg = __atomic_load_n(&p->leg_slot[cold->slot].leg, __ATOMIC_RELAXED);
		if (leg == NULL || leg->gen != cold->gen)
			return false;
		pkt_obj_set(m, leg);
		return true;
	}
	case STAGE_tx: {
		const struct nexthop *nh =
			__atomic_load_n(&p->nexthop[cold->slot], __ATOMIC_RELAXED);
		if (nh == NULL || nh->kind != NH_ADJACENCY)
			return false;
		pkt_obj_set(m, nh);
		return true;
	}
	default:
		return true;
	}
}

static unsigned ring_poll(struct worker *w, struct rte_ring *ring)
{
	struct rte_mbuf *pkt[BURST_MAX];
	unsigned n = rte_ring_sc_dequeue_burst(ring, (void **)pkt, BURST_MAX, NULL);

	if (n == 0)
		return 0;
	w->taken_over += n;
	for (unsigned i = 0; i < n; i++) {
		uint8_t to = pkt_cold(pkt[i])->resume;
		if (unlikely(!object_resolve(w, pkt[i])))
			to = pkt_drop(pkt[i], DROP_HANDOVER_STALE);
		stage_emit(w, to, pkt[i]);
	}
	worker_run(w);
	return n;
}

// From the kernel: complete frames, which go out as they are, and packets for tunnels.
static unsigned inject_poll(struct worker *w, unsigned port)
{
	struct rte_mbuf *pkt[BURST_MAX];
	unsigned n = rte_ring_sc_dequeue_burst(w->inject[port], (void **)pkt, BURST_MAX, NULL);

	for (unsigned i = 0; i < n; i++) {
		if (pkt_cold(pkt[i])->resume == STAGE_tx)
			tx_frame(w, w->plane->port[port].device, pkt[i]);
		else
			stage_emit(w, pkt_cold(pkt[i])->resume, pkt[i]);
	}
	if (w->pending != 0)
		worker_run(w);
	return n;
}

unsigned rx_poll(struct worker *w)
{
	unsigned got = 0;

	for (uint16_t i = 0; i < w->n_rxq; i++)
		got += queue_poll(w, &w->rxq[i]);
	for (uint16_t i = 0; i < w->plane->n_workers; i++)
		if (w->in[i] != NULL)
			got += ring_poll(w, w->in[i]);
	for (uint16_t i = 0; i < w->plane->n_ports; i++)
		if (w->inject[i] != NULL)
			got += inject_poll(w, i);
	return got;
}

// The sources have no input of their own; the table's entry stands for their counters.
void stage_rx(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	(void)w;
	(void)pkt;
	for (uint16_t i = 0; i < n; i++)
		next[i] = STAGE_KEPT;
}
