// SPDX-License-Identifier: BSD-3-Clause
// A relay behind two network interfaces, whoever it is: RTP goes in by one, and has to come out of the
// other with the same payload and the right destination. The highest rate without loss, latency, CPU time.
#include "wire.h"

#include "hist.h"
#include "ip/ip.h"
#include "wire_flows.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RX_BURST 32
#define POOL 65535
#define START_PPS 50000.0
#define STEPS 6
#define SECONDS 1.5
#define QUIET_MS 200
#define TRIES 4 // a trial with loss is tried again: the machine has other work too

struct wire {
	struct wire_flows flows;
	struct rte_mempool *pool;
	struct hist hist;
	uint64_t sent, received, wrong, refused;
	uint64_t gone; // numbers that were passed over: lost, or refused
	const char *fault;
};

struct stamp {
	struct mark mark;
	uint64_t tsc;
} __attribute__((packed));

static int port_start(struct wire *w, uint16_t port, struct err *err)
{
	struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(port, 0, 2048, 0, NULL, w->pool) != 0 ||
	    rte_eth_tx_queue_setup(port, 0, 2048, 0, NULL) != 0 || rte_eth_dev_start(port) != 0)
		return err_set(err, -EIO, "port %u does not start", port);
	return rte_eth_promiscuous_enable(port) == -EIO ? err_set(err, -EIO, "promiscuous") : 0;
}

static void packet_make(struct wire *w, struct rte_mbuf *m)
{
	struct wire_flows *fs = &w->flows;
	struct wire_flow *f = &fs->flow[fs->next];
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	struct rtp_hdr *rtp = (struct rtp_hdr *)(udp + 1);
	uint16_t ulen = (uint16_t)(fs->inner_len - sizeof(*ip));
	struct stamp s = {{fs->next, f->sent}, rte_rdtsc()};

	eth->dst_addr = fs->mac[0];
	rte_eth_macaddr_get(0, &eth->src_addr);
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
				    .total_length = rte_cpu_to_be_16((uint16_t)fs->inner_len),
				    .time_to_live = 64,
				    .next_proto_id = IPPROTO_UDP,
				    .src_addr = f->src,
				    .dst_addr = f->dst};
	ip4_header_cksum_set(ip);
	*udp = (struct rte_udp_hdr){f->sport, f->dport, rte_cpu_to_be_16(ulen), 0};
	*rtp = (struct rtp_hdr){0x80, 0, rte_cpu_to_be_16(f->seq), rte_cpu_to_be_32(f->sent * 160),
				rte_cpu_to_be_32(fs->next + 1)};
	memcpy(rtp + 1, &s, sizeof(s));
	memcpy((uint8_t *)(rtp + 1) + sizeof(s), filler(fs->next, f->sent),
	       fs->inner_len - INNER_HEAD - sizeof(s));
	udp->dgram_cksum = udp4_cksum(ip, udp, ulen);
	m->data_len = (uint16_t)(RTE_ETHER_HDR_LEN + fs->inner_len);
	m->pkt_len = m->data_len;
	f->seq++;
	f->sent++;
	fs->next = (fs->next + 1) % fs->n;
}

// NULL: right. Others' packets (ARP and the like) are not ours to judge: "" for them.
static const char *packet_check(struct wire *w, struct rte_mbuf *m, uint64_t now)
{
	struct wire_flows *fs = &w->flows;
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	const struct rtp_hdr *rtp = (const struct rtp_hdr *)(udp + 1);
	struct stamp s;

	if (m->data_len < RTE_ETHER_HDR_LEN + fs->inner_len ||
	    eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) || ip->next_proto_id != IPPROTO_UDP ||
	    !rte_is_same_ether_addr(&eth->src_addr, &fs->mac[1]))
		return "";
	memcpy(&s, rtp + 1, sizeof(s));
	if (s.mark.flow >= fs->n)
		return "payload";
	struct wire_flow *f = &fs->flow[s.mark.flow];
	if (ip->dst_addr != f->want_dst || udp->dst_port != f->want_dport || !ip4_header_ok(ip))
		return "destination or IPv4 header";
	uint16_t gap = (uint16_t)(rte_be_to_cpu_16(rtp->seq) - f->want_seq);
	if (gap >= 0x8000)
		return "doubled or out of order";
	f->want_seq = (uint16_t)(f->want_seq + gap + 1);
	w->gone += gap;
	if (memcmp((const uint8_t *)(rtp + 1) + sizeof(s), filler(s.mark.flow, s.mark.number),
		   fs->inner_len - INNER_HEAD - sizeof(s)) != 0)
		return "payload";
	if (!udp4_cksum_ok(ip, udp, rte_be_to_cpu_16(udp->dgram_len)))
		return "UDP checksum";
	hist_add(&w->hist, now - s.tsc);
	return NULL;
}

