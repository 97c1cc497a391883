// SPDX-License-Identifier: BSD-3-Clause
// FOR TESTS ONLY: the daemon's real API server and handlers over a control thread that is made up.
// The views give fixed data, the operations keep just enough to answer; no packet ever moves.
//
//     cli_fake SOCKET [clients request_s answer_s idle_s out_bytes]
//
// Ends on SIGTERM. With customer "many", there are 3,000 calls; call "many" has so many
// streams that its answer is some 3 MB.
#include "cli_fake.h"

#include "api/api.h"
#include "api/api_server.h"
#include "base/log.h"
#include "control.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS 2000

void view_status(struct control *ctl, struct view_status *out)
{
	*out = (struct view_status){
		.pop = "ashburn",
		.crypto = "ipsec-mb 1.3.0, AVX512 with VAES",
		.dpdk = "DPDK 22.11.11",
		.uptime = 12 * 86400 + 4 * 3600,
		.workers = 2,
		.ports = 2,
		.ports_up = 1,
		.customers = 213,
		.customers_up = 212,
		.sas_in = 424,
		.sas_out = 424,
		.sas_max = 4096,
		.sas_exhausted = 1,
		.tunnels = 213,
		.tunnels_up = 212,
		.worst = "acme",
		.worst_why = "its gateway does not answer",
		.worst_for = 41,
		.calls = 8412,
		.calls_max = 30000,
		.calls_hairpin = 62,
		.calls_silent = 3,
		.calls_one_way = 5,
		.calls_held = 1040,
		.calls_ringing = 17,
		.routes = 5,
		.in = {1204512.5, 3.1e9},
		.out = {1204500, 3.1e9},
		.drop_pps = 14,
		.drops = 1234567,
		.hugepages = true,
		.memory_mb = 512,
		.mbufs = 65536,
		.mbufs_used = 1234,
		.tracing = ctl->tracing,
	};
}

size_t view_ports(struct control *ctl, struct view_port **out)
{
	static const struct view_port ports[] = {
		{.name = "outside",
		 .device = "0000:3b:00.0",
		 .up = true,
		 .speed_mbps = 25000,
		 .mtu = 1500,
		 .mac = {2, 0, 0, 0, 0, 1},
		 .rx_queues = 2,
		 .tx_queues = 2,
		 .n_addresses = 1,
		 .addresses = {NET(198, 18, 10, 1, 24)},
		 .rx_packets = 123456789,
		 .rx_bytes = 30000000000,
		 .tx_packets = 123456000,
		 .tx_bytes = 29000000000,
		 .rx_missed = 7,
		 .kernel_in = 12,
		 .kernel_out = 34,
		 .rx = {602000, 1.55e9},
		 .tx = {602000, 1.55e9}},
		{.name = "inside",
		 .device = "0000:3b:00.1",
		 .inside = true,
		 .mtu = 1500,
		 .vlan = 17,
		 .mac = {2, 0, 0, 0, 0, 2},
		 .rx_queues = 1,
		 .tx_queues = 1},
	};
	(void)ctl;
	*out = copy(ports, sizeof(ports));
	return COUNT(ports);
}

size_t view_workers(struct control *ctl, struct view_worker **out)
{
	static const struct view_worker workers[] = {
		{.id = 0,
		 .cpu = 2,
		 .busy = 0.38,
		 .rounds = 1000000,
		 .busy_rounds = 380000,
		 .packets = 61728394,
		 .pps = 301000,
		 .cycles_per_packet = 812.4,
		 .handed_over = 17,
		 .taken_over = 18,
		 .handed_over_pps = 0.5,
		 .customers = 107,
		 .sas = 214,
		 .legs = 8400,
		 .mbufs = 600,
		 .rx_queues = 2},
		{.id = 1, .cpu = 3, .sleeps = true, .busy = 0.0001, .rx_queues = 1},
	};
	(void)ctl;
	*out = copy(workers, sizeof(workers));
	return COUNT(workers);
}

size_t view_stages(struct control *ctl, bool per_worker, struct view_stage **out)
{
	static const struct view_stage stages[] = {
		{"rx", "packets of the queues", -1, 1000, 100, 50, 40.25},
		{"classify", "whose packet is it", -1, 0, 0, 0, 0},
	};
	(void)ctl;
	struct view_stage *s = copy(stages, sizeof(stages));
	s[0].worker = per_worker ? 0 : -1;
	s[1].worker = per_worker ? 1 : -1;
	*out = s;
	return COUNT(stages);
}

