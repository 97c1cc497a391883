// SPDX-License-Identifier: BSD-3-Clause
// What bounds the path apart from the cipher: what a line of memory costs on the worker's core by where it comes
// from, and what the guard and the statistics of a leg cost beside merely having the leg.
#include "base/line.h"
#include "path.h"
#include "rtp/leg.h"

#include <rte_malloc.h>
#include <rte_random.h>
#include <stdio.h>

#define LINE 64
#define LINES_AHEAD 16
#define ROUNDS 15
#define LINES_MOST ((16u << 20) / LINE)
#define ARRIVALS 4096
#define LEGS_AHEAD 8
#define LEG_CALLS 10000

// ---- lines ----

struct lines {
	uint8_t *mem;
	uint32_t *order;
	uint32_t n;
	uint64_t cycles;
};

// Each line is owned and touched, in random order, brought in some ahead: what a stream of them costs.
static void lines_run(void *arg)
{
	struct lines *l = arg;
	uint64_t t = rte_rdtsc();

	for (uint32_t i = 0; i < l->n; i++) {
		if (i + LINES_AHEAD < l->n)
			line_own(l->mem + (size_t)l->order[i + LINES_AHEAD] * LINE);
		l->mem[(size_t)l->order[i] * LINE]++;
	}
	l->cycles = rte_rdtsc() - t;
}

// The peers' core writes them, as it does packets.
static void lines_write(struct lines *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		l->mem[(size_t)i * LINE + 8]++;
}

static double lines_measure(struct lines *l, uint32_t bytes, bool others)
{
	double v[ROUNDS];

	l->n = bytes / LINE;
	for (uint32_t i = 0; i < l->n; i++)
		l->order[i] = i;
	for (uint32_t i = l->n - 1; i > 0; i--) {
		uint32_t j = (uint32_t)rte_rand_max(i + 1), t = l->order[i];
		l->order[i] = l->order[j];
		l->order[j] = t;
	}
	crew_call(lines_run, l);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (others)
			lines_write(l);
		crew_call(lines_run, l);
		v[i] = (double)l->cycles / l->n;
	}
	return median(v, ROUNDS);
}

static void line_case(struct bench *b, const char *name, const char *what, double cycles)
{
	printf("%-28s %7.1f  %s\n", name, cycles, what);
	case_add(b, json_pack("{s:s, s:f, s:s}", "name", name, "cycles_per_line", cycles, "what",
			      what));
}

static int lines(struct bench *b)
{
	struct lines l = {.mem = rte_zmalloc("lines", (size_t)LINES_MOST * LINE, LINE),
			  .order = rte_zmalloc("order", LINES_MOST * sizeof(uint32_t), LINE)};
	int rc = 0;

	if (l.mem == NULL || l.order == NULL) {
		rc = -1;
		goto out;
	}
	line_case(b, "line_own_256K", "in the core's second cache",
		  lines_measure(&l, 256 << 10, false));
	line_case(b, "line_own_1M", "its own, of 1 MB", lines_measure(&l, 1 << 20, false));
	line_case(b, "line_own_4M", "its own, of 4 MB: state of some 4,000 calls",
		  lines_measure(&l, 4 << 20, false));
	line_case(b, "line_own_16M", "its own, of 16 MB", lines_measure(&l, 16 << 20, false));
	line_case(b, "line_arriving", "written by the other core just before, as packets are",
		  lines_measure(&l, 1 << 20, true));
out:
	rte_free(l.mem);
	rte_free(l.order);
	return rc;
}

// ---- guard and statistics ----

struct arrival {
	struct leg *leg;
	uint32_t ip, ssrc, ts;
	uint16_t port, seq;
};

struct guard {
	struct arrival *arrival;
	bool whole;
	uint64_t cycles, passed;
};

