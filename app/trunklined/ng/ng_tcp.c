// SPDX-License-Identifier: BSD-3-Clause
// NG over TCP: the same frames one after another, and their answers in the same order. A client that
// does not read its answers is not read from.
#include "base/log.h"
#include "ng_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define UNSENT_MAX (256 << 10) // bytes of answers that a client may leave unread

struct ng_client {
	TAILQ_ENTRY(ng_client) link;
	struct ng_server *server;
	struct bufferevent *bev;
	struct sockaddr_in from;
	struct ng_scan scan;
	size_t scanned; // bytes of the input that scan has seen
};

TAILQ_HEAD(ng_clients, ng_client);

static void client_free(struct ng_client *c)
{
	TAILQ_REMOVE(c->server->clients, c, link);
	c->server->stats.connections--;
	bufferevent_free(c->bev);
	free(c);
}

// One frame from the input, if it is whole: 1, 0 if more has to come, negative if it is none.
static int frame_take(struct ng_client *c, struct evbuffer *in)
{
	struct ng_str answer;
	size_t used, have = evbuffer_get_length(in) - c->scanned;
	int rc = 0;

	while (rc == 0 && have > 0) {
		struct evbuffer_iovec piece;
		struct evbuffer_ptr at;
		evbuffer_ptr_set(in, &at, c->scanned, EVBUFFER_PTR_SET);
		if (evbuffer_peek(in, (ev_ssize_t)have, &at, &piece, 1) < 1)
			break;
		rc = ng_scan_feed(&c->scan, piece.iov_base,
				  piece.iov_len < have ? piece.iov_len : have, &used);
		c->scanned += used;
		have -= used;
	}
	if (rc <= 0)
		return rc;
	const char *frame = (const char *)evbuffer_pullup(in, (ev_ssize_t)c->scanned);
	if (frame != NULL && ng_answer(c->server, &c->from, frame, c->scanned, &answer) >= 0)
		bufferevent_write(c->bev, answer.at, answer.len);
	evbuffer_drain(in, c->scanned);
	c->scanned = 0;
	return 1;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct ng_client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	int rc = 1;

	while (rc > 0) {
		if (evbuffer_get_length(bufferevent_get_output(bev)) > UNSENT_MAX) {
			bufferevent_disable(bev, EV_READ);
			return;
		}
		rc = frame_take(c, in);
	}
	if (rc == 0)
		return;
	c->server->stats.malformed++;
	client_free(c);
}

// What was held back while answers were unread.
static void on_written(struct bufferevent *bev, void *arg)
{
	if (bufferevent_get_enabled(bev) & EV_READ)
		return;
	bufferevent_enable(bev, EV_READ);
	on_read(bev, arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	client_free(arg);
}

// A proxy that went away without a word is found out in 2 minutes.
static void keepalive_set(evutil_socket_t fd)
{
	const int on = 1, idle = 60, every = 15, times = 4;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

// Without it the listener would come back at once, again and again. ng_tcp_second enables it.
static void on_accept_error(struct evconnlistener *l, void *arg)
{
	(void)arg;
	log_warn("ng: accepting a connection: %s; trying again in 1 s", strerror(errno));
	evconnlistener_disable(l);
}

void ng_tcp_second(struct ng_server *s)
{
	s->full_told = false;
	for (unsigned i = 0; i < NG_LISTEN_MAX; i++)
		if (s->tcp[i] != NULL)
			evconnlistener_enable(s->tcp[i]);
}

static bool is_full(struct ng_server *s)
{
	if (s->stats.connections < CLIENTS_MAX)
		return false;
	if (!s->full_told)
		log_warn("ng: %d connections are there; no more are accepted", CLIENTS_MAX);
	s->full_told = true;
	return true;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
		      void *arg)
{
	struct ng_server *s = arg;
	struct ng_client *c = NULL;

	(void)l;
	(void)len;
	if (!ng_allowed(s, (struct sockaddr_in *)addr) || is_full(s) ||
	    (c = calloc(1, sizeof(*c))) == NULL ||
	    (c->bev = bufferevent_socket_new(s->ctl->base, fd, BEV_OPT_CLOSE_ON_FREE)) == NULL) {
		free(c);
		close(fd);
		return;
	}
	keepalive_set(fd);
	c->server = s;
	c->from = *(struct sockaddr_in *)addr;
	TAILQ_INSERT_TAIL(s->clients, c, link);
	s->stats.connections++;
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, 2 * NG_MESSAGE_MAX);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

int ng_tcp_listen(struct ng_server *s, unsigned i, const struct sockaddr_in *at, struct err *err)
{
	if (s->clients == NULL) {
		if ((s->clients = malloc(sizeof(*s->clients))) == NULL)
			return err_set(err, -ENOMEM, "out of memory");
		TAILQ_INIT(s->clients);
	}
	s->tcp[i] = evconnlistener_new_bind(s->ctl->base, on_accept, s,
					    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
						    LEV_OPT_REUSEABLE,
					    64, (const struct sockaddr *)at, sizeof(*at));
	if (s->tcp[i] == NULL)
		return err_set(err, -errno, "TCP: %s", strerror(errno));
	evconnlistener_set_error_cb(s->tcp[i], on_accept_error);
	return 0;
}

void ng_tcp_close(struct ng_server *s)
{
	struct ng_client *c;

	for (unsigned i = 0; i < NG_LISTEN_MAX; i++)
		if (s->tcp[i] != NULL)
			evconnlistener_free(s->tcp[i]);
	while (s->clients != NULL && (c = TAILQ_FIRST(s->clients)) != NULL)
		client_free(c);
	free(s->clients);
}
