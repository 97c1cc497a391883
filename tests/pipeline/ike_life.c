// SPDX-License-Identifier: BSD-3-Clause
// SAs that outlive the connection of who made them, or their own lifetime.
#include "ike_bed.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// The policies of an inbound SA, which is both of the packets that end here and of those that go on.
static bool policies_in(uint16_t type, uint32_t spi)
{
	struct feed_msg m = {.policy = {.dir = FEED_IN,
					.type = FEED_POLICY_IPSEC,
					.priority = 100,
					.reqid = 1,
					.spi = spi,
					.if_id = ike_number("acme"),
					.src_ts = ts(0xc0000200, 0xc000020f),
					.dst_ts = ts(MEDIA, MEDIA)}};

	if (ask(type, &m) < 0)
		return false;
	m.policy.dir = FEED_FWD;
	return ask(type, &m) == 0;
}

static unsigned policies(void)
{
	struct ike_policy *i;
	unsigned n = 0;

	TAILQ_FOREACH (i, &ctl->sad->policies[customer_find(ctl, "acme")], link)
		n++;
	return n;
}

void test_orphans(void)
{
	struct sa_out *old = peer_make(0x20002, false, 0x02, 1000);

	check(policies_in(FEED_POLICY_ADD, 0x20002) && policies() == 3, "one of each direction");
	close(fd);
	turn();
	check(!ike_feed_connected(ctl->ike), "the IKE daemon is gone");
	check(out_send(PHONE).spi == 0xa0002 && in_send(old, PEER, 0) == DROP_COUNT,
	      "its tunnels work on");
	fd = client();
	check(hello() == 0 && ike_feed_connected(ctl->ike), "another comes");
	check(ask(FEED_REPLAYED, NULL) == 0, "and knows nothing");
	check(out_send(PHONE).spi == 0xa0002 && in_send(old, PEER, 0) == DROP_COUNT,
	      "the tunnels still work");
	struct feed_msg m = sa_msg(0x20011, true);
	m.sa.reqid = 9;
	check(ask(FEED_SA_ADD, &m) == 0 && sa_add(0xa0011, false, 0) == 0 &&
		      policies_in(FEED_POLICY_ADD, 0x20011),
	      "others come, in first");
	watch(31000);
	check(out_send(PHONE).spi == 0xa0002 && ctl->sad->n == 4, "there is no other way out yet");
	check(policy(FEED_POLICY_ADD, 0xa0011) == 0 && policies() == 3, "others take their place");
	check(out_send(PHONE).spi == 0xa0011 && in_send(old, PEER, 0) == DROP_COUNT,
	      "out at once; in by the old one for a while");
	watch(31000);
	check(in_send(old, PEER, 0) == DROP_SPI_UNKNOWN && ctl->sad->n == 2, "then it is gone");
	sa_out_release(old);

	// A second connection replaces the first, and replays what it has.
	int first = fd;
	fd = client();
	check(hello() == 0, "a second connection");
	char byte;
	check(recv(first, &byte, 1, MSG_DONTWAIT) == 0, "the first is closed");
	close(first);
	uint32_t seq = out_send(PHONE).seq;
	check(sa_add(0xa0011, false, FEED_REPLAY) == 0 && policy(FEED_POLICY_ADD, 0xa0011) == 0 &&
		      ask(FEED_REPLAYED, NULL) == 0,
	      "replayed while we have it");
	check(out_send(PHONE).seq == seq + 1, "nothing jumps");
}

// Nobody takes the place of what is left.
void test_orphans_end(void)
{
	check(policies_in(FEED_POLICY_ADD, 0x20011) && policy(FEED_POLICY_ADD, 0) == 0, "a trap");
	unsigned n = policies();
	check(hello() == 0 && ask(FEED_REPLAYED, NULL) == 0, "an IKE daemon that knows nothing");
	check(policies() == n, "policies stay: %u", n);
	check(sa_del(0xa0011, false) == 0 && policies() == n - 2,
	      "but not that of an SA that goes, and the trap");
	check(strcmp(whose(ctl, 0), "nobody") == 0, "no way out, no route");
	check(sa_del(0x20011, true) == 0 && policies() == 0, "nor those in: %u", policies());
}

static int replay(uint32_t spi, bool inbound, struct ip_endpoint peer, uint32_t flags)
{
	struct feed_msg m = sa_msg(spi, inbound);

	m.sa.flags |= FEED_REPLAY | flags;
	*(inbound ? &m.sa.src : &m.sa.dst) = peer;
	return ask(FEED_SA_ADD, &m);
}

// Nobody was there to be told that the peer has moved.
void test_moved_away(void)
{
	const struct ip_endpoint away = {addr(ELSEWHERE), 7777};
	struct sa_out *peer = peer_make(0x20011, true, 0x11, 0);
	unsigned n = ctl->sad->n;

	check(in_send(peer, ELSEWHERE, 7777) == DROP_SA_MODE, "plain ESP so far");
	uint32_t seq = out_send(PHONE).seq;
	close(fd);
	turn();
	fd = client();
	check(hello() == 0, "the IKE daemon is there again");
	check(replay(0x20011, true, away, FEED_ENCAP) == 0 &&
		      replay(0xa0011, false, away, FEED_ENCAP) == 0 &&
		      policy(FEED_POLICY_ADD, 0xa0011) == 0 && ask(FEED_REPLAYED, NULL) == 0,
	      "and says that the peer is behind a NAT now");
	check(ctl->sad->n == n, "they are the same SAs: %u", ctl->sad->n);
	struct seen s = out_send(PHONE);
	check(s.dst == ELSEWHERE && s.dport == 7777 && s.seq == seq + 1, "out to there, goes on");
	check(in_send(peer, ELSEWHERE, 7777) == DROP_COUNT, "in from there");
	sa_out_release(peer);

	check(hello() == 0, "once more");
	check(replay(0xa0011, false, (struct ip_endpoint){{.family = AF_INET6}, 4500}, 0) ==
		      -EAFNOSUPPORT,
	      "to where none can be: %s", msg.text);
	check(out_send(PHONE).dst == ELSEWHERE, "it works on");
	check(replay(0x20011, true, (struct ip_endpoint){addr(PEER), 4500}, 0) == 0 &&
		      replay(0xa0011, false, (struct ip_endpoint){addr(PEER), 4500}, 0) == 0 &&
		      policy(FEED_POLICY_ADD, 0xa0011) == 0 && ask(FEED_REPLAYED, NULL) == 0,
	      "and back");
	check(out_send(PHONE).dst == PEER && ctl->sad->n == n, "as before");
}

// The IKE daemon was told that an SA is over, and does not delete it.
void test_over(void)
{
	struct feed_msg m = sa_msg(0x20005, true);

	m.sa.time = (struct feed_lifetime){0, 10};
	check(ask(FEED_SA_ADD, &m) == 0, "an SA for ten seconds");
	unsigned n = ctl->sad->n;
	watch(11000);
	check(expired(true) == 1, "it is over");
	watch(300000);
	check(ctl->sad->n == n, "there is time to delete it");
	watch(312000);
	check(ctl->sad->n == n - 1 && sa_del(0x20005, true) == -ENOENT, "but it does not stay");
}
