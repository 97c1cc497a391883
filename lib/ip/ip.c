// SPDX-License-Identifier: BSD-3-Clause
#include "ip.h"

typedef uint64_t lanes4 __attribute__((vector_size(32)));

static inline uint64_t load_raw64(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
	return w;
}

static inline uint64_t halves(uint64_t w)
{
	return (w & 0xffffffff) + (w >> 32);
}

// Words of 32 bits are added in lanes of 64, where no carry is lost.
uint64_t cksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data, *end = p + len;
	lanes4 low = {0}, high = {0}, w;
	uint64_t last = 0;

	for (size_t n = len / 32; n != 0; n--, p += 32) {
		memcpy(&w, p, sizeof(w));
		low += w & 0xffffffff;
		high += w >> 32;
	}
	low += high;
	sum += low[0] + low[1] + low[2] + low[3];
	for (size_t n = len / 8 % 4; n != 0; n--, p += 8)
		sum += halves(load_raw64(p));
	if (len % 8 == 0)
		return sum;
	if (len >= 8)
		last = load_raw64(end - 8) >> (64 - len % 8 * 8);
	else
		memcpy(&last, p, len);
	return sum + halves(last);
}

// All but the checksum field. The header is loaded field by field: its length may just have been stored, and a load of
// more than what was stored has to wait.
static inline uint64_t udp4_sum(const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp,
				uint16_t len)
{
	uint64_t sum = (uint64_t)ip->src_addr + ip->dst_addr;

	sum += rte_cpu_to_be_16(IPPROTO_UDP);
	sum += rte_cpu_to_be_16(len);
	sum += (uint64_t)udp->src_port + udp->dst_port + udp->dgram_len;
	return cksum_add(sum, udp + 1, len - sizeof(*udp));
}

uint16_t udp4_cksum(const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp, uint16_t len)
{
	uint16_t cksum = (uint16_t)~cksum_fold(udp4_sum(ip, udp, len));

	return cksum == 0 ? 0xffff : cksum;
}

bool udp4_cksum_ok(const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp, uint16_t len)
{
	return udp->dgram_cksum == 0 ||
	       cksum_fold(udp4_sum(ip, udp, len) + udp->dgram_cksum) == 0xffff;
}

static bool icmp_is_error(uint8_t type)
{
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

// Whether RFC 1812 section 4.3.2.7 lets us answer; 0 or the reason why not.
static int icmp_may_answer(const uint8_t *ip, size_t len)
{
	struct rte_ipv4_hdr h;

	if (len < sizeof(h))
		return ICMP_SHORT;
	memcpy(&h, ip, sizeof(h));
	size_t hdr = (h.version_ihl & 0x0f) * 4u;
	if (h.version_ihl >> 4 != 4 || hdr < sizeof(h) || len < hdr)
		return ICMP_SHORT;
	if (h.fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
		return ICMP_FRAGMENT;
	if (h.next_proto_id == IPPROTO_ICMP && (len == hdr || icmp_is_error(ip[hdr])))
		return ICMP_ABOUT_ICMP;
	uint32_t src = rte_be_to_cpu_32(h.src_addr) >> 24;
	uint32_t dst = rte_be_to_cpu_32(h.dst_addr) >> 24;
	if (src == 0 || src == 127 || src >= 224)
		return ICMP_SOURCE;
	if (dst == 0 || dst >= 224)
		return ICMP_DESTINATION;
	return 0;
}

int icmp_error_build(uint8_t *out, size_t cap, const uint8_t *ip, size_t len, uint8_t type,
		     uint8_t code, uint16_t mtu, rte_be32_t src)
{
	struct rte_ipv4_hdr h = {.version_ihl = 0x45, .type_of_service = 0xc0};
	uint8_t icmp[8] = {type, code};
	const size_t head = sizeof(h) + sizeof(icmp);
	int why = icmp_may_answer(ip, len);

	if (why != 0)
		return why;
	size_t quoted = len;
	size_t total = ((size_t)ip[2] << 8) | ip[3];
	if (quoted > total && total >= sizeof(h)) // trailing bytes that are not the packet's
		quoted = total;
	if (quoted > ICMP_ERROR_MAX - head)
		quoted = ICMP_ERROR_MAX - head;
	// At least the header and 8 bytes of the packet, if it has them.
	size_t least = (ip[0] & 0x0f) * 4u + 8;
	if (cap < head + (quoted < least ? quoted : least))
		return ICMP_SHORT;
	if (quoted > cap - head)
		quoted = cap - head;
	total = head + quoted;

	icmp[6] = (uint8_t)(mtu >> 8);
	icmp[7] = (uint8_t)mtu;
	memmove(out + head, ip, quoted); // out may lie in front of the packet, in the same buffer
	uint64_t sum = cksum_add(cksum_add(0, icmp, sizeof(icmp)), out + head, quoted);
	uint16_t cksum = (uint16_t)~cksum_fold(sum);
	memcpy(icmp + 2, &cksum, sizeof(cksum));

	memcpy(&h.dst_addr, out + head + offsetof(struct rte_ipv4_hdr, src_addr),
	       sizeof(h.dst_addr));
	h.src_addr = src;
	h.total_length = rte_cpu_to_be_16((uint16_t)total);
	h.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG); // atomic, so its id may be 0 (RFC 6864)
	h.time_to_live = 64;
	h.next_proto_id = IPPROTO_ICMP;
	ip4_header_cksum_set(&h);
	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), icmp, sizeof(icmp));
	return (int)total;
}
