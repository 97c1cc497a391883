// SPDX-License-Identifier: BSD-3-Clause
// Changes of a stream in progress: what goes on, what begins anew, what never goes backwards.
#include "ip/ip.h"
#include "media_bed.h"

#include <errno.h>
#include <rte_malloc.h>
#include <string.h>

static struct world w;

// No packet in between, nothing lost, figures go on.
static void test_same(void)
{
	struct stream s;

	stream_make(&s, 0, SRTP_NONE, SRTP_AES_CM_128_80);
	check(stream_open(&s) == 0, "open");
	for (unsigned i = 0; i < 40; i++) {
		check(stream_passes(&w, &s, 0) && stream_passes(&w, &s, 1), "packet %u", i);
		check(stream_change(&s) == 0, "change %u", i);
		struct media_side_stats a = stream_stats(&s, 0), b = stream_stats(&s, 1);
		check(a.rx_packets == i + 1 && b.rx_packets == i + 1 && a.tx_packets == i + 1 &&
			      b.tx_packets == i + 1 && a.lost + b.lost == 0,
		      "figures after change %u: %lu %lu, lost %lu", i, a.rx_packets, b.rx_packets,
		      a.lost);
		if (i % 3 == 0)
			defer_poll(bed_ctl->defer);
	}
	stream_free(&s);
}

static void test_addresses(void)
{
	struct stream s;

	stream_make(&s, 0, SRTP_NONE, SRTP_NONE);
	stream_open(&s);
	uint16_t port[2] = {media_port(s.m, 0), media_port(s.m, 1)};
	check(stream_passes(&w, &s, 0) && stream_passes(&w, &s, 1), "before");
	struct peer was = s.far.peer[1];
	s.spec.side[1].rtp.port = s.far.peer[1].port = 7000;
	check(stream_change(&s) == 0 && media_port(s.m, 0) == port[0] &&
		      media_port(s.m, 1) == port[1],
	      "the peer has a new port, we have the old ones");
	check(stream_passes(&w, &s, 0), "it goes to the new port");
	check(stream_passes(&w, &s, 1), "it comes from there");
	struct pkt p;
	world_mark(&w);
	was.seq = 5000;
	peer_rtp(&was, &p, 160);
	pkt_send(&w, INSIDE, &p, false);
	world_run(&w);
	check(w.n_out == 0 && drops_all(&w) == 1, "and no more from the old one");
	check(stream_stats(&s, 1).refused + stream_stats(&s, 1).waited == 1, "which is counted");

	struct peer old = s.far.peer[0];
	s.spec.side[0].port = MEDIA_PORT_NEW;
	check(stream_change(&s) == 0 && media_port(s.m, 0) != port[0] &&
		      media_port(s.m, 1) == port[1],
	      "a new port of ours");
	check(stream_passes(&w, &s, 0) && stream_passes(&w, &s, 1), "it passes there");
	world_mark(&w);
	peer_rtp(&old, &p, 160);
	pkt_send(&w, OUTSIDE, &p, false);
	world_run(&w);
	check_drop(&w, "the old one rests", DROP_CALL_ENDED, 1);
	s.spec = *media_spec_of(s.m);
	s.spec.side[0].address = 1;
	s.far.peer[0].media = MEDIA_B;
	check(stream_change(&s) == 0 && stream_passes(&w, &s, 0) && stream_passes(&w, &s, 1),
	      "another address");
	check(stream_stats(&s, 0).rx_packets == 4 && stream_stats(&s, 0).lost == 0,
	      "figures go on: %lu", stream_stats(&s, 0).rx_packets);

	// What fails changes nothing.
	s.spec = *media_spec_of(s.m);
	s.spec.side[0].port = (uint16_t)(s.spec.side[0].port ^ 2);
	s.spec.side[1].in.suite = s.spec.side[1].out.suite = SRTP_AEAD_128;
	s.spec.side[1].in.mki_len = SRTP_MKI_MAX + 1;
	unsigned free_ports = media_ports_free(bed_ctl, 1);
	check(stream_change(&s) < 0 && media_ports_free(bed_ctl, 1) == free_ports, "bad keys");
	check(stream_passes(&w, &s, 0) && stream_passes(&w, &s, 1), "all is as it was");
	stream_free(&s);
	bed_tick(11);
}

