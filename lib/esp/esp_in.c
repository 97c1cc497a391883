// SPDX-License-Identifier: BSD-3-Clause
// Decapsulation of a burst in three steps: check and make the nonce; verify and decrypt; take
// apart.
//
// Each packet's steps lie a packet or two apart: what one stores narrowly the next loads widely,
// and a load that overlaps a store still under way stalls. In the distance, the checks of one
// packet run in the gaps that the cipher of another leaves: 5 cycles a packet less than three
// loops.
#include "crypto/crypto.h"
#include "esp.h"
#include "esp_cbc.h"
#include "inner.h"
#include "replay.h"

#include <immintrin.h>
#include <string.h>

_Static_assert(ESP_BURST_MAX <= CRYPTO_BURST, "scratch is large enough");

// Packets between the steps, and between asking for a packet's keys and checking it; found by measuring.
#define OPEN_LAG 1
#define FINISH_LAG 2
#define KEYS_AHEAD 4

#define AEAD_HEAD (8 + 8) // SPI, sequence number, IV
#define AEAD_ICV 16
#define CBC_HEAD (8 + 16)

static inline uint32_t load_be32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

// Length and replay window. Writes seq, nonce and AAD of packet i.
// The smallest payload is one block: padding, pad length, next header.
static inline __attribute__((always_inline)) uint8_t packet_check(struct crypto *c,
								  const struct esp_in *op,
								  unsigned i, uint32_t overhead,
								  uint32_t block)
{
	const struct sa_in *sa = op->sa;
	if (op->len < overhead + block || ((op->len - overhead) & (block - 1)) != 0)
		return ESP_TOO_SHORT;
	uint64_t seq = load_be32(op->esp + 4);
	if (sa->flags & SA_ESN) {
		seq = replay_seq_esn((uint32_t)seq, sa->seq_top, sa->window);
		__m128i head = _mm_loadl_epi64((const __m128i *)op->esp);
		// SPI, upper half, lower half (RFC 4106 section 5).
		head = _mm_shuffle_epi32(head, _MM_SHUFFLE(3, 1, 3, 0));
		head = _mm_insert_epi32(head, (int)__builtin_bswap32((uint32_t)(seq >> 32)), 1);
		_mm_store_si128((__m128i *)c->aad[i], head);
	}
	c->seq[i] = seq;
	__m128i nonce = _mm_loadl_epi64((const __m128i *)(op->esp + 8));
	nonce = _mm_insert_epi32(_mm_slli_si128(nonce, 4), (int)sa->salt, 0);
	_mm_store_si128((__m128i *)c->nonce[i], nonce);
	if (!replay_check(sa->bitmap, sa->window_mask, sa->window, sa->seq_top, seq))
		return ESP_REPLAYED;
	return ESP_OK;
}

static inline void aead_open(struct crypto *c, const struct esp_in *op, unsigned i)
{
	const struct sa_in *sa = op->sa;
	unsigned esn = sa->flags & SA_ESN;
	const uint8_t *aad = esn ? c->aad[i] : op->esp;
	unsigned aad_len = esn ? 12 : 8;
	uint8_t *data = op->esp + AEAD_HEAD;
	uint64_t len = op->len - (AEAD_HEAD + AEAD_ICV);
	if (sa->family == SUITE_GCM)
		c->gcm_dec[sa->suite](&sa->keys.gcm, &c->gcm_ctx, data, data, len, c->nonce[i], aad,
				      aad_len, c->tag[i], 16);
	else
		crypto_chacha(c, CRYPTO_DECRYPT, &sa->keys, c->nonce[i], aad, aad_len, data, len,
			      c->tag[i]);
}

static inline bool tag16_equal(const uint8_t *a, const uint8_t *b)
{
	__m128i x = _mm_xor_si128(_mm_loadu_si128((const __m128i *)a),
				  _mm_loadu_si128((const __m128i *)b));
	return _mm_testz_si128(x, x);
}

static inline __attribute__((always_inline)) void packet_finish(struct crypto *c, struct esp_in *op,
								unsigned i, uint32_t head,
								uint32_t icv_len, uint64_t now)
{
	struct sa_in *sa = op->sa;
	uint64_t seq = c->seq[i];
	if (__builtin_expect(
		    !replay_check(sa->bitmap, sa->window_mask, sa->window, sa->seq_top, seq), 0)) {
		op->status = ESP_REPLAYED;
		sa->replayed++;
		return;
	}
	sa->seq_top = replay_update(sa->bitmap, sa->window_mask, sa->seq_top, seq);
	sa->packets++;
	sa->last_tsc = now;
	uint8_t status = inner_open(op, op->esp + head, op->len - head - icv_len);
	op->status = status;
	if (__builtin_expect(status == ESP_OK, 1))
		sa->bytes += op->inner_len;
	else if (status != ESP_DUMMY)
		sa->refused++;
}

