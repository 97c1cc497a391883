// SPDX-License-Identifier: GPL-2.0-or-later
// What charon has made of SAs and policies, so that all of it can be brought to a gateway that has
// just started. Knows the feed's words and nothing of charon. The caller locks.
#pragma once

#include "ike/feed.h"

#include <sys/queue.h>

#define SHADOW_BUCKETS 1024
#define SHADOW_OWED_MAX \
	16384 // requests that wait for the gateway; more are forgotten, the oldest first

struct shadow_sa {
	TAILQ_ENTRY(shadow_sa) link, hashed;
	struct feed_sa sa;
	int64_t made; // ms, monotonic
};
TAILQ_HEAD(shadow_sas, shadow_sa);

struct shadow_policy {
	TAILQ_ENTRY(shadow_policy) link;
	struct feed_policy p;
};

// A deletion or a move that the gateway has not heard of.
struct shadow_owed {
	TAILQ_ENTRY(shadow_owed) link;
	uint16_t type; // FEED_SA_UPDATE, FEED_SA_DEL or FEED_POLICY_DEL
	union {
		struct feed_update update;
		struct feed_id id;
		struct feed_policy policy;
	};
};

struct shadow {
	struct shadow_sas all, bucket[SHADOW_BUCKETS]; // in the order in which they came
	TAILQ_HEAD(, shadow_policy) policies;          // likewise; as often as they were added
	TAILQ_HEAD(, shadow_owed) owed;
	unsigned n_sas, n_policies, n_owed;
};

void shadow_init(struct shadow *s);
// Forgets all; keys are wiped.
void shadow_clear(struct shadow *s);

// What a request changes: SA_ADD, SA_UPDATE, SA_DEL, SA_FLUSH, POLICY_ADD, POLICY_DEL, POLICY_FLUSH; others
// change nothing. now in ms, monotonic. 0 or -ENOMEM.
int shadow_apply(struct shadow *s, const struct feed_msg *request, int64_t now);
// Out of the tables; the SA's keys are wiped.
void shadow_sa_drop(struct shadow *s, struct shadow_sa *sa);
void shadow_policy_drop(struct shadow *s, struct shadow_policy *p);
// The request may not have reached the gateway: what it should delete or move is owed to it. SA_ADD that is not known
// to have failed counts as one to be deleted.
void shadow_owe(struct shadow *s, const struct feed_msg *request);
void shadow_owed_clear(struct shadow *s);

// By SPI, destination and customer. NULL if there is none.
struct shadow_sa *shadow_find(struct shadow *s, const struct feed_id *id);
// The policy of these selectors, direction and customer that was added last. NULL if there is none.
const struct feed_policy *shadow_policy_find(const struct shadow *s,
					     const struct feed_policy *like);
void shadow_seqs(struct shadow *s, const struct feed_seqs *q);
// The gateway has made the SAs anew from our numbers, so it has begun FEED_SEQ_JUMP further on. Should it
// start again before it has reported any number, it must not begin there once more.
void shadow_jumped(struct shadow *s);
