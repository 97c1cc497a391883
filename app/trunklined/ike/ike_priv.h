// SPDX-License-Identifier: BSD-3-Clause
// Between the files of the IKE feed: the connection (ike_feed.c), SAs (ike_sad.c, made in
// ike_sa_make.c), policies (ike_policy.c), and what time does to them (ike_watch.c). All of it is the
// control thread's; what workers see of it is plane.sa_in and the customers' spd.
#pragma once

#include "control_priv.h"
#include "ike.h"
#include "ike/feed.h"

#include <event2/event.h>

#define IKE_BUCKETS 4096

// Where policies are of one set of selectors and one priority, the one that came last decides, once it
// is due and its SA is there. Adding one again counts; it goes when it was deleted as often.
struct ike_policy {
	TAILQ_ENTRY(ike_policy) link; // of the customer: by priority, newest first
	struct feed_policy p;
	unsigned refs;
	bool orphan;
	int64_t due;      // ms, monotonic: from then on it goes before older ones
	int64_t acquired; // ms: when we last asked for an SA; 0: never
	int64_t ends;     // ms: deleted, but used until its successor is due; 0: not deleted
};
TAILQ_HEAD(ike_policy_list, ike_policy);

// An SPI that IKE has asked for and not used yet.
struct ike_reserved {
	uint32_t spi;  // 0: none
	int64_t until; // ms
};

struct ike_sad {
	struct control *ctl;
	struct ike_feed *feed;
	unsigned n;
	struct ike_sa_list all, bucket[IKE_BUCKETS];
	struct ike_sa_list of_customer[CUSTOMERS_MAX];
	struct ike_policy_list policies[CUSTOMERS_MAX];
	uint32_t wants[CUSTOMERS_MAX]; // customer.wanted.n when it was looked at last
	struct ike_reserved reserved[SPI_SLOTS];
	int64_t next_second; // ms
	unsigned notes;      // lines that the log takes this second
	unsigned notes_lost;
	bool due;              // a policy waits for its time
	struct feed_msg event; // scratch
};

int64_t ike_now(void); // ms, monotonic
// The customer with an if_id, 0 and a text if there is none.
uint16_t ike_customer_of(const struct control *ctl, uint32_t if_id, struct err *err);

// ---- ike_feed.c ----

// An event to whoever is connected. False if nobody is, or reads too slowly for one more.
bool ike_feed_tell(struct ike_feed *f, struct feed_msg *m);

// ---- ike_sad.c: each answers one request. 0 or a negative errno with a text ----

// feed may be NULL: events then go nowhere.
int sad_open(struct control *ctl, struct ike_feed *feed, struct ike_sad **out, struct err *err);
void sad_close(struct ike_sad *s);
// A new connection: what is there are orphans, until they are replayed.
void sad_orphan_all(struct ike_sad *s);
int sad_spi_get(struct ike_sad *s, struct feed_id *id, struct err *err);
int sad_add(struct ike_sad *s, const struct feed_sa *sa, struct err *err);
int sad_update(struct ike_sad *s, const struct feed_update *u, struct err *err);
int sad_query(struct ike_sad *s, const struct feed_id *id, struct feed_usage *out, struct err *err);
int sad_del(struct ike_sad *s, const struct feed_id *id, struct err *err);
void sad_flush(struct ike_sad *s);
// customer 0: any.
struct ike_sa *sad_find(struct ike_sad *s, uint16_t customer, uint32_t spi,
			const struct ip_addr *dst);
void sad_remove(struct ike_sad *s, struct ike_sa *sa);
void sad_usage(const struct ike_sad *s, const struct ike_sa *sa, struct feed_usage *out);
// No packet goes by it from now on; it stays until it is deleted.
void sad_stop(struct ike_sad *s, struct ike_sa *sa);

// ---- ike_sa_make.c: the plane's objects ----

int ike_sa_make(struct control *ctl, struct ike_sa *sa, const struct feed_sa *f, struct err *err);

// ---- ike_policy.c ----

int sad_policy_add(struct ike_sad *s, const struct feed_policy *p, struct err *err);
int sad_policy_query(struct ike_sad *s, const struct feed_policy *p, struct feed_usage *out,
		     struct err *err);
int sad_policy_del(struct ike_sad *s, const struct feed_policy *p, struct err *err);
void sad_policy_flush(struct ike_sad *s, uint16_t customer); // 0: all
// Away with orphans of a reqid whose SA is not there any more.
void sad_policy_orphans(struct ike_sad *s, uint16_t customer, uint32_t reqid);
// Until when an outbound SA is used after its deletion; 0: it is not.
int64_t sad_policy_ends(const struct ike_sad *s, const struct ike_sa *sa);
// Makes room for one more outbound SA of the customer, so that choosing never needs memory.
int sad_room(struct ike_sad *s, uint16_t customer, struct err *err);
// Chooses the customer's outbound SAs anew, and publishes them if they are others than before.
int sad_activate(struct ike_sad *s, uint16_t customer, struct err *err);
// Policies whose time has come, and packets that found no SA but a trap.
void sad_policies_check(struct ike_sad *s, int64_t now);

// ---- ike_watch.c ----

// Lifetimes, addresses and sequence numbers, looked at five times a second; now in ms.
void sad_watch(struct ike_sad *s, int64_t now);
bool sad_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b);
void sad_note(struct ike_sad *s, const struct feed_note *n);
// Tells the IKE daemon of an SA's end, or that it comes near.
bool sad_expire_tell(struct ike_sad *s, const struct ike_sa *sa, bool hard);
