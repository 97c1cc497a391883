// SPDX-License-Identifier: BSD-3-Clause
// The mirror's decisions on routes and neighbours: what the kernel says goes in, and a sink is asked
// where packets would go.
#include "test_mirror_world.h"

Test(mirror, subnet_and_neighbour)
{
	start();
	route("192.0.2.0", 24, OUT, NULL);
	const struct nexthop *nh = way("192.0.2.9");
	cr_expect_eq(nh->kind, NH_UNRESOLVED);
	cr_expect_eq(nh->port, 0);
	cr_expect_eq(nh->gateway, 0);
	cr_expect_eq(way("192.0.3.9")->kind, NH_NONE);

	neigh("192.0.2.9", OUT, NUD_REACHABLE, 9);
	static const uint8_t l2[14] = {2, 0, 0, 0, 1, 9, 2, 0, 0, 0, 0, 1, 8, 0};
	nh = way("192.0.2.9");
	cr_expect_eq(nh->kind, NH_ADJACENCY);
	cr_expect_eq(nh->mtu, 1500);
	cr_expect_eq(nh->l2_len, 14);
	cr_expect_arr_eq(nh->l2, l2, 14);
	cr_expect_eq(way("192.0.2.8")->kind, NH_UNRESOLVED);

	neigh("192.0.2.9", OUT, NUD_STALE, 10);
	cr_expect_eq(way("192.0.2.9")->l2[5], 10);
	neigh("192.0.2.9", OUT, NUD_FAILED, 10);
	cr_expect_eq(way("192.0.2.9")->kind, NH_UNRESOLVED);
	neigh("192.0.2.9", OUT, NUD_PERMANENT, 11);
	cr_expect_eq(way("192.0.2.9")->kind, NH_ADJACENCY);
	unroute("192.0.2.0", 24, OUT, NULL);
	cr_expect_eq(way("192.0.2.9")->kind, NH_NONE);
	cr_expect_eq(world.n, 0);
	mirror_core_free(world.core);
}

Test(mirror, vlan_tag)
{
	static const uint8_t l2[18] = {2, 0, 0, 0,    1,    9,    2,    0, 0,
				       0, 0, 2, 0x81, 0x00, 0x01, 0x23, 8, 0};
	start();
	route("192.0.2.0", 24, IN, NULL);
	neigh("192.0.2.9", IN, NUD_REACHABLE, 9);
	cr_expect_eq(way("192.0.2.9")->l2_len, 18);
	cr_expect_arr_eq(way("192.0.2.9")->l2, l2, 18);
	cr_expect_eq(way("192.0.2.9")->mtu, 9000);
	mirror_core_free(world.core);
}

Test(mirror, neighbour_comes_before_route)
{
	start();
	neigh("192.0.2.9", OUT, NUD_REACHABLE, 9);
	cr_expect_eq(world.n, 0);
	route("192.0.2.0", 24, OUT, NULL);
	cr_expect_eq(way("192.0.2.9")->kind, NH_ADJACENCY);
	mirror_core_free(world.core);
}

Test(mirror, neighbour_counts_only_where_routes_lead_to_it)
{
	start();
	route("192.0.2.0", 24, OUT, NULL);
	neigh("192.0.2.9", IN, NUD_REACHABLE, 9); // on another link
	cr_expect_eq(way("192.0.2.9")->kind, NH_UNRESOLVED);
	neigh("192.0.2.9", OUT, NUD_REACHABLE, 8);
	cr_expect_eq(way("192.0.2.9")->l2[5], 8);
	neigh("192.0.2.9", IN, NUD_FAILED, 9);
	cr_expect_eq(way("192.0.2.9")->l2[5], 8, "the other link's neighbour is another one");

	neigh("192.0.2.1", OUT, NUD_REACHABLE, 1);
	route("192.0.2.8", 29, OUT, "192.0.2.1"); // more specific, by a gateway
	cr_expect_eq(way("192.0.2.9")->gateway, ip("192.0.2.1"));
	unroute("192.0.2.8", 29, OUT, "192.0.2.1");
	cr_expect_eq(way("192.0.2.9")->l2[5], 8);
	route("192.0.2.9", 32, OUT, "192.0.2.1");
	cr_expect_eq(way("192.0.2.9")->gateway, ip("192.0.2.1"));
	unroute("192.0.2.9", 32, OUT, "192.0.2.1");
	cr_expect_eq(way("192.0.2.9")->l2[5], 8);
	mirror_core_free(world.core);
}

