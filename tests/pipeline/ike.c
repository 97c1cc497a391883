// SPDX-License-Identifier: BSD-3-Clause
// SAs by the IKE feed, from the messages to the packets. Time is what the test says it is.
#include "base/log.h"
#include "ike_bed.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <rte_eal.h>
#include <rte_lpm.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_refused(void)
{
	struct feed_msg m = sa_msg(0x10101, true);

	m.sa.if_id ^= 1;
	check(ask(FEED_SA_ADD, &m) == -ENOENT && strstr(msg.text, "no customer") != NULL,
	      "an SA without a customer: %s", msg.text);
	m = sa_msg(0x10101, true);
	m.sa.src_ts[0] = ts(0xc0000200, 0xc0000210);
	check(ask(FEED_SA_ADD, &m) == -EPERM && strstr(msg.text, "outside the customer's domain"),
	      "selectors beyond the domain: %s", msg.text);
	m.sa.src_ts[0] = ts(GLOBEX, GLOBEX);
	check(ask(FEED_SA_ADD, &m) == -EPERM && strstr(msg.text, "192.0.2.21") != NULL,
	      "another customer's selectors: %s", msg.text);
	m = sa_msg(0x10101, true);
	m.sa.dst_ts[0] = ts(0, ~0u);
	check(ask(FEED_SA_ADD, &m) == -EPERM && strstr(msg.text, "media address") != NULL,
	      "selectors of our side that are not ours: %s", msg.text);
	m = sa_msg(0x10101, true);
	m.sa.src.addr = addr(GLOBEX);
	check(ask(FEED_SA_ADD, &m) == -EPERM && strstr(msg.text, "of globex's domain") != NULL,
	      "a gateway in a domain: %s", msg.text);
	check(sa_add(0x10101, true, 0) == 0, "an SA");
	check(update(0x10101, true, PEER, GLOBEX, 0, false) == -EPERM, "it moves into a domain: %s",
	      msg.text);
	check(sa_del(0x10101, true) == 0, "it goes");
	m = sa_msg(0x10101, true);
	m.sa.encr = 3;
	check(ask(FEED_SA_ADD, &m) == -ENOTSUP, "3DES: %s", msg.text);
	m = sa_msg(0x51001, true); // the configuration's SA has 0x1001
	check(ask(FEED_SA_ADD, &m) == -EEXIST, "an SPI whose slot is taken: %s", msg.text);
	check(ctl->sad->n == 0, "nothing is left of them");
}

static void test_spis(void)
{
	bool seen[SPI_SLOTS] = {false};
	uint32_t spi[300];
	struct feed_msg m = id_msg(0, true);

	for (unsigned i = 0; i < 300; i++) {
		check(ask(FEED_SPI_GET, &m) == 0 && msg.sa_id.spi >= SPI_SLOTS &&
			      !seen[msg.sa_id.spi & 0xffff],
		      "an SPI with low bits of its own");
		seen[msg.sa_id.spi & 0xffff] = true;
		spi[i] = msg.sa_id.spi;
	}
	for (unsigned i = 0; i < 300; i++) {
		m = id_msg(spi[i], true);
		check(ask(FEED_SA_DEL, &m) == 0, "an SPI that was not used goes back");
	}
}

