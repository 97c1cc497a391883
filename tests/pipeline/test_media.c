// SPDX-License-Identifier: BSD-3-Clause
// The media engine: streams that are opened and closed, their ports and quarantine, their timers.
#include "media_bed.h"

#include <errno.h>
#include <string.h>

static struct world w;
static struct media_engine *engine;

static void test_open(void)
{
	struct stream s;
	struct err err = {""};

	stream_make(&s, 0, SRTP_NONE, SRTP_NONE);
	check(stream_open(&s) == 0, "open");
	uint16_t port = media_port(s.m, 0);
	check(port % 2 == 0 && port >= BED_LO && port < BED_HI, "a port of the range: %u", port);
	for (unsigned i = 0; i < 10; i++)
		check(stream_passes(&w, &s, i & 1), "packet %u passes", i);
	struct media_side_stats a = stream_stats(&s, 0), b = stream_stats(&s, 1);
	check(a.rx_packets == 5 && a.tx_packets == 5 && a.rx_bytes == 5 * 172 && a.lost == 0,
	      "figures of a: %lu, %lu, %lu bytes", a.rx_packets, a.tx_packets, a.rx_bytes);
	check(b.rx_packets == 5 && b.ssrc == rte_be_to_cpu_32(s.far.peer[1].ssrc) && b.mos > 4.3 &&
		      b.seen.port == 5000 && b.latch == LATCH_LEARNED,
	      "figures of b: MOS %.2f, port %u, latch %u", b.mos, b.seen.port, b.latch);
	s.far.peer[0].seq += 3;
	check(stream_passes(&w, &s, 0), "after a gap");
	a = stream_stats(&s, 0);
	check(a.lost == 3 && a.burst_loss_max == 3 && a.mos < 4.3, "a burst of 3 is lost: MOS %.2f",
	      a.mos);
	stream_close(&s);

	s.spec.side[0].customer = CUSTOMERS;
	check(media_open(bed_ctl, "x", &s.spec, NULL, NULL, &s.m, &err) == -ENOENT, "customer: %s",
	      err.text);
	s.spec.side[0].customer = 0;
	s.spec.side[1].rtp.addr.family = AF_INET6;
	check(media_open(bed_ctl, "x", &s.spec, NULL, NULL, &s.m, &err) == -EAFNOSUPPORT,
	      "IPv6: %s", err.text);
	s.spec.side[1].rtp.addr.family = AF_INET;
	const uint32_t peer = s.spec.side[1].rtp.addr.v4.s_addr;
	static const uint32_t nobodys[] = {IP(224, 0, 0, 1), IP(239, 1, 2, 3),
					   IP(255, 255, 255, 255), IP(127, 0, 0, 1),
					   IP(0, 0, 0, 1)};
	for (unsigned i = 0; i < RTE_DIM(nobodys); i++) {
		s.spec.side[1].rtp.addr.v4.s_addr = rte_cpu_to_be_32(nobodys[i]);
		check(media_open(bed_ctl, "x", &s.spec, NULL, NULL, &s.m, &err) == -EINVAL,
		      "no host: %s", err.text);
	}
	s.spec.side[1].rtp.addr.v4.s_addr = peer;
	s.spec.side[1].address = 2;
	check(media_open(bed_ctl, "x", &s.spec, NULL, NULL, &s.m, &err) == -EINVAL, "address: %s",
	      err.text);
	s.spec.side[1].address = 1;
	s.spec.side[1].in = s.spec.side[1].out =
		(struct srtp_params){.suite = SRTP_AEAD_128, .mki_len = SRTP_MKI_MAX + 1};
	check(media_open(bed_ctl, "x", &s.spec, NULL, NULL, &s.m, &err) < 0, "keys: %s", err.text);
	bed_tick(11);
	check(engine->n == 0 && engine->ports[0].n == 16, "what failed took nothing");
	stream_free(&s);
}

