// SPDX-License-Identifier: BSD-3-Clause
#include "media.h"

#define MAX(a, b) ((a) > (b) ? (a) : (b))

static void side_add(struct media_side_stats *to, const struct media_side_stats *s)
{
	to->rx_packets += s->rx_packets;
	to->rx_bytes += s->rx_bytes;
	to->tx_packets += s->tx_packets;
	to->tx_bytes += s->tx_bytes;
	to->rtcp_rx_packets += s->rtcp_rx_packets;
	to->rtcp_tx_packets += s->rtcp_tx_packets;
	to->rtcp_rx_bytes += s->rtcp_rx_bytes;
	to->rtcp_tx_bytes += s->rtcp_tx_bytes;
	to->lost += s->lost;
	to->reordered += s->reordered;
	to->duplicate += s->duplicate;
	to->refused += s->refused;
	to->rtcp_refused += s->rtcp_refused;
	to->waited += s->waited;
	to->moves += s->moves;
	to->srtp_auth += s->srtp_auth;
	to->srtp_replay += s->srtp_replay;
	to->burst_loss_max = MAX(to->burst_loss_max, s->burst_loss_max);
	to->jitter_us = MAX(to->jitter_us, s->jitter_us);
	to->rtt_us = MAX(to->rtt_us, s->rtt_us);
	if (s->mos > 0 && (!(to->mos > 0) || s->mos < to->mos))
		to->mos = s->mos;
}

void media_stats_add(struct media_stats *to, const struct media_stats *more)
{
	for (unsigned i = 0; i < 2; i++)
		side_add(&to->side[i], &more->side[i]);
}
