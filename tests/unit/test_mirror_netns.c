// SPDX-License-Identifier: BSD-3-Clause
// The edges against a real kernel: TAPs, routes and neighbours made by ip(8) in a network namespace
// of our own, and what the LPM and the rings then hold. Needs root (or a user namespace), /dev/net/tun
// and iproute2; exits 77 without. The argument says how to get memory: huge or nohuge.
//
//   ip(8) ──► kernel ──netlink──► mirror ──► plane.lpm, plane.nexthop
//                └── TAP outside, TAP inside ◄──► rings (this program is the only worker)
#include "test_mirror_netns.h"

#include "base/log.h"
#include "edge/tap.h"
#include "pkt.h"
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rte_arp.h>
#include <rte_ip.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIP 77

unsigned failures, checks;

static unsigned cpus[] = {0};

struct ip_prefix prefix(const char *addr, uint8_t len)
{
	struct ip_prefix p = {.len = len, .addr.family = AF_INET};

	p.addr.v4.s_addr = inet_addr(addr);
	return p;
}

void run(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		failures++;
	}
}

void live(struct world *w, unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		rte_rcu_qsbr_quiescent(w->plane->qsbr, 0);
		usleep(1000);
	}
}

const struct nexthop *way(struct world *w, const char *dst)
{
	uint32_t index = 0;

	if (rte_lpm_lookup(w->plane->lpm, ntohl(inet_addr(dst)), &index) != 0)
		index = 0;
	const struct nexthop *nh = w->plane->nexthop[index];
	const struct nexthop *said = mirror_lookup(w->mirror, inet_addr(dst));
	CHECK(nh->kind == said->kind && nh->index == said->index);
	return nh;
}

static bool l2_to(const struct nexthop *nh, uint8_t last)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 9, last};

	return nh->kind == NH_ADJACENCY && memcmp(nh->l2, mac, 6) == 0;
}

static void on_local(void *ctx, uint32_t ip, unsigned port, bool present)
{
	struct world *w = ctx;

	(void)ip;
	(void)port;
	w->locals += present ? 1 : -1u;
}

// ---- set-up ----

static int world_open(struct world *w, const struct config *cfg, struct err *err)
{
	const struct ip_addr media = prefix("198.18.30.1", 32).addr;
	int ifindex[2];

	w->base = event_base_new();
	w->plane = aligned_alloc(64, sizeof(*w->plane));
	memset(w->plane, 0, sizeof(*w->plane));
	w->plane->n_workers = 1;
	w->plane->qsbr = aligned_alloc(64, rte_rcu_qsbr_get_memsize(1));
	rte_rcu_qsbr_init(w->plane->qsbr, 1);
	rte_rcu_qsbr_thread_register(w->plane->qsbr, 0);
	rte_rcu_qsbr_thread_online(w->plane->qsbr, 0);
	int rc = defer_open(&w->defer, w->plane->qsbr, w->base, err);
	if (rc == 0)
		rc = devices_open(&w->devices, w->plane, cfg, w->base, err);
	for (unsigned i = 0; rc == 0 && i < 2; i++) {
		struct tap_params params = {
			.plane = w->plane,
			.port = i,
			.pool = devices_pool(w->devices, SOCKET_ID_ANY),
			.base = w->base,
			.addresses = cfg->ports[i].addresses,
			.n_addresses = cfg->ports[i].n_addresses,
			.media = &media,
			.n_media = i,
		};
		rc = tap_open(&w->tap[i], &params, err);
		if (rc == 0)
			ifindex[i] = w->tap[i]->ifindex;
	}
	struct mirror_params params = {
		.plane = w->plane,
		.defer = w->defer,
		.base = w->base,
		.ifindex = ifindex,
		.local_changed = on_local,
		.ctx = w,
	};
	return rc == 0 ? mirror_open(&w->mirror, &params, err) : rc;
}

static void world_close(struct world *w, bool defer_first)
{
	rte_rcu_qsbr_thread_offline(w->plane->qsbr, 0);
	rte_rcu_qsbr_thread_unregister(w->plane->qsbr, 0);
	if (defer_first)
		defer_close(w->defer);
	mirror_close(w->mirror);
	if (!defer_first)
		defer_close(w->defer);
	tap_close(w->tap[0]);
	tap_close(w->tap[1]);
	devices_close(w->devices);
	free(w->plane->qsbr);
	free(w->plane);
	event_base_free(w->base);
}

// ---- what is to be seen ----

