// SPDX-License-Identifier: BSD-3-Clause
// Opening hostile bytes as SRTP and SRTCP. The first bytes choose suite, MKI, change of keys and mode: raw
// (the bytes are the packet), or sealed (they are what a good packet carries, so that what lies behind
// the tag is reached). Several packets a run go to one context, in one burst.
#include "crypto/crypto.h"
#include "srtp/srtp_ctx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKETS 4
#define PLAIN_MAX 1500

static struct crypto *crypto;

static void die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static struct srtp_ctx *ctx_make(enum srtp_suite suite, uint8_t mki_len, uint8_t key)
{
	struct srtp_params p = {.suite = suite, .mki_len = mki_len};
	struct err err;

	memset(p.master, key, sizeof(p.master));
	memset(p.mki, key, mki_len);
	struct srtp_ctx *ctx = aligned_alloc(64, srtp_ctx_size(&p));
	if (ctx == NULL || srtp_ctx_init(ctx, &p, crypto, &err) != 0)
		die("no context");
	return ctx;
}

static void ctx_free(struct srtp_ctx *ctx)
{
	srtp_ctx_wipe(ctx);
	free(ctx);
}

// A packet with exactly its own memory: the sanitizer sees the next byte.
static struct srtp_op op_make(struct srtp_ctx *in, struct srtp_ctx *out, const uint8_t *data,
			      uint32_t len, bool sealed, bool rtcp)
{
	uint8_t made[PLAIN_MAX + SRTCP_TAILROOM];
	struct srtp_op op = {.ctx = out, .data = made, .len = len};

	memcpy(made, data, len);
	if (sealed && rtcp)
		srtcp_seal(crypto, &op);
	else if (sealed)
		srtp_seal_burst(crypto, &op, 1);
	if (op.status != SRTP_OK)
		op.len = len;
	op.data = malloc(op.len + 1);
	memcpy(op.data, made, op.len);
	op.data = realloc(op.data, op.len != 0 ? op.len : 1);
	op.ctx = in;
	return op;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (crypto == NULL && (crypto = crypto_new()) == NULL)
		die("no crypto");
	if (size < 4)
		return 0;
	enum srtp_suite suite = (enum srtp_suite)(1 + data[0] % (SRTP_SUITE_COUNT - 1));
	bool sealed = data[1] & 1, rtcp = data[1] & 2, follows = data[1] & 4;
	unsigned n = 1 + data[3] % PACKETS;
	uint8_t mki_len = data[2] % (SRTP_MKI_MAX + 1);
	struct srtp_ctx *in = ctx_make(suite, mki_len, 1), *out = ctx_make(suite, mki_len, 1);
	struct srtp_ctx *old = ctx_make(SRTP_AEAD_128, 0, 2);
	struct srtp_op op[PACKETS];
	data += 4;
	size -= 4;
	size_t each = size / n < PLAIN_MAX ? size / n : PLAIN_MAX;
	if (follows)
		srtp_ctx_follow(in, old, 2);
	for (unsigned i = 0; i < n; i++)
		op[i] = op_make(in, out, data + i * each, (uint32_t)each, sealed, rtcp);
	if (rtcp)
		for (unsigned i = 0; i < n; i++)
			srtcp_open(crypto, &op[i], 1);
	else
		srtp_open_burst(crypto, op, n, 1);
	for (unsigned i = 0; i < n; i++) {
		if (op[i].status > SRTP_EXPIRED)
			die("a status that is none");
		bool accepted = op[i].status == SRTP_OK || op[i].status == SRTP_OK_OLD;
		if (accepted && !sealed)
			die("a forged packet was accepted");
		if (accepted && op[i].len != each)
			die("not as long as it was");
		free(op[i].data);
	}
	ctx_free(in);
	ctx_free(out);
	ctx_free(old);
	return 0;
}
