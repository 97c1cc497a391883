// SPDX-License-Identifier: BSD-3-Clause
#include "ip/ip.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SELF RTE_BE32(0xc6120a01)

// A UDP packet from 198.51.100.7 to 203.0.113.9 of total bytes.
static void offender_make(uint8_t *p, uint16_t total)
{
	struct rte_ipv4_hdr h = {
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16(total),
		.packet_id = RTE_BE16(0x1234),
		.time_to_live = 60,
		.next_proto_id = 17,
		.src_addr = RTE_BE32(0xc6336407),
		.dst_addr = RTE_BE32(0xcb007109),
	};
	ip4_header_cksum_set(&h);
	for (int i = 20; i < total; i++)
		p[i] = (uint8_t)(i * 7);
	memcpy(p, &h, sizeof(h));
}

Test(icmp, what_it_looks_like)
{
	uint8_t p[1500], out[600];

	for (uint16_t total = 20; total <= 1500; total++) {
		offender_make(p, total);
		int n = icmp_error_build(out, sizeof(out), p, total, 3, 4, 1400, SELF);
		int quoted = total > 548 ? 548 : total;
		cr_assert_eq(n, 28 + quoted, "%u bytes", total);
		const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)out;
		cr_assert(ip4_header_ok(ip));
		cr_assert_eq(rte_be_to_cpu_16(ip->total_length), n);
		cr_assert_eq(ip->version_ihl, 0x45);
		cr_assert_eq(ip->next_proto_id, 1);
		cr_assert_eq(ip->type_of_service, 0xc0);
		cr_assert_eq(ip->time_to_live, 64);
		cr_assert_eq(ip->src_addr, SELF);
		cr_assert_eq(ip->dst_addr, RTE_BE32(0xc6336407));
		cr_assert_eq(out[20], 3);
		cr_assert_eq(out[21], 4);
		cr_assert(out[24] == 0 && out[25] == 0);
		cr_assert_eq(out[26] << 8 | out[27], 1400);
		cr_assert_arr_eq(out + 28, p, (size_t)quoted);
		cr_assert_eq(cksum_fold(cksum_add(0, out + 20, (size_t)n - 20)), 0xffff);
	}
}

Test(icmp, trailing_bytes_are_not_quoted)
{
	uint8_t p[100] = {0}, out[600];

	offender_make(p, 40);
	cr_expect_eq(icmp_error_build(out, sizeof(out), p, 100, 11, 0, 0, SELF), 28 + 40);
	cr_expect_eq(icmp_error_build(out, sizeof(out), p, 30, 11, 0, 0, SELF), 28 + 30);
}

Test(icmp, output_may_lie_in_front_of_the_packet)
{
	uint8_t buf[700], p[600], out[600];

	offender_make(p, 600);
	int n = icmp_error_build(out, sizeof(out), p, 600, 3, 1, 0, SELF);
	for (size_t room = 0; room <= 28; room += 4) {
		memcpy(buf + room, p, 600);
		cr_assert_eq(icmp_error_build(buf, sizeof(buf), buf + room, 600, 3, 1, 0, SELF), n);
		cr_assert_arr_eq(buf, out, (size_t)n);
	}
}

Test(icmp, never_about_these)
{
	const struct {
		const char *what;
		uint8_t at, value[4], n;
		int why;
	} row[] = {
		{"later fragment", 6, {0, 1}, 2, ICMP_FRAGMENT},
		{"last fragment", 6, {0x1f, 0xff}, 2, ICMP_FRAGMENT},
		{"first fragment", 6, {0x20, 0}, 2, 0},
		{"DF", 6, {0x40, 0}, 2, 0},
		{"source 0.0.0.0", 12, {0, 0, 0, 0}, 4, ICMP_SOURCE},
		{"source 0.1.2.3", 12, {0, 1, 2, 3}, 4, ICMP_SOURCE},
		{"source loopback", 12, {127, 0, 0, 1}, 4, ICMP_SOURCE},
		{"source multicast", 12, {224, 0, 0, 5}, 4, ICMP_SOURCE},
		{"source class E", 12, {240, 0, 0, 1}, 4, ICMP_SOURCE},
		{"source broadcast", 12, {255, 255, 255, 255}, 4, ICMP_SOURCE},
		{"source unicast", 12, {223, 255, 255, 255}, 4, 0},
		{"to multicast", 16, {239, 1, 2, 3}, 4, ICMP_DESTINATION},
		{"to broadcast", 16, {255, 255, 255, 255}, 4, ICMP_DESTINATION},
		{"to 0.0.0.0", 16, {0, 0, 0, 0}, 4, ICMP_DESTINATION},
		{"version 6", 0, {0x65}, 1, ICMP_SHORT},
		{"header of 16 bytes", 0, {0x44}, 1, ICMP_SHORT},
		{"header longer than the packet", 0, {0x4f}, 1, ICMP_SHORT},
	};
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t p[48], out[600];
		offender_make(p, sizeof(p));
		memcpy(p + row[i].at, row[i].value, row[i].n);
		int n = icmp_error_build(out, sizeof(out), p, sizeof(p), 3, 1, 0, SELF);
		cr_expect_eq(n, row[i].why ? row[i].why : 28 + 48, "%s: %d", row[i].what, n);
	}
}

Test(icmp, never_about_icmp_errors)
{
	for (unsigned type = 0; type < 256; type++) {
		uint8_t p[48], out[600];
		offender_make(p, sizeof(p));
		p[9] = 1;
		p[20] = (uint8_t)type;
		bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
		int n = icmp_error_build(out, sizeof(out), p, sizeof(p), 11, 0, 0, SELF);
		cr_expect_eq(n, error ? ICMP_ABOUT_ICMP : 28 + 48, "type %u", type);
		n = icmp_error_build(out, sizeof(out), p, 20, 11, 0, 0, SELF);
		cr_expect_eq(n, ICMP_ABOUT_ICMP, "type not there to be seen");
	}
}

Test(icmp, every_length_and_every_room)
{
	uint8_t whole[64];

	offender_make(whole, sizeof(whole));
	for (size_t len = 0; len <= sizeof(whole); len++) {
		uint8_t *p = malloc(len == 0 ? 1 : len);
		memcpy(p, whole, len);
		for (size_t cap = 0; cap <= 120; cap++) {
			uint8_t *out = malloc(cap == 0 ? 1 : cap);
			int n = icmp_error_build(out, cap, p, len, 3, 1, 0, SELF);
			size_t least = len < 28 ? len : 28;
			if (len < 20 || cap < 28 + least)
				cr_assert_eq(n, ICMP_SHORT, "len %zu cap %zu: %d", len, cap, n);
			else
				cr_assert_eq((size_t)n, len < cap - 28 ? 28 + len : cap,
					     "len %zu cap %zu: %d", len, cap, n);
			free(out);
		}
		free(p);
	}
}
