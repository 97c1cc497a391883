// SPDX-License-Identifier: BSD-3-Clause
// The configuration: what a good one means, what a reload compares, where keys are left.
#include "config_lab.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

static struct config *load_good(void)
{
	struct config *c = NULL;
	char *report = config_lab_load(&c);
	cr_assert_str_empty(report, "%s", report);
	cr_assert_not_null(c);
	free(report);
	return c;
}

static const char *addr(const struct ip_addr *a)
{
	static char text[4][IP_ADDR_STRLEN];
	static unsigned i;
	return ip_addr_str(a, text[i++ % 4]);
}

TestSuite(config, .init = config_lab_open, .fini = config_lab_close);

Test(config, good_pop)
{
	struct config *c = load_good();
	cr_expect_str_eq(c->pop, "ashburn");
	cr_assert_eq(c->n_workers, 2);
	cr_expect_eq(c->workers[0], 2);
	cr_expect_eq(c->workers[1], 3);
	cr_expect_eq(c->control_cpu, 0);
	cr_expect_eq(c->idle, IDLE_POLL);
	cr_expect_eq(c->hugepages, HUGE_OFF);
	cr_expect_eq(c->memory_mb, 512);
	cr_expect_eq(c->mbufs, 65536);
	cr_expect_eq(c->max_calls, 1000);
	cr_expect_eq(c->max_sas, 100);
	cr_expect_eq(c->max_customers, 10);
	cr_expect_eq(c->punt_rate, 2000);
	cr_expect_str_eq(c->run_dir, "/run/trunkline");
	cr_expect_str_eq(c->api_socket, "/run/trunkline/api.sock");
	cr_expect_str_eq(c->api_group, "trunkline");
	cr_expect_eq(c->log_level, LOGL_NOTICE);
	config_free(c);
}

Test(config, good_ports_and_media)
{
	struct config *c = load_good();
	cr_assert_eq(c->n_ports, 2);
	const struct config_port *p = c->ports;
	cr_expect_str_eq(p[0].name, "outside");
	cr_expect_str_eq(p[0].device, "0000:3b:00.0");
	cr_expect_not(p[0].inside);
	cr_expect_eq(p[0].vlan, 100);
	cr_expect_eq(p[0].mtu, 1500);
	cr_expect_eq(p[0].queues, 4);
	cr_expect_eq(p[0].line, 10);
	cr_expect(p[1].inside);
	cr_expect_eq(p[1].vlan, 0);
	cr_expect_eq(p[1].mtu, 1500);
	cr_expect_eq(p[1].queues, 0);
	cr_assert_eq(p[1].n_addresses, 2);
	cr_expect_str_eq(addr(&p[1].addresses[1].addr), "198.18.21.1");
	cr_expect_eq(p[1].addresses[1].len, 24);
	cr_assert_eq(c->n_media, 2);
	cr_expect_str_eq(addr(&c->media[0].address), "198.18.30.1");
	cr_expect_eq(c->media[0].port_lo, 10000);
	cr_expect_eq(c->media[0].port_hi, 59999);
	cr_expect_eq(c->media[0].port, 1);
	cr_expect_eq(c->media[1].port, 0);
	config_free(c);
}

Test(config, good_customer)
{
	struct config *c = load_good();
	cr_assert_eq(c->n_customers, 3);
	const struct config_customer *k = c->customers;
	cr_expect_str_eq(k->name, "acme");
	cr_expect_str_eq(k->file, "customers.d/acme.yaml");
	cr_expect_eq(k->rate, 100000000);
	cr_expect_eq(k->burst_ms, 30);
	cr_expect_eq(k->worker, 1);
	cr_expect_str_eq(addr(&k->gateway), "203.0.113.9");
	cr_assert_eq(k->n_domain, 2);
	cr_expect_eq(k->domain[1].len, 26);
	cr_assert_eq(k->n_allow, 3);
	cr_expect_eq(k->allow[0].proto, IPPROTO_UDP);
	cr_expect_eq(k->allow[0].port_lo, 5060);
	cr_expect_eq(k->allow[0].port_hi, 5061);
	cr_expect_eq(k->allow[1].proto, IPPROTO_ICMP);
	cr_expect_eq(k->allow[1].net.len, 32);
	cr_expect_eq(k->allow[2].proto, 0);
	cr_expect_eq(k->allow[2].port_hi, 65535);
	cr_expect_eq(k[1].rate, 0);
	cr_expect_eq(k[1].burst_ms, 20);
	cr_expect_eq(k[1].worker, -1);
	config_free(c);
}

