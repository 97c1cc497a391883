// SPDX-License-Identifier: BSD-3-Clause
// The tunnels' routes in the kernel, for its own packets and for routing daemons.
#include "base/log.h"
#include "mirror_priv.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int prefix_check(const struct ip_prefix *prefix, struct err *err)
{
	if (prefix->addr.family != AF_INET)
		return err_set(err, -EAFNOSUPPORT, "only IPv4 can be routed into a tunnel");
	return 0;
}

int mirror_tunnel_add(struct mirror *m, const struct ip_prefix *prefix, uint16_t customer,
		      struct err *err)
{
	uint32_t dst = prefix->addr.v4.s_addr;
	char text[IP_PREFIX_STRLEN];

	int rc = prefix_check(prefix, err);
	if (rc != 0)
		return rc;
	rc = mirror_core_tunnel_add(m->core, dst, prefix->len, customer);
	mirror_batch_end(m);
	if (rc != 0)
		return err_set(err, rc, "%s: no room in the routing table",
			       ip_prefix_str(prefix, text));
	if (m->tunnel_ifindex == 0)
		return 0;
	rc = nl_route_change(&m->requests, true, dst, prefix->len, m->tunnel_ifindex,
			     MIRROR_RTPROT);
	if (rc != 0 && rc != -EEXIST) // the data path has it; only others don't learn of it
		log_warn("route %s into the tunnel: kernel: %s", ip_prefix_str(prefix, text),
			 strerror(-rc));
	return 0;
}

int mirror_tunnel_del(struct mirror *m, const struct ip_prefix *prefix, struct err *err)
{
	char text[IP_PREFIX_STRLEN];

	int rc = prefix_check(prefix, err);
	if (rc != 0)
		return rc;
	rc = mirror_core_tunnel_del(m->core, prefix->addr.v4.s_addr, prefix->len);
	mirror_batch_end(m);
	if (rc != 0)
		return err_set(err, rc, "%s is not routed into a tunnel",
			       ip_prefix_str(prefix, text));
	if (m->tunnel_ifindex != 0)
		nl_route_change(&m->requests, false, prefix->addr.v4.s_addr, prefix->len,
				m->tunnel_ifindex, MIRROR_RTPROT);
	return 0;
}

struct stale {
	unsigned n, room;
	struct nl_route *route;
};

static int stale_note(const struct nlmsghdr *msg, void *ctx)
{
	struct stale *s = ctx;
	struct nl_route r;

	if (msg->nlmsg_type != RTM_NEWROUTE || nl_route_parse(msg, &r) != 0 ||
	    r.protocol != MIRROR_RTPROT || r.table != RT_TABLE_MAIN || r.n_hops == 0)
		return MNL_CB_OK;
	if (s->n == s->room) {
		unsigned room = s->room * 2 + 64;
		struct nl_route *more = realloc(s->route, room * sizeof(*more));
		if (more == NULL)
			return MNL_CB_OK;
		s->route = more;
		s->room = room;
	}
	s->route[s->n++] = r;
	return MNL_CB_OK;
}

void mirror_stale_remove(struct mirror *m)
{
	struct stale s = {0};

	nl_dump(&m->requests, RTM_GETROUTE, stale_note, &s);
	for (unsigned i = 0; i < s.n; i++)
		for (unsigned p = 0; p < m->plane->n_ports; p++)
			if (s.route[i].hop[0].ifindex == m->ifindex[p])
				nl_route_change(&m->requests, false, s.route[i].dst, s.route[i].len,
						m->ifindex[p], MIRROR_RTPROT);
	if (s.n > 0)
		log_info("mirror: %u routes of an earlier run were in the kernel", s.n);
	free(s.route);
}

struct restored {
	struct mirror *m;
	unsigned n, failed;
	int rc; // of the newest that failed
};

static void tunnel_restore(void *restored, uint32_t dst, uint8_t len)
{
	struct restored *r = restored;
	int rc = nl_route_change(&r->m->requests, true, dst, len, r->m->tunnel_ifindex,
				 MIRROR_RTPROT);

	r->n += rc == 0;
	if (rc != 0 && rc != -EEXIST) {
		r->failed++;
		r->rc = rc;
	}
}

void mirror_tunnels_restore(struct mirror *m)
{
	struct restored r = {.m = m};

	if (m->tunnel_ifindex == 0)
		return;
	mirror_core_tunnels(m->core, true, tunnel_restore, &r);
	if (r.n > 0)
		log_info("mirror: routes into tunnels that the kernel had lost: %u put back", r.n);
	if (r.failed > 0)
		log_warn("mirror: routes into tunnels that the kernel does without: %u: %s",
			 r.failed, strerror(-r.rc));
}

static void tunnel_withdraw(void *mirror, uint32_t dst, uint8_t len)
{
	struct mirror *m = mirror;

	nl_route_change(&m->requests, false, dst, len, m->tunnel_ifindex, MIRROR_RTPROT);
}

void mirror_tunnels_withdraw(struct mirror *m)
{
	if (m->core != NULL && m->requests.sock != NULL && m->tunnel_ifindex != 0)
		mirror_core_tunnels(m->core, false, tunnel_withdraw, m);
}
