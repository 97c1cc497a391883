// SPDX-License-Identifier: BSD-3-Clause
// Tunnels that customers' gateways negotiate: each by itself. Proposals are in config_proposal.c,
// identities in config_id.c, keys in config_psk.c.
#include "config_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS "ecp256-ecp384-modp2048-ecp521"

// IKEv1 sends of each proposal one algorithm of a kind only.
static const char *const ike_v2[] = {"aes256gcm16-aes128gcm16-prfsha384-prfsha256-" GROUPS,
				     "aes256-aes128-sha256-sha384-" GROUPS, NULL};
static const char *const ike_v1[] = {"aes256-sha256-ecp256",   "aes256-sha256-modp2048",
				     "aes256-sha384-ecp384",   "aes128-sha256-ecp256",
				     "aes128-sha256-modp2048", NULL};
static const char *const esp_v2[] = {"aes256gcm16-aes128gcm16-" GROUPS,
				     "aes256-aes128-sha256-sha384-" GROUPS, NULL};
static const char *const esp_v1[] = {"aes256gcm16-ecp256",     "aes256gcm16-modp2048",
				     "aes128gcm16-ecp256",     "aes128gcm16-modp2048",
				     "aes256-sha256-ecp256",   "aes256-sha256-modp2048",
				     "aes256-sha384-ecp384",   "aes128-sha256-ecp256",
				     "aes128-sha256-modp2048", NULL};

struct ike_build {
	struct config_build *b;
	const struct config_file *f;
	struct raw_tunnel *raw;
	const struct config_customer *customer;
	struct config_ike *ike;
	bool no_gateway; // the customer has none, not even a wrong one
};

static int texts_add(const char *const *from, char ***list, unsigned *n)
{
	for (; *from != NULL; from++) {
		char **more = reallocarray(*list, *n + 1, sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		*list = more;
		if ((more[*n] = strdup(*from)) == NULL)
			return -ENOMEM;
		(*n)++;
	}
	return 0;
}

static int proposals_build(struct ike_build *s, bool esp, char **texts, unsigned n_texts,
			   char ***out, unsigned *n)
{
	const char *const *v1 = esp ? esp_v1 : ike_v1, *const *v2 = esp ? esp_v2 : ike_v2;
	int ret = 0;
	for (unsigned i = 0; i < n_texts && ret == 0; i++) {
		const char *const one[] = {texts[i], NULL};
		const char *key = esp ? KEY("ike.esp[%u]", i) : KEY("ike.proposals[%u]", i);
		if (!text_none(texts[i]) && text_proposal(s->f, key, texts[i], esp))
			ret = texts_add(one, out, n);
	}
	if (texts != NULL)
		return ret;
	if (s->ike->version != 1)
		ret = texts_add(v2, out, n);
	if (ret == 0 && s->ike->version != 2)
		ret = texts_add(v1, out, n);
	return ret;
}

// Whether an address is one of a port. True as well while one of those is wrong, and was reported.
static bool is_port_address(const struct config *c, const struct ip_addr *a)
{
	bool unsure = c->n_ports == 0;
	for (unsigned i = 0; i < c->n_ports; i++) {
		unsure |= c->ports[i].n_addresses == 0;
		for (unsigned j = 0; j < c->ports[i].n_addresses; j++) {
			const struct ip_addr *x = &c->ports[i].addresses[j].addr;
			unsure |= x->family == 0;
			if (ip_addr_equal(x, a))
				return true;
		}
	}
	return unsure;
}

static void local_build(struct ike_build *s)
{
	const struct config *c = s->b->c;
	struct ip_addr *local = &s->ike->local;
	if (!text_none(s->raw->local)) {
		if (text_address(s->f, "ike.local", s->raw->local, local) &&
		    !is_port_address(c, local))
			mistake(s->f, "ike.local",
				"%s is not an address of a port; see ports in %s", IP_STR(local),
				s->b->main.name);
		return;
	}
	for (unsigned i = 2 * c->n_ports; i-- > 0;) { // in the end the first one outside
		const struct config_port *p = &c->ports[i % c->n_ports];
		if (p->n_addresses > 0 && (i >= c->n_ports || !p->inside))
			*local = p->addresses[0].addr;
	}
}

// An identity: the given one, or an address.
static int id_build(struct ike_build *s, const char *key, char **raw, const struct ip_addr *a,
		    char **out)
{
	char address[IP_ADDR_STRLEN] = "";
	if (!text_none(*raw))
		text_identity(s->f, key, *raw);
	if (a->family != 0)
		ip_addr_str(a, address);
	*out = *raw != NULL ? text_take(raw) : strdup(address);
	return *out == NULL ? -ENOMEM : 0;
}

static int ids_build(struct ike_build *s)
{
	int ret = id_build(s, "ike.local_id", &s->raw->local_id, &s->ike->local, &s->ike->local_id);
	bool given = s->raw->remote_id != NULL;
	if (ret == 0)
		ret = id_build(s, "ike.remote_id", &s->raw->remote_id, &s->customer->gateway,
			       &s->ike->remote_id);
	if (ret < 0 || !s->no_gateway)
		return ret;
	if (!given)
		mistake(s->f, "ike.remote_id",
			"is missing, and the customer has no gateway; expected one of them, for "
			"without them nobody could be told from others");
	if (s->ike->version != 2)
		mistake(s->f, "ike.version",
			"%s finds a key by the gateway's address, and the customer has no "
			"gateway; give it, or take version 2",
			s->ike->version == 1 ? "1" : "any");
	if (s->ike->initiate)
		mistake(s->f, "ike.start",
			"initiate needs to know where to, and the customer has no gateway; give "
			"it, or take respond");
	return 0;
}

static bool prefix_within(const struct ip_prefix *p, const struct ip_prefix *q)
{
	return q->len <= p->len && ip_prefix_contains(q, &p->addr);
}

static bool is_ours(const struct ike_build *s, const struct ip_prefix *p)
{
	const struct config *c = s->b->c;
	bool unsure = false;
	for (unsigned i = 0; i < c->n_media; i++) {
		unsure |= c->media[i].address.family == 0;
		if (p->len == 32 && ip_addr_equal(&c->media[i].address, &p->addr))
			return true;
	}
	for (unsigned i = 0; i < s->customer->n_allow; i++) {
		const struct ip_prefix *net = &s->customer->allow[i].net;
		unsure |= net->addr.family == 0; // was reported; what it would hold is not known
		if (net->addr.family != 0 && prefix_within(p, net))
			return true;
	}
	return unsure;
}

// Adds a network unless one is there that holds it; those that it holds go.
static void net_join(struct ip_prefix *list, unsigned *n, const struct ip_prefix *p)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < *n; i++)
		if (prefix_within(p, &list[i]))
			return;
	for (unsigned i = 0; i < *n; i++)
		if (!prefix_within(&list[i], p))
			list[kept++] = list[i];
	list[kept] = *p;
	*n = kept + 1;
}

