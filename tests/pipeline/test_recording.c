// SPDX-License-Identifier: BSD-3-Clause
// Recordings, down to the file: what a reader of the pcap sees, and that neither the disk nor the
// clock gets in the way. The linker puts the __wrap_ functions between the recorder and those
// that it calls.
#include "ip/ip.h"
#include "media/recorder.h"
#include "media_bed.h"
#include "srtp_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <rte_cycles.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STALL_MAX_MS 4000
#define SOON_MS 1000 // far below it

static struct control ctl;
static char dir[256];
static bool stalled;       // atomic: the disk stands still
static unsigned reached;   // atomic: somebody waits for it
static unsigned closed;    // atomic: files
static int64_t wall_ahead; // atomic: ns that the wall clock was set forward by

// ---- the disk and the clock ----

static void disk_wait(void)
{
	for (int i = 0; i < STALL_MAX_MS && __atomic_load_n(&stalled, __ATOMIC_ACQUIRE); i++) {
		__atomic_store_n(&reached, 1, __ATOMIC_RELEASE);
		usleep(1000);
	}
}

int __real_pcap_dump_flush(pcap_dumper_t *dump);
int __wrap_pcap_dump_flush(pcap_dumper_t *dump);
int __wrap_pcap_dump_flush(pcap_dumper_t *dump)
{
	disk_wait();
	return __real_pcap_dump_flush(dump);
}

void __real_pcap_dump_close(pcap_dumper_t *dump);
void __wrap_pcap_dump_close(pcap_dumper_t *dump);
void __wrap_pcap_dump_close(pcap_dumper_t *dump)
{
	__real_pcap_dump_close(dump);
	__atomic_fetch_add(&closed, 1, __ATOMIC_RELEASE);
}

void __real_pcap_dump(u_char *dump, const struct pcap_pkthdr *h, const u_char *data);
void __wrap_pcap_dump(u_char *dump, const struct pcap_pkthdr *h, const u_char *data);
void __wrap_pcap_dump(u_char *dump, const struct pcap_pkthdr *h, const u_char *data)
{
	disk_wait();
	__real_pcap_dump(dump, h, data);
}

// What open is called with offsets of 64 bits.
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode = 0;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (strncmp(path, dir, strlen(dir)) == 0)
		disk_wait();
	return __real_open64(path, flags, mode);
}

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = __real_clock_gettime(id, ts);
	int64_t more = __atomic_load_n(&wall_ahead, __ATOMIC_RELAXED);

	if (rc < 0 || id != CLOCK_REALTIME || more == 0)
		return rc;
	more += ts->tv_nsec;
	ts->tv_sec += more / 1000000000;
	ts->tv_nsec = more % 1000000000;
	return rc;
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

// ---- a recorder, and what it wrote ----

static void recorder_make(struct world *w)
{
	struct err err = {0};

	snprintf(dir, sizeof(dir), "%s/trunkline-recordings-XXXXXX",
		 getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	ctl = (struct control){.plane = w->plane};
	for (unsigned i = 0; i < w->n_workers; i++)
		ctl.worker[i] = w->worker[i];
	if (mkdtemp(dir) == NULL || recorder_open(&ctl, dir, &ctl.recorder, &err) < 0)
		rte_panic("no recorder: %s\n", err.text);
}

// All is in the files once it has ended.
static void recorder_end(void)
{
	recorder_close(ctl.recorder);
	ctl.recorder = NULL;
}

static void files_remove(void)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -r '%s'", dir);
	check(system(cmd) == 0, "the directory is removed");
}

struct file {
	struct recording *rec;
	char path[4096];
	unsigned n;      // packets
	int64_t ts[64];  // ns
	unsigned bad;    // headers or checksums wrong
	unsigned summed; // with a UDP checksum
};

static void file_start(struct file *f, const char *call_id)
{
	struct err err = {0};

	memset(f, 0, sizeof(*f));
	if (!check(recording_start(ctl.recorder, call_id, &f->rec, &err) == 0, "%s", err.text))
		exit(1);
	snprintf(f->path, sizeof(f->path), "%s", recording_path(f->rec));
}

static void leg_record(struct leg *leg, const struct file *f)
{
	leg->record = recording_number(f->rec);
	leg->flags |= LEG_RECORD;
}

