// SPDX-License-Identifier: BSD-3-Clause
// The core's life, and looking at it.
#include "mirror_core_priv.h"

#include <arpa/inet.h>
#include <string.h>

struct mirror_core *mirror_core_new(const struct mirror_sink *sink, const struct mirror_link *link,
				    unsigned n_links, uint32_t n_hops)
{
	struct mirror_core *c = calloc(1, sizeof(*c));

	if (c == NULL || n_links > PORTS_MAX || n_hops < 2) {
		free(c);
		return NULL;
	}
	c->sink = *sink;
	memcpy(c->link, link, n_links * sizeof(*link));
	c->n_links = n_links;
	c->n_index = n_hops;
	c->hop_at = calloc(n_hops, sizeof(struct hop *));
	c->free_index = calloc(n_hops, sizeof(*c->free_index));
	if (table_init(&c->prefixes) != 0 || table_init(&c->hops) != 0 ||
	    table_init(&c->neighs) != 0 || c->hop_at == NULL || c->free_index == NULL) {
		mirror_core_free(c);
		return NULL;
	}
	for (uint32_t i = 1; i < n_hops; i++)
		mirror_core_index_free(c, i);
	return c;
}

static bool node_free(struct table_node *t, void *ctx)
{
	(void)ctx;
	free(t);
	return true;
}

static bool prefix_free(struct table_node *t, void *ctx)
{
	struct prefix *p = (struct prefix *)t;

	(void)ctx;
	for (struct cand *x = p->cand, *next; x != NULL; x = next) {
		next = x->next;
		free(x);
	}
	free(p);
	return true;
}

void mirror_core_free(struct mirror_core *c)
{
	if (c == NULL)
		return;
	if (c->prefixes.slot != NULL)
		table_walk(&c->prefixes, prefix_free, NULL);
	if (c->hops.slot != NULL)
		table_walk(&c->hops, node_free, NULL);
	if (c->neighs.slot != NULL)
		table_walk(&c->neighs, node_free, NULL);
	table_fini(&c->prefixes);
	table_fini(&c->hops);
	table_fini(&c->neighs);
	free(c->hop_at);
	free(c->free_index);
	free(c);
}

uint32_t mirror_core_lookup(const struct mirror_core *c, uint32_t ip)
{
	for (unsigned len = 33; len-- > 0;) {
		uint32_t dst = len == 0 ? 0 : ip & htonl(~0u << (32 - len));
		uint32_t hash = table_hash((uint64_t)len << 32 | dst);
		if (c->by_len[len] == 0)
			continue;
		for (struct table_node *t = table_chain(&c->prefixes, hash); t != NULL;
		     t = t->next) {
			const struct prefix *p = (struct prefix *)t;
			if (p->dst == dst && p->len == len && p->hop != NULL)
				return p->hop->nh.index;
		}
	}
	return 0;
}

const struct nexthop *mirror_core_hop(const struct mirror_core *c, uint32_t index)
{
	static const struct nexthop none = {.kind = NH_NONE};

	return index < c->n_index && c->hop_at[index] != NULL ? &c->hop_at[index]->nh : &none;
}

struct route_view {
	bool (*fn)(void *ctx, const struct mirror_route *r);
	void *ctx;
};

static bool route_show(struct table_node *t, void *view)
{
	const struct route_view *v = view;
	const struct prefix *p = (struct prefix *)t;

	if (p->hop == NULL)
		return true;
	const struct mirror_route r = {
		.prefix = {.addr = {.family = AF_INET, .v4.s_addr = p->dst}, .len = p->len},
		.nexthop = &p->hop->nh,
		.protocol = p->cand->protocol,
		.metric = p->cand->metric,
	};
	return v->fn(v->ctx, &r);
}

void mirror_core_routes(const struct mirror_core *c,
			bool (*fn)(void *ctx, const struct mirror_route *r), void *ctx)
{
	struct route_view v = {fn, ctx};

	table_walk(&c->prefixes, route_show, &v);
}

struct tunnel_view {
	const struct mirror_core *c;
	bool missing;
	void (*fn)(void *ctx, uint32_t dst, uint8_t len);
	void *ctx;
};

static bool tunnel_show(struct table_node *t, void *view)
{
	const struct tunnel_view *v = view;
	const struct prefix *p = (struct prefix *)t;

	for (const struct cand *x = p->cand; x != NULL; x = x->next)
		if (x->source == SRC_TUNNEL && (!v->missing || x->gen != v->c->gen))
			v->fn(v->ctx, p->dst, p->len);
	return true;
}

void mirror_core_tunnels(const struct mirror_core *c, bool missing,
			 void (*fn)(void *ctx, uint32_t dst, uint8_t len), void *ctx)
{
	struct tunnel_view v = {c, missing, fn, ctx};

	table_walk(&c->prefixes, tunnel_show, &v);
}

void mirror_core_stats(const struct mirror_core *c, struct mirror_stats *out)
{
	*out = c->stats;
	out->routes = c->prefixes.n;
	out->neighbours = c->neighs.n;
	out->nexthops = c->hops.n;
}
