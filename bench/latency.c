// SPDX-License-Identifier: BSD-3-Clause
// From rx to tx under load: the time between the moment when a packet is put on the worker's receive ring and
// the moment when the sink, which polls all the time, takes it from the transmit ring.
#include "pace.h"
#include "path.h"

#include <stdio.h>
#include <string.h>

#define SECONDS 1.0     // of traffic for each load ...
#define PACKETS 1000000 // ... or so many
#define ROUNDS_MOST 200 // to find one that nobody disturbs

static double us(const struct bench *b, uint64_t ticks)
{
	return (double)ticks / (double)b->hz * 1e6;
}

// Packets a second that the worker takes when they never end.
static int capacity(struct world *w, double *pps, struct err *err)
{
	double v[7];

	for (unsigned i = 0; i < RTE_DIM(v); i++) {
		struct pace p = {.packets = PACE_AHEAD};
		int rc = pace_run(w, &p, err);
		if (rc < 0)
			return rc;
		v[i] = (double)p.received / p.seconds;
	}
	*pps = median(v, RTE_DIM(v));
	return 0;
}

static json_t *percentiles(const struct bench *b, const struct hist *h)
{
	static const double share[] = {0.1,  0.25,  0.5,   0.75,   0.9,    0.95,
				       0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999};
	json_t *list = json_array();

	for (unsigned i = 0; i < RTE_DIM(share); i++)
		json_array_append_new(list, json_pack("[f, f]", share[i] * 100,
						      us(b, hist_quantile(h, share[i]))));
	return list;
}

struct load {
	struct hist all, good; // good: of rounds in which neither core was taken away from us
	uint64_t sent, lost, lost_good;
	unsigned rounds, disturbed;
};

static int load_rounds(struct world *w, double pps, double seconds, struct load *l, struct err *err)
{
	static struct hist hist;
	uint64_t want = (uint64_t)(pps * seconds);

	want = want < PACKETS ? want : PACKETS;
	memset(l, 0, sizeof(*l));
	for (; l->sent < want || (l->good.n == 0 && l->rounds < ROUNDS_MOST); l->rounds++) {
		struct pace p = {.pps = pps, .packets = PACE_AHEAD, .hist = &hist};
		hist_clear(&hist);
		int rc = pace_run(w, &p, err);
		if (rc < 0)
			return rc;
		bool bad = pace_disturbed(&p);
		l->sent += p.packets;
		l->lost += pace_lost(&p);
		l->lost_good += bad ? 0 : pace_lost(&p);
		l->disturbed += bad;
		hist_merge(&l->all, &hist);
		if (!bad)
			hist_merge(&l->good, &hist);
	}
	return 0;
}

static int load_run(struct bench *b, struct world *w, const char *base, unsigned load, double full,
		    struct err *err)
{
	static struct load l;
	char name[112];
	double pps = full * load / 100;
	int rc = load_rounds(w, pps, b->opt.seconds != 0 ? b->opt.seconds : SECONDS, &l, err);

	if (rc < 0)
		return rc;
	snprintf(name, sizeof(name), "latency_%s_load%u", base, load);
	double p50 = us(b, hist_quantile(&l.good, 0.5)), p99 = us(b, hist_quantile(&l.good, 0.99));
	double p9999 = us(b, hist_quantile(&l.good, 0.9999)),
	       all = us(b, hist_quantile(&l.all, 0.9999));
	printf("%-46s %6.2f %7.1f %7.1f %7.1f %7.1f %6lu %9.1f %5u/%u\n", name, pps / 1e6, p50, p99,
	       p9999, us(b, l.good.max), l.lost_good, all, l.disturbed, l.rounds);
	fflush(stdout);
	case_add(b,
		 json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:I, s:i, s:i, s:o}",
			   "name", name, "load_percent", (int)load, "mpps", pps / 1e6, "p50_us",
			   p50, "p99_us", p99, "p9999_us", p9999, "max_us", us(b, l.good.max),
			   "packets", (json_int_t)l.good.n, "lost", (json_int_t)l.lost_good,
			   "all_p9999_us", all, "all_lost", (json_int_t)l.lost, "rounds",
			   (int)l.rounds, "rounds_disturbed", (int)l.disturbed, "percentiles",
			   percentiles(b, &l.good)));
	return 0;
}

static int scene_run(struct bench *b, const struct path_case *c, struct err *err)
{
	static const unsigned loads[] = {10, 50, 80, 95};
	struct world_spec spec = {.scene = c->scene,
				  .suite = c->suite,
				  .calls = c->calls,
				  .customers = path_customers(c),
				  .inner_len = c->inner_len,
				  .near = b->opt.near};
	char name[96];
	struct world w;
	double full;
	int rc;

	path_name(c, name, sizeof(name));
	if (!case_wanted(b, name))
		return 0;
	if ((rc = world_open(&w, &spec, err)) < 0)
		return rc;
	ports_burst_set(BURST_MAX);
	w.lossy = true;
	rc = capacity(&w, &full, err);
	for (unsigned i = 0; rc == 0 && i < RTE_DIM(loads); i++)
		rc = load_run(b, &w, name, loads[i], full, err);
	world_close(&w);
	return rc;
}

int cmd_latency(struct bench *b, int argc, char **argv)
{
	static const struct path_case cases[] = {
		{SCENE_ESP_PLAIN, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_BOTH, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_HAIRPIN, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_PLAIN_PLAIN, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_ESP_PLAIN, SUITE_AES_CBC_256_SHA256, false, 10000, 0, BURST_DEFAULT,
		 INNER_G711, SRTP_NONE},
	};
	struct err err;

	(void)argc;
	(void)argv;
	printf("microseconds from receive ring to transmit ring; load of what the worker takes at "
	       "most.\n"
	       "Rounds in which a core was taken away for %d us or more count in \"all\" only.\n",
	       PACE_GAP_US);
	printf("%-46s %6s %7s %7s %7s %7s %6s %9s %s\n", "case", "Mpps", "p50", "p99", "p99.99",
	       "max", "lost", "all 99.99", "disturbed");
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		if (scene_run(b, &cases[i], &err) < 0) {
			printf("latency FAILED: %s\n", err.text);
			b->failed++;
		}
	}
	return (int)b->failed;
}
