// SPDX-License-Identifier: BSD-3-Clause
// Pairs of static-key SAs: made whole, published to the customer's worker, taken out, wiped.
#include "base/log.h"
#include "control_priv.h"

#include <errno.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>

struct sa_pair *sa_find(struct control *ctl, uint32_t spi_in)
{
	ref_t ref = ctl->plane->sa_in[spi_in & (SPI_SLOTS - 1)];
	const struct sa_in *in = REF_PTR(ref);
	struct sa_pair *pair;

	if (ref == 0 || in->spi != spi_in)
		return NULL;
	TAILQ_FOREACH (pair, &ctl->customer[in->customer].sas, of_customer)
		if (pair->in == in)
			return pair;
	return NULL;
}

static void range_of(const struct ip_prefix *p, uint32_t *lo, uint32_t *hi)
{
	uint32_t mask = p->len == 0 ? 0 : UINT32_MAX << (32 - p->len);

	*lo = ntohl(p->addr.v4.s_addr) & mask;
	*hi = *lo | ~mask;
}

// Every local network with every remote one, from the point of view of packets that come in.
static int selectors_in(const struct config_sa *sa, struct sa_spec *spec, struct err *err)
{
	static const struct ip_prefix any = {.addr = {.family = AF_INET}};
	unsigned n_local = sa->n_local > 0 ? sa->n_local : 1;

	if (sa->n_remote == 0)
		return err_set(err, -EINVAL, "no remote networks; name at least one");
	for (unsigned i = 0; i < sa->n_local + sa->n_remote; i++) {
		const struct ip_prefix *p =
			i < sa->n_local ? &sa->local_nets[i] : &sa->remote_nets[i - sa->n_local];
		if (p->addr.family != AF_INET)
			return err_set(err, -EAFNOSUPPORT, "networks of an SA are IPv4 for now");
	}
	if (n_local > SA_SELECTORS_MAX || sa->n_remote > SA_SELECTORS_MAX ||
	    n_local * sa->n_remote > SA_SELECTORS_MAX)
		return err_set(err, -EINVAL,
			       "%u local times %u remote networks; an SA takes %d pairs at most, "
			       "spread them over several SAs",
			       n_local, sa->n_remote, SA_SELECTORS_MAX);
	for (unsigned l = 0; l < n_local; l++) {
		for (unsigned r = 0; r < sa->n_remote; r++) {
			struct selector *s = &spec->selectors[spec->n_selectors++];
			range_of(&sa->remote_nets[r], &s->src_lo, &s->src_hi);
			range_of(sa->n_local > 0 ? &sa->local_nets[l] : &any, &s->dst_lo,
				 &s->dst_hi);
			s->proto = sa->proto;
			s->sport_lo = sa->proto != 0 ? sa->port_lo : 0;
			s->sport_hi = sa->proto != 0 && sa->port_hi != 0 ? sa->port_hi : 65535;
			s->dport_hi = 65535;
		}
	}
	return 0;
}

static void selectors_turn(struct sa_spec *spec)
{
	for (unsigned i = 0; i < spec->n_selectors; i++) {
		struct selector s = spec->selectors[i];
		spec->selectors[i] = (struct selector){
			.src_lo = s.dst_lo,
			.src_hi = s.dst_hi,
			.dst_lo = s.src_lo,
			.dst_hi = s.src_hi,
			.sport_lo = s.dport_lo,
			.sport_hi = s.dport_hi,
			.dport_lo = s.sport_lo,
			.dport_hi = s.sport_hi,
			.proto = s.proto,
		};
	}
}

void sa_in_release(void *p)
{
	sa_in_wipe(p);
	rte_free(p);
}

void sa_out_release(void *p)
{
	struct sa_out *out = p;

	free((void *)(uintptr_t)out->moved);
	sa_out_wipe(out);
	rte_free(out);
}

int sa_in_make(struct control *ctl, const struct sa_spec *spec, struct sa_in **out, struct err *err)
{
	struct sa_in *in = rte_zmalloc("sa in", sa_in_size(spec), 64);

	if (in == NULL)
		return err_set(err, -ENOMEM, "no memory (raise memory.megabytes)");
	int rc = sa_in_init(in, spec, ctl->crypto, err);
	if (rc < 0) {
		rte_free(in);
		return rc;
	}
	*out = in;
	return 0;
}

int sa_out_make(struct control *ctl, const struct sa_spec *spec, struct sa_out **out,
		struct err *err)
{
	struct sa_out *sa = rte_zmalloc("sa out", sa_out_size(spec), 64);

	if (sa == NULL)
		return err_set(err, -ENOMEM, "no memory (raise memory.megabytes)");
	int rc = sa_out_init(sa, spec, ctl->crypto, err);
	if (rc < 0) {
		rte_free(sa);
		return rc;
	}
	*out = sa;
	return 0;
}

void sa_in_publish(struct control *ctl, struct sa_in *in)
{
	ref_t *slot = &ctl->plane->sa_in[in->spi & (SPI_SLOTS - 1)];

	__atomic_store_n(slot, REF_MAKE(in, in->owner), __ATOMIC_RELEASE);
}

void sa_in_withdraw(struct control *ctl, const struct sa_in *in)
{
	ref_t *slot = &ctl->plane->sa_in[in->spi & (SPI_SLOTS - 1)];

	if (REF_PTR(*slot) == in)
		__atomic_store_n(slot, 0, __ATOMIC_RELEASE);
}

void sa_peer_resolve(struct control *ctl, const struct ip_addr *peer)
{
	const struct nexthop *nh = mirror_lookup(ctl->mirror, peer->v4.s_addr);

	if (nh->kind == NH_UNRESOLVED)
		mirror_resolve(ctl->mirror, nh->port,
			       nh->gateway != 0 ? nh->gateway : peer->v4.s_addr);
}

