// SPDX-License-Identifier: BSD-3-Clause
#include "rtp/leg.h"

#include <criterion/criterion.h>
#include <string.h>

#define IP 0x0a00020au
#define PORT 0x4e20u

Test(latch, truth_table)
{
	enum { O = LATCH_OPEN, L = LATCH_LEARNED, F = LATCH_FIXED };
	enum { PASS = LATCH_PASS, NO = LATCH_REFUSED };
	const struct {
		uint8_t state, known, same_ip, same_port;
		uint8_t next, verdict, learn;
	} row[] = {
		// Open: the first packet decides, whatever was known.
		{O, 0, 0, 0, L, PASS, 1},
		{O, 0, 0, 1, L, PASS, 1},
		{O, 0, 1, 0, L, PASS, 1},
		{O, 0, 1, 1, L, PASS, 1},
		{O, 1, 0, 0, L, PASS, 1},
		{O, 1, 0, 1, L, PASS, 1},
		{O, 1, 1, 0, L, PASS, 1},
		{O, 1, 1, 1, L, PASS, 1},
		// Learned: that source and port, nobody else.
		{L, 0, 0, 0, L, NO, 0},
		{L, 0, 0, 1, L, NO, 0},
		{L, 0, 1, 0, L, NO, 0},
		{L, 0, 1, 1, L, NO, 0},
		{L, 1, 0, 0, L, NO, 0},
		{L, 1, 0, 1, L, NO, 0},
		{L, 1, 1, 0, L, NO, 0},
		{L, 1, 1, 1, L, PASS, 0},
		// Fixed: likewise, and without a remote nobody at all.
		{F, 0, 0, 0, F, NO, 0},
		{F, 0, 0, 1, F, NO, 0},
		{F, 0, 1, 0, F, NO, 0},
		{F, 0, 1, 1, F, NO, 0},
		{F, 1, 0, 0, F, NO, 0},
		{F, 1, 0, 1, F, NO, 0},
		{F, 1, 1, 0, F, NO, 0},
		{F, 1, 1, 1, F, PASS, 0},
	};
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct latch_result r = latch_step((enum latch_state)row[i].state, row[i].known,
						   row[i].same_ip, row[i].same_port);
		cr_expect(r.next == row[i].next && r.verdict == row[i].verdict &&
				  r.learn == row[i].learn,
			  "row %zu: next %u verdict %u learn %u", i, r.next, r.verdict, r.learn);
	}
	// A corrupt state lets nobody in.
	cr_expect_eq(latch_step((enum latch_state)7, true, true, true).verdict, LATCH_REFUSED);
}

// The same 24 cases through the leg's two functions: the fast path agrees with the table.
Test(latch, legs_follow_the_table)
{
	for (unsigned i = 0; i < 24; i++) {
		uint8_t state = (uint8_t)(i / 8);
		bool known = i & 4, same_ip = i & 2, same_port = i & 1;
		if (!known && (same_ip || same_port))
			continue;
		struct leg leg = {.latch = state, .rtcp_latch = state};
		if (known) {
			leg.remote_ip = leg.rtcp_ip = same_ip ? IP : IP + 1;
			leg.remote_port = leg.rtcp_port = same_port ? PORT : PORT + 2;
		}
		struct latch_result want =
			latch_step((enum latch_state)state, known, same_ip, same_port);
		cr_expect_eq(leg_latch(&leg, IP, PORT), want.verdict, "case %u", i);
		cr_expect_eq(leg.latch, want.next, "case %u", i);
		cr_expect_eq(leg.refused, want.verdict == LATCH_REFUSED, "case %u", i);
		cr_expect_eq(leg.out_ip, want.learn ? IP : 0, "case %u", i);
		cr_expect_eq(leg_latch_rtcp(&leg, IP, PORT), want.verdict, "case %u", i);
		cr_expect_eq(leg.rtcp_latch, want.next, "case %u", i);
		cr_expect_eq(leg.rtcp_refused, want.verdict == LATCH_REFUSED, "case %u", i);
		if (want.learn)
			cr_expect(leg.remote_ip == IP && leg.remote_port == PORT &&
				  leg.out_port == PORT && leg.rtcp_ip == IP &&
				  leg.rtcp_port == PORT);
	}
}

Test(latch, learning_forgets_the_old_route)
{
	struct leg leg = {.latch = LATCH_OPEN,
			  .remote_ip = IP + 9, // signalled, and wrong
			  .remote_port = 4,
			  .out_ip = IP + 9,
			  .out_port = 4,
			  .nexthop = 77,
			  .route_gen = 5,
			  .customer = 3,
			  .flags = LEG_RTCP_MUX | LEG_DSCP,
			  .hairpin = 1};

	cr_expect_eq(leg_latch(&leg, IP, PORT), LATCH_PASS);
	cr_expect_eq(leg.out_ip, IP);
	cr_expect_eq(leg.out_port, PORT);
	cr_expect_eq(leg.nexthop, 0);
	cr_expect_eq(leg.route_gen, 0);
	cr_expect_eq(leg.flags, LEG_RTCP_MUX | LEG_DSCP);
	cr_expect_eq(leg.customer, 3);

	leg.nexthop = 78;
	leg.route_gen = 6;
	leg.hairpin = 1;
	cr_expect_eq(leg_latch(&leg, IP, PORT), LATCH_PASS);
	cr_expect_eq(leg_latch(&leg, IP + 1, PORT), LATCH_REFUSED);
	cr_expect(leg.nexthop == 78 && leg.route_gen == 6 && leg.hairpin && leg.out_ip == IP,
		  "only learning resets");
}

Test(latch, every_bit_of_the_source_counts)
{
	struct leg leg = {.latch = LATCH_OPEN, .flags = 0xff};

	leg_latch(&leg, IP, PORT);
	leg_latch_rtcp(&leg, IP, PORT);
	for (int bit = 0; bit < 32; bit++) {
		cr_expect_eq(leg_latch(&leg, IP ^ 1u << bit, PORT), LATCH_REFUSED);
		cr_expect_eq(leg_latch_rtcp(&leg, IP ^ 1u << bit, PORT), LATCH_REFUSED);
	}
	for (int bit = 0; bit < 16; bit++) {
		uint16_t port = (uint16_t)(PORT ^ 1u << bit);
		cr_expect_eq(leg_latch(&leg, IP, port), LATCH_REFUSED);
		cr_expect_eq(leg_latch_rtcp(&leg, IP, port), LATCH_REFUSED);
	}
	cr_expect_eq(leg.refused, 48);
	cr_expect_eq(leg.rtcp_refused, 48);
	for (int flags = 0; flags < 256; flags++) { // they share the compared word
		leg.flags = (uint8_t)flags;
		cr_expect_eq(leg_latch(&leg, IP, PORT), LATCH_PASS);
		cr_expect_eq(leg.flags, flags);
	}
	cr_expect_eq(leg.refused, 48);
}

Test(latch, rtp_and_rtcp_are_apart)
{
	struct leg leg = {.latch = LATCH_OPEN, .rtcp_latch = LATCH_OPEN};

	leg_latch_rtcp(&leg, IP, PORT + 1);
	cr_expect_eq(leg.latch, LATCH_OPEN);
	cr_expect_eq(leg.out_ip, 0);
	leg_latch(&leg, IP, PORT);
	cr_expect_eq(leg_latch(&leg, IP, PORT + 1), LATCH_REFUSED);
	cr_expect_eq(leg_latch_rtcp(&leg, IP, PORT), LATCH_REFUSED);
	cr_expect_eq(leg_latch_rtcp(&leg, IP, PORT + 1), LATCH_PASS);
}
