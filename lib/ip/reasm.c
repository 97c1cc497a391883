// SPDX-License-Identifier: BSD-3-Clause
#include "reasm.h"

#include "ip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define PAYLOAD_MAX (65535 - 20)

struct key {
	uint32_t src, dst;
	uint16_t id;
	uint16_t proto;
	uint32_t zero; // no padding: keys are compared whole
};

// A datagram in progress. Contexts lie in a list by age: the time limit counts from the first
// fragment, so the oldest is the next to expire and the first to give way.
struct context {
	struct key key;
	uint64_t since;        // TSC of its first fragment
	uint32_t chain;        // next in the hash bucket, or in the free list
	uint32_t older, newer; // by age
	uint32_t got;          // bytes of payload
	uint32_t end;          // length of the payload, 0: last fragment not seen
	uint16_t n;
	uint16_t refused; // reasm_result for whatever else arrives of it; 0: none
	struct frag_entry frag[REASM_FRAGS]; // by offset
};

struct reasm {
	uint64_t timeout;
	uint64_t seed[2];
	uint32_t mask;      // of bucket
	uint32_t fragments; // at most
	uint32_t free, oldest, newest;
	struct reasm_stats stats;
	uint32_t *bucket;
	struct context *ctx;
};

// ---- table ----

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint32_t *bucket_of(struct reasm *r, const struct key *k)
{
	uint64_t a = (uint64_t)k->src << 32 | k->dst;
	uint64_t b = (uint64_t)k->id << 16 | k->proto;
	uint64_t h = mix(mix(a ^ r->seed[0], r->seed[1] | 1) ^ b, r->seed[0] | 1);

	return &r->bucket[(h ^ h >> 32) & r->mask];
}

static struct context *context_find(struct reasm *r, const struct key *k)
{
	for (uint32_t i = *bucket_of(r, k); i != NONE; i = r->ctx[i].chain)
		if (memcmp(&r->ctx[i].key, k, sizeof(*k)) == 0)
			return &r->ctx[i];
	return NULL;
}

static void context_remove(struct reasm *r, struct context *c)
{
	uint32_t self = (uint32_t)(c - r->ctx);
	uint32_t *at = bucket_of(r, &c->key);

	while (*at != self)
		at = &r->ctx[*at].chain;
	*at = c->chain;
	*(c->older == NONE ? &r->oldest : &r->ctx[c->older].newer) = c->newer;
	*(c->newer == NONE ? &r->newest : &r->ctx[c->newer].older) = c->older;
	c->chain = r->free;
	r->free = self;
	r->stats.held--;
	r->stats.fragments -= c->n;
}

// The caller has made sure that one is free.
static struct context *context_add(struct reasm *r, const struct key *k, uint64_t now)
{
	uint32_t self = r->free;
	struct context *c = &r->ctx[self];
	uint32_t *b = bucket_of(r, k);

	r->free = c->chain;
	c->key = *k;
	c->since = now;
	c->got = 0;
	c->end = 0;
	c->n = 0;
	c->refused = 0;
	c->chain = *b;
	*b = self;
	c->older = r->newest;
	c->newer = NONE;
	*(r->newest == NONE ? &r->oldest : &r->ctx[r->newest].newer) = self;
	r->newest = self;
	r->stats.held++;
	return c;
}

// ---- one datagram ----

// Moves what a context holds to the list of handles to free.
static void context_drop(struct reasm *r, struct context *c, struct reasm_out *out,
			 enum reasm_result reason)
{
	for (uint16_t i = 0; i < c->n; i++)
		out->drop[out->n_drop++] = c->frag[i].handle;
	if (c->n != 0)
		out->reason = reason;
	r->stats.fragments -= c->n;
	c->n = 0;
}

static enum reasm_result refuse(struct reasm_out *out, const struct frag_entry *e,
				enum reasm_result reason)
{
	out->drop[out->n_drop++] = e->handle;
	out->reason = reason;
	return reason;
}

// Gives the datagram up; the context stays until its time is over, to refuse the rest.
static enum reasm_result poison(struct reasm *r, struct context *c, struct reasm_out *out,
				const struct frag_entry *e, enum reasm_result reason)
{
	context_drop(r, c, out, reason);
	c->refused = (uint16_t)reason;
	r->stats.refused++;
	return refuse(out, e, reason);
}

// Puts a fragment in its place. REASM_HELD, or why the datagram has to go; *duplicate is set if
// it is one, and then nothing was done.
static enum reasm_result insert(struct context *c, const struct frag_entry *e, bool *duplicate)
{
	uint32_t start = e->frag_off, end = start + e->len;
	uint16_t at = c->n;