static void test_hold(void)
{
	struct stream s;

	stream_make(&s, 0, SRTP_AEAD_256, SRTP_NONE);
	stream_open(&s);
	check(stream_passes(&w, &s, 0) && stream_passes(&w, &s, 1), "before");
	s.spec.side[0].send = false; // a does not listen
	check(stream_change(&s) == 0 && stream_passes(&w, &s, 0) &&
		      stream_drops(&w, &s, 1, DROP_CALL_HELD),
	      "sendonly");
	s.spec.side[0].send = true;
	s.spec.side[0].recv = false; // a is not heard
	check(stream_change(&s) == 0 && stream_passes(&w, &s, 1) &&
		      stream_drops(&w, &s, 0, DROP_CALL_HELD),
	      "recvonly");
	s.spec.side[0].send = false;
	check(stream_change(&s) == 0 && stream_drops(&w, &s, 0, DROP_CALL_HELD) &&
		      stream_drops(&w, &s, 1, DROP_CALL_HELD),
	      "inactive");
	s.spec.side[0].recv = s.spec.side[0].send = true;
	check(stream_change(&s) == 0 && stream_passes(&w, &s, 0) && stream_passes(&w, &s, 1),
	      "resumed");
	struct media_side_stats a = stream_stats(&s, 0), b = stream_stats(&s, 1);
	check(a.rx_packets == 5 && b.rx_packets == 5 && a.tx_packets == 3 && b.tx_packets == 3 &&
		      a.lost + b.lost == 0,
	      "held packets were heard: %lu of a, %lu of b", a.rx_packets, b.rx_packets);
	stream_free(&s);
}

// The payload of what came out last.
static const uint8_t *payload(uint32_t *len)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(w.out[0].ip + 20);

	*len = rte_be_to_cpu_16(udp->dgram_len) - 8u;
	return w.n_out == 1 ? (const uint8_t *)(udp + 1) : NULL;
}

// A packet of a's with this payload type comes out as that: -1 not at all, -2 as it was.
static void comes(struct stream *s, uint8_t type, int as, const char *what)
{
	struct peer *a = &s->far.peer[0];
	struct pkt p;
	uint32_t len = 0;

	peer_rtp(a, &p, 160);
	p.ip[20 + 8 + 1] = type;
	p.ip[26] = p.ip[27] = 0; // no UDP checksum
	uint8_t was = p.ip[20 + 8 + 12 + 80];
	world_mark(&w);
	pkt_send(&w, OUTSIDE, &p, false);
	world_run(&w);
	const uint8_t *got = payload(&len);
	if (as == -1) {
		check(got == NULL && drops_all(&w) == 1, "%s: type %u is kept back", what, type);
		return;
	}
	check(got != NULL && len == 172 && got[12 + 80] == (as == -2 ? was : as), "%s: type %u",
	      what, type);
}

static void test_gates(void)
{
	struct stream s;
	struct media_side_spec *a = &s.spec.side[0];

	stream_make(&s, 0, SRTP_NONE, SRTP_NONE);
	stream_open(&s);
	comes(&s, 0, -2, "open");
	a->silenced = true;
	check(stream_change(&s) == 0, "silence");
	comes(&s, 0, 0xff, "silenced PCMU");
	comes(&s, 8, 0xd5, "silenced PCMA");
	comes(&s, 18, -1, "silenced G.729");
	check(stream_passes(&w, &s, 1), "the other side is heard");
	a->silenced = false;
	a->blocked = true;
	check(stream_change(&s) == 0, "block");
	comes(&s, 0, -1, "blocked");
	check(drops(&w, DROP_CALL_BLOCKED) == 1, "by name");
	a->blocked = false;
	a->dtmf_blocked = true;
	check(stream_change(&s) == 0, "block DTMF");
	comes(&s, 101, -2, "DTMF of no known type");
	a->dtmf_type = 101;
	check(stream_change(&s) == 0, "block DTMF of a type");
	comes(&s, 101, -1, "DTMF");
	check(drops(&w, DROP_CALL_DTMF) == 1, "by name");
	comes(&s, 0, -2, "audio beside DTMF");
	a->dtmf_blocked = false;
	check(stream_change(&s) == 0, "unblock");
	comes(&s, 101, -2, "DTMF again");
	a->silenced = a->dtmf_blocked = true;
	check(stream_change(&s) == 0, "both");
	comes(&s, 101, -1, "DTMF, both");
	comes(&s, 0, 0xff, "PCMU, both");
	stream_free(&s);
}

