// SPDX-License-Identifier: BSD-3-Clause
// The socket to which the IKE daemon connects (lib/ike/feed.h has the protocol). One daemon at a time: who
// says HELLO takes the place of who was there. Requests are answered in order, each once it is done;
// events go out as long as they are read.
#include "api/api_socket.h"
#include "base/log.h"
#include "ike_priv.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 4            // the one that is served, and those that have not said HELLO yet
#define UNREAD_MAX (1024 * 1024) // bytes that the IKE daemon may leave unread
#define TICK_US 100000
#define WATCH_TICKS 2

struct client {
	struct ike_feed *feed;
	struct bufferevent *bev; // NULL: free
	char name[64];
};

struct ike_feed {
	struct control *ctl;
	struct ike_sad *sad;
	char *path;
	struct evconnlistener *listener;
	struct event *tick;
	unsigned ticks;
	uint64_t instance;
	struct client client[CLIENTS_MAX];
	struct client *served; // has said HELLO; NULL: nobody
	unsigned replayed;
	struct feed_msg in, out;
	uint8_t buf[FEED_MESSAGE_MAX];
};

// libevent frees its memory as it is, and requests have keys: takes len bytes (to may be NULL) and wipes them.
static void input_take(struct evbuffer *in, uint8_t *to, size_t len)
{
	struct evbuffer_iovec v;

	while (len > 0 && evbuffer_peek(in, -1, NULL, &v, 1) > 0) {
		size_t n = v.iov_len < len ? v.iov_len : len;
		if (to != NULL) {
			memcpy(to, v.iov_base, n);
			to += n;
		}
		explicit_bzero(v.iov_base, n);
		evbuffer_drain(in, n);
		len -= n;
	}
}

static void client_drop(struct client *c, const char *why)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct ike_feed *f = c->feed;

	if (f->served == c) {
		f->served = NULL;
		log_notice("ike: %s is gone (%s); its tunnels work on", c->name, why);
	}
	input_take(in, NULL, evbuffer_get_length(in));
	bufferevent_free(c->bev);
	c->bev = NULL;
	c->name[0] = '\0';
}

static bool message_send(struct client *c, const struct feed_msg *m)
{
	struct ike_feed *f = c->feed;
	int len = feed_encode(m, f->buf, sizeof(f->buf));

	if (len < 0)
		log_error("ike: a message of type %u cannot be sent: %s", m->type, strerror(-len));
	return len > 0 && bufferevent_write(c->bev, f->buf, (size_t)len) == 0;
}

bool ike_feed_tell(struct ike_feed *f, struct feed_msg *m)
{
	if (f == NULL || f->served == NULL ||
	    evbuffer_get_length(bufferevent_get_output(f->served->bev)) > UNREAD_MAX)
		return false;
	m->id = 0;
	return message_send(f->served, m);
}

bool ike_feed_connected(const struct ike_feed *f)
{
	return f != NULL && f->served != NULL;
}

// ---- requests ----

static int hello(struct client *c, const struct feed_hello *h, struct feed_hello *answer,
		 struct err *err)
{
	struct ike_feed *f = c->feed;

	*answer = (struct feed_hello){.version = FEED_VERSION, .instance = f->instance};
	snprintf(answer->name, sizeof(answer->name), "trunklined");
	if (h->version != FEED_VERSION)
		return err_set(err, -EPROTONOSUPPORT, "version %u of the feed; we speak %u",
			       h->version, FEED_VERSION);
	snprintf(c->name, sizeof(c->name), "%s", h->name[0] != '\0' ? h->name : "the IKE daemon");
	if (f->served != NULL && f->served != c)
		client_drop(f->served, "another has taken its place");
	f->served = c;
	f->replayed = 0;
	sad_orphan_all(f->sad);
	log_notice("ike: %s is connected", c->name);
	return 0;
}

