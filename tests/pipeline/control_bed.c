// SPDX-License-Identifier: BSD-3-Clause
#include "control_bed.h"

#include "media/media_priv.h"
#include "view.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned passed, failed;

bool check(bool holds, const char *fmt, ...)
{
	va_list ap;

	passed += holds;
	failed += !holds;
	if (holds)
		return true;
	va_start(ap, fmt);
	printf("FAIL ");
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	return false;
}

// ---- a mirror ----

static struct {
	struct ip_prefix prefix;
	uint16_t customer;
} route[64];
unsigned n_routes;
uint32_t no_room;

static unsigned route_at(const struct ip_prefix *p)
{
	unsigned i = 0;

	while (i < n_routes &&
	       (!ip_addr_equal(&route[i].prefix.addr, &p->addr) || route[i].prefix.len != p->len))
		i++;
	return i;
}

int mirror_tunnel_add(struct mirror *m, const struct ip_prefix *prefix, uint16_t customer,
		      struct err *err)
{
	unsigned i = route_at(prefix);

	(void)m;
	if (prefix->addr.v4.s_addr == no_room)
		return err_set(err, -ENOSPC, "no room in the routing table");
	route[i].prefix = *prefix;
	route[i].customer = customer;
	n_routes += i == n_routes;
	return 0;
}

int mirror_tunnel_del(struct mirror *m, const struct ip_prefix *prefix, struct err *err)
{
	unsigned i = route_at(prefix);

	(void)m;
	if (i == n_routes)
		return err_set(err, -ENOENT, "not there");
	route[i] = route[--n_routes];
	return 0;
}

const struct nexthop *mirror_lookup(const struct mirror *m, uint32_t ip)
{
	static const struct nexthop none = {.kind = NH_NONE};

	(void)m;
	(void)ip;
	return &none;
}

void mirror_resolve(struct mirror *m, unsigned port, uint32_t ip)
{
	(void)m;
	(void)port;
	(void)ip;
}

const char *whose(const struct control *ctl, unsigned x)
{
	struct ip_prefix p = {.addr = {.family = AF_INET, .v4.s_addr = htonl(0xc0000200u | x)},
			      .len = 28};
	unsigned i = route_at(&p);

	if (i == n_routes)
		return "nobody";
	const struct customer *c = ctl->customer[route[i].customer].plane;
	return c != NULL ? c->name : "somebody who is gone";
}

// ---- files ----

static char dir[64];

