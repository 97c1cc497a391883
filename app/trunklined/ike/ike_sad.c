// SPDX-License-Identifier: BSD-3-Clause
// SAs that IKE makes: added, moved, asked about and deleted as the feed says.
//
// Inbound SAs are in the plane from the moment they are added until they are deleted. Outbound ones
// are used once a policy has their SPI (ike_policy.c). An SA without a customer is refused. A request is
// answered when the tables are published: workers load each entry once a packet, so that every packet they
// take up from then on finds what was asked for.
#include "base/log.h"
#include "ike_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define RESERVED_MS 165000 // as long as charon waits for an answer, and then some
#define SPI_TRIES 4096

int64_t ike_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint16_t ike_customer_of(const struct control *ctl, uint32_t if_id, struct err *err)
{
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++)
		if (ctl->customer[i].plane != NULL &&
		    ike_number(ctl->customer[i].plane->name) == if_id)
			return (uint16_t)i;
	err_set(err, -ENOENT,
		"no customer has the number (if_id) 0x%08x; it is made of the customer's name",
		if_id);
	return 0;
}

static struct ike_sa_list *bucket_of(struct ike_sad *s, uint32_t spi)
{
	return &s->bucket[(spi ^ spi >> 16) % IKE_BUCKETS];
}

struct ike_sa *sad_find(struct ike_sad *s, uint16_t customer, uint32_t spi,
			const struct ip_addr *dst)
{
	struct ike_sa *sa;

	TAILQ_FOREACH (sa, bucket_of(s, spi), hashed)
		if (!sa->deleted && sa->spi == spi && ip_addr_equal(&sa->dst.addr, dst) &&
		    (customer == 0 || sa->customer == customer))
			return sa;
	return NULL;
}

static int find_or_say(struct ike_sad *s, const struct feed_id *id, struct ike_sa **out,
		       struct err *err)
{
	struct err why;

	*out = sad_find(s, ike_customer_of(s->ctl, id->if_id, &why), id->spi, &id->dst);
	return *out != NULL ? 0 : err_set(err, -ENOENT, "there is no SA with SPI 0x%08x", id->spi);
}

// ---- SPIs ----

static bool spi_is_free(const struct ike_sad *s, uint32_t spi, int64_t now)
{
	const struct ike_reserved *r = &s->reserved[spi & (SPI_SLOTS - 1)];

	return s->ctl->plane->sa_in[spi & (SPI_SLOTS - 1)] == 0 && (r->spi == 0 || r->until <= now);
}

// Workers keep its packets for a moment: the peer may use the SA before it is here.
static void reserve(struct ike_sad *s, uint32_t spi, int64_t until)
{
	s->reserved[spi & (SPI_SLOTS - 1)] = (struct ike_reserved){spi, until};
	__atomic_store_n(&s->ctl->plane->spi_early[spi & (SPI_SLOTS - 1)], spi, __ATOMIC_RELAXED);
}

static void unreserve(struct ike_sad *s, uint32_t spi)
{
	s->reserved[spi & (SPI_SLOTS - 1)] = (struct ike_reserved){0};
	__atomic_store_n(&s->ctl->plane->spi_early[spi & (SPI_SLOTS - 1)], 0, __ATOMIC_RELAXED);
}

int sad_spi_get(struct ike_sad *s, struct feed_id *id, struct err *err)
{
	int64_t now = ike_now();
	uint32_t spi;

	for (unsigned i = 0; i < SPI_TRIES; i++) {
		if (getrandom(&spi, sizeof(spi), 0) != sizeof(spi))
			return err_set(err, -EIO, "the kernel gave no random numbers");
		if (spi < SPI_SLOTS || !spi_is_free(s, spi, now))
			continue;
		reserve(s, spi, now + RESERVED_MS);
		id->spi = spi;
		return 0;
	}
	return err_set(err, -ENOSPC, "no SPI is free: %u SAs are there", s->n);
}

// After our restart an SPI that we no longer know of may still come back: what counts is its slot.
static int spi_check(const struct ike_sad *s, const struct feed_sa *f, struct err *err)
{
	uint32_t slot = f->spi & (SPI_SLOTS - 1);
	const struct ike_reserved *r = &s->reserved[slot];

	if (s->ctl->plane->sa_in[slot] != 0 ||
	    (r->spi != 0 && r->spi != f->spi && r->until > ike_now()))
		return err_set(err, -EEXIST,
			       "SPI 0x%08x: another SA has its low 16 bits; ask for a new one",
			       f->spi);
	return 0;
}

// ---- SAs ----

