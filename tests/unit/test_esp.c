// SPDX-License-Identifier: BSD-3-Clause
// ESP round trips: every suite, length and option, against ourselves and against OpenSSL.
#include "test_esp_util.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t buf[ESP_BURST_MAX][BUF_SIZE], inner[ESP_BURST_MAX][BUF_SIZE];

static struct esp_out out_op(struct pair *p, unsigned i, uint32_t len)
{
	memcpy(buf[i] + INNER_AT, inner[i], len);
	return (struct esp_out){.sa = p->out, .inner = buf[i] + INNER_AT, .len = len};
}

static struct esp_in in_op(struct pair *p, const struct esp_out *o)
{
	return (struct esp_in){
		.sa = p->in,
		.esp = o->outer + p->out->outer_len,
		.len = (uint32_t)o->outer_len - p->out->outer_len,
		.outer_tos = o->outer[1],
		.status = 0xff,
	};
}

// OpenSSL opens what we sealed, and finds the same plaintext and a proper trailer.
static void reference_check(struct pair *p, const struct esp_out *o, unsigned i)
{
	uint8_t plain[BUF_SIZE];
	const uint8_t *esp = o->outer + p->out->outer_len;
	uint32_t esp_len = (uint32_t)o->outer_len - p->out->outer_len;
	int n = ref_open(p->spec.suite, p->material, p->spec.flags & SA_ESN,
			 (uint32_t)(p->out->seq >> 32), esp, esp_len, plain);
	cr_assert(n > 0, "OpenSSL refuses the ICV: %s", suites[p->spec.suite].name);
	cr_assert(memcmp(plain, inner[i], o->len) == 0);
	unsigned pad = plain[n - 2];
	cr_assert_eq(plain[n - 1], 4);
	for (unsigned k = 0; k < pad; k++)
		cr_assert_eq(plain[n - 2 - pad + k], k + 1);
	uint32_t payload = (uint32_t)n - 2 - pad;
	cr_assert_eq(payload, o->len > p->spec.tfc_pad ? o->len : p->spec.tfc_pad);
	for (uint32_t k = o->len; k < payload; k++)
		cr_assert_eq(plain[k], 0, "TFC padding leaks memory");
}

static void round_trip(struct crypto *c, enum suite_id suite, uint32_t flags, uint16_t tfc)
{
	struct rng r = {suite * 1000u + flags + 1};
	struct pair p;
	pair_spec(&p, suite, flags, &r);
	p.spec.tfc_pad = tfc;
	p.spec.first_seq = flags & SA_ESN ? 0xffffffff - 700 : 0; // crosses 2^32 on the way
	pair_make(&p, c);
	uint64_t bytes = 0;
	for (uint32_t len = 20; len <= 1500; len++) {
		inner_make(inner[0], len, 0, false, &r);
		memset(buf[0], 0xee, BUF_SIZE);
		struct esp_out o = out_op(&p, 0, len);
		uint32_t tail = esp_out_tail(p.out, len), whole = esp_out_len(p.out, len);
		esp_encap_burst(c, &o, 1, 77);
		cr_assert_eq(o.status, ESP_OK);
		cr_assert_eq(o.outer_len, whole);
		cr_assert_eq(o.outer + o.outer_len, o.inner + len + tail);
		cr_assert(o.inner - o.outer <= ESP_HEADROOM);
		for (uint8_t *b = buf[0]; b < o.outer; b++)
			cr_assert_eq(*b, 0xee, "wrote in front of the packet");
		for (uint8_t *b = o.outer + whole; b < buf[0] + BUF_SIZE; b++)
			cr_assert_eq(*b, 0xee, "wrote behind the packet, length %u", len);
		reference_check(&p, &o, 0);
		struct esp_in in = in_op(&p, &o);
		esp_decap_burst(c, &in, 1, 99);
		cr_assert_eq(in.status, ESP_OK, "%s flags %x length %u: status %u",
			     suites[suite].name, flags, len, in.status);
		cr_assert_eq(in.inner_len, len);
		cr_assert(memcmp(in.inner, inner[0], len) == 0);
		bytes += len;
		struct esp_in again = in_op(&p, &o);
		esp_decap_burst(c, &again, 1, 100);
		cr_assert_eq(again.status, ESP_REPLAYED);
	}
	cr_assert_eq(p.in->packets, 1481);
	cr_assert_eq(p.out->packets, 1481);
	cr_assert_eq(p.in->bytes, bytes);
	cr_assert_eq(p.out->bytes, bytes);
	cr_assert_eq(p.in->replayed, 1481);
	cr_assert_eq(p.in->forged + p.in->refused, 0);
	cr_assert_eq(p.in->last_tsc, 99);
	cr_assert_eq(p.out->last_tsc, 77);
	cr_assert_eq(p.in->seq_top, p.out->seq);
	pair_free(&p);
}

