// SPDX-License-Identifier: BSD-3-Clause
// Making and wiping SAs; what a bad spec is told.
#include "test_esp_util.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct crypto *c;
static struct pair p;

static void setup(void)
{
	struct rng r = {8};
	c = crypto_new();
	pair_spec(&p, SUITE_AES_GCM_128, SA_ENCAP, &r);
	p.spec.material = p.material;
}

static void teardown(void)
{
	crypto_free(c);
}

// in: whether it is wrong for an inbound SA, out: for an outbound one. word: what the text says.
static void refused(const char *word, bool in, bool out)
{
	struct err err = {0};
	struct sa_spec good = p.spec;
	struct sa_in *a = aligned_alloc(64, 1 << 16);
	struct sa_out *b = aligned_alloc(64, 1 << 16);
	int rc = sa_in_init(a, &p.spec, c, &err);
	cr_expect_eq(rc, in ? -EINVAL : 0, "%s: %s", word, err.text);
	cr_expect(!in || strstr(err.text, word) != NULL, "'%s' does not say '%s'", err.text, word);
	rc = sa_out_init(b, &p.spec, c, &err);
	cr_expect_eq(rc, out ? -EINVAL : 0, "%s: %s", word, err.text);
	cr_expect(!out || strstr(err.text, word) != NULL, "'%s' does not say '%s'", err.text, word);
	cr_expect(sa_in_init(a, &p.spec, c, NULL) == (in ? -EINVAL : 0), "err may be NULL");
	cr_expect(memcmp(&good, &p.spec, sizeof(good)) == 0);
	free(a);
	free(b);
}

TestSuite(sa, .init = setup, .fini = teardown);

Test(sa, bad_spi)
{
	p.spec.spi = 255;
	refused("0x100", true, true);
}

Test(sa, bad_suite)
{
	p.spec.suite = SUITE_COUNT;
	refused("suite", true, true);
}

Test(sa, no_key)
{
	p.spec.material = NULL;
	refused("20 bytes", true, true);
}

Test(sa, bad_window)
{
	uint16_t bad[] = {0, 1, 32, 63, 65, 100, 4095, 8192, 65535};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		p.spec.window = bad[i];
		refused("power of two from 64 to 4096", true, false);
	}
}

Test(sa, ipv6)
{
	p.spec.peer.addr.family = AF_INET6;
	refused("IPv4", true, true);
}

Test(sa, no_port)
{
	p.spec.peer.port = 0;
	refused("4500", true, true);
	p.spec.flags = 0;
	refused("", false, false);
}

Test(sa, seq_without_esn)
{
	p.spec.first_seq = 1ULL << 32;
	refused("4294967295", true, true);
	p.spec.flags |= SA_ESN;
	refused("", false, false);
}

Test(sa, both_df)
{
	p.spec.flags |= SA_DF_COPY | SA_DF_SET;
	refused("not both", false, true);
}

Test(sa, selectors)
{
	p.spec.n_selectors = 0;
	refused("1 to 16", true, true);
	p.spec.n_selectors = 17;
	refused("1 to 16", true, true);
	p.spec.n_selectors = 2;
	p.spec.selectors[1] = p.spec.selectors[0];
	p.spec.selectors[1].dst_lo = 6;
	p.spec.selectors[1].dst_hi = 5;
	refused("selector 2", true, true);
	p.spec.selectors[1].dst_lo = 5;
	p.spec.selectors[1].sport_lo = 6;
	p.spec.selectors[1].sport_hi = 5;
	refused("port range", true, true);
}

// Selectors, bitmap and keys lie behind the struct without overlap; all of it inside the size.
Test(sa, layout)
{
	struct err err;
	for (unsigned w = 64; w <= 4096; w *= 2) {
		p.spec.window = (uint16_t)w;
		p.spec.n_selectors = SA_SELECTORS_MAX;
		for (unsigned i = 0; i < SA_SELECTORS_MAX; i++)
			p.spec.selectors[i] = (struct selector){.src_lo = i, .src_hi = i + 1};
		size_t size = sa_in_size(&p.spec), out_size = sa_out_size(&p.spec);
		cr_assert(size % 64 == 0 && out_size % 64 == 0);
		struct sa_in *a = aligned_alloc(64, size);
		struct sa_out *b = aligned_alloc(64, out_size);
		cr_assert_eq(sa_in_init(a, &p.spec, c, &err), 0);
		cr_assert_eq(sa_out_init(b, &p.spec, c, &err), 0);
		for (unsigned i = 0; i < SA_SELECTORS_MAX; i++) {
			cr_assert_eq((i ? a->more[i - 1] : a->selector).src_lo, i);
			cr_assert_eq((i ? b->more[i - 1] : b->selector).src_hi, i + 1);
		}
		cr_assert((const uint8_t *)(a->more + SA_SELECTORS_MAX - 1) <= (uint8_t *)a + size);
		cr_assert((const uint8_t *)(b->more + SA_SELECTORS_MAX - 1) <=
			  (uint8_t *)b + out_size);
		cr_assert((const uint64_t *)a->more >= a->bitmap + a->window_mask + 1);
		cr_assert_eq(a->peer_ip, p.spec.peer.addr.v4.s_addr);
		free(a);
		free(b);
	}
}

Test(sa, wipe)
{
	uint8_t zero[sizeof(struct keys)] = {0};
	for (int suite = 0; suite < SUITE_COUNT; suite++) {
		p.spec.suite = suite;
		pair_make(&p, c);
		cr_assert(memcmp(&p.in->keys, zero, sizeof(zero)) != 0);
		sa_in_wipe(p.in);
		sa_out_wipe(p.out);
		cr_assert(memcmp(&p.in->keys, zero, sizeof(zero)) == 0 && p.in->salt == 0);
		cr_assert(memcmp(&p.out->keys, zero, sizeof(zero)) == 0 && p.out->salt == 0);
		cr_assert_eq(p.out->iv_base, 0);
		pair_free(&p);
	}
}

Test(sa, selector_match)
{
	struct selector any = {.src_hi = ~0u, .dst_hi = ~0u, .sport_hi = 65535, .dport_hi = 65535};
	cr_assert(selector_match(&any, 0, ~0u, 6, false, 0, 0));
	struct selector s = {10, 20, 30, 40, 0, 65535, 0, 65535, 17};
	for (uint32_t a = 5; a < 50; a++) {
		cr_assert_eq(selector_match(&s, a, 35, 17, true, 1, 1), a >= 10 && a <= 20);
		cr_assert_eq(selector_match(&s, 15, a, 17, true, 1, 1), a >= 30 && a <= 40);
		cr_assert_eq(selector_match(&s, 15, 35, (uint8_t)a, true, 1, 1), a == 17);
	}
	s.dport_lo = 100;
	s.dport_hi = 200;
	cr_assert(selector_match(&s, 15, 35, 17, true, 7, 100));
	cr_assert(selector_match(&s, 15, 35, 17, true, 7, 200));
	cr_assert(!selector_match(&s, 15, 35, 17, true, 7, 99));
	cr_assert(!selector_match(&s, 15, 35, 17, true, 7, 201));
	cr_assert(!selector_match(&s, 15, 35, 17, false, 7, 150), "a fragment shows no ports");
}
