// SPDX-License-Identifier: BSD-3-Clause
// Nexthops and the neighbours that make adjacencies of them.
#include "mirror_core_priv.h"
#include "tap.h"

#include <linux/neighbour.h>
#include <string.h>

#define NUD_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

int link_find(const struct mirror_core *c, int ifindex)
{
	for (unsigned i = 0; i < c->n_links; i++)
		if (c->link[i].ifindex == ifindex)
			return (int)i;
	return -1;
}

bool hop_key_equal(const struct hop_key *a, const struct hop_key *b)
{
	return a->kind == b->kind && a->port == b->port && a->customer == b->customer &&
	       a->mtu == b->mtu && a->gateway == b->gateway;
}

static uint32_t place_hash(unsigned port, uint32_t ip)
{
	return table_hash((uint64_t)port << 32 | ip);
}

struct neigh *neigh_find(const struct mirror_core *c, unsigned port, uint32_t ip)
{
	uint32_t hash = place_hash(port, ip);

	for (struct table_node *t = table_chain(&c->neighs, hash); t != NULL; t = t->next) {
		struct neigh *n = (struct neigh *)t;
		if (n->ip == ip && n->port == port)
			return n;
	}
	return NULL;
}

// ---- nexthops ----

static void l2_write(const struct mirror_link *link, const struct rte_ether_addr *dst,
		     struct nexthop *nh)
{
	uint8_t *at = nh->l2 + 12;

	memcpy(nh->l2, dst, 6);
	memcpy(nh->l2 + 6, &link->mac, 6);
	if (link->vlan != 0) {
		*at++ = 0x81;
		*at++ = 0x00;
		*at++ = (uint8_t)(link->vlan >> 8);
		*at++ = (uint8_t)link->vlan;
	}
	*at++ = 0x08;
	*at++ = 0x00;
	nh->l2_len = (uint8_t)(at - nh->l2);
}

static struct nexthop hop_render(const struct mirror_core *c, const struct hop *h)
{
	const struct hop_key *k = &h->key;
	struct nexthop nh = {
		.kind = k->kind,
		.port = k->port,
		.customer = k->customer,
		.mtu = UINT16_MAX,
		.gateway = k->gateway,
		.index = h->nh.index,
	};

	if (k->kind != NH_UNRESOLVED)
		return nh;
	const struct mirror_link *link = &c->link[k->port];
	nh.mtu = k->mtu != 0 && k->mtu < link->mtu ? (uint16_t)k->mtu : link->mtu;
	const struct neigh *n = k->gateway != 0 ? neigh_find(c, k->port, k->gateway) : NULL;
	if (n != NULL && n->valid) {
		nh.kind = NH_ADJACENCY;
		l2_write(link, &n->mac, &nh);
	}
	return nh;
}

static bool hop_waits(const struct hop *h)
{
	return h->nh.kind == NH_UNRESOLVED && h->nh.gateway != 0;
}

struct hop *hop_get(struct mirror_core *c, const struct hop_key *key)
{
	uint32_t hash = place_hash(key->port, key->gateway);

	for (struct table_node *t = table_chain(&c->hops, hash); t != NULL; t = t->next) {
		struct hop *h = (struct hop *)t;
		if (hop_key_equal(&h->key, key)) {
			h->refs++;
			return h;
		}
	}
	struct hop *h = calloc(1, sizeof(*h));
	if (h == NULL || c->free_head == c->free_tail) {
		free(h);
		return NULL;
	}
	h->key = *key;
	h->refs = 1;
	h->nh.index = c->free_index[c->free_head % c->n_index];
	h->nh = hop_render(c, h);
	if (c->sink.hop_set(c->sink.ctx, &h->nh) != 0) {
		free(h);
		return NULL;
	}
	c->free_head++;
	c->hop_at[h->nh.index] = h;
	c->changed = true;
	table_add(&c->hops, &h->node, hash);
	if (hop_waits(h))
		c->sink.resolve(c->sink.ctx, h->key.port, h->key.gateway);
	return h;
}

void hop_put(struct mirror_core *c, struct hop *h)
{
	if (h == NULL || --h->refs > 0)
		return;
	table_remove(&c->hops, &h->node);
	c->hop_at[h->nh.index] = NULL;
	c->changed = true;
	c->sink.hop_del(c->sink.ctx, h->nh.index);
	free(h);
}

void mirror_core_index_free(struct mirror_core *c, uint32_t index)
{
	c->free_index[c->free_tail++ % c->n_index] = index;
}

