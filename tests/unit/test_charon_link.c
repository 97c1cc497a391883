// SPDX-License-Identifier: GPL-2.0-or-later
// The plugin between charon's requests and a gateway that answers what the test wants.
#include "charon_stub.h"
#include "convert.h"
#include "events.h"
#include "ipsec.h"
#include "link.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TYPES (FEED_NOTE + 1)
#define CLOSE 1 // in place of a status: the connection is closed without an answer

static char path[64];
static int listener, connection;
static pthread_t gateway;
static int status[TYPES];     // of the answers
static unsigned asked[TYPES]; // requests so far
static kernel_ipsec_t *ipsec;

void event_queue(const struct feed_msg *event)
{
	(void)event;
}

static bool serve(int fd)
{
	static struct feed_msg in, out;
	struct err err;

	if (feed_recv(fd, &in, -1, &err) < 0)
		return false;
	int rc = __atomic_load_n(&status[in.type], __ATOMIC_SEQ_CST);
	memset(&out, 0, sizeof(out));
	out.type = in.type | FEED_ANSWER;
	out.id = in.id;
	out.status = rc;
	if (in.type == FEED_HELLO)
		out.hello = (struct feed_hello){.version = FEED_VERSION, .instance = 1};
	__atomic_add_fetch(&asked[in.type], 1, __ATOMIC_SEQ_CST);
	return rc != CLOSE && feed_send(fd, &out, 1000) == 0;
}

static void *gateway_main(void *arg)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		__atomic_store_n(&connection, fd, __ATOMIC_SEQ_CST);
		while (serve(fd))
			;
		close(fd);
	}
	return arg;
}

static void answer(uint16_t type, int with)
{
	__atomic_store_n(&status[type], with, __ATOMIC_SEQ_CST);
}

static unsigned times(uint16_t type)
{
	return __atomic_load_n(&asked[type], __ATOMIC_SEQ_CST);
}

// Whether requests of the type have come so often within two seconds.
static bool comes(uint16_t type, unsigned n)
{
	for (unsigned i = 0; i < 200 && times(type) < n; i++)
		poll(NULL, 0, 10);
	return times(type) >= n;
}

static void set_up(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(path, sizeof(path), "/tmp/charon-link-%d.sock", (int)getpid());
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	pthread_create(&gateway, NULL, gateway_main, NULL);
	stub_init(path);
	ipsec = trunkline_ipsec_create();
	cr_assert_not_null(ipsec);
	cr_assert(comes(FEED_REPLAYED, 1));
}

static void tear_down(void)
{
	shutdown(listener, SHUT_RDWR);
	ipsec->destroy(ipsec);
	pthread_join(gateway, NULL);
	close(listener);
	unlink(path);
}

TestSuite(charon_link, .init = set_up, .fini = tear_down, .timeout = 30);

static bool connects_anew(void)
{
	unsigned n = times(FEED_REPLAYED);

	shutdown(__atomic_load_n(&connection, __ATOMIC_SEQ_CST), SHUT_RDWR);
	return comes(FEED_REPLAYED, n + 1);
}

static struct feed_ts ts(uint16_t port_lo, uint16_t port_hi)
{
	struct feed_ts t = {.port_lo = port_lo, .port_hi = port_hi, .proto = 17};

	ip_addr_parse("192.0.2.1", &t.lo);
	t.hi = t.lo;
	return t;
}

// RFC 4301's OPAQUE ports are no range.
Test(charon_link, what_cannot_be_said_keeps_no_connection_away)
{
	static const uint16_t type[] = {FEED_POLICY_DEL, FEED_POLICY_ADD};

	for (unsigned i = 0; i < 2; i++) {
		struct feed_msg m = {.type = type[i],
				     .policy = {.dir = FEED_IN,
						.type = FEED_POLICY_IPSEC,
						.src_ts = ts(65535, 0),
						.dst_ts = ts(0, 65535)}};
		struct err err = {""};
		cr_expect_eq(link_call(trunkline_link(), &m, LINK_KEEP, &err), -EINVAL);
		cr_expect(strstr(err.text, "range") != NULL, "%s", err.text);
		cr_expect(connects_anew(), "after a request of type %u", type[i]);
		cr_expect_eq(times(type[i]), 0);
	}
}

