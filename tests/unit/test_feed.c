// SPDX-License-Identifier: BSD-3-Clause
// The IKE feed's codec: every message there and back, every way to cut one short, and numbers that
// no honest end sends.
#include "ike/feed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ip_addr a4(const char *text)
{
	struct ip_addr a = {0};

	cr_assert_eq(ip_addr_parse(text, &a), 0);
	return a;
}

static struct ip_endpoint e4(const char *text)
{
	struct ip_endpoint e = {0};

	cr_assert_eq(ip_endpoint_parse(text, &e), 0);
	return e;
}

static struct feed_ts ts(const char *lo, const char *hi)
{
	return (struct feed_ts){a4(lo), a4(hi), 1000, 2000, 17};
}

static void fill_sa(struct feed_sa *sa)
{
	*sa = (struct feed_sa){
		.spi = 0xc0001234,
		.reqid = 7,
		.if_id = 0xdeadbeef,
		.flags = FEED_INBOUND | FEED_ENCAP | FEED_WAIT | FEED_REPLAY,
		.src = e4("203.0.113.9:4500"),
		.dst = e4("[2001:db8::1]:4500"),
		.encr = 12,
		.integ = 12,
		.encr_len = 32,
		.integ_len = FEED_KEY_MAX,
		.window = 1024,
		.tfc = 1200,
		.time = {3000, 3600},
		.bytes = {1ULL << 40, 1ULL << 41},
		.packets = {0, 0xffffffff},
		.seq = 0x123456789aULL,
		.age = 99,
		.n_src = FEED_TS_MAX,
		.n_dst = 1,
	};
	for (unsigned i = 0; i < FEED_KEY_MAX; i++) {
		sa->encr_key[i] = (uint8_t)(i < 32 ? 0xa0 + i : 0);
		sa->integ_key[i] = (uint8_t)(i + 1);
	}
	for (unsigned i = 0; i < FEED_TS_MAX; i++)
		sa->src_ts[i] = ts("192.0.2.1", "192.0.2.77");
	sa->dst_ts[0] = ts("2001:db8::", "2001:db8::ffff");
}

static const uint16_t types[] = {
	FEED_HELLO,
	FEED_REPLAYED,
	FEED_SPI_GET,
	FEED_SA_ADD,
	FEED_SA_UPDATE,
	FEED_SA_QUERY,
	FEED_SA_DEL,
	FEED_SA_FLUSH,
	FEED_POLICY_ADD,
	FEED_POLICY_QUERY,
	FEED_POLICY_DEL,
	FEED_POLICY_FLUSH,
	FEED_NOTE,
	FEED_EXPIRE,
	FEED_MAPPING,
	FEED_ACQUIRE,
	FEED_SEQS,
	FEED_ANSWER | FEED_HELLO,
	FEED_ANSWER | FEED_SPI_GET,
	FEED_ANSWER | FEED_SA_ADD,
	FEED_ANSWER | FEED_SA_QUERY,
	FEED_ANSWER | FEED_POLICY_QUERY,
};
#define TYPES (sizeof(types) / sizeof(types[0]))

