// SPDX-License-Identifier: BSD-3-Clause
// Which of a customer's outbound SAs are used, and in which order: those whose SPI the policies say, by
// priority, never "the newest SA".
//
// During a rekey both SAs are there and both policies; of two of one priority the later policy goes first.
// One that the peer may not have yet waits a moment while there are others: with IKEv1 the peer of who has asked
// for an SA has it only once the last message has arrived (RFC 2409 section 5.5), and what gets there before
// is lost. charon deletes the old one at once; it is used until the moment is over.
#include "base/log.h"
#include "ike_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 250
#define ACQUIRE_MS 4000
// An orphan stays this long after its place was taken: the peer changes over as well.
#define ORPHAN_MS 30000

static bool ts_equal(const struct feed_ts *a, const struct feed_ts *b)
{
	return ip_addr_equal(&a->lo, &b->lo) && ip_addr_equal(&a->hi, &b->hi) &&
	       a->port_lo == b->port_lo && a->port_hi == b->port_hi && a->proto == b->proto;
}

static bool selectors_equal(const struct feed_policy *a, const struct feed_policy *b)
{
	return a->dir == b->dir && ts_equal(&a->src_ts, &b->src_ts) &&
	       ts_equal(&a->dst_ts, &b->dst_ts);
}

static struct ike_policy *policy_find(struct ike_sad *s, uint16_t customer,
				      const struct feed_policy *p)
{
	struct ike_policy *i;

	TAILQ_FOREACH (i, &s->policies[customer], link)
		if (i->ends == 0 && selectors_equal(&i->p, p) && i->p.spi == p->spi &&
		    i->p.reqid == p->reqid && i->p.type == p->type)
			return i;
	return NULL;
}

static struct ike_sa *out_of(struct ike_sad *s, uint16_t customer, uint32_t spi)
{
	struct ike_sa *sa;

	TAILQ_FOREACH (sa, &s->of_customer[customer], of_customer)
		if (!sa->inbound && sa->spi == spi && !sa->stopped)
			return sa;
	return NULL;
}

static struct ike_sa *sa_of(struct ike_sad *s, uint16_t customer, uint32_t spi)
{
	struct ike_sa *sa;

	TAILQ_FOREACH (sa, &s->of_customer[customer], of_customer)
		if (sa->spi == spi && !sa->stopped)
			return sa;
	return NULL;
}

static bool is_out(const struct feed_policy *p)
{
	return p->dir == FEED_OUT && p->type == FEED_POLICY_IPSEC;
}

// The customer's SAs in the order of their policies, each once; those that wait for their time are last.
// Returns whether the list is another than before.
static bool choose(struct ike_sad *s, uint16_t customer, struct customer_state *cs, int64_t now)
{
	struct ike_policy *i;
	struct ike_sa *sa;
	unsigned n = 0;
	bool changed = false;

	TAILQ_FOREACH (sa, &s->of_customer[customer], of_customer)
		sa->active = false;
	for (int waits = 0; waits < 2; waits++) {
		TAILQ_FOREACH (i, &s->policies[customer], link) {
			if (!is_out(&i->p) || (i->due > now) != waits ||
			    (sa = out_of(s, customer, i->p.spi)) == NULL)
				continue;
			s->due |= waits;
			if (sa->active)
				continue;
			sa->active = true;
			changed |= n >= cs->n_ike || cs->ike[n] != sa->out;
			cs->ike[n++] = sa->out;
		}
	}
	changed |= n != cs->n_ike;
	cs->n_ike = n;
	return changed;
}

static bool traps(struct ike_sad *s, uint16_t customer)
{
	struct ike_policy *i;

	TAILQ_FOREACH (i, &s->policies[customer], link)
		if (is_out(&i->p) && i->p.spi == 0)
			return true;
	return false;
}

int sad_room(struct ike_sad *s, uint16_t customer, struct err *err)
{
	struct customer_state *cs = &s->ctl->customer[customer];
	struct ike_sa *sa;
	unsigned n = 1;

	TAILQ_FOREACH (sa, &s->of_customer[customer], of_customer)
		n += !sa->inbound;
	struct sa_out **ike = realloc(cs->ike, n * sizeof(struct sa_out *));
	if (ike == NULL)
		return err_set(err, -ENOMEM, "no memory");
	cs->ike = ike;
	return 0;
}

static void ended_remove(struct ike_sad *s, uint16_t customer, int64_t now)
{
	struct ike_policy *i, *next;

	for (i = TAILQ_FIRST(&s->policies[customer]); i != NULL; i = next) {
		next = TAILQ_NEXT(i, link);
		if (i->ends == 0 || i->ends > now)
			continue;
		TAILQ_REMOVE(&s->policies[customer], i, link);
		free(i);
	}
}

