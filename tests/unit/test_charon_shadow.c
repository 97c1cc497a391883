// SPDX-License-Identifier: GPL-2.0-or-later
// What the plugin remembers for a gateway that starts again: requests applied, deletions owed, and
// sequence numbers that never go back.
#include "shadow.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct shadow s;

static struct ip_addr a4(const char *text)
{
	struct ip_addr a = {0};

	cr_assert_eq(ip_addr_parse(text, &a), 0);
	return a;
}

static struct feed_msg sa_add(uint32_t spi, const char *dst, uint32_t if_id, bool inbound)
{
	struct feed_msg m = {.type = FEED_SA_ADD,
			     .sa = {.spi = spi,
				    .if_id = if_id,
				    .reqid = 1,
				    .flags = inbound ? FEED_INBOUND : FEED_ENCAP,
				    .dst = {a4(dst), 4500},
				    .src = {a4("192.0.2.1"), 4500}}};

	memset(m.sa.encr_key, 0x5a, sizeof(m.sa.encr_key));
	return m;
}

static struct feed_id id(uint32_t spi, const char *dst, uint32_t if_id)
{
	return (struct feed_id){.spi = spi, .dst = a4(dst), .proto = 50, .if_id = if_id};
}

static struct feed_msg policy(uint16_t type, uint32_t spi, uint32_t if_id)
{
	return (struct feed_msg){
		.type = type,
		.policy = {.dir = FEED_OUT,
			   .type = FEED_POLICY_IPSEC,
			   .spi = spi,
			   .if_id = if_id,
			   .src_ts = {a4("10.0.0.0"), a4("10.0.0.255"), 0, 65535, 0},
			   .dst_ts = {a4("10.1.0.0"), a4("10.1.0.255"), 0, 65535, 0}}};
}

static void apply(struct feed_msg m)
{
	cr_assert_eq(shadow_apply(&s, &m, 1000), 0);
}

static void set_up(void)
{
	shadow_init(&s);
}

static void tear_down(void)
{
	shadow_clear(&s);
	cr_assert_eq(s.n_sas + s.n_policies + s.n_owed, 0);
}

TestSuite(shadow, .init = set_up, .fini = tear_down);

Test(shadow, sas_are_told_apart_by_spi_destination_and_customer)
{
	apply(sa_add(0x1000, "198.51.100.1", 7, false));
	apply(sa_add(0x1000, "198.51.100.1", 8, false)); // two customers behind one NAT
	apply(sa_add(0x1000, "198.51.100.2", 7, true));
	cr_assert_eq(s.n_sas, 3);
	struct feed_id a = id(0x1000, "198.51.100.1", 8);
	cr_assert_eq(shadow_find(&s, &a)->sa.if_id, 8);
	apply((struct feed_msg){.type = FEED_SA_DEL, .sa_id = a});
	cr_assert_null(shadow_find(&s, &a));
	cr_assert_eq(s.n_sas, 2);
	apply((struct feed_msg){.type = FEED_SA_DEL, .sa_id = a}); // once more: nothing
	cr_assert_eq(s.n_sas, 2);
}

Test(shadow, an_sa_that_has_moved_is_found_at_its_new_place)
{
	struct feed_id was = id(0x1000, "198.51.100.1", 7), is = id(0x1000, "203.0.113.9", 7);

	apply(sa_add(0x1000, "198.51.100.1", 7, false));
	apply((struct feed_msg){.type = FEED_SA_UPDATE,
				.update = {.id = was,
					   .src = {a4("192.0.2.1"), 500},
					   .dst = {a4("203.0.113.9"), 500},
					   .encap = false}});
	cr_assert_null(shadow_find(&s, &was));
	cr_assert_not_null(shadow_find(&s, &is));
	cr_assert_eq(shadow_find(&s, &is)->sa.flags & FEED_ENCAP, 0);
	cr_assert_eq(shadow_find(&s, &is)->sa.dst.port, 500);
}