static unsigned packets_take(struct wire *w)
{
	struct rte_mbuf *pkt[RX_BURST];
	unsigned good = 0;

	for (uint16_t port = 0; port < 2; port++) {
		uint16_t n = rte_eth_rx_burst(port, 0, pkt, RX_BURST);
		uint64_t now = rte_rdtsc();
		for (uint16_t i = 0; i < n && port == 1; i++) {
			const char *bad = packet_check(w, pkt[i], now);
			good += bad == NULL;
			if (bad != NULL && *bad != '\0' && w->wrong++ == 0)
				w->fault = bad;
		}
		rte_pktmbuf_free_bulk(pkt, n);
	}
	w->received += good;
	return good;
}

static void packets_send(struct wire *w, uint64_t due)
{
	struct rte_mbuf *pkt[RX_BURST];
	uint16_t n = 0;

	while (n < 8 && w->sent + w->refused + n < due &&
	       (pkt[n] = rte_pktmbuf_alloc(w->pool)) != NULL)
		packet_make(w, pkt[n++]);
	if (n == 0)
		return;
	uint16_t put = rte_eth_tx_burst(0, 0, pkt, n);
	rte_pktmbuf_free_bulk(pkt + put, (unsigned)(n - put));
	w->sent += put;
	w->refused += (unsigned)(n - put); // by our own interface: not the relay's loss
}

// What earlier trials have made and did not see again: the first packets of this one will pass it over.
static uint64_t behind(const struct wire_flows *fs)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < fs->n; i++)
		sum += (uint16_t)(fs->flow[i].seq - fs->flow[i].want_seq);
	return sum;
}

// One trial. Returns the rate that was reached. whole: also if something is lost; else nothing more is sent then.
static double trial(struct wire *w, double pps, double seconds, bool whole)
{
	double hz = (double)rte_get_tsc_hz(), per_tick = pps / hz;
	uint64_t want = (uint64_t)(pps * seconds), quiet = (uint64_t)(hz / 1000 * QUIET_MS);
	uint64_t old = behind(&w->flows), start = rte_rdtsc(), last = start, end = 0;

	w->sent = w->received = w->refused = w->gone = 0;
	hist_clear(&w->hist);
	for (uint64_t now = start; w->received < w->sent || w->sent + w->refused < want;
	     now = rte_rdtsc()) {
		uint64_t due = (uint64_t)((double)(now - start) * per_tick);
		packets_send(w, due < want ? due : want);
		if (packets_take(w) != 0)
			last = rte_rdtsc();
		if (!whole && w->gone > w->refused + old)
			want = w->sent + w->refused;
		if (end == 0 && w->sent + w->refused >= want)
			end = rte_rdtsc();
		if (end != 0 && now > last + quiet && now > end + quiet)
			break;
	}
	return (double)w->sent * hz / (double)(end - start);
}

// 1: nothing was lost.
static bool lossless(struct wire *w, double pps, double seconds, bool whole, double *reached)
{
	for (unsigned i = 0; i < TRIES; i++) {
		*reached = trial(w, pps, seconds, whole);
		if (w->received == w->sent && *reached > 0.9 * pps)
			return true;
	}
	return false;
}

static double search(struct wire *w, double seconds)
{
	double low = 0, high = 0, reached, best = 0;

	for (double pps = START_PPS; high == 0; pps *= 2) {
		if (lossless(w, pps, seconds, false, &reached)) {
			low = pps;
			best = reached;
		} else {
			high = pps;
		}
	}
	for (unsigned i = 0; i < STEPS; i++) {
		double pps = (low + high) / 2;
		bool ok = lossless(w, pps, seconds, false, &reached);
		*(ok ? &low : &high) = pps;
		best = ok && reached > best ? reached : best;
	}
	return best;
}

