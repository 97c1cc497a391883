// SPDX-License-Identifier: BSD-3-Clause
// Figures of calls and of the daemon, in the words and the shape in which proxies look for them.
#include "ng_call_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT 32
#define LIST_MAX 1000

// ---- a call ----

static struct ng_val *dict(const struct ng_figures *f, struct ng_val *in, const char *key)
{
	return ng_add(f->k->a, in, key, NG_DICT);
}

static void add_int(const struct ng_figures *f, struct ng_val *in, const char *key, uint64_t n)
{
	ng_add_int(f->k->a, in, key, (int64_t)n);
}

// A text of the call's, which may be gone before the answer is written.
static const char *text_keep(const struct ng_ask *k, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = ng_alloc(k->a, size);

	return copy == NULL ? "" : memcpy(copy, text, size);
}

static void add_text(const struct ng_figures *f, struct ng_val *in, const char *key,
		     const char *text)
{
	if (text != NULL)
		ng_add_text(f->k->a, in, key, text_keep(f->k, text));
}

static void add_endpoint(const struct ng_figures *f, struct ng_val *in, const char *key,
			 const struct ip_endpoint *e)
{
	char text[IP_ADDR_STRLEN];

	if (e->addr.family == 0)
		return;
	struct ng_val *d = dict(f, in, key);
	ng_add_text(f->k->a, d, "family", e->addr.family == AF_INET ? "IPv4" : "IPv6");
	add_text(f, d, "address", ip_addr_str(&e->addr, text));
	add_int(f, d, "port", e->port);
}

static void add_quality(const struct ng_figures *f, struct ng_val *in, const char *key,
			const struct media_side_stats *s)
{
	uint64_t expected = s->rx_packets + s->lost;
	struct ng_val *d = dict(f, in, key);

	add_int(f, d, "MOS", (uint64_t)(s->mos * 10 + 0.5));
	add_int(f, d, "round-trip time", s->rtt_us);
	add_int(f, d, "jitter", (s->jitter_us + 500) / 1000);
	add_int(f, d, "packet loss", expected == 0 ? 0 : s->lost * 100 / expected);
	add_int(f, d, "samples", 1);
	if (key[0] != 'a')
		add_int(f, d, "reported at", (uint64_t)time(NULL));
}

static void add_ssrc(const struct ng_figures *f, const struct media_side_stats *s)
{
	char number[16];

	if (s->ssrc == 0 || s->rx_packets == 0)
		return;
	snprintf(number, sizeof(number), "%" PRIu32, s->ssrc);
	if (f->ssrc == NULL || ng_get(f->ssrc, number) != NULL)
		return;
	struct ng_val *d = dict(f, f->ssrc, text_keep(f->k, number));
	if (s->mos == 0)
		return;
	add_quality(f, d, "average MOS", s);
	add_quality(f, d, "lowest MOS", s);
	add_quality(f, d, "highest MOS", s);
}

static void add_flags(const struct ng_figures *f, struct ng_val *stream, bool rtcp,
		      const struct media_side_spec *spec, const struct media_side_stats *s)
{
	struct ng_val *l = ng_add(f->k->a, stream, "flags", NG_LIST);

	ng_add_text(f->k->a, l, NULL, rtcp ? "RTCP" : "RTP");
	if (spec->rtp.addr.family != 0)
		ng_add_text(f->k->a, l, NULL, "filled");
	if (s->seen.addr.family != 0 && !rtcp)
		ng_add_text(f->k->a, l, NULL, "confirmed");
	if (spec->latch.strict)
		ng_add_text(f->k->a, l, NULL, "strict source");
	if (spec->latch.handover)
		ng_add_text(f->k->a, l, NULL, "media handover");
}