	while (at > 0 && c->frag[at - 1].frag_off >= start)
		at--;
	if (at < c->n) {
		const struct frag_entry *after = &c->frag[at];
		*duplicate =
			after->frag_off == start && after->len == e->len && after->more == e->more;
		if (*duplicate)
			return REASM_HELD;
		if (end > after->frag_off || !e->more)
			return REASM_OVERLAP;
	}
	if (at > 0) {
		const struct frag_entry *before = &c->frag[at - 1];
		if ((uint32_t)before->frag_off + before->len > start || !before->more)
			return REASM_OVERLAP;
	}
	if (c->n == REASM_FRAGS)
		return REASM_TOO_MANY;
	memmove(&c->frag[at + 1], &c->frag[at], (c->n - at) * sizeof(c->frag[0]));
	c->frag[at] = *e;
	c->n++;
	c->got += e->len;
	if (!e->more)
		c->end = end;
	return REASM_HELD;
}

static void oldest_evict(struct reasm *r, uint64_t now, struct reasm_out *out)
{
	struct context *c = &r->ctx[r->oldest];
	bool late = now - c->since >= r->timeout;

	r->stats.timed_out += late && c->refused == 0;
	r->stats.evicted += !late && c->refused == 0;
	context_drop(r, c, out, late ? REASM_TIMEOUT : REASM_TOO_MANY);
	context_remove(r, c);
}

// The context for a fragment: the one that exists, or a new one, for which the oldest gives way.
static struct context *context_for(struct reasm *r, const struct key *k, uint64_t now,
				   struct reasm_out *out)
{
	struct context *c = context_find(r, k);

	if (c != NULL && now - c->since < r->timeout)
		return c;
	if (c != NULL) {
		r->stats.timed_out += c->refused == 0;
		context_drop(r, c, out, REASM_TIMEOUT);
		context_remove(r, c);
	} else if (r->free == NONE) {
		oldest_evict(r, now, out);
	}
	return context_add(r, k, now);
}

// After c got a fragment: the oldest with any goes if these are too many now. If that is c, the
// rest of it is refused. No other was dropped for this fragment: else they would not be too many.
static enum reasm_result held_trim(struct reasm *r, struct context *c, uint64_t now,
				   struct reasm_out *out)
{
	while (r->stats.fragments > r->fragments) {
		if (&r->ctx[r->oldest] == c) {
			context_drop(r, c, out, REASM_TOO_MANY);
			c->refused = REASM_TOO_MANY;
			r->stats.evicted++;
			return REASM_TOO_MANY;
		}
		oldest_evict(r, now, out);
	}
	return REASM_HELD;
}

enum reasm_result reasm_put(struct reasm *r, const struct frag_entry *e, uint64_t now,
			    struct reasm_out *out)
{
	struct rte_ipv4_hdr ip;
	bool duplicate = false;

	out->n_frags = 0;
	out->n_drop = 0;
	out->reason = REASM_HELD;
	if (e->len == 0 || (e->more && (e->len < REASM_LEN_MIN || e->len % 8 != 0)))
		return refuse(out, e, REASM_TINY);
	if ((uint32_t)e->frag_off + e->len > PAYLOAD_MAX)
		return refuse(out, e, REASM_TOO_BIG);

	memcpy(&ip, e->l3, sizeof(ip));
	struct key key = {ip.src_addr, ip.dst_addr, ip.packet_id, ip.next_proto_id, 0};
	struct context *c = context_for(r, &key, now, out);
	if (c->refused != 0)
		return refuse(out, e, (enum reasm_result)c->refused);
	enum reasm_result why = insert(c, e, &duplicate);
	if (why != REASM_HELD)
		return poison(r, c, out, e, why);
	if (duplicate)
		return refuse(out, e, REASM_OVERLAP);
	r->stats.fragments++;
	// No overlaps, so the bytes add up only when all are there.
	if (c->end == 0 || c->got != c->end)
		return held_trim(r, c, now, out);
	memcpy(out->frag, c->frag, c->n * sizeof(c->frag[0]));
	out->n_frags = c->n;
	context_remove(r, c);
	r->stats.completed++;
	return REASM_COMPLETE;
}

// ---- life ----

