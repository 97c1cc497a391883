// SPDX-License-Identifier: BSD-3-Clause
#include "drive.h"

#include "base/line.h"
#include "bound.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <stdio.h>
#include <string.h>

#define BATCH_MAX 8000
#define BATCHES_MAX 4096
// Cache lines of a G.711 packet in ESP, and in SRTP.
#define ESP_LINES 5
#define SRTP_LINES 4

enum program { PROGRAM_PATH, PROGRAM_FLOOR, PROGRAM_LEAST, PROGRAM_BOUND };

struct run {
	struct world *w;
	enum program program;
	unsigned batch;
	const struct raw_calls *calls; // PROGRAM_LEAST
	bool timed;                    // every round's stages, not one in sixteen
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
		if (d->run->timed)
			k->rounds = 0; // a round that is timed
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

// The packets that come next, brought in while the cipher computes, as the real path does.
static inline void lines_prefetch(const struct rte_mbuf *m, unsigned lines)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

	for (unsigned at = 0; at < lines * 64; at += 64)
		line_own(data + at);
}

static inline bool calls_lanes(const struct raw_calls *c)
{
	return c->srtp != NULL ? raw_srtp_lanes(c->srtp)
			       : raw_lanes(c->open != NULL ? c->open : c->seal);
}

// at: where ESP or RTP starts in each packet.
static inline void calls_apply(const struct raw_calls *c, uint8_t *const *at, unsigned n)
{
	if (c->srtp != NULL)
		raw_srtp_apply(c->srtp, at, n);
	if (c->open != NULL)
		raw_apply(c->open, at, n);
	if (c->seal != NULL)
		raw_apply(c->seal, at, n);
}

// The raw calls on each packet of a burst. next: the burst after it, as far as it is there.
static inline void raw_burst(const struct raw_calls *c, struct rte_mbuf **pkt, unsigned n,
			     struct rte_mbuf **next, unsigned n_next)
{
	unsigned chunk = calls_lanes(c) ? RAW_BURST : 1;
	unsigned lines = c->srtp != NULL ? SRTP_LINES : ESP_LINES;
	uint16_t head = RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr);
	uint8_t *start[BURST_MAX];

	if (c->srtp != NULL)
		head = (uint16_t)(head + sizeof(struct rte_udp_hdr));
	for (unsigned i = 0; i < n; i++)
		start[i] = rte_pktmbuf_mtod_offset(pkt[i], uint8_t *, head);
	for (unsigned at = 0; at < n; at += chunk) {
		for (unsigned i = at; i < at + chunk && i < n_next; i++)
			lines_prefetch(next[i], lines);
		calls_apply(c, start + at, n - at < chunk ? n - at : chunk);
	}
}

static uint16_t burst_take(uint16_t port, struct rte_mbuf **pkt)
{
	uint16_t n = rte_eth_rx_burst(port, 0, pkt, BURST_MAX);

	for (uint16_t i = 0; i < n; i++)
		line_own(rte_pktmbuf_mtod(pkt[i], void *));
	return n;
}

static void simple_drain(void *arg)
{
	struct drain *d = arg;
	const struct run *r = d->run;
	struct rte_mbuf *burst[2][2][BURST_MAX]; // of each port: this one, and the one after it
	uint16_t n_next[2] = {0};
	unsigned got = 0, turn[2] = {0};
	uint64_t t = rte_rdtsc();

	while (got < d->want) {
		for (uint16_t port = 0; port < 2; port++) {
			struct rte_mbuf **pkt = burst[port][turn[port]];
			uint16_t n = n_next[port];
			turn[port] = !turn[port];
			struct rte_mbuf **next = burst[port][turn[port]];
			n_next[port] = burst_take(port, next);
			if (r->program == PROGRAM_LEAST)
				raw_burst(r->calls, pkt, n, next, n_next[port]);
			else if (r->program == PROGRAM_BOUND)
				bound_burst(r->w, pkt, n, next, n_next[port]);
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

// Cycles of each stage since the last time, spread over the packets received since.
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

// Batches of their own with every round timed: a round in sixteen would be the same ones of each batch, its
// cold start among them.
static int stages_run(const struct run *run, unsigned n, struct drive *d, struct err *err)
{
	static double v[BATCHES_MAX], stage[STAGE_COUNT][BATCHES_MAX];
	struct run r = *run;
	int rc = 0;

	r.timed = true;
	stages_take(r.w->worker, stage, 0);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		rc = batch_run(&r, &v[i], err);
		stages_take(r.w->worker, stage, i);
	}
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		d->stage[s] = median(stage[s], n);
	d->staged = median(v, n);
	return rc;
}

static int batches_run(const struct run *r, unsigned n, struct drive *d, struct err *err)
{
	static double v[BATCHES_MAX];
	bool state = r->program == PROGRAM_PATH || r->program == PROGRAM_BOUND;
	unsigned warm = state ? r->w->n_flows / r->batch + 1 : 1;
	int rc = 0;

	memset(d, 0, sizeof(*d));
	for (unsigned i = 0; rc == 0 && i < warm; i++)
		rc = batch_run(r, &v[0], err);
	n = n < BATCHES_MAX ? n : BATCHES_MAX;
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = batch_run(r, &v[i], err);
	if (rc < 0)
		return rc;
	d->cycles = median(v, n);
	d->fastest = v[0];
	d->packets = (uint64_t)r->batch * n;
	if (r->program == PROGRAM_PATH && (rc = stages_run(r, n, d, err)) < 0)
		return rc;
	if (r->program != PROGRAM_PATH) // the flows' numbers moved on without the sink
		for (uint32_t i = 0; i < r->w->n_flows; i++)
			r->w->flow[i].want_seq = r->w->flow[i].seq;
	return 0;
}

int drive_batches(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err)
{
	struct run r = {w, PROGRAM_PATH, batch, NULL, false};

	return batches_run(&r, n, d, err);
}

int drive_floor(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err)
{
	struct run r = {w, PROGRAM_FLOOR, batch, NULL, false};

	return batches_run(&r, n, d, err);
}

int drive_least(struct world *w, unsigned batch, unsigned n, const struct raw_calls *calls,
		struct drive *d, struct err *err)
{
	struct run r = {w, PROGRAM_LEAST, batch, calls, false};

	return batches_run(&r, n, d, err);
}

int drive_bound(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err)
{
	struct run r = {w, PROGRAM_BOUND, batch, NULL, false};

	return batches_run(&r, n, d, err);
}
