// SPDX-License-Identifier: BSD-3-Clause
// The media engine on a world: the control thread's tables, the workers' stages, peers that talk.
#pragma once

#include "media/media_priv.h"
#include "srtp_peer.h"
#include "world.h"

#define BED_CALLS 30
#define BED_LO 20000 // ports of MEDIA_A
#define BED_HI 20031

// A stream between a stranger outside and the platform.
struct stream {
	struct media *m;
	struct media_spec spec;
	struct secure_call far; // its peers; pair and keys are unused
	unsigned ends[MEDIA_ENDS];
	bool stays; // does not close what has timed out
};

extern struct control *bed_ctl;

void bed_open(struct world *w);
void bed_close(struct world *w);
// Seconds later.
void bed_tick(double s);
uint64_t bed_tsc(double s);
// It is now again: no stream is there.
void bed_back(void);

// Peers and what they have signalled; first is the suite of the stranger's side.
void stream_make(struct stream *s, uint16_t customer, enum srtp_suite first,
		 enum srtp_suite second);
int stream_open(struct stream *s);
int stream_change(struct stream *s); // to s->spec
void stream_close(struct stream *s);
void stream_free(struct stream *s); // the peers' keys
// New keys of a peer, in spec as well.
void stream_rekey(struct stream *s, unsigned side, enum srtp_suite suite);
// A packet from the peer of side to the other passes as it should.
bool stream_passes(struct world *w, struct stream *s, unsigned side);
// It does not, and that is why.
bool stream_drops(struct world *w, struct stream *s, unsigned side, enum drop_reason why);
struct media_side_stats stream_stats(const struct stream *s, unsigned side);
