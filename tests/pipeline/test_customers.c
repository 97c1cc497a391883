// SPDX-License-Identifier: BSD-3-Clause
// Who reaches whom: customers apart from each other, from the plain network, and from us.
#include "ip/ip.h"
#include "world.h"

#include <string.h>

// How a packet comes: in the clear by a port, or in a customer's tunnel.
enum way { BY_OUTSIDE, BY_INSIDE, BY_TUNNEL };

struct passage {
	const char *name;
	enum way way;
	uint8_t tunnel;
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t proto;         // 0: RTP in UDP
	uint8_t ttl;           // 0: 64
	uint16_t frag;         // as in the header, host order
	enum drop_reason drop; // NO_DROP: comes out
	enum out_kind out;
	uint8_t which;
};

static void passage_send(struct world *w, const struct passage *t)
{
	struct pkt p;

	if (t->proto == 0)
		rtp_make(&p, t->src, t->sport, t->dst, t->dport);
	else if (t->proto == IPPROTO_UDP)
		udp_make(&p, t->src, t->sport, t->dst, t->dport, NULL, 100);
	else
		ip_make(&p, t->proto, t->src, t->dst, "\x08\0\xf7\xff\0\0\0\0\0\0\0\0\0\0\0", 16);
	p.ip[8] = t->ttl != 0 ? t->ttl : 64;
	p.ip[6] = (uint8_t)(t->frag >> 8);
	p.ip[7] = (uint8_t)t->frag;
	ip_fix(&p);
	if (t->way == BY_TUNNEL)
		esp_make(w, &p, t->tunnel);
	pkt_send(w, t->way == BY_INSIDE ? INSIDE : OUTSIDE, &p, false);
}

static void passages(struct world *w, const struct passage *t, size_t n)
{
	for (size_t i = 0; i < n; i++, t++) {
		passage_send(w, t);
		if (t->drop != NO_DROP) {
			check_drop(w, t->name, t->drop, 1);
			continue;
		}
		check_out(w, t->name, t->out, t->which, 1);
		world_mark(w);
	}
}

#define RTP(way, k, src, sport, dst, dport) way, k, src, dst, sport, dport, 0, 0, 0
#define UDP(way, k, src, sport, dst, dport) way, k, src, dst, sport, dport, IPPROTO_UDP, 0, 0
#define TTL1(way, k, src, dst, dport) way, k, src, dst, 33000, dport, IPPROTO_UDP, 1, 0
#define PING(way, k, src, dst) way, k, src, dst, 0, 0, IPPROTO_ICMP, 0, 0
#define FRAG(way, k, src, dst, dport, off) way, k, src, dst, 4000, dport, IPPROTO_UDP, 0, off
#define MF 0x2000
#define DROPPED(reason) DROP_##reason, 0, 0
#define COMES_OUT(kind, which) NO_DROP, OUT_##kind, which

// Acme's call: 10000 on the customer's side, 20000 on the platform's.
static const struct passage calls[] = {
	{"own tunnel", RTP(BY_TUNNEL, ACME, PHONE(ACME), 4000, MEDIA_A, 10000),
	 COMES_OUT(PLAIN, INSIDE)},
	{"platform to tunnel", RTP(BY_INSIDE, 0, PLATFORM, 5000, MEDIA_B, 20000),
	 COMES_OUT(TUNNEL, ACME)},
	{"another's tunnel", RTP(BY_TUNNEL, GLOBEX, PHONE(GLOBEX), 4000, MEDIA_A, 10000),
	 DROPPED(RTP_CUSTOMER)},
	{"another's tunnel, spoofed", RTP(BY_TUNNEL, WIDE, PHONE(ACME), 4000, MEDIA_A, 10000),
	 DROPPED(RTP_CUSTOMER)},
	{"another's tunnel, outside its selectors",
	 RTP(BY_TUNNEL, GLOBEX, PHONE(ACME), 4000, MEDIA_A, 10000), DROPPED(SELECTOR)},
	{"clear, outside, spoofed", RTP(BY_OUTSIDE, 0, PHONE(ACME), 4000, MEDIA_A, 10000),
	 DROPPED(RTP_CUSTOMER)},
	{"clear, inside, spoofed", RTP(BY_INSIDE, 0, PHONE(ACME), 4000, MEDIA_A, 10000),
	 DROPPED(RTP_CUSTOMER)},
	{"tunnel to the platform's leg", RTP(BY_TUNNEL, ACME, PLATFORM, 5000, MEDIA_B, 20000),
	 DROPPED(SELECTOR)},
	{"wide tunnel to the platform's leg", RTP(BY_TUNNEL, WIDE, PLATFORM, 5000, MEDIA_B, 20000),
	 DROPPED(RTP_CUSTOMER)},
	{"platform, other port", RTP(BY_INSIDE, 0, PLATFORM, 5002, MEDIA_B, 20000),
	 DROPPED(RTP_SOURCE)},
	{"platform's leg, from outside", RTP(BY_OUTSIDE, 0, STRANGER, 5000, MEDIA_B, 20000),
	 DROPPED(RTP_SOURCE)},
	{"port without a call", RTP(BY_TUNNEL, ACME, PHONE(ACME), 4000, MEDIA_A, 10002),
	 DROPPED(NO_CALL)},
	{"fragment to a media port", FRAG(BY_TUNNEL, ACME, PHONE(ACME), MEDIA_A, 10000, MF),
	 DROPPED(FRAGMENT)},
	{"later fragment to a media port", FRAG(BY_TUNNEL, WIDE, PHONE(WIDE), MEDIA_A, 10000, 10),
	 DROPPED(FRAGMENT)},
};