size_t view_drops(struct control *ctl, struct view_drop **out)
{
	static const struct view_drop drops[] = {
		{"rx-malformed", "shorter than an Ethernet header", 0, 0},
		{"esp-replayed", "sequence number seen already", 1000000, 2},
		{"tier-in", "over the customer's tier, inbound", 234567, 12},
	};
	(void)ctl;
	*out = copy(drops, sizeof(drops));
	return COUNT(drops);
}

size_t view_sas(struct control *ctl, const char *customer, size_t limit, struct view_sa **out,
		size_t *total)
{
	static const struct view_sa sas[] = {
		{.spi = 0xc1000a2f,
		 .pair = 0x8fd01c77,
		 .customer = "acme",
		 .suite = "aes256gcm16",
		 .local = AT(198, 18, 10, 1, 4500),
		 .peer = AT(203, 0, 113, 9, 4500),
		 .esn = true,
		 .encap = true,
		 .window = 1024,
		 .seq = 5000000000,
		 .packets = 1200000000,
		 .bytes = 288000000000,
		 .age = 10800,
		 .last = 0.012,
		 .replayed = 2,
		 .owner = 1,
		 .n_local = 2,
		 .n_remote = 1,
		 .local_net = NET(198, 18, 30, 0, 24),
		 .remote_net = NET(192, 0, 2, 0, 24)},
		{.out = true,
		 .spi = 0x8fd01c77,
		 .pair = 0xc1000a2f,
		 .customer = "acme",
		 .suite = "aes256gcm16",
		 .local = AT(198, 18, 10, 1, 0),
		 .peer = AT(203, 0, 113, 9, 0),
		 .exhausted = true,
		 .seq = 4294967295,
		 .packets = 4294967295,
		 .age = 10800,
		 .last = -1,
		 .exhausted_packets = 9,
		 .owner = 1},
	};
	(void)ctl;
	(void)customer;
	size_t n = limit == 0 || limit > COUNT(sas) ? COUNT(sas) : limit;
	*out = copy(sas, sizeof(sas));
	*total = COUNT(sas);
	return n;
}

static const struct view_call a_call = {
	.id = "7f3a",
	.age = 161,
	.state = "one-way",
	.clock_rate = 8000,
	.timeout = 60,
	.leg = {{.local = AT(198, 18, 30, 1, 10000),
		 .remote = AT(192, 0, 2, 17, 14004),
		 .rtcp = AT(192, 0, 2, 17, 14005),
		 .seen = AT(192, 0, 2, 17, 14004),
		 .customer = "acme",
		 .codec = "G.711",
		 .srtp_in = "AES_CM_128_HMAC_SHA1_80",
		 .srtp_out = "AES_CM_128_HMAC_SHA1_80",
		 .recv = true,
		 .send = true,
		 .latch = VIEW_LATCH_LEARNED,
		 .learned = 160,
		 .mos = 4.35,
		 .rtt_ms = 21.4,
		 .burst = 3,
		 .silent_share = 0.12,
		 .srtp_auth = 4,
		 .rate = {50, 68800},
		 .dscp = 46,
		 .owner = 1,
		 .ssrc = 0xdeadbeef,
		 .rx_packets = 8050,
		 .rx_bytes = 1384600,
		 .lost = 8,
		 .lost_share = 0.00099,
		 .jitter_ms = 3.14,
		 .refused = 1,
		 .tx_packets = 8000,
		 .tx_bytes = 1376000,
		 .rtcp_rx_packets = 32,
		 .rtcp_tx_packets = 31,
		 .last = 0.02},
		{.local = AT(198, 18, 30, 1, 10002),
		 .latch = VIEW_LATCH_OPEN,
		 .recv = true,
		 .send = true,
		 .learned = -1,
		 .silent_share = -1,
		 .mux = true,
		 .dscp = -1,
		 .last = -1}},
};

