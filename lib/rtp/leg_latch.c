// SPDX-License-Identifier: BSD-3-Clause
// The guarded latch, applied to a leg: what is known of the packet's source, what latch_step makes of
// it, and what that changes.
#include "leg.h"

#include <arpa/inet.h>
#include <string.h>

static uint32_t ticks_of_ms(const struct leg_guard *g, uint32_t ms)
{
	return (uint32_t)((uint64_t)g->ticks_per_s * ms / 1000);
}

// Where RTCP goes if nothing else is known: next to RTP.
static uint16_t rtcp_port_of(const struct leg *leg, uint16_t rtp_port)
{
	return leg->flags & LEG_RTCP_MUX ? rtp_port : htons((uint16_t)(ntohs(rtp_port) + 1));
}

// In one store: the control thread may be copying it (leg_latch_carry).
static void latch_store(void *remote, uint32_t ip, uint16_t port, uint8_t state)
{
	uint64_t *word = remote;
	uint64_t is = (*word & 0xffULL << 56) | (uint64_t)state << 48 | (uint64_t)port << 32 | ip;

	__atomic_store_n(word, is, __ATOMIC_RELAXED);
}

// Address, port and state of one moment; what follows in the word is to's own.
static void latch_copy(void *to, const void *from)
{
	uint64_t is = __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED);

	latch_store(to, (uint32_t)is, (uint16_t)(is >> 32), (uint8_t)(is >> 48));
}

static void out_set(struct leg *leg, uint32_t ip, uint16_t port)
{
	leg->out_ip = ip;
	leg->out_port = port;
	leg->nexthop = 0;
	leg->route_gen = 0;
	leg->hairpin = 0;
}

void leg_latch_set(struct leg *leg, const struct latch_policy *policy, struct latch_peer rtp,
		   struct latch_peer rtcp, uint64_t tsc_hz)
{
	memset(&leg->guard, 0, sizeof(leg->guard));
	leg->guard.policy = *policy;
	leg->guard.signalled = rtp;
	leg->guard.rtcp = rtcp;
	leg->guard.ticks_per_s = (uint32_t)(tsc_hz >> TICK_SHIFT) + 1;
	leg->latch = !policy->learn && policy->strict ? LATCH_FIXED : LATCH_OPEN;
	leg->rtcp_latch = leg->latch;
	leg->remote_ip = rtp.ip;
	leg->remote_port = rtp.port;
	out_set(leg, rtp.ip, rtp.port);
	leg->rtcp_ip = rtcp.ip != 0 ? rtcp.ip : rtp.ip;
	leg->rtcp_port = rtcp.ip != 0 ? rtcp.port : rtp.ip != 0 ? rtcp_port_of(leg, rtp.port) : 0;
}

// RTCP goes where RTP was heard from, or where it was signalled if RTP came from where that was.
static void rtcp_follow(struct leg *leg, uint32_t ip, uint16_t port, enum latch_rank rank)
{
	struct latch_peer s = leg->guard.rtcp;
	bool as_signalled = rank == LATCH_RANK_EXACT && s.ip != 0;

	latch_store(&leg->rtcp_ip, as_signalled ? s.ip : ip,
		    as_signalled ? s.port : rtcp_port_of(leg, port), LATCH_OPEN);
}

// What was signalled of RTCP is as it was.
static bool rtcp_same(const struct leg *leg, const struct leg *was)
{
	return leg->guard.rtcp.ip == was->guard.rtcp.ip &&
	       leg->guard.rtcp.port == was->guard.rtcp.port &&
	       ((leg->flags ^ was->flags) & LEG_RTCP_MUX) == 0;
}

void leg_latch_carry(struct leg *leg, const struct leg *was)
{
	struct leg_guard *g = &leg->guard;
	uint64_t any[2] = {g->policy.types[0], g->policy.types[1]};
	struct latch_peer s = g->signalled;
	struct leg now = {.latch = LATCH_OPEN};

	latch_copy(&now.remote_ip, &was->remote_ip);
	if (now.latch != LATCH_LEARNED || leg->latch != LATCH_OPEN ||
	    s.ip != was->guard.signalled.ip || s.port != was->guard.signalled.port)
		return;
	// The source stays if it fits still; payload types are of packets to come.
	g->policy.types[0] = g->policy.types[1] = 0;
	enum latch_rank rank = latch_rank_of(&g->policy, s, now.remote_ip, now.remote_port, 0,
					     was->guard.held == LATCH_RANK_VERIFIED);
	g->policy.types[0] = any[0];
	g->policy.types[1] = any[1];
	if (rank == LATCH_RANK_NONE)
		return;
	latch_copy(&leg->remote_ip, &now.remote_ip);
	leg->last_tick = was->last_tick;
	g->held = (uint8_t)rank;
	g->learned_tick = was->guard.learned_tick;
	if (!g->policy.learn)
		return;
	out_set(leg, now.remote_ip, now.remote_port);
	if (rtcp_same(leg, was))
		latch_copy(&leg->rtcp_ip, &was->rtcp_ip);
	else
		rtcp_follow(leg, now.remote_ip, now.remote_port, rank);
}

