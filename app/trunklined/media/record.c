// SPDX-License-Identifier: BSD-3-Clause
#include "record.h"

#include "base/log.h"
#include "record_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define BACKLOG 1024 // ended calls that may wait for the disk, beyond as many as may be held

struct records {
	struct live live;
	struct record_writer writer;
	uint64_t uid;   // of the next record
	uint32_t *free; // stack of slots that had memory and are free
	uint32_t n_free;
	uint32_t fresh; // slots from here on were never used
	uint64_t no_room, recovered;
};

// ---- what the sinks show ----

const char *record_time(int64_t ms, char buf[static RECORD_TIME_LEN])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm = {0};

	// Years that have four digits.
	if (ms < 0 || ms > LIVE_TIME_MAX || gmtime_r(&s, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	snprintf(buf, RECORD_TIME_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100, ms < 0 ? 0 : (unsigned)(ms % 1000));
	return buf;
}

const char *record_uid(const struct live_slot *s, char buf[static RECORD_UID_LEN])
{
	snprintf(buf, RECORD_UID_LEN, "%016llx", (unsigned long long)s->uid);
	return buf;
}

double record_duration(const struct live_slot *s)
{
	return s->answer == 0 || s->end <= s->answer ? 0 : (double)(s->end - s->answer) / 1000;
}

const char *record_peer(const struct live_side *s, char buf[static IP_ENDPOINT_STRLEN])
{
	struct ip_endpoint e = {.addr = {.family = s->family}, .port = s->port};

	buf[0] = '\0';
	if (s->family != AF_INET && s->family != AF_INET6)
		return buf;
	memcpy(&e.addr.v6, s->address, sizeof(s->address));
	return ip_endpoint_str(&e, buf);
}

// ---- opening and closing ----

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

// Calls that the last run could not end ended when it was last seen to live.
static void recover(struct records *r)
{
	int64_t alive = r->live.head->alive;
	uint32_t calls = 0;

	if (alive < 0 || alive > LIVE_TIME_MAX)
		alive = 0;
	for (uint32_t i = r->live.found; i-- > 0;) {
		struct live_slot *s = &r->live.slot[i];
		if (!live_slot_mend(s)) {
			s->state = LIVE_FREE;
			r->free[r->n_free++] = i;
			continue;
		}
		if (s->state == LIVE_CALL) {
			calls++;
			s->end = alive > s->start ? alive : s->start;
			memset(s->reason, 0, sizeof(s->reason));
			snprintf(s->reason, sizeof(s->reason), "crash");
			// As found by whoever comes after us, should we die now.
			__atomic_store_n(&s->state, LIVE_ENDED, __ATOMIC_RELEASE);
		}
		s->done = 0;
		s->recovered = 1;
		r->recovered++;
		record_writer_give(&r->writer, i);
	}
	r->fresh = r->live.found;
	if (r->recovered > 0)
		log_notice("%llu call records of the last run are written now; %u of the calls "
			   "were cut off",
			   (unsigned long long)r->recovered, calls);
}

static int sinks_open(struct records *r, const struct records_params *p, struct err *err)
{
	struct record_writer *w = &r->writer;
	int rc;

	if (p->sqlite != NULL) {
		if ((rc = record_sqlite_open(p->sqlite, &w->sink[w->n_sinks], err)) < 0) {
			err_prefix(err, "records.sqlite");
			return rc;
		}
		w->n_sinks++;
	}
	if (p->json != NULL) {
		if ((rc = record_json_open(p->json, &w->sink[w->n_sinks], err)) < 0) {
			err_prefix(err, "records.json");
			return rc;
		}
		w->n_sinks++;
	}
	return 0;
}

static void records_free(struct records *r, bool empty)
{
	for (unsigned i = 0; i < r->writer.n_sinks; i++)
		r->writer.sink[i]->ops->close(r->writer.sink[i]);
	live_close(&r->live, empty);
	slot_ring_close(&r->writer.ended);
	slot_ring_close(&r->writer.freed);
	free(r->free);
	free(r);
}

static int tables_make(struct records *r, struct err *err)
{
	uint32_t n = r->live.n;

	r->free = calloc(n, sizeof(*r->free));
	if (r->free == NULL || slot_ring_open(&r->writer.ended, n) < 0 ||
	    slot_ring_open(&r->writer.freed, n) < 0)
		return err_set(err, -ENOMEM, "no memory for records of %u calls", n);
	if (getrandom(&r->uid, sizeof(r->uid), 0) != (ssize_t)sizeof(r->uid))
		return err_set(err, -errno, "getrandom: %s", strerror(errno));
	return 0;
}

int records_open(struct records **out, const struct records_params *p, struct err *err)
{
	struct records *r;
	int rc;

	*out = NULL;
	if (p->sqlite == NULL && p->json == NULL)
		return 0;
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return err_set(err, -ENOMEM, "no memory");
	r->live.fd = -1;
	if ((rc = live_open(&r->live, p->live, p->calls_max * 2 + BACKLOG, err)) < 0 ||
	    (rc = tables_make(r, err)) < 0 || (rc = sinks_open(r, p, err)) < 0)
		goto fail;
	r->writer.live = &r->live;
	recover(r);
	if ((rc = record_writer_start(&r->writer, err)) < 0)
		goto fail;
	*out = r;
	return 0;
fail:
	records_free(r, false);
	return rc;
}

static void slots_take_back(struct records *r)
{
	uint32_t slot;

	while (slot_ring_get(&r->writer.freed, &slot))
		r->free[r->n_free++] = slot;
}

void records_close(struct records *r)
{
	if (r == NULL)
		return;
	record_writer_stop(&r->writer);
	slots_take_back(r);
	uint32_t left = r->fresh - r->n_free;
	if (left > 0)
		log_warn("%u call records are left in %s for the next start", left, r->live.path);
	records_free(r, left == 0);
}

// ---- calls ----

// A slot, or NULL.
static struct live_slot *slot_take(struct records *r, uint32_t *number)
{
	if (r->n_free == 0)
		slots_take_back(r);
	if (r->n_free > 0) {
		*number = r->free[--r->n_free];
	} else if (r->fresh < r->live.n && live_room(&r->live, r->fresh)) {
		*number = r->fresh++;
	} else {
		return NULL;
	}
	struct live_slot *s = &r->live.slot[*number];
	memset(s, 0, sizeof(*s)); // LIVE_FREE
	s->uid = r->uid++;
	return s;
}

uint32_t record_begin(struct records *r, const struct record *rec)
{
	uint32_t number;

	if (r == NULL)
		return 0;
	struct live_slot *s = slot_take(r, &number);
	if (s == NULL)
		return 0; // counted if it finds none when it ends, either
	live_slot_write(s, rec);
	if (s->start == 0)
		s->start = now_ms();
	__atomic_store_n(&s->state, LIVE_CALL, __ATOMIC_RELEASE);
	return number + 1;
}

static struct live_slot *slot_of(struct records *r, uint32_t handle)
{
	if (handle == 0 || handle > r->fresh ||
	    __atomic_load_n(&r->live.slot[handle - 1].state, __ATOMIC_ACQUIRE) != LIVE_CALL)
		return NULL;
	return &r->live.slot[handle - 1];
}

void record_update(struct records *r, uint32_t handle, const struct record *rec)
{
	struct live_slot *s = r != NULL ? slot_of(r, handle) : NULL;

	if (s != NULL)
		live_slot_write(s, rec);
}

void record_end(struct records *r, uint32_t handle, const struct record *rec)
{
	if (r == NULL)
		return;
	if (handle == 0)
		handle = record_begin(r, rec);
	struct live_slot *s = slot_of(r, handle);
	if (s == NULL) {
		if (r->no_room++ == 0)
			log_error("%s: no room for more calls; some are not recorded",
				  r->live.path);
		return;
	}
	live_slot_write(s, rec);
	if (s->end == 0)
		s->end = now_ms();
	__atomic_store_n(&s->state, LIVE_ENDED, __ATOMIC_RELEASE);
	record_writer_give(&r->writer, handle - 1);
}

void records_stats(const struct records *r, struct records_stats *out)
{
	memset(out, 0, sizeof(*out));
	if (r == NULL)
		return;
	const struct record_writer *w = &r->writer;
	out->written = __atomic_load_n(&w->written, __ATOMIC_RELAXED);
	out->failed = __atomic_load_n(&w->failed, __ATOMIC_RELAXED);
	out->recovered = r->recovered;
	out->no_room = r->no_room;
	out->waiting = (uint32_t)(w->given - __atomic_load_n(&w->finished, __ATOMIC_ACQUIRE));
}