// While it rings a stranger has time to look like a stream; it does not help him.
static void test_ringing(void)
{
	struct stream s;

	stream_make(&s, 0, SRTP_NONE, SRTP_NONE);
	s.spec.answered = false;
	s.spec.side[0].latch.ringing = true;
	check(stream_open(&s) == 0, "an offer");
	s.far.peer[0].ip++;
	for (unsigned i = 0; i < 200; i++)
		check(stream_drops(&w, &s, 0, DROP_RTP_SOURCE), "packet %u of a stranger", i);
	s.far.peer[0].ip--;
	check(stream_passes(&w, &s, 0) && stream_passes(&w, &s, 1), "early media of the peers");
	check(stream_stats(&s, 0).refused == 200, "his attempts are counted");
	s.spec.answered = true;
	s.spec.side[0].latch.ringing = false;
	check(stream_change(&s) == 0 && stream_passes(&w, &s, 0), "the answer");
	check(stream_stats(&s, 0).refused == 200, "... and stay so");
	stream_free(&s);
	bed_tick(11);
}

// Late packets of a call that ended reach nobody: neither at once nor when the port has another call.
static void test_quarantine(void)
{
	struct stream s[16], late;

	stream_make(&late, 0, SRTP_NONE, SRTP_NONE);
	check(stream_open(&late) == 0 && stream_passes(&w, &late, 0), "a call");
	uint16_t port = media_port(late.m, 0);
	stream_close(&late);
	check(stream_drops(&w, &late, 0, DROP_CALL_ENDED), "late RTP");
	struct pkt p;
	world_mark(&w);
	rtcp_make(&p, STRANGER, 4001, MEDIA_A, (uint16_t)(port + 1));
	pkt_send(&w, OUTSIDE, &p, false);
	world_run(&w);
	check_drop(&w, "late RTCP", DROP_CALL_ENDED, 1);
	for (unsigned i = 0; i < 15; i++) {
		stream_make(&s[i], 0, SRTP_NONE, SRTP_NONE);
		check(stream_open(&s[i]) == 0 && media_port(s[i].m, 0) != port,
		      "call %u has another port", i);
	}
	struct err err = {""};
	check(media_open(bed_ctl, "x", &s[0].spec, NULL, NULL, &late.m, &err) == -ENOSPC &&
		      strcmp(err.text, "Ran out of ports") == 0,
	      "none is left: %s", err.text);
	check(engine->ports[1].n + engine->ports[1].n_waiting + 15 == 25000,
	      "the other side's port went back");
	check(stream_drops(&w, &late, 0, DROP_CALL_ENDED), "late RTP, still");
	bed_tick(9.8);
	check(media_ports_free(bed_ctl, 0) == 0, "not before its time");
	bed_tick(10.2);
	check(media_ports_free(bed_ctl, 0) == 1, "the port is free again");
	check(stream_drops(&w, &late, 0, DROP_NO_CALL), "later than late");
	stream_make(&s[15], 0, SRTP_NONE, SRTP_NONE);
	check(stream_open(&s[15]) == 0 && media_port(s[15].m, 0) == port, "it has a new call");
	for (unsigned i = 0; i < 16; i++)
		stream_free(&s[i]);
	bed_tick(11);

	// By its number it is given at once, and what is left of the quarantine is not.
	stream_make(&s[0], 0, SRTP_NONE, SRTP_NONE);
	s[0].spec.side[0].port = 20010;
	for (unsigned i = 0; i < 3; i++) {
		check(stream_open(&s[0]) == 0 && media_port(s[0].m, 0) == 20010, "by number");
		check(stream_passes(&w, &s[0], 0), "it passes");
		if (i < 2)
			stream_close(&s[0]);
	}
	check(engine->ports[0].n_waiting == 0, "it does not rest meanwhile");
	bed_tick(30);
	check(media_ports_free(bed_ctl, 0) == 15 && stream_passes(&w, &s[0], 1), "it stays taken");
	stream_make(&s[1], 0, SRTP_NONE, SRTP_NONE);
	s[1].spec.side[0].port = 20010;
	check(stream_open(&s[1]) == -EADDRINUSE, "a port that is taken");
	stream_free(&s[0]);
	bed_tick(11);
}

