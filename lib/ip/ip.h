// SPDX-License-Identifier: BSD-3-Clause
// IPv4 and UDP checksums and ICMP errors, on headers as they lie in a packet.
//
// A checksum is a number in the byte order of the wire: 16-bit fields go in and come out as they
// are stored (RFC 1071 section 2 (B): the order of the bytes does not matter as long as it is the
// same).
#pragma once

#include <rte_ip.h>
#include <rte_udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Adds up to 16 bits with end-around carry: the upper half of a word and its rotation is the sum of its
// halves, with the carry of the lower half.
static inline uint16_t cksum_fold(uint64_t sum)
{
	uint32_t half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);

	return (uint16_t)((half + (half << 16 | half >> 16)) >> 16);
}

// Ones' complement sum of the 20 bytes of a header without options, neither folded nor inverted.
// Any alignment. It loads whole words: a header whose fields have just been stored one by one is
// better served by an incremental update.
static inline uint64_t ip4_header_sum(const struct rte_ipv4_hdr *ip)
{
	uint64_t a, b;
	uint32_t c;

	memcpy(&a, ip, 8);
	memcpy(&b, (const char *)ip + 8, 8);
	memcpy(&c, (const char *)ip + 16, 4);
	return (a >> 32) + (uint32_t)a + (b >> 32) + (uint32_t)b + c;
}

// The header checksum is right (RFC 1071: the sum with it is all ones).
static inline bool ip4_header_ok(const struct rte_ipv4_hdr *ip)
{
	return cksum_fold(ip4_header_sum(ip)) == 0xffff;
}

// The header checksum as it is to be written; what the field holds counts as 0.
static inline uint16_t ip4_header_cksum(const struct rte_ipv4_hdr *ip)
{
	return (uint16_t)~cksum_fold(ip4_header_sum(ip) + (uint16_t)~ip->hdr_checksum);
}

static inline void ip4_header_cksum_set(struct rte_ipv4_hdr *ip)
{
	ip->hdr_checksum = ip4_header_cksum(ip);
}

// ---- incremental update, RFC 1624 equation 3: HC' = ~(~HC + ~m + m') ----

// What the change of a field adds. The diffs of several fields are added up, then applied once.
static inline uint64_t cksum_diff16(uint16_t old, uint16_t new)
{
	return (uint64_t)(uint16_t)~old + new;
}

static inline uint64_t cksum_diff32(uint32_t old, uint32_t new)
{
	return (uint64_t)(uint32_t)~old + new;
}

// A header checksum after changes.
static inline uint16_t cksum_apply(uint16_t cksum, uint64_t diff)
{
	return (uint16_t)~cksum_fold((uint64_t)(uint16_t)~cksum + diff);
}

// A UDP checksum after changes: 0 (none, RFC 768) stays, and a sum of 0 is sent as 0xffff.
static inline uint16_t udp_cksum_apply(uint16_t cksum, uint64_t diff)
{
	uint16_t next = cksum_apply(cksum, diff);

	next = next == 0 ? 0xffff : next;
	return cksum == 0 ? 0 : next;
}

// A header checksum after the change of one field.
static inline uint16_t cksum_adjust16(uint16_t cksum, uint16_t old, uint16_t new)
{
	return cksum_apply(cksum, cksum_diff16(old, new));
}

static inline uint16_t cksum_adjust32(uint16_t cksum, uint32_t old, uint32_t new)
{
	return cksum_apply(cksum, cksum_diff32(old, new));
}

// The two below know where a byte lies in its 16-bit word.
_Static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "little-endian");

// Writes tos with the header checksum brought up to date.
static inline void ip4_tos_set(struct rte_ipv4_hdr *ip, uint8_t tos)
{
	uint16_t old = (uint16_t)(ip->version_ihl | ip->type_of_service << 8);
	uint16_t new = (uint16_t)(ip->version_ihl | tos << 8);

	ip->type_of_service = tos;
	ip->hdr_checksum = cksum_adjust16(ip->hdr_checksum, old, new);
}

// Takes one off a TTL that is not 0, with the header checksum.
static inline void ip4_ttl_dec(struct rte_ipv4_hdr *ip)
{
	uint16_t old = (uint16_t)(ip->time_to_live | ip->next_proto_id << 8);

	ip->time_to_live--;
	ip->hdr_checksum = cksum_adjust16(ip->hdr_checksum, old, (uint16_t)(old - 1));
}

// ---- whole sums ----

// Ones' complement sum of len bytes, added to sum, not folded; an odd last byte is padded with
// zero. Only the last of several pieces may have an odd length.
uint64_t cksum_add(uint64_t sum, const void *data, size_t len);

// UDP checksum over pseudo-header, header and data, as it is to be written (never 0); the checksum
// field counts as 0. len is UDP header and data in bytes (at least 8), all readable at udp.
uint16_t udp4_cksum(const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp, uint16_t len);

// The UDP checksum is right, or there is none. len as above.
bool udp4_cksum_ok(const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp, uint16_t len);

// ---- ICMP errors ----

#define ICMP_ERROR_MAX 576 // RFC 1812 section 4.3.2.3: the whole error, with its IPv4 header

enum icmp_refusal {
	ICMP_SHORT = -1,       // no whole IPv4 header, or no room in out
	ICMP_FRAGMENT = -2,    // not the first fragment
	ICMP_ABOUT_ICMP = -3,  // offending packet is an ICMP error, or ICMP cut before its type
	ICMP_SOURCE = -4,      // its source is no single host
	ICMP_DESTINATION = -5, // its destination is no single host
};

// Builds an ICMP error (IPv4 header included) about a packet, as it arrived, in out. Quotes as
// much of it as fits in ICMP_ERROR_MAX and cap. ip, len: the offending packet from its IPv4
// header, and how much of it there is. mtu: host order, for type 3 code 4 (RFC 1191), else 0.
// src: own address, network order. Precedence is 6 (RFC 1812 section 4.3.2.5), TTL 64. Returns
// the length, or an icmp_refusal (RFC 1812 section 4.3.2.7).
int icmp_error_build(uint8_t *out, size_t cap, const uint8_t *ip, size_t len, uint8_t type,
		     uint8_t code, uint16_t mtu, rte_be32_t src);
