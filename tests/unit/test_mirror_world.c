// SPDX-License-Identifier: BSD-3-Clause
#include "test_mirror_world.h"

#include <arpa/inet.h>
#include <string.h>

struct world world;

uint32_t ip(const char *text)
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

struct mirror_core *start(void)
{
	const struct mirror_sink sink = {NULL,       on_route_set, on_route_del, on_hop_set,
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

const struct nexthop *way(const char *dst)
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

struct nl_route route_of(const char *dst, uint8_t len, int ifindex, const char *gateway)
{
	struct nl_route r = {
		.dst = ip(dst), .len = len, .type = RTN_UNICAST, .table = RT_TABLE_MAIN};

	if (ifindex != 0) {
		r.hop[r.n_hops].ifindex = ifindex;
		r.hop[r.n_hops++].gateway = gateway != NULL ? ip(gateway) : 0;
	}
	return r;
}

void route(const char *dst, uint8_t len, int ifindex, const char *gateway)
{
	struct nl_route r = route_of(dst, len, ifindex, gateway);

	mirror_core_route(world.core, &r, false);
	mirror_core_commit(world.core);
}

void unroute(const char *dst, uint8_t len, int ifindex, const char *gateway)
{
	struct nl_route r = route_of(dst, len, ifindex, gateway);

	mirror_core_route(world.core, &r, true);
	mirror_core_commit(world.core);
}

void typed(const char *dst, uint8_t len, int ifindex, uint8_t type, uint32_t table)
{
	struct nl_route r = route_of(dst, len, ifindex, NULL);

	r.type = type;
	r.table = table;
	mirror_core_route(world.core, &r, false);
	mirror_core_commit(world.core);
}

void neigh(const char *addr, int ifindex, uint16_t state, uint8_t last)
{
	struct nl_neigh n = {.ifindex = ifindex,
			     .ip = ip(addr),
			     .state = state,
			     .has_mac = true,
			     .mac = {{0x02, 0, 0, 0, 1, last}}};

	mirror_core_neigh(world.core, &n, false);
	mirror_core_commit(world.core);
}
