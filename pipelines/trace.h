// SPDX-License-Identifier: BSD-3-Clause
// A packet trace: for each traced packet, the stages that it went through, what it looked like
// there, and the reason if it was dropped. Memory is the control thread's; while a worker has a
// pointer to it, only that worker writes.
#pragma once

#include "stage.h"

#include <stdbool.h>
#include <stdint.h>

#define TRACE_BYTES 64

struct trace_step {
	uint32_t packet; // number of the packet in this trace, from 1
	uint8_t stage;
	uint8_t drop; // drop reason, in stage drop
	uint16_t len; // of the packet
	uint64_t tsc;
	uint8_t head[TRACE_BYTES]; // the packet's first bytes, from the IPv4 header
};

struct trace {
	uint32_t want;     // packets to trace, written by control
	uint32_t customer; // only packets of this customer, 0: any; written by control
	bool by_call;      // only packets that arrive on one of these legs; written by control
	struct {
		uint32_t id, gen; // a leg's slot: legs come and go while a trace runs
	} leg[2];
	uint32_t packets; // traced so far, written by the worker
	uint32_t n, max;  // steps; written by the worker
	struct trace_step step[];
};

// Records a burst that is about to enter a stage.
void trace_burst(struct worker *w, enum stage_id stage, struct rte_mbuf **pkt, uint16_t n);
