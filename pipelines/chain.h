// SPDX-License-Identifier: BSD-3-Clause
// What the burst that waits will need, asked for while the burst at hand is worked on: the chain from packet to
// state. Each link is found by the one before it, which has to have arrived: so each stage that computes asks for one
// link, and the next such stage for the next one. A cipher brings in whole packets meanwhile
// (crypto/ahead.h), and with them the first link. What was not reached is left to classify.
#pragma once

#include "worker.h"

// Asks for the next link, of as many packets of the burst that waits as the stage has.
void chain_next(struct worker *w, unsigned n);

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
