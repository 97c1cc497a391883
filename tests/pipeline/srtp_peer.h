// SPDX-License-Identifier: BSD-3-Clause
// The far ends of a call, with libsrtp2 if they speak SRTP.
#pragma once

#include "../srtp_session.h"
#include "media/leg_srtp.h"
#include "world.h"

struct peer {
	unsigned wire;      // port of the gateway
	uint32_t ip, media; // its address, and ours that it sends to; host order
	uint16_t port, local;
	uint32_t ssrc,
		seq; // of the next packet; seq 32 bit, the sender's rollover counter included
	struct srtp_params tx, rx; // from it, to it
	srtp_t out, in;
};

// New keys for a peer; SRTP_NONE: none any more.
void peer_keys(struct peer *p, enum srtp_suite suite, uint8_t mki_len);

// A call between a peer outside and one on the platform's side, with these suites. customer 0: the
// first is outside of any tunnel.
struct secure_call {
	struct leg_pair *pair;
	struct leg_srtp keys[2];
	struct peer peer[2];
};
void secure_open(struct world *w, struct secure_call *c, uint16_t customer, enum srtp_suite first,
		 enum srtp_suite second, uint8_t mki_len, bool mux);
void secure_close(struct world *w, struct secure_call *c);
// New keys of another suite for a side, as a new offer does: legs with new contexts take the old ones' place.
void secure_rekey(struct world *w, struct secure_call *c, unsigned side, enum srtp_suite suite);

// What a peer would send next; audio of len bytes, or a receiver report.
void peer_rtp(struct peer *p, struct pkt *pkt, uint32_t len);
void peer_rtcp(struct peer *p, struct pkt *pkt);
// The same, sent (into the customer's tunnel, if the peer is behind one).
void peer_say(struct world *w, struct peer *p);
// Whether what came out as number i is what a peer of this call said with number seq, as the other peer
// must see it: addresses, checksums, tag, audio.
bool peer_hears(const struct world *w, const struct secure_call *c, unsigned side, unsigned i,
		uint32_t seq);
bool peer_hears_rtcp(const struct world *w, const struct secure_call *c, unsigned side, unsigned i);