Test(config, good_sa)
{
	static const uint8_t key[20] = {0x10, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
					0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 1,    2,    3,    4};
	struct config *c = load_good();
	cr_assert_eq(c->customers[0].n_sas, 2);
	const struct config_sa *s = &c->customers[0].sas[0], *t = s + 1;
	cr_expect_eq(s->suite, SUITE_AES_GCM_128);
	cr_expect_eq(s->spi_in, 0xc1000a01);
	cr_expect_eq(s->spi_out, 4096);
	cr_expect_arr_eq(s->material_out, key, 20);
	cr_expect_eq(s->material_out[20], 0);
	cr_expect_str_eq(addr(&s->local.addr), "198.18.10.1");
	cr_expect_eq(s->local.port, 4500);
	cr_expect_str_eq(addr(&s->peer.addr), "203.0.113.9");
	cr_expect_eq(s->peer.port, 4500);
	cr_expect(s->encap && s->esn && s->ecn && s->dscp);
	cr_expect_eq(s->df, DF_SET);
	cr_expect_eq(s->window, 256);
	cr_expect_eq(s->tfc_pad, 1000);
	cr_assert_eq(s->n_local, 2);
	cr_assert_eq(s->n_remote, 1);
	cr_expect_eq(s->local_nets[1].len, 32);
	cr_expect_eq(s->remote_nets[0].len, 26);
	cr_expect_eq(s->proto, IPPROTO_UDP);
	cr_expect_eq(s->port_lo, 5060);
	cr_expect_eq(s->port_hi, 5061);
	cr_expect_eq(t->suite, SUITE_AES_CBC_256_SHA256);
	cr_expect_eq(t->spi_out, 0xffffffff);
	cr_expect_eq(t->material_in[63], 0x3f);
	cr_expect_str_eq(addr(&t->peer.addr), "203.0.113.10");
	cr_expect_eq(t->peer.port, 0);
	cr_expect_not(t->encap || t->esn || t->ecn || t->dscp);
	cr_expect_eq(t->df, DF_COPY);
	cr_expect_eq(t->window, 1024);
	cr_assert_eq(t->n_local, 1);
	cr_expect_eq(t->local_nets[0].addr.family, AF_INET);
	cr_expect_eq(t->local_nets[0].len, 0);
	cr_expect_eq(t->n_remote, 2);
	cr_expect_eq(t->port_lo, 0);
	cr_expect_eq(t->port_hi, 65535);
	config_free(c);
}

Test(config, good_calls)
{
	struct config *c = load_good();
	cr_assert_eq(c->n_calls, 2);
	const struct config_call *one = &c->calls[0], *two = &c->calls[1];
	cr_expect_str_eq(one->id, "one");
	cr_expect_eq(one->clock_rate, 16000);
	cr_expect_eq(one->timeout, 0);
	cr_expect_str_eq(addr(&one->leg[0].media), "198.18.10.2");
	cr_expect_eq(one->leg[0].port, 20000);
	cr_expect_str_eq(addr(&one->leg[0].remote.addr), "192.0.2.10");
	cr_expect_eq(one->leg[0].remote.port, 4000);
	cr_expect(one->leg[0].latch);
	cr_expect_not(one->leg[0].mux);
	cr_expect_eq(one->leg[0].dscp, 46);
	cr_expect_eq(one->leg[0].customer, 0);
	cr_expect_not(one->leg[1].latch);
	cr_expect_eq(one->leg[1].dscp, -1);
	cr_expect_eq(one->leg[1].customer, -1);
	cr_expect_eq(two->clock_rate, 8000);
	cr_expect_eq(two->timeout, 60);
	cr_expect(two->leg[0].mux);
	cr_expect(two->leg[0].latch);
	cr_expect_eq(two->leg[0].remote.addr.family, 0);
	cr_expect_eq(two->leg[1].port, 0);
	config_free(c);
}