// Beside the calls: what the allow-lists say, both ways.
static const struct passage transit[] = {
	{"to the platform", UDP(BY_TUNNEL, ACME, PHONE(ACME), 5060, PLATFORM, 5060),
	 COMES_OUT(PLAIN, INSIDE)},
	{"to a port that is not allowed", UDP(BY_TUNNEL, GLOBEX, PHONE(GLOBEX), 5060, PLATFORM, 80),
	 DROPPED(NOT_ALLOWED)},
	{"to strangers, not allowed", UDP(BY_TUNNEL, ACME, PHONE(ACME), 5060, STRANGER, 5060),
	 DROPPED(NOT_ALLOWED)},
	{"to strangers, allowed", UDP(BY_TUNNEL, WIDE, PHONE(WIDE), 5060, STRANGER, 5060),
	 COMES_OUT(PLAIN, OUTSIDE)},
	{"to another customer, who does not allow it",
	 UDP(BY_TUNNEL, WIDE, PHONE(WIDE), 5060, PHONE(ACME), 5060), DROPPED(NOT_ALLOWED)},
	{"from another customer's address", UDP(BY_TUNNEL, WIDE, PHONE(ACME), 5060, PLATFORM, 5060),
	 DROPPED(IP_SOURCE)},
	{"from our own address", UDP(BY_TUNNEL, WIDE, OUTSIDE_IP, 5060, PLATFORM, 5060),
	 DROPPED(IP_SOURCE)},
	{"from a media address", UDP(BY_TUNNEL, WIDE, MEDIA_A, 5060, PLATFORM, 5060),
	 DROPPED(IP_SOURCE)},
	{"from loopback", UDP(BY_TUNNEL, WIDE, IP(127, 0, 0, 1), 5060, PLATFORM, 5060),
	 DROPPED(IP_SOURCE)},
	{"from multicast", UDP(BY_TUNNEL, WIDE, IP(224, 0, 0, 5), 5060, PLATFORM, 5060),
	 DROPPED(IP_SOURCE)},
	{"platform into the tunnel", UDP(BY_INSIDE, 0, PLATFORM, 5060, PHONE(ACME), 5060),
	 COMES_OUT(TUNNEL, ACME)},
	{"platform into the tunnel, allowed port",
	 UDP(BY_INSIDE, 0, PLATFORM, 5060, PHONE(GLOBEX), 5060), COMES_OUT(TUNNEL, GLOBEX)},
	{"platform into the tunnel, not allowed",
	 UDP(BY_INSIDE, 0, PLATFORM, 5061, PHONE(GLOBEX), 5060), DROPPED(NOT_ALLOWED)},
	{"platform spoofs a customer", UDP(BY_INSIDE, 0, PHONE(GLOBEX), 5060, PHONE(WIDE), 5060),
	 DROPPED(IP_SOURCE)},
	{"platform spoofs us", UDP(BY_INSIDE, 0, INSIDE_IP, 5060, PHONE(WIDE), 5060),
	 DROPPED(IP_SOURCE)},
	{"outside into the tunnel", UDP(BY_OUTSIDE, 0, STRANGER, 5060, PHONE(ACME), 5060),
	 DROPPED(TRANSIT_DENIED)},
	{"outside to the platform", UDP(BY_OUTSIDE, 0, STRANGER, 5060, PLATFORM, 5060),
	 DROPPED(TRANSIT_DENIED)},
	{"platform to strangers", UDP(BY_INSIDE, 0, PLATFORM, 5060, STRANGER, 5060),
	 DROPPED(TRANSIT_DENIED)},
	{"platform to a gateway", UDP(BY_INSIDE, 0, PLATFORM, 5060, GATEWAY(ACME), 5060),
	 DROPPED(TRANSIT_DENIED)},
	{"TTL 1, platform spoofs a customer", TTL1(BY_INSIDE, 0, PHONE(ACME), PHONE(WIDE), 33434),
	 DROPPED(IP_SOURCE)},
};