static void add_stream(struct ng_figures *f, struct ng_val *in, const struct media_side_spec *spec,
		       uint16_t port, const struct media_side_stats *s, bool rtcp)
{
	struct ng_val *d = ng_add(f->k->a, in, NULL, NG_DICT);
	const struct ip_endpoint *seen = rtcp ? &s->seen_rtcp : &s->seen;
	struct ip_endpoint told = rtcp ? spec->rtcp : spec->rtp;

	if (rtcp && told.addr.family == 0 && spec->rtp.addr.family != 0)
		told = (struct ip_endpoint){.addr = spec->rtp.addr,
					    .port = (uint16_t)(spec->rtp.port + !spec->rtcp_mux)};
	add_int(f, d, "local port", (uint64_t)(port + (rtcp && !spec->rtcp_mux)));
	add_endpoint(f, d, "endpoint", seen->addr.family != 0 ? seen : &told);
	add_endpoint(f, d, "advertised endpoint", &told);
	if (spec->in.suite != SRTP_NONE)
		ng_add_text(f->k->a, d, "crypto suite", srtp_suites[spec->in.suite].name);
	if (s->first != 0)
		add_int(f, d, "last packet", (uint64_t)time(NULL) - s->idle_ms / 1000);
	add_flags(f, d, rtcp, spec, s);
	struct ng_val *sum = dict(f, d, "stats");
	uint64_t errors = rtcp ? s->rtcp_refused : s->refused + s->srtp_auth + s->srtp_replay;
	add_int(f, sum, "packets", rtcp ? s->rtcp_rx_packets : s->rx_packets);
	add_int(f, sum, "bytes", rtcp ? s->rtcp_rx_bytes : s->rx_bytes);
	add_int(f, sum, "errors", errors);
	if (s->ssrc != 0 && !rtcp)
		add_int(f, d, "SSRC", s->ssrc);
	f->packets[rtcp] += rtcp ? s->rtcp_rx_packets : s->rx_packets;
	f->bytes[rtcp] += rtcp ? s->rtcp_rx_bytes : s->rx_bytes;
	f->errors[rtcp] += errors;
}

static void add_media(struct ng_figures *f, struct ng_val *in, const struct ng_branch *b,
		      unsigned i, unsigned side, const struct media_side_stats *s)
{
	const struct ng_stream *st = &b->stream[i];
	const struct media_side_spec *spec = &media_spec_of(st->media)->side[side];
	struct ng_val *d = ng_add(f->k->a, in, NULL, NG_DICT);
	const char *proto = sdp_proto_name(st->proto[side]);

	add_int(f, d, "index", i + 1);
	add_text(f, d, "type", st->type);
	ng_add_text(f->k->a, d, "protocol", proto == NULL ? "RTP/AVP" : proto);
	struct ng_val *flags = ng_add(f->k->a, d, "flags", NG_LIST);
	ng_add_text(f->k->a, flags, NULL, "initialized");
	if (spec->rtcp_mux)
		ng_add_text(f->k->a, flags, NULL, "rtcp-mux");
	if (spec->in.suite != SRTP_NONE)
		ng_add_text(f->k->a, flags, NULL, "SDES");
	if (!spec->latch.learn)
		ng_add_text(f->k->a, flags, NULL, "asymmetric");
	struct ng_val *streams = ng_add(f->k->a, d, "streams", NG_LIST);
	uint16_t port = media_port(st->media, side);
	add_stream(f, streams, spec, port, s, false);
	add_stream(f, streams, spec, port, s, true);
	add_ssrc(f, s);
}

// The dictionary of a tag; a tag may be in several branches.
static struct ng_val *tag_dict(const struct ng_figures *f, const struct ng_branch *b, unsigned side)
{
	const struct ng_side *s = &b->side[side];
	const char *tag = ng_tag_of(s), *other = ng_tag_of(&b->side[!side]);
	struct ng_val *d, *medias;

	tag = text_keep(f->k, tag == NULL ? "" : tag);
	if (f->tags != NULL)
		for (d = f->tags->first; d != NULL; d = d->next)
			if (ng_str_is(d->key, tag))
				for (medias = d->first; medias != NULL; medias = medias->next)
					if (ng_str_is(medias->key, "medias"))
						return medias;
	d = dict(f, f->tags, tag);
	ng_add_text(f->k->a, d, "tag", tag);
	if (side == 1 || ng_tag_of(&b->side[1]) == NULL)
		add_text(f, d, "via-branch", b->via);
	add_text(f, d, "label", s->label);
	add_int(f, d, "created", (uint64_t)b->created);
	add_text(f, d, "in dialogue with", other);
	return ng_add(f->k->a, d, "medias", NG_LIST);
}

void ng_figures_begin(struct ng_figures *f, const struct ng_ask *k, const struct ng_call *call)
{
	*f = (struct ng_figures){.k = k};
	ng_add_int(k->a, k->answer, "created", call->start_ms / 1000);
	ng_add_int(k->a, k->answer, "last signal", call->last_signal);
	f->ssrc = ng_add(k->a, k->answer, "SSRC", NG_DICT);
	f->tags = ng_add(k->a, k->answer, "tags", NG_DICT);
	if (call->recording == NULL)
		return;
	struct ng_val *d = ng_add(k->a, k->answer, "recording", NG_DICT);
	ng_add_text(k->a, d, "file", text_keep(k, recording_path(call->recording)));
	ng_add_int(k->a, d, "packets", (int64_t)recording_packets(call->recording));
}

