// SPDX-License-Identifier: BSD-3-Clause
// Where call records go. A sink belongs to the writer thread once that runs.
#pragma once

#include "base/err.h"
#include "record_live.h"

#include <errno.h>
#include <stdint.h>

#define RECORD_BATCH 256 // records that are written at once

struct record_sink;

struct record_sink_ops {
	const char *name; // for messages
	// All of them are on the disk, or none is: 0, or a negative errno. again: some of them may be there
	// from a run before, and are not to be there twice.
	int (*write)(struct record_sink *s, struct live_slot *const slot[], unsigned n, bool again,
		     struct err *err);
	void (*close)(struct record_sink *s);
};

struct record_sink {
	const struct record_sink_ops *ops;
};

// Failures that are no mistake of the configuration: calls go on, and the writer tries again.
static inline bool record_can_wait(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT || rc == -EBUSY || rc == -EIO;
}

// path of a database, which is made if it is not there.
int record_sqlite_open(const char *path, struct record_sink **out, struct err *err);
// A directory, likewise.
int record_json_open(const char *dir, struct record_sink **out, struct err *err);

// ---- what both say ----

#define RECORD_TIME_LEN 25
// 2026-11-25T22:33:43.123Z; ms since 1970.
const char *record_time(int64_t ms, char buf[static RECORD_TIME_LEN]);
#define RECORD_UID_LEN 17
const char *record_uid(const struct live_slot *s, char buf[static RECORD_UID_LEN]);
// From answer to end, s; 0 if it was not answered.
double record_duration(const struct live_slot *s);
// Where a side's packets came from, or "".
const char *record_peer(const struct live_side *s, char buf[static IP_ENDPOINT_STRLEN]);
