// SPDX-License-Identifier: BSD-3-Clause
// Long lists are answered in pages, so that no answer keeps the control loop for long (a page of
// calls is about 35 ms). A client that wants more asks again with "offset".
#pragma once

#include "api/command.h"

#define PAGE_DEFAULT 1000
#define PAGE_MAX 2000

struct page {
	size_t first, end; // entries first..end-1 of the whole list
};

static inline struct page page_of(json_t *args)
{
	size_t limit = api_arg_uint(args, "limit", PAGE_DEFAULT);
	size_t first = api_arg_uint(args, "offset", 0);

	return (struct page){first, first + (limit == 0 || limit > PAGE_MAX ? PAGE_MAX : limit)};
}

// {key: list, "offset": ..., "total": ...}; steals list.
static inline json_t *page_json(struct page page, const char *key, json_t *list, size_t total)
{
	return json_pack("{s:o, s:I, s:I}", key, list, "offset", (json_int_t)page.first, "total",
			 (json_int_t)total);
}
