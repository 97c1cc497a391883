// SPDX-License-Identifier: BSD-3-Clause
#include "record_writer.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS 1000 // the file's sign of life
#define RETRY_MS 500 // after a failure, doubled each time
#define RETRY_MAX_MS 10000
#define STOP_MS 5000 // a disk that refuses may take so long at the end

int slot_ring_open(struct slot_ring *r, uint32_t slots)
{
	uint32_t size = 1;

	while (size < slots)
		size *= 2;
	r->mask = size - 1;
	r->at = calloc(size, sizeof(*r->at));
	return r->at == NULL ? -ENOMEM : 0;
}

void slot_ring_close(struct slot_ring *r)
{
	free(r->at);
}

void slot_ring_put(struct slot_ring *r, uint32_t v)
{
	r->at[r->head & r->mask] = v;
	// The number before the head that shows it.
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
}

bool slot_ring_get(struct slot_ring *r, uint32_t *v)
{
	if (r->tail == __atomic_load_n(&r->head, __ATOMIC_ACQUIRE))
		return false;
	*v = r->at[r->tail & r->mask];
	__atomic_store_n(&r->tail, r->tail + 1, __ATOMIC_RELEASE);
	return true;
}

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

// Until something ended, or so long.
static void wait_ms(struct record_writer *w, int64_t ms)
{
	int64_t until = clock_ms(CLOCK_REALTIME) + ms;
	struct timespec ts = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

	while (sem_timedwait(&w->wake, &ts) < 0 && errno == EINTR)
		;
}

static void alive(struct record_writer *w)
{
	__atomic_store_n(&w->live->head->alive, clock_ms(CLOCK_REALTIME), __ATOMIC_RELEASE);
}

static void batch_fill(struct record_writer *w)
{
	uint32_t slot;

	while (w->n_batch < RECORD_BATCH && slot_ring_get(&w->ended, &slot))
		w->batch[w->n_batch++] = slot;
}

// Those of the batch that the sink does not have yet.
static unsigned batch_of(struct record_writer *w, unsigned sink, struct live_slot **slot,
			 bool *again)
{
	unsigned n = 0;

	*again = w->trouble;
	for (unsigned i = 0; i < w->n_batch; i++) {
		struct live_slot *s = &w->live->slot[w->batch[i]];
		if ((s->done & 1u << sink) != 0)
			continue;
		slot[n++] = s;
		*again |= s->recovered != 0;
	}
	return n;
}

static bool sink_write(struct record_writer *w, unsigned i)
{
	struct live_slot *slot[RECORD_BATCH];
	struct err err = {0};
	bool again;
	unsigned n = batch_of(w, i, slot, &again);

	if (n == 0)
		return true;
	if (w->sink[i]->ops->write(w->sink[i], slot, n, again, &err) < 0) {
		__atomic_store_n(&w->failed, w->failed + n, __ATOMIC_RELAXED);
		if (!w->trouble)
			log_error("%s: %s; records wait until it works again",
				  w->sink[i]->ops->name, err.text);
		return false;
	}
	for (unsigned j = 0; j < n; j++)
		__atomic_store_n(&slot[j]->done, slot[j]->done | 1u << i, __ATOMIC_RELEASE);
	return true;
}

static void batch_free(struct record_writer *w)
{
	for (unsigned i = 0; i < w->n_batch; i++) {
		struct live_slot *s = &w->live->slot[w->batch[i]];
		__atomic_store_n(&s->state, LIVE_FREE, __ATOMIC_RELEASE);
		slot_ring_put(&w->freed, w->batch[i]);
	}
	__atomic_store_n(&w->written, w->written + w->n_batch, __ATOMIC_RELAXED);
	__atomic_store_n(&w->finished, w->finished + w->n_batch, __ATOMIC_RELEASE);
	w->n_batch = 0;
}

static bool batch_write(struct record_writer *w)
{
	bool ok = true;

	for (unsigned i = 0; i < w->n_sinks; i++)
		ok &= sink_write(w, i);
	if (ok && w->trouble)
		log_notice("call records are written again");
	w->trouble = !ok;
	if (ok)
		batch_free(w);
	return ok;
}

static void *writer_main(void *arg)
{
	struct record_writer *w = arg;
	int64_t retry = RETRY_MS, stop_at = 0;

	for (;;) {
		bool stop = __atomic_load_n(&w->stop, __ATOMIC_ACQUIRE);
		int64_t now = clock_ms(CLOCK_MONOTONIC);
		alive(w);
		batch_fill(w);
		if (stop && stop_at == 0)
			stop_at = now + STOP_MS;
		if (w->n_batch == 0) {
			if (stop)
				return NULL;
			wait_ms(w, TICK_MS);
			continue;
		}
		if (batch_write(w)) {
			retry = RETRY_MS;
			continue;
		}
		if (stop && now >= stop_at)
			return NULL;
		// Calls that end meanwhile wake it for nothing.
		for (int64_t until = now + retry;
		     !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE) && now < until;
		     now = clock_ms(CLOCK_MONOTONIC)) {
			alive(w);
			wait_ms(w, until - now < TICK_MS ? until - now : TICK_MS);
		}
		if (stop)
			nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
		retry = retry * 2 < RETRY_MAX_MS ? retry * 2 : RETRY_MAX_MS;
	}
}

int record_writer_start(struct record_writer *w, struct err *err)
{
	alive(w);
	if (sem_init(&w->wake, 0, 0) < 0)
		return err_set(err, -errno, "records: %s", strerror(errno));
	int rc = pthread_create(&w->thread, NULL, writer_main, w);
	if (rc != 0) {
		sem_destroy(&w->wake);
		return err_set(err, -rc, "records: no thread: %s", strerror(rc));
	}
	pthread_setname_np(w->thread, "records");
	w->running = true;
	return 0;
}

void record_writer_stop(struct record_writer *w)
{
	if (!w->running)
		return;
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	sem_post(&w->wake);
	pthread_join(w->thread, NULL);
	sem_destroy(&w->wake);
	w->running = false;
}

void record_writer_give(struct record_writer *w, uint32_t slot)
{
	w->given++;
	slot_ring_put(&w->ended, slot);
	if (w->running)
		sem_post(&w->wake);
}
