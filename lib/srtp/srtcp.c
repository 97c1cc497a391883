// SPDX-License-Identifier: BSD-3-Clause
// SRTCP (RFC 3711 section 3.4, RFC 7714 section 9). AES-CM: header, ciphertext, word, MKI, tag. GCM: header,
// ciphertext, tag, word, MKI. The word is the E bit and the index.
#include "cm.h"
#include "kdf.h"
#include "packet.h"
#include "stream.h"

#define RTCP_HEAD 8 // in the clear
#define E_BIT 0x80000000u

// Hashes or enciphers one packet with keys that live for this packet. body: bytes before what is added.
// Writes the tag to c->tag[0].
static void rtcp_aead(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t body,
		      uint32_t word, enum crypto_dir dir)
{
	struct srtp_keys keys;
	uint8_t aad[RTCP_HEAD + 4];
	bool plain = ctx->flags & SRTP_CTX_PLAIN_RTCP;
	uint32_t saved;

	srtp_keys_expand(c, (enum srtp_suite)ctx->suite, &ctx->rtcp, &keys);
	memcpy(aad, p, RTCP_HEAD);
	memcpy(aad + RTCP_HEAD, &word, 4);
	// In the clear, everything and the word are the AAD: the word goes where the tag stands.
	memcpy(&saved, p + body, 4);
	if (plain)
		memcpy(p + body, &word, 4);
	(dir == CRYPTO_DECRYPT ? c->gcm_dec : c->gcm_enc)[gcm_of(ctx)](
		&keys.gcm, &c->gcm_ctx, p + RTCP_HEAD, p + RTCP_HEAD, plain ? 0 : body - RTCP_HEAD,
		c->nonce[0], plain ? p : aad, plain ? body + 4 : sizeof(aad), c->tag[0], 16);
	memcpy(p + body, &saved, 4);
	secret_wipe(&keys, sizeof(keys));
}

// The word stands behind the body already.
static bool rtcp_cm(struct crypto *c, struct srtp_ctx *ctx, uint8_t *p, uint32_t body,
		    enum crypto_dir dir)
{
	struct srtp_keys keys;
	struct cm_pkt pkt = {
		.data = p,
		.keys = &keys,
		.iv = c->nonce[0],
		.hash_len = body + 4,
		.from = RTCP_HEAD,
		.len = body - RTCP_HEAD,
		.wide = (ctx->flags & SRTP_CTX_LONG) != 0,
		.skip = (ctx->flags & SRTP_CTX_PLAIN_RTCP) != 0,
	};
	bool good = true;

	srtp_keys_expand(c, (enum srtp_suite)ctx->suite, &ctx->rtcp, &keys);
	if (dir == CRYPTO_ENCRYPT)
		cm_cipher(c, &pkt, 1);
	cm_hash(c, &pkt, 1);
	if (dir == CRYPTO_DECRYPT) {
		good = cm_tag_equal(cm_tag_load(p + body + 4 + ctx->mki_len, ctx->rtcp_tag_len),
				    cm_tag_load(c->tag[0], ctx->rtcp_tag_len));
		if (good)
			cm_cipher(c, &pkt, 1);
	}
	secret_wipe(&keys, sizeof(keys));
	return good;
}

static void rtcp_accept(struct srtp_ctx *ctx, unsigned stream, uint32_t ssrc, uint64_t number)
{
	if (stream == STREAM_NONE)
		stream = stream_add(ctx, ssrc);
	struct srtp_stream *s = &ctx->stream[stream];
	s->rtcp_top = replay_update(s->rtcp_seen, 1, s->rtcp_top, number);
	ctx->rtcp_packets++;
}