// Both SAs of a rekey are there for a while: what counts is the policy.
static void test_rekey(void)
{
	check(strcmp(whose(ctl, 0), "nobody") == 0, "no tunnel, no route");
	check(sa_add(0x20001, true, 0) == 0 && sa_add(0xa0001, false, 0) == 0, "first SAs");
	check(out_send(PHONE).drop == DROP_NO_SA, "no policy has the SA yet");
	check(policy(FEED_POLICY_ADD, 0xa0001) == 0, "its policy");
	check(strcmp(whose(ctl, 0), "acme") == 0, "the domain is routed into the tunnel");
	check(out_send(PHONE).spi == 0xa0001 && out_send(PHONE).seq == 2, "packets go by it");
	check(out_send(GLOBEX).drop == DROP_NO_POLICY, "others' addresses don't");
	struct sa_out *old = peer_make(0x20001, false, 0x01, 0);
	struct sa_out *new = peer_make(0x20002, false, 0x02, 0);
	check(in_send(old, PEER, 0) == DROP_COUNT, "in by the first");
	check(in_send(new, PEER, 0) == DROP_SPI_UNKNOWN, "not by the second");

	check(sa_add(0x20002, true, 0) == 0 && sa_add(0xa0002, false, 0) == 0, "second SAs");
	check(in_send(old, PEER, 0) == DROP_COUNT && in_send(new, PEER, 0) == DROP_COUNT,
	      "in by both");
	check(out_send(PHONE).spi == 0xa0001, "out by the old one: it is the policy's");
	check(policy(FEED_POLICY_ADD, 0xa0002) == 0, "second policy");
	check(out_send(PHONE).spi == 0xa0002, "out by the new one");
	check(policy(FEED_POLICY_ADD, 0xa0002) == 0 && policy(FEED_POLICY_DEL, 0xa0002) == 0 &&
		      out_send(PHONE).spi == 0xa0002,
	      "policies count");
	check(policy(FEED_POLICY_DEL, 0xa0001) == 0 && sa_del(0xa0001, false) == 0,
	      "the old one goes out");
	check(in_send(old, PEER, 0) == DROP_COUNT, "and is still taken in");
	check(sa_del(0x20001, true) == 0 && in_send(old, PEER, 0) == DROP_SPI_UNKNOWN,
	      "until it is deleted");
	check(in_send(new, PEER, 0) == DROP_COUNT && out_send(PHONE).spi == 0xa0002,
	      "the new ones go on");
	struct feed_msg m = id_msg(0x20002, true);
	check(ask(FEED_SA_QUERY, &m) == 0 && msg.usage.packets == 2 && msg.usage.bytes == 400 &&
		      msg.usage.last_use != 0,
	      "what was counted: %lu packets", (unsigned long)msg.usage.packets);

	// One that we have asked for waits while there is another.
	check(sa_add(0xa0003, false, FEED_WAIT) == 0 && policy(FEED_POLICY_ADD, 0xa0003) == 0,
	      "an SA that we have asked for");
	check(out_send(PHONE).spi == 0xa0002, "it waits");
	usleep(300000);
	turn();
	check(out_send(PHONE).spi == 0xa0003, "and then has its turn");
	check(policy(FEED_POLICY_DEL, 0xa0002) == 0, "without the older one");
	check(sa_add(0xa0004, false, FEED_WAIT) == 0 && policy(FEED_POLICY_ADD, 0xa0004) == 0 &&
		      policy(FEED_POLICY_DEL, 0xa0003) == 0 && sa_del(0xa0003, false) == 0,
	      "another, and the one that it replaces is deleted at once");
	m = id_msg(0xa0003, false);
	check(ask(FEED_SA_QUERY, &m) == -ENOENT, "it is gone for the IKE daemon");
	check(out_send(PHONE).spi == 0xa0003, "but is what the peer has");
	usleep(300000);
	turn();
	watch(300);
	check(out_send(PHONE).spi == 0xa0004, "until the moment is over");
	check(policy(FEED_POLICY_ADD, 0xa0002) == 0 && policy(FEED_POLICY_DEL, 0xa0004) == 0 &&
		      sa_del(0xa0004, false) == 0 && out_send(PHONE).spi == 0xa0002,
	      "away again");
	sa_out_release(old);
	sa_out_release(new);
}