int sad_activate(struct ike_sad *s, uint16_t customer, struct err *err)
{
	struct customer_state *cs = &s->ctl->customer[customer];
	const struct sa_out *first = cs->n_ike > 0 ? cs->ike[0] : NULL;
	bool trap = traps(s, customer), changed = trap != cs->trap;
	struct err why;

	ended_remove(s, customer, ike_now());
	changed |= choose(s, customer, cs, ike_now());
	if (!changed)
		return 0;
	cs->trap = trap;
	if (cs->n_ike > 0 && cs->ike[0] != first)
		log_info("ike: %s is sent to by SPI 0x%08x (%s)", cs->plane->name, cs->ike[0]->spi,
			 suites[cs->ike[0]->suite].name);
	int rc = customer_spd_publish(s->ctl, customer, err);
	if (rc <
	    0) { // nothing may stay that is about to be freed: without SAs there is always room
		cs->n_ike = 0;
		customer_spd_publish(s->ctl, customer, &why);
	}
	return rc;
}

// Another SA takes the place of those of an earlier life of the IKE daemon.
static void orphans_replace(struct ike_sad *s, uint16_t customer, const struct feed_policy *p)
{
	struct ike_policy *i, *next;
	struct ike_sa *sa;

	for (i = TAILQ_FIRST(&s->policies[customer]); i != NULL; i = next) {
		next = TAILQ_NEXT(i, link);
		if (!i->orphan || !selectors_equal(&i->p, p))
			continue;
		// Not before there is a way out: policies for both directions come one by one.
		TAILQ_FOREACH (sa, &s->of_customer[customer], of_customer)
			if (sa->orphan && sa->reqid == i->p.reqid && sa->doomed == 0 && is_out(p))
				sa->doomed = ike_now() + ORPHAN_MS;
		TAILQ_REMOVE(&s->policies[customer], i, link);
		free(i);
	}
}

void sad_policy_orphans(struct ike_sad *s, uint16_t customer, uint32_t reqid)
{
	struct ike_policy *i, *next;

	for (i = TAILQ_FIRST(&s->policies[customer]); i != NULL; i = next) {
		next = TAILQ_NEXT(i, link);
		if (!i->orphan || i->p.reqid != reqid || i->ends != 0 ||
		    sa_of(s, customer, i->p.spi) != NULL)
			continue;
		TAILQ_REMOVE(&s->policies[customer], i, link);
		free(i);
	}
}

static void policy_insert(struct ike_policy_list *list, struct ike_policy *new)
{
	struct ike_policy *i;

	TAILQ_FOREACH (i, list, link) {
		if (i->p.priority >= new->p.priority) {
			TAILQ_INSERT_BEFORE(i, new, link);
			return;
		}
	}
	TAILQ_INSERT_TAIL(list, new, link);
}

int sad_policy_add(struct ike_sad *s, const struct feed_policy *p, struct err *err)
{
	uint16_t customer = ike_customer_of(s->ctl, p->if_id, err);

	if (customer == 0)
		return p->if_id == 0 && p->type != FEED_POLICY_IPSEC ? 0 : -ENOENT; // IKE's own way
	struct ike_policy *i = policy_find(s, customer, p);
	if (i != NULL) {
		i->refs = i->orphan ? 1 : i->refs + 1;
		i->orphan = false;
		return 0;
	}
	if ((i = calloc(1, sizeof(*i))) == NULL)
		return err_set(err, -ENOMEM, "no memory");
	const struct ike_sa *sa = out_of(s, customer, p->spi);
	if (sa_of(s, customer, p->spi) != NULL) // a trap takes nobody's place
		orphans_replace(s, customer, p);
	i->p = *p;
	i->refs = 1;
	i->due = ike_now() + (sa != NULL && sa->wait ? WAIT_MS : 0);
	policy_insert(&s->policies[customer], i);
	return p->dir == FEED_OUT ? sad_activate(s, customer, err) : 0;
}

// When traffic of the policy was seen last: that of the SA with its reqid that was used last.
int sad_policy_query(struct ike_sad *s, const struct feed_policy *p, struct feed_usage *out,
		     struct err *err)
{
	uint16_t customer = ike_customer_of(s->ctl, p->if_id, err);
	const struct ike_sa *sa;

	*out = (struct feed_usage){0};
	if (customer == 0)
		return -ENOENT;
	TAILQ_FOREACH (sa, &s->of_customer[customer], of_customer) {
		struct feed_usage u;
		if (sa->reqid != p->reqid || sa->inbound == (p->dir == FEED_OUT))
			continue;
		sad_usage(s, sa, &u);
		if (u.last_use != 0 && (out->last_use == 0 || u.last_use < out->last_use))
			out->last_use = u.last_use;
	}
	return 0;
}

