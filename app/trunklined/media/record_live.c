// SPDX-License-Identifier: BSD-3-Clause
#include "record_live.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VERSION 1
#define HEAD_SIZE 4096
#define CHUNK (1u << 20) // bytes that get memory at a time
#define SLOTS_MAX (1u << 22)

_Static_assert(sizeof(struct live_side) == 160 && sizeof(struct live_slot) == 1392,
	       "another layout is another VERSION");

static const char magic[8] = "TLCALLS";

static size_t live_size(uint32_t slots)
{
	return HEAD_SIZE + (size_t)slots * sizeof(struct live_slot);
}

static int live_busy(const struct live *l, struct err *err)
{
	return err_set(err, -EBUSY,
		       "%s: another trunklined uses it; each needs a records.live of its own",
		       l->path);
}

// 0: locked. Whoever starts while another ends waits a moment.
static int live_lock(const struct live *l, struct err *err)
{
	for (int i = 0; i < 20; i++) {
		if (flock(l->fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return err_set(err, -errno, "%s: %s", l->path, strerror(errno));
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	}
	return live_busy(l, err);
}

static bool is_at_path(const struct live *l)
{
	struct stat ours, there;

	return fstat(l->fd, &ours) == 0 && lstat(l->path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

// Who had the lock may have removed the file or moved it aside meanwhile: then there is another to
// lock.
static int file_open(struct live *l, struct err *err)
{
	for (int i = 0; i < 10; i++) {
		l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (l->fd < 0)
			return err_set(err, -errno, "%s: %s", l->path, strerror(errno));
		int rc = live_lock(l, err);
		if (rc < 0 || is_at_path(l))
			return rc;
		close(l->fd);
	}
	l->fd = -1;
	return live_busy(l, err);
}

static int head_write(const struct live *l, struct err *err)
{
	struct live_head head = {.version = VERSION, .slot_size = sizeof(struct live_slot)};

	memcpy(head.magic, magic, sizeof(magic));
	int rc = posix_fallocate(l->fd, 0, HEAD_SIZE);
	if (rc == 0 && pwrite(l->fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
		rc = errno;
	return rc == 0 ? 0 : err_set(err, -rc, "%s: %s", l->path, strerror(rc));
}

// What we can't read is kept for whoever can.
static int move_aside(struct live *l, struct err *err)
{
	char aside[4200];

	snprintf(aside, sizeof(aside), "%s.%lld", l->path, (long long)time(NULL));
	if (rename(l->path, aside) < 0)
		return err_set(err, -errno, "%s: %s", aside, strerror(errno));
	log_warn("%s was written by another version and is now %s; its calls are not recorded",
		 l->path, aside);
	close(l->fd);
	return file_open(l, err);
}

// 0: an empty file, or one of ours; its slots are counted.
static int head_check(struct live *l, struct err *err)
{
	struct live_head head;
	struct stat st;

	if (fstat(l->fd, &st) < 0)
		return err_set(err, -errno, "%s: %s", l->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s: is no file", l->path);
	if (st.st_size >= HEAD_SIZE) {
		size_t n = ((size_t)st.st_size - HEAD_SIZE) / sizeof(struct live_slot);
		if (pread(l->fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
		    memcmp(head.magic, magic, sizeof(magic)) == 0 && head.version == VERSION &&
		    head.slot_size == sizeof(struct live_slot) && n <= SLOTS_MAX) {
			l->found = (uint32_t)n;
			return 0;
		}
	}
	if (st.st_size > 0) {
		int rc = move_aside(l, err);
		if (rc < 0)
			return rc;
	}
	return head_write(l, err);
}

int live_open(struct live *l, const char *path, uint32_t n, struct err *err)
{
	memset(l, 0, sizeof(*l));
	l->fd = -1;
	if ((l->path = strdup(path)) == NULL)
		return err_set(err, -ENOMEM, "no memory");
	int rc = file_open(l, err);
	if (rc < 0 || (rc = head_check(l, err)) < 0)
		goto fail;
	l->n = l->found > n ? l->found : n;
	l->ready = l->found;
	// A copy of a file may have holes.
	rc = -posix_fallocate(l->fd, 0, (off_t)live_size(l->ready));
	void *p =
		rc < 0 ? MAP_FAILED
		       : mmap(NULL, live_size(l->n), PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	if (p == MAP_FAILED) {
		rc = rc < 0 ? rc : -errno;
		err_set(err, rc, "%s: %s", path, strerror(-rc));
		goto fail;
	}
	l->head = p;
	l->slot = (struct live_slot *)((char *)p + HEAD_SIZE);
	return 0;
fail:
	live_close(l, false);
	return rc;
}

void live_close(struct live *l, bool empty)
{
	if (l->head != NULL)
		munmap(l->head, live_size(l->n));
	if (l->fd >= 0 && empty)
		unlink(l->path);
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
	l->head = NULL;
	l->path = NULL;
	l->fd = -1;
}

bool live_room(struct live *l, uint32_t i)
{
	if (i < l->ready)
		return true;
	uint32_t more = l->n - l->ready, chunk = CHUNK / sizeof(struct live_slot);
	more = more < chunk ? more : chunk;
	if (more == 0)
		return false;
	size_t from = live_size(l->ready), to = live_size(l->ready + more);
	if (posix_fallocate(l->fd, (off_t)from, (off_t)(to - from)) != 0)
		return false;
	l->ready += more;
	return true;
}

// ---- a slot ----

// Printable UTF-8 only, so that any reader can take it. A character that is cut off goes whole.
static size_t text_clean(char *to, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	for (int i = 0; i < 3 && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; i++)
		len--;
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)text[i];
		unsigned more = c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 0;
		unsigned k = 1;
		while (k <= more && i + k < len && ((unsigned char)text[i + k] & 0xc0) == 0x80)
			k++;
		unsigned char second = more > 0 && k > 1 ? (unsigned char)text[i + 1] : 0;
		bool bad = c < 0x20 || c == 0x7f || (c >= 0x80 && (more == 0 || k <= more)) ||
			   c >= 0xf5 || (c == 0xe0 && second < 0xa0) ||
			   (c == 0xed && second >= 0xa0) || (c == 0xf0 && second < 0x90) ||
			   (c == 0xf4 && second >= 0x90) || (c == 0xc2 && second < 0xa0);
		if (bad) {
			to[i++] = '?';
			continue;
		}
		memcpy(to + i, text + i, k);
		i += k;
	}
	memset(to + len, 0, size - len);
	return len;
}

static void text_store(char *field, size_t size, const char *text)
{
	char clean[128];

	if (text == NULL)
		return;
	text_clean(clean, size, text);
	if (memcmp(field, clean, size) == 0)
		return;
	__atomic_store_n(&field[0], '\0', __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(field + 1, clean + 1, size - 1);
	__atomic_store_n(&field[0], clean[0], __ATOMIC_RELEASE);
}

#define TEXT_STORE(field, text) text_store(field, sizeof(field), text)

static uint32_t u32_of(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static void side_from(struct live_side *to, const struct media_side_stats *s)
{
	to->rx_packets = s->rx_packets;
	to->rx_bytes = s->rx_bytes;
	to->tx_packets = s->tx_packets;
	to->tx_bytes = s->tx_bytes;
	to->rtcp_rx = s->rtcp_rx_packets;
	to->rtcp_tx = s->rtcp_tx_packets;
	to->lost = s->lost;
	to->reordered = s->reordered;
	to->duplicate = s->duplicate;
	to->refused = s->refused;
	to->rtcp_refused = s->rtcp_refused;
	to->srtp_auth = s->srtp_auth;
	to->srtp_replay = s->srtp_replay;
	to->moves = u32_of(s->moves);
	to->burst = s->burst_loss_max;
	to->jitter_us = s->jitter_us;
	to->rtt_us = s->rtt_us;
	to->mos_milli = s->mos >= 1 && s->mos <= 5 ? (uint32_t)(s->mos * 1000 + 0.5) : 0;
	to->ssrc = s->ssrc;
	to->payload_type = s->payload_type;
	to->latch = s->latch;
	to->family = s->seen.addr.family;
	to->port = s->seen.port;
	memcpy(to->address, &s->seen.addr.v6, sizeof(to->address));
	to->first = s->first;
}

static void streams_write(struct live_slot *s, const struct record *rec)
{
	unsigned n = rec->n_streams < RECORD_STREAMS_MAX ? rec->n_streams : RECORD_STREAMS_MAX;

	for (unsigned i = 0; i < n; i++) {
		struct media_stats sum = rec->stream[i];
		for (unsigned j = n; i == n - 1 && j < rec->n_streams; j++)
			media_stats_add(&sum, &rec->stream[j]);
		struct live_stream now = {.hairpin = sum.hairpin};
		for (unsigned side = 0; side < 2; side++)
			side_from(&now.side[side], &sum.side[side]);
		s->stream[i] = now;
	}
	if (rec->n_streams > 0)
		__atomic_store_n(&s->n_streams, n, __ATOMIC_RELEASE);
}

void live_slot_write(struct live_slot *s, const struct record *rec)
{
	TEXT_STORE(s->call_id, rec->call_id);
	TEXT_STORE(s->from_tag, rec->from_tag);
	TEXT_STORE(s->to_tag, rec->to_tag);
	TEXT_STORE(s->customer, rec->customer);
	TEXT_STORE(s->via, rec->via);
	TEXT_STORE(s->reason, rec->reason);
	if (rec->start != 0)
		s->start = rec->start;
	if (rec->answer != 0)
		s->answer = rec->answer;
	if (rec->end != 0)
		s->end = rec->end;
	streams_write(s, rec);
}

static void text_mend(char *field, size_t size)
{
	char was[129] = {0}; // an end even if there is none

	memcpy(was, field, size);
	text_clean(field, size, was);
}

static int64_t time_mend(int64_t ms)
{
	return ms < 0 ? 0 : ms > LIVE_TIME_MAX ? LIVE_TIME_MAX : ms;
}

bool live_slot_mend(struct live_slot *s)
{
	if (s->state != LIVE_CALL && s->state != LIVE_ENDED)
		return false;
	text_mend(s->call_id, sizeof(s->call_id));
	text_mend(s->from_tag, sizeof(s->from_tag));
	text_mend(s->to_tag, sizeof(s->to_tag));
	text_mend(s->customer, sizeof(s->customer));
	text_mend(s->via, sizeof(s->via));
	text_mend(s->reason, sizeof(s->reason));
	s->start = time_mend(s->start);
	s->answer = time_mend(s->answer);
	s->end = time_mend(s->end);
	if (s->n_streams > RECORD_STREAMS_MAX)
		s->n_streams = RECORD_STREAMS_MAX;
	return true;
}
