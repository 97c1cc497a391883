// SPDX-License-Identifier: BSD-3-Clause
#include "control_bed.h"

#include "addresses.h"
#include "media/media_priv.h"

#include <errno.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>

#define BED_PORT_LO 4096
#define BED_PORT_HI 65535
#define BED_NET 0x2d000000u // 45.0.0.0/8: a /24 a customer

// ---- what the mirror is for the control code, without a kernel ----

static struct plane *bed_plane;

const struct nexthop *mirror_lookup(const struct mirror *m, uint32_t ip)
{
	uint32_t index;

	(void)m;
	if (rte_lpm_lookup(bed_plane->lpm, rte_be_to_cpu_32(ip), &index) != 0)
		index = NH_INSIDE;
	return bed_plane->nexthop[index];
}

void mirror_resolve(struct mirror *m, unsigned port, uint32_t ip)
{
	(void)m;
	(void)port;
	(void)ip;
}

// The world keeps a nexthop for each customer; the generation moves as with every change of a route.
int mirror_tunnel_add(struct mirror *m, const struct ip_prefix *prefix, uint16_t customer,
		      struct err *err)
{
	uint32_t ip = ntohl(prefix->addr.v4.s_addr), index = NH_TUNNELS + customer;

	(void)m;
	int rc = rte_lpm_add(bed_plane->lpm, ip, prefix->len, index);
	__atomic_store_n(&bed_plane->route_gen, bed_plane->route_gen + 1, __ATOMIC_RELEASE);
	return rc == 0 ? 0 : err_set(err, -ENOSPC, "no room for a route");
}

int mirror_tunnel_del(struct mirror *m, const struct ip_prefix *prefix, struct err *err)
{
	(void)m;
	(void)err;
	rte_lpm_delete(bed_plane->lpm, ntohl(prefix->addr.v4.s_addr), prefix->len);
	__atomic_store_n(&bed_plane->route_gen, bed_plane->route_gen + 1, __ATOMIC_RELEASE);
	return 0;
}

// ---- the bed ----

static int media_add(struct bed *bed, struct plane *p, unsigned i)
{
	uint32_t ip = IP4(198, 18, 50, 1 + i), h = LOCAL_HASH(ip);

	p->media[i] = rte_zmalloc("media", sizeof(*p->media[i]), 64);
	if (p->media[i] == NULL)
		return -ENOMEM;
	*p->media[i] = (struct media_addr){.ip = ip, .lo = BED_PORT_LO, .hi = BED_PORT_HI};
	while (p->local[h].ip != 0)
		h = (h + 1) & (LOCALS_MAX - 1);
	p->local[h] = (struct local_addr){ip, LOCAL_MEDIA, (uint8_t)i, 0};
	bed->media[i].address = (struct ip_addr){.family = AF_INET, .v4.s_addr = ip};
	bed->media[i].port_lo = BED_PORT_LO;
	bed->media[i].port_hi = BED_PORT_HI;
	return 0;
}

int bed_open(struct bed *bed, struct world *w, struct err *err)
{
	struct control *ctl = calloc(1, sizeof(*ctl));
	struct plane *p = w->plane;
	uint32_t used = 2 * w->spec.calls;

	memset(bed, 0, sizeof(*bed));
	bed->ctl = ctl;
	bed_plane = p;
	if (ctl == NULL)
		return err_set(err, -ENOMEM, "no memory for the control tables");
	ctl->config = &bed->config;
	ctl->plane = p;
	ctl->crypto = w->crypto;
	bed->config.media = bed->media;
	bed->config.n_media = 2 * MEDIA_PER_SIDE + BED_MEDIA;
	bed->config.max_calls = BED_CALLS;
	bed->config.max_sas = BED_SAS;
	for (unsigned i = 2 * MEDIA_PER_SIDE; i < bed->config.n_media; i++)
		if (media_add(bed, p, i) < 0)
			return err_set(err, -ENOMEM, "no memory for media ports");
	p->n_media = (uint16_t)bed->config.n_media;
	TAILQ_INIT(&ctl->sas);
	for (unsigned i = 1; i <= w->spec.customers; i++) {
		ctl->customer[i].plane = &w->customers[i];
		ctl->customer[i].config = &bed->world_customer;
		TAILQ_INIT(&ctl->customer[i].sas);
	}
	bed->first = w->spec.customers + 1;
	int rc = defer_open(&ctl->defer, p->qsbr, NULL, err);
	rc = rc < 0 ? rc : media_engine_open(ctl, err);
	rc = rc < 0 ? rc : calls_open(ctl, err);
	if (rc == 0 && used < ctl->media->n_free_slots)
		ctl->media->n_free_slots -=
			used; // the lowest ones, on top of the stack, are the world's
	return rc;
}