static void fill(uint16_t type, struct feed_msg *m)
{
	const struct feed_id id = {0xc0001234, a4("203.0.113.9"), a4("198.18.10.1"), 50, 77};

	memset(m, 0, sizeof(*m));
	m->type = type;
	m->id = type >= FEED_EXPIRE && type < FEED_ANSWER ? 0 : 4711;
	switch (type & ~FEED_ANSWER) {
	case FEED_HELLO:
		m->hello = (struct feed_hello){FEED_VERSION, 0x0123456789abcdefULL, "charon 5.9.8"};
		break;
	case FEED_SA_QUERY:
	case FEED_POLICY_QUERY:
		if (type & FEED_ANSWER) {
			m->usage = (struct feed_usage){1ULL << 33, 5, 1};
			break;
		}
		if (type == FEED_SA_QUERY) {
			m->sa_id = id;
			break;
		} // fall through
	case FEED_POLICY_ADD:
	case FEED_POLICY_DEL:
		m->policy = (struct feed_policy){
			FEED_OUT,
			FEED_POLICY_IPSEC,
			367231,
			7,
			0xc0001234,
			77,
			a4("198.18.10.1"),
			a4("203.0.113.9"),
			ts("0.0.0.0", "255.255.255.255"),
			ts("192.0.2.0", "192.0.2.255"),
		};
		break;
	case FEED_SPI_GET:
	case FEED_SA_DEL:
		m->sa_id = id;
		break;
	case FEED_SA_ADD:
		if ((type & FEED_ANSWER) == 0) {
			fill_sa(&m->sa);
			break;
		}
		m->status = -EKEYREJECTED;
		strncpy(m->text, "no customer has the number 77", sizeof(m->text) - 1);
		break;
	case FEED_SA_UPDATE:
		m->update = (struct feed_update){id, e4("203.0.113.9:4500"), e4("198.18.10.1:4500"),
						 true};
		break;
	case FEED_NOTE:
		m->note = (struct feed_note){FEED_NOTE_WARN, 77, e4("203.0.113.9:500"), "acme",
					     "wrong PSK"};
		break;
	case FEED_EXPIRE:
		m->expire = (struct feed_expire){id, true};
		break;
	case FEED_MAPPING:
		m->mapping = (struct feed_mapping){id, 7, e4("203.0.113.9:4500"),
						   e4("203.0.113.10:61000")};
		break;
	case FEED_ACQUIRE:
		m->acquire = (struct feed_acquire){7, 77, ts("192.0.2.1", "192.0.2.1"),
						   ts("198.51.100.1", "198.51.100.1")};
		break;
	case FEED_SEQS:
		m->seqs.n = FEED_SEQS_MAX;
		for (unsigned i = 0; i < FEED_SEQS_MAX; i++)
			m->seqs.seq[i] = (struct feed_seq){i + 256, i & 1, (uint64_t)i << 31};
		break;
	default:
		break;
	}
}

// By what goes over the wire: structs have padding.
static bool same(const struct feed_msg *a, const struct feed_msg *b)
{
	static uint8_t one[FEED_MESSAGE_MAX], other[FEED_MESSAGE_MAX];
	int n = feed_encode(a, one, sizeof(one));

	return n > 0 && feed_encode(b, other, sizeof(other)) == n &&
	       memcmp(one, other, (size_t)n) == 0;
}

Test(feed, every_message_there_and_back)
{
	static struct feed_msg m, back;
	static uint8_t buf[FEED_MESSAGE_MAX];
	struct err err;

	for (unsigned i = 0; i < TYPES; i++) {
		fill(types[i], &m);
		int n = feed_encode(&m, buf, sizeof(buf));
		cr_assert_gt(n, 0, "type 0x%x: %d", types[i], n);
		cr_assert_eq(feed_len(buf, (size_t)n), n);
		memset(&back, 0xff, sizeof(back));
		cr_assert_eq(feed_decode(buf, (size_t)n, &back, &err), 0, "type 0x%x: %s", types[i],
			     err.text);
		cr_assert(same(&m, &back), "type 0x%x", types[i]);
	}
}

// No field stays behind: same() wouldn't see one that is never sent.
Test(feed, every_field_is_sent)
{
	static const struct {
		uint16_t type;
		int bytes;
	} lengths[] = {
		{FEED_HELLO, 2 + 8 + 1 + 12},
		{FEED_SPI_GET, 4 + 5 + 5 + 1 + 4},
		{FEED_SA_ADD, 4 * 4 + 7 + 19 + 4 + 32 + 4 + 64 + 4 + 6 * 8 + 16 + 4 +
				      FEED_TS_MAX * (5 + 5 + 5) + 17 + 17 + 5},
		{FEED_SA_UPDATE, 19 + 7 + 7 + 1},
		{FEED_POLICY_ADD, 2 + 4 * 4 + 5 + 5 + 15 + 15},
		{FEED_NOTE, 1 + 4 + 7 + 1 + 4 + 1 + 9},
		{FEED_EXPIRE, 19 + 1},
		{FEED_MAPPING, 19 + 4 + 7 + 7},
		{FEED_ACQUIRE, 8 + 15 + 15},
		{FEED_SEQS, 2 + FEED_SEQS_MAX * (4 + 1 + 8)},
		{FEED_ANSWER | FEED_SA_ADD, 4 + 1 + 29},
		{FEED_ANSWER | FEED_SA_QUERY, 4 + 1 + 24},
	};
	static struct feed_msg m;
	static uint8_t buf[FEED_MESSAGE_MAX];

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		fill(lengths[i].type, &m);
		cr_assert_eq(feed_encode(&m, buf, sizeof(buf)), FEED_HEADER + lengths[i].bytes,
			     "type 0x%x", lengths[i].type);
	}
}

