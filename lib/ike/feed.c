// SPDX-License-Identifier: BSD-3-Clause
// One description of each message serves both directions: every function below either reads its field
// from the wire or writes it there, and checks its range in both. A message that this end may not send
// is therefore one that the other end would not take.
#include "ike/feed.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static_assert(FEED_TEXT_MAX == 256, "a text's length is one byte on the wire");

struct wire {
	uint8_t *p;
	size_t at, size;
	bool writes;
	int error;      // the first one; nothing moves after it
	struct err why; // -EBADMSG, -EINVAL: what is wrong
};

__attribute__((format(printf, 2, 3))) static void wrong(struct wire *w, const char *fmt, ...)
{
	if (w->error != 0)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(w->why.text, sizeof(w->why.text), fmt, ap);
	va_end(ap);
	w->error = w->writes ? -EINVAL : -EBADMSG;
}

static void bytes(struct wire *w, void *data, size_t n)
{
	if (w->error != 0)
		return;
	if (n > w->size - w->at) {
		wrong(w, "ends after %zu bytes, in the middle of a field", w->size);
		if (w->writes)
			w->error = -EMSGSIZE;
		return;
	}
	if (w->writes)
		memcpy(w->p + w->at, data, n);
	else
		memcpy(data, w->p + w->at, n);
	w->at += n;
}

static uint64_t number(struct wire *w, uint64_t value, unsigned n)
{
	uint8_t b[8];

	for (unsigned i = 0; i < n; i++)
		b[i] = (uint8_t)(value >> 8 * (n - 1 - i));
	bytes(w, b, n);
	if (w->error != 0)
		return 0;
	value = 0;
	for (unsigned i = 0; i < n; i++)
		value = value << 8 | b[i];
	return value;
}

#define NUMBER(name, type)                                      \
	static void name(struct wire *w, type *v)               \
	{                                                       \
		type value = (type)number(w, *v, sizeof(type)); \
		if (!w->writes)                                 \
			*v = value;                             \
	}
NUMBER(u8, uint8_t)
NUMBER(u16, uint16_t)
NUMBER(u32, uint32_t)
NUMBER(u64, uint64_t)

static void flag(struct wire *w, bool *v)
{
	uint8_t b = *v ? 1 : 0;

	u8(w, &b);
	if (b > 1)
		wrong(w, "%u where 0 or 1 is right", b);
	if (!w->writes)
		*v = b == 1;
}

static void between(struct wire *w, const char *what, unsigned v, unsigned lo, unsigned hi)
{
	if (v < lo || v > hi)
		wrong(w, "%s is %u; %u to %u is right", what, v, lo, hi);
}

// One line of ASCII, for logs and terminals. What isn't printable becomes '?' when it is written, and
// is refused when it is read: nobody who speaks this protocol sends it.
static void text(struct wire *w, char *v, size_t size)
{
	uint8_t n = w->writes ? (uint8_t)strnlen(v, size - 1) : 0;

	u8(w, &n);
	if (n >= size)
		wrong(w, "a text of %u bytes; at most %zu", n, size - 1);
	if (w->error != 0)
		return;
	for (uint8_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)v[i];
		if (w->writes && (c < 0x20 || c > 0x7e))
			c = '?';
		u8(w, &c);
		if (c < 0x20 || c > 0x7e)
			wrong(w, "byte 0x%02x in a text; printable ASCII is right", c);
		if (!w->writes)
			v[i] = (char)c;
	}
	if (!w->writes)
		v[n] = '\0';
}

static void addr(struct wire *w, struct ip_addr *v)
{
	uint8_t kind = v->family == AF_INET ? 4 : v->family == AF_INET6 ? 6 : v->family;

	u8(w, &kind);
	if (kind == 4)
		bytes(w, &v->v4, sizeof(v->v4));
	else if (kind == 6)
		bytes(w, &v->v6, sizeof(v->v6));
	else if (kind != 0)
		wrong(w, "address family %u; 0, 4 or 6 is right", kind);
	if (!w->writes)
		v->family = w->error != 0 ? 0 : kind == 4 ? AF_INET : kind == 6 ? AF_INET6 : 0;
}

// An address that must be there.
static void host(struct wire *w, struct ip_addr *v)
{
	addr(w, v);
	if (w->error == 0 && v->family == 0)
		wrong(w, "no address where there must be one");
}

static void endpoint(struct wire *w, struct ip_endpoint *v)
{
	host(w, &v->addr);
	u16(w, &v->port);
}

static void selector(struct wire *w, struct feed_ts *v)
{
	host(w, &v->lo);
	host(w, &v->hi);
	u16(w, &v->port_lo);
	u16(w, &v->port_hi);
	u8(w, &v->proto);
	if (w->error != 0)
		return;
	size_t n = v->lo.family == AF_INET ? sizeof(v->lo.v4) : sizeof(v->lo.v6);
	if (v->lo.family != v->hi.family || memcmp(&v->lo.v6, &v->hi.v6, n) > 0)
		wrong(w, "a traffic selector's addresses are no range");
	else if (v->port_lo > v->port_hi)
		wrong(w, "a traffic selector's ports are no range: %u-%u", v->port_lo, v->port_hi);
}

