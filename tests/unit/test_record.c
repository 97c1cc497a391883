// SPDX-License-Identifier: BSD-3-Clause
// Call records: what is written is what was said, and nothing is lost or there twice, whenever the process dies.
#include "test_record_util.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void call_of(struct records *r, const char *id, const char *reason)
{
	struct record rec = record_of(id);
	uint32_t handle = record_begin(r, &rec);

	cr_assert_neq(handle, 0);
	rec.reason = reason;
	rec.end = rec.start + 65000;
	record_end(r, handle, &rec);
}

Test(record, nothing_is_recorded)
{
	struct records *r = (struct records *)1;
	struct records_params none = {.live = "/nonexistent/live", .calls_max = 10};
	struct record rec = record_of("x");
	struct records_stats st;

	cr_assert_eq(records_open(&r, &none, NULL), 0);
	cr_assert_null(r);
	cr_expect_eq(record_begin(r, &rec), 0);
	record_update(r, 0, &rec);
	record_end(r, 0, &rec);
	records_stats(r, &st);
	cr_expect_eq(st.written + st.no_room + st.waiting, 0);
	records_close(r);
}

Test(record, a_call)
{
	struct place p = place_make();
	struct records *r = place_open(&p);
	struct media_stats stream[1] = {stream_of(3000)};
	struct record rec = record_of("7f3a@198.51.100.8");
	uint32_t handle = record_begin(r, &rec);

	rec.to_tag = "tt";
	rec.answer = rec.start + 2000;
	record_update(r, handle, &rec);
	rec.end = rec.start + 62500;
	rec.reason = "delete";
	rec.n_streams = 1;
	rec.stream = stream;
	record_end(r, handle, &rec);
	records_close(r);

	cr_expect_str_eq(
		query(&p, "SELECT call_id, from_tag, to_tag, customer, via, start, answer, end, "
			  "duration, "
			  "reason, recovered FROM calls"),
		"7f3a@198.51.100.8|ft|tt|acme|ng|2026-11-25T22:33:43.123Z|2026-11-25T22:33:45.123Z|"
		"2026-11-25T22:34:45.623Z|60.5|delete|0\n");
	cr_expect_str_eq(
		query(&p,
		      "SELECT stream, side, peer, hairpin, packets_in, bytes_out, lost, jitter_ms, "
		      "rtt_ms, mos, ssrc, payload_type, refused FROM legs"),
		"0|a|192.0.2.17:14004|1|3000|516000|3|3.1|41.0|4.35|3735928559|8|2\n"
		"0|b|[2001:db8::8]:30112|1|3001|516001|4|3.1|41.0|0.0|3735928559|8|2\n");
	cr_expect_str_eq(
		query(&p, "SELECT datetime(start), unixepoch(end) - unixepoch(start) FROM calls"),
		"2026-11-25 22:33:43|62\n");
	json_t *o = only_line(&p);
	cr_expect_str_eq(json_string_value(json_object_get(o, "call_id")), "7f3a@198.51.100.8");
	cr_expect_str_eq(json_string_value(json_object_get(o, "answer")),
			 "2026-11-25T22:33:45.123Z");
	cr_expect_eq(json_number_value(json_object_get(o, "duration")), 60.5);
	cr_expect(json_is_false(json_object_get(o, "recovered")));
	json_t *side = json_object_get(json_array_get(json_object_get(o, "streams"), 0), "b");
	cr_expect_eq(json_integer_value(json_object_get(side, "packets_in")), 3001);
	cr_expect_str_eq(json_string_value(json_object_get(side, "peer")), "[2001:db8::8]:30112");
	cr_expect_eq(json_number_value(json_object_get(side, "jitter_ms")), 3.1);
	json_decref(o);
	cr_expect_neq(access(p.live, F_OK), 0, "nothing is left");
	place_remove(&p);
}

Test(record, not_answered_and_no_stream)
{
	struct place p = place_make();
	struct records *r = place_open(&p);
	struct record rec = {.call_id = "c", .via = "api", .reason = "offer"};

	record_end(r, 0, &rec); // never begun
	records_close(r);
	cr_expect_str_eq(query(&p, "SELECT call_id, from_tag, customer, answer, duration, reason, "
				   "end >= start FROM calls"),
			 "c||||0.0|offer|1\n");
	cr_expect_str_eq(query(&p, "SELECT count(*) FROM legs"), "0\n");
	json_t *o = only_line(&p);
	cr_expect(json_is_null(json_object_get(o, "answer")));
	json_decref(o);
	place_remove(&p);
}