// Is it the packet that should come next, after one that was seen? A flood from many sources, none of
// which has a second packet in sequence, so gets nowhere near the few places on probation. Digests may
// collide: then somebody has to wait one packet more, or gets a place for nothing.
static bool sight_expected(struct leg_guard *g, const struct latch_packet *p)
{
	uint32_t h = p->ip * 0x9e3779b1u ^ p->port * 0x85ebca6bu ^ p->ssrc;

	h = (h ^ h >> 15) * 0xc2b2ae35u;
	h ^= h >> 13;
	uint16_t *sight = &g->sight[h >> 16 & (LEG_SIGHTS - 1)];
	bool expected = *sight == (uint16_t)(h ^ p->seq);

	*sight = (uint16_t)(h ^ (p->seq + 1u));
	return expected;
}

// The source's place among those on probation: its own, a free or stale one, or one of a worse source.
// NULL: it has none, and gets none.
static struct latch_source *trial_find(struct leg_guard *g, const struct latch_packet *p,
				       enum latch_rank rank)
{
	uint32_t alive = ticks_of_ms(g, LATCH_ALIVE_MS);
	struct latch_source *place = NULL;

	for (unsigned i = 0; i < 2; i++) {
		struct latch_source *s = &g->trial[i];
		if (s->packets > 0 && s->ip == p->ip && s->port == p->port)
			return s;
		// A source that began anew has nothing to lose.
		if (s->packets <= 1 || p->tick - s->last >= alive || s->rank < rank)
			place = s;
	}
	return sight_expected(g, p) ? place : NULL;
}

// Is another source on probation, alive, in sequence, and as good?
static bool trial_contested(const struct leg_guard *g, const struct latch_source *mine,
			    uint32_t tick)
{
	const struct latch_source *other = &g->trial[mine == g->trial];

	return other->packets >= 3 && other->rank >= mine->rank &&
	       tick - other->last < ticks_of_ms(g, LATCH_ALIVE_MS);
}

static bool stream_follows(const struct leg *leg, const struct latch_packet *p)
{
	return leg->rx.received > 0 && p->ssrc == leg->rx.ssrc &&
	       (uint16_t)(p->seq - leg->rx.max_ext) < RTP_MAX_DROPOUT;
}

// Authentic, but not newer than all that was heard of its stream (RFC 1982): SRTP's window is wider than
// RTP_MAX_MISORDER. A sender that began anew is late until the statistics have followed it.
static bool is_late(const struct leg *leg, const struct latch_packet *p)
{
	return p->verified && leg->rx.received > 0 && p->ssrc == leg->rx.ssrc &&
	       (int16_t)(p->seq - leg->rx.max_ext) <= 0;
}

static bool is_vouched(const struct leg_guard *g, bool inside)
{
	return g->policy.first_come == LATCH_FIRST_ANYBODY ||
	       (g->policy.first_come == LATCH_FIRST_INSIDE && inside);
}

