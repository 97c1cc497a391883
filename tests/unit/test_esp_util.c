// SPDX-License-Identifier: BSD-3-Clause
#include "test_esp_util.h"

#include "esp/replay.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t rng_next(struct rng *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dULL;
}

void rng_fill(struct rng *r, void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)p)[i] = (uint8_t)(rng_next(r) >> 32);
}

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s failed\n", what);
		abort();
	}
}

void pair_spec(struct pair *p, enum suite_id suite, uint32_t flags, struct rng *r)
{
	memset(p, 0, sizeof(*p));
	rng_fill(r, p->material, sizeof(p->material));
	p->spec = (struct sa_spec){
		.spi = 0x1000 + (uint32_t)(rng_next(r) >> 40),
		.suite = suite,
		.flags = flags,
		.window = 64,
		.n_selectors = 1,
	};
	p->spec.selectors[0] = (struct selector){
		.src_hi = ~0u, .dst_hi = ~0u, .sport_hi = 65535, .dport_hi = 65535};
	p->spec.local = (struct ip_endpoint){.addr = {.family = AF_INET}, .port = 4500};
	p->spec.peer = (struct ip_endpoint){.addr = {.family = AF_INET}, .port = 40123};
	p->spec.local.addr.v4.s_addr = htonl(0xc6336401); // 198.51.100.1
	p->spec.peer.addr.v4.s_addr = htonl(0xcb007107);  // 203.0.113.7
}

void pair_make(struct pair *p, struct crypto *c)
{
	struct err err = {0};
	p->spec.material = p->material;
	p->in = aligned_alloc(64, sa_in_size(&p->spec));
	p->out = aligned_alloc(64, sa_out_size(&p->spec));
	check(p->in != NULL && p->out != NULL, "aligned_alloc");
	check(sa_in_init(p->in, &p->spec, c, &err) == 0, err.text);
	check(sa_out_init(p->out, &p->spec, c, &err) == 0, err.text);
}

void pair_free(struct pair *p)
{
	sa_in_wipe(p->in);
	sa_out_wipe(p->out);
	free(p->in);
	free(p->out);
}

void pair_seek(struct pair *p, uint64_t seq)
{
	p->out->seq = seq;
	p->in->seq_top = seq;
	replay_init(p->in->bitmap, p->in->window_mask + 1u, seq);
}

uint16_t ip_sum(const uint8_t *p, unsigned len)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void inner_make(uint8_t *p, uint32_t len, uint8_t tos, bool df, struct rng *r)
{
	rng_fill(r, p, len);
	p[0] = 0x45;
	p[1] = tos;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	p[6] = df ? 0x40 : 0;
	p[7] = 0;
	p[8] = 64;
	p[9] = 17;
	p[10] = p[11] = 0;
	uint16_t sum = ip_sum(p, 20);
	p[10] = (uint8_t)(sum >> 8);
	p[11] = (uint8_t)sum;
}

static const EVP_CIPHER *cipher_of(enum suite_id suite)
{
	const struct suite *s = &suites[suite];
	switch (s->family) {
	case SUITE_GCM:
		return s->key_len == 16   ? EVP_aes_128_gcm()
		       : s->key_len == 24 ? EVP_aes_192_gcm()
					  : EVP_aes_256_gcm();
	case SUITE_CHACHA:
		return EVP_chacha20_poly1305();
	default:
		return s->key_len == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
	}
}

static const EVP_MD *hash_of(enum suite_id suite)
{
	switch (suites[suite].auth_len) {
	case 20:
		return EVP_sha1();
	case 32:
		return EVP_sha256();
	case 48:
		return EVP_sha384();
	default:
		return EVP_sha512();
	}
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, 4);
}

static void hmac(enum suite_id suite, const uint8_t *material, bool esn, uint32_t seq_hi,
		 const uint8_t *esp, size_t len, uint8_t *icv)
{
	uint8_t data[BUF_SIZE * 2], tag[64];
	memcpy(data, esp, len);
	if (esn) {
		put32(data + len, seq_hi);
		len += 4;
	}
	const struct suite *s = &suites[suite];
	check(HMAC(hash_of(suite), material + s->key_len, s->auth_len, data, len, tag, NULL) !=
		      NULL,
	      "HMAC");
	memcpy(icv, tag, s->icv_len);
}

// Runs the cipher over data; for an AEAD with the nonce and AAD of the packet at esp.
static int cipher_run(enum suite_id suite, const uint8_t *material, bool esn, uint32_t seq_hi,
		      bool encrypt, const uint8_t *esp, const uint8_t *in, size_t len, uint8_t *out,
		      uint8_t *icv)
{
	const struct suite *s = &suites[suite];
	bool aead = s->family != SUITE_CBC_HMAC;
	uint8_t nonce[16], aad[12];
	memcpy(nonce, material + s->key_len, s->salt_len);
	memcpy(nonce + s->salt_len, esp + 8, s->iv_len);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, rc = -1;
	check(EVP_CipherInit_ex(ctx, cipher_of(suite), NULL, material, nonce, encrypt) == 1,
	      "init");
	EVP_CIPHER_CTX_set_padding(ctx, 0);
	if (aead) {
		memcpy(aad, esp, 4);
		put32(aad + 4, seq_hi);
		memcpy(aad + (esn ? 8 : 4), esp + 4, 4);
		check(EVP_CipherUpdate(ctx, NULL, &n, aad, esn ? 12 : 8) == 1, "aad");
		if (!encrypt)
			EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, icv);
	}
	check(EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1, "update");
	int last = 0;
	if (EVP_CipherFinal_ex(ctx, out + n, &last) == 1)
		rc = 0;
	if (aead && encrypt)
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, icv);
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

size_t ref_seal(enum suite_id suite, const uint8_t *material, bool esn, uint32_t spi, uint64_t seq,
		const uint8_t *iv, const uint8_t *plain, size_t len, uint8_t *out)
{
	const struct suite *s = &suites[suite];
	size_t head = 8 + (size_t)s->iv_len;
	uint32_t hi = (uint32_t)(seq >> 32);
	put32(out, spi);
	put32(out + 4, (uint32_t)seq);
	memcpy(out + 8, iv, s->iv_len);
	cipher_run(suite, material, esn, hi, true, out, plain, len, out + head, out + head + len);
	if (s->family == SUITE_CBC_HMAC)
		hmac(suite, material, esn, hi, out, head + len, out + head + len);
	return head + len + s->icv_len;
}

int ref_open(enum suite_id suite, const uint8_t *material, bool esn, uint32_t seq_hi,
	     const uint8_t *esp, size_t len, uint8_t *out)
{
	const struct suite *s = &suites[suite];
	size_t head = 8 + (size_t)s->iv_len, body = len - head - s->icv_len;
	uint8_t icv[64];
	memcpy(icv, esp + len - s->icv_len, s->icv_len);
	if (s->family == SUITE_CBC_HMAC) {
		hmac(suite, material, esn, seq_hi, esp, len - s->icv_len, icv);
		if (memcmp(icv, esp + len - s->icv_len, s->icv_len) != 0)
			return -1;
	}
	if (cipher_run(suite, material, esn, seq_hi, false, esp, esp + head, body, out, icv) != 0)
		return -1;
	return (int)body;
}
