// SPDX-License-Identifier: BSD-3-Clause
// What the control API shows: plain snapshots of the control thread's and the workers' state, and
// the few operations beside control.h that API commands ask for. Handlers turn these into JSON.
//
// Everything runs in the control thread. A function that fills an array returns the number of
// entries and sets *out to memory from malloc, which the caller frees with one free(); 0 entries
// (also when there is no memory) set *out to NULL. Texts inside are the control thread's: they are
// valid until the handler returns, and not freed. Rates are those of the last whole second.
// Ages are in seconds, negative if it never happened. Host byte order throughout.
#pragma once

#include "base/err.h"
#include "base/net.h"
#include "media/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control;

struct view_rate {
	double pps, bps; // packets and bits a second
};

// ---- status ----

struct view_status {
	const char *pop;
	const char *crypto; // crypto_describe()
	const char *dpdk;   // rte_version()
	double uptime;      // s
	unsigned workers, ports, ports_up;
	unsigned customers, customers_up;  // up: has at least one outbound SA
	unsigned sas_in, sas_out, sas_max; // sas_max counts pairs; 0: not limited
	unsigned sas_exhausted;            // outbound SAs that have used their sequence numbers
	unsigned tunnels, tunnels_up;      // of customers with IKE or static SAs
	const char *worst;                 // customer whose tunnel went down last, NULL: none is
	const char *worst_why;             // "": not known
	double worst_for;                  // s
	unsigned calls, calls_max;
	unsigned calls_hairpin; // calls of which a leg goes straight to another call of ours
	unsigned calls_silent, calls_one_way, calls_held, calls_ringing; // as view_call.state
	unsigned routes;
	struct view_rate in, out; // of all ports
	double drop_pps;
	uint64_t drops; // since start
	bool hugepages;
	unsigned memory_mb;
	unsigned mbufs, mbufs_used;
	uint64_t heap_bytes; // in use, without what the allocator keeps
	bool tracing;
	bool records; // calls are recorded; what became of that:
	struct records_stats record;
};
void view_status(struct control *ctl, struct view_status *out);

// ---- ports ----

#define VIEW_ADDRESSES_MAX 8

struct view_port {
	const char *name, *device; // as configured
	bool inside, up;
	uint32_t speed_mbps; // 0: not known
	uint16_t vlan;       // 0: untagged
	uint16_t mtu;
	uint8_t mac[6];
	uint16_t rx_queues, tx_queues;
	unsigned n_addresses;
	struct ip_prefix addresses[VIEW_ADDRESSES_MAX]; // host address with prefix length
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	// of the device (ports that share one by VLAN show the same)
	uint64_t rx_missed; // ring full: the worker came too late
	uint64_t rx_errors, tx_errors, rx_nombuf;
	uint64_t kernel_in, kernel_out; // packets to and from the kernel by the port's TAP
	struct view_rate rx, tx;
};
size_t view_ports(struct control *ctl, struct view_port **out);

// ---- workers ----

struct view_worker {
	unsigned id, cpu;
	bool sleeps; // idle policy: backs off to short sleeps
	double busy; // 0..1, share of the last second spent on packets
	uint64_t rounds, busy_rounds;
	uint64_t packets; // received from port queues
	double pps;
	double cycles_per_packet;         // of the last second with packets; 0: none yet
	uint64_t handed_over, taken_over; // to and from other workers
	double handed_over_pps;
	unsigned customers, sas, legs; // its shard
	unsigned mbufs;                // in its cache, rings and buffers, as far as known
	unsigned rx_queues;
};
size_t view_workers(struct control *ctl, struct view_worker **out);

// ---- stages ----

struct view_stage {
	const char *name, *help;
	int worker; // -1: sum of all
	uint64_t packets, bursts;
	double pps;
	double cycles_per_packet; // sampled; 0: nothing sampled yet
};
// In the order of stages.def; per_worker: for each stage one entry a worker instead of the sum.
size_t view_stages(struct control *ctl, bool per_worker, struct view_stage **out);

// ---- drops ----

struct view_drop {
	const char *name, *help;
	uint64_t packets; // since start, all workers
	double pps;
};
// Every reason, in the order of drops.def, zero or not.
size_t view_drops(struct control *ctl, struct view_drop **out);

// ---- security associations ----

