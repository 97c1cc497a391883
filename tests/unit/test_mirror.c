// SPDX-License-Identifier: BSD-3-Clause
// The mirror's decisions: what the kernel says goes in, and a sink that stands for the plane is
// asked where packets would go.
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mirror_core.h"

#define HOPS 64
#define RULES 4096
#define OUT 10 // interface indexes
#define IN 11

static struct {
	struct {
		uint32_t dst, index;
		uint8_t len;
	} rule[RULES];
	unsigned n, room;
	struct nexthop hop[HOPS];
	unsigned resolved, local_added, local_gone, hop_sets;
	uint32_t resolved_ip;
	struct mirror_core *core;
} world;

static uint32_t ip(const char *text)
{
	return inet_addr(text);
}

static int on_route_set(void *ctx, uint32_t dst, uint8_t len, uint32_t index)
{
	(void)ctx;
	cr_assert_neq(world.hop[index].kind, NH_NONE, "a route leads to an index not published");
	for (unsigned i = 0; i < world.n; i++)
		if (world.rule[i].dst == dst && world.rule[i].len == len) {
			world.rule[i].index = index;
			return 0;
		}
	if (world.n == world.room)
		return -ENOSPC;
	world.rule[world.n].dst = dst;
	world.rule[world.n].len = len;
	world.rule[world.n++].index = index;
	return 0;
}

static void on_route_del(void *ctx, uint32_t dst, uint8_t len)
{
	(void)ctx;
	for (unsigned i = 0; i < world.n; i++)
		if (world.rule[i].dst == dst && world.rule[i].len == len) {
			world.rule[i] = world.rule[--world.n];
			return;
		}
	cr_assert_fail("a route is taken out that is not there");
}

static int on_hop_set(void *ctx, const struct nexthop *nh)
{
	(void)ctx;
	cr_assert(nh->index > 0 && nh->index < HOPS);
	world.hop[nh->index] = *nh;
	world.hop_sets++;
	return 0;
}

static void on_hop_del(void *ctx, uint32_t index)
{
	(void)ctx;
	for (unsigned i = 0; i < world.n; i++)
		cr_assert_neq(world.rule[i].index, index, "a route still leads there");
	memset(&world.hop[index], 0, sizeof(world.hop[index]));
	mirror_core_index_free(world.core, index);
}

static void on_resolve(void *ctx, unsigned port, uint32_t addr)
{
	(void)ctx;
	(void)port;
	world.resolved++;
	world.resolved_ip = addr;
}

static void on_local(void *ctx, uint32_t addr, unsigned port, bool present)
{
	(void)ctx;
	(void)addr;
	(void)port;
	world.local_added += present;
	world.local_gone += !present;
}

static struct mirror_core *start(void)
{
	const struct mirror_sink sink = {NULL,	     on_route_set, on_route_del, on_hop_set,
					 on_hop_del, on_resolve,   on_local};
	const struct mirror_link link[] = {
		{.ifindex = OUT, .mac = {{2, 0, 0, 0, 0, 1}}, .mtu = 1500},
		{.ifindex = IN, .mac = {{2, 0, 0, 0, 0, 2}}, .mtu = 9000, .vlan = 0x123},
	};

	memset(&world, 0, sizeof(world));
	world.room = RULES;
	world.core = mirror_core_new(&sink, link, 2, HOPS);
	cr_assert_not_null(world.core);
	return world.core;
}

static const struct nexthop *way(const char *dst)
{
	uint32_t addr = ntohl(ip(dst));
	int best = -1;
	uint32_t index = 0;

	for (unsigned i = 0; i < world.n; i++) {
		uint8_t len = world.rule[i].len;
		uint32_t mask = len == 0 ? 0 : ~0u << (32 - len);
		if (len > best && (addr & mask) == ntohl(world.rule[i].dst)) {
			best = len;
			index = world.rule[i].index;
		}
	}
	cr_assert_eq(mirror_core_lookup(world.core, ip(dst)), index);
	return &world.hop[index];
}

static struct nl_route route_of(const char *dst, uint8_t len, int ifindex, const char *gateway)
{
	struct nl_route r = {
		.dst = ip(dst), .len = len, .type = RTN_UNICAST, .table = RT_TABLE_MAIN};

	if (ifindex != 0) {
		r.hop[r.n_hops].ifindex = ifindex;
		r.hop[r.n_hops++].gateway = gateway != NULL ? ip(gateway) : 0;
	}
	return r;
}

