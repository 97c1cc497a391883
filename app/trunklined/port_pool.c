// SPDX-License-Identifier: BSD-3-Clause
#include "port_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TAKEN UINT32_MAX
#define WAITING (UINT32_MAX - 1)
#define PAIRS 32768

int port_pool_open(struct port_pool *p, uint16_t lo, uint16_t hi)
{
	*p = (struct port_pool){.port = malloc(PAIRS * sizeof(*p->port)),
				.position = malloc(PAIRS * sizeof(*p->position)),
				.wait = calloc(PAIRS, sizeof(*p->wait))};
	if (p->port == NULL || p->position == NULL || p->wait == NULL) {
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
	free(p->wait);
	*p = (struct port_pool){0};
}

static void wait_end(struct port_pool *p, uint16_t port)
{
	struct port_wait *w = &p->wait[port / 2];

	*(w->prev != 0 ? &p->wait[w->prev / 2].next : &p->first) = w->next;
	*(w->next != 0 ? &p->wait[w->next / 2].prev : &p->last) = w->prev;
	p->position[port / 2] = TAKEN;
	p->n_waiting--;
}

int port_pool_take(struct port_pool *p, uint16_t port)
{
	uint32_t at;

	if (port == 0) {
		if (p->n == 0)
			return -ENOSPC;
		at = arc4random_uniform(p->n); // who has seen some ports must not know the next one
		port = p->port[at];
	} else {
		at = port % 2 != 0 ? TAKEN : p->position[port / 2];
		if (at == TAKEN)
			return -EADDRINUSE;
		if (at == WAITING) {
			wait_end(p, port);
			return port;
		}
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

void port_pool_give_later(struct port_pool *p, uint16_t port, uint32_t until)
{
	p->wait[port / 2] = (struct port_wait){.until = until, .prev = p->last};
	*(p->last != 0 ? &p->wait[p->last / 2].next : &p->first) = port;
	p->last = port;
	p->position[port / 2] = WAITING;
	p->n_waiting++;
}

uint16_t port_pool_expire(struct port_pool *p, uint32_t now)
{
	uint16_t port = p->first;

	if (port == 0 || (int32_t)(now - p->wait[port / 2].until) < 0)
		return 0;
	wait_end(p, port);
	port_pool_give(p, port);
	return port;
}
