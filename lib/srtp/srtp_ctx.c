// SPDX-License-Identifier: BSD-3-Clause
#include "srtp_ctx.h"

#include "kdf.h"

#include <errno.h>
#include <string.h>

#define RTCP_LIMIT (1ULL << 31) // RFC 3711 section 9.2
#define RTP_LIMIT (1ULL << 48)

size_t srtp_ctx_size(const struct srtp_params *p)
{
	size_t size = offsetof(struct srtp_ctx, keys) + srtp_keys_size(p->suite);

	return (size + 63) & ~(size_t)63;
}

int srtp_ctx_init(struct srtp_ctx *ctx, const struct srtp_params *p, struct crypto *c,
		  struct err *err)
{
	int rc = srtp_params_check(p, err);
	struct srtp_session rtp;

	if (rc < 0)
		return rc;
	memset(ctx, 0, srtp_ctx_size(p));
	ctx->suite = (uint8_t)p->suite;
	ctx->flags = (uint8_t)((srtp_is_aead(p->suite) ? SRTP_CTX_AEAD : 0) |
			       (p->unencrypted_srtp ? SRTP_CTX_PLAIN : 0) |
			       (p->unencrypted_srtcp ? SRTP_CTX_PLAIN_RTCP : 0) |
			       (srtp_suites[p->suite].key_len == 32 ? SRTP_CTX_LONG : 0));
	ctx->tag_len = srtp_suites[p->suite].tag_len;
	ctx->rtcp_tag_len = srtp_suites[p->suite].rtcp_tag_len;
	ctx->mki_len = p->mki_len;
	ctx->limit = p->lifetime != 0 ? p->lifetime : RTP_LIMIT;
	ctx->rtcp_limit = ctx->limit < RTCP_LIMIT ? ctx->limit : RTCP_LIMIT;
	ctx->params = *p;
	srtp_derive(c, p, false, &rtp);
	srtp_derive(c, p, true, &ctx->rtcp);
	memcpy(ctx->salt, rtp.salt, sizeof(ctx->salt));
	srtp_keys_expand(c, p->suite, &rtp, &ctx->keys);
	secret_wipe(&rtp, sizeof(rtp));
	return 0;
}

void srtp_ctx_wipe(struct srtp_ctx *ctx)
{
	secret_wipe(ctx, srtp_ctx_size(&ctx->params));
}

static void base_note(struct srtp_ctx *ctx, const struct srtp_ctx *old, uint32_t ssrc, uint64_t top)
{
	if (top == SRTP_NO_INDEX || ctx->n_base == SRTP_STREAMS)
		return;
	for (unsigned i = 0; i < old->n_streams; i++)
		if (old->ssrc[i] == ssrc && old->stream[i].top != SRTP_NO_INDEX)
			return; // it will be asked itself
	for (unsigned i = 0; i < ctx->n_base; i++)
		if (ctx->base_ssrc[i] == ssrc)
			return;
	ctx->base_ssrc[ctx->n_base] = ssrc;
	ctx->base_top[ctx->n_base++] = top;
}

void srtp_ctx_follow(struct srtp_ctx *ctx, struct srtp_ctx *old, uint64_t until)
{
	const struct srtp_ctx *before = old->prev;

	for (unsigned i = 0; before != NULL && i < before->n_streams; i++)
		base_note(ctx, old, before->ssrc[i], before->stream[i].top);
	for (unsigned i = 0; i < old->n_base; i++)
		base_note(ctx, old, old->base_ssrc[i], old->base_top[i]);
	ctx->rtcp_index = old->rtcp_index;
	ctx->prev_until = until;
	__atomic_store_n(&ctx->prev, old, __ATOMIC_RELEASE);
}

struct srtp_ctx *srtp_ctx_detach(struct srtp_ctx *ctx)
{
	return __atomic_exchange_n(&ctx->prev, NULL, __ATOMIC_ACQ_REL);
}
