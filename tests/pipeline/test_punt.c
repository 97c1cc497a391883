// SPDX-License-Identifier: BSD-3-Clause
// To the kernel: what may go there and what never does, and who has how much of it.
#include "punt.h"
#include "world.h"

#include <string.h>

#define RATE 10 // packets/s of a source, and as many at once
#define FLOOD 100

// IKE from src: the zero marker and a header.
static void ike_send(struct world *w, uint32_t src, uint16_t sport, uint16_t dport)
{
	uint8_t ike[4 + 28] = {[4] = 0x11};
	struct pkt p;

	udp_make(&p, src, sport, OUTSIDE_IP, dport, ike, sizeof(ike));
	pkt_send(w, OUTSIDE, &p, false);
}

// n of them; returns how many the kernel got.
static unsigned ike_flood(struct world *w, uint32_t src, unsigned n)
{
	world_mark(w);
	for (unsigned i = 0; i < n; i++) {
		ike_send(w, src, 500, 500);
		worker_rounds(w, 0, 1);
	}
	world_run(w);
	return w->n_out;
}

static void esp_is_not_for_the_kernel(struct world *w)
{
	uint8_t data[64] = {0xff, 0xee, 0xdd, 0xcc};
	struct pkt p;

	ip_make(&p, IPPROTO_ESP, STRANGER, OUTSIDE_IP, data, sizeof(data));
	pkt_send(w, OUTSIDE, &p, true);
	check_drop(w, "ESP without an SA", DROP_SPI_UNKNOWN, 1);
	udp_make(&p, STRANGER, 4500, OUTSIDE_IP, 4500, data, sizeof(data));
	pkt_send(w, OUTSIDE, &p, true);
	check_drop(w, "ESP in UDP without an SA", DROP_SPI_UNKNOWN, 1);
	ip_make(&p, IPPROTO_ESP, STRANGER, OUTSIDE_IP, data, 7);
	pkt_send(w, OUTSIDE, &p, true);
	check_drop(w, "ESP that is too short", DROP_ESP_TRUNCATED, 1);
	for (unsigned len = 0; len < 8; len++) {
		udp_make(&p, STRANGER, 4500, OUTSIDE_IP, 4500, NULL, len);
		pkt_send(w, OUTSIDE, &p, true);
		check_drop(w, "marker without IKE", DROP_ESP_TRUNCATED, 1);
	}
}

static void keepalives_are_swallowed(struct world *w)
{
	uint8_t ff[2] = {0xff, 0xff};
	struct pkt p;

	udp_make(&p, GATEWAY(GLOBEX), 4500, OUTSIDE_IP, 4500, ff, 1);
	pkt_send(w, OUTSIDE, &p, true);
	check_drop(w, "NAT keepalive", DROP_NAT_KEEPALIVE, 1);
	udp_make(&p, GATEWAY(GLOBEX), 4500, OUTSIDE_IP, 4500, ff, 2);
	pkt_send(w, OUTSIDE, &p, true);
	check_drop(w, "two bytes of 0xff are none", DROP_ESP_TRUNCATED, 1);
}

static void ike_is(struct world *w)
{
	ike_send(w, STRANGER, 500, 500);
	check_out(w, "IKE on 500", OUT_KERNEL, OUTSIDE, 1);
	world_mark(w);
	ike_send(w, STRANGER, 61000, 4500);
	world_run(w);
	check(w->n_out == 1 && w->out[0].kind == OUT_KERNEL && w->out[0].len == 20 + 8 + 32 &&
		      memcmp(w->out[0].ip + 28, "\0\0\0\0\x11", 5) == 0,
	      "IKE on 4500 arrives with its marker");
	world_mark(w);
}

