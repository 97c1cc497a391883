// SPDX-License-Identifier: BSD-3-Clause
#include "leg_srtp.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

// A context with the one before it, if it has one.
static void ctx_free(void *ptr)
{
	struct srtp_ctx *ctx = ptr;

	if (ctx == NULL)
		return;
	ctx_free(ctx->prev);
	srtp_ctx_wipe(ctx);
	rte_free(ctx);
}

static int ctx_make(struct crypto *c, uint64_t tsc_hz, const struct srtp_params *p,
		    struct srtp_ctx *old, struct srtp_ctx **made, struct err *err)
{
	*made = NULL;
	if (p->suite == SRTP_NONE)
		return 0;
	if (old != NULL && srtp_params_equal(p, &old->params)) {
		*made = old;
		return 0;
	}
	int rc = srtp_params_check(p, err);
	if (rc < 0)
		return rc;
	struct srtp_ctx *ctx = rte_malloc("srtp", srtp_ctx_size(p), 64);
	if (ctx == NULL)
		return err_set(err, -ENOMEM, "no memory for SRTP keys (raise memory.megabytes)");
	srtp_ctx_init(ctx, p, c, err);
	if (old != NULL)
		srtp_ctx_follow(ctx, old, rte_rdtsc() + tsc_hz * LEG_SRTP_GRACE_MS / 1000);
	*made = ctx;
	return 0;
}

static void ctx_discard(struct srtp_ctx *made, const struct srtp_ctx *old)
{
	if (made == NULL || made == old)
		return;
	srtp_ctx_detach(made);
	ctx_free(made);
}

int leg_srtp_make(struct crypto *c, uint64_t tsc_hz, const struct srtp_params *in,
		  const struct srtp_params *out, const struct leg_srtp *old, struct leg_srtp *made,
		  struct err *err)
{
	struct leg_srtp none = {0};

	if (old == NULL)
		old = &none;
	int rc = ctx_make(c, tsc_hz, in, old->in, &made->in, err);
	if (rc < 0)
		return rc;
	rc = ctx_make(c, tsc_hz, out, old->out, &made->out, err);
	if (rc < 0)
		ctx_discard(made->in, old->in);
	return rc;
}

void leg_srtp_discard(struct leg_srtp *made, const struct leg_srtp *old)
{
	ctx_discard(made->in, old != NULL ? old->in : NULL);
	ctx_discard(made->out, old != NULL ? old->out : NULL);
}

static void ctx_release(struct defer *defer, struct srtp_ctx *old, const struct srtp_ctx *next)
{
	if (old == NULL || old == next)
		return;
	if (next == NULL) {
		defer_free(defer, old, ctx_free);
		return;
	}
	// next keeps old. What was before old goes.
	defer_free(defer, srtp_ctx_detach(old), ctx_free);
}

void leg_srtp_release(struct defer *defer, const struct leg_srtp *old, const struct leg_srtp *next)
{
	ctx_release(defer, old->in, next != NULL ? next->in : NULL);
	ctx_release(defer, old->out, next != NULL ? next->out : NULL);
}