Test(config, defaults)
{
	struct config *c = NULL;
	config_lab_write("trunkline.yaml", 0644,
			 "pop: p\nworkers: [1]\nports:\n- {name: in0, device: 'tap:t0', addresses: "
			 "[198.18.0.1/24]}\n");
	char *report = config_lab_load(&c);
	cr_assert_str_empty(report, "%s", report);
	cr_expect_eq(c->control_cpu, -1);
	cr_expect_eq(c->idle, IDLE_POLL);
	cr_expect_eq(c->hugepages, HUGE_AUTO);
	cr_expect_eq(c->memory_mb, 768);
	cr_expect_eq(c->mbufs, 65536);
	cr_expect_eq(c->max_calls, 50000);
	cr_expect_eq(c->max_sas, 8192);
	cr_expect_eq(c->max_customers, 4096);
	cr_expect_eq(c->punt_rate, 2000);
	cr_expect_null(c->api_group);
	cr_expect_eq(c->log_level, LOGL_INFO);
	cr_expect_eq(c->n_customers + c->n_calls + c->n_media, 0);
	cr_expect(c->ports[0].inside);
	free(report);
	config_free(c);
}

// A machine whose CPUs are shared gets workers that sleep.
Test(config, idle_by_machine)
{
	static const struct {
		const char *text;
		unsigned cpus;
		enum config_idle idle;
	} cases[] = {
		{"workers: [1]\ncontrol_cpu: 0\n", 2, IDLE_SLEEP},
		{"workers: [1]\ncontrol_cpu: 0\n", 4, IDLE_POLL},
		{"workers: [1]\ncontrol_cpu: 1\n", 4, IDLE_SLEEP},
		{"workers: [0, 1, 2, 3]\n", 4, IDLE_SLEEP},
		{"workers: [1, 2, 3]\n", 4, IDLE_POLL},
		{"workers: [1]\nidle: poll\n", 2, IDLE_POLL},
		{"workers: [1]\nidle: sleep\n", 4, IDLE_SLEEP},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[512];
		snprintf(text, sizeof(text),
			 "pop: p\nports:\n- {name: in0, device: 'tap:t0', addresses: "
			 "[198.18.0.1/24]}\n%s",
			 cases[i].text);
		const struct config_machine m = {cases[i].cpus, NULL};
		const struct config_source s = {"t", text, strlen(text), 0};
		struct config *c = NULL;
		cr_assert_eq(config_load_sources(&m, &s, NULL, 0, &c, stderr), 0, "case %zu", i);
		cr_expect_eq(c->idle, cases[i].idle, "case %zu", i);
		config_free(c);
	}
}

Test(config, examples_are_right)
{
	struct config *c = NULL;
	config_lab_copy(CONFIG_EXAMPLES);
	char *report = config_lab_load(&c);
	cr_assert_str_empty(report, "%s", report);
	cr_expect_eq(c->n_customers, 2);
	free(report);
	config_free(c);
}

Test(config, other_files_are_not_read)
{
	struct config *c = NULL;
	config_lab_write("customers.d/.hidden.yaml", 0644, "[");
	config_lab_write("customers.d/acme.yaml~", 0644, "[");
	config_lab_write("customers.d/acme.yaml.bak", 0644, "[");
	config_lab_write("customers.d/README", 0644, "[");
	char *report = config_lab_load(&c);
	cr_assert_str_empty(report, "%s", report);
	cr_expect_eq(c->n_customers, 3);
	free(report);
	config_free(c);
}

