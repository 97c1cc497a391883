// SPDX-License-Identifier: BSD-3-Clause
// Calls: leg A on the customers' side, leg B on the platform's, and the flows through them.
//
// A hairpin is two calls of one customer whose legs B are each other's peers.
#include "world_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdlib.h>
#include <string.h>

static uint16_t customer_of(const struct world *w, uint32_t call, unsigned side)
{
	uint32_t n = w->spec.customers;

	switch (w->spec.scene) {
	case SCENE_PLAIN_PLAIN:
	case SCENE_SRTP_PLAIN:
	case SCENE_PLAIN_SRTP:
		return 0;
	case SCENE_HAIRPIN:
		return side == 0 ? (uint16_t)(1 + call / 2 % n) : 0;
	case SCENE_ESP_ESP:
		return (uint16_t)(1 + (call + side * (n / 2)) % n);
	default:
		return side == 0 ? (uint16_t)(1 + call % n) : 0;
	}
}

// Address and port of what is behind a leg.
static void remote_of(const struct world *w, uint32_t call, unsigned side, uint32_t *ip,
		      uint16_t *port)
{
	uint16_t customer = customer_of(w, call, side);
	uint32_t nth = call / w->spec.customers;

	if (customer != 0) {
		nth = w->spec.scene == SCENE_HAIRPIN ? call / 2 / w->spec.customers * 2 + (call & 1)
						     : nth;
		*ip = phone_ip(customer, nth);
		*port = phone_port(nth);
	} else if (side == 0) {
		*ip = stranger_ip(call);
		*port = 16384;
	} else if (w->spec.scene == SCENE_HAIRPIN) {
		*ip = media_ip(media_of(call ^ 1, 1));
		*port = call_port(call ^ 1);
	} else {
		*ip = platform_ip(call);
		*port = platform_port(call);
	}
}

static void leg_make(struct world *w, uint32_t call, unsigned side)
{
	struct leg *leg = &w->legs[2 * call + side];
	uint16_t port, local = call_port(call);
	struct media_addr *media = w->plane->media[media_of(call, side)];

	leg_identity_set(leg, customer_of(w, call, side), media->ip, -1);
	leg->local_port = rte_cpu_to_be_16(local);
	leg->local_rtcp = rte_cpu_to_be_16((uint16_t)(local + 1));
	leg->latch = leg->rtcp_latch = LATCH_FIXED;
	remote_of(w, call, side, &leg->remote_ip, &port);
	leg->remote_port = leg->out_port = rte_cpu_to_be_16(port);
	leg->rtcp_port = rte_cpu_to_be_16((uint16_t)(port + 1));
	leg->out_ip = leg->rtcp_ip = leg->remote_ip;
	leg->last_tick = (uint32_t)(rte_rdtsc() >> TICK_SHIFT);
	leg->rx.clock_mult = rtp_clock_mult(8000, w->plane->tsc_hz);
	leg->id = 2 * call + side;
	leg->gen = 1;
	leg->onward = leg_onward(leg, &w->legs[2 * call + !side]);
	w->plane->leg_slot[leg->id] = (struct leg_slot){leg, 1};
	media->leg[local] = media->leg[local + 1] = REF_MAKE(leg, 0) | (side ? REF_SECOND : 0);
}

static int media_make(struct world *w, unsigned i)
{
	struct plane *p = w->plane;
	uint32_t h = LOCAL_HASH(media_ip(i));

	if (p->media[i] != NULL)
		return 0;
	p->media[i] = rte_zmalloc("media", sizeof(*p->media[i]), 64);
	if (p->media[i] == NULL)
		return -ENOMEM;
	p->media[i]->ip = media_ip(i);
	p->media[i]->lo = MEDIA_PORT_LO;
	p->media[i]->hi = 65535;
	p->n_media = MEDIA_PER_SIDE * 2;
	while (p->local[h].ip != 0)
		h = (h + 1) & (LOCALS_MAX - 1);
	p->local[h] = (struct local_addr){media_ip(i), LOCAL_MEDIA, (uint8_t)i, 0};
	return 0;
}

// From the peer behind the leg of side to the peer behind the other one.
static void flow_make(struct world *w, uint32_t call, unsigned side)
{
	struct flow *f = &w->flow[w->n_flows];
	enum scene scene = w->spec.scene;
	bool hairpin = scene == SCENE_HAIRPIN;
	const struct leg *in = &w->legs[2 * call + side];
	const struct leg *out = hairpin ? &w->legs[2 * (call ^ 1)] : &w->legs[2 * call + !side];

	*f = (struct flow){
		.src = in->remote_ip,
		.dst = in->local_ip,
		.sport = in->remote_port,
		.dport = in->local_port,
		.want_src = out->local_ip,
		.want_dst = out->out_ip,
		.want_sport = out->local_port,
		.want_dport = out->out_port,
		.want_ttl = 64,
		.sa_in = in->customer,
		.sa_out = out->customer,
		.port_in = in->customer != 0 || side == 0 ? OUTSIDE : INSIDE,
		.port_out = out->customer != 0 || (!hairpin && side == 1) ? OUTSIDE : INSIDE,
		.seq = (uint16_t)(rte_rand() & 0x7fff), // RFC 3711 section 3.3.1
		.ts = (uint32_t)rte_rand(),
	};
	if (scene == SCENE_TRANSIT) {
		f->dst = f->want_dst;
		f->dport = f->want_dport;
		f->want_src = f->src;
		f->want_sport = f->sport;
		f->want_ttl = 62;
	}
	f->want_seq = f->seq;
	w->order[w->n_flows] = w->n_flows;
	w->n_flows++;
}

int calls_make(struct world *w, struct err *err)
{
	uint32_t n = w->spec.calls;
	enum scene scene = w->spec.scene;

	if (n < 1 || n > CALLS_MAX)
		return err_set(err, -EINVAL, "%u calls: 1 to %d", n, CALLS_MAX);
	w->legs = rte_zmalloc("legs", 2 * (size_t)n * sizeof(*w->legs), 64);
	w->flow = rte_zmalloc("flows", 2 * (size_t)n * sizeof(*w->flow), 64);
	w->order = rte_zmalloc("order", 2 * (size_t)n * sizeof(*w->order), 64);
	if (w->legs == NULL || w->flow == NULL || w->order == NULL)
		return err_set(err, -ENOMEM, "no memory for calls");
	for (uint32_t call = 0; call < n; call++) {
		for (unsigned side = 0; side < 2; side++) {
			if (media_make(w, media_of(call, side)) < 0)
				return err_set(err, -ENOMEM, "no memory for media ports");
			leg_make(w, call, side);
		}
	}
	for (uint32_t call = 0; call < n; call++) {
		if (scene != SCENE_PLAIN_ESP)
			flow_make(w, call, 0);
		if (scene == SCENE_PLAIN_ESP || scene == SCENE_BOTH)
			flow_make(w, call, 1);
	}
	return scene_srtp(scene) ? srtp_make(w, err) : 0;
}

void calls_free(struct world *w)
{
	for (unsigned i = 0; w->plane != NULL && i < MEDIA_MAX; i++)
		rte_free(w->plane->media[i]);
	srtp_free(w);
	rte_free(w->legs);
	rte_free(w->flow);
	rte_free(w->order);
}