static bool pass_both(struct stream *s)
{
	return stream_passes(&w, s, 0) && stream_passes(&w, s, 1);
}

static void forge(struct stream *s)
{
	struct pkt p;

	peer_rtp(&s->far.peer[0], &p, 160);
	p.ip[p.len - 1] ^= 1;
	p.ip[26] = p.ip[27] = 0;
	world_mark(&w);
	pkt_send(&w, OUTSIDE, &p, false);
	world_run(&w);
	check_drop(&w, "forged", DROP_SRTP_AUTH, 1);
}

static void test_keys(void)
{
	struct stream s;
	uint64_t forged = 0;

	stream_make(&s, 0, SRTP_AES_CM_128_80, SRTP_AEAD_256);
	stream_open(&s);
	for (unsigned i = 0; i < 20; i++)
		check(pass_both(&s), "packet %u", i);
	for (unsigned i = 1; i < SRTP_SUITE_COUNT; i++) {
		forge(&s);
		forged++;
		stream_rekey(&s, 0, (enum srtp_suite)i);
		check(stream_change(&s) == 0, "keys of %s", srtp_suites[i].name);
		struct media_side_stats a = stream_stats(&s, 0);
		check(a.srtp_auth == forged, "forged ones stay counted: %lu of %lu", a.srtp_auth,
		      forged);
		check(pass_both(&s), "with keys of %s", srtp_suites[i].name);
		defer_poll(bed_ctl->defer);
		check(stream_change(&s) == 0 && pass_both(&s), "a change with the same keys");
		check(stream_stats(&s, 0).srtp_auth == forged, "and after it");
	}
	stream_rekey(&s, 0, SRTP_NONE);
	check(stream_change(&s) == 0 && pass_both(&s), "plain now");
	check(stream_stats(&s, 0).srtp_auth == forged, "figures of plain");
	defer_poll(bed_ctl->defer);
	check(stream_stats(&s, 0).srtp_auth == forged, "and later: %lu",
	      stream_stats(&s, 0).srtp_auth);
	stream_free(&s);
}

// Where the audio and the reports of b go.
static bool goes_to(struct stream *s, const struct peer *to)
{
	struct peer *b = &s->far.peer[1];
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)w.out[0].ip;
	bool good = true;
	struct pkt p;

	for (unsigned rtcp = 0; rtcp < 2; rtcp++) {
		if (rtcp) {
			struct peer odd = *b;
			odd.port++;
			odd.local++;
			peer_rtcp(&odd, &p);
		} else {
			peer_rtp(b, &p, 160);
		}
		world_mark(&w);
		pkt_send(&w, INSIDE, &p, false);
		world_run(&w);
		const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
		good = good && w.n_out == 1 && ip->dst_addr == rte_cpu_to_be_32(to->ip) &&
		       udp->dst_port == rte_cpu_to_be_16((uint16_t)(to->port + rtcp));
	}
	return good;
}

