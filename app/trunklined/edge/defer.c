// SPDX-License-Identifier: BSD-3-Clause
#include "defer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#define POLL_MS 5
#define NOTES_FIRST 1024

struct note {
	uint64_t token;
	void *ptr;
	void (*fn)(void *);
};

// Notes lie in a ring of their own that grows and stays, so that what is freed leaves no holes between them.
struct defer {
	struct rte_rcu_qsbr *qsbr;
	struct event *timer;
	struct note *note;
	size_t size;          // of the ring: 0, or a power of two
	size_t head, waiting; // oldest first, so tokens ascend
};

static void defer_tick(evutil_socket_t fd, short what, void *arg)
{
	struct defer *d = arg;
	(void)fd;
	(void)what;
	if (defer_poll(d) > 0)
		evtimer_add(d->timer, &(struct timeval){.tv_usec = POLL_MS * 1000});
}

int defer_open(struct defer **out, struct rte_rcu_qsbr *qsbr, struct event_base *base,
	       struct err *err)
{
	struct defer *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	d->qsbr = qsbr;
	if (base != NULL) {
		d->timer = evtimer_new(base, defer_tick, d);
		if (d->timer == NULL) {
			free(d);
			return err_set(err, -ENOMEM, "out of memory");
		}
	}
	*out = d;
	return 0;
}

// The function may add notes, so the oldest is taken out first.
static void oldest_free(struct defer *d)
{
	struct note n = d->note[d->head];

	d->head = (d->head + 1) & (d->size - 1);
	d->waiting--;
	n.fn(n.ptr);
}

void defer_close(struct defer *d)
{
	if (d == NULL)
		return;
	while (d->waiting > 0)
		oldest_free(d);
	if (d->timer != NULL)
		event_free(d->timer);
	free(d->note);
	free(d);
}

// Twice as many, the oldest first.
static bool notes_grow(struct defer *d)
{
	size_t size = d->size == 0 ? NOTES_FIRST : 2 * d->size;
	struct note *note = malloc(size * sizeof(*note));

	if (note == NULL)
		return false;
	for (size_t i = 0; i < d->waiting; i++)
		note[i] = d->note[(d->head + i) & (d->size - 1)];
	free(d->note);
	d->note = note;
	d->size = size;
	d->head = 0;
	return true;
}

void defer_free(struct defer *d, void *ptr, void (*fn)(void *))
{
	if (ptr == NULL)
		return;
	if (d->waiting == d->size && !notes_grow(d)) {
		rte_rcu_qsbr_synchronize(d->qsbr, RTE_QSBR_THRID_INVALID);
		fn(ptr);
		return;
	}
	d->note[(d->head + d->waiting) & (d->size - 1)] =
		(struct note){.token = rte_rcu_qsbr_start(d->qsbr), .ptr = ptr, .fn = fn};
	if (d->waiting++ == 0 && d->timer != NULL)
		evtimer_add(d->timer, &(struct timeval){.tv_usec = POLL_MS * 1000});
}

size_t defer_poll(struct defer *d)
{
	while (d->waiting > 0 && rte_rcu_qsbr_check(d->qsbr, d->note[d->head].token, false) == 1)
		oldest_free(d);
	return d->waiting;
}

size_t defer_flush(struct defer *d, unsigned ms)
{
	while (defer_poll(d) > 0 && ms-- > 0)
		usleep(1000);
	return d->waiting;
}
