// SPDX-License-Identifier: BSD-3-Clause
#include "vici_bed.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS 8

struct control *ctl;
char seen[CHARON_SEEN][32];
unsigned n_seen;
bool list_asked;
const char *terminate_why;

static struct {
	int fd; // -1: none
	size_t n;
	uint8_t buf[VICI_REQUEST_MAX + VICI_HEADER];
} connection[CONNECTIONS];
static int listener, list_fd;
static char path[64];

static void answer(int fd, enum vici_op op, const char *why)
{
	uint8_t buf[512];
	struct vici_out o;

	vici_begin(&o, buf, sizeof(buf), op, NULL);
	if (op == VICI_RESPONSE)
		vici_bool(&o, "success", why == NULL);
	if (op == VICI_RESPONSE && why != NULL)
		vici_text(&o, "errmsg", why);
	int len = vici_end(&o);
	if (send(fd, buf, (size_t)len, MSG_NOSIGNAL) != len)
		check(false, "charon's answer: %s", strerror(errno));
}

static void request(int fd, const struct vici_packet *p)
{
	if (p->op == VICI_REGISTER) {
		answer(fd, VICI_CONFIRM, NULL);
		return;
	}
	snprintf(seen[n_seen % CHARON_SEEN], sizeof(seen[0]), "%.31s", p->name);
	n_seen++;
	if (strcmp(p->name, "list-sas") == 0) {
		check(!list_asked, "one list at a time");
		list_asked = true;
		list_fd = fd;
		return;
	}
	bool refused = strcmp(p->name, "terminate") == 0;
	answer(fd, VICI_RESPONSE, refused ? terminate_why : NULL);
}

static void serve(unsigned i)
{
	struct vici_packet p;
	struct err err;
	int len;

	ssize_t got = recv(connection[i].fd, connection[i].buf + connection[i].n,
			   sizeof(connection[i].buf) - connection[i].n, MSG_DONTWAIT);
	if (got == 0) {
		close(connection[i].fd);
		connection[i].fd = -1;
	}
	connection[i].n += got > 0 ? (size_t)got : 0;
	while ((len = vici_len(connection[i].buf, connection[i].n)) > 0 &&
	       (size_t)len <= connection[i].n) {
		check(vici_decode(connection[i].buf, (size_t)len, &p, &err) == 0,
		      "a request is well formed");
		request(connection[i].fd, &p);
		connection[i].n -= (size_t)len;
		memmove(connection[i].buf, connection[i].buf + len, connection[i].n);
	}
}

static void charon_turn(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		if (connection[i].fd < 0 && fd >= 0) {
			connection[i].fd = fd;
			connection[i].n = 0;
			fd = -1;
		}
		if (connection[i].fd >= 0)
			serve(i);
	}
}

bool run_until(const bool *what, unsigned ms)
{
	for (int64_t end = vici_now() + ms; vici_now() < end && (what == NULL || !*what);) {
		event_base_loop(ctl->base, EVLOOP_NONBLOCK);
		charon_turn();
		usleep(2000);
	}
	defer_poll(ctl->defer);
	return what == NULL || *what;
}

void run(unsigned ms)
{
	run_until(NULL, ms);
}

unsigned seen_of(const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_seen && i < CHARON_SEEN; i++)
		n += strcmp(seen[i], name) == 0;
	return n;
}

// ---- what charon says ----

static void tell(struct vici_out *o)
{
	int len = vici_end(o);

	check(len > 0 && send(list_fd, o->buf, (size_t)len, MSG_NOSIGNAL) == len, "an event");
	run(20);
}

static void sa_pack(struct vici_out *o, unsigned uid, const char *state, const char *children)
{
	char list[128], *next = list;
	unsigned n = 0;

	vici_uint(o, "uniqueid", uid);
	vici_text(o, "state", state);
	vici_text(o, "remote-host", "203.0.113.1");
	vici_section(o, "child-sas");
	snprintf(list, sizeof(list), "%s", children);
	for (char *one; (one = strsep(&next, " ")) != NULL && *one != '\0';) {
		char name[16];
		snprintf(name, sizeof(name), "net-%u", ++n);
		vici_section(o, name);
		vici_text(o, "state", one);
		vici_section_end(o);
	}
	vici_section_end(o);
}

