// SPDX-License-Identifier: BSD-3-Clause
// Call records in SQLite: table calls, and table legs with one row a stream and side. Write-ahead logging, so
// that readers never wait; a record counts as written when it is on the disk.
#include "record_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEMA 1     // user_version
#define BUSY_MS 2000 // another process holds the database

struct sqlite_sink {
	struct record_sink sink;
	char *path;
	sqlite3 *db; // NULL: to be opened again
	sqlite3_stmt *call, *leg;
	dev_t dev; // of the file
	ino_t ino;
};

static const char modes[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
static const char schema[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE IF NOT EXISTS calls("
	"uid TEXT PRIMARY KEY, call_id TEXT NOT NULL, from_tag TEXT, to_tag TEXT, customer TEXT,"
	"via TEXT, start TEXT NOT NULL, answer TEXT, end TEXT NOT NULL, duration REAL,"
	"reason TEXT, recovered INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS calls_start ON calls(start);"
	"CREATE INDEX IF NOT EXISTS calls_call_id ON calls(call_id);"
	"CREATE TABLE IF NOT EXISTS legs("
	"uid TEXT NOT NULL REFERENCES calls(uid) ON DELETE CASCADE, stream INTEGER NOT NULL,"
	"side TEXT NOT NULL, peer TEXT, hairpin INTEGER NOT NULL"
#define COLUMN_COUNT "INTEGER"
#define COLUMN_REAL "REAL"
#define FIGURE(name, kind, field, help) "," #name " " COLUMN_##kind
#include "record.def"
#undef FIGURE
	", PRIMARY KEY(uid, stream, side)) WITHOUT ROWID;"
	"PRAGMA user_version = 1;"
	"COMMIT;";

static const char insert_call[] = "INSERT OR IGNORE INTO calls VALUES(?,?,?,?,?,?,?,?,?,?,?,?)";
static const char insert_leg[] = "INSERT OR IGNORE INTO legs VALUES(?,?,?,?,?"
#define FIGURE(name, kind, field, help) ",?"
#include "record.def"
#undef FIGURE
				 ")";

static void db_close(struct sqlite_sink *s)
{
	sqlite3_finalize(s->call);
	sqlite3_finalize(s->leg);
	sqlite3_close(s->db);
	s->call = s->leg = NULL;
	s->db = NULL;
}

static int errno_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EINVAL;
	default:
		return -EIO;
	}
}

static int db_fail(struct sqlite_sink *s, struct err *err)
{
	int rc = errno_of(sqlite3_errcode(s->db));

	return err_set(err, rc, "%s: %s", s->path,
		       s->db != NULL ? sqlite3_errmsg(s->db) : strerror(-rc));
}

// 0: no tables yet.
static int version_get(struct sqlite_sink *s, int *version, struct err *err)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
		return db_fail(s, err);
	int rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*version = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : db_fail(s, err);
}

