// SPDX-License-Identifier: BSD-3-Clause
// The mirror between the kernel's netlink and the plane's tables.
#pragma once

#include "mirror.h"
#include "mirror_core.h"
#include "netlink.h"

#define ASKED_MAX 4096 // a power of two
#define ASKS_PER_S 300 // of each budget

struct asked { // when a neighbour was asked for; a newer one with the same hash takes the place
	uint32_t ip;
	uint32_t port;
	uint64_t ms;
};

struct ask_budget {
	uint64_t second;
	unsigned count;
};

struct retired;
struct index_home;

struct mirror {
	struct plane *plane;
	struct defer *defer;
	struct mirror_core *core;
	int ifindex[PORTS_MAX];
	int tunnel_ifindex; // first outside port's
	void (*local_changed)(void *ctx, uint32_t ip, unsigned port, bool present);
	void *ctx;
	// mirror_plane.c: what waits for the end of a batch
	struct retired *retired;
	struct index_home *home;
	uint32_t route_default, route_half[2]; // nexthops of 0/0, 0/1 and 128/1; 0: none
	// mirror.c
	struct nl requests;
	struct mnl_socket *events, *asks;
	struct event *readable, *answered, *timer, *resync;
	unsigned ticks;
	bool resync_due;
	struct asked asked[ASKED_MAX];
	// A scan from a tunnel takes all that packets may ask for. Gateways, and neighbours in use that
	// grow stale, are asked for out of another budget.
	struct ask_budget asks_packets, asks_own;
	uint64_t resyncs, asked_n, asked_limit;
};

// mirror.c
void mirror_batch_end(struct mirror *m); // publishes what changed

// mirror_tunnel.c
void mirror_stale_remove(struct mirror *m); // what a run that was killed left behind on our TAPs
// After a complete read: with a link or its last address, the kernel drops routes without a word.
void mirror_tunnels_restore(struct mirror *m);
void mirror_tunnels_withdraw(struct mirror *m);

// mirror_plane.c
int mirror_lpm_make(struct mirror *m, struct err *err);
int mirror_route_set(void *mirror, uint32_t dst, uint8_t len, uint32_t index);
void mirror_route_del(void *mirror, uint32_t dst, uint8_t len);
int mirror_hop_set(void *mirror, const struct nexthop *nh);
void mirror_hop_del(void *mirror, uint32_t index);
// End of a batch: workers forget what they remember of routes; what was taken out is freed later.
void mirror_publish(struct mirror *m);
void mirror_plane_free(struct mirror *m);
