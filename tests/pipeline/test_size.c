// SPDX-License-Identifier: BSD-3-Clause
// What is larger than the path: fragments, errors to the sender, and nothing for ever.
#include "esp/esp.h"
#include "ip/ip.h"
#include "world.h"

#include <string.h>

#define DF 0x40

static void udp_send(struct world *w, unsigned port, uint32_t src, uint16_t sport, uint32_t dst,
		     uint32_t len, bool df)
{
	struct pkt p;

	udp_make(&p, src, sport, dst, 5060, NULL, len - 28);
	p.ip[6] = df ? DF : 0;
	ip_fix(&p);
	pkt_send(w, port, &p, false);
}

// What an ICMP error that came out says of the path's MTU; 0: there is none.
static uint16_t told_mtu(const struct world *w)
{
	const uint8_t *ip = w->out[0].ip;

	if (w->n_out != 1 || w->out[0].kind != OUT_PLAIN || ip[9] != IPPROTO_ICMP || ip[20] != 3 ||
	    ip[21] != 4)
		return 0;
	return (uint16_t)(ip[26] << 8 | ip[27]);
}

// The sender is told just what fits, for every MTU, and what it is told goes through.
static void mtu_told(struct world *w, unsigned k)
{
	struct sa_out *sa = w->tunnel[k].out;

	for (uint16_t mtu = 160; mtu <= 1500; mtu += 7) {
		w->hop[HOP_OUTSIDE].mtu = mtu;
		udp_send(w, INSIDE, PLATFORM, 5060, PHONE(k), 1500, true);
		world_run(w);
		uint16_t told = told_mtu(w);
		check(drops(w, DROP_TOO_BIG) == 1 && drops_all(w) == 1, "MTU %u: too big", mtu);
		check(told >= 68 && esp_out_len(sa, told) <= mtu &&
			      esp_out_len(sa, told + 1u) > mtu,
		      "customer %u, MTU %u: told %u, which makes %u outside", k, mtu, told,
		      esp_out_len(sa, told));
		world_mark(w);
		udp_send(w, INSIDE, PLATFORM, 5060, PHONE(k), told, true);
		check_out(w, "what fits", OUT_TUNNEL, k, 1);
		world_mark(w);
	}
	w->hop[HOP_OUTSIDE].mtu = 1500;
}

// So it is for a path beyond the port, once a router has told of it.
static void path_told(struct world *w, unsigned k)
{
	struct sa_out *sa = w->tunnel[k].out;

	sa->path_mtu = 1400;
	udp_send(w, INSIDE, PLATFORM, 5060, PHONE(k), 1380, true);
	world_run(w);
	uint16_t told = told_mtu(w);
	check(esp_out_len(sa, told) <= 1400 && esp_out_len(sa, told + 1u) > 1400,
	      "customer %u: path of 1400, told %u", k, told);
	world_mark(w);
	udp_send(w, INSIDE, PLATFORM, 5060, PHONE(k), told, true);
	check_out(w, "what fits the path", OUT_TUNNEL, k, 1);
	world_mark(w);
	udp_send(w, INSIDE, PLATFORM, 5060, PHONE(k), 1380, false);
	check_out(w, "pieces for the path", OUT_TUNNEL, k, 2);
	world_mark(w);
	sa->path_mtu = UINT16_MAX;
}

// Fragments of one packet go by the rules that let the packet through, though only the first shows
// ports.
static void pieces(struct world *w, unsigned k)
{
	unsigned bytes = 0;

	w->hop[HOP_OUTSIDE].mtu = 600;
	udp_send(w, INSIDE, PLATFORM, 5060, PHONE(k), 1500, false);
	world_run(w);
	for (unsigned i = 0; i < w->n_out; i++) {
		const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)w->out[i].ip;
		bytes += rte_be_to_cpu_16(ip->total_length) - 20u;
		check(w->out[i].kind == OUT_TUNNEL && w->out[i].customer == k && ip4_header_ok(ip),
		      "pieces: %u of %u", i, w->n_out);
	}
	check(w->n_out >= 3 && bytes == 1480 && drops_all(w) == 0,
	      "pieces for customer %u: %u with %u bytes", k, w->n_out, bytes);
	world_mark(w);
	w->hop[HOP_OUTSIDE].mtu = 1500;
}

// A path that takes no piece: an end by name, and no packet in a circle between two stages.
static void too_narrow(struct world *w)
{
	struct err err;

	for (uint16_t mtu = 0; mtu < 160; mtu++) {
		w->hop[HOP_OUTSIDE].mtu = mtu;
		udp_send(w, INSIDE, PLATFORM, 5060, PHONE(ACME), 1500, false);
		world_run(w);
		check(drops_all(w) + w->n_out > 0, "MTU %u: accounted for", mtu);
		world_mark(w);
		udp_send(w, INSIDE, PLATFORM, 5060, PHONE(ACME), 1500, true);
		world_run(w);
		check(drops(w, DROP_TOO_BIG) == 1 && told_mtu(w) >= 68, "MTU %u: told %u", mtu,
		      told_mtu(w));
		world_mark(w);
	}
	w->hop[HOP_OUTSIDE].mtu = 1500;
	check(tunnel_make(w, ACME, 1490, 0, 65535, &err) == 0, "tunnel: %s", err.text);
	udp_send(w, INSIDE, PLATFORM, 5060, PHONE(ACME), 100, false);
	check_drop(w, "padded beyond the path", DROP_FRAG_FAILED, 1);
	check(tunnel_make(w, ACME, 1000, 0, 65535, &err) == 0, "tunnel: %s", err.text);
	udp_send(w, INSIDE, PLATFORM, 5060, PHONE(ACME), 100, false);
	check_out(w, "padded", OUT_TUNNEL, ACME, 1);
	world_mark(w);
}

