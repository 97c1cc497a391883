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

struct call {
	TAILQ_ENTRY(call) link;
	char id[CALL_ID_MAX]; // zero-padded: a hash key
	struct leg *leg[2];   // one allocation
	uint8_t media[2];     // index of each leg's media address
	uint32_t clock_rate, timeout;
	uint32_t check; // next slot of the inactivity scan
	time_t since;
	bool configured; // by the configuration, not by the API
};
TAILQ_HEAD(call_list, call);

struct customer_state {
	struct customer *plane; // NULL: slot is empty
	const struct config_customer *config;
	struct sa_list sas;
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

struct control {
	struct event_base *base;
	char *config_path;
	struct config *config;
	struct plane *plane;
	struct devices *devices;
	struct defer *defer;
	struct mirror *mirror;
	struct api_server *api;
	struct crypto *crypto;
	struct tap *tap[PORTS_MAX];
	struct worker *worker[WORKERS_MAX];
	struct trace *trace[WORKERS_MAX]; // of the last "trace start"
	bool tracing;
	struct event *pump, *second, *calls_timer;
	time_t started;

	struct customer_state customer[CUSTOMERS_MAX]; // 0 is none
	uint16_t customer_last;                        // number that was given out last
	struct sa_list sas;
	unsigned n_sas;

	struct call_list calls;
	unsigned n_calls;
	struct rte_hash *call_by_id;  // CALL_ID_MAX bytes → struct call *
	struct rte_mempool *leg_pool; // pairs of legs
	uint32_t *free_slot;          // stack of leg slots
	uint32_t n_free_slots;
	struct port_pool ports[MEDIA_MAX];
	struct call *scan; // where the inactivity scan goes on

	struct rates now, before; // a second apart
};

// control.c: the life of the whole. Each is the reverse of its other half.
int control_start(struct control **out, struct config *cfg, const char *path,
		  struct event_base *base, struct err *err);
void control_stop(struct control *ctl);

// control_plane.c: plane, workers, rings.
int plane_open(struct control *ctl, struct err *err);
void plane_close(struct control *ctl);
int workers_open(struct control *ctl, struct err *err);
int workers_launch(struct control *ctl, struct err *err);
void workers_stop(struct control *ctl);
void workers_close(struct control *ctl);
// Marks or unmarks an address of ours for the workers. kind is a local_kind bit.
void local_set(struct plane *plane, uint32_t ip, uint8_t kind, uint8_t media, bool present);

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

// control_reload.c: what a new configuration changes, and applying it.
int config_apply(struct control *ctl, struct config *cfg, struct err *err);

// control_sa.c
struct sa_pair *sa_find(struct control *ctl, uint32_t spi_in);
void sa_remove(struct control *ctl, struct sa_pair *sa);

// control_call.c
int calls_open(struct control *ctl, struct err *err);
void calls_close(struct control *ctl);
struct call *call_find(const struct control *ctl, const char *id);
// Ends calls whose legs have been silent for longer than their timeout; a part of them each time.
void calls_check(struct control *ctl);
