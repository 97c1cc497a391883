// SPDX-License-Identifier: BSD-3-Clause
// Ethdevs in order: found, configured, queues, started; and the way back.
#include "device.h"

#include "base/log.h"
#include "device_priv.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define RX_DESC 1024
#define RX_DESC_XDP 2048 // as many as the driver has frames waiting for the kernel
#define TX_DESC 1024

static int pool_get(struct devices *d, const struct config *cfg, int socket,
		    struct rte_mempool **out, struct err *err)
{
	unsigned node = socket >= 0 && socket < RTE_MAX_NUMA_NODES ? (unsigned)socket : 0;
	char name[RTE_MEMPOOL_NAMESIZE];

	if (d->pool[node] == NULL) {
		snprintf(name, sizeof(name), "packets-%u", node);
		d->pool[node] = rte_pktmbuf_pool_create(name, cfg->mbufs, MBUF_CACHE, 0,
							mbuf_room(d->mtu_max), socket);
	}
	if (d->pool[node] == NULL)
		return err_set(
			err, rte_errno > 0 ? -rte_errno : -ENOMEM,
			"no memory for %u packet buffers of %u bytes (about %u MB of "
			"memory: %u); raise memory or lower mbufs",
			cfg->mbufs, mbuf_room(d->mtu_max),
			(unsigned)((uint64_t)cfg->mbufs * (mbuf_room(d->mtu_max) + 256u) >> 20),
			cfg->memory_mb);
	*out = d->pool[node];
	return 0;
}

// One queue a worker as far as the device and the configuration go; symmetric.
static void queues_choose(const struct rte_eth_dev_info *info, const struct device_want *want,
			  uint16_t n_workers, struct device *dev)
{
	uint16_t n = n_workers, n_tx;

	if (want->queues != 0 && want->queues < n)
		n = want->queues;
	n_tx = n < info->max_tx_queues ? n : info->max_tx_queues;
	if (n > info->max_rx_queues)
		n = info->max_rx_queues;
	if (n > 1 && info->flow_type_rss_offloads == 0 &&
	    strcmp(info->driver_name, "net_af_packet") != 0 &&
	    strcmp(info->driver_name, "net_af_xdp") != 0 &&
	    strcmp(info->driver_name, "net_tap") != 0)
		n = 1; // nothing would spread packets over them
	dev->n_rxq = (uint8_t)n;
	dev->n_txq = (uint8_t)n_tx;
}

static void tx_map(const struct plane *p, struct device *dev)
{
	memset(dev->txq, -1, sizeof(dev->txq));
	for (uint16_t q = 0; q < dev->n_txq; q++)
		dev->txq[device_queue_worker(p, dev->id, q)] = (int8_t)q;
	dev->tx_owner = (uint8_t)device_queue_worker(p, dev->id, 0);
}

static int device_error(const struct device_ctl *c, int rc, const char *what, struct err *err)
{
	char said[256];

	eal_log_error(said, sizeof(said));
	return err_set(err, rc, "device %s: %s: %s%s%s", c->text, what, rte_strerror(-rc),
		       said[0] != 0 ? ": " : "", said);
}

static int device_configure(struct devices *d, struct device_ctl *c, struct device *dev,
			    const struct device_want *want, struct err *err)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;

	int rc = rte_eth_dev_info_get(c->id, &info);
	if (rc != 0)
		return device_error(c, rc, "no information", err);
	queues_choose(&info, want, d->plane->n_workers, dev);
	if (dev->n_rxq == 0 || dev->n_txq == 0)
		return err_set(err, -ENOTSUP, "device %s cannot %s", c->text,
			       dev->n_rxq == 0 ? "receive" : "send");
	tx_map(d->plane, dev);
	if (want->mtu > RTE_ETHER_MTU && info.max_rx_pktlen >= want->mtu + 18u)
		conf.rxmode.mtu = want->mtu;
	conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	dev->rx_cksum_ok = conf.rxmode.offloads != 0;
	if (dev->n_rxq > 1 && info.flow_type_rss_offloads != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info.flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_ESP);
	}
	c->lsc = info.dev_flags != NULL && (*info.dev_flags & RTE_ETH_DEV_INTR_LSC);
	conf.intr_conf.lsc = c->lsc;
	rc = rte_eth_dev_configure(c->id, dev->n_rxq, dev->n_txq, &conf);
	if (rc != 0)
		return device_error(c, rc, "cannot be configured", err);
	if (c->lsc)
		rte_eth_dev_callback_register(c->id, RTE_ETH_EVENT_INTR_LSC, link_event, d);
	return 0;
}

