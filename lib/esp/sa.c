// SPDX-License-Identifier: BSD-3-Clause
#include "sa.h"

#include "replay.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define OUTER_TTL 64

static int selectors_check(const struct sa_spec *spec, struct err *err)
{
	if (spec->n_selectors < 1 || spec->n_selectors > SA_SELECTORS_MAX)
		return err_set(err, -EINVAL, "%u traffic selectors: an SA has 1 to %d",
			       spec->n_selectors, SA_SELECTORS_MAX);
	for (unsigned i = 0; i < spec->n_selectors; i++) {
		const struct selector *s = &spec->selectors[i];
		if (s->src_lo > s->src_hi || s->dst_lo > s->dst_hi)
			return err_set(
				err, -EINVAL,
				"traffic selector %u: an address range ends before it starts; "
				"the lower address comes first",
				i + 1);
		if (s->sport_lo > s->sport_hi || s->dport_lo > s->dport_hi)
			return err_set(err, -EINVAL,
				       "traffic selector %u: a port range ends before it starts; "
				       "any port is 0-65535",
				       i + 1);
	}
	return 0;
}

static int spec_check(const struct sa_spec *spec, struct err *err)
{
	if (spec->suite >= SUITE_COUNT)
		return err_set(err, -EINVAL, "no cipher suite has the number %u: 0 to %u exist",
			       (unsigned)spec->suite, SUITE_COUNT - 1);
	if (spec->spi < 256)
		return err_set(
			err, -EINVAL,
			"SPI 0x%x: 0 to 255 are reserved (RFC 4303 section 2.1); use 0x100 to "
			"0xffffffff",
			spec->spi);
	if (spec->material == NULL)
		return err_set(err, -EINVAL, "no key: %s takes %zu bytes", suites[spec->suite].name,
			       suite_material_len(&suites[spec->suite]));
	if (spec->local.addr.family != AF_INET || spec->peer.addr.family != AF_INET)
		return err_set(err, -EINVAL,
			       "the outer addresses of an SA are IPv4 for now: local and peer");
	if ((spec->flags & SA_ENCAP) && (spec->local.port == 0 || spec->peer.port == 0))
		return err_set(err, -EINVAL,
			       "ESP in UDP takes a local and a peer port, usually 4500 (RFC 3948)");
	if (!(spec->flags & SA_ESN) && spec->first_seq > UINT32_MAX)
		return err_set(
			err, -EINVAL,
			"sequence number %llu takes extended sequence numbers (esn); without, "
			"it is at most 4294967295",
			(unsigned long long)spec->first_seq);
	return selectors_check(spec, err);
}

static size_t selectors_size(const struct sa_spec *spec)
{
	return (size_t)(spec->n_selectors > 1 ? spec->n_selectors - 1 : 0) *
	       sizeof(struct selector);
}

static uint32_t salt_of(const struct sa_spec *spec)
{
	uint32_t salt = 0;
	const struct suite *s = &suites[spec->suite];
	memcpy(&salt, spec->material + s->key_len, s->salt_len);
	return salt;
}

static size_t whole_lines(size_t n)
{
	return (n + 63) & ~63UL;
}

size_t sa_in_size(const struct sa_spec *spec)
{
	return whole_lines(sizeof(struct sa_in) + replay_words(spec->window) * sizeof(uint64_t) +
			   selectors_size(spec));
}

int sa_in_init(struct sa_in *sa, const struct sa_spec *spec, struct crypto *c, struct err *err)
{
	int rc = spec_check(spec, err);
	if (rc != 0)
		return rc;
	uint32_t w = spec->window;
	if (w < SA_WINDOW_MIN || w > SA_WINDOW_MAX || (w & (w - 1)) != 0)
		return err_set(err, -EINVAL,
			       "replay window %u: a power of two from %d to %d packets is needed",
			       w, SA_WINDOW_MIN, SA_WINDOW_MAX);
	const struct suite *s = &suites[spec->suite];
	uint32_t words = replay_words(w);
	memset(sa, 0, sa_in_size(spec));
	sa->spi = spec->spi;
	sa->suite = (uint8_t)spec->suite;
	sa->family = (uint8_t)s->family;
	sa->owner = spec->owner;
	sa->salt = salt_of(spec);
	sa->flags = (uint16_t)(spec->flags & ~(uint32_t)SA_EXHAUSTED);
	sa->customer = spec->customer;
	sa->seq_top = spec->first_seq;
	sa->window = spec->window;
	sa->window_mask = (uint16_t)(words - 1);
	sa->icv_len = s->icv_len;
	sa->iv_len = s->iv_len;
	sa->peer_ip = spec->peer.addr.v4.s_addr;
	sa->peer_port = spec->flags & SA_ENCAP ? htons(spec->peer.port) : 0;
	sa->hkey = crypto_hkey_span(c);
	sa->n_selectors = spec->n_selectors;
	sa->selector = spec->selectors[0];
	struct selector *more = (struct selector *)(sa->bitmap + words);
	memcpy(more, spec->selectors + 1, selectors_size(spec));
	sa->more = more;
	replay_init(sa->bitmap, words, spec->first_seq);
	keys_expand(c, spec->suite, spec->material, &sa->keys);
	return 0;
}

