// SPDX-License-Identifier: BSD-3-Clause
#include "leg.h"

#include "../ip/ip.h"

#include <string.h>

__attribute__((cold)) enum latch_verdict leg_latch_slow(struct leg *leg, uint32_t ip, uint16_t port)
{
	struct latch_result r = latch_step((enum latch_state)leg->latch, leg->remote_ip != 0,
					   leg->remote_ip == ip, leg->remote_port == port);

	leg->latch = r.next;
	leg->refused += r.verdict == LATCH_REFUSED;
	if (r.learn) {
		leg->remote_ip = ip;
		leg->remote_port = port;
		leg->out_ip = ip;
		leg->out_port = port;
		leg->nexthop = 0;
		leg->route_gen = 0;
		leg->hairpin = 0;
	}
	return (enum latch_verdict)r.verdict;
}

__attribute__((cold)) enum latch_verdict leg_latch_rtcp_slow(struct leg *leg, uint32_t ip,
							     uint16_t port)
{
	struct latch_result r = latch_step((enum latch_state)leg->rtcp_latch, leg->rtcp_ip != 0,
					   leg->rtcp_ip == ip, leg->rtcp_port == port);

	leg->rtcp_latch = r.next;
	leg->rtcp_refused += r.verdict == LATCH_REFUSED;
	if (r.learn) {
		leg->rtcp_ip = ip;
		leg->rtcp_port = port;
	}
	return (enum latch_verdict)r.verdict;
}

void leg_identity_set(struct leg *leg, uint16_t customer, uint32_t local_ip, int dscp)
{
	const uint8_t word[2] = {LEG_TTL, 17}; // UDP
	uint16_t w;

	memcpy(&w, word, sizeof(w));
	leg->customer = leg->out_customer = customer;
	leg->local_ip = local_ip;
	leg->ip_sum = cksum_fold((uint64_t)local_ip + w);
	leg->tos = dscp >= 0 ? (uint8_t)(dscp << 2) : 0;
	leg->tos_keep = dscp >= 0 ? 3 : 0xff;
	leg->flags = (uint8_t)((leg->flags & ~LEG_DSCP) | (dscp >= 0 ? LEG_DSCP : 0));
}