static void selectors(struct wire *w, uint16_t *n, struct feed_ts *ts)
{
	u16(w, n);
	between(w, "the number of traffic selectors", *n, 0, FEED_TS_MAX);
	for (uint16_t i = 0; w->error == 0 && i < *n; i++)
		selector(w, &ts[i]);
}

static void key(struct wire *w, uint16_t *len, uint8_t *data)
{
	u16(w, len);
	between(w, "a key's length in bytes", *len, 0, FEED_KEY_MAX);
	if (w->error == 0)
		bytes(w, data, *len);
}

static void lifetime(struct wire *w, struct feed_lifetime *v)
{
	u64(w, &v->soft);
	u64(w, &v->hard);
}

// ---- messages ----

// The version comes first and the rest of a later version's HELLO is not looked at, so that two ends
// can always tell each other what they speak.
static void hello(struct wire *w, struct feed_hello *v)
{
	u16(w, &v->version);
	u64(w, &v->instance);
	text(w, v->name, sizeof(v->name));
	if (!w->writes && v->version > FEED_VERSION && w->error == 0)
		w->at = w->size;
}

static void sa_id(struct wire *w, struct feed_id *v)
{
	u32(w, &v->spi);
	host(w, &v->src);
	host(w, &v->dst);
	u8(w, &v->proto);
	u32(w, &v->if_id);
}

static void sa(struct wire *w, struct feed_sa *v)
{
	u32(w, &v->spi);
	u32(w, &v->reqid);
	u32(w, &v->if_id);
	u32(w, &v->flags);
	if ((v->flags & ~(uint32_t)(FEED_WAIT * 2 - 1)) != 0)
		wrong(w, "unknown flags 0x%x", v->flags);
	endpoint(w, &v->src);
	endpoint(w, &v->dst);
	u16(w, &v->encr);
	key(w, &v->encr_len, v->encr_key);
	u16(w, &v->integ);
	key(w, &v->integ_len, v->integ_key);
	u16(w, &v->window);
	u16(w, &v->tfc);
	lifetime(w, &v->time);
	lifetime(w, &v->bytes);
	lifetime(w, &v->packets);
	u64(w, &v->seq);
	u64(w, &v->age);
	selectors(w, &v->n_src, v->src_ts);
	selectors(w, &v->n_dst, v->dst_ts);
}

static void update(struct wire *w, struct feed_update *v)
{
	sa_id(w, &v->id);
	endpoint(w, &v->src);
	endpoint(w, &v->dst);
	flag(w, &v->encap);
}

static void usage(struct wire *w, struct feed_usage *v)
{
	u64(w, &v->bytes);
	u64(w, &v->packets);
	u64(w, &v->last_use);
}

static void policy(struct wire *w, struct feed_policy *v)
{
	u8(w, &v->dir);
	between(w, "a policy's direction", v->dir, FEED_IN, FEED_FWD);
	u8(w, &v->type);
	between(w, "a policy's type", v->type, FEED_POLICY_IPSEC, FEED_POLICY_DROP);
	u32(w, &v->priority);
	u32(w, &v->reqid);
	u32(w, &v->spi);
	u32(w, &v->if_id);
	addr(w, &v->src);
	addr(w, &v->dst);
	selector(w, &v->src_ts);
	selector(w, &v->dst_ts);
}

static void expire(struct wire *w, struct feed_expire *v)
{
	sa_id(w, &v->id);
	flag(w, &v->hard);
}

static void mapping(struct wire *w, struct feed_mapping *v)
{
	sa_id(w, &v->id);
	u32(w, &v->reqid);
	endpoint(w, &v->was);
	endpoint(w, &v->is);
}

static void acquire(struct wire *w, struct feed_acquire *v)
{
	u32(w, &v->reqid);
	u32(w, &v->if_id);
	selector(w, &v->src_ts);
	selector(w, &v->dst_ts);
}

static void seqs(struct wire *w, struct feed_seqs *v)
{
	u16(w, &v->n);
	between(w, "the number of sequence numbers", v->n, 0, FEED_SEQS_MAX);
	for (uint16_t i = 0; w->error == 0 && i < v->n; i++) {
		u32(w, &v->seq[i].spi);
		u8(w, &v->seq[i].inbound);
		between(w, "a direction", v->seq[i].inbound, 0, 1);
		u64(w, &v->seq[i].seq);
	}
}

static void note(struct wire *w, struct feed_note *v)
{
	u8(w, &v->level);
	between(w, "a note's level", v->level, FEED_NOTE_ERROR, FEED_NOTE_INFO);
	u32(w, &v->if_id);
	addr(w, &v->peer.addr);
	u16(w, &v->peer.port);
	text(w, v->conn, sizeof(v->conn));
	text(w, v->text, sizeof(v->text));
}