void bed_close(struct bed *bed, struct world *w)
{
	struct control *ctl = bed->ctl;
	struct sa_pair *pair;

	while ((pair = TAILQ_FIRST(&ctl->sas)) != NULL)
		sa_remove(ctl, pair);
	calls_close(ctl);
	media_engine_close(ctl);
	for (unsigned i = bed->first; i < CUSTOMERS_MAX && ctl->customer[i].plane != NULL; i++)
		customer_remove(ctl, (uint16_t)i);
	defer_close(ctl->defer);
	(void)w;
	free(ctl);
}

int bed_customer_add(struct bed *bed, unsigned nth, struct err *err)
{
	struct config_customer *cc = calloc(1, sizeof(*cc));
	struct ip_prefix *domain = calloc(1, sizeof(*domain));

	if (cc == NULL || domain == NULL || asprintf(&cc->name, "new-%u", nth) < 0)
		return err_set(err, -ENOMEM, "no memory");
	domain->addr = (struct ip_addr){.family = AF_INET, .v4.s_addr = htonl(BED_NET | nth << 8)};
	domain->len = 24;
	cc->rate = 100000000;
	cc->burst_ms = 20;
	cc->worker = 0;
	cc->n_domain = 1;
	cc->domain = domain;
	uint32_t id = (uint32_t)customer_add(bed->ctl, cc, err);
	if ((int)id <= 0)
		return (int)id;
	// The nexthop that the mirror would make.
	struct nexthop *nh = rte_zmalloc("nexthop", sizeof(*nh), 64);
	if (nh == NULL)
		return err_set(err, -ENOMEM, "no memory");
	*nh = (struct nexthop){
		.kind = NH_TUNNEL, .customer = (uint16_t)id, .mtu = 1500, .index = NH_TUNNELS + id};
	bed->ctl->plane->nexthop[nh->index] = nh;
	return 0;
}

static void endpoint_set(struct ip_endpoint *e, uint32_t ip, uint16_t port)
{
	*e = (struct ip_endpoint){.addr = {.family = AF_INET, .v4.s_addr = ip}, .port = port};
}

int bed_sa_add(struct bed *bed, unsigned nth, unsigned n_customers, struct err *err)
{
	unsigned customer = nth % n_customers;
	const struct customer_state *cs = &bed->ctl->customer[bed->first + customer];
	struct config_sa sa = {.suite = SUITE_AES_GCM_128,
			       .spi_in = 0xe1000000u | (0x8000 + nth),
			       .spi_out = 0xe2000000u | (0x8000 + nth),
			       .dscp = true,
			       .ecn = true,
			       .window = 1024,
			       .n_remote = 1,
			       .remote_nets = cs->config->domain};

	memset(sa.material_in, (int)nth, sizeof(sa.material_in));
	memset(sa.material_out, (int)~nth, sizeof(sa.material_out));
	endpoint_set(&sa.local, OUTSIDE_IP, 0);
	endpoint_set(&sa.peer, gateway_ip(0x8000 + customer), 0);
	return control_sa_add(bed->ctl, cs->config->name, &sa, err);
}

int bed_sa_del(struct bed *bed, unsigned nth, struct err *err)
{
	return control_sa_del(bed->ctl, 0xe1000000u | (0x8000 + nth), err);
}

int bed_call_add(struct bed *bed, unsigned nth, unsigned n_customers, struct err *err)
{
	unsigned customer = nth % n_customers;
	char id[32];
	struct config_call call = {.id = id, .clock_rate = 8000};

	snprintf(id, sizeof(id), "call-%u@bench", nth);
	for (unsigned i = 0; i < 2; i++) {
		struct config_leg *leg = &call.leg[i];
		leg->media = bed->media[2 * MEDIA_PER_SIDE + i].address;
		leg->dscp = -1;
		leg->customer = i == 0 ? (int)(bed->first + customer) : 0;
	}
	endpoint_set(&call.leg[0].remote, htonl(BED_NET | customer << 8 | 1), 16384);
	endpoint_set(&call.leg[1].remote, platform_ip(nth), 20000);
	return control_call_add(bed->ctl, &call, err);
}

int bed_call_del(struct bed *bed, unsigned nth, struct err *err)
{
	char id[32];

	snprintf(id, sizeof(id), "call-%u@bench", nth);
	return call_end(bed->ctl, id, "delete", err);
}
