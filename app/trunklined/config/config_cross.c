// SPDX-License-Identifier: BSD-3-Clause
// Customers and SAs, one against another and against the PoP. Of two that clash, the later one is
// reported, in the order of the files.
#include "config_build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Something of a customer that must be unlike others.
struct item {
	unsigned customer, index; // index: into its domain or SAs
	bool out;                 // of keys: key_out; of prefixes: a gateway
	const void *p;
	size_t len;
};

// Of an item that is a gateway. A macro, because KEY's text lives as long as the block around it.
#define GATEWAY_KEY(i) ((i)->index == UINT32_MAX ? "gateway" : KEY("sas[%u].peer", (i)->index))

static const struct config_file *file_of(const struct config_build *b, const struct item *i)
{
	return &b->customers[i->customer].f;
}

// How a message names a customer.
static const char *who(const struct config_build *b, unsigned customer)
{
	const struct config_customer *c = &b->c->customers[customer];
	return text_none(c->name) ? c->file : c->name;
}

static int order(const struct item *a, const struct item *b)
{
	if (a->customer != b->customer)
		return a->customer < b->customer ? -1 : 1;
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	return (a->out > b->out) - (a->out < b->out);
}

static int item_cmp_bytes(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	size_t len = a->len < b->len ? a->len : b->len;
	int d = memcmp(a->p, b->p, len);
	if (d == 0 && a->len != b->len)
		d = a->len < b->len ? -1 : 1;
	return d != 0 ? d : order(a, b);
}

