// SPDX-License-Identifier: BSD-3-Clause
// What decapsulation must refuse, by which name, and that a forgery changes nothing.
#include "test_esp_util.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint8_t plain[BUF_SIZE], packet[BUF_SIZE], work[BUF_SIZE];

static uint8_t decap(struct crypto *c, struct sa_in *sa, const uint8_t *esp, uint32_t len,
		     uint8_t tos, struct esp_in *result)
{
	// Exactly as long as the packet, so that the address sanitizer sees any access beyond it.
	uint8_t *exact = malloc(len + 1);
	memcpy(exact, esp, len);
	struct esp_in in = {.sa = sa, .esp = exact, .len = len, .outer_tos = tos, .status = 0xff};
	esp_decap_burst(c, &in, 1, 1);
	if (result != NULL)
		*result = in;
	if (in.status == ESP_OK)
		memcpy(work, in.inner, in.inner_len);
	free(exact);
	return in.status;
}

// Seals plain[0..len) with the next number.
static uint32_t seal(struct pair *p, size_t len)
{
	uint8_t iv[16] = {1, 2, 3, 4, 5, 6, 7, 1, 0, 0, 0, 0, 0, 0, 0, 1};
	return (uint32_t)ref_seal(p->spec.suite, p->material, p->spec.flags & SA_ESN, p->spec.spi,
				  ++p->out->seq, iv, plain, len, packet);
}

static void each_suite(void (*fn)(struct crypto *, struct pair *, struct rng *))
{
	struct crypto *c = crypto_new();
	struct rng r = {99};
	for (int suite = 0; suite < SUITE_COUNT; suite++) {
		for (int esn = 0; esn < 2; esn++) {
			struct pair p;
			pair_spec(&p, suite, esn ? SA_ESN : 0, &r);
			p.spec.first_seq = 1000;
			pair_make(&p, c);
			fn(c, &p, &r);
			pair_free(&p);
		}
	}
	crypto_free(c);
}

// The SA but its counters of named drops.
static void same_but_drops(const struct sa_in *a, const struct sa_in *b, size_t size)
{
	struct sa_in *x = malloc(size);
	memcpy(x, a, size);
	x->forged = b->forged;
	x->replayed = b->replayed;
	cr_assert(memcmp(x, b, size) == 0, "a packet that is not authentic changed the SA");
	free(x);
}

static void forge(struct crypto *c, struct pair *p, struct rng *r)
{
	inner_make(plain, 90, 0, false, r);
	memcpy(plain + 90, "\1\2\3\4\4\4", 6);
	uint32_t len = seal(p, 96);
	size_t size = sa_in_size(&p->spec);
	struct sa_in *before = malloc(size);
	memcpy(before, p->in, size);
	uint64_t forged = 0;
	for (uint32_t at = 0; at < len; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			packet[at] ^= (uint8_t)(1 << bit);
			uint8_t status = decap(c, p->in, packet, len, 0, NULL);
			bool seq = at >= 4 && at < 8;
			cr_assert(status == ESP_FORGED || (seq && status == ESP_REPLAYED),
				  "%s byte %u bit %u: status %u", suites[p->spec.suite].name, at,
				  bit, status);
			forged += status == ESP_FORGED;
			packet[at] ^= (uint8_t)(1 << bit);
		}
	}
	cr_assert_eq(p->in->forged, forged);
	same_but_drops(p->in, before, size);
	free(before);
	cr_assert_eq(decap(c, p->in, packet, len, 0, NULL), ESP_OK);
}

Test(esp_bad, forged)
{
	each_suite(forge);
}

static void truncate_packet(struct crypto *c, struct pair *p, struct rng *r)
{
	inner_make(plain, 94, 0, false, r);
	plain[94] = 0;
	plain[95] = 4;
	uint32_t len = seal(p, 96);
	const struct suite *s = &suites[p->spec.suite];
	uint32_t overhead = 8u + s->iv_len + s->icv_len;
	for (uint32_t cut = 0; cut < len; cut++) {
		bool shape = cut >= overhead + s->block && (cut - overhead) % s->block == 0;
		cr_assert_eq(decap(c, p->in, packet, cut, 0, NULL),
			     shape ? ESP_FORGED : ESP_TOO_SHORT, "%s cut to %u", s->name, cut);
	}
	cr_assert_eq(p->in->packets, 0);
	cr_assert_eq(decap(c, p->in, packet, len, 0, NULL), ESP_OK);
}

Test(esp_bad, truncated)
{
	each_suite(truncate_packet);
}

