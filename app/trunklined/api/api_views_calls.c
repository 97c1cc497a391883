// SPDX-License-Identifier: BSD-3-Clause
// Answers about calls.
#include "api_handlers.h"
#include "api_json.h"
#include "api_page.h"
#include "view.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int api_customer_known(struct control *ctl, const char *name, struct err *err)
{
	if (name == NULL || control_customer_index(ctl, name) >= 0)
		return 0;
	return err_set(err, -ENOENT, "there is no customer %s; see trunkline show customers", name);
}

static void put_share(json_t *o, const char *key, double v)
{
	json_object_set_new(o, key, json_real(isfinite(v) ? v : 0));
}

// Not known yet becomes null.
static void put_known(json_t *o, const char *key, double v)
{
	if (v > 0)
		put_real(o, key, v);
	else
		put_text(o, key, NULL);
}

static void leg_signalled(json_t *o, const struct view_leg *l)
{
	static const char *const direction[2][2] = {{"inactive", "recvonly"},
						    {"sendonly", "sendrecv"}};

	put_endpoint(o, "local", &l->local);
	put_endpoint(o, "remote", &l->remote);
	put_endpoint(o, "rtcp", &l->rtcp);
	put_endpoint(o, "seen", &l->seen);
	put_text(o, "customer", l->customer);
	put_text(o, "codec", l->codec);
	put_text(o, "srtp_in", l->srtp_in);
	put_text(o, "srtp_out", l->srtp_out);
	put_text(o, "direction", direction[l->recv][l->send]); // as the peer has it
	put_bool(o, "blocked", l->blocked);
	put_bool(o, "silenced", l->silenced);
	put_bool(o, "dtmf_blocked", l->dtmf_block);
	put_bool(o, "mux", l->mux);
	if (l->dscp >= 0)
		put_int(o, "dscp", (uint64_t)l->dscp);
	else
		put_text(o, "dscp", NULL);
}

static void leg_quality(json_t *o, const struct view_leg *l)
{
	put_real(o, "pps", l->rate.pps);
	put_int(o, "bps", (uint64_t)llround(l->rate.bps));
	put_int(o, "rx_packets", l->rx_packets);
	put_int(o, "rx_bytes", l->rx_bytes);
	put_int(o, "lost", l->lost);
	put_share(o, "lost_share", l->lost_share);
	put_int(o, "burst", l->burst);
	put_int(o, "reordered", l->reordered);
	put_int(o, "duplicate", l->duplicate);
	put_real(o, "jitter_ms", l->jitter_ms);
	put_known(o, "rtt_ms", l->rtt_ms);
	put_known(o, "mos", l->mos);
	if (l->silent_share >= 0)
		put_share(o, "silent_share", l->silent_share);
	else
		put_text(o, "silent_share", NULL);
	put_int(o, "payload_type", l->payload_type);
	put_int(o, "ssrc", l->ssrc);
	put_age(o, "last", l->last);
}

static json_t *leg_json(const struct view_leg *l)
{
	static const char *const latch[] = {[VIEW_LATCH_OPEN] = "open",
					    [VIEW_LATCH_LEARNED] = "learned",
					    [VIEW_LATCH_FIXED] = "fixed"};
	json_t *o = json_object();

	leg_signalled(o, l);
	put_text(o, "latch", latch[l->latch]);
	put_age(o, "learned", l->learned);
	put_int(o, "moves", l->moves);
	put_bool(o, "hairpin", l->hairpin);
	put_int(o, "worker", l->owner);
	leg_quality(o, l);
	put_int(o, "refused", l->refused);
	put_int(o, "waited", l->waited);
	put_int(o, "srtp_auth", l->srtp_auth);
	put_int(o, "srtp_replay", l->srtp_replay);
	put_int(o, "tx_packets", l->tx_packets);
	put_int(o, "tx_bytes", l->tx_bytes);
	put_int(o, "rtcp_rx_packets", l->rtcp_rx_packets);
	put_int(o, "rtcp_tx_packets", l->rtcp_tx_packets);
	put_int(o, "rtcp_refused", l->rtcp_refused);
	return o;
}

