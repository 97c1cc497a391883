// SPDX-License-Identifier: BSD-3-Clause
#include "ip/ip.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint64_t rng_state = 0x2545f4914f6cdd1dULL;

static uint32_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 16);
}

static void fill(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)rng();
}

// RFC 1071, byte by byte, as a number in host order.
static uint16_t naive(const void *data, size_t n, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

Test(ip, header_checksum_agrees_with_rfc1071)
{
	uint8_t buf[32];

	for (int i = 0; i < 100000; i++) {
		fill(buf, sizeof(buf));
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(buf + i % 8); // any alignment
		ip->hdr_checksum = 0;
		uint16_t want = naive(ip, 20, 0);
		fill(&ip->hdr_checksum, 2);
		cr_assert_eq(ip4_header_cksum(ip), rte_cpu_to_be_16(want));
		ip4_header_cksum_set(ip);
		cr_assert_eq(ip->hdr_checksum, rte_cpu_to_be_16(want));
		cr_assert(ip4_header_ok(ip));
	}
}

Test(ip, header_checksum_sees_every_bit)
{
	// The example of RFC 1071's many descendants, with its known sum 0xb861.
	uint8_t h[20] = {0x45, 0,    0,    0x73, 0, 0, 0x40, 0,    0x40, 0x11,
			 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7};
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)h;

	cr_expect(ip4_header_ok(ip));
	for (int bit = 0; bit < 160; bit++) {
		h[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_expect_not(ip4_header_ok(ip), "bit %d", bit);
		h[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	memset(h, 0, sizeof(h));
	cr_expect_not(ip4_header_ok(ip), "all zeroes");
	memset(h, 0xff, sizeof(h));
	cr_expect(ip4_header_ok(ip), "all ones add up");
}

Test(ip, incremental_update_rfc1624)
{
	// Section 4's example, where RFC 1141's method fails.
	cr_expect_eq(cksum_adjust16(0xdd2f, 0x5555, 0x3285), 0x0000);

	for (int i = 0; i < 200000; i++) {
		struct rte_ipv4_hdr ip, was;
		fill(&ip, sizeof(ip));
		ip.version_ihl = 0x45; // a sum of all zeroes does not happen
		ip4_header_cksum_set(&ip);
		was = ip;
		uint64_t diff = cksum_diff32(ip.src_addr, rng());
		ip.src_addr = (uint32_t)(diff - (uint32_t)~was.src_addr);
		diff += cksum_diff16(ip.total_length, (uint16_t)rng());
		ip.total_length = (uint16_t)(diff - (uint32_t)~was.src_addr - ip.src_addr -
					     (uint16_t)~was.total_length);
		ip.hdr_checksum = cksum_apply(ip.hdr_checksum, diff);
		cr_assert_eq(ip.hdr_checksum, ip4_header_cksum(&ip));
		cr_assert(ip4_header_ok(&ip));
	}
}

Test(ip, incremental_update_corners)
{
	const uint16_t edge[] = {0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff};

	for (size_t a = 0; a < 6; a++)
		for (size_t b = 0; b < 6; b++)
			for (uint32_t rest = 1; rest < 0x10000; rest += 7) {
				// One word is rest, the other goes from a to b.
				uint16_t w[2] = {(uint16_t)rest, edge[a]};
				uint16_t sum = naive(w, 4, 0);
				w[1] = edge[b];
				uint16_t want = naive(w, 4, 0);
				uint16_t got = rte_be_to_cpu_16(
					cksum_adjust16(rte_cpu_to_be_16(sum), edge[a], edge[b]));
				cr_assert_eq(got, want, "%04x: %04x to %04x", rest, edge[a],
					     edge[b]);
			}
	// 32-bit fields, and several changes at once.
	for (int i = 0; i < 100000; i++) {
		uint32_t w[3] = {rng() | 1, rng(), rng()}, v[3] = {w[0], rng(), rng()};
		if (i % 5 == 0)
			v[1] = i % 10 ? 0 : 0xffffffff;
		uint16_t sum = rte_cpu_to_be_16(naive(w, 12, 0));
		uint16_t want = rte_cpu_to_be_16(naive(v, 12, 0));
		cr_assert_eq(cksum_adjust32(cksum_adjust32(sum, w[1], v[1]), w[2], v[2]), want);
		uint64_t diff = cksum_diff32(w[1], v[1]) + cksum_diff32(w[2], v[2]);
		cr_assert_eq(cksum_apply(sum, diff), want);
	}
}

Test(ip, tos_and_ttl)
{
	for (int i = 0; i < 100000; i++) {
		struct rte_ipv4_hdr ip, was;
		fill(&ip, sizeof(ip));
		ip.version_ihl = 0x45;
		ip.time_to_live |= (uint8_t)(1 << i % 8);
		ip4_header_cksum_set(&ip);
		was = ip;
		uint8_t tos = (uint8_t)rng();
		ip4_tos_set(&ip, tos);
		ip4_ttl_dec(&ip);
		cr_assert(ip4_header_ok(&ip));
		cr_assert_eq(ip.type_of_service, tos);
		cr_assert_eq(ip.time_to_live, was.time_to_live - 1);
		ip.type_of_service = was.type_of_service;
		ip.time_to_live = was.time_to_live;
		ip.hdr_checksum = was.hdr_checksum;
		cr_assert_arr_eq(&ip, &was, sizeof(ip), "nothing else changed");
	}
}

// A UDP packet with n bytes of payload in exactly as much memory.
static uint8_t *udp_make(size_t n, struct rte_ipv4_hdr **ip, struct rte_udp_hdr **udp)
{
	uint8_t *p = malloc(28 + n);

	fill(p, 28 + n);
	*ip = (struct rte_ipv4_hdr *)p;
	*udp = (struct rte_udp_hdr *)(p + 20);
	(*udp)->dgram_len = rte_cpu_to_be_16((uint16_t)(8 + n));
	return p;
}

static uint16_t udp_naive(const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp, size_t len)
{
	uint8_t *p = calloc(1, 12 + len);

	memcpy(p, &ip->src_addr, 8);
	p[9] = 17;
	p[10] = (uint8_t)(len >> 8);
	p[11] = (uint8_t)len;
	memcpy(p + 12, udp, len);
	memset(p + 12 + 6, 0, 2);
	uint16_t sum = naive(p, 12 + len, 0);
	free(p);
	return sum == 0 ? 0xffff : sum;
}

Test(ip, udp_checksum_of_every_length)
{
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *udp;

	for (size_t n = 0; n < 1600; n++) {
		uint8_t *p = udp_make(n, &ip, &udp);
		uint16_t len = (uint16_t)(8 + n);
		uint16_t want = rte_cpu_to_be_16(udp_naive(ip, udp, len));
		cr_assert_eq(udp4_cksum(ip, udp, len), want, "%zu bytes", n);
		udp->dgram_cksum = want;
		cr_assert(udp4_cksum_ok(ip, udp, len));
		p[20 + rng() % 4] ^= 0x10; // a port
		cr_assert_not(udp4_cksum_ok(ip, udp, len));
		udp->dgram_cksum = 0;
		cr_assert(udp4_cksum_ok(ip, udp, len), "none is not wrong");
		free(p);
	}
	uint8_t *p = udp_make(65507, &ip, &udp);
	memset(p, 0xff, 28 + 65507);
	uint16_t want = rte_cpu_to_be_16(udp_naive(ip, udp, 65515));
	cr_expect_eq(udp4_cksum(ip, udp, 65515), want);
	free(p);
}

Test(ip, udp_checksum_through_a_rewrite)
{
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *udp;
	unsigned zero = 0;

	for (int i = 0; i < 300000; i++) {
		uint8_t *p = udp_make(2, &ip, &udp);
		if (i % 3 == 0) // make the new sum come out as zero
			memset(p, 0, 30);
		udp->dgram_cksum = udp4_cksum(ip, udp, 10);
		uint32_t src = i % 3 ? rng() : 0;
		uint16_t port = i % 3 ? (uint16_t)rng() : (uint16_t)~rte_cpu_to_be_16(17 + 10);
		uint64_t diff = cksum_diff32(ip->src_addr, src);
		diff += cksum_diff16(udp->dst_port, port);
		ip->src_addr = src;
		udp->dst_port = port;
		uint16_t want = udp4_cksum(ip, udp, 10);
		zero += want == 0xffff;
		cr_assert_eq(udp_cksum_apply(udp->dgram_cksum, diff), want);
		cr_assert_eq(udp_cksum_apply(0, diff), 0, "no checksum stays none");
		free(p);
	}
	cr_expect_gt(zero, 1000, "the corner was met");
}