size_t view_calls(struct control *ctl, const struct view_calls_filter *f, struct view_call **out,
		  size_t *total, struct view_calls_place *last)
{
	(void)ctl;
	*total = f->customer != NULL && strcmp(f->customer, "many") == 0 ? 3000 : 1;
	if (f->state != NULL && strcmp(f->state, a_call.state) != 0)
		*total = 0;
	if (f->min_loss > a_call.leg[0].lost_share ||
	    (f->max_mos > 0 && f->max_mos < a_call.leg[0].mos))
		*total = 0;
	size_t n = *total > f->after.serial ? *total - f->after.serial : 0;
	n = n > f->limit ? f->limit : n;
	*last = (struct view_calls_place){-2.5, f->after.serial + n};
	struct view_call *calls = calloc(n + 1, sizeof(*calls));
	if (calls == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		calls[i] = a_call;
	*out = calls;
	return n;
}

char *view_call_id(const char *key, char buf[static VIEW_CALL_ID_MAX])
{
	snprintf(buf, VIEW_CALL_ID_MAX, "%s", key);
	return buf;
}

size_t view_call(struct control *ctl, const char *id, struct view_call **out, size_t *total)
{
	bool added = id[0] != '\0' && strcmp(id, ctl->call) == 0;

	*out = NULL;
	*total = strcmp(id, "7f") == 0 ? 2 : 0;
	if (strcmp(id, "many") == 0) {
		if ((*out = calloc(STREAMS, sizeof(**out))) == NULL)
			abort();
		for (size_t i = 0; i < STREAMS; i++)
			(*out)[i] = a_call;
		return STREAMS;
	}
	if (strcmp(id, a_call.id) != 0 && strcmp(id, "weird") != 0 && !added)
		return 0;
	if ((*out = calloc(2, sizeof(**out))) == NULL)
		abort();
	(*out)[0] = (*out)[1] = a_call;
	if (strcmp(id, "weird") == 0)
		(*out)[0].id = (*out)[1].id = "a(b)c@h";
	else
		(*out)[0].id = id;
	return strcmp(id, "weird") == 0 ? 2 : 1;
}

size_t view_routes(struct control *ctl, const struct ip_addr *covering, size_t limit,
		   struct view_route **out, size_t *total)
{
	static const struct view_route routes[] = {
		{.prefix = NET(192, 0, 2, 0, 24),
		 .kind = "tunnel",
		 .customer = "acme",
		 .mtu = 1438},
		{.prefix = NET(0, 0, 0, 0, 0),
		 .kind = "neighbour",
		 .gateway = V4(198, 18, 10, 254),
		 .port = "outside",
		 .has_mac = true,
		 .mac = {2, 0, 0, 0, 0, 9},
		 .mtu = 1500},
	};
	(void)ctl;
	(void)limit;
	*total = covering != NULL ? 1 : COUNT(routes);
	*out = copy(routes, sizeof(routes));
	return *total;
}

size_t view_customers(struct control *ctl, struct view_customer **out)
{
	static const struct view_customer customers[] = {
		{.name = "acme",
		 .tier = 100000000,
		 .worker = 1,
		 .gateway = V4(203, 0, 113, 9),
		 .sas = 1,
		 .calls = 402,
		 .domains = 1,
		 .in = {{20000, 41.2e6}, 1000000, 250000000, 0, 0, 0},
		 .out = {{20000, 41.0e6}, 1000000, 250000000, 12, 3000, 1.5},
		 .last = 0.012},
		{.name = "many", .last = -1},
	};
	(void)ctl;
	*out = copy(customers, sizeof(customers));
	return COUNT(customers);
}

void view_trace(struct control *ctl, struct view_trace *out)
{
	static const uint8_t head[] = {0x45, 0xb8, 0,    200,  0, 0,   0,   0,  63, 17,
				       0,    0,    192,  0,    2, 17,  198, 18, 30, 1,
				       0x36, 0xb4, 0x27, 0x10, 0, 180, 0,   0};
	static const struct view_trace_step steps[] = {
		{1, 0, "classify", NULL, 200, 0, head, sizeof(head)},
		{1, 0, "rtp_relay", NULL, 200, 310, head, sizeof(head)},
		{2, 0, "drop", "no-call", 200, 90, head, sizeof(head)},
	};
	*out = (struct view_trace){.running = ctl->tracing,
				   .want = 100,
				   .packets = 2,
				   .n = COUNT(steps),
				   .step = copy(steps, sizeof(steps))};
}

int control_trace_start(struct control *ctl, const struct view_trace_filter *f, struct err *err)
{
	if (f->customer != NULL && control_customer_index(ctl, f->customer) < 0)
		return err_set(err, -ENOENT, "there is no customer %s", f->customer);
	if (ctl->tracing)
		return err_set(err, -EBUSY, "a trace is running; trunkline trace stop");
	ctl->tracing = true;
	return 0;
}

int control_trace_stop(struct control *ctl, struct err *err)
{
	if (!ctl->tracing)
		return err_set(err, -EALREADY, "no trace is running");
	ctl->tracing = false;
	return 0;
}

int control_customer_index(struct control *ctl, const char *name)
{
	(void)ctl;
	return strcmp(name, "acme") == 0 ? 1 : strcmp(name, "many") == 0 ? 2 : -ENOENT;
}

int control_reload(struct control *ctl, char **report, struct err *err)
{
	if (ctl->tracing) { // the test's way to a configuration with mistakes
		*report =
			strdup("customers.d/acme.yaml:7: routes[1]: private\ntrunkline.yaml:1: x");
		return err_set(err, -EINVAL, "2 mistakes; nothing was applied");
	}
	*report = strdup("1 customer changed");
	return 0;
}

int control_sa_check(struct control *ctl, const char *customer, const struct config_sa *sa,
		     struct err *err)
{
	(void)ctl;
	(void)customer;
	(void)sa;
	(void)err;
	return 0;
}

int control_sa_add(struct control *ctl, const char *customer, const struct config_sa *sa,
		   struct err *err)
{
	if (control_customer_index(ctl, customer) < 0)
		return err_set(err, -ENOENT, "there is no customer %s", customer);
	if (ctl->spi == sa->spi_in)
		return err_set(err, -EEXIST, "there is an SA with SPI 0x%08x", sa->spi_in);
	ctl->spi = sa->spi_in;
	// The keys that arrive are 00 01 02... and ff fe fd...; anything else is the test's failure.
	for (size_t i = 0; i < suite_material_len(&suites[sa->suite]); i++)
		if (sa->material_in[i] != (uint8_t)i || sa->material_out[i] != (uint8_t)(255 - i))
			return err_set(err, -EIO, "the key material is not what was sent");
	return 0;
}

int control_sa_del(struct control *ctl, uint32_t spi_in, struct err *err)
{
	if (ctl->spi != spi_in)
		return err_set(err, -ENOENT, "there is no SA with SPI 0x%08x", spi_in);
	ctl->spi = 0;
	return 0;
}

int control_call_add(struct control *ctl, struct config_call *call, struct err *err)
{
	if (strcmp(ctl->call, call->id) == 0)
		return err_set(err, -EEXIST, "there is a call %s", call->id);
	strncpy(ctl->call, call->id, sizeof(ctl->call) - 1);
	for (unsigned i = 0; i < 2; i++)
		if (call->leg[i].port == 0)
			call->leg[i].port = (uint16_t)(20000 + 2 * i);
	return 0;
}

int control_call_del(struct control *ctl, const char *id, struct err *err)
{
	if (strcmp(ctl->call, id) != 0)
		return err_set(err, -ENOENT, "there is no call %s; see trunkline show calls", id);
	ctl->call[0] = '\0';
	return 0;
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	static struct control ctl;
	struct api_limits limits = API_LIMITS_DEFAULT;
	struct api_server *server;
	struct err err;

	struct event_base *base = event_base_new();
	struct event *term = evsignal_new(base, SIGTERM, on_term, base);
	ctl.base = base;
	event_add(term, NULL);
	if (argc > 6) {
		limits.clients = number(argv[2]);
		limits.request_s = number(argv[3]);
		limits.answer_s = number(argv[4]);
		limits.idle_s = number(argv[5]);
		limits.out_bytes = number(argv[6]);
	}
	if (argc < 2 || api_server_start(base, argv[1], NULL, &ctl, &server, &err) < 0) {
		log_error("%s", argc < 2 ? "usage: cli_fake SOCKET" : err.text);
		return 1;
	}
	api_server_limit(server, &limits);
	event_base_dispatch(base);
	api_server_stop(server);
	event_free(term);
	event_base_free(base);
	return 0;
}
