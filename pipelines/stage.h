// SPDX-License-Identifier: BSD-3-Clause
// What a stage is, and how the runner calls it.
#pragma once

#include <rte_mbuf.h>
#include <stdint.h>

struct worker;

enum stage_id {
#define STAGE(name, help) STAGE_##name,
#include "stages.def"
#undef STAGE
	STAGE_COUNT,
	STAGE_KEPT = 0, // as a next stage: the packet was consumed (nothing goes to rx)
};

enum drop_reason {
#define DROP(id, text, help) DROP_##id,
#include "drops.def"
#undef DROP
	DROP_COUNT
};

// A burst goes in: n packets, 1 <= n <= BURST_MAX. The stage writes to next[i] the stage that pkt[i] goes to, or
// STAGE_KEPT when it has taken the packet for itself.
typedef void (*stage_fn)(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next);

#define STAGE(name, help) \
	void stage_##name(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next);
#include "stages.def"
#undef STAGE

struct stage_info {
	const char *name, *help;
	stage_fn run;
};
struct drop_info {
	const char *name, *help;
};

extern const struct stage_info stage_info[STAGE_COUNT];
extern const struct drop_info drop_info[DROP_COUNT];

#define BURST_MAX 64
