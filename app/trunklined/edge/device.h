// SPDX-License-Identifier: BSD-3-Clause
// The daemon's NICs: start of the EAL from the configuration, ethdevs, buffers, link state.
// Everything here is called by the control thread.
#pragma once

#include "base/err.h"
#include "config/config.h"
#include "plane.h"

#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct devices;

// Starts the EAL: the control thread becomes lcore 0 (on control_cpu, or any CPU the process may
// use), worker i is lcore i + 1, pinned to workers[i]. Hugepages as the configuration says; what EAL
// and drivers print goes to our log (errors; with log_level debug everything). Reserves the mbuf
// fields of pipelines/pkt.h. Can be called once in a process.
// Returns 0, or a negative errno and err.
int eal_start(const struct config *cfg, struct err *err);
// Releases what eal_start took. The devices are closed already and the workers have returned.
void eal_stop(void);

// Finds, configures and starts every ethdev that the configuration's ports name, makes the buffer
// pools and fills plane: device[] (its index is the ethdev id), port[], n_devices, n_ports. plane's
// n_workers must be set. With base, link changes are watched from now on.
// Returns 0, or a negative errno and err; nothing stays open then.
int devices_open(struct devices **out, struct plane *plane, const struct config *cfg,
		 struct event_base *base, struct err *err);
// Stops and closes the ethdevs. The workers have stopped polling. Frees the pools, and says in the
// log if buffers are missing from them.
void devices_close(struct devices *d);

// Stops the ethdevs' queues (first step of an ordered stop; devices_close does it as well).
void devices_stop(struct devices *d);

// The pool of a NUMA node's memory (SOCKET_ID_ANY: the first pool).
struct rte_mempool *devices_pool(const struct devices *d, int socket);
// Buffers in all pools, and how many of them are in use now. A snapshot.
void devices_pool_usage(const struct devices *d, unsigned *total, unsigned *in_use);

// fn is called after plane.port[port].up has changed, and once for every port right now.
typedef void (*device_link_fn)(void *ctx, unsigned port, bool up);
void devices_on_link(struct devices *d, device_link_fn fn, void *ctx);

// Worker that polls a rx queue of a device, and the one that a tx queue belongs to. Neighbouring
// devices begin at neighbouring workers, so that one-queue devices spread.
static inline uint16_t device_queue_worker(const struct plane *p, uint16_t device, uint16_t queue)
{
	return (uint16_t)((device + queue) % p->n_workers);
}

struct device_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_missed; // lost for want of descriptors: workers too slow
	uint64_t rx_nombuf; // lost for want of buffers
	uint64_t rx_errors, tx_errors;
};
// Snapshot of a device's counters since it was opened. Returns 0 or a negative errno.
int device_stats(const struct devices *d, uint16_t device, struct device_stats *out);
// The configuration's name of a device ("af_packet:eth1"), "" if there is none with that id.
const char *device_name(const struct devices *d, uint16_t device);
