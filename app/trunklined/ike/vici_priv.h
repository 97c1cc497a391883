// SPDX-License-Identifier: BSD-3-Clause
// Between the files of the VICI client: tunnels and their life (vici.c), what charon is told of them
// (vici_conn.c), what it says (vici_status.c, vici_reason.c), and the connection (vici_link.c). All
// of it is the control thread's.
#pragma once

#include "config/config.h"
#include "ike.h"
#include "vici/vici.h"
#include "vici_link.h"

#include <event2/event.h>

#define VICI_BUCKETS 1024
#define VICI_CHILD_LEN 16
#define VICI_PSK_PREFIX "trunkline-"
#define VICI_PSK_ID_LEN 80
#define VICI_REQUEST_MAX 65536 // of those that we make

// A packet that charon was told last, to see whether it is another now.
struct vici_told {
	uint8_t *packet;
	size_t len;
};

// A customer's connection in charon.
struct vici_tunnel {
	TAILQ_ENTRY(vici_tunnel) link;
	TAILQ_ENTRY(vici_tunnel) hashed; // by name
	struct ike_vici *vici;
	char name[64];
	struct vici_told conn, psk; // psk is wiped when it goes
	bool initiate;
	unsigned children; // that the connection has
	bool held;         // an operator has taken it down
	bool reachable;    // its gateway's address is known
	int64_t wanted; // ms: until then it is brought up once if it is down, though it is not ours to initiate
	bool refused;     // charon does not take the connection: status.why
	bool kept;        // the configuration that is being applied has it
	bool seen;        // in the list that is under way
	bool moved;       // an event told of it since that began: the list may be older, or lack it
	unsigned found;   // child SAs in the list so far
	int64_t next_try; // ms, monotonic
	unsigned tries;

	struct ike_status status;
	uint32_t uid;       // of the IKE SA that status is of; 0: none
	unsigned installed; // child SAs
	int64_t lost;       // ms: when it went down and was not logged yet; 0: all is
	bool lost_held;     // an operator did that
	char why[128];      // the last reason that charon's log has
	int64_t why_at;     // ms
};
TAILQ_HEAD(vici_tunnel_list, vici_tunnel);

struct ask;

struct ike_vici {
	struct control *ctl;
	struct vici_link *link;
	struct event *tick;
	TAILQ_HEAD(, ask) asks; // operators' that are under way
	char charon[64];        // "strongSwan 5.9.8", "" if it is not known yet
	struct vici_tunnel_list tunnels, bucket[VICI_BUCKETS];
	unsigned n;
	bool listing;      // a list is under way
	bool list_old;     // the configuration has changed since it began: it counts for nothing
	bool listed;       // there was one since charon came: what it has is known
	int64_t next_list; // ms
	uint8_t buf[VICI_REQUEST_MAX];
};

struct vici_tunnel *vici_find(const struct ike_vici *v, const char *name);
int64_t vici_now(void); // ms, monotonic

// Asks charon to bring the tunnel up, and does not wait.
void vici_initiate(struct ike_vici *v, const struct vici_tunnel *t);
void vici_initiate_child(struct ike_vici *v, const struct vici_tunnel *t, const char *child);

// ---- vici_conn.c: packets for charon. Their length, or what vici_end() says ----

unsigned vici_children(const struct config_ike *ike);
const char *vici_child_name(unsigned i, char buf[static VICI_CHILD_LEN]);
int vici_conn_pack(const struct config_customer *cc, uint8_t *buf, size_t size);
void vici_psk_id(const char *customer, char buf[static VICI_PSK_ID_LEN]);
int vici_psk_pack(const struct config_customer *cc, uint8_t *buf, size_t size);
// A command with one value, or none (key NULL).
int vici_named_pack(const char *command, const char *key, const char *value, uint8_t *buf,
		    size_t size);

// ---- vici_status.c ----

// An event of charon's.
void vici_event(struct ike_vici *v, const char *name, const struct vici_in *message);
// A list begins, and is whole: what was not in it is not there, unless an event has told of it
// meanwhile. Returns whether there was such a one.
void vici_list_begin(struct ike_vici *v);
bool vici_list_end_all(struct ike_vici *v);
// charon is gone: nothing is known of its IKE SAs.
void vici_forget(struct ike_vici *v);
// Logs that tunnels went down once their reasons had time to come.
void vici_losses_log(struct ike_vici *v, int64_t now);

// ---- vici_reason.c ----

// What a line of charon's log means if it is a reason why a tunnel is down, else NULL.
const char *vici_reason(const char *line);

// ---- vici_ask.c ----

// Those that are under way are answered with -ENOTCONN.
void vici_asks_drop(struct ike_vici *v);
