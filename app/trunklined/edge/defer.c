// SPDX-License-Identifier: BSD-3-Clause
#include "defer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/time.h>
#include <unistd.h>

#define POLL_MS 5

struct note {
	STAILQ_ENTRY(note) next;
	uint64_t token;
	void *ptr;
	void (*fn)(void *);
};

struct defer {
	struct rte_rcu_qsbr *qsbr;
	struct event *timer;
	size_t waiting;
	STAILQ_HEAD(, note) notes; // oldest first, so tokens ascend
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
	STAILQ_INIT(&d->notes);
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

static void note_free(struct defer *d, struct note *n)
{
	STAILQ_REMOVE_HEAD(&d->notes, next);
	d->waiting--;
	n->fn(n->ptr);
	free(n);
}

void defer_close(struct defer *d)
{
	struct note *n;

	if (d == NULL)
		return;
	while ((n = STAILQ_FIRST(&d->notes)) != NULL)
		note_free(d, n);
	if (d->timer != NULL)
		event_free(d->timer);
	free(d);
}

void defer_free(struct defer *d, void *ptr, void (*fn)(void *))
{
	if (ptr == NULL)
		return;
	struct note *n = malloc(sizeof(*n));
	if (n == NULL) {
		rte_rcu_qsbr_synchronize(d->qsbr, RTE_QSBR_THRID_INVALID);
		fn(ptr);
		return;
	}
	n->ptr = ptr;
	n->fn = fn;
	n->token = rte_rcu_qsbr_start(d->qsbr);
	STAILQ_INSERT_TAIL(&d->notes, n, next);
	if (d->waiting++ == 0 && d->timer != NULL)
		evtimer_add(d->timer, &(struct timeval){.tv_usec = POLL_MS * 1000});
}

size_t defer_poll(struct defer *d)
{
	struct note *n;

	while ((n = STAILQ_FIRST(&d->notes)) != NULL &&
	       rte_rcu_qsbr_check(d->qsbr, n->token, false) == 1)
		note_free(d, n);
	return d->waiting;
}

size_t defer_flush(struct defer *d, unsigned ms)
{
	while (defer_poll(d) > 0 && ms-- > 0)
		usleep(1000);
	return d->waiting;
}
