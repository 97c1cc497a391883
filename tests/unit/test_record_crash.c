// SPDX-License-Identifier: BSD-3-Clause
// A process that dies at any moment, and what it left behind, well-formed or not.
#include "media/record_live.h"
#include "test_record_util.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPEN_CALLS 20

// Calls begin and end until it is killed. *begun is what the parent may rely on.
static void live_a_life(const struct place *p, const char *run, volatile unsigned *begun)
{
	struct records *r = place_open(p);
	uint32_t handle[OPEN_CALLS] = {0};
	char id[64];

	for (unsigned n = 0;; n++) {
		struct media_stats stream[2] = {stream_of(n), stream_of(n)};
		struct record rec = record_of(id);
		rec.n_streams = 2;
		rec.stream = stream;
		uint32_t *h = &handle[n % OPEN_CALLS];
		snprintf(id, sizeof(id), "%s-%u", run, n - OPEN_CALLS);
		rec.reason = "delete";
		if (n >= OPEN_CALLS)
			record_end(r, *h, &rec);
		snprintf(id, sizeof(id), "%s-%u", run, n);
		rec.reason = NULL;
		*h = record_begin(r, &rec);
		*begun = n + 1;
		rec.call_id = NULL; // another's
		record_update(r, handle[n * 7 % OPEN_CALLS], &rec);
		struct records_stats st;
		while (records_stats(r, &st), st.waiting > 500)
			usleep(500);
	}
}

static void one_crash(const struct place *p, unsigned round, unsigned us, unsigned *all)
{
	volatile unsigned *begun =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char run[16];

	snprintf(run, sizeof(run), "run%u", round);
	pid_t pid = fork();
	if (pid == 0) {
		live_a_life(p, run, begun);
		_exit(1);
	}
	while (*begun == 0)
		usleep(100);
	usleep(us);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	*all += *begun;
	munmap((void *)begun, 4096);
}

Test(record_crash, nothing_lost_nothing_twice, .timeout = 200)
{
	struct place p = place_make();
	unsigned all = 0, rounds = 25;

	srandom(4711);
	// Each run recovers what the one before left, and may be killed at that.
	for (unsigned i = 0; i < rounds; i++)
		one_crash(&p, i, (unsigned)random() % (i % 3 == 0 ? 3000 : 40000), &all);
	struct records *r = place_open(&p);
	records_close(r);

	unsigned in_db = (unsigned)strtoul(query(&p, "SELECT count(*) FROM calls"), NULL, 10);
	// A call may have begun just before it was told.
	cr_expect_geq(in_db, all);
	cr_expect_leq(in_db, all + rounds);
	cr_expect_str_eq(
		query(&p, "SELECT call_id, count(*) AS n FROM calls GROUP BY call_id HAVING n > 1"),
		"");
	cr_expect_str_eq(
		query(&p, "SELECT count(*) FROM calls WHERE reason NOT IN ('delete', 'crash')"),
		"0\n");
	cr_expect_str_eq(
		query(&p, "SELECT count(*) FROM calls WHERE reason = 'crash' AND recovered = 0"),
		"0\n");
	cr_expect_str_eq(
		query(&p, "SELECT count(*) FROM calls c WHERE (SELECT count(*) FROM legs l WHERE "
			  "l.uid = c.uid) != 4"),
		"0\n");
	unsigned unlike;
	cr_expect_eq(lines(&p, &unlike), in_db, "the same in JSON");
	cr_expect_eq(unlike, in_db, "each once");
	cr_expect_neq(access(p.live, F_OK), 0, "nothing is left");
	place_remove(&p);
}

Test(record_crash, a_cut_off_line_is_written_again)
{
	struct place p = place_make();
	struct records *r = place_open(&p);
	struct record rec = record_of("one");

	record_end(r, record_begin(r, &rec), &rec);
	records_close(r);
	int fd = open(json_file(&p), O_WRONLY | O_APPEND);
	cr_assert_eq(write(fd, "{\"uid\":\"0123", 12), 12);
	close(fd);
	r = place_open(&p);
	rec.call_id = "two";
	record_end(r, record_begin(r, &rec), &rec);
	records_close(r);
	cr_expect_eq(lines(&p, NULL), 2);
	place_remove(&p);
}

static struct live_slot *file_of_slots(const struct place *p, unsigned n, struct live *l)
{
	cr_assert_eq(live_open(l, p->live, n, NULL), 0);
	for (unsigned i = 0; i < n; i++)
		cr_assert(live_room(l, i));
	return l->slot;
}

