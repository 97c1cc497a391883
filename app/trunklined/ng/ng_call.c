// SPDX-License-Identifier: BSD-3-Clause
// Calls by their call-id, their branches, and which verb is done where.
#include "base/log.h"
#include "ng_call_priv.h"
#include "ng_server.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// A node whose workers all have no moment to spare takes no further calls: they would hurt those in progress.
#define BUSY_SHARE 0.97 // of each worker's time ...
#define BUSY_SECONDS 3  // ... for so long

#define TICK_MS 20
#define REAP_MOST 200 // deleted branches that end in one go
#define LOOK_MS 9000  // each call is looked at so often

int64_t ng_utc_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

// ---- the table ----

// Call IDs come from phones: the seed keeps them from choosing a bucket.
static uint32_t id_hash(const struct ng_calls *c, struct ng_str id)
{
	uint64_t h = c->seed;

	for (uint32_t i = 0; i < id.len; i++)
		h = (h ^ (unsigned char)id.at[i]) * UINT64_C(0x9e3779b97f4a7c15) ^ h >> 29;
	return (uint32_t)(h ^ h >> 32);
}

struct ng_call *ng_call_find(const struct ng_calls *c, struct ng_str id)
{
	uint32_t hash = id_hash(c, id);
	struct ng_call *call;

	LIST_FOREACH(call, &c->bucket[hash & c->mask], bucket)
	if (call->hash == hash && ng_text_is(call->id, id))
		return call;
	return NULL;
}

