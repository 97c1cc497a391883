// SPDX-License-Identifier: BSD-3-Clause
// The flows of "wire", from a file that bench/peers writes:
// {"ports": ["net_af_packet0,iface=a", "net_af_packet1,iface=b"], "macs": ["02:...", "02:..."],
//  "inner_len": 200, "flows": [["198.18.10.2", 14000, "198.18.30.2", 10000, "198.18.20.2", 4000], ...]}
// Packets go in by the first port, to its MAC; they are expected at the second one. A flow is the source, the
// destination (the relay), and the destination that has to come out.
#pragma once

#include "bench.h"

#include <rte_ether.h>

struct wire_flow {
	uint32_t src, dst, want_dst;       // network order
	uint16_t sport, dport, want_dport; // network order
	uint16_t seq, want_seq;            // host order
	uint32_t sent;
};

struct wire_flows {
	struct rte_ether_addr mac[2]; // of the relay's interfaces
	uint32_t inner_len;
	uint32_t n, next;
	struct wire_flow *flow;
};

// Also sets the ports of the options. 0, or a negative errno and a text.
int wire_flows_read(struct wire_flows *f, struct options *opt, const char *path, struct err *err);
