// SPDX-License-Identifier: BSD-3-Clause
// Many calls' worth of RTP by plain sockets, and an account of every packet.
//
//   rtpload send --bind IP --port P --to IP --to-port P --calls N --seconds S [options]
//   rtpload echo --bind IP --port P --calls N [--idle S]
//
// Call i sends from port P + 2i to port P + 2i of the other side, 50 packets a second of 160 bytes
// that name their call and number. "echo" sends back what arrives. "send" expects its packets back,
// with one JSON object at the end: lost, reordered, duplicated, damaged, foreign, and round trips.
// Calls are spread over the 20 ms, as real ones are.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RTP_HEADER 12
#define BATCH 64
#define PACKET_MAX 2048
#define BUCKETS 4000 // of 50 us: round trips up to 200 ms
#define BUCKET_NS 50000

struct call {
	int fd;
	uint32_t sent;
	uint32_t highest; // sequence number + 1
	uint8_t *seen;    // a byte per packet
	uint64_t next_ns;
};

struct options {
	bool echo;
	const char *bind, *to;
	unsigned port, to_port, calls, seconds, payload, pps, idle, linger_ms;
};

struct totals {
	uint64_t sent, received, duplicated, reordered, damaged, foreign, send_errors;
	uint64_t bucket[BUCKETS + 1];
	uint64_t worst_ns;
};

static volatile sig_atomic_t stop;

