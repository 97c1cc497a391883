// SPDX-License-Identifier: BSD-3-Clause
// One side of a relayed call: a local media port pair and the peer behind it.
//
// A leg belongs to one worker (owner). Line 0 is the ingress half: what a packet that arrives on
// the leg's port reads and writes. Line 1 is the egress half: what a packet that leaves by the leg
// reads and writes. Only the owner writes fields marked [w]; the control thread reads them.
#pragma once

#include "rtp_stats.h"

#include <stdbool.h>
#include <stdint.h>

enum latch_state {
	LATCH_OPEN,    // the first valid packet decides (RFC 4961, RFC 7362)
	LATCH_LEARNED, // learned from a packet; others are refused
	LATCH_FIXED,   // signalled and not to be learned
};

enum leg_flag {
	LEG_RTCP_MUX = 1 << 0, // RTCP on the RTP port (RFC 5761)
	LEG_DSCP = 1 << 1,     // tos is written; to show, packets use tos and tos_keep
};

struct leg {
	// line 0, ingress
	uint64_t peer; // the other leg, its owner in the upper 16 bits; lives as long as this one
	uint32_t remote_ip;   // [w] network order; source that packets must have once learned
	uint16_t remote_port; // [w] network order
	uint8_t latch;        // [w] latch_state
	uint8_t flags;        // leg_flag
	uint32_t last_tick;   // [w] tick (TSC >> TICK_SHIFT) of the last accepted packet
	uint16_t customer;    // whose tunnel its packets come from and go to; 0: none
	uint16_t pad0;
	struct rtp_stats rx __attribute__((aligned(8))); // [w]
	// line 1, egress
	uint32_t local_ip __attribute__((aligned(64))); // network order
	uint32_t out_ip;     // [w] network order; 0: nowhere to send to yet
	uint16_t local_port; // network order, even
	uint16_t out_port;   // [w] network order
	uint16_t owner;
	uint16_t local_rtcp;           // network order; local_port with LEG_RTCP_MUX
	uint32_t nexthop;              // [w] cache of the route to out_ip ...
	uint32_t route_gen;            // [w] ... valid while this is the plane's
	uint32_t id;                   // slot in the plane's table
	uint32_t gen;                  // generation of the slot
	uint64_t tx_packets, tx_bytes; // [w] RTP
	uint16_t ip_sum; // ones' complement sum of what all our headers have: local_ip, TTL, UDP
	uint8_t tos;     // with LEG_DSCP: DSCP << 2
	uint8_t tos_keep; // bits of the packet's own TOS that stay: with LEG_DSCP the ECN bits, else all
	uint16_t out_customer; // the same as customer, for the egress half
	uint8_t hairpin;       // [w] 1: out_ip is a media address of ours
	uint8_t pad;
	// line 2, RTCP
	uint32_t rtcp_ip __attribute__((aligned(64))); // [w] network order
	uint16_t rtcp_port;                            // [w] network order
	uint8_t rtcp_latch;                            // [w]
	uint64_t rtcp_rx_packets, rtcp_tx_packets, rtcp_rx_bytes, rtcp_tx_bytes; // [w]
	uint32_t refused;      // [w] RTP packets whose source did not fit the latch
	uint32_t rtcp_refused; // [w]
};

_Static_assert(__builtin_offsetof(struct leg, local_ip) == 64, "ingress is one line");
_Static_assert(__builtin_offsetof(struct leg, rtcp_ip) == 128, "egress is one line");

// TTL of relayed packets: our own, nothing of the far side's passes.
#define LEG_TTL 64
// Sets both halves' customer, and what the headers of the leg's packets are made of: local_ip
// (network order), ip_sum, tos, tos_keep, LEG_DSCP. dscp 0..63, or -1 to keep each packet's.
void leg_identity_set(struct leg *leg, uint16_t customer, uint32_t local_ip, int dscp);

// Both legs of a call, one object: they live and die together, and each is found from the other
// without a load, so that what a packet needs of both is prefetched at once.
struct leg_pair {
	struct leg leg[2];
} __attribute__((aligned(64)));

static inline struct leg *leg_other(struct leg *leg, bool second)
{
	return second ? leg - 1 : leg + 1;
}

// Where RTCP goes: with LEG_RTCP_MUX wherever RTP does. 0: nowhere yet. Network order.
static inline uint32_t leg_rtcp_ip(const struct leg *leg)
{
	return leg->flags & LEG_RTCP_MUX ? leg->out_ip : leg->rtcp_ip;
}

static inline uint16_t leg_rtcp_port(const struct leg *leg)
{
	return leg->flags & LEG_RTCP_MUX ? leg->out_port : leg->rtcp_port;
}

#define TICK_SHIFT 20 // TSC ticks in a leg's tick: about 0.4 ms at 2.6 GHz

enum latch_verdict { LATCH_PASS, LATCH_REFUSED };

// A valid packet from ip:port (network order) arrived on the RTP port. Learns or compares.
static inline enum latch_verdict leg_latch(struct leg *leg, uint32_t ip, uint16_t port);
// The same for the RTCP port (or muxed RTCP, which shares the RTP latch: call leg_latch).
static inline enum latch_verdict leg_latch_rtcp(struct leg *leg, uint32_t ip, uint16_t port);

#include "leg_inline.h"
