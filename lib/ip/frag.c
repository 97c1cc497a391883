// SPDX-License-Identifier: BSD-3-Clause
#include "frag.h"

#include "ip.h"

#include <errno.h>
#include <string.h>

int frag_plan(const struct rte_ipv4_hdr *ip, uint16_t mtu, struct frag_piece *piece, unsigned max)
{
	uint32_t total = rte_be_to_cpu_16(ip->total_length);
	bool more_after = ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG);

	if (ip->version_ihl != 0x45)
		return -ENOTSUP;
	if (mtu < FRAG_MTU_MIN || total < sizeof(*ip))
		return -EINVAL;
	uint32_t base = rte_be_to_cpu_16(ip->fragment_offset) & RTE_IPV4_HDR_OFFSET_MASK;
	if (base * RTE_IPV4_HDR_OFFSET_UNITS + total > RTE_IPV4_MAX_PKT_LEN)
		return -EINVAL;
	uint32_t left = total - (uint32_t)sizeof(*ip);
	uint32_t room = total <= mtu ? left : (mtu - (uint32_t)sizeof(*ip)) & ~7u;
	uint32_t at = 0;
	unsigned n = 0;

	do {
		uint32_t len = left < room ? left : room;
		if (n == max)
			return -ENOSPC;
		left -= len;
		piece[n++] = (struct frag_piece){(uint16_t)at, (uint16_t)len, left > 0};
		at += len;
	} while (left > 0);
	piece[n - 1].more = more_after;
	return (int)n;
}

void frag_header(void *out, const struct rte_ipv4_hdr *ip, const struct frag_piece *piece)
{
	struct rte_ipv4_hdr h = *ip;
	uint16_t offset = rte_be_to_cpu_16(h.fragment_offset) & RTE_IPV4_HDR_OFFSET_MASK;

	offset = (uint16_t)(offset + piece->offset / RTE_IPV4_HDR_OFFSET_UNITS);
	if (piece->more)
		offset |= RTE_IPV4_HDR_MF_FLAG;
	h.fragment_offset = rte_cpu_to_be_16(offset);
	h.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(h) + piece->len));
	ip4_header_cksum_set(&h);
	memcpy(out, &h, sizeof(h));
}
