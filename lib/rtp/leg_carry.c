// SPDX-License-Identifier: BSD-3-Clause
#include "leg.h"

void leg_carry(struct leg *to, const struct leg *from, bool same_peer)
{
	uint32_t clock_mult = to->rx.clock_mult;

	to->rx = from->rx;
	to->rx.clock_mult = clock_mult;
	to->last_tick = from->last_tick;
	to->tx_packets = from->tx_packets;
	to->tx_bytes = from->tx_bytes;
	to->rtcp_rx_packets = from->rtcp_rx_packets;
	to->rtcp_tx_packets = from->rtcp_tx_packets;
	to->rtcp_rx_bytes = from->rtcp_rx_bytes;
	to->rtcp_tx_bytes = from->rtcp_tx_bytes;
	to->refused = from->refused;
	to->rtcp_refused = from->rtcp_refused;
	to->detail = from->detail;
	to->rtcp = from->rtcp;
	to->guard.waited = from->guard.waited;
	to->guard.moves = from->guard.moves;
	to->guard.refused_ip = from->guard.refused_ip;
	to->guard.refused_port = from->guard.refused_port;
	if (same_peer)
		leg_latch_carry(to, from);
}
