// SPDX-License-Identifier: BSD-3-Clause
// Calls: who teaches a latch, where RTCP goes, and legs that are each other's peers.
#include "ip/ip.h"
#include "recording.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

static const struct rte_udp_hdr *udp_of(const struct out *o)
{
	return (const struct rte_udp_hdr *)(o->ip + sizeof(struct rte_ipv4_hdr));
}

// What came out first goes from one address and port to another, with right checksums.
static void check_ends(const struct world *w, const char *name, uint32_t src, uint16_t sport,
		       uint32_t dst, uint16_t dport)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)w->out[0].ip;
	const struct rte_udp_hdr *udp = udp_of(&w->out[0]);

	check(w->n_out > 0 && ip->src_addr == rte_cpu_to_be_32(src) &&
		      ip->dst_addr == rte_cpu_to_be_32(dst) &&
		      udp->src_port == rte_cpu_to_be_16(sport) &&
		      udp->dst_port == rte_cpu_to_be_16(dport),
	      "%s: addresses and ports of what came out", name);
	check(w->n_out > 0 && ip4_header_ok(ip) &&
		      udp4_cksum_ok(ip, udp, rte_be_to_cpu_16(udp->dgram_len)),
	      "%s: checksums of what came out", name);
}

static void send_rtp(struct world *w, unsigned port, uint32_t src, uint16_t sport, uint32_t dst,
		     uint16_t dport)
{
	struct pkt p;

	rtp_make(&p, src, sport, dst, dport);
	pkt_send(w, port, &p, true);
}

static void send_rtcp(struct world *w, unsigned port, uint32_t src, uint16_t sport, uint32_t dst,
		      uint16_t dport)
{
	struct pkt p;

	rtcp_make(&p, src, sport, dst, dport);
	pkt_send(w, port, &p, true);
}

// A call between the plain networks, both latches open.
static void latches(struct world *w)
{
	struct leg_pair *call = call_make(w, (struct side){0, MEDIA_A, 11000, 0, 0, true, 0},
					  (struct side){0, MEDIA_B, 21000, PLATFORM, 5000, 0, 0});
	struct leg *a = &call->leg[0];

	send_rtp(w, INSIDE, PLATFORM, 5000, MEDIA_B, 21000);
	check_drop(w, "nobody is there yet", DROP_RTP_NO_PEER, 1);
	send_rtp(w, OUTSIDE, PHONE(ACME), 4000, MEDIA_A, 11000);
	check_drop(w, "latch: source behind a tunnel", DROP_IP_SOURCE, 1);
	send_rtp(w, OUTSIDE, MEDIA_B, 21000, MEDIA_A, 11000);
	check_drop(w, "latch: source is ours", DROP_IP_SOURCE, 1);
	send_rtcp(w, OUTSIDE, PHONE(ACME), 4001, MEDIA_A, 11001);
	check_drop(w, "RTCP latch: source behind a tunnel", DROP_IP_SOURCE, 1);
	send_rtcp(w, OUTSIDE, STRANGER, 4000, MEDIA_A, 11000);
	check_drop(w, "latch: RTCP without mux", DROP_RTP_PORT, 1);
	struct pkt p;
	udp_make(&p, STRANGER, 4000, MEDIA_A, 11000, "\0\1\0\0\x21\x12\xa4\x42", 8);
	pkt_send(w, OUTSIDE, &p, true);
	check_drop(w, "latch: STUN", DROP_RTP_OTHER, 1);
	check(a->latch == LATCH_OPEN && a->remote_ip == 0 && a->rtcp_ip == 0,
	      "none of these teaches the latch");
	send_rtp(w, OUTSIDE, STRANGER, 4000, MEDIA_A, 11000);
	check_out(w, "latch: the first", OUT_PLAIN, INSIDE, 1);
	check_ends(w, "latch: the first", MEDIA_B, 21000, PLATFORM, 5000);
	world_mark(w);
	send_rtp(w, OUTSIDE, STRANGER + 1, 4000, MEDIA_A, 11000);
	check_drop(w, "latch: the second", DROP_RTP_SOURCE, 1);
	send_rtp(w, INSIDE, PLATFORM, 5000, MEDIA_B, 21000);
	check_out(w, "back to who was learned", OUT_PLAIN, OUTSIDE, 1);
	check_ends(w, "back to who was learned", MEDIA_A, 11000, STRANGER, 4000);
	world_mark(w);
	call_withdraw(w, call);
	call_free(call);
}