// Wall clock for people; what counts goes by the monotonic clock.
static time_t wall(const struct ike_sa *sa, uint64_t seconds)
{
	return seconds != 0 ? sa->since + (time_t)(seconds < UINT32_MAX ? seconds : UINT32_MAX) : 0;
}

static void lifetime_set(struct ike_sa *sa, const struct feed_sa *f)
{
	sa->soft = wall(sa, f->time.soft);
	sa->hard = wall(sa, f->time.hard);
	sa->life = f->time;
	sa->bytes = f->bytes;
	sa->packets = f->packets;
	sa->told_soft = sa->told_hard = false;
}

static struct ike_sa *sa_new(uint16_t customer, const struct feed_sa *f)
{
	struct ike_sa *sa = calloc(1, sizeof(*sa));

	if (sa == NULL)
		return NULL;
	sa->spi = f->spi;
	sa->reqid = f->reqid;
	sa->customer = customer;
	sa->inbound = f->flags & FEED_INBOUND;
	sa->encap = f->flags & FEED_ENCAP;
	sa->esn = f->flags & FEED_ESN;
	sa->wait = f->flags & FEED_WAIT;
	sa->src = f->src;
	sa->dst = f->dst;
	uint32_t age = f->age < UINT32_MAX ? (uint32_t)f->age : UINT32_MAX;
	if (!(f->flags & FEED_REPLAY))
		age = 0;
	sa->since = time(NULL) - (time_t)age;
	sa->made = ike_now() - (int64_t)age * 1000;
	sa->at = sa->saw = f->src;
	lifetime_set(sa, f);
	return sa;
}

static int sa_publish(struct ike_sad *s, struct ike_sa *sa, struct err *err)
{
	TAILQ_INSERT_TAIL(&s->all, sa, link);
	TAILQ_INSERT_TAIL(&s->of_customer[sa->customer], sa, of_customer);
	TAILQ_INSERT_HEAD(bucket_of(s, sa->spi), sa, hashed);
	s->n++;
	if (sa->inbound) {
		sa_in_publish(s->ctl, sa->in);
		unreserve(s, sa->spi);
		return 0;
	}
	sa_peer_resolve(s->ctl, &sa->dst.addr);
	return sad_activate(s, sa->customer, err);
}

static void activate_or_say(struct ike_sad *s, uint16_t customer)
{
	struct err err;

	if (sad_activate(s, customer, &err) < 0)
		log_error("ike: customer %s: %s", s->ctl->customer[customer].plane->name, err.text);
}

void sad_stop(struct ike_sad *s, struct ike_sa *sa)
{
	if (sa->stopped)
		return;
	sa->stopped = true;
	if (sa->inbound)
		sa_in_withdraw(s->ctl, sa->in);
	else
		activate_or_say(s, sa->customer);
}

void sad_remove(struct ike_sad *s, struct ike_sa *sa)
{
	sad_stop(s, sa); // first: no packet finds it afterwards
	TAILQ_REMOVE(&s->all, sa, link);
	TAILQ_REMOVE(&s->of_customer[sa->customer], sa, of_customer);
	TAILQ_REMOVE(bucket_of(s, sa->spi), sa, hashed);
	s->n--;
	if (sa->inbound)
		defer_free(s->ctl->defer, sa->in, sa_in_release);
	else
		defer_free(s->ctl->defer, sa->out, sa_out_release);
	if (sa->orphan) {
		sad_policy_orphans(s, sa->customer, sa->reqid);
		activate_or_say(s, sa->customer); // a trap may have gone
	}
	free(sa);
}

// The worker goes on with the same object, so that no sequence number is used twice: it takes the new
// header over by itself.
static int move_out(struct ike_sad *s, struct ike_sa *sa, const struct feed_update *u,
		    struct err *err)
{
	const struct sa_outer *old = sa->out->moved;
	struct sa_outer *outer = malloc(sizeof(*outer));

	if (outer == NULL)
		return err_set(err, -ENOMEM, "no memory");
	sa_outer_make(outer, &u->src, &u->dst,
		      (sa->out->flags & SA_DF_SET) | (u->encap ? SA_ENCAP : 0u));
	__atomic_store_n(&sa->out->moved, outer, __ATOMIC_RELEASE);
	route_gen_move(s->ctl->plane);
	defer_free(s->ctl->defer, (void *)(uintptr_t)old, free);
	sa_peer_resolve(s->ctl, &u->dst.addr);
	return 0;
}

static void move_in(struct ike_sa *sa, const struct feed_update *u)
{
	unsigned flags = sa->in->flags & ~(unsigned)SA_ENCAP;

	// Only the control thread writes the flags of an inbound SA.
	__atomic_store_n(&sa->in->flags, (uint16_t)(flags | (u->encap ? SA_ENCAP : 0u)),
			 __ATOMIC_RELAXED);
}

