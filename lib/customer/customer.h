// SPDX-License-Identifier: BSD-3-Clause
// A customer as the workers see it: its owner, its buckets, its allow-list, its outbound SAs.
#pragma once

#include "../esp/sa.h"
#include "../tier/tier.h"

#include <stdint.h>

// One line of a firewall allow-list: what a customer may reach beyond the PoP, and what may reach
// it. Host byte order; proto 0 is any.
struct allow_rule {
	uint32_t net, mask;
	uint16_t port_lo, port_hi; // of the far side; 0..65535 for any
	uint8_t proto;
};

// An immutable list, published whole by the control thread.
struct allow_list {
	uint32_t n;
	struct allow_rule rule[];
};

// The outbound policies of a customer, in order; immutable, published whole. The SA of the first
// whose selectors match is used (RFC 4301 section 5.1).
struct spd {
	uint32_t n;
	struct sa_out *sa[];
};

struct customer {
	uint16_t id;    // index; 0 is "no customer"
	uint16_t owner; // worker
	uint32_t pad;
	const struct allow_list *allow; // published by control
	const struct spd *spd;          // published by control; NULL: no tunnel
	struct tier_bucket in __attribute__((aligned(64)));
	struct tier_bucket out __attribute__((aligned(64)));
	// cold
	char name[64] __attribute__((aligned(64)));
	// The last packet that found no SA: [w] all of it. Torn reads do no harm, for what is made of it
	// (an SA is asked for) is checked against the policies. Host byte order.
	struct {
		uint32_t n, src, dst;
		uint16_t sport, dport;
		uint8_t proto;
	} wanted;
};