// RTP learned here, RTCP there: each goes where its own peer is.
static void rtcp_apart(struct world *w)
{
	struct leg_pair *call = call_make(w, (struct side){0, MEDIA_A, 11000, 0, 0, true, 0},
					  (struct side){0, MEDIA_B, 21000, PLATFORM, 5000, 0, 0});

	send_rtcp(w, INSIDE, PLATFORM, 5001, MEDIA_B, 21001);
	check_drop(w, "RTCP: nobody is there yet", DROP_RTP_NO_PEER, 1);
	send_rtp(w, OUTSIDE, STRANGER, 4000, MEDIA_A, 11000);
	check_out(w, "RTP learned", OUT_PLAIN, INSIDE, 1);
	world_mark(w);
	send_rtcp(w, INSIDE, PLATFORM, 5001, MEDIA_B, 21001);
	check_out(w, "RTCP: next to RTP", OUT_PLAIN, OUTSIDE, 1);
	check_ends(w, "RTCP: next to RTP", MEDIA_A, 11001, STRANGER, 4001);
	world_mark(w);
	send_rtcp(w, INSIDE, PLATFORM + 1, 4001, MEDIA_A, 11001);
	check_drop(w, "RTCP from another host", DROP_RTP_SOURCE, 1);
	// Unless that is where it was signalled.
	call->leg[0].guard.rtcp =
		(struct latch_peer){rte_cpu_to_be_32(PLATFORM + 1), rte_cpu_to_be_16(4001)};
	send_rtcp(w, INSIDE, PLATFORM + 1, 4001, MEDIA_A, 11001);
	check_out(w, "RTCP learned", OUT_PLAIN, INSIDE, 1);
	check_ends(w, "RTCP learned", MEDIA_B, 21001, PLATFORM, 5001);
	world_mark(w);
	send_rtcp(w, INSIDE, PLATFORM, 5001, MEDIA_B, 21001);
	check_out(w, "RTCP by its own way", OUT_PLAIN, INSIDE, 1);
	check_ends(w, "RTCP by its own way", MEDIA_A, 11001, PLATFORM + 1, 4001);
	world_mark(w);
	call->leg[0].rtcp_ip = rte_cpu_to_be_32(PHONE(ACME));
	send_rtcp(w, INSIDE, PLATFORM, 5001, MEDIA_B, 21001);
	check_drop(w, "RTCP of nobody's leg into a tunnel", DROP_RTP_CUSTOMER, 1);
	call_withdraw(w, call);
	call_free(call);
}

static void rtcp_muxed(struct world *w)
{
	struct leg_pair *call = call_make(w, (struct side){0, MEDIA_A, 11000, 0, 0, true, true},
					  (struct side){0, MEDIA_B, 21000, PLATFORM, 5000, 0, 0});

	send_rtp(w, OUTSIDE, STRANGER, 4000, MEDIA_A, 11000);
	check_out(w, "mux: RTP", OUT_PLAIN, INSIDE, 1);
	world_mark(w);
	send_rtcp(w, OUTSIDE, STRANGER, 4000, MEDIA_A, 11000);
	check_out(w, "mux: RTCP in", OUT_PLAIN, INSIDE, 1);
	check_ends(w, "mux: RTCP in", MEDIA_B, 21001, PLATFORM, 5001);
	world_mark(w);
	send_rtcp(w, INSIDE, PLATFORM, 5001, MEDIA_B, 21001);
	check_out(w, "mux: RTCP out", OUT_PLAIN, OUTSIDE, 1);
	check_ends(w, "mux: RTCP out", MEDIA_A, 11000, STRANGER, 4000);
	world_mark(w);
	send_rtcp(w, OUTSIDE, STRANGER + 1, 4000, MEDIA_A, 11000);
	check_drop(w, "mux: RTCP of somebody else", DROP_RTP_SOURCE, 1);
	send_rtcp(w, OUTSIDE, STRANGER, 4001, MEDIA_A, 11001);
	check_drop(w, "mux: the odd port is nobody's", DROP_NO_CALL, 1);
	call_withdraw(w, call);
	call_free(call);
}

// Two calls that are joined at our own ports: customer a - call 1 - call 2 - customer b. side is
// whose the joined legs are.
static void joined(struct world *w, uint16_t a, uint16_t side1, uint16_t side2, uint16_t b,
		   enum drop_reason drop)
{
	struct leg_pair *one =
		call_make(w, (struct side){a, MEDIA_A, 12000, PHONE(a), 4000, 0, 0},
			  (struct side){side1, MEDIA_B, 22000, MEDIA_B, 22002, 0, 0});
	struct leg_pair *two =
		call_make(w, (struct side){b, MEDIA_A, 12002, PHONE(b), 4002, 0, 0},
			  (struct side){side2, MEDIA_B, 22002, MEDIA_B, 22000, 0, 0});
	struct pkt p;
	char name[64];