int ng_call_new(struct ng_calls *c, struct ng_str id, struct ng_call **out, struct err *err)
{
	uint32_t hash = id_hash(c, id);

	if (c->n >= c->ctl->config->max_calls)
		return err_set(err, -EUSERS, "Parallel session limit reached");
	if (c->busy_seconds >= BUSY_SECONDS) {
		c->figures.load_limit++;
		return err_set(err, -EBUSY, "all workers are busy");
	}
	struct ng_call *call = calloc(1, sizeof(*call) + id.len + 1);
	if (call == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	call->all = c;
	call->hash = hash;
	call->start_ms = ng_utc_ms();
	memcpy(call->id, id.at, id.len);
	TAILQ_INIT(&call->branches);
	TAILQ_INSERT_TAIL(&c->ages, call, age);
	LIST_INSERT_HEAD(&c->bucket[hash & c->mask], call, bucket);
	c->n++;
	*out = call;
	return 0;
}

// Has no branches any more.
static void call_free(struct ng_call *call)
{
	struct ng_calls *c = call->all;

	ng_record_end(call);
	if (call->recording != NULL)
		recording_stop(call->recording);
	if (call->ended.answer_ms != 0 && call->ended.end_ms > call->ended.answer_ms)
		c->figures.seconds += (uint64_t)(call->ended.end_ms - call->ended.answer_ms) / 1000;
	if (c->look == call)
		c->look = TAILQ_NEXT(call, age);
	TAILQ_REMOVE(&c->ages, call, age);
	LIST_REMOVE(call, bucket);
	c->n--;
	free(call);
}

void ng_call_end(struct ng_call *call, const char *why)
{
	unsigned n = call->n_branches;

	if (n == 0) {
		call_free(call);
		return;
	}
	while (n-- > 0) // the last one takes the call with it
		ng_branch_end(TAILQ_FIRST(&call->branches), why);
}

// ---- branches ----

int ng_branch_new(struct ng_call *call, struct ng_str via, struct ng_branch **out, struct err *err)
{
	struct ng_branch *b;

	if (call->n_branches >= NG_BRANCHES_MAX)
		return err_set(err, -E2BIG, "the call has %d branches already", NG_BRANCHES_MAX);
	if ((b = calloc(1, sizeof(*b))) == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	b->via = ng_text_copy(via);
	b->call = call;
	b->dscp = -1;
	b->created = time(NULL);
	b->opened_ms = b->signal_ms = ng_now_ms();
	for (unsigned i = 0; i < 2; i++)
		SLIST_INIT(&b->side[i].tags);
	media_timeouts_default(call->all->ctl, &b->timeouts);
	TAILQ_INSERT_TAIL(&call->branches, b, link);
	call->n_branches++;
	*out = b;
	return 0;
}

void ng_branch_settle(struct ng_branch *b)
{
	if (b->delete_ms == 0)
		return;
	b->delete_ms = 0;
	TAILQ_REMOVE(&b->call->all->dying, b, dying);
}

void ng_branch_end(struct ng_branch *b, const char *why)
{
	struct ng_call *call = b->call;

	ng_record_keep(b, why);
	ng_branch_settle(b);
	for (unsigned i = 0; i < b->n_streams; i++)
		if (b->stream[i].media != NULL)
			media_close(b->stream[i].media, NULL);
	free(b->stream);
	for (unsigned i = 0; i < 2; i++) {
		ng_side_clear(&b->side[i]);
		ng_offer_free(b->offer[i]);
	}
	free(b->via);
	TAILQ_REMOVE(&call->branches, b, link);
	call->n_branches--;
	free(b);
	if (call->n_branches == 0)
		call_free(call);
}

// A stream has no packets: the branch ends if all of its streams have none.
static bool all_silent(struct ng_branch *b, const struct media *m)
{
	uint64_t now = ng_now_ms();
	bool all = true;

	for (unsigned i = 0; i < b->n_streams; i++) {
		struct ng_stream *s = &b->stream[i];
		if (s->media == m)
			s->silent_ms = now;
		// Streams that stay are reported again each second; what nobody has answered is not
		// waited for.
		all &= s->media == NULL || !media_spec_of(s->media)->answered ||
		       (s->silent_ms != 0 && now - s->silent_ms < 2500);
	}
	return all;
}

void ng_stream_end(struct ng_branch *b, struct ng_stream *s)
{
	struct media_stats last;

	if (s->media == NULL)
		return;
	const struct media_spec *spec = media_spec_of(s->media);
	for (unsigned i = 0; i < 2; i++) {
		s->port[i] = media_port(s->media, i);
		s->address[i] = spec->side[i].address;
		s->keys_spent |= spec->side[i].out.suite != SRTP_NONE;
	}
	media_close(s->media, &last);
	s->media = NULL;
	uint64_t heard = ng_heard_ms(&last);
	b->heard_ms = heard > b->heard_ms ? heard : b->heard_ms;
	if (s->ended)
		media_stats_add(&last, &s->past);
	s->past = last;
	s->ended = true;
}

static void stream_drop(struct ng_branch *b, const struct media *m)
{
	for (unsigned i = 0; i < b->n_streams; i++)
		if (b->stream[i].media == m)
			ng_stream_end(b, &b->stream[i]);
}

static void branch_timed_out(struct ng_branch *b, enum media_end why)
{
	struct ng_call_figures *f = &b->call->all->figures;

	f->silent += why == MEDIA_END_SILENCE || why == MEDIA_END_HELD;
	f->offer += why == MEDIA_END_OFFER;
	f->final += why == MEDIA_END_FINAL;
	log_notice("ng: call %s ended: %s", b->call->id, media_end_name(why));
	ng_branch_end(b, media_end_name(why));
}

static void on_timed_out(void *arg, struct media *m, enum media_end why)
{
	struct ng_branch *b = arg;

	if ((why == MEDIA_END_SILENCE || why == MEDIA_END_HELD) && !all_silent(b, m))
		return;
	// A section that a re-offer added, or that one phone of several has rejected.
	if (why == MEDIA_END_OFFER && b->answered)
		stream_drop(b, m);
	else
		branch_timed_out(b, why);
}

const struct media_events ng_media_events = {.timed_out = on_timed_out};

static bool passed(uint64_t now, uint64_t from_ms, uint32_t seconds)
{
	return seconds != 0 && now - from_ms >= seconds * UINT64_C(1000);
}

// Streams have timers of their own; a branch none of whose sections is relayed has none but this.
static void branch_look(struct ng_branch *b, uint64_t now)
{
	const struct media_timeouts *t = &b->timeouts;
	bool relayed = false;

	for (unsigned i = 0; i < b->n_streams; i++)
		relayed |= b->stream[i].media != NULL;
	if (b->delete_ms != 0)
		return;
	if (passed(now, b->opened_ms, t->final))
		branch_timed_out(b, MEDIA_END_FINAL);
	else if (!relayed && passed(now, b->signal_ms, b->answered ? t->held : t->offer))
		branch_timed_out(b, b->answered ? MEDIA_END_HELD : MEDIA_END_OFFER);
}

// The call may end here.
static void call_look(struct ng_call *call, uint64_t now)
{
	struct ng_branch *b = TAILQ_FIRST(&call->branches), *next;

	ng_record_update(call);
	for (; b != NULL; b = next) {
		next = TAILQ_NEXT(b, link);
		branch_look(b, now);
	}
}

// ---- the whole ----

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ng_calls *c = arg;
	struct ng_branch *b;
	uint64_t now = ng_now_ms();

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < REAP_MOST && (b = TAILQ_FIRST(&c->dying)) != NULL; i++) {
		if (b->delete_ms > now)
			break;
		ng_branch_end(b, "delete");
	}
	for (uint32_t n = c->n / (LOOK_MS / TICK_MS) + 1; n > 0; n--) {
		struct ng_call *call = c->look != NULL ? c->look : TAILQ_FIRST(&c->ages);
		if (call == NULL)
			break;
		c->look = TAILQ_NEXT(call, age);
		call_look(call, now);
	}
}

