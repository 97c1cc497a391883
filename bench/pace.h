// SPDX-License-Identifier: BSD-3-Clause
// A steady load: the worker polls as in life while the peers send at a given rate, take what comes out, and
// measure how long it took. Packets are made ahead, and more are made in the time between.
#pragma once

#include "bench.h"
#include "hist.h"
#include "world.h"

#define PACE_AHEAD 32768 // packets that are made before the clock starts
#define PACE_RXD 1024    // what a port's receive queue holds, as NICs are set up

struct pace {
	double pps;        // of both directions together; 0: as fast as the worker takes them
	uint64_t packets;  // to send
	struct hist *hist; // rx to tx, TSC ticks; may be NULL
	// Called in the time between, on the peers' core; may be NULL.
	void (*between)(void *ctx);
	void *ctx;
	// results
	uint64_t sent, received;
	uint64_t missed;  // found the worker's receive queue full
	uint64_t held_up; // were due while the generator did something else
	double seconds;   // from the first packet in to the last one out
	double busy;      // share of the time in which the worker had packets
	double gap_us; // longest turn of either core's loop; what the kernel or a hypervisor took
	bool late;     // the generator did not keep up: the rate was not reached
};

// A turn takes at most some 60 us of our own work: beyond this, the core was taken away from us.
#define PACE_GAP_US 100

static inline bool pace_disturbed(const struct pace *p)
{
	return p->gap_us > PACE_GAP_US;
}

// 0, or -EPROTO and a text if an answer was wrong. Loss is a result, not an error, if w->lossy.
int pace_run(struct world *w, struct pace *p, struct err *err);
// Packets that were sent, or should have been, and did not come out.
static inline uint64_t pace_lost(const struct pace *p)
{
	return p->sent + p->missed - p->received;
}
