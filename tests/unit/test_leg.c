// SPDX-License-Identifier: BSD-3-Clause
// The guarded latch applied to a leg: phones behind NATs, and those who would like to be them.
#include "rtp/leg.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#define HZ 2600000000ULL
#define TPS ((uint32_t)(HZ >> TICK_SHIFT) + 1)

struct stream {
	const char *ip;
	uint16_t port;
	uint32_t ssrc;
	uint16_t seq;
	bool verified;
};

static struct leg leg;
static unsigned ms;   // now
static bool old_keys; // what is verified is by those of before

static const struct latch_policy plain = {.learn = true, .window_ms = 5000};

static void start(const struct latch_policy *policy, const char *ip, uint16_t port)
{
	struct latch_peer rtp = {ip != NULL ? inet_addr(ip) : 0, htons(port)};

	memset(&leg, 0, sizeof(leg));
	ms = 1000;
	leg_latch_set(&leg, policy, rtp, (struct latch_peer){0}, HZ);
}

static enum latch_verdict from(struct stream *s)
{
	uint32_t ip = inet_addr(s->ip), tick = (uint32_t)((uint64_t)ms * TPS / 1000);
	struct latch_packet p = {.ip = ip,
				 .port = htons(s->port),
				 .seq = s->seq,
				 .ssrc = s->ssrc,
				 .tick = tick,
				 .verified = s->verified && !old_keys,
				 .old_keys = s->verified && old_keys};
	enum latch_verdict v = LATCH_PASS;

	if (!leg_latched(&leg, ip, p.port))
		v = leg_latch_stranger(&leg, &p);
	if (v == LATCH_PASS) {
		rtp_stats_update(&leg.rx, &leg.detail, s->seq, s->ssrc, 0, 172, 0);
		leg.last_tick = tick;
	}
	s->seq++;
	return v;
}

// Packets of speech for so long, every 20 ms; returns how many passed.
static unsigned speak(struct stream *s, unsigned for_ms)
{
	unsigned passed = 0;

	for (unsigned t = 0; t < for_ms; t += 20, ms += 20)
		passed += from(s) == LATCH_PASS;
	return passed;
}

static bool is_at(const char *ip, uint16_t port)
{
	return leg.latch == LATCH_LEARNED && leg.out_ip == inet_addr(ip) &&
	       leg.out_port == htons(port);
}

static struct stream phone = {"198.51.100.8", 4000, 0xaaaa, 100, false};
static struct stream thief = {"203.0.113.66", 6666, 0xbbbb, 7, false};

Test(leg_latch, as_signalled_at_once)
{
	start(&plain, "198.51.100.8", 4000);
	cr_expect_eq(leg.out_ip, inet_addr("198.51.100.8"));
	cr_expect_eq(from(&phone), LATCH_PASS);
	cr_expect(is_at("198.51.100.8", 4000));
	cr_expect_eq(speak(&thief, 5000), 0);
	cr_expect(is_at("198.51.100.8", 4000));
	cr_expect_eq(leg.refused, 250);
	cr_expect_eq(leg.guard.refused_ip, inet_addr("203.0.113.66"));
}

// A NAT that the proxy has seen through: right address, other port.
Test(leg_latch, other_port_of_the_host_at_once)
{
	start(&plain, "198.51.100.8", 5000);
	cr_expect_eq(from(&phone), LATCH_PASS);
	cr_expect(is_at("198.51.100.8", 4000));
	cr_expect_eq(leg.rtcp_port, htons(4001));
}

// Private address signalled, nothing else known.
Test(leg_latch, a_nat_costs_a_moment)
{
	start(&plain, "192.168.1.20", 5000);
	unsigned passed = speak(&phone, 1000);
	cr_expect_geq(passed, 43, "%u of 50", passed);
	cr_expect_leq(passed, 47);
	cr_expect(is_at("198.51.100.8", 4000));
	cr_expect_eq(leg.guard.waited, 50 - passed);
	cr_expect_eq(speak(&thief, 5000), 0);
}

Test(leg_latch, the_thief_comes_first)
{
	start(&plain, "198.51.100.8", 4000);
	cr_expect_eq(speak(&thief, 2900), 0, "nobody is there yet, but another is signalled");
	cr_expect_eq(leg.out_ip, inet_addr("198.51.100.8"), "nothing is sent to him");
	cr_expect_eq(from(&phone), LATCH_PASS);
	cr_expect_eq(speak(&thief, 5000), 0);
	cr_expect(is_at("198.51.100.8", 4000));
}

