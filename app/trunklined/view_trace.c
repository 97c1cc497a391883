// SPDX-License-Identifier: BSD-3-Clause
// Starting, stopping and reading packet traces.
#include "media/media_priv.h"
#include "trace.h"
#include "view_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_PER_PACKET 16
#define TRACE_DEFAULT 100 // as lib/api/commands.def says
#define TRACE_MAX 10000

static int filter_read(struct control *ctl, const struct view_trace_filter *f, struct trace *t,
		       struct err *err)
{
	if (f->customer != NULL && (t->customer = customer_find(ctl, f->customer)) == 0)
		return err_set(err, -ENOENT, "there is no customer %s", f->customer);
	if (f->call == NULL)
		return 0;
	size_t total;
	const struct media *m = view_call_find(ctl, f->call, &total);
	if (m == NULL)
		return err_set(err, -ENOENT,
			       total > 1 ? "more than one call begins with %s"
					 : "there is no call %s",
			       f->call);
	t->by_call = true;
	for (unsigned i = 0; i < 2; i++) {
		t->leg[i].id = m->pair->leg[i].id;
		t->leg[i].gen = m->pair->leg[i].gen;
	}
	return 0;
}

int control_trace_start(struct control *ctl, const struct view_trace_filter *f, struct err *err)
{
	uint32_t want = f->count == 0 ? TRACE_DEFAULT : f->count < TRACE_MAX ? f->count : TRACE_MAX;
	struct trace filter = {.want = want, .max = want * STEPS_PER_PACKET};
	int rc;

	if (ctl->tracing)
		return err_set(err, -EBUSY, "a trace is running; see: trunkline trace stop");
	if ((rc = filter_read(ctl, f, &filter, err)) < 0)
		return rc;
	for (unsigned i = 0; i < ctl->plane->n_workers; i++) {
		struct trace *t = calloc(1, sizeof(*t) + filter.max * sizeof(t->step[0]));
		if (t == NULL)
			return err_set(err, -ENOMEM, "no memory for a trace");
		*t = filter;
		free(ctl->trace[i]);
		ctl->trace[i] = t;
	}
	for (unsigned i = 0; i < ctl->plane->n_workers; i++)
		__atomic_store_n(&ctl->worker[i]->trace, ctl->trace[i], __ATOMIC_RELEASE);
	ctl->tracing = true;
	return 0;
}

int control_trace_stop(struct control *ctl, struct err *err)
{
	if (!ctl->tracing)
		return err_set(err, -EALREADY, "no trace is running");
	for (unsigned i = 0; i < ctl->plane->n_workers; i++)
		__atomic_store_n(&ctl->worker[i]->trace, NULL, __ATOMIC_RELEASE);
	rte_rcu_qsbr_synchronize(ctl->plane->qsbr, RTE_QSBR_THRID_INVALID);
	ctl->tracing = false;
	return 0;
}

static int step_compare(const void *a, const void *b)
{
	const struct view_trace_step *x = a, *y = b;

	if (x->worker != y->worker)
		return x->worker < y->worker ? -1 : 1;
	if (x->packet != y->packet)
		return x->packet < y->packet ? -1 : 1;
	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

static void step_fill(const struct trace_step *s, unsigned worker, double hz,
		      struct view_trace_step *v)
{
	*v = (struct view_trace_step){
		.packet = s->packet,
		.worker = worker,
		.stage = stage_info[s->stage].name,
		.drop = s->stage == STAGE_drop ? drop_info[s->drop].name : NULL,
		.len = s->len,
		.ns = (double)s->tsc * 1e9 / hz,
		.head = s->head,
		.head_len = s->len < TRACE_BYTES ? s->len : TRACE_BYTES,
	};
}

void view_trace(struct control *ctl, struct view_trace *v)
{
	size_t max = 0;

	memset(v, 0, sizeof(*v));
	v->running = ctl->tracing;
	for (unsigned i = 0; i < ctl->plane->n_workers; i++)
		if (ctl->trace[i] != NULL)
			max += __atomic_load_n(&ctl->trace[i]->n, __ATOMIC_ACQUIRE);
	if (ctl->trace[0] != NULL)
		v->want = ctl->trace[0]->want;
	if (max == 0 || (v->step = calloc(max, sizeof(*v->step))) == NULL)
		return;
	for (unsigned i = 0; i < ctl->plane->n_workers; i++) {
		const struct trace *t = ctl->trace[i];
		uint32_t n = t == NULL ? 0 : __atomic_load_n(&t->n, __ATOMIC_ACQUIRE);
		for (uint32_t j = 0; j < n && v->n < max; j++)
			step_fill(&t->step[j], i, (double)ctl->plane->tsc_hz, &v->step[v->n++]);
		v->packets += t == NULL ? 0 : t->packets;
	}
	qsort(v->step, v->n, sizeof(*v->step), step_compare);
	double first = 0;
	for (size_t i = 0; i < v->n; i++) {
		struct view_trace_step *s = &v->step[i];
		if (i == 0 || s->packet != s[-1].packet || s->worker != s[-1].worker)
			first = s->ns;
		s->ns -= first;
	}
}