static void file_write(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void file_write(const char *name, const char *fmt, ...)
{
	char path[160];
	va_list ap;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	if (f == NULL)
		rte_panic("%s: %s\n", path, strerror(errno));
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
	chmod(path, 0600);
}

#define KEY_REST "112233445566778899aabbccddeeff01020304"

void customer_write(const char *name, unsigned gateway, unsigned x, unsigned spi, int worker)
{
	char file[64], domain[64] = "", sas[512] = "", place[32] = "";

	if (worker >= 0)
		snprintf(place, sizeof(place), "worker: %d\n", worker);
	snprintf(file, sizeof(file), "customers.d/%s.yaml", name);
	snprintf(domain, sizeof(domain), "domain: [192.0.2.%u/28]\n", x);
	if (spi != 0)
		snprintf(sas, sizeof(sas),
			 "sas:\n  - { suite: aes128gcm16, spi_in: %u, spi_out: %u, "
			 "key_in: \"%02x" KEY_REST "\", key_out: \"%02x" KEY_REST "\", "
			 "local: 198.18.10.1, peer: 203.0.113.%u }\n",
			 spi, spi, spi & 0x7f, (spi & 0x7f) | 0x80, gateway);
	file_write(file, "name: %s\ntier: 100M\ngateway: 203.0.113.%u\n%s%s%s", name, gateway,
		   place, domain, sas);
}

void customer_ike_write(const char *name, unsigned gateway, unsigned x)
{
	char file[64];

	snprintf(file, sizeof(file), "customers.d/%s.psk", name);
	file_write(file, "a key of %s's\n", name);
	snprintf(file, sizeof(file), "customers.d/%s.yaml", name);
	file_write(file,
		   "name: %s\ntier: 100M\ngateway: 203.0.113.%u\ndomain: [192.0.2.%u/28]\n"
		   "ike: { start: initiate }\n",
		   name, gateway, x);
}

void customer_erase(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/customers.d/%s.yaml", dir, name);
	unlink(path);
	snprintf(path, sizeof(path), "%s/customers.d/%s.psk", dir, name);
	unlink(path);
}

void pop_write(const char *calls)
{
	file_write("trunkline.yaml",
		   "pop: test\nworkers: [0, 1]\nmemory: { hugepages: off }\n"
		   "limits: { calls: 100, sas: 20, customers: 20 }\nports:\n"
		   "  - { name: outside, device: \"ring:a\", addresses: [198.18.10.1/24] }\n"
		   "  - { name: inside, device: \"ring:b\", addresses: [198.18.20.1/24] }\n"
		   "media:\n  - { address: 198.18.30.1, ports: 10000-10199, on: inside }\n"
		   "customers: customers.d\n%s",
		   calls);
}

// ---- a control thread ----

void files_make(void)
{
	const char *tmp = getenv("TMPDIR");
	char customers[96];

	snprintf(dir, sizeof(dir), "%s/control-XXXXXX",
		 tmp != NULL && strlen(tmp) < 32 ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		rte_panic("%s: %s\n", dir, strerror(errno));
	snprintf(customers, sizeof(customers), "%s/customers.d", dir);
	mkdir(customers, 0700);
}

void files_remove(void)
{
	const char *const names[] = {"acme", "globex", "initech"};
	char path[128];

	for (unsigned i = 0; i < RTE_DIM(names); i++)
		customer_erase(names[i]);
	snprintf(path, sizeof(path), "%s/trunkline.yaml", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/customers.d", dir);
	rmdir(path);
	rmdir(dir);
}

struct control *control_make(void)
{
	struct control *ctl = calloc(1, sizeof(*ctl));
	char path[96];
	struct err err = {""};

	snprintf(path, sizeof(path), "%s/trunkline.yaml", dir);
	TAILQ_INIT(&ctl->sas);
	TAILQ_INIT(&ctl->calls);
	ctl->config_path = strdup(path);
	ctl->crypto = crypto_new();
	setlinebuf(stdout);
	if (config_load(path, &ctl->config, stdout) != 0 || plane_open(ctl, &err) < 0 ||
	    defer_open(&ctl->defer, ctl->plane->qsbr, NULL, &err) < 0 ||
	    media_engine_open(ctl, &err) < 0 || calls_open(ctl, &err) < 0 ||
	    config_apply(ctl, ctl->config, &err) < 0)
		rte_panic("no control: %s\n", err.text);
	return ctl;
}

void control_end(struct control *ctl)
{
	struct sa_pair *pair;

	calls_close(ctl);
	media_engine_close(ctl);
	while ((pair = TAILQ_FIRST(&ctl->sas)) != NULL)
		sa_remove(ctl, pair);
	for (uint16_t i = 1; i < CUSTOMERS_MAX; i++)
		if (ctl->customer[i].plane != NULL)
			customer_remove(ctl, i);
	check(n_routes == 0, "end: %u routes are left", n_routes);
	defer_close(ctl->defer);
	plane_close(ctl);
	crypto_free(ctl->crypto);
	config_free(ctl->config);
	free(ctl->config_path);
	free(ctl);
}

int reload(struct control *ctl)
{
	char *report = NULL;
	struct err err = {""};
	int rc = control_reload(ctl, &report, &err);

	if (rc < 0 && report != NULL)
		printf("%s", report);
	free(report);
	defer_poll(ctl->defer);
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++) {
		const struct customer_state *cs = &ctl->customer[i];
		bool found = false;
		for (unsigned k = 0; k < ctl->config->n_customers; k++)
			found |= cs->config == &ctl->config->customers[k];
		if (cs->plane != NULL)
			check(found, "customer %s is configured by what was", cs->plane->name);
	}
	return rc;
}
