// SPDX-License-Identifier: BSD-3-Clause
// The kernel's IPv4 routes and neighbours on our TAPs, mirrored into the plane's tables, and the
// routes into tunnels, which take precedence over them. Control thread only.
//
// What the LPM holds:
//   our addresses            NH_LOCAL
//   encryption domains       NH_TUNNEL
//   routes by a gateway      the gateway's NH_ADJACENCY, or NH_UNRESOLVED while it is not known
//   connected subnets        NH_UNRESOLVED with gateway 0: the destination itself is to be resolved
//   neighbours (as /32)      NH_ADJACENCY
//   blackhole, unreachable, prohibit and broadcast   NH_BLACKHOLE
// plane.nexthop[0] is NH_NONE; an index once used never holds NULL.
#pragma once

#include "base/err.h"
#include "base/net.h"
#include "plane.h"

#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

struct defer;
struct event_base;
struct mirror;

// Kernel protocol number of the routes that we install for tunnels (ip route show proto 200).
#define MIRROR_RTPROT 200

struct mirror_params {
	struct plane *plane; // qsbr, port[] and n_ports are set; lpm is made here
	struct defer *defer;
	struct event_base *base; // NULL: mirror_poll is called instead
	const int *ifindex;      // of each logical port's TAP
	// Optional: an address of this machine on port appeared or went (ip addr add|del), also at start.
	void (*local_changed)(void *ctx, uint32_t ip, unsigned port, bool present);
	void *ctx;
};

// Makes plane.lpm, removes routes that an earlier run left in the kernel, reads routes and
// neighbours, and follows them from now on. When it returns, the plane agrees with the kernel.
int mirror_open(struct mirror **out, const struct mirror_params *params, struct err *err);
// Withdraws the tunnels' routes from the kernel and frees everything. The workers have ended;
// defer may be closed before or after.
void mirror_close(struct mirror *m);
// Handles what netlink has to say now (only needed without base).
void mirror_poll(struct mirror *m);

// Routes a prefix into a customer's tunnel, here and in the kernel (link scope, on the first
// outside port, so that routing daemons can announce it). The same prefix again changes the customer.
// Returns 0, -EAFNOSUPPORT (IPv4 only), -ENOSPC (tables full) or another negative errno with err.
int mirror_tunnel_add(struct mirror *m, const struct ip_prefix *prefix, uint16_t customer,
		      struct err *err);
// -ENOENT: it was not there.
int mirror_tunnel_del(struct mirror *m, const struct ip_prefix *prefix, struct err *err);

// Asks the kernel to resolve a neighbour (network order) on a port: at most once a second for each
// address, and a few hundred a second altogether. What the mirror itself asks for (gateways, stale
// neighbours) is not among these.
void mirror_resolve(struct mirror *m, unsigned port, uint32_t ip);

// What the data path does with this destination (network order); never NULL.
const struct nexthop *mirror_lookup(const struct mirror *m, uint32_t ip);

// Views. The callback returns false to stop; it must not change the mirror. No particular order.
struct mirror_route {
	struct ip_prefix prefix;
	const struct nexthop *nexthop;
	uint8_t protocol; // RTPROT_*, MIRROR_RTPROT for tunnels
	uint32_t metric;
};
struct mirror_neigh {
	struct ip_addr addr;
	uint8_t port;
	uint16_t state; // NUD_*
	struct rte_ether_addr mac;
};
void mirror_routes(const struct mirror *m, bool (*fn)(void *ctx, const struct mirror_route *r),
		   void *ctx);
void mirror_neighs(const struct mirror *m, bool (*fn)(void *ctx, const struct mirror_neigh *n),
		   void *ctx);

struct mirror_stats {
	unsigned routes, neighbours, nexthops; // held now
	uint64_t updates;                      // netlink messages that changed something
	uint64_t resyncs; // complete reads after the first, because messages were lost or might be
	uint64_t asked;   // neighbours that the kernel was asked for
	uint64_t asked_limit; // ... that were not, for the rate limits
	uint64_t table_full;  // changes that found no room in the LPM or the nexthops
};
void mirror_stats(const struct mirror *m, struct mirror_stats *out);
