// SPDX-License-Identifier: BSD-3-Clause
// What a router says of an ESP packet of ours that did not fit: ICMP type 3, code 4 (RFC 1191 section 4, RFC 4301
// section 8.2).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct path_mtu {
	uint32_t src, dst;     // the packet's, network order
	uint16_t sport, dport; // in UDP (RFC 3948), host order; 0: plain ESP
	uint32_t spi;          // host order
	uint16_t mtu;          // that fits, bytes
};

// p: an IPv4 packet of len bytes, as a raw socket gives it; its checksums were looked at. False: it is something
// else, or does not quote the SPI, which who is not on the path would have to guess.
bool path_mtu_read(const uint8_t *p, size_t len, struct path_mtu *out);
