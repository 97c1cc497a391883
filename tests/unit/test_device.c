// SPDX-License-Identifier: BSD-3-Clause
// "device:" keys and EAL arguments; no EAL is started.
#include "edge/device_priv.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct device_spec spec_of(const char *text, unsigned index, struct device_want want,
				  unsigned workers)
{
	struct device_spec spec;
	struct err err = {0};

	cr_assert_eq(device_spec_parse(text, index, &want, workers, &spec, &err), 0, "%s: %s", text,
		     err.text);
	return spec;
}

Test(device_spec, every_kind)
{
	static const struct {
		const char *text, *name, *args;
		enum device_kind kind;
	} t[] = {
		{"0000:3b:00.0", "0000:3b:00.0", "0000:3b:00.0", DEV_PCI},
		{"3b:00.1", "0000:3b:00.1", "0000:3b:00.1", DEV_PCI},
		{"af_xdp:eth1", "net_af_xdp3", "net_af_xdp3,iface=eth1,start_queue=0,queue_count=1",
		 DEV_AF_XDP},
		{"af_packet:eth1", "net_af_packet3",
		 "net_af_packet3,iface=eth1,qpairs=1,blocksz=32768,framesz=2048,framecnt=4096",
		 DEV_AF_PACKET},
		{"tap:t0", "net_tap3", "net_tap3,iface=t0", DEV_TAP},
		{"ring:a", "net_ring_a", "net_ring_a", DEV_RING},
		{"pcap:in.pcap", "net_pcap3", "net_pcap3,rx_pcap=in.pcap", DEV_PCAP},
		{"pcap:in.pcap,out.pcap", "net_pcap3", "net_pcap3,rx_pcap=in.pcap,tx_pcap=out.pcap",
		 DEV_PCAP},
		{"vdev:net_null7,size=64", "net_null7", "net_null7,size=64", DEV_VDEV},
		{"vdev:net_null7", "net_null7", "net_null7", DEV_VDEV},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct device_spec s = spec_of(t[i].text, 3, (struct device_want){.mtu = 1500}, 4);
		cr_expect_eq(s.kind, t[i].kind, "%s", t[i].text);
		cr_expect_str_eq(s.name, t[i].name);
		cr_expect_str_eq(s.args, t[i].args);
	}
}

Test(device_spec, af_packet_frames_hold_the_mtu)
{
	struct device_spec s = spec_of("af_packet:e", 0, (struct device_want){.mtu = 9000}, 1);
	unsigned block, frame, count;

	cr_assert_eq(sscanf(s.args,
			    "net_af_packet0,iface=e,qpairs=1,blocksz=%u,framesz=%u,"
			    "framecnt=%u",
			    &block, &frame, &count),
		     3);
	cr_expect_geq(frame, 9000 + 100);
	cr_expect_leq(frame - 32 + 128, mbuf_room(9000), "the driver checks that");
	cr_expect_eq(block % 4096, 0);
	cr_expect_eq(block % frame, 0);
	cr_expect_eq(count % (block / frame), 0);
}

Test(device_spec, queues_are_limited_by_workers)
{
	struct device_spec s =
		spec_of("af_packet:e", 0, (struct device_want){.mtu = 1500, .queues = 8}, 2);

	cr_expect_not_null(strstr(s.args, "qpairs=2,"));
}

Test(device_spec, mistakes)
{
	static const char *const t[] = {
		"",
		"eth0",
		"0000:3b:00",
		"0000:3b:00.0x",
		"00g0:3b:00.0",
		"af_xdp:",
		"af_packet:",
		"af_packet:sixteen-letters-",
		"af_packet:eth0,framesz=1",
		"tap:a/b",
		"ring:",
		"ring:a,b",
		"ring:bench-out",
		"pcap:",
		"pcap:,out",
		"pcap:in,",
		"vdev:",
		"vdev:,x",
		"AF_PACKET:eth0",
	};
	struct device_want want = {.mtu = 1500};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct device_spec s;
		struct err err = {0};
		cr_expect_eq(device_spec_parse(t[i], 0, &want, 1, &s, &err), -EINVAL, "%s", t[i]);
		cr_expect_not_null(strstr(err.text, t[i]), "\"%s\" does not name %s", err.text,
				   t[i]);
	}
}

static unsigned cpus[] = {1, 1, 3};

static struct config config_make(struct config_port *ports, unsigned n)
{
	return (struct config){
		.n_workers = 3,
		.workers = cpus,
		.control_cpu = -1,
		.memory_mb = 512,
		.log_level = LOGL_INFO,
		.n_ports = n,
		.ports = ports,
	};
}

static bool has(const struct eal_args *a, const char *arg)
{
	for (int i = 0; i < a->argc; i++)
		if (strcmp(a->argv[i], arg) == 0)
			return true;
	return false;
}

