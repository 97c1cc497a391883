// SPDX-License-Identifier: GPL-2.0-or-later
// States of the connection, under one mutex:
//
//     DOWN ── connect, HELLO, replay ──► UP ── an error, or a gateway that does not answer ──► DOWN
//
// An answer changes the shadow in the same hold of the mutex in which it is handed to who asked, so that a
// replay finds exactly what charon was told. Nothing is logged with the mutex held: charon's bus may ask
// us for something with its own lock held.
#include "link.h"

#include "shadow.h"

#include <daemon.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <threading/condvar.h>
#include <threading/mutex.h>
#include <threading/thread.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MS 250
#define SEND_MS 1000

struct link {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	link_event_fn on_event;
	mutex_t *mutex;
	condvar_t *changed; // of all below
	thread_t *thread;
	bool stop, up;
	bool busy;                // somebody waits for an answer
	struct feed_msg *pending; // what was asked; gets the answer; NULL: nothing
	bool answered;
	char text[FEED_TEXT_MAX]; // of the answer
	int fd;                   // -1: none
	uint32_t last_id;
	uint64_t ours, theirs; // instances; theirs is of the last connection
	unsigned dropped;      // by a replay: what can't be said
	struct shadow shadow;
	struct feed_msg in, work; // the thread's
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Waits for a change, until the deadline. False when it is over.
static bool wait_until(struct link *l, int64_t deadline)
{
	int64_t left = deadline - now_ms();

	if (left <= 0)
		return false;
	l->changed->timed_wait(l->changed, l->mutex, (u_int)left);
	return true;
}

// ---- asking ----

// From the answer in l->in to who asked.
static void answer_take(struct link *l)
{
	struct feed_msg *p = l->pending;

	if (p == NULL || l->in.id != p->id || l->in.type != (p->type | FEED_ANSWER))
		return; // nobody waits for it any more
	p->status = l->in.status;
	memcpy(l->text, l->in.text, sizeof(l->text));
	if (p->status == 0 || p->type == FEED_SA_DEL || p->type == FEED_POLICY_DEL)
		if (shadow_apply(&l->shadow, p, now_ms()) < 0)
			p->status = -ENOMEM;
	if (p->status == 0 && p->type == FEED_SPI_GET)
		p->sa_id.spi = l->in.sa_id.spi;
	if (p->status == 0 && (p->type == FEED_SA_QUERY || p->type == FEED_POLICY_QUERY))
		p->usage = l->in.usage;
	l->pending = NULL;
	l->answered = true;
}

// The thread sees it and connects anew, and what is owed is told then.
static void give_up(struct link *l)
{
	if (l->fd >= 0)
		shutdown(l->fd, SHUT_RDWR);
	l->up = false;
	l->changed->broadcast(l->changed);
}

// Sends and waits. 0 when there is an answer.
static int ask(struct link *l, struct feed_msg *r)
{
	int64_t deadline = now_ms() + LINK_WAIT_MS;

	if (++l->last_id == 0)
		l->last_id = 1;
	r->id = l->last_id;
	l->answered = false;
	int rc = feed_send(l->fd, r, SEND_MS);
	l->pending = r;
	while (rc == 0 && l->up && !l->answered)
		if (!wait_until(l, deadline))
			rc = -ETIMEDOUT;
	l->pending = NULL;
	if (l->answered)
		return 0;
	give_up(l);
	return rc < 0 ? rc : -ENOTCONN;
}

// There is no telling whether the gateway has done it, or it has not been asked: it will hear of it.
static int undecided(struct link *l, const struct feed_msg *r, enum link_patience patience,
		     bool asked, int rc)
{
	if (patience == LINK_KEEP) {
		shadow_owe(&l->shadow, r);
		return shadow_apply(&l->shadow, r, now_ms());
	}
	if (asked && r->type == FEED_SA_ADD)
		shadow_owe(&l->shadow, r);
	return rc;
}

// What the feed has no words for is neither owed nor remembered: no connection could replay it.
static int can_be_said(struct feed_msg *r, struct err *err)
{
	uint8_t buf[FEED_MESSAGE_MAX];

	r->id = UINT32_MAX;
	int len = feed_encode(r, buf, sizeof(buf));
	if (len < 0)
		return err_set(err, len, "a field is out of the range that the feed allows");
	explicit_bzero(buf, (size_t)len);
	return 0;
}

int link_call(struct link *l, struct feed_msg *r, enum link_patience patience, struct err *err)
{
	int64_t deadline = now_ms() + LINK_WAIT_MS;
	int rc = can_be_said(r, err);

	if (rc < 0)
		return rc;
	l->mutex->lock(l->mutex);
	while ((l->busy || (!l->up && patience == LINK_WAIT)) && !l->stop && rc == 0)
		if (!wait_until(l, deadline))
			rc = -ETIMEDOUT;
	if (!l->up || l->busy || l->stop) {
		rc = undecided(l, r, patience, false, l->up ? -ETIMEDOUT : -ENOTCONN);
		// Others are answered, slowly: this one would never be told.
		if (l->up && patience == LINK_KEEP)
			give_up(l);
	} else {
		l->busy = true;
		rc = ask(l, r);
		l->busy = false;
		if (rc == 0 && (rc = r->status) < 0)
			err_set(err, rc, "%s", l->text);
		else if (rc < 0)
			rc = undecided(l, r, patience, true, rc);
		l->changed->broadcast(l->changed);
	}
	if (rc < 0 && err->text[0] == '\0')
		err_set(err, rc, "%s",
			rc == -ENOTCONN    ? "there is no connection to trunklined"
			: rc == -ETIMEDOUT ? "trunklined does not answer"
					   : strerror(-rc));
	l->mutex->unlock(l->mutex);
	return rc;
}

int link_policy_find(struct link *l, struct feed_policy *p)
{
	l->mutex->lock(l->mutex);
	const struct feed_policy *found = shadow_policy_find(&l->shadow, p);
	if (found != NULL)
		*p = *found;
	l->mutex->unlock(l->mutex);
	return found != NULL ? 0 : -ENOENT;
}

// ---- connecting and replay, in the thread ----

static int dial(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return -errno;
	memcpy(a.sun_path, path, strlen(path) + 1); // link_create() has seen its length
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

// A request of the thread's own, before anybody else may ask: l->work, answered in l->in. -EINVAL, -EMSGSIZE: it
// can't be said, and the connection is as good as before.
static int exchange(struct link *l, int fd, struct err *err)
{
	int rc;

	l->work.id = UINT32_MAX;
	if ((rc = feed_send(fd, &l->work, SEND_MS)) < 0)
		return err_set(err, rc, "%s", strerror(-rc));
	do {
		if ((rc = feed_recv(fd, &l->in, LINK_WAIT_MS, err)) < 0)
			return rc;
		if (l->in.type == FEED_SEQS)
			shadow_seqs(&l->shadow, &l->in.seqs);
		else if (l->in.id == 0)
			l->on_event(&l->in);
	} while (l->in.id != l->work.id);
	return 0;
}

// Those that the gateway does not take are charon's to delete: told as expired when the mutex is free.
struct refused {
	struct refused *next;
	struct feed_msg expire;
	char text[FEED_TEXT_MAX];
};

static void refuse(struct refused **list, const struct feed_sa *sa, const char *text)
{
	struct refused *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return;
	r->expire.type = FEED_EXPIRE;
	r->expire.expire.id = (struct feed_id){sa->spi, sa->src.addr, sa->dst.addr, 50, sa->if_id};
	r->expire.expire.hard = true;
	memcpy(r->text, text, sizeof(r->text));
	r->next = *list;
	*list = r;
}

static bool unsayable(int rc)
{
	return rc == -EINVAL || rc == -EMSGSIZE;
}

static int replay_owed(struct link *l, int fd, struct err *err)
{
	struct shadow_owed *o;
	int rc = 0;

	TAILQ_FOREACH (o, &l->shadow.owed, link) {
		l->work = (struct feed_msg){.type = o->type};
		if (o->type == FEED_SA_DEL)
			l->work.sa_id = o->id;
		else if (o->type == FEED_SA_UPDATE)
			l->work.update = o->update;
		else
			l->work.policy = o->policy;
		if ((rc = exchange(l, fd, err)) < 0 && !unsayable(rc))
			return rc;
		l->dropped += unsayable(rc);
	}
	shadow_owed_clear(&l->shadow);
	return 0;
}

static int replay_sas(struct link *l, int fd, struct refused **refused, struct err *err)
{
	struct shadow_sa *sa, *next;
	int rc = 0;

	for (sa = TAILQ_FIRST(&l->shadow.all); sa != NULL; sa = next) {
		next = TAILQ_NEXT(sa, link);
		l->work = (struct feed_msg){.type = FEED_SA_ADD, .sa = sa->sa};
		l->work.sa.flags |= FEED_REPLAY;
		l->work.sa.age = (uint64_t)(now_ms() - sa->made) / 1000;
		rc = exchange(l, fd, err);
		feed_wipe(&l->work);
		if (rc < 0 && !unsayable(rc))
			return rc;
		if (rc < 0) {
			refuse(refused, &sa->sa, err->text);
			shadow_sa_drop(&l->shadow, sa);
		} else if (l->in.status < 0) {
			refuse(refused, &sa->sa, l->in.text);
		}
	}
	return 0;
}

static int replay_policies(struct link *l, int fd, struct err *err)
{
	struct shadow_policy *p, *next;
	int rc = 0;

	for (p = TAILQ_FIRST(&l->shadow.policies); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		l->work = (struct feed_msg){.type = FEED_POLICY_ADD, .policy = p->p};
		if ((rc = exchange(l, fd, err)) < 0 && !unsayable(rc))
			return rc;
		if (rc < 0) {
			shadow_policy_drop(&l->shadow, p);
			l->dropped++;
		}
	}
	l->work = (struct feed_msg){.type = FEED_REPLAYED};
	return exchange(l, fd, err);
}

static int hello(struct link *l, int fd, uint64_t *instance, struct err *err)
{
	l->work = (struct feed_msg){.type = FEED_HELLO,
				    .hello = {.version = FEED_VERSION, .instance = l->ours}};
	snprintf(l->work.hello.name, sizeof(l->work.hello.name), "charon %s with trunkline %s",
		 VERSION, TRUNKLINE_VERSION);
	int rc = exchange(l, fd, err);
	if (rc < 0)
		return rc;
	if (l->in.status < 0)
		return err_set(err, l->in.status, "%s", l->in.text);
	*instance = l->in.hello.instance;
	return 0;
}

// The mutex is held, so nothing changes meanwhile; each exchange is bounded.
static int greet(struct link *l, int fd, struct refused **refused, struct err *err)
{
	uint64_t instance = 0;
	int rc = hello(l, fd, &instance, err);

	if (rc < 0)
		return rc;
	bool anew = l->theirs != 0 && instance != l->theirs;
	l->theirs = instance;
	if (anew)
		shadow_owed_clear(&l->shadow); // it knows of nothing that could be deleted
	if ((rc = replay_owed(l, fd, err)) == 0)
		rc = replay_sas(l, fd, refused, err);
	if (anew) // also if that failed half way: some SAs may have begun
		shadow_jumped(&l->shadow);
	return rc < 0 ? rc : replay_policies(l, fd, err);
}

static void refused_tell(struct link *l, struct refused *list)
{
	struct refused *next;

	for (; list != NULL; list = next) {
		next = list->next;
		DBG1(DBG_KNL, "trunkline: SA with SPI 0x%08x is refused now: %s",
		     list->expire.expire.id.spi, list->text);
		l->on_event(&list->expire);
		free(list);
	}
}

static bool connect_once(struct link *l, int *said)
{
	struct refused *refused = NULL;
	struct err err = {""};
	int rc = 0, fd = dial(l->path);

	if (fd < 0) {
		if (*said != fd)
			DBG1(DBG_KNL, "trunkline: %s: %s; trying on", l->path, strerror(-fd));
		*said = fd;
		return false;
	}
	l->mutex->lock(l->mutex);
	rc = l->stop ? -ECANCELED : greet(l, fd, &refused, &err);
	unsigned sas = l->shadow.n_sas, policies = l->shadow.n_policies, dropped = l->dropped;
	l->dropped = 0;
	if (rc == 0) {
		l->fd = fd;
		l->up = true;
		l->changed->broadcast(l->changed);
	}
	l->mutex->unlock(l->mutex);
	refused_tell(l, refused);
	if (dropped > 0)
		DBG1(DBG_KNL,
		     "trunkline: %u changes are out of the range that the feed "
		     "allows; they are dropped",
		     dropped);
	if (rc < 0) {
		if (*said != rc)
			DBG1(DBG_KNL, "trunkline: %s: %s; trying on", l->path, err.text);
		*said = rc;
		close(fd);
		return false;
	}
	*said = 0;
	DBG1(DBG_KNL, "trunkline: connected to trunklined, %u SAs and %u policies replayed", sas,
	     policies);
	return true;
}

// ---- reading, in the thread ----

static void read_on(struct link *l)
{
	struct err err = {""};

	while (feed_recv(l->fd, &l->in, -1, &err) == 0) {
		if (l->in.id == 0 && l->in.type != FEED_SEQS) {
			l->on_event(&l->in);
			continue;
		}
		l->mutex->lock(l->mutex);
		if (l->in.id == 0)
			shadow_seqs(&l->shadow, &l->in.seqs);
		else
			answer_take(l);
		l->changed->broadcast(l->changed);
		l->mutex->unlock(l->mutex);
	}
	l->mutex->lock(l->mutex);
	close(l->fd);
	l->fd = -1;
	l->up = false;
	bool stop = l->stop;
	l->changed->broadcast(l->changed);
	l->mutex->unlock(l->mutex);
	if (!stop)
		DBG1(DBG_KNL, "trunkline: the connection to trunklined is lost (%s)", err.text);
}

static void *link_main(void *arg)
{
	struct link *l = arg;
	int said = 0;
	bool stop = false;

	while (!stop) {
		if (connect_once(l, &said))
			read_on(l);
		l->mutex->lock(l->mutex);
		int64_t deadline = now_ms() + RETRY_MS;
		while (!l->stop && wait_until(l, deadline))
			;
		stop = l->stop;
		l->mutex->unlock(l->mutex);
	}
	return NULL;
}

struct link *link_create(const char *path, link_event_fn on_event)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	if (strlen(path) >= sizeof(l->path) ||
	    getrandom(&l->ours, sizeof(l->ours), 0) != sizeof(l->ours)) {
		DBG1(DBG_KNL, "trunkline: %s cannot be the path of a socket", path);
		free(l);
		return NULL;
	}
	memcpy(l->path, path, strlen(path) + 1);
	l->on_event = on_event;
	l->fd = -1;
	shadow_init(&l->shadow);
	l->mutex = mutex_create(MUTEX_TYPE_DEFAULT);
	l->changed = condvar_create(CONDVAR_TYPE_DEFAULT);
	l->thread = thread_create(link_main, l);
	return l;
}

void link_destroy(struct link *l)
{
	if (l == NULL)
		return;
	l->mutex->lock(l->mutex);
	l->stop = true;
	if (l->fd >= 0)
		shutdown(l->fd, SHUT_RDWR);
	l->changed->broadcast(l->changed);
	l->mutex->unlock(l->mutex);
	if (l->thread != NULL)
		l->thread->join(l->thread);
	shadow_clear(&l->shadow);
	l->changed->destroy(l->changed);
	l->mutex->destroy(l->mutex);
	feed_wipe(&l->in);
	feed_wipe(&l->work);
	free(l);
}
