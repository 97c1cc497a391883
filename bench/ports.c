// SPDX-License-Identifier: BSD-3-Clause
// Two ethdevs made of rings: what one core enqueues is what the other core's poll gives.
#include "world.h"

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#define RING_SIZE 8192
#define POOL_SIZE 65535
#define POOL_CACHE 256

static struct {
	struct rte_ring *ring[2][2];
	struct rte_mempool *pool;
	eth_rx_burst_t rx;
	uint16_t burst;
} ports;

static uint16_t rx_limited(void *queue, struct rte_mbuf **pkt, uint16_t n)
{
	return ports.rx(queue, pkt, n < ports.burst ? n : ports.burst);
}

void ports_burst_set(unsigned burst)
{
	ports.burst = (uint16_t)burst;
}

struct rte_mempool *ports_pool(void)
{
	return ports.pool;
}

struct rte_ring *ports_ring(unsigned from_worker, unsigned port)
{
	return ports.ring[from_worker][port];
}

static int port_start(unsigned port, int id, struct err *err)
{
	struct rte_eth_conf conf = {0};
	uint16_t ethdev = (uint16_t)id;

	if (id != (int)port)
		return err_set(err, -ENODEV, "ring port %u is ethdev %d", port, id);
	if (rte_eth_dev_configure(ethdev, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(ethdev, 0, 1024, 0, NULL, ports.pool) != 0 ||
	    rte_eth_tx_queue_setup(ethdev, 0, 1024, 0, NULL) != 0 || rte_eth_dev_start(ethdev) != 0)
		return err_set(err, -EIO, "ring port %u does not start", port);
	ports.rx = rte_eth_fp_ops[ethdev].rx_pkt_burst;
	rte_eth_fp_ops[ethdev].rx_pkt_burst = rx_limited;
	return 0;
}

int ports_open(struct err *err)
{
	if (ports.pool != NULL)
		return 0;
	ports.burst = BURST_MAX;
	ports.pool = rte_pktmbuf_pool_create("bench", POOL_SIZE, POOL_CACHE, 0,
					     RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (ports.pool == NULL)
		return err_set(err, -rte_errno, "packet buffers: %s", rte_strerror(rte_errno));
	for (unsigned port = 0; port < 2; port++) {
		char name[32];
		for (unsigned dir = 0; dir < 2; dir++) {
			snprintf(name, sizeof(name), "bench-%u-%u", dir, port);
			ports.ring[dir][port] = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY,
								RING_F_SP_ENQ | RING_F_SC_DEQ);
			if (ports.ring[dir][port] == NULL)
				return err_set(err, -rte_errno, "ring: %s",
					       rte_strerror(rte_errno));
		}
		snprintf(name, sizeof(name), "bench%u", port);
		int id = rte_eth_from_rings(name, &ports.ring[0][port], 1, &ports.ring[1][port], 1,
					    (unsigned)rte_socket_id());
		int rc = port_start(port, id, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