// CPU time of a process in seconds, 0 if it can't be read.
static double cpu_seconds(int pid)
{
	char path[64], line[1024];
	unsigned long user, system;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	char *at = f != NULL ? fgets(line, sizeof(line), f) : NULL;
	if (f != NULL)
		fclose(f);
	if (at == NULL || (at = strrchr(line, ')')) == NULL ||
	    sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) !=
		    2)
		return 0;
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

// Time of all CPUs in softirqs, in seconds: where the kernel carries packets between the interfaces, on whichever
// core. 0 if it can't be read.
static double softirq_seconds(void)
{
	unsigned long v[7];
	FILE *f = fopen("/proc/stat", "r");

	if (f == NULL)
		return 0;
	int n = fscanf(f, "cpu %lu %lu %lu %lu %lu %lu %lu", &v[0], &v[1], &v[2], &v[3], &v[4],
		       &v[5], &v[6]);
	fclose(f);
	return n == 7 ? (double)v[6] / (double)sysconf(_SC_CLK_TCK) : 0;
}

// What a rate that the relay carries costs.
static void wire_rate(struct bench *b, struct wire *w, double rate, double seconds)
{
	double us = 1e6 / (double)b->hz;
	double cpu = b->opt.pid != 0 ? cpu_seconds(b->opt.pid) : 0;

	double softirq = softirq_seconds();
	trial(w, rate, 2 * seconds, true);
	softirq = w->received != 0 ? (softirq_seconds() - softirq) * 1e6 / (double)w->received : 0;
	cpu = b->opt.pid != 0 && w->received != 0
		      ? (cpu_seconds(b->opt.pid) - cpu) * 1e6 / (double)w->received
		      : 0;
	double q[3] = {us * (double)hist_quantile(&w->hist, 0.5),
		       us * (double)hist_quantile(&w->hist, 0.99),
		       us * (double)hist_quantile(&w->hist, 0.9999)};
	printf("%.0f packets/s: p50 %.1f us, p99 %.1f us, p99.99 %.1f us, CPU %.2f us a packet, "
	       "softirq %.2f, lost %lu\n",
	       rate, q[0], q[1], q[2], cpu, softirq, w->sent - w->received);
	case_add(b, json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I}", "name", "wire_rate",
			      "mpps", rate / 1e6, "p50_us", q[0], "p99_us", q[1], "p9999_us", q[2],
			      "cpu_us_per_packet", cpu, "softirq_us_per_packet", softirq, "lost",
			      (json_int_t)(w->sent - w->received), "wrong", (json_int_t)w->wrong));
}

static int wire_run(struct bench *b, struct wire *w, struct err *err)
{
	double seconds = b->opt.seconds != 0 ? b->opt.seconds : SECONDS, reached;
	int rc;

	if ((rc = eal_open(b, err)) < 0)
		return rc;
	w->pool = rte_pktmbuf_pool_create("wire", POOL, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					  SOCKET_ID_ANY);
	if (w->pool == NULL)
		return err_set(err, -ENOMEM, "no packet buffers");
	for (uint16_t port = 0; port < 2; port++)
		if ((rc = port_start(w, port, err)) < 0)
			return rc;
	usleep(300000);
	lossless(w, 5000, 0.5, true, &reached); // latches, neighbours
	if (w->received == 0)
		return err_set(err, -ENETUNREACH, "nothing comes back (%s)",
			       w->fault != NULL ? w->fault : "no packet at all");
	if (b->opt.rate != 0) {
		wire_rate(b, w, b->opt.rate, seconds);
	} else {
		double best = search(w, seconds);
		printf("%.0f packets/s without loss\n", best);
		case_add(b, json_pack("{s:s, s:f, s:i}", "name", "wire", "mpps", best / 1e6, "lost",
				      0));
	}
	if (w->wrong != 0)
		return err_set(err, -EPROTO, "%lu wrong packets: %s", w->wrong, w->fault);
	return 0;
}

int cmd_wire(struct bench *b, int argc, char **argv)
{
	static struct wire wire;
	struct err err = {""};

	if (argc != 1) {
		fprintf(stderr, "usage: trunkline-bench wire FLOWS.json [--pid PID]\n");
		return 1;
	}
	if (wire_flows_read(&wire.flows, &b->opt, argv[0], &err) < 0 ||
	    wire_run(b, &wire, &err) < 0) {
		fprintf(stderr, "trunkline-bench: wire: %s\n", err.text);
		return 1;
	}
	return 0;
}
