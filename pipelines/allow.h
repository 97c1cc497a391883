// SPDX-License-Identifier: BSD-3-Clause
// A packet's flow fields in host order, and a customer's firewall allow-list.
#pragma once

#include "customer/customer.h"

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <string.h>

struct flow {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t proto;
	bool ports_known;
};

// ip: 20-byte header, len: bytes from it that are there.
static inline void flow_read(const struct rte_ipv4_hdr *ip, uint32_t len, struct flow *f)
{
	f->src = rte_be_to_cpu_32(ip->src_addr);
	f->dst = rte_be_to_cpu_32(ip->dst_addr);
	f->proto = ip->next_proto_id;
	bool has_ports =
		f->proto == IPPROTO_UDP || f->proto == IPPROTO_TCP || f->proto == IPPROTO_SCTP;
	f->ports_known =
		has_ports && len >= sizeof(*ip) + 4 && !(ip->fragment_offset & RTE_BE16(0x1fff));
	uint32_t ports = 0;
	if (likely(f->ports_known))
		memcpy(&ports, ip + 1, sizeof(ports));
	ports = rte_be_to_cpu_32(ports);
	f->sport = (uint16_t)(ports >> 16);
	f->dport = (uint16_t)ports;
}

// Does the flow match one of an SA's n selectors: first, then more[0..n-2]?
static inline bool flow_within(const struct selector *first, const struct selector *more,
			       uint16_t n, const struct flow *f)
{
	if (likely(selector_match(first, f->src, f->dst, f->proto, f->ports_known, f->sport,
				  f->dport)))
		return true;
	for (uint16_t i = 1; i < n; i++)
		if (selector_match(&more[i - 1], f->src, f->dst, f->proto, f->ports_known, f->sport,
				   f->dport))
			return true;
	return false;
}

// May the customer exchange packets with far, whose side of the flow has this port?
static inline bool allow_match(const struct customer *c, uint32_t far, uint8_t proto,
			       bool port_known, uint16_t port)
{
	const struct allow_list *list = __atomic_load_n(&c->allow, __ATOMIC_RELAXED);

	for (uint32_t i = 0; list != NULL && i < list->n; i++) {
		const struct allow_rule *r = &list->rule[i];
		if ((far & r->mask) != r->net || (r->proto != 0 && r->proto != proto))
			continue;
		if (r->port_lo == 0 && r->port_hi == 65535)
			return true;
		if (port_known && port >= r->port_lo && port <= r->port_hi)
			return true;
	}
	return false;
}
