// SPDX-License-Identifier: BSD-3-Clause
// Long lists are answered in pages, so that no answer keeps the control loop for long: signalling waits meanwhile.
// A client that wants more asks again with "offset"; of calls, which come and go, with "after".
#pragma once

#include "api/command.h"

#define PAGE_MAX 500
#define PAGE_CALLS 40 // they are the longest, some 150 us each

struct page {
	size_t first, end; // entries first..end-1 of the whole list
};

static inline struct page page_of(json_t *args)
{
	size_t limit = api_arg_uint(args, "limit", API_LIST_DEFAULT);
	size_t first = api_arg_uint(args, "offset", 0);

	return (struct page){first, first + (limit == 0 || limit > PAGE_MAX ? PAGE_MAX : limit)};
}

// {key: list, "offset": ..., "total": ...}; steals list.
static inline json_t *page_json(struct page page, const char *key, json_t *list, size_t total)
{
	return json_pack("{s:o, s:I, s:I}", key, list, "offset", (json_int_t)page.first, "total",
			 (json_int_t)total);
}
