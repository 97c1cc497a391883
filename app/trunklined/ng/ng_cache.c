// SPDX-License-Identifier: BSD-3-Clause
#include "ng_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKETS 65536 // a power of two
#define KEEP_MS 10000 // proxies ask again for 5 s at most
#define BYTES_MAX (64 << 20)
_Static_assert(BYTES_MAX > 2 * NG_CACHE_NEXT * NG_MESSAGE_MAX, "room for what is to be sent");

struct entry {
	TAILQ_ENTRY(entry) age; // oldest first
	LIST_ENTRY(entry) bucket;
	uint64_t at; // ms
	uint32_t size;
	struct in_addr ip;
	in_port_t port;
	struct ng_str cookie, answer;
	char bytes[];
};

struct ng_cache {
	TAILQ_HEAD(, entry) ages;
	uint32_t n;
	uint64_t bytes, seed;
	LIST_HEAD(bucket, entry) bucket[BUCKETS];
};

struct ng_cache *ng_cache_new(void)
{
	struct ng_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	TAILQ_INIT(&c->ages);
	arc4random_buf(&c->seed, sizeof(c->seed));
	return c;
}

static void entry_drop(struct ng_cache *c, struct entry *e)
{
	TAILQ_REMOVE(&c->ages, e, age);
	LIST_REMOVE(e, bucket);
	c->n--;
	c->bytes -= e->size;
	explicit_bzero(e, e->size); // SDP has keys in it
	free(e);
}

void ng_cache_free(struct ng_cache *c)
{
	struct entry *e;

	if (c == NULL)
		return;
	while ((e = TAILQ_FIRST(&c->ages)) != NULL)
		entry_drop(c, e);
	free(c);
}

// Cookies come from who may use us; the seed is for the bad day.
static struct bucket *bucket_of(struct ng_cache *c, const struct sockaddr_in *from,
				struct ng_str cookie)
{
	uint64_t h = c->seed ^ from->sin_addr.s_addr ^ (uint64_t)from->sin_port << 32;

	for (uint32_t i = 0; i < cookie.len; i++)
		h = (h ^ (unsigned char)cookie.at[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return &c->bucket[(h ^ h >> 32) & (BUCKETS - 1)];
}

const struct ng_str *ng_cache_find(struct ng_cache *c, const struct sockaddr_in *from,
				   struct ng_str cookie, uint64_t now_ms)
{
	struct entry *e;

	ng_cache_expire(c, now_ms);
	LIST_FOREACH(e, bucket_of(c, from, cookie), bucket)
	if (e->ip.s_addr == from->sin_addr.s_addr && e->port == from->sin_port &&
	    e->cookie.len == cookie.len && memcmp(e->bytes, cookie.at, cookie.len) == 0)
		return &e->answer;
	return NULL;
}

const struct ng_str *ng_cache_put(struct ng_cache *c, const struct sockaddr_in *from,
				  struct ng_str cookie, struct ng_str answer, uint64_t now_ms)
{
	size_t size = sizeof(struct entry) + cookie.len + answer.len;
	struct entry *e;

	while (c->bytes + size > BYTES_MAX && (e = TAILQ_FIRST(&c->ages)) != NULL)
		entry_drop(c, e);
	if ((e = malloc(size)) == NULL)
		return NULL;
	*e = (struct entry){
		.at = now_ms,
		.size = (uint32_t)size,
		.ip = from->sin_addr,
		.port = from->sin_port,
		.cookie = {e->bytes, cookie.len},
		.answer = {e->bytes + cookie.len, answer.len},
	};
	memcpy(e->bytes, cookie.at, cookie.len);
	memcpy(e->bytes + cookie.len, answer.at, answer.len);
	TAILQ_INSERT_TAIL(&c->ages, e, age);
	LIST_INSERT_HEAD(bucket_of(c, from, cookie), e, bucket);
	c->n++;
	c->bytes += size;
	return &e->answer;
}

void ng_cache_expire(struct ng_cache *c, uint64_t now_ms)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&c->ages)) != NULL && now_ms - e->at >= KEEP_MS)
		entry_drop(c, e);
}

uint32_t ng_cache_count(const struct ng_cache *c, uint64_t *bytes)
{
	*bytes = c->bytes;
	return c->n;
}
