// SPDX-License-Identifier: BSD-3-Clause
// Call records: one a call. Its sides, streams, end and reason are those of the branch that was answered last.
#include "ng_call_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct ng_branch *branch_of(const struct ng_call *call)
{
	const struct ng_branch *b, *best = TAILQ_FIRST(&call->branches);

	TAILQ_FOREACH (b, &call->branches, link)
		if (b->answered > best->answered)
			best = b;
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
			     .answer = call->answer_ms};
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

	if (call->record == 0 || b == NULL || b->answered < call->ended.answered)
		return;
	record_fill(call, b, &r);
	r.n_streams = streams_read(b, stats);
	r.stream = stats;
	record_update(call->all->ctl->records, call->record, &r);
}

void ng_record_keep(struct ng_branch *b)
{
	struct ng_call *call = b->call;
	struct ng_kept *k = call->ended.kept;

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
	r.end = call->ended.ms;
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
