// SPDX-License-Identifier: BSD-3-Clause
// One side of a relayed call: a local media port pair and the peer behind it.
//
// A leg belongs to one worker (owner). Line 0 is the ingress half: what a packet that arrives on
// the leg's port reads and writes. Line 1 is the egress half: what a packet that leaves by the leg
// reads and writes. Only the owner writes fields marked [w]; the control thread reads them.
#pragma once

#include "latch.h"
#include "rtcp.h"
#include "rtp_detail.h"
#include "rtp_stats.h"

#include <stdbool.h>
#include <stdint.h>

enum leg_flag {
	LEG_RTCP_MUX = 1 << 0, // RTCP on the RTP port (RFC 5761)
	LEG_DSCP = 1 << 1,     // tos is written; to show, packets use tos and tos_keep
	LEG_RECORD = 1 << 2,   // what it accepts is copied to recording number record
};

// What keeps packets of the leg's peer from going on, or not as they are. RTCP goes on all the same.
enum leg_gate {
	LEG_GATE_HELD = 1 << 0,     // on hold: this side is not heard, or the other does not listen
	LEG_GATE_BLOCKED = 1 << 1,  // blocked by signalling
	LEG_GATE_SILENCED = 1 << 2, // replaced by silence
	LEG_GATE_DTMF = 1 << 3,     // RFC 4733 events are left out
};
#define LEG_GATED 0xffff // no worker's number

struct srtp_ctx;

#define LEG_SIGHTS 32 // a power of two

// What the latch needs beside the address itself: read and written when a stranger sends.
struct leg_guard {
	struct latch_policy policy;
	struct latch_peer signalled; // of RTP
	struct latch_peer rtcp;      // of RTCP; ip 0: the host that RTP is learned from
	uint32_t ticks_per_s;
	uint32_t window_tick;         // [w] tick of the first packet that fitted ...
	bool window_begun;            // [w] ... once there was one
	uint8_t held;                 // [w] latch_rank of the learned source
	uint16_t refused_port;        // [w] network order; source that was refused last ...
	uint32_t refused_ip;          // [w] ... its address
	uint32_t waited;              // [w] packets of sources on probation, which did not pass
	uint32_t moves;               // [w] times that a learned source was replaced
	uint32_t learned_tick;        // [w] when the source was learned
	struct latch_source trial[2]; // [w]
	uint16_t sight[LEG_SIGHTS];   // [w] digests of the packets that should come next
};

struct leg {
	// line 0, ingress
	uint64_t
		onward; // leg_onward() in pipelines/plane.h: where what arrives goes, and what opens it before
	uint32_t remote_ip;   // [w] network order; source that packets must have once learned
	uint16_t remote_port; // [w] network order
	uint8_t latch;        // [w] latch_state
	uint8_t flags;        // leg_flag
	uint32_t last_tick;   // [w] tick (TSC >> TICK_SHIFT) of the last accepted packet
	uint16_t customer;    // whose tunnel its packets come from and go to; 0: none
	uint8_t gate;         // leg_gate; not 0: onward has LEG_GATED in place of the owner
	uint8_t dtmf_type;    // with LEG_GATE_DTMF: payload type of telephone-event
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
	struct srtp_ctx *srtp_out; // what is sent is SRTP; NULL: plain (srtp/srtp_ctx.h)
	// line 2, RTCP
	uint32_t rtcp_ip __attribute__((aligned(64))); // [w] network order
	uint16_t rtcp_port;                            // [w] network order
	uint8_t rtcp_latch;                            // [w]
	uint64_t rtcp_rx_packets, rtcp_tx_packets, rtcp_rx_bytes, rtcp_tx_bytes; // [w]
	uint32_t refused;      // [w] RTP packets whose source did not fit the latch
	uint32_t rtcp_refused; // [w]
	uint32_t record;       // with LEG_RECORD
	struct srtp_ctx
		*srtp_in; // what its peer sends is SRTP; NULL: plain. Packets find it in onward
	// touched when something irregular happens
	struct rtp_detail detail __attribute__((aligned(64))); // [w]
	struct rtcp_view rtcp __attribute__((aligned(64)));    // [w]
	struct leg_guard guard __attribute__((aligned(64)));
};

_Static_assert(__builtin_offsetof(struct leg, local_ip) == 64, "ingress is one line");
_Static_assert(__builtin_offsetof(struct leg, rtcp_ip) == 128, "egress is one line");

// TTL of relayed packets: our own, nothing of the far side's passes.
#define LEG_TTL 64
// Sets both halves' customer, and what the headers of the leg's packets are made of: local_ip
// (network order), ip_sum, tos, tos_keep, LEG_DSCP. dscp 0..63, or -1 to keep each packet's.
void leg_identity_set(struct leg *leg, uint16_t customer, uint32_t local_ip, int dscp);

// A leg takes the place of another of the same call: what the worker has written goes on in it, with
// same_peer also where its peer is, by leg_latch_carry. from may be in use, so what its worker writes meanwhile is missed. to is
// whole otherwise, and not published yet.
void leg_carry(struct leg *to, const struct leg *from, bool same_peer);

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

// A fresh leg's policy and what was signalled of its peer: sets latches, remote, and where it is sent to.
// rtp.ip 0: not known; rtcp.ip 0: RTP's host, port + 1 (mux: RTP's port). tsc_hz is not 0.
void leg_latch_set(struct leg *leg, const struct latch_policy *policy, struct latch_peer rtp,
		   struct latch_peer rtcp, uint64_t tsc_hz);
// A leg that replaces another goes on with what that one learned, unless its peer was signalled elsewhere
// or the policy now forbids the source. After leg_latch_set, before the leg is published; the window
// begins anew.
void leg_latch_carry(struct leg *leg, const struct leg *was);

// Does a packet from ip:port (network order) come from where RTP (RTCP on its own port) must come
// from? One comparison; everything else is for the functions below.
static inline bool leg_latched(const struct leg *leg, uint32_t ip, uint16_t port);
static inline bool leg_latched_rtcp(const struct leg *leg, uint32_t ip, uint16_t port);
// A valid RTP packet of which leg_latched is false. Learns, waits or refuses, and counts that.
enum latch_verdict leg_latch_stranger(struct leg *leg, const struct latch_packet *p);
// RTCP of which leg_latched_rtcp (muxed: leg_latched) is false. It follows RTP: passes from the signalled
// RTCP address and from RTP's host, of which it learns the port; with first_come and nothing signalled it
// may be the first to come, if the network vouches for it (inside: struct latch_packet). It never moves RTP that was heard;
// when RTP moves, its port is learned anew.
enum latch_verdict leg_latch_rtcp(struct leg *leg, uint32_t ip, uint16_t port, bool muxed,
				  bool inside);

#include "leg_inline.h"
