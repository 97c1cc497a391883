// SPDX-License-Identifier: BSD-3-Clause
// Where a packet goes after its route is known. Nexthops are immutable: a change publishes a new one.
#pragma once

#include <stdint.h>

enum nexthop_kind {
	NH_NONE,       // no route: ICMP "network unreachable" is the kernel's business; dropped
	NH_ADJACENCY,  // a neighbour whose link address is known
	NH_UNRESOLVED, // a neighbour that the kernel is asked to resolve
	NH_TUNNEL,     // into a customer's tunnel
	NH_LOCAL,      // an address of this machine: to the kernel
	NH_BLACKHOLE,
};

// The index of a nexthop in the plane's table is what routes hold; 0 is NH_NONE.
struct nexthop {
	uint8_t kind;
	uint8_t port;      // logical port, for ADJACENCY and UNRESOLVED
	uint16_t customer; // for TUNNEL
	uint16_t mtu;      // bytes of IP
	uint8_t l2_len;    // 14 or 18 (VLAN)
	uint8_t pad;
	uint8_t l2[18]; // Ethernet header as it goes out, with VLAN tag if the port has one
	uint8_t pad2[6];
	uint32_t gateway; // network order
	uint32_t index;
} __attribute__((aligned(64)));
