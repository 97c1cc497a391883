// SPDX-License-Identifier: BSD-3-Clause
#include "ip/frag.h"
#include "ip/ip.h"
#include "ip/reasm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct rte_ipv4_hdr header(uint32_t total, uint16_t field)
{
	struct rte_ipv4_hdr h = {
		.version_ihl = 0x45,
		.type_of_service = 0xb8,
		.total_length = rte_cpu_to_be_16((uint16_t)total),
		.packet_id = RTE_BE16(0xbeef),
		.fragment_offset = rte_cpu_to_be_16(field),
		.time_to_live = 63,
		.next_proto_id = 17,
		.src_addr = RTE_BE32(0xc6336407),
		.dst_addr = RTE_BE32(0xc6120a01),
	};

	ip4_header_cksum_set(&h);
	return h;
}

// The pieces cover the payload once, in order, and their headers say so.
static void check_plan(uint32_t total, uint16_t mtu, uint16_t field)
{
	struct rte_ipv4_hdr ip = header(total, field), out;
	struct frag_piece piece[FRAG_PIECES_MAX * 16];
	int n = frag_plan(&ip, mtu, piece, sizeof(piece) / sizeof(piece[0]));
	uint32_t at = 0, base = (field & 0x1fffu) * 8;

	cr_assert_gt(n, 0, "total %u mtu %u: %d", total, mtu, n);
	cr_assert_eq(n == 1, total <= mtu);
	for (int i = 0; i < n; i++) {
		bool last = i == n - 1;
		cr_assert_eq(piece[i].offset, at);
		cr_assert_leq(20 + piece[i].len, mtu);
		cr_assert(last || (piece[i].len % 8 == 0 && piece[i].len + 20 + 8 > mtu));
		cr_assert_eq(piece[i].more, !last || field & 0x2000);
		frag_header(&out, &ip, &piece[i]);
		uint16_t f = rte_be_to_cpu_16(out.fragment_offset);
		cr_assert(ip4_header_ok(&out));
		cr_assert_eq(rte_be_to_cpu_16(out.total_length), 20 + piece[i].len);
		cr_assert_eq((f & 0x1fffu) * 8, base + at);
		cr_assert_eq(!!(f & 0x2000), piece[i].more);
		cr_assert_eq(f & 0xc000, 0, "DF and the reserved bit");
		cr_assert_eq(out.packet_id, ip.packet_id);
		cr_assert(out.src_addr == ip.src_addr && out.dst_addr == ip.dst_addr &&
			  out.time_to_live == 63 && out.next_proto_id == 17 &&
			  out.type_of_service == 0xb8);
		at += piece[i].len;
	}
	cr_assert_eq(at, total - 20);
}

Test(frag, every_length_at_every_mtu)
{
	const uint16_t mtu[] = {68, 69, 75, 76, 276, 576, 1400, 1438, 1500, 9000, 65535};

	for (size_t i = 0; i < sizeof(mtu) / sizeof(mtu[0]); i++) {
		for (uint32_t total = 20; total < 4000; total++)
			check_plan(total, mtu[i], 0);
		for (uint32_t total = 65500; total < 65536; total++)
			check_plan(total, mtu[i], 0);
	}
}

Test(frag, fragments_of_fragments)
{
	for (uint32_t total = 21; total < 3000; total += 3) {
		check_plan(total, 576, 100);
		check_plan((total & ~7u) + 20, 576, 0x2000 | 1000);
		check_plan((total & ~7u) + 20, 576, 0x2000);
		check_plan(total, 1400, 0x4000); // DF is the caller's business
	}
}

Test(frag, refusals)
{
	struct frag_piece piece[4];
	struct rte_ipv4_hdr ip = header(1500, 0);

	cr_expect_eq(frag_plan(&ip, 67, piece, 4), -EINVAL);
	cr_expect_eq(frag_plan(&ip, 0, piece, 4), -EINVAL);
	cr_expect_eq(frag_plan(&ip, 68, piece, 4), -ENOSPC);
	cr_expect_eq(frag_plan(&ip, 1500, piece, 0), -ENOSPC);
	cr_expect_eq(frag_plan(&ip, 576, piece, 3), 3);
	cr_expect_eq(frag_plan(&ip, 576, piece, 2), -ENOSPC);
	ip.version_ihl = 0x46;
	cr_expect_eq(frag_plan(&ip, 576, piece, 4), -ENOTSUP);
	ip = header(1500, 0x1fff);
	cr_expect_eq(frag_plan(&ip, 576, piece, 4), -EINVAL, "its offset would run into the flags");
	ip = header(1500, (65535 - 1500) / 8);
	cr_expect_eq(frag_plan(&ip, 576, piece, 4), 3);
	ip = header(1500, (65535 - 1500) / 8 + 1);
	cr_expect_eq(frag_plan(&ip, 576, piece, 4), -EINVAL);
	ip = header(19, 0);
	cr_expect_eq(frag_plan(&ip, 576, piece, 4), -EINVAL);
	struct frag_piece many[FRAG_PIECES_MAX];
	ip = header(65535, 0);
	cr_expect_gt(frag_plan(&ip, 576, many, FRAG_PIECES_MAX), 0, "FRAG_PIECES_MAX is enough");
}

Test(frag, header_in_place)
{
	struct frag_piece piece[4];
	struct rte_ipv4_hdr ip = header(1500, 0), apart;

	cr_assert_eq(frag_plan(&ip, 576, piece, 4), 3);
	frag_header(&apart, &ip, &piece[0]);
	frag_header(&ip, &ip, &piece[0]);
	cr_expect_eq(memcmp(&ip, &apart, sizeof(ip)), 0);
}

Test(frag, comes_back_whole_from_reassembly)
{
	struct reasm *r = reasm_create(4, REASM_HELD_MAX, 1000, 5);
	uint8_t packet[9000], whole[9000];

	for (uint32_t total = 577; total <= 8800; total += 13) {
		struct rte_ipv4_hdr ip = header(total, 0);
		struct frag_piece piece[REASM_FRAGS];
		struct reasm_out out;
		enum reasm_result got = REASM_HELD;
		memcpy(packet, &ip, 20);
		for (uint32_t i = 20; i < total; i++)
			packet[i] = (uint8_t)(i * 31 + total);
		int n = frag_plan(&ip, 576, piece, REASM_FRAGS);
		cr_assert_gt(n, 1);
		for (int i = n - 1; i >= 0; i--) {
			struct frag_entry e;
			uint8_t *p = malloc(20u + piece[i].len);
			frag_header(p, &ip, &piece[i]);
			memcpy(p + 20, packet + 20 + piece[i].offset, piece[i].len);
			cr_assert_eq(reasm_entry_init(&e, p, p, 20u + piece[i].len), 0);
			got = reasm_put(r, &e, total, &out);
			cr_assert_eq(got, i ? REASM_HELD : REASM_COMPLETE);
		}
		cr_assert_eq(reasm_write(&out, whole, sizeof(whole)), (int)total);
		cr_assert_eq(memcmp(whole, packet, total), 0, "header and all");
		for (uint16_t i = 0; i < out.n_frags; i++)
			free(out.frag[i].handle);
	}
	reasm_destroy(r, NULL, NULL);
}
