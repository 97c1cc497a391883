// SPDX-License-Identifier: BSD-3-Clause
// Prefixes: who wants them where, and which of them wins.
#include "mirror_core.h"

#include "base/log.h"
#include "mirror_core_priv.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <string.h>

static uint32_t mask_of(uint8_t len)
{
	return len == 0 ? 0 : htonl(~0u << (32 - len));
}

static uint32_t prefix_hash(uint32_t dst, uint8_t len)
{
	return table_hash((uint64_t)len << 32 | dst);
}

static struct prefix *prefix_find(const struct mirror_core *c, uint32_t dst, uint8_t len)
{
	uint32_t hash = prefix_hash(dst, len);

	for (struct table_node *t = table_chain(&c->prefixes, hash); t != NULL; t = t->next) {
		struct prefix *p = (struct prefix *)t;
		if (p->dst == dst && p->len == len)
			return p;
	}
	return NULL;
}

static struct prefix *prefix_get(struct mirror_core *c, uint32_t dst, uint8_t len)
{
	struct prefix *p = prefix_find(c, dst, len);

	if (p != NULL)
		return p;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->dst = dst;
	p->len = len;
	c->by_len[len]++;
	table_add(&c->prefixes, &p->node, prefix_hash(dst, len));
	return p;
}

// Tells the sink if another candidate leads now, and forgets a prefix that nobody wants.
static int prefix_settle(struct mirror_core *c, struct prefix *p)
{
	struct hop *old = p->hop;
	int rc = 0;

	if (p->cand == NULL) {
		if (old != NULL)
			c->sink.route_del(c->sink.ctx, p->dst, p->len);
		p->hop = NULL;
	} else if (old == NULL || !hop_key_equal(&old->key, &p->cand->to)) {
		struct hop *h = hop_get(c, &p->cand->to);
		rc = h == NULL ? -ENOSPC
			       : c->sink.route_set(c->sink.ctx, p->dst, p->len, h->nh.index);
		if (rc != 0) { // the old way would be a wrong one
			c->stats.table_full++;
			hop_put(c, h);
			if (old != NULL)
				c->sink.route_del(c->sink.ctx, p->dst, p->len);
			h = NULL;
		}
		p->hop = h;
	} else {
		return 0;
	}
	c->changed = true;
	hop_put(c, old);
	if (p->cand == NULL) {
		c->by_len[p->len]--;
		table_remove(&c->prefixes, &p->node);
		free(p);
	}
	return rc;
}

// ---- candidates ----

static struct cand **cand_at(struct prefix *p, enum source source, uint32_t metric)
{
	struct cand **at = &p->cand;

	while (*at != NULL &&
	       ((*at)->source < source || ((*at)->source == source && (*at)->metric < metric)))
		at = &(*at)->next;
	return at;
}

static bool cand_is(const struct cand *x, enum source source, uint32_t metric)
{
	return x != NULL && x->source == source && x->metric == metric;
}

static struct cand *cand_find(const struct mirror_core *c, uint32_t dst, uint8_t len,
			      enum source source, uint32_t metric)
{
	struct prefix *p = prefix_find(c, dst, len);
	struct cand *x = p != NULL ? *cand_at(p, source, metric) : NULL;

	return cand_is(x, source, metric) ? x : NULL;
}

static void moved(struct mirror_core *c, enum source source)
{
	if (source != SRC_NEIGH)
		c->routes_moved = true;
}

static void local_tell(struct mirror_core *c, const struct prefix *p, const struct cand *x,
		       bool present)
{
	if (x->to.kind == NH_LOCAL && p->len == 32)
		c->sink.local(c->sink.ctx, p->dst, x->to.port, present);
}

// Puts a candidate in, or in the place of one with the same source and metric.
static int cand_put(struct mirror_core *c, uint32_t dst, uint8_t len, const struct cand *want)
{
	struct prefix *p = prefix_get(c, dst, len);

	if (p == NULL)
		return -ENOMEM;
	struct cand **at = cand_at(p, want->source, want->metric);
	struct cand *x = *at;
	if (!cand_is(x, want->source, want->metric)) {
		x = calloc(1, sizeof(*x));
		if (x == NULL) {
			prefix_settle(c, p);
			return -ENOMEM;
		}
		struct cand *next = *at;
		*x = *want;
		x->next = next;
		*at = x;
		moved(c, want->source);
		local_tell(c, p, x, true);
	} else {
		struct cand *next = x->next;
		if (!hop_key_equal(&x->to, &want->to)) {
			local_tell(c, p, x, false);
			moved(c, want->source);
			c->stats.updates++;
			x->to = want->to;
			local_tell(c, p, x, true);
		}
		*x = *want;
		x->next = next;
	}
	return prefix_settle(c, p);
}

