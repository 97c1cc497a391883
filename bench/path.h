// SPDX-License-Identifier: BSD-3-Clause
// Cases of the packet path and how one is measured.
#pragma once

#include "bench.h"
#include "raw.h"
#include "world.h"

#define BURST_DEFAULT 32
#define BATCH_DEFAULT 4096
#define PAIRS_QUICK 9
#define PAIRS_PATH 5 // of many more cases
#define CUSTOMERS_DEFAULT 1000
#define INNER_G711 200

struct path_case {
	enum scene scene;
	enum suite_id suite;
	bool udp;
	uint32_t calls, customers; // customers 0: one a call, at most CUSTOMERS_DEFAULT
	unsigned burst;
	uint32_t inner_len;
	enum srtp_suite srtp;
};

struct path_result {
	double cycles, limit, ratio;
	double fastest,
		limit_fastest; // batch and pass: what the machine gives when nobody disturbs it
	double floor;          // received, touched, sent
	double least;          // received, raw call, sent
	double bound;          // the same with own keys and state (bound.h); 0: not measured
	double stage[STAGE_COUNT], staged; // of batches with every round timed
	uint64_t packets;                  // measured
	uint64_t relayed;                  // all that went through the worker
};

// "esp_gcm128_relay_plain_c10000", with _k (customers), _b (burst), _l (bytes) where they are not the
// default, _udp.
void path_name(const struct path_case *c, char *buf, size_t size);
// Limit and path in turn, b->opt.pairs times; each figure is the median. 0, or a negative errno and a text.
int path_measure(const struct bench *b, const struct path_case *c, struct path_result *r,
		 struct err *err);
// Measures, prints a line, and adds the case to the results. A failure is printed and counted.
void path_run(struct bench *b, const struct path_case *c);
void path_head(void);
// gcm128, cbc256sha256, ...: a suite in names of cases.
const char *suite_short(enum suite_id suite);
uint32_t path_customers(const struct path_case *c);
