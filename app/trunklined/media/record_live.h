// SPDX-License-Identifier: BSD-3-Clause
// The file of calls in progress: slots in shared memory that outlive the process. One slot is written by
// the control thread while its call lasts, and by the writer thread once it has ended.
//
// The process may die between any two stores. So a slot's state is stored last, a text's first byte after
// the rest of it, and figures are single aligned words: what is found afterwards is what was known at the last
// update, in places at the one before. Pages are allocated before they are touched, because a store into
// a hole of a full file system is fatal.
#pragma once

#include "base/err.h"
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

#define LIVE_TIME_MAX 253402300799999 // ms: the year 9999

enum live_state { LIVE_FREE, LIVE_CALL, LIVE_ENDED };

struct live_side {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rtcp_rx, rtcp_tx;
	uint64_t lost, reordered, duplicate;
	uint64_t refused, rtcp_refused, srtp_auth, srtp_replay;
	uint32_t moves, burst;
	uint32_t jitter_us, rtt_us, mos_milli;
	uint32_t ssrc;
	uint8_t payload_type, latch;
	uint8_t family; // of its peer as seen: AF_INET, AF_INET6, 0: none came
	uint8_t pad;
	uint16_t port; // host order
	uint16_t pad2;
	uint8_t address[16];
	int64_t first; // s since 1970, 0: no packet
};

struct live_stream {
	struct live_side side[2];
	uint64_t hairpin;
};

struct live_slot {
	uint32_t state; // live_state
	uint32_t done;  // writer: sinks that have it, one bit each
	uint64_t uid;   // unlike any other record's
	int64_t start, answer, end;
	uint32_t n_streams;
	uint32_t recovered; // the process died before it ended
	char call_id[128], from_tag[64], to_tag[64], customer[64], via[16], reason[24];
	struct live_stream stream[RECORD_STREAMS_MAX];
};

struct live_head {
	char magic[8];
	uint32_t version, slot_size;
	int64_t alive; // ms since 1970: when a process was last seen to live
};

struct live {
	int fd;
	char *path;
	struct live_head *head;
	struct live_slot *slot;
	uint32_t n, ready; // slots in all; those that have memory
	uint32_t found;    // of those, so many were there already
};

// Makes or opens the file, for n slots at least, and locks it. A file of another version is moved
// aside, and said so. -EBUSY: another process uses it.
int live_open(struct live *l, const char *path, uint32_t n, struct err *err);
// empty: no slot is in use; the file is removed.
void live_close(struct live *l, bool empty);
// Memory for slot i, which is at most l->ready. False: there is none.
bool live_room(struct live *l, uint32_t i);

// What was found is hostile until this has been: ends texts, keeps numbers in range. False: it is no call.
bool live_slot_mend(struct live_slot *s);
void live_slot_write(struct live_slot *s, const struct record *rec);
