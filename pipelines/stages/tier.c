// SPDX-License-Identifier: BSD-3-Clause
// The way into a customer's tunnel, at the customer's owner: the outbound SA by policy (RFC 4301
// section 5.1), the allow-list for what no call vouches for, the path's MTU, and the tier. All of that
// comes before a sequence number is taken, so that what is refused leaves no hole.
#include "adjacency.h"
#include "allow.h"
#include "chain.h"
#include "esp/esp.h"
#include "ip/frag.h"

static inline struct sa_out *sa_select(const struct spd *spd, const struct flow *f)
{
	for (uint32_t i = 0; i < spd->n; i++)
		if (likely(flow_within(&spd->sa[i]->selector, spd->sa[i]->more,
				       spd->sa[i]->n_selectors, f)))
			return spd->sa[i];
	return NULL;
}

// What fits into one outer packet: the largest inner length whose outer length is within mtu (RFC
// 4303 section 2.4: payload, pad length and next header fill whole blocks). 0: nothing does.
static uint16_t inner_mtu(const struct sa_out *sa, uint16_t mtu)
{
	uint32_t overhead = sa->outer_len + 8u + sa->iv_len + sa->icv_len;
	uint32_t room = mtu > overhead ? (mtu - overhead) & ~(sa->block - 1u) : 0;

	return room < sa->tfc_pad + 2u || room < 2 ? 0 : (uint16_t)(room - 2);
}

static uint8_t too_big(struct rte_mbuf *m, struct sa_out *sa, uint16_t mtu)
{
	struct pkt_cold *cold = pkt_cold(m);
	struct pkt_tag *tag = pkt_tag(m);

	cold->mtu = inner_mtu(sa, mtu);
	if (pkt_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) {
		cold->mtu = cold->mtu < FRAG_MTU_MIN ? FRAG_MTU_MIN : cold->mtu;
		cold->icmp_type = ICMP_UNREACHABLE;
		cold->icmp_code = ICMP_FRAG_NEEDED;
		cold->drop = DROP_TOO_BIG;
		return STAGE_icmp;
	}
	if (cold->mtu < FRAG_MTU_MIN || (tag->flags & PKT_PIECE))
		return pkt_drop(m, DROP_FRAG_FAILED); // pieces would come back here for ever
	// Only the first piece shows the ports by which the packet was let through: they all go by
	// the same SA.
	tag->flags |= PKT_PIECE;
	pkt_obj_set(m, sa);
	cold->resume = STAGE_tier;
	return STAGE_fragment;
}

// The SA remembers the way to its peer until a route changes, or the peer moves.
static inline const struct nexthop *sa_nexthop(struct worker *w, struct sa_out *sa)
{
	const struct plane *p = w->plane;
	uint32_t gen = route_gen(p);

	if (unlikely(sa->route_gen != gen)) {
		const struct rte_ipv4_hdr *outer = (const struct rte_ipv4_hdr *)sa->outer;
		const struct sa_outer *moved = __atomic_load_n(&sa->moved, __ATOMIC_ACQUIRE);
		if (moved != NULL)
			sa_outer_apply(sa, moved);
		sa->nexthop = route_lookup(p, outer->dst_addr);
		sa->route_gen = gen;
	}
	return nexthop_get(p, sa->nexthop);
}

// No SA for the packet, but perhaps one that IKE can make: control is told of it.
static uint8_t sa_wanted(struct worker *w, struct rte_mbuf *m, struct customer *c, uint8_t drop)
{
	struct flow f;

	if (c == NULL)
		return pkt_drop(m, DROP_NO_SA);
	if (c->owner != w->id)
		return pkt_handover(m, c->owner, STAGE_tier, 0, 0);
	flow_read(pkt_ip(m), m->data_len, &f);
	if (!(pkt_tag(m)->flags & PKT_OURS) &&
	    !allow_match(c, f.src, f.proto, f.ports_known, f.sport))
		return pkt_drop(m, drop); // nobody makes us ask for what is not allowed
	c->wanted.src = f.src;
	c->wanted.dst = f.dst;
	c->wanted.sport = f.sport;
	c->wanted.dport = f.dport;
	c->wanted.proto = f.proto;
	__atomic_store_n(&c->wanted.n, c->wanted.n + 1, __ATOMIC_RELEASE);
	return pkt_drop(m, drop);
}

static inline uint8_t tier_one(struct worker *w, struct rte_mbuf *m)
{
	struct pkt_tag *tag = pkt_tag(m);
	struct customer *c = customer_load(w->plane, tag->customer);
	const struct spd *spd = c == NULL ? NULL : __atomic_load_n(&c->spd, __ATOMIC_RELAXED);
	struct sa_out *sa;

	if (unlikely(spd == NULL))
		return sa_wanted(w, m, c, DROP_NO_SA);
	if (unlikely(c->owner != w->id))
		return pkt_handover(m, c->owner, STAGE_tier, 0, 0);
	if (unlikely(tag->flags & PKT_PIECE)) {
		sa = pkt_obj(m);
	} else {
		struct flow f;
		flow_read(pkt_ip(m), m->data_len, &f);
		if (unlikely(!(tag->flags & PKT_OURS)) &&
		    !allow_match(c, f.src, f.proto, f.ports_known, f.sport))
			return pkt_drop(m, DROP_NOT_ALLOWED);
		sa = sa_select(spd, &f);
		if (unlikely(sa == NULL))
			return sa_wanted(w, m, c, DROP_NO_POLICY);
	}
	const struct nexthop *nh = sa_nexthop(w, sa);
	uint32_t len = esp_out_len(sa, m->data_len);
	if (likely(nh != NULL && nh->kind == NH_ADJACENCY)) {
		uint16_t path = __atomic_load_n(&sa->path_mtu, __ATOMIC_RELAXED);
		uint16_t mtu = path < nh->mtu ? path : nh->mtu;
		if (unlikely(len > mtu))
			return too_big(m, sa, mtu);
	}
	if (unlikely(!tier_admit(&c->out, len, w->now)))
		return pkt_drop(m, DROP_TIER_OUT);
	esp_out_prefetch(sa, m->data_len);
	pkt_obj_set(m, sa);
	return STAGE_esp_encap;
}

// Customer, policies and SA hang on each other: each step is asked for while other packets take theirs.
static void burst_prefetch(const struct plane *p, struct rte_mbuf **pkt, uint16_t n)
{
	const struct customer *c[BURST_MAX];
	const struct spd *spd[BURST_MAX];

	for (uint16_t i = 0; i < n; i++) {
		c[i] = customer_load(p, pkt_tag(pkt[i])->customer);
		if (unlikely(c[i] == NULL))
			continue;
		rte_prefetch0(c[i]);
		rte_prefetch0(&c[i]->out);
	}
	for (uint16_t i = 0; i < n; i++) {
		spd[i] =
			likely(c[i] != NULL) ? __atomic_load_n(&c[i]->spd, __ATOMIC_RELAXED) : NULL;
		rte_prefetch0(spd[i]);
	}
	for (uint16_t i = 0; i < n; i++) {
		if (unlikely(spd[i] == NULL))
			continue;
		const struct sa_out *sa = spd[i]->sa[0];
		rte_prefetch0(sa);
		rte_prefetch0(sa->outer);
		rte_prefetch0(&sa->selector);
	}
}

void stage_tier(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	chain_next(w, n);
	burst_prefetch(w->plane, pkt, n);
	for (uint16_t i = 0; i < n; i++)
		next[i] = tier_one(w, pkt[i]);
}
