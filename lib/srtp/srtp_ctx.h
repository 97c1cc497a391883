// SPDX-License-Identifier: BSD-3-Clause
// SRTP contexts (RFC 3711, RFC 6188, RFC 7714), one a leg and direction, and bursts of packets
// through them.
//
// The control thread makes and frees contexts; the leg's owner is the only one that uses one in
// between, and the only writer of every field marked [w]. The control thread reads those, unlocked,
// to show them.
//
// A packet touches the head, its stream's line and the keys. RTCP is rare: its session keys are
// kept as derived and expanded for each packet.
#pragma once

#include "crypto/keys.h"
#include "srtp.h"

#include <stdbool.h>
#include <stdint.h>

// SSRCs that a context knows at once. The one that was quiet the longest makes room for a new one
// and may not come back: its counters are forgotten, and to start again at 0 would use a keystream
// twice, or let in what was seen before.
#define SRTP_STREAMS 4
#define SRTP_WINDOW 128 // packets, RFC 3711 section 3.3.2; in and out
#define SRTCP_WINDOW 64 // packets
#define SRTP_BURST_MAX 64
#define SRTP_NO_INDEX UINT64_MAX
// The most that protection adds: tag and MKI, for SRTCP the index with its E bit as well.
#define SRTP_TAILROOM (16 + SRTP_MKI_MAX)
#define SRTCP_TAILROOM (SRTP_TAILROOM + 4)

// One SSRC. Indexes are 48 bit: rollover counter, then sequence number.
struct srtp_stream {
	uint64_t top;          // [w] highest index; SRTP_NO_INDEX: none yet
	uint64_t seen[4];      // [w] esp/replay.h
	uint64_t rtcp_top;     // [w] in: highest SRTCP index, plus 1; 0: none yet
	uint64_t rtcp_seen[2]; // [w]
} __attribute__((aligned(64)));

struct srtp_keys {
	union {
		struct gcm_key_data gcm;
		struct {
			uint8_t hmac[64];       // inner state, at 32 the outer one
			uint8_t round[16 * 15]; // AES round keys
		} cm;
	};
} __attribute__((aligned(64)));

// As derived (RFC 3711 section 4.3).
struct srtp_session {
	uint8_t key[32], auth[20];
	uint8_t salt[16]; // and zeros behind
};

enum srtp_ctx_flag {
	SRTP_CTX_AEAD = 1 << 0,
	SRTP_CTX_PLAIN = 1 << 1,      // UNENCRYPTED_SRTP
	SRTP_CTX_PLAIN_RTCP = 1 << 2, // UNENCRYPTED_SRTCP
	SRTP_CTX_LONG = 1 << 3,       // 256-bit keys
};

struct srtp_ctx {
	// line 0
	uint8_t suite; // srtp_suite
	uint8_t flags; // srtp_ctx_flag
	uint8_t tag_len, rtcp_tag_len, mki_len;
	uint8_t n_streams; // [w]
	uint8_t last;      // [w] stream of the last packet
	uint8_t pad;
	uint32_t ssrc[SRTP_STREAMS]; // [w] network order
	uint8_t salt[16];
	uint64_t packets; // [w] verified, or sent, with this key
	uint64_t limit;   // of packets; then the key is used up
	// The context before a change of keys; NULL: none. It knows the rollover counters, which go
	// on (RFC 3711 section 3.3.1), and until prev_until what was sent with the old keys passes.
	struct srtp_ctx *prev;
	// lines 1 to 4
	struct srtp_stream stream[SRTP_STREAMS];
	// cold
	uint64_t prev_until;       // TSC
	uint64_t forged, replayed; // [w] named drops: in, also SRTCP's; out, replayed: sent before
	uint64_t rtcp_packets;     // [w] with this key
	uint64_t rtcp_limit;
	uint64_t rtcp_index; // [w] out: the next SRTCP index, which goes on when keys change
	// Highest indexes of SSRCs that were heard, or sent, before prev and not since.
	uint64_t base_top[SRTP_STREAMS];
	uint32_t base_ssrc[SRTP_STREAMS]; // network order
	uint8_t n_base;
	uint32_t clock, stamp[SRTP_STREAMS]; // [w] when each stream was last changed to
	uint64_t gone[8];                    // [w] Bloom filter of forgotten SSRCs
	struct srtp_session rtcp;
	struct srtp_params params;
	// as many bytes as the suite needs
	struct srtp_keys keys;
};

_Static_assert(sizeof(struct srtp_stream) == 64, "a stream is one line");
_Static_assert(__builtin_offsetof(struct srtp_ctx, stream) == 64, "the head is one line");

enum srtp_status {
	SRTP_OK,
	SRTP_OK_OLD,  // in: the same, but by the keys before: perhaps not from who has the new ones
	SRTP_SHORT,   // shorter than header, tag and MKI
	SRTP_BAD_MKI, // not the MKI that was signalled
	SRTP_REPLAYED, // seen, or left of the window; out: this number was sent before
	SRTP_FORGED,   // wrong tag; SRTCP also: the E bit is not as signalled
	SRTP_EXPIRED,  // the key has done all the packets that it may
};

struct srtp_op {
	struct srtp_ctx *ctx;
	uint8_t *data;  // RTP header; out: SRTP_TAILROOM bytes behind the packet are writable
	uint32_t len;   // of the packet, bytes; on SRTP_OK, SRTP_OK_OLD as it is afterwards
	uint8_t status; // srtp_status
	// scratch
	uint8_t stream, exact;
	uint16_t head;
	uint64_t index;
};

// Memory from the caller's allocator: size for params, then made in place at a 64-byte aligned
// address. Returns 0 or what srtp_params_check says.
size_t srtp_ctx_size(const struct srtp_params *p);
int srtp_ctx_init(struct srtp_ctx *ctx, const struct srtp_params *p, struct crypto *c,
		  struct err *err);
// Wipes the keys before the memory goes back.
void srtp_ctx_wipe(struct srtp_ctx *ctx);
// ctx, new and not published, takes over from old in the same direction of the same leg, and so do all indexes (RFC 3711
// sections 3.3.1 and 3.4), also of what was quiet meanwhile. old lives as long as ctx does. Until then (TSC) packets of the old keys pass.
void srtp_ctx_follow(struct srtp_ctx *ctx, struct srtp_ctx *old, uint64_t until);
// Takes away what ctx follows and returns it (NULL: nothing), to be freed once no worker can see it.
struct srtp_ctx *srtp_ctx_detach(struct srtp_ctx *ctx);

// At most SRTP_BURST_MAX packets of any mix of contexts and suites, in place. Nothing but counters
// changes for a packet that is not authentic. now: TSC.
void srtp_open_burst(struct crypto *c, struct srtp_op *op, unsigned n, uint64_t now);
void srtp_seal_burst(struct crypto *c, struct srtp_op *op, unsigned n);
// One compound RTCP packet; out: SRTCP_TAILROOM bytes behind it are writable.
void srtcp_open(struct crypto *c, struct srtp_op *op, uint64_t now);
void srtcp_seal(struct crypto *c, struct srtp_op *op);

// Brings in what a packet touches first; the bursts bring in the keys themselves. It reads the head,
// so prefetch that one earlier.
static inline void srtp_ctx_prefetch(const struct srtp_ctx *ctx)
{
	__builtin_prefetch(&ctx->stream[ctx->last], 1, 3);
}