static void test_addresses(struct world *w)
{
	CHECK(way(w, "198.18.10.1")->kind == NH_LOCAL);
	CHECK(way(w, "198.18.30.1")->kind == NH_LOCAL);
	CHECK(way(w, "198.18.10.255")->kind == NH_BLACKHOLE);
	CHECK(way(w, "198.18.10.7")->kind == NH_UNRESOLVED);
	CHECK(way(w, "198.18.10.7")->port == 0);
	CHECK(way(w, "198.18.20.7")->port == 1);
	CHECK(way(w, "8.8.8.8")->kind == NH_NONE);
	CHECK(w->locals == 3);
	run("ip -4 -o addr show dev outside | grep -q 'inet 198.18.10.1/24 brd 198.18.10.255'");
	run("ip -4 -o addr show dev inside | grep -q 'inet 198.18.30.1/32'");
	run("ip link show dev inside | grep -q 'mtu 1400'");
	run("! ip -6 -o addr show dev outside | grep -q inet6");
	run("ip addr add 198.18.10.9/24 dev outside");
	live(w, 100);
	CHECK(w->locals == 4);
	CHECK(way(w, "198.18.10.9")->kind == NH_LOCAL);
	run("ip addr del 198.18.10.9/24 dev outside");
	live(w, 150);
	CHECK(w->locals == 3);
	CHECK(way(w, "198.18.10.9")->kind == NH_UNRESOLVED);
}

static void test_neighbours(struct world *w)
{
	run("ip neigh add 198.18.10.7 lladdr 02:00:00:00:09:07 dev outside");
	run("ip route add default via 198.18.10.254");
	run("ip route add 203.0.113.0/24 via 198.18.20.9");
	live(w, 50);
	CHECK(l2_to(way(w, "198.18.10.7"), 7));
	CHECK(memcmp(way(w, "198.18.10.7")->l2 + 6, &w->plane->port[0].mac, 6) == 0);
	CHECK(way(w, "8.8.8.8")->kind == NH_UNRESOLVED);
	CHECK(way(w, "8.8.8.8")->gateway == inet_addr("198.18.10.254"));
	uint32_t gen = w->plane->route_gen;
	run("ip neigh replace 198.18.10.254 lladdr 02:00:00:00:09:fe dev outside");
	run("ip neigh replace 198.18.20.9 lladdr 02:00:00:00:09:09 dev inside nud reachable");
	live(w, 50);
	CHECK(w->plane->route_gen > gen);
	CHECK(l2_to(way(w, "8.8.8.8"), 0xfe));
	CHECK(l2_to(way(w, "203.0.113.5"), 9));
	CHECK(way(w, "203.0.113.5")->mtu == 1400);
	run("ip neigh del 198.18.10.254 dev outside");
	live(w, 50);
	CHECK(way(w, "8.8.8.8")->kind == NH_UNRESOLVED);
	run("ip route replace 203.0.113.0/24 via 198.18.10.7");
	live(w, 50);
	CHECK(l2_to(way(w, "203.0.113.5"), 7));
	run("ip route add blackhole 192.0.2.0/24");
	run("ip route add 0.0.0.0/1 via 198.18.10.7");
	live(w, 50);
	CHECK(way(w, "192.0.2.5")->kind == NH_BLACKHOLE);
	CHECK(l2_to(way(w, "8.8.8.8"), 7));
	CHECK(way(w, "200.1.1.1")->kind == NH_UNRESOLVED);
	run("ip route del 0.0.0.0/1");
	live(w, 50);
	CHECK(way(w, "8.8.8.8")->gateway == inet_addr("198.18.10.254"));
	CHECK(defer_poll(w->defer) == 0);
}

struct rte_mbuf *from_kernel(struct world *w, unsigned port)
{
	void *m = NULL;

	for (unsigned i = 0; i < 100 && rte_ring_dequeue(w->tap[port]->from_kernel, &m) != 0; i++)
		live(w, 5);
	return m;
}

void drain(struct world *w)
{
	void *m = NULL;

	live(w, 20);
	for (unsigned i = 0; i < 2; i++)
		while (rte_ring_dequeue(w->tap[i]->from_kernel, &m) == 0)
			rte_pktmbuf_free(m);
}

