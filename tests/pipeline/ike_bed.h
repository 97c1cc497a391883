// SPDX-License-Identifier: BSD-3-Clause
// An IKE daemon's end of the feed, on the real socket, and packets through the stages of tunnels: by the
// control thread's real tables, in one thread.
#pragma once

#include "control_bed.h"
#include "ike/ike_priv.h"

#define OURS 0xc6120a01u // 198.18.10.1
#define PEER 0xcb007101u // 203.0.113.1
#define ELSEWHERE 0xcb0071c8u
#define MEDIA 0xc6121e01u  // 198.18.30.1
#define PHONE 0xc0000205u  // 192.0.2.5: acme's
#define GLOBEX 0xc0000215u // 192.0.2.21: globex's

extern struct control *ctl;
extern struct worker *w;
extern int fd;              // of the client
extern struct feed_msg msg; // the last answer
extern struct feed_msg event[64];
extern unsigned n_events;

void bed_open(void);

// ---- the client ----

struct ip_addr addr(uint32_t ip);
int client(void); // connects
void turn(void);  // the control thread does what is there to do
// What has come, until nothing more is there: events are kept, the answer is left in msg.
void gather(void);
// A request and its answer, whose status it returns.
int ask(uint16_t type, const struct feed_msg *body);
unsigned events_of(uint16_t type);
// The control thread looks after SAs as if it were so many ms later; events are those of this look.
void watch(int64_t ms);
unsigned expired(bool hard); // events that say so
int hello(void);
struct feed_ts ts(uint32_t lo, uint32_t hi);
// An SA of acme's; its key is made of its SPI.
struct feed_msg sa_msg(uint32_t spi, bool inbound);
int sa_add(uint32_t spi, bool inbound, uint32_t flags);
struct feed_msg id_msg(uint32_t spi, bool inbound);
int sa_del(uint32_t spi, bool inbound);
// FEED_POLICY_ADD or _DEL of acme's OUT policy for an SPI; 0: a trap.
int policy(uint16_t type, uint32_t spi);
// An SA's peer was at one address and is at another, in UDP or not.
int update(uint32_t spi, bool inbound, uint32_t was, uint32_t is, uint16_t port, bool encap);

// ---- ike_life.c ----

void test_orphans(void);
void test_moved_away(void);
void test_orphans_end(void);
void test_over(void);

// ---- packets ----

struct seen {
	enum drop_reason drop; // DROP_COUNT: none
	uint32_t spi, seq, dst;
	uint16_t dport; // 0: ESP without UDP
};

// A packet to the phone, by the stages behind a relayed call.
struct seen out_send(uint32_t dst);
// The peer's half of an inbound SA.
struct sa_out *peer_make(uint32_t spi, bool encap, uint8_t key, uint64_t seq);
// A packet of the peer's to where it is first looked for its SA: STAGE_esp_decap, STAGE_KEPT if it waits
// for the SA, STAGE_drop.
uint8_t in_dispatch(struct sa_out *peer);
uint8_t esp_first(struct worker *worker, struct rte_mbuf *m); // ike_esp.c
enum drop_reason in_send(struct sa_out *peer, uint32_t from, uint16_t port);
