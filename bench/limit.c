// SPDX-License-Identifier: BSD-3-Clause
// The limit: what crypto and packet I/O cost alone.
#include "drive.h"
#include "path.h"
#include "raw.h"

#include <errno.h>
#include <stdio.h>

#define RAW_MS 5
#define KEYS 1000

static const struct {
	uint32_t len; // inner IPv4 packet
	const char *what;
} sizes[] = {{60, "g729"}, {120, "opus"}, {200, "g711"}, {512, "512"}, {1400, "1400"}};

static double limit_one(enum suite_id s, uint32_t len, enum crypto_dir dir, unsigned keys,
			enum raw_order order)
{
	struct raw *r = raw_open(s, len, dir, keys);
	double cycles = r != NULL ? raw_measure_there(r, order, RAW_MS) : 0;

	raw_close(r);
	return cycles;
}

static void limit_suite(struct bench *b, enum suite_id s, unsigned size, enum crypto_dir dir)
{
	char name[96];
	uint32_t len = sizes[size].len;

	snprintf(name, sizeof(name), "raw_%s_%s_%s", suite_short(s),
		 dir == CRYPTO_DECRYPT ? "open" : "seal", sizes[size].what);
	if (!case_wanted(b, name))
		return;
	double hot = limit_one(s, len, dir, 1, RAW_SEQUENTIAL);
	double cold = limit_one(s, len, dir, KEYS, RAW_COLD);
	double ahead = limit_one(s, len, dir, KEYS, RAW_PREFETCHED);
	double mpps = (double)b->hz / hot / 1e6;
	printf("%-30s %5u %9.0f %9.0f %11.0f %7.2f %7.1f\n", name, raw_cipher_len(s, len), hot,
	       cold, ahead, mpps, mpps * len * 8 / 1000);
	fflush(stdout);
	case_add(b, json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "name", name,
			      "suite", suites[s].name, "inner_len", (int)len, "cipher_len",
			      (int)raw_cipher_len(s, len), "cycles_per_packet", hot, "limit_cycles",
			      hot, "keys1000_cold_cycles", cold, "keys1000_prefetched_cycles",
			      ahead, "ratio", 1.0, "mpps", mpps));
}

static int floor_one(struct bench *b, unsigned burst, struct err *err)
{
	struct world_spec spec = {.scene = SCENE_PLAIN_PLAIN,
				  .calls = 10000,
				  .customers = 1,
				  .inner_len = INNER_G711,
				  .near = b->opt.near};
	struct world w;
	struct drive d;
	char name[32];
	int rc;

	snprintf(name, sizeof(name), "ring_forward_b%u", burst);
	if (!case_wanted(b, name))
		return 0;
	if ((rc = world_open(&w, &spec, err)) < 0)
		return rc;
	ports_burst_set(burst);
	rc = drive_floor(&w, b->opt.batch, 50, &d, err);
	world_close(&w);
	if (rc < 0)
		return rc;
	double mpps = (double)b->hz / d.cycles / 1e6;
	printf("%-30s %5d %9.0f %9s %11s %7.2f\n", name, INNER_G711, d.cycles, "", "", mpps);
	case_add(b, json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:i}", "name", name, "burst",
			      (int)burst, "cycles_per_packet", d.cycles, "limit_cycles", d.cycles,
			      "ratio", 1.0, "mpps", mpps, "lost", 0));
	return 0;
}

int cmd_limit(struct bench *b, int argc, char **argv)
{
	static const unsigned bursts[] = {4, 32, 64};
	struct err err;

	(void)argc;
	(void)argv;
	printf("the raw call: ipsec-mb alone, in place, %d buffers; with one key, and with %d keys "
	       "in "
	       "random order\n",
	       RAW_BUFFERS, KEYS);
	printf("%-30s %5s %9s %9s %11s %7s %7s\n", "case", "bytes", "one key", "cold", "prefetched",
	       "Mpps", "Gbit/s");
	for (unsigned s = 0; s < SUITE_COUNT; s++)
		for (unsigned i = 0; i < RTE_DIM(sizes); i++)
			for (unsigned dir = 0; dir < 2; dir++)
				limit_suite(b, (enum suite_id)s, i, (enum crypto_dir)dir);
	printf("\nring ports: received, touched, sent\n");
	for (unsigned i = 0; i < RTE_DIM(bursts); i++) {
		if (floor_one(b, bursts[i], &err) < 0) {
			printf("ring_forward FAILED: %s\n", err.text);
			b->failed++;
		}
	}
	return (int)b->failed;
}
