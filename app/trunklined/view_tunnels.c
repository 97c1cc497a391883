// SPDX-License-Identifier: BSD-3-Clause
// Snapshots of customers' tunnels: what IKE says of them, the SAs that packets use, rates.
#include "ike/ike.h"
#include "media/media_priv.h"
#include "view_priv.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

static double until(time_t t)
{
	return t != 0 ? difftime(t, time(NULL)) : -1;
}

static void in_fill(const struct control *ctl, const struct sa_in *sa, struct view_tunnel_sa *v)
{
	v->spi = sa->spi;
	v->suite = suites[sa->suite].name;
	v->packets = sa->packets;
	v->bytes = sa->bytes;
	v->last = view_age(ctl, sa->last_tsc);
	v->replayed = sa->replayed;
	v->forged = sa->forged;
	v->refused = sa->refused;
	v->seq = sa->seq_top;
	v->esn = (sa->flags & SA_ESN) != 0;
	v->rekey = -1;
}

static void out_fill(const struct control *ctl, const struct sa_out *sa, struct view_tunnel_sa *v)
{
	v->spi = sa->spi;
	v->suite = suites[sa->suite].name;
	v->packets = sa->packets;
	v->bytes = sa->bytes;
	v->last = view_age(ctl, sa->last_tsc);
	v->seq = sa->seq;
	v->esn = (sa->flags & SA_ESN) != 0;
	v->rekey = -1;
}

static void static_fill(const struct control *ctl, const struct customer_state *cs,
			struct view_tunnel *v)
{
	const struct sa_pair *pair;

	TAILQ_FOREACH (pair, &cs->sas, of_customer) {
		v->sas_in++;
		v->sas_out++;
		if (v->out.spi != 0)
			continue; // the first one goes first
		in_fill(ctl, pair->in, &v->in);
		out_fill(ctl, pair->out, &v->out);
		v->in.age = v->out.age = difftime(time(NULL), pair->since);
		v->local = pair->spec.local;
		v->peer = pair->spec.peer;
		if (pair->in->peer_ip != 0) {
			v->peer.addr.v4.s_addr = pair->in->peer_ip;
			v->peer.port = ntohs(pair->in->peer_port);
		}
	}
}

// Of the inbound SAs the newest, which is the outbound one's other half; of outbound ones that which is used.
static void ike_sas_fill(const struct control *ctl, uint16_t id, struct view_tunnel *v)
{
	const struct customer_state *cs = &ctl->customer[id];
	const struct ike_sa_list *list = ike_sas_of(ctl, id);
	const struct sa_out *used = cs->n_ike > 0 ? cs->ike[0] : NULL;
	const struct ike_sa *sa;

	if (list == NULL)
		return;
	TAILQ_FOREACH (sa, list, of_customer) {
		struct view_tunnel_sa *s = sa->inbound ? &v->in : &v->out;
		v->sas_in += sa->inbound && !sa->stopped;
		v->sas_out += !sa->inbound && !sa->stopped;
		if (sa->stopped || (sa->inbound ? false : sa->out != used))
			continue;
		if (sa->inbound)
			in_fill(ctl, sa->in, s);
		else
			out_fill(ctl, sa->out, s);
		s->age = difftime(time(NULL), sa->since);
		s->rekey = until(sa->soft);
		v->local = sa->inbound ? sa->dst : sa->src;
		v->peer = sa->inbound ? sa->src : sa->dst;
	}
}

static void ike_fill(const struct control *ctl, uint16_t id, struct view_tunnel *v)
{
	static const char *const states[] = {
		[IKE_DOWN] = "down",         [IKE_CONNECTING] = "connecting",
		[IKE_ESTABLISHED] = "up",    [IKE_REKEYING] = "rekeying",
		[IKE_DELETING] = "deleting",
	};
	const struct config_customer *cc = ctl->customer[id].config;
	const struct ike_status *st = ike_status_of(ctl->vici, id);

	v->initiates = cc->ike->initiate;
	v->local.addr = cc->ike->local;
	v->peer.addr = cc->gateway;
	if (st == NULL)
		return;
	v->changed = difftime(time(NULL), st->changed);
	v->why = st->why;
	v->state = states[st->state];
	if (st->state == IKE_DOWN)
		return;
	v->version = st->version;
	v->suite = st->suite;
	v->peer_id = st->peer_id;
	v->age = st->since != 0 ? difftime(time(NULL), st->since) : -1;
	v->rekey = until(st->rekey);
	v->local = st->local;
	v->peer = st->peer;
}

static bool has_tunnel(const struct customer_state *cs)
{
	return cs->plane != NULL && (cs->config->ike != NULL || !TAILQ_EMPTY(&cs->sas));
}

static void tunnel_fill(struct control *ctl, uint16_t id, struct view_tunnel *v)
{
	const struct customer_state *cs = &ctl->customer[id];
	const struct flow_count *in[] = {&ctl->before.customer_in[id], &ctl->now.customer_in[id]};
	const struct flow_count *out[] = {&ctl->before.customer_out[id],
					  &ctl->now.customer_out[id]};

	memset(v, 0, sizeof(*v));
	v->customer = cs->plane->name;
	v->why = v->suite = v->peer_id = "";
	v->age = v->rekey = -1;
	v->ike = cs->config->ike != NULL;
	v->tier = cs->config->rate;
	if (v->ike)
		ike_fill(ctl, id, v);
	if (v->ike)
		ike_sas_fill(ctl, id, v);
	if (v->out.spi == 0)
		static_fill(ctl, cs, v);
	v->up = v->in.spi != 0 && v->out.spi != 0;
	if (v->up)
		v->why = "";
	v->rate_in =
		view_rate_of(ctl, in[1]->packets - in[0]->packets, in[1]->bytes - in[0]->bytes);
	v->rate_out =
		view_rate_of(ctl, out[1]->packets - out[0]->packets, out[1]->bytes - out[0]->bytes);
}

