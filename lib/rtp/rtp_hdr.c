// SPDX-License-Identifier: BSD-3-Clause
#include "rtp_hdr.h"

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static enum rtp_kind rtp_check_lengths(const uint8_t *p, uint32_t len)
{
	uint32_t need = 12u + 4u * (p[0] & 0x0f);

	if (len < need)
		return RTP_KIND_TRUNCATED;
	if (p[0] & RTP_EXTENSION) {
		if (len < need + 4)
			return RTP_KIND_TRUNCATED;
		need += 4 + 4 * be16(p + need + 2);
		if (len < need)
			return RTP_KIND_TRUNCATED;
	}
	if (p[0] & RTP_PADDING) {
		uint32_t padding = p[len - 1];
		if (padding == 0 || padding > len - need)
			return RTP_KIND_TRUNCATED;
	}
	return RTP_KIND_RTP;
}

// The least that a packet of this type and count has, in bytes.
static uint32_t rtcp_least(uint8_t type, uint32_t count)
{
	switch (type) {
	case RTCP_SR:
		return 28 + 24 * count;
	case RTCP_RR:
		return 8 + 24 * count;
	case RTCP_SDES: // a chunk is at least an SSRC and its end
		return 4 + 8 * count;
	case RTCP_BYE:
		return 4 + 4 * count;
	case RTCP_APP:
	case RTCP_RTPFB:
	case RTCP_PSFB:
		return 12;
	default:
		return 4;
	}
}

static enum rtp_kind rtcp_check(const uint8_t *p, uint32_t len)
{
	uint32_t at = 0;

	if (len < sizeof(struct rtcp_hdr))
		return RTP_KIND_TRUNCATED;
	do {
		const uint8_t *h = p + at;
		uint32_t left = len - at;

		if (left < 4)
			return RTP_KIND_TRUNCATED;
		if ((h[0] & 0xc0) != 0x80)
			return RTP_KIND_VERSION;
		uint32_t size = 4 * (be16(h + 2) + 1);
		uint32_t least = rtcp_least(h[1], h[0] & 0x1f);
		if (size > left || size < least)
			return RTP_KIND_TRUNCATED;
		if (h[0] & RTP_PADDING) { // RFC 3550 section 6.4.1: the last one only, in words
			uint32_t padding = h[size - 1];
			if (size != left || padding == 0 || padding % 4 != 0 ||
			    padding > size - least)
				return RTP_KIND_TRUNCATED;
		}
		at += size;
	} while (at < len);
	return RTP_KIND_RTCP;
}

enum rtp_kind rtp_check_slow(const uint8_t *p, uint32_t len)
{
	if (len == 0)
		return RTP_KIND_TRUNCATED;
	// RFC 7983 section 7.
	if (p[0] <= 3 || (p[0] >= 16 && p[0] <= 79))
		return RTP_KIND_OTHER;
	if (p[0] < 128 || p[0] > 191)
		return RTP_KIND_VERSION;
	if (len < 2)
		return RTP_KIND_TRUNCATED;
	if (rtp_is_rtcp(p[1]))
		return rtcp_check(p, len);
	return rtp_check_lengths(p, len);
}