size_t sa_out_size(const struct sa_spec *spec)
{
	return whole_lines(sizeof(struct sa_out) + selectors_size(spec));
}

void sa_outer_make(struct sa_outer *o, const struct ip_endpoint *local,
		   const struct ip_endpoint *peer, uint32_t flags)
{
	uint8_t *h = o->header;
	memset(o, 0, sizeof(*o));
	o->len = flags & SA_ENCAP ? 28 : 20;
	h[0] = 0x45;
	h[8] = OUTER_TTL;
	h[9] = flags & SA_ENCAP ? IPPROTO_UDP : IPPROTO_ESP;
	memcpy(h + 12, &local->addr.v4, 4);
	memcpy(h + 16, &peer->addr.v4, 4);
	if (flags & SA_DF_SET)
		h[6] = 0x40;
	if (flags & SA_ENCAP) {
		uint16_t ports[2] = {htons(local->port), htons(peer->port)};
		memcpy(h + 20, ports, 4);
	}
	uint32_t sum = 0;
	for (int i = 0; i < 20; i += 2) {
		uint16_t word;
		memcpy(&word, h + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	o->sum = (uint16_t)((sum & 0xffff) + (sum >> 16));
}

void sa_outer_apply(struct sa_out *sa, const struct sa_outer *o)
{
	unsigned flags = sa->flags & ~(unsigned)SA_ENCAP;
	memcpy(sa->outer, o->header, sizeof(sa->outer));
	sa->outer_len = o->len;
	sa->outer_sum = o->sum;
	sa->flags = (uint16_t)(flags | (o->len == 28 ? SA_ENCAP : 0u));
}

int sa_out_init(struct sa_out *sa, const struct sa_spec *spec, struct crypto *c, struct err *err)
{
	int rc = spec_check(spec, err);
	if (rc != 0)
		return rc;
	if ((spec->flags & SA_DF_COPY) && (spec->flags & SA_DF_SET))
		return err_set(err, -EINVAL,
			       "DF is either copied from the inner packet or set, not both");
	struct {
		uint64_t iv_base;
		uint32_t ip_id;
	} __attribute__((packed)) random;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(err, -EIO,
			       "the kernel gave no random numbers for the IV (getrandom)");
	const struct suite *s = &suites[spec->suite];
	memset(sa, 0, sa_out_size(spec));
	sa->spi = spec->spi;
	sa->suite = (uint8_t)spec->suite;
	sa->family = (uint8_t)s->family;
	sa->owner = spec->owner;
	sa->salt = salt_of(spec);
	sa->flags = (uint16_t)(spec->flags & ~(uint32_t)SA_EXHAUSTED);
	if (spec->first_seq >= (spec->flags & SA_ESN ? UINT64_MAX : UINT32_MAX))
		sa->flags |= SA_EXHAUSTED;
	sa->customer = spec->customer;
	sa->path_mtu = UINT16_MAX;
	sa->seq = spec->first_seq;
	sa->iv_base = random.iv_base;
	sa->ip_id = random.ip_id;
	sa->icv_len = s->icv_len;
	sa->iv_len = s->iv_len;
	sa->block = s->block;
	sa->tfc_pad = spec->tfc_pad;
	sa->hkey = crypto_hkey_span(c);
	sa->n_selectors = spec->n_selectors;
	sa->selector = spec->selectors[0];
	struct selector *more = (struct selector *)(sa + 1);
	memcpy(more, spec->selectors + 1, selectors_size(spec));
	sa->more = more;
	struct sa_outer outer;
	sa_outer_make(&outer, &spec->local, &spec->peer, spec->flags);
	sa_outer_apply(sa, &outer);
	keys_expand(c, spec->suite, spec->material, &sa->keys);
	return 0;
}

void sa_in_wipe(struct sa_in *sa)
{
	secret_wipe(&sa->keys, sizeof(sa->keys));
	secret_wipe(&sa->salt, sizeof(sa->salt));
}

void sa_out_wipe(struct sa_out *sa)
{
	secret_wipe(&sa->keys, sizeof(sa->keys));
	secret_wipe(&sa->salt, sizeof(sa->salt));
	secret_wipe(&sa->iv_base, sizeof(sa->iv_base));
}