Test(esp, round_trip)
{
	struct crypto *c = crypto_new();
	for (int suite = 0; suite < SUITE_COUNT; suite++) {
		round_trip(c, suite, 0, 0);
		round_trip(c, suite, SA_ESN, 0);
		round_trip(c, suite, SA_ENCAP, 0);
		round_trip(c, suite, SA_ESN | SA_ENCAP, 700);
		round_trip(c, suite, 0, 1400);
	}
	crypto_free(c);
}

// What OpenSSL seals, with any padding that is allowed, we open.
Test(esp, reference_seals)
{
	struct crypto *c = crypto_new();
	struct rng r = {42};
	for (int suite = 0; suite < SUITE_COUNT; suite++) {
		for (int esn = 0; esn < 2; esn++) {
			struct pair p;
			pair_spec(&p, suite, esn ? SA_ESN : 0, &r);
			p.spec.first_seq = esn ? 5ULL << 32 : 0;
			pair_make(&p, c);
			uint64_t seq = p.spec.first_seq;
			for (unsigned pad = 0; pad < 256; pad++) {
				uint8_t plain[BUF_SIZE], iv[16];
				unsigned block = suites[suite].block;
				uint32_t len = 20 + (uint32_t)(rng_next(&r) % 200);
				len += -(len + pad + 2) % block;
				inner_make(inner[0], len, 0, false, &r);
				memcpy(plain, inner[0], len);
				for (unsigned k = 0; k < pad; k++)
					plain[len + k] = (uint8_t)(k + 1);
				plain[len + pad] = (uint8_t)pad;
				plain[len + pad + 1] = 4;
				rng_fill(&r, iv, sizeof(iv));
				size_t n = ref_seal(suite, p.material, esn, p.spec.spi, ++seq, iv,
						    plain, len + pad + 2, buf[0]);
				struct esp_in in = {.sa = p.in, .esp = buf[0], .len = (uint32_t)n};
				esp_decap_burst(c, &in, 1, 0);
				cr_assert_eq(in.status, ESP_OK, "%s padding %u: status %u",
					     suites[suite].name, pad, in.status);
				cr_assert_eq(in.inner_len, len);
				cr_assert(memcmp(in.inner, inner[0], len) == 0);
			}
			pair_free(&p);
		}
	}
	crypto_free(c);
}

// Bursts of every size, packets of random SAs of all suites mixed.
Test(esp, mixed_bursts)
{
	enum { N = 40 };
	struct crypto *c = crypto_new();
	struct rng r = {7};
	struct pair p[N];
	for (unsigned k = 0; k < N; k++) {
		uint32_t flags = (k & 1 ? SA_ESN : 0) | (k & 2 ? SA_ENCAP : 0);
		pair_spec(&p[k], k % SUITE_COUNT, flags, &r);
		p[k].spec.first_seq = k & 1 ? 0xffffff00 : 0;
		pair_make(&p[k], c);
	}
	for (unsigned round = 0; round < 400; round++) {
		unsigned n = 1 + round % ESP_BURST_MAX;
		struct esp_out o[ESP_BURST_MAX];
		struct esp_in in[ESP_BURST_MAX];
		unsigned who[ESP_BURST_MAX];
		for (unsigned i = 0; i < n; i++) {
			who[i] = (unsigned)(rng_next(&r) % N);
			uint32_t len = 20 + (uint32_t)(rng_next(&r) % 1481);
			inner_make(inner[i], len, 0, false, &r);
			o[i] = out_op(&p[who[i]], i, len);
			esp_out_prefetch(p[who[i]].out, len);
		}
		esp_encap_burst(c, o, n, round);
		for (unsigned i = 0; i < n; i++) {
			cr_assert_eq(o[i].status, ESP_OK);
			in[i] = in_op(&p[who[i]], &o[i]);
			esp_in_prefetch(p[who[i]].in, in[i].len);
		}
		for (unsigned i = n - 1; i > 0; i--) { // reordered within the burst
			unsigned j = (unsigned)(rng_next(&r) % (i + 1));
			struct esp_in swap = in[i];
			in[i] = in[j];
			in[j] = swap;
		}
		esp_decap_burst(c, in, n, round);
		for (unsigned i = 0; i < n; i++) {
			unsigned j = (unsigned)(in[i].inner - buf[0]) / BUF_SIZE;
			cr_assert_eq(in[i].status, ESP_OK);
			cr_assert_eq(in[i].inner_len, o[j].len);
			cr_assert(memcmp(in[i].inner, inner[j], o[j].len) == 0);
		}
	}
	for (unsigned k = 0; k < N; k++)
		pair_free(&p[k]);
	crypto_free(c);
}