static int local_nets_build(struct ike_build *s)
{
	const struct config *c = s->b->c;
	const struct raw_tunnel *raw = s->raw;
	struct config_ike *ike = s->ike;
	size_t most = raw->n_local_nets + c->n_media + s->customer->n_allow + 1;
	if ((ike->local_nets = calloc(most, sizeof(*ike->local_nets))) == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->n_local_nets; i++) {
		const char *key = KEY("ike.local_nets[%u]", i);
		struct ip_prefix p;
		if (text_none(raw->local_nets[i]) ||
		    !text_network(s->f, key, raw->local_nets[i], &p))
			continue;
		if (!is_ours(s, &p))
			mistake(s->f, key,
				"%s is neither a media address nor in a network of allow; add it "
				"there, or leave it out",
				PREFIX_STR(&p));
		net_join(ike->local_nets, &ike->n_local, &p);
	}
	if (raw->local_nets != NULL)
		return 0;
	for (unsigned i = 0; i < c->n_media; i++) {
		struct ip_prefix p = {.addr = c->media[i].address, .len = 32};
		if (p.addr.family != 0)
			net_join(ike->local_nets, &ike->n_local, &p);
	}
	for (unsigned i = 0; i < s->customer->n_allow; i++)
		if (s->customer->allow[i].net.addr.family != 0)
			net_join(ike->local_nets, &ike->n_local, &s->customer->allow[i].net);
	if (ike->n_local == 0 && c->n_media == 0 && s->customer->n_allow == 0)
		mistake(s->f, "ike.local_nets",
			"is missing, and there are no media addresses and no allow; a tunnel "
			"would lead to nothing");
	return 0;
}

static int remote_nets_build(struct ike_build *s)
{
	const struct config_customer *c = s->customer;
	const struct raw_tunnel *raw = s->raw;
	struct config_ike *ike = s->ike;
	if ((ike->remote_nets = calloc(raw->n_remote_nets + c->n_domain + 1,
				       sizeof(*ike->remote_nets))) == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->n_remote_nets; i++) {
		const char *key = KEY("ike.remote_nets[%u]", i);
		struct ip_prefix p;
		if (text_none(raw->remote_nets[i]) ||
		    !text_network(s->f, key, raw->remote_nets[i], &p))
			continue;
		if (!config_in_domain(c, &p))
			mistake(s->f, key,
				"%s is outside the customer's domain; add it there, or leave it "
				"out",
				PREFIX_STR(&p));
		net_join(ike->remote_nets, &ike->n_remote, &p);
	}
	for (unsigned i = 0; raw->remote_nets == NULL && i < c->n_domain; i++)
		if (c->domain[i].addr.family != 0)
			net_join(ike->remote_nets, &ike->n_remote, &c->domain[i]);
	return 0;
}

