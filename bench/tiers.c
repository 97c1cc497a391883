// SPDX-License-Identifier: BSD-3-Clause
// Each tier, both directions at once, G.711 in ESP, with its real buckets: the highest rate without
// loss (after RFC 2544 section 26.1, with shorter trials), and how many 1G customers one worker carries.
#include "addresses.h"
#include "pace.h"
#include "path.h"

#include <errno.h>
#include <stdio.h>

#define OUTER_LEN 256 // G.711 at 20 ms in AES-GCM: what the tier meters
#define CALL_PPS 50   // packets a second of a call's direction
#define TIER_MS 20    // depth of the bucket: the configuration's default
#define SECONDS 3.0   // of the tier's own trial
#define ROUND_S 0.1   // of a round
#define STEPS 7       // of the search
#define TRIES 4       // rounds for each that is wanted, since cores are taken away from us
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

// A trial: rounds at one rate. One that lost something while a core was taken away, or the generator was held
// up, says nothing about the worker: it is counted and left out.
struct trial {
	double pps;          // of both directions together
	uint64_t round;      // packets
	unsigned want, most; // rounds that count; in all
	unsigned rounds, disturbed;
	uint64_t packets, lost, disturbed_lost;
	double busy; // of the last round
};

// 1: nothing lost in as many rounds as wanted, 0: something, -EAGAIN: too few rounds were undisturbed, or
// another negative errno and a text.
static int trial_run(struct world *w, struct trial *t, struct err *err)
{
	double least = (double)(t->want * t->round) / t->pps; // seconds
	uint64_t end = rte_rdtsc() + (uint64_t)((TRIES * least + 0.5) * (double)rte_get_tsc_hz());
	unsigned good = 0;

	t->rounds = t->disturbed = 0;
	t->packets = t->lost = t->disturbed_lost = 0;
	while (good < t->want && t->rounds < t->most && rte_rdtsc() < end) {
		struct pace p = {.pps = t->pps, .packets = t->round};
		int rc = pace_run(w, &p, err);
		if (rc < 0)
			return rc;
		if (p.late && t->round > PACE_AHEAD) { // it can't make so many while it sends
			t->want = (unsigned)(t->want * t->round / PACE_AHEAD);
			t->most = TRIES * t->want + 4;
			t->round = PACE_AHEAD;
			good = t->rounds = t->disturbed = 0;
			t->packets = t->lost = t->disturbed_lost = 0;
			end = rte_rdtsc() +
			      (uint64_t)((TRIES * TRIES * least + 0.5) * (double)rte_get_tsc_hz());
			continue;
		}
		t->rounds++;
		t->busy = p.busy;
		if (pace_lost(&p) != 0 && (pace_disturbed(&p) || p.late)) {
			t->disturbed++;
			t->disturbed_lost += pace_lost(&p);
			continue;
		}
		good++;
		t->packets += p.sent + p.missed;
		t->lost += pace_lost(&p);
		if (t->lost > t->packets / 100)
			return 0;
	}
	if (t->lost != 0)
		return 0;
	return good < t->want ? -EAGAIN : 1;
}

static struct trial trial_of(double pps, double seconds)
{
	uint64_t round = (uint64_t)(pps * ROUND_S);
	unsigned want = (unsigned)(seconds / ROUND_S + 0.5);

	return (struct trial){
		.pps = pps, .round = round, .want = want != 0 ? want : 1, .most = TRIES * want + 4};
}

static int tier_report(struct bench *b, const struct tier *t, const struct trial *n, int found,
		       double low)
{
	char name[64];

	snprintf(name, sizeof(name), "tier_%s_both", t->name);
	printf("%-20s %9.0f %9.3f %10lu %10lu %9.3f %8.1f  %u of %u rounds disturbed%s\n", name,
	       n->pps, (double)t->rate / 1e9, n->packets, n->lost, low, n->busy * 100, n->disturbed,
	       n->rounds, found == -EAGAIN ? ": too few were not" : "");
	fflush(stdout);
	case_add(b,
		 json_pack("{s:s, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:i, s:i, s:I, s:b}", "name",
			   name, "tier_gbits", (double)t->rate / 1e9, "mpps", n->pps / 1e6,
			   "packets", (json_int_t)n->packets, "lost", (json_int_t)n->lost,
			   "lossless_share_of_tier", low, "round_seconds",
			   (double)n->round / n->pps, "busy_percent", n->busy * 100, "rounds",
			   (int)n->rounds, "rounds_disturbed", (int)n->disturbed, "lost_disturbed",
			   (json_int_t)n->disturbed_lost, "measured", found != -EAGAIN));
	return n->lost != 0;
}

// Between 80 % and 120 % of the tier; the tier itself first, and for as long as all the others together.
static int tier_search(struct bench *b, struct world *w, const struct tier *t, struct err *err)
{
	double full = 2 * tier_pps(t->rate), low = 0, high = 1.2, at = 1;
	double seconds = b->opt.seconds != 0 ? b->opt.seconds : SECONDS;
	struct trial nominal = {0};
	int found = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		struct trial n = trial_of(full * at, i == 0 ? seconds : seconds / STEPS);
		int rc = trial_run(w, &n, err);
		if (rc < 0 && rc != -EAGAIN)
			return rc;
		if (i == 0) {
			nominal = n;
			found = rc;
		}
		*(rc == 1 ? &low : &high) = at;
		at = low == 0 ? 0.8 * high : (low + high) / 2;
	}
	b->failed += (unsigned)tier_report(b, t, &nominal, found, low);
	return 0;
}

// All n customers send and receive a full 1G each; the rate is what the n tiers make.
static int customers_trial(const struct bench *b, unsigned n, bool *lossless, double *pps,
			   double *busy, struct err *err)
{
	struct world w;
	int rc = tier_world(b, &w, 1000000000, n, err);

	if (rc < 0)
		return rc;
	*pps = 2 * tier_pps(1000000000) * n;
	struct trial t = {.pps = *pps, .round = PACE_AHEAD, .want = ROUNDS, .most = ROUNDS * TRIES};
	rc = trial_run(&w, &t, err);
	*lossless = rc == 1;
	*busy = t.busy;
	world_close(&w);
	return rc == -EAGAIN ? 0 : rc;
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
		if (!case_wanted(b, tiers[i].name))
			continue;
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
	if (case_wanted(b, "customers") && customers_search(b, &err) < 0) {
		printf("customers FAILED: %s\n", err.text);
		b->failed++;
	}
	return (int)b->failed;
}
