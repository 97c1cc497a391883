// SPDX-License-Identifier: BSD-3-Clause
// "answer": what was offered takes effect, as far as it is answered.
#include "ng_call_priv.h"
#include "ng_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Keys of both sides, and the offerer's a=crypto line.
static int keys_set(const struct ng_ask *k, const struct ng_wanted *w,
		    const struct sdp_section *sec, unsigned x, const struct media_spec *now,
		    struct media_spec *spec, struct sdp_crypto *line)
{
	struct media_side_spec *offerer = &spec->side[x], *answerer = &spec->side[!x];
	int rc = 0;

	offerer->in = offerer->out = answerer->in = answerer->out = (struct srtp_params){0};
	if (sdp_proto_secure(w->proto_to))
		rc = ng_keys_answered(w, &k->all->sdp, sec, answerer, k->err);
	if (rc == 0 && sdp_proto_secure(w->proto))
		rc = ng_keys_answer(w, answerer->in.suite, now->answered ? &now->side[x] : NULL,
				    offerer, line, k->err);
	return rc;
}

// As if nothing had been learned of those sides.
static int stream_forget(struct ng_stream *s, const bool side[2], const struct media_spec *next,
			 struct err *err)
{
	struct media_spec blank = *next;

	for (unsigned i = 0; i < 2; i++)
		if (side[i])
			blank.side[i].rtp = blank.side[i].rtcp = (struct ip_endpoint){0};
	int rc = ng_stream_set(s, &blank, err);
	explicit_bzero(&blank, sizeof(blank));
	return rc;
}

static int stream_answer(const struct ng_ask *k, struct ng_branch *b, unsigned x, unsigned i,
			 const struct ng_wanted *w, bool other, struct sdp_crypto *line, bool *mux)
{
	const struct sdp_section *sec = &k->all->sdp.section[i];
	struct ng_stream *s = &b->stream[i];
	const struct media_spec *now = media_spec_of(s->media);
	struct media_spec spec = *now;
	struct media_side_spec *offerer = &spec.side[x], *answerer = &spec.side[!x];
	const uint64_t types[2] = {w->types[0] | sec->types[0], w->types[1] | sec->types[1]};
	struct media_side_spec said;
	int rc = ng_side_spec(k, b, &b->side[!x], sec, &now->side[!x], &said);

	if (rc < 0)
		return rc;
	uint16_t port[2] = {now->side[0].port, now->side[1].port};
	*offerer = w->spec;
	*answerer = said;
	answerer->address = now->side[!x].address; // it was told of that one
	offerer->address = b->side[x].place.address;
	offerer->customer = b->side[x].place.customer;
	for (unsigned j = 0; j < 2; j++)
		spec.side[j].port = port[j];
	// Each sends what the other has said of payload types.
	offerer->dtmf_type = said.dtmf_type;
	answerer->dtmf_type = w->spec.dtmf_type;
	offerer->clock_rate = answerer->clock_rate = said.clock_rate;
	offerer->codec = answerer->codec = said.codec;
	answerer->rtcp_mux = sec->rtcp_mux && w->mux_to;
	*mux = w->mux && (w->mux_accept || (!w->mux_reject && sec->rtcp_mux));
	offerer->rtcp_mux = *mux;
	if ((rc = keys_set(k, w, sec, x, now, &spec, line)) < 0) {
		explicit_bzero(&spec, sizeof(spec));
		return rc;
	}
	spec.answered = true;
	ng_spec_finish(k->all, b, &spec, types);
	bool forget[2];
	forget[x] = w->forget;
	forget[!x] =
		other || ng_forgets(k->req); // two phones behind NATs may signal the same address
	if (forget[0] || forget[1]) {
		rc = stream_forget(s, forget, &spec, k->err);
		for (unsigned j = 0; j < 2; j++)
			spec.side[j].port = media_port(s->media, j);
	}
	if (rc == 0)
		rc = ng_stream_set(s, &spec, k->err);
	explicit_bzero(&spec, sizeof(spec));
	s->proto[x] = w->proto;
	s->proto[!x] = w->proto_to;
	s->silent_ms = 0;
	return rc;
}