static void pads(struct crypto *c, struct pair *p, struct rng *r)
{
	uint64_t refused = 0;
	// Every pad length, right and with each byte wrong in turn. 16-byte multiples fit all
	// blocks.
	for (unsigned pad = 0; pad < 256; pad++) {
		uint32_t len = 300 + (-(300 + pad + 2u) & 15);
		for (int wrong = -1; wrong<(int)pad; wrong += pad> 20 ? 37 : 1) {
			inner_make(plain, len, 0, false, r);
			for (unsigned k = 0; k < pad; k++)
				plain[len + k] = (uint8_t)(k + 1);
			if (wrong >= 0)
				plain[len + (unsigned)wrong] ^= 0x40;
			plain[len + pad] = (uint8_t)pad;
			plain[len + pad + 1] = 4;
			uint32_t n = seal(p, len + pad + 2);
			cr_assert_eq(decap(c, p->in, packet, n, 0, NULL),
				     wrong < 0 ? ESP_OK : ESP_BAD_PAD, "pad %u byte %d", pad,
				     wrong);
			refused += wrong >= 0;
		}
	}
	// Longer than the payload: with 16 bytes, 14 is the most.
	for (unsigned pad = 0; pad < 256; pad++) {
		for (unsigned k = 0; k < 14; k++)
			plain[k] = (uint8_t)(pad - 13 + k); // ends in pad, whatever fits
		for (unsigned k = 0; k < 14; k++)
			plain[13 - k] = (uint8_t)(pad <= 14 ? pad - k : 14 - k);
		plain[14] = (uint8_t)pad;
		plain[15] = 59;
		uint32_t n = seal(p, 16);
		cr_assert_eq(decap(c, p->in, packet, n, 0, NULL),
			     pad <= 14 ? ESP_DUMMY : ESP_BAD_PAD, "pad %u", pad);
		refused += pad > 14;
	}
	// As long as the payload with its trailer allows but one: it would start in the IV, whose
	// last byte is 1 as padding's first.
	for (unsigned k = 0; k < 14; k++)
		plain[k] = (uint8_t)(k + 2);
	plain[14] = 15;
	plain[15] = 4;
	cr_assert_eq(decap(c, p->in, packet, seal(p, 16), 0, NULL), ESP_BAD_PAD);
	refused++;
	cr_assert_eq(p->in->refused, refused);
	cr_assert_eq(p->in->forged, 0);
}

Test(esp_bad, padding)
{
	each_suite(pads);
}

// An SA that starts at 1000 has seen everything up to there.
static void start(struct crypto *c, struct pair *p, struct rng *r)
{
	inner_make(plain, 62, 0, false, r);
	plain[62] = 0;
	plain[63] = 4;
	p->out->seq = 900;
	while (p->out->seq < 1000) {
		uint32_t n = seal(p, 64);
		// With ESN what lies left of the window is taken for the next subspace.
		bool left = p->spec.flags & SA_ESN && p->out->seq <= 1000 - 64;
		cr_assert_eq(decap(c, p->in, packet, n, 0, NULL), left ? ESP_FORGED : ESP_REPLAYED);
	}
	cr_assert_eq(decap(c, p->in, packet, seal(p, 64), 0, NULL), ESP_OK);
}

Test(esp_bad, starts_seen)
{
	each_suite(start);
}

static void next_headers(struct crypto *c, struct pair *p, struct rng *r)
{
	for (unsigned next = 0; next < 256; next++) {
		inner_make(plain, 62, 0, false, r);
		plain[62] = 0;
		plain[63] = (uint8_t)next;
		uint64_t refused = p->in->refused, bytes = p->in->bytes;
		uint8_t want = next == 4 ? ESP_OK : next == 59 ? ESP_DUMMY : ESP_BAD_NEXT;
		uint32_t n = seal(p, 64);
		cr_assert_eq(decap(c, p->in, packet, n, 0, NULL), want);
		cr_assert_eq(p->in->refused - refused, want == ESP_BAD_NEXT);
		cr_assert_eq(p->in->bytes - bytes, want == ESP_OK ? 62 : 0);
		cr_assert_eq(decap(c, p->in, packet, n, 0, NULL), ESP_REPLAYED, "number was used");
	}
}

Test(esp_bad, next_header)
{
	each_suite(next_headers);
}

