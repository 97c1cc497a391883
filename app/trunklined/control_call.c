// SPDX-License-Identifier: BSD-3-Clause
// Calls by the configuration and by the API: one stream of media each, found by its id.
#include "base/log.h"
#include "control_priv.h"
#include "media/media_priv.h"
#include "media/record.h"

#include <errno.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <string.h>

#define LATCH_WINDOW_MS 5000    // of calls that no offer opened
#define RECORD_REFRESH_MS 10000 // figures of calls in progress are so old at most

int calls_open(struct control *ctl, struct err *err)
{
	const struct config *cfg = ctl->config;
	struct rte_hash_parameters hp = {
		.name = "calls",
		.entries = cfg->max_calls < 64 ? 64 : cfg->max_calls + cfg->max_calls / 4,
		.key_len = CALL_ID_MAX,
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE, // what is announced fits
	};

	TAILQ_INIT(&ctl->calls);
	ctl->call_by_id = rte_hash_create(&hp);
	if (ctl->call_by_id == NULL)
		return err_set(err, -ENOMEM, "no memory for %u calls (raise memory.megabytes)",
			       cfg->max_calls);
	return 0;
}

struct call *call_find(const struct control *ctl, const char *id)
{
	char key[CALL_ID_MAX] = {0};
	void *call;

	if (strlen(id) >= CALL_ID_MAX) // none of ours
		return NULL;
	memcpy(key, id, strlen(id));
	return rte_hash_lookup_data(ctl->call_by_id, key, &call) >= 0 ? call : NULL;
}

static int media_index(const struct control *ctl, const struct ip_addr *a)
{
	for (unsigned i = 0; i < ctl->config->n_media; i++)
		if (ip_addr_equal(&ctl->config->media[i].address, a))
			return (int)i;
	return -1;
}

// A tunnel's packets are authentic, and the platform's side is ours: the first there may decide.
static bool media_inside(const struct control *ctl, unsigned media)
{
	return ctl->plane->port[ctl->config->media[media].port].inside;
}

static int side_spec(const struct control *ctl, const struct config_call *cc, unsigned side,
		     struct media_side_spec *s, struct err *err)
{
	const struct config_leg *leg = &cc->leg[side];
	bool learn = leg->remote.addr.family == 0 || leg->latch;
	int media = media_index(ctl, &leg->media);
	char text[IP_ADDR_STRLEN];

	if (media < 0)
		return err_set(err, -ENOENT, "leg %c: %s is no media address of ours",
			       'a' + (int)side, ip_addr_str(&leg->media, text));
	if (leg->port % 2 != 0)
		return err_set(err, -EINVAL, "leg %c: port %u is odd; an RTP port is even",
			       'a' + (int)side, leg->port);
	if (leg->customer >= CUSTOMERS_MAX)
		return err_set(err, -ENOENT, "leg %c: no such customer", 'a' + (int)side);
	*s = (struct media_side_spec){
		.address = (unsigned)media,
		.port = leg->port,
		.customer = leg->customer > 0 ? (uint16_t)leg->customer : 0,
		.rtp = leg->remote,
		.rtcp_mux = leg->mux,
		.recv = true,
		.send = true,
		.dscp = leg->dscp,
		.clock_rate = cc->clock_rate,
		.latch = {.learn = learn,
			  .strict = !learn,
			  .first_come = latch_first_of(leg->customer > 0,
						       media_inside(ctl, (unsigned)media)),
			  .window_ms = LATCH_WINDOW_MS},
	};
	return 0;
}

static int call_spec(const struct control *ctl, const struct config_call *cc,
		     struct media_spec *spec, struct err *err)
{
	*spec = (struct media_spec){
		.answered = true,
		.timeouts = {.silence = cc->timeout, .held = cc->timeout},
	};
	int rc = side_spec(ctl, cc, 0, &spec->side[0], err);
	return rc < 0 ? rc : side_spec(ctl, cc, 1, &spec->side[1], err);
}

