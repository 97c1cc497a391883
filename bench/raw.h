// SPDX-License-Identifier: BSD-3-Clause
// The raw call: intel-ipsec-mb alone on 4,096 packet buffers, as the limit of what ESP can do.
#pragma once

#include "crypto/crypto.h"

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
// The raw call on n packets (RAW_BURST at most) that lie elsewhere, esp[i] at the SPI, with one key.
void raw_apply(struct raw *r, uint8_t *const *esp, unsigned n);
