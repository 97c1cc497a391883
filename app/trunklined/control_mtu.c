// SPDX-License-Identifier: BSD-3-Clause
// The MTU of the paths to customers' gateways, as routers tell of it. The kernel has no ESP and would forget what it is
// told; a raw socket hears it, too. What is told holds for the SA, and for ten minutes at most (RFC 1191 section 6.3).
#include "base/log.h"
#include "control_priv.h"
#include "ip/path_mtu.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FORGET_S 600
#define PER_SECOND 20 // each looks at all SAs
#define MTU_MIN 576   // less would be somebody's joke; a smaller path fragments or drops

// The peer and the addresses may have moved, and the worker not have taken it over yet.
static bool is_of(const struct sa_out *sa, const struct path_mtu *t)
{
	const uint8_t *outer = sa->moved != NULL ? sa->moved->header : sa->outer;
	uint8_t len = sa->moved != NULL ? sa->moved->len : sa->outer_len;
	uint16_t port[2] = {htons(t->sport), htons(t->dport)};

	return sa->spi == t->spi && memcmp(outer + 12, &t->src, 4) == 0 &&
	       memcmp(outer + 16, &t->dst, 4) == 0 &&
	       (len == 20 ? t->sport == 0 && t->dport == 0 : memcmp(outer + 20, port, 4) == 0);
}

// Of one SA in use. t NULL: what was told is forgotten.
static void path_set(const struct customer *c, struct sa_out *sa, const struct path_mtu *t)
{
	struct ip_addr peer = {.family = AF_INET, .v4.s_addr = t != NULL ? t->dst : 0};
	uint16_t mtu = t == NULL ? UINT16_MAX : t->mtu < MTU_MIN ? MTU_MIN : t->mtu;
	char text[IP_ADDR_STRLEN];

	if (t != NULL && (!is_of(sa, t) || mtu >= sa->path_mtu))
		return;
	__atomic_store_n(&sa->path_mtu, mtu, __ATOMIC_RELAXED);
	if (t != NULL)
		log_info("customer %s: the path to %s takes packets of %u bytes", c->name,
			 ip_addr_str(&peer, text), mtu);
}

static void paths_set(struct control *ctl, const struct path_mtu *t)
{
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++) {
		const struct customer *c = ctl->customer[i].plane;
		const struct spd *spd = c != NULL ? c->spd : NULL;
		for (uint32_t j = 0; spd != NULL && j < spd->n; j++)
			path_set(c, spd->sa[j], t);
	}
}

static void on_icmp(evutil_socket_t fd, short what, void *arg)
{
	struct control *ctl = arg;
	uint8_t packet[2048];
	struct path_mtu t;
	ssize_t n;

	(void)what;
	// mtu_second gives it so many more; what comes beyond waits in the socket, or is lost.
	while (ctl->mtu.left > 0 && (n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT)) >= 0) {
		ctl->mtu.left--;
		if (path_mtu_read(packet, (size_t)n, &t))
			paths_set(ctl, &t);
	}
	if (ctl->mtu.left == 0)
		event_del(ctl->mtu.read);
}

void mtu_second(struct control *ctl)
{
	struct mtu_watch *m = &ctl->mtu;

	if (m->read == NULL)
		return;
	m->left = PER_SECOND;
	event_add(m->read, NULL);
	if (++m->seconds % FORGET_S == 0)
		paths_set(ctl, NULL);
}

int mtu_open(struct control *ctl, struct err *err)
{
	const struct icmp_filter only = {.data = ~(1u << ICMP_DEST_UNREACH)};
	struct mtu_watch *m = &ctl->mtu;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd < 0 || setsockopt(fd, SOL_RAW, ICMP_FILTER, &only, sizeof(only)) < 0) {
		log_warn("path MTU: %s: what routers say of packets that do not fit is not heard",
			 strerror(errno));
		if (fd >= 0)
			close(fd);
		return 0;
	}
	m->left = PER_SECOND;
	m->read = event_new(ctl->base, fd, EV_READ | EV_PERSIST, on_icmp, ctl);
	if (m->read == NULL || event_add(m->read, NULL) < 0) {
		if (m->read == NULL)
			close(fd);
		return err_set(err, -ENOMEM, "no memory");
	}
	return 0;
}

void mtu_close(struct control *ctl)
{
	struct mtu_watch *m = &ctl->mtu;

	if (m->read == NULL)
		return;
	close(event_get_fd(m->read));
	event_free(m->read);
	m->read = NULL;
}
