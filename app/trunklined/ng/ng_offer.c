// SPDX-License-Identifier: BSD-3-Clause
// "offer": opens a branch of a call, or asks for a change of one.
#include "ng_call_priv.h"
#include "ng_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Of a span, for %.*s.
#define SHOWN(s) (s).len < 32 ? (int)(s).len : 32, (s).at

int ng_texts_read(const struct ng_ask *k, bool need_from, struct ng_texts *out)
{
	int rc;

	if ((rc = ng_text_check(k, NG_KEY_CALL_ID, &out->id)) < 0 ||
	    (rc = ng_text_check(k, NG_KEY_FROM_TAG, &out->from)) < 0 ||
	    (rc = ng_text_check(k, NG_KEY_TO_TAG, &out->to)) < 0 ||
	    (rc = ng_text_check(k, NG_KEY_VIA_BRANCH, &out->via)) < 0)
		return rc;
	if (out->id.at == NULL)
		return err_set(k->err, -EINVAL, "No call-id in message");
	if (need_from && out->from.at == NULL)
		return err_set(k->err, -EINVAL, "No from-tag in message");
	return 0;
}

int ng_sdp_read(const struct ng_ask *k)
{
	const struct ng_field *f = &k->req->key[NG_KEY_SDP];
	struct ng_str family = k->req->key[NG_KEY_ADDRESS_FAMILY].text;

	if (f->text.len == 0)
		return err_set(k->err, -EINVAL, "No SDP body in message");
	if (ng_flag(k->req, NG_FLAG_FRAGMENT))
		return err_set(k->err, -EOPNOTSUPP, "fragment: trickle ICE is not supported");
	if (family.len != 0 && !(family.len >= 3 && family.at[family.len - 1] == '4'))
		return err_set(k->err, -EAFNOSUPPORT,
			       "address-family: %.*s is not supported; IP4 is", SHOWN(family));
	return sdp_parse(&k->all->sdp, f->text.at, f->text.len, SDP_IPV6_REFUSE, k->err);
}

void ng_offer_free(struct ng_offer *o)
{
	if (o == NULL)
		return;
	for (unsigned i = 0; i < o->n; i++) {
		if (o->want[i].keys != NULL)
			explicit_bzero(o->want[i].keys, sizeof(*o->want[i].keys));
		free(o->want[i].keys);
	}
	free(o);
}

// ---- keys of the whole branch ----

int ng_branch_keys(const struct ng_ask *k, struct ng_branch *b)
{
	const struct ng_field *tos = &k->req->key[NG_KEY_TOS];

	if (tos->there && tos->num >= 0) {
		if (tos->num > 255)
			return err_set(k->err, -EINVAL, "TOS: %lld; it is 0 to 255",
				       (long long)tos->num);
		b->dscp = (int)tos->num >> 2;
	}
	return 0;
}

// ---- where the sides are ----

// The same place is kept: several media addresses there are as good.
static void place_take(const struct ng_calls *c, struct ng_side *s, const struct ng_place *p)
{
	const struct config *cfg = c->ctl->config;

	if (s->place.set && s->place.customer == p->customer &&
	    cfg->media[s->place.address].port == cfg->media[p->address].port) {
		s->place.known |= p->known;
		s->place.named |= p->named;
		return;
	}
	s->place = *p;
	s->place.set = true;
}

static int places_set(const struct ng_ask *k, struct ng_branch *b, unsigned x,
		      const struct media_side_spec *peer)
{
	struct ng_side *from = &b->side[x], *to = &b->side[!x];
	struct ng_place p[2], found = {0};
	int rc = ng_places_named(k, &p[0], &p[1]);

	if (rc < 0)
		return rc;
	if (!p[0].known && !from->place.named)
		ng_place_find(k->all, &peer->rtp.addr, &found);
	if (p[0].known)
		place_take(k->all, from, &p[0]);
	else if (found.known)
		place_take(k->all, from, &found);
	else if (!from->place.set)
		ng_place_outside(k->all, &from->place);
	if (!p[1].known && !to->place.set)
		ng_place_opposite(k->all, &from->place, &p[1]);
	if (p[1].known || !to->place.set)
		place_take(k->all, to, &p[1]);
	return ng_place_address(k, &to->place);
}