Test(charon_link, policies_with_opaque_ports_are_refused)
{
	struct stub_ts any, opaque;
	kernel_ipsec_policy_id_t id = {.dir = POLICY_IN,
				       .src_ts =
					       stub_ts(&opaque, "192.0.2.1", "192.0.2.1", 65535, 0),
				       .dst_ts = stub_ts(&any, "192.0.2.7", "192.0.2.9", 0, 65535)};
	kernel_ipsec_manage_policy_t data = {.type = POLICY_IPSEC};
	struct feed_policy p;
	struct err err = {""};

	cr_expect_eq(ipsec->add_policy(ipsec, &id, &data), NOT_SUPPORTED);
	cr_expect_eq(ipsec->del_policy(ipsec, &id, &data), NOT_SUPPORTED);
	cr_expect(connects_anew());
	cr_expect_eq(selectors_of(&id, &p, &err), -ENOTSUP);
	cr_expect(strstr(err.text, "OPAQUE ports (65535-0)") != NULL, "%s", err.text);
	stub_ts(&opaque, "192.0.2.1", "192.0.2.0", 0, 65535);
	cr_expect_eq(selectors_of(&id, &p, &err), -ENOTSUP);
	cr_expect(strstr(err.text, "addresses") != NULL, "%s", err.text);
	stub_ts(&opaque, "192.0.2.1", "192.0.2.1", 53, 53);
	cr_expect_eq(ipsec->add_policy(ipsec, &id, &data), SUCCESS);
	cr_expect_eq(times(FEED_POLICY_ADD), 1);
}

Test(charon_link, a_deletion_without_an_answer_is_told_again)
{
	struct stub_ts any;
	kernel_ipsec_policy_id_t id = {.dir = POLICY_IN};
	kernel_ipsec_manage_policy_t data = {.type = POLICY_IPSEC};

	id.src_ts = id.dst_ts = stub_ts(&any, "192.0.2.7", "192.0.2.9", 0, 65535);
	cr_expect_eq(ipsec->add_policy(ipsec, &id, &data), SUCCESS);
	answer(FEED_POLICY_DEL, CLOSE);
	cr_expect_eq(ipsec->del_policy(ipsec, &id, &data), SUCCESS);
	answer(FEED_POLICY_DEL, 0);
	cr_expect(comes(FEED_REPLAYED, 2));
	cr_expect_eq(times(FEED_POLICY_DEL), 2);
	cr_expect_eq(times(FEED_POLICY_ADD), 1, "it is not replayed");
}

// What charon's child_sa heeds is NOT_SUPPORTED alone: with anything else it goes on by the new addresses.
Test(charon_link, an_sa_that_cannot_move_keeps_its_name)
{
	static const int refusal[] = {-EAFNOSUPPORT, -EINVAL, -ENOENT, -ENOMEM};
	struct stub_host ours, was, is;
	kernel_ipsec_sa_id_t id = {.src = stub_host(&ours, "192.0.2.1"),
				   .dst = stub_host(&was, "198.51.100.1"),
				   .spi = htonl(0x1000),
				   .proto = IPPROTO_ESP,
				   .if_id = 7};
	kernel_ipsec_update_sa_t data = {.new_src = id.src,
					 .new_dst = stub_host(&is, "2001:db8::1")};

	for (unsigned i = 0; i < countof(refusal); i++) {
		answer(FEED_SA_UPDATE, refusal[i]);
		cr_expect_eq(ipsec->update_sa(ipsec, &id, &data), NOT_SUPPORTED, "%d", refusal[i]);
	}
	answer(FEED_SA_UPDATE, 0);
	cr_expect_eq(ipsec->update_sa(ipsec, &id, &data), SUCCESS);
	answer(FEED_SA_UPDATE, CLOSE); // nobody knows: it counts as done
	cr_expect_eq(ipsec->update_sa(ipsec, &id, &data), SUCCESS);
	answer(FEED_SA_UPDATE, 0);
	unsigned n = times(FEED_SA_UPDATE);
	cr_expect(comes(FEED_REPLAYED, 2));
	cr_expect_eq(times(FEED_SA_UPDATE), n + 1, "it is told again");
}
