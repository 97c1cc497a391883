// SPDX-License-Identifier: BSD-3-Clause
#include "ng_server.h"

#include "base/log.h"
#include "ng_call.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURST 64                // datagrams taken before others get their turn
#define ARENA_MAX (8u << 20)    // bytes that one message may make us use
#define SOCKET_BUFFER (4 << 20) // bytes; a burst of 5,000 offers waits here

#define INBOX 16 // of them by one system call
_Static_assert(INBOX <= NG_CACHE_NEXT, "kept until they are sent");
struct ng_inbox {
	struct mmsghdr msg[INBOX], out[INBOX];
	struct iovec iov[INBOX], out_iov[INBOX];
	struct sockaddr_in from[INBOX];
	unsigned n_out;
	char bytes[INBOX][NG_MESSAGE_MAX];
};

uint64_t ng_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool ng_allowed(struct ng_server *s, const struct sockaddr_in *from)
{
	const struct config *cfg = s->ctl->config;
	struct ip_addr a = {.family = AF_INET, .v4 = from->sin_addr};
	char text[IP_ADDR_STRLEN];

	for (unsigned i = 0; i < cfg->n_ng_allow; i++)
		if (ip_prefix_contains(&cfg->ng_allow[i], &a))
			return true;
	s->stats.not_allowed++;
	uint64_t now = ng_now_ms();
	if (s->told_ms == 0 || now - s->told_ms > 60000) {
		s->told_ms = now;
		log_warn("ng: messages from %s, which is not in control.ng_allow, get no answer",
			 ip_addr_str(&a, text));
	}
	return false;
}

// The dictionary of an answer, in the words that proxies look at.
static struct ng_val *answer_make(struct ng_server *s, const struct ng_frame *f)
{
	struct ng_val *message, *answer = ng_add(&s->arena, NULL, NULL, NG_DICT);
	struct err err = {""};
	int rc = ng_decode(&s->arena, f->format, f->body.at, f->body.len, &message, &err);

	if (rc == 0)
		rc = ng_request_read(&s->arena, message, s->req, &err);
	else
		s->stats.malformed++;
	if (rc == 0) {
		s->stats.verb[s->req->verb]++;
		s->stats.unknown += s->req->unknown;
		if (s->req->unknown > 0)
			log_debug("ng: %u keys or flags that we don't know, the first: %.*s",
				  s->req->unknown, (int)s->req->unknown_first.len,
				  s->req->unknown_first.at);
		rc = ng_calls_do(s->calls, s->req, &s->arena, answer, &err);
	}
	if (rc == 0)
		return answer;
	s->stats.errors++;
	log_info("ng: %s refused: %s",
		 rc == -EBADMSG || rc == -E2BIG ? "a message" : ng_verb_name(s->req->verb),
		 err.text);
	answer = ng_add(&s->arena, NULL, NULL, NG_DICT);
	// A node that is full says so in a result of its own: the proxy then tries the next.
	if (rc == -EBUSY) {
		ng_add_text(&s->arena, answer, "result", "load limit");
		ng_add_printf(&s->arena, answer, "message", "%s", err.text);
		return answer;
	}
	ng_add_text(&s->arena, answer, "result", "error");
	ng_add_printf(&s->arena, answer, "error-reason", "%s", err.text);
	return answer;
}

int ng_answer(struct ng_server *s, const struct sockaddr_in *from, const char *data, size_t len,
	      struct ng_str *answer)
{
	struct ng_frame f;
	struct ng_str body;
	uint64_t now = ng_now_ms();

	if (ng_frame_split(data, len, &f) < 0) {
		s->stats.malformed++;
		return -EBADMSG;
	}
	s->stats.messages++;
	const struct ng_str *again = ng_cache_find(s->cache, from, f.cookie, now);
	if (again != NULL) {
		s->stats.again++;
		*answer = *again;
		return 0;
	}
	ng_arena_reset(&s->arena);
	int rc = ng_encode(&s->arena, f.format, answer_make(s, &f), &body);
	char *out = rc < 0 ? NULL : ng_alloc(&s->arena, f.cookie.len + 1 + body.len);
	if (out == NULL)
		return -ENOMEM;
	memcpy(out, f.cookie.at, f.cookie.len);
	out[f.cookie.len] = ' ';
	memcpy(out + f.cookie.len + 1, body.at, body.len);
	*answer = (struct ng_str){out, f.cookie.len + 1 + body.len};
	const struct ng_str *kept = ng_cache_put(s->cache, from, f.cookie, *answer, now);
	if (kept == NULL)
		return 0;
	*answer = *kept;
	return NG_ANSWER_KEPT;
}

static int inbox_take(struct ng_inbox *in, int fd)
{
	for (unsigned i = 0; i < INBOX; i++) {
		in->iov[i] = (struct iovec){in->bytes[i], NG_MESSAGE_MAX};
		in->msg[i].msg_hdr = (struct msghdr){.msg_name = &in->from[i],
						     .msg_namelen = sizeof(in->from[i]),
						     .msg_iov = &in->iov[i],
						     .msg_iovlen = 1};
	}
	return recvmmsg(fd, in->msg, INBOX, MSG_DONTWAIT, NULL);
}

// One system call for all: each wakes who waits for it, and on loopback does the receiver's work. An answer that
// can't be sent is left out; whoever wants it asks again.
static void outbox_send(struct ng_inbox *in, int fd)
{
	for (unsigned at = 0; at < in->n_out;) {
		int n = sendmmsg(fd, in->out + at, in->n_out - at, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 && errno == EMSGSIZE)
			log_warn("ng: an answer of %zu bytes is too long for UDP; use TCP",
				 in->out_iov[at].iov_len);
		at += n > 0 ? (unsigned)n : 1;
	}
	in->n_out = 0;
}