void ng_figures_branch(struct ng_figures *f, const struct ng_branch *b)
{
	struct ng_val *medias[2] = {tag_dict(f, b, 0), tag_dict(f, b, 1)};
	struct media_stats s;

	for (unsigned i = 0; i < b->n_streams; i++) {
		if (b->stream[i].media == NULL)
			continue;
		media_stats(b->stream[i].media, &s);
		for (unsigned side = 0; side < 2; side++)
			add_media(f, medias[side], b, i, side, &s.side[side]);
	}
}

void ng_figures_end(struct ng_figures *f)
{
	static const char *const name[] = {"RTP", "RTCP"};
	struct ng_val *totals = dict(f, f->k->answer, "totals");

	for (unsigned i = 0; i < 2; i++) {
		struct ng_val *d = dict(f, totals, name[i]);
		add_int(f, d, "packets", f->packets[i]);
		add_int(f, d, "bytes", f->bytes[i]);
		add_int(f, d, "errors", f->errors[i]);
	}
}

int ng_do_query(const struct ng_ask *k)
{
	const struct ng_branch *b;
	struct ng_figures f;
	struct ng_texts t;
	int rc = ng_texts_read(k, false, &t);

	if (rc < 0)
		return rc;
	const struct ng_call *call = ng_call_find(k->all, t.id);
	if (call == NULL)
		return err_set(k->err, -ENOENT, "Unknown call-id");
	ng_figures_begin(&f, k, call);
	TAILQ_FOREACH (b, &call->branches, link)
		if ((t.from.at == NULL || ng_branch_side(b, t.from) >= 0) &&
		    (t.to.at == NULL || ng_branch_side(b, t.to) >= 0))
			ng_figures_branch(&f, b);
	ng_figures_end(&f);
	return 0;
}

// ---- all ----

int ng_do_list(const struct ng_ask *k)
{
	const struct ng_field *limit = &k->req->key[NG_KEY_LIMIT];
	struct ng_val *l = ng_add(k->a, k->answer, "calls", NG_LIST);
	const struct ng_call *call;
	int64_t n = limit->there ? limit->num : LIST_LIMIT;

	if (n <= 0)
		return err_set(k->err, -EINVAL, "invalid limit, must be positive");
	n = n > LIST_MAX ? LIST_MAX : n;
	TAILQ_FOREACH (call, &k->all->ages, age) {
		if (n-- == 0)
			break;
		ng_add_text(k->a, l, NULL, text_keep(k, call->id));
	}
	return 0;
}

int ng_do_statistics(const struct ng_ask *k)
{
	const struct ng_calls *c = k->all;
	const struct ng_call_figures *g = &c->figures;
	const struct control *ctl = c->ctl;
	const struct ng_figures f = {.k = k};
	struct ng_val *s = dict(&f, k->answer, "statistics");
	struct ng_val *d = dict(&f, s, "currentstatistics");
	uint64_t ended = g->calls - c->n;

	add_int(&f, d, "sessionsown", c->n);
	add_int(&f, d, "sessionsforeign", 0);
	add_int(&f, d, "sessionstotal", c->n);
	add_int(&f, d, "transcodedmedia", 0);
	d = dict(&f, s, "totalstatistics");
	add_int(&f, d, "uptime", (uint64_t)(time(NULL) - ctl->started));
	add_int(&f, d, "managedsessions", ended);
	add_int(&f, d, "rejectedsessions", g->rejected + g->load_limit + g->no_ports);
	add_int(&f, d, "timeoutsessions", g->silent);
	add_int(&f, d, "silenttimeoutsessions", g->silent);
	add_int(&f, d, "offertimeoutsessions", g->offer);
	add_int(&f, d, "finaltimeoutsessions", g->final);
	add_int(&f, d, "regularterminatedsessions", g->regular);
	ng_add_printf(k->a, d, "avgcallduration", "%.6f",
		      ended == 0 ? 0.0 : (double)g->seconds / (double)ended);
	d = dict(&f, s, "controlstatistics");
	for (unsigned v = 0; v < NG_VERB_COUNT; v++)
		if (ng_verb_built((enum ng_verb)v))
			add_int(&f, d, ng_verb_name((enum ng_verb)v), c->stats->verb[v]);
	add_int(&f, d, "errors", c->stats->errors);
	add_int(&f, d, "retransmissions", c->stats->again);
	add_int(&f, d, "unknown", c->stats->unknown);
	add_int(&f, d, "malformed", c->stats->malformed);
	return 0;
}
