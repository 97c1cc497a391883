// SPDX-License-Identifier: BSD-3-Clause
// The tables that the control thread writes and the workers read.
//
// Rule: the control thread builds an object whole, then publishes it with one release store; it
// takes an object out with one release store and frees it only after every worker has reported a
// quiescent state (rte_rcu_qsbr). Workers load each entry once a packet.
#pragma once

#include "customer/customer.h"
#include "esp/sa.h"
#include "route/nexthop.h"
#include "rtp/leg.h"

#include <rte_branch_prediction.h>
#include <rte_ether.h>
#include <rte_lpm.h>
#include <rte_rcu_qsbr.h>
#include <stdint.h>

#define WORKERS_MAX 32
#define DEVICES_MAX 32
#define PORTS_MAX 32
#define MEDIA_MAX 16
#define CUSTOMERS_MAX 8192
#define NEXTHOPS_MAX 32768
#define LOCALS_MAX 256  // a power of two
#define SPI_SLOTS 65536 // inbound SPIs are told apart by their low 16 bits

// A pointer to a 64-byte aligned object with the owner worker in its upper 16 bits, so that one load
// says both. Bit 0 is set for the second leg of a pair (rtp/leg.h). Bit 1 is set if what goes that way is
// SRTP: in a media port's entry what arrives, in leg.onward what leaves by the other leg. 0 is none.
typedef uint64_t ref_t;
#define REF_PTR(r) ((void *)((r)&0xffffffffffc0ULL))
#define REF_OWNER(r) ((uint16_t)((r) >> 48))
#define REF_SECOND 1ULL
#define REF_SRTP 2ULL
#define REF_MAKE(p, owner) ((uint64_t)(uintptr_t)(p) | (uint64_t)(owner) << 48)

// For a media port's entry; its srtp_in is set already.
static inline ref_t leg_port_ref(const struct leg *leg, bool second)
{
	return REF_MAKE(leg, leg->owner) | (second ? REF_SECOND : 0) |
	       (leg->srtp_in != NULL ? REF_SRTP : 0);
}

// For leg.onward, with the other leg of its pair: what a packet has to know of both, so that the leg's first line is
// enough. The context of what arrives (none: it is plain), the other leg's owner, and the two bits. leg's gate and
// srtp_in, and the other's owner and srtp_out, are set already.
static inline ref_t leg_onward(const struct leg *leg, const struct leg *other)
{
	return REF_MAKE(leg->srtp_in, leg->gate != 0 ? LEG_GATED : other->owner) |
	       (other < leg ? REF_SECOND : 0) | (other->srtp_out != NULL ? REF_SRTP : 0);
}

static inline struct leg *leg_far(struct leg *leg)
{
	return leg_other(leg, leg->onward & REF_SECOND);
}

static inline struct srtp_ctx *leg_srtp_in(const struct leg *leg)
{
	return REF_PTR(leg->onward);
}

static inline ref_t ref_load(const ref_t *r)
{
	return __atomic_load_n(r, __ATOMIC_RELAXED); // dependent loads follow
}

enum local_kind {
	LOCAL_NONE,
	LOCAL_KERNEL = 1 << 0, // an address of a port: ESP, IKE, ping, BGP
	LOCAL_MEDIA = 1 << 1,  // a media address
};

// Our own addresses: open addressing by LOCAL_HASH, linear probing, never full.
struct local_addr {
	uint32_t ip;   // network order, 0: empty
	uint8_t kind;  // local_kind
	uint8_t media; // index of the media address
	uint16_t pad;
};
#define LOCAL_HASH(ip) ((uint32_t)((ip)*2654435761u) >> 24)

// A media address: one entry a UDP port. Even and odd port of a pair refer to the same leg.
struct media_addr {
	uint32_t ip;     // network order
	uint16_t lo, hi; // port range of calls, inclusive, host order
	ref_t leg[65536];
	uint8_t ended[65536 / 8]; // a bit a port: its call has just ended, and no other has it yet
};

// A logical port: what the configuration calls a port. Several may share a device by VLAN.
struct port {
	uint8_t device; // ethdev id
	uint8_t index;  // in plane.port
	uint8_t inside; // 1: the platform's side, may send into tunnels
	uint8_t up;     // link state, written by control
	uint16_t vlan;  // 0: untagged
	uint16_t mtu;
	struct rte_ether_addr mac;
	uint32_t ip; // network order: first address, source of ICMP errors; 0: none
	char name[16];
};

// An ethdev and who polls it. A worker without a tx queue of its own hands over to tx_owner.
struct device {
	uint16_t id;
	uint8_t n_rxq, n_txq;
	uint8_t port_untagged; // logical port + 1, 0: none
	uint8_t has_vlans;
	uint8_t rx_cksum_ok; // the device verifies IPv4 header checksums
	uint8_t tx_owner;
	int8_t txq[WORKERS_MAX];    // -1: none
	uint8_t port_of_vlan[4096]; // logical port + 1
};

struct leg_slot {
	struct leg *leg;
	uint32_t gen;
};

struct plane {
	struct rte_rcu_qsbr *qsbr;
	struct rte_lpm *lpm;
	uint32_t route_gen; // moves with every change of a route, nexthop or local address; never 0
	uint16_t n_workers, n_ports, n_devices, n_media;
	uint32_t n_legs_max;
	uint64_t tsc_hz;
	struct local_addr local[LOCALS_MAX] __attribute__((aligned(64)));
	const struct nexthop *nexthop[NEXTHOPS_MAX];
	struct customer *customer[CUSTOMERS_MAX];
	const struct punt_peers *punt_peers; // published by control (punt.h); NULL: none are known
	struct media_addr *media[MEDIA_MAX];
	struct leg_slot *leg_slot;         // by leg.id
	struct device device[DEVICES_MAX]; // by ethdev id
	struct port port[PORTS_MAX];
	ref_t sa_in[SPI_SLOTS] __attribute__((aligned(64)));
	// SPIs that IKE has given away and whose SA is not there yet, at the same places; 0: none. Only packets
	// that find no SA look here.
	uint32_t spi_early[SPI_SLOTS];
};

static inline struct customer *customer_load(const struct plane *p, uint16_t id)
{
	return __atomic_load_n(&p->customer[id], __ATOMIC_RELAXED); // dependent loads follow
}

// NULL if ip (network order) is none of ours.
static inline const struct local_addr *local_lookup(const struct plane *p, uint32_t ip)
{
	for (uint32_t i = LOCAL_HASH(ip);; i = (i + 1) & (LOCALS_MAX - 1)) {
		const struct local_addr *l = &p->local[i];
		if (l->ip == ip)
			return likely(l->kind != LOCAL_NONE) ? l : NULL; // NONE: was ours once
		if (l->ip == 0)
			return NULL;
	}
}