static void datagram_answer(struct ng_server *s, int fd, struct sockaddr_in *from, const char *data,
			    size_t len)
{
	struct ng_inbox *in = s->inbox;
	struct ng_str answer;
	int rc = ng_allowed(s, from) ? ng_answer(s, from, data, len, &answer) : -EACCES;

	if (rc < 0)
		return;
	in->out_iov[in->n_out] = (struct iovec){(void *)(uintptr_t)answer.at, answer.len};
	in->out[in->n_out].msg_hdr = (struct msghdr){.msg_name = from,
						     .msg_namelen = sizeof(*from),
						     .msg_iov = &in->out_iov[in->n_out],
						     .msg_iovlen = 1};
	in->n_out++;
	if (rc != NG_ANSWER_KEPT)
		outbox_send(in, fd);
}

static void on_datagram(evutil_socket_t fd, short what, void *arg)
{
	struct ng_server *s = arg;

	(void)what;
	for (unsigned i = 0; i < BURST / INBOX; i++) {
		int n = inbox_take(s->inbox, fd);
		for (int j = 0; j < n; j++)
			datagram_answer(s, fd, &s->inbox->from[j], s->inbox->bytes[j],
					s->inbox->msg[j].msg_len);
		outbox_send(s->inbox, fd);
		if (n < INBOX)
			return;
	}
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct ng_server *s = arg;
	uint64_t bytes;

	(void)fd;
	(void)what;
	ng_cache_expire(s->cache, ng_now_ms());
	ng_calls_second(s->calls);
	ng_tcp_second(s);
	// A busy hour leaves much free memory behind. It goes back when nobody is kept waiting by that.
	bool idle = ng_calls_count(s->calls) == 0 && ng_cache_count(s->cache, &bytes) == 0;
	if (idle && s->trimmed != s->stats.messages) {
		s->trimmed = s->stats.messages;
		malloc_trim(0);
	}
}

static int udp_listen(struct ng_server *s, unsigned i, const struct sockaddr_in *at,
		      struct err *err)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = SOCKET_BUFFER;

	if (fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	// The kernel's limit may be lower; then it is that.
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0) {
		int rc = err_set(err, -errno, "%s; control.ng must be an address of this machine",
				 strerror(errno));
		close(fd);
		return rc;
	}
	s->udp[i] = event_new(s->ctl->base, fd, EV_READ | EV_PERSIST, on_datagram, s);
	if (s->udp[i] == NULL || event_add(s->udp[i], NULL) < 0) {
		close(fd);
		return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static int listen_all(struct ng_server *s, struct err *err)
{
	const struct config *cfg = s->ctl->config;

	for (unsigned i = 0; i < cfg->n_ng; i++) {
		char text[IP_ENDPOINT_STRLEN];
		struct sockaddr_in at = {.sin_family = AF_INET,
					 .sin_addr = cfg->ng[i].addr.v4,
					 .sin_port = htons(cfg->ng[i].port)};
		int rc = udp_listen(s, i, &at, err);
		if (rc == 0)
			rc = ng_tcp_listen(s, i, &at, err);
		if (rc < 0) {
			err_prefix(err, "control.ng[%u]: %s", i,
				   ip_endpoint_str(&cfg->ng[i], text));
			return rc;
		}
	}
	return 0;
}

int ng_server_start(struct control *ctl, struct ng_server **out, struct err *err)
{
	const struct timeval second = {.tv_sec = 1};
	struct ng_server *s;
	int rc;

	*out = NULL;
	if (ctl->config->n_ng == 0)
		return 0;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return err_set(err, -ENOMEM, "ng: out of memory");
	s->ctl = ctl;
	ng_arena_init(&s->arena, ARENA_MAX);
	s->cache = ng_cache_new();
	s->calls = ng_calls_new(ctl, &s->stats);
	s->req = malloc(sizeof(*s->req));
	s->inbox = calloc(1, sizeof(*s->inbox));
	s->second = event_new(ctl->base, -1, EV_PERSIST, on_second, s);
	if (s->cache == NULL || s->calls == NULL || s->req == NULL || s->inbox == NULL ||
	    s->second == NULL || event_add(s->second, &second) < 0)
		rc = err_set(err, -ENOMEM, "ng: out of memory");
	else
		rc = listen_all(s, err);
	if (rc < 0) {
		ng_server_stop(s);
		return rc;
	}
	*out = s;
	return 0;
}

void ng_server_stop(struct ng_server *s)
{
	if (s == NULL)
		return;
	ng_tcp_close(s);
	for (unsigned i = 0; i < NG_LISTEN_MAX; i++) {
		if (s->udp[i] == NULL)
			continue;
		close(event_get_fd(s->udp[i]));
		event_free(s->udp[i]);
	}
	if (s->second != NULL)
		event_free(s->second);
	ng_calls_free(s->calls);
	ng_cache_free(s->cache);
	ng_arena_free(&s->arena);
	free(s->req);
	free(s->inbox);
	free(s);
}

bool ng_call_stop(struct ng_server *s, const char *id)
{
	return s != NULL && ng_calls_stop(s->calls, id);
}

void ng_server_stats(const struct ng_server *s, struct ng_stats *out)
{
	*out = (struct ng_stats){0};
	if (s == NULL)
		return;
	*out = s->stats;
	out->cached = ng_cache_count(s->cache, &out->cached_bytes);
}