struct ng_calls *ng_calls_new(struct control *ctl, const struct ng_stats *stats)
{
	const struct timeval often = {.tv_usec = TICK_MS * 1000};
	struct ng_calls *c = calloc(1, sizeof(*c));
	uint32_t buckets = 1024;
	uint64_t mark;

	if (c == NULL)
		return NULL;
	c->ctl = ctl;
	c->stats = stats;
	TAILQ_INIT(&c->ages);
	TAILQ_INIT(&c->dying);
	while (buckets < ctl->config->max_calls)
		buckets *= 2;
	c->mask = buckets - 1;
	arc4random_buf(&c->seed, sizeof(c->seed));
	arc4random_buf(&mark, sizeof(mark));
	snprintf(c->loop_mark, sizeof(c->loop_mark), "a=trunkline:%016" PRIx64, mark);
	c->bucket = calloc(buckets, sizeof(*c->bucket));
	c->tick = event_new(ctl->base, -1, EV_PERSIST, on_tick, c);
	if (c->bucket == NULL || c->tick == NULL || event_add(c->tick, &often) < 0) {
		ng_calls_free(c);
		return NULL;
	}
	return c;
}

void ng_calls_free(struct ng_calls *c)
{
	struct ng_call *call;

	if (c == NULL)
		return;
	while ((call = TAILQ_FIRST(&c->ages)) != NULL)
		ng_call_end(call, "stop");
	if (c->tick != NULL)
		event_free(c->tick);
	free(c->bucket);
	free(c->domain);
	explicit_bzero(c, sizeof(*c)); // SDP has keys in it
	free(c);
}

static int do_ping(const struct ng_ask *k)
{
	ng_add_text(k->a, k->answer, "result", "pong");
	return 0;
}

static int (*const verbs[NG_VERB_COUNT])(const struct ng_ask *k) = {
	[NG_VERB_PING] = do_ping,
	[NG_VERB_OFFER] = ng_do_offer,
	[NG_VERB_ANSWER] = ng_do_answer,
	[NG_VERB_DELETE] = ng_do_delete,
	[NG_VERB_QUERY] = ng_do_query,
	[NG_VERB_LIST] = ng_do_list,
	[NG_VERB_STATISTICS] = ng_do_statistics,
	[NG_VERB_BLOCK_MEDIA] = ng_do_gate,
	[NG_VERB_UNBLOCK_MEDIA] = ng_do_gate,
	[NG_VERB_BLOCK_DTMF] = ng_do_gate,
	[NG_VERB_UNBLOCK_DTMF] = ng_do_gate,
	[NG_VERB_SILENCE_MEDIA] = ng_do_gate,
	[NG_VERB_UNSILENCE_MEDIA] = ng_do_gate,
	[NG_VERB_START_RECORDING] = ng_do_recording,
	[NG_VERB_STOP_RECORDING] = ng_do_recording,
};

int ng_calls_do(struct ng_calls *c, const struct ng_request *req, struct ng_arena *a,
		struct ng_val *answer, struct err *err)
{
	const struct ng_ask k = {.all = c, .req = req, .a = a, .answer = answer, .err = err};

	explicit_bzero(c->out, c->out_len); // SDP has keys in it
	c->out_len = 0;
	if (verbs[req->verb] == NULL)
		return err_set(err, -EOPNOTSUPP, "Command \"%s\" is not supported",
			       ng_verb_name(req->verb));
	int rc = verbs[req->verb](&k);
	if (req->verb == NG_VERB_OFFER || req->verb == NG_VERB_ANSWER)
		sdp_wipe(&c->sdp);
	if (rc == 0 && req->verb != NG_VERB_PING)
		ng_add_text(a, answer, "result", "ok");
	c->figures.rejected += rc == -EUSERS;
	c->figures.no_ports += rc == -ENOSPC;
	return rc;
}

static bool all_busy(const struct control *ctl)
{
	uint64_t ticks = ctl->now.tsc - ctl->before.tsc;

	for (unsigned i = 0; i < ctl->config->n_workers; i++)
		if ((double)(ctl->now.busy[i] - ctl->before.busy[i]) < BUSY_SHARE * (double)ticks)
			return false;
	return ticks != 0;
}

void ng_calls_second(struct ng_calls *c)
{
	c->busy_seconds = all_busy(c->ctl) ? c->busy_seconds + 1 : 0;
}

bool ng_calls_stop(struct ng_calls *c, const char *id)
{
	struct ng_call *call = ng_call_find(c, (struct ng_str){id, (uint32_t)strlen(id)});

	if (call != NULL)
		ng_call_end(call, "delete");
	return call != NULL;
}

uint32_t ng_calls_count(const struct ng_calls *c)
{
	return c->n;
}
