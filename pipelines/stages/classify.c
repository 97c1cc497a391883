// SPDX-License-Identifier: BSD-3-Clause
// Ethernet, VLAN and IPv4 checks; afterwards data_off is at the IPv4 header and the data is cut to
// the IPv4 total length. Decides whether a packet is for us, or in transit from the platform's side.
#include "adjacency.h"
#include "base/line.h"
#include "dispatch.h"
#include "ip/ip.h"

#include <rte_ether.h>

// Packets between asking for a header, asking for the entry of its port, and classifying it.
#define AHEAD 10
#define ENTRY_AHEAD 4

static inline uint64_t mac48(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v & 0xffffffffffffULL;
}

static inline const struct port *port_number(const struct plane *p, uint8_t port)
{
	return port == 0 ? NULL : &p->port[port - 1];
}

// Takes the tag out, so that an untagged Ethernet header lies right in front of the payload.
static const struct port *port_of_vlan(struct worker *w, struct rte_mbuf *m)
{
	const struct device *d = w->from;
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	const struct rte_vlan_hdr *vlan = (const struct rte_vlan_hdr *)(eth + 1);

	if (rte_pktmbuf_data_len(m) < sizeof(*eth) + sizeof(*vlan))
		return NULL;
	uint16_t vid = rte_be_to_cpu_16(vlan->vlan_tci) & 0xfff;
	uint8_t *start = rte_pktmbuf_mtod(m, uint8_t *);
	memmove(start + sizeof(*vlan), start, 2 * RTE_ETHER_ADDR_LEN);
	rte_pktmbuf_adj(m, sizeof(*vlan));
	// 802.1p: priority-tagged is untagged
	return port_number(w->plane, vid == 0 ? d->port_untagged : d->port_of_vlan[vid]);
}

// Everything but plain IPv4 unicast to the port's own link address.
static uint8_t classify_other(struct rte_mbuf *m, const struct rte_ether_hdr *eth,
			      const struct port *port)
{
	bool group = eth->dst_addr.addr_bytes[0] & 1;

	if (!group && mac48(&eth->dst_addr) != mac48(&port->mac))
		return pkt_drop(m, DROP_NOT_FOR_US);
	switch (eth->ether_type) {
	case RTE_BE16(RTE_ETHER_TYPE_IPV4):
	case RTE_BE16(RTE_ETHER_TYPE_IPV6):
	case RTE_BE16(RTE_ETHER_TYPE_ARP):
		return STAGE_exception;
	default:
		return pkt_drop(m, DROP_ETHERTYPE);
	}
}

static uint8_t classify_fragment(struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, bool ours)
{
	if (!ours)
		return pkt_drop(m, DROP_FRAGMENT);
	if (ip->next_proto_id == IPPROTO_ESP4 || ip->next_proto_id == IPPROTO_UDP)
		return STAGE_reassemble;
	return STAGE_exception;
}

// Multicast and above, loopback, none (RFC 1122 section 3.2.1.3).
static inline bool source_is_no_host(uint32_t ip)
{
	uint32_t first = ip & 0xff;

	return (first >= 224) | (first == 127) | (ip == 0);
}

// Drivers tell by a flag what the device found, and hand over wrong ones like any other.
static inline bool header_ok(const struct worker *w, const struct rte_mbuf *m,
			     const struct rte_ipv4_hdr *ip)
{
	bool told = w->from->rx_cksum_ok &&
		    (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;

	return told || ip4_header_ok(ip);
}

static uint8_t classify_ipv4(struct worker *w, struct rte_mbuf *m, const struct port *port)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	uint32_t have = rte_pktmbuf_data_len(m);

	if (unlikely(have < sizeof(*ip)))
		return pkt_drop(m, DROP_IP_TRUNCATED);
	uint32_t total = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(ip->version_ihl != 0x45)) {
		if (ip->version != 4 || ip->ihl < 5 || total < ip->ihl * 4u)
			return pkt_drop(m, DROP_IP_HEADER);
		return pkt_drop(m, DROP_IP_OPTIONS);
	}
	if (unlikely(total < sizeof(*ip)))
		return pkt_drop(m, DROP_IP_HEADER);
	if (unlikely(total > have))
		return pkt_drop(m, DROP_IP_TRUNCATED);
	if (unlikely(!header_ok(w, m, ip)))
		return pkt_drop(m, DROP_IP_CHECKSUM);
	if (unlikely(source_is_no_host(ip->src_addr)))
		return pkt_drop(m, DROP_IP_SOURCE);
	m->data_len = (uint16_t)total;
	m->pkt_len = total;

	const struct local_addr *local = local_lookup(w->plane, ip->dst_addr);
	if (unlikely(ip->fragment_offset & RTE_BE16(0x3fff)))
		return classify_fragment(m, ip, local != NULL);
	if (likely(local != NULL))
		return dispatch_local(w, m, local, true);
	if (!port->inside)
		return pkt_drop(m, DROP_TRANSIT_DENIED);
	if (local_lookup(w->plane, ip->src_addr) != NULL || tunnel_to(w->plane, ip->src_addr) != 0)
		return pkt_drop(m, DROP_IP_SOURCE);
	return STAGE_route;
}

