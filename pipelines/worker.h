// SPDX-License-Identifier: BSD-3-Clause
// A worker: one thread on one core, owner of a shard of the customers and calls.
//
// Everything here is written by the worker alone unless a field says otherwise; the control thread
// reads counters, unlocked.
#pragma once

#include "crypto/ahead.h"
#include "pkt.h"
#include "plane.h"
#include "stage.h"

#include <rte_ring.h>
#include <stdbool.h>
#include <stdint.h>

#define VEC_MAX 1024
#define QUEUES_MAX 64 // of one worker, on all devices
#define TX_BURST 32
#define HOPS_MAX 8 // relayed hops of one packet inside the gateway

struct punt_sources;
struct reasm;
struct trace;

// Packets waiting for a stage.
struct vec {
	struct rte_mbuf **pkt; // VEC_MAX of them
	uint16_t n;
};

struct stage_count {
	uint64_t packets, bursts;
	uint64_t cycles,
		cycle_packets; // sampled: TSC ticks, and the packets that they were spent on
};

// Neighbours that packets wanted and the kernel should resolve: written by the worker, read by
// control. What does not fit is asked for by a later packet.
#define RESOLVE_MAX 64
struct resolve_ring {
	uint32_t head; // written by the worker
	uint32_t tail; // written by control
	struct {
		uint32_t ip; // network order
		uint32_t port;
	} want[RESOLVE_MAX];
};

// How far the chain from packet to state is brought in for a burst (chain.h): links begun, and of each the packets
// done, from the first.
enum chain_link { CHAIN_HEADER, CHAIN_ENTRY, CHAIN_OBJECT, CHAIN_LINKS };
struct chain {
	uint8_t links;
	uint8_t done[CHAIN_LINKS];
};

// A queue of ours, and the burst that comes next: taken from the device already, so that it comes into
// the cache while the burst before it is worked on.
struct rx_queue {
	uint16_t device, queue;
	uint16_t n;
	bool brought; // all of its packets, too
	struct chain chain;
	struct rte_mbuf **pkt; // BURST_MAX of VEC_MAX
};

struct tx_buffer {
	uint16_t n;
	struct rte_mbuf *pkt[TX_BURST];
};

// Packets whose SA is not there yet, in the order in which they came.
#define EARLY_MAX 512
struct early {
	uint16_t n;
	uint64_t next; // TSC of the next look at them
	struct rte_mbuf *pkt[EARLY_MAX];
	uint64_t since[EARLY_MAX]; // TSC
};

struct worker {
	struct plane *plane;
	struct crypto *crypto;
	uint64_t now;     // TSC at the start of this round
	uint32_t pending; // bit per stage with packets
	uint16_t id;
	bool sample;         // this round's stages are timed
	struct trace *trace; // set and cleared by control; NULL: not tracing
	struct vec vec[STAGE_COUNT];
	struct stage_count stage[STAGE_COUNT];
	uint64_t drops[DROP_COUNT];
	uint64_t rounds, busy_rounds, busy_cycles, start_tsc;
	uint64_t handed_over, taken_over;
	uint64_t tx_packets[PORTS_MAX], tx_bytes[PORTS_MAX];
	uint64_t rx_packets[PORTS_MAX], rx_bytes[PORTS_MAX];
	uint32_t tx_devices; // bit per device with packets in its buffer
	struct tx_buffer tx[DEVICES_MAX];
	struct rx_queue rxq[QUEUES_MAX];
	uint16_t n_rxq;
	const struct device *from;     // of the burst in classify: not every driver sets mbuf.port
	const struct rx_queue *coming; // the burst that waits during this one
	bool brought;                  // the burst in classify is in the cache
	struct chain chain;            // of the burst in classify
	struct rx_queue *next;         // whose burst waits; NULL: none
	const ref_t *next_entry[BURST_MAX]; // of its packets; NULL: not known beforehand
	struct ahead ahead;
	// Of the burst in esp_decap: the port entries of its packets, and how many were seen.
	const ref_t *entry[BURST_MAX];
	unsigned opened;
	struct rte_mempool *pool;
	struct rte_ring *in[WORKERS_MAX];   // from each other worker, single producer and consumer
	struct rte_ring *out[WORKERS_MAX];  // to each other worker
	struct rte_ring *punt[PORTS_MAX];   // to the kernel by the port's TAP, many producers
	struct rte_ring *inject[PORTS_MAX]; // from the kernel; set at the worker that transmits
	struct tier_bucket punt_limit[PORTS_MAX]; // of strangers
	struct tier_bucket
		punt_known[PORTS_MAX]; // of gateways, tunnels, ARP, and the platform's side
	struct punt_sources *sources;
	struct rte_ring *record; // copies of recorded calls; NULL: no recordings
	uint64_t records, records_lost;
	struct tier_bucket icmp_limit;
	struct resolve_ring resolve;
	struct reasm *reasm;
	struct early early;
	uint64_t next_slow; // TSC of the next slow-timer round
	// control
	volatile bool stop; // written by control
	bool sleep;         // idle policy: short sleeps when there is nothing to do
	unsigned cpu;
} __attribute__((aligned(64)));