	snprintf(name, sizeof(name), "hairpin %u-%u-%u-%u", a, side1, side2, b);
	for (unsigned rtcp = 0; rtcp < 2; rtcp++) {
		if (rtcp)
			rtcp_make(&p, PHONE(a), 4001, MEDIA_A, 12001);
		else
			rtp_make(&p, PHONE(a), 4000, MEDIA_A, 12000);
		esp_make(w, &p, a);
		pkt_send(w, OUTSIDE, &p, false);
		if (drop != NO_DROP) {
			check_drop(w, name, drop, 1);
			continue;
		}
		check_out(w, name, OUT_TUNNEL, b, 1);
		check_ends(w, name, MEDIA_A, (uint16_t)(12002 + rtcp), PHONE(b),
			   (uint16_t)(4002 + rtcp));
		world_mark(w);
	}
	// Our own addresses as a source are believed of a hairpin only.
	send_rtp(w, OUTSIDE, MEDIA_B, 22002, MEDIA_B, 22000);
	check_drop(w, name, side1 == 0 ? DROP_IP_SOURCE : DROP_RTP_CUSTOMER, 1);
	send_rtp(w, INSIDE, MEDIA_B, 22000, MEDIA_B, 22002);
	check_drop(w, name, side2 == 0 ? DROP_IP_SOURCE : DROP_RTP_CUSTOMER, 1);
	rtp_make(&p, MEDIA_B, 22000, MEDIA_B, 22002);
	esp_make(w, &p, WIDE);
	pkt_send(w, OUTSIDE, &p, false);
	check_drop(w, name, side2 == WIDE ? DROP_IP_SOURCE : DROP_RTP_CUSTOMER, 1);
	call_withdraw(w, one);
	call_withdraw(w, two);
	call_free(one);
	call_free(two);
}

// A chain of calls: n hairpins, then out to the platform. More than HOPS_MAX are a loop.
static void chain(struct world *w, unsigned n)
{
	struct leg_pair *call[HOPS_MAX + 4];
	char name[32];

	snprintf(name, sizeof(name), "chain of %u hairpins", n);
	for (uint16_t i = 0; i <= n; i++) {
		uint16_t in = (uint16_t)(13000 + 2 * i), out = (uint16_t)(23000 + 2 * i);
		call[i] = call_make(
			w,
			i == 0 ? (struct side){0, MEDIA_A, in, STRANGER, 4000, 0, 0}
			       : (struct side){0, MEDIA_A, in, MEDIA_B, (uint16_t)(out - 2), 0, 0},
			i == n ? (struct side){0, MEDIA_B, out, PLATFORM, 5000, 0, 0}
			       : (struct side){0, MEDIA_B, out, MEDIA_A, (uint16_t)(in + 2), 0, 0});
	}
	send_rtp(w, OUTSIDE, STRANGER, 4000, MEDIA_A, 13000);
	if (n > HOPS_MAX) {
		check_drop(w, name, DROP_HAIRPIN_LOOP, 1);
	} else {
		check_out(w, name, OUT_PLAIN, INSIDE, 1);
		check_ends(w, name, MEDIA_B, (uint16_t)(23000 + 2 * n), PLATFORM, 5000);
		world_mark(w);
	}
	for (unsigned i = 0; i <= n; i++) {
		call_withdraw(w, call[i]);
		call_free(call[i]);
	}
}

// Whoever speaks first at a platform's leg is believed if it is on the platform's side, and not by an outside port or a
// hairpin from there.
static void vouched(struct world *w)
{
	struct leg_pair *one =
		call_make(w, (struct side){0, MEDIA_A, 14100, MEDIA_B, 24102, true, 0},
			  (struct side){0, MEDIA_A, 24100, STRANGER, 5000, false, 0});
	struct leg_pair *two =
		call_make(w, (struct side){0, MEDIA_A, 14102, STRANGER, 4000, false, 0},
			  (struct side){0, MEDIA_B, 24102, 0, 0, true, 0});
	struct leg *leg = &two->leg[1];

	leg->guard.policy.first_come = LATCH_FIRST_INSIDE;
	send_rtp(w, OUTSIDE, STRANGER, 4000, MEDIA_B, 24102);
	check_drop(w, "first to come, outside", DROP_RTP_UNPROVEN, 1);
	send_rtcp(w, OUTSIDE, STRANGER, 4001, MEDIA_B, 24103);
	check_drop(w, "RTCP first to come, outside", DROP_RTP_SOURCE, 1);
	send_rtp(w, OUTSIDE, STRANGER, 5000, MEDIA_A, 24100);
	check_drop(w, "first to come, by a hairpin from outside", DROP_RTP_UNPROVEN, 1);
	check(leg->latch == LATCH_OPEN && leg->out_ip == 0, "nothing is learned");
	send_rtp(w, INSIDE, PLATFORM, 5000, MEDIA_B, 24102);
	check_out(w, "first to come, inside", OUT_PLAIN, OUTSIDE, 1);
	world_mark(w);
	check(leg->latch == LATCH_LEARNED && leg->out_ip == rte_cpu_to_be_32(PLATFORM),
	      "it is learned");
	call_withdraw(w, one);
	call_withdraw(w, two);
	call_free(one);
	call_free(two);
}

