// SPDX-License-Identifier: BSD-3-Clause
// Attacks on a call's media: floods from wrong sources at its start, in the middle and after a re-offer, forged
// RTCP, port scans. Not a packet of the attacker's goes through, and none goes to him.
#include "rtp/rtp_hdr.h"
#include "world.h"

#include <string.h>

#define ATTACKER IP(203, 0, 113, 66)
#define A_PORT 15000
#define B_PORT 25000
#define FLOOD 200

struct source {
	uint32_t ip, ssrc;
	uint16_t port, seq;
};

static void rtp_send_from(struct world *w, struct source *s)
{
	uint8_t data[172];
	struct rtp_hdr rtp = {.vpxcc = 0x80,
			      .seq = rte_cpu_to_be_16(s->seq++),
			      .ssrc = rte_cpu_to_be_32(s->ssrc)};
	struct pkt p;

	memset(data, 0xd5, sizeof(data));
	memcpy(data, &rtp, sizeof(rtp));
	udp_make(&p, s->ip, s->port, MEDIA_A, A_PORT, data, sizeof(data));
	pkt_send(w, OUTSIDE, &p, false);
}

// Packets from one port in sequence, from many ports, and from many addresses, all of the right kind.
static void flood(struct world *w, const char *when)
{
	struct source same = {ATTACKER, 0xbad, 6666, 0};

	world_mark(w);
	for (uint16_t i = 0; i < FLOOD; i++) {
		struct source port = {ATTACKER, 0xbad, (uint16_t)(7000 + i), i};
		struct source host = {ATTACKER + 1 + i % 8, 0xbad, 4000, i};
		rtp_send_from(w, &same);
		rtp_send_from(w, &port);
		rtp_send_from(w, &host);
		world_run(w);
	}
	check(w->n_out == 0, "%s: nothing of a flood goes through (%u did)", when, w->n_out);
	check(drops(w, DROP_RTP_SOURCE) + drops(w, DROP_RTP_UNPROVEN) == 3 * FLOOD,
	      "%s: all of it is dropped by name", when);
	world_mark(w);
}

// The platform speaks: its packet goes to the phone, wherever the attacker has been.
static void reaches(struct world *w, const char *when, uint32_t ip, uint16_t port)
{
	struct pkt p;

	rtp_make(&p, PLATFORM, 5000, MEDIA_B, B_PORT);
	pkt_send(w, INSIDE, &p, false);
	world_run(w);
	const struct rte_ipv4_hdr *h = (const struct rte_ipv4_hdr *)w->out[0].ip;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(h + 1);
	check(w->n_out == 1 && h->dst_addr == rte_cpu_to_be_32(ip) &&
		      udp->dst_port == rte_cpu_to_be_16(port),
	      "%s: audio goes to the phone", when);
	world_mark(w);
}

static void passes(struct world *w, const char *when, struct source *s)
{
	rtp_send_from(w, s);
	check_out(w, when, OUT_PLAIN, INSIDE, 1);
	world_mark(w);
}

static const struct latch_policy guarded = {.learn = true, .window_ms = 5000};

static void signal_to(struct world *w, struct leg *leg, uint32_t ip, uint16_t port)
{
	leg_latch_set(leg, &guarded,
		      (struct latch_peer){rte_cpu_to_be_32(ip), rte_cpu_to_be_16(port)},
		      (struct latch_peer){0}, w->plane->tsc_hz);
}

// As a re-offer does it: a leg made anew with what the old one knew.
static void re_offer(struct world *w, struct leg *leg, uint32_t ip, uint16_t port)
{
	struct leg was = *leg;

	signal_to(w, leg, ip, port);
	leg_latch_carry(leg, &was);
}

