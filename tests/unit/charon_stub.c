// SPDX-License-Identifier: GPL-2.0-or-later
#include "charon_stub.h"

#include <daemon.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <threading/condvar.h>
#include <threading/mutex.h>
#include <threading/thread.h>
#include <time.h>

static const char *stub_socket;
static settings_t settings;
static library_t library;
library_t *lib = &library;
static bus_t bus;
static daemon_t daemon_stub = {.bus = &bus};
daemon_t *charon = &daemon_stub;
enum_name_t *policy_dir_names;

static void no_log(bus_t *this, debug_t group, level_t level, char *fmt, ...)
{
	(void)this;
	(void)group;
	(void)level;
	(void)fmt;
}

time_t time_monotonic(timeval_t *tv)
{
	(void)tv;
	return time(NULL);
}

const char *strerror_safe(int errnum)
{
	return strerrordesc_np(errnum);
}

static char *get_str(settings_t *this, const char *key, const char *other, ...)
{
	(void)this;
	(void)key;
	(void)other;
	return (char *)(uintptr_t)stub_socket;
}

void stub_init(const char *path)
{
	stub_socket = path;
	bus.log = no_log;
	settings.get_str = (void *)get_str;
	library.settings = &settings;
}

// ---- threads ----

struct lock {
	mutex_t public;
	pthread_mutex_t m;
};

static void lock(mutex_t *this)
{
	pthread_mutex_lock(&((struct lock *)this)->m);
}

static void unlock(mutex_t *this)
{
	pthread_mutex_unlock(&((struct lock *)this)->m);
}

static void lock_destroy(mutex_t *this)
{
	pthread_mutex_destroy(&((struct lock *)this)->m);
	free(this);
}

mutex_t *mutex_create(mutex_type_t type)
{
	struct lock *l = calloc(1, sizeof(*l));

	(void)type;
	l->public = (mutex_t){lock, unlock, lock_destroy};
	pthread_mutex_init(&l->m, NULL);
	return &l->public;
}

struct cond {
	condvar_t public;
	pthread_cond_t c;
};

static bool timed_wait(condvar_t *this, mutex_t *mutex, u_int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return pthread_cond_timedwait(&((struct cond *)this)->c, &((struct lock *)mutex)->m, &t) ==
	       ETIMEDOUT;
}

static void broadcast(condvar_t *this)
{
	pthread_cond_broadcast(&((struct cond *)this)->c);
}

static void cond_destroy(condvar_t *this)
{
	pthread_cond_destroy(&((struct cond *)this)->c);
	free(this);
}

condvar_t *condvar_create(condvar_type_t type)
{
	struct cond *c = calloc(1, sizeof(*c));

	(void)type;
	c->public.timed_wait = timed_wait;
	c->public.broadcast = broadcast;
	c->public.destroy = cond_destroy;
	pthread_cond_init(&c->c, NULL);
	return &c->public;
}

struct thread {
	thread_t public;
	pthread_t t;
};

static void *join(thread_t *this)
{
	pthread_join(((struct thread *)this)->t, NULL);
	free(this);
	return NULL;
}

thread_t *thread_create(thread_main_t run, void *arg)
{
	struct thread *t = calloc(1, sizeof(*t));

	t->public.join = join;
	pthread_create(&t->t, NULL, run, arg);
	return &t->public;
}

// ---- hosts and selectors ----

static chunk_t host_address(host_t *this)
{
	struct stub_host *h = (struct stub_host *)this;

	return chunk_create(h->bytes, h->len);
}

static uint16_t host_port(host_t *this)
{
	return ((struct stub_host *)this)->port;
}

host_t *stub_host(struct stub_host *h, const char *text)
{
	struct ip_addr a;

	ip_addr_parse(text, &a);
	h->len = a.family == AF_INET ? 4 : 16;
	memcpy(h->bytes, &a.v6, h->len);
	h->port = 4500;
	h->public.get_address = host_address;
	h->public.get_port = host_port;
	return &h->public;
}

static chunk_t ts_from_address(traffic_selector_t *this)
{
	return chunk_create(((struct stub_ts *)this)->lo, 4);
}

static chunk_t ts_to_address(traffic_selector_t *this)
{
	return chunk_create(((struct stub_ts *)this)->hi, 4);
}

static uint16_t ts_from_port(traffic_selector_t *this)
{
	return ((struct stub_ts *)this)->port_lo;
}

static uint16_t ts_to_port(traffic_selector_t *this)
{
	return ((struct stub_ts *)this)->port_hi;
}

static uint8_t ts_protocol(traffic_selector_t *this)
{
	(void)this;
	return IPPROTO_UDP;
}

static ts_type_t ts_type(traffic_selector_t *this)
{
	(void)this;
	return TS_IPV4_ADDR_RANGE;
}

static void no_destroy(host_t *this)
{
	(void)this;
}

static bool ts_to_subnet(traffic_selector_t *this, host_t **net, uint8_t *mask)
{
	static host_t host = {.destroy = no_destroy};

	(void)this;
	*net = &host;
	*mask = 32;
	return true;
}

traffic_selector_t *stub_ts(struct stub_ts *t, const char *lo, const char *hi, uint16_t port_lo,
			    uint16_t port_hi)
{
	struct ip_addr a;

	ip_addr_parse(lo, &a);
	memcpy(t->lo, &a.v4, 4);
	ip_addr_parse(hi, &a);
	memcpy(t->hi, &a.v4, 4);
	t->port_lo = port_lo;
	t->port_hi = port_hi;
	t->public = (traffic_selector_t){
		.get_from_address = ts_from_address,
		.get_to_address = ts_to_address,
		.get_from_port = ts_from_port,
		.get_to_port = ts_to_port,
		.get_type = ts_type,
		.get_protocol = ts_protocol,
		.to_subnet = ts_to_subnet,
	};
	return &t->public;
}

// Nothing that is tested gets here.
host_t *host_create_from_chunk(int family, chunk_t address, uint16_t port)
{
	(void)family;
	(void)address;
	(void)port;
	return NULL;
}

traffic_selector_t *traffic_selector_create_from_bytes(uint8_t protocol, ts_type_t type,
						       chunk_t from, uint16_t from_port, chunk_t to,
						       uint16_t to_port)
{
	(void)protocol;
	(void)type;
	(void)from;
	(void)from_port;
	(void)to;
	(void)to_port;
	return NULL;
}
