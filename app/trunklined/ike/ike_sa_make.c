// SPDX-License-Identifier: BSD-3-Clause
// From what the IKE daemon says of an SA to the object that a worker uses.
#include "ike_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENCR_AES_CBC 12
#define ENCR_AES_GCM_16 20
#define ENCR_CHACHA20_POLY1305 28

// Without ESN an SA is to be rekeyed this many packets before its last number, and up to as many more at
// random: two minutes of the largest tier.
#define SEQ_MARGIN (1u << 26)

static int suite_of(const struct feed_sa *f)
{
	static const struct {
		uint16_t encr, integ, encr_len;
		enum suite_id suite;
	} known[] = {
		{ENCR_AES_GCM_16, 0, 20, SUITE_AES_GCM_128},
		{ENCR_AES_GCM_16, 0, 28, SUITE_AES_GCM_192},
		{ENCR_AES_GCM_16, 0, 36, SUITE_AES_GCM_256},
		{ENCR_AES_CBC, 2, 16, SUITE_AES_CBC_128_SHA1},
		{ENCR_AES_CBC, 12, 16, SUITE_AES_CBC_128_SHA256},
		{ENCR_AES_CBC, 13, 16, SUITE_AES_CBC_128_SHA384},
		{ENCR_AES_CBC, 14, 16, SUITE_AES_CBC_128_SHA512},
		{ENCR_AES_CBC, 2, 32, SUITE_AES_CBC_256_SHA1},
		{ENCR_AES_CBC, 12, 32, SUITE_AES_CBC_256_SHA256},
		{ENCR_AES_CBC, 13, 32, SUITE_AES_CBC_256_SHA384},
		{ENCR_AES_CBC, 14, 32, SUITE_AES_CBC_256_SHA512},
		{ENCR_CHACHA20_POLY1305, 0, 36, SUITE_CHACHA20_POLY1305},
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].encr == f->encr && known[i].integ == f->integ &&
		    known[i].encr_len == f->encr_len)
			return (int)known[i].suite;
	return -ENOENT;
}

static bool ts_is_v4(const struct feed_ts *t)
{
	return t->lo.family == AF_INET && t->hi.family == AF_INET &&
	       ntohl(t->lo.v4.s_addr) <= ntohl(t->hi.v4.s_addr);
}

static bool within(const struct ip_prefix *p, const struct feed_ts *t)
{
	return ip_prefix_contains(p, &t->lo) && ip_prefix_contains(p, &t->hi);
}

// The customer's side: its own networks, and nobody else's.
static int remote_check(const struct config_customer *cc, const struct feed_ts *t, struct err *err)
{
	char lo[IP_ADDR_STRLEN], hi[IP_ADDR_STRLEN];

	for (unsigned i = 0; i < cc->n_domain; i++)
		if (within(&cc->domain[i], t))
			return 0;
	return err_set(err, -EPERM,
		       "%s: its gateway claims %s-%s, which is outside the customer's domain "
		       "(domain in %s)",
		       cc->name, ip_addr_str(&t->lo, lo), ip_addr_str(&t->hi, hi), cc->file);
}

// Our side: what the customer may reach at all.
static int local_check(const struct config *cfg, const struct config_customer *cc,
		       const struct feed_ts *t, struct err *err)
{
	char lo[IP_ADDR_STRLEN], hi[IP_ADDR_STRLEN];

	for (unsigned i = 0; i < cfg->n_media; i++)
		if (within(&(struct ip_prefix){.addr = cfg->media[i].address, .len = 32}, t))
			return 0;
	for (unsigned i = 0; i < cc->n_allow; i++)
		if (within(&cc->allow[i].net, t))
			return 0;
	return err_set(err, -EPERM,
		       "%s: its gateway asks for %s-%s, which is neither a media address nor in a "
		       "network of the customer's allow list (allow in %s)",
		       cc->name, ip_addr_str(&t->lo, lo), ip_addr_str(&t->hi, hi), cc->file);
}

static void selector_fill(struct selector *s, const struct feed_ts *src, const struct feed_ts *dst)
{
	bool ports;

	s->src_lo = ntohl(src->lo.v4.s_addr);
	s->src_hi = ntohl(src->hi.v4.s_addr);
	s->dst_lo = ntohl(dst->lo.v4.s_addr);
	s->dst_hi = ntohl(dst->hi.v4.s_addr);
	s->proto = src->proto != 0 ? src->proto : dst->proto;
	// ICMP's "ports" are type and code (RFC 7296 section 3.13.1), which nobody restricts.
	ports = s->proto == IPPROTO_UDP || s->proto == IPPROTO_TCP || s->proto == IPPROTO_SCTP;
	s->sport_lo = ports ? src->port_lo : 0;
	s->sport_hi = ports ? src->port_hi : 65535;
	s->dport_lo = ports ? dst->port_lo : 0;
	s->dport_hi = ports ? dst->port_hi : 65535;
}

