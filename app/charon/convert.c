// SPDX-License-Identifier: GPL-2.0-or-later
#include "convert.h"

#include <daemon.h>
#include <errno.h>
#include <string.h>

static int bytes_to_addr(chunk_t bytes, struct ip_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (bytes.len == sizeof(out->v4)) {
		out->family = AF_INET;
		memcpy(&out->v4, bytes.ptr, bytes.len);
		return 0;
	}
	if (bytes.len == sizeof(out->v6)) {
		out->family = AF_INET6;
		memcpy(&out->v6, bytes.ptr, bytes.len);
		return 0;
	}
	return -EAFNOSUPPORT;
}

static chunk_t addr_to_bytes(const struct ip_addr *a)
{
	if (a->family == AF_INET)
		return chunk_create((u_char *)&a->v4, sizeof(a->v4));
	return chunk_create((u_char *)&a->v6, sizeof(a->v6));
}

int addr_of(host_t *h, struct ip_addr *out)
{
	return bytes_to_addr(h->get_address(h), out);
}

int endpoint_of(host_t *h, struct ip_endpoint *out)
{
	memset(out, 0, sizeof(*out));
	out->port = h->get_port(h);
	return addr_of(h, &out->addr);
}

int id_of(kernel_ipsec_sa_id_t *id, struct feed_id *out)
{
	*out = (struct feed_id){
		.spi = ntohl(id->spi),
		.proto = id->proto,
		.if_id = id->if_id,
	};
	if (addr_of(id->src, &out->src) < 0)
		return -EAFNOSUPPORT;
	return addr_of(id->dst, &out->dst);
}

host_t *host_of(const struct ip_addr *a, uint16_t port)
{
	if (a->family != AF_INET && a->family != AF_INET6)
		return NULL;
	return host_create_from_chunk(a->family, addr_to_bytes(a), port);
}

// ---- traffic selectors ----

static int ts_from(traffic_selector_t *ts, struct feed_ts *out, struct err *err)
{
	chunk_t lo = ts->get_from_address(ts), hi = ts->get_to_address(ts);

	memset(out, 0, sizeof(*out));
	out->proto = ts->get_protocol(ts);
	out->port_lo = ts->get_from_port(ts);
	out->port_hi = ts->get_to_port(ts);
	if (bytes_to_addr(lo, &out->lo) < 0 || bytes_to_addr(hi, &out->hi) < 0)
		return err_set(err, -ENOTSUP, "a traffic selector that is neither IPv4 nor IPv6");
	if (lo.len != hi.len || memcmp(lo.ptr, hi.ptr, lo.len) > 0)
		return err_set(err, -ENOTSUP, "a traffic selector whose addresses are no range");
	if (out->port_lo > out->port_hi) // RFC 4301 section 4.4.1.1
		return err_set(err, -ENOTSUP,
			       "a traffic selector with OPAQUE ports (%u-%u); a range of ports or "
			       "any (0-65535) is right",
			       out->port_lo, out->port_hi);
	return 0;
}

static int ts_list_from(linked_list_t *list, struct feed_ts *out, uint16_t *n, struct err *err)
{
	traffic_selector_t *ts;
	int rc = 0;

	*n = 0;
	enumerator_t *e = list->create_enumerator(list);
	while (rc == 0 && e->enumerate(e, &ts)) {
		if (*n == FEED_TS_MAX)
			rc = err_set(err, -ENOTSUP, "more than %d traffic selectors", FEED_TS_MAX);
		else
			rc = ts_from(ts, &out[(*n)++], err);
	}
	e->destroy(e);
	return rc;
}

traffic_selector_t *ts_of(const struct feed_ts *t)
{
	if (t->lo.family != t->hi.family || (t->lo.family != AF_INET && t->lo.family != AF_INET6))
		return NULL;
	return traffic_selector_create_from_bytes(
		t->proto, t->lo.family == AF_INET ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE,
		addr_to_bytes(&t->lo), t->port_lo, addr_to_bytes(&t->hi), t->port_hi);
}

// ---- SAs ----

static int supported(const kernel_ipsec_sa_id_t *id, const kernel_ipsec_add_sa_t *d,
		     struct err *err)
{
	if (id->proto != IPPROTO_ESP)
		return err_set(err, -ENOTSUP, "only ESP, not AH");
	if (d->mode != MODE_TUNNEL)
		return err_set(err, -ENOTSUP, "only tunnel mode (mode = tunnel)");
	if (d->ipcomp != IPCOMP_NONE)
		return err_set(err, -ENOTSUP, "no IPComp (ipcomp = no)");
	if (d->hw_offload != HW_OFFLOAD_NO && d->hw_offload != HW_OFFLOAD_AUTO)
		return err_set(err, -ENOTSUP, "no hardware offload (hw_offload = no)");
	if (d->label != NULL)
		return err_set(err, -ENOTSUP, "no security labels (label = \"\")");
	if (id->if_id == 0)
		return err_set(err, -ENOTSUP,
			       "the connection belongs to no customer (if_id_in, if_id_out)");
	if (d->enc_key.len > FEED_KEY_MAX || d->int_key.len > FEED_KEY_MAX)
		return err_set(err, -ENOTSUP, "keys longer than %d bytes", FEED_KEY_MAX);
	return 0;
}

// The one whose thread this is.
static bool is_v1(void)
{
	ike_sa_t *ike_sa = charon->bus->get_sa(charon->bus);

	return ike_sa != NULL && ike_sa->get_version(ike_sa) == IKEV1;
}