static bool same_bytes(const struct item *a, const struct item *b)
{
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static struct item *items_new(size_t n)
{
	return calloc(n + 1, sizeof(struct item));
}

static int names_check(struct config_build *b)
{
	const struct config *c = b->c;
	struct item *items = items_new(c->n_customers);
	size_t n = 0;
	if (items == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_customers; i++) {
		const char *name = c->customers[i].name;
		if (!text_none(name))
			items[n++] = (struct item){.customer = i, .p = name, .len = strlen(name)};
	}
	qsort(items, n, sizeof(*items), item_cmp_bytes);
	for (size_t i = 1; i < n; i++) {
		if (same_bytes(&items[i - 1], &items[i]))
			mistake(file_of(b, &items[i]), "name",
				"%s is already the customer of %s; a customer has one file",
				SHOW((const char *)items[i].p), file_of(b, &items[i - 1])->name);
	}
	free(items);
	return 0;
}

// Gateways: one customer's each, and not another customer's SA's peer.
static int gateways_check(struct config_build *b)
{
	const struct config *c = b->c;
	size_t most = c->n_customers, n = 0;
	for (unsigned i = 0; i < c->n_customers; i++)
		most += c->customers[i].n_sas;
	struct item *items = items_new(most);
	if (items == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_customers; i++) {
		const struct config_customer *k = &c->customers[i];
		if (k->gateway.family != 0)
			items[n++] = (struct item){i, UINT32_MAX, false, &k->gateway.v4, 4};
		for (unsigned j = 0; j < k->n_sas; j++) {
			const struct ip_addr *peer = &k->sas[j].peer.addr;
			if (peer->family != 0 && !ip_addr_equal(peer, &k->gateway))
				items[n++] = (struct item){i, j, false, &peer->v4, 4};
		}
	}
	qsort(items, n, sizeof(*items), item_cmp_bytes);
	for (size_t i = 1; i < n; i++) {
		const struct item *x = &items[i], *y = &items[i - 1];
		if (!same_bytes(x, y) || x->customer == y->customer)
			continue;
		char text[INET_ADDRSTRLEN];
		inet_ntop(AF_INET, x->p, text, sizeof(text));
		mistake(file_of(b, x), GATEWAY_KEY(x),
			"%s is already %s's; two customers cannot share a gateway", text,
			who(b, y->customer));
	}
	free(items);
	return 0;
}

static int item_cmp_prefix(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	const struct ip_prefix *x = a->p, *y = b->p;
	uint32_t ax = ntohl(x->addr.v4.s_addr), ay = ntohl(y->addr.v4.s_addr);
	if (ax != ay)
		return ax < ay ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return a->out != b->out ? (a->out ? 1 : -1) : order(a, b);
}

static void domain_clash(struct config_build *b, const struct item *x, const struct item *y)
{
	if (order(x, y) < 0) {
		const struct item *swap = x;
		x = y;
		y = swap;
	}
	const struct ip_prefix *p = x->p, *q = y->p;
	const char *key = KEY("domain[%u]", x->index);
	if (x->customer == y->customer)
		mistake(file_of(b, x), key, "%s is given twice; keep one", PREFIX_STR(p));
	else if (ip_prefix_contains(q, &p->addr) && q->len == p->len)
		mistake(file_of(b, x), key, "%s is already %s's; a network has one customer",
			PREFIX_STR(p), who(b, y->customer));
	else
		mistake(file_of(b, x), key,
			"%s overlaps %s, which is %s's; a network has one customer", PREFIX_STR(p),
			PREFIX_STR(q), who(b, y->customer));
}

// Prefixes lie inside each other or apart. In the order of address and length, those around one
// are therefore on a stack.
static void domains_sweep(struct config_build *b, struct item *items, size_t n)
{
	const struct item *stack[33];
	size_t depth = 0;
	for (size_t i = 0; i < n; i++) {
		const struct ip_prefix *p = items[i].p;
		while (depth > 0 && !ip_prefix_contains(stack[depth - 1]->p, &p->addr))
			depth--;
		if (items[i].out) { // its ESP would go into the tunnel that it makes
			if (depth > 0)
				mistake(file_of(b, &items[i]), GATEWAY_KEY(&items[i]),
					"%s lies in %s, of %s's domain; a domain is reached "
					"through "
					"its tunnel, so leave gateways out of it",
					IP_STR(&p->addr), PREFIX_STR(stack[depth - 1]->p),
					who(b, stack[depth - 1]->customer));
			continue;
		}
		const struct item *clash = NULL;
		for (size_t j = 0; j < depth; j++) {
			const struct ip_prefix *q = stack[j]->p;
			if (stack[j]->customer != items[i].customer || q->len == p->len)
				clash = stack[j];
		}
		if (clash != NULL)
			domain_clash(b, clash, &items[i]);
		// One of each length is enough: the first.
		const struct ip_prefix *top = depth > 0 ? stack[depth - 1]->p : NULL;
		if (top == NULL || top->len < p->len)
			stack[depth++] = &items[i];
	}
}

static void gateway_add(struct item *item, struct ip_prefix *host, unsigned customer,
			unsigned index, const struct ip_addr *a)
{
	*host = (struct ip_prefix){.addr = *a, .len = 32};
	*item = (struct item){customer, index, true, host, sizeof(*host)};
}

// Networks: one customer's each, and no gateway in them.
static int domains_check(struct config_build *b)
{
	const struct config *c = b->c;
	size_t most = c->n_customers, n = 0;
	for (unsigned i = 0; i < c->n_customers; i++)
		most += c->customers[i].n_domain + c->customers[i].n_sas;
	struct item *items = items_new(most);
	struct ip_prefix *host = calloc(most + 1, sizeof(*host));
	if (items == NULL || host == NULL) {
		free(items);
		free(host);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < c->n_customers; i++) {
		const struct config_customer *k = &c->customers[i];
		for (unsigned j = 0; j < k->n_domain; j++)
			if (k->domain[j].addr.family == AF_INET)
				items[n++] = (struct item){i, j, false, &k->domain[j],
							   sizeof(k->domain[j])};
		if (k->gateway.family == AF_INET) {
			gateway_add(&items[n], &host[n], i, UINT32_MAX, &k->gateway);
			n++;
		}
		for (unsigned j = 0; j < k->n_sas; j++) {
			const struct ip_addr *peer = &k->sas[j].peer.addr;
			if (peer->family != AF_INET || ip_addr_equal(peer, &k->gateway))
				continue;
			gateway_add(&items[n], &host[n], i, j, peer);
			n++;
		}
	}
	qsort(items, n, sizeof(*items), item_cmp_prefix);
	domains_sweep(b, items, n);
	free(items);
	free(host);
	return 0;
}

// A customer's network or gateway that holds an address of ours.
static void own_address(struct config_build *b, const struct ip_addr *a, const char *what)
{
	for (unsigned i = 0; i < b->c->n_customers && a->family != 0; i++) {
		const struct config_customer *c = &b->c->customers[i];
		const struct config_file *f = &b->customers[i].f;
		for (unsigned j = 0; j < c->n_domain; j++) {
			if (c->domain[j].addr.family != 0 && ip_prefix_contains(&c->domain[j], a))
				mistake(f, KEY("domain[%u]", j),
					"%s holds this PoP's own %s %s; a domain is the customer's "
					"alone",
					PREFIX_STR(&c->domain[j]), what, IP_STR(a));
		}
		if (ip_addr_equal(&c->gateway, a))
			mistake(f, "gateway", "%s is this PoP's own %s; expected the customer's",
				IP_STR(a), what);
	}
}

int config_check_customers(struct config_build *b)
{
	const struct config *c = b->c;
	for (unsigned i = 0; i < c->n_ports; i++) {
		for (unsigned j = 0; j < c->ports[i].n_addresses; j++)
			own_address(b, &c->ports[i].addresses[j].addr, "port address");
	}
	for (unsigned i = 0; i < c->n_media; i++)
		own_address(b, &c->media[i].address, "media address");
	int ret = names_check(b);
	if (ret == 0)
		ret = gateways_check(b);
	return ret < 0 ? ret : domains_check(b);
}

// The data path finds an inbound SA by the low 16 bits of its SPI.
static int spis_in_check(struct config_build *b, struct item *items, size_t n)
{
	const struct item **slot = calloc(65536, sizeof(void *));
	if (slot == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct config_sa *sa = items[i].p;
		if (sa->spi_in == 0)
			continue;
		const struct item **s = &slot[sa->spi_in & 0xffff];
		if (*s == NULL) {
			*s = &items[i];
			continue;
		}
		const struct config_sa *other = (*s)->p;
		const char *key = KEY("sas[%u].spi_in", items[i].index);
		if (other->spi_in == sa->spi_in)
			mistake(file_of(b, &items[i]), key,
				"0x%08x is already that of sas[%u] in %s; choose another",
				sa->spi_in, (*s)->index, file_of(b, *s)->name);
		else
			mistake(file_of(b, &items[i]), key,
				"0x%08x ends in %04x like 0x%08x of sas[%u] in %s; the low 16 bits "
				"of "
				"inbound SPIs must differ",
				sa->spi_in, sa->spi_in & 0xffff, other->spi_in, (*s)->index,
				file_of(b, *s)->name);
	}
	free(slot);
	return 0;
}

static int item_cmp_spi_out(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	const struct config_sa *x = a->p, *y = b->p;
	int d = memcmp(&x->peer.addr.v4, &y->peer.addr.v4, 4);
	if (d != 0)
		return d;
	if (x->spi_out != y->spi_out)
		return x->spi_out < y->spi_out ? -1 : 1;
	return order(a, b);
}

static void spis_out_check(struct config_build *b, struct item *items, size_t n)
{
	qsort(items, n, sizeof(*items), item_cmp_spi_out);
	for (size_t i = 1; i < n; i++) {
		const struct config_sa *x = items[i].p, *y = items[i - 1].p;
		if (x->spi_out != 0 && x->spi_out == y->spi_out && x->peer.addr.family != 0 &&
		    ip_addr_equal(&x->peer.addr, &y->peer.addr))
			mistake(file_of(b, &items[i]), KEY("sas[%u].spi_out", items[i].index),
				"0x%08x to %s is already that of sas[%u] in %s; choose another",
				x->spi_out, IP_STR(&x->peer.addr), items[i - 1].index,
				file_of(b, &items[i - 1])->name);
	}
}

// One key for two SAs is one key stream for two packets: with GCM and ChaCha20 the end of secrecy.
static int keys_check(struct config_build *b, const struct item *sas, size_t n)
{
	static const uint8_t none[96];
	struct item *items = items_new(2 * n);
	size_t m = 0;
	if (items == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct config_sa *sa = sas[i].p;
		size_t len = suite_material_len(&suites[sa->suite]);
		for (int out = 0; out < 2; out++) {
			const uint8_t *key = out ? sa->material_out : sa->material_in;
			if (memcmp(key, none, len) != 0)
				items[m++] =
					(struct item){sas[i].customer, sas[i].index, out, key, len};
		}
	}
	qsort(items, m, sizeof(*items), item_cmp_bytes);
	for (size_t i = 1; i < m; i++) {
		const struct item *x = &items[i], *y = &items[i - 1];
		bool same_sa = x->customer == y->customer && x->index == y->index;
		if (same_bytes(x, y) && !same_sa)
			mistake(file_of(b, x),
				KEY("sas[%u].%s", x->index, x->out ? "key_out" : "key_in"),
				"is also %s of sas[%u] in %s; every SA and direction needs a key "
				"of its "
				"own",
				y->out ? "key_out" : "key_in", y->index, file_of(b, y)->name);
	}
	free(items);
	return 0;
}

int config_check_sas(struct config_build *b)
{
	const struct config *c = b->c;
	size_t n = 0;
	for (unsigned i = 0; i < c->n_customers; i++)
		n += c->customers[i].n_sas;
	if (n > c->max_sas)
		mistake(&b->main, b->raw->limits != NULL ? "limits.sas" : "customers",
			"there are %zu pairs of SAs, and limits.sas is %u; raise it", n,
			c->max_sas);
	struct item *items = items_new(n), *p = items;
	if (items == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_customers; i++) {
		for (unsigned j = 0; j < c->customers[i].n_sas; j++)
			*p++ = (struct item){i, j, false, &c->customers[i].sas[j], 0};
	}
	int ret = spis_in_check(b, items, n);
	if (ret == 0)
		ret = keys_check(b, items, n);
	spis_out_check(b, items, n);
	free(items);
	return ret;
}
