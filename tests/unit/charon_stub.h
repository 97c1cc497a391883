// SPDX-License-Identifier: GPL-2.0-or-later
// As much of strongSwan as the plugin's way to the gateway needs: locks, threads, hosts, selectors.
#pragma once

#include "base/net.h"

#include <networking/host.h>
#include <selectors/traffic_selector.h>

// The plugin connects to path, which stays the caller's.
void stub_init(const char *path);

struct stub_host {
	host_t public;
	uint8_t bytes[16];
	size_t len;
	uint16_t port;
};
// An IPv4 or IPv6 address in h, port 4500.
host_t *stub_host(struct stub_host *h, const char *text);

struct stub_ts {
	traffic_selector_t public;
	uint8_t lo[4], hi[4];
	uint16_t port_lo, port_hi;
};
// IPv4 and UDP.
traffic_selector_t *stub_ts(struct stub_ts *t, const char *lo, const char *hi, uint16_t port_lo,
			    uint16_t port_hi);
