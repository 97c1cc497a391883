// SPDX-License-Identifier: BSD-3-Clause
// The rules of the guarded latch as a truth table, over every combination of its inputs.
#include "rtp/latch.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

enum { O = LATCH_OPEN, L = LATCH_LEARNED, F = LATCH_FIXED };
enum { PASS = LATCH_PASS, NO = LATCH_REFUSED, WAIT = LATCH_WAIT };

#define X -1 // does not matter

// The first row that fits decides. better: more evidence than the learned source has. What would be
// learned of a source is not if its packet is late, which passes all the same.
struct row {
	int8_t state, same, fits, verified, held_verified, strict, window, better, quiet, follows,
		same_host, handover, near, ready;
	uint8_t next, verdict, learn;
};

static const struct row table[] = {
	// state same fits ver hver strict win better quiet follow host hand near ready
	// Whoever was learned or is fixed passes; nobody else at a fixed one.
	{L, 1, X, X, X, X, X, X, X, X, X, X, X, X, L, PASS, 0},
	{F, 1, X, X, X, X, X, X, X, X, X, X, X, X, F, PASS, 0},
	{F, 0, X, X, X, X, X, X, X, X, X, X, X, X, F, NO, 0},
	// What does not fit is refused.
	{O, X, 0, X, X, X, X, X, X, X, X, X, X, X, O, NO, 0},
	{L, 0, 0, X, X, X, X, X, X, X, X, X, X, X, L, NO, 0},
	// Open: who is ready counts.
	{O, X, 1, X, X, X, X, X, X, X, X, X, X, 0, O, WAIT, 0},
	{O, X, 1, X, X, X, X, X, X, X, X, X, X, 1, L, PASS, 1},
	// Verified packets move it at any time, and nothing else what they moved.
	{L, 0, 1, 1, X, X, X, X, X, X, X, X, X, 1, L, PASS, 1},
	{L, 0, 1, 1, X, X, X, X, X, X, X, X, X, 0, L, WAIT, 0},
	{L, 0, 1, 0, 1, X, X, X, X, X, X, X, X, X, L, NO, 0},
	// Strict: nothing after the window, then nothing but better evidence.
	{L, 0, 1, 0, 0, 1, 0, X, X, X, X, X, X, X, L, NO, 0},
	{L, 0, 1, 0, 0, 1, 1, 0, X, X, X, X, X, X, L, NO, 0},
	// Better evidence takes over.
	{L, 0, 1, 0, 0, X, X, 1, X, X, X, X, X, 1, L, PASS, 1},
	{L, 0, 1, 0, 0, X, X, 1, X, X, X, X, X, 0, L, WAIT, 0},
	// Not while the learned source is heard.
	{L, 0, 1, 0, 0, 0, X, 0, 0, X, X, X, X, X, L, NO, 0},
	// A stream that carries on, from another port.
	{L, 0, 1, 0, 0, 0, X, 0, 1, 1, 1, X, X, 1, L, PASS, 1},
	{L, 0, 1, 0, 0, 0, X, 0, 1, 1, 1, X, X, 0, L, WAIT, 0},
	// ... from another host: with handover only.
	{L, 0, 1, 0, 0, 0, X, 0, 1, 1, 0, 0, X, X, L, NO, 0},
	{L, 0, 1, 0, 0, 0, X, 0, 1, 1, 0, 1, X, 1, L, PASS, 1},
	{L, 0, 1, 0, 0, 0, X, 0, 1, 1, 0, 1, X, 0, L, WAIT, 0},
	// Another stream: with handover, from where the peer was signalled or near it.
	{L, 0, 1, 0, 0, 0, X, 0, 1, 0, X, 0, X, X, L, NO, 0},
	{L, 0, 1, 0, 0, 0, X, 0, 1, 0, X, 1, 0, X, L, NO, 0},
	{L, 0, 1, 0, 0, 0, X, 0, 1, 0, X, 1, 1, 1, L, PASS, 1},
	{L, 0, 1, 0, 0, 0, X, 0, 1, 0, X, 1, 1, 0, L, WAIT, 0},
};
#define ROWS (sizeof(table) / sizeof(table[0]))

static bool cell(int8_t want, bool is)
{
	return want == X || want == (int8_t)is;
}