static int selectors_build(struct ike_build *s)
{
	struct config_ike *ike = s->ike;
	int ret = local_nets_build(s);
	if (ret == 0)
		ret = remote_nets_build(s);
	if (ret == 0 && ike->n_local * ike->n_remote > SA_SELECTORS_MAX)
		mistake(s->f, s->raw->local_nets != NULL ? "ike.local_nets" : "ike",
			"%u networks of ours (local_nets) times %u of the customer's (remote_nets) "
			"make %u selectors; there can be %u, so name fewer or larger ones",
			ike->n_local, ike->n_remote, ike->n_local * ike->n_remote,
			SA_SELECTORS_MAX);
	return ret;
}

static void window_build(struct ike_build *s)
{
	uint64_t window = uint_or(s->raw->window, 1024), up = SA_WINDOW_MIN;
	while (up < window)
		up *= 2;
	if (up != window)
		mistake(s->f, "ike.window", "%u is not a power of two; take %u", (unsigned)window,
			(unsigned)up);
	s->ike->window = (uint16_t)window;
}

static void times_build(struct ike_build *s)
{
	struct config_ike *ike = s->ike;
	ike->rekey = (uint32_t)uint_or(s->raw->rekey, 14400);
	ike->child_rekey = (uint32_t)uint_or(s->raw->child_rekey, 3600);
	ike->dpd_delay = (uint32_t)uint_or(s->raw->dpd_delay, 30);
	ike->dpd_timeout = (uint32_t)uint_or(s->raw->dpd_timeout, 0);
	if (ike->dpd_timeout != 0 && ike->version == 2)
		mistake(s->f, "ike.dpd_timeout",
			"is for IKEv1 alone; with version 2 charon's retransmit settings decide, "
			"so leave it out");
	else if (ike->dpd_timeout != 0 && ike->dpd_timeout < ike->dpd_delay)
		mistake(s->f, "ike.dpd_timeout", "%u is less than dpd_delay, %u; expected more",
			ike->dpd_timeout, ike->dpd_delay);
}

static int ike_build(struct ike_build *s)
{
	struct config_ike *ike = s->ike;
	ike->line = config_file_line(s->f, "ike");
	ike->version = (unsigned)enum_or(s->raw->version, 2);
	ike->initiate = enum_or(s->raw->start, 0) != 0;
	ike->mobike = bool_or(s->raw->mobike, true);
	ike->encap = bool_or(s->raw->encap, false);
	if (s->b->raw->ike == NULL)
		mistake(s->f, "ike", "needs the IKE daemon's sockets; add ike: {} to %s",
			s->b->main.name);
	local_build(s);
	times_build(s);
	window_build(s);
	int ret = ids_build(s);
	if (ret == 0)
		ret = proposals_build(s, false, s->raw->proposals, s->raw->n_proposals,
				      &ike->proposals, &ike->n_proposals);
	if (ret == 0)
		ret = proposals_build(s, true, s->raw->esp, s->raw->n_esp, &ike->esp, &ike->n_esp);
	return ret < 0 ? ret : selectors_build(s);
}

int config_build_ike(struct config_build *b, unsigned customer)
{
	struct config_customer *c = &b->c->customers[customer];
	struct customer_file *cf = &b->customers[customer];
	if (cf->raw->ike == NULL)
		return 0;
	if ((c->ike = calloc(1, sizeof(*c->ike))) == NULL)
		return -ENOMEM;
	struct ike_build s = {.b = b,
			      .f = &cf->f,
			      .raw = cf->raw->ike,
			      .customer = c,
			      .ike = c->ike,
			      .no_gateway = cf->raw->gateway == NULL};
	int ret = ike_build(&s);
	return ret < 0 ? ret : config_build_psk(b, customer);
}

void config_ike_free(struct config_ike *ike)
{
	if (ike == NULL)
		return;
	if (ike->psk != NULL)
		explicit_bzero(ike->psk, ike->psk_len);
	free(ike->psk);
	free(ike->psk_file);
	free(ike->local_id);
	free(ike->remote_id);
	for (unsigned i = 0; i < ike->n_proposals; i++)
		free(ike->proposals[i]);
	for (unsigned i = 0; i < ike->n_esp; i++)
		free(ike->esp[i]);
	free(ike->proposals);
	free(ike->esp);
	free(ike->local_nets);
	free(ike->remote_nets);
	free(ike);
}
