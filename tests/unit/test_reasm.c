// SPDX-License-Identifier: BSD-3-Clause
#include "ip/ip.h"
#include "ip/reasm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT 1000

static uint64_t rng_state = 0x9e3779b97f4a7c15ULL;

static uint32_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 16);
}

// A fragment in its own memory, exactly as long as it is; it is its own handle.
static struct frag_entry frag_make(uint16_t id, uint32_t off, uint32_t len, bool more,
				   const uint8_t *payload)
{
	uint8_t *p = malloc(20 + len);
	struct rte_ipv4_hdr h = {
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(20 + len)),
		.packet_id = id,
		.fragment_offset = rte_cpu_to_be_16((uint16_t)(off / 8 | (more ? 0x2000 : 0))),
		.time_to_live = 64,
		.next_proto_id = 50,
		.src_addr = RTE_BE32(0xc6336407),
		.dst_addr = RTE_BE32(0xc6120a01),
	};
	struct frag_entry e;

	ip4_header_cksum_set(&h);
	memcpy(p, &h, 20);
	if (payload != NULL)
		memcpy(p + 20, payload + off, len);
	else
		memset(p + 20, id, len);
	cr_assert_eq(reasm_entry_init(&e, p, p, 20 + len), 0);
	return e;
}

static void drop_handle(void *count, void *handle)
{
	++*(unsigned *)count;
	free(handle);
}

// Frees what a call hands back; a handle that came back twice, or that is still held, would show
// as a double free or as a leak. Returns how many.
static unsigned give_back(const struct reasm_out *out)
{
	for (uint16_t i = 0; i < out->n_frags; i++)
		free(out->frag[i].handle);
	for (uint16_t i = 0; i < out->n_drop; i++)
		free(out->drop[i]);
	return out->n_frags + out->n_drop;
}

struct piece {
	uint32_t off, len;
	bool more;
	enum reasm_result want;
	unsigned back; // handles that come back with it
};

// Feeds the pieces of one datagram, and checks what each one does.
static void play(const char *what, const struct piece *piece, size_t n)
{
	struct reasm *r = reasm_create(4, REASM_HELD_MAX, TIMEOUT, 1);
	unsigned back = 0, fed = 0;

	for (size_t i = 0; i < n && (i == 0 || piece[i].len != 0 || piece[i].want != 0); i++) {
		struct reasm_out out;
		struct frag_entry e = frag_make(7, piece[i].off, piece[i].len, piece[i].more, NULL);
		enum reasm_result got = reasm_put(r, &e, 5, &out);
		cr_expect_eq(got, piece[i].want, "%s, piece %zu: %d", what, i, got);
		if (got > REASM_COMPLETE)
			cr_expect_eq(out.reason, got);
		unsigned b = give_back(&out);
		cr_expect_eq(b, piece[i].back, "%s, piece %zu: %u back", what, i, b);
		back += b;
		fed++;
	}
	reasm_destroy(r, drop_handle, &back);
	cr_expect_eq(back, fed, "%s: %u of %u handles back", what, back, fed);
}

#define HELD REASM_HELD
#define DONE REASM_COMPLETE
#define TINY REASM_TINY
#define OVER REASM_OVERLAP

