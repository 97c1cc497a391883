// SPDX-License-Identifier: BSD-3-Clause
// RTP and RTCP headers (RFC 3550) and what a packet on a media port is (RFC 7983, RFC 5761).
#pragma once

#include <rte_byteorder.h>
#include <stdbool.h>
#include <stdint.h>

struct rtp_hdr {
	uint8_t vpxcc; // version 2, P, X, CSRC count
	uint8_t mpt;   // M, payload type
	rte_be16_t seq;
	rte_be32_t ts;
	rte_be32_t ssrc;
} __attribute__((packed));

struct rtcp_hdr {
	uint8_t vprc;   // version 2, P, report or source count
	uint8_t type;   // 192..223
	rte_be16_t len; // 32-bit words less one
	rte_be32_t ssrc;
} __attribute__((packed));

_Static_assert(sizeof(struct rtp_hdr) == 12 && sizeof(struct rtcp_hdr) == 8, "as on the wire");

enum rtcp_type {
	RTCP_SR = 200,
	RTCP_RR = 201,
	RTCP_SDES = 202,
	RTCP_BYE = 203,
	RTCP_APP = 204,
	RTCP_RTPFB = 205, // RFC 4585
	RTCP_PSFB = 206,
	RTCP_XR = 207, // RFC 3611
};

#define RTP_PADDING 0x20
#define RTP_EXTENSION 0x10

enum rtp_kind {
	RTP_KIND_RTP,       // valid RTP
	RTP_KIND_RTCP,      // valid RTCP
	RTP_KIND_VERSION,   // by its first byte no known protocol: drop rtp-version
	RTP_KIND_TRUNCATED, // shorter than it says, or its lengths contradict: drop rtp-truncated
	RTP_KIND_OTHER,     // STUN, ZRTP, DTLS or TURN: drop rtp-other
};

// RFC 5761 section 4: payload types 64..95 with the marker are RTCP's packet types.
static inline bool rtp_is_rtcp(uint8_t second_byte)
{
	return (second_byte & 0xe0) == 0xc0;
}

// The whole check of anything but a plain RTP packet; see rtp_check.
enum rtp_kind rtp_check_slow(const uint8_t *p, uint32_t len);

// A UDP payload of len bytes (may be 0) on a media port: what it is, with every length inside it
// checked (RTP: CSRC list, extension, padding; RTCP: each packet of the compound, RFC 3550 A.2
// relaxed by RFC 5506). For plain RTP and RTCP: with SRTP, padding and RTCP bodies are encrypted.
static inline enum rtp_kind rtp_check(const uint8_t *p, uint32_t len)
{
	if (__builtin_expect(len >= sizeof(struct rtp_hdr) && p[0] == 0x80 && !rtp_is_rtcp(p[1]),
			     1))
		return RTP_KIND_RTP;
	return rtp_check_slow(p, len);
}

// Bytes of header (with CSRC list and extension) of a packet that rtp_check called RTP.
static inline uint32_t rtp_hdr_len(const uint8_t *p)
{
	uint32_t len = 12u + 4u * (p[0] & 0x0f);

	if (p[0] & RTP_EXTENSION)
		len += 4u + 4u * ((uint32_t)p[len + 2] << 8 | p[len + 3]);
	return len;
}
