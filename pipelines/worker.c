// SPDX-License-Identifier: BSD-3-Clause
#include "worker.h"

#include "ip/reasm.h"
#include "punt.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <rte_rcu_qsbr.h>
#include <unistd.h>

#define SAMPLE_EVERY 16 // rounds between two that are timed
#define IDLE_ROUNDS 256 // empty rounds before a worker that may sleep does
#define IDLE_SLEEP_US 50
#define IDLE_SLEEP_MOST_US 200 // once nothing has come for a while

static struct rte_mbuf **vector_make(void)
{
	return rte_zmalloc("vector", VEC_MAX * sizeof(struct rte_mbuf *), RTE_CACHE_LINE_SIZE);
}

int worker_init(struct worker *w, struct plane *plane, uint16_t id, struct rte_mempool *pool)
{
	uint64_t now = rte_rdtsc();

	w->plane = plane;
	w->id = id;
	w->pool = pool;
	w->crypto = crypto_new();
	w->reasm = reasm_create(REASM_CONTEXTS_DEFAULT, reasm_share(pool->size, plane->n_workers),
				plane->tsc_hz * REASM_TIMEOUT_MS / 1000, rte_rand());
	w->sources = rte_zmalloc("punt", sizeof(*w->sources), RTE_CACHE_LINE_SIZE);
	if (w->crypto == NULL || w->reasm == NULL || w->sources == NULL)
		return -ENOMEM;
	punt_sources_init(w->sources, 0, plane->tsc_hz, (uint32_t)rte_rand());
	crypto_ahead_set(w->crypto, &w->ahead);
	crypto_opened_set(w->crypto, esp_opened, w);
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		if ((w->vec[s].pkt = vector_make()) == NULL)
			return -ENOMEM;
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		tier_bucket_init(&w->punt_limit[i], 0, 0, plane->tsc_hz, now);
		tier_bucket_init(&w->punt_known[i], 0, 0, plane->tsc_hz, now);
	}
	tier_bucket_init(&w->icmp_limit, 0, 0, plane->tsc_hz, now);
	return 0;
}

int worker_queue_add(struct worker *w, uint16_t device, uint16_t queue)
{
	if (w->n_rxq == QUEUES_MAX)
		return -ENOSPC;
	struct rx_queue *q = &w->rxq[w->n_rxq];
	*q = (struct rx_queue){.device = device, .queue = queue, .pkt = vector_make()};
	if (q->pkt == NULL)
		return -ENOMEM;
	w->n_rxq++;
	return 0;
}

void worker_fini(struct worker *w)
{
	for (unsigned i = 0; i < w->n_rxq; i++) {
		if (w->rxq[i].n != 0)
			rte_pktmbuf_free_bulk(w->rxq[i].pkt, w->rxq[i].n);
		rte_free(w->rxq[i].pkt);
	}
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		rte_free(w->vec[s].pkt);
	rte_free(w->sources);
	if (w->early.n != 0)
		rte_pktmbuf_free_bulk(w->early.pkt, w->early.n);
	reassemble_close(w);
	crypto_free(w->crypto);
}

unsigned worker_round(struct worker *w)
{
	unsigned got;

	w->now = rte_rdtsc();
	w->sample = (w->rounds++ & (SAMPLE_EVERY - 1)) == 0;
	if (unlikely(w->early.n != 0 && w->now >= w->early.next))
		early_poll(w); // before those that came later
	got = rx_poll(w);
	if (w->tx_devices != 0)
		tx_flush(w);
	if (unlikely(w->now >= w->next_slow)) {
		w->next_slow = w->now + w->plane->tsc_hz / 10;
		reassemble_expire(w);
	}
	if (got != 0) {
		w->busy_rounds++;
		w->busy_cycles += rte_rdtsc() - w->now;
	}
	return got;
}

// Off-line while asleep, so that the control thread does not wait for this worker.
static void worker_sleep(struct worker *w, unsigned us)
{
	rte_rcu_qsbr_thread_offline(w->plane->qsbr, w->id);
	usleep(us);
	rte_rcu_qsbr_thread_online(w->plane->qsbr, w->id);
}

int worker_main(void *arg)
{
	struct worker *w = arg;
	struct rte_rcu_qsbr *qsbr = w->plane->qsbr;
	unsigned idle = 0, us = IDLE_SLEEP_US;

	w->start_tsc = rte_rdtsc();
	rte_rcu_qsbr_thread_register(qsbr, w->id);
	rte_rcu_qsbr_thread_online(qsbr, w->id);
	while (!w->stop) {
		if (worker_round(w) != 0) {
			idle = 0;
			us = IDLE_SLEEP_US;
		} else if (w->sleep && ++idle >= IDLE_ROUNDS) {
			worker_sleep(w, us);
			if (idle % IDLE_ROUNDS == 0 && us < IDLE_SLEEP_MOST_US)
				us *= 2;
		}
		rte_rcu_qsbr_quiescent(qsbr, w->id);
	}
	rte_rcu_qsbr_thread_offline(qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(qsbr, w->id);
	return 0;
}
