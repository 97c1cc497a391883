// SPDX-License-Identifier: BSD-3-Clause
// IKE from the control thread's side. Two connections to the IKE daemon (strongSwan's charon):
//
//     charon ── plugin ── feed (lib/ike/feed.h) ──► ike_feed.c ──► ike_sad.c ──► the plane
//     charon ◄──────────── VICI (lib/vici) ◄─────── vici*.c   ◄── customers' configuration
//
// The feed brings SAs and policies; VICI takes connections and secrets to charon, and brings the
// state of IKE SAs. Either may be away: what runs goes on.
#pragma once

#include "base/err.h"
#include "base/net.h"
#include "crypto/suite.h"
#include "ike/feed.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

struct control;
struct ike_feed;
struct ike_vici;
struct sa_in;
struct sa_out;

// One SA of one direction that IKE has made.
struct ike_sa {
	TAILQ_ENTRY(ike_sa) link;        // of all
	TAILQ_ENTRY(ike_sa) of_customer; // oldest first
	TAILQ_ENTRY(ike_sa) hashed;      // by SPI
	uint32_t spi, reqid;
	bool inbound, encap, esn;
	bool wait;    // out: the peer may not have it yet
	bool deleted; // by the IKE daemon; it is used for a moment longer
	bool orphan;  // of an earlier life of the IKE daemon
	bool active;  // out: a policy has it
	bool stopped; // over: no packet goes by it, and the IKE daemon has yet to delete it
	bool told_soft, told_hard;
	uint16_t customer;
	enum suite_id suite;
	struct ip_endpoint src, dst; // outer; of in, src is the peer
	time_t since;
	time_t soft, hard; // when it expires; 0: never
	int64_t made;      // ms, monotonic: what time is reckoned from
	struct feed_lifetime life, bytes, packets;
	uint64_t soft_seq; // out: the number at which it is to be rekeyed; 0: none
	uint64_t seq_told; // last number reported to the IKE daemon
	int64_t doomed; // ms: an orphan whose place is taken, a deleted one, or one that is over, goes
			// then; 0: not yet
	struct ip_endpoint at,
		saw;      // in: where packets come from as far as the IKE daemon knows; last look
	struct sa_in *in; // one of the two
	struct sa_out *out;
};
TAILQ_HEAD(ike_sa_list, ike_sa);

// The customer's number for IKE (if_id): stable over restarts and the same at every PoP, made of its
// name (FNV-1a, 32 bit, never 0). Two customers with the same number are a mistake of the configuration.
uint32_t ike_number(const char *customer);

// ---- ike_feed.c, ike_sad.c ----

// Listens on path; SAs come from whoever connects with the credentials of root or of the daemon itself.
int ike_feed_open(struct control *ctl, const char *path, struct ike_feed **out, struct err *err);
// SAs stay until the plane goes. NULL is fine.
void ike_feed_close(struct ike_feed *f);
bool ike_feed_connected(const struct ike_feed *f);
// The customer's SAs, those of both directions; NULL if it has none.
const struct ike_sa_list *ike_sas_of(const struct control *ctl, uint16_t customer);
// A customer goes, or moves: its SAs go first.
void ike_customer_drop(struct control *ctl, uint16_t customer);
// Those of an earlier life of the IKE daemon go, which it cannot delete, and their policies. Returns
// how many SAs.
unsigned ike_orphans_drop(struct control *ctl, uint16_t customer);

// ---- vici.c ----

// Connects to path now, or as soon as there is somebody; loads the customers' connections and secrets.
int ike_vici_open(struct control *ctl, const char *path, struct ike_vici **out, struct err *err);
void ike_vici_close(struct ike_vici *v);
// The configuration has changed: loads and unloads the difference.
void ike_vici_reload(struct ike_vici *v);

enum ike_state { IKE_DOWN, IKE_CONNECTING, IKE_ESTABLISHED, IKE_REKEYING, IKE_DELETING };

// What VICI says of a customer's IKE SA.
struct ike_status {
	enum ike_state state;
	unsigned version; // 1 or 2
	struct ip_endpoint local, peer;
	char peer_id[128];
	char suite[96];      // of the IKE SA, as strongSwan writes it
	time_t since, rekey; // established; next rekey, 0: none
	time_t changed;      // when state became what it is
	char why[128];       // why it is down, "" if not known
};
// ---- vici_ask.c: what an operator asks of a customer's tunnel ----

enum ike_order {
	IKE_UP, // and up it stays if the configuration says start: initiate
	IKE_TAKE_DOWN, // and down it stays, as far as it is ours to say, until IKE_UP or until its gateway comes
	IKE_REKEY, // new keys for its packets
};
// text says in one line what came of it, whether rc is 0 or a negative errno. Called once.
typedef void (*ike_answer)(void *arg, int rc, const struct err *text);
// -EINPROGRESS: answer is called later. 0 (it was so already) or another negative errno: it is not, and err
// has the line: -ENOENT no such customer or one without IKE, -ENOTCONN charon is away, -EINVAL it does not take the
// customer's connection (which keeps nothing from going down), -EDESTADDRREQ for IKE_UP without a
// gateway.
int ike_tunnel_order(struct control *ctl, enum ike_order order, const char *customer,
		     ike_answer answer, void *arg, struct err *err);

// NULL if nothing is known.
const struct ike_status *ike_status_of(const struct ike_vici *v, uint16_t customer);
