// SPDX-License-Identifier: BSD-3-Clause
// What the control thread does in a second while the worker is half loaded, and what things take
// of memory. One operation at a time is done in the time between packets, on the generator's core: the rate on
// the clock is the lower bound, the time of the operations alone is what a core of its own gives.
#include "control_bed.h"
#include "media/media_priv.h"
#include "pace.h"
#include "path.h"

#include <malloc.h>
#include <rte_malloc.h>
#include <stdio.h>

#define CUSTOMERS 3000 // beside the 1,000 whose traffic is the load
#define SAS 5000
#define CALLS 20000

enum kind { ADD_CUSTOMER, ADD_SA, ADD_CALL, DEL_CALL, DEL_SA, KINDS };

static const struct {
	const char *name, *what;
	unsigned n;
} kinds[KINDS] = {
	[ADD_CUSTOMER] = {"control_customers_added", "customers added", CUSTOMERS},
	[ADD_SA] = {"control_sas_installed", "SA pairs installed", SAS},
	[ADD_CALL] = {"control_calls_set_up", "calls set up", CALLS},
	[DEL_CALL] = {"control_calls_ended", "calls ended", CALLS},
	[DEL_SA] = {"control_sas_deleted", "SA pairs deleted", SAS},
};

struct work {
	struct bed *bed;
	enum kind kind;
	unsigned done, of;
	uint64_t ticks; // in the operations
	bool failed;
	struct err err;
};

static int operate(struct work *k, unsigned i)
{
	switch (k->kind) {
	case ADD_CUSTOMER:
		return bed_customer_add(k->bed, i, &k->err);
	case ADD_SA:
		return bed_sa_add(k->bed, i, CUSTOMERS, &k->err);
	case ADD_CALL:
		return bed_call_add(k->bed, i, CUSTOMERS, &k->err);
	case DEL_CALL:
		return bed_call_del(k->bed, i, &k->err);
	default:
		return bed_sa_del(k->bed, i, &k->err);
	}
}

static void between(void *ctx)
{
	struct work *k = ctx;
	uint64_t t = rte_rdtsc();

	if (k->done == k->of || k->failed)
		return;
	k->failed = operate(k, k->done) < 0;
	k->done++;
	if (k->done % 16 == 0)
		defer_poll(k->bed->ctl->defer);
	k->ticks += rte_rdtsc() - t;
}

static uint64_t memory_used(void)
{
	struct rte_malloc_socket_stats s;
	struct mallinfo2 m = mallinfo2();

	rte_malloc_get_socket_stats(0, &s);
	return s.heap_allocsz_bytes + m.uordblks;
}

static int kind_run(struct bench *b, struct world *w, struct bed *bed, enum kind kind, double pps,
		    struct err *err)
{
	struct work k = {.bed = bed, .kind = kind, .of = kinds[kind].n};
	uint64_t lost = 0, lost_disturbed = 0, packets = 0, memory = memory_used();
	double seconds = 0, load = 0;
	unsigned rounds = 0, disturbed = 0;

	while (k.done < k.of && !k.failed) {
		struct pace p = {.pps = pps, .packets = PACE_AHEAD, .between = between, .ctx = &k};
		unsigned before = k.done;
		int rc = pace_run(w, &p, err);
		if (rc < 0)
			return rc;
		seconds += p.seconds;
		packets += p.packets;
		*(pace_disturbed(&p) ? &lost_disturbed : &lost) += pace_lost(&p);
		disturbed += pace_disturbed(&p);
		load += p.busy;
		rounds++;
		if (k.done == before)
			return err_set(err, -ETIMEDOUT, "no time between the packets");
	}
	if (k.failed) {
		*err = k.err;
		return -EIO;
	}
	double clock = k.of / seconds, alone = (double)k.of * (double)b->hz / (double)k.ticks;
	double bytes = ((double)memory_used() - (double)memory) / k.of;
	printf("%-28s %8u %12.0f %12.0f %8.1f %10lu %8lu %9.0f %5u/%u\n", kinds[kind].what, k.of,
	       clock, alone, load / rounds * 100, packets, lost, bytes, disturbed, rounds);
	fflush(stdout);
	case_add(b, json_pack("{s:s, s:i, s:f, s:f, s:f, s:I, s:I, s:f, s:i, s:i, s:I}", "name",
			      kinds[kind].name, "count", (int)k.of, "per_second", clock,
			      "per_second_alone", alone, "worker_load_percent", load / rounds * 100,
			      "packets", (json_int_t)packets, "lost", (json_int_t)lost,
			      "bytes_each", bytes, "rounds", (int)rounds, "rounds_disturbed",
			      (int)disturbed, "lost_in_disturbed", (json_int_t)lost_disturbed));
	b->failed += lost != 0;
	return 0;
}

static void memory_print(struct bench *b, const struct bed *bed)
{
	const struct rte_mempool *p = bed->ctl->media->legs;
	unsigned legs = p->header_size + p->elt_size + p->trailer_size;
	struct sa_spec spec = {.window = 1024, .n_selectors = 1};
	size_t in = sa_in_size(&spec), out = sa_out_size(&spec);

	printf("\nof the pools: %u bytes for the two legs of a call; an SA pair %zu + %zu bytes, a "
	       "customer "
	       "%zu bytes, %zu bytes of ports a media address\n",
	       legs, in, out, sizeof(struct customer), sizeof(struct media_addr));
	case_add(b, json_pack("{s:s, s:i, s:i, s:i, s:i}", "name", "control_memory", "legs_bytes",
			      (int)legs, "sa_in_bytes", (int)in, "sa_out_bytes", (int)out,
			      "customer_bytes", (int)sizeof(struct customer)));
}

static int control_run(struct bench *b, struct err *err)
{
	static struct bed bed;
	struct world_spec spec = {.scene = SCENE_ESP_PLAIN,
				  .suite = SUITE_AES_GCM_128,
				  .calls = 10000,
				  .customers = 1000,
				  .inner_len = INNER_G711,
				  .near = b->opt.near};
	struct world w;
	int rc = world_open(&w, &spec, err);

	if (rc < 0)
		return rc;
	ports_burst_set(BURST_MAX);
	w.lossy = true;
	struct pace flood = {.packets = PACE_AHEAD};
	if ((rc = pace_run(&w, &flood, err)) < 0 || (rc = pace_run(&w, &flood, err)) < 0)
		goto out;
	double half = (double)flood.received / flood.seconds / 2;
	uint64_t before = memory_used();
	if ((rc = bed_open(&bed, &w, err)) < 0)
		goto out;
	printf("tables for %u calls and %u SA pairs: %.1f MB; load %.2f Mpps\n", BED_CALLS, BED_SAS,
	       (double)(memory_used() - before) / 1e6, half / 1e6);
	printf("%-28s %8s %12s %12s %8s %10s %8s %9s %s\n", "", "count", "per second", "alone",
	       "busy %", "packets", "lost", "bytes", "disturbed");
	for (unsigned i = 0; rc == 0 && i < KINDS; i++)
		rc = kind_run(b, &w, &bed, (enum kind)i, half, err);
	memory_print(b, &bed);
	bed_close(&bed, &w);
out:
	world_close(&w);
	return rc;
}

int cmd_control(struct bench *b, int argc, char **argv)
{
	struct err err;

	(void)argc;
	(void)argv;
	if (control_run(b, &err) < 0) {
		printf("control FAILED: %s\n", err.text);
		b->failed++;
	}
	return (int)b->failed;
}
