// SPDX-License-Identifier: BSD-3-Clause
// A case as a line on the screen and an object in the results, and the grid of cases.
#include "path.h"

#include <stdio.h>
#include <string.h>

void path_head(void)
{
	printf("cycles a packet; raw: the crypto alone; floor: rx, touch, tx; least: rx, raw call, "
	       "tx of "
	       "the same packets; bound: with their own keys and state\n");
	printf("%-40s %6s %7s %6s %6s %6s %6s %6s %6s\n", "case", "path", "fastest", "limit",
	       "ratio", "floor", "least", "bound", "Mpps");
}

static void stages_print(const struct path_result *r)
{
	double sum = 0;

	printf("    ");
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		if (r->stage[s] == 0)
			continue;
		sum += r->stage[s];
		printf("%s %.0f  ", stage_info[s].name, r->stage[s]);
	}
	printf("rx, tx burst, loop %.0f\n", r->staged - sum);
}

static json_t *result_json(const struct bench *b, const struct path_case *c, const char *name,
			   const struct path_result *r)
{
	json_t *stages = json_object();

	for (unsigned s = 0; s < STAGE_COUNT; s++)
		if (r->stage[s] != 0)
			json_object_set_new(stages, stage_info[s].name, json_real(r->stage[s]));
	return json_pack("{s:s, s:f, s:f, s:f, s:f, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:I, "
			 "s:I, s:s, s:b, s:i, s:i, s:i, s:i, s:f, s:o}",
			 "name", name, "cycles_per_packet", r->cycles, "fastest_cycles", r->fastest,
			 "limit_fastest_cycles", r->limit_fastest, "limit_cycles", r->limit,
			 "limit_is", c->scene == SCENE_PLAIN_PLAIN ? "ring ports" : "raw ipsec-mb",
			 "ratio", r->ratio, "floor_cycles", r->floor, "least_cycles", r->least,
			 "bound_cycles", r->bound, "over_floor", r->cycles - r->floor, "mpps",
			 (double)b->hz / r->cycles / 1e6, "lost", 0, "packets",
			 (json_int_t)r->packets, "relayed", (json_int_t)r->relayed, "suite",
			 c->srtp != SRTP_NONE            ? srtp_suites[c->srtp].name
			 : c->scene == SCENE_PLAIN_PLAIN ? "none"
							 : suites[c->suite].name,
			 "udp", (int)c->udp, "calls", (int)c->calls, "customers",
			 (int)path_customers(c), "burst", (int)c->burst, "inner_len",
			 (int)c->inner_len, "staged_cycles", r->staged, "stages", stages);
}

void path_run(struct bench *b, const struct path_case *c)
{
	struct path_result r;
	struct err err;
	char name[96];

	path_name(c, name, sizeof(name));
	if (!case_wanted(b, name))
		return;
	if (path_measure(b, c, &r, &err) < 0) {
		printf("%-40s FAILED: %s\n", name, err.text);
		case_add(b, json_pack("{s:s, s:s}", "name", name, "error", err.text));
		b->failed++;
		return;
	}
	printf("%-40s %6.0f %7.0f %6.0f %6.2f %6.0f %6.0f %6.0f %6.2f\n", name, r.cycles, r.fastest,
	       r.limit, r.ratio, r.floor, r.least, r.bound, (double)b->hz / r.cycles / 1e6);
	if (b->opt.stages)
		stages_print(&r);
	fflush(stdout);
	case_add(b, result_json(b, c, name, &r));
}

static const enum scene scenes[] = {SCENE_TRANSIT, SCENE_ESP_PLAIN, SCENE_PLAIN_ESP,
				    SCENE_ESP_ESP, SCENE_HAIRPIN,   SCENE_PLAIN_PLAIN};
static const enum suite_id grid_suites[] = {SUITE_AES_GCM_128, SUITE_AES_GCM_256,
					    SUITE_AES_CBC_256_SHA256};
static const uint32_t grid_calls[] = {1, 100, 10000, 50000}, grid_customers[] = {1, 16, 1000};
static const unsigned grid_bursts[] = {4, 32, 64};

typedef void (*case_fn)(struct bench *b, const struct path_case *c);