static int queues_setup(struct devices *d, const struct config *cfg, struct device_ctl *c,
			const struct device *dev, struct err *err)
{
	uint16_t n_rx = c->spec.kind == DEV_AF_XDP ? RX_DESC_XDP : RX_DESC, n_tx = TX_DESC;
	int socket = rte_eth_dev_socket_id(c->id);
	struct rte_mempool *pool = NULL;

	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(c->id, &n_rx, &n_tx);
	if (rc != 0)
		return device_error(c, rc, "descriptor rings", err);
	rc = pool_get(d, cfg, socket, &pool, err);
	for (uint16_t q = 0; rc == 0 && q < dev->n_rxq; q++) {
		rc = rte_eth_rx_queue_setup(c->id, q, n_rx, (unsigned)socket, NULL, pool);
		if (rc != 0)
			device_error(c, rc, "receive queue", err);
	}
	for (uint16_t q = 0; rc == 0 && q < dev->n_txq; q++) {
		rc = rte_eth_tx_queue_setup(c->id, q, n_tx, (unsigned)socket, NULL);
		if (rc != 0)
			device_error(c, rc, "transmit queue", err);
	}
	return rc;
}

static int mtu_set(struct devices *d, struct device_ctl *c, uint16_t want, struct err *err)
{
	uint16_t mtu;
	int rc;

	if (c->spec.kind == DEV_AF_PACKET) // ethdev believes that its frames end at 1518 bytes
		rc = iface_mtu_set(d->ioctl_fd, c->spec.iface, want);
	else if (rte_eth_dev_get_mtu(c->id, &mtu) == 0 && mtu == want && !c->poll_iface)
		rc = 0;
	else
		rc = rte_eth_dev_set_mtu(c->id, want);
	// Rings and files have no MTU to set: they carry what comes.
	return rc == 0 || rc == -ENOTSUP ? 0 : device_error(c, rc, "MTU cannot be set", err);
}

static int device_up(struct devices *d, const struct config *cfg, struct device_ctl *c,
		     struct err *err)
{
	struct device *dev = &d->plane->device[c->id];
	struct device_want want = device_want(cfg, c->text);

	dev->id = c->id;
	c->opened = true;
	c->poll_iface = c->spec.kind == DEV_AF_PACKET || c->spec.kind == DEV_AF_XDP;
	if (c->spec.kind == DEV_AF_XDP && mbuf_room(d->mtu_max) > MBUF_ROOM_XDP)
		return err_set(err, -EINVAL,
			       "device %s: with AF_XDP no port's MTU may be above %d (%u is set)",
			       c->text, MBUF_ROOM_XDP - MBUF_OVERHEAD, d->mtu_max);
	char old[256];
	eal_log_error(old, sizeof(old)); // not this device's
	int rc = device_configure(d, c, dev, &want, err);
	if (rc == 0)
		rc = queues_setup(d, cfg, c, dev, err);
	if (rc == 0)
		rc = mtu_set(d, c, want.mtu, err);
	if (rc != 0)
		return rc;
	rc = rte_eth_dev_start(c->id);
	if (rc != 0)
		return device_error(c, rc, "does not start", err);
	c->started = true;
	rte_eth_promiscuous_disable(c->id);
	rte_eth_stats_reset(c->id);
	log_info("device %s: %u rx and %u tx queues, NUMA node %d", c->text, dev->n_rxq, dev->n_txq,
		 rte_eth_dev_socket_id(c->id));
	return 0;
}