void sa_tell(const char *event, const char *name, unsigned uid, const char *state,
	     const char *children, bool up)
{
	uint8_t buf[1024];
	struct vici_out o;

	vici_begin(&o, buf, sizeof(buf), VICI_EVENT, event);
	if (up)
		vici_bool(&o, "up", true);
	vici_section(&o, name);
	sa_pack(&o, uid, state, children);
	vici_section_end(&o);
	tell(&o);
}

void ike_rekey_tell(const char *name, unsigned uid)
{
	uint8_t buf[1024];
	struct vici_out o;

	vici_begin(&o, buf, sizeof(buf), VICI_EVENT, "ike-rekey");
	vici_section(&o, name);
	vici_section(&o, "new");
	sa_pack(&o, uid, "ESTABLISHED", "");
	vici_section_end(&o);
	vici_section_end(&o);
	tell(&o);
}

void list_end(void)
{
	list_asked = false;
	answer(list_fd, VICI_RESPONSE, NULL);
	run(20);
}

void charon_restart(void)
{
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		if (connection[i].fd >= 0)
			close(connection[i].fd);
		connection[i].fd = -1;
	}
	list_asked = false;
	run(50);
}

// ---- our end ----

static struct ip_addr addr(uint32_t ip)
{
	return (struct ip_addr){.family = AF_INET, .v4.s_addr = htonl(ip)};
}

static struct feed_ts ts(uint32_t ip, uint32_t n)
{
	return (struct feed_ts){addr(ip), addr(ip + n - 1), 0, 65535, 0};
}

static int sa_make(const char *customer, unsigned x, uint32_t spi, bool inbound)
{
	struct feed_ts theirs = ts(0xc0000200u | x, 16), ours = ts(0xc6121e01u, 1);
	struct ip_endpoint peer = {addr(0xcb007101u), 4500}, local = {addr(0xc6120a01u), 4500};
	struct feed_sa s = {.spi = spi,
			    .reqid = x + 1,
			    .if_id = ike_number(customer),
			    .flags = inbound ? FEED_INBOUND : 0,
			    .src = inbound ? peer : local,
			    .dst = inbound ? local : peer,
			    .encr = 20,
			    .encr_len = 20,
			    .window = 64,
			    .n_src = 1,
			    .n_dst = 1,
			    .src_ts = {inbound ? theirs : ours},
			    .dst_ts = {inbound ? ours : theirs}};
	struct err err;

	memset(s.encr_key, (int)(spi & 0xff), 20);
	return sad_add(ctl->sad, &s, &err);
}

void orphans_make(const char *customer, unsigned x, uint32_t spi)
{
	struct feed_policy p = {.dir = FEED_OUT,
				.type = FEED_POLICY_IPSEC,
				.priority = 100,
				.reqid = x + 1,
				.spi = spi | 0x80000,
				.if_id = ike_number(customer),
				.src_ts = ts(0xc6121e01u, 1),
				.dst_ts = ts(0xc0000200u | x, 16)};
	struct err err;

	check(sa_make(customer, x, spi, true) == 0 &&
		      sa_make(customer, x, spi | 0x80000, false) == 0 &&
		      sad_policy_add(ctl->sad, &p, &err) == 0,
	      "a tunnel of %s's", customer);
	p.spi = 0;
	p.priority = 200;
	check(sad_policy_add(ctl->sad, &p, &err) == 0, "and a trap");
	sad_orphan_all(ctl->sad);
}

void bed_open(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char sockets[160];
	struct err err = {""};

	snprintf(path, sizeof(path), "/tmp/vici-%d.sock", (int)getpid());
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 8) < 0)
		rte_panic("%s: %s\n", path, strerror(errno));
	for (unsigned i = 0; i < CONNECTIONS; i++)
		connection[i].fd = -1;
	customer_ike_write("acme", 1, 0);
	customer_ike_write("globex", 2, 16);
	snprintf(sockets, sizeof(sockets), "ike: { vici: %s }\n", path);
	pop_write(sockets);
	ctl = control_make();
	ctl->base = event_base_new();
	struct ike_sad *sad;
	if (sad_open(ctl, NULL, &sad, &err) < 0 || ike_vici_open(ctl, path, &ctl->vici, &err) < 0)
		rte_panic("no VICI: %s\n", err.text);
}

void bed_close(void)
{
	struct event_base *base = ctl->base;

	ike_vici_close(ctl->vici);
	sad_close(ctl->sad);
	control_end(ctl);
	event_base_free(base);
	charon_turn();
	close(listener);
	unlink(path);
}