static bool row_fits(const struct row *r, enum latch_state state, const struct latch_policy *p,
		     const struct latch_facts *f)
{
	return r->state == (int8_t)state && cell(r->same, f->same) &&
	       cell(r->fits, f->rank != LATCH_RANK_NONE) &&
	       cell(r->verified, f->rank == LATCH_RANK_VERIFIED) &&
	       cell(r->held_verified, f->held == LATCH_RANK_VERIFIED) &&
	       cell(r->strict, p->strict) && cell(r->window, f->window) &&
	       cell(r->better, f->rank > f->held) && cell(r->quiet, f->quiet) &&
	       cell(r->follows, f->follows) && cell(r->same_host, f->same_host) &&
	       cell(r->handover, p->handover) && cell(r->near, f->rank >= LATCH_RANK_NET) &&
	       cell(r->ready, f->proven && !f->contested);
}

Test(latch, truth_table)
{
	bool used[ROWS] = {false};

	for (unsigned i = 0; i < 3 * 6 * 6 << 10; i++) {
		unsigned bits = i & 1023, k = i >> 10;
		struct latch_policy p = {.learn = true, .strict = bits & 1, .handover = bits & 2};
		struct latch_facts f = {
			.rank = (enum latch_rank)(k % 6),
			.held = (enum latch_rank)(k / 6 % 6),
			.same = bits & 4,
			.same_host = bits & 8,
			.follows = bits & 16,
			.quiet = bits & 32,
			.window = bits & 64,
			.proven = bits & 128,
			.contested = bits & 256,
			.late = bits & 512,
		};
		enum latch_state state = (enum latch_state)(k / 36);
		struct latch_result got = latch_step(state, &p, &f);
		size_t r = 0;

		while (r < ROWS && !row_fits(&table[r], state, &p, &f))
			r++;
		cr_assert_lt(r, ROWS, "no row for state %u bits %03x", state, bits);
		used[r] = true;
		bool learn = table[r].learn && !f.late;
		uint8_t next = table[r].learn && f.late ? (uint8_t)state : table[r].next;
		cr_assert(got.next == next && got.verdict == table[r].verdict && got.learn == learn,
			  "row %zu state %u rank %u held %u bits %03x: %u %u %u", r, state, f.rank,
			  f.held, bits, got.next, got.verdict, got.learn);
	}
	for (size_t r = 0; r < ROWS; r++)
		cr_expect(used[r], "row %zu is never reached", r);
	// A corrupt state lets nobody in.
	struct latch_facts best = {.rank = LATCH_RANK_VERIFIED, .same = true, .proven = true};
	cr_expect_eq(latch_step((enum latch_state)7, &(struct latch_policy){0}, &best).verdict, NO);
}

static uint32_t ip(const char *text)
{
	return inet_addr(text);
}

Test(latch, rank)
{
	const struct latch_peer s = {ip("198.51.100.8"), htons(4000)};
	const struct {
		const char *from;
		uint16_t port;
		uint8_t net_bits;
		bool same_port;
		enum latch_rank rank;
	} row[] = {
		{"198.51.100.8", 4000, 0, false, LATCH_RANK_EXACT},
		{"198.51.100.8", 4000, 32, true, LATCH_RANK_EXACT},
		{"198.51.100.8", 4001, 0, false, LATCH_RANK_HOST},
		{"198.51.100.8", 4001, 0, true, LATCH_RANK_NONE},
		{"198.51.100.9", 4000, 0, false, LATCH_RANK_NET},
		{"198.51.100.9", 4000, 32, false, LATCH_RANK_NONE},
		{"198.51.100.255", 9, 24, false, LATCH_RANK_NET},
		{"198.51.101.8", 4000, 0, false, LATCH_RANK_ANY},
		{"198.51.101.8", 4000, 23, false, LATCH_RANK_ANY},
		{"198.51.101.8", 4000, 24, false, LATCH_RANK_NONE},
		{"203.0.113.1", 4000, 0, true, LATCH_RANK_ANY},
		{"203.0.113.1", 4000, 1, false, LATCH_RANK_ANY},
		{"70.0.0.1", 4000, 1, false, LATCH_RANK_NONE},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct latch_policy p = {.net_bits = row[i].net_bits,
					 .same_port = row[i].same_port};
		cr_expect_eq(latch_rank_of(&p, s, ip(row[i].from), htons(row[i].port), 0, false),
			     row[i].rank, "row %zu", i);
		// Nothing signalled: nothing to demand.
		cr_expect_eq(latch_rank_of(&p, (struct latch_peer){0}, ip(row[i].from),
					   htons(row[i].port), 0, false),
			     LATCH_RANK_ANY, "row %zu", i);
	}
	// SRTP's word counts where the policy has it.
	struct latch_policy p = {.authenticated = true, .net_bits = 32};
	cr_expect_eq(latch_rank_of(&p, s, ip("203.0.113.1"), 9, 0, true), LATCH_RANK_VERIFIED);
	cr_expect_eq(latch_rank_of(&p, s, ip("203.0.113.1"), 9, 0, false), LATCH_RANK_NONE);
	p.authenticated = false;
	cr_expect_eq(latch_rank_of(&p, s, ip("203.0.113.1"), 9, 0, true), LATCH_RANK_NONE);
}