// The peer uses an SA before it is here: its packets wait for it.
static void test_early(void)
{
	struct feed_msg m = id_msg(0, true);

	check(ask(FEED_SPI_GET, &m) == 0, "an SPI");
	uint32_t spi = msg.sa_id.spi;
	struct sa_out *peer = peer_make(spi, false, (uint8_t)spi, 0);
	struct sa_out *stranger = peer_make(spi ^ 0x10000, false, 1, 0);
	w->now = w->plane->tsc_hz;
	check(in_dispatch(peer) == STAGE_KEPT && in_dispatch(peer) == STAGE_KEPT, "two are kept");
	check(in_dispatch(stranger) == STAGE_drop, "not one with the same low 16 bits");
	early_poll(w);
	check(w->early.n == 2, "they wait");
	check(sa_add(spi, true, 0) == 0, "the SA comes");
	w->now += w->plane->tsc_hz / 100;
	early_poll(w);
	m = id_msg(spi, true);
	check(w->early.n == 0 && ask(FEED_SA_QUERY, &m) == 0 && msg.usage.packets == 2,
	      "and takes them both: %lu", (unsigned long)msg.usage.packets);
	check(in_dispatch(peer) == STAGE_esp_decap, "those that follow go straight on");
	check(sa_del(spi, true) == 0 && in_dispatch(peer) == STAGE_drop, "after it nothing waits");

	m = id_msg(0, true);
	check(ask(FEED_SPI_GET, &m) == 0, "another SPI");
	struct sa_out *lost = peer_make(msg.sa_id.spi, false, 1, 0);
	uint64_t drops = w->drops[DROP_SPI_UNKNOWN];
	for (unsigned i = 0; i < EARLY_MAX; i++)
		check(in_dispatch(lost) == STAGE_KEPT, "%u are kept", EARLY_MAX);
	check(in_dispatch(lost) == STAGE_drop, "not one more");
	w->now += w->plane->tsc_hz;
	early_poll(w);
	check(w->early.n == 0 && w->drops[DROP_SPI_UNKNOWN] == drops + EARLY_MAX,
	      "an SA that doesn't come");
	sa_out_release(peer);
	sa_out_release(stranger);
	sa_out_release(lost);
}

static void test_mapping(void)
{
	struct sa_out *peer = peer_make(0x20002, false, 0x02, 100);
	struct sa_out *udp = peer_make(0x20002, true, 0x02, 200);
	struct sa_out *forged = peer_make(0x20002, true, 0x77, 300);
	struct seen s = out_send(PHONE);
	uint32_t seq = s.seq;

	check(s.dst == PEER && s.dport == 0, "plain ESP to the peer");
	watch(0);
	check(events_of(FEED_MAPPING) == 0, "nobody has moved");
	check(in_send(peer, ELSEWHERE, 0) == DROP_COUNT, "the peer at another address");
	watch(0);
	check(events_of(FEED_MAPPING) == 1, "is told");
	watch(0);
	check(events_of(FEED_MAPPING) == 0, "once");
	check(update(0x20002, true, PEER, ELSEWHERE, 4500, false) == 0 &&
		      update(0xa0002, false, PEER, ELSEWHERE, 4500, false) == 0,
	      "it moves");
	s = out_send(PHONE);
	check(s.dst == ELSEWHERE && s.dport == 0 && s.seq == seq + 1, "without a hole or a repeat");
	watch(0);
	check(events_of(FEED_MAPPING) == 0, "that is where it is now");

	check(update(0x20002, true, ELSEWHERE, PEER, 7777, true) == 0 &&
		      update(0xa0002, false, ELSEWHERE, PEER, 7777, true) == 0,
	      "behind a NAT: ESP in UDP");
	s = out_send(PHONE);
	check(s.dst == PEER && s.dport == 7777 && s.seq == seq + 2, "in UDP");
	check(in_send(peer, PEER, 0) == DROP_SA_MODE, "plain ESP is refused now");
	check(in_send(udp, PEER, 7777) == DROP_COUNT, "in UDP it is taken");
	watch(0);
	check(events_of(FEED_MAPPING) == 0, "from where it is expected");
	check(in_send(forged, ELSEWHERE, 9) == DROP_ESP_FORGED, "a forged packet");
	watch(0);
	check(events_of(FEED_MAPPING) == 0, "moves nobody");
	check(in_send(udp, PEER, 8888) == DROP_COUNT, "the NAT changes the port");
	watch(0);
	check(events_of(FEED_MAPPING) == 1 && event[n_events - 1].type >= FEED_EXPIRE, "told");
	for (unsigned i = 0; i < n_events; i++)
		if (event[i].type == FEED_MAPPING)
			check(event[i].mapping.is.port == 8888 && event[i].mapping.was.port == 7777,
			      "from which port to which");
	struct feed_msg m = {.update = {.id = id_msg(0xa0002, false).sa_id,
					.src = {addr(OURS), 4500},
					.dst = {{.family = AF_INET6}, 4500}}};
	check(ask(FEED_SA_UPDATE, &m) == -EAFNOSUPPORT && strstr(msg.text, "IPv4") != NULL,
	      "to IPv6: %s", msg.text);
	m.update.dst = (struct ip_endpoint){addr(ELSEWHERE), 0};
	m.update.encap = true;
	check(ask(FEED_SA_UPDATE, &m) == -EINVAL && strstr(msg.text, "203.0.113.200") != NULL,
	      "in UDP without a port: %s", msg.text);
	check(out_send(PHONE).dport == 7777, "it stays where it was");
	peer->seq = 400; // both are one SA's
	check(update(0x20002, true, PEER, PEER, 4500, false) == 0 &&
		      update(0xa0002, false, PEER, PEER, 4500, false) == 0 &&
		      out_send(PHONE).dport == 0 && in_send(peer, PEER, 0) == DROP_COUNT,
	      "and back to plain ESP");
	sa_out_release(peer);
	sa_out_release(udp);
	sa_out_release(forged);
}

