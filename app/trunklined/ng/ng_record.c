// SPDX-License-Identifier: BSD-3-Clause
// Call records: one a call. Its sides, streams, answer, end and reason are those of the branch that carried it.
#include "ng_call_priv.h"
#include "ng_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t ng_heard_ms(const struct media_stats *s)
{
	uint64_t now = ng_now_ms(), heard = 0;

	for (unsigned i = 0; i < 2; i++)
		if (s->side[i].first != 0 && now - s->side[i].idle_ms > heard)
			heard = now - s->side[i].idle_ms;
	return heard;
}

static struct ng_claim claim_of(const struct ng_branch *b)
{
	struct ng_claim c = {b->answered, b->heard_ms};

	for (unsigned i = 0; i < b->n_streams; i++) {
		struct media_stats s;
		if (b->stream[i].media == NULL)
			continue;
		media_stats(b->stream[i].media, &s);
		uint64_t heard = ng_heard_ms(&s);
		c.heard_ms = heard > c.heard_ms ? heard : c.heard_ms;
	}
	return c;
}

static bool claim_holds(struct ng_claim c, struct ng_claim other)
{
	if ((c.answered != 0) != (other.answered != 0))
		return c.answered != 0;
	if (c.heard_ms != other.heard_ms)
		return c.heard_ms > other.heard_ms;
	return c.answered >= other.answered;
}

// The branch that carries the call. NULL: one that has ended does.
static const struct ng_branch *branch_of(const struct ng_call *call)
{
	const struct ng_branch *b, *best = NULL;
	struct ng_claim claim = call->ended.claim;

	if (call->n_branches == 1 && call->ended.why == NULL)
		return TAILQ_FIRST(&call->branches);
	TAILQ_FOREACH (b, &call->branches, link) {
		struct ng_claim c = claim_of(b);
		if ((best == NULL && call->ended.why == NULL) || claim_holds(c, claim)) {
			best = b;
			claim = c;
		}
	}
	return best;
}

static const char *customer_of(const struct ng_call *call, const struct ng_branch *b)
{
	for (unsigned i = 0; i < 2; i++) {
		uint16_t id = b->side[i].place.customer;
		const struct customer *c = call->all->ctl->customer[id].plane;
		if (id != 0 && c != NULL)
			return c->name;
	}
	return NULL;
}

// What flowed in the section so far. False: it never had a stream.
static bool stream_read(const struct ng_stream *s, struct media_stats *out)
{
	if (s->media == NULL) {
		*out = s->past;
		return s->ended;
	}
	media_stats(s->media, out);
	if (s->ended)
		media_stats_add(out, &s->past);
	return true;
}

// The sections' streams in their order; those beyond what a record holds are added to its last.
static unsigned streams_read(const struct ng_branch *b, struct media_stats out[RECORD_STREAMS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_streams; i++) {
		struct media_stats s;
		if (!stream_read(&b->stream[i], &s))
			continue;
		if (n < RECORD_STREAMS_MAX)
			out[n++] = s;
		else
			media_stats_add(&out[n - 1], &s);
	}
	return n;
}

static void record_fill(const struct ng_call *call, const struct ng_branch *b, struct record *r)
{
	*r = (struct record){.call_id = call->id,
			     .via = "ng",
			     .start = call->start_ms,
			     .answer = b != NULL ? b->answer_ms : call->ended.answer_ms};
	if (b == NULL)
		return;
	r->from_tag = ng_tag_of(&b->side[0]);
	r->to_tag = ng_tag_of(&b->side[1]);
	r->customer = customer_of(call, b);
}

void ng_record_begin(struct ng_call *call)
{
	struct record r;

	record_fill(call, branch_of(call), &r);
	call->recorded = true;
	call->record = record_begin(call->all->ctl->records, &r);
}

void ng_record_update(struct ng_call *call)
{
	struct media_stats stats[RECORD_STREAMS_MAX];
	const struct ng_branch *b = branch_of(call);
	struct record r;

	if (call->record == 0 || b == NULL)
		return;
	record_fill(call, b, &r);
	r.n_streams = streams_read(b, stats);
	r.stream = stats;
	record_update(call->all->ctl->records, call->record, &r);
}

void ng_record_keep(struct ng_branch *b, const char *why)
{
	struct ng_call *call = b->call;
	struct ng_kept *k = call->ended.kept;
	bool rivals = call->n_branches > 1 || call->ended.why != NULL, deleted = b->delete_ms != 0;
	struct ng_claim claim = rivals ? claim_of(b) : (struct ng_claim){.answered = b->answered};

	if (call->ended.why != NULL && !claim_holds(claim, call->ended.claim))
		return;
	call->ended.claim = claim;
	call->ended.answer_ms = b->answer_ms;
	call->ended.end_ms = deleted ? b->deleted_ms : ng_utc_ms();
	call->ended.why = deleted ? "delete" : why;
	if (!call->recorded || call->all->ctl->records == NULL)
		return;
	if (k == NULL && (k = call->ended.kept = calloc(1, sizeof(*k))) == NULL)
		return;
	free(k->from_tag);
	free(k->to_tag);
	const char *from = ng_tag_of(&b->side[0]), *to = ng_tag_of(&b->side[1]);
	k->from_tag = from != NULL ? strdup(from) : NULL;
	k->to_tag = to != NULL ? strdup(to) : NULL;
	const char *customer = customer_of(call, b);
	snprintf(k->customer, sizeof(k->customer), "%s", customer != NULL ? customer : "");
	k->n = streams_read(b, k->stats);
}

void ng_record_end(struct ng_call *call)
{
	struct ng_kept *k = call->ended.kept;
	struct record r;

	if (!call->recorded)
		return;
	record_fill(call, NULL, &r);
	r.end = call->ended.end_ms;
	r.reason = call->ended.why;
	if (k != NULL) {
		r.from_tag = k->from_tag;
		r.to_tag = k->to_tag;
		r.customer = k->customer[0] != '\0' ? k->customer : NULL;
		r.n_streams = k->n;
		r.stream = k->stats;
	}
	record_end(call->all->ctl->records, call->record, &r);
	if (k == NULL)
		return;
	free(k->from_tag);
	free(k->to_tag);
	free(k);
	call->ended.kept = NULL;
}
