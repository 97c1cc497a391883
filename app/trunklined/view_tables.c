// SPDX-License-Identifier: BSD-3-Clause
// Snapshots of customers, SAs and routes for the API.
#include "ike/ike_priv.h"
#include "media/media_priv.h"
#include "view_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

double view_tick_age(const struct control *ctl, uint32_t tick)
{
	uint32_t passed = (uint32_t)(rte_rdtsc() >> TICK_SHIFT) - tick;

	if (passed > UINT32_MAX / 2) // a tick newer than our reading of the clock
		return 0;
	return (double)passed * (double)(1u << TICK_SHIFT) / (double)ctl->plane->tsc_hz;
}

static struct ip_endpoint endpoint_of(uint32_t ip, uint16_t port)
{
	struct ip_endpoint e = {.port = ntohs(port)};

	if (ip != 0) {
		e.addr.family = AF_INET;
		e.addr.v4.s_addr = ip;
	}
	return e;
}

static void sa_common(const struct control *ctl, const struct sa_pair *pair, struct view_sa *v)
{
	const struct config_sa *s = &pair->spec;

	v->customer = ctl->customer[pair->customer].plane->name;
	v->suite = suites[s->suite].name;
	v->local = s->local;
	v->peer = s->peer;
	v->esn = s->esn;
	v->encap = s->encap;
	v->age = difftime(time(NULL), pair->since);
	v->owner = pair->in->owner;
	v->n_local = s->n_local;
	v->n_remote = s->n_remote;
	if (s->n_local > 0)
		v->local_net = s->local_nets[0];
	if (s->n_remote > 0)
		v->remote_net = s->remote_nets[0];
}

static void sa_in_fill(const struct control *ctl, const struct sa_pair *pair, struct view_sa *v)
{
	const struct sa_in *sa = pair->in;

	sa_common(ctl, pair, v);
	v->spi = sa->spi;
	v->pair = pair->out->spi;
	if (sa->peer_ip != 0)
		v->peer = endpoint_of(sa->peer_ip, sa->peer_port);
	v->window = sa->window;
	v->seq = sa->seq_top;
	v->packets = sa->packets;
	v->bytes = sa->bytes;
	v->last = view_age(ctl, sa->last_tsc);
	v->replayed = sa->replayed;
	v->forged = sa->forged;
	v->refused = sa->refused;
}

static void sa_out_fill(const struct control *ctl, const struct sa_pair *pair, struct view_sa *v)
{
	const struct sa_out *sa = pair->out;

	sa_common(ctl, pair, v);
	v->out = true;
	v->spi = sa->spi;
	v->pair = pair->in->spi;
	v->seq = sa->seq;
	v->packets = sa->packets;
	v->bytes = sa->bytes;
	v->last = view_age(ctl, sa->last_tsc);
	v->exhausted = (sa->flags & SA_EXHAUSTED) != 0;
	v->exhausted_packets = sa->exhausted;
}

// Those with static keys, then those by IKE.
size_t view_sas(struct control *ctl, const char *customer, size_t limit, struct view_sa **out,
		size_t *total)
{
	uint16_t id = customer != NULL ? customer_find(ctl, customer) : 0;
	const struct sa_pair *pair;
	const struct ike_sa *sa;
	size_t n = 0, max = 2 * (size_t)ctl->n_sas + (ctl->sad != NULL ? ctl->sad->n : 0);

	*total = 0;
	*out = NULL;
	if (max == 0 || (customer != NULL && id == 0))
		return 0;
	if (limit != 0 && limit < max)
		max = limit;
	if ((*out = calloc(max, sizeof(**out))) == NULL)
		return 0;
	TAILQ_FOREACH (pair, &ctl->sas, link) {
		if (id != 0 && pair->customer != id)
			continue;
		*total += 2;
		if (n < max)
			sa_in_fill(ctl, pair, &(*out)[n++]);
		if (n < max)
			sa_out_fill(ctl, pair, &(*out)[n++]);
	}
	for (sa = ctl->sad != NULL ? TAILQ_FIRST(&ctl->sad->all) : NULL; sa != NULL;
	     sa = TAILQ_NEXT(sa, link)) {
		if (id != 0 && sa->customer != id)
			continue;
		++*total;
		if (n < max)
			view_ike_sa(ctl, sa, &(*out)[n++]);
	}
	if (n == 0) {
		free(*out);
		*out = NULL;
	}
	return n;
}

struct routes_walk {
	struct control *ctl;
	struct view_route *out;
	size_t n, max;
};

static void route_fill(const struct control *ctl, const struct nexthop *nh, struct view_route *v)
{
	static const char *const kinds[] = {
		[NH_NONE] = "none",
		[NH_ADJACENCY] = "neighbour",
		[NH_UNRESOLVED] = "unresolved",
		[NH_TUNNEL] = "tunnel",
		[NH_LOCAL] = "local",
		[NH_BLACKHOLE] = "blackhole",
	};

	v->kind = kinds[nh->kind];
	if (nh->gateway != 0) {
		v->gateway.family = AF_INET;
		v->gateway.v4.s_addr = nh->gateway;
	}
	if (nh->kind == NH_ADJACENCY || nh->kind == NH_UNRESOLVED) {
		v->port = ctl->plane->port[nh->port].name;
		v->mtu = nh->mtu;
	}
	if (nh->kind == NH_ADJACENCY) {
		v->has_mac = true;
		memcpy(v->mac, nh->l2, sizeof(v->mac));
	}
	if (nh->kind == NH_TUNNEL && ctl->customer[nh->customer].plane != NULL)
		v->customer = ctl->customer[nh->customer].plane->name;
}

