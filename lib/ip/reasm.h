// SPDX-License-Identifier: BSD-3-Clause
// Bounded reassembly of IPv4 for one worker. Nothing is allocated after creation; packets are
// opaque handles that the caller frees when it is told to.
//
// Bounds: so many datagrams and so many fragments at once (the oldest datagram gives way),
// REASM_FRAGS fragments and 65535 bytes each, and a time from the first fragment on. What is
// refused, and why:
// - tiny: a fragment that others follow and that has less than REASM_LEN_MIN bytes of payload or
//   no multiple of 8; or one without payload. No link that carries voice fragments so finely (MTU
//   276), attackers do (RFC 1858). Only this fragment goes; it neither opens nor harms a
//   datagram.
// - overlap: a fragment that overlaps another, lies beyond the datagram's end, or moves that end.
//   The whole datagram goes, and so does whatever else of it arrives until its time is over (RFC
//   5722). An exact duplicate of a range goes alone: networks duplicate packets, and the first
//   one counts.
// - too many: more than REASM_FRAGS fragments (then as with an overlap), or a datagram that had
//   to give way.
// - too big: fragment ends beyond the largest datagram. Only this fragment goes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REASM_FRAGS 16
#define REASM_LEN_MIN 256          // bytes of payload of a fragment that is not the last
#define REASM_CONTEXTS_DEFAULT 256 // datagrams
#define REASM_CONTEXTS_MAX 16384
#define REASM_TIMEOUT_MS 2000
#define REASM_HELD_MIN (4 * REASM_FRAGS) // fragments
#define REASM_HELD_MAX (REASM_CONTEXTS_DEFAULT * REASM_FRAGS)

struct reasm;

struct frag_entry {
	void *handle;
	uint8_t *l3; // IPv4 header; it and the payload stay readable while the fragment is kept
	uint16_t payload_off; // from l3: the header's length, 20..60
	uint16_t len;         // bytes of payload
	uint16_t frag_off;    // bytes, multiple of 8
	bool more;            // MF
};

enum reasm_result {
	REASM_HELD,     // kept (or nothing to do)
	REASM_COMPLETE, // out->frag is the whole datagram, in order; all handles are the caller's again
	// The rest: the fragment was not kept. These are reasons too, see reasm_out.
	REASM_TINY,
	REASM_OVERLAP,
	REASM_TOO_MANY,
	REASM_TOO_BIG,
	REASM_TIMEOUT, // as a reason only
};

// What a call hands back. drop: handles to free, for the one reason; with REASM_TINY ... TOO_BIG
// the new fragment is among them, with HELD and COMPLETE these are of other datagrams.
struct reasm_out {
	uint16_t n_frags; // REASM_COMPLETE only
	uint16_t n_drop;
	enum reasm_result reason; // REASM_HELD if there is nothing to free
	struct frag_entry frag[REASM_FRAGS];
	void *drop[REASM_FRAGS + 1];
};

struct reasm_stats {
	uint32_t held;                                   // datagrams in progress, now
	uint32_t fragments;                              // of them
	uint64_t completed, evicted, timed_out, refused; // datagrams
};

// Fragments that each of so many workers (not 0) may hold of the buffers that they share: together
// an eighth, so that no flood takes the buffers that others receive into.
static inline uint32_t reasm_share(uint32_t buffers, uint32_t workers)
{
	uint32_t share = buffers / 8 / workers;

	if (share < REASM_HELD_MIN)
		return REASM_HELD_MIN;
	return share < REASM_HELD_MAX ? share : REASM_HELD_MAX;
}

// contexts: datagrams at once, 1..REASM_CONTEXTS_MAX; fragments: at once, REASM_FRAGS or more;
// timeout in TSC ticks; seed: random, so that nobody can choose addresses and identifications that
// collide. NULL: errno is EINVAL or ENOMEM.
struct reasm *reasm_create(uint32_t contexts, uint32_t fragments, uint64_t timeout, uint64_t seed);

// Frees it; calls drop (may be NULL) for each handle still held.
void reasm_destroy(struct reasm *r, void (*drop)(void *arg, void *handle), void *arg);

// Fills e from a fragment: len bytes from its IPv4 header on are readable. -EINVAL if that is no
// IPv4 header with its whole packet behind it, or if it is no fragment at all.
int reasm_entry_init(struct frag_entry *e, void *handle, uint8_t *l3, size_t len);

// Takes a fragment (filled in by reasm_entry_init, or with the same care). now: TSC, never running
// backwards. Writes *out whatever the result.
enum reasm_result reasm_put(struct reasm *r, const struct frag_entry *e, uint64_t now,
			    struct reasm_out *out);

// Gives up datagrams whose time is over; calls drop for each handle that they held (reason:
// REASM_TIMEOUT). Returns how many datagrams. Cheap if there are none: one comparison.
uint32_t reasm_expire(struct reasm *r, uint64_t now, void (*drop)(void *arg, void *handle),
		      void *arg);

// Writes the datagram of a REASM_COMPLETE to dst: the first fragment's header (options too) with
// length, offset, ECN (RFC 3168 section 5.3) and checksum of the whole, then the payload. dst
// must not overlap the fragments. Returns its length, -ENOSPC if cap is too small, -EMSGSIZE if
// it is longer than 65535 bytes, or -EBADMSG if some fragments are CE and others not ECN-capable.
int reasm_write(const struct reasm_out *out, uint8_t *dst, size_t cap);

void reasm_stats_get(const struct reasm *r, struct reasm_stats *stats);
