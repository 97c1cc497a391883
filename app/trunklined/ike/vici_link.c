// SPDX-License-Identifier: BSD-3-Clause
#include "vici_link.h"

#include "base/log.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#define RETRY_S 1
// charon answers at once unless it is asked to wait: without an answer for so long it hangs.
#define ANSWER_S 120

struct request {
	TAILQ_ENTRY(request) link;
	vici_done done;
	void *arg;
	size_t len;
	uint8_t packet[];
};

struct vici_link {
	struct event_base *base;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const struct vici_link_ops *ops;
	void *arg;
	bool retry, up, told;
	struct bufferevent *bev; // NULL: not connected
	struct event *timer;     // the next attempt, or the end of patience with an answer
	bool sent;               // the first of the queue is under way
	TAILQ_HEAD(, request) queue;
	uint8_t *buf; // one packet that came in
};

static void timer_set(struct vici_link *l, long seconds)
{
	struct timeval tv = {.tv_sec = seconds};

	event_add(l->timer, &tv);
}

static void request_free(struct request *r)
{
	explicit_bzero(r->packet, r->len);
	free(r);
}

static void sent_free(const void *data, size_t len, void *arg)
{
	explicit_bzero((void *)(uintptr_t)data, len);
	free(arg);
}

// Hands the first of the queue to the socket, in memory of its own that is wiped once it is read.
static void queue_push(struct vici_link *l)
{
	struct request *r = TAILQ_FIRST(&l->queue);

	if (r == NULL || l->sent || !l->up)
		return;
	uint8_t *copy = malloc(r->len);
	if (copy == NULL)
		return; // the next request tries again
	memcpy(copy, r->packet, r->len);
	explicit_bzero(r->packet, r->len);
	if (evbuffer_add_reference(bufferevent_get_output(l->bev), copy, r->len, sent_free, copy) <
	    0) {
		sent_free(copy, r->len, copy);
		return;
	}
	l->sent = true;
	timer_set(l, ANSWER_S);
}

static void answer(struct vici_link *l, int rc, const struct vici_in *message, const char *why)
{
	struct request *r = TAILQ_FIRST(&l->queue);

	TAILQ_REMOVE(&l->queue, r, link);
	l->sent = false;
	event_del(l->timer);
	if (r->done != NULL)
		r->done(r->arg, rc, message, why);
	request_free(r);
}

static void queue_drop(struct vici_link *l, const char *why)
{
	struct request *r;

	while ((r = TAILQ_FIRST(&l->queue)) != NULL) {
		TAILQ_REMOVE(&l->queue, r, link);
		if (r->done != NULL)
			r->done(r->arg, -ENOTCONN, NULL, why);
		request_free(r);
	}
}

static void link_lose(struct vici_link *l, const char *why)
{
	bool was_up = l->up;

	if (l->bev != NULL)
		bufferevent_free(l->bev);
	l->bev = NULL;
	l->up = l->sent = false;
	event_del(l->timer);
	if (l->retry)
		timer_set(l, RETRY_S);
	if (was_up || !l->told) {
		l->told = true;
		l->ops->down(l->arg, why);
	}
	queue_drop(l, why);
}

static void on_answer(struct vici_link *l, const struct vici_packet *p)
{
	char why[256], success[8];

	if (!l->sent) {
		log_debug("ike: charon answers what nobody has asked");
		return;
	}
	if (p->op == VICI_UNKNOWN || p->op == VICI_EVENT_UNKNOWN) {
		answer(l, -ENOENT, NULL, "this charon does not know the command");
	} else if (p->op == VICI_RESPONSE &&
		   vici_find_text(p->message, "success", success, sizeof(success)) &&
		   strcmp(success, "yes") != 0) {
		vici_find_text(p->message, "errmsg", why, sizeof(why));
		answer(l, -EREMOTEIO, &p->message, why[0] != '\0' ? why : "refused");
	} else {
		answer(l, 0, &p->message, "");
	}
	queue_push(l);
}