Test(config, main_file_unreadable)
{
	struct config *c = NULL;
	config_lab_remove("trunkline.yaml");
	char *report = NULL;
	cr_expect_eq(config_lab_load_ret(&c, &report), -ENOENT);
	cr_expect_null(c);
	cr_expect_str_eq(report,
			 "trunkline.yaml:1: file: cannot be read: No such file or directory\n"
			 "1 mistake in 1 file; nothing was applied\n");
	free(report);
}

// --- What a reload compares

static struct config *load_changed(const char *file, const char *from, const char *to)
{
	struct config *c = NULL;
	config_lab_reset();
	if (from != NULL)
		cr_assert(config_lab_edit(file, from, to), "%s is not once in %s", from, file);
	char *report = config_lab_load(&c);
	cr_assert_str_empty(report, "%s", report);
	free(report);
	return c;
}

Test(config, static_changes)
{
	static const struct {
		const char *from, *to, *change;
	} cases[] = {
		{NULL, NULL, NULL},
		{"pop: ashburn", "pop: london", NULL},
		{"log: notice", "log: debug", NULL},
		{"timeout: 0", "timeout: 9", NULL},
		{"workers: [2, 3]", "workers: [3, 2]", "workers"},
		{"workers: [2, 3]", "workers: [2, 3, 4]", "workers"},
		{"control_cpu: 0", "control_cpu: 1", "control_cpu"},
		{"control_cpu: 0", "idle: sleep", "control_cpu"},
		{"log: notice", "idle: sleep", "idle"},
		{"hugepages: off", "hugepages: on", "memory.hugepages"},
		{"megabytes: 512", "megabytes: 1024", "memory.megabytes"},
		{"mbufs: 65536", "mbufs: 65537", "memory.mbufs"},
		{"calls: 1000", "calls: 1001", "limits.calls"},
		{"sas: 100", "sas: 101", "limits.sas"},
		{"customers: 10", "customers: 11", "limits.customers"},
		{"punt_rate: 2000", "punt_rate: 100", "limits.punt_rate"},
		{"punt_rate: 2000", "punt_rate: 2000, port_quarantine: 11",
		 "limits.port_quarantine"},
		{"punt_rate: 2000", "punt_rate: 2000, punt_source_rate: 100",
		 "limits.punt_source_rate"},
		{"log: notice", "run_dir: /run/other", "run_dir"},
		{"group: trunkline", "socket: /run/x.sock", "api.socket"},
		{"group: trunkline", "group: other", "api.group"},
		{"log: notice", "control: { ng: [127.0.0.1:2223] }", "control.ng"},
		{"mtu: 1500", "mtu: 1600", "ports[0].mtu"},
		{"vlan: 100", "vlan: 101", "ports[0].vlan"},
		{"queues: 4", "queues: 5", "ports[0].queues"},
		{"queues: 4", "side: inside", "ports[0].side"},
		{"af_xdp:eth1", "af_xdp:eth2", "ports[1].device"},
		{", 198.18.21.1/24", "", "ports[1].addresses"},
		{"198.18.21.1/24", "198.18.21.1/25", "ports[1].addresses"},
		{"10000-59999", "10000-49999", "media[0].ports"},
		{"10000-59999, on: inside", "10000-59999, on: outside", "media[0].on"},
	};
	struct config *old = load_good();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c = load_changed("trunkline.yaml", cases[i].from, cases[i].to);
		const char *change = config_static_change(old, c);
		cr_expect_str_eq(change ? change : "none",
				 cases[i].change ? cases[i].change : "none", "case %zu: %s", i,
				 cases[i].to);
		config_free(c);
	}
	config_free(old);
}