static bool on_route(void *arg, const struct mirror_route *r)
{
	struct routes_walk *walk = arg;

	if (walk->n == walk->max)
		return false;
	struct view_route *v = &walk->out[walk->n++];
	v->prefix = r->prefix;
	route_fill(walk->ctl, r->nexthop, v);
	return true;
}

static bool on_neigh(void *arg, const struct mirror_neigh *n)
{
	struct routes_walk *walk = arg;

	if (walk->n == walk->max)
		return false;
	const struct nexthop *nh = mirror_lookup(walk->ctl->mirror, n->addr.v4.s_addr);
	if (nh->kind != NH_ADJACENCY)
		return true;
	struct view_route *v = &walk->out[walk->n++];
	v->prefix = (struct ip_prefix){.addr = n->addr, .len = 32};
	route_fill(walk->ctl, nh, v);
	return true;
}

static int route_compare(const void *a, const void *b)
{
	const struct view_route *ra = a, *rb = b;
	uint32_t x = ntohl(ra->prefix.addr.v4.s_addr), y = ntohl(rb->prefix.addr.v4.s_addr);

	return x != y ? (x < y ? -1 : 1) : (int)ra->prefix.len - (int)rb->prefix.len;
}

size_t view_routes(struct control *ctl, const struct ip_addr *covering, size_t limit,
		   struct view_route **out, size_t *total)
{
	struct mirror_stats ms;

	if (covering != NULL) {
		*total = 0;
		if ((*out = calloc(1, sizeof(**out))) == NULL)
			return 0;
		*total = 1;
		(*out)->prefix = (struct ip_prefix){.addr = *covering, .len = 32};
		route_fill(ctl, mirror_lookup(ctl->mirror, covering->v4.s_addr), *out);
		return 1;
	}
	mirror_stats(ctl->mirror, &ms);
	struct routes_walk walk = {.ctl = ctl, .max = ms.routes + ms.neighbours};
	*out = walk.out = calloc(walk.max > 0 ? walk.max : 1, sizeof(**out));
	if (*out == NULL)
		return 0;
	mirror_routes(ctl->mirror, on_route, &walk);
	mirror_neighs(ctl->mirror, on_neigh, &walk);
	qsort(walk.out, walk.n, sizeof(*walk.out), route_compare);
	*total = walk.n;
	return limit != 0 && limit < walk.n ? limit : walk.n;
}

static void tier_fill(const struct control *ctl, const struct tier_bucket *b,
		      const struct flow_count *before, const struct flow_count *now,
		      struct view_tier *v)
{
	v->rate = view_rate_of(ctl, now->packets - before->packets, now->bytes - before->bytes);
	v->packets = b->packets;
	v->bytes = b->bytes;
	v->over_packets = b->over_packets;
	v->over_bytes = b->over_bytes;
	v->over_pps = (double)(now->over - before->over) / view_seconds(ctl);
}

static void customer_fill(struct control *ctl, unsigned id, unsigned calls, struct view_customer *v)
{
	const struct customer_state *cs = &ctl->customer[id];
	const struct sa_pair *pair;
	uint64_t last = 0;

	v->name = cs->plane->name;
	v->tier = cs->config->rate;
	v->worker = cs->plane->owner;
	v->gateway = cs->config->gateway;
	v->domains = cs->config->n_domain;
	v->calls = calls;
	TAILQ_FOREACH (pair, &cs->sas, of_customer) {
		v->sas++;
		last = pair->in->last_tsc > last ? pair->in->last_tsc : last;
	}
	const struct ike_sa_list *list = ike_sas_of(ctl, (uint16_t)id);
	const struct ike_sa *sa = list != NULL ? TAILQ_FIRST(list) : NULL;
	for (; sa != NULL; sa = TAILQ_NEXT(sa, of_customer))
		if (sa->inbound && sa->in->last_tsc > last)
			last = sa->in->last_tsc;
	v->sas += cs->n_ike;
	v->last = view_age(ctl, last);
	tier_fill(ctl, &cs->plane->in, &ctl->before.customer_in[id], &ctl->now.customer_in[id],
		  &v->in);
	tier_fill(ctl, &cs->plane->out, &ctl->before.customer_out[id], &ctl->now.customer_out[id],
		  &v->out);
}

size_t view_customers(struct control *ctl, struct view_customer **out)
{
	unsigned calls[CUSTOMERS_MAX] = {0};
	const struct media *m;
	size_t n = 0;

	if ((*out = calloc(CUSTOMERS_MAX, sizeof(**out))) == NULL)
		return 0;
	TAILQ_FOREACH (m, &ctl->media->all, link) {
		uint16_t a = m->spec.side[0].customer, b = m->spec.side[1].customer;
		calls[a]++;
		calls[b] += a != b;
	}
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++)
		if (ctl->customer[i].plane != NULL)
			customer_fill(ctl, i, calls[i], &(*out)[n++]);
	return n;
}

int control_customer_index(struct control *ctl, const char *name)
{
	uint16_t id = customer_find(ctl, name);

	return id != 0 ? id : -ENOENT;
}
