// SPDX-License-Identifier: BSD-3-Clause
#include "recorder.h"

#include "../control_priv.h"
#include "base/log.h"
#include "record_clock.h"
#include "recording.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_RING 2048 // packets that wait for the thread, of one worker
#define BURST 64
#define NAP_MS 10
#define NUMBERS 65536 // 0 is none
#define NAME_MAX_CHARS 100
#define FILE_MODE 0640

struct recording {
	struct recorder *r;
	uint32_t number;
	uint64_t packets; // atomic: the recorder's thread writes, the control thread reads
	time_t until;     // atomic: the control thread writes; when it ends, 0: not yet
	char path[4096];
	// the recorder's thread
	pcap_dumper_t *dump; // NULL: there is no file yet
	bool failed;         // the disk is full, say: said once
};

// The disk may stand still for long, and only the recorder's thread waits for it: there is no lock.
// The control thread puts an entry into the table when it is complete; the recorder's takes it out,
// closes and frees it.
struct recorder {
	struct control *ctl;
	char *dir;
	struct rte_ring *ring[WORKERS_MAX];
	pthread_t thread;
	bool running;
	bool stop;                        // atomic
	struct recording *table[NUMBERS]; // atomic
	uint32_t last;                    // the control thread
	// the recorder's thread
	pcap_t *pcap;
	uint64_t lost; // copies, as said last
	struct record_clock clock;
};

static struct recording *recording_at(const struct recorder *r, uint32_t number)
{
	return __atomic_load_n(&r->table[number % NUMBERS], __ATOMIC_ACQUIRE);
}

// ---- the thread ----

static void recording_fail(struct recording *rec, const char *why)
{
	if (!rec->failed)
		log_error("recording %s: %s", rec->path, why);
	rec->failed = true;
}

static bool file_open(struct recording *rec)
{
	int fd = open(rec->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");

	if (f == NULL) {
		recording_fail(rec, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	rec->dump = pcap_dump_fopen(rec->r->pcap, f);
	if (rec->dump == NULL) {
		recording_fail(rec, pcap_geterr(rec->r->pcap));
		fclose(f);
	}
	return rec->dump != NULL;
}

static struct timeval stamp(const struct recorder *r, uint64_t tsc)
{
	int64_t ns = record_clock_ns(&r->clock, tsc);

	// tv_usec holds nanoseconds: the file says so.
	return (struct timeval){.tv_sec = ns / 1000000000, .tv_usec = ns % 1000000000};
}

static void packet_write(struct recorder *r, const struct rte_mbuf *m)
{
	struct record_mark mark = record_mark_get(m);
	struct recording *rec = recording_at(r, mark.number);
	struct pcap_pkthdr h = {
		.ts = stamp(r, mark.tsc), .caplen = m->data_len, .len = m->data_len};

	if (rec == NULL || rec->number != mark.number)
		return;
	// What failed is tried again by files_keep, not by every packet.
	if (rec->dump == NULL && (rec->failed || !file_open(rec)))
		return;
	pcap_dump((u_char *)rec->dump, &h, rte_pktmbuf_mtod(m, const u_char *));
	__atomic_store_n(&rec->packets, rec->packets + 1, __ATOMIC_RELAXED);
}

static unsigned rings_drain(struct recorder *r)
{
	struct rte_mbuf *m[BURST];
	unsigned all = 0, n;

	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		if (r->ring[i] == NULL)
			continue;
		n = rte_ring_sc_dequeue_burst(r->ring[i], (void **)m, RTE_DIM(m), NULL);
		for (unsigned j = 0; j < n; j++)
			packet_write(r, m[j]);
		rte_pktmbuf_free_bulk(m, n);
		all += n;
	}
	return all;
}

static void recording_end(struct recording *rec)
{
	__atomic_store_n(&rec->r->table[rec->number % NUMBERS], NULL, __ATOMIC_RELEASE);
	if (rec->dump != NULL || file_open(rec))
		pcap_dump_close(rec->dump);
	log_info("recording %s ended, %lu packets", rec->path, rec->packets);
	free(rec);
}

static void lost_say(struct recorder *r)
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < r->ctl->plane->n_workers; i++)
		lost += r->ctl->worker[i]->records_lost;
	if (lost != r->lost)
		log_warn("recordings: %lu packets not recorded: the disk is too slow",
			 lost - r->lost);
	r->lost = lost;
}

// The TSC at a time. Whoever is interrupted between the two looks again.
static uint64_t pair_take(int64_t *wall)
{
	uint64_t tsc = 0, best = UINT64_MAX;

	*wall = 0;
	for (unsigned i = 0; i < 3; i++) {
		struct timespec ts;
		uint64_t from = rte_rdtsc();
		clock_gettime(CLOCK_REALTIME, &ts);
		uint64_t took = rte_rdtsc() - from;
		if (took >= best)
			continue;
		best = took;
		tsc = from + took / 2;
		*wall = ts.tv_sec * 1000000000LL + ts.tv_nsec;
	}
	return tsc;
}

// Once a second: what is written reaches the file, and what has stopped ends: its packets from
// before now have been written.
static void files_keep(struct recorder *r, time_t now)
{
	lost_say(r);
	for (uint32_t i = 0; i < NUMBERS; i++) {
		struct recording *rec = recording_at(r, i);
		if (rec == NULL)
			continue;
		time_t until = __atomic_load_n(&rec->until, __ATOMIC_ACQUIRE);
		if (until != 0 && now >= until)
			recording_end(rec);
		else if ((rec->dump != NULL || file_open(rec)) && pcap_dump_flush(rec->dump) != 0)
			recording_fail(rec, strerror(errno));
	}
}