// From the tunnel to a narrow platform link; and calls' packets, whose DF is not the sender's.
static void plain(struct world *w)
{
	struct leg_pair *call = call_make(w, (struct side){0, MEDIA_A, 15000, STRANGER, 4000, 0, 0},
					  (struct side){0, MEDIA_B, 25000, PLATFORM, 5000, 0, 0});
	struct pkt p;
	uint8_t rtp[900] = {0x80};

	w->hop[HOP_INSIDE].mtu = 576;
	for (unsigned df = 0; df < 2; df++) {
		udp_make(&p, PHONE(ACME), 5060, PLATFORM, 5060, NULL, 1000);
		p.ip[6] = df ? DF : 0;
		ip_fix(&p);
		esp_make(w, &p, ACME);
		pkt_send(w, OUTSIDE, &p, false);
		world_run(w);
		check(df ? drops(w, DROP_TOO_BIG) == 1 && w->n_out == 1 &&
				      w->out[0].kind == OUT_TUNNEL && w->out[0].customer == ACME
			 : drops_all(w) == 0 && w->n_out == 2,
		      "out of the tunnel into a narrow link, DF %u: %u out", df, w->n_out);
		if (df) // by the tunnel's selectors, and as who the sender speaks to
			check(((const struct rte_ipv4_hdr *)w->out[0].ip)->src_addr ==
				      rte_cpu_to_be_32(PLATFORM),
			      "the error comes from where the packet went");
		world_mark(w);
		udp_make(&p, STRANGER, 4000, MEDIA_A, 15000, rtp, sizeof(rtp));
		p.ip[6] = df ? DF : 0;
		ip_fix(&p);
		pkt_send(w, OUTSIDE, &p, false);
		check_out(w, "long RTP into a narrow link", OUT_PLAIN, INSIDE, 2);
		world_mark(w);
	}
	w->hop[HOP_INSIDE].mtu = 1500;
	call_withdraw(w, call);
	call_free(call);
}

// From one tunnel into another that is narrower: who sent it is told by the address that it spoke to.
static void between(struct world *w)
{
	const struct allow_rule any = {.port_hi = 65535};
	struct pkt p;

	allow_set(w, GLOBEX, &any, 1);
	w->tunnel[GLOBEX].out->path_mtu = 700;
	udp_make(&p, PHONE(WIDE), 5060, PHONE(GLOBEX), 5060, NULL, 900);
	p.ip[6] = DF;
	ip_fix(&p);
	esp_make(w, &p, WIDE);
	pkt_send(w, OUTSIDE, &p, false);
	world_run(w);
	check(drops(w, DROP_TOO_BIG) == 1 && w->n_out == 1 && w->out[0].kind == OUT_TUNNEL &&
		      w->out[0].customer == WIDE &&
		      ((const struct rte_ipv4_hdr *)w->out[0].ip)->src_addr ==
			      rte_cpu_to_be_32(PHONE(GLOBEX)),
	      "from tunnel to tunnel, too big: %u out", w->n_out);
	world_mark(w);
	w->tunnel[GLOBEX].out->path_mtu = UINT16_MAX;
}

// ICMP errors are limited, and buffers come back.
static void icmp_limit(struct world *w)
{
	for (unsigned k = 0; k < w->n_workers; k++)
		tier_bucket_init(&w->worker[k]->icmp_limit, 8, 1, w->plane->tsc_hz, 0);
	for (unsigned i = 0; i < 60; i++)
		udp_send(w, INSIDE, PLATFORM, 5060, PHONE(ACME), 1500, true);
	world_run(w);
	check(w->n_out > 0 && w->n_out < 40 && drops(w, DROP_TOO_BIG) == 60 &&
		      drops(w, DROP_ICMP_LIMIT) == 60 - w->n_out,
	      "ICMP errors: %u, the limit refused %lu", w->n_out,
	      (unsigned long)drops(w, DROP_ICMP_LIMIT));
	world_mark(w);
}

void test_size(void)
{
	struct world w;
	struct err err;

	for (unsigned workers = 1; workers <= 2; workers++) {
		if (!check(world_open(&w, workers, &err) == 0, "world: %s", err.text))
			return;
		for (unsigned k = 1; k < CUSTOMERS; k++) {
			mtu_told(&w, k);
			path_told(&w, k);
			pieces(&w, k);
		}
		check(tunnel_make(&w, GLOBEX, 0, 5060, 5060, &err) == 0, "tunnel: %s", err.text);
		pieces(&w, GLOBEX);
		too_narrow(&w);
		plain(&w);
		between(&w);
		icmp_limit(&w);
		check(rte_mempool_avail_count(w.pool) == w.buffers, "buffers are back");
		world_close(&w);
	}
}
