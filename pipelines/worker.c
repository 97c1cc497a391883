// SPDX-License-Identifier: BSD-3-Clause
#include "worker.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_rcu_qsbr.h>
#include <unistd.h>


#define SAMPLE_EVERY 16	  // rounds between two that are timed
#define IDLE_ROUNDS 256	  // empty rounds before a worker that may sleep does
#define IDLE_SLEEP_US 50

unsigned worker_round(struct worker *w)
{
	unsigned got;

	w->now = rte_rdtsc();
	w->sample = (w->rounds++ & (SAMPLE_EVERY - 1)) == 0;
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
static void worker_sleep(struct worker *w)
{
	rte_rcu_qsbr_thread_offline(w->plane->qsbr, w->id);
	usleep(IDLE_SLEEP_US);
	rte_rcu_qsbr_thread_online(w->plane->qsbr, w->id);
}

int worker_main(void *arg)
{
	struct worker *w = arg;
	struct rte_rcu_qsbr *qsbr = w->plane->qsbr;
	unsigned idle = 0;

	w->start_tsc = rte_rdtsc();
	rte_rcu_qsbr_thread_register(qsbr, w->id);
	rte_rcu_qsbr_thread_online(qsbr, w->id);
	while (!w->stop) {
		if (worker_round(w) != 0)
			idle = 0;
		else if (w->sleep && ++idle >= IDLE_ROUNDS)
			worker_sleep(w);
		rte_rcu_qsbr_quiescent(qsbr, w->id);
	}
	rte_rcu_qsbr_thread_offline(qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(qsbr, w->id);
	return 0;
}