// The worst case: he lasted while the phone was silent. It takes its place back at once.
Test(leg_latch, better_evidence_takes_over)
{
	start(&plain, "198.51.100.8", 4000);
	cr_expect_gt(speak(&thief, 4000), 0);
	cr_expect(is_at("203.0.113.66", 6666));
	cr_expect_eq(from(&phone), LATCH_PASS);
	cr_expect(is_at("198.51.100.8", 4000));
	cr_expect_eq(leg.guard.moves, 1);
	cr_expect_eq(speak(&thief, 10000), 0);
}

// Both unknown, both speak: nobody gets anything, until one stops.
Test(leg_latch, equals_are_neither_believed)
{
	start(&plain, "192.168.1.20", 5000);
	unsigned passed = 0;
	for (unsigned t = 0; t < 5000; t += 20, ms += 20) {
		passed += from(&thief) == LATCH_PASS;
		passed += from(&phone) == LATCH_PASS;
	}
	cr_expect_eq(passed, 0);
	cr_expect_eq(leg.latch, LATCH_OPEN);
	cr_expect_eq(leg.out_ip, inet_addr("192.168.1.20"));
	cr_expect_gt(speak(&phone, 1000), 30);
	cr_expect(is_at("198.51.100.8", 4000));
}

// A flood from many sources and ports beside a phone of which nothing is known.
Test(leg_latch, a_flood_cannot_keep_the_phone_out)
{
	start(&plain, NULL, 0);
	unsigned stolen = 0, passed = 0;
	for (unsigned t = 0; t < 2000; t += 20, ms += 20) {
		for (unsigned i = 0; i < 50; i++) {
			struct stream s = {"203.0.113.66", (uint16_t)(10000 + i % 7), 0x666,
					   (uint16_t)(i * 991 + t), false};
			stolen += from(&s) == LATCH_PASS;
		}
		passed += from(&phone) == LATCH_PASS;
	}
	cr_expect_eq(stolen, 0);
	cr_expect_gt(passed, 0, "waited %u", leg.guard.waited);
}

Test(leg_latch, a_nat_forgets_its_mapping)
{
	start(&plain, "198.51.100.8", 4000);
	speak(&phone, 1000);
	struct stream moved = phone;
	moved.port = 4999;
	unsigned passed = speak(&moved, 1000);
	cr_expect_geq(passed, 30, "%u of 50", passed);
	cr_expect(is_at("198.51.100.8", 4999));

	// Not with strict-source, and not for a stream that does not carry on.
	struct latch_policy strict = plain;
	strict.strict = true;
	start(&strict, "198.51.100.8", 4000);
	speak(&phone, 6000);
	moved = phone;
	moved.port = 4999;
	cr_expect_eq(speak(&moved, 5000), 0);
	start(&plain, "198.51.100.8", 4000);
	speak(&phone, 1000);
	moved = thief;
	moved.ip = phone.ip;
	cr_expect_eq(speak(&moved, 5000), 0);
}

Test(leg_latch, another_host_needs_handover)
{
	struct latch_policy handover = plain;
	struct stream moved;

	start(&plain, "198.51.100.8", 4000);
	speak(&phone, 1000);
	moved = phone;
	moved.ip = "192.0.2.77";
	cr_expect_eq(speak(&moved, 5000), 0);

	handover.handover = true;
	start(&handover, "198.51.100.8", 4000);
	speak(&phone, 1000);
	moved = phone;
	moved.ip = "192.0.2.77";
	cr_expect_geq(speak(&moved, 1000), 30);
	cr_expect(is_at("192.0.2.77", 4000));
	cr_expect_eq(speak(&thief, 10000), 0, "even now that the phone is silent");
}

Test(leg_latch, verified_moves_and_holds)
{
	struct latch_policy srtp = plain;
	struct stream moved;

	srtp.authenticated = srtp.strict = true;
	phone.verified = true;
	start(&srtp, "192.168.1.20", 4000);
	cr_expect_eq(from(&phone), LATCH_PASS);
	moved = phone;
	moved.ip = "192.0.2.77";
	cr_expect_eq(from(&moved), LATCH_PASS);
	cr_expect(is_at("192.0.2.77", 4000));
	cr_expect_eq(speak(&thief, 10000), 0);
	phone.verified = false;
}