static void test_limit(void)
{
	struct stream s[BED_CALLS + 1];
	struct err err = {""};

	for (unsigned i = 0; i < BED_CALLS; i++) {
		stream_make(&s[i], 0, SRTP_NONE, SRTP_NONE);
		s[i].spec.side[0].address = 1;
		check(stream_open(&s[i]) == 0, "call %u", i);
	}
	check(media_open(bed_ctl, "x", &s[0].spec, NULL, NULL, &s[BED_CALLS].m, &err) == -EUSERS &&
		      strcmp(err.text, "Parallel session limit reached") == 0,
	      "one too many: %s", err.text);
	for (unsigned i = 0; i < BED_CALLS; i++)
		stream_free(&s[i]);
	defer_poll(bed_ctl->defer);
	bed_tick(11);
}

static bool ended(const struct stream *s, enum media_end why)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MEDIA_ENDS; i++)
		n += s->ends[i];
	return s->m == NULL && s->ends[why] == 1 && n == 1;
}

// Both legs were heard so many seconds from now.
static void heard(struct stream *s, double when)
{
	for (unsigned i = 0; i < 2; i++)
		s->m->pair->leg[i].last_tick = (uint32_t)(bed_tsc(when) >> TICK_SHIFT);
}

static struct stream timed(bool answered)
{
	struct stream s;

	bed_back();
	stream_make(&s, 0, SRTP_NONE, SRTP_NONE);
	s.spec.answered = answered;
	s.spec.timeouts =
		(struct media_timeouts){.silence = 60, .held = 300, .offer = 180, .final = 7200};
	return s;
}

static void test_timers(void)
{
	struct stream s = timed(false);

	stream_open(&s);
	bed_tick(179);
	check(s.m != NULL, "ringing is no silence");
	bed_tick(181);
	check(ended(&s, MEDIA_END_OFFER), "nobody answers");

	s = timed(false);
	stream_open(&s);
	s.spec.answered = true;
	check(stream_change(&s) == 0, "an answer");
	bed_tick(59);
	check(s.m != NULL, "answered, silent for 59 s");
	bed_tick(61);
	check(ended(&s, MEDIA_END_SILENCE), "answered, silent for 61 s");

	s = timed(true);
	stream_open(&s);
	for (unsigned i = 1; i < 100; i++) {
		heard(&s, 50 * i);
		bed_tick(50 * i + 49);
	}
	check(s.m != NULL, "packets keep it");
	s.m->pair->leg[1].last_tick -= (uint32_t)(40 * w.plane->tsc_hz >> TICK_SHIFT);
	bed_tick(50 * 99 + 59);
	check(s.m != NULL, "those of one side do");
	bed_tick(50 * 99 + 61);
	check(ended(&s, MEDIA_END_SILENCE), "until they stop");

	s = timed(true);
	stream_open(&s);
	s.spec.side[1].send = false;
	check(stream_change(&s) == 0, "hold");
	bed_tick(299);
	check(s.m != NULL, "on hold for 299 s");
	bed_tick(301);
	check(ended(&s, MEDIA_END_HELD), "on hold for 301 s");

	s = timed(true);
	stream_open(&s);
	for (unsigned i = 0; i < 144; i++) {
		heard(&s, 50 * i);
		bed_tick(50 * i);
	}
	check(s.m != NULL, "7,150 s");
	heard(&s, 7190);
	bed_tick(7201);
	check(ended(&s, MEDIA_END_FINAL), "two hours are over");

	s = timed(true);
	s.stays = true;
	stream_open(&s);
	bed_tick(61);
	bed_tick(61.5);
	check(s.m != NULL && s.ends[MEDIA_END_SILENCE] == 1, "said once");
	bed_tick(62.5);
	check(s.ends[MEDIA_END_SILENCE] == 2, "and again");
	stream_close(&s);
	memset(&s.spec.timeouts, 0, sizeof(s.spec.timeouts));
	stream_open(&s);
	bed_tick(1e6);
	check(s.m != NULL, "0 is never");
	stream_free(&s);
	bed_tick(1e6 + 11);
}

