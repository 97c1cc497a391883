// SPDX-License-Identifier: BSD-3-Clause
#include "api_server.h"

#include "api/api.h"
#include "api_handlers.h"
#include "api_later.h"
#include "api_socket.h"
#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

// A client either sends a request or is sent an answer, never both: its next request is not read
// before it has taken the answer to the last one.
struct client {
	TAILQ_ENTRY(client) link; // in order of the last request, the idlest first
	struct api_server *server;
	struct event *readable, *writable, *deadline;
	int fd;
	struct api_frame frame;
	uint8_t *out; // NULL: no answer under way
	size_t out_len, out_sent;
	bool leaving;            // closed when out is sent
	struct api_later *later; // its request is under way elsewhere; NULL: none is
	char who[48];
};
TAILQ_HEAD(client_list, client);

struct api_server {
	struct event_base *base;
	struct control *ctl;
	struct evconnlistener *listener;
	struct event *retry; // listens again after accept has failed
	struct api_limits limits;
	struct client_list clients;
	unsigned n_clients;
	size_t in_bytes, out_bytes;
	char *path;
	dev_t dev; // of the socket file, so that only ours is removed
	ino_t ino;
};

static void client_free(struct client *c)
{
	struct api_server *s = c->server;

	TAILQ_REMOVE(&s->clients, c, link);
	s->n_clients--;
	s->in_bytes -= c->frame.size;
	s->out_bytes -= c->out_len;
	if (c->later != NULL)
		c->later->client = NULL;
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	if (c->deadline != NULL)
		event_free(c->deadline);
	api_frame_clear(&c->frame);
	free(c->out);
	close(c->fd);
	free(c);
}

static void deadline_set(struct client *c, unsigned seconds)
{
	struct timeval tv = {.tv_sec = seconds};

	event_add(c->deadline, &tv);
}

// Sends what the socket takes. False if the client is gone.
static bool answer_send(struct client *c)
{
	while (c->out_sent < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			event_add(c->writable, NULL);
			return true;
		}
		if (n <= 0)
			return false;
		c->out_sent += (size_t)n;
	}
	c->server->out_bytes -= c->out_len;
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_sent = 0;
	if (c->leaving)
		return false;
	deadline_set(c, c->server->limits.idle_s);
	event_add(c->readable, NULL);
	return true;
}

// Starts to send an answer (stolen, NULL: there was no memory for it). False if the client is gone.
static bool answer_start(struct client *c, json_t *answer)
{
	struct api_server *s = c->server;
	size_t room = s->out_bytes < s->limits.out_bytes ? s->limits.out_bytes - s->out_bytes : 0;
	int r = answer == NULL
			? -ENOMEM
			: api_frame_encode(answer, room < API_ANSWER_MAX ? room : API_ANSWER_MAX,
					   &c->out, &c->out_len);

	json_decref(answer);
	if (r == -EMSGSIZE) {
		answer = room < API_ANSWER_MAX
				 ? api_answer_error("busy",
						    "too many answers are under way; try "
						    "again in a moment",
						    NULL)
				 : api_answer_error("too-large",
						    "the answer is too large; ask for "
						    "less with \"limit\"",
						    NULL);
		r = answer == NULL ? -ENOMEM
				   : api_frame_encode(answer, API_ANSWER_MAX, &c->out, &c->out_len);
		json_decref(answer);
	}
	if (r < 0)
		return false;
	s->out_bytes += c->out_len;
	event_del(c->readable);
	deadline_set(c, s->limits.answer_s);
	return answer_send(c);
}

