// SPDX-License-Identifier: BSD-3-Clause
// What time does to SAs: lifetimes by time, bytes, packets and sequence numbers; peers that show up at
// another address; numbers for the IKE daemon to remember. All of it reads what workers count, unlocked.
#include "base/log.h"
#include "ike_priv.h"

#include <string.h>

#define NOTES_A_SECOND 20
// What is over stays this long for the IKE daemon to delete, and counts as one of limits.sas.
#define OVER_MS 300000

static struct feed_id id_of(const struct ike_sad *s, const struct ike_sa *sa)
{
	return (struct feed_id){
		.spi = sa->spi,
		.src = sa->src.addr,
		.dst = sa->dst.addr,
		.proto = IPPROTO_ESP,
		.if_id = ike_number(s->ctl->customer[sa->customer].plane->name),
	};
}

bool sad_expire_tell(struct ike_sad *s, const struct ike_sa *sa, bool hard)
{
	s->event = (struct feed_msg){.type = FEED_EXPIRE, .expire = {id_of(s, sa), hard}};
	return ike_feed_tell(s->feed, &s->event);
}

static bool over(uint64_t limit, uint64_t is)
{
	return limit != 0 && is >= limit;
}

static uint64_t seq_of(const struct ike_sa *sa)
{
	return sa->inbound ? __atomic_load_n(&sa->in->seq_top, __ATOMIC_RELAXED)
			   : __atomic_load_n(&sa->out->seq, __ATOMIC_RELAXED);
}

static void lifetime_check(struct ike_sad *s, struct ike_sa *sa, int64_t now)
{
	uint64_t packets = sa->inbound ? sa->in->packets : sa->out->packets;
	uint64_t bytes = sa->inbound ? sa->in->bytes : sa->out->bytes;
	uint64_t age = now > sa->made ? (uint64_t)(now - sa->made) / 1000 : 0;
	bool hard = over(sa->life.hard, age) || over(sa->bytes.hard, bytes) ||
		    over(sa->packets.hard, packets) ||
		    (!sa->inbound && (sa->out->flags & SA_EXHAUSTED));
	bool soft = over(sa->life.soft, age) || over(sa->bytes.soft, bytes) ||
		    over(sa->packets.soft, packets) || over(sa->soft_seq, seq_of(sa));

	if (hard)
		sad_stop(s, sa);
	if (hard && !sa->told_hard) {
		sa->told_hard = sad_expire_tell(s, sa, true);
		if (sa->told_hard && sa->doomed == 0)
			sa->doomed = now + OVER_MS;
	} else if (soft && !hard && !sa->told_soft)
		sa->told_soft = sad_expire_tell(s, sa, false);
}

bool sad_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
	return ip_addr_equal(&a->addr, &b->addr) && a->port == b->port;
}

// The worker writes address and port one after the other: what counts is what two looks see alike.
static void mapping_check(struct ike_sad *s, struct ike_sa *sa)
{
	struct ip_endpoint is = {.addr = {.family = AF_INET, .v4.s_addr = sa->in->peer_ip},
				 .port = sa->encap ? ntohs(sa->in->peer_port) : sa->src.port};
	bool steady = sad_endpoint_equal(&is, &sa->saw);

	if (is.port == 0 && sa->encap)
		return; // no packet has come in UDP yet
	sa->saw = is;
	if (!steady || sad_endpoint_equal(&is, &sa->at))
		return;
	if (!sad_endpoint_equal(&is, &sa->src)) {
		s->event = (struct feed_msg){.type = FEED_MAPPING,
					     .mapping = {id_of(s, sa), sa->reqid, sa->src, is}};
		if (!ike_feed_tell(s->feed, &s->event))
			return; // nobody knows yet
	}
	sa->at = is;
}

static void seqs_send(struct ike_sad *s)
{
	struct feed_seqs *q = &s->event.seqs;
	struct ike_sa *sa = TAILQ_FIRST(&s->all);

	while (sa != NULL) {
		struct ike_sa *first = sa;
		s->event.type = FEED_SEQS;
		q->n = 0;
		for (; sa != NULL && q->n < FEED_SEQS_MAX; sa = TAILQ_NEXT(sa, link))
			if (seq_of(sa) != sa->seq_told)
				q->seq[q->n++] =
					(struct feed_seq){sa->spi, sa->inbound, seq_of(sa)};
		if (q->n == 0 || !ike_feed_tell(s->feed, &s->event))
			return;
		// Those that were told, in the same order.
		unsigned k = 0;
		for (; first != sa && k < q->n; first = TAILQ_NEXT(first, link))
			if (first->spi == q->seq[k].spi && first->inbound == q->seq[k].inbound)
				first->seq_told = q->seq[k++].seq;
	}
}

void sad_watch(struct ike_sad *s, int64_t now)
{
	struct ike_sa *sa, *next;

	for (sa = TAILQ_FIRST(&s->all); sa != NULL; sa = next) {
		next = TAILQ_NEXT(sa, link);
		if (sa->doomed != 0 && sa->doomed <= now) {
			if (!sa->orphan && !sa->deleted)
				log_notice("ike: SA with SPI 0x%08x of %s is over and was not "
					   "deleted; it is removed",
					   sa->spi, s->ctl->customer[sa->customer].plane->name);
			sad_remove(s, sa);
			continue;
		}
		if (sa->deleted)
			continue;
		lifetime_check(s, sa, now);
		if (sa->orphan && sa->stopped)
			sad_remove(s, sa); // nobody would delete it
		else if (sa->inbound && !sa->stopped)
			mapping_check(s, sa);
	}
	if (now < s->next_second)
		return;
	s->next_second = now + 1000;
	seqs_send(s);
	if (s->notes_lost > 0)
		log_notice("ike: %u more lines of the IKE daemon were left out", s->notes_lost);
	s->notes = s->notes_lost = 0;
}

void sad_note(struct ike_sad *s, const struct feed_note *n)
{
	static const enum log_level level[] = {
		[FEED_NOTE_ERROR] = LOG_ERROR,
		[FEED_NOTE_WARN] = LOG_WARN,
		[FEED_NOTE_NOTICE] = LOG_NOTICE,
		[FEED_NOTE_INFO] = LOG_INFO,
	};
	struct err err;
	uint16_t id = n->if_id != 0 ? ike_customer_of(s->ctl, n->if_id, &err) : 0;
	char peer[IP_ENDPOINT_STRLEN] = "";

	if (s->notes >= NOTES_A_SECOND) {
		s->notes_lost++;
		return;
	}
	s->notes++;
	if (n->peer.addr.family != 0)
		ip_endpoint_str(&n->peer, peer);
	const char *who = id != 0 ? s->ctl->customer[id].plane->name : n->conn;
	log_msg(level[n->level], "ike: %s%s%s%s%s", who,
		who[0] != '\0' && peer[0] != '\0' ? ", " : "", peer,
		who[0] != '\0' || peer[0] != '\0' ? ": " : "", n->text);
}