static void request(struct wire *w, struct feed_msg *m)
{
	switch (m->type) {
	case FEED_HELLO:
		hello(w, &m->hello);
		break;
	case FEED_SPI_GET:
	case FEED_SA_QUERY:
	case FEED_SA_DEL:
		sa_id(w, &m->sa_id);
		break;
	case FEED_SA_ADD:
		sa(w, &m->sa);
		break;
	case FEED_SA_UPDATE:
		update(w, &m->update);
		break;
	case FEED_POLICY_ADD:
	case FEED_POLICY_QUERY:
	case FEED_POLICY_DEL:
		policy(w, &m->policy);
		break;
	case FEED_NOTE:
		note(w, &m->note);
		break;
	case FEED_REPLAYED:
	case FEED_SA_FLUSH:
	case FEED_POLICY_FLUSH:
		break;
	default:
		wrong(w, "unknown type %u", m->type);
	}
}

static void event(struct wire *w, struct feed_msg *m)
{
	switch (m->type) {
	case FEED_EXPIRE:
		expire(w, &m->expire);
		break;
	case FEED_MAPPING:
		mapping(w, &m->mapping);
		break;
	case FEED_ACQUIRE:
		acquire(w, &m->acquire);
		break;
	case FEED_SEQS:
		seqs(w, &m->seqs);
		break;
	default:
		wrong(w, "unknown type %u", m->type);
	}
}

static void answer(struct wire *w, struct feed_msg *m)
{
	uint32_t status = (uint32_t)m->status;
	uint16_t of = m->type & (uint16_t)~FEED_ANSWER;

	u32(w, &status);
	if (!w->writes)
		m->status = (int32_t)status;
	if (m->status > 0 || m->status < -4095)
		wrong(w, "status %d; 0 or a negative errno is right", m->status);
	text(w, m->text, sizeof(m->text));
	if (of < FEED_HELLO || of > FEED_NOTE)
		wrong(w, "unknown type 0x%x", m->type);
	if (w->error != 0 || m->status < 0)
		return;
	if (of == FEED_HELLO)
		hello(w, &m->hello);
	else if (of == FEED_SPI_GET)
		sa_id(w, &m->sa_id);
	else if (of == FEED_SA_QUERY || of == FEED_POLICY_QUERY)
		usage(w, &m->usage);
}

static void message(struct wire *w, struct feed_msg *m)
{
	bool is_event = m->type >= FEED_EXPIRE && (m->type & FEED_ANSWER) == 0;

	if (is_event != (m->id == 0))
		wrong(w, "type %u with id %u; events alone have id 0", m->type, m->id);
	else if (is_event)
		event(w, m);
	else if (m->type & FEED_ANSWER)
		answer(w, m);
	else
		request(w, m);
}

// ---- both directions ----

int feed_len(const uint8_t *p, size_t n)
{
	if (n < FEED_HEADER)
		return 0;
	uint32_t len = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return len < FEED_HEADER || len > FEED_MESSAGE_MAX ? -EBADMSG : (int)len;
}

int feed_decode(const uint8_t *p, size_t n, struct feed_msg *out, struct err *err)
{
	// Nothing is written while w.writes is false.
	struct wire w = {.p = (uint8_t *)(uintptr_t)p, .size = n};
	uint32_t len = 0;

	memset(out, 0, sizeof(*out));
	u32(&w, &len);
	u16(&w, &out->type);
	u32(&w, &out->id);
	if (w.error == 0 && len != n)
		wrong(&w, "says that it has %u bytes, and has %zu", len, n);
	if (w.error == 0)
		message(&w, out);
	if (w.error == 0 && w.at != n)
		wrong(&w, "goes on for %zu bytes after its last field", n - w.at);
	if (w.error == 0)
		return 0;
	err_set(err, w.error, "feed message of type %u: %s", out->type, w.why.text);
	explicit_bzero(out, sizeof(*out));
	return w.error;
}

int feed_encode(const struct feed_msg *m, uint8_t *buf, size_t size)
{
	struct wire w = {.p = buf, .size = size, .writes = true};
	// While w.writes is true, nothing is stored in the struct.
	struct feed_msg *fields = (struct feed_msg *)(uintptr_t)m;
	uint32_t len = 0;

	u32(&w, &len);
	u16(&w, &fields->type);
	u32(&w, &fields->id);
	message(&w, fields);
	if (w.error == 0 && w.at > FEED_MESSAGE_MAX)
		w.error = -EMSGSIZE;
	if (w.error != 0) {
		explicit_bzero(buf, w.at);
		return w.error;
	}
	len = (uint32_t)w.at;
	w.at = 0;
	u32(&w, &len);
	return (int)len;
}

void feed_wipe(struct feed_msg *m)
{
	explicit_bzero(m, sizeof(*m));
}
