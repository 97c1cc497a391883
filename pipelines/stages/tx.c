// SPDX-License-Identifier: BSD-3-Clause
// The Ethernet header of the nexthop in front, and out by the device's transmit queue.
#include "chain.h"
#include "dispatch.h"
#include "worker.h"

#include <rte_ethdev.h>

static void device_flush(struct worker *w, unsigned d)
{
	struct tx_buffer *b = &w->tx[d];
	const struct device *dev = &w->plane->device[d];
	uint16_t sent = rte_eth_tx_burst(dev->id, (uint16_t)dev->txq[w->id], b->pkt, b->n);

	if (unlikely(sent < b->n)) {
		w->drops[DROP_TX_FULL] += (uint64_t)(b->n - sent);
		rte_pktmbuf_free_bulk(b->pkt + sent, (unsigned)(b->n - sent));
	}
	b->n = 0;
}

void tx_flush(struct worker *w)
{
	for (uint32_t left = w->tx_devices; left != 0; left &= left - 1)
		device_flush(w, (unsigned)__builtin_ctz(left));
	w->tx_devices = 0;
}

static inline void frame_queue(struct worker *w, uint16_t device, struct rte_mbuf *m)
{
	struct tx_buffer *b = &w->tx[device];

	b->pkt[b->n++] = m;
	w->tx_devices |= 1u << device;
	if (b->n == TX_BURST)
		device_flush(w, device);
}

void tx_frame(struct worker *w, uint16_t device, struct rte_mbuf *m)
{
	frame_queue(w, device, m);
}

// A run of packets by one port.
struct run {
	uint64_t bytes;
	uint32_t packets, port;
	int device; // whose transmit buffer takes them; negative: none
};

#define RUN_NONE PORTS_MAX

static inline void run_end(struct worker *w, const struct run *r)
{
	if (unlikely(r->port == RUN_NONE))
		return;
	w->tx_packets[r->port] += r->packets;
	w->tx_bytes[r->port] += r->bytes;
}

static struct run run_begin(const struct worker *w, uint32_t index)
{
	const struct port *port = &w->plane->port[index];
	bool ours = w->plane->device[port->device].txq[w->id] >= 0;

	return (struct run){.port = index, .device = port->up && ours ? port->device : -1};
}

// Why it can't go out here.
static uint8_t tx_refused(struct worker *w, struct rte_mbuf *m, const struct nexthop *nh)
{
	const struct port *port = &w->plane->port[nh->port];

	if (!port->up)
		return pkt_drop(m, DROP_PORT_DOWN);
	return pkt_handover(m, w->plane->device[port->device].tx_owner, STAGE_tx, nh->index, 0);
}

static inline uint8_t tx_one(struct worker *w, struct rte_mbuf *m, struct run *r)
{
	const struct nexthop *nh = pkt_obj(m);

	if (unlikely(nh->port != r->port)) {
		run_end(w, r);
		*r = run_begin(w, nh->port);
	}
	if (unlikely(r->device < 0))
		return tx_refused(w, m, nh);
	uint8_t *l2 = rte_pktmbuf_mtod(m, uint8_t *) - nh->l2_len;
	memcpy(l2, nh->l2, 14);
	if (unlikely(nh->l2_len == 18))
		memcpy(l2 + 14, nh->l2 + 14, 4);
	uint16_t len = (uint16_t)(m->data_len + nh->l2_len);
	m->data_off = (uint16_t)(m->data_off - nh->l2_len);
	m->data_len = len;
	m->pkt_len = len;
	m->ol_flags &= RTE_MBUF_F_EXTERNAL; // whose the buffer is, the driver's free has to know
	r->packets++;
	r->bytes += len;
	frame_queue(w, (uint16_t)r->device, m);
	return STAGE_KEPT;
}

void stage_tx(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	struct run run = {.port = RUN_NONE};

	chain_next(w, n);
	for (uint16_t i = 0; i < n; i++)
		next[i] = tx_one(w, pkt[i], &run);
	run_end(w, &run);
}
