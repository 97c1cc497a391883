// SPDX-License-Identifier: BSD-3-Clause
// The thread that writes call records. Slots go to it by one ring when their calls have ended, and come back
// by another when they are written; neither side waits for the other.
#pragma once

#include "record_sink.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#define RECORD_SINKS 2

// Single producer, single consumer; room for all slots, so it is never full.
struct slot_ring {
	uint32_t *at;
	uint32_t mask;
	uint32_t head; // producer's
	uint32_t tail; // consumer's
};

struct record_writer {
	struct live *live;
	struct record_sink *sink[RECORD_SINKS];
	unsigned n_sinks;
	struct slot_ring ended; // control to writer: slot numbers
	struct slot_ring freed; // writer to control
	sem_t wake;
	pthread_t thread;
	bool running;
	bool stop;                // control writes
	uint64_t written, failed; // writer writes
	uint64_t finished;        // slots written whole; writer writes
	uint64_t given;           // slots handed over; control writes
	uint32_t batch[RECORD_BATCH];
	unsigned n_batch;
	bool trouble; // said already
};

int slot_ring_open(struct slot_ring *r, uint32_t slots);
void slot_ring_close(struct slot_ring *r);
void slot_ring_put(struct slot_ring *r, uint32_t v);
bool slot_ring_get(struct slot_ring *r, uint32_t *v);

// live, sinks and the rings' contents are set.
int record_writer_start(struct record_writer *w, struct err *err);
// Returns when all is written, or when a disk has refused for some seconds.
void record_writer_stop(struct record_writer *w);
// A slot of state LIVE_ENDED is the writer's from here.
void record_writer_give(struct record_writer *w, uint32_t slot);