static void a_source_has_its_limit(struct world *w)
{
	unsigned got = ike_flood(w, STRANGER, FLOOD);

	check(got >= RATE && got <= RATE + 2 && drops(w, DROP_PUNT_SOURCE) == FLOOD - got &&
		      drops_all(w) == FLOOD - got,
	      "a stranger's flood: %u of %u pass", got, FLOOD);
	check(ike_flood(w, STRANGER + 1, 1) == 1, "another stranger is heard meanwhile");
	got = ike_flood(w, GATEWAY(ACME), FLOOD);
	check(got >= RATE && got <= RATE + 2, "a gateway's flood: %u of %u pass", got, FLOOD);
	check(ike_flood(w, GATEWAY(GLOBEX), 1) == 1, "another gateway is heard meanwhile");
	world_mark(w);
}

// So many strangers that every limit they can share is used up, and the port's for them as well.
static void strangers_do_not_starve_a_gateway(struct world *w)
{
	unsigned heard = 0;

	tier_bucket_init(&w->worker[0]->punt_limit[OUTSIDE], 8, 1, w->plane->tsc_hz, 0);
	for (unsigned i = 0; i < 50; i++)
		heard += ike_flood(w, IP(203, 0, 113, i), FLOOD);
	check(heard < 100, "50 flooding strangers: %u heard", heard);
	ike_flood(w, IP(203, 0, 113, 99), 20);
	check(drops(w, DROP_PUNT_LIMIT) > 0, "their half of the port's rate is used up");
	check(ike_flood(w, GATEWAY(GLOBEX), RATE / 2) == RATE / 2, "a gateway is heard");
	tier_bucket_init(&w->worker[0]->punt_limit[OUTSIDE], 0, 0, w->plane->tsc_hz, 0);
	world_mark(w);
}

static void the_platform_has_none(struct world *w)
{
	struct pkt p;

	for (unsigned i = 0; i < FLOOD; i++) {
		ip_make(&p, IPPROTO_ICMP, PLATFORM, INSIDE_IP, NULL, 32);
		pkt_send(w, INSIDE, &p, false);
		worker_rounds(w, 0, 1);
	}
	check_out(w, "the platform's side", OUT_KERNEL, INSIDE, FLOOD);
	world_mark(w);
}

// Customers' tunnels: each its own limit.
static void a_tunnel_has_its_limit(struct world *w)
{
	struct pkt p;
	unsigned of_acme;

	for (unsigned i = 0; i < FLOOD; i++) {
		ip_make(&p, IPPROTO_ICMP, PHONE(ACME) + i % 50, INSIDE_IP, NULL, 32);
		esp_make(w, &p, ACME);
		pkt_send(w, OUTSIDE, &p, false);
		worker_rounds(w, 0, 1);
	}
	world_run(w);
	of_acme = w->n_out;
	check(of_acme >= RATE && of_acme <= RATE + 2 && drops(w, DROP_PUNT_SOURCE) > 0,
	      "a tunnel's flood by many addresses: %u of %u pass", of_acme, FLOOD);
	world_mark(w);
	ip_make(&p, IPPROTO_ICMP, PHONE(WIDE), OUTSIDE_IP, NULL, 32);
	esp_make(w, &p, WIDE);
	pkt_send(w, OUTSIDE, &p, false);
	check_out(w, "another customer's", OUT_KERNEL, OUTSIDE, 1);
	world_mark(w);
}

void test_punt(void)
{
	static struct punt_peers peers;
	struct world w;
	struct err err;

	if (!check(world_open(&w, 1, &err) == 0, "world: %s", err.text))
		return;
	for (unsigned k = 1; k < CUSTOMERS; k++)
		punt_peers_add(&peers, rte_cpu_to_be_32(GATEWAY(k)));
	esp_is_not_for_the_kernel(&w);
	keepalives_are_swallowed(&w);
	ike_is(&w);
	w.plane->punt_peers = &peers;
	punt_sources_init(w.worker[0]->sources, RATE, w.plane->tsc_hz, 4303);
	a_source_has_its_limit(&w);
	strangers_do_not_starve_a_gateway(&w);
	the_platform_has_none(&w);
	a_tunnel_has_its_limit(&w);
	world_close(&w);
}