static json_t *call_json(const struct view_call *c)
{
	char id[VIEW_CALL_ID_MAX];
	json_t *o = json_object();

	put_text(o, "id", view_call_id(c->id, id));
	put_age(o, "age", c->age);
	put_text(o, "state", c->state);
	put_int(o, "clock_rate", c->clock_rate);
	put_int(o, "timeout", c->timeout);
	put_bool(o, "recorded", c->recorded);
	json_object_set_new(o, "a", leg_json(&c->leg[0]));
	json_object_set_new(o, "b", leg_json(&c->leg[1]));
	return o;
}

// The index of a word in words, which end with NULL; otherwise if it was not given.
static unsigned choice(json_t *args, const char *name, const char *const *words, unsigned otherwise)
{
	const char *text = api_arg_text(args, name);

	for (unsigned i = 0; text != NULL && words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return otherwise;
}

// A place as text, and back; -EINVAL.
static json_t *place_json(const struct view_calls_place *p)
{
	return json_sprintf("%.17g/%" PRIu64, p->key, p->serial);
}

static int place_parse(const char *text, struct view_calls_place *p, struct err *err)
{
	char *end;

	*p = (struct view_calls_place){0};
	if (text == NULL)
		return 0;
	p->key = strtod(text, &end);
	if (end != text && *end == '/' && isdigit((unsigned char)end[1])) {
		p->serial = strtoull(end + 1, &end, 10);
		if (*end == '\0' && isfinite(p->key))
			return 0;
	}
	return err_set(err, -EINVAL, "after: %s is no place; take next of an earlier answer", text);
}

static struct view_calls_filter filter_of(json_t *args)
{
	static const char *const sorts[] = {
		[VIEW_CALLS_OLDEST] = "oldest",   [VIEW_CALLS_NEWEST] = "newest",
		[VIEW_CALLS_LOSS] = "loss",       [VIEW_CALLS_JITTER] = "jitter",
		[VIEW_CALLS_MOS] = "mos",         [VIEW_CALLS_RATE] = "rate",
		[VIEW_CALLS_REFUSED] = "refused", NULL};
	static const char *const securities[] = {[VIEW_SECURITY_ANY] = "any",
						 [VIEW_SECURITY_PLAIN] = "plain",
						 [VIEW_SECURITY_SRTP] = "srtp",
						 [VIEW_SECURITY_MIXED] = "mixed",
						 NULL};

	return (struct view_calls_filter){
		.customer = api_arg_text(args, "customer"),
		.id = api_arg_text(args, "id"),
		.state = api_arg_text(args, "state"),
		.security = choice(args, "security", securities, VIEW_SECURITY_ANY),
		.min_loss = api_arg_real(args, "min_loss", 0) / 100,
		.max_mos = api_arg_real(args, "max_mos", 0),
		.refused = api_arg_bool(args, "refused", false),
		.sort = choice(args, "sort", sorts, VIEW_CALLS_OLDEST),
	};
}

int cmd_show_calls(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct view_calls_filter filter = filter_of(args);
	struct view_calls_place last;
	struct view_call *c;
	size_t total = 0;
	int r = api_customer_known(ctl, filter.customer, err);

	if (r < 0 || (r = place_parse(api_arg_text(args, "after"), &filter.after, err)) < 0)
		return r;
	filter.limit = api_arg_uint(args, "limit", API_LIST_DEFAULT);
	if (filter.limit == 0 || filter.limit > PAGE_CALLS)
		filter.limit = PAGE_CALLS;
	size_t n = view_calls(ctl, &filter, &c, &total, &last);
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, call_json(&c[i]));
	free(c);
	*data = json_pack("{s:o, s:o, s:I}", "calls", list, "next",
			  n == filter.limit ? place_json(&last) : json_null(), "total",
			  (json_int_t)total);
	return 0;
}

int cmd_show_call(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	const char *id = api_arg_text(args, "id");
	struct view_call *c;
	size_t total, n = view_call(ctl, id, &c, &total);

	if (n == 0 && total > 1)
		return err_set(err, -EEXIST,
			       "%zu calls begin with %s; see trunkline show calls --id %s", total,
			       id, id);
	if (n == 0)
		return err_set(err, -ENOENT, "there is no call %s; see trunkline show calls", id);
	*data = call_json(&c[0]);
	json_t *more = json_array();
	for (size_t i = 1; i < n; i++)
		json_array_append_new(more, call_json(&c[i]));
	json_object_set_new(*data, "more_streams", more);
	free(c);
	return 0;
}