static bool cand_drop(struct mirror_core *c, uint32_t dst, uint8_t len, enum source source,
		      uint32_t metric)
{
	struct prefix *p = prefix_find(c, dst, len);

	if (p == NULL)
		return false;
	struct cand **at = cand_at(p, source, metric), *x = *at;
	if (!cand_is(x, source, metric))
		return false;
	*at = x->next;
	local_tell(c, p, x, false);
	moved(c, source);
	c->stats.updates++;
	free(x);
	prefix_settle(c, p);
	return true;
}

// ---- neighbours as host routes ----

// What the routes, neighbours left aside, say of an address.
static const struct cand *cover_find(const struct mirror_core *c, uint32_t ip)
{
	for (int len = 32; len >= 0; len--) {
		if (c->by_len[len] == 0)
			continue;
		const struct prefix *p = prefix_find(c, ip & mask_of((uint8_t)len), (uint8_t)len);
		const struct cand *x = p != NULL ? p->cand : NULL;
		while (x != NULL && x->source == SRC_NEIGH)
			x = x->next;
		if (x != NULL)
			return x;
	}
	return NULL;
}

// A neighbour gets a host route if the kernel's routes lead to it on the very link that it is on.
void neigh_apply(struct mirror_core *c, const struct neigh *n)
{
	const struct cand *cover = n->valid ? cover_find(c, n->ip) : NULL;

	if (cover != NULL && cover->to.kind == NH_UNRESOLVED && cover->to.gateway == 0 &&
	    cover->to.port == n->port) {
		struct cand want = {.source = SRC_NEIGH, .protocol = RTPROT_KERNEL};
		want.to = cover->to;
		want.to.gateway = n->ip;
		if (cand_put(c, n->ip, 32, &want) != 0)
			log_debug("mirror: no room for a neighbour");
		return;
	}
	const struct cand *have = cand_find(c, n->ip, 32, SRC_NEIGH, 0);
	if (have != NULL && have->to.port == n->port)
		cand_drop(c, n->ip, 32, SRC_NEIGH, 0);
}

static bool neigh_again(struct table_node *t, void *core)
{
	neigh_apply(core, (struct neigh *)t);
	return true;
}

bool mirror_core_commit(struct mirror_core *c)
{
	if (c->routes_moved) {
		c->routes_moved = false;
		table_walk(&c->neighs, neigh_again, c);
	}
	bool changed = c->changed;
	c->changed = false;
	return changed;
}

// ---- the kernel's routes ----

static const struct nl_hop *hop_ours(struct mirror_core *c, const struct nl_route *r, int *port)
{
	const struct nl_hop *first = NULL;

	for (unsigned i = 0; i < r->n_hops; i++) {
		int p = link_find(c, r->hop[i].ifindex);
		if (p < 0)
			continue;
		if (first != NULL && !c->said_multipath) {
			c->said_multipath = true;
			log_notice("mirror: of a route with several next hops the first is used");
		}
		if (first == NULL) {
			first = &r->hop[i];
			*port = p;
		}
	}
	return first;
}

// What a kernel route means to us. False: nothing.
static bool route_means(struct mirror_core *c, const struct nl_route *r, struct hop_key *to)
{
	int port = -1;
	const struct nl_hop *hop = hop_ours(c, r, &port);

	memset(to, 0, sizeof(*to));
	if (port >= 0)
		to->port = (uint8_t)port;
	switch (r->type) {
	case RTN_LOCAL:
		to->kind = NH_LOCAL;
		return hop != NULL && r->table == RT_TABLE_LOCAL;
	case RTN_BROADCAST:
		to->kind = NH_BLACKHOLE;
		to->port = 0;
		return hop != NULL;
	case RTN_UNICAST:
		if (hop == NULL || r->table != RT_TABLE_MAIN)
			return false;
		to->kind = NH_UNRESOLVED;
		to->gateway = hop->gateway;
		to->mtu = r->mtu;
		return true;
	case RTN_BLACKHOLE:
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
		to->kind = NH_BLACKHOLE;
		to->port = 0;
		return r->table == RT_TABLE_MAIN;
	default:
		return false;
	}
}

static bool route_concerns(struct mirror_core *c, const struct nl_route *r)
{
	if (r->table != RT_TABLE_MAIN && r->table != RT_TABLE_LOCAL)
		return false;
	if (r->tos == 0)
		return true;
	if (!c->said_tos) {
		c->said_tos = true;
		log_notice("mirror: routes with a TOS are not followed");
	}
	return false;
}

// Whether the kernel has another route with the same prefix and metric, which what we have or take
// may be confused with. A dump names them one after the other.
static bool route_twice(const struct mirror_core *c, const struct nl_route *r,
			const struct cand *have)
{
	const struct foreign *f = &c->foreign;

	if (!c->syncing)
		return r->beside || (have != NULL && have->twice);
	return (have != NULL && have->gen == c->gen) ||
	       (f->gen == c->gen && f->dst == r->dst && f->len == r->len && f->metric == r->metric);
}

