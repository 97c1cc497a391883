// SPDX-License-Identifier: GPL-2.0-or-later
#include "shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void shadow_init(struct shadow *s)
{
	memset(s, 0, sizeof(*s));
	TAILQ_INIT(&s->all);
	for (unsigned i = 0; i < SHADOW_BUCKETS; i++)
		TAILQ_INIT(&s->bucket[i]);
	TAILQ_INIT(&s->policies);
	TAILQ_INIT(&s->owed);
}

static struct shadow_sas *bucket_of(struct shadow *s, uint32_t spi)
{
	return &s->bucket[(spi ^ spi >> 16) % SHADOW_BUCKETS];
}

void shadow_sa_drop(struct shadow *s, struct shadow_sa *sa)
{
	TAILQ_REMOVE(&s->all, sa, link);
	TAILQ_REMOVE(bucket_of(s, sa->sa.spi), sa, hashed);
	s->n_sas--;
	explicit_bzero(sa, sizeof(*sa));
	free(sa);
}

void shadow_policy_drop(struct shadow *s, struct shadow_policy *p)
{
	TAILQ_REMOVE(&s->policies, p, link);
	s->n_policies--;
	free(p);
}

static void sas_clear(struct shadow *s)
{
	struct shadow_sa *sa;

	while ((sa = TAILQ_FIRST(&s->all)) != NULL)
		shadow_sa_drop(s, sa);
}

static void policies_clear(struct shadow *s)
{
	struct shadow_policy *p;

	while ((p = TAILQ_FIRST(&s->policies)) != NULL)
		shadow_policy_drop(s, p);
}

static void owed_remove(struct shadow *s, struct shadow_owed *o)
{
	TAILQ_REMOVE(&s->owed, o, link);
	s->n_owed--;
	free(o);
}

void shadow_owed_clear(struct shadow *s)
{
	struct shadow_owed *o;

	while ((o = TAILQ_FIRST(&s->owed)) != NULL)
		owed_remove(s, o);
}

void shadow_clear(struct shadow *s)
{
	sas_clear(s);
	policies_clear(s);
	shadow_owed_clear(s);
}

struct shadow_sa *shadow_find(struct shadow *s, const struct feed_id *id)
{
	struct shadow_sa *sa;

	TAILQ_FOREACH (sa, bucket_of(s, id->spi), hashed)
		if (sa->sa.spi == id->spi && sa->sa.if_id == id->if_id &&
		    ip_addr_equal(&sa->sa.dst.addr, &id->dst))
			return sa;
	return NULL;
}

static struct feed_id id_of(const struct feed_sa *sa)
{
	return (struct feed_id){sa->spi, sa->src.addr, sa->dst.addr, 50, sa->if_id};
}

static int sa_add(struct shadow *s, const struct feed_sa *add, int64_t now)
{
	struct feed_id id = id_of(add);
	struct shadow_sa *sa = shadow_find(s, &id);

	if (sa != NULL)
		shadow_sa_drop(s, sa);
	if ((sa = calloc(1, sizeof(*sa))) == NULL)
		return -ENOMEM;
	sa->sa = *add;
	sa->made = now;
	TAILQ_INSERT_TAIL(&s->all, sa, link);
	TAILQ_INSERT_TAIL(bucket_of(s, add->spi), sa, hashed);
	s->n_sas++;
	return 0;
}

static void sa_update(struct shadow *s, const struct feed_update *u)
{
	struct shadow_sa *sa = shadow_find(s, &u->id);

	if (sa == NULL)
		return;
	sa->sa.src = u->src;
	sa->sa.dst = u->dst;
	sa->sa.flags &= ~(uint32_t)FEED_ENCAP;
	sa->sa.flags |= u->encap ? FEED_ENCAP : 0u;
}

static bool ts_equal(const struct feed_ts *a, const struct feed_ts *b)
{
	return ip_addr_equal(&a->lo, &b->lo) && ip_addr_equal(&a->hi, &b->hi) &&
	       a->port_lo == b->port_lo && a->port_hi == b->port_hi && a->proto == b->proto;
}

static bool selectors_equal(const struct feed_policy *a, const struct feed_policy *b)
{
	return a->dir == b->dir && a->if_id == b->if_id && ts_equal(&a->src_ts, &b->src_ts) &&
	       ts_equal(&a->dst_ts, &b->dst_ts);
}