Test(config, equal_customers)
{
	static const struct {
		const char *from, *to;
		bool customer, sa;
	} cases[] = {
		{NULL, NULL, true, true},
		{"tier: 100M", "# a comment moves lines\ntier: 100M", true, true},
		{"tier: 100M", "tier: 1G", false, true},
		{"burst_ms: 30", "burst_ms: 31", false, true},
		{"worker: 1", "worker: any", false, true},
		{"gateway: 203.0.113.9", "gateway: 203.0.113.8", false, false}, // is the SA's peer
		{"203.0.113.64/26", "203.0.113.64/27", false, true},
		{"198.18.20.10 icmp", "198.18.20.11 icmp", false, true},
		{"198.18.20.10 icmp", "198.18.20.10 tcp", false, true},
		{"5060-5061\n  - 198", "5060\n  - 198", false, true},
		{"  - 198.18.21.0/24\n", "", false, true},
		{"0xc1000a01", "0xc1000a0f", true, false},
		{"4096", "4097", true, false},
		{"\"00112233", "\"01112233", true, false},
		{": 10112233", ": 11112233", true, false},
		{"local: 198.18.10.1\n    encap", "local: 198.18.10.1:4501\n    encap", true,
		 false},
		{"    encap: true", "    encap: false", true, false},
		{"esn: true", "esn: false", true, false},
		{"esn: true", "esn: true\n    ecn: no", true, false},
		{"esn: true", "esn: true\n    dscp: no", true, false},
		{"df: set", "df: clear", true, false},
		{"window: 256", "window: 512", true, false},
		{"tfc_pad: 1000", "tfc_pad: 999", true, false},
		{"30.1]", "30.2]", true, false},
		{"192.0.2.0/26", "192.0.2.64/26", true, false},
		{"    proto: udp", "    proto: tcp", true, false},
		{"    ports: 5060-5061", "    ports: 5060-5062", true, false},
	};
	struct config *old = load_good();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c =
			load_changed("customers.d/acme.yaml", cases[i].from, cases[i].to);
		cr_expect_eq(config_customer_equal(&old->customers[0], &c->customers[0]),
			     cases[i].customer, "case %zu: %s", i, cases[i].to);
		cr_expect_eq(config_sa_equal(&old->customers[0].sas[0], &c->customers[0].sas[0]),
			     cases[i].sa, "case %zu: %s", i, cases[i].to);
		config_free(c);
	}
	cr_expect_not(config_customer_equal(&old->customers[0], &old->customers[1]));
	config_free(old);
}

Test(config, equal_calls)
{
	static const struct {
		const char *from, *to;
		bool equal;
	} cases[] = {
		{NULL, NULL, true},
		{"log: notice", "log: notice\n\n", true},
		{"id: one", "id: uno", false},
		{"clock_rate: 16000", "clock_rate: 8000", false},
		{"timeout: 0", "timeout: 1", false},
		{"port: 20000", "port: 20002", false},
		{"192.0.2.10:4000", "192.0.2.10:4002", false},
		{"192.0.2.10:4000", "192.0.2.11:4000", false},
		{"latch: yes", "latch: no", false},
		{"latch: yes", "mux: yes\n      latch: yes", false},
		{"dscp: 46", "dscp: 0", false},
		{"      customer: acme\n", "", false},
		{"10002, remote", "10004, remote", false},
	};
	struct config *old = load_good();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c = load_changed("trunkline.yaml", cases[i].from, cases[i].to);
		cr_expect_eq(config_call_equal(old, &old->calls[0], c, &c->calls[0]),
			     cases[i].equal, "case %zu: %s", i, cases[i].to);
		config_free(c);
	}
	// A customer before it in the order of the files changes its index and nothing else.
	config_lab_reset();
	config_lab_write("customers.d/aaa.yaml", 0600,
			 "name: aaa\ntier: 1G\ndomain: [198.51.100.0/28]\n");
	struct config *c = NULL;
	free(config_lab_load(&c));
	cr_assert_not_null(c);
	cr_expect_eq(c->calls[0].leg[0].customer, 1);
	cr_expect(config_call_equal(old, &old->calls[0], c, &c->calls[0]));
	config_free(c);
	config_free(old);
}