// One number of calls: customers at 10,000 calls, bursts there with the default of customers; not in UDP or with
// AES-GCM-256, where they say the same. --full: all with all.
static void grid_calls_one(struct bench *b, case_fn fn, struct path_case *c)
{
	uint32_t normal = path_customers(&(struct path_case){.calls = c->calls});
	bool plain = c->scene == SCENE_PLAIN_PLAIN;
	bool main_row = c->calls == 10000 && !c->udp && c->suite != SUITE_AES_GCM_256;

	for (unsigned k = 0; k <= RTE_DIM(grid_customers); k++) {
		c->customers = k == 0 ? 0 : grid_customers[k - 1];
		if (k != 0 && (plain || c->customers >= normal || !(b->opt.full || main_row)))
			continue;
		for (unsigned i = 0; i < RTE_DIM(grid_bursts); i++) {
			c->burst = grid_bursts[i];
			if (b->opt.burst != 0 ? c->burst == b->opt.burst
					      : c->burst == BURST_DEFAULT || b->opt.full ||
							(main_row && k == 0))
				fn(b, c);
		}
	}
}

static void grid_suite(struct bench *b, case_fn fn, enum scene scene, enum suite_id suite, bool udp)
{
	struct path_case c = {scene, suite, udp, 0, 0, BURST_DEFAULT, INNER_G711, SRTP_NONE};

	for (unsigned n = 0; n < RTE_DIM(grid_calls); n++) {
		c.calls = grid_calls[n];
		grid_calls_one(b, fn, &c);
	}
}

static void grid(struct bench *b, case_fn fn)
{
	for (unsigned s = 0; s < 6; s++) {
		if (scenes[s] == SCENE_PLAIN_PLAIN) {
			grid_suite(b, fn, scenes[s], SUITE_AES_GCM_128, false);
			continue;
		}
		for (unsigned i = 0; i < 3; i++) {
			grid_suite(b, fn, scenes[s], grid_suites[i], false);
			if (b->opt.full || i == 0)
				grid_suite(b, fn, scenes[s], grid_suites[i], true);
		}
	}
}

static void srtp_case(struct bench *b, case_fn fn, unsigned suite, uint32_t calls)
{
	for (unsigned out = 0; out < 2; out++)
		fn(b, &(struct path_case){out ? SCENE_PLAIN_SRTP : SCENE_SRTP_PLAIN,
					  SUITE_AES_GCM_128, false, calls, 0, BURST_DEFAULT,
					  INNER_G711, (enum srtp_suite)suite});
}

// Each suite in and out, at 10,000 calls.
static void srtp_grid(struct bench *b, case_fn fn)
{
	for (unsigned s = SRTP_NONE + 1; s < SRTP_SUITE_COUNT; s++)
		srtp_case(b, fn, s, 10000);
}

// The usual suites with other numbers of calls: what of the cost is the calls' memory.
static void srtp_grid_calls(struct bench *b, case_fn fn)
{
	for (unsigned n = 0; n < RTE_DIM(grid_calls); n++) {
		// One call's numbers would go round among the packets that only the floor's programs see.
		if (grid_calls[n] == 10000 || grid_calls[n] == 1)
			continue;
		srtp_case(b, fn, SRTP_AES_CM_128_80, grid_calls[n]);
		srtp_case(b, fn, SRTP_AEAD_128, grid_calls[n]);
	}
}

int cmd_path(struct bench *b, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (b->opt.pairs == 0)
		b->opt.pairs = PAIRS_PATH;
	path_head();
	grid(b, path_run);
	srtp_grid(b, path_run);
	srtp_grid_calls(b, path_run);
	return (int)b->failed;
}

static void case_list(struct bench *b, const struct path_case *c)
{
	char name[96];

	path_name(c, name, sizeof(name));
	if (case_wanted(b, name))
		puts(name);
}

int cmd_list(struct bench *b, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	grid(b, case_list);
	srtp_grid(b, case_list);
	srtp_grid_calls(b, case_list);
	return 0;
}

int cmd_quick(struct bench *b, int argc, char **argv)
{
	static const struct path_case cases[] = {
		{SCENE_ESP_PLAIN, SUITE_AES_GCM_128, false, 1, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_ESP_PLAIN, SUITE_AES_GCM_128, false, 100, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_ESP_PLAIN, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_ESP_PLAIN, SUITE_AES_GCM_128, false, 50000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_ESP_PLAIN, SUITE_AES_CBC_256_SHA256, false, 10000, 0, BURST_DEFAULT,
		 INNER_G711, SRTP_NONE},
		{SCENE_PLAIN_PLAIN, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_HAIRPIN, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_PLAIN_ESP, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_ESP_ESP, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
		{SCENE_TRANSIT, SUITE_AES_GCM_128, false, 10000, 0, BURST_DEFAULT, INNER_G711,
		 SRTP_NONE},
	};

	(void)argc;
	(void)argv;
	b->opt.stages = true;
	if (b->opt.pairs == 0)
		b->opt.pairs = PAIRS_QUICK;
	path_head();
	for (unsigned i = 0; i < RTE_DIM(cases); i++)
		path_run(b, &cases[i]);
	srtp_grid(b, path_run);
	return cmd_floor(b, argc, argv);
}