Test(feed, truncated_or_longer_is_refused)
{
	static struct feed_msg m, back, none;
	static uint8_t buf[FEED_MESSAGE_MAX], cut[FEED_MESSAGE_MAX];
	struct err err;

	for (unsigned i = 0; i < TYPES; i++) {
		fill(types[i], &m);
		int n = feed_encode(&m, buf, sizeof(buf));
		// Long messages: the first fields, and steps that no record's length divides.
		for (int len = 0; len < n; len += len < 1000 ? 1 : 97) {
			cr_assert_eq(feed_decode(buf, (size_t)len, &back, &err), -EBADMSG);
			// And with a header that owns up to it.
			memcpy(cut, buf, (size_t)len);
			if (len >= FEED_HEADER) {
				cut[2] = (uint8_t)(len >> 8);
				cut[3] = (uint8_t)len;
				cr_assert_eq(feed_decode(cut, (size_t)len, &back, &err), -EBADMSG,
					     "type 0x%x, %d of %d bytes", types[i], len, n);
			}
			cr_assert_arr_eq(&back, &none, sizeof(none), "wiped");
			cr_assert_eq(feed_encode(&m, cut, (size_t)len), -EMSGSIZE);
		}
		buf[n] = 0;
		buf[2] = (uint8_t)((n + 1) >> 8);
		buf[3] = (uint8_t)(n + 1);
		cr_assert_eq(feed_decode(buf, (size_t)n + 1, &back, &err), -EBADMSG);
	}
}

Test(feed, length)
{
	uint8_t buf[FEED_HEADER] = {0, 0, 0, FEED_HEADER};

	for (size_t n = 0; n < FEED_HEADER; n++)
		cr_assert_eq(feed_len(buf, n), 0);
	cr_assert_eq(feed_len(buf, sizeof(buf)), FEED_HEADER);
	buf[3] = FEED_HEADER - 1;
	cr_assert_eq(feed_len(buf, sizeof(buf)), -EBADMSG);
	memcpy(buf, (uint8_t[]){0, 1, 0, 0}, 4);
	cr_assert_eq(feed_len(buf, sizeof(buf)), FEED_MESSAGE_MAX);
	buf[3] = 1;
	cr_assert_eq(feed_len(buf, sizeof(buf)), -EBADMSG);
	memset(buf, 0xff, 4);
	cr_assert_eq(feed_len(buf, sizeof(buf)), -EBADMSG);
}

Test(feed, big_endian_on_the_wire)
{
	struct feed_msg m = {.type = FEED_SA_DEL, .id = 0x01020304};
	uint8_t buf[64];
	static const uint8_t want[] = {0,    0,    0,  29, 0,  FEED_SA_DEL, 1, 2,   3, 4,
				       0xc0, 0xde, 0,  0,  4,  203,         0, 113, 9, 4,
				       198,  18,   10, 1,  50, 0,           0, 1,   2};

	m.sa_id = (struct feed_id){0xc0de0000, a4("203.0.113.9"), a4("198.18.10.1"), 50, 0x102};
	cr_assert_eq(feed_encode(&m, buf, sizeof(buf)), sizeof(want));
	cr_assert_arr_eq(buf, want, sizeof(want));
}