Test(mirror, host_route_on_the_link)
{
	start();
	route("203.0.113.7", 32, OUT, NULL);
	cr_expect_eq(way("203.0.113.7")->kind, NH_UNRESOLVED);
	neigh("203.0.113.7", OUT, NUD_REACHABLE, 7);
	cr_expect_eq(way("203.0.113.7")->kind, NH_ADJACENCY);
	mirror_core_free(world.core);
}

Test(mirror, gateway)
{
	start();
	route("192.0.2.0", 24, OUT, NULL);
	route("0.0.0.0", 0, OUT, "192.0.2.1");
	cr_expect_eq(world.resolved, 1, "the gateway is asked for at once");
	cr_expect_eq(world.resolved_ip, ip("192.0.2.1"));
	cr_expect_eq(way("8.8.8.8")->kind, NH_UNRESOLVED);
	cr_expect_eq(way("8.8.8.8")->gateway, ip("192.0.2.1"));
	uint32_t index = way("8.8.8.8")->index;
	neigh("192.0.2.1", OUT, NUD_REACHABLE, 1);
	cr_expect_eq(way("8.8.8.8")->kind, NH_ADJACENCY);
	cr_expect_eq(way("8.8.8.8")->index, index, "a neighbour's change leaves routes alone");
	cr_expect_eq(way("192.0.2.1")->index, index, "one nexthop for one neighbour");
	neigh("192.0.2.1", OUT, NUD_FAILED, 1);
	cr_expect_eq(way("8.8.8.8")->kind, NH_UNRESOLVED);
	cr_expect_eq(world.resolved, 2);
	mirror_core_refresh(world.core, false);
	cr_expect_eq(world.resolved, 3);
	neigh("192.0.2.1", OUT, NUD_STALE, 1);
	mirror_core_refresh(world.core, false);
	cr_expect_eq(world.resolved, 3);
	mirror_core_refresh(world.core, true);
	cr_expect_eq(world.resolved, 4, "a stale neighbour is confirmed");
	mirror_core_free(world.core);
}

Test(mirror, route_mtu)
{
	start();
	struct nl_route r = route_of("198.51.100.0", 24, IN, "192.0.2.1");

	r.mtu = 1400;
	mirror_core_route(world.core, &r, false);
	cr_expect_eq(way("198.51.100.1")->mtu, 1400);
	r.mtu = 60000;
	r.replace = true;
	mirror_core_route(world.core, &r, false);
	cr_expect_eq(way("198.51.100.1")->mtu, 9000);
	mirror_core_free(world.core);
}

Test(mirror, metrics)
{
	start();
	struct nl_route a = route_of("198.51.100.0", 24, OUT, "192.0.2.1");
	struct nl_route b = route_of("198.51.100.0", 24, OUT, "192.0.2.2");

	a.metric = 100;
	b.metric = 20;
	mirror_core_route(world.core, &a, false);
	cr_expect_eq(way("198.51.100.1")->gateway, ip("192.0.2.1"));
	mirror_core_route(world.core, &b, false);
	cr_expect_eq(way("198.51.100.1")->gateway, ip("192.0.2.2"));
	mirror_core_route(world.core, &b, true);
	cr_expect_eq(way("198.51.100.1")->gateway, ip("192.0.2.1"));
	mirror_core_free(world.core);
}

Test(mirror, replaced_and_moved_away)
{
	start();
	route("198.51.100.0", 24, OUT, "192.0.2.1");
	struct nl_route r = route_of("198.51.100.0", 24, OUT, "192.0.2.2");
	r.replace = true;
	mirror_core_route(world.core, &r, false);
	cr_expect_eq(way("198.51.100.1")->gateway, ip("192.0.2.2"));
	r.hop[0].ifindex = 99; // an interface that is not ours
	mirror_core_route(world.core, &r, false);
	cr_expect_eq(way("198.51.100.1")->kind, NH_NONE);
	mirror_core_free(world.core);
}

