// SPDX-License-Identifier: BSD-3-Clause
// Memory, and whether there are packet buffers for all that may hold some at the same time.
#include "config_build.h"
#include "ip/reasm.h"

#include <inttypes.h>
#include <string.h>

// What one packet buffer takes: 2,176 bytes of data and headroom, rte_mbuf, mempool header.
#define MBUF_BYTES 2432

#define MBUFS_DEFAULT 65536 // or what is needed, if that is more

// What a thread's cache of the pool holds at most: half more than its size (edge/device_priv.h).
#define CACHE_MOST 768
// Of one worker: packets that wait for their SA (worker.h), copies that wait for the recorder.
#define EARLY_MOST 512
#define RECORD_MOST 2048

// Buffers that one queue of a device holds at most: descriptors that edge/device.c asks for, none
// where the driver copies.
static const struct driver {
	const char *name;
	unsigned rx, tx;
	bool one_queue; // unless more are asked for
} drivers[] = {
	{"af_xdp:", 2048, 2048, true}, {"af_packet:", 0, 0, true}, {"tap:", 1024, 0, false},
	{"ring:", 0, 1024, false},     {"pcap:", 0, 0, false},     {"", 1024, 1024, false},
};

static const struct driver *driver_of(const char *device)
{
	const struct driver *d = drivers;
	while (strncmp(device, d->name, strlen(d->name)) != 0)
		d++;
	return d;
}

static bool same_device(const struct config *c, unsigned i, unsigned j)
{
	const char *a = c->ports[i].device, *b = c->ports[j].device;
	return !text_none(a) && !text_none(b) && strcmp(a, b) == 0;
}

// In the rings of the device of port i; 0 if an earlier port has the same.
static uint64_t device_holds(const struct config *c, unsigned i)
{
	unsigned queues = 0;
	if (text_none(c->ports[i].device))
		return 0;
	for (unsigned j = 0; j < c->n_ports; j++) {
		if (!same_device(c, i, j))
			continue;
		if (j < i)
			return 0;
		if (c->ports[j].queues > queues)
			queues = c->ports[j].queues;
	}
	const struct driver *d = driver_of(c->ports[i].device);
	if (queues == 0)
		queues = d->one_queue ? 1 : c->n_workers;
	if (queues > c->n_workers)
		queues = c->n_workers;
	return (uint64_t)queues * (d->rx + d->tx);
}

static uint64_t rings_hold(const struct config *c)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < c->n_ports; i++)
		n += device_holds(c, i);
	return n;
}

// The control thread has a cache too. Of mbufs, fragments get a share.
static uint64_t workers_hold(const struct config *c, uint64_t mbufs)
{
	uint64_t each = CACHE_MOST + EARLY_MOST + reasm_share((uint32_t)mbufs, c->n_workers);
	if (c->recordings != NULL)
		each += RECORD_MOST;
	return CACHE_MOST + c->n_workers * each;
}

// The least number that is not less than what is held of it.
static uint64_t mbufs_needed(const struct config *c, uint64_t rings)
{
	uint64_t n = 0, held;
	while ((held = rings + workers_hold(c, n)) > n)
		n = held;
	return n;
}

static void mbufs_check(const struct config_build *b, const struct raw_memory *raw)
{
	const struct config *c = b->c;
	uint64_t rings = rings_hold(c), least = mbufs_needed(c, rings);
	uint64_t mib = ((uint64_t)c->mbufs * MBUF_BYTES + (1 << 20) - 1) >> 20;
	if (c->mbufs < least)
		mistake(&b->main, "memory.mbufs",
			"%u are too few: the devices' rings can hold %" PRIu64 " and the workers "
			"%" PRIu64 "; expected at least %" PRIu64,
			c->mbufs, rings, least - rings, least);
	else if (mib > c->memory_mb)
		mistake(&b->main, raw->mbufs != NULL ? "memory.mbufs" : "memory.megabytes",
			"%u mbufs take %" PRIu64
			" MiB and memory.megabytes is %u; give more memory "
			"or at most %" PRIu64 " mbufs",
			c->mbufs, mib, c->memory_mb, ((uint64_t)c->memory_mb << 20) / MBUF_BYTES);
}

int config_build_memory(struct config_build *b)
{
	static const struct raw_memory none;
	const struct raw_memory *raw = b->raw->memory != NULL ? b->raw->memory : &none;
	struct config *c = b->c;
	c->hugepages = (enum config_hugepages)enum_or(raw->hugepages, HUGE_AUTO);
	c->memory_mb = (unsigned)uint_or(raw->megabytes, 768);
	c->mbufs = (unsigned)uint_or(raw->mbufs, MBUFS_DEFAULT);
	if (c->n_workers == 0)
		return 0;
	uint64_t least = mbufs_needed(c, rings_hold(c));
	if (raw->mbufs == NULL && least > c->mbufs && least <= UINT32_MAX)
		c->mbufs = (unsigned)least;
	mbufs_check(b, raw);
	return 0;
}
