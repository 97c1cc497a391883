// SPDX-License-Identifier: BSD-3-Clause
// ESP: SA (found by its SPI), replay bitmap, selectors, keys, the customer's bucket, the port's entry, both legs.
#include "bound.h"

#include "crypto/crypto.h"
#include "esp/prefetch.h"
#include "esp/sa.h"
#include "jobs.h"
#include "world_priv.h"

#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#define GCM_HEAD (8 + 8)  // SPI, sequence number, IV
#define CBC_HEAD (8 + 16) // the same
#define GCM_ICV 16
#define KEYS_AHEAD 4
#define LEGS_LAG 3

struct one {
	uint8_t *esp;
	const struct sa_in *sa;
	uint32_t len; // of the ciphertext
	const ref_t *entry;
};

static void sa_ahead(const struct one *o)
{
	const struct sa_in *sa = o->sa;

	rte_prefetch0(&sa->bitmap[sa->seq_top / 64 & sa->window_mask]);
	rte_prefetch0(&sa->selector);
	keys_prefetch(&sa->keys, sa->suite, sa->hkey, o->len, true);
}

// Behind the cipher: what the inner packet leads to.
static void entry_ahead(const struct world *w, struct one *o, uint32_t head)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(o->esp + head);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	const struct local_addr *l = local_lookup(w->plane, ip->dst_addr);

	o->entry = &w->plane->media[l != NULL ? l->media : 0]->leg[rte_be_to_cpu_16(udp->dst_port)];
	rte_prefetch0(o->entry);
	rte_prefetch0(&customer_load(w->plane, o->sa->customer)->in);
}

static void legs_ahead(const struct one *o)
{
	ref_t ref = ref_load(o->entry);
	struct leg *leg = REF_PTR(ref);

	rte_prefetch0(leg);
	rte_prefetch0(&leg_other(leg, ref & REF_SECOND)->local_ip);
}

// What the answer depends on.
static void state_load(const struct world *w, const struct one *o)
{
	ref_t ref = ref_load(o->entry);
	struct leg *leg = REF_PTR(ref);

	line_load(&o->sa->bitmap[o->sa->seq_top / 64 & o->sa->window_mask]);
	line_load(&o->sa->selector);
	line_load(&customer_load(w->plane, o->sa->customer)->in);
	if (leg == NULL)
		return;
	line_load(leg);
	line_load(&leg_other(leg, ref & REF_SECOND)->local_ip);
}

static void gcm_open(struct crypto *c, const struct one *o)
{
	const struct sa_in *sa = o->sa;
	uint8_t *data = o->esp + GCM_HEAD;

	memcpy(c->nonce[0], &sa->salt, 4);
	memcpy(c->nonce[0] + 4, o->esp + 8, 8);
	c->gcm_dec[sa->suite](&sa->keys.gcm, &c->gcm_ctx, data, data, o->len, c->nonce[0], o->esp,
			      8, c->tag[0], GCM_ICV);
}

static void gcm_burst(const struct world *w, struct one *one, unsigned n, struct rte_mbuf **next,
		      unsigned n_next)
{
	for (unsigned i = 0; i < n && i < KEYS_AHEAD; i++)
		sa_ahead(&one[i]);
	for (unsigned i = 0; i < n; i++) {
		if (i + KEYS_AHEAD < n)
			sa_ahead(&one[i + KEYS_AHEAD]);
		bound_next(next, n_next, i);
		gcm_open(w->worker->crypto, &one[i]);
		entry_ahead(w, &one[i], GCM_HEAD);
		if (i >= LEGS_LAG)
			legs_ahead(&one[i - LEGS_LAG]);
	}
	for (unsigned i = n > LEGS_LAG ? n - LEGS_LAG : 0; i < n; i++)
		legs_ahead(&one[i]);
}

// Every packet has another SA; the lanes take what comes.
static void cbc_open(struct crypto *c, enum suite_id suite, const struct one *one, unsigned n)
{
	unsigned key_len = suites[suite].key_len;

	for (unsigned i = 0; i < n; i++) {
		const struct keys *k = &one[i].sa->keys;
		job_hmac(&c->jobs[i], one[i].esp, CBC_HEAD + one[i].len, k->cbc.hmac,
			 k->cbc.hmac + hmac_outer(suite), c->tag[i], suites[suite].icv_len);
	}
	crypto_hmac_burst(c, (suite - SUITE_AES_CBC_128_SHA1) & 3u, n);
	for (unsigned i = 0; i < n; i++) {
		const struct keys *k = &one[i].sa->keys;
		job_cipher(&c->jobs[i], one[i].esp, CBC_HEAD, one[i].len, one[i].esp + 8,
			   k->cbc.enc, k->cbc.dec, key_len);
	}
	crypto_cbc_burst(c, CRYPTO_DECRYPT, key_len, n);
}

static void cbc_burst(const struct world *w, struct one *one, unsigned n, struct rte_mbuf **next,
		      unsigned n_next)
{
	for (unsigned i = 0; i < n; i++) {
		sa_ahead(&one[i]);
		bound_next(next, n_next, i);
	}
	cbc_open(w->worker->crypto, w->spec.suite, one, n);
	for (unsigned i = 0; i < n; i++)
		entry_ahead(w, &one[i], CBC_HEAD);
	for (unsigned i = 0; i < n; i++)
		legs_ahead(&one[i]);
}

static void esp_burst(const struct world *w, struct rte_mbuf **pkt, unsigned n,
		      struct rte_mbuf **next, unsigned n_next)
{
	bool lanes = suites[w->spec.suite].family == SUITE_CBC_HMAC;
	uint32_t rest = (uint32_t)(RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr)) +
			(lanes ? CBC_HEAD + suites[w->spec.suite].icv_len : GCM_HEAD + GCM_ICV);
	struct one one[BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		uint8_t *esp = rte_pktmbuf_mtod_offset(
			pkt[i], uint8_t *, RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr));
		uint32_t spi_low = (uint32_t)esp[2] << 8 | esp[3];
		one[i].esp = esp;
		one[i].sa = REF_PTR(ref_load(&w->plane->sa_in[spi_low]));
		one[i].len = pkt[i]->data_len - rest;
		line_load(one[i].sa);
	}
	if (lanes)
		cbc_burst(w, one, n, next, n_next);
	else
		gcm_burst(w, one, n, next, n_next);
	for (unsigned i = 0; i < n; i++)
		state_load(w, &one[i]);
}

bool bound_has(const struct world_spec *s)
{
	if (scene_srtp(s->scene))
		return true;
	return s->scene == SCENE_ESP_PLAIN && !s->udp &&
	       (suites[s->suite].family == SUITE_CBC_HMAC || suites[s->suite].family == SUITE_GCM);
}

void bound_burst(const struct world *w, struct rte_mbuf **pkt, unsigned n, struct rte_mbuf **next,
		 unsigned n_next)
{
	if (n == 0)
		return;
	if (scene_srtp(w->spec.scene))
		bound_srtp_burst(w, pkt, n, next, n_next);
	else
		esp_burst(w, pkt, n, next, n_next);
}
