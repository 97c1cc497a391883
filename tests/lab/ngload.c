// SPDX-License-Identifier: BSD-3-Clause
// A SIP proxy's worth of NG commands by one UDP socket, and an account of every answer.
//
//   ngload --to IP:PORT [--held N] [--rate R] [--seconds S] [--caller IP] [--callee IP]
//
// Offers go out at a fixed rate, whatever the answers do; each is answered, held, and deleted when
// it is the oldest of N held. After S seconds with N held, all are deleted. At the end one JSON object says:
// offers, errors, retransmissions, ports that two calls had at once, calls lost, and the latency of each verb,
// twice: as this client sees it, from the moment that an offer was due until its answer was read; and as it is on the
// wire, from when it was sent until the kernel had the answer, which is free of waits for this client's turn.
#include "latency.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 4096
#define RETRY_NS 500000000ull
#define TRIES 6
#define SHARES 50        // of the calls, looked at in turn
#define ADDRESSES_MAX 32 // of the relay
#define UNDER_WAY_MAX 8192

enum verb { OFFER, ANSWER, DELETE, VERBS };
static const char *const verb_name[] = {"offer", "answer", "delete"};

enum state { FREE, OFFERED, ANSWERED, HELD, DELETED };

struct call {
	uint64_t number; // names the call
	uint64_t due_ns, sent_ns;
	uint64_t wire_ns; // when it was first sent, by the wall clock, as the kernel's stamps are
	uint8_t state, tries;
	struct in_addr ip[2]; // the relay's, as the offer and the answer say
	uint16_t port[2];
};

struct options {
	struct sockaddr_in to;
	unsigned held, rate, seconds;
	const char *caller, *callee;
};

static struct {
	uint64_t sent[VERBS], good[VERBS], errors[VERBS], retransmitted, strangers, shared_ports,
		gave_up;
	char first_error[200];
} totals;

static struct latency seen[VERBS], wire[VERBS];

static struct {
	in_addr_t ip;
	uint8_t used[65536];
} address[ADDRESSES_MAX];

static const struct options *opt;
static int sock;
static struct call *calls;
static uint64_t n_slots, n_offered,
	n_deleted_from; // calls with a number below are deleted, or on the way to
static uint64_t n_held, under_way;