static void calls_count(const struct control *ctl, unsigned *calls)
{
	const struct media *m;

	TAILQ_FOREACH (m, &ctl->media->all, link) {
		uint16_t a = m->spec.side[0].customer, b = m->spec.side[1].customer;
		calls[a]++;
		calls[b] += a != b;
	}
}

size_t view_tunnels(struct control *ctl, const char *customer, size_t limit,
		    struct view_tunnel **out, size_t *total)
{
	uint16_t only = customer != NULL ? customer_find(ctl, customer) : 0;
	unsigned calls[CUSTOMERS_MAX] = {0};
	size_t n = 0, max = limit != 0 && limit < CUSTOMERS_MAX ? limit : CUSTOMERS_MAX;

	*total = 0;
	*out = NULL;
	if ((customer != NULL && only == 0) || (*out = calloc(max, sizeof(**out))) == NULL)
		return 0;
	calls_count(ctl, calls);
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++) {
		if (!has_tunnel(&ctl->customer[i]) || (only != 0 && i != only))
			continue;
		++*total;
		if (n == max)
			continue;
		tunnel_fill(ctl, (uint16_t)i, &(*out)[n]);
		(*out)[n++].calls = calls[i];
	}
	if (n == 0) {
		free(*out);
		*out = NULL;
	}
	return n;
}

void view_status_tunnels(struct control *ctl, struct view_status *s)
{
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++) {
		struct view_tunnel v;
		s->customers += ctl->customer[i].plane != NULL;
		if (!has_tunnel(&ctl->customer[i]))
			continue;
		tunnel_fill(ctl, (uint16_t)i, &v);
		s->tunnels++;
		s->tunnels_up += v.up;
		s->customers_up += v.sas_out > 0;
		if (v.ike && v.sas_in + v.sas_out > 0) {
			s->sas_in += v.sas_in;
			s->sas_out += v.sas_out;
		}
		if (!v.up && (s->worst == NULL || v.changed < s->worst_for)) {
			s->worst = v.customer;
			s->worst_why = v.why;
			s->worst_for = v.changed;
		}
	}
}

// ---- SAs by IKE, beside those with static keys ----

// A range that is a network, as one; family 0 otherwise.
static struct ip_prefix prefix_of(uint32_t lo, uint32_t hi)
{
	struct ip_prefix p = {.addr = {.family = AF_INET, .v4.s_addr = htonl(lo)}};
	uint32_t host = hi - lo;

	if ((host & (host + 1)) != 0 || (lo & host) != 0)
		return (struct ip_prefix){0};
	p.len = (uint8_t)(host == UINT32_MAX ? 0 : 32 - __builtin_popcount(host));
	return p;
}

// Selectors are every local network with every remote one, in their order.
static void nets_fill(struct view_sa *v, const struct selector *first, const struct selector *more,
		      unsigned n)
{
	uint32_t remote = v->out ? first->dst_lo : first->src_lo;
	unsigned n_local = 1;

	for (unsigned i = 1; i < n; i++)
		n_local += (v->out ? more[i - 1].dst_lo : more[i - 1].src_lo) == remote;
	v->n_local = n_local;
	v->n_remote = n / n_local;
	v->local_net = v->out ? prefix_of(first->src_lo, first->src_hi)
			      : prefix_of(first->dst_lo, first->dst_hi);
	v->remote_net = v->out ? prefix_of(first->dst_lo, first->dst_hi)
			       : prefix_of(first->src_lo, first->src_hi);
}

void view_ike_sa(const struct control *ctl, const struct ike_sa *sa, struct view_sa *v)
{
	struct view_tunnel_sa s = {0};

	if (sa->inbound)
		in_fill(ctl, sa->in, &s);
	else
		out_fill(ctl, sa->out, &s);
	*v = (struct view_sa){
		.out = !sa->inbound,
		.spi = sa->spi,
		.customer = ctl->customer[sa->customer].plane->name,
		.suite = s.suite,
		.local = sa->inbound ? sa->dst : sa->src,
		.peer = sa->inbound ? sa->src : sa->dst,
		.esn = sa->esn,
		.encap = sa->encap,
		.seq = s.seq,
		.packets = s.packets,
		.bytes = s.bytes,
		.age = difftime(time(NULL), sa->since),
		.last = s.last,
		.replayed = s.replayed,
		.forged = s.forged,
		.refused = s.refused,
	};
	if (!sa->encap)
		v->local.port = v->peer.port = 0;
	if (sa->inbound) {
		v->window = sa->in->window;
		v->owner = sa->in->owner;
		nets_fill(v, &sa->in->selector, sa->in->more, sa->in->n_selectors);
	} else {
		v->exhausted = (sa->out->flags & SA_EXHAUSTED) != 0;
		v->exhausted_packets = sa->out->exhausted;
		v->owner = sa->out->owner;
		nets_fill(v, &sa->out->selector, sa->out->more, sa->out->n_selectors);
	}
}
