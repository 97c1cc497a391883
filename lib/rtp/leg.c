// SPDX-License-Identifier: BSD-3-Clause
#include "leg.h"

#include "../ip/ip.h"

#include <string.h>

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