Test(record, more_streams_than_fit_add_up)
{
	struct place p = place_make();
	struct records *r = place_open(&p);
	struct media_stats stream[5] = {stream_of(1), stream_of(10), stream_of(100),
					stream_of(1000), stream_of(10000)};
	struct record rec = record_of("many");

	stream[4].side[0].jitter_us = 9000;
	rec.n_streams = 5;
	rec.stream = stream;
	record_end(r, record_begin(r, &rec), &rec);
	records_close(r);
	cr_expect_str_eq(
		query(&p, "SELECT stream, packets_in, jitter_ms FROM legs WHERE side = 'a'"),
		"0|1|3.1\n1|10|3.1\n2|11100|9.0\n");
	place_remove(&p);
}

Test(record, hostile_texts)
{
	char text[300], cut[300];
	struct place p = place_make();
	struct records *r = place_open(&p);

	memset(text, 'x', sizeof(text));
	text[299] = '\0';
	memset(cut, 'y', sizeof(cut));
	memcpy(cut + 126, "\xc3\xa4", 2); // its second byte does not fit
	cut[128] = '\0';
	call_of(r, text, "a");
	call_of(r, cut, "b");
	call_of(r, "quote'\"\\;\n\r\t\x01\x7f", "c");
	call_of(r, "\xff\xc3(\xe0\x80\x80\xed\xa0\x80\xc2\x85\xf4\x90\x80\x80\xc3", "d");
	call_of(r, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\x9e", "e");
	call_of(r, "", "f");
	records_close(r);
	cr_expect_str_eq(
		query(&p,
		      "SELECT reason, length(CAST(call_id AS BLOB)) FROM calls WHERE reason < 'c' "
		      "ORDER BY reason"),
		"a|127\nb|126\n");
	cr_expect_str_eq(query(&p, "SELECT call_id FROM calls WHERE reason > 'b' ORDER BY reason"),
			 "quote'\"\\;?????\n?"
			 "?("
			 "?????????????\ngr\xc3\xbc\xc3\x9f \xe2\x82\xac "
			 "\xf0\x9f\x93\x9e\n\n");
	cr_expect_eq(lines(&p, NULL), 6, "each is a line of JSON");
	place_remove(&p);
}

Test(record, permissions)
{
	struct place p = place_make();
	mode_t was = umask(0);
	struct records *r = place_open(&p);

	call_of(r, "x", "delete");
	for (int i = 0; i < 300 && access(p.sqlite, R_OK) == 0 && mode_of(p.wal) == 0; i++)
		usleep(10000);
	cr_expect_eq(mode_of(p.sqlite), 0640);
	cr_expect_eq(mode_of(p.wal), 0640);
	cr_expect_eq(mode_of(p.live), 0640);
	cr_expect_eq(mode_of(p.json), 0750);
	cr_expect_eq(mode_of(json_file(&p)), 0640);
	umask(was);
	records_close(r);
	place_remove(&p);
}

Test(record, files_that_are_moved_begin_anew)
{
	char cmd[1024];
	struct place p = place_make();
	struct records *r = place_open(&p);

	call_of(r, "one", "delete");
	settle(r);
	snprintf(cmd, sizeof(cmd), "cd %s && mkdir old && mv json/*.jsonl calls.sqlite* old/",
		 p.dir);
	cr_assert_eq(system(cmd), 0);
	call_of(r, "two", "delete");
	settle(r);
	call_of(r, "three", "delete");
	records_close(r);
	cr_expect_str_eq(query(&p, "SELECT call_id FROM calls ORDER BY call_id"), "three\ntwo\n");
	cr_expect_eq(lines(&p, NULL), 2);
	snprintf(p.sqlite, sizeof(p.sqlite), "%s/old/calls.sqlite", p.dir);
	cr_expect_str_eq(query(&p, "SELECT call_id FROM calls"), "one\n");
	place_remove(&p);
}

// A file size limit stands for a full disk.
Test(record, a_full_disk)
{
	struct place p = place_make();
	struct records *r = place_open(&p);
	struct rlimit limit, full;
	struct records_stats st;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	call_of(r, "before", "delete");
	settle(r);
	full = limit;
	full.rlim_cur = 300;
	setrlimit(RLIMIT_FSIZE, &full);
	for (int i = 0; i < 300; i++)
		call_of(r, "during", "delete");
	usleep(300000);
	records_stats(r, &st);
	cr_expect_eq(st.written, 1);
	cr_expect_eq(st.waiting, 300);
	cr_expect_gt(st.failed, 0);
	setrlimit(RLIMIT_FSIZE, &limit);
	call_of(r, "after", "delete");
	records_close(r);
	cr_expect_str_eq(query(&p, "SELECT call_id, count(*) FROM calls GROUP BY call_id"),
			 "after|1\nbefore|1\nduring|300\n");
	cr_expect_eq(lines(&p, NULL), 302);
	place_remove(&p);
}

// It stays full until the end: the next run writes what waits.
Test(record, a_disk_that_stays_full, .timeout = 60)
{
	struct place p = place_make();
	struct records *r = place_open(&p);
	struct rlimit limit, full;
	struct records_stats st;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	call_of(r, "before", "delete");
	settle(r);
	full = limit;
	full.rlim_cur = 300;
	setrlimit(RLIMIT_FSIZE, &full);
	call_of(r, "waits", "delete");
	records_close(r);
	setrlimit(RLIMIT_FSIZE, &limit);
	cr_expect_str_eq(query(&p, "SELECT call_id FROM calls"), "before\n");
	r = place_open(&p);
	records_stats(r, &st);
	cr_expect_eq(st.recovered, 1);
	records_close(r);
	cr_expect_str_eq(query(&p, "SELECT call_id, reason FROM calls ORDER BY call_id"),
			 "before|delete\nwaits|delete\n");
	cr_expect_eq(lines(&p, NULL), 2);
	place_remove(&p);
}

Test(record, no_room, .timeout = 60)
{
	struct place p = place_make();
	struct records *r = place_open(&p);
	struct record rec = record_of("x");
	struct records_stats st;
	unsigned n = 0;

	while (record_begin(r, &rec) != 0)
		n++;
	cr_expect_geq(n, p.params.calls_max);
	record_end(r, 0, &rec);
	records_stats(r, &st);
	cr_expect_eq(st.no_room, 1);
	record_end(r, 1, &rec);
	settle(r);
	cr_expect_neq(record_begin(r, &rec), 0, "what is written makes room");
	records_close(r);
	r = place_open(&p); // calls that nobody ended
	records_stats(r, &st);
	cr_expect_eq(st.recovered, n);
	records_close(r);
	cr_expect_eq(lines(&p, NULL), n + 1);
	place_remove(&p);
}

Test(record, one_at_a_time, .timeout = 60)
{
	struct place p = place_make();
	struct records *r = place_open(&p), *other;
	struct err err = {0};

	cr_expect_eq(records_open(&other, &p.params, &err), -EBUSY);
	cr_expect_neq(strstr(err.text, "another trunklined"), NULL, "%s", err.text);
	records_close(r);
	place_remove(&p);
}

Test(record, mistakes_are_named)
{
	struct place p = place_make();
	struct records_params bad = p.params;
	struct records *r;
	struct err err = {0};

	bad.sqlite = "/nonexistent/calls.sqlite";
	cr_expect_lt(records_open(&r, &bad, &err), 0);
	cr_expect_neq(strstr(err.text, "records.sqlite: /nonexistent/calls.sqlite: No such"), NULL,
		      "%s", err.text);
	bad = p.params;
	bad.json = "/dev/null";
	cr_expect_lt(records_open(&r, &bad, &err), 0);
	cr_expect_neq(strstr(err.text, "records.json: /dev/null"), NULL, "%s", err.text);
	FILE *f = fopen(p.sqlite, "w");
	for (int i = 0; i < 1000; i++)
		fprintf(f, "this is no database at all");
	fclose(f);
	cr_expect_lt(records_open(&r, &p.params, &err), 0);
	cr_expect_neq(strstr(err.text, "not a database"), NULL, "%s", err.text);
	place_remove(&p);
}

Test(record, documentation_names_every_figure)
{
	static const char *const names[] = {
#define FIGURE(name, kind, field, help) #name,
#include "media/record.def"
#undef FIGURE
	};
	char *text = file_read(DOC_CALL_RECORDS), mark[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(mark, sizeof(mark), "| `%s` |", names[i]);
		cr_expect_neq(strstr(text, mark), NULL, "%s", mark);
	}
	free(text);
}