static int selectors_fill(const struct config *cfg, const struct config_customer *cc,
			  const struct feed_sa *f, struct sa_spec *spec, struct err *err)
{
	bool inbound = f->flags & FEED_INBOUND;

	if (f->n_src == 0 || f->n_dst == 0 || f->n_src * f->n_dst > SA_SELECTORS_MAX)
		return err_set(err, -EINVAL,
			       "%u times %u traffic selectors; an SA takes 1 to %d pairs", f->n_src,
			       f->n_dst, SA_SELECTORS_MAX);
	for (unsigned i = 0; i < f->n_src; i++) {
		for (unsigned j = 0; j < f->n_dst; j++) {
			const struct feed_ts *src = &f->src_ts[i], *dst = &f->dst_ts[j];
			if (!ts_is_v4(src) || !ts_is_v4(dst))
				return err_set(err, -EAFNOSUPPORT,
					       "traffic selectors are IPv4 for now");
			int rc = remote_check(cc, inbound ? src : dst, err);
			if (rc == 0)
				rc = local_check(cfg, cc, inbound ? dst : src, err);
			if (rc < 0)
				return rc;
			selector_fill(&spec->selectors[spec->n_selectors++], src, dst);
		}
	}
	return 0;
}

static uint16_t window_of(unsigned wanted)
{
	uint16_t w = SA_WINDOW_MIN;

	while (w < wanted && w < SA_WINDOW_MAX)
		w = (uint16_t)(w * 2);
	return w;
}

static uint64_t first_seq(const struct feed_sa *f)
{
	uint64_t most = f->flags & FEED_ESN ? UINT64_MAX : UINT32_MAX;

	if (!(f->flags & FEED_REPLAY))
		return 0;
	if (f->flags & FEED_INBOUND)
		return f->seq < most ? f->seq : most;
	return f->seq < most - FEED_SEQ_JUMP ? f->seq + FEED_SEQ_JUMP : most;
}

int ike_sa_make(struct control *ctl, struct ike_sa *sa, const struct feed_sa *f, struct err *err)
{
	const struct customer_state *cs = &ctl->customer[sa->customer];
	uint8_t material[2 * FEED_KEY_MAX];
	int suite = suite_of(f);

	if (suite < 0 || f->integ_len != suites[suite].auth_len)
		return err_set(err, -ENOTSUP,
			       "encryption %u with %u bytes of key and integrity %u with %u: no "
			       "cipher suite that we have",
			       f->encr, f->encr_len, f->integ, f->integ_len);
	sa->suite = (enum suite_id)suite;
	struct sa_spec spec = {
		.spi = f->spi,
		.suite = sa->suite,
		.flags = (f->flags & FEED_ESN ? SA_ESN : 0u) |
			 (f->flags & FEED_ENCAP ? SA_ENCAP : 0u) |
			 (f->flags & FEED_COPY_DSCP ? SA_DSCP : 0u) |
			 (f->flags & FEED_COPY_ECN ? SA_ECN : 0u) |
			 (f->flags & FEED_COPY_DF ? SA_DF_COPY : 0u),
		.window = window_of(f->window),
		.owner = cs->plane->owner,
		.customer = sa->customer,
		.tfc_pad = f->tfc,
		.local = sa->inbound ? f->dst : f->src,
		.peer = sa->inbound ? f->src : f->dst,
		.material = material,
		.first_seq = first_seq(f),
	};
	int rc = control_peer_check(ctl->config, &spec.peer.addr, err);
	if (rc < 0 || (rc = selectors_fill(ctl->config, cs->config, f, &spec, err)) < 0)
		return rc;
	memcpy(material, f->encr_key, f->encr_len);
	memcpy(material + f->encr_len, f->integ_key, f->integ_len);
	rc = sa->inbound ? sa_in_make(ctl, &spec, &sa->in, err)
			 : sa_out_make(ctl, &spec, &sa->out, err);
	secret_wipe(material, sizeof(material));
	if (rc == 0 && !sa->inbound && !sa->esn)
		sa->soft_seq = UINT32_MAX - SEQ_MARGIN - (uint32_t)random() % SEQ_MARGIN;
	return rc;
}
