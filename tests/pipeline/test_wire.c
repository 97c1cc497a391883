// SPDX-License-Identifier: BSD-3-Clause
// Hostile packets: every length there is, with the lengths inside telling the truth and lying, each
// packet ending right before a page that nobody may read; fragments; and random damage.
#include "ip/ip.h"
#include "world.h"

#include <rte_random.h>
#include <stdio.h>
#include <string.h>

#define FUZZ_PACKETS 30000

enum kind { PLAIN_RTP, PLAIN_RTCP, PLAIN_CSRC, ESP_GCM, ESP_UDP, ESP_CBC, KINDS };
static const char *const kind_name[] = {"RTP", "RTCP",       "RTP with CSRCs",
					"ESP", "ESP in UDP", "ESP CBC"};

static unsigned port_of(enum kind kind)
{
	return kind < ESP_GCM ? INSIDE : OUTSIDE;
}

static unsigned customer_of(enum kind kind)
{
	return kind == ESP_GCM ? ACME : kind == ESP_UDP ? GLOBEX : WIDE;
}

// What is in the tunnel, or in the clear. Extension, CSRCs and padding: all that has a length.
static void inner_make(struct pkt *p, enum kind kind)
{
	uint8_t rtp[60] = {0xb3, 0, 0, 1};
	uint32_t src = kind < ESP_GCM ? PLATFORM : PHONE(customer_of(kind));
	uint32_t dst = kind < ESP_GCM ? MEDIA_B : MEDIA_A;
	uint16_t sport = kind < ESP_GCM ? 5000 : 4000;
	uint16_t dport =
		(uint16_t)(kind < ESP_GCM ? 20000 : 10000 + 2 * (customer_of(kind) - ACME));

	rtp[27] = 3; // the extension's words
	rtp[59] = 4; // padding
	if (kind == PLAIN_RTCP)
		rtcp_make(p, src, 5001, dst, 20001);
	else if (kind == PLAIN_CSRC)
		udp_make(p, src, sport, dst, dport, rtp, sizeof(rtp));
	else
		rtp_make(p, src, sport, dst, dport);
}

// Sends one packet and sees that it came out or was dropped, once.
static void pass(struct world *w, enum kind kind, const struct pkt *p, const char *what,
		 uint32_t len)
{
	pkt_send(w, port_of(kind), p, kind < ESP_GCM || len % 2 == 0);
	world_run(w);
	check(drops_all(w) + w->n_out == 1, "%s, %s, %u bytes: %lu drops, %u out", kind_name[kind],
	      what, len, (unsigned long)drops_all(w), w->n_out);
	check(rte_mempool_avail_count(w->pool) == w->buffers, "%s, %s, %u bytes: a buffer is lost",
	      kind_name[kind], what, len);
	world_mark(w);
}

static void udp_len_set(struct pkt *p, uint32_t at, uint32_t len)
{
	p->ip[at] = (uint8_t)(len >> 8);
	p->ip[at + 1] = (uint8_t)len;
}

// What arrives is cut: with the lengths as they were, with the IPv4 length right, and with UDP's too.
static void cut_outside(struct world *w, enum kind kind)
{
	struct pkt p;

	for (uint32_t truth = 0; truth < 3; truth++) {
		for (uint32_t len = 0, whole = 1; len <= whole; len++) {
			inner_make(&p, kind);
			if (kind >= ESP_GCM)
				esp_make(w, &p, customer_of(kind));
			whole = p.len;
			p.len = len;
			if (truth > 0 && len >= 20)
				ip_fix(&p);
			if (truth > 1 && len >= 28 && kind != ESP_GCM && kind != ESP_CBC)
				udp_len_set(&p, 24, len - 20);
			pass(w, kind, &p,
			     truth == 0   ? "cut"
			     : truth == 1 ? "cut, IP"
					  : "cut, IP, UDP",
			     len);
		}
	}
}

