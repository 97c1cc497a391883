// SPDX-License-Identifier: BSD-3-Clause
// SRTP: the port's entry, both legs, the context (head, the stream's counters and window, keys).
#include "bound.h"
#include "crypto/crypto.h"
#include "esp/prefetch.h"
#include "jobs.h"
#include "srtp/kdf.h"
#include "world_priv.h"

#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#define HEAD 12 // of RTP
#define KEYS_AHEAD 3

struct one {
	uint8_t *rtp;
	uint32_t len; // of the payload
	const ref_t *entry;
	struct leg *leg, *far;
	const struct srtp_ctx *ctx;
};

static void packets_find(const struct world *w, struct rte_mbuf **pkt, unsigned n, struct one *one)
{
	uint32_t tag = w->spec.scene == SCENE_SRTP_PLAIN ? srtp_suites[w->spec.srtp].tag_len : 0;

	for (unsigned i = 0; i < n; i++) {
		const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(
			pkt[i], const struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
		const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
		const struct local_addr *l = local_lookup(w->plane, ip->dst_addr);
		const struct media_addr *media = w->plane->media[l != NULL ? l->media : 0];
		one[i].rtp = rte_pktmbuf_mtod_offset(
			pkt[i], uint8_t *, RTE_ETHER_HDR_LEN + sizeof(*ip) + sizeof(*udp));
		one[i].len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp) - HEAD - tag;
		one[i].entry = &media->leg[rte_be_to_cpu_16(udp->dst_port)];
		rte_prefetch0(one[i].entry);
	}
}

// Entry, legs, context and its stream, each found by what is before it.
static void state_ahead(const struct world *w, struct one *one, unsigned n)
{
	bool in = w->spec.scene == SCENE_SRTP_PLAIN;

	for (unsigned i = 0; i < n; i++) {
		ref_t ref = ref_load(one[i].entry);
		one[i].leg = REF_PTR(ref);
		one[i].far = leg_other(one[i].leg, ref & REF_SECOND);
		rte_prefetch0(one[i].leg);
		rte_prefetch0(&one[i].far->local_ip);
	}
	for (unsigned i = 0; i < n; i++) {
		one[i].ctx = in ? leg_srtp_in(one[i].leg) : one[i].far->srtp_out;
		rte_prefetch0(one[i].ctx);
	}
	for (unsigned i = 0; i < n; i++)
		srtp_ctx_prefetch(one[i].ctx);
}

static void state_load(const struct one *o)
{
	line_load(o->leg);
	line_load(&o->far->local_ip);
	line_load(&o->ctx->stream[o->ctx->last]);
}

static void nonce_write(struct crypto *c, const struct one *o, unsigned i)
{
	memcpy(c->nonce[i], o->ctx->salt, sizeof(o->ctx->salt));
}

static void gcm_burst(const struct world *w, const struct one *one, unsigned n,
		      struct rte_mbuf **next, unsigned n_next)
{
	struct crypto *c = w->worker->crypto;
	unsigned suite =
		srtp_suites[w->spec.srtp].key_len == 32 ? SUITE_AES_GCM_256 : SUITE_AES_GCM_128;
	bool in = w->spec.scene == SCENE_SRTP_PLAIN;
	aes_gcm_enc_dec_t gcm = (in ? c->gcm_dec : c->gcm_enc)[suite];

	for (unsigned i = 0; i < n + KEYS_AHEAD; i++) {
		if (i < n) {
			keys_prefetch((const struct keys *)&one[i].ctx->keys, (uint8_t)suite,
				      c->hkey, one[i].len, in);
			nonce_write(c, &one[i], i);
		}
		if (i < KEYS_AHEAD)
			continue;
		const struct one *o = &one[i - KEYS_AHEAD];
		uint8_t *data = o->rtp + HEAD;
		bound_next(next, n_next, i - KEYS_AHEAD);
		gcm(&o->ctx->keys.gcm, &c->gcm_ctx, data, data, o->len, c->nonce[i - KEYS_AHEAD],
		    o->rtp, HEAD, in ? c->tag[0] : data + o->len, 16);
	}
}

static void cm_hash(struct crypto *c, const struct one *one, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		job_hmac(&c->jobs[i], one[i].rtp, HEAD + one[i].len + 4, one[i].ctx->keys.cm.hmac,
			 one[i].ctx->keys.cm.hmac + 32, c->tag[i], 12);
	crypto_hmac_burst(c, 0, n);
}

static void cm_cipher(struct crypto *c, const struct one *one, unsigned n, unsigned key_len)
{
	for (unsigned i = 0; i < n; i++)
		job_cipher(&c->jobs[i], one[i].rtp, HEAD, one[i].len, c->nonce[i],
			   one[i].ctx->keys.cm.round, one[i].ctx->keys.cm.round, key_len);
	crypto_ctr_burst(c, key_len, n);
}

static void cm_burst(const struct world *w, const struct one *one, unsigned n,
		     struct rte_mbuf **next, unsigned n_next)
{
	struct crypto *c = w->worker->crypto;
	const struct srtp_suite_info *suite = &srtp_suites[w->spec.srtp];
	bool in = w->spec.scene == SCENE_SRTP_PLAIN;

	for (unsigned i = 0; i < n; i++)
		lines_prefetch(&one[i].ctx->keys, 0, 64 + (suite->key_len == 32 ? 240 : 176));
	for (unsigned i = 0; i < n; i++) {
		bound_next(next, n_next, i);
		nonce_write(c, &one[i], i);
		memset(one[i].rtp + HEAD + one[i].len, 0, 4); // the rollover counter
	}
	if (in)
		cm_hash(c, one, n);
	cm_cipher(c, one, n, suite->key_len);
	if (in)
		return;
	cm_hash(c, one, n);
	for (unsigned i = 0; i < n; i++)
		memcpy(one[i].rtp + HEAD + one[i].len, c->tag[i], suite->tag_len);
}

void bound_srtp_burst(const struct world *w, struct rte_mbuf **pkt, unsigned n,
		      struct rte_mbuf **next, unsigned n_next)
{
	struct one one[BURST_MAX] = {0};

	packets_find(w, pkt, n, one);
	state_ahead(w, one, n);
	if (srtp_is_aead(w->spec.srtp))
		gcm_burst(w, one, n, next, n_next);
	else
		cm_burst(w, one, n, next, n_next);
	for (unsigned i = 0; i < n; i++)
		state_load(&one[i]);
}
