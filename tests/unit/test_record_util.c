// SPDX-License-Identifier: BSD-3-Clause
#include "test_record_util.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place place_make(void)
{
	static struct place p; // its texts are pointed to

	snprintf(p.dir, sizeof(p.dir), "%s/trunkline-records-XXXXXX",
		 getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	cr_assert_not_null(mkdtemp(p.dir));
	snprintf(p.sqlite, sizeof(p.sqlite), "%s/calls.sqlite", p.dir);
	snprintf(p.wal, sizeof(p.wal), "%s/calls.sqlite-wal", p.dir);
	snprintf(p.json, sizeof(p.json), "%s/json", p.dir);
	snprintf(p.live, sizeof(p.live), "%s/calls.live", p.dir);
	p.params = (struct records_params){
		.sqlite = p.sqlite, .json = p.json, .live = p.live, .calls_max = 50};
	return p;
}

void place_remove(const struct place *p)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", p->dir);
	cr_assert_eq(system(cmd), 0);
}

struct records *place_open(const struct place *p)
{
	struct records *r;
	struct err err = {0};

	cr_assert_eq(records_open(&r, &p->params, &err), 0, "%s", err.text);
	return r;
}

void settle(struct records *r)
{
	struct records_stats st;

	for (int i = 0; i < 1000; i++) {
		records_stats(r, &st);
		if (st.waiting == 0)
			return;
		usleep(10000);
	}
	cr_assert_fail("%u records wait", st.waiting);
}

const char *query(const struct place *p, const char *sql)
{
	static char text[2][65536];
	static unsigned turn;
	char *out = text[turn++ % 2];
	size_t n = 0;
	sqlite3 *db;
	sqlite3_stmt *st;

	cr_assert_eq(sqlite3_open(p->sqlite, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK, "%s",
		     sqlite3_errmsg(db));
	out[0] = '\0';
	while (sqlite3_step(st) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(st); i++) {
			const char *v = (const char *)sqlite3_column_text(st, i);
			n += (size_t)snprintf(out + n, sizeof(text[0]) - n, "%s%s",
					      i > 0 ? "|" : "", v != NULL ? v : "");
			cr_assert_lt(n, sizeof(text[0]));
		}
		n += (size_t)snprintf(out + n, sizeof(text[0]) - n, "\n");
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return out;
}

char *file_read(const char *path)
{
	FILE *f = fopen(path, "r");

	cr_assert_not_null(f, "%s", path);
	fseek(f, 0, SEEK_END);
	size_t size = (size_t)ftell(f);
	rewind(f);
	char *text = malloc(size + 1);
	cr_assert_eq(fread(text, 1, size, f), size);
	text[size] = '\0';
	fclose(f);
	return text;
}

static void files(const struct place *p, glob_t *g)
{
	char pattern[600];

	snprintf(pattern, sizeof(pattern), "%s/call-records-*.jsonl", p->json);
	cr_assert_eq(glob(pattern, 0, NULL, g), 0);
}

const char *json_file(const struct place *p)
{
	static char path[600];
	glob_t g;

	files(p, &g);
	snprintf(path, sizeof(path), "%s", g.gl_pathv[g.gl_pathc - 1]);
	globfree(&g);
	return path;
}

// Lines of one file; calls counts different call_ids.
static unsigned lines_of(const char *path, json_t *calls, json_t **last)
{
	char *text = file_read(path);
	unsigned n = 0;

	for (char *line = text; *line != '\0'; n++) {
		json_error_t error;
		char *end = strchr(line, '\n');
		cr_assert_not_null(end, "a line without an end");
		*end = '\0';
		json_t *o = json_loads(line, 0, &error);
		cr_assert_not_null(o, "%s: %s", error.text, line);
		json_object_set_new(calls, json_string_value(json_object_get(o, "call_id")),
				    json_true());
		json_decref(*last);
		*last = o;
		line = end + 1;
	}
	free(text);
	return n;
}

static unsigned lines_all(const struct place *p, unsigned *unlike, json_t **last)
{
	glob_t g;
	unsigned n = 0;
	json_t *calls = json_object();

	*last = NULL;
	files(p, &g);
	for (size_t i = 0; i < g.gl_pathc; i++)
		n += lines_of(g.gl_pathv[i], calls, last);
	if (unlike != NULL)
		*unlike = (unsigned)json_object_size(calls);
	json_decref(calls);
	globfree(&g);
	return n;
}

unsigned lines(const struct place *p, unsigned *unlike)
{
	json_t *last;
	unsigned n = lines_all(p, unlike, &last);

	json_decref(last);
	return n;
}

json_t *only_line(const struct place *p)
{
	json_t *last;

	cr_assert_eq(lines_all(p, NULL, &last), 1);
	return last;
}

unsigned mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_mode & 07777;
}

struct record record_of(const char *call_id)
{
	return (struct record){
		.call_id = call_id,
		.from_tag = "ft",
		.customer = "acme",
		.via = "ng",
		.start = 1795646023123,
	};
}

struct media_stats stream_of(uint64_t packets)
{
	struct media_stats s = {.hairpin = true};

	for (unsigned i = 0; i < 2; i++)
		s.side[i] = (struct media_side_stats){
			.rx_packets = packets + i,
			.rx_bytes = packets * 172,
			.tx_packets = packets,
			.tx_bytes = packets * 172 + i,
			.lost = 3 + i,
			.jitter_us = 3100,
			.rtt_us = 41000,
			.ssrc = 0xdeadbeef,
			.payload_type = 8,
			.mos = i == 0 ? 4.35 : 0,
			.refused = 2,
		};
	cr_assert_eq(ip_endpoint_parse("192.0.2.17:14004", &s.side[0].seen), 0);
	cr_assert_eq(ip_endpoint_parse("[2001:db8::8]:30112", &s.side[1].seen), 0);
	return s;
}
