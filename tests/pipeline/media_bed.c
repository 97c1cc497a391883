// SPDX-License-Identifier: BSD-3-Clause
#include "media_bed.h"

#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>

static struct {
	struct control ctl;
	struct config config;
	struct config_media media[2];
	double s;
} bed;
struct control *bed_ctl = &bed.ctl;

// ---- a mirror: routes are the world's ----

const struct nexthop *mirror_lookup(const struct mirror *m, uint32_t ip)
{
	static const struct nexthop none = {.kind = NH_NONE};

	(void)m;
	(void)ip;
	return &none;
}

void mirror_resolve(struct mirror *m, unsigned port, uint32_t ip)
{
	(void)m;
	(void)port;
	(void)ip;
}

void bed_open(struct world *w)
{
	struct err err = {""};

	memset(&bed, 0, sizeof(bed));
	srtp_init();
	bed.media[0] = (struct config_media){
		.address = {.family = AF_INET, .v4.s_addr = rte_cpu_to_be_32(MEDIA_A)},
		.port_lo = BED_LO,
		.port_hi = BED_HI};
	bed.media[1] = (struct config_media){
		.address = {.family = AF_INET, .v4.s_addr = rte_cpu_to_be_32(MEDIA_B)},
		.port_lo = 10000,
		.port_hi = 59999};
	bed.config = (struct config){
		.media = bed.media, .n_media = 2, .max_calls = BED_CALLS, .port_quarantine = 10};
	bed.ctl.config = &bed.config;
	bed.ctl.plane = w->plane;
	bed.ctl.crypto = w->crypto;
	w->plane->qsbr = rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(WORKERS_MAX), 64);
	w->plane->n_legs_max = 2 * BED_CALLS;
	if (w->plane->qsbr == NULL || rte_rcu_qsbr_init(w->plane->qsbr, WORKERS_MAX) != 0 ||
	    defer_open(&bed.ctl.defer, w->plane->qsbr, NULL, &err) < 0 ||
	    media_engine_open(&bed.ctl, &err) < 0)
		rte_panic("no media engine: %s\n", err.text);
}

void bed_close(struct world *w)
{
	const struct media_engine *e = bed.ctl.media;

	defer_poll(bed.ctl.defer);
	check(e->n == 0 && e->n_free_slots == 2 * BED_CALLS &&
		      rte_mempool_avail_count(e->legs) == BED_CALLS + MEDIA_SPARE,
	      "end: everything is back");
	media_engine_close(&bed.ctl);
	defer_close(bed.ctl.defer);
	rte_free(w->plane->qsbr);
	w->plane->qsbr = NULL;
}

uint64_t bed_tsc(double s)
{
	return rte_rdtsc() + (uint64_t)(s * (double)bed.ctl.plane->tsc_hz);
}

void bed_tick(double s)
{
	media_tick(&bed.ctl, bed_tsc(s));
}

void bed_back(void)
{
	bed.ctl.media->ticked = media_ms(&bed.ctl, rte_rdtsc()) / MEDIA_TICK_MS;
}

// ---- streams ----

static void on_end(void *arg, struct media *m, enum media_end why)
{
	struct stream *s = arg;

	check(m == s->m, "an event is of its stream");
	s->ends[why]++;
	if (!s->stays)
		stream_close(s);
}

static const struct media_events events = {.timed_out = on_end};

static void side_make(struct media_side_spec *s, const struct peer *p, unsigned side,
		      uint16_t customer)
{
	*s = (struct media_side_spec){
		.address = side,
		.customer = customer,
		.rtp = {.addr = {.family = AF_INET, .v4.s_addr = rte_cpu_to_be_32(p->ip)},
			.port = p->port},
		.recv = true,
		.send = true,
		.dscp = -1,
		.codec = MEDIA_CODEC_G711,
		.latch = {.learn = true, .window_ms = 5000},
		.in = p->tx,
		.out = p->rx,
	};
}

void stream_make(struct stream *s, uint16_t customer, enum srtp_suite first, enum srtp_suite second)
{
	static uint32_t ssrc = 0x1000;

	memset(s, 0, sizeof(*s));
	s->far.peer[0] = (struct peer){.wire = OUTSIDE,
				       .ip = customer != 0 ? PHONE(customer) : STRANGER,
				       .media = MEDIA_A,
				       .port = 4000,
				       .ssrc = ++ssrc,
				       .seq = 1000};
	s->far.peer[1] = (struct peer){.wire = INSIDE,
				       .ip = PLATFORM,
				       .media = MEDIA_B,
				       .port = 5000,
				       .ssrc = ++ssrc,
				       .seq = 60000};
	peer_keys(&s->far.peer[0], first, 0);
	peer_keys(&s->far.peer[1], second, 0);
	for (unsigned i = 0; i < 2; i++)
		side_make(&s->spec.side[i], &s->far.peer[i], i, i == 0 ? customer : 0);
	s->spec.answered = true;
}

static void ports_note(struct stream *s)
{
	for (unsigned i = 0; i < 2; i++)
		s->far.peer[i].local = media_port(s->m, i);
}

int stream_open(struct stream *s)
{
	struct err err = {""};
	int rc = media_open(&bed.ctl, "a call", &s->spec, &events, s, &s->m, &err);

	if (rc == 0)
		ports_note(s);
	return rc;
}

int stream_change(struct stream *s)
{
	struct err err = {""};
	int rc = media_change(s->m, &s->spec, &err);

	if (rc == 0)
		ports_note(s);
	return rc;
}

void stream_close(struct stream *s)
{
	media_close(s->m, NULL);
	s->m = NULL;
}

void stream_free(struct stream *s)
{
	if (s->m != NULL)
		stream_close(s);
	for (unsigned i = 0; i < 2; i++)
		peer_keys(&s->far.peer[i], SRTP_NONE, 0);
}

void stream_rekey(struct stream *s, unsigned side, enum srtp_suite suite)
{
	peer_keys(&s->far.peer[side], suite, 0);
	s->spec.side[side].in = s->far.peer[side].tx;
	s->spec.side[side].out = s->far.peer[side].rx;
}

// From behind a tunnel if there is one.
static void say(struct world *w, struct stream *s, unsigned side)
{
	uint16_t customer = s->spec.side[side].customer;
	struct pkt p;

	world_mark(w);
	peer_rtp(&s->far.peer[side], &p, 160);
	if (customer != 0)
		esp_make(w, &p, customer);
	pkt_send(w, s->far.peer[side].wire, &p, false);
	world_run(w);
}

bool stream_passes(struct world *w, struct stream *s, unsigned side)
{
	uint32_t seq = s->far.peer[side].seq;

	say(w, s, side);
	return w->n_out == 1 && peer_hears(w, &s->far, !side, 0, seq);
}

bool stream_drops(struct world *w, struct stream *s, unsigned side, enum drop_reason why)
{
	say(w, s, side);
	return w->n_out == 0 && drops(w, why) == 1 && drops_all(w) == 1;
}

struct media_side_stats stream_stats(const struct stream *s, unsigned side)
{
	struct media_stats all;

	media_stats(s->m, &all);
	return all.side[side];
}
