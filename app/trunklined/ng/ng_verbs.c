// SPDX-License-Identifier: BSD-3-Clause
// Verbs beside offer and answer that do something to a call: delete, block and silence, recording.
#include "base/log.h"
#include "ng_call_priv.h"
#include "ng_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_MAX 86400 // s

// ---- delete ----

// A phone of several that answered, and not the one that is spoken to: the others stay.
static bool fork_forget(struct ng_branch *b, struct ng_str tag)
{
	int i = tag.at == NULL ? -1 : ng_branch_side(b, tag);

	if (i < 0 || ng_text_is(ng_tag_of(&b->side[i]), tag))
		return false;
	ng_tag_forget(&b->side[i], tag);
	return true;
}

static void branch_delete(struct ng_branch *b, int64_t delay)
{
	struct ng_calls *c = b->call->all;
	struct ng_branch *before;

	c->figures.regular++;
	if (delay <= 0) {
		ng_branch_end(b, "delete");
		return;
	}
	ng_branch_settle(b);
	b->delete_ms = ng_now_ms() + (uint64_t)delay * 1000;
	b->deleted_ms = ng_utc_ms();
	TAILQ_FOREACH_REVERSE(before, &c->dying, ng_dying, dying)
	if (before->delete_ms <= b->delete_ms)
		break;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&c->dying, before, b, dying);
	else
		TAILQ_INSERT_HEAD(&c->dying, b, dying);
}

static int delete_none(const struct ng_ask *k)
{
	static const char why[] = "Call-ID not found or tags didn't match";

	if (ng_flag(k->req, NG_FLAG_FATAL))
		return err_set(k->err, -ENOENT, "%s", why);
	ng_add_text(k->a, k->answer, "warning", why);
	return 0;
}

int ng_do_delete(const struct ng_ask *k)
{
	const struct ng_field *delay = &k->req->key[NG_KEY_DELETE_DELAY];
	struct ng_branch *b, *next;
	enum ng_match best = NG_MATCH_OPEN;
	struct ng_figures f;
	struct ng_texts t;
	unsigned n = 0;
	int rc = ng_texts_read(k, false, &t);

	if (rc < 0)
		return rc;
	if (delay->there && (delay->num < 0 || delay->num > DELAY_MAX))
		return err_set(k->err, -EINVAL, "delete-delay: %lld; it is 0 to %d seconds",
			       (long long)delay->num, DELAY_MAX);
	struct ng_call *call = ng_call_find(k->all, t.id);
	if (call == NULL)
		return delete_none(k);
	if (ng_flag(k->req, NG_FLAG_ALL))
		t = (struct ng_texts){.id = t.id};
	TAILQ_FOREACH (b, &call->branches, link) {
		enum ng_match m = ng_match_delete(b, &t);
		best = m > best ? m : best;
	}
	call->last_signal = time(NULL);
	ng_figures_begin(&f, k, call);
	for (b = TAILQ_FIRST(&call->branches); b != NULL; b = next) {
		next = TAILQ_NEXT(b, link);
		if (ng_match_delete(b, &t) != best)
			continue;
		n++;
		ng_figures_branch(&f, b);
		if (!fork_forget(b, t.from) && !fork_forget(b, t.to))
			branch_delete(b, delay->there ? delay->num : 0);
	}
	ng_figures_end(&f);
	return n == 0 ? delete_none(k) : 0;
}

// ---- block and silence ----

static void gate_set(struct ng_gate *g, enum ng_verb verb)
{
	if (verb == NG_VERB_BLOCK_MEDIA || verb == NG_VERB_UNBLOCK_MEDIA)
		g->media = verb == NG_VERB_BLOCK_MEDIA;
	else if (verb == NG_VERB_BLOCK_DTMF || verb == NG_VERB_UNBLOCK_DTMF)
		g->dtmf = verb == NG_VERB_BLOCK_DTMF;
	else
		g->silenced = verb == NG_VERB_SILENCE_MEDIA;
}

static int branch_apply(struct ng_branch *b, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < b->n_streams && rc == 0; i++) {
		struct ng_stream *s = &b->stream[i];
		if (s->media == NULL)
			continue;
		struct media_spec spec = *media_spec_of(s->media);
		ng_spec_gate(b, &spec);
		spec.recording = b->call->recording;
		rc = ng_stream_set(s, &spec, err);
		explicit_bzero(&spec, sizeof(spec));
	}
	return rc;
}

// Whether a side's signalled address is this one.
static bool side_at(const struct ng_branch *b, unsigned side, const struct ip_addr *a)
{
	for (unsigned i = 0; i < b->n_streams; i++)
		if (b->stream[i].media != NULL &&
		    ip_addr_equal(&media_spec_of(b->stream[i].media)->side[side].rtp.addr, a))
			return true;
	return false;
}

static int address_read(const struct ng_ask *k, struct ip_addr *out)
{
	struct ng_str s = k->req->key[NG_KEY_ADDRESS].text;
	char text[IP_ADDR_STRLEN];

	*out = (struct ip_addr){0};
	if (s.len == 0)
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)s.len, s.at);
	if (s.len >= sizeof(text) || ip_addr_parse(text, out) < 0)
		return err_set(k->err, -EINVAL, "address: %s is no IP address", text);
	return 0;
}

// Whose media it is for.
struct gated {
	struct ng_str label, tag; // a label counts before an address, that before a tag
	struct ip_addr address;
};