// Before the answer: only from where the peer was signalled, if that can be; afterwards as ever.
Test(latch, ringing)
{
	static const char *const from[] = {"198.51.100.8", "198.51.100.9", "203.0.113.1"};
	static const struct {
		const char *signalled;
		bool learn, first_come;
		bool counts[3]; // by from
	} row[] = {
		{"198.51.100.8", true, false, {true, false, false}},
		{"198.51.100.8", false, false, {true, true, false}},
		{"198.51.100.8", true, true, {true, true, true}},
		{"10.0.0.8", true, false, {true, true, true}},
		{"100.64.0.8", true, false, {true, true, true}},
		{"0.0.0.0", true, false, {true, true, true}},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct latch_peer s = {ip(row[i].signalled), htons(4000)};
		struct latch_policy later = {.learn = row[i].learn,
					     .first_come = row[i].first_come};
		struct latch_policy p = later;
		p.ringing = true;
		for (size_t f = 0; f < 3; f++) {
			enum latch_rank want = latch_rank_of(&later, s, ip(from[f]), 9, 0, false);
			cr_expect_neq(want, LATCH_RANK_NONE);
			cr_expect_eq(latch_rank_of(&p, s, ip(from[f]), 9, 0, false),
				     row[i].counts[f] ? want : LATCH_RANK_NONE, "row %zu from %s",
				     i, from[f]);
		}
	}
	// SRTP knows better.
	struct latch_policy p = {.ringing = true, .authenticated = true};
	struct latch_peer s = {ip("198.51.100.8"), htons(4000)};
	cr_expect_eq(latch_rank_of(&p, s, ip("203.0.113.1"), 9, 0, true), LATCH_RANK_VERIFIED);
}

Test(latch, payload_types)
{
	const struct latch_peer s = {ip("198.51.100.8"), htons(4000)};
	struct latch_policy p = {.types = {1 << 8, 1ULL << (101 - 64)}, .authenticated = true};

	for (unsigned t = 0; t < 128; t++) {
		bool fits = t == 8 || t == 101;
		cr_expect_eq(latch_rank_of(&p, s, s.ip, s.port, (uint8_t)t, false),
			     fits ? LATCH_RANK_EXACT : LATCH_RANK_NONE, "type %u", t);
		cr_expect_eq(latch_rank_of(&p, s, s.ip, s.port, (uint8_t)t, true),
			     fits ? LATCH_RANK_VERIFIED : LATCH_RANK_NONE, "type %u", t);
	}
}

