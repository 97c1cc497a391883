// SPDX-License-Identifier: BSD-3-Clause
// The raw call: intel-ipsec-mb alone on 4,096 packet buffers, as the limit of what ESP can do.
#pragma once

#include "crypto/crypto.h"
#include "srtp/srtp_ctx.h"

#define RAW_BUFFERS 4096
#define RAW_BURST 32 // jobs a burst, for the suites that go through multi-buffer lanes

enum raw_order {
	RAW_SEQUENTIAL, // keys in the order of the buffers; with one key: the raw call
	RAW_COLD,       // keys in random order
	RAW_PREFETCHED, // the same, each key prefetched some packets ahead
};

struct raw;

// Buffers and keys for inner packets of inner_len bytes. NULL without memory.
struct raw *raw_open(enum suite_id suite, uint32_t inner_len, enum crypto_dir dir, unsigned n_keys);
void raw_close(struct raw *r);
// Bytes that ESP encrypts for an inner packet.
uint32_t raw_cipher_len(enum suite_id suite, uint32_t inner_len);
// Cycles a packet on the core that calls: the median of the passes that fit into ms milliseconds.
double raw_measure(struct raw *r, enum raw_order order, double ms);
// The same on the worker's core.
double raw_measure_there(struct raw *r, enum raw_order order, double ms);
// Whether the suite's cost per packet falls with the packets of one call.
bool raw_lanes(const struct raw *r);
// The raw call on n packets (RAW_BURST at most) that lie elsewhere, esp[i] at the SPI, with one key.
void raw_apply(struct raw *r, uint8_t *const *esp, unsigned n);

// The same for SRTP: AES-CM and HMAC-SHA1 in bursts, or AES-GCM, on RTP packets of inner_len bytes of IP.
struct raw_srtp;
struct raw_srtp *raw_srtp_open(enum srtp_suite suite, uint32_t inner_len, enum crypto_dir dir);
void raw_srtp_close(struct raw_srtp *r);
double raw_srtp_measure_there(struct raw_srtp *r, double ms);
bool raw_srtp_lanes(const struct raw_srtp *r);
// rtp[i] at the RTP header; four bytes behind each packet are hashed, too.
void raw_srtp_apply(struct raw_srtp *r, uint8_t *const *rtp, unsigned n);

// What a packet of a case takes of raw calls; NULL: not this one. All NULL for a plain relay.
struct raw_calls {
	struct raw *open, *seal;
	struct raw_srtp *srtp;
};