// Makes what a zeroed worker needs to run: vectors, crypto, reassembly. Returns 0 or -ENOMEM;
// worker_fini is right for both. The limits are open until their rates are set.
int worker_init(struct worker *w, struct plane *plane, uint16_t id, struct rte_mempool *pool);
// Gives it a queue to poll. Returns 0, -ENOMEM or -ENOSPC.
int worker_queue_add(struct worker *w, uint16_t device, uint16_t queue);
// Frees packets and memory of a worker that has ended.
void worker_fini(struct worker *w);
// The worker's life until stop is set; lcore main function.
int worker_main(void *worker);
// One round: every source once, each burst through all stages. Returns the packets received.
unsigned worker_round(struct worker *w);
// Runs every pending stage until nothing is pending.
void worker_run(struct worker *w);
// Polls every source once and runs what came. Returns the packets received.
unsigned rx_poll(struct worker *w);
// Queues a complete frame for a device whose transmit queue this worker has.
void tx_frame(struct worker *w, uint16_t device, struct rte_mbuf *m);
// Sends what the transmit buffers hold.
void tx_flush(struct worker *w);
// Packets whose SA has come, or will not come any more, go on.
void early_poll(struct worker *w);
// Gives up fragments whose rest did not come in time.
void reassemble_expire(struct worker *w);
void reassemble_close(struct worker *w); // frees those that are held

// For crypto_opened_set (stages/esp_decap.c); ctx is the worker.
struct esp_in;
void esp_opened(void *worker, const struct esp_in *op);

// ---- for stages ----

// Drops a packet by name: next[i] = pkt_drop(m, DROP_...).
static inline uint8_t pkt_drop(struct rte_mbuf *m, enum drop_reason reason)
{
	pkt_cold(m)->drop = (uint16_t)reason;
	return STAGE_drop;
}

// Hands a packet to another worker, where it goes on in stage resume. slot and gen say what obj is there
// (a leg, or with resume STAGE_tx a nexthop).
static inline uint8_t pkt_handover(struct rte_mbuf *m, uint16_t to, enum stage_id resume,
				   uint32_t slot, uint32_t gen)
{
	struct pkt_cold *c = pkt_cold(m);
	c->to = (uint8_t)to;
	c->resume = (uint8_t)resume;
	c->slot = slot;
	c->gen = gen;
	return STAGE_handover;
}

// Before a cipher: notes the packets that come next, once a burst. Their mbufs are in the cache by now.
static inline void worker_ahead(struct worker *w)
{
	if (w->coming == NULL)
		return;
	ahead_clear(&w->ahead);
	for (uint16_t i = 0; i < w->coming->n; i++) {
		const struct rte_mbuf *m = w->coming->pkt[i];
		ahead_note(&w->ahead, rte_pktmbuf_mtod(m, void *), m->data_len);
	}
	w->coming = NULL;
}

// Queues a packet that a stage made beside those of its burst. False, and nothing done, if there
// is no room.
static inline bool stage_emit(struct worker *w, enum stage_id to, struct rte_mbuf *m)
{
	struct vec *v = &w->vec[to];
	if (unlikely(v->n >= VEC_MAX))
		return false;
	v->pkt[v->n++] = m;
	w->pending |= 1u << to;
	return true;
}

// Events (packets to the kernel, ICMP errors) are limited by the tier's bucket: each costs this much.
#define EVENT_BYTES 1024

static inline bool event_admit(struct tier_bucket *b, uint64_t now)
{
	return tier_admit(b, EVENT_BYTES, now);
}