static int device_find(struct devices *d, const struct config *cfg, unsigned port, struct err *err)
{
	struct device_ctl *c = &d->dev[d->n];
	const struct config_port *p = &cfg->ports[port];
	struct device_want want = device_want(cfg, p->device);
	char said[256];

	c->text = p->device;
	int rc = device_spec_parse(p->device, port, &want, cfg->n_workers, &c->spec, err);
	if (rc != 0)
		return rc;
	rc = rte_eth_dev_get_port_by_name(c->spec.name, &c->id);
	if (rc == 0 && c->id >= DEVICES_MAX)
		return err_set(err, -ENOSPC, "more than %d devices", DEVICES_MAX);
	if (rc == 0) {
		d->n++;
		if (c->id >= d->plane->n_devices)
			d->plane->n_devices = (uint16_t)(c->id + 1);
		return 0;
	}
	eal_log_error(said, sizeof(said));
	if (c->spec.kind == DEV_PCI)
		return err_set(err, -ENODEV,
			       "device %s: no driver of DPDK has it; is it bound to vfio-pci "
			       "(dpdk-devbind.py --status)?",
			       p->device);
	if (c->spec.iface[0] != 0 && c->spec.kind != DEV_TAP && if_nametoindex(c->spec.iface) == 0)
		return err_set(err, -ENODEV, "device %s: there is no interface %s here (ip link)",
			       p->device, c->spec.iface);
	return err_set(err, -ENODEV, "device %s: its driver refuses it%s%s", p->device,
		       said[0] != 0 ? ": " : "", said);
}

// Drivers without a link address (rings, files): a locally administered one made of the name.
static void mac_of(uint16_t id, const char *name, struct rte_ether_addr *mac)
{
	uint32_t h = 2166136261u;

	if (rte_eth_macaddr_get(id, mac) == 0 && !rte_is_zero_ether_addr(mac))
		return;
	for (const char *c = name; *c != 0; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	mac->addr_bytes[0] = 0x02;
	mac->addr_bytes[1] = 0x54;
	memcpy(mac->addr_bytes + 2, &h, sizeof(h));
}

static int port_fill(struct devices *d, const struct config *cfg, unsigned i, struct err *err)
{
	const struct config_port *cp = &cfg->ports[i];
	struct port *p = &d->plane->port[i];
	unsigned c = 0;

	while (strcmp(d->dev[c].text, cp->device) != 0)
		c++;
	struct device *dev = &d->plane->device[d->dev[c].id];
	p->device = (uint8_t)dev->id;
	p->index = (uint8_t)i;
	p->inside = cp->inside;
	p->up = 0;
	p->vlan = cp->vlan;
	p->mtu = cp->mtu;
	snprintf(p->name, sizeof(p->name), "%s", cp->name);
	mac_of(dev->id, cp->device, &p->mac);
	uint8_t *slot = cp->vlan == 0 ? &dev->port_untagged : &dev->port_of_vlan[cp->vlan & 0xfff];
	if (*slot != 0)
		return err_set(err, -EEXIST, "port %s: device %s%s is port %s's already", cp->name,
			       cp->device, cp->vlan == 0 ? "" : " with this VLAN",
			       d->plane->port[*slot - 1].name);
	*slot = (uint8_t)(i + 1);
	dev->has_vlans |= cp->vlan != 0;
	return 0;
}

static int devices_bring_up(struct devices *d, const struct config *cfg, struct event_base *base,
			    struct err *err)
{
	int rc = 0;

	d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	d->ioctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (d->wake_fd < 0 || d->ioctl_fd < 0)
		return err_set(err, -errno, "no file descriptor: %s", strerror(errno));
	for (unsigned i = 0; rc == 0 && i < cfg->n_ports; i++) {
		if (cfg->ports[i].mtu > d->mtu_max)
			d->mtu_max = cfg->ports[i].mtu;
		if (device_first_port(cfg, i) == i)
			rc = device_find(d, cfg, i, err);
	}
	for (unsigned i = 0; rc == 0 && i < d->n; i++)
		rc = device_up(d, cfg, &d->dev[i], err);
	d->plane->n_ports = (uint16_t)cfg->n_ports;
	for (unsigned i = 0; rc == 0 && i < cfg->n_ports; i++)
		rc = port_fill(d, cfg, i, err);
	if (rc == 0 && base != NULL)
		rc = link_watch(d, base, err);
	if (rc == 0)
		link_poll(d);
	return rc;
}

int devices_open(struct devices **out, struct plane *plane, const struct config *cfg,
		 struct event_base *base, struct err *err)
{
	if (cfg->n_ports > PORTS_MAX)
		return err_set(err, -EINVAL, "ports: %u given; at most %d", cfg->n_ports,
			       PORTS_MAX);
	struct devices *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	d->plane = plane;
	d->wake_fd = d->ioctl_fd = -1;
	plane->n_devices = 0;
	int rc = devices_bring_up(d, cfg, base, err);
	if (rc != 0) {
		devices_close(d);
		return rc;
	}
	*out = d;
	return 0;
}

void devices_stop(struct devices *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		if (!d->dev[i].started)
			continue;
		rte_eth_dev_stop(d->dev[i].id);
		d->dev[i].started = false;
	}
}

