// SPDX-License-Identifier: BSD-3-Clause
// The outer header: lengths, checksum, ID, DF, DSCP, ECN, UDP; and the end of the sequence numbers.
#include "test_esp_util.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint8_t buf[BUF_SIZE];

static struct esp_out encap(struct crypto *c, struct pair *p, uint32_t len, uint8_t tos, bool df,
			    struct rng *r)
{
	inner_make(buf + INNER_AT, len, tos, df, r);
	struct esp_out o = {.sa = p->out, .inner = buf + INNER_AT, .len = len, .status = 0xff};
	esp_encap_burst(c, &o, 1, 5);
	return o;
}

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void header_check(struct pair *p, const struct esp_out *o)
{
	const uint8_t *h = o->outer;
	bool udp = p->spec.flags & SA_ENCAP;
	cr_assert_eq(h[0], 0x45);
	cr_assert_eq(be16(h + 2), o->outer_len);
	cr_assert_eq(h[7], 0);
	cr_assert_eq(h[6] & 0xbf, 0);
	cr_assert_eq(h[8], 64);
	cr_assert_eq(h[9], udp ? 17 : 50);
	cr_assert_eq(ip_sum(h, 20), 0);
	cr_assert(memcmp(h + 12, &p->spec.local.addr.v4, 4) == 0);
	cr_assert(memcmp(h + 16, &p->spec.peer.addr.v4, 4) == 0);
	if (udp) {
		cr_assert_eq(be16(h + 20), p->spec.local.port);
		cr_assert_eq(be16(h + 22), p->spec.peer.port);
		cr_assert_eq(be16(h + 24), o->outer_len - 20u);
		cr_assert_eq(be16(h + 26), 0, "UDP checksum is 0 (RFC 3948 2.1)");
	}
	const uint8_t *esp = h + (udp ? 28 : 20);
	cr_assert_eq(be16(esp) << 16 | be16(esp + 2), p->spec.spi);
	cr_assert_eq(be16(esp + 4) << 16 | be16(esp + 6), (uint32_t)p->out->seq);
}

Test(esp_outer, header)
{
	struct crypto *c = crypto_new();
	struct rng r = {1};
	uint32_t df_modes[] = {0, SA_DF_COPY, SA_DF_SET};
	for (unsigned k = 0; k < 3 * 8; k++) {
		uint32_t flags = df_modes[k % 3] | (k / 3 & 1 ? SA_ENCAP : 0) |
				 (k / 6 & 1 ? SA_DSCP : 0) | (k / 12 & 1 ? SA_ECN : 0);
		for (int suite = 0; suite < SUITE_COUNT; suite++) {
			struct pair p;
			pair_spec(&p, suite, flags, &r);
			pair_make(&p, c);
			unsigned last_id = 0;
			for (unsigned tos = 0; tos < 256; tos++) {
				bool df = rng_next(&r) & 1;
				uint32_t len = 20 + (uint32_t)(rng_next(&r) % 1481);
				struct esp_out o = encap(c, &p, len, (uint8_t)tos, df, &r);
				cr_assert_eq(o.status, ESP_OK);
				header_check(&p, &o);
				uint8_t want = (uint8_t)((flags & SA_DSCP ? tos & 0xfc : 0) |
							 (flags & SA_ECN ? tos & 3 : 0));
				cr_assert_eq(o.outer[1], want);
				bool out_df = flags & SA_DF_SET || (flags & SA_DF_COPY && df);
				cr_assert_eq(o.outer[6], out_df ? 0x40 : 0);
				if (tos > 0)
					cr_assert_eq(be16(o.outer + 4), (last_id + 1) & 0xffff);
				last_id = be16(o.outer + 4);
			}
			pair_free(&p);
		}
	}
	crypto_free(c);
}

