// SPDX-License-Identifier: BSD-3-Clause
#include "pace.h"

#include "drive.h"

#include <errno.h>
#include <rte_pause.h>
#include <stdlib.h>
#include <string.h>

#define FIFO (2 * PACE_AHEAD) // a power of two
#define SPARE 4               // packets made or checked at once in the time between
#define SEND_MAX 32
#define CATCH_UP 96   // packets that a late generator sends at once; the rest of its schedule moves
#define LATE_SHARE 50 // of its packets held up: the rate was not what it should be
#define QUIET_MS 200  // after so long without a packet nothing more comes out

struct fifo {
	struct rte_mbuf *pkt[FIFO];
	uint32_t head, tail;
};

struct run {
	struct world *w;
	struct pace *p;
	struct fifo ahead, out[2];
	uint64_t made, due;
	uint64_t first, last; // TSC of the first packet in, and of the last one out
	uint64_t gap[2];      // longest turn of each core's loop, TSC ticks
	bool running, stop;
};

static uint32_t fifo_count(const struct fifo *f)
{
	return f->head - f->tail;
}

// As many entries as lie in one piece, at most n.
static uint32_t fifo_piece(uint32_t at, uint32_t n)
{
	uint32_t left = FIFO - at % FIFO;

	return n < left ? n : left;
}

static void worker_live(void *arg)
{
	struct run *r = arg;
	struct worker *k = r->w->worker;

	__atomic_store_n(&r->running, true, __ATOMIC_RELEASE);
	uint64_t t = rte_rdtsc();
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		worker_round(k);
		rte_rcu_qsbr_quiescent(k->plane->qsbr, 0);
		uint64_t now = rte_rdtsc();
		r->gap[1] = now - t > r->gap[1] ? now - t : r->gap[1];
		t = now;
	}
}

static void packets_make(struct run *r, uint32_t n)
{
	struct fifo *f = &r->ahead;

	if (n > r->p->packets - r->made)
		n = (uint32_t)(r->p->packets - r->made);
	while (n != 0) {
		uint32_t piece = fifo_piece(f->head, n);
		uint32_t got = gen_make(r->w, &f->pkt[f->head % FIFO], piece);
		f->head += got;
		r->made += got;
		n -= got;
		if (got ==
		    0) // all buffers are under way; fewer than asked for only means that the stock was low
			return;
	}
}

// The time of its reception travels in a part of the buffer that nobody uses.
static inline void stamp(struct rte_mbuf *m, uint64_t now)
{
	memcpy(m->buf_addr, &now, sizeof(now));
}

static bool queue_full(unsigned port)
{
	return rte_ring_count(ports_ring(0, port)) > PACE_RXD - SEND_MAX;
}

static bool queues_empty(void)
{
	return rte_ring_count(ports_ring(0, OUTSIDE)) + rte_ring_count(ports_ring(0, INSIDE)) == 0;
}