// The kernel asks on the wire; the answer comes back as a frame of a worker's.
static void test_resolution(struct world *w)
{
	struct mirror_stats before, after;

	devices_on_link(w->devices, NULL, NULL);
	drain(w);
	mirror_stats(w->mirror, &before);
	for (unsigned i = 0; i < 5; i++)
		mirror_resolve(w->mirror, 0, inet_addr("198.18.10.8"));
	mirror_stats(w->mirror, &after);
	CHECK(after.asked == before.asked + 1);
	CHECK(after.asked_limit == before.asked_limit + 4);
	struct rte_mbuf *m = from_kernel(w, 0);
	CHECK(m != NULL);
	if (m == NULL)
		return;
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(eth + 1);
	CHECK(pkt_cold(m)->resume == STAGE_tx);
	CHECK(eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP));
	CHECK(rte_is_same_ether_addr(&eth->src_addr, &w->plane->port[0].mac));
	CHECK(arp->arp_data.arp_tip == inet_addr("198.18.10.8"));
	const struct rte_ether_addr peer = {{2, 0, 0, 0, 9, 8}};
	eth->dst_addr = eth->src_addr;
	eth->src_addr = peer;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = peer;
	arp->arp_data.arp_sip = inet_addr("198.18.10.8");
	CHECK(rte_ring_enqueue(w->tap[0]->to_kernel, m) == 0);
	CHECK(tap_pump(w->tap[0]) == 1);
	live(w, 50);
	CHECK(l2_to(way(w, "198.18.10.8"), 8));
}

// Packets to ever new addresses use up what packets may ask for, not what gateways need.
static void test_ask_budgets(struct world *w)
{
	struct mirror_stats before, after;

	run("ip route add 10.6.0.0/16 via 198.18.20.66");
	mirror_stats(w->mirror, &before);
	for (uint32_t i = 0; i < 1000; i++)
		mirror_resolve(w->mirror, 1, htonl(0x0a050000u + i));
	mirror_stats(w->mirror, &after);
	CHECK(after.asked_limit > before.asked_limit);
	live(w, 50);
	run("ip neigh show 198.18.20.66 dev inside | grep -q INCOMPLETE");
	run("ip route del 10.6.0.0/16; ip neigh flush dev inside");
	drain(w);
}

static void test_vlan(struct world *w)
{
	drain(w);
	mirror_resolve(w->mirror, 1, inet_addr("198.18.20.8"));
	struct rte_mbuf *m = from_kernel(w, 1);
	static const uint8_t tag[6] = {0x81, 0x00, 0x00, 0x07, 0x08, 0x06};
	CHECK(m != NULL && memcmp(rte_pktmbuf_mtod_offset(m, uint8_t *, 12), tag, 6) == 0);
	CHECK(m != NULL && m->data_len == 4 + 14 + sizeof(struct rte_arp_hdr));
	rte_pktmbuf_free(m);
}

// The kernel's own packet for an encryption domain comes to the data path, without ARP on the wire.
static void test_tunnels(struct world *w)
{
	struct ip_prefix domain = prefix("100.99.0.0", 16);
	struct err err;

	CHECK(mirror_tunnel_add(w->mirror, &domain, 42, &err) == 0);
	CHECK(way(w, "100.99.1.1")->kind == NH_TUNNEL);
	CHECK(way(w, "100.99.1.1")->customer == 42);
	run("ip route show proto 200 | grep -q '100.99.0.0/16 dev outside scope link metric 1'");
	drain(w);
	run("bash -c 'echo hello > /dev/udp/100.99.1.1/5000'");
	struct rte_mbuf *m = from_kernel(w, 0);
	CHECK(m != NULL);
	if (m != NULL) {
		CHECK(pkt_cold(m)->resume == STAGE_route);
		CHECK(pkt_ip(m)->dst_addr == inet_addr("100.99.1.1"));
		CHECK(m->data_len == 20 + 8 + 6);
		CHECK(rte_ipv4_cksum(pkt_ip(m)) == 0 || rte_ipv4_cksum(pkt_ip(m)) == 0xffff);
		CHECK(pkt_tag(m)->flags == PKT_OURS);
		const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(pkt_ip(m) + 1);
		CHECK(rte_ipv4_udptcp_cksum_verify(pkt_ip(m), udp) == 0);
		rte_pktmbuf_free(m);
	}
	CHECK(w->tap[0]->proxied == 1);
	CHECK(way(w, "100.99.1.1")->kind == NH_TUNNEL);
	CHECK(mirror_tunnel_del(w->mirror, &domain, &err) == 0);
	CHECK(mirror_tunnel_del(w->mirror, &domain, &err) == -ENOENT);
	CHECK(way(w, "100.99.1.1")->kind != NH_TUNNEL);
	run("! ip route show proto 200 | grep -q 100.99");
}