// A call that had ended, and yesterday's file with its line, which may be cut off. Is it in
// today's?
static bool written_again(const struct place *p, const char *end)
{
	char path[600];
	time_t yesterday = time(NULL) - 86400;
	struct tm tm;
	struct live l;
	struct live_slot *slot = file_of_slots(p, 1, &l);

	gmtime_r(&yesterday, &tm);
	slot->uid = 0x1234;
	strcpy(slot->call_id, "late");
	slot->state = LIVE_ENDED;
	live_close(&l, false);
	cr_assert_eq(mkdir(p->json, 0750), 0);
	snprintf(path, sizeof(path), "%s/call-records-%04d-%02d-%02d.jsonl", p->json,
		 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	FILE *f = fopen(path, "w");
	fprintf(f, "{\"uid\":\"%016x\",\"call_id\":\"la%s", 0x1234, end);
	fclose(f);
	struct records *r = place_open(p);
	records_close(r);
	char *text = file_read(json_file(p));
	bool found = strstr(text, "\"call_id\":\"late\"") != NULL;
	free(text);
	return found;
}

Test(record_crash, a_line_that_was_cut_off_yesterday_is_no_record)
{
	struct place p = place_make();

	cr_expect(written_again(&p, ""));
	place_remove(&p);
	p = place_make();
	cr_expect_not(written_again(&p, "te\"}\n"), "a whole one is not written again");
	place_remove(&p);
}

Test(record_crash, hostile_slots, .timeout = 60)
{
	struct place p = place_make();
	struct live l;
	const unsigned n = 400;
	struct live_slot *slot = file_of_slots(&p, n, &l);
	unsigned calls = 0;

	srandom(1);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *b = (uint8_t *)&slot[i];
		for (size_t j = 0; j < sizeof(*slot); j++)
			b[j] = (uint8_t)random();
		slot[i].state = i % 4;
		slot[i].uid = i;
		calls += slot[i].state == LIVE_CALL || slot[i].state == LIVE_ENDED;
	}
	l.head->alive = INT64_MAX;
	live_close(&l, false);
	struct records *r = place_open(&p);
	records_close(r);
	cr_expect_eq(lines(&p, NULL), calls);
	cr_expect_eq(strtoul(query(&p, "SELECT count(*) FROM calls"), NULL, 10), calls);
	place_remove(&p);
}

Test(record_crash, another_version_is_moved_aside)
{
	char pattern[600];
	struct place p = place_make();
	struct live l;

	file_of_slots(&p, 10, &l);
	l.head->version = 99;
	live_close(&l, false);
	struct records *r = place_open(&p);
	struct record rec = record_of("x");
	record_end(r, record_begin(r, &rec), &rec);
	records_close(r);
	cr_expect_eq(lines(&p, NULL), 1);
	snprintf(pattern, sizeof(pattern), "ls %s.1* > /dev/null", p.live);
	cr_expect_eq(system(pattern), 0, "kept for whoever can read it");
	place_remove(&p);
}

Test(record_crash, short_and_empty_files)
{
	static const char junk[5000] = "no such thing";
	struct place p = place_make();

	for (int size = 0; size <= 5000; size += 500) {
		int fd = open(p.live, O_WRONLY | O_CREAT | O_TRUNC, 0640);
		cr_assert_eq(write(fd, junk, (size_t)size), size);
		close(fd);
		struct records *r = place_open(&p);
		struct record rec = record_of("x");
		record_end(r, record_begin(r, &rec), &rec);
		records_close(r);
	}
	cr_expect_eq(lines(&p, NULL), 11);
	place_remove(&p);
}

Test(record_crash, fewer_calls_than_before)
{
	struct place p = place_make();
	struct live l;
	struct live_slot *slot = file_of_slots(&p, 3000, &l);

	for (unsigned i = 0; i < 3000; i++) {
		slot[i].uid = i;
		slot[i].state = LIVE_CALL;
	}
	live_close(&l, false);
	struct records *r = place_open(&p); // wants fewer
	records_close(r);
	cr_expect_eq(lines(&p, NULL), 3000);
	place_remove(&p);
}

struct waiter {
	const struct place *p;
	struct live l;
	int rc;
};

static void *wait_for_it(void *arg)
{
	struct waiter *w = arg;

	w->rc = live_open(&w->l, w->p->live, 1, NULL);
	return NULL;
}

// Whoever ends removes the file that another waits for.
Test(record_crash, who_waits_gets_a_file_that_is_there)
{
	struct place p = place_make();
	struct waiter w = {.p = &p};
	struct live l;
	struct stat there, its;
	pthread_t thread;

	file_of_slots(&p, 1, &l);
	cr_assert_eq(pthread_create(&thread, NULL, wait_for_it, &w), 0);
	usleep(250000);
	live_close(&l, true);
	pthread_join(thread, NULL);
	cr_assert_eq(w.rc, 0);
	cr_assert_eq(stat(p.live, &there), 0, "it has a file of its own");
	cr_assert_eq(fstat(w.l.fd, &its), 0);
	cr_expect_eq(its.st_ino, there.st_ino);
	cr_expect_eq(live_open(&l, p.live, 1, NULL), -EBUSY, "and its lock holds");
	live_close(&w.l, true);
	place_remove(&p);
}
