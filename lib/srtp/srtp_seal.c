// SPDX-License-Identifier: BSD-3-Clause
// From RTP to SRTP. A number is never sent twice: its keystream would be used twice.
#include "cm.h"
#include "packet.h"
#include "stream.h"

// Takes the packet's index.
static inline uint8_t packet_number(struct crypto *c, struct srtp_op *op, unsigned i)
{
	struct srtp_ctx *ctx = op->ctx;
	const uint8_t *p = op->data;

	if ((op->head = (uint16_t)srtp_head_len(p, op->len)) == 0)
		return SRTP_SHORT;
	uint32_t ssrc = load_raw32(p + 8);
	unsigned stream = stream_find(ctx, ssrc);
	op->index = index_guess(ctx, stream, ssrc, load_be16(p + 2));
	if (ctx->packets >= ctx->limit || op->index >> 48 != 0)
		return SRTP_EXPIRED;
	if (__builtin_expect(stream == STREAM_NONE, 0)) {
		if (stream_gone(ctx, ssrc))
			return SRTP_REPLAYED;
		stream = stream_add(ctx, ssrc);
	}
	if (__builtin_expect(!index_fresh(ctx, stream, op->index), 0))
		return SRTP_REPLAYED;
	index_mark(ctx, stream, op->index);
	stream_use(ctx, stream);
	ctx->packets++;
	nonce_make(c->nonce[i], ctx->salt, ctx->flags & SRTP_CTX_AEAD, ssrc, op->index);
	return SRTP_OK;
}

static void aead_burst(struct crypto *c, struct srtp_op *op, const uint8_t *member, unsigned n)
{
	for (unsigned k = 0; k < n && k < KEYS_AHEAD; k++)
		gcm_keys_prefetch(c, &op[member[k]]);
	for (unsigned k = 0; k < n; k++) {
		if (k + KEYS_AHEAD < n)
			gcm_keys_prefetch(c, &op[member[k + KEYS_AHEAD]]);
		struct srtp_op *o = &op[member[k]];
		const struct srtp_ctx *ctx = o->ctx;
		uint8_t *data = o->data + o->head;
		if (c->ahead != NULL)
			ahead_step(c->ahead);
		c->gcm_enc[gcm_of(ctx)](&ctx->keys.gcm, &c->gcm_ctx, data, data, o->len - o->head,
					c->nonce[member[k]], o->data, o->head, o->data + o->len,
					16);
		memcpy(o->data + o->len + 16, ctx->params.mki, ctx->mki_len);
		o->len += 16u + ctx->mki_len;
	}
}

static void cm_burst(struct crypto *c, struct srtp_op *op, const uint8_t *member, unsigned n)
{
	struct cm_pkt pkt[SRTP_BURST_MAX];

	for (unsigned k = 0; k < n; k++) {
		const struct srtp_op *o = &op[member[k]];
		const struct srtp_ctx *ctx = o->ctx;
		uint32_t roc = __builtin_bswap32((uint32_t)(o->index >> 16));
		if (c->ahead != NULL)
			ahead_step(c->ahead);
		pkt[k] = (struct cm_pkt){
			.data = o->data,
			.keys = &ctx->keys,
			.iv = c->nonce[member[k]],
			.hash_len = o->len + 4,
			.from = o->head,
			.len = o->len - o->head,
			.wide = (ctx->flags & SRTP_CTX_LONG) != 0,
			.skip = (ctx->flags & SRTP_CTX_PLAIN) != 0,
		};
		memcpy(o->data + o->len, &roc, 4);
	}
	cm_cipher(c, pkt, n);
	cm_hash(c, pkt, n);
	for (unsigned k = 0; k < n; k++) {
		struct srtp_op *o = &op[member[k]];
		const struct srtp_ctx *ctx = o->ctx;
		memcpy(o->data + o->len, ctx->params.mki, ctx->mki_len);
		memcpy(o->data + o->len + ctx->mki_len, c->tag[k], ctx->tag_len);
		o->len += (uint32_t)ctx->mki_len + ctx->tag_len;
	}
}

void srtp_seal_burst(struct crypto *c, struct srtp_op *op, unsigned n)
{
	uint8_t aead[SRTP_BURST_MAX], cm[SRTP_BURST_MAX];
	unsigned n_aead = 0, n_cm = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned is_aead = op[i].ctx->flags & SRTP_CTX_AEAD;
		if (!is_aead)
			cm_keys_prefetch(op[i].ctx);
		uint8_t status = packet_number(c, &op[i], i);
		op[i].status = status;
		aead[n_aead] = cm[n_cm] = (uint8_t)i;
		n_aead += status == SRTP_OK && is_aead;
		n_cm += status == SRTP_OK && !is_aead;
		if (__builtin_expect(status == SRTP_REPLAYED, 0))
			op[i].ctx->replayed++;
	}
	if (n_aead != 0)
		aead_burst(c, op, aead, n_aead);
	if (n_cm != 0)
		cm_burst(c, op, cm, n_cm);
}