// From Wi-Fi to LTE under the same keys: what comes late, or is held back by somebody on the way.
Test(leg_latch, late_packets_move_nothing_back)
{
	struct latch_policy srtp = plain;
	struct stream wifi = phone, lte;

	srtp.authenticated = wifi.verified = true;
	start(&srtp, "198.51.100.8", 4000);
	speak(&wifi, 3000);
	lte = wifi;
	lte.ip = "192.0.2.77";
	for (uint16_t back = 1; back < 128; back++) { // SRTP's window
		struct stream late = wifi;
		late.seq = (uint16_t)(lte.seq - back + 1);
		cr_expect_eq(from(&lte), LATCH_PASS);
		cr_expect_eq(from(&late), LATCH_PASS, "it is heard");
		cr_expect(is_at("192.0.2.77", 4000), "%u back", back);
	}
	cr_expect_eq(leg.guard.moves, 1);
	// Back on Wi-Fi.
	wifi.seq = lte.seq;
	cr_expect_eq(from(&wifi), LATCH_PASS);
	cr_expect(is_at("198.51.100.8", 4000));
	// A sender that begins anew, with other numbers or another SSRC.
	lte.seq = (uint16_t)(wifi.seq - 5000);
	cr_expect_eq(speak(&lte, 60), 3);
	cr_expect(is_at("192.0.2.77", 4000));
	wifi.ssrc++;
	wifi.seq = lte.seq;
	cr_expect_eq(from(&wifi), LATCH_PASS);
	cr_expect(is_at("198.51.100.8", 4000));
}

// What the peer before sent, or sends still, when the call goes on with another that has keys of its own.
Test(leg_latch, old_keys_teach_nothing)
{
	static const char *const at[] = {"192.0.2.77", "198.51.100.8", "192.168.1.20"};
	struct latch_policy srtp = plain;
	struct stream before = phone;

	srtp.authenticated = before.verified = true;
	for (unsigned i = 0; i < 3;
	     i++) { // another host, a port of the same, somebody behind a NAT
		struct stream now = {i == 2 ? "192.0.2.78" : at[i], 5000, 0xcccc, 1, true};
		start(&srtp, at[i], 5000);
		old_keys = true;
		unsigned heard = speak(&before, 2900);
		cr_expect(i == 0 ? heard == 0 : heard > 100, "%s: %u", at[i], heard);
		cr_expect(leg.latch == LATCH_OPEN && leg.out_ip == inet_addr(at[i]) &&
			  leg.out_port == htons(5000));
		old_keys = false;
		cr_expect_eq(from(&now), LATCH_PASS);
		cr_expect(is_at(now.ip, 5000));
		old_keys = true;
		cr_expect_eq(speak(&before, 1000), 0, "%s: the new one is there", at[i]);
		old_keys = false;
		cr_expect(is_at(now.ip, 5000));
	}
}

Test(leg_latch, asymmetric_sends_as_signalled)
{
	struct latch_policy asymmetric = plain;

	asymmetric.learn = false;
	start(&asymmetric, "198.51.100.9", 5000);
	cr_expect_gt(speak(&phone, 1000), 40);
	cr_expect_eq(leg.out_ip, inet_addr("198.51.100.9"));
	cr_expect_eq(leg.remote_ip, inet_addr("198.51.100.8"));
	asymmetric.strict = true;
	start(&asymmetric, "198.51.100.9", 5000);
	cr_expect_eq(leg.latch, LATCH_FIXED);
	cr_expect_eq(speak(&phone, 1000), 0);
}

Test(leg_latch, learning_forgets_the_old_route)
{
	start(&plain, "198.51.100.8", 5000);
	leg.nexthop = 77;
	leg.route_gen = 5;
	leg.hairpin = 1;
	from(&phone);
	cr_expect(leg.nexthop == 0 && leg.route_gen == 0 && leg.hairpin == 0);
}

Test(leg_latch, a_re_offer)
{
	struct leg was;

	start(&plain, "192.168.1.20", 5000);
	speak(&phone, 1000);
	was = leg;
	// The same peer: what was learned stays, and nobody profits.
	start(&plain, "192.168.1.20", 5000);
	leg_latch_carry(&leg, &was);
	cr_expect(is_at("198.51.100.8", 4000));
	cr_expect_eq(speak(&thief, 2000), 0);
	// Another address: what was learned is gone.
	start(&plain, "192.0.2.77", 5000);
	leg_latch_carry(&leg, &was);
	cr_expect_eq(leg.latch, LATCH_OPEN);
	cr_expect_eq(leg.out_ip, inet_addr("192.0.2.77"));
	cr_expect_eq(speak(&thief, 2000), 0);
	struct stream moved = {"192.0.2.77", 5000, 0xcccc, 1, false};
	cr_expect_eq(from(&moved), LATCH_PASS);
	// A policy that forbids it.
	struct latch_policy near = plain;
	near.net_bits = 24;
	start(&near, "192.168.1.20", 5000);
	leg_latch_carry(&leg, &was);
	cr_expect_eq(leg.latch, LATCH_OPEN);
}