// Leaves a route aside that is behind the one that we have, or can't be told to be before it.
static bool route_behind(struct mirror_core *c, const struct nl_route *r, struct cand *have,
			 const struct hop_key *to) // NULL: not ours
{
	bool same = to != NULL && hop_key_equal(&have->to, to);

	// In a complete read, what was there before it has no rank: the first named is the best.
	if (c->syncing && have->gen != c->gen)
		return to == NULL;
	if (r->replace) { // the first, which may be none that we have
		c->wants_sync = c->wants_sync || have->twice;
		return have->twice && to == NULL;
	}
	if (same && !c->syncing)
		return false;
	have->twice = true; // appended behind the one that we have, or put before it
	c->wants_sync = c->wants_sync || !c->syncing;
	return true;
}

static void route_add(struct mirror_core *c, const struct nl_route *r, enum source source)
{
	struct cand want = {
		.source = source, .metric = r->metric, .gen = c->gen, .protocol = r->protocol};
	struct cand *have = cand_find(c, r->dst, r->len, source, r->metric);
	bool ours = route_means(c, r, &want.to);

	want.twice = route_twice(c, r, have);
	if (c->syncing && !ours)
		c->foreign = (struct foreign){r->dst, r->metric, c->gen, r->len};
	if (have != NULL && route_behind(c, r, have, ours ? &want.to : NULL))
		return;
	if (ours) {
		if (have == NULL)
			c->stats.updates++;
		if (cand_put(c, r->dst, r->len, &want) != 0 && !c->said_full) {
			c->said_full = true;
			log_warn("mirror: the routing table is full; the data path does without "
				 "the routes that found no room");
		}
	} else if (have != NULL) {
		cand_drop(c, r->dst, r->len, source, r->metric);
	}
}

static void route_remove(struct mirror_core *c, const struct nl_route *r, enum source source)
{
	const struct cand *have = cand_find(c, r->dst, r->len, source, r->metric);
	struct hop_key to;

	if (have == NULL)
		return;
	// Which of several went, or what is left if it is not the one we have, a complete read tells.
	if (have->twice || !route_means(c, r, &to) || !hop_key_equal(&have->to, &to))
		c->wants_sync = true;
	else
		cand_drop(c, r->dst, r->len, source, r->metric);
}

// A complete read finds a tunnel's route in the kernel.
static void tunnel_hear(struct mirror_core *c, const struct nl_route *r)
{
	struct cand *have = cand_find(c, r->dst, r->len, SRC_TUNNEL, 0);

	if (have != NULL && c->syncing && r->table == RT_TABLE_MAIN && r->metric == NL_ROUTE_METRIC)
		have->gen = c->gen;
}

void mirror_core_route(struct mirror_core *c, const struct nl_route *r, bool del)
{
	enum source source = r->table == RT_TABLE_LOCAL ? SRC_LOCAL : SRC_MAIN;

	if (r->protocol == MIRROR_RTPROT) { // our own, mirrored into the kernel
		tunnel_hear(c, r);
		return;
	}
	if (r->len > 32 || !route_concerns(c, r))
		return;
	if (del)
		route_remove(c, r, source);
	else
		route_add(c, r, source);
}

// ---- complete reads ----

void mirror_core_sync_begin(struct mirror_core *c)
{
	c->gen++;
	c->syncing = true;
	c->wants_sync = false;
}

static bool route_sweep(struct table_node *t, void *core)
{
	struct mirror_core *c = core;
	struct prefix *p = (struct prefix *)t;
	const struct cand *x = p->cand;

	while (x != NULL) {
		bool kernels = x->source == SRC_LOCAL || x->source == SRC_MAIN;
		if (!kernels || x->gen == c->gen) {
			x = x->next;
			continue;
		}
		const struct cand *next = x->next;
		bool last = p->cand == x && next == NULL; // p goes with it
		cand_drop(c, p->dst, p->len, x->source, x->metric);
		if (last)
			break;
		x = next;
	}
	return true;
}

void mirror_core_sync_end(struct mirror_core *c)
{
	table_walk(&c->prefixes, route_sweep, c);
	neighs_sweep(c);
	c->syncing = false;
}

bool mirror_core_wants_sync(struct mirror_core *c)
{
	bool wants = c->wants_sync;

	c->wants_sync = false;
	return wants;
}

// ---- tunnels ----

int mirror_core_tunnel_add(struct mirror_core *c, uint32_t dst, uint8_t len, uint16_t customer)
{
	struct cand want = {.source = SRC_TUNNEL, .protocol = MIRROR_RTPROT};

	want.to = (struct hop_key){.kind = NH_TUNNEL, .customer = customer};
	int rc = cand_put(c, dst, len, &want);
	if (rc != 0)
		cand_drop(c, dst, len, SRC_TUNNEL, 0);
	return rc;
}

int mirror_core_tunnel_del(struct mirror_core *c, uint32_t dst, uint8_t len)
{
	return cand_drop(c, dst, len, SRC_TUNNEL, 0) ? 0 : -ENOENT;
}
