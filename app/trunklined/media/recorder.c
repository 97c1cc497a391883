// SPDX-License-Identifier: BSD-3-Clause
#include "recorder.h"

#include "../control_priv.h"
#include "base/log.h"
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
#define NAP_MS 10
#define NUMBERS 65536 // 0 is none
#define NAME_MAX_CHARS 100
#define FILE_MODE 0640

struct recording {
	struct recorder *r;
	uint32_t number;
	pcap_dumper_t *dump; // the thread's own once it is in the table
	uint64_t packets;
	bool stopping;
	bool failed;  // the disk is full, say: said once
	time_t until; // with stopping: when it ends
	char path[4096];
};

struct recorder {
	struct control *ctl;
	char *dir;
	pcap_t *pcap;
	struct rte_ring *ring[WORKERS_MAX];
	pthread_t thread;
	bool running;
	bool stop;            // atomic
	pthread_mutex_t lock; // of the table
	struct recording *table[NUMBERS];
	uint32_t last;
	uint64_t lost;              // copies, as said last
	uint64_t tsc_start, tsc_hz; // TSC at a known time
	struct timespec start;
};

// ---- the thread ----

static struct timeval stamp(const struct recorder *r, uint64_t tsc)
{
	double s = (double)(int64_t)(tsc - r->tsc_start) / (double)r->tsc_hz;
	int64_t ns = r->start.tv_sec * 1000000000LL + r->start.tv_nsec + (int64_t)(s * 1e9);

	// tv_usec holds nanoseconds: the file says so.
	return (struct timeval){.tv_sec = ns / 1000000000, .tv_usec = ns % 1000000000};
}

static void packet_write(struct recorder *r, const struct rte_mbuf *m)
{
	struct record_mark mark = record_mark_get(m);
	struct recording *rec = r->table[mark.number % NUMBERS];
	struct pcap_pkthdr h = {
		.ts = stamp(r, mark.tsc), .caplen = m->data_len, .len = m->data_len};

	if (rec == NULL || rec->number != mark.number)
		return;
	pcap_dump((u_char *)rec->dump, &h, rte_pktmbuf_mtod(m, const u_char *));
	__atomic_store_n(&rec->packets, rec->packets + 1, __ATOMIC_RELAXED);
}

static unsigned rings_drain(struct recorder *r)
{
	struct rte_mbuf *m[64];
	unsigned all = 0, n;

	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		if (r->ring[i] == NULL)
			continue;
		n = rte_ring_sc_dequeue_burst(r->ring[i], (void **)m, RTE_DIM(m), NULL);
		pthread_mutex_lock(&r->lock);
		for (unsigned j = 0; j < n; j++)
			packet_write(r, m[j]);
		pthread_mutex_unlock(&r->lock);
		rte_pktmbuf_free_bulk(m, n);
		all += n;
	}
	return all;
}

static void recording_end(struct recording *rec)
{
	log_info("recording %s ended, %lu packets", rec->path, rec->packets);
	rec->r->table[rec->number % NUMBERS] = NULL;
	pcap_dump_close(rec->dump);
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

// Once a second: what is written reaches the file, and what has stopped ends.
static void files_keep(struct recorder *r)
{
	time_t now = time(NULL);

	lost_say(r);
	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < NUMBERS; i++) {
		struct recording *rec = r->table[i];
		if (rec == NULL)
			continue;
		if (rec->stopping && now >= rec->until) {
			recording_end(rec);
			continue;
		}
		if (pcap_dump_flush(rec->dump) != 0 && !rec->failed) {
			log_error("recording %s: %s", rec->path, strerror(errno));
			rec->failed = true;
		}
	}
	pthread_mutex_unlock(&r->lock);
}

static void *recorder_main(void *arg)
{
	struct recorder *r = arg;
	struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
	time_t kept = time(NULL);

	pthread_setname_np(pthread_self(), "recorder");
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (rings_drain(r) == 0)
			nanosleep(&nap, NULL);
		if (time(NULL) != kept) {
			kept = time(NULL);
			files_keep(r);
		}
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
	int rc;

	if (r == NULL)
		return err_set(err, -ENOMEM, "no memory for recordings");
	r->ctl = ctl;
	pthread_mutex_init(&r->lock, NULL);
	r->tsc_hz = rte_get_tsc_hz();
	r->tsc_start = rte_rdtsc();
	clock_gettime(CLOCK_REALTIME, &r->start);
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
	for (unsigned i = 0; i < NUMBERS; i++)
		if (r->table[i] != NULL)
			recording_end(r->table[i]);
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		if (r->ring[i] == NULL)
			continue;
		r->ctl->worker[i]->record = NULL;
		rte_ring_free(r->ring[i]);
	}
	if (r->pcap != NULL)
		pcap_close(r->pcap);
	pthread_mutex_destroy(&r->lock);
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

static int file_open(struct recording *rec, struct err *err)
{
	int fd = open(rec->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");

	if (f == NULL) {
		int rc = err_set(err, -errno, "recording %s: %s", rec->path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rec->dump = pcap_dump_fopen(rec->r->pcap, f);
	if (rec->dump == NULL) {
		fclose(f);
		return err_set(err, -EIO, "recording %s: %s", rec->path, pcap_geterr(rec->r->pcap));
	}
	return 0;
}

int recording_start(struct recorder *r, const char *call_id, struct recording **out,
		    struct err *err)
{
	struct recording *rec = calloc(1, sizeof(*rec));
	int rc;

	if (rec == NULL)
		return err_set(err, -ENOMEM, "no memory for a recording");
	rec->r = r;
	path_make(rec, call_id);
	if ((rc = file_open(rec, err)) < 0) {
		free(rec);
		return rc;
	}
	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < NUMBERS && rec->number == 0; i++) {
		r->last++;
		if (r->last % NUMBERS != 0 && r->table[r->last % NUMBERS] == NULL)
			rec->number = r->last;
	}
	if (rec->number != 0)
		r->table[rec->number % NUMBERS] = rec;
	pthread_mutex_unlock(&r->lock);
	if (rec->number == 0) {
		pcap_dump_close(rec->dump);
		unlink(rec->path);
		free(rec);
		return err_set(err, -ENFILE, "%d recordings are under way", NUMBERS - 1);
	}
	log_info("recording %s", rec->path);
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
	struct recorder *r = rec->r;

	pthread_mutex_lock(&r->lock);
	rec->until = time(NULL) + 1;
	rec->stopping = true;
	pthread_mutex_unlock(&r->lock);
}
