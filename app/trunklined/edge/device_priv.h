// SPDX-License-Identifier: BSD-3-Clause
// What device*.c share: which ethdev a "device:" key means, the EAL's arguments (both pure: tested
// without an EAL), and the control side of ethdevs.
#pragma once

#include "base/err.h"
#include "config/config.h"
#include "device.h"

#include <net/if.h>
#include <rte_ethdev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EAL_ARGS_MAX 128

enum device_kind { DEV_PCI, DEV_AF_XDP, DEV_AF_PACKET, DEV_TAP, DEV_RING, DEV_PCAP, DEV_VDEV };

struct device_spec {
	enum device_kind kind;
	char name[64];        // of the ethdev, or the PCI address
	char iface[IFNAMSIZ]; // the kernel's netdev behind it, "" if there is none
	char args[448];       // of --vdev, or of -a
};

// Largest IP MTU, and most queues, that any port on the same device wants; whether one has a VLAN.
struct device_want {
	uint16_t mtu;
	uint16_t queues; // 0: one a worker
	bool vlan;
	unsigned frames; // in a packet socket's ring, 0: default
};
struct device_want device_want(const struct config *cfg, const char *device);
// Ports that name the same device share it: index of the first port that does.
unsigned device_first_port(const struct config *cfg, unsigned port);

// Reads a "device:" key; index makes its name unique. Returns 0, or -EINVAL and err.
int device_spec_parse(const char *text, unsigned index, const struct device_want *want,
		      unsigned n_workers, struct device_spec *out, struct err *err);

// Frames that each packet socket's ring may have if all of them together lock so many bytes; 0: default.
unsigned packet_frames_fit(const struct config *cfg, uint64_t lockable);

struct eal_env {
	bool huge;        // hugepages will be used
	const char *cpus; // the main lcore's: "0-1,4"
	int pid;
	uint64_t lockable; // bytes that drivers may lock, UINT64_MAX: no limit
};

struct eal_args {
	int argc;
	char *argv[EAL_ARGS_MAX];
};

// Builds rte_eal_init's arguments. Returns 0 or a negative errno and err.
int eal_args_build(const struct config *cfg, const struct eal_env *env, struct eal_args *out,
		   struct err *err);
void eal_args_free(struct eal_args *args);

// EAL and drivers write into our log from now on: errors as warnings, the rest for debugging.
int eal_log_open(void);
// The first error that EAL or a driver reported since the last call, "" if none.
void eal_log_error(char *buf, size_t size);
void eal_log_close(void);
void bpf_log_quiet(void); // once the drivers are loaded

#define MBUF_CACHE 512
// Headroom and what AF_XDP puts in front, VLAN and Ethernet header; ESP's trailer with TFC padding behind.
#define MBUF_OVERHEAD (RTE_PKTMBUF_HEADROOM + 256 + 22 + 320)
// AF_XDP: a buffer with its headers lies within a page of the kernel's.
#define MBUF_ROOM_XDP (4096 - 64 - 128)
// Bytes that a buffer holds, headroom included, for packets up to an MTU.
uint16_t mbuf_room(uint16_t mtu);

// One ethdev, on the control side.
struct device_ctl {
	struct device_spec spec;
	const char *text; // the "device:" key
	uint16_t id;
	bool opened, started, lsc;
	bool poll_iface; // the driver does not follow the link state of its netdev: ask the kernel
};

struct devices {
	struct plane *plane;
	struct event *timer; // looks at the link states
	int wake_fd;         // eventfd: a driver's interrupt thread saw a link change
	struct event *wake;
	int ioctl_fd;
	unsigned n;
	struct device_ctl dev[DEVICES_MAX];
	struct rte_mempool *pool[RTE_MAX_NUMA_NODES];
	uint16_t mtu_max;
	device_link_fn link_fn;
	void *link_ctx;
};

// device_link.c. The kernel's netdev: 0 or a negative errno.
int iface_up(int ioctl_fd, const char *iface);
int iface_mtu_set(int ioctl_fd, const char *iface, uint16_t mtu);
// Watches links; looks at them now.
int link_watch(struct devices *d, struct event_base *base, struct err *err);
void link_unwatch(struct devices *d);
void link_poll(struct devices *d);
// Called in a driver's interrupt thread.
int link_event(uint16_t id, enum rte_eth_event_type type, void *devices, void *ret);
