// SPDX-License-Identifier: BSD-3-Clause
// Recordings: a pcap file a call (raw IPv4, nanoseconds, both directions as the packets came in, after
// decryption), written by a thread of its own.
//
//     rtp_relay (leg with LEG_RECORD) ── copy, ring ──► this thread ──► DIR/CALL-ID-TIME.pcap
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct control;
struct recorder;
struct recording;

// Makes each worker's ring, before the workers run. dir is made if it is not there (mode 0750).
int recorder_open(struct control *ctl, const char *dir, struct recorder **out, struct err *err);
// Ends recordings that are under way. The workers have stopped. NULL is fine.
void recorder_close(struct recorder *r);

// A file will be there within a second, made by the thread, so that nobody here waits for a disk;
// the log says if that fails. Its name is made of the call's ID, with what no file name should
// have replaced, and of the time. -ENFILE with 65,535 recordings at once, or what access() says
// of dir.
int recording_start(struct recorder *r, const char *call_id, struct recording **out,
		    struct err *err);
// For leg.record, together with LEG_RECORD.
uint32_t recording_number(const struct recording *rec);
const char *recording_path(const struct recording *rec);
uint64_t recording_packets(const struct recording *rec);
// No leg has its number any more; packets under way are still written, for a second at most.
void recording_stop(struct recording *rec);
