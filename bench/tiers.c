// SPDX-License-Identifier: BSD-3-Clause
// Each tier, both directions at once, G.711 in ESP, with its real buckets: the highest rate without
// loss (after RFC 2544 section 26.1, with shorter trials), and how many 1G customers one worker carries.
#include "addresses.h"
#include "pace.h"
#include "path.h"

#include <stdio.h>

#define OUTER_LEN 256 // G.711 at 20 ms in AES-GCM: what the tier meters
#define CALL_PPS 50   // packets a second of a call's direction
#define TIER_MS 20    // depth of the bucket: the configuration's default
#define SECONDS 2.0   // of a trial
#define STEPS 7       // of the search
#define TRIES 4       // of a trial in which a core was taken away from us
#define CUSTOMERS_MOST 12
#define ROUNDS 20 // of PACE_AHEAD packets, for rates that the generator can't keep up

static const struct tier {
	const char *name;
	uint64_t rate;
} tiers[] = {{"10M", 10000000}, {"100M", 100000000}, {"500M", 500000000}, {"1G", 1000000000}};

static double tier_pps(uint64_t rate)
{
	return (double)rate / 8 / OUTER_LEN;
}

static int tier_world(const struct bench *b, struct world *w, uint64_t rate, uint32_t customers,
		      struct err *err)
{
	uint32_t calls = (uint32_t)(tier_pps(rate) / CALL_PPS) * customers;
	struct world_spec spec = {.scene = SCENE_BOTH,
				  .suite = SUITE_AES_GCM_128,
				  .calls = calls < CALLS_MAX ? calls : CALLS_MAX,
				  .customers = customers,
				  .inner_len = INNER_G711,
				  .tier = rate,
				  .tier_ms = TIER_MS,
				  .near = b->opt.near};
	int rc = world_open(w, &spec, err);

	w->lossy = true;
	ports_burst_set(BURST_MAX);
	return rc;
}

// A trial at pps of both directions together. 1: nothing lost, 0: something, or a negative errno.
static int trial(struct world *w, double pps, double seconds, struct pace *last, struct err *err)
{
	for (unsigned i = 0; i < TRIES; i++) {
		*last = (struct pace){.pps = pps, .packets = (uint64_t)(pps * seconds)};
		int rc = pace_run(w, last, err);
		if (rc < 0)
			return rc;
		if (pace_lost(last) == 0)
			return 1;
		if (!pace_disturbed(last))
			return 0;
	}
	return 0;
}

// Between 80 % and 120 % of the tier.
static int tier_search(struct bench *b, struct world *w, const struct tier *t, struct err *err)
{
	double full = 2 * tier_pps(t->rate), low = 0, high = 1.2, at = 1;
	double seconds = b->opt.seconds != 0 ? b->opt.seconds : SECONDS;
	struct pace p = {0}, nominal = {0};
	char name[64];

	snprintf(name, sizeof(name), "tier_%s_both", t->name);
	for (unsigned i = 0; i < STEPS; i++) {
		int rc = trial(w, full * at, seconds, &p, err);
		if (rc < 0)
			return rc;
		if (i == 0)
			nominal = p;
		*(rc != 0 ? &low : &high) = at;
		at = low == 0 ? 0.8 * high : (low + high) / 2;
	}
	printf("%-20s %9.0f %9.3f %10lu %10lu %9.3f %8.1f%s\n", name, full, (double)t->rate / 1e9,
	       nominal.packets, pace_lost(&nominal), low, nominal.busy * 100,
	       nominal.late                                           ? "  generator was held up"
	       : pace_lost(&nominal) != 0 && pace_disturbed(&nominal) ? "  a core was taken away"
								      : "");
	fflush(stdout);
	case_add(b, json_pack("{s:s, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:b, s:f}", "name", name,
			      "tier_gbits", (double)t->rate / 1e9, "mpps", full / 1e6, "packets",
			      (json_int_t)nominal.packets, "lost", (json_int_t)pace_lost(&nominal),
			      "lossless_share_of_tier", low, "trial_seconds", seconds,
			      "busy_percent", nominal.busy * 100, "generator_late",
			      (int)nominal.late, "disturbed_us", nominal.gap_us));
	b->failed += pace_lost(&nominal) != 0 && !pace_disturbed(&nominal);
	return 0;
}

// All n customers send and receive a full 1G each; the rate is what the n tiers make.
static int customers_trial(const struct bench *b, unsigned n, bool *lossless, double *pps,
			   double *busy, struct err *err)
{
	struct world w;
	struct pace p;
	int rc = tier_world(b, &w, 1000000000, n, err);

	if (rc < 0)
		return rc;
	*pps = 2 * tier_pps(1000000000) * n;
	*busy = 0;
	*lossless = true;
	for (unsigned i = 0; i < ROUNDS && rc >= 0 && *lossless; i++) {
		rc = trial(&w, *pps, PACE_AHEAD / *pps, &p, err);
		*lossless = rc == 1;
		*busy += p.busy / ROUNDS;
	}
	world_close(&w);
	return rc;
}

static int customers_search(struct bench *b, struct err *err)
{
	unsigned carried = 0;
	double pps, best = 0, busy, best_busy = 0;
	bool lossless = true;

	for (unsigned n = 1; n <= CUSTOMERS_MOST && lossless; n++) {
		int rc = customers_trial(b, n, &lossless, &pps, &busy, err);
		if (rc < 0)
			return rc;
		if (!lossless)
			break;
		carried = n;
		best = pps;
		best_busy = busy;
	}
	printf("one worker carries %u customers of 1G at once, each full in both directions: %.2f "
	       "Mpps, "
	       "%.1f Gbit/s of ESP\n",
	       carried, best / 1e6, best * OUTER_LEN * 8 / 1e9);
	case_add(b,
		 json_pack("{s:s, s:i, s:f, s:f, s:f, s:i}", "name", "customers_1G_one_worker",
			   "customers", (int)carried, "mpps", best / 1e6, "gbits",
			   best * OUTER_LEN * 8 / 1e9, "busy_percent", best_busy * 100, "lost", 0));
	return 0;
}

int cmd_tiers(struct bench *b, int argc, char **argv)
{
	struct err err;
	struct world w;

	(void)argc;
	(void)argv;
	printf("%-20s %9s %9s %10s %10s %9s %8s\n", "case", "pps", "Gbit/s", "sent", "lost",
	       "lossless", "busy %");
	for (unsigned i = 0; i < RTE_DIM(tiers); i++) {
		int rc = tier_world(b, &w, tiers[i].rate, 1, &err);
		if (rc == 0) {
			rc = tier_search(b, &w, &tiers[i], &err);
			world_close(&w);
		}
		if (rc < 0) {
			printf("tier_%s FAILED: %s\n", tiers[i].name, err.text);
			b->failed++;
		}
	}
	if (customers_search(b, &err) < 0) {
		printf("customers FAILED: %s\n", err.text);
		b->failed++;
	}
	return (int)b->failed;
}
