// SPDX-License-Identifier: BSD-3-Clause
// Between two workers: what goes away, or changes, while packets wait in the rings.
#include "trace.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 200 // more than a ring between workers holds

static void esp_send(struct world *w, unsigned k, uint16_t dport)
{
	struct pkt p;

	rtp_make(&p, PHONE(k), 4000, MEDIA_A, dport);
	esp_make(w, &p, k);
	pkt_send(w, OUTSIDE, &p, false);
}

// Globex is worker 1's; the call's other leg is worker 0's, who alone can send.
static struct leg_pair *globex_call(struct world *w)
{
	return call_make(w, (struct side){GLOBEX, MEDIA_A, 16000, PHONE(GLOBEX), 4000, 0, 0},
			 (struct side){0, MEDIA_B, 26000, PLATFORM, 5000, 0, 0});
}

static void way_of_a_packet(struct world *w)
{
	struct leg_pair *call = globex_call(w);
	uint64_t over = w->worker[0]->handed_over, back = w->worker[1]->handed_over;

	esp_send(w, GLOBEX, 16000);
	check_out(w, "there and back", OUT_PLAIN, INSIDE, 1);
	check(w->worker[0]->handed_over == over + 1 && w->worker[1]->handed_over == back + 1 &&
		      w->worker[1]->taken_over >= 1,
	      "one hop there, one back");
	world_mark(w);
	call_withdraw(w, call);
	call_free(call);
}

// The call goes while a packet of it is in a ring; its slot is taken by another call at once.
static void call_goes(struct world *w, bool slot_again)
{
	struct leg_pair *call = globex_call(w), *other = NULL;
	struct pkt p;
	uint32_t slot = w->next_slot;

	// To the customer: the ingress leg is worker 0's, the egress leg worker 1's.
	rtp_make(&p, PLATFORM, 5000, MEDIA_B, 26000);
	pkt_send(w, INSIDE, &p, false);
	worker_rounds(w, 0, 2);
	check(rte_ring_count(w->handover[1]) == 1, "the packet waits for worker 1");
	call_withdraw(w, call);
	if (slot_again) {
		w->next_slot -= 2;
		other = call_make(w,
				  (struct side){GLOBEX, MEDIA_A, 16100, PHONE(GLOBEX), 4100, 0, 0},
				  (struct side){0, MEDIA_B, 26100, PLATFORM, 5100, 0, 0});
		check(w->next_slot == slot, "the slots are the same");
	}
	memset(call, 0xee, sizeof(*call)); // nobody may look at it any more
	call_free(call);
	check_drop(w, "call goes while a packet waits", DROP_HANDOVER_STALE, 1);
	if (other != NULL) {
		call_withdraw(w, other);
		call_free(other);
	}
}

static void tunnel_goes(struct world *w)
{
	struct leg_pair *call = globex_call(w);
	struct err err;

	esp_send(w, GLOBEX, 16000);
	worker_rounds(w, 0, 2);
	tunnel_free(w, GLOBEX);
	check_drop(w, "SA goes while a packet waits", DROP_SPI_UNKNOWN, 1);
	check(tunnel_make(w, GLOBEX, 0, 0, 65535, &err) == 0, "tunnel: %s", err.text);
	call_withdraw(w, call);
	call_free(call);
}

static void customer_goes(struct world *w)
{
	struct pkt p;

	udp_make(&p, PLATFORM, 5060, PHONE(GLOBEX), 5060, NULL, 100);
	pkt_send(w, INSIDE, &p, false);
	worker_rounds(w, 0, 2);
	check(rte_ring_count(w->handover[1]) == 1, "the packet waits for the customer's owner");
	w->plane->customer[GLOBEX] = NULL;
	check_drop(w, "customer goes while a packet waits", DROP_NO_SA, 1);
	w->plane->customer[GLOBEX] = w->customer[GLOBEX];
}

static void neighbour_goes(struct world *w)
{
	struct nexthop gone = {.kind = NH_UNRESOLVED, .port = INSIDE, .index = HOP_INSIDE};
	struct leg_pair *call =
		call_make(w, (struct side){GLOBEX, MEDIA_A, 16000, PHONE(GLOBEX), 4000, 0, 0},
			  (struct side){0, MEDIA_B, 26002, PLATFORM, 5000, 0, 0});

	check(call->leg[1].owner == 1, "the leg is worker 1's, who cannot send");
	for (unsigned up = 0; up < 2; up++) {
		esp_send(w, GLOBEX, 16000);
		worker_rounds(w, 0, 2);
		worker_rounds(w, 1, 2);
		check(rte_ring_count(w->handover[0]) == 1, "the packet waits for worker 0");
		w->plane->nexthop[HOP_INSIDE] = up ? &w->hop[HOP_INSIDE] : &gone;
		w->plane->port[INSIDE].up = !up;
		check_drop(w, "neighbour goes while a packet waits",
			   up ? DROP_PORT_DOWN : DROP_HANDOVER_STALE, 1);
		w->plane->nexthop[HOP_INSIDE] = &w->hop[HOP_INSIDE];
	}
	w->plane->port[INSIDE].up = 1;
	w->plane->nexthop[HOP_INSIDE] = NULL;
	esp_send(w, GLOBEX, 16000);
	check_drop(w, "no nexthop", DROP_NO_ROUTE, 1);
	w->plane->nexthop[HOP_INSIDE] = &w->hop[HOP_INSIDE];
	call_withdraw(w, call);
	call_free(call);
}

