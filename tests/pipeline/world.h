// SPDX-License-Identifier: BSD-3-Clause
// A gateway of two ring ports and one or two workers, which packets made by hand go through. The
// workers' rounds run one after the other in one thread, so that a test can look in between.
//
//   gateways 100.64.0.k                                          platform 198.18.20.0/24
//   phones   44.0.k.0/24  ══ port 0, outside ── workers ── port 1, inside ══
//   strangers 203.0.113.0/24      media 198.18.30.1    media 198.18.40.1
//
// Both ports have one queue, which worker 0 has: worker 1 lives by what is handed over. Customer k
// is worker (k - 1) % workers's.
#pragma once

#include "base/err.h"
#include "esp/sa.h"
#include "worker.h"

#include <rte_mempool.h>
#include <rte_ring.h>
#include <stdbool.h>
#include <stdint.h>

#define OUTSIDE 0
#define INSIDE 1

enum customer_id {
	NOBODY,
	ACME,   // AES-GCM, plain ESP; may reach the platform
	GLOBEX, // AES-GCM in UDP; may reach the platform's UDP port 5060
	WIDE,   // AES-CBC with SHA-256; selectors and allow-list take anything
	CUSTOMERS
};

// Addresses in host order.
#define IP(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
#define OUTSIDE_IP IP(198, 18, 10, 1)
#define INSIDE_IP IP(198, 18, 20, 1)
#define MEDIA_A IP(198, 18, 30, 1)
#define MEDIA_B IP(198, 18, 40, 1)
#define PLATFORM IP(198, 18, 20, 9)
#define STRANGER IP(203, 0, 113, 5)
#define GATEWAY(k) IP(100, 64, 0, k)
#define PHONE(k) IP(44, 0, k, 5)

// Where a nexthop of each kind is in the table.
enum { HOP_NONE, HOP_OUTSIDE, HOP_INSIDE, HOP_BLACKHOLE, HOP_LOCAL, HOP_TUNNEL };

#define PKT_ROOM 128
#define PKT_MAX 9000

struct pkt {
	uint8_t room[PKT_ROOM]; // for what encapsulation puts in front
	uint8_t data[PKT_MAX];
	uint8_t *ip; // IPv4 header, in data or in front of it
	uint32_t len;
};

struct tunnel {
	struct sa_in *in;
	struct sa_out *out;
	struct spd *spd;
	struct sa_out *to_us; // the peer's halves
	struct sa_in *from_us;
};

enum out_kind { OUT_PLAIN, OUT_TUNNEL, OUT_KERNEL };

// What came out: a frame by a port, decrypted if it is ESP, or to the kernel.
struct out {
	enum out_kind kind;
	uint8_t port, customer;
	uint8_t ether[14];
	uint32_t len;
	uint8_t ip[2048];
};

#define OUT_MAX 256

struct world {
	unsigned n_workers;
	struct plane *plane;
	struct worker *worker[2];
	struct crypto *crypto;
	struct rte_mempool *pool;
	struct rte_ring *to[2], *from[2], *punt[2], *handover[2];
	struct customer *customer[CUSTOMERS];
	struct tunnel tunnel[CUSTOMERS];
	struct nexthop *hop;
	struct allow_list *allow[CUSTOMERS];
	uint32_t next_slot;
	unsigned buffers; // free in the pool when nothing is on its way
	// since the last world_mark()
	uint64_t drops_before[DROP_COUNT];
	unsigned n_out;
	struct out out[OUT_MAX];
};

int world_open(struct world *w, unsigned n_workers, struct err *err);
void world_close(struct world *w);

// ---- state ----

void allow_set(struct world *w, unsigned k, const struct allow_rule *rule, unsigned n);
void route_set(struct world *w, uint32_t net, uint8_t len, uint32_t hop);
// SAs of customer k anew; tfc_pad as in sa_spec, ports of the far side that the selectors allow.
int tunnel_make(struct world *w, unsigned k, uint16_t tfc_pad, uint16_t port_lo, uint16_t port_hi,
		struct err *err);
void tunnel_free(struct world *w, unsigned k);

struct side {
	uint16_t customer;
	uint32_t media; // host order
	uint16_t port;
	uint32_t remote; // host order, 0: none
	uint16_t remote_port;
	bool open; // the latch
	bool mux;
};

struct leg_pair *call_make(struct world *w, struct side a, struct side b);
// Its references anew, after changes of gate or SRTP contexts.
void call_publish(struct world *w, struct leg_pair *pair);
// Takes the call out of the tables; memory goes with call_free, as after a grace period.
void call_withdraw(struct world *w, struct leg_pair *pair);
void call_free(struct leg_pair *pair);

// ---- packets ----

// An IPv4 packet of a protocol with len bytes of payload; data NULL: zeros.
void ip_make(struct pkt *p, uint8_t proto, uint32_t src, uint32_t dst, const void *data,
	     uint32_t len);
// Makes the header checksum right again after changes, and the total length what p->len says.
void ip_fix(struct pkt *p);
void udp_make(struct pkt *p, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport,
	      const void *data, uint32_t len);
// 160 bytes of audio; a receiver report.
void rtp_make(struct pkt *p, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport);
void rtcp_make(struct pkt *p, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport);
// What the packet becomes in customer k's tunnel.
void esp_make(struct world *w, struct pkt *p, unsigned k);

// ---- passing through ----

// Forgets what came out and what was dropped.
void world_mark(struct world *w);
// Puts a packet on the wire. guarded: behind its last byte begins a page that nobody may read.
void pkt_send(struct world *w, unsigned port, const struct pkt *p, bool guarded);
// The same with a frame as it is.
void frame_send(struct world *w, unsigned port, const void *frame, uint32_t len, bool guarded);
// Rounds of all workers until nothing moves, and all that came out into w->out.
void world_run(struct world *w);
void worker_rounds(struct world *w, unsigned worker, unsigned n);
void world_drain(struct world *w);
uint64_t drops(const struct world *w, enum drop_reason reason);
uint64_t drops_all(const struct world *w);

// ---- verdicts ----

extern unsigned passed, failed;
// Counts, and tells of what did not hold.
bool check(bool holds, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// What happened is just this: one packet out, or one drop, and no buffer lost.
#define NO_DROP DROP_COUNT
bool check_drop(struct world *w, const char *name, enum drop_reason reason, unsigned n);
bool check_out(struct world *w, const char *name, enum out_kind kind, unsigned which, unsigned n);

void test_wire(void);         // test_wire.c: lengths, fragments, fuzz
void test_customers(void);    // test_customers.c: who reaches whom
void test_attack(void);       // test_attack.c: floods, forged RTCP, scans
void test_calls(void);        // test_calls.c: latches, RTCP, hairpins
void test_size(void);         // test_size.c: path MTU
void test_workers(void);      // test_workers.c: handover
void test_srtp(void);         // test_srtp.c: SRTP legs, with libsrtp2 as their peers
void test_media(void);        // test_media.c: the media engine's ports and timers
void test_media_change(void); // test_media_change.c: what a change keeps
void test_punt(void);         // test_punt.c: to the kernel
void test_recording(void);    // test_recording.c: pcap files
