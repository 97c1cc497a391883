// SPDX-License-Identifier: BSD-3-Clause
#include "raw.h"

#include "bench.h"
#include "esp/prefetch.h"
#include "jobs.h"

#include <rte_malloc.h>
#include <rte_random.h>
#include <stdlib.h>
#include <string.h>

#define STRIDE (128 + 128 + 2048)   // an mbuf: its struct, headroom, data
#define FRONT (128 + 128 + 14 + 20) // where ESP starts in it
#define ESP_HEAD 8
#define AHEAD 4
#define PASSES_MAX 4096

struct raw {
	struct crypto *c;
	enum suite_id suite;
	enum crypto_dir dir;
	uint32_t len; // of the ciphertext
	unsigned n_keys;
	struct keys *keys;
	uint8_t *buf;
	uint16_t key_of[2][RAW_BUFFERS]; // in order, at random
	uint8_t nonce[16] __attribute__((aligned(16)));
	uint8_t tag[RAW_BURST][64];
};

uint32_t raw_cipher_len(enum suite_id suite, uint32_t inner_len)
{
	uint32_t block = suites[suite].block;

	return (inner_len + 2 + block - 1) / block * block;
}

struct raw *raw_open(enum suite_id suite, uint32_t inner_len, enum crypto_dir dir, unsigned n_keys)
{
	struct raw *r = rte_zmalloc("raw", sizeof(*r), 64);
	uint8_t material[128];

	if (r == NULL)
		return NULL;
	r->suite = suite;
	r->dir = dir;
	r->len = raw_cipher_len(suite, inner_len);
	r->n_keys = n_keys;
	r->c = crypto_new();
	r->keys = rte_zmalloc("raw keys", n_keys * sizeof(struct keys), 64);
	r->buf = rte_zmalloc("raw buffers", (size_t)RAW_BUFFERS * STRIDE, 64);
	if (r->c == NULL || r->keys == NULL || r->buf == NULL) {
		raw_close(r);
		return NULL;
	}
	for (unsigned k = 0; k < n_keys; k++) {
		for (unsigned i = 0; i < sizeof(material); i++)
			material[i] = (uint8_t)rte_rand();
		keys_expand(r->c, suite, material, &r->keys[k]);
	}
	for (unsigned i = 0; i < RAW_BUFFERS; i++) {
		r->key_of[0][i] = (uint16_t)(i % n_keys);
		r->key_of[1][i] = (uint16_t)rte_rand_max(n_keys);
	}
	return r;
}

void raw_close(struct raw *r)
{
	if (r == NULL)
		return;
	crypto_free(r->c);
	rte_free(r->keys);
	rte_free(r->buf);
	rte_free(r);
}

static inline void key_ahead(const struct raw *r, const uint16_t *key_of, unsigned i)
{
	if (i >= RAW_BUFFERS)
		return;
	keys_prefetch(&r->keys[key_of[i]], (uint8_t)r->suite, r->c->hkey, r->len,
		      r->dir == CRYPTO_DECRYPT);
}

static inline void aead_one(struct raw *r, aes_gcm_enc_dec_t gcm, const struct keys *k,
			    uint8_t *esp)
{
	uint8_t *data = esp + ESP_HEAD + 8;

	if (gcm != NULL)
		gcm(&k->gcm, &r->c->gcm_ctx, data, data, r->len, r->nonce, esp, 8, r->tag[0], 16);
	else
		crypto_chacha(r->c, r->dir, k, r->nonce, esp, 8, data, r->len, r->tag[0]);
}

static inline aes_gcm_enc_dec_t gcm_of(const struct raw *r)
{
	if (r->suite > SUITE_AES_GCM_256)
		return NULL;
	return r->dir == CRYPTO_DECRYPT ? r->c->gcm_dec[r->suite] : r->c->gcm_enc[r->suite];
}

static inline void aead_pass(struct raw *r, const uint16_t *key_of, bool ahead)
{
	aes_gcm_enc_dec_t gcm = gcm_of(r);

	for (unsigned i = 0; i < RAW_BUFFERS; i++) {
		if (ahead)
			key_ahead(r, key_of, i + AHEAD);
		aead_one(r, gcm, &r->keys[key_of[i]], r->buf + (size_t)i * STRIDE + FRONT);
	}
}

