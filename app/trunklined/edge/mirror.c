// SPDX-License-Identifier: BSD-3-Clause
// Sockets and timers of the mirror. A complete read goes over a socket of its own and waits for its
// end (milliseconds); events queue up meanwhile and come after it.
#include "mirror.h"

#include "base/log.h"
#include "mirror_priv.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define EVENT_BUFFER (8 << 20) // bytes of events that may wait
#define EVENT_SIZE 32768
#define TICK_S 5         // gateways that do not answer are asked again
#define STALE_TICKS 4    // neighbours that grow stale are confirmed
#define RESYNC_US 50000  // a burst of link changes is one reason to read all
#define DRAIN_MAX 100000 // buffers of events before a complete read
#define READS_MAX 64     // an event, so that nobody else starves

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// ---- asking for neighbours ----

static bool budget_take(struct ask_budget *b, uint64_t now)
{
	if (now / 1000 != b->second)
		*b = (struct ask_budget){.second = now / 1000};
	if (b->count >= ASKS_PER_S)
		return false;
	b->count++;
	return true;
}

static void ask(struct mirror *m, struct ask_budget *budget, unsigned port, uint32_t ip)
{
	char buf[NL_USE_SIZE];
	uint64_t now = now_ms();

	if (port >= m->plane->n_ports || ip == 0)
		return;
	struct asked *a = &m->asked[(ip ^ ip >> 16 ^ port * 2654435761u) & (ASKED_MAX - 1)];
	if ((a->ip == ip && a->port == port && now - a->ms < 1000) || !budget_take(budget, now)) {
		m->asked_limit++;
		return;
	}
	*a = (struct asked){.ip = ip, .port = port, .ms = now};
	m->asked_n++;
	struct nlmsghdr *msg = nl_neigh_use(buf, m->ifindex[port], ip);
	// If the kernel cannot now, the next packet or tick asks again.
	send(mnl_socket_get_fd(m->asks), msg, msg->nlmsg_len, MSG_DONTWAIT);
}

void mirror_resolve(struct mirror *m, unsigned port, uint32_t ip)
{
	ask(m, &m->asks_packets, port, ip);
}

static void sink_resolve(void *mirror, unsigned port, uint32_t ip)
{
	struct mirror *m = mirror;

	ask(m, &m->asks_own, port, ip);
}

static void sink_local(void *mirror, uint32_t ip, unsigned port, bool present)
{
	struct mirror *m = mirror;

	if (m->local_changed != NULL)
		m->local_changed(m->ctx, ip, port, present);
}

