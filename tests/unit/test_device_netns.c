// SPDX-License-Identifier: BSD-3-Clause
// Ethdevs over a pair of veths in a network namespace of our own: opened from a configuration, frames
// through them, link events, counters, and everything given back. Needs root (or a user namespace)
// and iproute2; exits 77 without. Arguments: huge|nohuge, then af_packet|af_xdp|mistakes, then an MTU.
//
//   port outside ── veth a ═══ veth b ── port inside, and port tagged (VLAN 7)
#include "edge/device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <rte_ethdev.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIP 77

static unsigned failures, checks, link_calls;

#define CHECK(what)                                                                \
	do {                                                                       \
		checks++;                                                          \
		if (!(what)) {                                                     \
			failures++;                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
		}                                                                  \
	} while (0)

static unsigned cpus[] = {0, 0};

// AF_XDP's driver leaves these behind.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:xsk_umem__create\n";
}

static void run(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		failures++;
	}
}

static void live(struct event_base *base, unsigned ms)
{
	for (unsigned i = 0; i < ms; i += 10) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(10000);
	}
}

static void on_link(void *ctx, unsigned port, bool up)
{
	(void)ctx;
	(void)port;
	(void)up;
	link_calls++;
}

// Sends a frame of len bytes out of a port and waits for it at another; 0 if it does not come.
static unsigned frame_cross(struct plane *p, struct devices *d, unsigned from, unsigned to,
			    uint16_t len)
{
	const struct device *in = &p->device[p->port[to].device];
	struct rte_mbuf *m = rte_pktmbuf_alloc(devices_pool(d, SOCKET_ID_ANY));
	unsigned got = 0;

	uint8_t *at = (uint8_t *)rte_pktmbuf_append(m, len);
	CHECK(at != NULL);
	if (at == NULL)
		return 0;
	memset(at, 0x5a, len);
	memcpy(at, &p->port[to].mac, 6);
	memcpy(at + 6, &p->port[from].mac, 6);
	at[12] = 0x88;
	at[13] = 0xb5; // local experiments
	if (rte_eth_tx_burst(p->port[from].device, 0, &m, 1) != 1) {
		rte_pktmbuf_free(m);
		return 0;
	}
	for (unsigned i = 0; got == 0 && i < 200; i++) {
		for (uint16_t q = 0; q < in->n_rxq; q++) {
			struct rte_mbuf *r[8];
			uint16_t n = rte_eth_rx_burst(in->id, q, r, 8);
			for (uint16_t k = 0; k < n; k++) {
				const uint8_t *b = rte_pktmbuf_mtod(r[k], const uint8_t *);
				if (r[k]->data_len == len && b[12] == 0x88 && b[13] == 0xb5) {
					CHECK(r[k]->nb_segs == 1 && b[len - 1] == 0x5a);
					CHECK(rte_pktmbuf_headroom(r[k]) >= 52 + 18);
					CHECK(rte_pktmbuf_tailroom(r[k]) >= 255 + 2 + 32);
					got = r[k]->data_len;
				}
				rte_pktmbuf_free(r[k]);
			}
		}
		usleep(1000);
	}
	return got;
}

static void test_frames(struct plane *p, struct devices *d, uint16_t mtu)
{
	struct device_stats before, after;

	CHECK(device_stats(d, p->port[0].device, &before) == 0);
	CHECK(frame_cross(p, d, 0, 1, 60) == 60);
	CHECK(frame_cross(p, d, 1, 0, 60) == 60);
	CHECK(frame_cross(p, d, 0, 1, (uint16_t)(mtu + 14)) == mtu + 14u);
	CHECK(device_stats(d, p->port[0].device, &after) == 0);
	CHECK(after.tx_packets >= before.tx_packets + 2);
	CHECK(after.rx_packets >= before.rx_packets + 1);
}

static void test_links(struct plane *p, struct devices *d, struct event_base *base)
{
	CHECK(p->port[0].up && p->port[1].up && p->port[2].up);
	devices_on_link(d, on_link, NULL);
	CHECK(link_calls == 3);
	run("ip link set vb down");
	live(base, 700);
	CHECK(!p->port[0].up && !p->port[1].up && !p->port[2].up);
	CHECK(link_calls == 6);
	run("ip link set vb up");
	live(base, 700);
	CHECK(p->port[0].up && p->port[1].up);
}