Test(reasm, truth_table)
{
	static const struct {
		const char *what;
		struct piece piece[6];
	} row[] = {
		{"in order", {{0, 800, 1, HELD, 0}, {800, 800, 1, HELD, 0}, {1600, 5, 0, DONE, 3}}},
		{"backwards",
		 {{1600, 5, 0, HELD, 0}, {800, 800, 1, HELD, 0}, {0, 800, 1, DONE, 3}}},
		{"middle last",
		 {{0, 800, 1, HELD, 0}, {1600, 5, 0, HELD, 0}, {800, 800, 1, DONE, 3}}},
		{"not a multiple of 8", {{0, 801, 1, TINY, 1}, {800, 8, 0, HELD, 0}}},
		{"tiny first", {{0, 248, 1, TINY, 1}, {248, 8, 0, HELD, 0}}},
		{"smallest first", {{0, 256, 1, HELD, 0}, {256, 1, 0, DONE, 2}}},
		{"tiny middle",
		 {{0, 256, 1, HELD, 0},
		  {256, 8, 1, TINY, 1},
		  {264, 8, 0, HELD, 0},
		  {256, 8, 1, TINY, 1}}},
		{"tiny leaves the datagram alone",
		 {{0, 256, 1, HELD, 0}, {8, 8, 1, TINY, 1}, {256, 8, 0, DONE, 2}}},
		{"overlap by a unit",
		 {{0, 800, 1, HELD, 0}, {792, 800, 1, OVER, 2}, {1592, 5, 0, OVER, 1}}},
		{"overlap of the one before",
		 {{800, 800, 1, HELD, 0}, {0, 808, 1, OVER, 2}, {0, 800, 1, OVER, 1}}},
		{"inside another", {{0, 1200, 1, HELD, 0}, {400, 400, 1, OVER, 2}}},
		{"around another", {{400, 400, 1, HELD, 0}, {0, 1200, 1, OVER, 2}}},
		{"same start, longer", {{0, 800, 1, HELD, 0}, {0, 808, 1, OVER, 2}}},
		{"same start, shorter", {{0, 800, 1, HELD, 0}, {0, 792, 1, OVER, 2}}},
		{"last overlaps", {{0, 800, 1, HELD, 0}, {792, 100, 0, OVER, 2}}},
		{"beyond the end", {{800, 8, 0, HELD, 0}, {1600, 800, 1, OVER, 2}}},
		{"right behind the end", {{800, 8, 0, HELD, 0}, {808, 800, 1, OVER, 2}}},
		{"end moves back", {{800, 800, 1, HELD, 0}, {400, 8, 0, OVER, 2}}},
		{"two ends", {{800, 8, 0, HELD, 0}, {1600, 8, 0, OVER, 2}}},
		{"same piece, now the last", {{800, 800, 1, HELD, 0}, {800, 800, 0, OVER, 2}}},
		{"duplicate goes alone",
		 {{0, 800, 1, HELD, 0}, {0, 800, 1, OVER, 1}, {800, 9, 0, DONE, 2}}},
		{"duplicate of the last",
		 {{800, 9, 0, HELD, 0}, {800, 9, 0, OVER, 1}, {0, 800, 1, DONE, 2}}},
		{"largest", {{32768, 32747, 0, HELD, 0}, {0, 32768, 1, DONE, 2}}},
		{"a byte too large", {{32768, 32748, 0, REASM_TOO_BIG, 1}}},
		{"far too large", {{65528, 1480, 1, REASM_TOO_BIG, 1}}},
	};
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		play(row[i].what, row[i].piece, 6);
}

Test(reasm, empty_fragments_are_tiny)
{
	const struct piece last[] = {{800, 0, false, REASM_TINY, 1}};
	const struct piece first[] = {{0, 0, true, REASM_TINY, 1}};

	play("empty last", last, 1);
	play("empty first", first, 1);
}

Test(reasm, too_many_fragments)
{
	struct piece p[REASM_FRAGS + 2] = {0};

	for (uint32_t i = 0; i < REASM_FRAGS + 2; i++) {
		bool kept = i < REASM_FRAGS;
		p[i] = (struct piece){i * 256, 256, true, kept ? REASM_HELD : REASM_TOO_MANY,
				      kept               ? 0
				      : i == REASM_FRAGS ? REASM_FRAGS + 1
							 : 1};
	}
	play("17 and 18", p, REASM_FRAGS + 2);
	p[REASM_FRAGS - 1].more = false;
	p[REASM_FRAGS - 1].want = REASM_COMPLETE;
	p[REASM_FRAGS - 1].back = REASM_FRAGS;
	play("16", p, REASM_FRAGS);
}

