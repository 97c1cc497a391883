// SPDX-License-Identifier: BSD-3-Clause
// A directory of call records, and what is in it.
#pragma once

#include "media/record.h"

#include <jansson.h>
#include <stdint.h>

struct place {
	char dir[256], sqlite[512], wal[512], json[512], live[512];
	struct records_params params;
};

struct place place_make(void);
void place_remove(const struct place *p);
struct records *place_open(const struct place *p); // asserts that it works
// Waits until nothing waits.
void settle(struct records *r);

// "a|b\n" for each row; valid until the next but one.
const char *query(const struct place *p, const char *sql);
const char *json_file(const struct place *p);
// Lines of all JSON files, each of which must be an object; unlike: different call_ids.
unsigned lines(const struct place *p, unsigned *unlike);
json_t *only_line(const struct place *p); // json_decref() it
unsigned mode_of(const char *path);       // permission bits, 0: no such file
char *file_read(const char *path);        // free() it

// One of acme by ng, from 2026-11-25T22:33:43.123Z.
struct record record_of(const char *call_id);
struct media_stats stream_of(uint64_t packets);