static int tables_make(struct sqlite_sink *s, struct err *err)
{
	int version = 0;
	int rc = version_get(s, &version, err);

	if (rc < 0)
		return rc;
	if (version > SCHEMA)
		return err_set(err, -EINVAL,
			       "%s: schema %d is newer than ours (%d); name another file", s->path,
			       version, SCHEMA);
	if (sqlite3_exec(s->db, modes, NULL, NULL, NULL) != SQLITE_OK ||
	    (version == 0 && sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK) ||
	    sqlite3_prepare_v2(s->db, insert_call, -1, &s->call, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(s->db, insert_leg, -1, &s->leg, NULL) != SQLITE_OK)
		return db_fail(s, err);
	return 0;
}

// The file first: SQLite would make it as the umask says, others may read.
static int file_make(struct sqlite_sink *s, struct err *err)
{
	struct stat st;
	int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0 || fstat(fd, &st) < 0) {
		int rc = err_set(err, -errno, "%s: %s", s->path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	close(fd);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

static int db_open(struct sqlite_sink *s, struct err *err)
{
	int rc = file_make(s, err);

	if (rc < 0)
		return rc;
	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		rc = db_fail(s, err);
	} else {
		sqlite3_busy_timeout(s->db, BUSY_MS);
		rc = tables_make(s, err);
	}
	if (rc < 0)
		db_close(s);
	return rc;
}

// Somebody may have moved or removed the file, to begin a new one.
static bool file_moved(const struct sqlite_sink *s)
{
	struct stat st;

	return stat(s->path, &st) < 0 || st.st_dev != s->dev || st.st_ino != s->ino;
}

static void bind_text(sqlite3_stmt *st, int i, const char *text)
{
	if (text[0] == '\0')
		sqlite3_bind_null(st, i);
	else
		sqlite3_bind_text(st, i, text, -1, SQLITE_TRANSIENT);
}

static int step(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int leg_write(struct sqlite_sink *s, const char *uid, unsigned stream, unsigned side,
		     const struct live_stream *l)
{
	const struct live_side *f = &l->side[side];
	char peer[IP_ENDPOINT_STRLEN];
	int i = 1;

	bind_text(s->leg, i++, uid);
	sqlite3_bind_int(s->leg, i++, (int)stream);
	bind_text(s->leg, i++, side == 0 ? "a" : "b");
	bind_text(s->leg, i++, record_peer(f, peer));
	sqlite3_bind_int(s->leg, i++, l->hairpin != 0);
#define BIND_COUNT(v) sqlite3_bind_int64(s->leg, i++, (sqlite3_int64)(v))
#define BIND_REAL(v) sqlite3_bind_double(s->leg, i++, (double)(v) / 1000)
#define FIGURE(name, kind, field, help) BIND_##kind(f->field);
#include "record.def"
#undef FIGURE
	return step(s->leg);
}

static int call_write(struct sqlite_sink *s, const struct live_slot *c)
{
	char uid[RECORD_UID_LEN], time[RECORD_TIME_LEN];

	bind_text(s->call, 1, record_uid(c, uid));
	sqlite3_bind_text(s->call, 2, c->call_id, -1, SQLITE_TRANSIENT);
	bind_text(s->call, 3, c->from_tag);
	bind_text(s->call, 4, c->to_tag);
	bind_text(s->call, 5, c->customer);
	bind_text(s->call, 6, c->via);
	bind_text(s->call, 7, record_time(c->start, time));
	bind_text(s->call, 8, c->answer != 0 ? record_time(c->answer, time) : "");
	bind_text(s->call, 9, record_time(c->end, time));
	sqlite3_bind_double(s->call, 10, record_duration(c));
	bind_text(s->call, 11, c->reason);
	sqlite3_bind_int(s->call, 12, c->recovered != 0);
	if (step(s->call) < 0)
		return -1;
	for (unsigned i = 0; i < c->n_streams; i++)
		for (unsigned side = 0; side < 2; side++)
			if (leg_write(s, uid, i, side, &c->stream[i]) < 0)
				return -1;
	return 0;
}

static int sqlite_write(struct record_sink *sink, struct live_slot *const slot[], unsigned n,
			bool again, struct err *err)
{
	struct sqlite_sink *s = (struct sqlite_sink *)sink;
	int rc = 0;

	(void)again; // uid is unique
	if (s->db != NULL && file_moved(s))
		db_close(s);
	if (s->db == NULL && (rc = db_open(s, err)) < 0)
		return rc;
	if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		goto fail;
	for (unsigned i = 0; i < n; i++)
		if (call_write(s, slot[i]) < 0)
			goto fail;
	if (sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		goto fail;
	return 0;
fail:
	rc = db_fail(s, err);
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	db_close(s); // the next try begins anew
	return rc;
}

static void sqlite_close(struct record_sink *sink)
{
	struct sqlite_sink *s = (struct sqlite_sink *)sink;

	db_close(s);
	free(s->path);
	free(s);
}

static const struct record_sink_ops sqlite_ops = {
	.name = "records.sqlite", .write = sqlite_write, .close = sqlite_close};

int record_sqlite_open(const char *path, struct record_sink **out, struct err *err)
{
	struct sqlite_sink *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->path = strdup(path)) == NULL) {
		free(s);
		return err_set(err, -ENOMEM, "no memory");
	}
	s->sink.ops = &sqlite_ops;
	int rc = db_open(s, err);
	if (rc < 0 && !record_can_wait(rc)) {
		sqlite_close(&s->sink);
		return rc;
	}
	*out = &s->sink;
	return 0;
}
