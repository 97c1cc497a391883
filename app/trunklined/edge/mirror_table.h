// SPDX-License-Identifier: BSD-3-Clause
// A chained hash table of nodes that lie in their owners' structures. It grows with its content.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct table_node {
	struct table_node *next;
	uint32_t hash;
};

struct table {
	struct table_node **slot;
	uint32_t mask, n;
};

static inline uint32_t table_hash(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15ull;
	return (uint32_t)(key >> 32);
}

static inline int table_init(struct table *t)
{
	t->n = 0;
	t->mask = 255;
	t->slot = calloc(t->mask + 1u, sizeof(*t->slot));
	return t->slot != NULL ? 0 : -ENOMEM;
}

static inline void table_fini(struct table *t)
{
	free(t->slot);
	t->slot = NULL;
}

// First node of the chain that nodes with this hash are in; follow next and compare.
static inline struct table_node *table_chain(const struct table *t, uint32_t hash)
{
	return t->slot[hash & t->mask];
}

static inline void table_link(struct table *t, struct table_node *node)
{
	node->next = t->slot[node->hash & t->mask];
	t->slot[node->hash & t->mask] = node;
}

static inline void table_add(struct table *t, struct table_node *node, uint32_t hash)
{
	node->hash = hash;
	if (++t->n > t->mask) {
		struct table old = *t;
		struct table_node **slot = calloc(2 * (size_t)(t->mask + 1u), sizeof(*slot));
		if (slot != NULL) { // without memory for it, chains grow longer
			t->slot = slot;
			t->mask = 2 * t->mask + 1;
			for (uint32_t i = 0; i <= old.mask; i++)
				for (struct table_node *n = old.slot[i], *next; n != NULL;
				     n = next) {
					next = n->next;
					table_link(t, n);
				}
			free(old.slot);
		}
	}
	table_link(t, node);
}

static inline void table_remove(struct table *t, struct table_node *node)
{
	struct table_node **at = &t->slot[node->hash & t->mask];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	t->n--;
}

// Walks all nodes; fn may remove the node that it is given. fn returns false to stop.
static inline void table_walk(const struct table *t, bool (*fn)(struct table_node *, void *),
			      void *ctx)
{
	for (uint32_t i = 0; i <= t->mask; i++)
		for (struct table_node *n = t->slot[i], *next; n != NULL; n = next) {
			next = n->next;
			if (!fn(n, ctx))
				return;
		}
}
