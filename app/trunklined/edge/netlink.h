// SPDX-License-Identifier: BSD-3-Clause
// rtnetlink as we use it: requests, and messages read into plain structs. IPv4.
#pragma once

#include "base/err.h"
#include "base/net.h"

#include <libmnl/libmnl.h>
#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

#define NL_HOPS_MAX 16

struct nl_hop {
	int ifindex;
	uint32_t gateway; // network order, 0: on the link
};

// RTM_NEWROUTE or RTM_DELROUTE.
struct nl_route {
	uint32_t dst; // network order
	uint8_t len;
	uint8_t type;     // RTN_*
	uint8_t protocol; // RTPROT_*
	uint8_t tos;
	bool replace; // takes the place of the first route with the same table, prefix, TOS and metric
	bool beside; // such a one is there already, and stays; only events say so
	uint32_t table;
	uint32_t metric;
	uint32_t mtu;    // of the route, 0: none
	unsigned n_hops; // those without IPv4 gateway or link, and dead ones, are left out
	struct nl_hop hop[NL_HOPS_MAX];
};

// RTM_NEWNEIGH or RTM_DELNEIGH.
struct nl_neigh {
	int ifindex;
	uint32_t ip;    // network order
	uint16_t state; // NUD_*
	bool has_mac;
	struct rte_ether_addr mac;
};

// Each reads one message whose type has been checked, and whose length lies within the buffer.
// Return 0; -EAFNOSUPPORT: another family; -ENOENT: nothing for us (cloned, no destination);
// -EBADMSG: malformed.
int nl_route_parse(const struct nlmsghdr *msg, struct nl_route *out);
int nl_neigh_parse(const struct nlmsghdr *msg, struct nl_neigh *out);
// Interface index that an RTM_*LINK or RTM_*ADDR message is about, 0 if malformed.
int nl_ifindex(const struct nlmsghdr *msg);

// A socket for requests; one after the other, each waits for its answer.
struct nl {
	struct mnl_socket *sock;
	uint32_t seq;
};
int nl_open(struct nl *nl, struct err *err);
void nl_close(struct nl *nl);
// Sends msg and handles its answers until the acknowledgement or the end of a dump. cb may be NULL.
// Returns 0, the kernel's negative errno, or -EINTR: a dump was inconsistent, ask again.
int nl_talk(struct nl *nl, struct nlmsghdr *msg, mnl_cb_t cb, void *ctx);
// Dump of RTM_GETROUTE, RTM_GETNEIGH, ... for IPv4.
int nl_dump(struct nl *nl, uint16_t type, mnl_cb_t cb, void *ctx);

// Return 0 or the kernel's negative errno.
int nl_link_setup(struct nl *nl, int ifindex, const struct rte_ether_addr *mac, uint32_t mtu,
		  uint32_t txqlen);
int nl_link_no_ipv6(struct nl *nl, int ifindex); // no link-local address of its own
int nl_link_up(struct nl *nl, int ifindex);
int nl_addr_add(struct nl *nl, int ifindex, const struct ip_prefix *addr);
// A link-scope route of protocol proto in the main table; -EEXIST: there is one. The metric is one
// that neither the kernel's own routes (0) nor routing daemons' have, so nobody's route is touched.
#define NL_ROUTE_METRIC 1
int nl_route_change(struct nl *nl, bool add, uint32_t dst, uint8_t len, int ifindex, uint8_t proto);

// Writes a request that makes the kernel use, and so resolve or confirm, a neighbour; no answer is
// asked for. buf holds at least NL_USE_SIZE bytes.
#define NL_USE_SIZE 128
struct nlmsghdr *nl_neigh_use(void *buf, int ifindex, uint32_t ip);