// A number twice within one burst: the window is checked again after verification.
Test(esp, twice_in_a_burst)
{
	struct crypto *c = crypto_new();
	struct rng r = {3};
	for (int suite = 0; suite < SUITE_COUNT; suite++) {
		struct pair p;
		pair_spec(&p, suite, 0, &r);
		pair_make(&p, c);
		inner_make(inner[0], 200, 0, false, &r);
		struct esp_out o = out_op(&p, 0, 200);
		esp_encap_burst(c, &o, 1, 0);
		struct esp_in in[6];
		for (unsigned i = 0; i < 6; i++) {
			memcpy(buf[i + 1], o.outer, o.outer_len);
			in[i] = in_op(&p, &o);
			in[i].esp = buf[i + 1] + p.out->outer_len;
		}
		in[0].esp[in[0].len - 1] ^= 1; // a forgery in front does not use the number up
		esp_decap_burst(c, in, 6, 0);
		cr_assert_eq(in[0].status, ESP_FORGED);
		cr_assert_eq(in[1].status, ESP_OK);
		for (unsigned i = 2; i < 6; i++)
			cr_assert_eq(in[i].status, ESP_REPLAYED);
		cr_assert_eq(p.in->packets, 1);
		cr_assert_eq(p.in->replayed, 4);
		cr_assert_eq(p.in->forged, 1);
		pair_free(&p);
	}
	crypto_free(c);
}

// Explicit IVs: GCM counts up from a random start; CBC's look random and never repeat.
Test(esp, ivs)
{
	struct crypto *c = crypto_new();
	struct rng r = {11};
	for (int suite = 0; suite < SUITE_COUNT; suite++) {
		struct pair p, q;
		uint64_t iv[64], second[64];
		pair_spec(&p, suite, 0, &r);
		pair_make(&p, c);
		q = p;
		pair_make(&q, c);
		// Two SAs with one key do not start alike.
		inner_make(inner[0], 100, 0, false, &r);
		struct esp_out twin[2] = {out_op(&p, 0, 100), out_op(&q, 1, 100)};
		esp_encap_burst(c, twin, 2, 0);
		cr_assert(memcmp(twin[0].outer + 28, twin[1].outer + 28, 8) != 0);
		p.out->seq = 0;
		for (unsigned i = 0; i < 64; i++) {
			inner_make(inner[0], 100, 0, false, &r);
			struct esp_out o = out_op(&p, 0, 100);
			esp_encap_burst(c, &o, 1, 0);
			memcpy(&iv[i], o.outer + 28, 8);
			memcpy(&second[i], o.outer + 36, 8);
			for (unsigned j = 0; j < i; j++)
				cr_assert_neq(iv[i], iv[j]);
			if (suites[suite].family != SUITE_CBC_HMAC) {
				cr_assert_eq(__builtin_bswap64(iv[i]), p.out->iv_base + i + 1);
				continue;
			}
			int ones = __builtin_popcountll(iv[i] ^ (i ? iv[i - 1] : 0)) +
				   __builtin_popcountll(second[i] ^ (i ? second[i - 1] : 0));
			cr_assert(ones > 30 && ones < 98, "%d bits of 128 differ", ones);
		}
		pair_free(&p);
		pair_free(&q);
	}
	crypto_free(c);
}