// What is known of the packet's source, which is noted if it has to prove itself.
static struct latch_facts facts_of(struct leg *leg, const struct latch_packet *p)
{
	struct leg_guard *g = &leg->guard;
	bool learned = leg->latch == LATCH_LEARNED;
	struct latch_policy policy = g->policy;
	policy.first_come = is_vouched(g, p->inside);
	struct latch_facts f = {
		.rank = latch_rank_of(&policy, g->signalled, p->ip, p->port, p->type, p->verified),
		.held = (enum latch_rank)g->held,
		.same = leg->remote_ip == p->ip && leg->remote_port == p->port,
		.same_host = leg->remote_ip == p->ip,
		.follows = learned && stream_follows(leg, p),
		.late = p->old_keys || (learned && is_late(leg, p)),
		.quiet = p->tick - leg->last_tick >= ticks_of_ms(g, LATCH_QUIET_MS),
	};
	if (f.rank == LATCH_RANK_NONE || leg->latch == LATCH_FIXED)
		return f;
	if (!g->window_begun) {
		g->window_begun = true;
		g->window_tick = p->tick;
	}
	f.window = p->tick - g->window_tick < ticks_of_ms(g, g->policy.window_ms);
	enum latch_stream stream = !learned || f.rank > f.held ? LATCH_STREAM_FIRST
				   : f.follows                 ? LATCH_STREAM_FOLLOWS
							       : LATCH_STREAM_OTHER;
	struct latch_need need = latch_need_of(&policy, f.rank, g->signalled.ip, stream);
	if (need.packets <= 1) {
		f.proven = true;
		return f;
	}
	struct latch_source *s = trial_find(g, p, f.rank);
	if (s == NULL)
		return f;
	latch_source_note(s, p, f.rank, g->ticks_per_s);
	f.proven = s->packets >= need.packets && p->tick - s->first >= ticks_of_ms(g, need.ms);
	f.contested = trial_contested(g, s, p->tick);
	return f;
}

static void source_learn(struct leg *leg, const struct latch_packet *p, enum latch_rank rank)
{
	struct leg_guard *g = &leg->guard;
	bool moves = leg->latch == LATCH_LEARNED;

	g->moves += moves;
	g->held = (uint8_t)rank;
	g->learned_tick = p->tick;
	memset(g->trial, 0, sizeof(g->trial));
	latch_store(&leg->remote_ip, p->ip, p->port, LATCH_LEARNED);
	if (!g->policy.learn)
		return;
	out_set(leg, p->ip, p->port);
	// RTCP follows, unless it was heard from there already. If that was before a move, a NAT may have
	// moved its port, too: it goes there until it is heard again, from whatever port.
	if (leg->rtcp_latch != LATCH_LEARNED || leg->rtcp_ip != p->ip)
		rtcp_follow(leg, p->ip, p->port, rank);
	else if (moves)
		latch_store(&leg->rtcp_ip, leg->rtcp_ip, leg->rtcp_port, LATCH_OPEN);
}

__attribute__((cold)) enum latch_verdict leg_latch_stranger(struct leg *leg,
							    const struct latch_packet *p)
{
	struct latch_facts f = facts_of(leg, p);
	struct latch_result r = latch_step((enum latch_state)leg->latch, &leg->guard.policy, &f);

	if (r.learn)
		source_learn(leg, p, f.rank);
	if (r.verdict == LATCH_PASS)
		return LATCH_PASS;
	leg->guard.waited += r.verdict == LATCH_WAIT;
	leg->refused += r.verdict == LATCH_REFUSED;
	leg->guard.refused_ip = p->ip;
	leg->guard.refused_port = p->port;
	return (enum latch_verdict)r.verdict;
}

// May RTCP come from there? Its host is RTP's, heard or signalled, or its own as signalled. With
// nothing of all that known, the network's word is enough if the policy takes it.
static bool rtcp_fits(const struct leg *leg, uint32_t ip, uint16_t port, bool inside)
{
	const struct leg_guard *g = &leg->guard;

	if (g->rtcp.ip != 0 && ip == g->rtcp.ip && port == g->rtcp.port)
		return true;
	if (leg->latch == LATCH_OPEN)
		return g->signalled.ip != 0 ? ip == g->signalled.ip : is_vouched(g, inside);
	return ip == leg->remote_ip;
}

__attribute__((cold)) enum latch_verdict leg_latch_rtcp(struct leg *leg, uint32_t ip, uint16_t port,
							bool muxed, bool inside)
{
	bool fits = rtcp_fits(leg, ip, port, inside);

	if (muxed && fits && leg->latch == LATCH_OPEN) {
		// Nobody knows better yet; the first RTP decides.
		if (leg->out_ip == 0 && leg->guard.policy.learn)
			out_set(leg, ip, port);
		return LATCH_PASS;
	}
	if (!muxed && fits && leg->rtcp_latch == LATCH_OPEN) {
		if (leg->guard.policy
			    .learn) // else ours goes where it was signalled, whatever it sends from
			latch_store(&leg->rtcp_ip, ip, port, LATCH_LEARNED);
		return LATCH_PASS;
	}
	leg->rtcp_refused++;
	leg->guard.refused_ip = ip;
	leg->guard.refused_port = port;
	return LATCH_REFUSED;
}