// The same with what is inside, in good keys.
static void cut_inside(struct world *w, enum kind kind)
{
	struct pkt p;

	for (uint32_t truth = 0; truth < 3; truth++) {
		for (uint32_t len = 1, whole = 2; len <= whole; len++) {
			inner_make(&p, kind);
			whole = p.len;
			p.len = len;
			if (truth > 0 && len >= 20)
				ip_fix(&p);
			if (truth > 1 && len >= 28)
				udp_len_set(&p, 24, len - 20);
			esp_make(w, &p, customer_of(kind));
			pass(w, kind, &p, "cut inside", len);
		}
	}
}

// Lengths inside that lie, with the right number of bytes.
static void lies(struct world *w, enum kind kind)
{
	static const uint16_t lie[] = {0,   1,   7,   8,   19,   20,    27,   28,
				       199, 201, 255, 256, 1500, 32768, 65535};
	struct pkt p;

	for (uint32_t i = 0; i < RTE_DIM(lie); i++) {
		for (uint32_t at = 2; at <= 24; at += 22) {
			inner_make(&p, kind);
			udp_len_set(&p, at, lie[i]);
			p.ip[10] = p.ip[11] = 0;
			uint16_t sum = ip4_header_cksum((const struct rte_ipv4_hdr *)p.ip);
			memcpy(p.ip + 10, &sum, sizeof(sum));
			if (kind >= ESP_GCM)
				esp_make(w, &p, customer_of(kind));
			pass(w, kind, &p, at == 2 ? "IP length lies" : "UDP length lies", lie[i]);
		}
	}
}

static void frames(struct world *w)
{
	uint8_t frame[64] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 1, 2};
	static const uint8_t types[][6] = {{8, 0},
					   {8, 6},
					   {0x86, 0xdd},
					   {0x81, 0, 0, 0, 8, 0},
					   {0x81, 0, 0, 5, 8, 0},
					   {0x81, 0, 0, 0, 0x81, 0},
					   {0, 40}};

	for (unsigned i = 0; i < RTE_DIM(types); i++) {
		for (uint32_t len = 0; len <= sizeof(frame); len++) {
			for (unsigned group = 0; group < 2; group++) {
				frame[0] = (uint8_t)(2 | group);
				memcpy(frame + 12, types[i], sizeof(types[i]));
				frame_send(w, INSIDE, frame, len, true);
				world_run(w);
				check(drops_all(w) + w->n_out == 1, "frame %u of %u bytes", i, len);
				world_mark(w);
			}
		}
	}
}

// A device that checks headers says of each packet what it found; of one of which it says nothing, nothing is known.
static void checksum_offload(struct world *w)
{
	struct pkt p;

	w->plane->device[INSIDE].rx_cksum_ok = 1;
	rtp_make(&p, PLATFORM, 5000, MEDIA_B, 20000);
	p.ip[10] ^= 1;
	pkt_send(w, INSIDE, &p, true);
	check_drop(w, "wrong checksum, device that checks", DROP_IP_CHECKSUM, 1);
	w->plane->device[INSIDE].rx_cksum_ok = 0;
}

// ---- fragments ----

// Part of a packet, from offset on (a multiple of 8), len bytes of its payload.
static void fragment_send(struct world *w, unsigned port, const struct pkt *whole, uint32_t offset,
			  uint32_t len)
{
	static struct pkt p;
	uint16_t field = (uint16_t)(offset / 8 | (offset + len < whole->len - 20 ? 0x2000u : 0));

	memcpy(p.data, whole->ip, 20);
	memcpy(p.data + 20, whole->ip + 20 + offset, len);
	p.ip = p.data;
	p.len = 20 + len;
	p.ip[6] = (uint8_t)(field >> 8);
	p.ip[7] = (uint8_t)field;
	ip_fix(&p);
	pkt_send(w, port, &p, true);
}

