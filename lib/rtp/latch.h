// SPDX-License-Identifier: BSD-3-Clause
// The rules by which a leg learns its peer's address: the guarded latch (RFC 4961, RFC 7362 and what
// RTP bleed taught). The control thread writes a policy with each offer and answer; the leg's owner applies it.
//
// A source is believed by its evidence, best first (enum latch_rank). The signalled address and port, or the
// same host, count at once; so does, with first_come, whatever the network vouches for. Any other has to send
// one stream in sequence at the pace of speech for a while, during which none of its packets pass and nothing is
// sent to it. Two that are equally good are neither believed. Better evidence takes over later; equal or worse
// only where the policy says so, and only once the learned source is silent. What does not fit is refused.
// What SRTP has verified moves it at once, but for a packet that comes late: that passes, and moves nothing.
//
// Before the answer a peer has no reason to speak, and a stranger all the time that it rings: whoever is not at
// a public address that was signalled is refused then.
//
// What no rule can tell without SRTP: a forged source address with the right port, and a stranger who sends a
// well-formed stream at the pace of speech while the true peer is silent after the answer, for
// LATCH_UNLIKELY_MS (its signalled address being public; else at once).
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Whom the network vouches for, so that the first packet counts.
enum latch_first {
	LATCH_FIRST_NOBODY,
	LATCH_FIRST_ANYBODY, // a tunnel: nobody else's packets come here
	LATCH_FIRST_INSIDE,  // what came in by an inside port
};

// tunnel: its packets come by a tunnel; inside: they are sent to an address of an inside port.
static inline uint8_t latch_first_of(bool tunnel, bool inside)
{
	return tunnel ? LATCH_FIRST_ANYBODY : inside ? LATCH_FIRST_INSIDE : LATCH_FIRST_NOBODY;
}

struct latch_policy {
	bool learn;  // false: it is sent to the signalled address all the same ("asymmetric" in NG)
	bool strict; // once learned (and the window over) only by re-offer ("strict-source")
	bool handover;      // moves to another host too ("media-handover")
	bool authenticated; // SRTP: a verified packet may move it at any time, unless it is late
	uint8_t first_come; // latch_first
	bool ringing;       // not answered yet
	bool same_port;     // the source port must be the signalled one
	uint8_t net_bits; // so many leading bits of the source must be as signalled; 0: any source
	uint16_t
		window_ms; // from the first packet that fits better evidence takes over; 0: until the first
	uint64_t types[2]; // payload types that fit, one bit each; all 0: any
};

enum latch_state {
	LATCH_OPEN,    // nobody is believed yet
	LATCH_LEARNED, // learned from packets
	LATCH_FIXED,   // signalled and not to be learned
};

// How good a source's evidence is.
enum latch_rank {
	LATCH_RANK_NONE, // does not fit: payload type, network or port that the policy demands; too early
	LATCH_RANK_ANY,
	LATCH_RANK_NET,      // in the network (/24) of the signalled address
	LATCH_RANK_HOST,     // the signalled address, another port
	LATCH_RANK_EXACT,    // address and port as signalled
	LATCH_RANK_VERIFIED, // SRTP says so
};

enum latch_verdict {
	LATCH_PASS,
	LATCH_REFUSED,
	LATCH_WAIT, // may become the peer; not yet
};

#define LATCH_QUIET_MS 300 // a learned source that was not heard for so long may be replaced
#define LATCH_ALIVE_MS 300 // one on probation that was not heard for so long starts anew
#define LATCH_UNLIKELY_MS 3000

// Signalled address, of the peer's RTP. Network order; ip 0: nothing was signalled.
struct latch_peer {
	uint32_t ip;
	uint16_t port;
};

// How a packet's source compares with what was signalled. type: payload type (RTP); ip and port in
// network order. verified: SRTP authenticated the packet.
enum latch_rank latch_rank_of(const struct latch_policy *p, struct latch_peer signalled,
			      uint32_t ip, uint16_t port, uint8_t type, bool verified);

// What a source must have shown before it counts: packets of one stream in sequence, over a time.
struct latch_need {
	uint16_t packets, ms;
};

// What a source's stream is to the one that was learned.
enum latch_stream {
	LATCH_STREAM_FIRST,   // none was learned, or with less evidence
	LATCH_STREAM_FOLLOWS, // it carries on
	LATCH_STREAM_OTHER,
};

// rank is not NONE. signalled_ip in network order: if it is public, its owner should be heard from
// there, and another source has to last long; if private (RFC 1918, RFC 6598) or 0, a NAT explains it.
struct latch_need latch_need_of(const struct latch_policy *p, enum latch_rank rank,
				uint32_t signalled_ip, enum latch_stream stream);

// What latch_step decides by.
struct latch_facts {
	enum latch_rank rank; // of the packet's source
	enum latch_rank held; // of the learned source, at LATCH_LEARNED
	bool same;            // the source is the one that was learned or is fixed
	bool same_host;       // ... at least its address is
	bool follows;         // same SSRC, and its sequence numbers carry on
	bool late;            // the peer may have moved since it was sent
	bool quiet;           // the learned source was not heard for LATCH_QUIET_MS
	bool window;          // the policy's window is open
	bool proven;          // latch_need_of is met
	bool contested;       // another source is on probation and as good
};

// What a packet does to a latch.
struct latch_result {
	uint8_t next;    // latch_state
	uint8_t verdict; // latch_verdict
	uint8_t learn;   // 1: the packet's source becomes the learned one
};

// The rules, as a pure function.
struct latch_result latch_step(enum latch_state state, const struct latch_policy *p,
			       const struct latch_facts *f);

// A source on probation. Ticks as in leg.h.
struct latch_source {
	uint32_t ip; // network order; 0: none
	uint16_t port;
	uint16_t seq;
	uint32_t ssrc;
	uint32_t first, last; // ticks of its first packet in sequence and of its last
	uint16_t packets;     // in sequence
	uint8_t rank;         // latch_rank
	uint8_t pad;
};

// A packet's part in it, host order but for ip and port.
struct latch_packet {
	uint32_t ip;
	uint16_t port;
	uint16_t seq;
	uint32_t ssrc;
	uint32_t tick;
	uint8_t type;  // payload type
	bool verified; // by the keys that were signalled last
	bool old_keys; // by those before: perhaps of the peer before, so it is only ever heard
	bool inside;   // came in by an inside port, itself or where its hairpins began
};

// Notes a packet of a source on probation, which may be a new one. A step in sequence of 1..4
// carries on; another SSRC, a jump, a pause, or a pace that no speech has starts anew.
void latch_source_note(struct latch_source *s, const struct latch_packet *p, enum latch_rank rank,
		       uint32_t ticks_per_s);