// Legs that point at each other with open latches: a packet goes round until it may no more.
static void circle(struct world *w)
{
	struct leg_pair *one =
		call_make(w, (struct side){0, MEDIA_A, 14000, MEDIA_A, 14002, true, 0},
			  (struct side){0, MEDIA_B, 24000, MEDIA_A, 14002, true, 0});
	struct leg_pair *two =
		call_make(w, (struct side){0, MEDIA_A, 14002, MEDIA_B, 24000, true, 0},
			  (struct side){0, MEDIA_B, 24002, MEDIA_A, 14000, true, 0});

	for (unsigned i = 0; i < 3; i++) {
		send_rtp(w, OUTSIDE, STRANGER, 4000, MEDIA_A, 14000);
		world_run(w);
		check(drops_all(w) == 1 && w->n_out == 0, "circle: the packet ends");
		world_mark(w);
		one->leg[0].latch = two->leg[0].latch = LATCH_OPEN;
	}
	call_withdraw(w, one);
	call_withdraw(w, two);
	call_free(one);
	call_free(two);
}

// A recorded leg's packets are copied as they came; where there is no room for copies, the call goes on.
static void recorded(struct world *w)
{
	struct leg_pair *call = call_make(w, (struct side){0, MEDIA_A, 15000, 0, 0, true, 0},
					  (struct side){0, MEDIA_B, 25000, PLATFORM, 5000, 0, 0});
	struct leg *a = &call->leg[0];
	struct worker *owner = w->worker[a->owner];
	struct rte_mbuf *copy = NULL;

	a->flags |= LEG_RECORD;
	a->record = 77;
	send_rtp(w, OUTSIDE, STRANGER, 4000, MEDIA_A, 15000);
	check_out(w, "recorded, but nobody records", OUT_PLAIN, INSIDE, 1);
	check(owner->records_lost == 1, "the lost copy is counted");
	owner->record = rte_ring_create("record", 4, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	world_mark(w);
	for (unsigned i = 0; i < 5; i++)
		send_rtp(w, OUTSIDE, STRANGER, 4000, MEDIA_A, 15000);
	world_run(w);
	check(owner->records == 3 && owner->records_lost == 3, "three copies in a ring of three");
	for (unsigned i = 0; i < 3; i++) {
		check(rte_ring_sc_dequeue(owner->record, (void **)&copy) == 0, "copy %u", i);
		struct record_mark mark = record_mark_get(copy);
		check(mark.number == 77 && mark.tsc != 0 && mark.tsc <= rte_rdtsc(), "its mark");
		check(pkt_ip(copy)->src_addr == rte_cpu_to_be_32(STRANGER) &&
			      pkt_ip(copy)->dst_addr == rte_cpu_to_be_32(MEDIA_A),
		      "as it came in");
		rte_pktmbuf_free(copy);
	}
	world_mark(w);
	send_rtp(w, OUTSIDE, STRANGER + 1, 4000, MEDIA_A, 15000);
	check_drop(w, "who is refused is not recorded", DROP_RTP_SOURCE, 1);
	check(owner->records == 3 && rte_ring_empty(owner->record), "nor counted");
	rte_ring_free(owner->record);
	owner->record = NULL;
	owner->records = owner->records_lost = 0;
	world_mark(w);
	call_withdraw(w, call);
	call_free(call);
}

void test_calls(void)
{
	struct world w;
	struct err err;

	for (unsigned workers = 1; workers <= 2; workers++) {
		if (!check(world_open(&w, workers, &err) == 0, "world: %s", err.text))
			return;
		latches(&w);
		rtcp_apart(&w);
		rtcp_muxed(&w);
		joined(&w, ACME, 0, 0, ACME, NO_DROP);
		joined(&w, ACME, 0, 0, GLOBEX, NO_DROP); // by legs that are nobody's
		joined(&w, ACME, GLOBEX, GLOBEX, GLOBEX, NO_DROP);
		joined(&w, ACME, ACME, GLOBEX, GLOBEX, DROP_RTP_CUSTOMER);
		joined(&w, ACME, 0, GLOBEX, GLOBEX, DROP_RTP_CUSTOMER);
		joined(&w, ACME, ACME, 0, GLOBEX, DROP_RTP_CUSTOMER);
		joined(&w, ACME, WIDE, WIDE, GLOBEX, NO_DROP);
		for (unsigned n = 1; n <= HOPS_MAX + 2; n++)
			chain(&w, n);
		vouched(&w);
		circle(&w);
		recorded(&w);
		world_close(&w);
	}
}