Test(latch, need)
{
	struct latch_policy p = {.learn = true}, first = {.first_come = LATCH_FIRST_ANYBODY},
			    asymmetric = {0};
	const uint32_t pub = ip("198.51.100.8");
	const char *const inner[] = {"10.1.2.3",    "172.16.0.1", "172.31.255.1",
				     "192.168.1.1", "100.64.0.1", "100.127.1.1"};
	const char *const outer[] = {"11.1.2.3",    "172.32.0.1", "192.169.0.1",
				     "100.128.0.1", "100.63.1.1", "9.255.255.255"};

	for (int r = LATCH_RANK_HOST; r <= LATCH_RANK_VERIFIED; r++)
		cr_expect_eq(latch_need_of(&p, (enum latch_rank)r, pub, LATCH_STREAM_FIRST).packets,
			     1);
	// A neighbour of a public address is a stranger.
	cr_expect_eq(latch_need_of(&p, LATCH_RANK_NET, pub, LATCH_STREAM_FIRST).packets, 5);
	cr_expect_eq(latch_need_of(&p, LATCH_RANK_NET, pub, LATCH_STREAM_FIRST).ms,
		     LATCH_UNLIKELY_MS);
	cr_expect_lt(latch_need_of(&asymmetric, LATCH_RANK_NET, pub, LATCH_STREAM_FIRST).ms, 100);
	cr_expect_eq(latch_need_of(&asymmetric, LATCH_RANK_ANY, pub, LATCH_STREAM_FIRST).ms,
		     LATCH_UNLIKELY_MS);
	cr_expect_eq(latch_need_of(&p, LATCH_RANK_ANY, pub, LATCH_STREAM_FIRST).ms,
		     LATCH_UNLIKELY_MS);
	cr_expect_lt(latch_need_of(&p, LATCH_RANK_ANY, 0, LATCH_STREAM_FIRST).ms, 100);
	for (unsigned i = 0; i < 6; i++) {
		cr_expect_lt(latch_need_of(&p, LATCH_RANK_ANY, ip(inner[i]), LATCH_STREAM_FIRST).ms,
			     100, "%s is behind a NAT", inner[i]);
		cr_expect_eq(latch_need_of(&p, LATCH_RANK_ANY, ip(outer[i]), LATCH_STREAM_FIRST).ms,
			     LATCH_UNLIKELY_MS, "%s is public", outer[i]);
	}
	cr_expect_eq(latch_need_of(&first, LATCH_RANK_ANY, pub, LATCH_STREAM_FIRST).packets, 1);
	// Who replaces another, with a stream of its own, has to last whatever its evidence.
	cr_expect_eq(latch_need_of(&first, LATCH_RANK_EXACT, pub, LATCH_STREAM_OTHER).ms,
		     LATCH_UNLIKELY_MS);
	cr_expect_eq(latch_need_of(&p, LATCH_RANK_VERIFIED, pub, LATCH_STREAM_OTHER).packets, 1);
	cr_expect_eq(latch_need_of(&p, LATCH_RANK_ANY, pub, LATCH_STREAM_FOLLOWS).packets, 3);
}

#define TPS 2480u // ticks a second

static void note(struct latch_source *s, uint16_t seq, uint32_t ms)
{
	struct latch_packet p = {
		.ip = 1, .port = 2, .seq = seq, .ssrc = 3, .tick = ms * TPS / 1000};

	latch_source_note(s, &p, LATCH_RANK_ANY, TPS);
}

Test(latch, probation)
{
	struct latch_source s = {0};

	for (unsigned i = 0; i < 50; i++) // across the wrap, at 20 ms
		note(&s, (uint16_t)(65530 + i), 20 * i);
	cr_expect_eq(s.packets, 50);
	cr_expect_eq(s.first, 0);
	note(&s, (uint16_t)(65530 + 47), 1000); // late
	note(&s, (uint16_t)(65530 + 49), 1000); // twice
	cr_expect_eq(s.packets, 50);
	note(&s, (uint16_t)(65530 + 53), 1080); // some lost
	cr_expect_eq(s.packets, 51);
	note(&s, (uint16_t)(65530 + 58), 1100);
	cr_expect_eq(s.packets, 1, "a jump starts anew");
	note(&s, (uint16_t)(65530 + 59), 1100 + LATCH_ALIVE_MS + 1);
	cr_expect_eq(s.packets, 1, "a pause starts anew");

	struct latch_packet other = {
		.ip = 1, .port = 2, .seq = (uint16_t)(65530 + 60), .ssrc = 4, .tick = s.last};
	latch_source_note(&s, &other, LATCH_RANK_ANY, TPS);
	cr_expect(s.packets == 1 && s.ssrc == 4, "another SSRC starts anew");
}

// In sequence, but faster than anybody speaks: never lasts for the shortest time that is asked for.
Test(latch, a_flood_proves_nothing)
{
	for (unsigned per_s = 400; per_s <= 100000; per_s *= 2) {
		struct latch_source s = {0};
		uint32_t longest = 0;
		for (unsigned i = 0; i < per_s * 2; i++) {
			struct latch_packet p = {.ip = 1,
						 .seq = (uint16_t)i,
						 .tick = (uint32_t)((uint64_t)i * TPS / per_s)};
			latch_source_note(&s, &p, LATCH_RANK_ANY, TPS);
			if (s.packets >= 5 && p.tick - s.first > longest)
				longest = p.tick - s.first;
		}
		cr_expect_lt(longest, 60 * TPS / 1000 + 100, "%u/s", per_s);
		if (per_s >= 800)
			cr_expect_lt(longest, 60 * TPS / 1000, "%u/s", per_s);
	}
}
