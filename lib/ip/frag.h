// SPDX-License-Identifier: BSD-3-Clause
// IPv4 fragmentation (RFC 791 section 3.2): what goes into which fragment, and its header. The
// caller copies or refers to the payload, and decides about DF.
#pragma once

#include <rte_ip.h>
#include <stdbool.h>
#include <stdint.h>

#define FRAG_PIECES_MAX 128 // enough for 65535 bytes at an MTU of 576
#define FRAG_MTU_MIN 68     // RFC 791

struct frag_piece {
	uint16_t offset; // bytes from the start of this packet's payload
	uint16_t len;    // bytes of payload
	bool more;       // MF: another fragment follows
};

// Plans the fragments of a packet: header ip without options, total_length as it says, fragments of
// at most mtu bytes with their headers. The packet may itself be a fragment. All but the last piece
// are a multiple of 8 bytes. Returns how many pieces (1 if it fits), or
// -EINVAL:  mtu below FRAG_MTU_MIN, total_length below the header's, a fragment that ends beyond the
//           largest datagram
// -ENOTSUP: IPv4 options
// -ENOSPC:  more than max pieces
int frag_plan(const struct rte_ipv4_hdr *ip, uint16_t mtu, struct frag_piece *piece, unsigned max);

// Writes the header of a piece to out (any alignment; may be ip itself): total length, MF and
// offset (added to the packet's own), checksum. All else, the identification too, is as in ip; DF
// is cleared.
void frag_header(void *out, const struct rte_ipv4_hdr *ip, const struct frag_piece *piece);