static enum latch_verdict rtcp(const char *ip, uint16_t port)
{
	if (leg_latched_rtcp(&leg, inet_addr(ip), htons(port)))
		return LATCH_PASS;
	return leg_latch_rtcp(&leg, inet_addr(ip), htons(port), false, false);
}

Test(leg_latch, rtcp_follows)
{
	start(&plain, "192.168.1.20", 5000);
	cr_expect_eq(rtcp("198.51.100.8", 4001), LATCH_REFUSED, "before RTP nobody knows it");
	cr_expect_eq(leg.latch, LATCH_OPEN);
	speak(&phone, 1000);
	cr_expect_eq(leg.rtcp_port, htons(4001), "a guess, until it is heard");
	cr_expect_eq(rtcp("203.0.113.66", 4001), LATCH_REFUSED);
	cr_expect_eq(rtcp("198.51.100.8", 4077), LATCH_PASS);
	cr_expect_eq(leg.rtcp_port, htons(4077));
	cr_expect_eq(rtcp("198.51.100.8", 4001), LATCH_REFUSED, "one port");
	cr_expect(is_at("198.51.100.8", 4000), "RTCP moves no media");
	cr_expect_eq(leg.rtcp_refused, 3);
	// Its own address, if it was signalled.
	start(&plain, "198.51.100.8", 4000);
	leg.guard.rtcp = (struct latch_peer){inet_addr("192.0.2.5"), htons(9)};
	cr_expect_eq(rtcp("192.0.2.5", 10), LATCH_REFUSED);
	cr_expect_eq(rtcp("192.0.2.5", 9), LATCH_PASS);
	// Asymmetric: heard from anywhere, but ours goes where it was signalled.
	struct latch_policy asymmetric = plain;
	asymmetric.learn = false;
	start(&asymmetric, "198.51.100.8", 5000);
	cr_expect_eq(rtcp("198.51.100.8", 40001), LATCH_PASS);
	cr_expect_eq(rtcp("198.51.100.8", 40001), LATCH_PASS);
	cr_expect_eq(leg.rtcp_port, htons(5001));
}

Test(leg_latch, a_re_offer_of_rtcp)
{
	struct leg was;

	start(&plain, "192.168.1.20", 5000);
	speak(&phone, 1000);
	cr_expect_eq(rtcp("198.51.100.8", 4077), LATCH_PASS);
	was = leg;
	start(&plain, "192.168.1.20", 5000);
	leg_latch_carry(&leg, &was);
	cr_expect(leg.rtcp_port == htons(4077) && leg.rtcp_latch == LATCH_LEARNED, "unchanged");
	// RTCP goes elsewhere from now on; the phone is behind a NAT, so to RTP's host until it is heard.
	start(&plain, "192.168.1.20", 5000);
	leg.guard.rtcp = (struct latch_peer){inet_addr("192.168.1.20"), htons(9000)};
	leg_latch_carry(&leg, &was);
	cr_expect(leg.rtcp_port == htons(4001) && leg.rtcp_latch == LATCH_OPEN);
	cr_expect_eq(rtcp("198.51.100.8", 9000), LATCH_PASS);
	// As signalled, if RTP comes from where that was.
	start(&plain, "198.51.100.8", 4000);
	speak(&phone, 1000);
	was = leg;
	start(&plain, "198.51.100.8", 4000);
	leg.guard.rtcp = (struct latch_peer){inet_addr("192.0.2.5"), htons(9)};
	leg_latch_carry(&leg, &was);
	cr_expect(leg.rtcp_ip == inet_addr("192.0.2.5") && leg.rtcp_port == htons(9));
	cr_expect_eq(rtcp("192.0.2.5", 9), LATCH_PASS);
	// Muxed before, apart now.
	was.flags = LEG_RTCP_MUX;
	start(&plain, "198.51.100.8", 4000);
	leg_latch_carry(&leg, &was);
	cr_expect_eq(leg.rtcp_port, htons(4001));
}

