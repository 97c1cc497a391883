// SPDX-License-Identifier: BSD-3-Clause
// ESP security associations (RFC 4303), one struct per direction.
//
// The control thread makes and frees SAs; the customer's worker (the owner) is the only one that
// uses one in between, and the only writer of every field marked [w]. The control thread reads
// those fields, unlocked, to show them.
#pragma once

#include "../base/err.h"
#include "../base/net.h"
#include "../crypto/keys.h"
#include "../crypto/suite.h"

#include <stdbool.h>
#include <stdint.h>

// A traffic selector pair (RFC 7296 section 3.13.1), IPv4: ranges, host byte order, inclusive.
// src and dst are those of the inner packet in the SA's direction. proto 0 is any; port ranges
// apply to UDP, TCP and SCTP and are 0..65535 for any. A fragment other than the first passes only
// selectors with any port.
struct selector {
	uint32_t src_lo, src_hi;
	uint32_t dst_lo, dst_hi;
	uint16_t sport_lo, sport_hi;
	uint16_t dport_lo, dport_hi;
	uint8_t proto;
};

#define SA_SELECTORS_MAX 16
#define SA_WINDOW_MIN 64
#define SA_WINDOW_MAX 4096

enum sa_flag {
	SA_ESN = 1 << 0,   // extended sequence numbers (RFC 4304)
	SA_ENCAP = 1 << 1, // ESP in UDP (RFC 3948)
	SA_DSCP = 1 << 2,  // out: copy the inner DSCP to the outer header; in: never copied inward
	SA_ECN = 1 << 3,   // RFC 6040 normal mode instead of compatibility mode
	SA_DF_COPY = 1 << 4,   // out: outer DF is the inner one's
	SA_DF_SET = 1 << 5,    // out: outer DF is 1
	SA_EXHAUSTED = 1 << 6, // [w] out: the last number was sent; nothing goes out any more
	SA_DUMMY_TFC =
		1 << 7, // in: accept TFC padding and dummy packets (always on; kept for output)
};

// What it takes to make one SA of either direction.
struct sa_spec {
	uint32_t spi; // host order, at least 256
	enum suite_id suite;
	uint32_t flags;  // sa_flag
	uint16_t window; // in: replay window in packets, a power of two SA_WINDOW_MIN..MAX
	uint16_t owner;  // worker
	uint16_t customer;
	uint16_t tfc_pad; // out: pad inner packets to this many bytes (RFC 4303 2.7); 0: don't
	struct ip_endpoint local, peer; // outer addresses; ports count with SA_ENCAP only
	const uint8_t *material;        // suite_material_len() bytes
	uint64_t first_seq;   // out: the sequence number before the first; in: top of the window
	uint16_t n_selectors; // 1..SA_SELECTORS_MAX
	struct selector selectors[SA_SELECTORS_MAX];
};

// An inbound SA. Line 0 is all that a packet needs before its keys; line 1 is policy's.
struct sa_in {
	uint32_t spi;   // host order
	uint8_t suite;  // suite_id
	uint8_t family; // suite_family
	uint16_t owner; // worker
	uint32_t salt;  // as in memory: the first four bytes of the nonce
	uint16_t flags; // sa_flag
	uint16_t customer;
	uint64_t seq_top;        // [w] highest sequence number verified (64 bit with ESN)
	uint64_t packets;        // [w] verified
	uint64_t bytes;          // [w] of inner packets
	uint64_t last_tsc;       // [w] of the last verified packet
	uint16_t window;         // packets
	uint16_t window_mask;    // words of the bitmap - 1 (replay.h)
	uint8_t icv_len, iv_len; // bytes
	struct hkey_span hkey;   // where keys.gcm is used, for the prefetch
	uint32_t peer_ip;        // [w] network order: outer source of the last verified packet
	// line 1
	struct selector selector; // the first one
	uint16_t n_selectors;
	uint16_t peer_port;                 // [w] network order, 0 without UDP
	uint64_t replayed, forged, refused; // [w] named drops of this SA
	const struct selector *more;        // selectors 1.., behind the bitmap
	// line 2: keys, then the bitmap
	struct keys keys __attribute__((aligned(64)));
	uint64_t bitmap[] __attribute__((aligned(64))); // [w]
};