static void test_lifetimes(void)
{
	struct feed_msg m = sa_msg(0x20005, true);
	struct sa_out *peer = peer_make(0x20005, false, 0x05, 0);

	m.sa.packets = (struct feed_lifetime){2, 4};
	check(ask(FEED_SA_ADD, &m) == 0, "an SA for four packets");
	in_send(peer, PEER, 0);
	watch(0);
	check(expired(false) == 0, "one packet");
	in_send(peer, PEER, 0);
	watch(0);
	check(expired(false) == 1 && expired(true) == 0, "two: it is to be rekeyed");
	watch(0);
	check(expired(false) == 0, "said once");
	in_send(peer, PEER, 0);
	in_send(peer, PEER, 0);
	watch(0);
	check(expired(true) == 1, "four: it is over");
	check(in_send(peer, PEER, 0) == DROP_SPI_UNKNOWN, "nothing passes any more");
	watch(0);
	check(expired(true) == 0, "said once");
	check(sa_del(0x20005, true) == 0, "deleted");
	sa_out_release(peer);

	m = sa_msg(0xa0006, false);
	m.sa.time = (struct feed_lifetime){10, 20};
	m.sa.bytes = (struct feed_lifetime){0, 1000};
	check(ask(FEED_SA_ADD, &m) == 0 && policy(FEED_POLICY_ADD, 0xa0006) == 0, "by time");
	watch(9000);
	check(expired(false) == 0, "not yet");
	watch(11000);
	check(expired(false) == 1, "soft");
	for (unsigned i = 0; i < 5; i++)
		check(out_send(PHONE).spi == 0xa0006, "packet %u", i);
	watch(11000);
	check(expired(true) == 1, "hard, by bytes");
	check(out_send(PHONE).spi == 0xa0002, "another policy's SA takes over");
	check(policy(FEED_POLICY_DEL, 0xa0006) == 0 && sa_del(0xa0006, false) == 0, "deleted");
}