static uint32_t flags_of(const kernel_ipsec_add_sa_t *d)
{
	bool dscp = d->copy_dscp == DSCP_COPY_YES ||
		    d->copy_dscp == (d->inbound ? DSCP_COPY_IN_ONLY : DSCP_COPY_OUT_ONLY);

	return (d->inbound ? FEED_INBOUND : 0u) | (d->encap ? FEED_ENCAP : 0u) |
	       (d->esn ? FEED_ESN : 0u) | (d->copy_df ? FEED_COPY_DF : 0u) |
	       (dscp ? FEED_COPY_DSCP : 0u) | (d->copy_ecn ? FEED_COPY_ECN : 0u) |
	       (d->initiator && !d->inbound && is_v1() ? FEED_WAIT : 0u);
}

static uint16_t u16_most(uint32_t n)
{
	return (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
}

int sa_of(kernel_ipsec_sa_id_t *id, kernel_ipsec_add_sa_t *d, struct feed_sa *out, struct err *err)
{
	int rc = supported(id, d, err);

	if (rc < 0)
		return rc;
	out->spi = ntohl(id->spi);
	out->reqid = d->reqid;
	out->if_id = id->if_id;
	out->flags = flags_of(d);
	if (endpoint_of(id->src, &out->src) < 0 || endpoint_of(id->dst, &out->dst) < 0)
		return err_set(err, -ENOTSUP, "an outer address that is neither IPv4 nor IPv6");
	out->encr = d->enc_alg;
	out->integ = d->int_alg == AUTH_UNDEFINED ? 0 : d->int_alg;
	out->encr_len = (uint16_t)d->enc_key.len;
	out->integ_len = (uint16_t)d->int_key.len;
	memcpy(out->encr_key, d->enc_key.ptr, d->enc_key.len);
	if (d->int_key.len > 0)
		memcpy(out->integ_key, d->int_key.ptr, d->int_key.len);
	out->window = u16_most(d->replay_window);
	out->tfc = u16_most(d->tfc);
	if (d->lifetime != NULL) { // charon has taken the jitter off already
		out->time = (struct feed_lifetime){d->lifetime->time.rekey, d->lifetime->time.life};
		out->bytes =
			(struct feed_lifetime){d->lifetime->bytes.rekey, d->lifetime->bytes.life};
		out->packets = (struct feed_lifetime){d->lifetime->packets.rekey,
						      d->lifetime->packets.life};
	}
	if ((rc = ts_list_from(d->src_ts, out->src_ts, &out->n_src, err)) < 0)
		return rc;
	return ts_list_from(d->dst_ts, out->dst_ts, &out->n_dst, err);
}

// ---- policies ----

int selectors_of(kernel_ipsec_policy_id_t *id, struct feed_policy *out, struct err *err)
{
	static const uint8_t dir[] = {
		[POLICY_IN] = FEED_IN, [POLICY_OUT] = FEED_OUT, [POLICY_FWD] = FEED_FWD};

	out->dir = dir[id->dir];
	out->if_id = id->if_id;
	int rc = ts_from(id->src_ts, &out->src_ts, err);
	return rc < 0 ? rc : ts_from(id->dst_ts, &out->dst_ts, err);
}

static unsigned width(traffic_selector_t *ts)
{
	host_t *net;
	uint8_t mask = 0;

	ts->to_subnet(ts, &net, &mask);
	net->destroy(net);
	return ts->get_type(ts) == TS_IPV4_ADDR_RANGE ? 32u - mask : 128u - mask;
}

// Lower goes first: by class, then narrow selectors before wide ones, then those with protocols and ports.
static uint32_t priority_of(kernel_ipsec_policy_id_t *id, kernel_ipsec_manage_policy_t *d)
{
	traffic_selector_t *ts[] = {id->src_ts, id->dst_ts};
	uint32_t priority = ((uint32_t)d->prio + 1) * 10000;

	if (d->manual_prio != 0)
		return d->manual_prio;
	for (unsigned i = 0; i < countof(ts); i++) {
		bool all_ports =
			ts[i]->get_from_port(ts[i]) == 0 && ts[i]->get_to_port(ts[i]) == UINT16_MAX;
		priority += 8 * width(ts[i]);
		priority += all_ports ? 2u : 0u;
		priority += ts[i]->get_protocol(ts[i]) == 0 ? 1u : 0u;
	}
	return priority;
}

int policy_of(kernel_ipsec_policy_id_t *id, kernel_ipsec_manage_policy_t *d,
	      struct feed_policy *out, struct err *err)
{
	static const uint8_t type[] = {[POLICY_IPSEC] = FEED_POLICY_IPSEC,
				       [POLICY_PASS] = FEED_POLICY_PASS,
				       [POLICY_DROP] = FEED_POLICY_DROP};
	int rc = selectors_of(id, out, err);

	if (rc < 0)
		return rc;
	out->type = type[d->type];
	out->priority = priority_of(id, d);
	if (d->sa != NULL) {
		out->reqid = d->sa->reqid;
		out->spi = d->sa->esp.use ? ntohl(d->sa->esp.spi) : 0;
	}
	if (d->src != NULL && addr_of(d->src, &out->src) < 0)
		return err_set(err, -ENOTSUP, "an outer address that is neither IPv4 nor IPv6");
	if (d->dst != NULL && addr_of(d->dst, &out->dst) < 0)
		return err_set(err, -ENOTSUP, "an outer address that is neither IPv4 nor IPv6");
	return 0;
}
