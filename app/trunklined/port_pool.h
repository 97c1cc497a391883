// SPDX-License-Identifier: BSD-3-Clause
// The even ports of a media address. Taken at random (RFC 6056) and given back in constant time, at once
// or after a quarantine, so that what is still on its way to an ended call reaches no other.
#pragma once

#include "base/err.h"

#include <stdint.h>

struct port_wait {           // a port in quarantine, by port / 2
	uint32_t until;      // ms
	uint16_t next, prev; // ports; 0: none
};

struct port_pool {
	uint32_t n;         // free
	uint32_t n_waiting; // in quarantine
	uint16_t *port;     // the first n are free
	uint32_t *position; // in port[], by port / 2, or one of the values in port_pool.c
	struct port_wait *wait;
	uint16_t first, last; // of the quarantine: it ends in order
};

// lo..hi inclusive; pairs that lie wholly within. Returns 0 or -ENOMEM.
int port_pool_open(struct port_pool *p, uint16_t lo, uint16_t hi);
void port_pool_close(struct port_pool *p);
// port: an even one, or 0 for any. Returns the port, -EADDRINUSE if it is taken, odd or not in
// the range, -ENOSPC if none is left. One that is asked for by its number may be in quarantine.
int port_pool_take(struct port_pool *p, uint16_t port);
void port_pool_give(struct port_pool *p, uint16_t port);
// Free from until (ms of any clock, modulo 2^32; each time later than the last) on.
void port_pool_give_later(struct port_pool *p, uint16_t port, uint32_t until);
// A port whose quarantine is over at now: it is free from here on. 0: none.
uint16_t port_pool_expire(struct port_pool *p, uint32_t now);