// ---- what is wanted ----

static int proto_to(const struct ng_ask *k, const struct ng_stream *s, unsigned x,
		    struct ng_wanted *w)
{
	struct ng_str text = k->req->key[NG_KEY_TRANSPORT].text;

	// What was asked for once holds until the offerer itself comes with another one.
	w->proto_to = s->media != NULL && s->proto[x] == w->proto ? s->proto[!x] : w->proto;
	if (text.len == 0 || sdp_span_is((struct sdp_span){text.at, text.len}, "accept"))
		return 0;
	w->proto_to = sdp_proto_by_name(text.at, text.len);
	if (w->proto_to == SDP_PROTO_OTHER || w->proto_to == SDP_DTLS_SAVP ||
	    w->proto_to == SDP_DTLS_SAVPF)
		return err_set(k->err, -EPROTONOSUPPORT,
			       "transport-protocol: %.*s is not supported; RTP/AVP, RTP/AVPF, "
			       "RTP/SAVP and RTP/SAVPF are",
			       SHOWN(text));
	return 0;
}

static void mux_set(const struct ng_request *r, const struct sdp_section *sec, struct ng_wanted *w)
{
	bool force = ng_flag(r, NG_FLAG_RTCP_MUX_OFFER) || ng_flag(r, NG_FLAG_RTCP_MUX_REQUIRE);
	bool demux = ng_flag(r, NG_FLAG_RTCP_MUX_DEMUX);

	w->mux = sec->rtcp_mux;
	w->mux_reject = ng_flag(r, NG_FLAG_RTCP_MUX_REJECT) && !sec->rtcp_mux_only;
	w->mux_accept = !w->mux_reject &&
			(demux || ng_flag(r, NG_FLAG_RTCP_MUX_ACCEPT) || sec->rtcp_mux_only);
	w->mux_to = force || (sec->rtcp_mux && !demux && !w->mux_reject);
}

static bool is_rtp(const struct sdp_section *sec)
{
	return sec->proto == SDP_RTP_AVP || sec->proto == SDP_RTP_AVPF ||
	       sec->proto == SDP_RTP_SAVP || sec->proto == SDP_RTP_SAVPF;
}

static int want_make(const struct ng_ask *k, struct ng_branch *b, unsigned x, unsigned i,
		     struct ng_wanted *w)
{
	const struct sdp_section *sec = &k->all->sdp.section[i];
	const struct ng_stream *s = &b->stream[i];
	const struct media_spec *now = s->media != NULL ? media_spec_of(s->media) : NULL;
	const struct ng_offer *before = b->offer[x];
	int rc;

	w->proto = sec->proto;
	w->ours = sec->port != 0 && is_rtp(sec);
	if (!w->ours)
		return 0;
	w->forget = ng_forgets(k->req);
	rc = ng_side_spec(k, b, &b->side[x], sec, now != NULL ? &now->side[x] : NULL, &w->spec);
	if (rc < 0 || (rc = proto_to(k, s, x, w)) < 0)
		return rc;
	w->types[0] = sec->types[0];
	w->types[1] = sec->types[1];
	mux_set(k->req, sec, w);
	if ((sdp_proto_secure(w->proto) || sdp_proto_secure(w->proto_to)) &&
	    (w->keys = calloc(1, sizeof(*w->keys))) == NULL)
		return err_set(k->err, -ENOMEM, "out of memory");
	if (sdp_proto_secure(w->proto)) {
		ng_keys_take(&k->all->sdp, sec, w);
		if (w->n_theirs == 0)
			return err_set(k->err, -EINVAL,
				       "media section %u: %s without an a=crypto that we can do%s",
				       i + 1, sdp_proto_name(w->proto),
				       sec->dtls ? "; DTLS-SRTP is not supported" : "");
	}
	if (!sdp_proto_secure(w->proto_to))
		return 0;
	// Keys that were offered and not answered may be offered again; those in use are the stream's.
	bool again = before != NULL && !before->answered && i < before->n && before->want[i].ours;
	return ng_keys_offer(k, w, now != NULL && now->answered ? &now->side[!x].out : NULL,
			     again ? &before->want[i] : NULL);
}