void devices_close(struct devices *d)
{
	unsigned total, in_use;
	bool keeps = false; // AF_XDP's driver does not give back what waits in its rings

	if (d == NULL)
		return;
	link_unwatch(d);
	devices_stop(d);
	for (unsigned i = 0; i < d->n; i++) {
		if (!d->dev[i].opened)
			continue;
		keeps = keeps || d->dev[i].spec.kind == DEV_AF_XDP;
		if (d->dev[i].lsc)
			rte_eth_dev_callback_unregister(d->dev[i].id, RTE_ETH_EVENT_INTR_LSC,
							link_event, d);
		rte_eth_dev_close(d->dev[i].id);
	}
	devices_pool_usage(d, &total, &in_use);
	if (in_use != 0 && !keeps)
		log_warn("%u of %u packet buffers were not given back", in_use, total);
	for (unsigned i = 0; i < RTE_MAX_NUMA_NODES; i++)
		rte_mempool_free(d->pool[i]);
	if (d->wake_fd >= 0)
		close(d->wake_fd);
	if (d->ioctl_fd >= 0)
		close(d->ioctl_fd);
	free(d);
}

struct rte_mempool *devices_pool(const struct devices *d, int socket)
{
	if (socket >= 0 && socket < RTE_MAX_NUMA_NODES && d->pool[socket] != NULL)
		return d->pool[socket];
	for (unsigned i = 0; i < RTE_MAX_NUMA_NODES; i++)
		if (d->pool[i] != NULL)
			return d->pool[i];
	return NULL;
}

void devices_pool_usage(const struct devices *d, unsigned *total, unsigned *in_use)
{
	*total = *in_use = 0;
	for (unsigned i = 0; i < RTE_MAX_NUMA_NODES; i++) {
		if (d->pool[i] == NULL)
			continue;
		*total += d->pool[i]->size;
		*in_use += rte_mempool_in_use_count(d->pool[i]);
	}
}

int device_stats(const struct devices *d, uint16_t device, struct device_stats *out)
{
	struct rte_eth_stats s;

	(void)d;
	memset(out, 0, sizeof(*out));
	int rc = rte_eth_stats_get(device, &s);
	if (rc != 0)
		return rc;
	out->rx_packets = s.ipackets;
	out->rx_bytes = s.ibytes;
	out->tx_packets = s.opackets;
	out->tx_bytes = s.obytes;
	out->rx_missed = s.imissed;
	out->rx_nombuf = s.rx_nombuf;
	out->rx_errors = s.ierrors;
	out->tx_errors = s.oerrors;
	return 0;
}

const char *device_name(const struct devices *d, uint16_t device)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->dev[i].id == device)
			return d->dev[i].text;
	return "";
}
