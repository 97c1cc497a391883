// SPDX-License-Identifier: BSD-3-Clause
// Media streams: what signalling (NG, the API, the configuration) asks of the plane. A stream is one
// media section of one call: two sides, each with a port pair of ours and a peer.
//
//     NG server ── call engine ──► media_open / media_change / media_close ──► pairs of legs ──► workers
//                        ◄── media_events: a side timed out, was attacked, lost its keys
//
// A change builds a new pair of legs beside the old one, with the state carried over (latch, sequence,
// SRTP contexts), publishes it under the same ports, and adds up the old one's counters once no worker
// sees it any more. So workers never see half a change, and figures never go backwards.
#pragma once

#include "base/err.h"
#include "base/net.h"
#include "rtp/latch.h"
#include "srtp/srtp.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct control;
struct media;

// For the E-model: what loss and delay do to it.
enum media_codec {
	MEDIA_CODEC_OTHER,
	MEDIA_CODEC_G711,
	MEDIA_CODEC_G729,
	MEDIA_CODEC_G722,
	MEDIA_CODEC_OPUS,
};

#define MEDIA_PORT_NEW 1

// One side as signalled. "in" is from its peer to us.
struct media_side_spec {
	unsigned address; // index of our media address
	// Local RTP port, even. 0: any (media_open), the one it has (media_change); MEDIA_PORT_NEW: any but
	// the one it has. One that is asked for by number may be in quarantine. Where the address changes,
	// the number that it had counts as 0.
	uint16_t port;
	uint16_t customer; // plane id of the customer behind whose tunnel the peer is; 0: none
	struct ip_endpoint rtp,
		rtcp;        // of the peer; family 0: not known yet. rtcp.family 0: RTP's port + 1
	bool rtcp_mux;       // RTCP on the RTP port (RFC 5761)
	bool recv, send;     // accepted from it; sent to it (direction attributes, hold)
	bool blocked;        // media from it is dropped ("block media")
	bool silenced;       // its audio is replaced by silence ("silence media")
	bool dtmf_blocked;   // its RFC 4733 events are dropped
	uint8_t dtmf_type;   // payload type of telephone-event, 0: none
	int dscp;            // 0..63; -1: keep each packet's
	uint32_t clock_rate; // Hz, 0: 8000
	enum media_codec codec;
	uint16_t ptime_ms; // 0: 20
	struct latch_policy latch;
	struct srtp_params in, out; // suite SRTP_NONE: plain
};

struct media_timeouts {   // seconds, 0: never
	uint32_t silence; // answered, and not a packet from either side
	uint32_t held;    // the same while not both sides send and receive
	uint32_t offer;   // not answered yet
	uint32_t final;   // whatever happens
};

enum media_end {
	MEDIA_END_SILENCE,
	MEDIA_END_HELD,
	MEDIA_END_OFFER,
	MEDIA_END_FINAL,
	MEDIA_END_CUSTOMER, // a side's customer is gone: the receiver must close it then and there
	MEDIA_ENDS
};
// As records name it: "silence", "held", "offer", "final", "customer".
const char *media_end_name(enum media_end why);

struct recording;

struct media_spec {
	struct media_side_spec side[2]; // 0: the offerer's
	struct recording *recording;    // both sides' packets go there (recorder.h); NULL: nowhere
	bool answered;
	struct media_timeouts timeouts;
};

// Called from the control thread's loop. The receiver may close any media from here; if it leaves this one,
// it is called again a second later.
struct media_events {
	void (*timed_out)(void *arg, struct media *m, enum media_end why);
};

struct media_side_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes; // RTP, bytes of UDP payload
	uint64_t rtcp_rx_packets, rtcp_tx_packets, rtcp_rx_bytes, rtcp_tx_bytes;
	uint64_t lost, reordered, duplicate; // of what it sent to us
	uint32_t burst_loss_max;             // longest run of lost packets
	uint32_t jitter_us, rtt_us;          // rtt 0: not known
	uint32_t ssrc;
	uint8_t payload_type;
	double mos;                         // 1..5; 0: not known
	uint64_t refused, rtcp_refused;     // packets from where they should not come
	uint64_t waited;                    // packets of sources on probation, which did not pass
	uint64_t moves;                     // times that the latch moved
	uint64_t srtp_auth, srtp_replay;    // failures
	uint8_t latch;                      // latch_state
	struct ip_endpoint seen, seen_rtcp; // where its packets come from; family 0: none came
	uint32_t idle_ms;                   // since its last packet
	time_t first;                       // its first packet, 0: none yet
};

struct media_stats {
	struct media_side_stats side[2];
	bool hairpin; // goes on to another stream of ours without leaving
};

// The defaults of the configuration.
void media_timeouts_default(const struct control *ctl, struct media_timeouts *out);
// Pairs of ports of a media address that a new stream could have now.
unsigned media_ports_free(const struct control *ctl, unsigned address);

// Local ports are chosen and both sides published whole. -ENOSPC "Ran out of ports", -EUSERS "Parallel
// session limit reached", -EINVAL, -ENOMEM; then nothing has changed. spec is copied. key is what the
// views show it by (call ID), not unique; arg comes back in events.
int media_open(struct control *ctl, const char *key, const struct media_spec *spec,
	       const struct media_events *ev, void *arg, struct media **out, struct err *err);
// Everything may change, ports only with port != 0 or another address (the old ones go into quarantine).
// On error nothing has. -EBUSY: SRTP keys stay, their worker changes, and it did not let go of them in time.
int media_change(struct media *m, const struct media_spec *spec, struct err *err);
// Final figures to stats if not NULL; ports go into quarantine (limits.port_quarantine). No event follows.
void media_close(struct media *m, struct media_stats *stats);

const struct media_spec *media_spec_of(const struct media *m);
uint16_t media_port(const struct media *m, unsigned side); // local RTP port, host order
const struct ip_addr *media_address(const struct media *m, unsigned side); // local
void media_stats(const struct media *m, struct media_stats *out);
// Both as one: counters add up; of loss in a row, jitter, round trip and MOS the worse; the rest is to's own.
void media_stats_add(struct media_stats *to, const struct media_stats *more);