// When what takes an outbound policy's place may be used; 0: it may be now, or there is nothing.
static int64_t successor_due(const struct ike_sad *s, uint16_t customer, const struct ike_policy *p)
{
	const struct ike_policy *i;
	int64_t due = 0;

	TAILQ_FOREACH (i, &s->policies[customer], link) {
		if (i == p || i->ends != 0 || !is_out(&i->p) || !selectors_equal(&i->p, &p->p))
			continue;
		if (i->due <= ike_now())
			return 0;
		due = i->due;
	}
	return due;
}

int64_t sad_policy_ends(const struct ike_sad *s, const struct ike_sa *sa)
{
	const struct ike_policy *i;

	TAILQ_FOREACH (i, &s->policies[sa->customer], link)
		if (i->ends != 0 && i->p.spi == sa->spi)
			return i->ends;
	return 0;
}

int sad_policy_del(struct ike_sad *s, const struct feed_policy *p, struct err *err)
{
	uint16_t customer = ike_customer_of(s->ctl, p->if_id, err);
	struct ike_policy *i;

	if (customer == 0)
		return p->if_id == 0 && p->type != FEED_POLICY_IPSEC ? 0 : -ENOENT;
	if ((i = policy_find(s, customer, p)) == NULL)
		return err_set(err, -ENOENT, "there is no such policy with SPI 0x%08x", p->spi);
	if (--i->refs > 0)
		return 0;
	if ((i->ends = successor_due(s, customer, i)) != 0)
		return 0;
	TAILQ_REMOVE(&s->policies[customer], i, link);
	free(i);
	return p->dir == FEED_OUT ? sad_activate(s, customer, err) : 0;
}

void sad_policy_flush(struct ike_sad *s, uint16_t customer)
{
	struct ike_policy *i;
	struct err err;

	for (unsigned c = 1; c < CUSTOMERS_MAX; c++) {
		if ((customer != 0 && c != customer) || TAILQ_EMPTY(&s->policies[c]))
			continue;
		while ((i = TAILQ_FIRST(&s->policies[c])) != NULL) {
			TAILQ_REMOVE(&s->policies[c], i, link);
			free(i);
		}
		if (sad_activate(s, (uint16_t)c, &err) < 0)
			log_error("ike: customer %s: %s", s->ctl->customer[c].plane->name,
				  err.text);
	}
}

// ---- packets without an SA ----

static bool ts_has(const struct feed_ts *t, uint32_t ip, uint8_t proto, uint16_t port)
{
	return t->lo.family == AF_INET && ip >= ntohl(t->lo.v4.s_addr) &&
	       ip <= ntohl(t->hi.v4.s_addr) && (t->proto == 0 || t->proto == proto) &&
	       port >= t->port_lo && port <= t->port_hi;
}

static struct feed_ts ts_of(uint32_t ip, uint8_t proto, uint16_t port)
{
	struct ip_addr a = {.family = AF_INET, .v4.s_addr = htonl(ip)};

	return (struct feed_ts){a, a, port, port, proto};
}

static void acquire(struct ike_sad *s, uint16_t id, int64_t now)
{
	const struct customer *c = s->ctl->customer[id].plane;
	uint32_t n = __atomic_load_n(&c->wanted.n, __ATOMIC_ACQUIRE);
	struct ike_policy *i;

	if (n == s->wants[id])
		return;
	s->wants[id] = n;
	TAILQ_FOREACH (i, &s->policies[id], link) {
		if (!is_out(&i->p) || i->p.spi != 0 ||
		    !ts_has(&i->p.src_ts, c->wanted.src, c->wanted.proto, c->wanted.sport) ||
		    !ts_has(&i->p.dst_ts, c->wanted.dst, c->wanted.proto, c->wanted.dport))
			continue;
		if (i->acquired != 0 && now - i->acquired < ACQUIRE_MS)
			return;
		s->event = (struct feed_msg){
			.type = FEED_ACQUIRE,
			.acquire = {i->p.reqid, i->p.if_id,
				    ts_of(c->wanted.src, c->wanted.proto, c->wanted.sport),
				    ts_of(c->wanted.dst, c->wanted.proto, c->wanted.dport)}};
		if (ike_feed_tell(s->feed, &s->event))
			i->acquired = now;
		return;
	}
}

void sad_policies_check(struct ike_sad *s, int64_t now)
{
	bool due = s->due;
	struct err err;

	s->due = false;
	for (uint16_t c = 1; c < CUSTOMERS_MAX; c++) {
		if (TAILQ_EMPTY(&s->policies[c]))
			continue;
		if (due && sad_activate(s, c, &err) < 0) {
			s->due = true; // next time
			log_error("ike: customer %s: %s", s->ctl->customer[c].plane->name,
				  err.text);
		}
		if (s->ctl->customer[c].trap)
			acquire(s, c, now);
	}
}