Test(reasm, random_datagrams_come_back_whole)
{
	static uint8_t payload[65515], whole[65535];
	struct reasm *r = reasm_create(8, REASM_HELD_MAX, TIMEOUT, 42);

	for (int round = 0; round < 3000; round++) {
		struct frag_entry e[REASM_FRAGS];
		struct reasm_out out;
		uint32_t n = 2 + rng() % (REASM_FRAGS - 1), at = 0;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t len = 256 + 8 * (rng() % 470);
			if (i == n - 1)
				len = 1 + rng() % 4000;
			for (uint32_t j = 0; j < len; j++)
				payload[at + j] = (uint8_t)rng();
			e[i] = frag_make((uint16_t)round, at, len, i < n - 1, payload);
			at += len;
		}
		for (uint32_t i = n; i > 1; i--) { // shuffle
			uint32_t j = rng() % i;
			struct frag_entry t = e[i - 1];
			e[i - 1] = e[j];
			e[j] = t;
		}
		for (uint32_t i = 0; i < n; i++) {
			enum reasm_result want = i < n - 1 ? REASM_HELD : REASM_COMPLETE;
			cr_assert_eq(reasm_put(r, &e[i], (uint64_t)round, &out), want);
		}
		cr_assert_eq(out.n_frags, n);
		cr_assert_eq(out.n_drop, 0);
		cr_assert_eq(reasm_write(&out, whole, 19 + at), -ENOSPC);
		cr_assert_eq(reasm_write(&out, whole, sizeof(whole)), (int)(20 + at));
		const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)whole;
		cr_assert(ip4_header_ok(ip));
		cr_assert_eq(ip->fragment_offset, 0);
		cr_assert_eq(rte_be_to_cpu_16(ip->total_length), 20 + at);
		cr_assert_eq(memcmp(whole + 20, payload, at), 0);
		give_back(&out);
	}
	struct reasm_stats s;
	reasm_stats_get(r, &s);
	cr_expect_eq(s.completed, 3000);
	cr_expect_eq(s.held, 0);
	reasm_destroy(r, NULL, NULL);
}

Test(reasm, each_part_of_the_key_counts)
{
	struct reasm *r = reasm_create(8, REASM_HELD_MAX, TIMEOUT, 1);
	struct reasm_out out;
	struct reasm_stats s;
	unsigned dropped = 0;

	// The first fragment of five datagrams that differ in one thing each, then their ends.
	for (int half = 0; half < 2; half++)
		for (int i = 0; i < 5; i++) {
			struct frag_entry e = frag_make(9, half ? 256 : 0, 256, !half, NULL);
			const int at[] = {0, 4, 9, 12,
					  16}; // nothing (tos later), id, proto, src, dst
			e.l3[at[i]] ^= i == 0 ? 0 : 1;
			cr_expect_eq(reasm_put(r, &e, 1, &out), half ? REASM_COMPLETE : REASM_HELD);
			give_back(&out);
			reasm_stats_get(r, &s);
			cr_expect_eq(s.held, (uint32_t)(half ? 4 - i : i + 1));
		}
	reasm_destroy(r, drop_handle, &dropped);
	cr_expect_eq(dropped, 0);
}

Test(reasm, oldest_gives_way)
{
	struct reasm *r = reasm_create(16, REASM_HELD_MAX, TIMEOUT, 3);
	struct reasm_out out;
	struct reasm_stats s;
	unsigned dropped = 0;

	for (uint16_t id = 0; id < 1000; id++) {
		struct frag_entry a = frag_make(id, 0, 256, true, NULL);
		cr_assert_eq(reasm_put(r, &a, id / 10, &out), REASM_HELD);
		cr_assert_eq(out.n_drop, id < 16 ? 0 : 2);
		if (id >= 16) {
			const struct rte_ipv4_hdr *ip = out.drop[0];
			cr_assert_eq(out.reason, REASM_TOO_MANY);
			cr_assert_eq(ip->packet_id, id - 16, "oldest first");
		}
		give_back(&out);
		struct frag_entry b = frag_make(id, 256, 256, true, NULL);
		cr_assert_eq(reasm_put(r, &b, id / 10, &out), REASM_HELD);
		cr_assert_eq(out.n_drop, 0);
	}
	reasm_stats_get(r, &s);
	cr_expect_eq(s.held, 16);
	cr_expect_eq(s.evicted, 984);
	reasm_destroy(r, drop_handle, &dropped);
	cr_expect_eq(dropped, 32);
}