Test(mirror, second_route_of_the_same_metric)
{
	start();
	route("198.51.100.0", 24, OUT, "192.0.2.1");
	cr_expect(!mirror_core_wants_sync(world.core));
	route("198.51.100.0", 24, OUT, "192.0.2.2"); // appended: the first stays the best
	cr_expect_eq(way("198.51.100.1")->gateway, ip("192.0.2.1"));
	cr_expect(mirror_core_wants_sync(world.core), "or was it put before it?");
	mirror_core_sync_begin(world.core);
	route("198.51.100.0", 24, OUT, "192.0.2.2");
	route("198.51.100.0", 24, OUT, "192.0.2.1");
	mirror_core_sync_end(world.core);
	mirror_core_commit(world.core);
	cr_expect_eq(way("198.51.100.1")->gateway, ip("192.0.2.2"), "a dump names the best first");
	cr_expect(!mirror_core_wants_sync(world.core));
	unroute("198.51.100.0", 24, OUT, "192.0.2.2");
	cr_expect(mirror_core_wants_sync(world.core));
	mirror_core_free(world.core);
}

Test(mirror, several_hops_take_the_first_of_ours)
{
	start();
	struct nl_route r = route_of("198.51.100.0", 24, 99, "192.0.2.7");
	r.hop[1] = (struct nl_hop){IN, ip("192.0.2.8")};
	r.hop[2] = (struct nl_hop){OUT, ip("192.0.2.9")};
	r.n_hops = 3;
	mirror_core_route(world.core, &r, false);
	cr_expect_eq(way("198.51.100.1")->gateway, ip("192.0.2.8"));
	cr_expect_eq(way("198.51.100.1")->port, 1);
	mirror_core_free(world.core);
}

Test(mirror, types_and_tables)
{
	start();
	typed("192.0.2.1", 32, OUT, RTN_LOCAL, RT_TABLE_LOCAL);
	cr_expect_eq(way("192.0.2.1")->kind, NH_LOCAL);
	cr_expect_eq(world.local_added, 1);
	typed("192.0.2.255", 32, OUT, RTN_BROADCAST, RT_TABLE_LOCAL);
	cr_expect_eq(way("192.0.2.255")->kind, NH_BLACKHOLE);
	typed("10.0.0.0", 8, 0, RTN_UNREACHABLE, RT_TABLE_MAIN);
	cr_expect_eq(way("10.1.1.1")->kind, NH_BLACKHOLE);
	typed("10.1.0.0", 16, 0, RTN_BLACKHOLE, RT_TABLE_MAIN);
	typed("10.2.0.0", 16, 0, RTN_PROHIBIT, RT_TABLE_MAIN);
	cr_expect_eq(way("10.2.1.1")->kind, NH_BLACKHOLE);
	unsigned before = world.n;
	typed("127.0.0.1", 32, 1, RTN_LOCAL, RT_TABLE_LOCAL);     // lo
	typed("198.51.100.0", 24, OUT, RTN_UNICAST, 100);         // another table
	typed("198.51.100.0", 24, 1, RTN_UNICAST, RT_TABLE_MAIN); // another interface
	typed("198.51.100.0", 24, 0, RTN_THROW, RT_TABLE_MAIN);
	struct nl_route r = route_of("198.51.100.0", 24, OUT, NULL);
	r.tos = 8;
	mirror_core_route(world.core, &r, false);
	r.tos = 0;
	r.protocol = MIRROR_RTPROT; // ours
	mirror_core_route(world.core, &r, false);
	cr_expect_eq(world.n, before);
	struct nl_route local = route_of("192.0.2.1", 32, OUT, NULL);
	local.type = RTN_LOCAL;
	local.table = RT_TABLE_LOCAL;
	mirror_core_route(world.core, &local, true);
	cr_expect_eq(world.local_gone, 1);
	mirror_core_free(world.core);
}
