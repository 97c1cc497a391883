// SPDX-License-Identifier: BSD-3-Clause
// From SRTP to RTP: what it is and which index it has; verify and decrypt; move the window.
#include "cm.h"
#include "packet.h"
#include "stream.h"

// Lengths, MKI, stream, index, window. Writes the nonce of packet i.
static inline uint8_t packet_check(struct crypto *c, struct srtp_op *op, unsigned i)
{
	const struct srtp_ctx *ctx = op->ctx;
	const uint8_t *p = op->data;
	bool aead = ctx->flags & SRTP_CTX_AEAD;
	uint32_t extra = (uint32_t)ctx->tag_len + ctx->mki_len;

	if (op->len < extra || (op->head = (uint16_t)srtp_head_len(p, op->len - extra)) == 0)
		return SRTP_SHORT;
	// With AES-CM the tag stands behind the MKI, with GCM it is part of the ciphertext.
	if (ctx->mki_len != 0 && memcmp(p + op->len - ctx->mki_len - (aead ? 0 : ctx->tag_len),
					ctx->params.mki, ctx->mki_len) != 0)
		return SRTP_BAD_MKI;
	uint32_t ssrc = load_raw32(p + 8);
	op->stream = (uint8_t)stream_find(ctx, ssrc);
	if (__builtin_expect(!op->exact, 1))
		op->index = index_guess(ctx, op->stream, ssrc, load_be16(p + 2));
	if (__builtin_expect(op->stream == STREAM_NONE, 0)) {
		if (stream_gone(ctx, ssrc))
			return SRTP_REPLAYED;
	} else if (!index_fresh(ctx, op->stream, op->index)) {
		return SRTP_REPLAYED;
	}
	if (ctx->packets >= ctx->limit || op->index >> 48 != 0)
		return SRTP_EXPIRED;
	nonce_make(c->nonce[i], ctx->salt, aead, ssrc, op->index);
	return SRTP_OK;
}

// The window has moved since packet_check: a burst may hold the same number twice.
static inline void packet_finish(struct srtp_op *op)
{
	struct srtp_ctx *ctx = op->ctx;
	uint32_t ssrc = load_raw32(op->data + 8);

	if (__builtin_expect(op->stream == STREAM_NONE, 0)) {
		op->stream = (uint8_t)stream_find(ctx, ssrc);
		if (op->stream == STREAM_NONE)
			op->stream = (uint8_t)stream_add(ctx, ssrc);
	}
	if (__builtin_expect(
		    ctx->ssrc[op->stream] != ssrc || !index_fresh(ctx, op->stream, op->index), 0)) {
		op->status = SRTP_REPLAYED;
		return;
	}
	index_mark(ctx, op->stream, op->index);
	stream_use(ctx, op->stream);
	ctx->packets++;
	op->len -= (uint32_t)ctx->tag_len + ctx->mki_len;
}

// dec false: back to what it was.
static inline void aead_run(struct crypto *c, const struct srtp_op *op, unsigned i, bool dec)
{
	const struct srtp_ctx *ctx = op->ctx;
	uint8_t *data = op->data + op->head;
	uint64_t len = op->len - op->head - ctx->tag_len - ctx->mki_len;

	(dec ? c->gcm_dec : c->gcm_enc)[gcm_of(ctx)](&ctx->keys.gcm, &c->gcm_ctx, data, data, len,
						     c->nonce[i], op->data, op->head, c->tag[i],
						     16);
}

static void aead_burst(struct crypto *c, struct srtp_op *op, const uint8_t *member, unsigned n)
{
	for (unsigned k = 0; k < n && k < KEYS_AHEAD; k++)
		gcm_keys_prefetch(c, &op[member[k]]);
	for (unsigned k = 0; k < n; k++) {
		if (k + KEYS_AHEAD < n)
			gcm_keys_prefetch(c, &op[member[k + KEYS_AHEAD]]);
		if (c->ahead != NULL)
			ahead_step(c->ahead);
		aead_run(c, &op[member[k]], member[k], true);
	}
	for (unsigned k = 0; k < n; k++) {
		struct srtp_op *o = &op[member[k]];
		const uint8_t *tag = o->data + o->len - o->ctx->mki_len - 16;
		if (__builtin_expect(tag_equal(tag, c->tag[member[k]], 16), 1))
			packet_finish(o);
		else
			o->status = SRTP_FORGED;
	}
}

static inline void cm_fill(struct crypto *c, const struct srtp_op *o, unsigned i, struct cm_pkt *p)
{
	const struct srtp_ctx *ctx = o->ctx;
	uint32_t end = o->len - ctx->tag_len - ctx->mki_len;
	uint32_t roc = __builtin_bswap32((uint32_t)(o->index >> 16));

	p->data = o->data;
	p->keys = &ctx->keys;
	p->iv = c->nonce[i];
	p->hash_len = end + 4;
	p->from = o->head;
	p->len = end - o->head;
	p->wide = (ctx->flags & SRTP_CTX_LONG) != 0;
	p->op = (uint8_t)i;
	// The rollover counter is hashed behind the packet, where MKI or tag stand.
	memcpy(&p->saved, o->data + end, 4);
	p->tag = cm_tag_load(o->data + o->len - ctx->tag_len, ctx->tag_len);
	memcpy(o->data + end, &roc, 4);
}

