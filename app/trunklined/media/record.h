// SPDX-License-Identifier: BSD-3-Clause
// Call records: one for each call that ended, in SQLite or JSON lines (docs/call-records.md).
//
// A call in progress has a slot in a file that is mapped into memory, so that keeping it up to date costs a
// few stores and survives the death of the process at any moment. A thread of its own turns ended slots
// into records; the control loop never waits for a disk. What a crash cut off is recorded at the next start.
#pragma once

#include "base/err.h"
#include "media.h"

#include <stdint.h>

#define RECORD_STREAMS_MAX 3 // of one call; figures of further ones are added to the last

struct records;

struct record {
	const char *call_id, *from_tag, *to_tag; // cut at 127, 63, 63 bytes; NULL: none
	const char *customer;                    // name, or NULL
	const char *via;                         // who wanted it: "ng", "api", "config"; 15 bytes
	int64_t start, answer, end;              // ms since 1970 UTC; 0: not (yet)
	const char *
		reason; // why it ended: "delete", "silence", "held", "offer", "final", "reload" ...
	unsigned n_streams;
	const struct media_stats *stream;
};

struct records_params {
	const char *sqlite; // path of the database, or NULL
	const char *json;   // directory of call-records-YYYY-MM-DD.jsonl, or NULL
	const char *live;   // path of the file of calls in progress
	uint32_t calls_max;
};

// Records first what the last run left unrecorded. Neither sqlite nor json: *out is NULL, and the
// functions below do nothing.
int records_open(struct records **out, const struct records_params *p, struct err *err);
// Waits until what has ended is written. Calls in progress should have been ended before.
void records_close(struct records *r);

// A call starts: returns its handle, or 0 if there is no room or nothing is recorded.
uint32_t record_begin(struct records *r, const struct record *rec);
// What is known by now: answer, tags, figures. A few stores; for each event, and now and then for the figures.
void record_update(struct records *r, uint32_t handle, const struct record *rec);
// It ended: rec is the whole truth. handle 0 is fine.
void record_end(struct records *r, uint32_t handle, const struct record *rec);

struct records_stats {
	uint64_t written, failed; // records; failed ones are tried again
	uint64_t recovered;       // of the last run
	uint64_t no_room;         // calls that found no slot
	uint32_t waiting;         // ended and not yet written
};
void records_stats(const struct records *r, struct records_stats *out);
