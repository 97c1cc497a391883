// SPDX-License-Identifier: BSD-3-Clause
// A leg and whoever sends to it: some policy, a signalled peer, then packets of a few sources, re-offers among
// them. Whatever they do, the leg speaks to nobody that the rules don't let be believed.
#include "rtp/leg.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define TSC_HZ UINT64_C(2600000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct event {
	uint8_t what; // bits: 0-2 source, 3 verified, 4-5 kind (RTP from inside, from outside, RTCP, offer), 6-7 SSRC
	uint8_t type;
	uint8_t step; // of the source's sequence, signed
	uint8_t ms;   // since the last one
};

static const char *const hosts[8] = {"198.51.100.8", "198.51.100.9", "203.0.113.1", "10.0.0.8",
				     "100.64.0.1",   "198.51.100.8", "192.0.2.1",   "10.0.0.9"};
static struct leg leg;
static uint16_t seqs[8];
static uint32_t tick;

static void check(int holds)
{
	if (!holds)
		abort();
}

static void policy_read(struct latch_policy *p, const uint8_t *d)
{
	*p = (struct latch_policy){
		.learn = d[0] & 1,
		.strict = d[0] & 2,
		.handover = d[0] & 4,
		.authenticated = d[0] & 8,
		.first_come = latch_first_of(d[0] & 16, d[1] & 64),
		.ringing = d[0] & 32,
		.same_port = d[0] & 64,
		.net_bits = (uint8_t)(d[1] % 33),
		.window_ms = (uint16_t)(d[2] * 40),
		.types = {d[3] & 1 ? 0x101 : 0, 0},
	};
}

static struct latch_peer peer_read(uint8_t d)
{
	if (d & 8)
		return (struct latch_peer){0};
	return (struct latch_peer){inet_addr(hosts[d & 7]), htons(4000)};
}

static bool same_remote(const struct leg *a, const struct leg *b)
{
	return a->remote_ip == b->remote_ip && a->remote_port == b->remote_port &&
	       a->latch == b->latch;
}

// Authentic, and older than what was heard last, or of the keys before.
static bool is_late(const struct leg *was, const struct latch_packet *p)
{
	return p->old_keys || (p->verified && was->latch == LATCH_LEARNED && was->rx.received > 0 &&
			       p->ssrc == was->rx.ssrc && (int16_t)(p->seq - was->rx.max_ext) <= 0);
}

static void came_rtp(const struct event *e, uint32_t ip, uint16_t port)
{
	unsigned from = e->what & 7;
	struct latch_packet p = {.ip = ip,
				 .port = port,
				 .seq = seqs[from] = (uint16_t)(seqs[from] + (int8_t)e->step),
				 .ssrc = e->what >> 6,
				 .tick = tick,
				 .type = e->type & 0x7f,
				 .verified = (e->what & 8) && !(e->type & 128),
				 .old_keys = (e->what & 8) && (e->type & 128),
				 .inside = !(e->what & 16)};
	struct latch_policy policy = leg.guard.policy;
	struct leg was = leg;

	if (leg_latched(&leg, ip, port)) {
		leg.last_tick = tick;
		return;
	}
	policy.first_come = policy.first_come == LATCH_FIRST_ANYBODY ||
			    (policy.first_come == LATCH_FIRST_INSIDE && p.inside);
	enum latch_verdict v = leg_latch_stranger(&leg, &p);
	enum latch_rank rank =
		latch_rank_of(&policy, leg.guard.signalled, ip, port, p.type, p.verified);
	if (v != LATCH_PASS) {
		check(same_remote(&leg, &was));
		check(leg.out_ip == was.out_ip && leg.out_port == was.out_port);
		check(leg.refused + leg.guard.waited == was.refused + was.guard.waited + 1);
		return;
	}
	check(rank != LATCH_RANK_NONE && was.latch != LATCH_FIXED);
	bool late = is_late(&was, &p), moves = leg.guard.policy.learn && !late;
	check(late ? same_remote(&leg, &was)
		   : leg.latch == LATCH_LEARNED && leg.remote_ip == ip && leg.remote_port == port);
	check(moves ? leg.out_ip == ip && leg.out_port == port
		    : leg.out_ip == was.out_ip && leg.out_port == was.out_port);
	// What SRTP has shown is not undone by anything less.
	check(was.latch != LATCH_LEARNED || was.guard.held != LATCH_RANK_VERIFIED ||
	      rank == LATCH_RANK_VERIFIED);
	leg.last_tick = tick;
	leg.rx.received++;
	leg.rx.ssrc = p.ssrc;
	leg.rx.max_ext = p.seq;
}

static void came_rtcp(uint32_t ip, uint16_t port, bool muxed, bool inside)
{
	struct leg was = leg;

	if (muxed ? leg_latched(&leg, ip, port) : leg_latched_rtcp(&leg, ip, port))
		return;
	enum latch_verdict v = leg_latch_rtcp(&leg, ip, port, muxed, inside);
	// It never moves RTP that was heard.
	check(leg.remote_ip == was.remote_ip && leg.latch == was.latch);
	check(was.out_ip == 0 || (leg.out_ip == was.out_ip && leg.out_port == was.out_port));
	if (v != LATCH_PASS)
		check(leg.rtcp_ip == was.rtcp_ip && leg.rtcp_port == was.rtcp_port &&
		      leg.out_ip == was.out_ip);
}

static void offer(uint8_t which, const uint8_t *d)
{
	struct leg next = {.flags = leg.flags};
	struct latch_policy p;

	policy_read(&p, d);
	leg_latch_set(&next, &p, peer_read(which), (struct latch_peer){0}, TSC_HZ);
	leg_carry(&next, &leg, true);
	leg = next;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct latch_policy p;

	if (size < 6)
		return 0;
	memset(&leg, 0, sizeof(leg));
	memset(seqs, 0, sizeof(seqs));
	tick = 1000;
	leg.flags = data[4] & 16 ? LEG_RTCP_MUX : 0;
	policy_read(&p, data);
	leg_latch_set(&leg, &p, peer_read(data[4]), (struct latch_peer){0}, TSC_HZ);
	for (data += 5, size -= 5; size >= sizeof(struct event);
	     data += sizeof(struct event), size -= sizeof(struct event)) {
		struct event e;
		memcpy(&e, data, sizeof(e));
		uint32_t ip = inet_addr(hosts[e.what & 7]);
		uint16_t port = htons(e.what & 4 ? 4444 : 4000);
		tick += (uint32_t)((TSC_HZ >> TICK_SHIFT) * e.ms / 1000);
		switch (e.what >> 4 & 3) {
		case 0:
		case 1:
			came_rtp(&e, ip, port);
			break;
		case 2:
			came_rtcp(ip, port, leg.flags & LEG_RTCP_MUX, e.type & 1);
			break;
		default:
			offer(e.type, data);
		}
	}
	return 0;
}
