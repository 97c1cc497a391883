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

// world_srtp.c: one leg of each call is SRTP, its peer has the other halves.
int srtp_make(struct world *w, struct err *err);
void srtp_free(struct world *w);
// Seals the n packets, whole frames, as the flows' peers do.
void srtp_frames_seal(struct world *w, struct rte_mbuf **pkt, unsigned n);
// Opens one that came out: afterwards it is as plain as if it had never been SRTP. NULL, or what is wrong.
const char *srtp_frame_open(struct world *w, struct rte_mbuf *m);

static inline bool scene_srtp(enum scene s)
{
	return s == SCENE_SRTP_PLAIN || s == SCENE_PLAIN_SRTP;
}
static inline bool scene_no_esp(enum scene s)
{
	return s == SCENE_PLAIN_PLAIN || scene_srtp(s);
}
static inline bool scene_esp_in(enum scene s)
{
	return s != SCENE_PLAIN_ESP && !scene_no_esp(s);
}
static inline bool scene_esp_out(enum scene s)
{
	return s != SCENE_TRANSIT && s != SCENE_ESP_PLAIN && !scene_no_esp(s);
}
