// SPDX-License-Identifier: BSD-3-Clause
// Call records as JSON lines, a file a day (UTC). A file that was moved away is made anew.
#include "base/log.h"
#include "record_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TAIL (4u << 20) // bytes of a file that may hold what a run before has written last

struct json_sink {
	struct record_sink sink;
	char *dir;
	char path[4200];
	int fd; // -1: none open
	dev_t dev;
	ino_t ino;
	char *buf; // lines of a batch
	size_t len, size;
};

static int file_fail(const struct json_sink *s, struct err *err)
{
	int rc = -errno;

	return err_set(err, rc, "%s: %s", s->path, strerror(-rc));
}

static void file_close(struct json_sink *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

// A line that was cut off when the process or the disk stopped: its record is still to be written.
static int tail_mend(struct json_sink *s, off_t size, struct err *err)
{
	char c[4096];
	off_t end = size;

	while (end > 0) {
		size_t n = (size_t)(end < (off_t)sizeof(c) ? end : (off_t)sizeof(c));
		if (pread(s->fd, c, n, end - (off_t)n) != (ssize_t)n)
			return file_fail(s, err);
		const char *nl = memrchr(c, '\n', n);
		if (nl != NULL) {
			end -= (off_t)n - (nl - c) - 1;
			break;
		}
		end -= (off_t)n;
	}
	if (end == size)
		return 0;
	log_warn("%s: the last line was cut off; it is written again", s->path);
	return ftruncate(s->fd, end) < 0 ? file_fail(s, err) : 0;
}

static int file_open(struct json_sink *s, struct err *err)
{
	struct stat st;

	s->fd = open(s->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->fd < 0)
		return file_fail(s, err);
	if (fstat(s->fd, &st) < 0) {
		int rc = file_fail(s, err);
		file_close(s);
		return rc;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	int rc = tail_mend(s, st.st_size, err);
	if (rc < 0)
		file_close(s);
	return rc;
}

// The file of today, or so many days from it.
static void path_of(const struct json_sink *s, char path[static sizeof(s->path)], int days)
{
	time_t t = time(NULL) + days * 86400;
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(path, sizeof(s->path), "%s/call-records-%04d-%02d-%02d.jsonl", s->dir,
		 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static int file_of_today(struct json_sink *s, struct err *err)
{
	char path[sizeof(s->path)];
	struct stat st;

	path_of(s, path, 0);
	if (s->fd >= 0 && (strcmp(path, s->path) != 0 || stat(path, &st) < 0 ||
			   st.st_dev != s->dev || st.st_ino != s->ino))
		file_close(s);
	if (s->fd >= 0)
		return 0;
	memcpy(s->path, path, sizeof(path));
	return file_open(s, err);
}

static void text_set(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, text[0] != '\0' ? json_string(text) : json_null());
}

static json_t *side_json(const struct live_side *f)
{
	char peer[IP_ENDPOINT_STRLEN];
	json_t *o = json_object();

	text_set(o, "peer", record_peer(f, peer));
#define SET_COUNT(name, v) json_object_set_new(o, name, json_integer((json_int_t)(v)))
#define SET_REAL(name, v) json_object_set_new(o, name, json_real((double)(v) / 1000))
#define FIGURE(name, kind, field, help) SET_##kind(#name, f->field);
#include "record.def"
#undef FIGURE
	return o;
}

static char *line_of(const struct live_slot *c)
{
	char uid[RECORD_UID_LEN], time[RECORD_TIME_LEN];
	json_t *o = json_object(), *streams = json_array();

	text_set(o, "uid", record_uid(c, uid));
	text_set(o, "call_id", c->call_id);
	text_set(o, "from_tag", c->from_tag);
	text_set(o, "to_tag", c->to_tag);
	text_set(o, "customer", c->customer);
	text_set(o, "via", c->via);
	text_set(o, "start", record_time(c->start, time));
	text_set(o, "answer", c->answer != 0 ? record_time(c->answer, time) : "");
	text_set(o, "end", record_time(c->end, time));
	json_object_set_new(o, "duration", json_real(record_duration(c)));
	text_set(o, "reason", c->reason);
	json_object_set_new(o, "recovered", json_boolean(c->recovered != 0));
	for (unsigned i = 0; i < c->n_streams; i++)
		json_array_append_new(streams, json_pack("{s:b, s:o, s:o}", "hairpin",
							 c->stream[i].hairpin != 0, "a",
							 side_json(&c->stream[i].side[0]), "b",
							 side_json(&c->stream[i].side[1])));
	json_object_set_new(o, "streams", streams);
	char *line = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(o);
	return line;
}

static int line_add(struct json_sink *s, const char *line)
{
	size_t n = strlen(line);

	if (s->len + n + 2 > s->size) {
		size_t size = (s->len + n + 2) * 2;
		char *buf = realloc(s->buf, size);
		if (buf == NULL)
			return -ENOMEM;
		s->buf = buf;
		s->size = size;
	}
	memcpy(s->buf + s->len, line, n);
	s->len += n;
	s->buf[s->len++] = '\n';
	return 0;
}

// The end of a file, where a run before may have written what it could not tick off any more. NULL: no file.
static char *tail_read(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *tail = NULL;

	if (fd < 0 || fstat(fd, &st) < 0)
		goto out;
	size_t n = (size_t)(st.st_size < (off_t)TAIL ? st.st_size : (off_t)TAIL);
	tail = calloc(1, n + 1);
	if (tail != NULL && pread(fd, tail, n, st.st_size - (off_t)n) != (ssize_t)n) {
		free(tail);
		tail = NULL;
	}
out:
	if (fd >= 0)
		close(fd);
	return tail;
}

static bool is_there(const char *tail, const struct live_slot *c)
{
	char uid[RECORD_UID_LEN], key[RECORD_UID_LEN + 16];

	snprintf(key, sizeof(key), "{\"uid\":\"%s\"", record_uid(c, uid));
	const char *line = tail != NULL ? strstr(tail, key) : NULL;
	return line != NULL && strchr(line, '\n') != NULL; // or it was cut off
}

static int lines_make(struct json_sink *s, struct live_slot *const slot[], unsigned n, bool again,
		      struct err *err)
{
	char before[sizeof(s->path)];
	char *tail[2] = {NULL, NULL};
	int rc = 0;

	path_of(s, before, -1);
	if (again) {
		tail[0] = tail_read(s->path);
		tail[1] = tail_read(before);
	}
	s->len = 0;
	for (unsigned i = 0; i < n && rc == 0; i++) {
		if (is_there(tail[0], slot[i]) || is_there(tail[1], slot[i]))
			continue;
		char *line = line_of(slot[i]);
		rc = line == NULL ? -ENOMEM : line_add(s, line);
		free(line);
	}
	free(tail[0]);
	free(tail[1]);
	return rc == 0 ? 0 : err_set(err, rc, "%s: no memory", s->path);
}

static int json_write(struct record_sink *sink, struct live_slot *const slot[], unsigned n,
		      bool again, struct err *err)
{
	struct json_sink *s = (struct json_sink *)sink;
	size_t done = 0;
	int rc = file_of_today(s, err);

	if (rc < 0 || (rc = lines_make(s, slot, n, again, err)) < 0)
		return rc;
	off_t before = lseek(s->fd, 0, SEEK_END);
	while (done < s->len) {
		ssize_t w = write(s->fd, s->buf + done, s->len - done);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			goto fail;
		done += (size_t)w;
	}
	if (fdatasync(s->fd) == 0)
		return 0;
fail:
	rc = file_fail(s, err);
	if (before >= 0 && ftruncate(s->fd, before) < 0)
		log_warn("%s: %s", s->path, strerror(errno)); // mended when it is opened again
	file_close(s);
	return rc;
}

static void json_close(struct record_sink *sink)
{
	struct json_sink *s = (struct json_sink *)sink;

	file_close(s);
	free(s->buf);
	free(s->dir);
	free(s);
}

static const struct record_sink_ops json_ops = {
	.name = "records.json", .write = json_write, .close = json_close};

int record_json_open(const char *dir, struct record_sink **out, struct err *err)
{
	struct json_sink *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->dir = strdup(dir)) == NULL) {
		free(s);
		return err_set(err, -ENOMEM, "no memory");
	}
	s->sink.ops = &json_ops;
	s->fd = -1;
	if (mkdir(dir, 0750) < 0 && errno != EEXIST) {
		int rc = err_set(err, -errno, "%s: %s", dir, strerror(errno));
		json_close(&s->sink);
		return rc;
	}
	int rc = file_of_today(s, err);
	if (rc < 0 && !record_can_wait(rc)) {
		json_close(&s->sink);
		return rc;
	}
	*out = &s->sink;
	return 0;
}