static void fragments(struct world *w)
{
	static uint8_t audio[1200] = {0x80};
	struct pkt p;

	// Audio in ESP and in UDP, last piece first.
	for (unsigned k = 1; k < CUSTOMERS; k++) {
		udp_make(&p, PHONE(k), 4000, MEDIA_A, (uint16_t)(10000 + 2 * (k - ACME)), audio,
			 1200);
		esp_make(w, &p, k);
		fragment_send(w, OUTSIDE, &p, 640, p.len - 20 - 640);
		world_run(w);
		check(drops_all(w) == 0 && w->n_out == 0, "the last fragment waits");
		fragment_send(w, OUTSIDE, &p, 0, 640);
		check_out(w, "ESP in fragments", OUT_PLAIN, INSIDE, 1);
		world_mark(w);
	}
	udp_make(&p, PLATFORM, 5000, MEDIA_B, 20000, audio, 1200);
	for (uint32_t at = 0; at < p.len - 20; at += 400)
		fragment_send(w, INSIDE, &p, at, RTE_MIN(400u, p.len - 20 - at));
	check_out(w, "RTP in fragments", OUT_TUNNEL, ACME, 1);
	world_mark(w);
	// IKE is the kernel's: it gets a frame that is addressed to it.
	udp_make(&p, STRANGER, 500, OUTSIDE_IP, 500, audio, 1200);
	fragment_send(w, OUTSIDE, &p, 0, 600);
	fragment_send(w, OUTSIDE, &p, 600, p.len - 20 - 600);
	check_out(w, "IKE in fragments", OUT_KERNEL, OUTSIDE, 1);
	check(memcmp(w->out[0].ether, &w->plane->port[OUTSIDE].mac, 6) == 0 &&
		      w->out[0].ether[12] == 8 && w->out[0].ether[13] == 0 &&
		      w->out[0].len == p.len &&
		      memcmp(w->out[0].ip + 20, p.ip + 20, p.len - 20) == 0,
	      "IKE in fragments: a whole frame to the port's own address");
	world_mark(w);
	udp_make(&p, PHONE(ACME), 500, OUTSIDE_IP, 500, audio, 1200);
	fragment_send(w, OUTSIDE, &p, 0, 600);
	fragment_send(w, OUTSIDE, &p, 600, p.len - 20 - 600);
	check_drop(w, "IKE in fragments, spoofed", DROP_IP_SOURCE, 1);
}

static unsigned held_most(const struct world *w)
{
	return w->pool->size / 8 / w->n_workers;
}

// A stream of fragments that never end: all come back in time, and none is lost.
static void fragments_held(struct world *w)
{
	static uint8_t data[1200];
	unsigned most = RTE_MIN(256u, held_most(w));
	struct pkt p;

	for (unsigned i = 0; i < 400; i++) {
		udp_make(&p, STRANGER + i % 3, 500, OUTSIDE_IP, 500, data, 1200);
		fragment_send(w, OUTSIDE, &p, 0, 600);
		if (i % 50 == 49)
			world_run(w);
	}
	world_run(w);
	check(drops(w, DROP_FRAG_TOO_MANY) == 400 - most && drops_all(w) == 400 - most,
	      "%u datagrams are held", most);
	w->worker[0]->now += 3 * w->plane->tsc_hz;
	reassemble_expire(w->worker[0]);
	check(drops(w, DROP_FRAG_TIMEOUT) == most, "they are given up in time");
	check(rte_mempool_avail_count(w->pool) == w->buffers, "and their buffers are back");
	world_mark(w);
}

