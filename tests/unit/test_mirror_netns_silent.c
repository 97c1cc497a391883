// SPDX-License-Identifier: BSD-3-Clause
// What the kernel changes without saying so of each route.
#include "edge/tap.h"
#include "test_mirror_netns.h"

#include <arpa/inet.h>

#define TUNNEL_THERE "ip route show proto 200 | grep -q '^100.96.0.0/16 dev outside'"

static void test_link(struct world *w)
{
	struct mirror_stats st;

	CHECK(tap_carrier(w->tap[0], false) == 0);
	run("ip link show dev outside | grep -q NO-CARRIER");
	CHECK(tap_carrier(w->tap[0], true) == 0);
	run("ip link set outside down"); // takes its routes along without a word
	live(w, 150);
	CHECK(way(w, "198.18.10.8")->kind == NH_NONE);
	CHECK(way(w, "203.0.113.5")->kind == NH_NONE);
	run("ip link set outside up");
	live(w, 150);
	CHECK(way(w, "198.18.10.8")->kind == NH_UNRESOLVED);
	mirror_stats(w->mirror, &st);
	CHECK(st.resyncs >= 2);
}

// The routes into tunnels go with the link and with its last address, and come back.
static void test_tunnel_routes(struct world *w)
{
	struct ip_prefix domain = prefix("100.96.0.0", 16);
	struct err err;

	CHECK(mirror_tunnel_add(w->mirror, &domain, 9, &err) == 0);
	run("ip link set outside down");
	live(w, 150);
	run("! " TUNNEL_THERE);
	CHECK(way(w, "100.96.1.1")->kind == NH_TUNNEL);
	run("ip link set outside up");
	live(w, 150);
	run(TUNNEL_THERE);
	run("ip addr del 198.18.10.1/24 dev outside; ip addr add 198.18.10.2/24 dev outside");
	run("! " TUNNEL_THERE);
	live(w, 150);
	run(TUNNEL_THERE);
	run("ip addr del 198.18.10.2/24 dev outside; ip addr add 198.18.10.1/24 dev outside");
	live(w, 150);
	run(TUNNEL_THERE);
	CHECK(mirror_tunnel_del(w->mirror, &domain, &err) == 0);
	live(w, 150);
	run("! " TUNNEL_THERE);
}

// Which of several routes with the same metric goes is not to be told from the prefix.
static void test_same_metric(struct world *w)
{
	run("ip tuntap add dev mgmt mode tap && ip addr add 192.168.1.2/24 dev mgmt");
	run("ip link set mgmt up; ip route add 10.9.0.0/16 via 192.168.1.1");
	run("ip route append 10.9.0.0/16 via 198.18.10.9");
	live(w, 150);
	CHECK(way(w, "10.9.1.1")->gateway == inet_addr("198.18.10.9"));
	run("ip route del 10.9.0.0/16 via 192.168.1.1");
	live(w, 150);
	CHECK(way(w, "10.9.1.1")->gateway == inet_addr("198.18.10.9"));
	run("ip route append 10.9.0.0/16 via 198.18.10.8");
	run("ip route replace 10.9.0.0/16 via 198.18.10.7");
	live(w, 150);
	CHECK(way(w, "10.9.1.1")->gateway == inet_addr("198.18.10.7"));
	run("ip route del 10.9.0.0/16 via 198.18.10.7");
	live(w, 150);
	CHECK(way(w, "10.9.1.1")->gateway == inet_addr("198.18.10.8"));
	run("ip route del 10.9.0.0/16");
	live(w, 150);
	CHECK(way(w, "10.9.1.1")->kind == NH_NONE);
	run("ip link del mgmt");
}

// With a nexthop object go its routes, and its part of those by a group.
static void test_nexthop_objects(struct world *w)
{
	run("ip nexthop add id 10 via 198.18.10.9 dev outside");
	run("ip nexthop add id 11 via 198.18.20.9 dev inside");
	run("ip nexthop add id 20 group 10/11");
	run("ip route add 10.8.0.0/16 nhid 10; ip route add 10.7.0.0/16 nhid 20");
	live(w, 150);
	CHECK(way(w, "10.8.1.1")->gateway == inet_addr("198.18.10.9"));
	CHECK(way(w, "10.7.1.1")->gateway == inet_addr("198.18.10.9"));
	run("ip nexthop replace id 10 via 198.18.10.8 dev outside");
	live(w, 150);
	CHECK(way(w, "10.8.1.1")->gateway == inet_addr("198.18.10.8"));
	run("ip nexthop del id 10");
	live(w, 150);
	CHECK(way(w, "10.8.1.1")->kind == NH_NONE);
	CHECK(way(w, "10.7.1.1")->gateway == inet_addr("198.18.20.9"));
	run("ip nexthop del id 11");
	live(w, 150);
	CHECK(way(w, "10.7.1.1")->kind == NH_NONE);
}

void test_silent(struct world *w)
{
	test_link(w);
	test_tunnel_routes(w);
	test_same_metric(w);
	test_nexthop_objects(w);
}