static void guard_run(void *arg)
{
	struct guard *g = arg;
	uint64_t passed = 0, t = rte_rdtsc();

	for (unsigned i = 0; i < ARRIVALS; i++) {
		const struct arrival *a = &g->arrival[i];
		struct leg *leg = a->leg;
		if (i + LEGS_AHEAD < ARRIVALS)
			rte_prefetch0(a[LEGS_AHEAD].leg);
		if (!g->whole) {
			line_load(leg);
			continue;
		}
		if (unlikely(!leg_latched(leg, a->ip, a->port)))
			continue;
		rtp_stats_update(&leg->rx, &leg->detail, a->seq, a->ssrc, a->ts, 180, t);
		passed++;
	}
	g->cycles = rte_rdtsc() - t;
	g->passed += passed;
}

#define LEG_PORT RTE_BE16(4000)

static uint32_t leg_ip(uint32_t call)
{
	return rte_cpu_to_be_32(0x0a000000 + call);
}

// Without a look at the legs, which are the worker's core's.
static void arrivals_make(struct arrival *arrival, struct leg_pair *pair, uint64_t *sent)
{
	for (unsigned i = 0; i < ARRIVALS; i++) {
		uint32_t call = (uint32_t)rte_rand_max(LEG_CALLS);
		struct leg *leg = &pair[call].leg[0];
		arrival[i] = (struct arrival){.leg = leg,
					      .ip = leg_ip(call),
					      .ssrc = call + 1,
					      .ts = (uint32_t)sent[call] * 160,
					      .port = LEG_PORT,
					      .seq = (uint16_t)sent[call]};
		sent[call]++;
	}
}

// The same loop with them and with the leg's line alone, in turn: the difference is theirs.
static int guard(struct bench *b)
{
	struct leg_pair *pair = rte_zmalloc("pairs", sizeof(*pair) * LEG_CALLS, LINE);
	struct arrival *arrival = rte_zmalloc("arrivals", sizeof(*arrival) * ARRIVALS, LINE);
	uint64_t *sent = rte_zmalloc("sent", sizeof(*sent) * LEG_CALLS, LINE);
	struct guard g = {.arrival = arrival};
	double v[2][ROUNDS], cost[ROUNDS];
	int rc = -1;

	if (pair == NULL || arrival == NULL || sent == NULL)
		goto out;
	for (unsigned i = 0; i < LEG_CALLS; i++) {
		struct leg *leg = &pair[i].leg[0];
		leg->remote_ip = leg_ip(i);
		leg->remote_port = LEG_PORT;
		leg->latch = LATCH_FIXED;
		leg->rx.clock_mult = rtp_clock_mult(8000, b->hz);
	}
	for (unsigned i = 0; i < 2 * ROUNDS; i++) {
		arrivals_make(arrival, pair, sent);
		g.whole = false;
		crew_call(guard_run, &g);
		v[0][i % ROUNDS] = (double)g.cycles / ARRIVALS;
		g.whole = true;
		crew_call(guard_run, &g);
		v[1][i % ROUNDS] = (double)g.cycles / ARRIVALS;
		cost[i % ROUNDS] = v[1][i % ROUNDS] - v[0][i % ROUNDS];
	}
	if (g.passed != (uint64_t)2 * ROUNDS * ARRIVALS)
		goto out;
	double both = median(cost, ROUNDS), with = median(v[1], ROUNDS),
	       line = median(v[0], ROUNDS);
	printf("%-28s %7.1f  cycles a packet: %.1f with them, %.1f with the leg's line alone\n",
	       "guard_and_statistics", both, with, line);
	case_add(b, json_pack("{s:s, s:f, s:f, s:f}", "name", "guard_and_statistics",
			      "cycles_per_packet", both, "with_cycles", with, "line_cycles", line));
	rc = 0;
out:
	rte_free(pair);
	rte_free(arrival);
	rte_free(sent);
	return rc;
}

int cmd_floor(struct bench *b, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (lines(b) < 0 || guard(b) < 0) {
		printf("floor FAILED: no memory, or a packet did not pass the guard\n");
		b->failed++;
	}
	return (int)b->failed;
}
