// SPDX-License-Identifier: BSD-3-Clause
// How much of what comes from outside the kernel gets to see, source by source.
//
// A customer's gateway (punt_peers, published by control) has a limit of its own, and so has each
// customer's tunnel. Everybody else shares a table of limits by a hash that only this worker knows,
// and one half of the port's rate; gateways, tunnels and ARP have the other half to themselves. So one
// flooder spoils its own limit, many flooders spoil the strangers' half, and neither keeps a
// customer's IKE out. Nothing here grows, and nothing is searched for longer than one probe run.
//
// A limit is the time at which its source's next packet is due if it sent at the rate; a packet may
// come earlier than that by the burst.
#pragma once

#include "plane.h"

#include <rte_jhash.h>
#include <stdbool.h>
#include <stdint.h>

#define PUNT_PEERS 16384 // a power of two; at most half of it is used
#define PUNT_STRANGERS 4096
#define PUNT_BURST_MS 1000

// Addresses of known gateways, network order, 0: empty. Immutable, published whole by control.
struct punt_peers {
	uint32_t n;
	uint32_t ip[PUNT_PEERS];
};

static inline uint32_t punt_peers_slot(uint32_t ip)
{
	return (ip * 2654435761u) >> 18;
}
_Static_assert(PUNT_PEERS == 1u << (32 - 18), "the hash fits the table");

// False if the table is half full. Known addresses are not added again.
static inline bool punt_peers_add(struct punt_peers *p, uint32_t ip)
{
	uint32_t i = punt_peers_slot(ip);

	for (; p->ip[i] != 0; i = (i + 1) & (PUNT_PEERS - 1))
		if (p->ip[i] == ip)
			return true;
	if (ip == 0 || p->n >= PUNT_PEERS / 2)
		return false;
	p->ip[i] = ip;
	p->n++;
	return true;
}

// Index of a known gateway, or -1.
static inline int punt_peers_find(const struct punt_peers *p, uint32_t ip)
{
	uint32_t i = punt_peers_slot(ip);

	for (; p != NULL && p->ip[i] != 0; i = (i + 1) & (PUNT_PEERS - 1))
		if (p->ip[i] == ip)
			return (int)i;
	return -1;
}

// A worker's limits, all its own.
struct punt_sources {
	uint64_t ticks; // TSC between two packets of a source at the rate; 0: no limit
	uint64_t burst; // TSC
	uint32_t seed;
	uint64_t stranger[PUNT_STRANGERS]; // TSC when the next packet is due
	uint64_t peer[PUNT_PEERS];
	uint64_t customer[CUSTOMERS_MAX];
};

// rate in packets/s of one source, 0: no limit; all limits start full.
static inline void punt_sources_init(struct punt_sources *s, uint32_t rate, uint64_t tsc_hz,
				     uint32_t seed)
{
	s->ticks = rate == 0 ? 0 : tsc_hz / rate;
	s->burst = tsc_hz * PUNT_BURST_MS / 1000;
	s->seed = seed;
}

static inline uint64_t *punt_stranger(struct punt_sources *s, uint32_t key)
{
	return &s->stranger[rte_jhash_1word(key, s->seed) & (PUNT_STRANGERS - 1)];
}

static inline bool punt_source_admit(const struct punt_sources *s, uint64_t *due, uint64_t now)
{
	uint64_t from = (int64_t)(*due - now) > 0 ? *due : now;

	if (from - now > s->burst)
		return false;
	*due = from + s->ticks;
	return true;
}
