// SPDX-License-Identifier: GPL-2.0-or-later
#include "events.h"

#include "convert.h"

#include <daemon.h>
#include <processing/jobs/callback_job.h>
#include <stdlib.h>

static void expire(const struct feed_expire *e)
{
	host_t *dst = host_of(&e->id.dst, 0);

	if (dst != NULL)
		charon->kernel->expire(charon->kernel, IPPROTO_ESP, htonl(e->id.spi), dst, e->hard);
	DESTROY_IF(dst);
}

static void mapping(const struct feed_mapping *m)
{
	host_t *dst = host_of(&m->id.dst, 0);
	host_t *is = host_of(&m->is.addr, m->is.port);

	if (dst != NULL && is != NULL)
		charon->kernel->mapping(charon->kernel, IPPROTO_ESP, htonl(m->id.spi), dst, is);
	DESTROY_IF(dst);
	DESTROY_IF(is);
}

static void acquire(const struct feed_acquire *a)
{
	kernel_acquire_data_t data = {.src = ts_of(&a->src_ts), .dst = ts_of(&a->dst_ts)};

	charon->kernel->acquire(charon->kernel, a->reqid, &data);
	DESTROY_IF(data.src);
	DESTROY_IF(data.dst);
}

struct event {
	uint16_t type;
	union {
		struct feed_expire expire;
		struct feed_mapping mapping;
		struct feed_acquire acquire;
	};
};

static job_requeue_t event_run(void *arg)
{
	const struct event *e = arg;

	if (e->type == FEED_EXPIRE)
		expire(&e->expire);
	else if (e->type == FEED_MAPPING)
		mapping(&e->mapping);
	else if (e->type == FEED_ACQUIRE)
		acquire(&e->acquire);
	return JOB_REQUEUE_NONE;
}

void event_queue(const struct feed_msg *m)
{
	struct event *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return;
	e->type = m->type;
	if (m->type == FEED_EXPIRE)
		e->expire = m->expire;
	else if (m->type == FEED_MAPPING)
		e->mapping = m->mapping;
	else if (m->type == FEED_ACQUIRE)
		e->acquire = m->acquire;
	lib->processor->queue_job(lib->processor,
				  (job_t *)callback_job_create(event_run, e, free, NULL));
}
