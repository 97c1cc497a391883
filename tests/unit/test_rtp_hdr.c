// SPDX-License-Identifier: BSD-3-Clause
#include "rtp/rtp_hdr.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

// The check of a copy that is exactly as long as it says, so that a sanitizer sees a byte too far.
static enum rtp_kind check(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	memcpy(copy, p, len);
	enum rtp_kind kind = rtp_check(len == 0 ? copy + 1 : copy, (uint32_t)len);
	free(copy);
	return kind;
}

static uint16_t word(uint32_t bytes)
{
	return rte_cpu_to_be_16((uint16_t)(bytes / 4 - 1));
}

Test(rtp_hdr, first_byte_table)
{
	// RFC 7983 section 7: what each first byte is.
	for (unsigned b = 0; b < 256; b++) {
		uint8_t p[1500] = {(uint8_t)b};
		enum rtp_kind want = b <= 3                 ? RTP_KIND_OTHER // STUN
				     : b >= 16 && b <= 79   ? RTP_KIND_OTHER // ZRTP, DTLS, TURN
				     : b >= 128 && b <= 191 ? RTP_KIND_RTP
							    : RTP_KIND_VERSION;
		p[sizeof(p) - 1] = 1; // padding, where that bit is set
		cr_expect_eq(check(p, sizeof(p)), want, "first byte %u", b);
		p[1] = 0x80; // marker
		cr_expect_eq(check(p, sizeof(p)), want, "first byte %u with the marker", b);
	}
}

Test(rtp_hdr, second_byte_table)
{
	// RFC 5761 section 4: packet types 192 to 223 are RTCP's.
	for (unsigned b = 0; b < 256; b++) {
		uint8_t rtp[172] = {0x80, (uint8_t)b};
		rtp[3] = sizeof(rtp) / 4 - 1;
		enum rtp_kind want = b >= 192 && b <= 223 ? RTP_KIND_RTCP : RTP_KIND_RTP;
		cr_expect_eq(check(rtp, sizeof(rtp)), want, "second byte %u", b);
	}
}

Test(rtp_hdr, every_length_of_every_header)
{
	for (unsigned cc = 0; cc < 16; cc++) {
		for (int ext = -1; ext <= 3; ext++) {
			uint8_t p[200] = {(uint8_t)(0x80 | cc | (ext >= 0 ? RTP_EXTENSION : 0)), 0};
			uint32_t hdr = 12 + 4 * cc;
			if (ext >= 0) {
				p[hdr + 3] = (uint8_t)ext;
				hdr += 4 + 4 * (unsigned)ext;
			}
			for (uint32_t len = 0; len < hdr; len++)
				cr_expect_eq(check(p, len), RTP_KIND_TRUNCATED,
					     "cc %u ext %d len %u", cc, ext, len);
			cr_expect_eq(check(p, hdr), RTP_KIND_RTP);
			cr_expect_eq(check(p, hdr + 60), RTP_KIND_RTP);
			cr_expect_eq(rtp_hdr_len(p), hdr);
		}
	}
	uint8_t far[64] = {0x90, 0};
	far[14] = far[15] = 0xff;
	cr_expect_eq(check(far, sizeof(far)), RTP_KIND_TRUNCATED, "extension of 262140 bytes");
}

Test(rtp_hdr, padding_is_inside_the_payload)
{
	for (unsigned pad = 0; pad < 256; pad++) {
		uint8_t p[12 + 4 + 50] = {0x80 | RTP_PADDING | 1, 0};
		p[sizeof(p) - 1] = (uint8_t)pad;
		enum rtp_kind want = pad >= 1 && pad <= 50 ? RTP_KIND_RTP : RTP_KIND_TRUNCATED;
		cr_expect_eq(check(p, sizeof(p)), want, "padding %u", pad);
	}
	uint8_t bare[12] = {0x80 | RTP_PADDING, 0};
	bare[11] = 1; // last byte of the SSRC
	cr_expect_eq(check(bare, sizeof(bare)), RTP_KIND_TRUNCATED, "no room for padding");
}

