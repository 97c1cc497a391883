// SPDX-License-Identifier: BSD-3-Clause
// Batches: the peers fill the rings, the worker empties them while its cycles are counted, the
// peers check what came out. Every poll finds a full burst, and the generator's speed doesn't matter.
#pragma once

#include "bench.h"
#include "raw.h"
#include "world.h"

struct drive {
	double cycles;  // a packet: median of the batches
	double fastest; // the best batch
	uint64_t packets;
	uint64_t lost;             // sent and never seen again
	double stage[STAGE_COUNT]; // cycles a packet in each stage ...
	double staged; // ... and in all, of batches whose every round was timed: medians
};

// As many batches as every flow needs to be seen once, to warm up; then n that count. 0, or -EPROTO and a text if an answer is wrong or missing.
int drive_batches(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err);
// The same packets, received, touched (link addresses swapped) and sent, by DPDK alone: the floor.
int drive_floor(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err);
// The same packets, received, put through the raw calls with one key, and sent.
int drive_least(struct world *w, unsigned batch, unsigned n, const struct raw_calls *calls,
		struct drive *d, struct err *err);
// The same packets put through bound_burst (bound.h) and sent.
int drive_bound(struct world *w, unsigned batch, unsigned n, struct drive *d, struct err *err);
// Tells which packets the worker dropped, by name; "" if none.
void drops_text(const struct world *w, char *buf, size_t size);
