// SPDX-License-Identifier: BSD-3-Clause
// The SRTP contexts of a leg, for the control thread: made, carried over, freed once no worker sees them.
//
//     leg_srtp_make(...)                   contexts for the new leg beside the old one
//     leg->srtp_in, leg->srtp_out = ...    then leg_port_ref, leg_onward and publication as ever
//     leg_srtp_release(defer, old, made)   the old leg is withdrawn
#pragma once

#include "base/err.h"
#include "edge/defer.h"
#include "srtp/srtp_ctx.h"

#define LEG_SRTP_GRACE_MS 3000 // what was sent with the old keys passes for so long

struct leg_srtp {
	struct srtp_ctx *in, *out; // NULL: plain
};

// Contexts for one leg. old: what the leg has that this one replaces, or NULL; the owner is the same.
// With the same keys the same context is carried over; with others the old context stays behind the new
// one. Returns 0, -ENOMEM, or what srtp_params_check says; then nothing has changed.
int leg_srtp_make(struct crypto *c, uint64_t tsc_hz, const struct srtp_params *in,
		  const struct srtp_params *out, const struct leg_srtp *old, struct leg_srtp *made,
		  struct err *err);
// made will not be published: as if leg_srtp_make had not been called.
void leg_srtp_discard(struct leg_srtp *made, const struct leg_srtp *old);
// Frees of old what next has not taken over. next NULL: everything, the leg is gone. Whatever led a
// worker to old is withdrawn already.
void leg_srtp_release(struct defer *defer, const struct leg_srtp *old, const struct leg_srtp *next);