Test(shadow, numbers_are_the_highest_that_were_ever_reported)
{
	struct feed_seqs q = {.n = 2, .seq = {{0x1000, 0, 500}, {0x2000, 1, 900}}};
	struct feed_id out = id(0x1000, "198.51.100.1", 7), in = id(0x2000, "198.51.100.2", 7);

	apply(sa_add(0x1000, "198.51.100.1", 7, false));
	apply(sa_add(0x2000, "198.51.100.2", 7, true));
	shadow_seqs(&s, &q);
	q.seq[0].seq = 400; // late
	shadow_seqs(&s, &q);
	cr_assert_eq(shadow_find(&s, &out)->sa.seq, 500);
	cr_assert_eq(shadow_find(&s, &in)->sa.seq, 900);
	shadow_jumped(&s);
	cr_assert_eq(shadow_find(&s, &out)->sa.seq, 500 + FEED_SEQ_JUMP);
	cr_assert_eq(shadow_find(&s, &in)->sa.seq, 900);
	q.seq[0].seq = 500 + FEED_SEQ_JUMP + 3;
	shadow_seqs(&s, &q);
	cr_assert_eq(shadow_find(&s, &out)->sa.seq, 500 + FEED_SEQ_JUMP + 3);
	q.seq[0] = (struct feed_seq){0x1000, 1, UINT64_MAX}; // the other direction
	shadow_seqs(&s, &q);
	cr_assert_eq(shadow_find(&s, &out)->sa.seq, 500 + FEED_SEQ_JUMP + 3);
}

Test(shadow, policies_count_and_the_newest_is_found)
{
	apply(policy(FEED_POLICY_ADD, 0x1000, 7));
	apply(policy(FEED_POLICY_ADD, 0x1000, 7));
	apply(policy(FEED_POLICY_ADD, 0x2000, 7));
	struct feed_msg like = policy(0, 0, 7);
	cr_assert_eq(shadow_policy_find(&s, &like.policy)->spi, 0x2000);
	apply(policy(FEED_POLICY_DEL, 0x2000, 7));
	cr_assert_eq(shadow_policy_find(&s, &like.policy)->spi, 0x1000);
	apply(policy(FEED_POLICY_DEL, 0x1000, 7));
	cr_assert_not_null(shadow_policy_find(&s, &like.policy));
	apply(policy(FEED_POLICY_DEL, 0x1000, 7));
	cr_assert_null(shadow_policy_find(&s, &like.policy));
	like.policy.if_id = 8;
	apply(policy(FEED_POLICY_ADD, 0x1000, 7));
	cr_assert_null(shadow_policy_find(&s, &like.policy), "another customer's");
}

Test(shadow, what_goes_while_the_gateway_is_away_is_owed)
{
	struct feed_msg add = sa_add(0x1000, "198.51.100.1", 7, false),
			flush = {.type = FEED_SA_FLUSH};

	apply(add);
	shadow_owe(&s, &flush);
	apply(flush);
	cr_assert_eq(s.n_sas, 0);
	cr_assert_eq(s.n_owed, 1);
	cr_assert_eq(TAILQ_FIRST(&s.owed)->type, FEED_SA_DEL);
	cr_assert_eq(TAILQ_FIRST(&s.owed)->id.spi, 0x1000);
	shadow_owe(&s, &add); // whether it was done nobody knows
	cr_assert_eq(s.n_owed, 2);
	shadow_owed_clear(&s);
	struct feed_msg move = {
		.type = FEED_SA_UPDATE,
		.update = {.id = id(0x1000, "198.51.100.1", 7), .dst = {a4("203.0.113.9"), 4500}}};
	struct feed_msg gone = {.type = FEED_SA_DEL, .sa_id = id(0x1000, "203.0.113.9", 7)};
	shadow_owe(&s, &move);
	shadow_owe(&s, &gone); // by its new name, which the gateway learns first
	cr_assert_eq(s.n_owed, 2);
	cr_assert_eq(TAILQ_FIRST(&s.owed)->type, FEED_SA_UPDATE);
	cr_assert_eq(TAILQ_FIRST(&s.owed)->update.id.spi, 0x1000);
	struct feed_msg del = policy(FEED_POLICY_DEL, 0x1000, 7), query = {.type = FEED_SA_QUERY};
	shadow_owe(&s, &del);
	shadow_owe(&s, &query);
	cr_assert_eq(s.n_owed, 3);
	for (unsigned i = 0; i < SHADOW_OWED_MAX + 5; i++)
		shadow_owe(&s, &del);
	cr_assert_eq(s.n_owed, SHADOW_OWED_MAX);
	shadow_owed_clear(&s);
	cr_assert_eq(s.n_owed, 0);
}
