// SPDX-License-Identifier: BSD-3-Clause
// charon's end of VICI, on the real socket and in one thread with ours: it answers at once, but a
// list only when it is told to.
#pragma once

#include "control_bed.h"
#include "ike/ike_priv.h"
#include "ike/vici_priv.h"

#define CHARON_SEEN 64

extern struct control *ctl;
extern char seen[CHARON_SEEN][32]; // names of the requests, oldest first
extern unsigned n_seen;
extern bool list_asked;           // a list waits for its answer
extern const char *terminate_why; // NULL: it works

void bed_open(void);
void bed_close(void);
void run(unsigned ms); // both ends
bool run_until(const bool *what, unsigned ms);
unsigned seen_of(const char *request);

// What charon says: of an IKE SA and its child SAs, whose states are a list with blanks.
void sa_tell(const char *event, const char *name, unsigned uid, const char *state,
	     const char *children, bool up);
void ike_rekey_tell(const char *name, unsigned uid);
void list_end(void);

// A customer's SAs and policy by the feed, as if it had come from an earlier life of charon.
void orphans_make(const char *customer, unsigned x, uint32_t spi);
void charon_restart(void); // the connection is lost
