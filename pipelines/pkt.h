// SPDX-License-Identifier: BSD-3-Clause
// What stages know of a packet beyond its bytes. It lies in parts of the mbuf that no driver uses
// after reception: 16 bytes in the first cache line (hash,
// packet_type, vlan_tci, vlan_tci_outer), the rest in dynamic fields.
//
// data_off is always at the IPv4 header once classify has passed a packet on.
#pragma once

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <stdint.h>

enum pkt_flag {
	PKT_FROM_TUNNEL = 1 << 0, // decrypted: customer is authentic
	PKT_RTCP = 1 << 1,        // RTCP of the leg in obj
	PKT_TRACED = 1 << 2,
	PKT_OURS = 1 << 3, // we made its header: TTL is fresh, no allow-list applies
	PKT_OUTER =
		1 << 4, // not into a tunnel by its route: an SA's outer header, or a leg's packet
	PKT_PIECE = 1 << 5,    // fragment made here for the tunnel: obj is the SA of the whole
	PKT_SECOND = 1 << 6,   // obj is the second leg of its pair
	PKT_OLD_KEYS = 1 << 7, // SRTP opened it by the keys that its leg had before
};

// RFC 792, for cold.icmp_type and icmp_code.
#define ICMP_UNREACHABLE 3
#define ICMP_FRAG_NEEDED 4
#define ICMP_TIME_EXCEEDED 11

// The first line's part. obj is what the next stage works on: an SA, a leg, or a nexthop. It is a
// pointer under RCU: never kept across a worker's loop (a packet that is handed over carries a slot).
struct pkt_tag {
	uint16_t customer; // 0: none
	uint8_t flags;
	uint8_t hops;
};

static inline struct pkt_tag *pkt_tag(struct rte_mbuf *m)
{
	_Static_assert(sizeof(struct pkt_tag) == sizeof(m->packet_type),
		       "tag overlays packet_type");
	return (struct pkt_tag *)&m->packet_type;
}

static inline void *pkt_obj(const struct rte_mbuf *m)
{
	void *p;
	__builtin_memcpy(&p, &m->hash, sizeof(p));
	return p;
}

static inline void pkt_obj_set(struct rte_mbuf *m, const void *p)
{
	__builtin_memcpy(&m->hash, &p, sizeof(p));
}

// Outer IPv4 length of a packet from a tunnel: what the tier meters.
static inline uint16_t pkt_wire_len(const struct rte_mbuf *m)
{
	return m->vlan_tci;
}

static inline void pkt_wire_len_set(struct rte_mbuf *m, uint16_t len)
{
	m->vlan_tci = len;
}

// Logical port of ingress.
static inline uint8_t pkt_port(const struct rte_mbuf *m)
{
	return (uint8_t)m->vlan_tci_outer;
}

static inline void pkt_port_set(struct rte_mbuf *m, uint8_t port)
{
	m->vlan_tci_outer = port;
}

// The rest, at the end of dynfield1 (reserved at start-up, after drivers such as net_pcap have taken
// theirs, which are given from the front): a second cache line, for packets off the fast path.
struct pkt_cold {
	uint16_t drop;      // drop reason
	uint8_t resume;     // stage that a handed-over packet or a fragment goes on in
	uint8_t to;         // worker that a packet is handed over to
	uint32_t slot, gen; // what obj is, for a handed-over packet: a leg's, or a nexthop's index
	uint16_t mtu;       // what would fit
	uint8_t icmp_type, icmp_code;
	uint32_t trace; // number of the traced packet
};

#define PKT_COLD_OFFSET                                                                     \
	(offsetof(struct rte_mbuf, dynfield1) + sizeof(((struct rte_mbuf *)0)->dynfield1) - \
	 sizeof(struct pkt_cold))
_Static_assert(sizeof(struct pkt_cold) == 20, "leaves 16 bytes of the dynamic fields to drivers");

static inline struct pkt_cold *pkt_cold(struct rte_mbuf *m)
{
	return (struct pkt_cold *)((uint8_t *)m + PKT_COLD_OFFSET);
}

static inline struct rte_ipv4_hdr *pkt_ip(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
}