// ---- call records ----

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void call_record_begin(struct call *call, bool configured)
{
	const struct control *ctl = call->ctl;
	const struct media_spec *spec = media_spec_of(call->media);
	uint16_t customer = spec->side[spec->side[0].customer == 0].customer;

	call->start = now_ms();
	const struct record rec = {
		.call_id = call->id,
		.customer = customer != 0 ? ctl->customer[customer].plane->name : NULL,
		.via = configured ? "config" : "api",
		.start = call->start,
		.answer = call->start,
	};
	call->record = record_begin(ctl->records, &rec);
}

static void call_record_end(struct call *call, const struct media_stats *stats, const char *why)
{
	const struct record rec = {
		.call_id = call->id,
		.start = call->start,
		.answer = call->start,
		.end = now_ms(),
		.reason = why,
		.n_streams = 1,
		.stream = stats,
	};

	record_end(call->ctl->records, call->record, &rec);
}

void calls_record_refresh(struct control *ctl)
{
	unsigned n =
		ctl->records != NULL ? ctl->n_calls * MEDIA_TICK_MS / RECORD_REFRESH_MS + 1 : 0;
	struct media_stats stats;
	const struct record rec = {.n_streams = 1, .stream = &stats};

	for (; n > 0 && ctl->n_calls > 0; n--) {
		struct call *call = ctl->recorded_next;
		if (call == NULL)
			call = TAILQ_FIRST(&ctl->calls);
		ctl->recorded_next = TAILQ_NEXT(call, link);
		media_stats(call->media, &stats);
		record_update(ctl->records, call->record, &rec);
	}
}

static void call_remove(struct control *ctl, struct call *call, const char *why)
{
	struct media_stats stats;

	media_close(call->media, &stats);
	call_record_end(call, &stats, why);
	if (ctl->recorded_next == call)
		ctl->recorded_next = TAILQ_NEXT(call, link);
	rte_hash_del_key(ctl->call_by_id, call->id);
	TAILQ_REMOVE(&ctl->calls, call, link);
	ctl->n_calls--;
	rte_free(call);
}

static void on_end(void *arg, struct media *m, enum media_end why)
{
	struct call *call = arg;

	if (why == MEDIA_END_SILENCE)
		log_notice("call %s ended: no packets on either leg for %u s", call->id,
			   media_spec_of(m)->timeouts.silence);
	call_remove(call->ctl, call, media_end_name(why));
}

static const struct media_events events = {.timed_out = on_end};

static int call_open(struct control *ctl, struct call *call, struct config_call *cc,
		     struct err *err)
{
	struct media_spec spec;
	int rc = call_spec(ctl, cc, &spec, err);

	if (rc < 0 || (rc = media_open(ctl, call->id, &spec, &events, call, &call->media, err)) < 0)
		return rc;
	if (rte_hash_add_key_data(ctl->call_by_id, call->id, call) < 0) {
		media_close(call->media, NULL);
		return err_set(err, -ENOMEM, "no memory (raise memory.megabytes)");
	}
	for (unsigned i = 0; i < 2; i++)
		cc->leg[i].port = media_port(call->media, i);
	TAILQ_INSERT_TAIL(&ctl->calls, call, link);
	ctl->n_calls++;
	call_record_begin(call, cc->line > 0);
	return 0;
}

// The customers of cc's legs are plane ids here (control_customer_index), 0 or less for none.
int control_call_add(struct control *ctl, struct config_call *cc, struct err *err)
{
	struct call *call;

	if (call_find(ctl, cc->id) != NULL)
		return err_set(err, -EEXIST, "there is a call %s already", cc->id);
	if ((call = rte_zmalloc("call", sizeof(*call), 0)) == NULL)
		return err_set(err, -ENOMEM, "no memory (raise memory.megabytes)");
	snprintf(call->id, sizeof(call->id), "%s", cc->id);
	call->ctl = ctl;
	int rc = call_open(ctl, call, cc, err);
	if (rc < 0)
		rte_free(call);
	return rc;
}

int call_end(struct control *ctl, const char *id, const char *why, struct err *err)
{
	struct call *call = call_find(ctl, id);

	if (call == NULL)
		return err_set(err, -ENOENT, "there is no call %s; see: trunkline show calls", id);
	call_remove(ctl, call, why);
	return 0;
}

void calls_close(struct control *ctl)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&ctl->calls)) != NULL)
		call_remove(ctl, call, "stop");
	rte_hash_free(ctl->call_by_id);
}
