// SPDX-License-Identifier: BSD-3-Clause
// The free even ports of a media address. Taken at random (RFC 6056) and given back in constant time.
#pragma once

#include "base/err.h"

#include <stdint.h>

struct port_pool {
	uint32_t n;         // free
	uint16_t *port;     // the first n are free
	uint32_t *position; // in port[], by port / 2; UINT32_MAX: taken or not of this pool
};

// lo..hi inclusive; pairs that lie wholly within. Returns 0 or -ENOMEM.
int port_pool_open(struct port_pool *p, uint16_t lo, uint16_t hi);
void port_pool_close(struct port_pool *p);
// port: an even one, or 0 for any. Returns the port, -EADDRINUSE if it is taken, odd or not in
// the range, -ENOSPC if none is left.
int port_pool_take(struct port_pool *p, uint16_t port);
void port_pool_give(struct port_pool *p, uint16_t port);