static uint64_t ns_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return ns_of(&t);
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("ngload: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static struct call *call_of(uint64_t number)
{
	return &calls[number % n_slots];
}

// ---- messages ----

static size_t sdp_write(char *buf, size_t size, uint64_t number, bool answer)
{
	const char *ip = answer ? opt->callee : opt->caller;
	unsigned port = 2048 + 2 * (unsigned)(number % 30000);

	return (size_t)snprintf(
		buf, size,
		"v=0\r\no=- %" PRIu64 " 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
		"m=audio %u RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
		"a=sendrecv\r\n",
		number, ip, ip, port);
}

static size_t message_write(char *buf, size_t size, uint64_t number, enum verb verb)
{
	char sdp[1024], id[32], part[1200] = "";

	if (verb != DELETE) {
		size_t n = sdp_write(sdp, sizeof(sdp), number, verb == ANSWER);
		snprintf(part, sizeof(part),
			 "3:sdp%zu:%s7:replacel6:origine5:flagsl13:trust-addresse3:ICE6:remove", n,
			 sdp);
	}
	int id_len = snprintf(id, sizeof(id), "load-%" PRIu64 "@lab", number);
	return (size_t)snprintf(buf, size,
				"%" PRIu64 "_%d d7:command%zu:%s7:call-id%d:%s8:from-tag1:a%s%se",
				number, (int)verb, strlen(verb_name[verb]), verb_name[verb], id_len,
				id, verb == ANSWER ? "6:to-tag1:b" : "", part);
}

static void message_send(struct call *c, enum verb verb, uint64_t now)
{
	char buf[MESSAGE_MAX];
	size_t n = message_write(buf, sizeof(buf), c->number, verb);

	if (c->tries == 0)
		c->wire_ns = clock_ns(CLOCK_REALTIME);
	if (send(sock, buf, n, 0) < 0 && errno != EAGAIN && errno != ENOBUFS &&
	    errno != ECONNREFUSED)
		die("send: %s", strerror(errno));
	c->sent_ns = now;
	if (c->tries++ == 0) {
		totals.sent[verb]++;
		under_way++;
	} else {
		totals.retransmitted++;
	}
}

static void verb_start(struct call *c, enum verb verb, uint64_t due, uint64_t now)
{
	c->state = verb == OFFER ? OFFERED : verb == ANSWER ? ANSWERED : DELETED;
	c->tries = 0;
	c->due_ns = due;
	message_send(c, verb, now);
}

static enum verb verb_of(const struct call *c)
{
	return c->state == OFFERED ? OFFER : c->state == ANSWERED ? ANSWER : DELETE;
}

static bool waiting(const struct call *c)
{
	return c->state == OFFERED || c->state == ANSWERED || c->state == DELETED;
}

// ---- answers ----

static uint8_t *port_mark(struct in_addr ip, uint16_t port)
{
	unsigned i = 0;

	while (i < ADDRESSES_MAX && address[i].ip != 0 && address[i].ip != ip.s_addr)
		i++;
	if (i == ADDRESSES_MAX)
		die("the relay has more than %d addresses", ADDRESSES_MAX);
	address[i].ip = ip.s_addr;
	return &address[i].used[port];
}

// The relay's address and port in an answer's SDP; they must be nobody else's.
static bool sdp_read(struct call *c, unsigned side, const char *text)
{
	char ip[32];
	unsigned port;
	const char *line_c = strstr(text, "c=IN IP4 "), *line_m = strstr(text, "m=audio ");

	if (line_c == NULL || line_m == NULL || sscanf(line_c, "c=IN IP4 %31[0-9.]", ip) != 1 ||
	    sscanf(line_m, "m=audio %u ", &port) != 1 || port == 0 || port > 65535 ||
	    inet_pton(AF_INET, ip, &c->ip[side]) != 1)
		return false;
	c->port[side] = (uint16_t)port;
	if ((*port_mark(c->ip[side], c->port[side]))++ != 0)
		totals.shared_ports++;
	return true;
}

static void ports_clear(struct call *c)
{
	for (unsigned side = 0; side < 2; side++)
		if (c->port[side] != 0)
			(*port_mark(c->ip[side], c->port[side]))--;
	memset(c->port, 0, sizeof(c->port));
}

// arrived: the kernel's stamp.
static void verb_done(struct call *c, enum verb verb, const char *text, uint64_t now,
		      uint64_t arrived)
{
	bool good =
		strstr(text, "6:result2:ok") != NULL && (verb == DELETE || sdp_read(c, verb, text));

	under_way--;
	latency_note(&seen[verb], now - c->due_ns);
	latency_note(&wire[verb], arrived > c->wire_ns ? arrived - c->wire_ns : 0);
	if (good) {
		totals.good[verb]++;
	} else {
		totals.errors[verb]++;
		if (totals.first_error[0] == '\0')
			snprintf(totals.first_error, sizeof(totals.first_error), "%.199s", text);
	}
	if (verb == DELETE) {
		ports_clear(c);
		c->state = FREE;
	} else if (!good) { // the call is over; its slot is free once it is deleted in its turn
		c->state = HELD;
		n_held++;
	} else if (verb == OFFER) {
		verb_start(c, ANSWER, now, now);
	} else {
		c->state = HELD;
		n_held++;
	}
}

// The bytes of an answer, or -1, and when the kernel had it.
static ssize_t answer_take(char *buf, size_t size, uint64_t *arrived)
{
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec iov = {buf, size};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT);
	struct timespec t;

	if (n < 0)
		return n;
	const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c == NULL || c->cmsg_type != SCM_TIMESTAMPNS)
		die("the kernel does not say when an answer came");
	memcpy(&t, CMSG_DATA(c), sizeof(t));
	*arrived = ns_of(&t);
	return n;
}

static void answers_take(uint64_t now)
{
	char buf[65536];

	for (;;) {
		uint64_t number, arrived;
		ssize_t n = answer_take(buf, sizeof(buf) - 1, &arrived);
		int verb;
		if (n < 0)
			return;
		buf[n] = '\0';
		if (sscanf(buf, "%" SCNu64 "_%d ", &number, &verb) != 2 || verb < 0 ||
		    verb >= VERBS) {
			totals.strangers++;
			continue;
		}
		struct call *c = call_of(number);
		if (c->number == number && waiting(c) && verb_of(c) == (enum verb)verb)
			verb_done(c, (enum verb)verb, buf, now, arrived);
		// else: the answer to a retransmission
	}
}

// A share of the calls each time, so that nobody waits for the look at all of them.
static void retransmit(uint64_t now)
{
	static uint64_t at;

	for (uint64_t i = 0; i < n_slots / SHARES; i++, at = (at + 1) % n_slots) {
		struct call *c = &calls[at];
		if (!waiting(c) || now - c->sent_ns < RETRY_NS)
			continue;
		if (c->tries < TRIES) {
			message_send(c, verb_of(c), now);
			continue;
		}
		totals.gave_up++;
		under_way--;
		if (c->state == DELETED) {
			c->state = FREE;
		} else {
			c->state = HELD;
			n_held++;
		}
	}
}

// ---- the run ----

static bool oldest_delete(uint64_t now)
{
	struct call *c = call_of(n_deleted_from);

	if (n_deleted_from == n_offered || c->state != HELD)
		return false; // its answer is still to come: the next one waits for it
	n_held--;
	n_deleted_from++;
	verb_start(c, DELETE, now, now);
	return true;
}