// A call goes on with another peer that has keys of its own: what the one before it sent with the old keys,
// and sends still, does not make it the peer again.
static void another_peer(uint32_t ip, uint16_t port, bool late_is_heard)
{
	struct stream s;
	struct pkt late[4];

	stream_make(&s, 0, SRTP_AEAD_128, SRTP_NONE);
	struct peer *a = &s.far.peer[0], odd;
	s.spec.side[0].latch.authenticated = true;
	check(stream_open(&s) == 0 && pass_both(&s) && goes_to(&s, a), "the first peer");
	odd = *a;
	odd.port++;
	odd.local++;
	for (unsigned i = 0; i < 2; i++) {
		peer_rtp(a, &late[i], 160);
		peer_rtcp(&odd, &late[2 + i]);
	}
	stream_rekey(&s, 0, SRTP_AES_CM_128_80);
	a->ip = ip;
	a->port = port;
	a->ssrc++;
	s.spec.side[0].rtp.addr.v4.s_addr = rte_cpu_to_be_32(ip);
	s.spec.side[0].rtp.port = port;
	check(stream_change(&s) == 0 && goes_to(&s, a), "another peer, of which nothing is heard");
	for (unsigned i = 0; i < 2; i++) {
		world_mark(&w);
		pkt_send(&w, OUTSIDE, &late[2 * i], false);
		world_run(&w);
		check(w.n_out == (i == 0 && late_is_heard), "late %s: %u",
		      i == 0 ? "audio" : "report", w.n_out);
		check(goes_to(&s, a), "the other peer after late %s", i == 0 ? "audio" : "reports");
	}
	check(pass_both(&s) && goes_to(&s, a), "the other peer speaks");
	odd = *a;
	odd.port++;
	odd.local++;
	for (unsigned i = 0; i < 2; i++) {
		world_mark(&w);
		pkt_send(&w, OUTSIDE, &late[2 * i + 1], false);
		world_run(&w);
		check(w.n_out == 0 && drops(&w, DROP_RTP_SOURCE) == 1, "the first one is refused");
	}
	peer_rtcp(&odd, &late[0]);
	world_mark(&w);
	pkt_send(&w, OUTSIDE, &late[0], false);
	world_run(&w);
	check(w.n_out == 1 && goes_to(&s, a), "the other peer's reports");
	stream_free(&s);
	bed_tick(11);
}

// What the old legs' workers still count is not lost, and does not count as loss.
static void test_figures(void)
{
	struct rte_rcu_qsbr *q = w.plane->qsbr;
	struct stream s;

	stream_make(&s, 0, SRTP_NONE, SRTP_NONE);
	stream_open(&s);
	rte_rcu_qsbr_thread_register(q, 0);
	rte_rcu_qsbr_thread_online(q, 0);
	for (unsigned i = 0; i < 5; i++)
		check(pass_both(&s), "packet %u", i);
	struct leg *old = &s.m->pair->leg[0];
	check(stream_change(&s) == 0, "change");
	old->rx.received += 2; // as a worker in the middle of a burst does
	old->rx.bytes += 344;
	old->tx_packets += 3;
	s.far.peer[0].seq += 2;
	check(pass_both(&s), "the next one");
	struct media_side_stats a = stream_stats(&s, 0);
	check(a.rx_packets == 8 && a.rx_bytes == 8 * 172 && a.tx_packets == 9 && a.lost == 0,
	      "with those of the old legs: %lu, %lu, lost %lu", a.rx_packets, a.tx_packets, a.lost);
	struct leg *second = &s.m->pair->leg[0];
	check(stream_change(&s) == 0, "another change before the first is over");
	second->refused += 4;
	old->rx.received++;
	s.far.peer[0].seq++;
	check(pass_both(&s), "the next one");
	defer_poll(bed_ctl->defer);
	check(!LIST_EMPTY(&s.m->formers), "they wait for the worker");
	a = stream_stats(&s, 0);
	check(a.rx_packets == 10 && a.refused == 4 && a.lost == 0, "before: %lu, lost %lu",
	      a.rx_packets, a.lost);
	rte_rcu_qsbr_quiescent(q, 0);
	defer_poll(bed_ctl->defer);
	check(LIST_EMPTY(&s.m->formers), "they are gone");
	a = stream_stats(&s, 0);
	check(a.rx_packets == 10 && a.tx_packets == 10 && a.refused == 4 && a.lost == 0,
	      "after: %lu, %lu, lost %lu", a.rx_packets, a.tx_packets, a.lost);
	stream_change(&s);
	stream_close(&s); // while old legs wait
	rte_rcu_qsbr_quiescent(q, 0);
	rte_rcu_qsbr_thread_offline(q, 0);
	rte_rcu_qsbr_thread_unregister(q, 0);
	stream_free(&s);
	bed_tick(11);
}

