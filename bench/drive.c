// SPDX-License-Identifier: BSD-3-Clause
#include "drive.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#define BATCH_MAX 8000
#define BATCHES_MAX 4096

struct drain {
	struct world *w;
	unsigned want;
	uint64_t cycles;
	unsigned burst;
};

// Rounds until everything is received; each round sends what it has before it returns.
static void worker_drain(void *arg)
{
	struct drain *d = arg;
	struct worker *k = d->w->worker;
	unsigned got = 0;
	uint64_t t = rte_rdtsc();

	while (got < d->want) {
		unsigned n = worker_round(k);
		rte_rcu_qsbr_quiescent(k->plane->qsbr, 0);
		got += n;
	}
	tx_flush(k);
	d->cycles = rte_rdtsc() - t;
}

static void floor_drain(void *arg)
{
	struct drain *d = arg;
	struct rte_mbuf *pkt[BURST_MAX];
	unsigned got = 0;
	uint64_t t = rte_rdtsc();

	while (got < d->want) {
		for (uint16_t port = 0; port < 2; port++) {
			uint16_t n = rte_eth_rx_burst(port, 0, pkt, BURST_MAX);
			for (uint16_t i = 0; i < n; i++)
				rte_prefetch0(rte_pktmbuf_mtod(pkt[i], void *));
			for (uint16_t i = 0; i < n; i++) {
				struct rte_ether_hdr *eth =
					rte_pktmbuf_mtod(pkt[i], struct rte_ether_hdr *);
				struct rte_ether_addr a = eth->dst_addr;
				eth->dst_addr = eth->src_addr;
				eth->src_addr = a;
				pkt[i]->ol_flags = 0;
			}
			got += n;
			if (n != 0 && rte_eth_tx_burst(port, 0, pkt, n) < n)
				return;
		}
	}
	d->cycles = rte_rdtsc() - t;
}

void drops_text(const struct world *w, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < DROP_COUNT && at < size; i++)
		if (w->worker->drops[i] != 0)
			at += (size_t)snprintf(buf + at, size - at, "%s%s %lu", at != 0 ? ", " : "",
					       drop_info[i].name, w->worker->drops[i]);
}

// What the floor has sent is only counted: nothing was decrypted.
static unsigned floor_sink(struct world *w)
{
	unsigned n, all = 0;

	for (unsigned port = 0; port < 2; port++) {
		while ((n = sink_take(w, port, w->stock + w->n_stock, 32)) != 0) {
			w->n_stock += n;
			all += n;
		}
	}
	return all;
}

static int batch_run(struct world *w, unsigned batch, bool floor, double *cycles, struct err *err)
{
	static struct rte_mbuf *pkt[BATCH_MAX];
	struct drain d = {.w = w};
	unsigned made = gen_make(w, pkt, batch);

	d.want = gen_send(w, pkt, made);
	if (d.want < batch)
		return err_set(err, -ENOBUFS, "rings or buffers are too small for %u packets",
			       batch);
	crew_call(floor ? floor_drain : worker_drain, &d);
	unsigned out = floor ? floor_sink(w) : sink_drain(w);
	*cycles = (double)d.cycles / d.want;
	if (out == d.want && w->out_wrong == 0)
		return 0;
	char drops[200];
	drops_text(w, drops, sizeof(drops));
	return err_set(err, -EPROTO, "%u of %u packets came out, %lu wrong (%s), drops: %s", out,
		       d.want, w->out_wrong, w->out_wrong != 0 ? w->fault.text : "none",
		       drops[0] != '\0' ? drops : "none");
}

static int batches_run(struct world *w, unsigned batch, unsigned n, bool floor, struct drive *d,
		       struct err *err)
{
	static double v[BATCHES_MAX];
	double first;
	int rc = batch_run(w, batch, floor, &first, err);

	n = n < BATCHES_MAX ? n : BATCHES_MAX;
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = batch_run(w, batch, floor, &v[i], err);
	if (rc < 0)
		return rc;
	d->cycles = median(v, n);
	d->fastest = v[0];
	d->packets = (uint64_t)batch * n;
	d->lost = 0;
	return 0;
}

int drive_batches(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err)
{
	return batches_run(w, batch, n, false, d, err);
}

// The flows' numbers move on without the sink: they are brought together again.
int drive_floor(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err)
{
	int rc = batches_run(w, batch, n, true, d, err);

	for (uint32_t i = 0; i < w->n_flows; i++)
		w->flow[i].want_seq = w->flow[i].seq;
	return rc;
}