static int streams_grow(struct ng_branch *b, unsigned n, struct err *err)
{
	if (n <= b->n_streams)
		return 0;
	struct ng_stream *more = reallocarray(b->stream, n, sizeof(*more));
	if (more == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	memset(more + b->n_streams, 0, (n - b->n_streams) * sizeof(*more));
	b->stream = more;
	b->n_streams = n;
	return 0;
}

// The address by which the offerer is found: its first section's.
static int offerer_place(const struct ng_ask *k, struct ng_branch *b, unsigned x)
{
	const struct sdp *sdp = &k->all->sdp;
	struct media_side_spec peer = {0};

	for (unsigned i = 0; i < sdp->n_sections && peer.rtp.addr.family == 0; i++) {
		if (sdp->section[i].port == 0)
			continue;
		int rc = ng_side_spec(k, b, &b->side[x], &sdp->section[i], NULL, &peer);
		if (rc < 0)
			return rc;
	}
	return places_set(k, b, x, &peer);
}

// None of its sections is a stream. Where one wants to be, the proxy has to know that it won't: it answers
// 488, or goes on without us.
static int offer_none(const struct ng_ask *k)
{
	const struct sdp *sdp = &k->all->sdp;

	for (unsigned i = 0; i < sdp->n_sections; i++) {
		const struct sdp_section *sec = &sdp->section[i];
		if (sec->port == 0)
			continue;
		if (sec->proto == SDP_DTLS_SAVP || sec->proto == SDP_DTLS_SAVPF)
			return err_set(k->err, -EPROTONOSUPPORT, "DTLS-SRTP is not supported");
		return err_set(k->err, -EPROTONOSUPPORT,
			       "media section %u: %.*s over %.*s is not relayed; RTP is", i + 1,
			       SHOWN(sec->media), SHOWN(sec->proto_text));
	}
	return 0;
}

static int offer_make(const struct ng_ask *k, struct ng_branch *b, unsigned x,
		      struct ng_offer **out)
{
	const struct sdp *sdp = &k->all->sdp;
	unsigned ours = 0;
	int rc = streams_grow(b, sdp->n_sections, k->err);

	if (rc < 0 || (rc = offerer_place(k, b, x)) < 0)
		return rc;
	struct ng_offer *o = calloc(1, sizeof(*o) + sdp->n_sections * sizeof(o->want[0]));
	if (o == NULL)
		return err_set(k->err, -ENOMEM, "out of memory");
	o->n = sdp->n_sections;
	for (unsigned i = 0; i < o->n && rc == 0; i++) {
		rc = want_make(k, b, x, i, &o->want[i]);
		ours += o->want[i].ours;
	}
	if (rc == 0 && ours == 0)
		rc = offer_none(k);
	if (rc < 0)
		ng_offer_free(o);
	else
		*out = o;
	return rc;
}

// ---- streams ----

int ng_stream_set(struct ng_stream *s, const struct media_spec *spec, struct err *err)
{
	if (memcmp(media_spec_of(s->media), spec, sizeof(*spec)) == 0)
		return 0;
	int rc = media_change(s->media, spec, err);
	return rc == -EBUSY ? -EAGAIN : rc; // of this call, not of the node
}

void ng_spec_open(const struct ng_branch *b, unsigned x, const struct ng_wanted *w,
		  struct media_spec *spec)
{
	const struct ng_side *to = &b->side[!x];
	bool secret = sdp_proto_secure(w->proto) || sdp_proto_secure(w->proto_to);

	spec->side[x] = w->spec;
	spec->side[x].port = 0;
	spec->side[!x].address = to->place.address;
	spec->side[!x].customer = to->place.customer;
	spec->side[!x].clock_rate = w->spec.clock_rate;
	spec->side[!x].codec = w->spec.codec;
	spec->side[!x].latch.learn = true;
	spec->side[!x].recv = spec->side[!x].send = !secret;
	if (secret) // there are no keys yet
		spec->side[x].recv = spec->side[x].send = false;
	spec->answered = false;
}

static int stream_offer(const struct ng_ask *k, struct ng_branch *b, unsigned x, unsigned i,
			const struct ng_wanted *w)
{
	struct ng_stream *s = &b->stream[i];
	const struct sdp_span type = k->all->sdp.section[i].media;
	struct media_spec spec = {0};

	if (!w->ours) {
		if (s->media != NULL && !media_spec_of(s->media)->answered) {
			media_close(s->media, NULL);
			s->media = NULL;
		}
		return 0;
	}
	if (s->media == NULL) {
		ng_spec_open(b, x, w, &spec);
		ng_spec_finish(k->all, b, &spec, w->types);
		snprintf(s->type, sizeof(s->type), "%.*s", (int)type.len, type.at);
		s->proto[x] = w->proto;
		s->proto[!x] = w->proto_to;
		return media_open(k->all->ctl, b->call->id, &spec, &ng_media_events, b, &s->media,
				  k->err);
	}
	spec = *media_spec_of(s->media);
	if (!spec.answered) {
		uint16_t port = spec.side[x].port;
		ng_spec_open(b, x, w, &spec);
		spec.side[x].port = port;
		ng_spec_finish(k->all, b, &spec, w->types);
		s->proto[x] = w->proto;
		s->proto[!x] = w->proto_to;
	} else {
		// What is told to the other side has to be there; the rest waits for the answer.
		spec.side[!x].address = b->side[!x].place.address;
	}
	int rc = ng_stream_set(s, &spec, k->err);
	explicit_bzero(&spec, sizeof(spec));
	return rc;
}

// ---- the SDP for the other side ----

void ng_section_change(const struct ng_ask *k, unsigned i, const struct ng_stream *s, unsigned to,
		       bool mux, struct sdp_section_change *ch)
{
	const struct sdp_section *sec = &k->all->sdp.section[i];
	bool zero = sec->address.family == AF_INET && sec->address.v4.s_addr == 0;

	ch->port = media_port(s->media, to);
	if (!ng_flag(k->req, NG_FLAG_NO_RTCP_ATTRIBUTE))
		ch->rtcp_port = mux ? ch->port : (uint16_t)(ch->port + 1);
	if (!zero || ng_flag(k->req, NG_FLAG_REPLACE_ZERO_ADDRESS))
		ch->address = *media_address(s->media, to);
	ch->cut_crypto = ch->cut_dtls = ch->cut_ice = true;
	if (ng_flag(k->req, NG_FLAG_INACTIVE)) {
		ch->set_direction = true;
		ch->direction = SDP_INACTIVE;
	}
}

static int answer_write(const struct ng_ask *k, struct ng_branch *b, unsigned x,
			const struct ng_offer *o)
{
	struct sdp_change *ch = &k->all->change;
	const struct ip_addr *local =
		&k->all->ctl->config->media[b->side[!x].place.address].address;
	int64_t ptime = k->req->key[NG_KEY_PTIME].num;

	memset(ch, 0, sizeof(*ch));
	for (unsigned i = 0; i < o->n; i++) {
		const struct ng_wanted *w = &o->want[i];
		struct sdp_section_change *sc = &ch->section[i];
		if (!w->ours) {
			sc->reject = true;
			sc->address = *local;
			continue;
		}
		ng_section_change(k, i, &b->stream[i], !x,
				  w->mux_to && ng_flag(k->req, NG_FLAG_RTCP_MUX_REQUIRE), sc);
		ng_codecs_strip(k, &k->all->sdp.section[i], true, sc->strip);
		sc->ptime = ptime > 0 && ptime <= 1000 ? (uint16_t)ptime : 0;
		sc->proto = w->proto_to;
		sc->rtcp_mux = w->mux_to ? SDP_ON : SDP_OFF;
		sc->n_crypto = w->n_ours;
		sc->crypto = w->n_ours > 0 ? w->keys->ours : NULL;
	}
	return ng_sdp_write(k, &b->side[!x], local);
}

// ---- the verb ----

static int offer_do(const struct ng_ask *k, struct ng_branch *b, unsigned x,
		    const struct ng_texts *t)
{
	struct ng_offer *o = NULL;
	int rc;

	if ((rc = ng_branch_keys(k, b)) < 0 ||
	    (rc = ng_tag_use(&b->side[x], t->from, k->err)) < 0 ||
	    (rc = ng_label_take(k, &b->side[x])) < 0 || (rc = offer_make(k, b, x, &o)) < 0)
		return rc;
	o->open = t->to.at == NULL;
	b->forks[x] |= o->open;
	for (unsigned i = 0; i < o->n && rc == 0; i++)
		rc = stream_offer(k, b, x, i, &o->want[i]);
	if (rc < 0 || (rc = answer_write(k, b, x, o)) < 0) {
		ng_offer_free(o);
		return rc;
	}
	ng_offer_free(b->offer[x]);
	b->offer[x] = o;
	b->signal_ms = ng_now_ms();
	return 0;
}

// What was said of a phone holds in each branch that it opens.
static void side_inherit(struct ng_branch *b, struct ng_str tag)
{
	struct ng_branch *other;

	TAILQ_FOREACH_REVERSE(other, &b->call->branches, ng_branches, link)
	{
		int i = other != b ? ng_branch_side(other, tag) : -1;
		if (i < 0)
			continue;
		b->side[0].gate = other->side[i].gate;
		if (other->side[i].label != NULL)
			b->side[0].label = strdup(other->side[i].label);
		return;
	}
}

int ng_do_offer(const struct ng_ask *k)
{
	struct ng_texts t;
	struct ng_branch *b = NULL;
	unsigned x = 0;
	int rc;

	if ((rc = ng_texts_read(k, true, &t)) < 0 || (rc = ng_sdp_read(k)) < 0)
		return rc;
	if (ng_flag(k->req, NG_FLAG_LOOP_PROTECT) && ng_sdp_looped(k->all, &k->all->sdp)) {
		ng_add_str(k->a, k->answer, "sdp", k->req->key[NG_KEY_SDP].text);
		return 0;
	}
	struct ng_call *call = ng_call_find(k->all, t.id);
	bool fresh = call == NULL, made = false;
	if (fresh && (rc = ng_call_new(k->all, t.id, &call, k->err)) < 0)
		return rc;
	call->last_signal = time(NULL);
	if (!fresh && (b = ng_match_offer(call, &t, &x)) == NULL &&
	    (b = ng_match_answered(call, &t, &x)) != NULL)
		return ng_answer_to(k, b, x, t.from);
	if (b == NULL) {
		made = true;
		if ((rc = ng_branch_new(call, t.via, &b, k->err)) < 0) {
			if (fresh)
				ng_call_end(call, "refused");
			return rc;
		}
		side_inherit(b, t.from);
	}
	ng_branch_settle(b);
	if (ng_tag_of(&b->side[!x]) == NULL)
		rc = ng_tag_use(&b->side[!x], t.to, k->err);
	if (rc == 0)
		rc = offer_do(k, b, x, &t);
	if (rc == 0)
		rc = ng_record_call(k, call);
	if (rc == 0) {
		if (fresh) {
			k->all->figures.calls++;
			ng_record_begin(call);
		}
		return 0;
	}
	if (!made)
		return rc;
	ng_branch_end(b, "refused");
	return rc == -ENOMEM ? -EBUSY : rc; // another node may have some
}