// Every IP ID, so that every carry of the checksum happens.
Test(esp_outer, checksum)
{
	struct crypto *c = crypto_new();
	struct rng r = {2};
	struct pair p;
	pair_spec(&p, SUITE_AES_GCM_128, SA_DSCP | SA_ECN | SA_DF_COPY, &r);
	p.spec.local.addr.v4.s_addr = p.spec.peer.addr.v4.s_addr = htonl(0xfffffffe);
	pair_make(&p, c);
	for (unsigned i = 0; i < 70000; i++) {
		struct esp_out o = encap(c, &p, 60, (uint8_t)rng_next(&r), i & 1, &r);
		cr_assert_eq(ip_sum(o.outer, 20), 0, "ID %u", be16(o.outer + 4));
	}
	pair_free(&p);
	crypto_free(c);
}

Test(esp_outer, exhaustion)
{
	struct crypto *c = crypto_new();
	struct rng r = {3};
	for (int suite = 0; suite < SUITE_COUNT; suite++) {
		for (int esn = 0; esn < 2; esn++) {
			struct pair p;
			uint64_t last = esn ? UINT64_MAX : UINT32_MAX;
			pair_spec(&p, suite, esn ? SA_ESN : 0, &r);
			p.spec.first_seq = last - 3;
			pair_make(&p, c);
			for (unsigned i = 0; i < 3; i++) {
				cr_assert_eq(p.out->flags & SA_EXHAUSTED, 0);
				struct esp_out o = encap(c, &p, 100, 0, false, &r);
				cr_assert_eq(o.status, ESP_OK);
				struct esp_in in = {.sa = p.in,
						    .esp = o.outer + p.out->outer_len,
						    .len = o.outer_len - 20u};
				esp_decap_burst(c, &in, 1, 0);
				cr_assert_eq(in.status, ESP_OK);
			}
			cr_assert(p.out->flags & SA_EXHAUSTED);
			for (unsigned i = 0; i < 5; i++)
				cr_assert_eq(encap(c, &p, 100, 0, false, &r).status, ESP_EXHAUSTED);
			cr_assert_eq(p.out->seq, last);
			cr_assert_eq(p.out->packets, 3);
			cr_assert_eq(p.out->exhausted, 5);
			pair_free(&p);
		}
	}
	crypto_free(c);
}

// With ESN, 2^32 - 1 is a number like any other.
Test(esp_outer, esn_goes_on)
{
	struct crypto *c = crypto_new();
	struct rng r = {4};
	struct pair p;
	pair_spec(&p, SUITE_AES_GCM_256, SA_ESN, &r);
	p.spec.first_seq = UINT32_MAX - 1;
	pair_make(&p, c);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(encap(c, &p, 100, 0, false, &r).status, ESP_OK);
	cr_assert_eq(p.out->seq, (1ULL << 32) + 2);
	cr_assert_eq(p.out->flags & SA_EXHAUSTED, 0);
	pair_free(&p);
	crypto_free(c);
}

Test(esp_outer, too_long)
{
	struct crypto *c = crypto_new();
	struct rng r = {4};
	struct pair p;
	pair_spec(&p, SUITE_AES_CBC_256_SHA512, SA_ENCAP, &r);
	pair_make(&p, c);
	uint8_t *big = calloc(1, 70000);
	uint32_t fits = 65535;
	while (esp_out_len(p.out, fits) > 65535)
		fits--;
	struct esp_out o = {.sa = p.out, .inner = big + 128, .len = fits + 1};
	big[128] = 0x45;
	esp_encap_burst(c, &o, 1, 0);
	cr_assert_eq(o.status, ESP_TOO_LONG);
	cr_assert_eq(p.out->seq, 0, "no number is used up");
	o.len = fits;
	esp_encap_burst(c, &o, 1, 0);
	cr_assert_eq(o.status, ESP_OK);
	cr_assert_eq(ip_sum(o.outer, 20), 0);
	cr_assert_eq(be16(o.outer + 2), o.outer_len);
	free(big);
	pair_free(&p);
	crypto_free(c);
}