Test(reasm, time_is_counted_from_the_first_fragment)
{
	struct reasm *r = reasm_create(4, REASM_HELD_MAX, TIMEOUT, 3);
	struct reasm_out out;
	unsigned dropped = 0;
	struct frag_entry e;

	e = frag_make(1, 0, 256, true, NULL);
	reasm_put(r, &e, 100, &out);
	e = frag_make(1, 256, 256, true, NULL);
	reasm_put(r, &e, 1000, &out);
	e = frag_make(2, 0, 256, true, NULL);
	reasm_put(r, &e, 500, &out);
	cr_expect_eq(reasm_expire(r, 1099, drop_handle, &dropped), 0);
	cr_expect_eq(reasm_expire(r, 1100, drop_handle, &dropped), 1);
	cr_expect_eq(dropped, 2);
	// Without reasm_expire, a late fragment opens a new datagram and the old one goes.
	e = frag_make(2, 256, 9, false, NULL);
	cr_expect_eq(reasm_put(r, &e, 1500, &out), REASM_HELD);
	cr_expect_eq(out.reason, REASM_TIMEOUT);
	cr_expect_eq(give_back(&out), 1);
	e = frag_make(2, 0, 256, true, NULL);
	cr_expect_eq(reasm_put(r, &e, 2499, &out), REASM_COMPLETE);
	give_back(&out);
	struct reasm_stats s;
	reasm_stats_get(r, &s);
	cr_expect(s.timed_out == 2 && s.completed == 1 && s.held == 0);
	reasm_destroy(r, NULL, NULL);
}

Test(reasm, refusal_ends_with_the_time)
{
	struct reasm *r = reasm_create(4, REASM_HELD_MAX, TIMEOUT, 3);
	struct reasm_out out;
	struct frag_entry e;
	const struct {
		uint32_t off;
		uint64_t now;
		enum reasm_result want;
	} row[] = {{0, 0, REASM_HELD},
		   {128, 1, REASM_OVERLAP},
		   {256, 2, REASM_OVERLAP},
		   {0, 999, REASM_OVERLAP},
		   {0, 1000, REASM_HELD}};

	for (size_t i = 0; i < 5; i++) {
		e = frag_make(1, row[i].off, 256, true, NULL);
		cr_expect_eq(reasm_put(r, &e, row[i].now, &out), row[i].want, "row %zu", i);
		give_back(&out);
	}
	unsigned dropped = 0;
	cr_expect_eq(reasm_expire(r, 5000, drop_handle, &dropped), 1);
	cr_expect_eq(dropped, 1);
	reasm_destroy(r, NULL, NULL);
}

Test(reasm, ecn_of_the_whole)
{
	// RFC 3168 section 5.3. 0: not capable, 1 and 2: capable, 3: congestion experienced.
	for (unsigned a = 0; a < 4; a++)
		for (unsigned b = 0; b < 4; b++) {
			struct reasm *r = reasm_create(1, REASM_HELD_MAX, TIMEOUT, 3);
			struct reasm_out out;
			uint8_t whole[600];
			struct frag_entry f = frag_make(1, 0, 256, true, NULL);
			struct frag_entry l = frag_make(1, 256, 9, false, NULL);
			f.l3[1] = (uint8_t)(0xb8 | a);
			l.l3[1] = (uint8_t)(0xb8 | b);
			reasm_put(r, &l, 0, &out);
			cr_assert_eq(reasm_put(r, &f, 0, &out), REASM_COMPLETE);
			int n = reasm_write(&out, whole, sizeof(whole));
			if ((a == 3 && b == 0) || (a == 0 && b == 3)) {
				cr_expect_eq(n, -EBADMSG);
			} else {
				cr_expect_eq(n, 20 + 265);
				cr_expect_eq(whole[1], 0xb8 | (a == 3 || b == 3 ? 3 : a));
				cr_expect(ip4_header_ok((struct rte_ipv4_hdr *)whole));
			}
			give_back(&out);
			reasm_destroy(r, NULL, NULL);
		}
}