struct view_sa {
	bool out; // direction
	uint32_t spi;
	const char *customer, *suite;
	struct ip_endpoint local, peer; // port 0 without encapsulation; in: the peer as last seen
	bool esn, encap, exhausted;
	uint16_t window;                    // in
	uint64_t seq;                       // in: highest verified; out: last used
	uint64_t packets, bytes;            // of inner packets
	double age, last;                   // installed; last packet
	uint64_t replayed, forged, refused; // in
	uint64_t exhausted_packets;         // out: refused because of exhaustion
	unsigned owner;                     // worker
	uint32_t pair;                      // SPI of the other direction of the pair, 0: none
	unsigned n_local, n_remote; // networks of the selectors, from our side; the first ones:
	struct ip_prefix local_net, remote_net;
};
// customer NULL: of all. At most limit entries (0: all); *total is how many there are.
size_t view_sas(struct control *ctl, const char *customer, size_t limit, struct view_sa **out,
		size_t *total);

// ---- tunnels ----

struct view_tunnel_sa { // one direction; spi 0: there is none
	uint32_t spi;
	const char *suite;
	uint64_t packets, bytes;
	double age, last;
	double rekey;                       // s until its keys are replaced, negative: not planned
	uint64_t replayed, forged, refused; // in
	uint64_t seq;                       // out: last used
	bool esn;
};

// One customer's.
struct view_tunnel {
	const char *customer;
	bool ike; // else its SAs have static keys
	bool up;  // there is an SA each way
	const char
		*state;  // of the IKE SA: "down", "connecting", ...; NULL without IKE, or not known
	const char *why; // why it is down; "" if not known, or up
	double changed;  // s since state is what it is
	bool initiates;  // we bring it up
	unsigned version;    // IKE, 0: not known
	const char *suite;   // of the IKE SA, ""
	const char *peer_id; // ""
	double age, rekey;   // of the IKE SA
	struct ip_endpoint local, peer;
	unsigned sas_in, sas_out; // those before and after a rekey included
	struct view_tunnel_sa in, out;
	uint64_t tier; // bit/s, 0: no limit
	struct view_rate rate_in, rate_out;
	unsigned calls;
};
// Of customers that have IKE or SAs. customer NULL: of all, by number. At most limit entries (0: all).
size_t view_tunnels(struct control *ctl, const char *customer, size_t limit,
		    struct view_tunnel **out, size_t *total);

// ---- calls ----

// One is a stream: a call with audio and video is two with one id.

enum view_latch { VIEW_LATCH_OPEN, VIEW_LATCH_LEARNED, VIEW_LATCH_FIXED };

struct view_leg {
	struct ip_endpoint local;           // media address and RTP port
	struct ip_endpoint remote;          // family 0: not known yet
	struct ip_endpoint rtcp;            // where RTCP goes; family 0: not known yet
	struct ip_endpoint seen;            // where its packets come from; family 0: none came
	const char *customer;               // NULL: none
	const char *codec;                  // NULL: not known
	const char *srtp_in, *srtp_out;     // suites; NULL: plain
	bool recv, send;                    // accepted from it; sent to it
	bool blocked, silenced, dtmf_block; // by signalling
	enum view_latch latch;
	double learned; // age of what the latch learned
	bool mux, hairpin;
	int dscp;             // -1: the packet's own
	unsigned owner;       // worker
	uint8_t payload_type; // seen last
	uint32_t ssrc;
	struct view_rate rate;         // of what it sends, lately
	uint64_t rx_packets, rx_bytes; // RTP accepted
	uint64_t lost, reordered, duplicate;
	uint32_t burst;    // longest run of lost packets
	double lost_share; // 0..1, lost / expected
	double jitter_ms;
	double rtt_ms;       // 0: not known
	double mos;          // 1..5, of what it sends; 0: not known
	double silent_share; // 0..1 of packets whose audio was looked at; negative: none was
	uint64_t refused;    // source did not fit the latch
	uint64_t waited;     // source had to prove itself first
	uint64_t moves;      // times that the latch moved
	uint64_t srtp_auth, srtp_replay;
	uint64_t tx_packets, tx_bytes;
	uint64_t rtcp_rx_packets, rtcp_tx_packets, rtcp_refused;
	double last; // age of the last accepted packet
};

struct view_call {
	const char *id; // as it came; view_call_id() makes it printable
	double age;
	uint32_t clock_rate; // Hz
	uint32_t timeout;    // s of silence, 0: never
	const char *state;   // "ringing", "active", "held", "one-way", "silent"
	bool recorded;
	struct view_leg leg[2]; // a, b
};

