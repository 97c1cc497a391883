// SPDX-License-Identifier: BSD-3-Clause
#include "latch.h"

#include <arpa/inet.h>

#define NET_BITS 24      // of LATCH_RANK_NET
#define STEP_MAX 4       // so many numbers further is still in sequence
#define PACE_FREE 10     // packets that may come at once (a jitter buffer that empties)
#define PACE_PER_S 250   // ... and then at most so many a second: speech has 100 at most
#define FOLLOW_PACKETS 3 // of a stream that carries on
#define ANY_PACKETS 5
#define ANY_MS 60

static bool net_equal(uint32_t a, uint32_t b, unsigned bits)
{
	uint32_t mask = bits == 0 ? 0 : bits >= 32 ? UINT32_MAX : ~(UINT32_MAX >> bits);

	return ((ntohl(a) ^ ntohl(b)) & mask) == 0;
}

// Nothing signalled and what a NAT hides are not.
static bool is_public(uint32_t ip)
{
	uint32_t a = ntohl(ip);

	return a != 0 && a >> 24 != 10 && a >> 20 != 0xac1 && a >> 16 != 0xc0a8 && a >> 22 != 0x191;
}

// Not at the signalled host, although that can be reached. A peer that is asymmetric may well send from a
// neighbour of it: nothing is sent there.
static bool is_stranger(const struct latch_policy *p, enum latch_rank rank, uint32_t signalled_ip)
{
	return is_public(signalled_ip) && !p->first_come && !(rank == LATCH_RANK_NET && !p->learn);
}

enum latch_rank latch_rank_of(const struct latch_policy *p, struct latch_peer signalled,
			      uint32_t ip, uint16_t port, uint8_t type, bool verified)
{
	bool same_host = signalled.ip != 0 && ip == signalled.ip;

	if ((p->types[0] | p->types[1]) != 0 &&
	    (p->types[(type & 0x7f) >> 6] >> (type & 63) & 1) == 0)
		return LATCH_RANK_NONE;
	if (verified && p->authenticated)
		return LATCH_RANK_VERIFIED;
	if (signalled.ip != 0 &&
	    ((p->same_port && port != signalled.port) || !net_equal(ip, signalled.ip, p->net_bits)))
		return LATCH_RANK_NONE;
	if (same_host)
		return port == signalled.port ? LATCH_RANK_EXACT : LATCH_RANK_HOST;
	enum latch_rank rank = signalled.ip != 0 && net_equal(ip, signalled.ip, NET_BITS)
				       ? LATCH_RANK_NET
				       : LATCH_RANK_ANY;
	return p->ringing && is_stranger(p, rank, signalled.ip) ? LATCH_RANK_NONE : rank;
}

struct latch_need latch_need_of(const struct latch_policy *p, enum latch_rank rank,
				uint32_t signalled_ip, enum latch_stream stream)
{
	if (rank == LATCH_RANK_VERIFIED)
		return (struct latch_need){1, 0};
	if (stream == LATCH_STREAM_OTHER)
		return (struct latch_need){ANY_PACKETS, LATCH_UNLIKELY_MS};
	if (stream == LATCH_STREAM_FOLLOWS)
		return (struct latch_need){FOLLOW_PACKETS, 0};
	if (rank >= LATCH_RANK_HOST || p->first_come)
		return (struct latch_need){1, 0};
	return (struct latch_need){ANY_PACKETS,
				   is_stranger(p, rank, signalled_ip) ? LATCH_UNLIKELY_MS : ANY_MS};
}

// May a source that fits replace the learned one, once it is proven?
static bool may_move(const struct latch_policy *p, const struct latch_facts *f)
{
	if (f->rank == LATCH_RANK_VERIFIED)
		return true;
	if (f->held == LATCH_RANK_VERIFIED || (p->strict && !f->window))
		return false;
	if (f->rank > f->held)
		return true;
	if (p->strict || !f->quiet)
		return false;
	if (f->follows) // a NAT that forgot its mapping; with handover a host that moved
		return f->same_host || p->handover;
	return p->handover && f->rank >= LATCH_RANK_NET; // another device of the peer's
}

struct latch_result latch_step(enum latch_state state, const struct latch_policy *p,
			       const struct latch_facts *f)
{
	const struct latch_result refused = {(uint8_t)state, LATCH_REFUSED, 0};

	if (state != LATCH_OPEN && state != LATCH_LEARNED && state != LATCH_FIXED)
		return (struct latch_result){LATCH_FIXED, LATCH_REFUSED, 0};
	if (state != LATCH_OPEN && f->same)
		return (struct latch_result){(uint8_t)state, LATCH_PASS, 0};
	if (f->rank == LATCH_RANK_NONE || state == LATCH_FIXED)
		return refused;
	if (state == LATCH_LEARNED && !may_move(p, f))
		return refused;
	if (!f->proven || f->contested)
		return (struct latch_result){(uint8_t)state, LATCH_WAIT, 0};
	if (f->late)
		return (struct latch_result){(uint8_t)state, LATCH_PASS, 0};
	return (struct latch_result){LATCH_LEARNED, LATCH_PASS, 1};
}

void latch_source_note(struct latch_source *s, const struct latch_packet *p, enum latch_rank rank,
		       uint32_t ticks_per_s)
{
	uint16_t step = (uint16_t)(p->seq - s->seq);
	uint32_t alive = (uint32_t)((uint64_t)ticks_per_s * LATCH_ALIVE_MS / 1000);
	uint64_t elapsed = p->tick - s->first;
	bool carries_on = s->ip == p->ip && s->port == p->port && s->ssrc == p->ssrc &&
			  p->tick - s->last < alive && s->packets > 0;

	if (carries_on && (uint16_t)(s->seq - p->seq) < STEP_MAX) { // late, or twice: says nothing
		s->last = p->tick;
		return;
	}
	if (carries_on && step <= STEP_MAX &&
	    s->packets < PACE_FREE + elapsed * PACE_PER_S / ticks_per_s) {
		s->packets = (uint16_t)(s->packets + (s->packets < UINT16_MAX));
		s->seq = p->seq;
		s->last = p->tick;
		return;
	}
	*s = (struct latch_source){.ip = p->ip,
				   .port = p->port,
				   .seq = p->seq,
				   .ssrc = p->ssrc,
				   .first = p->tick,
				   .last = p->tick,
				   .packets = 1,
				   .rank = (uint8_t)rank};
}