static int endpoint_check(const struct ip_endpoint *e, bool encap, struct err *err)
{
	char text[IP_ADDR_STRLEN];

	if (e->addr.family != AF_INET)
		return err_set(err, -EAFNOSUPPORT,
			       "%s: the outer addresses of an SA are IPv4 for now",
			       ip_addr_str(&e->addr, text));
	if (encap && e->port == 0)
		return err_set(err, -EINVAL, "%s: an SA in UDP has ports",
			       ip_addr_str(&e->addr, text));
	return 0;
}

static int sa_move(struct ike_sad *s, struct ike_sa *sa, const struct feed_update *u,
		   struct err *err)
{
	char was[IP_ENDPOINT_STRLEN], is[IP_ENDPOINT_STRLEN];
	int rc;

	if ((rc = endpoint_check(&u->src, u->encap, err)) < 0 ||
	    (rc = endpoint_check(&u->dst, u->encap, err)) < 0 ||
	    (rc = control_peer_check(s->ctl->config, sa->inbound ? &u->src.addr : &u->dst.addr,
				     err)) < 0)
		return rc;
	if (!sa->inbound && (rc = move_out(s, sa, u, err)) < 0)
		return rc;
	if (sa->inbound) {
		move_in(sa, u);
		if (!u->encap)
			sa->at.port = u->src.port; // without UDP only the address is known
		log_info("ike: %s moved from %s to %s", s->ctl->customer[sa->customer].plane->name,
			 ip_endpoint_str(&sa->src, was), ip_endpoint_str(&u->src, is));
	}
	sa->src = u->src;
	sa->dst = u->dst;
	sa->encap = u->encap;
	return 0;
}

int sad_update(struct ike_sad *s, const struct feed_update *u, struct err *err)
{
	struct ike_sa *sa;
	int rc = find_or_say(s, &u->id, &sa, err);

	return rc < 0 ? rc : sa_move(s, sa, u, err);
}

// ---- adding ----

// It may have moved while there was no connection, so that its destination is another.
static struct ike_sa *orphan_find(struct ike_sad *s, uint16_t customer, const struct feed_sa *f)
{
	struct ike_sa *sa;

	TAILQ_FOREACH (sa, bucket_of(s, f->spi), hashed)
		if (sa->orphan && !sa->deleted && sa->spi == f->spi && sa->customer == customer &&
		    sa->inbound == !!(f->flags & FEED_INBOUND))
			return sa;
	return NULL;
}

// What was there before the connection, and is there again.
static int adopt(struct ike_sad *s, struct ike_sa *sa, const struct feed_sa *f, struct err *err)
{
	const struct feed_update u = {.src = f->src, .dst = f->dst, .encap = f->flags & FEED_ENCAP};
	int rc;

	if (!(f->flags & FEED_REPLAY) || sa->inbound != !!(f->flags & FEED_INBOUND))
		return err_set(err, -EEXIST, "SPI 0x%08x is there already", f->spi);
	if ((u.encap != sa->encap || !sad_endpoint_equal(&u.src, &sa->src) ||
	     !sad_endpoint_equal(&u.dst, &sa->dst)) &&
	    (rc = sa_move(s, sa, &u, err)) < 0)
		return rc;
	sa->orphan = false;
	sa->doomed = 0;
	sa->reqid = f->reqid;
	sa->seq_told = 0;
	lifetime_set(sa, f);
	return 0;
}

int sad_add(struct ike_sad *s, const struct feed_sa *f, struct err *err)
{
	uint16_t customer = ike_customer_of(s->ctl, f->if_id, err);
	int rc;

	if (customer == 0)
		return -ENOENT;
	struct ike_sa *sa = sad_find(s, customer, f->spi, &f->dst.addr);
	if (sa == NULL && (f->flags & FEED_REPLAY))
		sa = orphan_find(s, customer, f);
	if (sa != NULL)
		return adopt(s, sa, f, err);
	if (s->n / 2 + s->ctl->n_sas >= s->ctl->config->max_sas)
		return err_set(err, -ENOSPC, "there are %u SA pairs already (limits.sas)",
			       s->n / 2 + s->ctl->n_sas);
	if ((f->flags & FEED_INBOUND) && (rc = spi_check(s, f, err)) < 0)
		return rc;
	if (!(f->flags & FEED_INBOUND) && (rc = sad_room(s, customer, err)) < 0)
		return rc;
	if ((sa = sa_new(customer, f)) == NULL)
		return err_set(err, -ENOMEM, "no memory");
	if ((rc = ike_sa_make(s->ctl, sa, f, err)) < 0) {
		free(sa);
		return rc;
	}
	if ((rc = sa_publish(s, sa, err)) < 0)
		sad_remove(s, sa);
	return rc;
}