struct reasm *reasm_create(uint32_t contexts, uint32_t fragments, uint64_t timeout, uint64_t seed)
{
	if (contexts == 0 || contexts > REASM_CONTEXTS_MAX || fragments < REASM_FRAGS) {
		errno = EINVAL;
		return NULL;
	}
	uint32_t buckets = 2;
	while (buckets < 2 * contexts)
		buckets *= 2;
	struct reasm *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->ctx = calloc(contexts, sizeof(*r->ctx));
	r->bucket = malloc(buckets * sizeof(*r->bucket));
	if (r->ctx == NULL || r->bucket == NULL) {
		reasm_destroy(r, NULL, NULL);
		errno = ENOMEM;
		return NULL;
	}
	r->timeout = timeout;
	r->fragments = fragments;
	r->seed[0] = mix(seed ^ 0x9e3779b97f4a7c15ULL, 0xd6e8feb86659fd93ULL);
	r->seed[1] = mix(seed ^ 0xc2b2ae3d27d4eb4fULL, 0xa0761d6478bd642fULL);
	r->mask = buckets - 1;
	r->oldest = NONE;
	r->newest = NONE;
	memset(r->bucket, 0xff, buckets * sizeof(*r->bucket));
	for (uint32_t i = 0; i < contexts; i++)
		r->ctx[i].chain = i + 1 < contexts ? i + 1 : NONE;
	return r;
}

static void contexts_drop(struct reasm *r, struct context *c, void (*drop)(void *, void *),
			  void *arg)
{
	for (uint16_t i = 0; i < c->n && drop != NULL; i++)
		drop(arg, c->frag[i].handle);
	context_remove(r, c);
}

void reasm_destroy(struct reasm *r, void (*drop)(void *arg, void *handle), void *arg)
{
	if (r == NULL)
		return;
	while (r->stats.held != 0)
		contexts_drop(r, &r->ctx[r->oldest], drop, arg);
	free(r->ctx);
	free(r->bucket);
	free(r);
}

uint32_t reasm_expire(struct reasm *r, uint64_t now, void (*drop)(void *arg, void *handle),
		      void *arg)
{
	uint32_t n = 0;

	while (r->oldest != NONE && now - r->ctx[r->oldest].since >= r->timeout) {
		r->stats.timed_out += r->ctx[r->oldest].refused == 0;
		contexts_drop(r, &r->ctx[r->oldest], drop, arg);
		n++;
	}
	return n;
}

void reasm_stats_get(const struct reasm *r, struct reasm_stats *stats)
{
	*stats = r->stats;
}

// ---- packets ----

int reasm_entry_init(struct frag_entry *e, void *handle, uint8_t *l3, size_t len)
{
	struct rte_ipv4_hdr ip;

	if (len < sizeof(ip))
		return -EINVAL;
	memcpy(&ip, l3, sizeof(ip));
	uint16_t hdr = (uint16_t)((ip.version_ihl & 0x0f) * 4);
	uint16_t total = rte_be_to_cpu_16(ip.total_length);
	uint16_t field = rte_be_to_cpu_16(ip.fragment_offset);
	uint16_t off = (uint16_t)((field & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS);
	bool more = field & RTE_IPV4_HDR_MF_FLAG;

	if (ip.version_ihl >> 4 != 4 || hdr < sizeof(ip) || total < hdr || total > len)
		return -EINVAL;
	if (off == 0 && !more)
		return -EINVAL;
	*e = (struct frag_entry){handle, l3, hdr, (uint16_t)(total - hdr), off, more};
	return 0;
}

// RFC 3168 section 5.3: CE if one is CE; never where another is not ECN-capable.
static int ecn_join(const struct reasm_out *out)
{
	unsigned seen = 0;

	for (uint16_t i = 0; i < out->n_frags; i++)
		seen |= 1u << (out->frag[i].l3[1] & RTE_IPV4_HDR_ECN_MASK);
	if ((seen & 0x8) && (seen & 0x1))
		return -EBADMSG;
	return seen & 0x8 ? RTE_IPV4_HDR_ECN_CE : out->frag[0].l3[1] & RTE_IPV4_HDR_ECN_MASK;
}

int reasm_write(const struct reasm_out *out, uint8_t *dst, size_t cap)
{
	const struct frag_entry *last = &out->frag[out->n_frags - 1];
	size_t hdr = out->frag[0].payload_off;
	size_t total = hdr + last->frag_off + last->len;
	int ecn = ecn_join(out);

	if (ecn < 0)
		return ecn;
	if (total > 65535)
		return -EMSGSIZE;
	if (cap < total)
		return -ENOSPC;
	memcpy(dst, out->frag[0].l3, hdr);
	for (uint16_t i = 0; i < out->n_frags; i++) {
		const struct frag_entry *f = &out->frag[i];
		memcpy(dst + hdr + f->frag_off, f->l3 + f->payload_off, f->len);
	}
	dst[1] = (uint8_t)((dst[1] & RTE_IPV4_HDR_DSCP_MASK) | ecn);
	dst[2] = (uint8_t)(total >> 8);
	dst[3] = (uint8_t)total;
	memset(dst + 6, 0, 2);
	memset(dst + 10, 0, 2);
	uint16_t cksum = (uint16_t)~cksum_fold(cksum_add(0, dst, hdr));
	memcpy(dst + 10, &cksum, sizeof(cksum));
	return (int)total;
}