static void test_replay(void)
{
	struct feed_msg m = sa_msg(0xa0007, false);
	struct sa_out *peer = peer_make(0x20008, false, 0x08, 4990);

	m.sa.flags |= FEED_REPLAY;
	m.sa.seq = 5000;
	check(ask(FEED_SA_ADD, &m) == 0 && policy(FEED_POLICY_ADD, 0xa0007) == 0, "replayed");
	struct seen s = out_send(PHONE);
	check(s.spi == 0xa0007 && s.seq == 5001 + (1u << 20), "goes on well ahead: %u", s.seq);
	watch(60000);
	check(events_of(FEED_SEQS) >= 1, "numbers are told");
	check(expired(false) == 0, "far from the end");
	check(policy(FEED_POLICY_DEL, 0xa0007) == 0 && sa_del(0xa0007, false) == 0, "deleted");

	m = sa_msg(0x20008, true);
	m.sa.flags |= FEED_REPLAY;
	m.sa.seq = 4995;
	check(ask(FEED_SA_ADD, &m) == 0, "replayed, in");
	for (unsigned i = 4991; i <= 4995; i++)
		check(in_send(peer, PEER, 0) == DROP_ESP_REPLAYED, "%u was there", i);
	check(in_send(peer, PEER, 0) == DROP_COUNT, "4996 is new");
	check(sa_del(0x20008, true) == 0, "deleted");
	sa_out_release(peer);

	m = sa_msg(0xa0009, false);
	m.sa.flags |= FEED_REPLAY;
	m.sa.seq = 0xfffffff0;
	check(ask(FEED_SA_ADD, &m) == 0 && policy(FEED_POLICY_ADD, 0xa0009) == 0, "at the end");
	check(out_send(PHONE).drop == DROP_SA_EXHAUSTED, "no number is used twice");
	watch(0);
	check(expired(true) == 1 && out_send(PHONE).spi == 0xa0002, "over at once");
	check(policy(FEED_POLICY_DEL, 0xa0009) == 0 && sa_del(0xa0009, false) == 0, "deleted");
}

static void test_acquire(void)
{
	check(ask(FEED_POLICY_FLUSH, NULL) == 0 && ask(FEED_SA_FLUSH, NULL) == 0, "flush");
	check(ctl->sad->n == 0 && strcmp(whose(ctl, 0), "nobody") == 0, "no tunnel, no route");
	check(policy(FEED_POLICY_ADD, 0) == 0, "a trap");
	check(strcmp(whose(ctl, 0), "acme") == 0, "has its route");
	n_events = 0;
	sad_policies_check(ctl->sad, ike_now());
	check(events_of(FEED_ACQUIRE) == 0, "nobody wants anything");
	check(out_send(PHONE).drop == DROP_NO_SA, "a packet without an SA");
	sad_policies_check(ctl->sad, ike_now());
	check(events_of(FEED_ACQUIRE) == 1, "asks for one");
	out_send(PHONE);
	sad_policies_check(ctl->sad, ike_now());
	check(events_of(FEED_ACQUIRE) == 1, "not twice");
	out_send(PHONE);
	sad_policies_check(ctl->sad, ike_now() + 5000);
	check(events_of(FEED_ACQUIRE) == 2, "but again some seconds later");
	check(policy(FEED_POLICY_DEL, 0) == 0 && strcmp(whose(ctl, 0), "nobody") == 0, "gone");
}

static void test_reload(void)
{
	check(sa_add(0x20021, true, 0) == 0 && sa_add(0xa0021, false, 0) == 0 &&
		      policy(FEED_POLICY_ADD, 0xa0021) == 0,
	      "a tunnel");
	n_events = 0;
	check(reload(ctl) == 0 && out_send(PHONE).spi == 0xa0021, "reload without a change");
	customer_erase("acme");
	check(reload(ctl) == 0, "the customer goes");
	gather();
	check(expired(true) == 2 && ctl->sad->n == 0, "its SAs are over, and IKE is told");
	check(ike_sas_of(ctl, 1) == NULL, "none is left");
}

// What libevent frees must have no keys in it.
#define SECRET 0xe7
static unsigned leaks;

static void free_seen(void *p)
{
	uint8_t key[20];

	memset(key, SECRET, sizeof(key));
	leaks += p != NULL && memmem(p, malloc_usable_size(p), key, sizeof(key)) != NULL;
	free(p);
}