Test(eal_args, no_huge)
{
	struct config_port ports[] = {
		{.name = (char *)"outside", .device = (char *)"af_packet:e0", .mtu = 1500},
		{.name = (char *)"inside", .device = (char *)"tap:t0", .mtu = 1500},
	};
	struct config cfg = config_make(ports, 2);
	struct eal_env env = {.huge = false, .cpus = "0-1,3", .pid = 77, .lockable = UINT64_MAX};
	struct eal_args a;
	struct err err = {0};

	cr_assert_eq(eal_args_build(&cfg, &env, &a, &err), 0, "%s", err.text);
	cr_expect_null(a.argv[a.argc]);
	cr_expect(has(&a, "--lcores=0@(0-1,3),1@1,2@1,3@3"));
	cr_expect(has(&a, "--main-lcore=0"));
	cr_expect(has(&a, "--no-huge"));
	cr_expect(has(&a, "--no-shconf"));
	cr_expect(has(&a, "-m"));
	cr_expect(has(&a, "512"));
	cr_expect(!has(&a, "--in-memory"));
	cr_expect(has(&a, "--file-prefix=trunkline-77"));
	cr_expect(has(&a, "--no-pci"));
	cr_expect(has(&a, "--no-telemetry"));
	cr_expect(has(&a, "--log-level=*:error"));
	cr_expect(has(&a, "--vdev=net_tap1,iface=t0"));
	eal_args_free(&a);
	cr_expect_eq(a.argc, 0);
}

Test(eal_args, huge_and_pci)
{
	struct config_port ports[] = {
		{.name = (char *)"outside", .device = (char *)"0000:3b:00.0", .mtu = 1500},
		{.name = (char *)"x", .device = (char *)"0000:3b:00.0", .mtu = 9000, .vlan = 7},
	};
	struct config cfg = config_make(ports, 2);
	struct eal_env env = {.huge = true, .cpus = "0", .pid = 1, .lockable = UINT64_MAX};
	struct eal_args a;
	int allows = 0;

	cfg.control_cpu = 2;
	cfg.log_level = LOGL_DEBUG;
	cr_assert_eq(eal_args_build(&cfg, &env, &a, NULL), 0);
	for (int i = 0; i < a.argc; i++)
		allows += strncmp(a.argv[i], "--allow=", 8) == 0;
	cr_expect_eq(allows, 1, "a device that two ports share comes once");
	cr_expect(has(&a, "--lcores=0@2,1@1,2@1,3@3"));
	cr_expect(has(&a, "--in-memory"));
	cr_expect(!has(&a, "--no-huge"));
	cr_expect(!has(&a, "--no-pci"));
	cr_expect(has(&a, "--log-level=*:info"));
	eal_args_free(&a);
	cr_expect_eq(device_want(&cfg, "0000:3b:00.0").mtu, 9000);
	cr_expect(device_want(&cfg, "0000:3b:00.0").vlan);
	cr_expect_eq(device_first_port(&cfg, 1), 0);
}

Test(eal_args, mistakes_name_the_port)
{
	struct config_port port = {.name = (char *)"outside", .device = (char *)"eth0"};
	struct config cfg = config_make(&port, 1);
	struct eal_env env = {.cpus = "0"};
	struct eal_args a;
	struct err err = {0};

	cr_expect_eq(eal_args_build(&cfg, &env, &a, &err), -EINVAL);
	cr_expect_eq(strncmp(err.text, "port outside: ", 14), 0, "%s", err.text);
	cfg.n_workers = 0;
	cr_expect_eq(eal_args_build(&cfg, &env, &a, &err), -EINVAL);
}

Test(mbuf_room, holds_the_packet_and_what_esp_adds)
{
	cr_expect_geq(mbuf_room(576), 2048 + 128);
	for (unsigned mtu = 576; mtu <= 9000; mtu += 4) {
		cr_assert_geq(mbuf_room((uint16_t)mtu), mtu + 128 + 256 + 22 + 255 + 2 + 32);
		cr_assert_eq(mbuf_room((uint16_t)mtu) % 64, 0);
	}
}

Test(eal_args, packet_rings_stay_below_the_lock_limit)
{
	struct config_port ports[] = {
		{.name = (char *)"a", .device = (char *)"af_packet:e0", .mtu = 1500},
		{.name = (char *)"b", .device = (char *)"af_packet:e1", .mtu = 9000, .queues = 2},
		{.name = (char *)"c", .device = (char *)"af_packet:e1", .mtu = 1500, .vlan = 7},
	};
	struct config cfg = config_make(ports, 3);
	uint64_t limit = 8 << 20;
	unsigned n = packet_frames_fit(&cfg, limit);

	cr_expect_eq(packet_frames_fit(&cfg, UINT64_MAX), 0);
	cr_expect_eq(n % 16, 0);
	cr_expect_lt(2ull * n * (2048 + 2 * 9216), limit);
	cr_expect_gt(2ull * (n + 32) * (2048 + 2 * 9216), limit / 10 * 9);
	cr_expect_eq(packet_frames_fit(&cfg, 1000), 16);
	cfg.n_ports = 0;
	cr_expect_eq(packet_frames_fit(&cfg, limit), 0);
}