static void route(const char *dst, uint8_t len, int ifindex, const char *gateway)
{
	struct nl_route r = route_of(dst, len, ifindex, gateway);

	mirror_core_route(world.core, &r, false);
	mirror_core_commit(world.core);
}

static void unroute(const char *dst, uint8_t len, int ifindex, const char *gateway)
{
	struct nl_route r = route_of(dst, len, ifindex, gateway);

	mirror_core_route(world.core, &r, true);
	mirror_core_commit(world.core);
}

static void typed(const char *dst, uint8_t len, int ifindex, uint8_t type, uint32_t table)
{
	struct nl_route r = route_of(dst, len, ifindex, NULL);

	r.type = type;
	r.table = table;
	mirror_core_route(world.core, &r, false);
	mirror_core_commit(world.core);
}

static void neigh(const char *addr, int ifindex, uint16_t state, uint8_t last)
{
	struct nl_neigh n = {.ifindex = ifindex,
			     .ip = ip(addr),
			     .state = state,
			     .has_mac = true,
			     .mac = {{0x02, 0, 0, 0, 1, last}}};

	mirror_core_neigh(world.core, &n, false);
	mirror_core_commit(world.core);
}

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
	static const uint8_t l2[18] = {2, 0, 0, 0,    1,    9,	  2,	0, 0,
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
	typed("127.0.0.1", 32, 1, RTN_LOCAL, RT_TABLE_LOCAL);	// lo
	typed("198.51.100.0", 24, OUT, RTN_UNICAST, 100);	// another table
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

Test(mirror, tunnels_take_precedence)
{
	start();
	route("198.51.100.0", 24, OUT, NULL);
	neigh("198.51.100.9", OUT, NUD_REACHABLE, 9);
	cr_expect_eq(way("198.51.100.9")->kind, NH_ADJACENCY);
	cr_assert_eq(mirror_core_tunnel_add(world.core, ip("198.51.100.0"), 24, 42), 0);
	cr_expect(mirror_core_commit(world.core));
	cr_expect_eq(way("198.51.100.9")->kind, NH_TUNNEL, "nor does a neighbour get past it");
	cr_expect_eq(way("198.51.100.9")->customer, 42);
	cr_assert_eq(mirror_core_tunnel_add(world.core, ip("198.51.100.0"), 24, 43), 0);
	cr_expect_eq(way("198.51.100.1")->customer, 43);
	unroute("198.51.100.0", 24, OUT, NULL);
	cr_expect_eq(way("198.51.100.9")->kind, NH_TUNNEL);
	route("198.51.100.0", 24, OUT, NULL);
	cr_expect_eq(way("198.51.100.9")->kind, NH_TUNNEL);
	cr_assert_eq(mirror_core_tunnel_del(world.core, ip("198.51.100.0"), 24), 0);
	mirror_core_commit(world.core);
	cr_expect_eq(way("198.51.100.9")->kind, NH_ADJACENCY);
	cr_expect_eq(mirror_core_tunnel_del(world.core, ip("198.51.100.0"), 24), -ENOENT);
	mirror_core_free(world.core);
}

Test(mirror, own_address_beats_a_tunnel)
{
	start();
	mirror_core_tunnel_add(world.core, ip("192.0.2.1"), 32, 7);
	typed("192.0.2.1", 32, OUT, RTN_LOCAL, RT_TABLE_LOCAL);
	cr_expect_eq(way("192.0.2.1")->kind, NH_LOCAL);
	mirror_core_free(world.core);
}

Test(mirror, useless_link_addresses)
{
	static const uint8_t t[][6] = {
		{0, 0, 0, 0, 0, 0},
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{1, 0, 0x5e, 0, 0, 1},
		{0x02, 0x54, 0x4c, 0, 0, 1}, // the one that we answer with for tunnels
	};

	start();
	route("192.0.2.0", 24, OUT, NULL);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nl_neigh n = {.ifindex = OUT,
				     .ip = ip("192.0.2.9"),
				     .state = NUD_REACHABLE,
				     .has_mac = true};
		memcpy(&n.mac, t[i], 6);
		mirror_core_neigh(world.core, &n, false);
		mirror_core_commit(world.core);
		cr_expect_eq(way("192.0.2.9")->kind, NH_UNRESOLVED, "%zu", i);
	}
	mirror_core_free(world.core);
}

