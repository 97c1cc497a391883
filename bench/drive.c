// SPDX-License-Identifier: BSD-3-Clause
#include "drive.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#define BATCH_MAX 8000
#define BATCHES_MAX 4096

enum program { PROGRAM_PATH, PROGRAM_FLOOR, PROGRAM_LEAST };

struct run {
	struct world *w;
	enum program program;
	unsigned batch;
	struct raw *open, *seal; // PROGRAM_LEAST
};

struct drain {
	const struct run *run;
	unsigned want;
	uint64_t cycles;
};

// Rounds until everything has gone through the stages; each round sends what it has before it returns.
static void path_drain(void *arg)
{
	struct drain *d = arg;
	struct worker *k = d->run->w->worker;
	const uint64_t *done = &k->stage[STAGE_rx].packets;
	uint64_t want = *done + d->want, t = rte_rdtsc();

	while (*done < want) {
		worker_round(k);
		rte_rcu_qsbr_quiescent(k->plane->qsbr, 0);
	}
	tx_flush(k);
	d->cycles = rte_rdtsc() - t;
}

static inline void addresses_swap(struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ether_addr a = eth->dst_addr;

	eth->dst_addr = eth->src_addr;
	eth->src_addr = a;
	m->ol_flags = 0;
}

static inline void raw_burst(const struct run *r, struct rte_mbuf **pkt, unsigned n)
{
	uint8_t *esp[BURST_MAX];

	for (unsigned i = 0; i < n; i++)
		esp[i] = rte_pktmbuf_mtod_offset(pkt[i], uint8_t *, RTE_ETHER_HDR_LEN + 20);
	for (unsigned at = 0; at < n; at += RAW_BURST) {
		unsigned chunk = n - at < RAW_BURST ? n - at : RAW_BURST;
		if (r->open != NULL)
			raw_apply(r->open, esp + at, chunk);
		if (r->seal != NULL)
			raw_apply(r->seal, esp + at, chunk);
	}
}

static void simple_drain(void *arg)
{
	struct drain *d = arg;
	const struct run *r = d->run;
	struct rte_mbuf *pkt[BURST_MAX];
	unsigned got = 0;
	uint64_t t = rte_rdtsc();

	while (got < d->want) {
		for (uint16_t port = 0; port < 2; port++) {
			uint16_t n = rte_eth_rx_burst(port, 0, pkt, BURST_MAX);
			for (uint16_t i = 0; i < n; i++)
				rte_prefetch0(rte_pktmbuf_mtod(pkt[i], void *));
			if (r->program == PROGRAM_LEAST)
				raw_burst(r, pkt, n);
			for (uint16_t i = 0; i < n; i++)
				addresses_swap(pkt[i]);
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

// What the simple programs send is only counted: it is no answer.
static unsigned simple_sink(struct world *w)
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

static int batch_check(const struct run *r, unsigned sent, unsigned out, struct err *err)
{
	struct world *w = r->w;
	char drops[200];

	if (out == sent && w->out_wrong == 0)
		return 0;
	drops_text(w, drops, sizeof(drops));
	return err_set(err, -EPROTO, "%u of %u packets came out, %lu wrong (%s), drops: %s", out,
		       sent, w->out_wrong, w->out_wrong != 0 ? w->fault.text : "none",
		       drops[0] != '\0' ? drops : "none");
}

static int batch_run(const struct run *r, double *cycles, struct err *err)
{
	static struct rte_mbuf *pkt[BATCH_MAX];
	struct drain d = {.run = r};
	bool path = r->program == PROGRAM_PATH;

	d.want = gen_send(r->w, pkt, gen_make(r->w, pkt, r->batch));
	if (d.want < r->batch)
		return err_set(err, -ENOBUFS, "rings or buffers are too small for %u packets",
			       r->batch);
	crew_call(path ? path_drain : simple_drain, &d);
	*cycles = (double)d.cycles / d.want;
	return batch_check(r, d.want, path ? sink_drain(r->w) : simple_sink(r->w), err);
}

// Sampled cycles of each stage since the last time, spread over the packets received since.
static void stages_take(struct worker *k, double v[][BATCHES_MAX], unsigned i)
{
	uint64_t all = k->stage[STAGE_classify].packets;

	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		const struct stage_count *c = &k->stage[s];
		v[s][i] = c->cycle_packets == 0 || all == 0
				  ? 0
				  : (double)c->cycles / (double)c->cycle_packets *
					    (double)c->packets / (double)all;
	}
	memset(k->stage, 0, sizeof(k->stage));
}

static int batches_run(const struct run *r, unsigned n, struct drive *d, struct err *err)
{
	static double v[BATCHES_MAX], stage[STAGE_COUNT][BATCHES_MAX];
	unsigned warm = r->program == PROGRAM_PATH ? r->w->n_flows / r->batch + 1 : 1;
	int rc = 0;

	memset(d, 0, sizeof(*d));
	for (unsigned i = 0; rc == 0 && i < warm; i++)
		rc = batch_run(r, &v[0], err);
	n = n < BATCHES_MAX ? n : BATCHES_MAX;
	stages_take(r->w->worker, stage, 0);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		rc = batch_run(r, &v[i], err);
		stages_take(r->w->worker, stage, i);
	}
	if (rc < 0)
		return rc;
	d->cycles = median(v, n);
	d->fastest = v[0];
	d->packets = (uint64_t)r->batch * n;
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		d->stage[s] = median(stage[s], n);
	if (r->program != PROGRAM_PATH) // the flows' numbers moved on without the sink
		for (uint32_t i = 0; i < r->w->n_flows; i++)
			r->w->flow[i].want_seq = r->w->flow[i].seq;
	return 0;
}

int drive_batches(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err)
{
	struct run r = {w, PROGRAM_PATH, batch, NULL, NULL};

	return batches_run(&r, n, d, err);
}

int drive_floor(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err)
{
	struct run r = {w, PROGRAM_FLOOR, batch, NULL, NULL};

	return batches_run(&r, n, d, err);
}

int drive_least(struct world *w, unsigned batch, unsigned n, struct raw *open, struct raw *seal,
		struct drive *d, struct err *err)
{
	struct run r = {w, PROGRAM_LEAST, batch, open, seal};

	return batches_run(&r, n, d, err);
}