static bool packet_good(const uint8_t *data, uint32_t len, struct file *f)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)data;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);

	f->summed += udp->dgram_cksum != 0;
	return rte_be_to_cpu_16(ip->total_length) == len && ip4_header_ok(ip) &&
	       rte_be_to_cpu_16(udp->dgram_len) == len - sizeof(*ip) &&
	       udp4_cksum_ok(ip, udp, (uint16_t)(len - sizeof(*ip)));
}

static void file_read(struct file *f)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *p =
		pcap_open_offline_with_tstamp_precision(f->path, PCAP_TSTAMP_PRECISION_NANO, text);
	struct pcap_pkthdr *h;
	const u_char *data;

	if (!check(p != NULL, "%s", text))
		return;
	while (pcap_next_ex(p, &h, &data) == 1 && f->n < RTE_DIM(f->ts)) {
		f->ts[f->n++] = h->ts.tv_sec * 1000000000LL + h->ts.tv_usec;
		f->bad += h->caplen != h->len || !packet_good(data, h->len, f);
	}
	pcap_close(p);
}

static void file_check(struct file *f, const char *name, unsigned n)
{
	file_read(f);
	check(f->n == n, "%s: %u packets in the file, not %u", name, f->n, n);
	check(f->bad == 0, "%s: %u of them with wrong headers", name, f->bad);
}

// ---- what a reader sees ----

static void calls_of_suites(struct world *w, enum srtp_suite first, enum srtp_suite second)
{
	struct secure_call c;
	struct file f[2];
	char name[64];

	recorder_make(w);
	secure_open(w, &c, 0, first, second, 0, true);
	for (unsigned i = 0; i < 2; i++) {
		struct pkt pkt;
		snprintf(name, sizeof(name), "suites %u %u, side %u", first, second, i);
		file_start(&f[i], name);
		leg_record(&c.pair->leg[i], &f[i]);
		peer_say(w, &c.peer[i]);
		peer_rtcp(&c.peer[i], &pkt);
		pkt_send(w, c.peer[i].wire, &pkt, false);
	}
	world_run(w);
	check(w->n_out == 4, "%s: %u passed", name, w->n_out);
	recorder_end();
	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "suites %u %u, side %u", first, second, i);
		file_check(&f[i], name, 2);
	}
	files_remove();
	secure_close(w, &c);
	world_mark(w);
}

// The second call's leg hears the first's.
static void hairpin(struct world *w, enum srtp_suite first)
{
	struct secure_call c;
	struct file f[2];

	recorder_make(w);
	secure_open(w, &c, 0, first, SRTP_NONE, 0, true);
	struct leg_pair *second =
		call_make(w, (struct side){0, MEDIA_A, 18100, MEDIA_B, 28004, false, true},
			  (struct side){0, MEDIA_B, 28100, PLATFORM, 5100, false, true});
	struct leg *out = &c.pair->leg[1];
	out->out_ip = out->remote_ip = rte_cpu_to_be_32(MEDIA_A);
	out->out_port = out->remote_port = rte_cpu_to_be_16(18100);
	file_start(&f[0], "first");
	file_start(&f[1], "second");
	leg_record(&c.pair->leg[0], &f[0]);
	leg_record(&second->leg[0], &f[1]);
	peer_say(w, &c.peer[0]);
	world_run(w);
	check(w->n_out == 1, "hairpin: it passes");
	recorder_end();
	file_check(&f[0], "hairpin, first call", 1);
	file_check(&f[1], "hairpin, second call", 1);
	check(f[1].summed == 1, "hairpin: with a UDP checksum");
	files_remove();
	call_withdraw(w, second);
	call_free(second);
	secure_close(w, &c);
	world_mark(w);
}

// ---- the disk ----

static struct leg_pair *plain_call(struct world *w)
{
	return call_make(w, (struct side){0, MEDIA_A, 15000, STRANGER, 4000, 0, 0},
			 (struct side){0, MEDIA_B, 25000, PLATFORM, 5000, 0, 0});
}

static void say(struct world *w, unsigned n)
{
	struct pkt p;

	rtp_make(&p, STRANGER, 4000, MEDIA_A, 15000);
	for (unsigned i = 0; i < n; i++) {
		pkt_send(w, OUTSIDE, &p, false);
		world_run(w);
	}
	world_mark(w);
}