static void test_wiped(void)
{
	struct feed_msg m = sa_msg(0x20000 | SECRET, true);
	uint8_t buf[FEED_MESSAGE_MAX];

	for (unsigned i = 0; i < 3; i++)
		check(ask(FEED_SA_ADD, &m) == 0 && sa_del(m.sa.spi, true) == 0, "keys come");
	m.type = FEED_SA_ADD;
	m.id = 1;
	m.sa.n_src = 8; // longer
	for (unsigned i = 1; i < 8; i++)
		m.sa.src_ts[i] = m.sa.src_ts[0];
	int len = feed_encode(&m, buf, sizeof(buf)), s = client();
	for (int at = 0; at < len; at += 50) { // by and by, and never whole
		int n = len - 1 - at < 50 ? len - 1 - at : 50;
		check(send(s, buf + at, (size_t)n, 0) == n, "bytes %d to %d", at, at + n);
		turn();
	}
	close(s);
	turn();
	for (unsigned i = 0; i < 100; i++) // messages that lie across pieces of memory
		check(feed_send(fd, &m, 1000) == 0, "message %u", i);
	for (unsigned i = 0; i < 100; i++)
		gather(); // an answer each
	check(sa_del(m.sa.spi, true) == 0, "the first of them was taken");
	check(leaks == 0, "memory is freed with keys in it, %u times", leaks);
}

// Who asks and never reads is not served for ever.
static void test_unread(void)
{
	static uint8_t flood[6000 * FEED_HEADER];
	int s = client();

	for (unsigned i = 0; i < sizeof(flood); i += FEED_HEADER) {
		flood[i + 3] = FEED_HEADER;
		flood[i + 5] = FEED_REPLAYED;
		flood[i + 9] = 1;
	}
	size_t sent = 0;
	ssize_t n = 0;
	while (n >= 0 && sent < 50 * sizeof(flood)) {
		size_t at = sent % sizeof(flood);
		turn();
		n = send(s, flood + at, sizeof(flood) - at, MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
	}
	check(n < 0 && errno == EPIPE, "the connection is closed: %zu bytes of requests", sent);
	check(ike_feed_connected(ctl->ike), "the IKE daemon's own isn't");
	close(s);
}

static void test_hostile(void)
{
	static const uint8_t junk[] = {0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0, 1};
	int s = client();
	char byte;

	check(send(s, junk, sizeof(junk), 0) == sizeof(junk), "junk");
	turn();
	check(recv(s, &byte, 1, MSG_DONTWAIT) == 0, "ends its connection");
	close(s);
	int was = fd;
	fd = client();
	check(ask(FEED_SA_FLUSH, NULL) == -EPROTO, "nothing before HELLO: %s", msg.text);
	close(fd);
	fd = was;
	turn();
	check(ike_feed_connected(ctl->ike), "the IKE daemon doesn't notice");
}

int main(void)
{
	char *eal[] = {"ike", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		       "-m",  "256",       "-l",          "0",        "--log-level=4",
		       NULL};

	if (rte_eal_init((int)RTE_DIM(eal) - 1, eal) < 0)
		return 1;
	alarm(120);
	event_set_mem_functions(malloc, realloc, free_seen);
	log_level_set(LOG_ERROR);
	files_make();
	bed_open();
	check(hello() == 0 && msg.hello.version == FEED_VERSION, "HELLO");
	test_refused();
	test_spis();
	test_rekey();
	test_early();
	test_mapping();
	test_lifetimes();
	test_replay();
	test_orphans();
	test_moved_away();
	test_orphans_end();
	test_acquire();
	test_over();
	test_wiped();
	test_unread();
	test_hostile();
	test_reload();
	close(fd);
	ike_feed_close(ctl->ike);
	worker_fini(w);
	rte_free(w);
	rte_lpm_free(ctl->plane->lpm);
	struct event_base *base = ctl->base;
	control_end(ctl);
	event_base_free(base);
	files_remove();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