// Sends what is due. A packet that finds its queue full is lost, or waits if there is no rate.
static void packets_send(struct run *r)
{
	struct fifo *f = &r->ahead;
	uint32_t n = fifo_count(f);
	uint64_t now = rte_rdtsc();

	if (r->due - r->p->sent - r->p->missed < n)
		n = (uint32_t)(r->due - r->p->sent - r->p->missed);
	n = fifo_piece(f->tail, n < SEND_MAX ? n : SEND_MAX);
	struct rte_mbuf **pkt = &f->pkt[f->tail % FIFO];
	bool full = queue_full(OUTSIDE) || queue_full(INSIDE);
	if (n == 0 || (full && r->p->pps == 0))
		return;
	f->tail += n;
	if (full) {
		r->p->missed += n;
		memcpy(r->w->stock + r->w->n_stock, pkt, n * sizeof(*pkt));
		r->w->n_stock += n;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		stamp(pkt[i], now);
	if (r->first == 0)
		r->first = now;
	r->p->sent += gen_send(r->w, pkt, n);
}

static unsigned packets_take(struct run *r)
{
	unsigned all = 0;

	for (unsigned port = 0; port < 2; port++) {
		struct fifo *f = &r->out[port];
		struct rte_mbuf **pkt = &f->pkt[f->head % FIFO];
		unsigned n = sink_take(r->w, port, pkt, fifo_piece(f->head, 64));
		uint64_t now = rte_rdtsc(), in;
		for (unsigned i = 0; i < n && r->p->hist != NULL; i++) {
			memcpy(&in, pkt[i]->buf_addr, sizeof(in));
			hist_add(r->p->hist, now - in);
		}
		f->head += n;
		all += n;
		if (n != 0)
			r->last = now;
	}
	r->p->received += all;
	return all;
}

static bool packets_check(struct run *r, uint32_t most)
{
	bool any = false;

	for (unsigned port = 0; port < 2; port++) {
		struct fifo *f = &r->out[port];
		uint32_t n = fifo_count(f);
		n = fifo_piece(f->tail, n < most ? n : most);
		sink_check(r->w, port, &f->pkt[f->tail % FIFO], n);
		f->tail += n;
		any |= n != 0;
	}
	return any;
}

static void time_between(struct run *r)
{
	if (packets_check(r, SPARE))
		return;
	if (r->made < r->p->packets && fifo_count(&r->ahead) < PACE_AHEAD)
		packets_make(r, SPARE);
}

static void send_and_take(struct run *r)
{
	struct pace *p = r->p;
	uint64_t start = rte_rdtsc(), quiet = rte_get_tsc_hz() / 1000 * QUIET_MS;
	double per_tick = p->pps / (double)rte_get_tsc_hz();

	r->last = start;
	for (uint64_t turn = start;;) {
		uint64_t now = rte_rdtsc();
		r->gap[0] = now - turn > r->gap[0] ? now - turn : r->gap[0];
		turn = now;
		r->due = p->pps == 0 ? p->packets : (uint64_t)((double)(now - start) * per_tick);
		uint64_t behind_by = r->due - p->sent - p->missed;
		if (p->pps != 0 && behind_by > CATCH_UP) { // held up: no wire sends a heap at once
			start += (uint64_t)((double)(behind_by - CATCH_UP) / per_tick);
			p->held_up += behind_by - CATCH_UP;
			continue;
		}
		r->due = r->due < p->packets ? r->due : p->packets;
		packets_send(r);
		unsigned took = packets_take(r);
		if (p->sent + p->missed == p->packets &&
		    (p->sent == p->received || (queues_empty() && now > r->last + quiet)))
			return;
		bool behind = fifo_count(&r->ahead) != 0 && p->sent + p->missed + SEND_MAX < r->due;
		if (behind || took > SEND_MAX)
			continue;
		if (p->between != NULL)
			p->between(p->ctx);
		if (p->packets > PACE_AHEAD) // else the sink does nothing but poll
			time_between(r);
		if (now > r->last + quiet && fifo_count(&r->ahead) == 0 && r->made < p->packets &&
		    r->w->n_stock < SPARE) // all buffers are gone
			return;
	}
}

int pace_run(struct world *w, struct pace *p, struct err *err)
{
	static struct run run;
	struct run *r = &run;
	const struct worker *k = w->worker;
	uint64_t busy = k->busy_cycles, wrong = w->out_wrong;

	memset(r, 0, sizeof(*r));
	r->w = w;
	r->p = p;
	p->sent = p->received = p->missed = p->held_up = 0;
	packets_make(r, PACE_AHEAD);
	if (p->packets <= PACE_AHEAD) // nothing is made while the sink does nothing but poll
		p->packets = r->made;
	uint64_t t = rte_rdtsc();
	crew_post(worker_live, r);
	while (!__atomic_load_n(&r->running, __ATOMIC_ACQUIRE))
		rte_pause();
	send_and_take(r);
	__atomic_store_n(&r->stop, true, __ATOMIC_RELAXED);
	crew_wait();
	p->busy = (double)(k->busy_cycles - busy) / (double)(rte_rdtsc() - t);
	p->seconds = (double)(r->last - r->first) / (double)rte_get_tsc_hz();
	p->late = p->held_up > p->packets / LATE_SHARE;
	uint64_t gap = r->gap[0] > r->gap[1] ? r->gap[0] : r->gap[1];
	p->gap_us = (double)gap * 1e6 / (double)rte_get_tsc_hz();
	while (packets_check(r, 64))
		;
	if (w->out_wrong != wrong)
		return err_set(err, -EPROTO, "%lu wrong packets (%s)", w->out_wrong - wrong,
			       w->fault.text);
	return 0;
}