static void floods(struct world *w, struct leg *a)
{
	struct source phone = {STRANGER, 0x7e1, 4000, 100};

	signal_to(w, a, STRANGER, 4000);
	flood(w, "at the start");
	reaches(w, "at the start", STRANGER, 4000);
	passes(w, "the phone begins", &phone);
	flood(w, "in mid-call");
	reaches(w, "in mid-call", STRANGER, 4000);
	passes(w, "the phone goes on", &phone);
	re_offer(w, a, STRANGER, 4000);
	flood(w, "after a re-offer");
	reaches(w, "after a re-offer", STRANGER, 4000);
	passes(w, "the phone after a re-offer", &phone);
	re_offer(w, a, IP(192, 0, 2, 7), 4400); // the phone moves
	flood(w, "after a move");
	reaches(w, "after a move", IP(192, 0, 2, 7), 4400);
	phone.ip = IP(192, 0, 2, 7);
	phone.port = 4444; // behind a NAT
	passes(w, "the phone after a move", &phone);
	reaches(w, "the phone after a move", IP(192, 0, 2, 7), 4444);
	flood(w, "after a move, learned");
	check(a->refused > 0 && a->guard.waited > 0 && a->guard.refused_ip != 0,
	      "attacks are counted");
	// Nothing is known of the phone but that it is behind a NAT: the flood is fast, so it waits.
	signal_to(w, a, IP(192, 168, 1, 2), 4000);
	flood(w, "with a useless address");
	reaches(w, "with a useless address", IP(192, 168, 1, 2), 4000);
}

static void rtcp_from(struct world *w, uint32_t ip, uint16_t port, const void *data, uint32_t len)
{
	struct pkt p;

	udp_make(&p, ip, port, MEDIA_A, A_PORT + 1, data, len);
	pkt_send(w, OUTSIDE, &p, false);
}

static void rtcp_forged(struct world *w, struct leg *a)
{
	static const uint8_t bye[] = {0x80, RTCP_RR,  0, 1, 0, 0, 7, 0xe1,
				      0x81, RTCP_BYE, 0, 1, 0, 0, 7, 0xe1};
	struct source phone = {STRANGER, 0x7e1, 4000, 100};

	signal_to(w, a, STRANGER, 4000);
	passes(w, "RTCP: a call", &phone);
	rtcp_from(w, ATTACKER, 4001, bye, sizeof(bye));
	check_drop(w, "a forged BYE", DROP_RTP_SOURCE, 1);
	rtcp_from(w, STRANGER, 4001, bye, sizeof(bye));
	check_out(w, "the peer's own BYE", OUT_PLAIN, INSIDE, 1);
	world_mark(w);
	rtcp_from(w, STRANGER, 4009, bye, sizeof(bye));
	check_drop(w, "a BYE from another port", DROP_RTP_SOURCE, 1);
	passes(w, "a BYE ends nothing", &phone);
	reaches(w, "a BYE ends nothing", STRANGER, 4000);
}

static void scan(struct world *w)
{
	world_mark(w);
	for (uint16_t port = 10000; port < 10200; port++) {
		struct pkt p;
		rtp_make(&p, ATTACKER, 6666, MEDIA_A, port);
		pkt_send(w, OUTSIDE, &p, false);
		world_run(w);
	}
	check(w->n_out == 0 && drops(w, DROP_NO_CALL) == 200, "a scan finds nothing");
	world_mark(w);
}

void test_attack(void)
{
	struct world w;
	struct err err;

	for (unsigned workers = 1; workers <= 2; workers++) {
		if (!check(world_open(&w, workers, &err) == 0, "world: %s", err.text))
			return;
		route_set(&w, IP(192, 0, 2, 0), 24, HOP_OUTSIDE);
		route_set(&w, IP(192, 168, 1, 0), 24, HOP_OUTSIDE);
		struct leg_pair *call =
			call_make(&w, (struct side){0, MEDIA_A, A_PORT, STRANGER, 4000, true, 0},
				  (struct side){0, MEDIA_B, B_PORT, PLATFORM, 5000, 0, 0});
		floods(&w, &call->leg[0]);
		rtcp_forged(&w, &call->leg[0]);
		scan(&w);
		call_withdraw(&w, call);
		call_free(call);
		world_close(&w);
	}
}
