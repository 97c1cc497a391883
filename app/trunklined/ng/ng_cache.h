// SPDX-License-Identifier: BSD-3-Clause
// Answers that were given, by source and cookie: a proxy that asks again because the first answer was lost
// gets the same bytes, and nothing is done twice. Bounded in bytes and in time.
#pragma once

#include "ng/value.h"

#include <netinet/in.h>
#include <stdint.h>

struct ng_cache;

struct ng_cache *ng_cache_new(void); // NULL: no memory
void ng_cache_free(struct ng_cache *c);
// The answer to an earlier message, or NULL. now_ms never goes back.
const struct ng_str *ng_cache_find(struct ng_cache *c, const struct sockaddr_in *from,
				   struct ng_str cookie, uint64_t now_ms);
// Keeps a copy, which stays at least while the next NG_CACHE_NEXT answers are put, and returns it; or returns NULL
// if there is no memory.
#define NG_CACHE_NEXT 64
const struct ng_str *ng_cache_put(struct ng_cache *c, const struct sockaddr_in *from,
				  struct ng_str cookie, struct ng_str answer, uint64_t now_ms);
// Forgets what is too old.
void ng_cache_expire(struct ng_cache *c, uint64_t now_ms);
uint32_t ng_cache_count(const struct ng_cache *c, uint64_t *bytes);
