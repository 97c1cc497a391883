// SPDX-License-Identifier: BSD-3-Clause
#include "tap.h"

#include "base/log.h"
#include "netlink.h"
#include "pkt.h"
#include "stage.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_arp.h>
#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_lpm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RING_SIZE 1024
#define TXQLEN 512
#define READ_MAX 64 // frames an event, so that nobody else starves

static const struct rte_ether_addr tunnel_mac = {TAP_TUNNEL_MAC};

static int tun_error(const char *name, struct err *err)
{
	int e = errno;

	if (e == EPERM)
		return err_set(err, -e,
			       "port %s: making its netdev needs the capability CAP_NET_ADMIN",
			       name);
	if (e == ENOENT || e == ENODEV || e == ENXIO)
		return err_set(err, -e, "port %s: /dev/net/tun is missing (modprobe tun)", name);
	return err_set(err, -e, "port %s: /dev/net/tun: %s", name, strerror(e));
}

static int netdev_make(struct tap *t, const char *name, struct err *err)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL)};

	if (if_nametoindex(name) != 0)
		return err_set(err, -EEXIST,
			       "port %s: an interface of this name exists already; rename the "
			       "port, or end what has it (another trunklined?), or \"ip link "
			       "del %s\"",
			       name, name);
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return tun_error(name, err);
	memcpy(ifr.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(t->fd, TUNSETIFF, &ifr) != 0)
		return tun_error(name, err);
	t->ifindex = (int)if_nametoindex(name);
	return t->ifindex != 0 ? 0 : tun_error(name, err);
}

static int address_add(struct nl *nl, const struct tap *t, const char *name,
		       const struct ip_prefix *p, struct err *err)
{
	char text[IP_ADDR_STRLEN];
	int rc = nl_addr_add(nl, t->ifindex, p);

	if (rc == 0 || rc == -EEXIST) // a media address may be the port's as well
		return 0;
	return err_set(err, rc, "port %s: address %s/%u: %s", name, ip_addr_str(&p->addr, text),
		       p->len, strerror(-rc));
}

static int netdev_setup(struct tap *t, const struct tap_params *params, struct err *err)
{
	const struct port *port = &params->plane->port[params->port];
	struct nl nl;

	int rc = nl_open(&nl, err);
	if (rc != 0)
		return rc;
	rc = nl_link_setup(&nl, t->ifindex, &port->mac, port->mtu, TXQLEN);
	if (rc != 0)
		err_set(err, rc, "port %s: link address or MTU %u: %s", port->name, port->mtu,
			strerror(-rc));
	else
		nl_link_no_ipv6(&nl, t->ifindex); // a kernel without IPv6 refuses, and needs it not
	for (unsigned i = 0; rc == 0 && i < params->n_addresses; i++)
		rc = address_add(&nl, t, port->name, &params->addresses[i], err);
	for (unsigned i = 0; rc == 0 && i < params->n_media; i++) {
		struct ip_prefix p = {.addr = params->media[i], .len = 32};
		rc = address_add(&nl, t, port->name, &p, err);
	}
	if (rc == 0) {
		rc = nl_link_up(&nl, t->ifindex);
		if (rc != 0)
			err_set(err, rc, "port %s: up: %s", port->name, strerror(-rc));
	}
	nl_close(&nl);
	return rc;
}

static int rings_make(struct tap *t, const char *name, struct err *err)
{
	char text[RTE_RING_NAMESIZE];

	snprintf(text, sizeof(text), "to-%s", name);
	t->to_kernel = rte_ring_create(text, RING_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
	snprintf(text, sizeof(text), "from-%s", name);
	t->from_kernel =
		rte_ring_create(text, RING_SIZE, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (t->to_kernel == NULL || t->from_kernel == NULL)
		return err_set(err, -rte_errno, "port %s: rings: %s", name,
			       rte_strerror(rte_errno));
	return 0;
}

// ---- kernel → wire ----

static bool tunnelled(const struct tap *t, uint32_t ip)
{
	uint32_t index;

	if (t->plane->lpm == NULL ||
	    rte_lpm_lookup(t->plane->lpm, rte_be_to_cpu_32(ip), &index) != 0)
		return false;
	const struct nexthop *nh = t->plane->nexthop[index];
	return nh != NULL && nh->kind == NH_TUNNEL;
}

// The kernel asks for the link address of something behind a tunnel: nobody on the wire may know of
// that, and we are the way there. The request becomes the answer.
static bool arp_proxy(struct tap *t, struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(eth + 1);

	if (m->data_len < sizeof(*eth) + sizeof(*arp) ||
	    eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_ARP) ||
	    arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST) || !tunnelled(t, arp->arp_data.arp_tip))
		return false;
	uint32_t asked = arp->arp_data.arp_tip;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_sip = asked;
	arp->arp_data.arp_sha = tunnel_mac;
	eth->dst_addr = eth->src_addr;
	eth->src_addr = tunnel_mac;
	if (write(t->fd, eth, m->data_len) == (ssize_t)m->data_len)
		t->proxied++;
	else
		t->kernel_failed++;
	return true;
}

