// SPDX-License-Identifier: BSD-3-Clause
// The kernel's view of a logical port: a TAP netdev with the port's name, link address, MTU and
// addresses. The kernel does ARP, ICMP, IKE and BGP there; frames cross by two rings.
//
//   workers ── to_kernel ──► control ── write ──► TAP netdev ──► kernel
//   worker  ◄─ from_kernel ─ control ◄─ read ──── TAP netdev ◄── kernel
//
// Towards the kernel: whole untagged Ethernet frames. From the kernel, pkt_cold.resume says what a
// buffer is: STAGE_tx: a frame to send out as it is (tagged already if the port has a VLAN);
// STAGE_route: an IPv4 packet of the kernel's own for a tunnel, data_off at the IP header, flags
// PKT_OURS.
#pragma once

#include "base/err.h"
#include "base/net.h"
#include "plane.h"

#include <rte_mempool.h>
#include <rte_ring.h>
#include <stdint.h>

struct event_base;
struct event;

// Link address that we answer with when the kernel asks by ARP for what lies behind a tunnel.
// Frames to it are the kernel's packets into that tunnel and never leave as frames.
#define TAP_TUNNEL_MAC                             \
	{                                          \
		0x02, 0x54, 0x4c, 0x00, 0x00, 0x01 \
	}

struct tap {
	struct rte_ring *to_kernel;   // many workers write, control reads
	struct rte_ring *from_kernel; // control writes, the worker that owns the port's tx reads
	const struct plane *plane;
	struct rte_mempool *pool;
	struct event *readable;
	int fd;
	int ifindex;
	uint8_t port; // logical port
	// Written and read by control.
	uint64_t kernel_packets, kernel_failed; // to the kernel; refused by it
	uint64_t wire_packets, wire_full;       // from the kernel; no buffer, or ring full
	uint64_t proxied;                       // ARP requests answered for tunnels
};

struct tap_params {
	const struct plane *plane; // plane.port[port] is filled
	unsigned port;
	struct rte_mempool *pool;
	struct event_base *base;
	const struct ip_prefix *addresses; // host address with prefix length, IPv4
	unsigned n_addresses;
	const struct ip_addr *media; // carried as /32
	unsigned n_media;
};

// Makes the netdev (it must not exist), gives it addresses and brings it up.
// Needs CAP_NET_ADMIN in the network namespace, and /dev/net/tun.
int tap_open(struct tap **out, const struct tap_params *params, struct err *err);
// The netdev goes, and its addresses and routes with it; the workers have stopped.
void tap_close(struct tap *t);

// Moves what waits in to_kernel into the netdev; returns the number of frames. Every millisecond
// or so.
unsigned tap_pump(struct tap *t);
// Tells the kernel the link state of the port. Returns 0 or a negative errno.
int tap_carrier(struct tap *t, bool up);