static bool comes_to(const unsigned *what, unsigned n)
{
	for (int i = 0; i < STALL_MAX_MS && __atomic_load_n(what, __ATOMIC_ACQUIRE) < n; i++)
		usleep(1000);
	return __atomic_load_n(what, __ATOMIC_ACQUIRE) >= n;
}

// Whoever starts and stops recordings does not wait for it, and each packet still finds its file.
static void disk_that_stalls(struct world *w)
{
	struct leg_pair *call = plain_call(w);
	struct file one, two, three;
	unsigned was = closed;

	recorder_make(w);
	file_start(&one, "one");
	leg_record(&call->leg[0], &one);
	say(w, 2);
	__atomic_store_n(&reached, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&stalled, true, __ATOMIC_RELEASE);
	say(w, 3);
	check(comes_to(&reached, 1), "the recorder waits for the disk");
	int64_t before = clock_ns(CLOCK_MONOTONIC);
	file_start(&two, "two");
	say(w, 4); // still one's
	leg_record(&call->leg[0], &two);
	recording_stop(one.rec);
	say(w, 5);
	recording_stop(two.rec);
	file_start(&three, "three");
	leg_record(&call->leg[0], &three);
	int64_t ms = (clock_ns(CLOCK_MONOTONIC) - before) / 1000000;
	check(ms < SOON_MS, "the control thread waited %ld ms for the disk", (long)ms);
	usleep(1100000); // their ends are past
	__atomic_store_n(&stalled, false, __ATOMIC_RELEASE);
	check(comes_to(&closed, was + 2), "two files are closed");
	uint32_t number = call->leg[0].record;
	call->leg[0].record = number - 1; // two, which has ended
	say(w, 6);
	call->leg[0].record = number;
	say(w, 7);
	recorder_end();
	file_check(&one, "stopped during a stall", 9);
	file_check(&two, "started and stopped during a stall", 5);
	file_check(&three, "started during a stall", 7);
	files_remove();
	call_withdraw(w, call);
	call_free(call);
}

// Before a file is made, too: calls go on.
static void directory_that_is_gone(struct world *w)
{
	struct leg_pair *call = plain_call(w);
	struct recording *rec;
	struct file f;
	struct err err = {0};

	recorder_make(w);
	file_start(&f, "no file");
	files_remove();
	leg_record(&call->leg[0], &f);
	say(w, 3);
	check(recording_start(ctl.recorder, "x", &rec, &err) == -ENOENT, "no directory");
	check(strstr(err.text, dir) != NULL && strstr(err.text, "No such file") != NULL,
	      "it is named: %s", err.text);
	recorder_end();
	call_withdraw(w, call);
	call_free(call);
}

// ---- the clock ----

// A clock that is set while a call is recorded: later packets have the new time.
static void clock_that_is_set(struct world *w)
{
	struct leg_pair *call = plain_call(w);
	struct file f;

	recorder_make(w);
	file_start(&f, "clock");
	leg_record(&call->leg[0], &f);
	int64_t first = clock_ns(CLOCK_REALTIME);
	say(w, 1);
	__atomic_store_n(&wall_ahead, 5000000000, __ATOMIC_RELAXED);
	usleep(2100000);
	int64_t second = clock_ns(CLOCK_REALTIME);
	say(w, 1);
	recorder_end();
	__atomic_store_n(&wall_ahead, 0, __ATOMIC_RELAXED);
	file_check(&f, "clock", 2);
	check(llabs(f.ts[0] - first) < 100000000, "the first one's time");
	check(llabs(f.ts[1] - second) < 100000000, "the second one's time is %ld ms off",
	      (long)((f.ts[1] - second) / 1000000));
	files_remove();
	call_withdraw(w, call);
	call_free(call);
}

void test_recording(void)
{
	static struct world w;
	struct err err = {0};

	srtp_init();
	if (world_open(&w, 1, &err) < 0)
		rte_panic("%s\n", err.text);
	calls_of_suites(&w, SRTP_NONE, SRTP_NONE);
	calls_of_suites(&w, SRTP_AES_CM_128_80, SRTP_NONE);
	calls_of_suites(&w, SRTP_AES_CM_128_80, SRTP_AEAD_256);
	hairpin(&w, SRTP_NONE);
	hairpin(&w, SRTP_AEAD_128);
	disk_that_stalls(&w);
	directory_that_is_gone(&w);
	clock_that_is_set(&w);
	world_close(&w);
}