static void tag_insert(struct rte_mbuf *m, uint16_t vlan)
{
	const uint8_t tag[4] = {0x81, 0x00, (uint8_t)(vlan >> 8), (uint8_t)vlan};

	_Static_assert(sizeof(tag) <= RTE_PKTMBUF_HEADROOM, "a new buffer has room for the tag");
	m->data_off = (uint16_t)(m->data_off - sizeof(tag));
	m->data_len = (uint16_t)(m->data_len + sizeof(tag));
	m->pkt_len = m->data_len;
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	memmove(frame, frame + sizeof(tag), 2 * RTE_ETHER_ADDR_LEN);
	memcpy(frame + 2 * RTE_ETHER_ADDR_LEN, tag, sizeof(tag));
}

// Makes of a frame to the tunnels' link address an IP packet for the route stage.
static bool packet_for_tunnel(struct tap *t, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	if (eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
	    m->data_len < sizeof(*eth) + sizeof(struct rte_ipv4_hdr))
		return false;
	rte_pktmbuf_adj(m, sizeof(*eth));
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	uint16_t len = rte_be_to_cpu_16(ip->total_length);
	if (ip->version_ihl != RTE_IPV4_VHL_DEF || len < sizeof(*ip) || len > m->data_len)
		return false; // options are not carried
	m->data_len = len;
	m->pkt_len = len;
	*pkt_tag(m) = (struct pkt_tag){.flags = PKT_OURS};
	pkt_obj_set(m, NULL);
	pkt_wire_len_set(m, len);
	pkt_port_set(m, t->port);
	pkt_cold(m)->resume = STAGE_route;
	return true;
}

// False: the frame is not to be sent on.
static bool frame_prepare(struct tap *t, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	uint16_t vlan = t->plane->port[t->port].vlan;

	if (rte_is_same_ether_addr(&eth->dst_addr, &tunnel_mac))
		return packet_for_tunnel(t, m);
	if (arp_proxy(t, m))
		return false;
	if (vlan != 0)
		tag_insert(m, vlan);
	pkt_cold(m)->resume = STAGE_tx;
	return true;
}

// One frame; false: there is none.
static bool frame_read(struct tap *t)
{
	uint8_t lost[64];
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->pool);

	if (m == NULL) { // take it out of the kernel's queue, or the event comes for ever
		if (read(t->fd, lost, sizeof(lost)) < 0)
			return false;
		t->wire_full++;
		return true;
	}
	ssize_t n = read(t->fd, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
	if (n < 0) {
		rte_pktmbuf_free(m);
		return false;
	}
	m->data_len = (uint16_t)n;
	m->pkt_len = m->data_len;
	if (n < (ssize_t)sizeof(struct rte_ether_hdr) || !frame_prepare(t, m)) {
		rte_pktmbuf_free(m);
		return true;
	}
	if (rte_ring_sp_enqueue(t->from_kernel, m) != 0) {
		rte_pktmbuf_free(m);
		t->wire_full++;
	} else {
		t->wire_packets++;
	}
	return true;
}

static void tap_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	for (unsigned i = 0; i < READ_MAX && frame_read(arg); i++)
		;
}

// ---- workers → kernel ----

unsigned tap_pump(struct tap *t)
{
	struct rte_mbuf *pkt[64];
	unsigned total = 0, n;

	do {
		n = rte_ring_sc_dequeue_burst(t->to_kernel, (void **)pkt, RTE_DIM(pkt), NULL);
		for (unsigned i = 0; i < n; i++) {
			ssize_t len = pkt[i]->data_len;
			if (write(t->fd, rte_pktmbuf_mtod(pkt[i], void *), (size_t)len) == len)
				t->kernel_packets++;
			else
				t->kernel_failed++;
		}
		rte_pktmbuf_free_bulk(pkt, n);
		total += n;
	} while (n == RTE_DIM(pkt) && total < RING_SIZE);
	return total;
}

int tap_carrier(struct tap *t, bool up)
{
	int carrier = up;

	return ioctl(t->fd, TUNSETCARRIER, &carrier) == 0 ? 0 : -errno;
}

// ---- life ----

static int tap_make(struct tap *t, const struct tap_params *params, struct err *err)
{
	const char *name = params->plane->port[params->port].name;

	int rc = netdev_make(t, name, err);
	if (rc == 0)
		rc = rings_make(t, name, err);
	if (rc == 0)
		rc = netdev_setup(t, params, err);
	if (rc != 0 || params->base == NULL)
		return rc;
	t->readable = event_new(params->base, t->fd, EV_READ | EV_PERSIST, tap_readable, t);
	if (t->readable == NULL || event_add(t->readable, NULL) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int tap_open(struct tap **out, const struct tap_params *params, struct err *err)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	t->fd = -1;
	t->plane = params->plane;
	t->pool = params->pool;
	t->port = (uint8_t)params->port;
	int rc = tap_make(t, params, err);
	if (rc != 0) {
		tap_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

static void ring_free(struct rte_ring *r)
{
	void *m;

	while (r != NULL && rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

void tap_close(struct tap *t)
{
	if (t == NULL)
		return;
	if (t->readable != NULL)
		event_free(t->readable);
	if (t->fd >= 0)
		close(t->fd);
	ring_free(t->to_kernel);
	ring_free(t->from_kernel);
	free(t);
}