_Static_assert(__builtin_offsetof(struct sa_in, selector) == 64, "line 1 starts at the selector");
_Static_assert(__builtin_offsetof(struct sa_in, keys) == 128, "keys start at line 2");

// The outer headers of an outbound SA. Immutable once its worker can see it.
struct sa_outer {
	uint8_t header[28]; // IPv4 and, in UDP, UDP; length, ID and sum are zero
	uint8_t len;        // 20 or 28
	uint16_t sum;       // as sa_out.outer_sum
};

// An outbound SA. A packet needs lines 0 and 1 and the keys.
struct sa_out {
	uint32_t spi; // host order
	uint8_t suite, family;
	uint16_t owner;
	uint32_t salt;
	uint16_t flags; // [w] sets SA_EXHAUSTED
	uint16_t customer;
	uint64_t seq; // [w] last one used
	// Random from the start. GCM and ChaCha: the explicit IV is iv_base + seq, never used
	// twice under a key. CBC: stays secret, see esp_out.c.
	uint64_t iv_base;
	uint64_t packets, bytes; // [w]; bytes of inner packets
	uint64_t last_tsc;       // [w]
	uint32_t nexthop;        // [w] cache of the route to the peer ...
	uint32_t route_gen;      // [w] ... valid while this is the plane's
	// line 1
	uint8_t outer
		[28]; // IPv4 header and, with SA_ENCAP, UDP header; length, ID and sum are zero
	uint8_t outer_len; // 20 or 28
	uint8_t icv_len, iv_len, block;
	uint16_t
		outer_sum; // ones' complement sum of outer[0..19], words as in memory, not inverted
	uint16_t tfc_pad;
	uint32_t ip_id; // [w]
	uint16_t n_selectors;
	struct hkey_span hkey;
	uint16_t path_mtu; // to the peer: control writes, atomic; UINT16_MAX: as the port's
	const struct selector *more; // selectors 1.., behind the struct
	// line 2
	struct selector selector;
	// Where the peer is by now, or NULL: published by control, which then moves plane.route_gen. The
	// worker takes it over before the next packet, and as often as it looks, to the same effect.
	const struct sa_outer *moved;
	uint64_t exhausted; // [w] packets refused because of SA_EXHAUSTED
	struct keys keys __attribute__((aligned(64)));
};

_Static_assert(__builtin_offsetof(struct sa_out, outer) == 64, "line 1 starts at the outer header");
_Static_assert(__builtin_offsetof(struct sa_out, selector) == 128, "two lines a packet");

// Memory from the caller's allocator: size for a spec, then made in place at a 64-byte aligned
// address. Returns 0, or -EINVAL with a text that names what is wrong and what would be right.
size_t sa_in_size(const struct sa_spec *spec);
int sa_in_init(struct sa_in *sa, const struct sa_spec *spec, struct crypto *c, struct err *err);
size_t sa_out_size(const struct sa_spec *spec);
int sa_out_init(struct sa_out *sa, const struct sa_spec *spec, struct crypto *c, struct err *err);
// Headers from local to peer; flags as an SA's (SA_ENCAP, SA_DF_SET).
void sa_outer_make(struct sa_outer *o, const struct ip_endpoint *local,
		   const struct ip_endpoint *peer, uint32_t flags);
// By the owner, or before anybody else sees the SA: from now on its packets go out with o.
void sa_outer_apply(struct sa_out *sa, const struct sa_outer *o);
// Wipes keys before the memory goes back.
void sa_in_wipe(struct sa_in *sa);
void sa_out_wipe(struct sa_out *sa);

// An inner packet's header fields in host order, against a selector. ports_known is false for a
// fragment other than the first and for protocols without ports.
static inline bool selector_match(const struct selector *s, uint32_t src, uint32_t dst,
				  uint8_t proto, bool ports_known, uint16_t sport, uint16_t dport)
{
	if (src - s->src_lo > s->src_hi - s->src_lo || dst - s->dst_lo > s->dst_hi - s->dst_lo)
		return false;
	if (s->proto != 0 && s->proto != proto)
		return false;
	if (s->sport_lo == 0 && s->sport_hi == 65535 && s->dport_lo == 0 && s->dport_hi == 65535)
		return true;
	return ports_known && sport >= s->sport_lo && sport <= s->sport_hi &&
	       dport >= s->dport_lo && dport <= s->dport_hi;
}
