// SPDX-License-Identifier: BSD-3-Clause
// The raw call for SRTP: one key, buffers in order, full bursts, and nothing but ipsec-mb.
#include "bench.h"
#include "jobs.h"
#include "raw.h"
#include "srtp/kdf.h"

#include <rte_malloc.h>
#include <string.h>

#define STRIDE (128 + 128 + 2048)       // an mbuf: its struct, headroom, data
#define FRONT (128 + 128 + 14 + 20 + 8) // where RTP starts in it
#define HEAD 12
#define PASSES_MAX 4096

struct raw_srtp {
	struct crypto *c;
	enum srtp_suite suite;
	enum crypto_dir dir;
	uint32_t len; // of what is enciphered
	struct srtp_keys *keys;
	uint8_t *buf;
	double ms, result;
};

struct raw_srtp *raw_srtp_open(enum srtp_suite suite, uint32_t inner_len, enum crypto_dir dir)
{
	struct raw_srtp *r = rte_zmalloc("raw", sizeof(*r), 64);
	struct srtp_session s = {{1}, {2}, {3}};

	if (r == NULL)
		return NULL;
	r->suite = suite;
	r->dir = dir;
	r->len = inner_len - 20 - 8 - HEAD;
	r->c = crypto_new();
	r->keys = rte_zmalloc("raw keys", sizeof(*r->keys), 64);
	r->buf = rte_zmalloc("raw buffers", (size_t)RAW_BUFFERS * STRIDE, 64);
	if (r->c == NULL || r->keys == NULL || r->buf == NULL) {
		raw_srtp_close(r);
		return NULL;
	}
	srtp_keys_expand(r->c, suite, &s, r->keys);
	return r;
}

void raw_srtp_close(struct raw_srtp *r)
{
	if (r == NULL)
		return;
	crypto_free(r->c);
	rte_free(r->keys);
	rte_free(r->buf);
	rte_free(r);
}

static inline uint8_t *buffer(const struct raw_srtp *r, unsigned i)
{
	return r->buf + (size_t)i * STRIDE + FRONT;
}

static inline void hash(struct raw_srtp *r, uint8_t *const *rtp, unsigned n)
{
	for (unsigned j = 0; j < n; j++)
		job_hmac(&r->c->jobs[j], rtp[j], HEAD + r->len + 4, r->keys->cm.hmac,
			 r->keys->cm.hmac + 32, r->c->tag[j], 12);
	crypto_hmac_burst(r->c, 0, n);
}

static inline void cipher(struct raw_srtp *r, uint8_t *const *rtp, unsigned n)
{
	unsigned key_len = srtp_suites[r->suite].key_len;

	for (unsigned j = 0; j < n; j++)
		job_cipher(&r->c->jobs[j], rtp[j], HEAD, r->len, r->c->nonce[j], r->keys->cm.round,
			   r->keys->cm.round, key_len);
	crypto_ctr_burst(r->c, key_len, n);
}

static inline void gcm(struct raw_srtp *r, uint8_t *rtp)
{
	unsigned suite =
		srtp_suites[r->suite].key_len == 32 ? SUITE_AES_GCM_256 : SUITE_AES_GCM_128;

	(r->dir == CRYPTO_DECRYPT ? r->c->gcm_dec : r->c->gcm_enc)[suite](
		&r->keys->gcm, &r->c->gcm_ctx, rtp + HEAD, rtp + HEAD, r->len, r->c->nonce[0], rtp,
		HEAD, r->c->tag[0], 16);
}

bool raw_srtp_lanes(const struct raw_srtp *r)
{
	return !srtp_is_aead(r->suite);
}

void raw_srtp_apply(struct raw_srtp *r, uint8_t *const *rtp, unsigned n)
{
	if (srtp_is_aead(r->suite)) {
		for (unsigned j = 0; j < n; j++)
			gcm(r, rtp[j]);
	} else if (r->dir == CRYPTO_DECRYPT) {
		hash(r, rtp, n);
		cipher(r, rtp, n);
	} else {
		cipher(r, rtp, n);
		hash(r, rtp, n);
	}
}

static void pass(struct raw_srtp *r)
{
	uint8_t *rtp[RAW_BURST];

	for (unsigned i = 0; i < RAW_BUFFERS; i += RAW_BURST) {
		for (unsigned j = 0; j < RAW_BURST; j++)
			rtp[j] = buffer(r, i + j);
		raw_srtp_apply(r, rtp, RAW_BURST);
	}
}

static void measure(void *arg)
{
	static double v[PASSES_MAX];
	struct raw_srtp *r = arg;
	unsigned n = 0;

	pass(r);
	uint64_t end = rte_rdtsc() + (uint64_t)(r->ms / 1e3 * (double)rte_get_tsc_hz());
	do {
		uint64_t t = rte_rdtsc();
		pass(r);
		v[n++] = (double)(rte_rdtsc() - t) / RAW_BUFFERS;
	} while (n < PASSES_MAX && (n < 3 || rte_rdtsc() < end));
	r->result = median(v, n);
}

double raw_srtp_measure_there(struct raw_srtp *r, double ms)
{
	r->ms = ms;
	crew_call(measure, r);
	return r->result;
}