static bool gated_is(const struct gated *g, const struct ng_branch *b, unsigned side)
{
	if (g->label.at != NULL)
		return ng_text_is(b->side[side].label, g->label);
	if (g->address.family != 0)
		return side_at(b, side, &g->address);
	return ng_tag_has(&b->side[side], g->tag);
}

static int gated_none(const struct ng_ask *k, const struct gated *g)
{
	return err_set(k->err, -ENOENT, "%s",
		       g->label.at != NULL      ? "No monologue matching the given label"
		       : g->address.family != 0 ? "Failed to match media address"
						: "From-tag given, but no such tag exists");
}

static int gate_some(const struct ng_ask *k, struct ng_call *call, const struct gated *g)
{
	struct ng_branch *b;
	unsigned n = 0;
	int rc = 0;

	TAILQ_FOREACH (b, &call->branches, link) {
		for (unsigned i = 0; i < 2 && rc == 0; i++) {
			if (!gated_is(g, b, i))
				continue;
			n++;
			gate_set(&b->side[i].gate, k->req->verb);
			if (k->req->key[NG_KEY_SET_LABEL].there)
				rc = ng_label_take(k, &b->side[i]);
			if (rc == 0)
				rc = branch_apply(b, k->err);
		}
	}
	return n == 0 ? gated_none(k, g) : rc;
}

// What is blocked of one side stays so when the call is no longer, unless "all" is said.
static int gate_all(const struct ng_ask *k, struct ng_call *call)
{
	struct ng_branch *b;
	int rc = 0;

	gate_set(&call->gate, k->req->verb);
	TAILQ_FOREACH (b, &call->branches, link) {
		for (unsigned i = 0; i < 2 && ng_flag(k->req, NG_FLAG_ALL); i++)
			gate_set(&b->side[i].gate, k->req->verb);
		if (rc == 0)
			rc = branch_apply(b, k->err);
	}
	return rc;
}

int ng_do_gate(const struct ng_ask *k)
{
	struct gated g;
	struct ng_texts t;
	int rc;

	if ((rc = ng_texts_read(k, false, &t)) < 0 || (rc = address_read(k, &g.address)) < 0 ||
	    (rc = ng_text_check(k, NG_KEY_LABEL, &g.label)) < 0)
		return rc;
	g.tag = t.from;
	struct ng_call *call = ng_call_find(k->all, t.id);
	if (call == NULL)
		return err_set(k->err, -ENOENT, "Unknown call-id");
	call->last_signal = time(NULL);
	if (ng_flag(k->req, NG_FLAG_ALL) ||
	    (g.tag.at == NULL && g.label.at == NULL && g.address.family == 0))
		return gate_all(k, call);
	return gate_some(k, call, &g);
}

// ---- recording ----

static int call_apply(struct ng_call *call, struct err *err)
{
	struct ng_branch *b;
	int rc = 0;

	TAILQ_FOREACH (b, &call->branches, link)
		if (rc == 0)
			rc = branch_apply(b, err);
	return rc;
}

static int record_start(const struct ng_ask *k, struct ng_call *call)
{
	struct control *ctl = k->all->ctl;

	if (call->recording != NULL)
		return 0;
	if (ctl->recorder == NULL)
		return err_set(
			k->err, -EOPNOTSUPP,
			"no recordings: the configuration has no directory for them (recordings)");
	int rc = recording_start(ctl->recorder, call->id, &call->recording, k->err);
	if (rc < 0) {
		call->recording = NULL;
		return rc;
	}
	return call_apply(call, k->err);
}

static int record_stop(const struct ng_ask *k, struct ng_call *call)
{
	struct recording *rec = call->recording;

	if (rec == NULL)
		return 0;
	call->recording = NULL;
	int rc = call_apply(call, k->err);
	if (rc < 0)
		call->recording = rec; // its legs still have its number
	else
		recording_stop(rec);
	return rc;
}

int ng_do_recording(const struct ng_ask *k)
{
	struct ng_texts t;
	int rc = ng_texts_read(k, false, &t);

	if (rc < 0)
		return rc;
	struct ng_call *call = ng_call_find(k->all, t.id);
	if (call == NULL)
		return err_set(k->err, -ENOENT, "Unknown call-id");
	return k->req->verb == NG_VERB_START_RECORDING ? record_start(k, call)
						       : record_stop(k, call);
}

static bool word_in(struct ng_str s, const char *words)
{
	char word[NG_WORD_MAX + 3] = " ", low[NG_WORD_MAX + 1];

	if (!ng_word_normalise(s, low))
		return false;
	snprintf(word, sizeof(word), " %s ", low);
	return strstr(words, word) != NULL;
}

// A call is not refused because it can't be recorded.
int ng_record_call(const struct ng_ask *k, struct ng_call *call)
{
	struct ng_str s = k->req->key[NG_KEY_RECORD_CALL].text;
	char text[sizeof(k->err->text) + 16];
	struct err err = {""};
	struct ng_ask quiet = *k;
	int rc = 0;

	quiet.err = &err;
	if (ng_flag(k->req, NG_FLAG_RECORD_CALL_FLAG) ||
	    (s.len > 0 && word_in(s, " yes on true 1 ")))
		rc = record_start(&quiet, call);
	else if (s.len > 0 && word_in(s, " no off false 0 "))
		rc = record_stop(&quiet, call);
	if (rc == 0)
		return 0;
	snprintf(text, sizeof(text), "record-call: %s", err.text);
	log_warn("ng: call %s: %s", call->id, text);
	ng_add_printf(k->a, k->answer, "warning", "%s", text);
	return 0;
}
