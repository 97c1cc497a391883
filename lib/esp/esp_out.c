// SPDX-License-Identifier: BSD-3-Clause
// Encapsulation of a burst in two steps: build headers and trailer; encrypt and authenticate.
//
// The IV of CBC has to be unpredictable (RFC 3602 section 3): a block of 8 secret random bytes and
// the 64-bit sequence number, never the same twice, stands in the IV field and is encrypted, as
// the first block of the message with IV 0, under the SA's own key (the first method of NIST SP
// 800-38A appendix C). That costs one block in lanes that run anyway, and no random number per
// packet.
#include "crypto/crypto.h"
#include "esp.h"
#include "esp_cbc.h"
#include "inner.h"

#include <string.h>

#define ESP_HEAD 8
// Packets between building and encrypting (see esp_in.c).
#define SEAL_LAG 2
#define IP_DF 0x0040 // in a word as in memory

static inline void store64(void *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

// The outer IPv4 header and UDP header. h has 32 writable bytes; what goes beyond the headers is
// written over later. Words of the header are words as in memory.
static inline void outer_write(struct sa_out *sa, uint8_t *h, const uint8_t *inner, uint32_t total)
{
	uint32_t flags = sa->flags;
	// DSCP (RFC 2983) and ECN (RFC 6040 section 4.1): normal mode copies, compatibility clears.
	uint32_t tos = inner[1] & ((flags & SA_DSCP ? 0xfcu : 0) | (flags & SA_ECN ? 3u : 0));
	uint32_t df = flags & SA_DF_COPY ? inner[6] & IP_DF : 0;
	uint32_t len = __builtin_bswap16((uint16_t)total);
	uint32_t id = __builtin_bswap16((uint16_t)sa->ip_id++);
	uint32_t sum = sa->outer_sum + (tos << 8) + len + id + df;
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	store64(h, load64(sa->outer) | (uint64_t)tos << 8 | (uint64_t)len << 16 |
			   (uint64_t)id << 32 | (uint64_t)df << 48);
	store64(h + 8, load64(sa->outer + 8) | (uint64_t)(uint16_t)~sum << 16);
	store64(h + 16, load64(sa->outer + 16));
	if (flags & SA_ENCAP) {
		uint32_t udp = __builtin_bswap16((uint16_t)(total - 20)); // checksum 0 (RFC 3948)
		memcpy(h + 24, &udp, 4);
	}
}

// Padding and the rest of the trailer at p (RFC 4303 section 2.4). At least 12 bytes of ICV follow.
static inline void trailer_write(uint8_t *p, uint32_t pad)
{
	if (__builtin_expect(pad < 6, 1)) {
		uint64_t keep = ~(~0ULL << (8 * pad));
		store64(p, (0x0807060504030201ULL & keep) | (uint64_t)(NEXT_IPV4 << 8 | pad)
								    << (8 * pad));
		return;
	}
	store64(p, 0x0807060504030201ULL);
	if (pad > 8)
		store64(p + 8, 0x100f0e0d0c0b0a09ULL);
	p[pad] = (uint8_t)pad;
	p[pad + 1] = NEXT_IPV4;
}

// Everything of packet i but the encryption; the status.
static inline uint8_t packet_build(struct crypto *c, struct esp_out *op, unsigned i)
{
	struct sa_out *sa = op->sa;
	uint32_t payload = esp_out_payload(sa, op->len), blocks = esp_out_blocks(sa, payload);
	uint32_t head = sa->outer_len + ESP_HEAD + (uint32_t)sa->iv_len;
	uint32_t total = head + blocks + sa->icv_len, pad = blocks - payload - 2;
	if (__builtin_expect(total > 65535, 0))
		return ESP_TOO_LONG;
	if (__builtin_expect(sa->flags & SA_EXHAUSTED, 0)) {
		sa->exhausted++;
		return ESP_EXHAUSTED;
	}
	uint64_t seq = ++sa->seq;
	if (__builtin_expect((uint32_t)seq == UINT32_MAX, 0) &&
	    (!(sa->flags & SA_ESN) || seq == UINT64_MAX))
		sa->flags |= SA_EXHAUSTED;
	sa->packets++;
	sa->bytes += op->len;

	op->outer = op->inner - head;
	op->outer_len = (uint16_t)total;
	outer_write(sa, op->outer, op->inner, total);
	uint8_t *esp = op->outer + sa->outer_len;
	uint64_t spi = __builtin_bswap32(sa->spi), low = __builtin_bswap32((uint32_t)seq);
	uint64_t high = __builtin_bswap32((uint32_t)(seq >> 32));
	store64(esp, spi | low << 32);
	c->seq[i] = seq;
	if (sa->family == SUITE_CBC_HMAC) {
		store64(esp + 8, sa->iv_base);
		store64(esp + 16, seq);
	} else {
		uint64_t iv = __builtin_bswap64(sa->iv_base + seq);
		store64(esp + 8, iv);
		store64(c->nonce[i], iv << 32 | sa->salt);
		store64(c->nonce[i] + 8, iv >> 32);
		store64(c->aad[i], spi | high << 32);
		store64(c->aad[i] + 8, low);
	}
	if (__builtin_expect(payload != op->len, 0))
		memset(op->inner + op->len, 0, payload - op->len);
	trailer_write(op->inner + payload, pad);
	return ESP_OK;
}

static inline void aead_seal(struct crypto *c, const struct esp_out *op, unsigned i)
{
	const struct sa_out *sa = op->sa;
	unsigned esn = sa->flags & SA_ESN;
	const uint8_t *aad = esn ? c->aad[i] : op->outer + sa->outer_len;
	unsigned aad_len = esn ? 12 : 8;
	uint8_t *icv = op->outer + op->outer_len - 16;
	uint64_t len = (uint64_t)(icv - op->inner);
	if (sa->family == SUITE_GCM)
		c->gcm_enc[sa->suite](&sa->keys.gcm, &c->gcm_ctx, op->inner, op->inner, len,
				      c->nonce[i], aad, aad_len, icv, 16);
	else
		crypto_chacha(c, CRYPTO_ENCRYPT, &sa->keys, c->nonce[i], aad, aad_len, op->inner,
			      len, icv);
}

static void cbc_packets(struct crypto *c, struct esp_out *op, const uint8_t *member, unsigned n)
{
	struct cbc_pkt pkt[CRYPTO_BURST];
	for (unsigned k = 0; k < n; k++) {
		const struct esp_out *o = &op[member[k]];
		const struct sa_out *sa = o->sa;
		pkt[k] = (struct cbc_pkt){
			.esp = o->outer + sa->outer_len,
			.icv_at = (uint32_t)o->outer_len - sa->outer_len - sa->icv_len,
			.seq_hi = __builtin_bswap32((uint32_t)(c->seq[member[k]] >> 32)),
			.keys = &sa->keys,
			.suite = sa->suite,
			.esn = (sa->flags & SA_ESN) != 0,
		};
	}
	cbc_seal(c, pkt, n);
}

void esp_encap_burst(struct crypto *c, struct esp_out *op, unsigned n, uint64_t now)
{
	uint8_t aead[CRYPTO_BURST], cbc[CRYPTO_BURST];
	unsigned n_aead = 0, n_cbc = 0, sealed = 0;
	for (unsigned i = 0; i < n; i++) {
		op[i].status = packet_build(c, &op[i], i);
		if (__builtin_expect(op[i].status != ESP_OK, 0))
			continue;
		op[i].sa->last_tsc = now;
		unsigned is_cbc = op[i].sa->family == SUITE_CBC_HMAC;
		aead[n_aead] = cbc[n_cbc] = (uint8_t)i;
		n_cbc += is_cbc;
		n_aead += !is_cbc;
		if (c->ahead != NULL)
			ahead_step(c->ahead);
		if (sealed + SEAL_LAG < n_aead) {
			aead_seal(c, &op[aead[sealed]], aead[sealed]);
			sealed++;
		}
	}
	for (; sealed < n_aead; sealed++)
		aead_seal(c, &op[aead[sealed]], aead[sealed]);
	if (n_cbc != 0)
		cbc_packets(c, op, cbc, n_cbc);
}