enum view_call_sort {
	VIEW_CALLS_OLDEST,
	VIEW_CALLS_NEWEST,
	VIEW_CALLS_LOSS,
	VIEW_CALLS_JITTER,
	VIEW_CALLS_MOS, // the worst first
	VIEW_CALLS_RATE,
	VIEW_CALLS_REFUSED,
};

enum view_security {
	VIEW_SECURITY_ANY,
	VIEW_SECURITY_PLAIN,
	VIEW_SECURITY_SRTP,
	VIEW_SECURITY_MIXED
};

// Where a call stands in a sorted list, even when it has ended: a list that is read in pieces goes on there.
struct view_calls_place {
	double key;
	uint64_t serial; // 0: before the first
};

struct view_calls_filter {
	const char *customer; // of either leg; NULL: any
	const char *id;       // the beginning of what view_call_id() makes; NULL: any
	const char *state;    // NULL: any
	enum view_security security;
	double min_loss; // share of a side, 0: any
	double max_mos;  // of a side whose MOS is known; 0: any
	bool refused;    // with packets that were refused
	enum view_call_sort sort;
	size_t limit;
	struct view_calls_place after; // those behind it only
};

// The first f->limit that fit. *total is how many fit, wherever; *last the place of the last one, if there was any.
size_t view_calls(struct control *ctl, const struct view_calls_filter *f, struct view_call **out,
		  size_t *total, struct view_calls_place *last);
// The streams of the call whose id (as view_call_id() makes it) is this or, of one call alone, begins
// like this; the oldest first. 0: there is none, or with *total > 0 so many that begin like this.
size_t view_call(struct control *ctl, const char *id, struct view_call **out, size_t *total);

#define VIEW_CALL_ID_MAX 1024
// Printable ASCII without spaces, backslashes, single quotes or a leading hyphen; every other byte as \xNN.
char *view_call_id(const char *key, char buf[static VIEW_CALL_ID_MAX]);

// ---- routes ----

struct view_route {
	struct ip_prefix prefix;
	const char *kind;       // "neighbour", "unresolved", "tunnel", "local", "blackhole"
	struct ip_addr gateway; // family 0: none
	const char *port;       // NULL: none
	const char *customer;   // NULL: none
	bool has_mac;
	uint8_t mac[6]; // of the neighbour
	uint16_t mtu;
};
// covering NULL: all routes by prefix. Otherwise the one route that a packet to this address takes.
size_t view_routes(struct control *ctl, const struct ip_addr *covering, size_t limit,
		   struct view_route **out, size_t *total);

// ---- customers ----

struct view_tier {
	struct view_rate rate;
	uint64_t packets, bytes;           // passed
	uint64_t over_packets, over_bytes; // refused: over the tier
	double over_pps;
};

struct view_customer {
	const char *name;
	uint64_t tier; // bit/s, 0: no limit
	unsigned worker;
	struct ip_addr gateway; // family 0: not known
	unsigned sas, calls;    // sas: pairs
	unsigned domains;       // prefixes of its encryption domain
	struct view_tier in, out;
	double last; // age of its last packet from the tunnel
};
size_t view_customers(struct control *ctl, struct view_customer **out);

// ---- traces ----

struct view_trace_filter {
	uint32_t count;       // packets a worker
	const char *customer; // NULL: any
	const char *call;     // NULL: any
};

struct view_trace_step {
	uint32_t packet; // number of the packet, from 1; with the worker it names the packet
	unsigned worker;
	const char *stage;
	const char *drop;    // NULL unless the stage is drop
	uint16_t len;        // of the packet
	double ns;           // since the packet's first step
	const uint8_t *head; // its first bytes, from the IPv4 header
	uint16_t head_len;
};

struct view_trace {
	bool running;
	uint32_t want, packets; // asked for, traced so far (all workers)
	size_t n;
	struct view_trace_step *step; // ordered by worker, packet, time; from malloc
};
void view_trace(struct control *ctl, struct view_trace *out);

// -ENOENT for an unknown customer or call, -EBUSY if a trace is running.
int control_trace_start(struct control *ctl, const struct view_trace_filter *filter,
			struct err *err);
// Keeps what was traced until the next start. -EALREADY if none is running.
int control_trace_stop(struct control *ctl, struct err *err);

// ---- operations beside control.h ----

// Index of a customer for config_leg.customer, or -ENOENT.
int control_customer_index(struct control *ctl, const char *name);

// Reads the configuration again and applies the difference. On failure nothing is applied, err says
// so in one line, and *report (malloc, may be NULL) has the mistakes, one a line. On success *report
// says in one line what changed.
int control_reload(struct control *ctl, char **report, struct err *err);