Test(reasm, every_truncation_of_a_fragment)
{
	uint8_t head[60] = {0};

	for (unsigned ihl = 0; ihl < 16; ihl++)
		for (size_t len = 0; len <= 100; len++) {
			uint8_t *p = calloc(1, len == 0 ? 1 : len);
			struct frag_entry e;
			head[0] = (uint8_t)(0x40 | ihl);
			head[3] = 80;
			head[6] = 0x20;
			memcpy(p, head, len < 60 ? len : 60);
			bool good = ihl >= 5 && len >= 80;
			cr_assert_eq(reasm_entry_init(&e, p, p, len), good ? 0 : -EINVAL,
				     "ihl %u len %zu", ihl, len);
			if (good)
				cr_assert(e.payload_off == ihl * 4 && e.len == 80 - ihl * 4);
			free(p);
		}
	struct frag_entry e;
	uint8_t p[80] = {0x45, 0, 0, 80};
	cr_expect_eq(reasm_entry_init(&e, p, p, 80), -EINVAL, "no fragment at all");
	p[0] = 0x65;
	p[6] = 0x20;
	cr_expect_eq(reasm_entry_init(&e, p, p, 80), -EINVAL, "version 6");
}

Test(reasm, create_checks_its_bounds)
{
	cr_expect_null(reasm_create(0, REASM_FRAGS, 1, 1));
	cr_expect_null(reasm_create(1, REASM_FRAGS - 1, 1, 1));
	cr_expect_null(reasm_create(REASM_CONTEXTS_MAX + 1, REASM_FRAGS, 1, 1));
	struct reasm *r = reasm_create(REASM_CONTEXTS_MAX, REASM_FRAGS, 1, 1);
	cr_expect_not_null(r);
	reasm_destroy(r, NULL, NULL);
	reasm_destroy(NULL, NULL, NULL);
}

Test(reasm, storm_loses_no_handle)
{
	struct reasm *r = reasm_create(32, REASM_HELD_MAX, TIMEOUT, 11);
	unsigned fed = 0, back = 0;

	for (uint64_t now = 0; now < 3000000; now += rng() % 128 ? rng() % 8 : TIMEOUT - 300) {
		struct reasm_out out;
		uint32_t len = 256 + 8 * (rng() % 8 / 7), off = 256 * (rng() % 6);
		bool more = off == 0 || rng() % 4; // without both it would be no fragment
		struct frag_entry e = frag_make((uint16_t)(rng() % 64), off, len, more, NULL);
		fed++;
		enum reasm_result got = reasm_put(r, &e, now, &out);
		cr_assert_eq(out.n_drop != 0, out.reason != REASM_HELD);
		cr_assert_eq(out.n_frags != 0, got == REASM_COMPLETE);
		back += give_back(&out);
		if (rng() % 100 == 0)
			reasm_expire(r, now, drop_handle, &back);
	}
	struct reasm_stats s;
	reasm_stats_get(r, &s);
	cr_expect(s.completed > 100 && s.refused > 100 && s.timed_out > 100 && s.evicted > 100,
		  "%lu %lu %lu %lu", s.completed, s.refused, s.timed_out, s.evicted);
	reasm_destroy(r, drop_handle, &back);
	cr_expect_eq(fed, back);
}