// To our own addresses: the kernel answers, and its answers go into tunnels.
static const struct passage kernel[] = {
	{"ping from outside", PING(BY_OUTSIDE, 0, STRANGER, OUTSIDE_IP),
	 COMES_OUT(KERNEL, OUTSIDE)},
	{"ping from inside", PING(BY_INSIDE, 0, PLATFORM, INSIDE_IP), COMES_OUT(KERNEL, INSIDE)},
	{"ping, spoofed from outside", PING(BY_OUTSIDE, 0, PHONE(ACME), OUTSIDE_IP),
	 DROPPED(IP_SOURCE)},
	{"ping from outside, as from inside", PING(BY_OUTSIDE, 0, PLATFORM, OUTSIDE_IP),
	 DROPPED(IP_SOURCE)},
	{"NG from outside, as from inside", UDP(BY_OUTSIDE, 0, PLATFORM, 5060, INSIDE_IP, 2223),
	 DROPPED(IP_SOURCE)},
	{"ping from inside, from outside's network", PING(BY_INSIDE, 0, STRANGER, INSIDE_IP),
	 COMES_OUT(KERNEL, INSIDE)},
	{"ping, spoofed from inside", PING(BY_INSIDE, 0, PHONE(ACME), INSIDE_IP),
	 DROPPED(IP_SOURCE)},
	{"IKE, spoofed from outside", UDP(BY_OUTSIDE, 0, PHONE(ACME), 500, OUTSIDE_IP, 500),
	 DROPPED(IP_SOURCE)},
	{"ping from a tunnel, not allowed", PING(BY_TUNNEL, ACME, PHONE(ACME), OUTSIDE_IP),
	 DROPPED(NOT_ALLOWED)},
	{"ping from a tunnel, allowed", PING(BY_TUNNEL, WIDE, PHONE(WIDE), OUTSIDE_IP),
	 COMES_OUT(KERNEL, OUTSIDE)},
	{"ping from a tunnel, spoofed", PING(BY_TUNNEL, WIDE, PHONE(ACME), OUTSIDE_IP),
	 DROPPED(IP_SOURCE)},
	{"DNS of a media address from a tunnel, not allowed",
	 UDP(BY_TUNNEL, ACME, PHONE(ACME), 4000, MEDIA_A, 53), DROPPED(NOT_ALLOWED)},
	{"DNS of a media address from a tunnel, allowed",
	 UDP(BY_TUNNEL, WIDE, PHONE(WIDE), 4000, MEDIA_A, 53), COMES_OUT(KERNEL, OUTSIDE)},
	{"DNS of a media address from a tunnel, spoofed",
	 UDP(BY_TUNNEL, WIDE, PHONE(ACME), 4000, MEDIA_A, 53), DROPPED(IP_SOURCE)},
};

// The answer to a TTL of 1 goes back by the tunnel that the packet came by.
static void ttl_answer(struct world *w)
{
	const struct passage t = {"", TTL1(BY_TUNNEL, ACME, PHONE(ACME), PLATFORM, 33434),
				  DROPPED(IP_TTL)};

	passage_send(w, &t);
	world_run(w);
	check(drops(w, DROP_IP_TTL) == 1 && drops_all(w) == 1, "TTL 1: one drop");
	check(w->n_out == 1 && w->out[0].kind == OUT_TUNNEL && w->out[0].customer == ACME &&
		      w->out[0].ip[9] == IPPROTO_ICMP && w->out[0].ip[20] == 11,
	      "TTL 1: an answer into the tunnel");
	world_mark(w);
}