static void *recorder_main(void *arg)
{
	struct recorder *r = arg;
	struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
	time_t kept = time(NULL);
	int64_t wall;

	pthread_setname_np(pthread_self(), "recorder");
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (rings_drain(r) == 0)
			nanosleep(&nap, NULL);
		time_t now = time(NULL);
		if (now == kept)
			continue;
		kept = now;
		uint64_t tsc = pair_take(&wall);
		record_clock_take(&r->clock, tsc, wall);
		// All from before now, which may fill the rings after a wait for the disk.
		for (unsigned i = 0; i < RECORD_RING / BURST && rings_drain(r) != 0; i++)
			;
		files_keep(r, now);
	}
	while (rings_drain(r) != 0)
		;
	return NULL;
}

// ---- the control thread's side ----

static int rings_open(struct recorder *r, struct err *err)
{
	for (unsigned i = 0; i < r->ctl->plane->n_workers; i++) {
		char name[RTE_RING_NAMESIZE];
		snprintf(name, sizeof(name), "record-%u", i);
		r->ring[i] = rte_ring_create(name, RECORD_RING, SOCKET_ID_ANY,
					     RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (r->ring[i] == NULL)
			return err_set(err, -ENOMEM, "no memory for ring %s", name);
		r->ctl->worker[i]->record = r->ring[i];
	}
	return 0;
}

int recorder_open(struct control *ctl, const char *dir, struct recorder **out, struct err *err)
{
	struct recorder *r = calloc(1, sizeof(*r));
	int64_t wall;
	int rc;

	if (r == NULL)
		return err_set(err, -ENOMEM, "no memory for recordings");
	r->ctl = ctl;
	uint64_t tsc = pair_take(&wall);
	record_clock_set(&r->clock, rte_get_tsc_hz(), tsc, wall);
	if (mkdir(dir, 0750) < 0 && errno != EEXIST) {
		rc = err_set(err, -errno, "recordings %s: %s", dir, strerror(errno));
		goto failed;
	}
	r->dir = strdup(dir);
	r->pcap = pcap_open_dead_with_tstamp_precision(DLT_RAW, 65535, PCAP_TSTAMP_PRECISION_NANO);
	if (r->dir == NULL || r->pcap == NULL) {
		rc = err_set(err, -ENOMEM, "no memory for recordings");
		goto failed;
	}
	if ((rc = rings_open(r, err)) < 0)
		goto failed;
	if ((rc = -pthread_create(&r->thread, NULL, recorder_main, r)) < 0) {
		err_set(err, rc, "recordings: no thread: %s", strerror(-rc));
		goto failed;
	}
	r->running = true;
	*out = r;
	return 0;
failed:
	recorder_close(r);
	return rc;
}

void recorder_close(struct recorder *r)
{
	if (r == NULL)
		return;
	__atomic_store_n(&r->stop, true, __ATOMIC_RELEASE);
	if (r->running)
		pthread_join(r->thread, NULL);
	for (uint32_t i = 0; i < NUMBERS; i++)
		if (recording_at(r, i) != NULL)
			recording_end(recording_at(r, i));
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		if (r->ring[i] == NULL)
			continue;
		r->ctl->worker[i]->record = NULL;
		rte_ring_free(r->ring[i]);
	}
	if (r->pcap != NULL)
		pcap_close(r->pcap);
	free(r->dir);
	free(r);
}

static void path_make(struct recording *rec, const char *call_id)
{
	char name[NAME_MAX_CHARS + 1];
	struct timespec now;
	struct tm tm;
	size_t n = 0;

	for (; call_id[n] != '\0' && n < NAME_MAX_CHARS; n++) {
		bool plain = isalnum((unsigned char)call_id[n]) ||
			     strchr("@_-", call_id[n]) != NULL || (call_id[n] == '.' && n != 0);
		name[n] = plain ? call_id[n] : '_';
	}
	name[n] = '\0';
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	snprintf(rec->path, sizeof(rec->path), "%s/%s-%04d%02d%02dT%02d%02d%02d.%06ldZ.pcap",
		 rec->r->dir, name, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		 tm.tm_min, tm.tm_sec, now.tv_nsec / 1000);
}

int recording_start(struct recorder *r, const char *call_id, struct recording **out,
		    struct err *err)
{
	struct recording *rec;

	// The thread makes the file; what it would find out too late for the caller is asked here.
	if (faccessat(AT_FDCWD, r->dir, W_OK | X_OK, AT_EACCESS) < 0)
		return err_set(err, -errno, "recordings %s: %s", r->dir, strerror(errno));
	if ((rec = calloc(1, sizeof(*rec))) == NULL)
		return err_set(err, -ENOMEM, "no memory for a recording");
	rec->r = r;
	path_make(rec, call_id);
	for (unsigned i = 0; i < NUMBERS && rec->number == 0; i++) {
		r->last++;
		if (r->last % NUMBERS != 0 && recording_at(r, r->last) == NULL)
			rec->number = r->last;
	}
	if (rec->number == 0) {
		free(rec);
		return err_set(err, -ENFILE, "%d recordings are under way", NUMBERS - 1);
	}
	log_info("recording %s", rec->path);
	__atomic_store_n(&r->table[rec->number % NUMBERS], rec, __ATOMIC_RELEASE);
	*out = rec;
	return 0;
}

uint32_t recording_number(const struct recording *rec)
{
	return rec->number;
}

const char *recording_path(const struct recording *rec)
{
	return rec->path;
}

uint64_t recording_packets(const struct recording *rec)
{
	return __atomic_load_n(&rec->packets, __ATOMIC_RELAXED);
}

void recording_stop(struct recording *rec)
{
	// From here on it is the thread's alone.
	__atomic_store_n(&rec->until, time(NULL) + 1, __ATOMIC_RELEASE);
}
