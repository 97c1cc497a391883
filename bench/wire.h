// SPDX-License-Identifier: BSD-3-Clause
// What the bench's packets carry: RTP, then the flow's number and the packet's, then bytes that follow from
// both, so that the sink knows every byte that has to come.
#pragma once

#include "esp/sa.h"
#include "rtp/rtp_hdr.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

struct mark {
	uint32_t flow;
	uint32_t number;
} __attribute__((packed));

#define INNER_HEAD \
	(sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr) + sizeof(struct rtp_hdr))
#define INNER_MIN (INNER_HEAD + sizeof(struct mark))
#define FILLER_SPAN 1024

// The bytes behind the mark; at least 2048 of them are readable.
const uint8_t *filler(uint32_t flow, uint32_t number);

// How far behind the start of the frame the inner packet lies: Ethernet and what the tunnel puts
// in front.
static inline uint32_t tunnel_head(const struct sa_out *sa)
{
	return (uint32_t)sa->outer_len + 8 + sa->iv_len;
}