// A NAT begins anew with the same address and other ports.
Test(leg_latch, rtcp_follows_a_nat_that_restarts)
{
	struct stream moved = phone;

	start(&plain, "198.51.100.8", 4000);
	speak(&moved, 1000);
	cr_expect_eq(rtcp("198.51.100.8", 4001), LATCH_PASS);
	moved.port = 6000;
	thief.ip = "198.51.100.8"; // a stream of another behind the same NAT
	speak(&thief, 1000);
	thief.ip = "203.0.113.66";
	cr_expect_eq(rtcp("198.51.100.8", 6001), LATCH_REFUSED, "RTP has not moved yet");
	speak(&moved, 1000);
	cr_expect(is_at("198.51.100.8", 6000));
	cr_expect_eq(leg.rtcp_port, htons(4001), "until it is heard");
	cr_expect_eq(rtcp("203.0.113.66", 6001), LATCH_REFUSED);
	cr_expect_eq(rtcp("198.51.100.8", 6001), LATCH_PASS);
	cr_expect_eq(leg.rtcp_port, htons(6001));
	cr_expect_eq(rtcp("198.51.100.8", 4001), LATCH_REFUSED, "one port");
	// RTP alone has another port.
	moved.port = 7000;
	speak(&moved, 1000);
	cr_expect_eq(rtcp("198.51.100.8", 6001), LATCH_PASS);
	cr_expect_eq(rtcp("198.51.100.8", 7001), LATCH_REFUSED);
	// Heard before the first RTP, which moves nothing.
	start(&plain, "198.51.100.8", 5000);
	cr_expect_eq(rtcp("198.51.100.8", 4077), LATCH_PASS);
	speak(&phone, 100);
	cr_expect_eq(rtcp("198.51.100.8", 4001), LATCH_REFUSED);
	cr_expect_eq(leg.rtcp_port, htons(4077));
}

// Nothing is signalled and the network vouches for its sources: reports before the first media pass
// both ways, and decide nothing.
Test(leg_latch, rtcp_comes_first)
{
	struct latch_policy tunnel = plain;

	start(&tunnel, NULL, 0);
	cr_expect_eq(rtcp("198.51.100.8", 4001), LATCH_REFUSED, "nobody vouches for it");
	tunnel.first_come = LATCH_FIRST_ANYBODY;
	start(&tunnel, NULL, 0);
	cr_expect_eq(rtcp("198.51.100.8", 4077), LATCH_PASS);
	cr_expect_eq(leg_rtcp_ip(&leg), inet_addr("198.51.100.8"));
	cr_expect_eq(leg_rtcp_port(&leg), htons(4077));
	cr_expect_eq(leg.out_ip, 0, "RTCP moves no media");
	cr_expect_eq(rtcp("203.0.113.66", 4001), LATCH_REFUSED);
	speak(&phone, 1000);
	cr_expect(is_at("198.51.100.8", 4000));
	cr_expect_eq(leg_rtcp_port(&leg), htons(4077));

	start(&tunnel, NULL, 0);
	leg.flags |= LEG_RTCP_MUX;
	for (int i = 0; i < 2; i++)
		cr_expect_eq(
			leg_latch_rtcp(&leg, inet_addr("203.0.113.66"), htons(4100), true, false),
			LATCH_PASS);
	cr_expect_eq(leg.latch, LATCH_OPEN);
	cr_expect_eq(leg_rtcp_ip(&leg), inet_addr("203.0.113.66"), "nobody knows better");
	cr_expect_eq(leg_rtcp_port(&leg), htons(4100));
	cr_expect_eq(from(&phone), LATCH_PASS, "the first RTP decides");
	cr_expect(is_at("198.51.100.8", 4000));
	cr_expect_eq(leg_latch_rtcp(&leg, inet_addr("203.0.113.66"), htons(4100), true, false),
		     LATCH_REFUSED);
	cr_expect(is_at("198.51.100.8", 4000));
}

// Address, port and state are one word: each bit counts, the flags beside don't.
Test(leg_latch, every_bit_of_the_source_counts)
{
	start(&plain, "198.51.100.8", 4000);
	from(&phone);
	rtcp("198.51.100.8", 4001);
	uint32_t ip = leg.remote_ip;
	uint16_t port = leg.remote_port, rport = leg.rtcp_port;

	for (int bit = 0; bit < 32; bit++) {
		cr_expect_not(leg_latched(&leg, ip ^ 1u << bit, port));
		cr_expect_not(leg_latched_rtcp(&leg, ip ^ 1u << bit, rport));
	}
	for (int bit = 0; bit < 16; bit++) {
		cr_expect_not(leg_latched(&leg, ip, (uint16_t)(port ^ 1u << bit)));
		cr_expect_not(leg_latched_rtcp(&leg, ip, (uint16_t)(rport ^ 1u << bit)));
	}
	for (int flags = 0; flags < 256; flags++) {
		leg.flags = (uint8_t)flags;
		cr_expect(leg_latched(&leg, ip, port));
	}
	leg.latch = LATCH_OPEN;
	cr_expect_not(leg_latched(&leg, ip, port), "an open latch matches nothing");
}
