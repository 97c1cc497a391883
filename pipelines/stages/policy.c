// SPDX-License-Identifier: BSD-3-Clause
// What a customer's tunnel may bring in: addresses within the SA's selectors (RFC 4301 section
// 5.2 step 4), the tier, and then either one of our media ports or what the allow-list names.
#include "adjacency.h"
#include "allow.h"
#include "dispatch.h"
#include "ip/ip.h"

// Selectors may be wide; but nobody sends from our addresses, or from another customer's.
static bool source_is_spoofed(const struct plane *p, uint32_t ip, uint16_t customer)
{
	uint32_t first = ip & 0xff;
	uint16_t whose = tunnel_to(p, ip);

	return first >= 224 || first == 127 || ip == 0 || local_lookup(p, ip) != NULL ||
	       (whose != 0 && whose != customer);
}

// A packet that goes beyond the media ports.
static uint8_t policy_transit(struct worker *w, struct rte_mbuf *m, const struct customer *c,
			      const struct flow *f, const struct local_addr *local)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);

	if (source_is_spoofed(w->plane, ip->src_addr, c->id))
		return pkt_drop(m, DROP_IP_SOURCE);
	if (!allow_match(c, f->dst, f->proto, f->ports_known, f->dport))
		return pkt_drop(m, DROP_NOT_ALLOWED);
	if (local != NULL)
		return STAGE_exception;
	return STAGE_route;
}

static inline uint8_t policy_one(struct worker *w, struct rte_mbuf *m)
{
	struct sa_in *sa = pkt_obj(m);
	struct customer *c = customer_load(w->plane, sa->customer);
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	struct flow f;

	if (unlikely(ip->version_ihl != 0x45))
		return pkt_drop(m, DROP_IP_OPTIONS);
	if (unlikely(!ip4_header_ok(ip)))
		return pkt_drop(m, DROP_IP_CHECKSUM);
	flow_read(ip, rte_pktmbuf_data_len(m), &f);
	if (unlikely(!flow_within(&sa->selector, sa->more, sa->n_selectors, &f))) {
		sa->refused++;
		return pkt_drop(m, DROP_SELECTOR);
	}
	if (unlikely(c == NULL))
		return pkt_drop(m, DROP_NOT_ALLOWED);
	if (unlikely(!tier_admit(&c->in, pkt_wire_len(m), w->now)))
		return pkt_drop(m, DROP_TIER_IN);
	const struct local_addr *local = local_lookup(w->plane, ip->dst_addr);
	if (likely(local != NULL && (local->kind & LOCAL_MEDIA) && f.proto == IPPROTO_UDP)) {
		if (unlikely(ip->fragment_offset & RTE_BE16(0x3fff)))
			return pkt_drop(m, DROP_FRAGMENT);
		uint8_t next = dispatch_local(w, m, local, false);
		if (likely(next != STAGE_exception))
			return next;
		// No port of a call: the kernel's, which may have the same address.
	}
	return policy_transit(w, m, c, &f, local);
}

// Bucket and port entry of a packet.
static inline void state_load(const struct plane *p, const struct rte_mbuf *m)
{
	const struct sa_in *sa = pkt_obj(m);
	const struct customer *c = customer_load(p, sa->customer);
	const ref_t *entry = dispatch_entry(p, pkt_ip(m), m->data_len);

	if (likely(c != NULL))
		line_load(&c->in);
	if (likely(entry != NULL))
		line_load(entry);
}

void stage_policy(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	bool brought = w->opened >= n; // in the time of their ciphers

	for (uint16_t i = 0; i < n && !brought; i++)
		state_load(w->plane, pkt[i]);
	for (uint16_t i = 0; i < n; i++)
		next[i] = policy_one(w, pkt[i]);
	if (!brought)
		dispatch_bring(w, pkt, n, next, 0);
}