// Packets and bytes of a run of packets by one port.
struct run {
	uint64_t bytes;
	uint32_t packets, port;
};

static inline void count_flush(struct worker *w, const struct run *r)
{
	w->rx_packets[r->port] += r->packets;
	w->rx_bytes[r->port] += r->bytes;
}

static inline void count_add(struct worker *w, struct run *r, uint8_t port, uint32_t len)
{
	if (unlikely(port != r->port)) {
		count_flush(w, r);
		*r = (struct run){.port = port};
	}
	r->packets++;
	r->bytes += len;
}

// flags: those that stay. port: of untagged packets.
static inline uint8_t classify_one(struct worker *w, struct rte_mbuf *m, uint8_t flags,
				   const struct port *port, struct run *c)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct pkt_tag tag = {.flags = flags};

	memcpy(pkt_tag(m), &tag, sizeof(tag));
	if (unlikely(rte_pktmbuf_data_len(m) < sizeof(*eth) || m->nb_segs != 1))
		return pkt_drop(m, DROP_RX_MALFORMED);
	if (unlikely(eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN))) {
		port = port_of_vlan(w, m);
		eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	}
	if (unlikely(port == NULL))
		return pkt_drop(m, DROP_VLAN_UNKNOWN);
	count_add(w, c, port->index, rte_pktmbuf_data_len(m));
	pkt_port_set(m, port->index);
	rte_pktmbuf_adj(m, sizeof(*eth));
	if (likely(eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
		   mac48(&eth->dst_addr) == mac48(&port->mac)))
		return classify_ipv4(w, m, port);
	return classify_other(m, eth, port);
}

// A guess that this one is plain IPv4: if not, some other entry is brought in. ESP's entries are few and dense.
static inline void entry_prefetch(const struct plane *p, const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
	int len = m->data_len - RTE_ETHER_HDR_LEN;

	if (unlikely(len < (int)sizeof(*ip)) || ip->next_proto_id != IPPROTO_UDP)
		return;
	const ref_t *entry = dispatch_entry(p, ip, len);
	if (entry != NULL)
		rte_prefetch0(entry);
}

// Packets whose SA or legs were asked for already; ESP has more bytes to bring in, unless that was done, too.
static inline uint16_t bring_from(const struct worker *w, const uint8_t *next)
{
	return w->brought || next[0] != STAGE_esp_decap ? w->chain.done[CHAIN_OBJECT] : 0;
}

void stage_classify(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	const struct port *untagged = port_number(w->plane, w->from->port_untagged);
	uint8_t keep = w->trace != NULL ? PKT_TRACED : 0;
	unsigned header = w->chain.done[CHAIN_HEADER], entry = w->chain.done[CHAIN_ENTRY];
	struct run run = {0};

	for (; header < n && header < AHEAD; header++)
		line_own(rte_pktmbuf_mtod(pkt[header], void *));
	for (unsigned i = 0; i < n; i++) {
		if (header < n && header <= i + AHEAD) {
			line_own(rte_pktmbuf_mtod(pkt[header], void *));
			header++;
		}
		if (entry < n && entry <= i + ENTRY_AHEAD)
			entry_prefetch(w->plane, pkt[entry++]);
		uint8_t kept = keep == 0 ? 0 : pkt_tag(pkt[i])->flags & keep;
		next[i] = classify_one(w, pkt[i], kept, untagged, &run);
	}
	count_flush(w, &run);
	dispatch_bring(w, pkt, n, next, bring_from(w, next));
}
