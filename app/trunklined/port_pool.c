// SPDX-License-Identifier: BSD-3-Clause
#include "port_pool.h"

#include <errno.h>
#include <rte_random.h>
#include <stdlib.h>
#include <string.h>

#define TAKEN UINT32_MAX
#define PAIRS 32768

int port_pool_open(struct port_pool *p, uint16_t lo, uint16_t hi)
{
	p->n = 0;
	p->port = malloc(PAIRS * sizeof(*p->port));
	p->position = malloc(PAIRS * sizeof(*p->position));
	if (p->port == NULL || p->position == NULL) {
		port_pool_close(p);
		return -ENOMEM;
	}
	memset(p->position, 0xff, PAIRS * sizeof(*p->position));
	for (uint32_t port = lo < 2 ? 2 : (lo + 1u) & ~1u; port + 1 <= hi; port += 2)
		port_pool_give(p, (uint16_t)port);
	return 0;
}

void port_pool_close(struct port_pool *p)
{
	free(p->port);
	free(p->position);
	p->port = NULL;
	p->position = NULL;
	p->n = 0;
}

int port_pool_take(struct port_pool *p, uint16_t port)
{
	uint32_t at;

	if (port == 0) {
		if (p->n == 0)
			return -ENOSPC;
		at = (uint32_t)rte_rand_max(p->n);
		port = p->port[at];
	} else {
		at = port % 2 != 0 ? TAKEN : p->position[port / 2];
		if (at == TAKEN)
			return -EADDRINUSE;
	}
	uint16_t last = p->port[--p->n];
	p->port[at] = last;
	p->position[last / 2] = at;
	p->position[port / 2] = TAKEN;
	return port;
}

void port_pool_give(struct port_pool *p, uint16_t port)
{
	p->position[port / 2] = p->n;
	p->port[p->n++] = port;
}