// An ESP packet in a tunnel is a packet like others; nobody gets a second one opened.
static void esp_in_tunnel(struct world *w, unsigned k, enum drop_reason reason)
{
	struct pkt p;

	rtp_make(&p, PHONE(GLOBEX), 4000, MEDIA_A, 10000);
	uint8_t esp[400] = {0xc1, 0, 0, GLOBEX};
	ip_make(&p, 50, PHONE(k), OUTSIDE_IP, esp, sizeof(esp));
	esp_make(w, &p, k);
	pkt_send(w, OUTSIDE, &p, false);
	if (reason != NO_DROP)
		check_drop(w, "ESP in a tunnel", reason, 1);
	else
		check_out(w, "ESP in a tunnel", OUT_KERNEL, OUTSIDE, 1);
	world_mark(w);
}

// The peer that was signalled is our own kernel: nobody gets audio delivered there.
static void to_our_kernel(struct world *w)
{
	struct leg_pair *call =
		call_make(w, (struct side){ACME, MEDIA_A, 11000, PHONE(ACME), 4000, 0, 0},
			  (struct side){0, MEDIA_B, 21000, OUTSIDE_IP, 500, 0, 0});
	struct pkt p;

	route_set(w, OUTSIDE_IP, 32, HOP_LOCAL);
	rtp_make(&p, PHONE(ACME), 4000, MEDIA_A, 11000);
	esp_make(w, &p, ACME);
	pkt_send(w, OUTSIDE, &p, false);
	check_drop(w, "audio to our own kernel", DROP_NO_ROUTE, 1);
	route_set(w, OUTSIDE_IP, 32, HOP_NONE);
	call_withdraw(w, call);
	call_free(call);
}

// A tunnel that is down: a customer's audio never leaves in the clear.
static void tunnel_down(struct world *w)
{
	struct pkt p;

	route_set(w, IP(44, 0, ACME, 0), 24, HOP_OUTSIDE);
	rtp_make(&p, PLATFORM, 5000, MEDIA_B, 20000);
	pkt_send(w, INSIDE, &p, false);
	check_drop(w, "call without its tunnel's route", DROP_RTP_CUSTOMER, 1);
	route_set(w, IP(44, 0, ACME, 0), 24, HOP_NONE);
	rtp_make(&p, PLATFORM, 5000, MEDIA_B, 20000);
	pkt_send(w, INSIDE, &p, false);
	check_drop(w, "call without any route", DROP_RTP_CUSTOMER, 1);
	route_set(w, IP(44, 0, ACME, 0), 24, HOP_TUNNEL + GLOBEX);
	rtp_make(&p, PLATFORM, 5000, MEDIA_B, 20000);
	pkt_send(w, INSIDE, &p, false);
	check_drop(w, "call with another's route", DROP_RTP_CUSTOMER, 1);
	route_set(w, IP(44, 0, ACME, 0), 24, HOP_TUNNEL + ACME);
	w->customer[ACME]->spd = NULL;
	rtp_make(&p, PLATFORM, 5000, MEDIA_B, 20000);
	pkt_send(w, INSIDE, &p, false);
	check_drop(w, "call without an SA", DROP_NO_SA, 1);
	w->customer[ACME]->spd = w->tunnel[ACME].spd;
	w->plane->customer[ACME] = NULL;
	rtp_make(&p, PLATFORM, 5000, MEDIA_B, 20000);
	pkt_send(w, INSIDE, &p, false);
	check_drop(w, "call of a customer who is gone", DROP_NO_SA, 1);
	rtp_make(&p, PHONE(ACME), 4000, MEDIA_A, 10000);
	esp_make(w, &p, ACME);
	pkt_send(w, OUTSIDE, &p, false);
	check_drop(w, "tunnel of a customer who is gone", DROP_NOT_ALLOWED, 1);
	w->plane->customer[ACME] = w->customer[ACME];
}

void test_customers(void)
{
	struct world w;
	struct err err;

	for (unsigned workers = 1; workers <= 2; workers++) {
		if (!check(world_open(&w, workers, &err) == 0, "world: %s", err.text))
			return;
		struct leg_pair *call =
			call_make(&w, (struct side){ACME, MEDIA_A, 10000, PHONE(ACME), 4000, 0, 0},
				  (struct side){0, MEDIA_B, 20000, PLATFORM, 5000, 0, 0});
		passages(&w, calls, RTE_DIM(calls));
		passages(&w, transit, RTE_DIM(transit));
		passages(&w, kernel, RTE_DIM(kernel));
		ttl_answer(&w);
		esp_in_tunnel(&w, ACME, DROP_NOT_ALLOWED);
		esp_in_tunnel(&w, WIDE, NO_DROP);
		to_our_kernel(&w);
		tunnel_down(&w);
		call_withdraw(&w, call);
		call_free(call);
		world_close(&w);
	}
}
