// SPDX-License-Identifier: BSD-3-Clause
// Customers, their SAs, and the peers' halves of the same keys.
#include "world_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <string.h>

#define WINDOW 1024

static void material_make(uint8_t *m, size_t len)
{
	for (size_t i = 0; i < len; i++)
		m[i] = (uint8_t)rte_rand();
}

// SAs are allocated one by one, as in life.
static void *sa_alloc(struct world *w, size_t size)
{
	void *p = rte_zmalloc("sa", size, 64);

	if (p != NULL)
		w->sa_memory[w->n_sa_memory++] = p;
	return p;
}

static struct sa_in *sa_in_make(struct world *w, const struct sa_spec *spec, struct err *err)
{
	struct sa_in *sa = sa_alloc(w, sa_in_size(spec));

	return sa != NULL && sa_in_init(sa, spec, w->crypto, err) == 0 ? sa : NULL;
}

static struct sa_out *sa_out_make(struct world *w, const struct sa_spec *spec, struct err *err)
{
	struct sa_out *sa = sa_alloc(w, sa_out_size(spec));

	return sa != NULL && sa_out_init(sa, spec, w->crypto, err) == 0 ? sa : NULL;
}

static void spec_fill(const struct world *w, uint16_t k, bool out, const uint8_t *material,
		      struct sa_spec *s)
{
	uint32_t net = PHONE_NET | (uint32_t)k << 8;
	struct ip_endpoint us = {.addr = {.family = AF_INET, .v4.s_addr = OUTSIDE_IP},
				 .port = 4500};
	struct ip_endpoint peer = {.addr = {.family = AF_INET, .v4.s_addr = gateway_ip(k)},
				   .port = 4500};

	*s = (struct sa_spec){.spi = out ? SPI_OUT(k) : SPI_IN(k),
			      .suite = w->spec.suite,
			      .flags = (w->spec.udp ? SA_ENCAP : 0u) | SA_DSCP | SA_ECN,
			      .window = WINDOW,
			      .customer = k,
			      .local = us,
			      .peer = peer,
			      .material = material,
			      .n_selectors = 1};
	struct selector *sel = &s->selectors[0];
	*sel = (struct selector){
		.src_hi = UINT32_MAX, .dst_hi = UINT32_MAX, .sport_hi = 65535, .dport_hi = 65535};
	if (out) {
		sel->dst_lo = net;
		sel->dst_hi = net | 255;
	} else {
		sel->src_lo = net;
		sel->src_hi = net | 255;
	}
}

// The other end's view. Its selectors stay: the peers check none.
static void spec_turn(struct sa_spec *s)
{
	struct ip_endpoint e = s->local;

	s->local = s->peer;
	s->peer = e;
}

static int sas_make(struct world *w, uint16_t k, struct err *err)
{
	uint8_t material[128];
	struct sa_spec spec;
	struct customer *c = &w->customers[k];

	if (scene_esp_in(w->spec.scene)) {
		material_make(material, sizeof(material));
		spec_fill(w, k, false, material, &spec);
		struct sa_in *in = sa_in_make(w, &spec, err);
		spec_turn(&spec);
		w->peer[k].to_us = sa_out_make(w, &spec, err);
		if (in == NULL || w->peer[k].to_us == NULL)
			return -ENOMEM;
		w->plane->sa_in[SPI_IN(k) & (SPI_SLOTS - 1)] = REF_MAKE(in, 0);
	}
	if (scene_esp_out(w->spec.scene)) {
		material_make(material, sizeof(material));
		spec_fill(w, k, true, material, &spec);
		struct spd *spd = sa_alloc(w, sizeof(*spd) + sizeof(spd->sa[0]));
		struct sa_out *out = sa_out_make(w, &spec, err);
		spec_turn(&spec);
		w->peer[k].from_us = sa_in_make(w, &spec, err);
		if (spd == NULL || out == NULL || w->peer[k].from_us == NULL)
			return -ENOMEM;
		spd->n = 1;
		spd->sa[0] = out;
		c->spd = spd;
	}
	return 0;
}

static int allow_make(struct world *w)
{
	w->allow = rte_zmalloc("allow", sizeof(*w->allow) + sizeof(w->allow->rule[0]), 64);
	if (w->allow == NULL)
		return -ENOMEM;
	w->allow->n = 1;
	w->allow->rule[0] =
		(struct allow_rule){.net = PLATFORM_NET, .mask = 0xffffff00u, .port_hi = 65535};
	return 0;
}

int customers_make(struct world *w, struct err *err)
{
	uint32_t n = w->spec.customers + 1;
	uint64_t now = rte_rdtsc();

	if (n > CUSTOMERS_MAX)
		return err_set(err, -EINVAL, "%u customers: %u at most", n - 1, CUSTOMERS_MAX - 1);
	w->customers = rte_zmalloc("customers", n * sizeof(*w->customers), 64);
	w->peer = rte_zmalloc("peers", n * sizeof(*w->peer), 64);
	w->sa_memory = rte_zmalloc("sas", n * 5 * sizeof(void *), 64);
	if (w->customers == NULL || w->peer == NULL || w->sa_memory == NULL || allow_make(w) < 0)
		return err_set(err, -ENOMEM, "no memory for customers");
	for (uint16_t k = 1; k < n; k++) {
		struct customer *c = &w->customers[k];
		c->id = k;
		c->allow = w->allow;
		snprintf(c->name, sizeof(c->name), "customer-%u", k);
		tier_bucket_init(&c->in, w->spec.tier, w->spec.tier_ms, w->plane->tsc_hz, now);
		tier_bucket_init(&c->out, w->spec.tier, w->spec.tier_ms, w->plane->tsc_hz, now);
		err_set(err, 0, "no memory for SAs");
		int rc = sas_make(w, k, err);
		if (rc < 0)
			return rc;
		w->plane->customer[k] = c;
	}
	return 0;
}

void customers_free(struct world *w)
{
	for (uint32_t i = 0; i < w->n_sa_memory; i++)
		rte_free(w->sa_memory[i]);
	rte_free(w->sa_memory);
	rte_free(w->peer);
	rte_free(w->customers);
	rte_free(w->allow);
}