// A neighbour moved: everything that goes by it takes its new form.
static void hops_rewrite(struct mirror_core *c, unsigned port, uint32_t gateway)
{
	struct table_node *t = table_chain(&c->hops, place_hash(port, gateway));

	for (; t != NULL; t = t->next) {
		struct hop *h = (struct hop *)t;
		if (h->key.kind != NH_UNRESOLVED || h->key.port != port ||
		    h->key.gateway != gateway)
			continue;
		struct nexthop now = hop_render(c, h);
		if (memcmp(&now, &h->nh, sizeof(now)) == 0)
			continue;
		if (c->sink.hop_set(c->sink.ctx, &now) != 0) {
			c->wants_sync = true; // no memory: the old form stays for now
			continue;
		}
		h->nh = now;
		c->changed = true;
		if (hop_waits(h))
			c->sink.resolve(c->sink.ctx, port, gateway);
	}
}

// ---- neighbours ----

static bool mac_usable(const struct rte_ether_addr *mac)
{
	static const struct rte_ether_addr tunnels = {TAP_TUNNEL_MAC};

	return rte_is_unicast_ether_addr(mac) && !rte_is_zero_ether_addr(mac) &&
	       !rte_is_same_ether_addr(mac, &tunnels);
}

static void neigh_update(struct mirror_core *c, struct neigh *n, const struct nl_neigh *from)
{
	bool valid = from->has_mac && (from->state & NUD_USABLE) && mac_usable(&from->mac);
	bool same = valid == n->valid && (!valid || rte_is_same_ether_addr(&n->mac, &from->mac));

	n->state = from->state;
	n->gen = c->gen;
	if (same)
		return;
	n->valid = valid;
	n->mac = from->mac;
	c->stats.updates++;
	hops_rewrite(c, n->port, n->ip);
	neigh_apply(c, n);
}

static void neigh_remove(struct mirror_core *c, struct neigh *n)
{
	struct nl_neigh gone = {.state = NUD_NONE};

	neigh_update(c, n, &gone);
	table_remove(&c->neighs, &n->node);
	free(n);
}

void mirror_core_neigh(struct mirror_core *c, const struct nl_neigh *from, bool del)
{
	int port = link_find(c, from->ifindex);

	if (port < 0 || from->ip == 0)
		return;
	struct neigh *n = neigh_find(c, (unsigned)port, from->ip);
	if (del) {
		if (n != NULL)
			neigh_remove(c, n);
		return;
	}
	if (n == NULL) {
		n = calloc(1, sizeof(*n));
		if (n == NULL) {
			c->wants_sync = true;
			return;
		}
		n->port = (uint8_t)port;
		n->ip = from->ip;
		table_add(&c->neighs, &n->node, place_hash(n->port, n->ip));
	}
	neigh_update(c, n, from);
}

static bool neigh_sweep(struct table_node *t, void *core)
{
	struct mirror_core *c = core;
	struct neigh *n = (struct neigh *)t;

	if (n->gen != c->gen)
		neigh_remove(c, n);
	return true;
}

void neighs_sweep(struct mirror_core *c)
{
	table_walk(&c->neighs, neigh_sweep, c);
}

static bool neigh_refresh(struct table_node *t, void *core)
{
	struct mirror_core *c = core;
	const struct neigh *n = (struct neigh *)t;

	if (n->valid && (n->state & NUD_STALE))
		c->sink.resolve(c->sink.ctx, n->port, n->ip);
	return true;
}

static bool hop_refresh(struct table_node *t, void *core)
{
	struct mirror_core *c = core;
	const struct hop *h = (struct hop *)t;

	if (hop_waits(h))
		c->sink.resolve(c->sink.ctx, h->key.port, h->key.gateway);
	return true;
}

void mirror_core_refresh(struct mirror_core *c, bool stale)
{
	table_walk(&c->hops, hop_refresh, c);
	if (stale)
		table_walk(&c->neighs, neigh_refresh, c);
}

struct neigh_view {
	bool (*fn)(void *ctx, const struct mirror_neigh *n);
	void *ctx;
};

static bool neigh_show(struct table_node *t, void *view)
{
	const struct neigh_view *v = view;
	const struct neigh *n = (struct neigh *)t;
	const struct mirror_neigh out = {
		.addr = {.family = AF_INET, .v4.s_addr = n->ip},
		.port = n->port,
		.state = n->state,
		.mac = n->mac,
	};

	return v->fn(v->ctx, &out);
}

void mirror_core_neighs(const struct mirror_core *c,
			bool (*fn)(void *ctx, const struct mirror_neigh *n), void *ctx)
{
	struct neigh_view v = {fn, ctx};

	table_walk(&c->neighs, neigh_show, &v);
}