// Datagrams of as many fragments as may be, and none with an end: they leave buffers to others.
static void fragments_flood(struct world *w)
{
	static uint8_t data[16 * 256 + 256];
	unsigned most = held_most(w), sent = 0, held;
	struct pkt p;

	for (unsigned i = 0; i < 100; i++) {
		udp_make(&p, STRANGER + i, 500, OUTSIDE_IP, 500, data, sizeof(data));
		for (unsigned at = 0; at < 16; at++, sent++)
			fragment_send(w, OUTSIDE, &p, at * 256, 256);
		world_run(w);
		held = w->buffers - rte_mempool_avail_count(w->pool);
		if (!check(held <= most, "%u fragments are held, %u may be", held, most))
			break;
	}
	check(held + 16 > most && drops(w, DROP_FRAG_TOO_MANY) == sent - held &&
		      drops_all(w) == sent - held,
	      "flood: %u of %u fragments are held, the others counted", held, sent);
	// Who completes a datagram in time is not hurt.
	udp_make(&p, STRANGER, 500, OUTSIDE_IP, 500, data, 1200);
	fragment_send(w, OUTSIDE, &p, 0, 600);
	fragment_send(w, OUTSIDE, &p, 600, p.len - 20 - 600);
	world_run(w);
	check(w->n_out == 1, "flood: a whole datagram comes through");
	world_drain(w);
	w->worker[0]->now += 3 * w->plane->tsc_hz;
	reassemble_expire(w->worker[0]);
	check(rte_mempool_avail_count(w->pool) == w->buffers, "flood: the buffers are back");
	world_mark(w);
}

// ---- damage ----

static void fuzz(struct world *w)
{
	struct pkt p;

	for (unsigned i = 0; i < FUZZ_PACKETS; i++) {
		enum kind kind = (enum kind)rte_rand_max(KINDS);
		unsigned inside = kind >= ESP_GCM && rte_rand_max(2) != 0;
		inner_make(&p, kind);
		if (kind >= ESP_GCM && !inside)
			esp_make(w, &p, customer_of(kind));
		for (unsigned n = (unsigned)rte_rand_max(4) + 1; n > 0; n--)
			p.ip[rte_rand_max(RTE_MIN(p.len, 64u))] = (uint8_t)rte_rand();
		if (rte_rand_max(4) == 0)
			p.len = 20 + (uint32_t)rte_rand_max(p.len - 20);
		uint16_t sum = 0;
		memcpy(p.ip + 10, &sum, sizeof(sum));
		sum = ip4_header_cksum((const struct rte_ipv4_hdr *)p.ip);
		memcpy(p.ip + 10, &sum, sizeof(sum));
		if (inside)
			esp_make(w, &p, customer_of(kind));
		pkt_send(w, port_of(kind), &p, true);
		if (i % 16 == 15) {
			world_run(w);
			world_mark(w);
		}
	}
	world_run(w);
	world_mark(w);
	for (unsigned k = 0; k < w->n_workers; k++) {
		w->worker[k]->now += 3 * w->plane->tsc_hz;
		reassemble_expire(w->worker[k]);
	}
	check(rte_mempool_avail_count(w->pool) == w->buffers, "damaged packets: buffers are back");
	world_mark(w);
}

void test_wire(void)
{
	struct leg_pair *call[CUSTOMERS];
	struct world w;
	struct err err;

	for (unsigned workers = 1; workers <= 2; workers++) {
		if (!check(world_open(&w, workers, &err) == 0, "world: %s", err.text))
			return;
		for (uint16_t k = 1; k < CUSTOMERS; k++)
			call[k] = call_make(
				&w,
				(struct side){k, MEDIA_A, (uint16_t)(10000 + 2 * (k - ACME)),
					      PHONE(k), 4000, 0, 0},
				(struct side){0, MEDIA_B, (uint16_t)(20000 + 2 * (k - ACME)),
					      PLATFORM, 5000, 0, 0});
		for (enum kind kind = 0; kind < KINDS; kind++) {
			cut_outside(&w, kind);
			if (kind >= ESP_GCM)
				cut_inside(&w, kind);
			lies(&w, kind);
		}
		frames(&w);
		checksum_offload(&w);
		fragments(&w);
		fragments_held(&w);
		fragments_flood(&w);
		fuzz(&w);
		for (unsigned k = 1; k < CUSTOMERS; k++) {
			call_withdraw(&w, call[k]);
			call_free(call[k]);
		}
		world_close(&w);
	}
}