static int replayed(struct ike_feed *f)
{
	const struct ike_sa *sa;
	unsigned orphans = 0;

	TAILQ_FOREACH (sa, &f->sad->all, link)
		orphans += sa->orphan;
	log_notice("ike: %s has %u SAs from before; %u that it does not know work on until others "
		   "take their place",
		   f->served->name, f->replayed, orphans);
	return 0;
}

static int refused_log(struct ike_feed *f, int rc, const struct err *err)
{
	struct feed_note note = {.level = FEED_NOTE_WARN};

	if (rc < 0) {
		snprintf(note.text, sizeof(note.text), "SA refused: %s", err->text);
		sad_note(f->sad, &note);
	}
	return rc;
}

static int sa_add(struct ike_feed *f, const struct feed_sa *sa, struct err *err)
{
	int rc = refused_log(f, sad_add(f->sad, sa, err), err);

	f->replayed += rc == 0 && (sa->flags & FEED_REPLAY);
	return rc;
}

static int request(struct client *c, const struct feed_msg *in, struct feed_msg *out,
		   struct err *err)
{
	struct ike_feed *f = c->feed;
	struct ike_sad *s = f->sad;

	if (in->type == FEED_HELLO)
		return hello(c, &in->hello, &out->hello, err);
	if (f->served != c)
		return err_set(err, -EPROTO, "the first message is HELLO");
	switch (in->type) {
	case FEED_REPLAYED:
		return replayed(f);
	case FEED_SPI_GET:
		out->sa_id = in->sa_id;
		return sad_spi_get(s, &out->sa_id, err);
	case FEED_SA_ADD:
		return sa_add(f, &in->sa, err);
	case FEED_SA_UPDATE:
		return sad_update(s, &in->update, err);
	case FEED_SA_QUERY:
		return sad_query(s, &in->sa_id, &out->usage, err);
	case FEED_SA_DEL:
		return sad_del(s, &in->sa_id, err);
	case FEED_SA_FLUSH:
		sad_flush(s);
		return 0;
	case FEED_POLICY_ADD:
		return sad_policy_add(s, &in->policy, err);
	case FEED_POLICY_QUERY:
		return sad_policy_query(s, &in->policy, &out->usage, err);
	case FEED_POLICY_DEL:
		return sad_policy_del(s, &in->policy, err);
	case FEED_POLICY_FLUSH:
		sad_policy_flush(s, 0);
		return 0;
	case FEED_NOTE:
		sad_note(s, &in->note);
		return 0;
	default:
		return err_set(err, -EOPNOTSUPP, "no request has the type %u", in->type);
	}
}