Test(mirror, complete_read_sweeps)
{
	start();
	route("192.0.2.0", 24, OUT, NULL);
	route("198.51.100.0", 24, OUT, "192.0.2.1");
	mirror_core_tunnel_add(world.core, ip("203.0.113.0"), 24, 7);
	neigh("192.0.2.1", OUT, NUD_REACHABLE, 1);
	neigh("192.0.2.2", OUT, NUD_REACHABLE, 2);
	unsigned sets = world.hop_sets;

	mirror_core_sync_begin(world.core); // the same again: nobody is told anything
	route("192.0.2.0", 24, OUT, NULL);
	route("198.51.100.0", 24, OUT, "192.0.2.1");
	neigh("192.0.2.1", OUT, NUD_REACHABLE, 1);
	neigh("192.0.2.2", OUT, NUD_REACHABLE, 2);
	mirror_core_sync_end(world.core);
	cr_expect(!mirror_core_commit(world.core));
	cr_expect_eq(world.hop_sets, sets);

	mirror_core_sync_begin(world.core);
	route("192.0.2.0", 24, OUT, NULL);
	neigh("192.0.2.1", OUT, NUD_REACHABLE, 1);
	mirror_core_sync_end(world.core);
	cr_expect(mirror_core_commit(world.core));
	cr_expect_eq(way("198.51.100.1")->kind, NH_NONE);
	cr_expect_eq(way("192.0.2.1")->kind, NH_ADJACENCY);
	cr_expect_eq(way("192.0.2.2")->kind, NH_UNRESOLVED);
	cr_expect_eq(way("203.0.113.1")->kind, NH_TUNNEL, "tunnels are not the kernel's");
	mirror_core_free(world.core);
}

Test(mirror, full_tables)
{
	struct mirror_stats st;

	start();
	for (unsigned i = 1; i < HOPS + 10; i++) { // each customer is a nexthop of its own
		int rc = mirror_core_tunnel_add(world.core, htonl(0x0a000000u + i * 256), 24,
						(uint16_t)i);
		cr_assert_eq(rc, i < HOPS ? 0 : -ENOSPC);
	}
	cr_expect_eq(world.n, HOPS - 1);
	mirror_core_stats(world.core, &st);
	cr_expect_eq(st.table_full, 10);
	cr_expect_eq(st.nexthops, HOPS - 1);
	mirror_core_tunnel_del(world.core, htonl(0x0a000100u), 24);
	cr_expect_eq(mirror_core_tunnel_add(world.core, htonl(0x0b000000u), 24, 9999), 0);
	world.room = world.n;
	cr_expect_eq(mirror_core_tunnel_add(world.core, htonl(0x0c000000u), 24, 2), -ENOSPC);
	cr_expect_eq(way("12.0.0.1")->kind, NH_NONE);
	mirror_core_free(world.core);
}

// Whatever comes in whatever order, the sink ends as if only the final state had been told.
Test(mirror, random_changes_end_in_the_same_state)
{
	unsigned seed = 7;

	start();
	for (unsigned i = 0; i < 20000; i++) {
		char a[32], g[32];
		unsigned x = (unsigned)rand_r(&seed);
		uint8_t len = (uint8_t)(22 + x % 11);
		uint32_t dst = (0xc0000200u + (x >> 8) % 1024) & ~0u << (32 - len);
		snprintf(a, sizeof(a), "%u.%u.%u.%u", dst >> 24, dst >> 16 & 255, dst >> 8 & 255,
			 dst & 255);
		snprintf(g, sizeof(g), "192.0.2.%u", x >> 20 & 3);
		switch ((x >> 4) % 7) {
		case 0:
			route(a, len, x & 1 ? OUT : IN, NULL);
			break;
		case 1:
			route(a, len, OUT, g);
			break;
		case 2:
			unroute(a, len, OUT, NULL);
			break;
		case 3:
			neigh(g, x & 1 ? OUT : IN, x & 2 ? NUD_REACHABLE : NUD_FAILED, x & 255);
			break;
		case 4:
			mirror_core_tunnel_add(world.core, ip(a), len, (uint16_t)(x & 3) + 1);
			break;
		default:
			mirror_core_tunnel_del(world.core, ip(a), len);
			break;
		}
		way(a); // asserts that core and sink agree
		way(g);
	}
	mirror_core_sync_begin(world.core); // the kernel has nothing any more
	mirror_core_sync_end(world.core);
	mirror_core_commit(world.core);
	for (unsigned i = 0; i < world.n; i++)
		cr_expect_eq(world.hop[world.rule[i].index].kind, NH_TUNNEL);
	struct mirror_stats st;
	mirror_core_stats(world.core, &st);
	cr_expect_eq(st.neighbours, 0);
	cr_expect_leq(st.nexthops, 4);
	mirror_core_free(world.core);
}