static void offers_send(uint64_t start, uint64_t now)
{
	uint64_t due_n = (now - start) * opt->rate / 1000000000u;

	while (n_offered < due_n && under_way < UNDER_WAY_MAX) {
		struct call *c = call_of(n_offered);
		if (c->state != FREE)
			return; // so far behind that every slot is taken; the latencies will show it
		c->number = n_offered;
		verb_start(c, OFFER, start + n_offered * 1000000000u / opt->rate, now);
		n_offered++;
		while (n_held > opt->held && oldest_delete(now))
			;
	}
}

static void round_run(void)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	static uint64_t checked;

	poll(&p, 1, 1);
	uint64_t now = now_ns();
	answers_take(now);
	if (now - checked > 100000000u / SHARES) {
		checked = now;
		retransmit(now);
	}
}

static void text_print(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= ' ' && *s != '"' && *s != '\\' && (unsigned char)*s < 127)
			putchar(*s);
	putchar('"');
}

static void report(uint64_t most_held, double seconds)
{
	printf("{\"calls\": %" PRIu64 ", \"seconds\": %.1f, \"held\": %" PRIu64
	       ", \"retransmitted\": %" PRIu64 ", \"gave_up\": %" PRIu64
	       ", \"shared_ports\": %" PRIu64 ", \"strangers\": %" PRIu64 ", \"first_error\": ",
	       n_offered, seconds, most_held, totals.retransmitted, totals.gave_up,
	       totals.shared_ports, totals.strangers);
	text_print(totals.first_error);
	for (int v = 0; v < VERBS; v++) {
		printf(", \"%s\": {\"sent\": %" PRIu64 ", \"ok\": %" PRIu64
		       ", \"errors\": %" PRIu64,
		       verb_name[v], totals.sent[v], totals.good[v], totals.errors[v]);
		latency_print("", &seen[v]);
		latency_print("wire_", &wire[v]);
		printf("}");
	}
	printf("}\n");
	fflush(stdout);
}

static void run(void)
{
	uint64_t start = now_ns(), ramp = (uint64_t)opt->held * 1000000000u / opt->rate;
	uint64_t end = start + ramp + opt->seconds * 1000000000ull, said = start, most = 0;

	for (uint64_t now = start; now < end; now = now_ns()) {
		offers_send(start, now);
		round_run();
		most = n_held > most ? n_held : most;
		if (now - said > 5000000000u) {
			said = now;
			fprintf(stderr,
				"%3.0f s  %" PRIu64 " offers, %" PRIu64 " held, %" PRIu64
				" under way\n",
				(double)(now - start) / 1e9, n_offered, n_held, under_way);
		}
	}
	double seconds = (double)(now_ns() - start) / 1e9;
	uint64_t last = now_ns();
	while ((n_deleted_from < n_offered || under_way != 0) && now_ns() - last < 5000000000u) {
		uint64_t before = under_way + (n_offered - n_deleted_from) * 4;
		while (under_way < 64 && oldest_delete(now_ns()))
			;
		round_run();
		if (under_way + (n_offered - n_deleted_from) * 4 != before)
			last = now_ns();
	}
	report(most, seconds);
}

static void options_read(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{"to", 1, NULL, 't'},      {"held", 1, NULL, 'h'},   {"rate", 1, NULL, 'r'},
		{"seconds", 1, NULL, 's'}, {"caller", 1, NULL, 'a'}, {"callee", 1, NULL, 'b'},
		{NULL, 0, NULL, 0},
	};
	char ip[64];
	unsigned port;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 't':
			if (sscanf(optarg, "%63[0-9.]:%u", ip, &port) != 2 ||
			    inet_pton(AF_INET, ip, &o->to.sin_addr) != 1 || port == 0 ||
			    port > 65535)
				die("--to %s: IP:PORT is wanted", optarg);
			o->to.sin_family = AF_INET;
			o->to.sin_port = htons((uint16_t)port);
			break;
		case 'h':
			o->held = (unsigned)atoi(optarg);
			break;
		case 'r':
			o->rate = (unsigned)atoi(optarg);
			break;
		case 's':
			o->seconds = (unsigned)atoi(optarg);
			break;
		case 'a':
			o->caller = optarg;
			break;
		case 'b':
			o->callee = optarg;
			break;
		default:
			die("see the head of tests/lab/ngload.c");
		}
	}
	if (o->to.sin_port == 0 || o->rate == 0 || o->held == 0)
		die("--to IP:PORT is needed; --rate and --held are above 0");
}

int main(int argc, char **argv)
{
	struct options o = {.held = 50000,
			    .rate = 5000,
			    .seconds = 60,
			    .caller = "198.51.100.10",
			    .callee = "198.18.20.2"};
	int size = 8 << 20;

	options_read(argc, argv, &o);
	opt = &o;
	n_slots = o.held + UNDER_WAY_MAX + o.rate;
	calls = calloc(n_slots, sizeof(*calls));
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (calls == NULL || sock < 0 || connect(sock, (struct sockaddr *)&o.to, sizeof(o.to)) != 0)
		die("%s", strerror(errno));
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPNS, &(int){1}, sizeof(int)) != 0)
		die("SO_TIMESTAMPNS: %s", strerror(errno));
	run();
	free(calls);
	return 0;
}
