// SPDX-License-Identifier: BSD-3-Clause
// The control thread's own tables, shared by the control_*.c files and the views.
#pragma once

#include "control.h"
#include "edge/defer.h"
#include "edge/device.h"
#include "edge/mirror.h"
#include "edge/tap.h"
#include "port_pool.h"
#include "worker.h"

#include <event2/event.h>
#include <rte_hash.h>
#include <rte_mempool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

struct api_server;
struct ike_feed;
struct media;
struct media_engine;
struct ike_sad;
struct ike_vici;
struct ng_server;
struct recorder;
struct records;

// A pair of static-key SAs. spec holds no keys: they are wiped once the SAs are made.
struct sa_pair {
	TAILQ_ENTRY(sa_pair) link;        // of all
	TAILQ_ENTRY(sa_pair) of_customer; // in order of installation
	struct config_sa spec;
	uint16_t customer;
	struct sa_in *in;
	struct sa_out *out;
	time_t since;
};
TAILQ_HEAD(sa_list, sa_pair);

#define CALL_ID_MAX 64

// A call by the configuration or the API. Those by NG are in ng/.
struct call {
	TAILQ_ENTRY(call) link;
	struct control *ctl;
	char id[CALL_ID_MAX]; // zero-padded: a hash key
	struct media *media;
	uint32_t record; // record.h
	int64_t start;   // ms since 1970
};
TAILQ_HEAD(call_list, call);

struct customer_state {
	struct customer *plane; // NULL: slot is empty
	const struct config_customer *config;
	struct sa_list sas;
	unsigned n_ike; // outbound SAs by IKE that the policies name, behind those of sas
	struct sa_out **ike;
	bool trap;   // a packet without an SA makes IKE ask for one
	bool routed; // its domain's routes are in the tables
};

struct flow_count {
	uint64_t packets, bytes, over;
};

// What rates are made of: two of these, a second apart.
struct rates {
	uint64_t tsc;
	uint64_t rx_packets[PORTS_MAX], rx_bytes[PORTS_MAX];
	uint64_t tx_packets[PORTS_MAX], tx_bytes[PORTS_MAX];
	uint64_t drops[DROP_COUNT];
	uint64_t stage_packets[WORKERS_MAX][STAGE_COUNT];
	uint64_t worker_packets[WORKERS_MAX]; // received
	uint64_t handed_over[WORKERS_MAX], taken_over[WORKERS_MAX];
	uint64_t busy[WORKERS_MAX]; // TSC ticks
	struct flow_count customer_in[CUSTOMERS_MAX], customer_out[CUSTOMERS_MAX];
};

// control_mtu.c
struct mtu_watch {
	struct event *read; // of the raw socket; NULL: nothing is heard
	unsigned left;      // messages that are looked at in this second
	unsigned seconds;
};

struct control {
	struct event_base *base;
	char *config_path;
	struct config *config;
	unsigned config_gen; // counts reloads
	struct plane *plane;
	struct devices *devices;
	struct defer *defer;
	struct mirror *mirror;
	struct api_server *api;
	struct ng_server *ng;      // NULL without control.ng
	struct recorder *recorder; // NULL: no recordings
	struct records *records;   // NULL: no call records
	struct ike_feed *ike;      // NULL without ike in the configuration
	struct ike_sad *sad;       // likewise
	struct ike_vici *vici;     // likewise
	struct crypto *crypto;
	struct tap *tap[PORTS_MAX];
	struct worker *worker[WORKERS_MAX];
	struct trace *trace[WORKERS_MAX]; // of the last "trace start"
	bool tracing;
	struct event *pump, *second, *media_timer;
	struct mtu_watch mtu;
	time_t started;

	struct customer_state customer[CUSTOMERS_MAX]; // 0 is none
	uint16_t customer_last;                        // number that was given out last
	struct sa_list sas;
	unsigned n_sas;

	struct call_list calls;
	unsigned n_calls;
	struct call *recorded_next;  // whose record is brought up to date next
	struct rte_hash *call_by_id; // CALL_ID_MAX bytes → struct call *
	struct media_engine *media;

