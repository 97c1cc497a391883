// SPDX-License-Identifier: BSD-3-Clause
// What passing RTCP tells (RFC 3550 section 6.4): how the peer hears us, and how far away it is. Reports
// are read, never believed for anything but figures; a BYE ends nothing.
#pragma once

#include <stdint.h>

// Of one leg, written by its owner. All zero to start with.
struct rtcp_view {
	uint64_t sr_tsc;     // when the last SR was sent to the peer
	uint32_t sr_mid;     // the middle of its NTP time stamp, 0: none was sent
	uint32_t rtt_us;     // from here to the peer and back; 0: not known
	uint32_t far_lost;   // cumulative, as the peer counts what it gets
	uint32_t far_jitter; // RTP time units
	uint32_t reports;    // report blocks seen of the peer
	uint8_t far_share;   // fraction lost since its last report, in 1/256
};

// A compound packet (as rtp_check calls RTP_KIND_RTCP, len bytes) is on its way to the peer: notes the SR.
// Before it becomes SRTCP.
void rtcp_sent(struct rtcp_view *v, const uint8_t *p, uint32_t len, uint64_t now);
// One came from the peer: notes the first block of its SR or RR. The round trip is measured if the block
// answers the SR that was sent last; one of more than 10 s, or less than nothing, is not believed.
void rtcp_came(struct rtcp_view *v, const uint8_t *p, uint32_t len, uint64_t now, uint64_t tsc_hz);
