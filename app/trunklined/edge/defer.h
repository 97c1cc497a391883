// SPDX-License-Identifier: BSD-3-Clause
// Freeing what workers may still read: kept until every worker has reported a quiescent state.
// Control thread only.
#pragma once

#include "base/err.h"

#include <rte_rcu_qsbr.h>
#include <stddef.h>

struct event_base;
struct defer;

// With base, a timer looks every few milliseconds while something waits; without, call defer_poll.
int defer_open(struct defer **out, struct rte_rcu_qsbr *qsbr, struct event_base *base,
	       struct err *err);
// Frees what still waits, without asking the workers: they have ended.
void defer_close(struct defer *d);

// Calls fn(ptr) once no worker can hold ptr any more. Whatever led to ptr (pointer, table entry,
// generation) was taken out by a release store before the call. ptr NULL is ignored. Never fails:
// if there is no memory for the note, it waits for the workers right here.
void defer_free(struct defer *d, void *ptr, void (*fn)(void *));
// Frees what can be freed now; returns how many still wait.
size_t defer_poll(struct defer *d);
// Waits until everything has been freed, for at most so many milliseconds; returns how many wait.
size_t defer_flush(struct defer *d, unsigned ms);