// A timer that ends other streams than its own, in the same slot of the wheel.
static struct stream twins[3];

static void on_twin(void *arg, struct media *m, enum media_end why)
{
	(void)arg;
	(void)m;
	(void)why;
	for (unsigned i = 0; i < 3; i++)
		stream_close(&twins[i]);
}

static void test_twins(void)
{
	static const struct media_events ev = {.timed_out = on_twin};

	for (unsigned i = 0; i < 3; i++) {
		twins[i] = timed(true);
		check(media_open(bed_ctl, "twin", &twins[i].spec, &ev, NULL, &twins[i].m, NULL) ==
			      0,
		      "twin %u", i);
	}
	bed_tick(100);
	check(engine->n == 0, "one ends them all");
	bed_tick(111);
}

// Packets from those sides, then time passes.
static enum media_state after(struct stream *s, bool a, bool b, double *now, double seconds)
{
	for (unsigned i = 0; i < 2; i++)
		if (i == 0 ? a : b)
			check(stream_passes(&w, s, i), "a packet");
	bed_tick(*now += 2);
	bed_tick(*now += seconds);
	return media_state_of(s->m);
}

static void test_states(void)
{
	struct stream s;
	double now = 0;

	bed_back();
	stream_make(&s, 0, SRTP_NONE, SRTP_NONE);
	s.spec.answered = false;
	stream_open(&s);
	check(after(&s, true, false, &now, 20) == MEDIA_RINGING, "early media of one side");
	s.spec.answered = true;
	s.spec.side[0].recv = false;
	stream_change(&s);
	check(after(&s, false, false, &now, 20) == MEDIA_HELD, "on hold");
	s.spec.side[0].recv = true;
	stream_change(&s);
	s.m->quiet_ms = media_ms(bed_ctl, bed_tsc(now));
	check(after(&s, false, false, &now, 1.5) == MEDIA_ACTIVE, "it has just been answered");
	check(after(&s, true, true, &now, 1.2) == MEDIA_ACTIVE, "both are heard");
	check(after(&s, true, false, &now, 1.2) == MEDIA_ACTIVE, "one pauses");
	check(after(&s, false, true, &now, 4) == MEDIA_ONE_WAY, "one does not speak any more");
	check(after(&s, true, true, &now, 2.5) == MEDIA_ACTIVE, "it does again");
	check(after(&s, false, false, &now, 9) == MEDIA_SILENT, "neither does");
	check(s.m->first[0] != 0 && s.m->recent[0].rx_packets == 4 && s.m->recent[0].mos > 4,
	      "what was seen: %lu packets, MOS %.2f", s.m->recent[0].rx_packets,
	      (double)s.m->recent[0].mos);
	stream_free(&s);
	bed_tick(now + 11);
}

static void test_customer(void)
{
	struct stream a, b;

	stream_make(&a, ACME, SRTP_NONE, SRTP_NONE);
	stream_make(&b, 0, SRTP_NONE, SRTP_NONE);
	check(stream_open(&a) == 0 && stream_open(&b) == 0, "two calls");
	check(stream_passes(&w, &a, 0), "from the tunnel");
	a.spec.side[0].customer = 0; // outside of it
	check(stream_drops(&w, &a, 0, DROP_IP_SOURCE) || drops(&w, DROP_RTP_CUSTOMER) == 1,
	      "from elsewhere");
	media_customer_gone(bed_ctl, ACME);
	check(ended(&a, MEDIA_END_CUSTOMER) && b.m != NULL, "the customer's calls end");
	check(stream_passes(&w, &b, 0), "others do not");
	stream_free(&a);
	stream_free(&b);
	bed_tick(11);
}

void test_media(void)
{
	struct err err = {""};

	if (!check(world_open(&w, 1, &err) == 0, "world: %s", err.text))
		return;
	bed_open(&w);
	engine = bed_ctl->media;
	test_open();
	test_ringing();
	test_quarantine();
	test_limit();
	test_timers();
	test_twins();
	test_states();
	test_customer();
	bed_close(&w);
	world_close(&w);
}
