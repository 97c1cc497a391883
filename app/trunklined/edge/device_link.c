// SPDX-License-Identifier: BSD-3-Clause
// Link state: drivers' interrupts where there are any, a look every half second otherwise.
#include "base/log.h"
#include "device.h"
#include "device_priv.h"

#include <errno.h>
#include <event2/event.h>
#include <rte_ethdev.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define POLL_US 500000

static int iface_flags(int fd, const char *iface)
{
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, iface, strnlen(iface, IFNAMSIZ - 1));
	return ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 ? (uint16_t)ifr.ifr_flags : -errno;
}

int iface_up(int ioctl_fd, const char *iface)
{
	struct ifreq ifr = {0};
	int flags = iface_flags(ioctl_fd, iface);

	if (flags < 0)
		return flags;
	if (flags & IFF_UP)
		return 0;
	memcpy(ifr.ifr_name, iface, strnlen(iface, IFNAMSIZ - 1));
	ifr.ifr_flags = (short)(flags | IFF_UP);
	return ioctl(ioctl_fd, SIOCSIFFLAGS, &ifr) == 0 ? 0 : -errno;
}

int iface_mtu_set(int ioctl_fd, const char *iface, uint16_t mtu)
{
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, iface, strnlen(iface, IFNAMSIZ - 1));
	if (ioctl(ioctl_fd, SIOCGIFMTU, &ifr) == 0 && ifr.ifr_mtu == mtu)
		return 0;
	ifr.ifr_mtu = mtu;
	return ioctl(ioctl_fd, SIOCSIFMTU, &ifr) == 0 ? 0 : -errno;
}

static bool device_up(const struct devices *d, const struct device_ctl *dev)
{
	struct rte_eth_link link;

	if (dev->poll_iface) {
		int flags = iface_flags(d->ioctl_fd, dev->spec.iface);
		return flags >= 0 && (flags & IFF_UP) && (flags & IFF_RUNNING);
	}
	return rte_eth_link_get_nowait(dev->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

static void ports_set(struct devices *d, uint16_t id, bool up)
{
	struct plane *p = d->plane;

	for (unsigned i = 0; i < p->n_ports; i++) {
		struct port *port = &p->port[i];
		if (port->device != id || port->up == up)
			continue;
		__atomic_store_n(&port->up, up, __ATOMIC_RELAXED);
		log_notice("port %s: link %s", port->name, up ? "up" : "down");
		if (d->link_fn != NULL)
			d->link_fn(d->link_ctx, i, up);
	}
}

void link_poll(struct devices *d)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->dev[i].started)
			ports_set(d, d->dev[i].id, device_up(d, &d->dev[i]));
}

void devices_on_link(struct devices *d, device_link_fn fn, void *ctx)
{
	d->link_fn = fn;
	d->link_ctx = ctx;
	for (unsigned i = 0; fn != NULL && i < d->plane->n_ports; i++)
		fn(ctx, i, d->plane->port[i].up);
}

int link_event(uint16_t id, enum rte_eth_event_type type, void *devices, void *ret)
{
	const struct devices *d = devices;

	(void)id;
	(void)type;
	(void)ret;
	eventfd_write(d->wake_fd, 1);
	return 0;
}

static void link_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_poll(arg);
}

static void link_wake(evutil_socket_t fd, short what, void *arg)
{
	eventfd_t n;

	(void)what;
	eventfd_read(fd, &n);
	link_poll(arg);
}

int link_watch(struct devices *d, struct event_base *base, struct err *err)
{
	d->timer = event_new(base, -1, EV_PERSIST, link_tick, d);
	d->wake = event_new(base, d->wake_fd, EV_READ | EV_PERSIST, link_wake, d);
	if (d->timer == NULL || d->wake == NULL ||
	    event_add(d->timer, &(struct timeval){.tv_usec = POLL_US}) != 0 ||
	    event_add(d->wake, NULL) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

void link_unwatch(struct devices *d)
{
	if (d->timer != NULL)
		event_free(d->timer);
	if (d->wake != NULL)
		event_free(d->wake);
	d->timer = d->wake = NULL;
}