// One packet off the buffer. 1, 0 if none is whole yet, or a negative errno.
static int packet_take(struct vici_link *l, struct evbuffer *in)
{
	struct vici_packet p;
	uint8_t head[VICI_HEADER];
	struct err err;
	ssize_t have = evbuffer_copyout(in, head, sizeof(head));
	int len = have < VICI_HEADER ? 0 : vici_len(head, sizeof(head));

	if (len <= 0)
		return len;
	if (evbuffer_get_length(in) < (size_t)len)
		return 0;
	evbuffer_remove(in, l->buf, (size_t)len);
	int rc = vici_decode(l->buf, (size_t)len, &p, &err);
	if (rc < 0)
		return rc;
	if (p.op == VICI_EVENT)
		l->ops->event(l->arg, p.name, &p.message);
	else
		on_answer(l, &p);
	return 1;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct vici_link *l = arg;
	int rc;

	while (l->bev == bev && (rc = packet_take(l, bufferevent_get_input(bev))) != 0) {
		if (rc < 0) {
			link_lose(l, "what it says is no VICI");
			return;
		}
	}
}

static void on_state(struct bufferevent *bev, short what, void *arg)
{
	struct vici_link *l = arg;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		l->up = true;
		l->told = false;
		event_del(l->timer);
		l->ops->up(l->arg);
		return;
	}
	link_lose(l, what & BEV_EVENT_EOF ? "it has closed the connection" : strerror(errno));
}

static void link_connect(struct vici_link *l)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", l->path);
	l->bev = bufferevent_socket_new(l->base, -1,
					BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (l->bev == NULL) {
		link_lose(l, "no memory");
		return;
	}
	bufferevent_setcb(l->bev, on_read, NULL, on_state, l);
	bufferevent_setwatermark(l->bev, EV_READ, 0, 2 * VICI_PACKET_MAX);
	bufferevent_enable(l->bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(l->bev, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		link_lose(l, strerror(errno));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct vici_link *l = arg;

	(void)fd;
	(void)what;
	if (l->bev == NULL)
		link_connect(l);
	else
		link_lose(l, "it does not answer");
}

int vici_link_open(struct event_base *base, const char *path, bool retry,
		   const struct vici_link_ops *ops, void *arg, struct vici_link **out,
		   struct err *err)
{
	struct vici_link *l = calloc(1, sizeof(*l));

	*out = l;
	if (l == NULL)
		return err_set(err, -ENOMEM, "no memory for charon's connection");
	TAILQ_INIT(&l->queue);
	l->base = base;
	l->ops = ops;
	l->arg = arg;
	l->retry = retry;
	snprintf(l->path, sizeof(l->path), "%s", path);
	if ((l->buf = malloc(VICI_HEADER + VICI_PACKET_MAX)) == NULL ||
	    (l->timer = evtimer_new(base, on_timer, l)) == NULL) {
		vici_link_close(l);
		*out = NULL;
		return err_set(err, -ENOMEM, "no memory for charon's connection");
	}
	timer_set(l, 0); // whoever opens it has it in hand when the first callback comes
	return 0;
}

void vici_link_close(struct vici_link *l)
{
	if (l == NULL)
		return;
	l->up = false;
	queue_drop(l, "the connection is closed");
	if (l->bev != NULL)
		bufferevent_free(l->bev);
	if (l->timer != NULL)
		event_free(l->timer);
	free(l->buf);
	free(l);
}

bool vici_link_is_up(const struct vici_link *l)
{
	return l != NULL && l->up;
}

int vici_link_send(struct vici_link *l, const uint8_t *packet, size_t len, vici_done done,
		   void *arg)
{
	if (!vici_link_is_up(l))
		return -ENOTCONN;
	struct request *r = malloc(sizeof(*r) + len);
	if (r == NULL)
		return -ENOMEM;
	r->done = done;
	r->arg = arg;
	r->len = len;
	memcpy(r->packet, packet, len);
	TAILQ_INSERT_TAIL(&l->queue, r, link);
	queue_push(l);
	return 0;
}

int vici_link_register(struct vici_link *l, const char *event)
{
	uint8_t buf[300];
	struct vici_out o;

	vici_begin(&o, buf, sizeof(buf), VICI_REGISTER, event);
	int len = vici_end(&o);
	return len < 0 ? len : vici_link_send(l, buf, (size_t)len, NULL, NULL);
}