// More news than the socket holds: nothing may be missing in the end.
static void test_overrun(struct world *w)
{
	struct mirror_stats before, after;

	run("i=0; while [ $i -lt 20000 ]; do echo route add 10.$((i/256)).$((i%256)).0/24 dev "
	    "inside; i=$((i+1)); done > \"$TRUNKLINE_ROUTES\"");
	mirror_stats(w->mirror, &before);
	run("ip -force -batch \"$TRUNKLINE_ROUTES\"");
	run("sed -i 's/ add / del /; / 10[.]1[.]1[.]0/d' \"$TRUNKLINE_ROUTES\"");
	run("ip -force -batch \"$TRUNKLINE_ROUTES\"; rm \"$TRUNKLINE_ROUTES\"");
	live(w, 3000);
	mirror_stats(w->mirror, &after);
	printf("overrun: %llu complete reads, %llu changes\n",
	       (unsigned long long)(after.resyncs - before.resyncs),
	       (unsigned long long)(after.updates - before.updates));
	CHECK(after.routes == before.routes + 1);
	CHECK(way(w, "10.1.1.1")->kind == NH_UNRESOLVED);
	CHECK(way(w, "10.1.2.1")->kind != NH_UNRESOLVED || way(w, "10.1.2.1")->gateway != 0);
}

static void test_name_taken(struct world *w)
{
	struct tap_params params = {.plane = w->plane, .port = 0};
	struct tap *t;
	struct err err = {0};

	CHECK(tap_open(&t, &params, &err) != 0);
	CHECK(strstr(err.text, "outside") != NULL);
}

int main(int argc, char **argv)
{
	struct ip_prefix address[] = {prefix("198.18.10.1", 24), prefix("198.18.20.1", 24)};
	struct config_port ports[] = {
		{.name = (char *)"outside",
		 .device = (char *)"ring:a",
		 .mtu = 1500,
		 .n_addresses = 1,
		 .addresses = &address[0]},
		{.name = (char *)"inside",
		 .device = (char *)"ring:b",
		 .mtu = 1400,
		 .vlan = 7,
		 .inside = true,
		 .n_addresses = 1,
		 .addresses = &address[1]},
	};
	bool huge = argc > 1 && strcmp(argv[1], "huge") == 0;
	struct config cfg = {
		.n_workers = 1,
		.workers = cpus,
		.control_cpu = -1,
		.memory_mb = 384,
		.mbufs = 8191,
		.log_level = LOGL_INFO,
		.n_ports = 2,
		.ports = ports,
		.hugepages = huge ? HUGE_ON : HUGE_OFF,
	};
	struct world w = {0};
	struct err err = {0};

	char routes[] = "/tmp/trunkline-routes-XXXXXX"; // several instances may run at once
	int fd = mkstemp(routes);
	if (fd >= 0)
		close(fd);
	setenv("TRUNKLINE_ROUTES", routes, 1);
	if (unshare(CLONE_NEWNET) != 0 || access("/dev/net/tun", W_OK) != 0) {
		fprintf(stderr, "skipped: needs root and /dev/net/tun\n");
		return SKIP;
	}
	run("ip link set lo up");
	int rc = eal_start(&cfg, &err);
	if (rc != 0) {
		fprintf(stderr, "%s\n", err.text);
		return huge && rc == -ENOMEM ? SKIP : 1;
	}
	if (world_open(&w, &cfg, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	test_addresses(&w);
	test_neighbours(&w);
	test_resolution(&w);
	test_vlan(&w);
	test_tunnels(&w);
	test_ask_budgets(&w);
	test_silent(&w);
	test_name_taken(&w);
	test_overrun(&w);
	struct ip_prefix left = prefix("100.98.0.0", 16);
	CHECK(mirror_tunnel_add(w.mirror, &left, 1, &err) == 0);
	drain(&w);
	unsigned total, in_use;
	devices_pool_usage(w.devices, &total, &in_use);
	CHECK(total == 8191 && in_use == 0);
	struct ip_prefix gone = prefix("100.97.0.0", 16); // leaves a note that waits for the worker
	CHECK(mirror_tunnel_add(w.mirror, &gone, 2, &err) == 0);
	CHECK(mirror_tunnel_del(w.mirror, &gone, &err) == 0);
	CHECK(defer_poll(w.defer) > 0);
	world_close(&w, huge);
	eal_stop();
	printf("%u checks, %u failed\n", checks, failures);
	return failures == 0 ? 0 : 1;
}
