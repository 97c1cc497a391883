// SPDX-License-Identifier: BSD-3-Clause
// Static pairs of security associations: each by itself.
#include "config_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sa_build {
	struct config_build *b;
	const struct config_file *f;
	const char *key; // "sas[0]"
	struct raw_sa *raw;
	const struct config_customer *customer;
	struct config_sa *sa;
	bool suite_known;
	bool no_gateway; // the customer has none, not even a wrong one
};
#define SA_KEY(s, name) KEY("%s." name, (s)->key)

static void suite_build(struct sa_build *s)
{
	int id = suite_by_name(s->raw->suite);
	s->suite_known = id >= 0;
	if (id >= 0)
		s->sa->suite = (enum suite_id)id;
	if (id >= 0 || text_none(s->raw->suite))
		return;
	char names[512] = "";
	size_t n = 0;
	for (unsigned i = 0; i < SUITE_COUNT && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "",
				      suites[i].name);
	mistake(s->f, SA_KEY(s, "suite"), "%s is not known; expected one of %s",
		SHOW(s->raw->suite), names);
}

// One direction's key. Which parts it has depends on the suite.
static bool material_build(struct sa_build *s, const char *key, const char *stand_in, uint8_t *out)
{
	const struct suite *t = &suites[s->sa->suite];
	const char *hex = text_none(stand_in) ? NULL : config_file_secret(s->f, stand_in);
	if (hex == NULL || !s->suite_known)
		return false;
	char what[128];
	size_t n = (size_t)snprintf(what, sizeof(what), "%s takes %zu bytes, %u of key", t->name,
				    suite_material_len(t), t->key_len);
	if (t->salt_len)
		n += (size_t)snprintf(what + n, sizeof(what) - n, ", then %u of salt", t->salt_len);
	if (t->auth_len)
		snprintf(what + n, sizeof(what) - n, ", then %u of authentication key",
			 t->auth_len);
	return text_key(s->f, key, hex, out, suite_material_len(t), what);
}

static void keys_build(struct sa_build *s)
{
	struct config_sa *sa = s->sa;
	bool in = material_build(s, SA_KEY(s, "key_in"), s->raw->key_in, sa->material_in);
	bool out = material_build(s, SA_KEY(s, "key_out"), s->raw->key_out, sa->material_out);
	if (in && out &&
	    memcmp(sa->material_in, sa->material_out, suite_material_len(&suites[sa->suite])) == 0)
		mistake(s->f, SA_KEY(s, "key_out"),
			"is the same as key_in; each direction needs a key of its own");
}

// The port that holds an address, or NULL.
static const struct config_port *port_of(const struct config *c, const struct ip_addr *a)
{
	for (unsigned i = 0; i < c->n_ports; i++) {
		for (unsigned j = 0; j < c->ports[i].n_addresses; j++) {
			if (ip_addr_equal(&c->ports[i].addresses[j].addr, a))
				return &c->ports[i];
		}
	}
	return NULL;
}

static bool end_build(struct sa_build *s, const char *key, const char *text,
		      struct ip_endpoint *out)
{
	if (text_none(text) || !text_endpoint(s->f, key, text, false, out))
		return false;
	if (out->port != 0 && !s->sa->encap) {
		mistake(s->f, key,
			"%s has a port, which plain ESP has not; leave it out, or add "
			"encap: true",
			SHOW(text));
		return false;
	}
	if (s->sa->encap && out->port == 0)
		out->port = 4500;
	return true;
}

static void ends_build(struct sa_build *s)
{
	struct config *c = s->b->c;
	struct config_sa *sa = s->sa;
	const char *local = SA_KEY(s, "local"), *peer = SA_KEY(s, "peer");
	bool unsure = c->n_ports == 0;
	for (unsigned i = 0; i < c->n_ports; i++) {
		for (unsigned j = 0; j < c->ports[i].n_addresses; j++)
			unsure |= c->ports[i].addresses[j].addr.family == 0;
	}
	if (end_build(s, local, s->raw->local, &sa->local) && !unsure &&
	    port_of(c, &sa->local.addr) == NULL)
		mistake(s->f, local, "%s is not an address of a port; see ports in %s",
			IP_STR(&sa->local.addr), s->b->main.name);
	if (s->raw->peer == NULL) {
		sa->peer = (struct ip_endpoint){s->customer->gateway, sa->encap ? 4500 : 0};
		if (sa->peer.addr.family == 0 && s->no_gateway)
			mistake(s->f, peer,
				"is missing, and the customer has no gateway; expected one "
				"of them");
	} else if (end_build(s, peer, s->raw->peer, &sa->peer) &&
		   port_of(c, &sa->peer.addr) != NULL) {
		mistake(s->f, peer, "%s is this PoP's own; expected the customer's gateway",
			IP_STR(&sa->peer.addr));
	}
}

static void window_build(struct sa_build *s)
{
	uint64_t window = uint_or(s->raw->window, 1024), up = SA_WINDOW_MIN;
	while (up < window)
		up *= 2;
	if (up != window)
		mistake(s->f, SA_KEY(s, "window"), "%u is not a power of two; take %u",
			(unsigned)window, (unsigned)up);
	s->sa->window = (uint16_t)window;
}

// Outer length of an inner packet (RFC 4303 section 2, with UDP per RFC 3948).
static unsigned outer_len(const struct config_sa *sa, unsigned inner)
{
	const struct suite *t = &suites[sa->suite];
	unsigned padded = (inner + 2 + t->block - 1) / t->block * t->block;
	return 20 + (sa->encap ? 8 : 0) + 8 + t->iv_len + padded + t->icv_len;
}