// One message off the buffer. 1, 0 if none is whole yet, or a negative errno: the client is of no use.
static int message_take(struct client *c, struct evbuffer *in)
{
	struct ike_feed *f = c->feed;
	uint8_t head[FEED_HEADER];
	struct err err = {""};
	ssize_t have = evbuffer_copyout(in, head, sizeof(head));

	if (have < FEED_HEADER)
		return 0;
	int len = feed_len(head, sizeof(head));
	if (len < 0)
		return len;
	if (evbuffer_get_length(in) < (size_t)len)
		return 0;
	input_take(in, f->buf, (size_t)len);
	int rc = feed_decode(f->buf, (size_t)len, &f->in, &err);
	explicit_bzero(f->buf, (size_t)len);
	if (rc == 0 && (f->in.id == 0 || (f->in.type & FEED_ANSWER)))
		rc = -EPROTO;
	if (rc < 0) {
		feed_wipe(&f->in);
		return rc;
	}
	memset(&f->out, 0, sizeof(f->out));
	f->out.type = f->in.type | FEED_ANSWER;
	f->out.id = f->in.id;
	f->out.status = request(c, &f->in, &f->out, &err);
	if (f->out.status < 0)
		snprintf(f->out.text, sizeof(f->out.text), "%s", err.text);
	feed_wipe(&f->in);
	return message_send(c, &f->out) ? 1 : -EIO;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;
	struct evbuffer *out = bufferevent_get_output(bev);
	int rc;

	while ((rc = message_take(c, bufferevent_get_input(bev))) > 0) {
		if (evbuffer_get_length(out) > 2 * UNREAD_MAX) {
			rc = -ENOBUFS;
			break;
		}
	}
	if (rc == -ENOBUFS) {
		log_warn("ike: %zu bytes of answers wait to be read; the connection is closed",
			 evbuffer_get_length(out));
		client_drop(c, "it doesn't read its answers");
	} else if (rc < 0) {
		log_warn("ike: a message that is none of the feed's (%s); the connection is closed",
			 strerror(-rc));
		client_drop(c, "what it says is not understood");
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	client_drop(arg, what & BEV_EVENT_EOF ? "it has closed the connection" : strerror(errno));
}

// ---- connections ----

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
		      void *arg)
{
	struct ike_feed *f = arg;
	struct ucred cred;
	socklen_t n = sizeof(cred);
	unsigned i = 0;

	(void)l;
	(void)sa;
	(void)len;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0 ||
	    (cred.uid != 0 && cred.uid != geteuid())) {
		log_warn("ike: %s: refused; only root and the daemon's own user may connect",
			 f->path);
		close(fd);
		return;
	}
	while (i < CLIENTS_MAX && f->client[i].bev != NULL)
		i++;
	struct bufferevent *bev =
		i < CLIENTS_MAX ? bufferevent_socket_new(f->ctl->base, fd, BEV_OPT_CLOSE_ON_FREE)
				: NULL;
	if (bev == NULL) {
		log_warn("ike: %s: %d are connected already", f->path, CLIENTS_MAX);
		close(fd);
		return;
	}
	f->client[i] = (struct client){.feed = f, .bev = bev};
	bufferevent_setcb(bev, on_read, NULL, on_event, &f->client[i]);
	bufferevent_setwatermark(bev, EV_READ, 0, 2 * FEED_MESSAGE_MAX);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ike_feed *f = arg;
	int64_t now = ike_now();

	(void)fd;
	(void)what;
	sad_policies_check(f->sad, now);
	if (++f->ticks % WATCH_TICKS == 0)
		sad_watch(f->sad, now);
}

int ike_feed_open(struct control *ctl, const char *path, struct ike_feed **out, struct err *err)
{
	static const struct timeval tick = {.tv_usec = TICK_US};
	struct ike_feed *f = calloc(1, sizeof(*f));
	int rc = -ENOMEM, fd;

	*out = f;
	if (f == NULL || (f->path = strdup(path)) == NULL)
		return err_set(err, -ENOMEM, "no memory for the IKE feed");
	f->ctl = ctl;
	if (getrandom(&f->instance, sizeof(f->instance), 0) != sizeof(f->instance))
		return err_set(err, -EIO, "the kernel gave no random numbers (getrandom)");
	if ((rc = sad_open(ctl, f, &f->sad, err)) < 0)
		return rc;
	if ((fd = api_socket_open(path, NULL, err)) < 0) {
		err_prefix(err, "ike.feed");
		return fd;
	}
	f->listener = evconnlistener_new(ctl->base, on_accept, f, LEV_OPT_CLOSE_ON_FREE, 0, fd);
	if (f->listener == NULL) {
		close(fd);
		return err_set(err, -ENOMEM, "no memory for the IKE feed");
	}
	f->tick = event_new(ctl->base, -1, EV_PERSIST, on_tick, f);
	if (f->tick == NULL || event_add(f->tick, &tick) < 0)
		return err_set(err, -ENOMEM, "no memory for the IKE feed's timer");
	return 0;
}

void ike_feed_close(struct ike_feed *f)
{
	if (f == NULL)
		return;
	f->served = NULL; // what goes now is no news
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (f->client[i].bev != NULL)
			client_drop(&f->client[i], "");
	if (f->tick != NULL)
		event_free(f->tick);
	if (f->listener != NULL) {
		evconnlistener_free(f->listener);
		unlink(f->path);
	}
	sad_close(f->sad);
	free(f->path);
	free(f);
}