// The phone that answers is where its address says; which media address it was told stays.
static int answerer_place(const struct ng_ask *k, struct ng_branch *b, unsigned y)
{
	const struct sdp *sdp = &k->all->sdp;
	struct ng_place found = {0};
	struct media_side_spec said;

	if (b->side[y].place.named)
		return 0;
	for (unsigned i = 0; i < sdp->n_sections && !found.known; i++) {
		if (sdp->section[i].port == 0)
			continue;
		int rc = ng_side_spec(k, b, &b->side[y], &sdp->section[i], NULL, &said);
		if (rc < 0)
			return rc;
		ng_place_find(k->all, &said.rtp.addr, &found);
	}
	if (found.known) {
		b->side[y].place.customer = found.customer;
		b->side[y].place.known = true;
	}
	return 0;
}

// A stream that one phone has rejected is there again for the next one, at the ports that all of them were told,
// unless somebody else has those by now.
static bool stream_again(const struct ng_ask *k, struct ng_branch *b, unsigned x, unsigned i,
			 const struct ng_wanted *w)
{
	struct ng_stream *s = &b->stream[i];
	struct media_spec spec = {0};
	struct err none;

	if (s->media != NULL || !s->ended || s->keys_spent)
		return s->media != NULL;
	ng_spec_open(b, x, w, &spec);
	ng_spec_finish(k->all, b, &spec, w->types);
	for (unsigned j = 0; j < 2; j++) {
		spec.side[j].port = s->port[j];
		spec.side[j].address = s->address[j];
	}
	return media_open(k->all->ctl, b->call->id, &spec, &ng_media_events, b, &s->media, &none) ==
	       0;
}

// What can be wrong with a section is found before any of them takes effect.
static int sections_check(const struct ng_ask *k, struct ng_branch *b, unsigned x)
{
	const struct ng_offer *o = b->offer[x];
	const struct sdp *sdp = &k->all->sdp;
	struct media_side_spec said;
	int rc = 0;

	for (unsigned i = 0; i < sdp->n_sections && i < o->n && rc == 0; i++) {
		const struct sdp_section *sec = &sdp->section[i];
		const struct ng_wanted *w = &o->want[i];
		if (!w->ours || sec->port == 0)
			continue;
		rc = ng_side_spec(k, b, &b->side[!x], sec, NULL, &said);
		if (rc == 0 && sdp_proto_secure(w->proto_to))
			rc = ng_keys_answered(w, sdp, sec, &said, k->err);
	}
	explicit_bzero(&said, sizeof(said));
	return rc;
}

// other: another phone answers than the last time. *took: streams are its own now, as far as it went.
static int answer_do(const struct ng_ask *k, struct ng_branch *b, unsigned x, bool other,
		     bool *took)
{
	const struct ng_offer *o = b->offer[x];
	const struct sdp *sdp = &k->all->sdp;
	struct sdp_change *ch = &k->all->change;
	struct sdp_crypto lines[SDP_SECTIONS_MAX];
	int rc = sections_check(k, b, x);

	if (rc < 0 || (rc = answerer_place(k, b, !x)) < 0 ||
	    (rc = ng_place_address(k, &b->side[x].place)) < 0)
		return rc;
	const struct ip_addr *local = &k->all->ctl->config->media[b->side[x].place.address].address;
	memset(ch, 0, sizeof(*ch));
	for (unsigned i = 0; i < sdp->n_sections && rc == 0; i++) {
		const struct ng_wanted *w = i < o->n ? &o->want[i] : NULL;
		struct sdp_section_change *sc = &ch->section[i];
		bool mux;
		sc->proto = w != NULL ? w->proto : SDP_PROTO_OTHER;
		if (w == NULL || !w->ours || sdp->section[i].port == 0 ||
		    !stream_again(k, b, x, i, w)) {
			sc->reject = true;
			sc->address = *local;
			continue;
		}
		if ((rc = stream_answer(k, b, x, i, w, other, &lines[i], &mux)) < 0)
			break;
		*took = true;
		ng_section_change(k, i, &b->stream[i], x, mux, sc);
		ng_codecs_strip(k, &sdp->section[i], false, sc->strip);
		sc->rtcp_mux = mux ? SDP_ON : SDP_OFF;
		sc->n_crypto = sdp_proto_secure(w->proto) ? 1 : 0;
		sc->crypto = &lines[i];
	}
	if (rc == 0)
		rc = ng_sdp_write(k, &b->side[x], local);
	for (unsigned i = 0; i < b->n_streams && rc == 0; i++)
		if (i >= sdp->n_sections || ch->section[i].reject)
			ng_stream_end(b, &b->stream[i]);
	explicit_bzero(lines, sizeof(lines));
	return rc;
}

