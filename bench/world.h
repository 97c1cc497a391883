// SPDX-License-Identifier: BSD-3-Clause
// A small world around one worker: its tables, customers, SAs and calls, two ring ports, and on
// the other core the peers (generator and sink) with the other halves of the SAs.
//
//     customers' gateways (100.64.k.k) ── port 0, outside ── worker ── port 1, inside ── platform
//     phones behind them (44.k.k.0/24)     media 198.18.30.x           media 198.18.40.x
#pragma once

#include "base/err.h"
#include "esp/sa.h"
#include "srtp/srtp_ctx.h"
#include "worker.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

#define OUTSIDE 0
#define INSIDE 1

enum scene {
	SCENE_TRANSIT,   // ESP in, decrypted on to the platform
	SCENE_ESP_PLAIN, // ESP in, relayed, plain out
	SCENE_PLAIN_ESP, // plain in, relayed, ESP out
	SCENE_ESP_ESP,   // ESP in, relayed, ESP out to another customer
	SCENE_HAIRPIN,   // ESP in, two calls joined at our own ports, ESP out to the same customer
	SCENE_PLAIN_PLAIN, // plain in, relayed, plain out
	SCENE_BOTH,        // ESP_PLAIN and PLAIN_ESP at once
	SCENE_SRTP_PLAIN,  // SRTP in, relayed, plain out; no tunnels
	SCENE_PLAIN_SRTP,  // plain in, relayed, SRTP out
};

struct world_spec {
	enum scene scene;
	enum suite_id suite;
	bool udp; // ESP in UDP
	uint32_t calls, customers;
	uint32_t inner_len; // bytes of IP: 200 is G.711 at 20 ms
	uint64_t tier;      // bit/s a customer and direction, 0: no limit
	uint32_t tier_ms;   // depth of its bucket
	bool near;          // packets stay in the generator\'s caches
	enum srtp_suite srtp;
};

// A stream of packets in one direction of a call, as the peers see it. Network order.
struct flow {
	uint32_t src, dst;           // of what goes in (inside the tunnel if there is one)
	uint32_t want_src, want_dst; // of what has to come out
	uint16_t sport, dport, want_sport, want_dport;
	uint16_t sa_in, sa_out; // customer whose tunnel it comes by and leaves by, 0: none
	uint8_t port_in, port_out;
	uint8_t want_ttl;
	uint16_t seq, want_seq; // host order: next to send, next to arrive
	uint32_t ts;
	uint64_t sent;
};

// The peer's half of a customer's SAs.
struct peer {
	struct sa_out *to_us;
	struct sa_in *from_us;
};

struct world {
	struct world_spec spec;
	struct plane *plane;
	struct worker *worker;
	struct crypto *crypto; // of the peers' core
	struct rte_mempool *pool;
	struct leg *legs;
	struct customer *customers;
	struct flow *flow;
	uint32_t n_flows, next;
	uint32_t *order;   // flows at random, shuffled again after each round
	struct peer *peer; // by customer, from 1
	struct allow_list *allow;
	struct nexthop *nexthops;
	void **sa_memory; // what to free
	uint32_t n_sa_memory;
	struct srtp_ctx **srtp, **srtp_peer; // by call: the gateway's, the peer's
	struct rte_mbuf **stock;             // the peers' mbufs
	uint32_t n_stock;
	bool lossy; // a gap in a flow is loss, not a wrong answer
	uint64_t out_packets, out_wrong;
	struct err fault; // first thing that came out wrong
};

// Makes the world; the worker's core must be idle. 0, or a negative errno and a text.
int world_open(struct world *w, const struct world_spec *spec, struct err *err);
void world_close(struct world *w);

// ---- ports.c ----

// Two ring ports, once a process. ring[direction][port]: 0 to the worker, 1 from it.
int ports_open(struct err *err);
struct rte_mempool *ports_pool(void);
struct rte_ring *ports_ring(unsigned from_worker, unsigned port);
// How many packets one poll gives at most.
void ports_burst_set(unsigned burst);

// ---- gen.c ----

// Makes up to n packets of the flows in their turn, encrypted if they come by a tunnel. Each has its ethdev
// in m->port. Returns how many (fewer only if the stock is empty).
unsigned gen_make(struct world *w, struct rte_mbuf **pkt, unsigned n);
// Puts packets on the rings of their ports. Returns how many found room (in order).
unsigned gen_send(struct world *w, struct rte_mbuf **pkt, unsigned n);

// ---- sink.c ----

// Takes what has come out and checks every packet: port, link address, headers, checksums, tunnel, replay
// number, call, order, payload. What is wrong is counted, and the first told in w->fault.
unsigned sink_drain(struct world *w);
// The check alone, of packets that came out of a port; they go back to the stock.
void sink_check(struct world *w, unsigned port, struct rte_mbuf **pkt, unsigned n);
unsigned sink_take(struct world *w, unsigned port, struct rte_mbuf **pkt, unsigned n);
