// SPDX-License-Identifier: BSD-3-Clause
// Runs the stages in the table's order until no stage has packets, and counts for all of them.
//
// A stage's vector is handed to the next stage by swapping pointers when the whole burst goes one
// way, which is the common case; otherwise its packets are scattered. The earliest pending stage
// runs first, so that packets which took different ways are one burst again where the ways meet.
#include "trace.h"
#include "worker.h"

#include <rte_branch_prediction.h>
#include <rte_cycles.h>

const struct stage_info stage_info[STAGE_COUNT] = {
#define STAGE(name, help) [STAGE_##name] = {#name, help, stage_##name},
#include "stages.def"
#undef STAGE
};

const struct drop_info drop_info[DROP_COUNT] = {
#define DROP(id, text, help) [DROP_##id] = {text, help},
#include "drops.def"
#undef DROP
};

static bool all_same(const uint8_t *next, uint16_t n)
{
	uint8_t diff = 0;
	for (uint16_t i = 0; i < n; i++)
		diff |= next[i] ^ next[0];
	return diff == 0;
}

static void scatter(struct worker *w, struct rte_mbuf **pkt, uint16_t n, const uint8_t *next)
{
	for (uint16_t i = 0; i < n; i++) {
		if (next[i] == STAGE_KEPT)
			continue;
		if (unlikely(!stage_emit(w, next[i], pkt[i]))) {
			w->drops[DROP_NO_BUFFER]++;
			rte_pktmbuf_free(pkt[i]);
		}
	}
}

// Packets made by one burst never fill a vector: BURST_MAX packets of at most 16 pieces each.
static void stage_run(struct worker *w, unsigned s)
{
	struct vec *v = &w->vec[s];
	uint8_t next[BURST_MAX];
	uint16_t n = v->n, done = 0;

	v->n = 0;
	w->stage[s].packets += n;
	w->stage[s].bursts++;
	if (unlikely(w->trace != NULL))
		trace_burst(w, (enum stage_id)s, v->pkt, n);
	for (; n - done > BURST_MAX; done += BURST_MAX) {
		stage_info[s].run(w, v->pkt + done, BURST_MAX, next);
		scatter(w, v->pkt + done, BURST_MAX, next);
	}
	stage_info[s].run(w, v->pkt + done, n - done, next);
	if (likely(done == 0 && all_same(next, n))) {
		if (next[0] == STAGE_KEPT)
			return;
		struct vec *to = &w->vec[next[0]];
		if (likely(to->n == 0)) {
			struct rte_mbuf **swap = to->pkt;
			to->pkt = v->pkt;
			to->n = n;
			v->pkt = swap;
			w->pending |= 1u << next[0];
			return;
		}
	}
	scatter(w, v->pkt + done, n - done, next);
}

void worker_run(struct worker *w)
{
	if (likely(!w->sample)) {
		while (w->pending != 0) {
			unsigned s = (unsigned)__builtin_ctz(w->pending);
			w->pending &= w->pending - 1;
			stage_run(w, s);
		}
		return;
	}
	uint64_t t = rte_rdtsc();
	while (w->pending != 0) {
		unsigned s = (unsigned)__builtin_ctz(w->pending);
		uint16_t n = w->vec[s].n;
		w->pending &= w->pending - 1;
		stage_run(w, s);
		uint64_t end = rte_rdtsc();
		w->stage[s].cycles += end - t;
		w->stage[s].cycle_packets += n;
		t = end;
	}
}