static int pair_make(struct control *ctl, struct sa_pair *pair, const struct config_sa *sa,
		     struct err *err)
{
	const struct customer *c = ctl->customer[pair->customer].plane;
	struct sa_spec spec = {
		.spi = sa->spi_in,
		.suite = sa->suite,
		.flags = (sa->esn ? SA_ESN : 0u) | (sa->encap ? SA_ENCAP : 0u) |
			 (sa->dscp ? SA_DSCP : 0u) | (sa->ecn ? SA_ECN : 0u) |
			 (sa->df == DF_SET ? SA_DF_SET : 0u) |
			 (sa->df == DF_COPY ? SA_DF_COPY : 0u),
		.window = sa->window,
		.owner = c->owner,
		.customer = c->id,
		.tfc_pad = sa->tfc_pad,
		.local = sa->local,
		.peer = sa->peer,
		.material = sa->material_in,
	};
	int rc = selectors_in(sa, &spec, err);

	if (rc < 0 || (rc = sa_in_make(ctl, &spec, &pair->in, err)) < 0)
		return rc;
	spec.spi = sa->spi_out;
	spec.material = sa->material_out;
	selectors_turn(&spec);
	return sa_out_make(ctl, &spec, &pair->out, err);
}

// The configuration's lists live as long as the configuration; ours as long as the SA.
static int nets_copy(struct ip_prefix **out, const struct ip_prefix *from, unsigned n)
{
	*out = NULL;
	if (n == 0)
		return 0;
	if ((*out = malloc(n * sizeof(**out))) == NULL)
		return -ENOMEM;
	memcpy(*out, from, n * sizeof(**out));
	return 0;
}

static void pair_free(struct sa_pair *pair)
{
	if (pair->in != NULL)
		sa_in_release(pair->in);
	if (pair->out != NULL)
		sa_out_release(pair->out);
	free(pair->spec.local_nets);
	free(pair->spec.remote_nets);
	free(pair);
}

static int slot_check(const struct control *ctl, uint32_t spi, struct err *err)
{
	ref_t ref = ctl->plane->sa_in[spi & (SPI_SLOTS - 1)];

	if (ref == 0)
		return 0;
	const struct sa_in *other = REF_PTR(ref);
	return err_set(
		err, -EEXIST,
		"SPI 0x%08x: its low 16 bits are those of 0x%08x (customer %s); choose others", spi,
		other->spi, ctl->customer[other->customer].plane->name);
}

int control_sa_add(struct control *ctl, const char *customer, const struct config_sa *sa,
		   struct err *err)
{
	uint16_t id = customer_find(ctl, customer);
	struct sa_pair *pair;
	int rc;

	if (id == 0)
		return err_set(err, -ENOENT,
			       "there is no customer %s; see: trunkline show customers", customer);
	if (ctl->n_sas >= ctl->config->max_sas)
		return err_set(err, -ENOSPC, "there are %u SA pairs already (limits.sas)",
			       ctl->n_sas);
	if ((rc = slot_check(ctl, sa->spi_in, err)) < 0)
		return rc;
	if ((pair = calloc(1, sizeof(*pair))) == NULL)
		return err_set(err, -ENOMEM, "no memory");
	pair->customer = id;
	pair->since = time(NULL);
	pair->spec = *sa;
	secret_wipe(pair->spec.material_in, sizeof(pair->spec.material_in));
	secret_wipe(pair->spec.material_out, sizeof(pair->spec.material_out));
	pair->spec.local_nets = pair->spec.remote_nets = NULL;
	if (nets_copy(&pair->spec.local_nets, sa->local_nets, sa->n_local) < 0 ||
	    nets_copy(&pair->spec.remote_nets, sa->remote_nets, sa->n_remote) < 0) {
		rc = err_set(err, -ENOMEM, "no memory");
		goto fail;
	}
	if ((rc = pair_make(ctl, pair, sa, err)) < 0)
		goto fail;
	TAILQ_INSERT_TAIL(&ctl->sas, pair, link);
	TAILQ_INSERT_TAIL(&ctl->customer[id].sas, pair, of_customer);
	ctl->n_sas++;
	if ((rc = customer_spd_publish(ctl, id, err)) < 0) {
		sa_remove(ctl, pair);
		return rc;
	}
	sa_in_publish(ctl, pair->in);
	sa_peer_resolve(ctl, &sa->peer.addr);
	return 0;
fail:
	pair_free(pair);
	return rc;
}

void sa_remove(struct control *ctl, struct sa_pair *pair)
{
	sa_in_withdraw(ctl, pair->in);
	TAILQ_REMOVE(&ctl->sas, pair, link);
	TAILQ_REMOVE(&ctl->customer[pair->customer].sas, pair, of_customer);
	ctl->n_sas--;
	struct err err;
	if (customer_spd_publish(ctl, pair->customer, &err) < 0)
		log_error("customer %s: %s", ctl->customer[pair->customer].plane->name, err.text);
	// After the policies without it are out, no packet finds the pair any more.
	defer_free(ctl->defer, pair->in, sa_in_release);
	defer_free(ctl->defer, pair->out, sa_out_release);
	pair->in = NULL;
	pair->out = NULL;
	pair_free(pair);
}

int control_sa_del(struct control *ctl, uint32_t spi_in, struct err *err)
{
	struct sa_pair *pair = sa_find(ctl, spi_in);

	if (pair == NULL)
		return err_set(err, -ENOENT,
			       "no inbound SA has SPI 0x%08x; see: trunkline show sas", spi_in);
	sa_remove(ctl, pair);
	return 0;
}