// More than the ring holds: the rest is dropped by name, what was in it comes out.
static void ring_full(struct world *w)
{
	struct leg_pair *call = globex_call(w);
	unsigned room = rte_ring_get_capacity(w->handover[1]);

	for (unsigned i = 0; i < MANY; i++)
		esp_send(w, GLOBEX, 16000);
	worker_rounds(w, 0, 4);
	check(drops(w, DROP_HANDOVER_FULL) == MANY - room && drops_all(w) == MANY - room,
	      "ring full: %lu of %u", (unsigned long)drops(w, DROP_HANDOVER_FULL), MANY - room);
	world_run(w);
	check(w->n_out == room && rte_mempool_avail_count(w->pool) == w->buffers,
	      "ring full: %u of %u come out", w->n_out, room);
	world_mark(w);
	call_withdraw(w, call);
	call_free(call);
}

// No buffers: what has to be made is not, and nothing is lost or written to.
static void no_buffers(struct world *w)
{
	struct rte_mbuf *all[8192];
	unsigned n = 0;
	struct pkt p;

	udp_make(&p, PLATFORM, 5060, PHONE(GLOBEX), 5060, NULL, 1400);
	w->hop[HOP_OUTSIDE].mtu = 600;
	pkt_send(w, INSIDE, &p, false);
	while (n < RTE_DIM(all) && (all[n] = rte_pktmbuf_alloc(w->pool)) != NULL)
		n++;
	world_run(w);
	check(drops(w, DROP_FRAG_FAILED) == 1 && drops_all(w) == 1 && w->n_out == 0,
	      "no buffer for fragments");
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_free(all[i]);
	check(rte_mempool_avail_count(w->pool) == w->buffers, "no buffers: none is lost");
	w->hop[HOP_OUTSIDE].mtu = 1500;
	world_mark(w);
}

// The kernel's ring is full, or nobody is there to read it.
static void kernel_full(struct world *w)
{
	unsigned room = rte_ring_get_capacity(w->punt[OUTSIDE]);
	struct pkt p;

	for (unsigned n = 0; n < room + 100; n++) {
		ip_make(&p, IPPROTO_ICMP, STRANGER, OUTSIDE_IP, NULL, 32);
		pkt_send(w, OUTSIDE, &p, false);
		worker_rounds(w, 0, 1);
	}
	check(drops(w, DROP_PUNT_FULL) == 100 && drops_all(w) == 100, "ring to the kernel full");
	world_mark(w);
	check(rte_mempool_avail_count(w->pool) == w->buffers, "ring to the kernel: none is lost");
	tier_bucket_init(&w->worker[0]->punt_limit[OUTSIDE], 8, 1, w->plane->tsc_hz, 0);
	for (unsigned n = 0; n < 100; n++) {
		ip_make(&p, IPPROTO_ICMP, STRANGER, OUTSIDE_IP, NULL, 32);
		pkt_send(w, OUTSIDE, &p, false);
	}
	world_run(w);
	check(drops(w, DROP_PUNT_LIMIT) + w->n_out == 100 && drops(w, DROP_PUNT_LIMIT) > 50,
	      "limit to the kernel: %u passed", w->n_out);
	world_mark(w);
	tier_bucket_init(&w->worker[0]->punt_limit[OUTSIDE], 0, 0, w->plane->tsc_hz, 0);
}

// A trace of a call goes on when the call is gone, and takes none for it that came after.
static void traced(struct world *w)
{
	struct trace *t = calloc(1, sizeof(*t) + 64 * sizeof(t->step[0]));
	struct leg_pair *call =
		call_make(w, (struct side){ACME, MEDIA_A, 16000, PHONE(ACME), 4000, 0, 0},
			  (struct side){0, MEDIA_B, 26000, PLATFORM, 5000, 0, 0});

	t->want = 10;
	t->max = 64;
	t->by_call = true;
	for (unsigned i = 0; i < 2; i++) {
		t->leg[i].id = call->leg[i].id;
		t->leg[i].gen = call->leg[i].gen;
	}
	w->worker[0]->trace = t;
	esp_send(w, ACME, 16000);
	check_out(w, "traced", OUT_PLAIN, INSIDE, 1);
	world_mark(w);
	check(t->packets == 1 && t->n >= 2, "trace: %u packets, %u steps", t->packets, t->n);
	call_withdraw(w, call);
	w->next_slot -= 2;
	// The same memory and the same slots, as they are given out again.
	memset(call, 0, sizeof(*call));
	call_free(call);
	call = call_make(w, (struct side){ACME, MEDIA_A, 16000, PHONE(ACME), 4000, 0, 0},
			 (struct side){0, MEDIA_B, 26000, PLATFORM, 5000, 0, 0});
	esp_send(w, ACME, 16000);
	check_out(w, "not traced", OUT_PLAIN, INSIDE, 1);
	world_mark(w);
	check(t->packets == 1, "trace: another call is not traced");
	w->worker[0]->trace = NULL;
	call_withdraw(w, call);
	call_free(call);
	free(t);
}

void test_workers(void)
{
	struct world w;
	struct err err;

	if (!check(world_open(&w, 2, &err) == 0, "world: %s", err.text))
		return;
	way_of_a_packet(&w);
	call_goes(&w, false);
	call_goes(&w, true);
	tunnel_goes(&w);
	customer_goes(&w);
	neighbour_goes(&w);
	ring_full(&w);
	no_buffers(&w);
	kernel_full(&w);
	traced(&w);
	world_close(&w);
}