// What encoding refuses, decoding would refuse: the ranges are the same code.
#define REFUSED(kind, change)                                                      \
	do {                                                                       \
		static struct feed_msg m;                                          \
		static uint8_t buf[FEED_MESSAGE_MAX];                              \
		fill(kind, &m);                                                    \
		change;                                                            \
		cr_assert_eq(feed_encode(&m, buf, sizeof(buf)), -EINVAL, #change); \
	} while (0)

Test(feed, out_of_range)
{
	REFUSED(FEED_SA_ADD, m.sa.encr_len = FEED_KEY_MAX + 1);
	REFUSED(FEED_SA_ADD, m.sa.integ_len = 65535);
	REFUSED(FEED_SA_ADD, m.sa.n_src = FEED_TS_MAX + 1);
	REFUSED(FEED_SA_ADD, m.sa.n_dst = 65535);
	REFUSED(FEED_SA_ADD, m.sa.flags = FEED_WAIT << 1);
	REFUSED(FEED_SA_ADD, m.sa.src.addr.family = 0);
	REFUSED(FEED_SA_ADD, m.sa.src.addr.family = 99);
	REFUSED(FEED_SA_ADD, m.sa.src_ts[31].port_lo = 2001);
	REFUSED(FEED_SA_ADD, m.sa.src_ts[0].lo = a4("192.0.2.78"));
	REFUSED(FEED_SA_ADD, m.sa.src_ts[0].hi = a4("2001:db8::"));
	REFUSED(FEED_POLICY_ADD, m.policy.dir = 0);
	REFUSED(FEED_POLICY_ADD, m.policy.dir = 4);
	REFUSED(FEED_POLICY_ADD, m.policy.type = 4);
	REFUSED(FEED_NOTE, m.note.level = 7);
	REFUSED(FEED_SEQS, m.seqs.n = FEED_SEQS_MAX + 1);
	REFUSED(FEED_SEQS, m.seqs.seq[1].inbound = 2);
	REFUSED(FEED_ANSWER | FEED_SA_ADD, m.status = 1);
	REFUSED(FEED_ANSWER | FEED_SA_ADD, m.status = -5000);
	REFUSED(FEED_HELLO, m.id = 0);
	REFUSED(FEED_EXPIRE, m.id = 1);
	REFUSED(FEED_HELLO, m.type = 0);
	REFUSED(FEED_HELLO, m.type = FEED_NOTE + 1);
	REFUSED(FEED_SEQS, m.type = FEED_SEQS + 1);
	REFUSED(FEED_ANSWER | FEED_SA_ADD, m.type = FEED_ANSWER | FEED_EXPIRE);
}

Test(feed, hostile_numbers_on_the_wire)
{
	static struct feed_msg m, back;
	static uint8_t buf[FEED_MESSAGE_MAX];
	struct err err;

	// Every byte of an SA and of a note with all bits set: refused or in range, never out of bounds.
	for (unsigned k = 0; k < 2; k++) {
		fill(k == 0 ? FEED_SA_ADD : FEED_NOTE, &m);
		int n = feed_encode(&m, buf, sizeof(buf));
		for (int i = FEED_HEADER; i < n; i++) {
			uint8_t was = buf[i];
			buf[i] = 0xff;
			if (feed_decode(buf, (size_t)n, &back, &err) == 0 && k == 0)
				cr_assert(back.sa.encr_len <= FEED_KEY_MAX &&
					  back.sa.integ_len <= FEED_KEY_MAX &&
					  back.sa.n_src <= FEED_TS_MAX &&
					  back.sa.n_dst <= FEED_TS_MAX);
			buf[i] = was;
		}
	}
}

Test(feed, errors_quote_no_key)
{
	static struct feed_msg m, back;
	static uint8_t buf[FEED_MESSAGE_MAX];
	struct err err;

	fill(FEED_SA_ADD, &m);
	memset(m.sa.encr_key, 'K', sizeof(m.sa.encr_key));
	int n = feed_encode(&m, buf, sizeof(buf));
	for (int len = 0; len < n; len++) {
		buf[2] = (uint8_t)(len >> 8);
		buf[3] = (uint8_t)len;
		cr_assert_eq(feed_decode(buf, (size_t)len, &back, &err), -EBADMSG);
		cr_assert_null(strstr(err.text, "KK"), "%s", err.text);
	}
}

Test(feed, texts_are_one_line_of_ascii)
{
	static struct feed_msg m, back;
	uint8_t buf[1024];
	struct err err;

	fill(FEED_NOTE, &m);
	strncpy(m.note.conn, "ac\nme\x1b[31m\xc3\xa9", sizeof(m.note.conn) - 1);
	int n = feed_encode(&m, buf, sizeof(buf));
	cr_assert_eq(feed_decode(buf, (size_t)n, &back, &err), 0);
	cr_assert_str_eq(back.note.conn, "ac?me?[31m??");
	uint8_t *at = memmem(buf, (size_t)n, "wrong", 5);
	*at = '\n';
	cr_assert_eq(feed_decode(buf, (size_t)n, &back, &err), -EBADMSG);

	// As long as can be: one byte less than the field, which ends with NUL.
	memset(m.note.text, 'x', sizeof(m.note.text));
	memset(m.note.conn, 'y', sizeof(m.note.conn));
	n = feed_encode(&m, buf, sizeof(buf));
	cr_assert_eq(feed_decode(buf, (size_t)n, &back, &err), 0);
	cr_assert_eq(strlen(back.note.text), FEED_TEXT_MAX - 1);
	cr_assert_eq(strlen(back.note.conn), sizeof(back.note.conn) - 1);
}

Test(feed, hello_of_a_later_version_is_understood_so_far)
{
	static struct feed_msg m, back;
	uint8_t buf[256];
	struct err err;

	fill(FEED_HELLO, &m);
	int n = feed_encode(&m, buf, sizeof(buf) - 1);
	buf[n++] = 1;
	buf[3] = (uint8_t)n;
	cr_assert_eq(feed_decode(buf, (size_t)n, &back, &err), -EBADMSG);
	buf[FEED_HEADER + 1] = FEED_VERSION + 1;
	cr_assert_eq(feed_decode(buf, (size_t)n, &back, &err), 0, "%s", err.text);
	cr_assert_eq(back.hello.version, FEED_VERSION + 1);
}

// ---- over a socket ----

static int pair[2];

static void *dribble(void *arg)
{
	uint8_t buf[FEED_MESSAGE_MAX];
	int n = feed_encode(arg, buf, sizeof(buf));

	for (int i = 0; i < n; i += 7) {
		size_t some = n - i < 7 ? (size_t)(n - i) : 7;
		if (write(pair[1], buf + i, some) != (ssize_t)some)
			break;
	}
	return NULL;
}

Test(feed_io, in_pieces)
{
	static struct feed_msg m, back;
	struct err err;
	pthread_t t;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fill(FEED_SEQS, &m);
	pthread_create(&t, NULL, dribble, &m);
	cr_assert_eq(feed_recv(pair[0], &back, 1000, &err), 0, "%s", err.text);
	cr_assert(same(&m, &back));
	pthread_join(t, NULL);
	fill(FEED_SA_ADD, &m);
	cr_assert_eq(feed_send(pair[1], &m, 1000), 0);
	cr_assert_eq(feed_send(pair[1], &m, 1000), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(feed_recv(pair[0], &back, 1000, &err), 0, "%s", err.text);
		cr_assert(same(&m, &back));
	}
}

Test(feed_io, timeouts_and_the_end)
{
	static struct feed_msg m;
	struct err err;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(feed_recv(pair[0], &m, 10, &err), -ETIMEDOUT);
	fill(FEED_SEQS, &m);
	int ret = 0;
	for (int i = 0; i < 1000 && ret == 0; i++)
		ret = feed_send(pair[1], &m, 10);
	cr_assert_eq(ret, -ETIMEDOUT, "nobody reads");
	close(pair[0]);
	cr_assert_eq(feed_send(pair[1], &m, 10), -EPIPE);
	cr_assert_eq(feed_recv(pair[1], &m, 10, &err), -ECONNRESET);
}
