// SPDX-License-Identifier: BSD-3-Clause
// The Ethernet header of the nexthop in front, and out by the device's transmit queue.
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

// Packets and bytes of a run of packets by one port.
struct run {
	uint64_t bytes;
	uint32_t packets, port;
};

static inline void run_flush(struct worker *w, struct run *r, uint32_t port)
{
	w->tx_packets[r->port] += r->packets;
	w->tx_bytes[r->port] += r->bytes;
	*r = (struct run){.port = port};
}

static inline uint8_t tx_one(struct worker *w, struct rte_mbuf *m, struct run *r)
{
	const struct nexthop *nh = pkt_obj(m);
	const struct port *port = &w->plane->port[nh->port];

	if (unlikely(!port->up))
		return pkt_drop(m, DROP_PORT_DOWN);
	if (unlikely(w->plane->device[port->device].txq[w->id] < 0))
		return pkt_handover(m, w->plane->device[port->device].tx_owner, STAGE_tx, nh->index,
				    0);
	uint8_t *l2 = rte_pktmbuf_mtod(m, uint8_t *) - nh->l2_len;
	memcpy(l2, nh->l2, 14);
	if (unlikely(nh->l2_len == 18))
		memcpy(l2 + 14, nh->l2 + 14, 4);
	uint16_t len = (uint16_t)(m->data_len + nh->l2_len);
	m->data_off = (uint16_t)(m->data_off - nh->l2_len);
	m->data_len = len;
	m->pkt_len = len;
	m->ol_flags &= RTE_MBUF_F_EXTERNAL; // whose the buffer is, the driver's free has to know
	if (unlikely(nh->port != r->port))
		run_flush(w, r, nh->port);
	r->packets++;
	r->bytes += len;
	frame_queue(w, port->device, m);
	return STAGE_KEPT;
}

void stage_tx(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	struct run run = {0};

	for (uint16_t i = 0; i < n; i++) {
		chain_object(w);
		next[i] = tx_one(w, pkt[i], &run);
	}
	run_flush(w, &run, 0);
}