static void inners(struct crypto *c, struct pair *p, struct rng *r)
{
	struct {
		uint8_t first;
		uint16_t total;
		uint8_t status;
	} rows[] = {
		{0x45, 62, ESP_OK},
		{0x45, 63, ESP_BAD_INNER}, // longer than the payload
		{0x45, 0xffff, ESP_BAD_INNER},
		{0x45, 61, ESP_OK}, // TFC padding of 1
		{0x45, 20, ESP_OK},
		{0x45, 19, ESP_BAD_INNER},
		{0x45, 0, ESP_BAD_INNER},
		{0x44, 62, ESP_BAD_INNER},
		{0x40, 62, ESP_BAD_INNER},
		{0x46, 24, ESP_OK},
		{0x46, 23, ESP_BAD_INNER},
		{0x4f, 62, ESP_OK},
		{0x4f, 60, ESP_OK},
		{0x4f, 59, ESP_BAD_INNER},
		{0x55, 62, ESP_BAD_INNER},
		{0x65, 62, ESP_BAD_INNER},
		{0x05, 62, ESP_BAD_INNER},
		{0xf5, 62, ESP_BAD_INNER},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		inner_make(plain, 62, 0, false, r);
		plain[0] = rows[i].first;
		plain[2] = (uint8_t)(rows[i].total >> 8);
		plain[3] = (uint8_t)rows[i].total;
		plain[62] = 0;
		plain[63] = 4;
		struct esp_in result;
		uint32_t n = seal(p, 64);
		uint8_t status = decap(c, p->in, packet, n, 0, &result);
		cr_assert_eq(status, rows[i].status, "row %u: %u", i, status);
		if (status == ESP_OK) {
			cr_assert_eq(result.inner_len, rows[i].total);
			cr_assert(memcmp(work, plain, rows[i].total) == 0);
		}
	}
	// Payloads shorter than an IPv4 header.
	memset(plain, 0x45, 16);
	plain[2] = 0;
	plain[3] = 14;
	plain[14] = 0;
	plain[15] = 4;
	cr_assert_eq(decap(c, p->in, packet, seal(p, 16), 0, NULL), ESP_BAD_INNER);
}

Test(esp_bad, inner_header)
{
	each_suite(inners);
}

// The smallest packets of the 4-byte suites hold one word of trailer.
Test(esp_bad, smallest)
{
	struct crypto *c = crypto_new();
	struct rng r = {5};
	int small[] = {SUITE_AES_GCM_128, SUITE_AES_GCM_192, SUITE_AES_GCM_256,
		       SUITE_CHACHA20_POLY1305};
	for (unsigned i = 0; i < 4; i++) {
		struct pair p;
		pair_spec(&p, small[i], 0, &r);
		pair_make(&p, c);
		memcpy(plain, "\1\2\2\73", 4);
		cr_assert_eq(decap(c, p.in, packet, seal(&p, 4), 0, NULL), ESP_DUMMY);
		memcpy(plain, "\1\2\2\4", 4);
		cr_assert_eq(decap(c, p.in, packet, seal(&p, 4), 0, NULL), ESP_BAD_INNER);
		memcpy(plain, "\1\2\3\4", 4);
		cr_assert_eq(decap(c, p.in, packet, seal(&p, 4), 0, NULL), ESP_BAD_PAD);
		pair_free(&p);
	}
	crypto_free(c);
}

// RFC 6040 figure 4, by outer and inner ECN field; whether our flag is on or off does not matter
// inward.
Test(esp_bad, ecn)
{
	enum { NOT, ECT1, ECT0, CE };
	static const uint8_t want[4][4] = {
		// inner: Not-ECT, ECT(1), ECT(0), CE
		[NOT] = {NOT, ECT1, ECT0, CE},
		[ECT1] = {NOT, ECT1, ECT1, CE},
		[ECT0] = {NOT, ECT1, ECT0, CE},
		[CE] = {0xff, CE, CE, CE},
	};
	struct crypto *c = crypto_new();
	struct rng r = {6};
	for (unsigned mode = 0; mode < 2; mode++) {
		struct pair p;
		pair_spec(&p, SUITE_AES_GCM_128, mode ? SA_ECN : 0, &r);
		pair_make(&p, c);
		for (unsigned k = 0; k < 16 * 64; k++) {
			unsigned outer = k >> 2 & 3, inner = k & 3;
			uint8_t tos = (uint8_t)((k >> 4) << 2 | inner);
			inner_make(plain, 62, tos, false, &r);
			plain[62] = 0;
			plain[63] = 4;
			uint32_t n = seal(&p, 64);
			uint64_t refused = p.in->refused;
			uint8_t status = decap(c, p.in, packet, n, (uint8_t)(0xb8 | outer), NULL);
			if (want[outer][inner] == 0xff) {
				cr_assert_eq(status, ESP_ECN);
				cr_assert_eq(p.in->refused, refused + 1);
				continue;
			}
			cr_assert_eq(status, ESP_OK);
			cr_assert_eq(work[1], (tos & 0xfc) | want[outer][inner],
				     "outer %u inner %u: %u", outer, inner, work[1] & 3);
			cr_assert_eq(ip_sum(work, 20), 0, "checksum, outer %u inner %u", outer,
				     inner);
			cr_assert(memcmp(work + 12, plain + 12, 50) == 0);
		}
		pair_free(&p);
	}
	crypto_free(c);
}