static inline void jobs_hash(struct raw *r, uint8_t *const *esp, const uint16_t *key_of, unsigned n)
{
	for (unsigned j = 0; j < n; j++) {
		const struct keys *k = &r->keys[key_of[j]];
		job_hmac(&r->c->jobs[j], esp[j], ESP_HEAD + 16 + r->len, k->cbc.hmac,
			 k->cbc.hmac + hmac_outer(r->suite), r->tag[j], suites[r->suite].icv_len);
	}
	crypto_hmac_burst(r->c, (r->suite - SUITE_AES_CBC_128_SHA1) & 3, n);
}

static inline void jobs_cipher(struct raw *r, uint8_t *const *esp, const uint16_t *key_of,
			       unsigned n)
{
	unsigned key_len = suites[r->suite].key_len;

	for (unsigned j = 0; j < n; j++) {
		const struct keys *k = &r->keys[key_of[j]];
		job_cipher(&r->c->jobs[j], esp[j], ESP_HEAD + 16, r->len, esp[j] + ESP_HEAD,
			   k->cbc.enc, k->cbc.dec, key_len);
	}
	crypto_cbc_burst(r->c, r->dir, key_len, n);
}

static inline void cbc_burst(struct raw *r, uint8_t *const *esp, const uint16_t *key_of, unsigned n)
{
	if (r->dir == CRYPTO_DECRYPT) {
		jobs_hash(r, esp, key_of, n);
		jobs_cipher(r, esp, key_of, n);
	} else {
		jobs_cipher(r, esp, key_of, n);
		jobs_hash(r, esp, key_of, n);
	}
}

static inline void cbc_pass(struct raw *r, const uint16_t *key_of, bool ahead)
{
	uint8_t *esp[RAW_BURST];

	for (unsigned i = 0; i < RAW_BUFFERS; i += RAW_BURST) {
		for (unsigned j = 0; j < RAW_BURST; j++) {
			esp[j] = r->buf + (size_t)(i + j) * STRIDE + FRONT;
			if (ahead)
				key_ahead(r, key_of, i + RAW_BURST + j);
		}
		cbc_burst(r, esp, key_of + i, RAW_BURST);
	}
}

bool raw_lanes(const struct raw *r)
{
	return suites[r->suite].family == SUITE_CBC_HMAC;
}

void raw_apply(struct raw *r, uint8_t *const *esp, unsigned n)
{
	static const uint16_t first_key[RAW_BURST];

	if (suites[r->suite].family == SUITE_CBC_HMAC) {
		cbc_burst(r, esp, first_key, n);
		return;
	}
	aes_gcm_enc_dec_t gcm = gcm_of(r);
	for (unsigned i = 0; i < n; i++)
		aead_one(r, gcm, &r->keys[0], esp[i]);
}

static void pass(struct raw *r, enum raw_order order)
{
	const uint16_t *key_of = r->key_of[order != RAW_SEQUENTIAL];

	if (suites[r->suite].family == SUITE_CBC_HMAC)
		cbc_pass(r, key_of, order == RAW_PREFETCHED);
	else
		aead_pass(r, key_of, order == RAW_PREFETCHED);
}

double raw_measure(struct raw *r, enum raw_order order, double ms)
{
	static double v[PASSES_MAX];
	unsigned n = 0;
	uint64_t end;

	pass(r, order);
	end = rte_rdtsc() + (uint64_t)(ms / 1e3 * (double)rte_get_tsc_hz());
	do {
		uint64_t t = rte_rdtsc();
		pass(r, order);
		v[n++] = (double)(rte_rdtsc() - t) / RAW_BUFFERS;
	} while (n < PASSES_MAX && (n < 3 || rte_rdtsc() < end));
	return median(v, n);
}

struct there {
	struct raw *r;
	enum raw_order order;
	double ms, result;
};

static void there_run(void *arg)
{
	struct there *t = arg;

	t->result = raw_measure(t->r, t->order, t->ms);
}

double raw_measure_there(struct raw *r, enum raw_order order, double ms)
{
	struct there t = {r, order, ms, 0};

	crew_call(there_run, &t);
	return t.result;
}