static void rtcp_open(struct crypto *c, struct srtp_op *op)
{
	struct srtp_ctx *ctx = op->ctx;
	bool aead = ctx->flags & SRTP_CTX_AEAD, plain = ctx->flags & SRTP_CTX_PLAIN_RTCP;
	uint32_t extra = 4u + ctx->mki_len + ctx->rtcp_tag_len, word;
	uint8_t *p = op->data;

	op->status = SRTP_SHORT;
	if (op->len < RTCP_HEAD + extra)
		return;
	uint32_t body = op->len - extra;
	uint32_t word_at = body + (aead ? 16 : 0);
	op->status = SRTP_BAD_MKI;
	if (memcmp(p + word_at + 4, ctx->params.mki, ctx->mki_len) != 0)
		return;
	memcpy(&word, p + word_at, 4);
	uint32_t index = __builtin_bswap32(word) & ~E_BIT, ssrc = load_raw32(p + 4);
	unsigned stream = stream_find(ctx, ssrc);
	const struct srtp_stream *s = &ctx->stream[stream];
	uint64_t number = (uint64_t)index + 1;
	op->status = SRTP_REPLAYED;
	if (stream == STREAM_NONE
		    ? stream_gone(ctx, ssrc)
		    : !replay_check(s->rtcp_seen, 1, SRTCP_WINDOW, s->rtcp_top, number))
		return;
	op->status = SRTP_EXPIRED;
	if (ctx->rtcp_packets >= ctx->rtcp_limit)
		return;
	op->status = SRTP_FORGED;
	if (((__builtin_bswap32(word) & E_BIT) != 0) == plain)
		return;
	nonce_make(c->nonce[0], ctx->rtcp.salt, aead, ssrc, index);
	if (aead) {
		rtcp_aead(c, ctx, p, body, word, CRYPTO_DECRYPT);
		if (!tag_equal(p + body, c->tag[0], 16)) {
			rtcp_aead(c, ctx, p, body, word, CRYPTO_ENCRYPT); // as it was
			return;
		}
	} else if (!rtcp_cm(c, ctx, p, body, CRYPTO_DECRYPT)) {
		return;
	}
	rtcp_accept(ctx, stream, ssrc, number);
	op->index = index;
	op->len = body;
	op->status = SRTP_OK;
}

void srtcp_open(struct crypto *c, struct srtp_op *op, uint64_t now)
{
	struct srtp_ctx *ctx = op->ctx, *prev = __atomic_load_n(&ctx->prev, __ATOMIC_RELAXED);

	rtcp_open(c, op);
	if (op->status != SRTP_OK && prev != NULL && now < ctx->prev_until) {
		uint8_t status = op->status;
		op->ctx = prev;
		rtcp_open(c, op);
		op->ctx = ctx;
		if (op->status == SRTP_OK)
			op->status = SRTP_OK_OLD;
		else if (op->status != SRTP_REPLAYED)
			op->status = status;
	}
	ctx->forged += op->status == SRTP_FORGED;
	ctx->replayed += op->status == SRTP_REPLAYED;
}

// One counter for all SSRCs: numbers go up for each of them, from one key to the next.
static bool rtcp_number(struct srtp_ctx *ctx, uint32_t *index)
{
	const struct srtp_ctx *prev = __atomic_load_n(&ctx->prev, __ATOMIC_RELAXED);

	if (ctx->rtcp_packets == 0 && prev != NULL && prev->rtcp_index > ctx->rtcp_index)
		ctx->rtcp_index = prev->rtcp_index;
	if (ctx->rtcp_packets >= ctx->rtcp_limit || ctx->rtcp_index >= E_BIT)
		return false;
	ctx->rtcp_packets++;
	*index = (uint32_t)ctx->rtcp_index++;
	return true;
}

void srtcp_seal(struct crypto *c, struct srtp_op *op)
{
	struct srtp_ctx *ctx = op->ctx;
	bool aead = ctx->flags & SRTP_CTX_AEAD, plain = ctx->flags & SRTP_CTX_PLAIN_RTCP;
	uint8_t *end = op->data + op->len;
	uint32_t index;

	op->status = SRTP_SHORT;
	if (op->len < RTCP_HEAD)
		return;
	op->status = SRTP_EXPIRED;
	if (!rtcp_number(ctx, &index))
		return;
	uint32_t word = __builtin_bswap32(index | (plain ? 0 : E_BIT));
	nonce_make(c->nonce[0], ctx->rtcp.salt, aead, load_raw32(op->data + 4), index);
	if (aead) {
		rtcp_aead(c, ctx, op->data, op->len, word, CRYPTO_ENCRYPT);
		memcpy(end, c->tag[0], 16);
		memcpy(end + 16, &word, 4);
		memcpy(end + 20, ctx->params.mki, ctx->mki_len);
	} else {
		memcpy(end, &word, 4);
		rtcp_cm(c, ctx, op->data, op->len, CRYPTO_ENCRYPT);
		memcpy(end + 4, ctx->params.mki, ctx->mki_len);
		memcpy(end + 4 + ctx->mki_len, c->tag[0], ctx->rtcp_tag_len);
	}
	op->index = index;
	op->len += 4u + ctx->mki_len + ctx->rtcp_tag_len;
	op->status = SRTP_OK;
}
