// SPDX-License-Identifier: BSD-3-Clause
#include "path_mtu.h"

#include <netinet/in.h>
#include <string.h>

#define ICMP_HEAD 8
#define UDP_HEAD 8
#define IP_HEAD_MIN 20

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

// Length of the IPv4 header at p; 0: there is none.
static size_t head_len(const uint8_t *p, size_t len)
{
	size_t head = len >= IP_HEAD_MIN ? (p[0] & 15) * 4u : 0;

	return head >= IP_HEAD_MIN && head <= len && p[0] >> 4 == 4 ? head : 0;
}

bool path_mtu_read(const uint8_t *p, size_t len, struct path_mtu *out)
{
	size_t head = head_len(p, len);

	*out = (struct path_mtu){0};
	if (head == 0 || p[9] != IPPROTO_ICMP || len - head < ICMP_HEAD || p[head] != 3 ||
	    p[head + 1] != 4)
		return false;
	out->mtu = be16(p + head + 6); // 0: of a router from before RFC 1191
	const uint8_t *q = p + head + ICMP_HEAD;
	len -= head + ICMP_HEAD;
	head = head_len(q, len);
	if (out->mtu == 0 || head == 0 || (be16(q + 6) & 0x1fff) != 0)
		return false;
	memcpy(&out->src, q + 12, 4);
	memcpy(&out->dst, q + 16, 4);
	uint8_t proto = q[9];
	q += head;
	len -= head;
	if (proto == IPPROTO_UDP && len >= UDP_HEAD) {
		out->sport = be16(q);
		out->dport = be16(q + 2);
		q += UDP_HEAD;
		len -= UDP_HEAD;
	} else if (proto != IPPROTO_ESP) {
		return false;
	}
	if (len < 4)
		return false;
	out->spi = be32(q);
	return out->spi != 0; // 0: IKE in UDP 4500
}
