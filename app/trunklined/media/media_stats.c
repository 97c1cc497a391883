// SPDX-License-Identifier: BSD-3-Clause
// Figures of media: those of its legs, and what its former legs have counted after they were copied.
#include "media_priv.h"
#include "rtp/mos.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)MEDIA_CODEC_OPUS == (int)MOS_CODEC_OPUS &&
		       (int)MEDIA_CODEC_G722 == (int)MOS_CODEC_G722 &&
		       (int)MEDIA_CODEC_G729 == (int)MOS_CODEC_G729 &&
		       (int)MEDIA_CODEC_G711 == (int)MOS_CODEC_G711,
	       "the same codecs");

uint64_t srtp_figure(const struct leg_srtp *keys, enum figure which)
{
	uint64_t n = 0;

	for (const struct srtp_ctx *c = keys->in; c != NULL; c = c->prev)
		n += which == FIG_SRTP_AUTH ? c->forged : c->replayed;
	return n;
}

void figures_read(const struct leg *leg, const struct leg_srtp *keys, struct figures *f)
{
	*f = (struct figures){{
		[FIG_RX_PACKETS] = leg->rx.received,
		[FIG_RX_BYTES] = leg->rx.bytes,
		[FIG_TX_PACKETS] = leg->tx_packets,
		[FIG_TX_BYTES] = leg->tx_bytes,
		[FIG_RTCP_RX_PACKETS] = leg->rtcp_rx_packets,
		[FIG_RTCP_TX_PACKETS] = leg->rtcp_tx_packets,
		[FIG_RTCP_RX_BYTES] = leg->rtcp_rx_bytes,
		[FIG_RTCP_TX_BYTES] = leg->rtcp_tx_bytes,
		[FIG_REORDERED] = leg->detail.reordered,
		[FIG_DUPLICATE] = leg->detail.duplicate,
		[FIG_REFUSED] = leg->refused,
		[FIG_RTCP_REFUSED] = leg->rtcp_refused,
		[FIG_WAITED] = leg->guard.waited,
		[FIG_MOVES] = leg->guard.moves,
	}};
	if (keys == NULL)
		return;
	f->n[FIG_SRTP_AUTH] = srtp_figure(keys, FIG_SRTP_AUTH);
	f->n[FIG_SRTP_REPLAY] = srtp_figure(keys, FIG_SRTP_REPLAY);
}

// A worker may count in the old leg until it has passed a quiescent state.
static void former_add(const struct former *o, unsigned side, struct figures *f)
{
	struct figures now;

	if (o->pair == NULL) {
		for (unsigned i = 0; i < FIG_COUNT; i++)
			f->n[i] += o->since[side].n[i];
		return;
	}
	figures_read(&o->pair->leg[side], NULL, &now);
	for (unsigned i = 0; i < FIG_COUNT; i++)
		f->n[i] += now.n[i] - o->since[side].n[i];
}

void figures_missing(const struct media *m, unsigned side, struct figures *f)
{
	const struct former *o;

	memset(f, 0, sizeof(*f));
	if (m->base != NULL)
		former_add(m->base, side, f);
	LIST_FOREACH(o, &m->formers, link)
	former_add(o, side, f);
}

static bool figures_none(const struct figures *f)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < FIG_COUNT; i++)
		any |= f->n[i];
	return any == 0;
}

void former_end(void *former)
{
	struct former *o = former;
	struct media *m = o->m;
	struct figures missing[2] = {0};

	if (m != NULL) {
		for (unsigned i = 0; i < 2; i++)
			former_add(o, i, &missing[i]);
		LIST_REMOVE(o, link);
	}
	rte_mempool_put(rte_mempool_from_obj(o->pair), o->pair);
	o->pair = NULL;
	if (m == NULL || (figures_none(&missing[0]) && figures_none(&missing[1]))) {
		free(o);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (m->base != NULL)
			former_add(m->base, i, &missing[i]);
		o->since[i] = missing[i];
	}
	free(m->base);
	m->base = o;
}

// What old legs received after the copy looks like a gap to the new ones.
static uint64_t lost_of(const struct leg *leg, uint64_t missing)
{
	uint64_t lost = leg->detail.lost;

	return lost > missing ? lost - missing : 0;
}

uint64_t media_lost(const struct media *m, unsigned side)
{
	struct figures f;

	figures_missing(m, side, &f);
	return lost_of(&m->pair->leg[side], f.n[FIG_RX_PACKETS]);
}

static struct ip_endpoint seen_at(bool seen, uint32_t ip, uint16_t port)
{
	struct ip_endpoint e = {.port = seen ? ntohs(port) : 0};

	if (seen) {
		e.addr.family = AF_INET;
		e.addr.v4.s_addr = ip;
	}
	return e;
}

