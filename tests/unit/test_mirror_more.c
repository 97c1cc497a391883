// SPDX-License-Identifier: BSD-3-Clause
// The mirror's decisions on tunnels, complete reads, full tables and random changes.
#include "test_mirror_world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

// ---- several routes with the same prefix and metric ----

static void appended(const char *dst, uint8_t len, int ifindex, const char *gateway)
{
	struct nl_route r = route_of(dst, len, ifindex, gateway);

	r.beside = true;
	mirror_core_route(world.core, &r, false);
	mirror_core_commit(world.core);
}

static void replaced(const char *dst, uint8_t len, int ifindex, const char *gateway)
{
	struct nl_route r = route_of(dst, len, ifindex, gateway);

	r.replace = true;
	mirror_core_route(world.core, &r, false);
	mirror_core_commit(world.core);
}

Test(mirror, deleted_route_was_not_ours)
{
	start();
	route("0.0.0.0", 0, 99, "192.168.1.1");
	appended("0.0.0.0", 0, OUT, "192.0.2.9");
	cr_expect_eq(way("8.8.8.8")->gateway, ip("192.0.2.9"));
	mirror_core_wants_sync(world.core);
	unroute("0.0.0.0", 0, 99, "192.168.1.1");
	cr_expect_eq(way("8.8.8.8")->gateway, ip("192.0.2.9"));
	cr_expect(mirror_core_wants_sync(world.core));
	mirror_core_free(world.core);
}

// Nor has it to be one that was known to be there.
Test(mirror, deleted_route_was_another)
{
	start();
	route("198.51.100.0", 24, OUT, "192.0.2.1");
	unroute("198.51.100.0", 24, OUT, "192.0.2.2");
	cr_expect_eq(way("198.51.100.1")->gateway, ip("192.0.2.1"));
	cr_expect(mirror_core_wants_sync(world.core));
	unroute("198.51.100.0", 24, OUT, "192.0.2.1");
	cr_expect_eq(way("198.51.100.1")->kind, NH_NONE);
	cr_expect(!mirror_core_wants_sync(world.core));
	mirror_core_free(world.core);
}

Test(mirror, first_of_two_replaced_and_deleted)
{
	start();
	route("198.51.100.0", 24, OUT, "192.0.2.1");
	appended("198.51.100.0", 24, OUT, "192.0.2.2");
	mirror_core_wants_sync(world.core);
	replaced("198.51.100.0", 24, OUT, "192.0.2.3");
	cr_expect_eq(way("198.51.100.1")->gateway, ip("192.0.2.3"));
	cr_expect(mirror_core_wants_sync(world.core), "or was it the second?");
	unroute("198.51.100.0", 24, OUT, "192.0.2.3");
	cr_expect_neq(way("198.51.100.1")->kind, NH_NONE, "there is the second");
	cr_expect(mirror_core_wants_sync(world.core));
	mirror_core_free(world.core);
}

// A route of another interface is before ours, and what takes its place takes not ours.
static void foreign_first_replaced(void)
{
	replaced("0.0.0.0", 0, 99, "192.168.1.2");
	cr_expect_eq(way("8.8.8.8")->gateway, ip("192.0.2.9"));
	cr_expect(mirror_core_wants_sync(world.core));
	replaced("0.0.0.0", 0, OUT, "192.0.2.8");
	mirror_core_wants_sync(world.core);
	unroute("0.0.0.0", 0, OUT, "192.0.2.8");
	cr_expect_neq(way("8.8.8.8")->kind, NH_NONE);
	cr_expect(mirror_core_wants_sync(world.core));
}

Test(mirror, foreign_first_as_events_say)
{
	start();
	route("0.0.0.0", 0, 99, "192.168.1.1");
	appended("0.0.0.0", 0, OUT, "192.0.2.9");
	mirror_core_wants_sync(world.core);
	foreign_first_replaced();
	mirror_core_free(world.core);
}

Test(mirror, foreign_first_as_a_complete_read_says)
{
	start();
	mirror_core_sync_begin(world.core);
	route("0.0.0.0", 0, 99, "192.168.1.1");
	route("0.0.0.0", 0, OUT, "192.0.2.9");
	mirror_core_sync_end(world.core);
	foreign_first_replaced();
	mirror_core_free(world.core);
}

// The same for us, not for the kernel: it may differ in what we don't look at.
Test(mirror, two_that_mean_the_same)
{
	for (unsigned read = 0; read < 2; read++) {
		start();
		if (read)
			mirror_core_sync_begin(world.core);
		route("198.51.100.0", 24, OUT, "192.0.2.1");
		appended("198.51.100.0", 24, OUT, "192.0.2.1");
		if (read)
			mirror_core_sync_end(world.core);
		cr_expect(!mirror_core_wants_sync(world.core));
		unroute("198.51.100.0", 24, OUT, "192.0.2.1");
		cr_expect_neq(way("198.51.100.1")->kind, NH_NONE);
		cr_expect(mirror_core_wants_sync(world.core));
		mirror_core_free(world.core);
	}
}

// ---- complete reads and tunnels ----

static unsigned n_tunnels;
static uint32_t tunnel_last;

static void tunnel_count(void *ctx, uint32_t dst, uint8_t len)
{
	(void)ctx;
	(void)len;
	n_tunnels++;
	tunnel_last = dst;
}

Test(mirror, complete_read_misses_tunnels)
{
	start();
	struct nl_route r = route_of("203.0.113.0", 24, OUT, NULL);
	r.protocol = MIRROR_RTPROT;
	r.metric = NL_ROUTE_METRIC;
	mirror_core_tunnel_add(world.core, ip("203.0.113.0"), 24, 7);
	mirror_core_tunnel_add(world.core, ip("198.51.100.0"), 24, 7);
	mirror_core_sync_begin(world.core);
	mirror_core_route(world.core, &r, false);
	mirror_core_sync_end(world.core);
	mirror_core_tunnels(world.core, true, tunnel_count, NULL);
	cr_expect_eq(n_tunnels, 1);
	cr_expect_eq(tunnel_last, ip("198.51.100.0"));
	mirror_core_sync_begin(world.core);
	mirror_core_sync_end(world.core);
	mirror_core_tunnels(world.core, true, tunnel_count, NULL);
	cr_expect_eq(n_tunnels, 3);
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
