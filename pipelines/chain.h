// SPDX-License-Identifier: BSD-3-Clause
// What the burst that waits will need, asked for while the burst at hand is worked on: the chain from packet to
// state. Each link is found by the one before it, which has to have arrived: so each stage that computes does one
// link, a packet of the waiting burst for each of its own, and the next such stage the next link. A cipher
// brings in whole packets meanwhile (crypto/ahead.h), and with them the first link. What was not reached is left to classify.
#pragma once

#include "worker.h"

// By link: asks for it for packet i of the burst that waits.
typedef void (*chain_step_fn)(struct worker *w, unsigned i);
extern const chain_step_fn chain_fn[CHAIN_LINKS];

struct chain_walk {
	chain_step_fn step;
	uint8_t *at; // packets done
	uint8_t end;
};

// Once in a stage, and then for each of its packets chain_step.
static inline struct chain_walk chain_begin(struct worker *w)
{
	static uint8_t none;
	struct rx_queue *q = w->next;

	if (q == NULL || q->chain.links == CHAIN_LINKS)
		return (struct chain_walk){.at = &none};
	uint8_t link = q->chain.links++, *done = q->chain.done;
	return (struct chain_walk){chain_fn[link], &done[link],
				   link == 0 ? (uint8_t)q->n : done[link - 1]};
}

static inline void chain_step(struct worker *w, struct chain_walk *walk)
{
	if (*walk->at < walk->end)
		walk->step(w, (*walk->at)++);
}

// Behind a cipher: what it has brought in is done.
static inline void chain_brought(struct worker *w)
{
	struct rx_queue *q = w->next;

	if (q == NULL || w->ahead.at == 0)
		return;
	q->chain.links = q->chain.links > CHAIN_ENTRY ? q->chain.links : CHAIN_ENTRY;
	if (q->chain.done[CHAIN_HEADER] < w->ahead.at)
		q->chain.done[CHAIN_HEADER] = (uint8_t)w->ahead.at;
}