static int policy_add(struct shadow *s, const struct feed_policy *add)
{
	struct shadow_policy *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->p = *add;
	TAILQ_INSERT_TAIL(&s->policies, p, link);
	s->n_policies++;
	return 0;
}

static void policy_del(struct shadow *s, const struct feed_policy *del)
{
	struct shadow_policy *p;

	TAILQ_FOREACH (p, &s->policies, link)
		if (selectors_equal(&p->p, del) && p->p.spi == del->spi &&
		    p->p.reqid == del->reqid && p->p.type == del->type)
			break;
	if (p != NULL)
		shadow_policy_drop(s, p);
}

const struct feed_policy *shadow_policy_find(const struct shadow *s, const struct feed_policy *like)
{
	const struct feed_policy *found = NULL;
	const struct shadow_policy *p;

	TAILQ_FOREACH (p, &s->policies, link)
		if (selectors_equal(&p->p, like))
			found = &p->p;
	return found;
}

int shadow_apply(struct shadow *s, const struct feed_msg *r, int64_t now)
{
	struct shadow_sa *sa;

	switch (r->type) {
	case FEED_SA_ADD:
		return sa_add(s, &r->sa, now);
	case FEED_SA_UPDATE:
		sa_update(s, &r->update);
		return 0;
	case FEED_SA_DEL:
		if ((sa = shadow_find(s, &r->sa_id)) != NULL)
			shadow_sa_drop(s, sa);
		return 0;
	case FEED_SA_FLUSH:
		sas_clear(s);
		return 0;
	case FEED_POLICY_ADD:
		return policy_add(s, &r->policy);
	case FEED_POLICY_DEL:
		policy_del(s, &r->policy);
		return 0;
	case FEED_POLICY_FLUSH:
		policies_clear(s);
		return 0;
	default:
		return 0;
	}
}

static void owe(struct shadow *s, const struct shadow_owed *what)
{
	struct shadow_owed *o = malloc(sizeof(*o));

	if (o == NULL)
		return; // the gateway keeps an orphan until its hard lifetime
	*o = *what;
	TAILQ_INSERT_TAIL(&s->owed, o, link);
	if (++s->n_owed > SHADOW_OWED_MAX)
		owed_remove(s, TAILQ_FIRST(&s->owed));
}

void shadow_owe(struct shadow *s, const struct feed_msg *r)
{
	const struct shadow_sa *sa;
	const struct shadow_policy *p;

	switch (r->type) {
	case FEED_SA_ADD:
		owe(s, &(struct shadow_owed){.type = FEED_SA_DEL, .id = id_of(&r->sa)});
		break;
	case FEED_SA_UPDATE: // a deletion that follows has the new name
		owe(s, &(struct shadow_owed){.type = FEED_SA_UPDATE, .update = r->update});
		break;
	case FEED_SA_DEL:
		owe(s, &(struct shadow_owed){.type = FEED_SA_DEL, .id = r->sa_id});
		break;
	case FEED_POLICY_DEL:
		owe(s, &(struct shadow_owed){.type = FEED_POLICY_DEL, .policy = r->policy});
		break;
	case FEED_SA_FLUSH:
		TAILQ_FOREACH (sa, &s->all, link)
			owe(s, &(struct shadow_owed){.type = FEED_SA_DEL, .id = id_of(&sa->sa)});
		break;
	case FEED_POLICY_FLUSH:
		TAILQ_FOREACH (p, &s->policies, link)
			owe(s, &(struct shadow_owed){.type = FEED_POLICY_DEL, .policy = p->p});
		break;
	default:
		break;
	}
}

// Two peers may have chosen the same SPI: both then take the higher number, which is the safe one.
void shadow_seqs(struct shadow *s, const struct feed_seqs *q)
{
	for (unsigned i = 0; i < q->n; i++) {
		struct shadow_sa *sa;
		TAILQ_FOREACH (sa, bucket_of(s, q->seq[i].spi), hashed)
			if (sa->sa.spi == q->seq[i].spi &&
			    !!(sa->sa.flags & FEED_INBOUND) == !!q->seq[i].inbound &&
			    sa->sa.seq < q->seq[i].seq)
				sa->sa.seq = q->seq[i].seq;
	}
}

void shadow_jumped(struct shadow *s)
{
	struct shadow_sa *sa;

	TAILQ_FOREACH (sa, &s->all, link)
		if (!(sa->sa.flags & FEED_INBOUND) && sa->sa.seq < UINT64_MAX - FEED_SEQ_JUMP)
			sa->sa.seq += FEED_SEQ_JUMP;
}