// Appends an RTCP packet to p and returns the new length.
static size_t rtcp_add(uint8_t *p, size_t at, uint8_t type, uint8_t count, uint32_t bytes)
{
	uint16_t len = word(bytes);

	memset(p + at, 0, bytes);
	p[at] = (uint8_t)(0x80 | count);
	p[at + 1] = type;
	memcpy(p + at + 2, &len, 2);
	return at + bytes;
}

Test(rtp_hdr, rtcp_compound_at_every_length)
{
	uint8_t p[256];
	size_t edge[4] = {0};
	size_t n = rtcp_add(p, 0, RTCP_SR, 1, 52);

	edge[0] = n;
	edge[1] = n = rtcp_add(p, n, RTCP_SDES, 1, 28);
	edge[2] = n = rtcp_add(p, n, RTCP_BYE, 1, 8);
	for (size_t len = 0; len <= n; len++) {
		bool whole = len == edge[0] || len == edge[1] || len == edge[2];
		cr_expect_eq(check(p, len), whole ? RTP_KIND_RTCP : RTP_KIND_TRUNCATED,
			     "length %zu", len);
	}
	p[edge[0]] = 0x41; // version 1 in the second packet
	cr_expect_eq(check(p, n), RTP_KIND_VERSION);
}

Test(rtp_hdr, rtcp_counts_fit_lengths)
{
	const struct {
		uint8_t type, count;
		uint32_t least;
	} row[] = {
		{RTCP_SR, 0, 28},  {RTCP_SR, 1, 52},    {RTCP_SR, 31, 772}, {RTCP_RR, 0, 8},
		{RTCP_RR, 1, 32},  {RTCP_SDES, 1, 12},  {RTCP_BYE, 1, 8},   {RTCP_BYE, 3, 16},
		{RTCP_APP, 0, 12}, {RTCP_RTPFB, 1, 12}, {RTCP_PSFB, 1, 12}, {RTCP_XR, 0, 8},
		{192, 0, 8},       {223, 31, 8},
	};
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t p[1024];
		size_t n = rtcp_add(p, 0, row[i].type, row[i].count, row[i].least);
		cr_expect_eq(check(p, n), RTP_KIND_RTCP, "row %zu", i);
		n = rtcp_add(p, 0, row[i].type, row[i].count, row[i].least - 4);
		cr_expect_eq(check(p, n), RTP_KIND_TRUNCATED, "row %zu, a word less", i);
	}
}

Test(rtp_hdr, rtcp_padding_is_the_last_packets)
{
	uint8_t p[64];
	size_t n = rtcp_add(p, 0, RTCP_RR, 0, 16);

	p[0] |= RTP_PADDING;
	for (unsigned pad = 0; pad < 256; pad++) {
		p[n - 1] = (uint8_t)pad;
		bool good = pad == 4 || pad == 8;
		cr_expect_eq(check(p, n), good ? RTP_KIND_RTCP : RTP_KIND_TRUNCATED, "padding %u",
			     pad);
	}
	p[n - 1] = 4;
	n = rtcp_add(p, n, RTCP_BYE, 1, 8);
	cr_expect_eq(check(p, n), RTP_KIND_TRUNCATED, "padding before the last packet");
}

Test(rtp_hdr, random_bytes_stay_inside)
{
	uint32_t x = 1;

	for (int i = 0; i < 200000; i++) {
		uint8_t p[64];
		for (size_t j = 0; j < sizeof(p); j++) {
			x = x * 1664525 + 1013904223;
			p[j] = (uint8_t)(x >> 24);
		}
		size_t len = p[63] % 64;
		p[0] = (uint8_t)(0x80 | (p[0] & 0x3f));
		if (check(p, len) == RTP_KIND_RTP)
			cr_assert_leq(rtp_hdr_len(p), len);
	}
}