	struct rates now, before; // a second apart
};

// control.c: the life of the whole. Each is the reverse of its other half.
int control_start(struct control **out, struct config *cfg, const char *path,
		  struct event_base *base, struct err *err);
void control_stop(struct control *ctl);

// control_customer.c: whether a peer may have an SA. -EPERM if it lies in an encryption domain: its ESP would go into
// the tunnel that it makes. The configuration is checked for that; other gateways are known only when they come.
int control_peer_check(const struct config *cfg, const struct ip_addr *peer, struct err *err);

// control_mtu.c: what routers say of the paths to gateways.
int mtu_open(struct control *ctl, struct err *err);
void mtu_second(struct control *ctl);
void mtu_close(struct control *ctl);

// control_plane.c: plane, workers, rings.
int plane_open(struct control *ctl, struct err *err);
void plane_close(struct control *ctl);
int workers_open(struct control *ctl, struct err *err);
int workers_launch(struct control *ctl, struct err *err);
void workers_stop(struct control *ctl);
void workers_close(struct control *ctl);
// Marks or unmarks an address of ours for the workers. kind is a local_kind bit.
void local_set(struct plane *plane, uint32_t ip, uint8_t kind, uint8_t media, bool present);
// Legs and SAs look anew for what they remember of routes and addresses.
void route_gen_move(struct plane *plane);

// control_customer.c
// Index of a name, 0 if there is none.
uint16_t customer_find(const struct control *ctl, const char *name);
int customer_add(struct control *ctl, const struct config_customer *cc, struct err *err);
// Its SAs and calls are gone already.
void customer_remove(struct control *ctl, uint16_t id);
// Tier, allow-list or domain have changed; SAs, calls and counters stay. If the domain has changed,
// its routes are withdrawn already (customer_routes_withdraw): another customer may have them now. cc
// is the customer's from now on even if there is no memory or no room for something.
int customer_change(struct control *ctl, uint16_t id, const struct config_customer *cc,
		    struct err *err);
void customer_routes_withdraw(struct control *ctl, uint16_t id);
// The customer's outbound SAs have changed: publishes them, and the routes of its domain while
// there are any.
int customer_spd_publish(struct control *ctl, uint16_t id, struct err *err);

// control_punt.c: the gateways that the exception path knows, published if they have changed.
void punt_peers_publish(struct control *ctl);

// control_reload.c: what a new configuration changes, and applying it.
int config_apply(struct control *ctl, struct config *cfg, struct err *err);

// control_sa.c
// The plane's objects of one SA. Return 0, -ENOMEM, or what sa_in_init() and sa_out_init() say.
int sa_in_make(struct control *ctl, const struct sa_spec *spec, struct sa_in **out,
	       struct err *err);
int sa_out_make(struct control *ctl, const struct sa_spec *spec, struct sa_out **out,
		struct err *err);
// Wipe the keys; for defer_free as well.
void sa_in_release(void *in);
void sa_out_release(void *out);
// From now on packets with its SPI find it, or no longer do.
void sa_in_publish(struct control *ctl, struct sa_in *in);
void sa_in_withdraw(struct control *ctl, const struct sa_in *in);
// The kernel is asked for the neighbour by which a gateway is reached, before the first packet.
void sa_peer_resolve(struct control *ctl, const struct ip_addr *peer);
struct sa_pair *sa_find(struct control *ctl, uint32_t spi_in);
void sa_remove(struct control *ctl, struct sa_pair *sa);

// control_call.c, with the media engine open
int calls_open(struct control *ctl, struct err *err);
void calls_close(struct control *ctl);
// A call of the configuration or the API; why is the record's reason. -ENOENT.
int call_end(struct control *ctl, const char *id, const char *why, struct err *err);
// A share of the calls in progress: their records' figures. Every MEDIA_TICK_MS.
void calls_record_refresh(struct control *ctl);
struct call *call_find(const struct control *ctl, const char *id);
