// SPDX-License-Identifier: BSD-3-Clause
// Keys by SDES (RFC 4568): each leg has its own, made here. A key of ours stays as long as the peer's does.
#include "ng_call_priv.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

void ng_keys_take(const struct sdp *sdp, const struct sdp_section *sec, struct ng_wanted *w)
{
	w->n_theirs = 0;
	for (unsigned i = 0; i < sec->n_crypto && w->n_theirs < NG_SUITES; i++) {
		const struct sdp_crypto *x = &sdp->crypto[sec->first_crypto + i];
		if (x->usable && srtp_params_check(&x->params, NULL) == 0)
			w->keys->theirs[w->n_theirs++] = *x;
	}
}

// Session parameters hold for both directions.
static bool parameters_same(const struct srtp_params *a, const struct srtp_params *b)
{
	return a->unencrypted_srtp == b->unencrypted_srtp &&
	       a->unencrypted_srtcp == b->unencrypted_srtcp &&
	       a->unauthenticated_srtp == b->unauthenticated_srtp;
}

static bool suite_named(const struct ng_request *r, enum ng_prefix prefix, const char *suite,
			bool *any)
{
	for (const struct ng_named *n = r->named; n != NULL; n = n->next) {
		if (n->prefix != prefix)
			continue;
		*any = true;
		if (n->name.len == strlen(suite) &&
		    strncasecmp(n->name.at, suite, n->name.len) == 0)
			return true;
	}
	return false;
}

static bool suite_offered(const struct ng_wanted *w, enum srtp_suite suite)
{
	for (unsigned i = 0; i < w->n_theirs; i++)
		if (w->keys->theirs[i].params.suite == suite)
			return true;
	return false;
}

static bool suite_wanted(const struct ng_request *r, const struct ng_wanted *w,
			 enum srtp_suite suite)
{
	const char *name = srtp_suites[suite].name;
	bool some = false, only = suite_named(r, NG_PREFIX_SDES_ONLY, name, &some);

	if (some)
		return only;
	if (ng_flag(r, NG_FLAG_SDES_NONEW) && w->n_theirs > 0 && !suite_offered(w, suite))
		return false;
	return !suite_named(r, NG_PREFIX_SDES_NO, name, &some);
}

// The key that is in use stays. So do those that an offer had which nobody has answered yet; later they may have been in use,
// and one that was is not used again: what was sent with it is not known any more.
static int key_make(struct srtp_params *p, const struct srtp_params *now,
		    const struct ng_wanted *before, struct err *err)
{
	if (now != NULL && now->suite == p->suite && parameters_same(now, p)) {
		*p = *now;
		return 0;
	}
	for (unsigned i = 0; now == NULL && before != NULL && i < before->n_ours; i++) {
		const struct srtp_params *b = &before->keys->ours[i].params;
		if (b->suite == p->suite && parameters_same(b, p)) {
			*p = *b;
			return 0;
		}
	}
	if (srtp_params_random(p) < 0)
		return err_set(err, -EIO, "the kernel has no random numbers for a key");
	return 0;
}

static int key_offer(const struct ng_ask *k, struct ng_wanted *w, enum srtp_suite suite,
		     const struct srtp_params *now, const struct ng_wanted *before)
{
	struct sdp_crypto *x = &w->keys->ours[w->n_ours];
	bool gcm = suite == SRTP_AEAD_128 || suite == SRTP_AEAD_256;

	for (unsigned i = 0; i < w->n_ours; i++)
		if (w->keys->ours[i].params.suite == suite)
			return 0;
	if (!suite_wanted(k->req, w, suite))
		return 0;
	*x = (struct sdp_crypto){.tag = w->n_ours + 1u, .usable = true};
	x->params.suite = suite;
	x->params.unencrypted_srtp = !gcm && ng_flag(k->req, NG_FLAG_SDES_UNENCRYPTED_SRTP);
	x->params.unencrypted_srtcp = ng_flag(k->req, NG_FLAG_SDES_UNENCRYPTED_SRTCP);
	w->n_ours++;
	return key_make(&x->params, now, before, k->err);
}

int ng_keys_offer(const struct ng_ask *k, struct ng_wanted *w, const struct srtp_params *now,
		  const struct ng_wanted *before)
{
	int rc = 0;

	w->n_ours = 0;
	if (ng_flag(k->req, NG_FLAG_SDES_OFF))
		return err_set(k->err, -EINVAL, "SDES-off leaves no keys for %s",
			       sdp_proto_name(w->proto_to));
	// In the offerer's order of preference, so that both sides can agree on one suite; then the rest.
	for (unsigned i = 0; rc == 0 && i < w->n_theirs; i++)
		rc = key_offer(k, w, w->keys->theirs[i].params.suite, now, before);
	for (unsigned i = 1; rc == 0 && i < SRTP_SUITE_COUNT; i++)
		rc = key_offer(k, w, (enum srtp_suite)i, now, before);
	if (rc == 0 && w->n_ours == 0)
		return err_set(k->err, -EINVAL, "the SDES flags leave no suite to offer");
	return rc;
}

int ng_keys_answered(const struct ng_wanted *w, const struct sdp *sdp,
		     const struct sdp_section *sec, struct media_side_spec *spec, struct err *err)
{
	for (unsigned i = 0; i < sec->n_crypto; i++) {
		const struct sdp_crypto *x = &sdp->crypto[sec->first_crypto + i];
		for (unsigned j = 0; x->usable && j < w->n_ours; j++) {
			const struct srtp_params *ours = &w->keys->ours[j].params;
			if (w->keys->ours[j].tag != x->tag || ours->suite != x->params.suite ||
			    !parameters_same(ours, &x->params))
				continue;
			spec->in = x->params;
			spec->out = *ours;
			return 0;
		}
	}
	return err_set(err, -EINVAL,
		       "the answer's a=crypto is none that was offered: its tag, suite and "
		       "session parameters must be an offered one's");
}

int ng_keys_answer(const struct ng_wanted *w, enum srtp_suite other,
		   const struct media_side_spec *now, struct media_side_spec *spec,
		   struct sdp_crypto *line, struct err *err)
{
	const struct sdp_crypto *pick = NULL;

	if (w->n_theirs == 0)
		return err_set(err, -EINVAL, "the offer had no a=crypto that can be answered");
	for (unsigned i = 0; pick == NULL && now != NULL && i < w->n_theirs; i++)
		if (srtp_params_equal(&w->keys->theirs[i].params, &now->in))
			pick = &w->keys->theirs[i]; // what is spoken now, unchanged
	for (unsigned i = 0; pick == NULL && i < w->n_theirs; i++)
		if (w->keys->theirs[i].params.suite == other)
			pick = &w->keys->theirs[i];
	if (pick == NULL)
		pick = &w->keys->theirs[0];
	*line = (struct sdp_crypto){.tag = pick->tag, .usable = true};
	spec->in = pick->params;
	if (now != NULL && srtp_params_equal(&pick->params, &now->in) &&
	    now->out.suite == pick->params.suite) {
		spec->out = now->out;
	} else {
		spec->out = (struct srtp_params){
			.suite = pick->params.suite,
			.unencrypted_srtp = pick->params.unencrypted_srtp,
			.unencrypted_srtcp = pick->params.unencrypted_srtcp,
		};
		if (srtp_params_random(&spec->out) < 0)
			return err_set(err, -EIO, "the kernel has no random numbers for a key");
	}
	line->params = spec->out;
	return 0;
}
