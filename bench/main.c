// SPDX-License-Identifier: BSD-3-Clause
// trunkline-bench: how fast this machine is, and how far the packet path is from what is possible.
#include "bench.h"
#include "path.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(struct bench *b, int argc, char **argv);
	bool eal;
	const char *json; // where the results go without --json
	const char *help;
} commands[] = {
	{"quick", cmd_quick, true, "bench/out/quick.json", "the main ratios, in a minute or two"},
	{"limit", cmd_limit, true, NULL, "raw crypto a suite and packet size; forwarding floor"},
	{"floor", cmd_floor, true, NULL,
	 "what a line of memory costs; guard and statistics of a leg"},
	{"path", cmd_path, true, NULL, "the packet path by case, calls, customers and burst"},
	{"latency", cmd_latency, true, NULL, "time from rx to tx at 10, 50, 80 and 95 % load"},
	{"tiers", cmd_tiers, true, NULL,
	 "highest rate without loss of each tier; 1G customers a worker"},
	{"control", cmd_control, true, NULL, "SAs and calls a second under load, and their memory"},
	{"wire", cmd_wire, false, NULL,
	 "FLOWS.json: a relay between two interfaces (see bench/peers)"},
	{"compare", cmd_compare, false, NULL, "BEFORE.json AFTER.json: what changed (2 % or more)"},
	{"list", cmd_list, false, NULL, "names of the cases of path"},
};

static const struct option long_options[] = {
	{"json", required_argument, NULL, 'j'},
	{"filter", required_argument, NULL, 'f'},
	{"seconds", required_argument, NULL, 's'},
	{"burst", required_argument, NULL, 'b'},
	{"batch", required_argument, NULL, 'n'},
	{"pairs", required_argument, NULL, 'p'},
	{"cpus", required_argument, NULL, 'c'},
	{"full", no_argument, NULL, 'F'},
	{"stages", no_argument, NULL, 'S'},
	{"no-huge", no_argument, NULL, 'H'},
	{"near", no_argument, NULL, 'N'},
	{"pid", required_argument, NULL, 'P'},
	{"rate", required_argument, NULL, 'R'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int usage(FILE *f, int rc)
{
	fprintf(f, "usage: trunkline-bench COMMAND [options]\n\ncommands\n");
	for (unsigned i = 0; i < RTE_DIM(commands); i++)
		fprintf(f, "  %-16s %s\n", commands[i].name, commands[i].help);
	fprintf(f,
		"\noptions\n"
		"  --json FILE      write the results there\n"
		"  --filter TEXT    only cases whose name holds it (TEXT$: ends with it)\n"
		"  --seconds S      time of a trial (latency, tiers, control)\n"
		"  --full           every combination of the grid\n"
		"  --stages         cycles of each stage below each case\n"
		"  --burst N        packets a poll gives at most, 1 to 64\n"
		"  --batch N        packets a measured drain, 64 to 8000 (default %d)\n"
		"  --pairs N        pairs of limit and path (default %d, for path %d)\n"
		"  --cpus G,W       CPUs of the generator and the worker\n"
		"  --near           packets stay in the generator's caches; otherwise they are "
		"demoted "
		"to\n"
		"                   the shared one, where a NIC's DMA puts them (CPUs with "
		"CLDEMOTE)\n"
		"  --rate PPS       wire sends at this rate instead of searching for the highest\n"
		"  --pid PID        process whose CPU time wire divides by its packets\n"
		"  --no-huge        no hugepages\n",
		BATCH_DEFAULT, PAIRS_QUICK, PAIRS_PATH);
	return rc;
}

static bool options_read(struct options *o, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			o->json = optarg;
			break;
		case 'f':
			o->filter = optarg;
			break;
		case 's':
			o->seconds = atof(optarg);
			break;
		case 'b':
			o->burst = (unsigned)atoi(optarg);
			break;
		case 'n':
			o->batch = (unsigned)atoi(optarg);
			break;
		case 'p':
			o->pairs = (unsigned)atoi(optarg);
			if (o->pairs == 0)
				return false;
			break;
		case 'c':
			if (sscanf(optarg, "%d,%d", &o->cpu[0], &o->cpu[1]) != 2)
				return false;
			break;
		case 'F':
			o->full = true;
			break;
		case 'S':
			o->stages = true;
			break;
		case 'R':
			o->rate = atof(optarg);
			break;
		case 'P':
			o->pid = atoi(optarg);
			break;
		case 'N':
			o->near = true;
			break;
		case 'H':
			o->no_huge = true;
			break;
		default:
			return false;
		}
	}
	return o->burst <= BURST_MAX && o->batch >= 64 && o->batch <= 8000 && o->pairs <= 64 &&
	       o->seconds >= 0;
}

static int command_run(struct bench *b, const struct command *c, int argc, char **argv)
{
	struct err err;
	int failed;

	b->command = c->name;
	b->cases = json_array();
	if (c->eal) {
		if (eal_open(b, &err) < 0) {
			fprintf(stderr, "trunkline-bench: %s\n", err.text);
			return 1;
		}
		machine_print(b);
	}
	failed = c->run(b, argc, argv);
	const char *json = b->opt.json != NULL ? b->opt.json : c->json;
	if (json != NULL && results_write(b, json) < 0)
		failed++;
	json_decref(b->cases);
	if (c->eal)
		eal_close();
	return failed != 0;
}

int main(int argc, char **argv)
{
	struct bench b = {.opt = {.batch = BATCH_DEFAULT, .cpu = {-1, -1}}};

	if (argc < 2)
		return usage(stderr, 2);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage(stdout, 0);
	for (unsigned i = 0; i < RTE_DIM(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		for (int a = 2; a < argc; a++)
			if (strcmp(argv[a], "--help") == 0)
				return usage(stdout, 0);
		if (!options_read(&b.opt, argc - 1, argv + 1))
			return usage(stderr, 2);
		return command_run(&b, &commands[i], argc - 1 - optind, argv + 1 + optind);
	}
	fprintf(stderr, "trunkline-bench: no command %s\n", argv[1]);
	return usage(stderr, 2);
}
