// SPDX-License-Identifier: BSD-3-Clause
// The parts of making a world.
#pragma once

#include "addresses.h"
#include "world.h"

extern const struct rte_ether_addr mac_of_port[2], mac_of_peer[2];

// Customers with their SAs and the peers' halves.
int customers_make(struct world *w, struct err *err);
void customers_free(struct world *w);
// Calls, and the flows that the peers send.
int calls_make(struct world *w, struct err *err);
void calls_free(struct world *w);

static inline bool scene_esp_in(enum scene s)
{
	return s != SCENE_PLAIN_ESP && s != SCENE_PLAIN_PLAIN;
}
static inline bool scene_esp_out(enum scene s)
{
	return s != SCENE_TRANSIT && s != SCENE_ESP_PLAIN && s != SCENE_PLAIN_PLAIN;
}
