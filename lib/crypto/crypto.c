// SPDX-License-Identifier: BSD-3-Clause
#include "crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AVX512_GCM                                                                               \
	(IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ | IMB_FEATURE_GFNI | \
	 IMB_FEATURE_AVX512_IFMA | IMB_FEATURE_SHANI)

// Found by damaging powers and looking whose tags change (tests/unit/test_suite.c does it, too).
static struct hkey_span hkey_span(const IMB_MGR *m)
{
	const struct gcm_key_data *k = NULL;
	struct hkey_span span = {.mid = HKEY_START, .per = 16};
	if ((m->features & AVX512_GCM) == AVX512_GCM) {
		span.end = (uint16_t)(HKEY_START + sizeof(k->ghash_keys.vaes_avx512));
	} else {
		// Eight powers: all of them, always.
		span.end = (uint16_t)(HKEY_START + sizeof(k->ghash_keys.sse_avx));
		span.per = 0;
	}
#if IMB_VERSION_NUM >= IMB_VERSION(2, 0, 0)
	// 2.x: the powers, then as many products of theirs with the polynomial.
	if (!(m->features & IMB_FEATURE_AVX512F) && (m->features & IMB_FEATURE_VAES)) {
		span.end = (uint16_t)(HKEY_START + sizeof(k->ghash_keys.vaes_avx2));
		span.per = 16;
	}
	if (span.per == 16)
		span.mid = (uint16_t)((HKEY_START + span.end) / 2);
#endif
	return span;
}

struct crypto *crypto_new(void)
{
	struct crypto *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63UL);
	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->mgr = alloc_mb_mgr(0);
	if (c->mgr == NULL)
		goto fail;
	IMB_ARCH arch = IMB_ARCH_NONE;
	init_mb_mgr_auto(c->mgr, &arch);
	if (imb_get_errno(c->mgr) != 0 || !(c->mgr->features & IMB_FEATURE_AESNI) ||
	    arch < IMB_ARCH_SSE)
		goto fail;
	c->gcm_enc[0] = c->mgr->gcm128_enc;
	c->gcm_enc[1] = c->mgr->gcm192_enc;
	c->gcm_enc[2] = c->mgr->gcm256_enc;
	c->gcm_dec[0] = c->mgr->gcm128_dec;
	c->gcm_dec[1] = c->mgr->gcm192_dec;
	c->gcm_dec[2] = c->mgr->gcm256_dec;
	c->hkey = hkey_span(c->mgr);
	if (arch == IMB_ARCH_AVX512 && (c->mgr->features & IMB_FEATURE_SHANI)) {
		c->few = alloc_mb_mgr(0);
		if (c->few == NULL)
			goto fail;
		init_mb_mgr_sse(c->few);
	}
	const char *name = arch == IMB_ARCH_AVX512 ? "AVX512"
			   : arch >= IMB_ARCH_AVX2 ? "AVX2"
						   : "SSE";
	snprintf(c->text, sizeof(c->text), "ipsec-mb %s, %s%s", imb_get_version_str(), name,
		 c->mgr->features & IMB_FEATURE_VAES ? " with VAES" : "");
	return c;
fail:
	crypto_free(c);
	return NULL;
}

void crypto_free(struct crypto *c)
{
	if (c == NULL)
		return;
	if (c->mgr != NULL)
		free_mb_mgr(c->mgr);
	if (c->few != NULL)
		free_mb_mgr(c->few);
	secret_wipe(c, sizeof(*c));
	free(c);
}

const char *crypto_describe(const struct crypto *c)
{
	return c->text;
}

struct hkey_span crypto_hkey_span(const struct crypto *c)
{
	return c->hkey;
}

void secret_wipe(void *p, size_t len)
{
	memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory");
}

void crypto_opened_set(struct crypto *c, crypto_opened_fn opened, void *ctx)
{
	c->opened = opened;
	c->opened_ctx = ctx;
}

void crypto_ahead_set(struct crypto *c, struct ahead *ahead)
{
	c->ahead = ahead;
}
