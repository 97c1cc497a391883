// SPDX-License-Identifier: BSD-3-Clause
// Which branch of a call a message is about: what proxies say of that differs, and is seldom all of it.
#include "ng_call_priv.h"

struct ng_branch *ng_match_offer(struct ng_call *call, const struct ng_texts *t, unsigned *x)
{
	struct ng_branch *b;
	int i;

	TAILQ_FOREACH_REVERSE(b, &call->branches, ng_branches, link)
	{
		if (t->to.at == NULL || (i = ng_branch_side(b, t->from)) < 0 ||
		    !ng_tag_has(&b->side[!i], t->to))
			continue;
		*x = (unsigned)i;
		return b;
	}
	// Asked again, before anybody has answered.
	TAILQ_FOREACH_REVERSE(b, &call->branches, ng_branches, link)
	{
		if ((i = ng_branch_side(b, t->from)) < 0 || ng_tag_of(&b->side[!i]) != NULL ||
		    !ng_text_is(b->via, t->via))
			continue;
		*x = (unsigned)i;
		return b;
	}
	return NULL;
}

// A proxy may say "offer" of a response to an INVITE, whatever that one carried. If it carried an offer, this
// is the answer to it; *x is who made the offer.
struct ng_branch *ng_match_answered(struct ng_call *call, const struct ng_texts *t, unsigned *x)
{
	struct ng_branch *b;
	int i;

	if (t->to.at == NULL)
		return NULL;
	TAILQ_FOREACH_REVERSE(b, &call->branches, ng_branches, link)
	{
		if ((i = ng_branch_side(b, t->to)) < 0 || b->offer[i] == NULL ||
		    !b->offer[i]->open || ng_branch_side(b, t->from) >= 0 ||
		    (t->via.at != NULL && b->via != NULL && !ng_text_is(b->via, t->via)))
			continue;
		*x = (unsigned)i;
		return b;
	}
	return NULL;
}

struct ng_branch *ng_match_answer(struct ng_call *call, const struct ng_texts *t, unsigned *x)
{
	struct ng_branch *b, *best = NULL;
	int best_rank = 0;

	TAILQ_FOREACH (b, &call->branches, link) {
		int i = ng_branch_side(b, t->from), rank = 0;
		// The tags may come the other way round; whose offer is open decides.
		if (i >= 0 && (b->offer[i] == NULL || b->offer[i]->answered) &&
		    b->offer[!i] != NULL && !b->offer[!i]->answered &&
		    ng_tag_has(&b->side[!i], t->to))
			i = !i;
		else if (i < 0 && (i = ng_branch_side(b, t->to)) >= 0 &&
			 ng_tag_of(&b->side[!i]) != NULL)
			i = -1;
		if (i < 0 || b->offer[i] == NULL)
			continue;
		const struct ng_side *other = &b->side[!i];
		bool via = t->via.at != NULL && ng_text_is(b->via, t->via);
		if (ng_tag_has(other, t->to) || ng_tag_has(other, t->from))
			rank = via ? 6 : 4; // who answers has answered here before
		else if (via)
			rank = ng_tag_of(other) == NULL ? 5 : 3;
		else if (ng_tag_of(other) == NULL)
			rank = 2;
		else if (b->forks[i])
			rank = 1;                  // one more phone answers
		if (rank == 0 || rank < best_rank) // of equals the newest
			continue;
		best = b;
		best_rank = rank;
		*x = (unsigned)i;
	}
	return best;
}

// How well a branch fits what a delete says. Tags may come in either order, and often without to-tag.
enum ng_match ng_match_delete(const struct ng_branch *b, const struct ng_texts *t)
{
	int i = ng_branch_side(b, t->from);

	if (t->to.at == NULL) {
		if (t->via.at != NULL && ng_text_is(b->via, t->via) &&
		    (t->from.at == NULL || i >= 0))
			return NG_MATCH_VIA;
		return t->from.at == NULL || i >= 0 ? NG_MATCH_SIDE : NG_MATCH_NO;
	}
	if (t->from.at == NULL)
		return ng_branch_side(b, t->to) >= 0 ? NG_MATCH_SIDE : NG_MATCH_NO;
	if (i >= 0 && ng_tag_has(&b->side[!i], t->to))
		return NG_MATCH_BOTH;
	// A phone that refused has a tag that was never heard of. It is not for who has answered elsewhere.
	int j = i >= 0 ? i : ng_branch_side(b, t->to);
	if (j < 0 || ng_tag_of(&b->side[!j]) != NULL)
		return NG_MATCH_NO;
	if (t->via.at == NULL || b->via == NULL)
		return NG_MATCH_OPEN;
	return ng_text_is(b->via, t->via) ? NG_MATCH_VIA : NG_MATCH_NO;
}