static void answered(struct ng_branch *b, unsigned x)
{
	b->offer[x]->answered = true;
	b->answered = ++b->call->answers;
	b->signal_ms = ng_now_ms();
	// Early media may answer the INVITE before it is answered: the last one counts.
	if (b->offer[x]->open || b->answer_ms == 0)
		b->answer_ms = ng_utc_ms();
	// What the other side had offered at the same time is not going to be answered.
	if (b->offer[!x] != NULL && !b->offer[!x]->answered) {
		ng_offer_free(b->offer[!x]);
		b->offer[!x] = NULL;
	}
	ng_record_update(b->call);
}

int ng_answer_to(const struct ng_ask *k, struct ng_branch *b, unsigned x, struct ng_str tag)
{
	struct ng_call *call = b->call;
	struct ng_side *s = &b->side[!x];
	const char *was = ng_tag_of(s);
	bool known = ng_tag_has(s, tag), other = was != NULL && !ng_text_is(was, tag);
	bool took = false;
	int rc;

	call->last_signal = time(NULL);
	ng_branch_settle(b);
	if ((rc = ng_branch_keys(k, b)) < 0 || (rc = ng_tag_use(s, tag, k->err)) < 0)
		return rc;
	if ((rc = ng_label_take(k, s)) < 0 || (rc = answer_do(k, b, x, other, &took)) < 0) {
		if (!known && !took)
			ng_tag_forget(s, tag);
		else if (other && !took)
			ng_tag_use(s, (struct ng_str){was, (uint32_t)strlen(was)}, k->err);
		return rc;
	}
	answered(b, x);
	return ng_record_call(k, call);
}

int ng_do_answer(const struct ng_ask *k)
{
	struct ng_texts t;
	unsigned x;
	int rc;

	if ((rc = ng_texts_read(k, true, &t)) < 0)
		return rc;
	if (t.to.at == NULL)
		return err_set(k->err, -EINVAL, "No to-tag in message");
	if ((rc = ng_sdp_read(k)) < 0)
		return rc;
	if (ng_flag(k->req, NG_FLAG_LOOP_PROTECT) && ng_sdp_looped(k->all, &k->all->sdp)) {
		ng_add_str(k->a, k->answer, "sdp", k->req->key[NG_KEY_SDP].text);
		return 0;
	}
	struct ng_call *call = ng_call_find(k->all, t.id);
	if (call == NULL)
		return err_set(k->err, -ENOENT, "Unknown call-id");
	struct ng_branch *b = ng_match_answer(call, &t, &x);
	if (b == NULL)
		return err_set(k->err, -ENOENT, "Unknown dialogue: no offer by %.*s is open",
			       (int)t.from.len, t.from.at);
	return ng_answer_to(k, b, x, ng_tag_has(&b->side[x], t.to) ? t.from : t.to);
}