static void on_signal(int signo)
{
	(void)signo;
	stop = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("rtpload: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static struct sockaddr_in address(const char *ip, unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1)
		die("%s is no IPv4 address", ip);
	return a;
}

static int call_socket(const struct options *o, unsigned i)
{
	struct sockaddr_in a = address(o->bind, o->port + 2 * i);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int size = 1 << 20;
	if (fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (o->calls == 1) { // one socket may have the packets of many
		size *= 8;
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	}
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("bind %s:%u: %s", o->bind, o->port + 2 * i, strerror(errno));
	if (!o->echo) {
		a = address(o->to, o->to_port + 2 * i);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
			die("connect %s:%u: %s", o->to, o->to_port + 2 * i, strerror(errno));
	}
	return fd;
}

// What a payload holds: call, number, time of sending, and a pattern made of the first two.
struct mark {
	uint32_t call, number;
	uint64_t ns;
};

static uint8_t pattern(const struct mark *m, unsigned at)
{
	return (uint8_t)(m->call * 31 + m->number * 7 + at);
}

static void packet_build(uint8_t *p, const struct options *o, unsigned i, uint32_t number)
{
	struct mark m = {.call = i, .number = number, .ns = now_ns()};
	uint16_t seq = htons((uint16_t)number);
	uint32_t stamp = htonl(number * 160), ssrc = htonl(0x52540000u + i);
	p[0] = 0x80;
	p[1] = number == 0 ? 0x80 : 0;
	memcpy(p + 2, &seq, 2);
	memcpy(p + 4, &stamp, 4);
	memcpy(p + 8, &ssrc, 4);
	memcpy(p + RTP_HEADER, &m, sizeof(m));
	for (unsigned k = sizeof(m); k < o->payload; k++)
		p[RTP_HEADER + k] = pattern(&m, k);
}

static void packet_account(struct call *c, unsigned i, const struct options *o, const uint8_t *p,
			   size_t len, struct totals *t)
{
	struct mark m;
	bool good = len == RTP_HEADER + o->payload;
	if (good) {
		memcpy(&m, p + RTP_HEADER, sizeof(m));
		for (unsigned k = sizeof(m); good && k < o->payload; k++)
			good = p[RTP_HEADER + k] == pattern(&m, k);
	}
	if (!good) {
		t->damaged++;
		return;
	}
	if (m.call != i || m.number >= c->sent) {
		t->foreign++;
		return;
	}
	if (c->seen[m.number]) {
		t->duplicated++;
		return;
	}
	c->seen[m.number] = 1;
	t->received++;
	if (m.number + 1 < c->highest)
		t->reordered++;
	else
		c->highest = m.number + 1;
	uint64_t ns = now_ns() - m.ns;
	if (ns > t->worst_ns)
		t->worst_ns = ns;
	t->bucket[ns / BUCKET_NS < BUCKETS ? ns / BUCKET_NS : BUCKETS]++;
}

static void receive_all(struct call *c, unsigned i, const struct options *o, struct totals *t)
{
	static uint8_t data[BATCH][PACKET_MAX];
	static struct sockaddr_in from[BATCH];
	static struct iovec iov[BATCH];
	static struct mmsghdr msg[BATCH];

	for (unsigned k = 0; k < BATCH; k++) {
		iov[k] = (struct iovec){data[k], PACKET_MAX};
		msg[k].msg_hdr = (struct msghdr){.msg_name = &from[k],
						 .msg_namelen = sizeof(from[k]),
						 .msg_iov = &iov[k],
						 .msg_iovlen = 1};
	}
	int n = recvmmsg(c->fd, msg, BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return;
	if (!o->echo) {
		for (int k = 0; k < n; k++)
			packet_account(c, i, o, data[k], msg[k].msg_len, t);
		return;
	}
	for (int k = 0; k < n; k++)
		iov[k].iov_len = msg[k].msg_len;
	t->received += (uint64_t)n;
	int sent = sendmmsg(c->fd, msg, (unsigned)n, 0);
	t->sent += (uint64_t)(sent > 0 ? sent : 0);
	t->send_errors += (uint64_t)(n - (sent > 0 ? sent : 0));
}

// Returns whether every call has sent its packets. One that is late (the machine is busy) catches up.
static bool send_due(struct call *calls, const struct options *o, uint32_t each, struct totals *t)
{
	uint8_t p[PACKET_MAX];
	uint64_t now = now_ns();
	bool all = true;

	for (unsigned i = 0; i < o->calls; i++) {
		struct call *c = &calls[i];
		if (c->sent >= each)
			continue;
		all = false;
		if (c->next_ns > now)
			continue;
		packet_build(p, o, i, c->sent);
		c->sent++; // before it is sent: the answer may be quick
		c->next_ns += 1000000000u / o->pps;
		if (send(c->fd, p, RTP_HEADER + o->payload, 0) < 0)
			t->send_errors++;
		else
			t->sent++;
	}
	return all;
}

static uint64_t quantile_us(const struct totals *t, double q)
{
	uint64_t wanted = (uint64_t)((double)t->received * q), sum = 0;
	for (unsigned k = 0; k <= BUCKETS; k++) {
		sum += t->bucket[k];
		if (sum > wanted)
			return (uint64_t)(k + 1) * BUCKET_NS / 1000;
	}
	return 0;
}

static void result_print(const struct options *o, const struct totals *t)
{
	printf("{\"calls\": %u, \"seconds\": %u, \"sent\": %" PRIu64 ", \"received\": %" PRIu64
	       ", \"lost\": %" PRIu64 ", \"reordered\": %" PRIu64 ", \"duplicated\": %" PRIu64
	       ", \"damaged\": %" PRIu64 ", \"foreign\": %" PRIu64 ", \"send_errors\": %" PRIu64
	       ", \"rtt_us\": {\"p50\": %" PRIu64 ", \"p99\": %" PRIu64 ", \"max\": %" PRIu64
	       "}}\n",
	       o->calls, o->seconds, t->sent, t->received,
	       o->echo || t->received > t->sent ? 0 : t->sent - t->received, t->reordered,
	       t->duplicated, t->damaged, t->foreign, t->send_errors, quantile_us(t, 0.5),
	       quantile_us(t, 0.99), t->worst_ns / 1000);
	fflush(stdout);
}

static void loop(struct call *calls, const struct options *o, struct totals *t)
{
	uint32_t each = o->seconds * o->pps;
	uint64_t start = now_ns(), last_packet = start;
	uint64_t linger = (uint64_t)o->linger_ms * 1000000u, unsent = start;
	uint64_t give_up = start + 3 * (uint64_t)o->seconds * 1000000000u + linger;
	int poll_fd = epoll_create1(0);

	for (unsigned i = 0; i < o->calls; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};
		calls[i].next_ns = start + (uint64_t)i * 1000000000u / o->pps / o->calls;
		if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, calls[i].fd, &ev) != 0)
			die("epoll: %s", strerror(errno));
	}
	while (!stop || !o->echo) {
		struct epoll_event ev[BATCH];
		int n = epoll_wait(poll_fd, ev, BATCH, 1);
		uint64_t now = now_ns();
		if (n > 0)
			last_packet = now;
		for (int k = 0; k < n; k++)
			receive_all(&calls[ev[k].data.u32], ev[k].data.u32, o, t);
		if (o->echo) {
			if (o->idle && now - last_packet > (uint64_t)o->idle * 1000000000u)
				break;
			continue;
		}
		if (stop)
			each = 0; // no more; what is under way still counts
		if (!send_due(calls, o, each, t))
			unsent = now;
		else if (t->received == t->sent || now - unsent > linger)
			break;
		if (now > give_up)
			break;
	}
	close(poll_fd);
}