// Tells a client why it is disconnected.
static void client_dismiss(struct client *c, const char *code, const char *text)
{
	c->leaving = true;
	if (c->out != NULL || !answer_start(c, api_answer_error(code, text, NULL)))
		client_free(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	if (c->out == NULL && c->frame.n_head > 0) {
		log_info("api: %s sent half a request and nothing more", c->who);
		client_dismiss(c, "timeout", "the request did not arrive whole in time");
		return;
	}
	if (c->out != NULL)
		log_info("api: %s does not read its answer", c->who);
	client_free(c);
}

// The answer to a request that was pending.
void api_later_answer(struct api_later *l, int rc, json_t *data, const struct err *err)
{
	struct client *c = l->client;
	json_t *answer = api_finish(l, rc, data, err);

	free(l);
	if (c == NULL) {
		json_decref(answer);
		return;
	}
	c->later = NULL;
	if (!answer_start(c, answer))
		client_free(c);
}

// Nobody will read an answer: the peer has closed its socket, not just stopped sending.
static bool client_gone(const struct client *c)
{
	struct pollfd p = {.fd = c->fd};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

static void request_done(struct client *c)
{
	struct api_server *s = c->server;
	struct api_later *later = calloc(1, sizeof(*later));
	json_t *answer = NULL;

	if (later != NULL) {
		later->client = c;
		later->gone = client_gone(c);
		memcpy(later->who, c->who, sizeof(later->who));
		answer = api_dispatch(s->ctl, c->frame.buf, c->frame.len, later);
	}
	s->in_bytes -= c->frame.size;
	api_frame_clear(&c->frame);
	TAILQ_REMOVE(&s->clients, c, link);
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	if (later != NULL && later->pending) {
		c->later = later; // nothing is read of it until then
		event_del(c->readable);
		deadline_set(c, s->limits.later_s);
		return;
	}
	free(later);
	if (!answer_start(c, answer))
		client_free(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	struct api_server *s = c->server;
	size_t before = c->frame.size, room;
	bool first = c->frame.n_head == 0;
	uint8_t *at;
	int r = api_frame_space(&c->frame, &at, &room);

	(void)what;
	s->in_bytes += c->frame.size - before;
	if (r < 0 || s->in_bytes > s->limits.in_bytes) {
		client_dismiss(c, "busy", "too many large requests are under way");
		return;
	}
	ssize_t n = recv(fd, at, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	if (first)
		deadline_set(c, s->limits.request_s);
	r = api_frame_got(&c->frame, (size_t)n);
	if (r == -EMSGSIZE)
		client_dismiss(c, "too-large", "a request has 4 MiB at most");
	else if (r < 0)
		client_dismiss(c, "bad-request", "a request has a length of at least 1");
	else if (r > 0)
		request_done(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	if (!answer_send(c))
		client_free(c);
}

// The client that has been without a request for the longest goes, so that idle connections, however
// many, keep nobody out. One that is being sent an answer stays.
static bool room_make(struct api_server *s)
{
	struct client *c;

	TAILQ_FOREACH (c, &s->clients, link) {
		if (c->out != NULL || c->later != NULL)
			continue;
		client_dismiss(c, "busy", "disconnected to make room: too many clients");
		return s->n_clients < s->limits.clients;
	}
	return false;
}

static void who_set(struct client *c)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
		snprintf(c->who, sizeof(c->who), "uid %u, pid %d", cred.uid, cred.pid);
	else
		snprintf(c->who, sizeof(c->who), "unknown");
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
		      void *arg)
{
	struct api_server *s = arg;

	(void)l;
	(void)addr;
	(void)len;
	if (s->n_clients >= s->limits.clients && !room_make(s)) {
		close(fd);
		return;
	}
	struct client *c = calloc(1, sizeof(*c));
	if (c == NULL) {
		close(fd);
		return;
	}
	c->server = s;
	c->fd = fd;
	api_frame_init(&c->frame, API_REQUEST_MAX);
	who_set(c);
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	s->n_clients++;
	c->readable = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(s->base, fd, EV_WRITE, on_writable, c);
	c->deadline = evtimer_new(s->base, on_deadline, c);
	if (c->readable == NULL || c->writable == NULL || c->deadline == NULL) {
		client_free(c);
		return;
	}
	deadline_set(c, s->limits.idle_s);
	event_add(c->readable, NULL);
}

// Out of file descriptors: the listener would come back at once, again and again.
static void on_accept_error(struct evconnlistener *l, void *arg)
{
	struct api_server *s = arg;
	struct timeval later = {.tv_sec = 1};

	log_warn("api: accepting a client: %s; trying again in 1 s", strerror(errno));
	evconnlistener_disable(l);
	event_add(s->retry, &later);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct api_server *s = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(s->listener);
}

int api_server_start(struct event_base *base, const char *path, const char *group,
		     struct control *ctl, struct api_server **out, struct err *err)
{
	struct api_server *s = calloc(1, sizeof(*s));
	struct stat st;

	if (s == NULL)
		return err_set(err, -ENOMEM, "api: out of memory");
	api_json_wipes();
	s->base = base;
	s->ctl = ctl;
	s->limits = API_LIMITS_DEFAULT;
	TAILQ_INIT(&s->clients);
	int fd = api_socket_open(path, group, err);
	if (fd < 0) {
		free(s);
		return fd;
	}
	s->path = strdup(path);
	if (stat(path, &st) == 0) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	s->retry = evtimer_new(base, on_retry, s);
	s->listener = evconnlistener_new(base, on_accept, s,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (s->path == NULL || s->retry == NULL || s->listener == NULL) {
		if (s->listener == NULL)
			close(fd);
		api_server_stop(s);
		return err_set(err, -ENOMEM, "api: out of memory");
	}
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	*out = s;
	return 0;
}

void api_server_limit(struct api_server *server, const struct api_limits *limits)
{
	server->limits = *limits;
}

void api_server_stop(struct api_server *s)
{
	struct stat st;

	if (s == NULL)
		return;
	while (!TAILQ_EMPTY(&s->clients))
		client_free(TAILQ_FIRST(&s->clients));
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	if (s->retry != NULL)
		event_free(s->retry);
	if (s->path != NULL && stat(s->path, &st) == 0 && st.st_dev == s->dev &&
	    st.st_ino == s->ino)
		unlink(s->path);
	free(s->path);
	free(s);
}