static inline void opened_tell(const struct crypto *c, const struct esp_in *op)
{
	if (c->opened != NULL && op->status == ESP_OK)
		c->opened(c->opened_ctx, op);
}

static inline void aead_finish(struct crypto *c, struct esp_in *op, unsigned i, uint64_t now)
{
	if (__builtin_expect(!tag16_equal(op->esp + op->len - AEAD_ICV, c->tag[i]), 0)) {
		op->status = ESP_FORGED;
		op->sa->forged++;
		return;
	}
	packet_finish(c, op, i, AEAD_HEAD, AEAD_ICV, now);
	opened_tell(c, op);
}

// Keys of a suite whose ciphers run one by one. Those of the lanes are wanted all at once, and asked for by the caller.
static inline void keys_ahead(const struct esp_in *op)
{
	if (op->sa->family != SUITE_CBC_HMAC)
		esp_in_prefetch(op->sa, op->len);
}

static void cbc_burst(struct crypto *c, struct esp_in *op, const uint8_t *member, unsigned n,
		      uint64_t now)
{
	struct cbc_pkt pkt[CRYPTO_BURST];
	for (unsigned k = 0; k < n; k++) {
		struct esp_in *o = &op[member[k]];
		pkt[k] = (struct cbc_pkt){
			.esp = o->esp,
			.icv_at = o->len - o->sa->icv_len,
			.seq_hi = __builtin_bswap32((uint32_t)(c->seq[member[k]] >> 32)),
			.keys = &o->sa->keys,
			.suite = o->sa->suite,
			.esn = (o->sa->flags & SA_ESN) != 0,
		};
	}
	cbc_open(c, pkt, n);
	for (unsigned k = 0; k < n; k++) {
		struct esp_in *o = &op[member[k]];
		if (pkt[k].forged) {
			o->status = ESP_FORGED;
			o->sa->forged++;
			continue;
		}
		packet_finish(c, o, member[k], CBC_HEAD, o->sa->icv_len, now);
		opened_tell(c, o);
	}
}

void esp_decap_burst(struct crypto *c, struct esp_in *op, unsigned n, uint64_t now)
{
	uint8_t aead[CRYPTO_BURST], cbc[CRYPTO_BURST];
	unsigned n_aead = 0, n_cbc = 0, opened = 0, finished = 0;
	for (unsigned i = 0; i < n && i < KEYS_AHEAD; i++)
		keys_ahead(&op[i]);
	for (unsigned i = 0; i < n; i++) {
		struct sa_in *sa = op[i].sa;
		uint8_t status;
		if (i + KEYS_AHEAD < n && op[i + KEYS_AHEAD].sa != op[i + KEYS_AHEAD - 1].sa)
			keys_ahead(&op[i + KEYS_AHEAD]);
		if (sa->family != SUITE_CBC_HMAC) {
			status = packet_check(c, &op[i], i, AEAD_HEAD + AEAD_ICV, 4);
			aead[n_aead] = (uint8_t)i;
			n_aead += status == ESP_OK;
		} else {
			status = packet_check(c, &op[i], i, CBC_HEAD + sa->icv_len, 16);
			cbc[n_cbc] = (uint8_t)i;
			n_cbc += status == ESP_OK;
		}
		op[i].status = status;
		if (__builtin_expect(status == ESP_REPLAYED, 0))
			sa->replayed++;
		if (c->ahead != NULL)
			ahead_step(c->ahead);
		if (opened + OPEN_LAG < n_aead) {
			aead_open(c, &op[aead[opened]], aead[opened]);
			opened++;
		}
		if (finished + FINISH_LAG < opened) {
			aead_finish(c, &op[aead[finished]], aead[finished], now);
			finished++;
		}
	}
	for (; opened < n_aead; opened++)
		aead_open(c, &op[aead[opened]], aead[opened]);
	for (; finished < n_aead; finished++)
		aead_finish(c, &op[aead[finished]], aead[finished], now);
	if (n_cbc != 0)
		cbc_burst(c, op, cbc, n_cbc, now);
}