// The kernel's refusals of what was asked; they say nothing that a neighbour event does not.
static void asks_answered(evutil_socket_t fd, short what, void *arg)
{
	char buf[4096];

	(void)what;
	(void)arg;
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

// ---- messages ----

static void resync_schedule(struct mirror *m)
{
	m->resync_due = true;
	if (m->resync != NULL && !evtimer_pending(m->resync, NULL))
		evtimer_add(m->resync, &(struct timeval){.tv_usec = RESYNC_US});
}

static void link_or_addr(struct mirror *m, const struct nlmsghdr *msg)
{
	int ifindex = nl_ifindex(msg);

	// With an interface or address the kernel drops routes without a word.
	for (unsigned i = 0; i < m->plane->n_ports; i++)
		if (m->ifindex[i] == ifindex)
			resync_schedule(m);
}

// Those of IPv6 do not. Groups have no family.
static bool nexthop_concerns(const struct nlmsghdr *msg)
{
	const struct nhmsg *nh = mnl_nlmsg_get_payload(msg);

	return mnl_nlmsg_get_payload_len(msg) >= sizeof(*nh) && nh->nh_family != AF_INET6;
}

static int message(const struct nlmsghdr *msg, void *mirror)
{
	struct mirror *m = mirror;
	struct nl_route route;
	struct nl_neigh neigh;

	switch (msg->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (nl_route_parse(msg, &route) == 0)
			mirror_core_route(m->core, &route, msg->nlmsg_type == RTM_DELROUTE);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (nl_neigh_parse(msg, &neigh) == 0)
			mirror_core_neigh(m->core, &neigh, msg->nlmsg_type == RTM_DELNEIGH);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
	case RTM_NEWADDR:
	case RTM_DELADDR:
		link_or_addr(m, msg);
		break;
	case RTM_NEWNEXTHOP: // by ip nexthop: routes change or go with it, and nothing says which
	case RTM_DELNEXTHOP:
		if (nexthop_concerns(msg))
			resync_schedule(m);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

void mirror_batch_end(struct mirror *m)
{
	if (mirror_core_commit(m->core))
		mirror_publish(m);
	if (mirror_core_wants_sync(m->core))
		resync_schedule(m);
}

// Reads all; a dump that the kernel says was disturbed is repeated.
static int resync(struct mirror *m)
{
	int rc = -EINTR;

	for (int tries = 0; rc == -EINTR && tries < 5; tries++) {
		mirror_core_sync_begin(m->core);
		rc = nl_dump(&m->requests, RTM_GETROUTE, message, m);
		if (rc == 0)
			rc = nl_dump(&m->requests, RTM_GETNEIGH, message, m);
	}
	if (rc == 0) {
		mirror_core_sync_end(m->core);
		mirror_tunnels_restore(m);
	}
	m->resync_due = rc != 0;
	if (mirror_core_commit(m->core))
		mirror_publish(m);
	return rc;
}

// Handles what has been reported, at most so many buffers full. Returns whether news were lost.
static bool events_take(struct mirror *m, unsigned max)
{
	static const unsigned any = 0;
	char *buf = malloc(EVENT_SIZE);
	bool lost = false;

	for (unsigned i = 0; buf != NULL && i < max; i++) {
		ssize_t n = recv(mnl_socket_get_fd(m->events), buf, EVENT_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			lost = true;
			continue;
		}
		if (n <= 0)
			break;
		mnl_cb_run(buf, (size_t)n, any, any, message, m);
	}
	free(buf);
	return lost;
}

static void resync_now(struct mirror *m)
{
	m->resyncs++;
	// What still waits is older than the loss: after the read it would bring back what is gone.
	events_take(m, DRAIN_MAX);
	int rc = resync(m);
	if (rc != 0) {
		log_warn("mirror: reading routes and neighbours: %s; trying again", strerror(-rc));
		resync_schedule(m);
	}
}

static void events_read(struct mirror *m)
{
	if (events_take(m, READS_MAX)) {
		log_info("mirror: the kernel had more news than could wait; reading all again");
		resync_schedule(m);
	}
	mirror_batch_end(m);
}

static void resync_tick(evutil_socket_t fd, short what, void *mirror)
{
	(void)fd;
	(void)what;
	resync_now(mirror);
}

static void events_readable(evutil_socket_t fd, short what, void *mirror)
{
	(void)fd;
	(void)what;
	events_read(mirror);
}

void mirror_poll(struct mirror *m)
{
	events_read(m);
	if (m->resync_due)
		resync_now(m);
}

static void tick(evutil_socket_t fd, short what, void *mirror)
{
	struct mirror *m = mirror;

	(void)fd;
	(void)what;
	mirror_core_refresh(m->core, ++m->ticks % STALE_TICKS == 0);
}

// ---- life ----

static int events_open(struct mirror *m, struct err *err)
{
	const unsigned groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_IFADDR;
	int size = EVENT_BUFFER, nexthops = RTNLGRP_NEXTHOP;

	m->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	m->asks = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (m->events == NULL || m->asks == NULL ||
	    mnl_socket_bind(m->events, groups, MNL_SOCKET_AUTOPID) != 0 ||
	    mnl_socket_bind(m->asks, 0, MNL_SOCKET_AUTOPID) != 0)
		return err_set(err, -errno, "netlink: %s", strerror(errno));
	int fd = mnl_socket_get_fd(m->events);
	// Linux before 5.3 has no such objects, and then they need not be followed.
	mnl_socket_setsockopt(m->events, NETLINK_ADD_MEMBERSHIP, &nexthops, sizeof(nexthops));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return nl_open(&m->requests, err);
}

static int timers_make(struct mirror *m, struct event_base *base, struct err *err)
{
	if (base == NULL)
		return 0;
	m->readable = event_new(base, mnl_socket_get_fd(m->events), EV_READ | EV_PERSIST,
				events_readable, m);
	m->answered =
		event_new(base, mnl_socket_get_fd(m->asks), EV_READ | EV_PERSIST, asks_answered, m);
	m->timer = event_new(base, -1, EV_PERSIST, tick, m);
	m->resync = evtimer_new(base, resync_tick, m);
	if (m->readable == NULL || m->answered == NULL || m->timer == NULL || m->resync == NULL ||
	    event_add(m->readable, NULL) != 0 || event_add(m->answered, NULL) != 0 ||
	    event_add(m->timer, &(struct timeval){.tv_sec = TICK_S}) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int core_make(struct mirror *m, struct err *err)
{
	struct mirror_link link[PORTS_MAX];
	const struct mirror_sink sink = {
		.ctx = m,
		.route_set = mirror_route_set,
		.route_del = mirror_route_del,
		.hop_set = mirror_hop_set,
		.hop_del = mirror_hop_del,
		.resolve = sink_resolve,
		.local = sink_local,
	};

	memset(link, 0, sizeof(link));
	for (unsigned i = 0; i < m->plane->n_ports; i++) {
		const struct port *p = &m->plane->port[i];
		link[i].ifindex = m->ifindex[i];
		link[i].mac = p->mac;
		link[i].vlan = p->vlan;
		link[i].mtu = p->mtu;
		if (!p->inside && m->tunnel_ifindex == 0)
			m->tunnel_ifindex = m->ifindex[i];
	}
	m->core = mirror_core_new(&sink, link, m->plane->n_ports, NEXTHOPS_MAX);
	return m->core != NULL ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int mirror_make(struct mirror *m, struct event_base *base, struct err *err)
{
	int rc = core_make(m, err);

	if (rc == 0)
		rc = mirror_lpm_make(m, err);
	if (rc == 0)
		rc = events_open(m, err);
	if (rc == 0)
		rc = timers_make(m, base, err);
	if (rc != 0)
		return rc;
	mirror_stale_remove(m);
	rc = resync(m);
	return rc == 0 ? 0 : err_set(err, rc, "reading routes: %s", strerror(-rc));
}

int mirror_open(struct mirror **out, const struct mirror_params *params, struct err *err)
{
	struct mirror *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	m->plane = params->plane;
	m->defer = params->defer;
	m->local_changed = params->local_changed;
	m->ctx = params->ctx;
	memcpy(m->ifindex, params->ifindex, params->plane->n_ports * sizeof(int));
	int rc = mirror_make(m, params->base, err);
	if (rc != 0) {
		mirror_close(m);
		return rc;
	}
	*out = m;
	return 0;
}

static void event_drop(struct event *e)
{
	if (e != NULL)
		event_free(e);
}

void mirror_close(struct mirror *m)
{
	if (m == NULL)
		return;
	mirror_tunnels_withdraw(m);
	event_drop(m->readable);
	event_drop(m->answered);
	event_drop(m->timer);
	event_drop(m->resync);
	if (m->events != NULL)
		mnl_socket_close(m->events);
	if (m->asks != NULL)
		mnl_socket_close(m->asks);
	nl_close(&m->requests);
	mirror_plane_free(m);
	mirror_core_free(m->core);
	free(m);
}

// ---- views ----

const struct nexthop *mirror_lookup(const struct mirror *m, uint32_t ip)
{
	return mirror_core_hop(m->core, mirror_core_lookup(m->core, ip));
}

void mirror_routes(const struct mirror *m, bool (*fn)(void *ctx, const struct mirror_route *r),
		   void *ctx)
{
	mirror_core_routes(m->core, fn, ctx);
}

void mirror_neighs(const struct mirror *m, bool (*fn)(void *ctx, const struct mirror_neigh *n),
		   void *ctx)
{
	mirror_core_neighs(m->core, fn, ctx);
}

void mirror_stats(const struct mirror *m, struct mirror_stats *out)
{
	mirror_core_stats(m->core, out);
	out->resyncs = m->resyncs;
	out->asked = m->asked_n;
	out->asked_limit = m->asked_limit;
}
