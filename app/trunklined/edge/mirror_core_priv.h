// SPDX-License-Identifier: BSD-3-Clause
// What the files of the mirror's core share.
#pragma once

#include "mirror_core.h"
#include "mirror_table.h"

// Who says where a prefix goes; the first one wins. A neighbour is only put in where the kernel's
// routes make it a neighbour, so that it may take precedence over them.
enum source { SRC_LOCAL, SRC_TUNNEL, SRC_NEIGH, SRC_MAIN };

// What a nexthop is made of. kind NH_UNRESOLVED stands for "by this gateway" (or, with gateway 0,
// "on this link"); whether it is an adjacency depends on the neighbour.
struct hop_key {
	uint8_t kind;
	uint8_t port;
	uint16_t customer;
	uint32_t mtu;
	uint32_t gateway;
};

struct hop {
	struct table_node node; // by port and gateway
	struct hop_key key;
	uint32_t refs;
	struct nexthop nh;
};

struct cand {
	struct cand *next; // in order of preference
	enum source source;
	uint32_t metric;
	uint32_t gen;
	uint8_t protocol;
	bool twice; // the kernel has another route with the same metric
	struct hop_key to;
};

struct prefix {
	struct table_node node;
	uint32_t dst;
	uint8_t len;
	struct cand *cand;
	struct hop *hop; // what the sink was told, NULL: nothing
};

struct neigh {
	struct table_node node;
	uint32_t ip;
	uint32_t gen;
	uint16_t state;
	uint8_t port;
	bool valid;
	struct rte_ether_addr mac;
};

struct foreign { // a route that is none of ours
	uint32_t dst, metric, gen;
	uint8_t len;
};

struct mirror_core {
	struct mirror_sink sink;
	struct mirror_link link[PORTS_MAX];
	unsigned n_links;
	struct table prefixes, hops, neighs;
	unsigned by_len[33];  // prefixes of each length
	struct hop **hop_at;  // by index
	uint32_t *free_index; // a queue, so that an index rests as long as can be
	uint32_t n_index, free_head, free_tail;
	uint32_t gen;           // of the newest complete read
	struct foreign foreign; // the newest that a complete read named
	bool syncing, wants_sync;
	bool routes_moved; // neighbours have to be looked at again
	bool changed;
	bool said_multipath, said_tos, said_full;
	struct mirror_stats stats;
};

// mirror_hop.c
struct hop *hop_get(struct mirror_core *c, const struct hop_key *key); // NULL: no room
void hop_put(struct mirror_core *c, struct hop *h);
struct neigh *neigh_find(const struct mirror_core *c, unsigned port, uint32_t ip);
bool hop_key_equal(const struct hop_key *a, const struct hop_key *b);
int link_find(const struct mirror_core *c, int ifindex); // port, -1: not ours

void neighs_sweep(struct mirror_core *c); // removes what the newest complete read did not name

// mirror_core.c
void neigh_apply(struct mirror_core *c, const struct neigh *n);
