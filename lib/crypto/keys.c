// SPDX-License-Identifier: BSD-3-Clause
#include "keys.h"

#include "crypto.h"

#include <string.h>

// The HMAC states after the block of key xor pad (RFC 2104). Keys of ESP suites are never longer
// than a block.
static void hmac_expand(struct crypto *c, enum suite_id suite, const uint8_t *key, struct keys *out)
{
	unsigned hash = (suite - SUITE_AES_CBC_128_SHA1) & 3;
	uint8_t *to[2] = {out->cbc.hmac, out->cbc.hmac + hmac_outer(suite)};
	static const uint8_t pad[2] = {0x36, 0x5c};
	uint8_t block[128] __attribute__((aligned(64)));
	uint8_t state[64] __attribute__((aligned(64)));
	for (int i = 0; i < 2; i++) {
		memset(block, pad[i], sizeof(block));
		for (unsigned j = 0; j < suites[suite].auth_len; j++)
			block[j] ^= key[j];
		switch (hash) {
		case 0:
			IMB_SHA1_ONE_BLOCK(c->mgr, block, state);
			memcpy(to[i], state, 20);
			break;
		case 1:
			IMB_SHA256_ONE_BLOCK(c->mgr, block, state);
			memcpy(to[i], state, 32);
			break;
		case 2:
			IMB_SHA384_ONE_BLOCK(c->mgr, block, state);
			memcpy(to[i], state, 64);
			break;
		default:
			IMB_SHA512_ONE_BLOCK(c->mgr, block, state);
			memcpy(to[i], state, 64);
		}
	}
	secret_wipe(block, sizeof(block));
	secret_wipe(state, sizeof(state));
}

void keys_expand(struct crypto *c, enum suite_id suite, const uint8_t *material, struct keys *out)
{
	const struct suite *s = &suites[suite];
	memset(out, 0, sizeof(*out));
	switch (suite) {
	case SUITE_AES_GCM_128:
		IMB_AES128_GCM_PRE(c->mgr, material, &out->gcm);
		return;
	case SUITE_AES_GCM_192:
		IMB_AES192_GCM_PRE(c->mgr, material, &out->gcm);
		return;
	case SUITE_AES_GCM_256:
		IMB_AES256_GCM_PRE(c->mgr, material, &out->gcm);
		return;
	case SUITE_CHACHA20_POLY1305:
		memcpy(out->chacha, material, s->key_len);
		return;
	default:
		break;
	}
	if (s->key_len == 16)
		IMB_AES_KEYEXP_128(c->mgr, material, out->cbc.enc, out->cbc.dec);
	else
		IMB_AES_KEYEXP_256(c->mgr, material, out->cbc.enc, out->cbc.dec);
	hmac_expand(c, suite, material + s->key_len, out);
}
