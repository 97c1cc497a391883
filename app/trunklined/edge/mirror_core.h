// SPDX-License-Identifier: BSD-3-Clause
// The mirror's decisions, without DPDK's tables and without sockets: what the kernel says goes in,
// what the data path should hold comes out at a sink. Addresses are in network order.
#pragma once

#include "mirror.h"
#include "netlink.h"
#include "route/nexthop.h"

#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

struct mirror_core;

struct mirror_link { // a logical port
	int ifindex; // of its TAP
	struct rte_ether_addr mac;
	uint16_t vlan, mtu;
};

struct mirror_sink {
	void *ctx;
	// The prefix leads to the nexthop with this index. 0, or -ENOSPC.
	int (*route_set)(void *ctx, uint32_t dst, uint8_t len, uint32_t index);
	void (*route_del)(void *ctx, uint32_t dst, uint8_t len);
	// Publishes a new nexthop, or a new form of one. The struct is the core's: copy it.
	int (*hop_set)(void *ctx, const struct nexthop *nh);
	// No route has the index any more. Call mirror_core_index_free once no worker can hold it.
	void (*hop_del)(void *ctx, uint32_t index);
	// The kernel should resolve or confirm a neighbour.
	void (*resolve)(void *ctx, unsigned port, uint32_t ip);
	// An address of this machine appeared or went.
	void (*local)(void *ctx, uint32_t ip, unsigned port, bool present);
};

// n_hops: indexes 1..n_hops-1 are used. NULL: no memory.
struct mirror_core *mirror_core_new(const struct mirror_sink *sink, const struct mirror_link *link,
				    unsigned n_links, uint32_t n_hops);
// Tells the sink nothing.
void mirror_core_free(struct mirror_core *c);

void mirror_core_route(struct mirror_core *c, const struct nl_route *r, bool del);
void mirror_core_neigh(struct mirror_core *c, const struct nl_neigh *n, bool del);
int mirror_core_tunnel_add(struct mirror_core *c, uint32_t dst, uint8_t len, uint16_t customer);
int mirror_core_tunnel_del(struct mirror_core *c, uint32_t dst, uint8_t len);

// A complete read: what is not heard of again between begin and end is gone.
void mirror_core_sync_begin(struct mirror_core *c);
void mirror_core_sync_end(struct mirror_core *c);
// True once after messages that only a complete read can make sense of.
bool mirror_core_wants_sync(struct mirror_core *c);

// End of a batch of changes. Returns whether the sink was told anything since the last call.
bool mirror_core_commit(struct mirror_core *c);
// Asks for neighbours that grow stale, and for gateways that are not resolved.
void mirror_core_refresh(struct mirror_core *c, bool stale);
void mirror_core_index_free(struct mirror_core *c, uint32_t index);

// Index of the nexthop for an address, 0: none.
uint32_t mirror_core_lookup(const struct mirror_core *c, uint32_t ip);
const struct nexthop *mirror_core_hop(const struct mirror_core *c, uint32_t index);
void mirror_core_routes(const struct mirror_core *c,
			bool (*fn)(void *ctx, const struct mirror_route *r), void *ctx);
void mirror_core_neighs(const struct mirror_core *c,
			bool (*fn)(void *ctx, const struct mirror_neigh *n), void *ctx);
// Prefixes of tunnels only; missing: those that the newest complete read did not find in the kernel.
void mirror_core_tunnels(const struct mirror_core *c, bool missing,
			 void (*fn)(void *ctx, uint32_t dst, uint8_t len), void *ctx);
void mirror_core_stats(const struct mirror_core *c, struct mirror_stats *out);
