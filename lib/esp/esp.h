// SPDX-License-Identifier: BSD-3-Clause
// ESP in bursts (RFC 4303, RFC 4106, RFC 3602, RFC 7634), tunnel mode, IPv4, on flat buffers.
//
// Both calls take one struct per packet, at most ESP_BURST_MAX; packets may belong to any mix of
// SAs and suites. GCM and ChaCha20-Poly1305 go packet by packet; CBC with HMAC is sorted by hash
// and goes through the multi-buffer lanes, which are full whenever the burst holds enough of them,
// whatever SAs they belong to.
#pragma once

#include "prefetch.h"
#include "sa.h"

#include <stdint.h>

#define ESP_BURST_MAX 64
// The most that encapsulation writes in front of (outer headers, SPI, sequence, IV) and behind
// (padding, pad length, next header, ICV; TFC padding comes on top) the inner packet, bytes.
#define ESP_HEADROOM (28 + 8 + 16)
#define ESP_TAILROOM (255 + 2 + 32)

enum esp_status {
	ESP_OK,
	ESP_DUMMY,     // verified; next header 59: to be discarded silently (RFC 4303 2.6)
	ESP_TOO_SHORT, // not even a header, or not a multiple of the block
	ESP_REPLAYED,  // seen, or left of the window, or sequence number 0
	ESP_FORGED,    // wrong ICV
	ESP_BAD_PAD,   // padding is not 1, 2, 3, ... or longer than the payload
	ESP_BAD_NEXT,  // next header is not 4 (IPv4) or 59
	ESP_BAD_INNER, // no whole IPv4 header inside, or its total length lies
	ESP_ECN,       // congestion marked outside, inside not ECN-capable (RFC 6040 section 4.2)
	ESP_EXHAUSTED, // out: sequence numbers are used up
	ESP_TOO_LONG,  // out: the outer packet would exceed 65535 bytes
};

struct esp_in {
	struct sa_in *sa;
	uint8_t *esp;      // at the SPI
	uint32_t len;      // from the SPI to the end of the ICV; with UDP: the UDP payload
	uint8_t outer_tos; // of the outer IPv4 header
	// results
	uint8_t status;     // esp_status
	uint16_t inner_len; // total length of the inner IPv4 packet (TFC padding cut off)
	uint8_t *inner;     // the inner IPv4 header
};

// Checks the replay window, verifies, decrypts in place, checks the window again (a burst may hold
// the same number twice), moves it, takes off padding, and counts in the SA. Nothing in the SA
// changes for a packet that is not authentic but its counters of named drops. now is the TSC for
// sa->last_tsc.
void esp_decap_burst(struct crypto *c, struct esp_in *op, unsigned n, uint64_t now);

// Loads into the cache what a burst will touch of an SA for a packet of len bytes (in: from the
// SPI to the end of the ICV; out: the inner packet): bitmap or template, round keys, and just the
// powers of the hash key that this length needs. It reads the SA's first line, so prefetch that
// one earlier. esp_decap_burst does it itself for AEAD suites.
static inline void esp_in_prefetch(const struct sa_in *sa, uint32_t len)
{
	__builtin_prefetch(&sa->bitmap[sa->seq_top / 64 & sa->window_mask], 1, 3);
	__builtin_prefetch(&sa->selector, 0, 3);
	keys_prefetch(&sa->keys, sa->suite, sa->hkey, len > 32 ? len - 32 : 0, true);
}

static inline void esp_out_prefetch(const struct sa_out *sa, uint32_t len)
{
	__builtin_prefetch(sa->outer, 1, 3);
	keys_prefetch(&sa->keys, sa->suite, sa->hkey, len + 2, false);
}

struct esp_out {
	struct sa_out *sa;
	uint8_t *inner; // the inner IPv4 header; ESP_HEADROOM bytes in front, the result of
			// esp_out_tail() behind are writable
	uint32_t len;   // inner total length
	// results
	uint8_t status;
	uint16_t outer_len; // outer IPv4 total length
	uint8_t *outer;     // the outer IPv4 header, complete with checksum, DSCP, ECN, DF
};

// The payload without its trailer: the inner packet of len bytes, and TFC padding.
static inline uint32_t esp_out_payload(const struct sa_out *sa, uint32_t len)
{
	return len > sa->tfc_pad ? len : sa->tfc_pad;
}

// The payload with what brings it, pad length and next header to a multiple of the block; payload as esp_out_payload()
// says.
static inline uint32_t esp_out_blocks(const struct sa_out *sa, uint32_t payload)
{
	return (payload + 2 + sa->block - 1u) & ~(sa->block - 1u);
}

// Bytes written behind an inner packet of len bytes: TFC padding, padding, trailer, ICV.
static inline uint32_t esp_out_tail(const struct sa_out *sa, uint32_t len)
{
	return esp_out_blocks(sa, esp_out_payload(sa, len)) - len + sa->icv_len;
}

// Outer IPv4 total length for an inner packet of len bytes.
static inline uint32_t esp_out_len(const struct sa_out *sa, uint32_t len)
{
	return sa->outer_len + 8u + sa->iv_len + len + esp_out_tail(sa, len);
}

// Takes the next sequence number, builds headers and trailer, encrypts in place, appends the ICV.
void esp_encap_burst(struct crypto *c, struct esp_out *op, unsigned n, uint64_t now);