// ---- asking and deleting ----

void sad_usage(const struct ike_sad *s, const struct ike_sa *sa, struct feed_usage *out)
{
	uint64_t last = sa->inbound ? sa->in->last_tsc : sa->out->last_tsc;
	uint64_t now = rte_rdtsc();

	out->packets = sa->inbound ? sa->in->packets : sa->out->packets;
	out->bytes = sa->inbound ? sa->in->bytes : sa->out->bytes;
	out->last_use = 0;
	if (out->packets != 0)
		out->last_use = (now > last ? (now - last) / s->ctl->plane->tsc_hz : 0) + 1;
}

int sad_query(struct ike_sad *s, const struct feed_id *id, struct feed_usage *out, struct err *err)
{
	struct ike_sa *sa;
	int rc = find_or_say(s, id, &sa, err);

	if (rc == 0)
		sad_usage(s, sa, out);
	return rc;
}

int sad_del(struct ike_sad *s, const struct feed_id *id, struct err *err)
{
	struct ike_sa *sa;
	int rc = find_or_say(s, id, &sa, err);

	if (rc == 0 && !sa->inbound && (sa->doomed = sad_policy_ends(s, sa)) != 0) {
		sa->deleted = true;
	} else if (rc == 0) {
		sad_remove(s, sa);
	} else if (s->reserved[id->spi & (SPI_SLOTS - 1)].spi == id->spi) {
		unreserve(s, id->spi);
		return 0; // one that never came to be
	}
	return rc;
}

void sad_flush(struct ike_sad *s)
{
	struct ike_sa *sa;

	while ((sa = TAILQ_FIRST(&s->all)) != NULL)
		sad_remove(s, sa);
}

void sad_orphan_all(struct ike_sad *s)
{
	struct ike_sa *sa;
	struct ike_policy *p;

	TAILQ_FOREACH (sa, &s->all, link)
		sa->orphan = true;
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++)
		TAILQ_FOREACH (p, &s->policies[i], link)
			p->orphan = true;
}

// ---- for the rest of the control thread ----

const struct ike_sa_list *ike_sas_of(const struct control *ctl, uint16_t customer)
{
	const struct ike_sad *s = ctl->sad;

	return s != NULL && !TAILQ_EMPTY(&s->of_customer[customer]) ? &s->of_customer[customer]
								    : NULL;
}

void ike_customer_drop(struct control *ctl, uint16_t customer)
{
	struct ike_sad *s = ctl->sad;
	struct ike_sa *sa;

	if (s == NULL)
		return;
	sad_policy_flush(s, customer);
	while ((sa = TAILQ_FIRST(&s->of_customer[customer])) != NULL) {
		sad_expire_tell(s, sa, true);
		sad_remove(s, sa);
	}
}

unsigned ike_orphans_drop(struct control *ctl, uint16_t customer)
{
	struct ike_sad *s = ctl->sad;
	struct ike_policy *p, *next_policy;
	struct ike_sa *sa, *next_sa;
	unsigned n = 0;

	if (s == NULL || customer == 0)
		return 0;
	for (p = TAILQ_FIRST(&s->policies[customer]); p != NULL; p = next_policy) {
		next_policy = TAILQ_NEXT(p, link);
		if (!p->orphan)
			continue;
		TAILQ_REMOVE(&s->policies[customer], p, link);
		free(p);
	}
	activate_or_say(s, customer);
	for (sa = TAILQ_FIRST(&s->of_customer[customer]); sa != NULL; sa = next_sa) {
		next_sa = TAILQ_NEXT(sa, of_customer);
		if (!sa->orphan)
			continue;
		sad_remove(s, sa);
		n++;
	}
	return n;
}

int sad_open(struct control *ctl, struct ike_feed *feed, struct ike_sad **out, struct err *err)
{
	struct ike_sad *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(err, -ENOMEM, "no memory for IKE's tables");
	s->ctl = ctl;
	s->feed = feed;
	TAILQ_INIT(&s->all);
	for (unsigned i = 0; i < IKE_BUCKETS; i++)
		TAILQ_INIT(&s->bucket[i]);
	for (unsigned i = 0; i < CUSTOMERS_MAX; i++) {
		TAILQ_INIT(&s->of_customer[i]);
		TAILQ_INIT(&s->policies[i]);
	}
	ctl->sad = s;
	*out = s;
	return 0;
}

void sad_close(struct ike_sad *s)
{
	if (s == NULL)
		return;
	sad_policy_flush(s, 0);
	sad_flush(s);
	s->ctl->sad = NULL;
	free(s);
}