static unsigned number(const char *text, unsigned long max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);
	if (*text == 0 || *end != 0 || v > max)
		die("%s: a number up to %lu is wanted", text, max);
	return (unsigned)v;
}

static void options_read(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{"bind", 1, NULL, 'b'},    {"port", 1, NULL, 'p'},  {"to", 1, NULL, 't'},
		{"to-port", 1, NULL, 'q'}, {"calls", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'},
		{"payload", 1, NULL, 'l'}, {"pps", 1, NULL, 'r'},   {"idle", 1, NULL, 'i'},
		{"linger", 1, NULL, 'g'},  {NULL, 0, NULL, 0},
	};
	int c;

	if (argc < 2 || (strcmp(argv[1], "send") != 0 && strcmp(argv[1], "echo") != 0))
		die("send or echo is wanted; see the head of rtpload.c");
	*o = (struct options){.echo = argv[1][0] == 'e',
			      .calls = 1,
			      .seconds = 10,
			      .payload = 160,
			      .pps = 50,
			      .linger_ms = 2000};
	while ((c = getopt_long(argc - 1, argv + 1, "", names, NULL)) != -1) {
		switch (c) {
		case 'b':
			o->bind = optarg;
			break;
		case 't':
			o->to = optarg;
			break;
		case 'p':
			o->port = number(optarg, 65534);
			break;
		case 'q':
			o->to_port = number(optarg, 65534);
			break;
		case 'c':
			o->calls = number(optarg, 20000);
			break;
		case 's':
			o->seconds = number(optarg, 86400);
			break;
		case 'l':
			o->payload = number(optarg, PACKET_MAX - RTP_HEADER);
			break;
		case 'r':
			o->pps = number(optarg, 10000);
			break;
		case 'i':
			o->idle = number(optarg, 86400);
			break;
		case 'g':
			o->linger_ms = number(optarg, 600000);
			break;
		default:
			exit(2);
		}
	}
	if (!o->bind || !o->port || (!o->echo && (!o->to || !o->to_port)))
		die("--bind and --port are wanted, and with send --to and --to-port");
	if (o->payload < sizeof(struct mark) || o->pps == 0 || o->calls == 0)
		die("--payload of at least %zu, --pps and --calls of at least 1",
		    sizeof(struct mark));
}

int main(int argc, char **argv)
{
	struct options o;
	static struct totals t;

	options_read(argc, argv, &o);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	struct call *calls = calloc(o.calls, sizeof(*calls));
	if (!calls)
		die("no memory");
	for (unsigned i = 0; i < o.calls; i++) {
		calls[i].fd = call_socket(&o, i);
		if (!o.echo && !(calls[i].seen = calloc(1, (size_t)o.seconds * o.pps)))
			die("no memory");
	}
	if (o.echo) {
		puts("ready");
		fflush(stdout);
	}
	loop(calls, &o, &t);
	result_print(&o, &t);
	for (unsigned i = 0; i < o.calls; i++) {
		close(calls[i].fd);
		free(calls[i].seen);
	}
	free(calls);
	return 0;
}