// Packets in a ring between workers, while their call changes.
static void test_rings(void)
{
	struct stream s;
	struct pkt p;

	stream_make(&s, 0, SRTP_NONE, SRTP_NONE);
	do { // a's leg at the other worker than the one that polls
		if (s.m != NULL)
			stream_close(&s);
		check(stream_open(&s) == 0, "open");
	} while (media_port(s.m, 0) / 2 % 2 == 0);
	check(pass_both(&s), "through both workers");
	world_mark(&w);
	uint32_t seq = s.far.peer[0].seq;
	peer_rtp(&s.far.peer[0], &p, 160);
	pkt_send(&w, OUTSIDE, &p, false);
	worker_rounds(&w, 0, 2);
	s.spec.side[1].dscp = 46;
	check(stream_change(&s) == 0, "a change while it is in the ring");
	world_run(&w);
	check(w.n_out == 1 && peer_hears(&w, &s.far, 1, 0, seq) && w.out[0].ip[1] == 46 << 2,
	      "it goes on in the new legs");
	world_mark(&w);
	peer_rtp(&s.far.peer[0], &p, 160);
	pkt_send(&w, OUTSIDE, &p, false);
	worker_rounds(&w, 0, 2);
	stream_rekey(&s, 0, SRTP_AEAD_128);
	check(stream_change(&s) == 0, "plain becomes SRTP");
	world_run(&w);
	check(w.n_out == 0 && drops(&w, DROP_HANDOVER_STALE) == 1, "what was plain is too late");
	check(pass_both(&s), "SRTP passes");
	stream_free(&s);
}

// SRTP contexts go to another worker only when the old one has let go of them.
static void test_owner(void)
{
	struct rte_rcu_qsbr *q = w.plane->qsbr;
	struct stream s;

	stream_make(&s, GLOBEX, SRTP_AES_CM_128_32, SRTP_NONE);
	check(stream_open(&s) == 0 && s.m->pair->leg[0].owner == 1 && pass_both(&s), "globex's");
	s.spec.side[0].customer = ACME;
	s.far.peer[0].ip = PHONE(ACME);
	s.spec.side[0].rtp.addr.v4.s_addr = rte_cpu_to_be_32(PHONE(ACME));
	rte_rcu_qsbr_thread_register(q, 0);
	rte_rcu_qsbr_thread_online(q, 0);
	check(stream_change(&s) == -EBUSY, "a worker does not let go");
	rte_rcu_qsbr_thread_offline(q, 0);
	rte_rcu_qsbr_thread_unregister(q, 0);
	check(stream_change(&s) == 0 && s.m->pair->leg[0].owner == 0, "acme's now");
	check(pass_both(&s), "with the same keys");
	stream_free(&s);
}

void test_media_change(void)
{
	struct err err = {""};

	if (!check(world_open(&w, 1, &err) == 0, "world: %s", err.text))
		return;
	bed_open(&w);
	test_same();
	test_addresses();
	test_hold();
	test_gates();
	test_keys();
	another_peer(IP(203, 0, 113, 80), 4000, false);
	another_peer(STRANGER, 4400, true);
	test_figures();
	bed_close(&w);
	world_close(&w);
	if (!check(world_open(&w, 2, &err) == 0, "world: %s", err.text))
		return;
	bed_open(&w);
	test_rings();
	test_owner();
	bed_close(&w);
	world_close(&w);
}