static void seen_fill(const struct leg *leg, struct media_side_stats *s)
{
	bool rtp = leg->latch == LATCH_LEARNED || (leg->latch == LATCH_FIXED && s->rx_packets > 0);
	bool rtcp = leg->rtcp_latch == LATCH_LEARNED ||
		    (leg->rtcp_latch == LATCH_FIXED && s->rtcp_rx_packets > 0);

	s->seen = seen_at(rtp, leg->remote_ip, leg->remote_port);
	s->seen_rtcp = leg->flags & LEG_RTCP_MUX && s->rtcp_rx_packets > 0
			       ? s->seen
			       : seen_at(rtcp, leg->rtcp_ip, leg->rtcp_port);
}

enum mos_codec media_codec_of(const struct media_side_spec *spec, const struct leg *leg)
{
	if (spec->codec != MEDIA_CODEC_OTHER)
		return (enum mos_codec)spec->codec;
	if (leg->detail.type == 0 && leg->detail.sampled == 0)
		return MOS_CODEC_OTHER; // none was looked at yet
	return mos_codec_of(leg->detail.type, spec->clock_rate);
}

// Mouth to ear as far as it can be known from here: the way on both sides, making packets, and a
// jitter buffer of the usual depth.
static double delay_ms(const struct media *m, unsigned side)
{
	const struct leg *leg = &m->pair->leg[side], *far = &m->pair->leg[!side];
	const struct media_side_spec *spec = &m->spec.side[side];
	double ptime = spec->ptime_ms != 0 ? spec->ptime_ms : 20;
	double jitter = rtp_stats_jitter_us(&leg->rx, spec->clock_rate) / 1000.0;

	return (leg->rtcp.rtt_us + far->rtcp.rtt_us) / 2000.0 + ptime +
	       (2 * jitter > ptime ? 2 * jitter : ptime);
}

static double mos_of(const struct media *m, unsigned side, const struct media_side_stats *s)
{
	const struct leg *leg = &m->pair->leg[side];
	uint32_t runs = leg->detail.runs;
	struct mos_input in = {.codec = media_codec_of(&m->spec.side[side], leg),
			       .delay_ms = delay_ms(m, side)};

	if (s->rx_packets == 0)
		return 0;
	in.lost = (double)s->lost / (double)(s->lost + s->rx_packets);
	in.run = s->lost == 0 ? 0 : runs == 0 ? 1 : (double)s->lost / runs;
	return mos_rate(&in);
}

static void side_fill(const struct media *m, unsigned side, struct media_side_stats *s)
{
	const struct leg *leg = &m->pair->leg[side];
	struct figures f, missing;

	figures_read(leg, &m->keys[side], &f);
	figures_missing(m, side, &missing);
	for (unsigned i = 0; i < FIG_COUNT; i++)
		f.n[i] += missing.n[i];
	*s = (struct media_side_stats){
		.rx_packets = f.n[FIG_RX_PACKETS],
		.rx_bytes = f.n[FIG_RX_BYTES],
		.tx_packets = f.n[FIG_TX_PACKETS],
		.tx_bytes = f.n[FIG_TX_BYTES],
		.rtcp_rx_packets = f.n[FIG_RTCP_RX_PACKETS],
		.rtcp_tx_packets = f.n[FIG_RTCP_TX_PACKETS],
		.rtcp_rx_bytes = f.n[FIG_RTCP_RX_BYTES],
		.rtcp_tx_bytes = f.n[FIG_RTCP_TX_BYTES],
		.reordered = f.n[FIG_REORDERED],
		.duplicate = f.n[FIG_DUPLICATE],
		.lost = lost_of(leg, missing.n[FIG_RX_PACKETS]),
		.burst_loss_max = rtp_detail_burst(&leg->detail),
		.jitter_us = rtp_stats_jitter_us(&leg->rx, m->spec.side[side].clock_rate),
		.rtt_us = leg->rtcp.rtt_us,
		.ssrc = leg->rx.ssrc,
		.payload_type = leg->detail.type,
		.refused = f.n[FIG_REFUSED],
		.rtcp_refused = f.n[FIG_RTCP_REFUSED],
		.waited = f.n[FIG_WAITED],
		.moves = f.n[FIG_MOVES],
		.srtp_auth = f.n[FIG_SRTP_AUTH],
		.srtp_replay = f.n[FIG_SRTP_REPLAY],
		.latch = leg->latch,
		.first = m->first[side],
	};
	uint64_t idle = media_idle_ms(m->ctl, leg, rte_rdtsc());
	s->idle_ms = idle < UINT32_MAX ? (uint32_t)idle : UINT32_MAX;
	if (s->first == 0 && s->rx_packets > 0)
		s->first = time(NULL);
	seen_fill(leg, s);
	s->mos = mos_of(m, side, s);
}

void media_stats(const struct media *m, struct media_stats *out)
{
	for (unsigned i = 0; i < 2; i++)
		side_fill(m, i, &out->side[i]);
	out->hairpin = m->pair->leg[0].hairpin || m->pair->leg[1].hairpin;
}