static void test_maps(const struct plane *p, const struct devices *d, const char *scheme)
{
	const struct device *out = &p->device[p->port[0].device];
	const struct device *in = &p->device[p->port[1].device];
	unsigned queues = strcmp(scheme, "af_packet") == 0 ? 2 : 1;

	CHECK(p->n_ports == 3 && p->n_devices == 2);
	CHECK(out->n_rxq == 1 && out->n_txq == 1);
	CHECK(in->n_rxq == queues && in->n_txq == queues);
	CHECK(p->port[1].device == p->port[2].device && in->has_vlans);
	CHECK(in->port_untagged == 2 && in->port_of_vlan[7] == 3 && in->port_of_vlan[8] == 0);
	CHECK(out->port_untagged == 1 && !out->has_vlans);
	CHECK(out->txq[out->tx_owner] == 0 && in->txq[in->tx_owner] == 0);
	CHECK(out->txq[1 - out->tx_owner] == -1);
	CHECK(in->tx_owner != out->tx_owner);
	CHECK(strncmp(device_name(d, in->id), scheme, strlen(scheme)) == 0);
	run("ip link show va | grep -q 'state UP'");
}

// What is wrong with a device is said in its own words.
static int test_mistakes(struct plane *p, struct config *cfg)
{
	struct config_port port = {
		.name = (char *)"outside", .mtu = 1500, .device = (char *)"af_packet:nowhere"};
	struct devices *d;
	struct err err = {0};

	cfg->ports = &port;
	cfg->n_ports = 1;
	CHECK(eal_start(cfg, &err) == 0);
	CHECK(devices_open(&d, p, cfg, NULL, &err) == -ENODEV);
	CHECK(strstr(err.text, "there is no interface nowhere") != NULL);
	port.device = (char *)"0000:ff:1f.7";
	CHECK(devices_open(&d, p, cfg, NULL, &err) == -ENODEV);
	CHECK(strstr(err.text, "vfio-pci") != NULL);
	port.device = (char *)"af_packet:lo";
	CHECK(devices_open(&d, p, cfg, NULL, &err) == -ENODEV);
	CHECK(strstr(err.text, "driver refuses") != NULL);
	eal_stop();
	printf("%u checks, %u failed\n", checks, failures);
	return failures == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *scheme = argc > 2 ? argv[2] : "af_packet";
	uint16_t mtu = (uint16_t)(argc > 3 ? atoi(argv[3]) : 1500);
	bool huge = argc > 1 && strcmp(argv[1], "huge") == 0;
	char a[32], b[32];
	struct config_port ports[] = {
		{.name = (char *)"outside", .device = a, .mtu = mtu, .queues = 1},
		{.name = (char *)"inside",
		 .device = b,
		 .mtu = mtu,
		 .inside = true,
		 .queues = strcmp(scheme, "af_packet") == 0 ? 2 : 1},
		{.name = (char *)"tagged", .device = b, .mtu = 1400, .inside = true, .vlan = 7},
	};
	struct config cfg = {
		.n_workers = 2,
		.workers = cpus,
		.control_cpu = 0,
		.memory_mb = 384,
		.mbufs = 16384,
		.log_level = LOGL_INFO,
		.n_ports = 3,
		.ports = ports,
		.hugepages = huge ? HUGE_ON : HUGE_OFF,
	};
	struct plane *p = aligned_alloc(64, sizeof(*p));
	struct devices *d;
	struct err err = {0};
	int rc;

	snprintf(a, sizeof(a), "%s:va", scheme);
	snprintf(b, sizeof(b), "%s:vb", scheme);
	memset(p, 0, sizeof(*p));
	p->n_workers = 2;
	if (unshare(CLONE_NEWNET) != 0) {
		fprintf(stderr, "skipped: needs root\n");
		return SKIP;
	}
	if (strcmp(scheme, "mistakes") == 0) {
		rc = test_mistakes(p, &cfg);
		free(p);
		return rc;
	}
	run("ip link add va type veth peer name vb && "
	    "echo 1 | tee /proc/sys/net/ipv6/conf/v?/disable_ipv6 > /dev/null");
	rc = eal_start(&cfg, &err);
	if (rc != 0) {
		fprintf(stderr, "%s\n", err.text);
		return huge && rc == -ENOMEM ? SKIP : 1;
	}
	struct event_base *base = event_base_new();
	if (devices_open(&d, p, &cfg, base, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	test_maps(p, d, scheme);
	live(base, 600);
	test_frames(p, d, mtu);
	test_links(p, d, base);
	// A packet socket reports that its netdev was down once, instead of sending.
	if (strcmp(scheme, "af_packet") == 0)
		frame_cross(p, d, 1, 0, 64);
	test_frames(p, d, mtu);
	devices_close(d);
	event_base_free(base);
	free(p);
	eal_stop();
	printf("%u checks, %u failed\n", checks, failures);
	return failures == 0 ? 0 : 1;
}