static void cm_burst(struct crypto *c, struct srtp_op *op, const uint8_t *member, unsigned n)
{
	struct cm_pkt pkt[SRTP_BURST_MAX];

	for (unsigned k = 0; k < n; k++) {
		if (c->ahead != NULL)
			ahead_step(c->ahead);
		cm_fill(c, &op[member[k]], member[k], &pkt[k]);
	}
	cm_hash(c, pkt, n);
	for (unsigned k = 0; k < n; k++) {
		struct srtp_op *o = &op[pkt[k].op];
		const struct srtp_ctx *ctx = o->ctx;
		bool good = cm_tag_equal(pkt[k].tag, cm_tag_load(c->tag[k], ctx->tag_len));
		if (__builtin_expect(!good, 0)) // it may be tried with another index or key
			memcpy(o->data + pkt[k].hash_len - 4, &pkt[k].saved, 4);
		o->status = good ? SRTP_OK : SRTP_FORGED;
		pkt[k].skip = !good || (ctx->flags & SRTP_CTX_PLAIN);
	}
	cm_cipher(c, pkt, n);
	for (unsigned k = 0; k < n; k++)
		if (op[pkt[k].op].status == SRTP_OK)
			packet_finish(&op[pkt[k].op]);
}

static void open_all(struct crypto *c, struct srtp_op *op, unsigned n)
{
	uint8_t aead[SRTP_BURST_MAX], cm[SRTP_BURST_MAX];
	unsigned n_aead = 0, n_cm = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned is_aead = op[i].ctx->flags & SRTP_CTX_AEAD;
		if (!is_aead)
			cm_keys_prefetch(op[i].ctx);
		uint8_t status = packet_check(c, &op[i], i);
		op[i].status = status;
		aead[n_aead] = cm[n_cm] = (uint8_t)i;
		n_aead += status == SRTP_OK && is_aead;
		n_cm += status == SRTP_OK && !is_aead;
	}
	if (n_aead != 0)
		aead_burst(c, op, aead, n_aead);
	if (n_cm != 0)
		cm_burst(c, op, cm, n_cm);
}

// GCM writes before it knows whether the tag is right.
static void aead_undo(struct crypto *c, const struct srtp_op *op)
{
	if (op->status != SRTP_FORGED || !(op->ctx->flags & SRTP_CTX_AEAD))
		return;
	nonce_make(c->nonce[0], op->ctx->salt, true, load_raw32(op->data + 8), op->index);
	aead_run(c, op, 0, false);
}

// A second look at what was refused: the burst itself may have moved the index; after a change of keys
// the sender may have begun again at 0, or not have changed yet.
static void open_again(struct crypto *c, struct srtp_op *op, uint64_t now)
{
	struct srtp_ctx *ctx = op->ctx, *prev = __atomic_load_n(&ctx->prev, __ATOMIC_RELAXED);
	uint16_t seq = op->status == SRTP_SHORT ? 0 : load_be16(op->data + 2);
	uint64_t other = op->index;

	if (op->status == SRTP_FORGED) {
		uint32_t ssrc = load_raw32(op->data + 8);
		unsigned stream = stream_find(ctx, ssrc);
		other = index_guess(ctx, stream, ssrc, seq);
		if (other == op->index && stream_is_new(ctx, stream))
			other = seq;
		if (other != op->index) {
			aead_undo(c, op);
			op->index = other;
			op->exact = 1;
			open_all(c, op, 1);
		}
	}
	if (op->status == SRTP_OK || prev == NULL || now >= ctx->prev_until)
		return;
	struct srtp_op old = {.ctx = prev, .data = op->data, .len = op->len};
	aead_undo(c, op);
	open_all(c, &old, 1);
	if (old.status == SRTP_OK || old.status == SRTP_REPLAYED) {
		op->status = old.status == SRTP_OK ? SRTP_OK_OLD : SRTP_REPLAYED;
		op->len = old.len;
		op->index = old.index;
	}
}

void srtp_open_burst(struct crypto *c, struct srtp_op *op, unsigned n, uint64_t now)
{
	for (unsigned i = 0; i < n; i++)
		op[i].exact = 0;
	open_all(c, op, n);
	for (unsigned i = 0; i < n; i++) {
		if (__builtin_expect(op[i].status == SRTP_OK, 1))
			continue;
		open_again(c, &op[i], now);
		op[i].ctx->forged += op[i].status == SRTP_FORGED;
		op[i].ctx->replayed += op[i].status == SRTP_REPLAYED;
	}
}