static void tfc_build(struct sa_build *s)
{
	struct config_sa *sa = s->sa;
	sa->tfc_pad = (uint16_t)uint_or(s->raw->tfc_pad, 0);
	const struct config_port *p = port_of(s->b->c, &sa->local.addr);
	if (sa->tfc_pad == 0 || p == NULL || sa->local.addr.family == 0 || !s->suite_known)
		return;
	unsigned fits = sa->tfc_pad;
	while (fits > 0 && outer_len(sa, fits) > p->mtu)
		fits--;
	if (fits < sa->tfc_pad)
		mistake(s->f, SA_KEY(s, "tfc_pad"),
			"%u makes packets of %u bytes, and port %s's mtu is %u; at most %u fits",
			sa->tfc_pad, outer_len(sa, sa->tfc_pad), SHOW(p->name), p->mtu, fits);
}

bool config_in_domain(const struct config_customer *c, const struct ip_prefix *p)
{
	for (unsigned i = 0; i < c->n_domain; i++) {
		// A network that is not right was reported; what it would hold is not known.
		if (c->domain[i].addr.family == 0 ||
		    (c->domain[i].len <= p->len && ip_prefix_contains(&c->domain[i], &p->addr)))
			return true;
	}
	return c->n_domain == 0;
}

static int nets_copy(const struct ip_prefix *from, unsigned n, struct ip_prefix **out)
{
	*out = calloc(n + 1, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(*out, from, n * sizeof(**out));
	return 0;
}

static int nets_build(struct sa_build *s, const char *key, char **texts, unsigned n,
		      struct ip_prefix **out)
{
	*out = calloc(n + 1, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		if (!text_none(texts[i]))
			text_network(s->f, KEY("%s[%u]", key, i), texts[i], &(*out)[i]);
	}
	return 0;
}

static int selectors_build(struct sa_build *s)
{
	struct config_sa *sa = s->sa;
	const struct raw_sa *raw = s->raw;
	const struct config_customer *c = s->customer;
	static const struct ip_prefix any = {.addr = {.family = AF_INET}};
	const char *remote = SA_KEY(s, "remote_nets");
	sa->n_local = raw->local_nets != NULL ? raw->n_local_nets : 1;
	sa->n_remote = raw->remote_nets != NULL ? raw->n_remote_nets : c->n_domain;
	int ret = raw->local_nets != NULL ? nets_build(s, SA_KEY(s, "local_nets"), raw->local_nets,
						       raw->n_local_nets, &sa->local_nets)
					  : nets_copy(&any, 1, &sa->local_nets);
	if (ret == 0)
		ret = raw->remote_nets != NULL
			      ? nets_build(s, remote, raw->remote_nets, raw->n_remote_nets,
					   &sa->remote_nets)
			      : nets_copy(c->domain, c->n_domain, &sa->remote_nets);
	if (ret < 0)
		return ret;
	for (unsigned i = 0; i < sa->n_remote; i++) {
		const struct ip_prefix *p = &sa->remote_nets[i];
		if (p->addr.family != 0 && !config_in_domain(c, p))
			mistake(s->f, KEY("%s[%u]", remote, i),
				"%s is outside the customer's domain; add it there, or leave it "
				"out",
				PREFIX_STR(p));
	}
	if (sa->n_local * sa->n_remote > SA_SELECTORS_MAX)
		mistake(s->f, s->key,
			"local_nets times remote_nets makes %u selectors; there can be %u, so join "
			"networks or use two SAs",
			sa->n_local * sa->n_remote, SA_SELECTORS_MAX);
	return 0;
}

static void proto_build(struct sa_build *s)
{
	struct config_sa *sa = s->sa;
	sa->port_lo = 0;
	sa->port_hi = 65535;
	if (!text_none(s->raw->proto) &&
	    !text_proto(s->f, SA_KEY(s, "proto"), s->raw->proto, &sa->proto))
		return;
	if (text_none(s->raw->ports))
		return;
	if (!proto_has_ports(sa->proto))
		mistake(s->f, SA_KEY(s, "ports"),
			"need a proto that has ports; add proto: udp, tcp or sctp");
	else
		text_port_range(s->f, SA_KEY(s, "ports"), s->raw->ports, &sa->port_lo,
				&sa->port_hi);
}

static int sa_build(struct sa_build *s)
{
	struct config_sa *sa = s->sa;
	const struct raw_sa *raw = s->raw;
	sa->line = config_file_line(s->f, s->key);
	sa->spi_in = (uint32_t)uint_or(raw->spi_in, 0);
	sa->spi_out = (uint32_t)uint_or(raw->spi_out, 0);
	sa->encap = bool_or(raw->encap, false);
	sa->esn = bool_or(raw->esn, false);
	sa->ecn = bool_or(raw->ecn, true);
	sa->dscp = bool_or(raw->dscp, true);
	sa->df = enum_or(raw->df, DF_COPY);
	suite_build(s);
	keys_build(s);
	ends_build(s);
	window_build(s);
	tfc_build(s);
	proto_build(s);
	return selectors_build(s);
}

int config_build_sas(struct config_build *b, unsigned customer)
{
	struct config_customer *c = &b->c->customers[customer];
	struct customer_file *cf = &b->customers[customer];
	c->sas = calloc(cf->raw->n_sas + 1, sizeof(*c->sas));
	if (c->sas == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < cf->raw->n_sas; i++) {
		c->n_sas = i + 1;
		struct sa_build s = {.b = b,
				     .f = &cf->f,
				     .key = KEY("sas[%u]", i),
				     .raw = &cf->raw->sas[i],
				     .customer = c,
				     .sa = &c->sas[i],
				     .no_gateway = cf->raw->gateway == NULL};
		int ret = sa_build(&s);
		if (ret < 0)
			return ret;
	}
	return 0;
}
