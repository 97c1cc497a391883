// SPDX-License-Identifier: BSD-3-Clause
// Every suite against libsrtp2, packet by packet and in both directions: random traffic of several
// SSRCs in bursts, with losses, reordering, duplicates, damage and rollovers.
#include "../srtp_session.h"
#include "test_srtp_util.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SSRCS 4
#define BURSTS 1500
#define RTCPS 3000
#define HELD 8 // packets that may be overtaken

struct world {
	struct rng rng;
	struct crypto *c;
	struct srtp_params params;
	srtp_t sender, receiver, rtcp_receiver; // libsrtp2's
	struct srtp_ctx *in, *out;
	uint32_t ssrc[SSRCS];
	uint16_t seq[SSRCS];
	uint64_t index[SSRCS];
};

static void world_open(struct world *w, enum srtp_suite suite, uint8_t mki_len, bool plain)
{
	memset(w, 0, sizeof(*w));
	w->rng.state = 88172645463325252ULL + (uint64_t)suite * 977 + mki_len;
	srtp_init(); // says no from the second time on
	w->c = crypto_new();
	cr_assert_not_null(w->c);
	w->params = params_make(&w->rng, suite, mki_len);
	w->params.unencrypted_srtp = plain;
	w->params.unencrypted_srtcp = plain;
	w->sender = oracle_session(&w->params, ssrc_any_outbound);
	w->receiver = oracle_session(&w->params, ssrc_any_inbound);
	// libsrtp2 2.5 looks for SRTCP's MKI where SRTP's tag length says: the same keys with a long tag.
	struct srtp_params wide = w->params;
	if (suite == SRTP_AES_CM_128_32 || suite == SRTP_AES_CM_256_32)
		wide.suite = (enum srtp_suite)(suite - 1);
	w->rtcp_receiver = oracle_session(&wide, ssrc_any_inbound);
	w->in = ctx_make(w->c, &w->params);
	w->out = ctx_make(w->c, &w->params);
	for (unsigned i = 0; i < SSRCS; i++) {
		w->ssrc[i] = (uint32_t)rng_next(&w->rng);
		w->index[i] = rng_next(&w->rng) % 60000;
	}
}

static void world_close(struct world *w)
{
	srtp_dealloc(w->sender);
	srtp_dealloc(w->receiver);
	srtp_dealloc(w->rtcp_receiver);
	ctx_free(w->in);
	ctx_free(w->out);
	crypto_free(w->c);
}

struct packet {
	uint8_t plain[PACKET_MAX], sealed[PACKET_MAX];
	uint32_t plain_len, sealed_len;
};

// Sealed by both, byte for byte the same. False: both refuse it.
static bool packet_seal(struct world *w, struct packet *p, bool rtcp)
{
	uint8_t theirs[PACKET_MAX];
	int len = (int)p->plain_len;
	bool mki = w->params.mki_len != 0;

	memcpy(theirs, p->plain, p->plain_len);
	memcpy(p->sealed, p->plain, p->plain_len);
	p->sealed_len = p->plain_len;
	int rc = rtcp ? srtp_protect_rtcp_mki(w->sender, theirs, &len, mki, 0)
		      : srtp_protect_mki(w->sender, theirs, &len, mki, 0);
	uint8_t status = rtcp ? rtcp_seal_one(w->c, w->out, p->sealed, &p->sealed_len)
			      : seal_one(w->c, w->out, p->sealed, &p->sealed_len);
	if (rc == srtp_err_status_replay_fail || rc == srtp_err_status_replay_old) {
		cr_assert_eq(status, SRTP_REPLAYED);
		return false;
	}
	cr_assert_eq(rc, srtp_err_status_ok);
	cr_assert_eq(status, SRTP_OK, "sealing says %u", status);
	cr_assert_eq(p->sealed_len, (uint32_t)len);
	cr_assert_arr_eq(p->sealed, theirs, p->sealed_len);
	return true;
}

// Sequence numbers go on by 1, or by more, or stay, or go back; so rollovers come often.
static void packet_make(struct world *w, struct packet *p)
{
	unsigned i = (unsigned)(rng_next(&w->rng) % SSRCS),
		 dice = (unsigned)(rng_next(&w->rng) % 64);
	uint64_t seq;

	w->index[i] += dice < 40 ? 1 : dice < 60 ? dice : dice * 40;
	seq = w->index[i];
	if (dice == 63)
		seq -= rng_next(&w->rng) % 160;
	p->plain_len = rtp_make(&w->rng, p->plain, w->ssrc[i], (uint16_t)seq,
				(uint32_t)(rng_next(&w->rng) % 200), false);
}

static uint8_t status_of(int rc)
{
	switch (rc) {
	case srtp_err_status_ok:
		return SRTP_OK;
	case srtp_err_status_replay_fail:
	case srtp_err_status_replay_old:
		return SRTP_REPLAYED;
	default:
		return SRTP_FORGED;
	}
}

// A burst arrives at both; each packet has the same fate.
static void burst_open(struct world *w, struct packet *pkt, unsigned n, unsigned *count)
{
	static uint8_t theirs[SRTP_BURST_MAX][PACKET_MAX], mine[SRTP_BURST_MAX][PACKET_MAX];
	struct srtp_op op[SRTP_BURST_MAX];
	int rc[SRTP_BURST_MAX], len[SRTP_BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		memcpy(mine[i], pkt[i].sealed, pkt[i].sealed_len);
		if (rng_next(&w->rng) % 20 == 0)
			mine[i][rng_next(&w->rng) % pkt[i].sealed_len] ^= 1u
									  << rng_next(&w->rng) % 8;
		memcpy(theirs[i], mine[i], pkt[i].sealed_len);
		op[i] = (struct srtp_op){.ctx = w->in, .data = mine[i], .len = pkt[i].sealed_len};
		len[i] = (int)pkt[i].sealed_len;
		rc[i] = srtp_unprotect_mki(w->receiver, theirs[i], &len[i], w->params.mki_len != 0);
	}
	srtp_open_burst(w->c, op, n, 0);
	for (unsigned i = 0; i < n; i++) {
		count[status_of(rc[i])]++;
		cr_assert_eq(op[i].status == SRTP_OK, rc[i] == srtp_err_status_ok,
			     "packet %u of %u: libsrtp2 says %d, we say %u", i, n, rc[i],
			     op[i].status);
		if (n == 1 && op[i].status != SRTP_SHORT && op[i].status != SRTP_BAD_MKI)
			cr_assert_eq(op[i].status, status_of(rc[i]), "libsrtp2 says %d, we say %u",
				     rc[i], op[i].status);
		if (op[i].status != SRTP_OK)
			continue;
		cr_assert_eq(op[i].len, (uint32_t)len[i]);
		cr_assert_arr_eq(op[i].data, theirs[i], op[i].len);
	}
}

static void rtp_run(struct world *w)
{
	static struct packet pkt[SRTP_BURST_MAX];
	unsigned count[SRTP_EXPIRED + 1] = {0};

	for (unsigned b = 0; b < BURSTS; b++) {
		unsigned n =
			1 + (unsigned)(rng_next(&w->rng) % (b % 3 == 0 ? 1 : SRTP_BURST_MAX - 8));
		unsigned have = 0;
		for (unsigned i = 0; i < n && have < SRTP_BURST_MAX; i++) {
			packet_make(w, &pkt[have]);
			if (!packet_seal(w, &pkt[have], false) || rng_next(&w->rng) % 10 == 0)
				continue; // lost
			have++;
			if (rng_next(&w->rng) % 10 == 0 && have < SRTP_BURST_MAX) { // twice
				pkt[have] = pkt[have - 1];
				have++;
			}
			if (have >= 2 && rng_next(&w->rng) % 6 == 0) { // overtaken
				struct packet t = pkt[have - 1];
				unsigned at = (unsigned)(rng_next(&w->rng) % have);
				pkt[have - 1] = pkt[at];
				pkt[at] = t;
			}
		}
		if (have != 0)
			burst_open(w, pkt, have, count);
	}
	for (unsigned i = 0; i < SSRCS; i++)
		cr_assert(w->index[i] > 3 << 16, "three rollovers at least");
	cr_assert(count[SRTP_OK] > BURSTS * 10 && count[SRTP_REPLAYED] > BURSTS &&
			  count[SRTP_FORGED] > BURSTS / 2,
		  "%u %u %u", count[SRTP_OK], count[SRTP_REPLAYED], count[SRTP_FORGED]);
}

static void rtcp_run(struct world *w)
{
	static struct packet pkt[HELD];
	uint8_t theirs[PACKET_MAX], mine[PACKET_MAX];
	uint32_t mine_len = 8;
	unsigned count[SRTP_EXPIRED + 1] = {0};

	// libsrtp2 begins at 1.
	rtcp_make(&w->rng, mine, 1, 0);
	cr_assert_eq(rtcp_seal_one(w->c, w->out, mine, &mine_len), SRTP_OK);
	for (unsigned i = 0; i < RTCPS; i++) {
		struct packet *p = &pkt[i < HELD ? i : rng_next(&w->rng) % HELD];
		if (rng_next(&w->rng) % 4 != 0 || p->sealed_len == 0) {
			// One SSRC only: libsrtp2 counts each SSRC's packets, we all.
			p->plain_len = rtcp_make(&w->rng, p->plain, w->ssrc[0],
						 (uint32_t)(rng_next(&w->rng) % 40));
			cr_assert(packet_seal(w, p, true));
		}
		p = &pkt[rng_next(&w->rng) % (i < HELD ? i + 1 : HELD)];
		memcpy(mine, p->sealed, p->sealed_len);
		if (rng_next(&w->rng) % 10 == 0)
			mine[rng_next(&w->rng) % p->sealed_len] ^= 1u << rng_next(&w->rng) % 8;
		memcpy(theirs, mine, p->sealed_len);
		mine_len = p->sealed_len;
		int len = (int)p->sealed_len;
		int rc = srtp_unprotect_rtcp_mki(w->rtcp_receiver, theirs, &len,
						 w->params.mki_len != 0);
		uint8_t status = rtcp_open_one(w->c, w->in, mine, &mine_len);
		count[status_of(rc)]++;
		cr_assert_eq(status == SRTP_OK, rc == srtp_err_status_ok,
			     "libsrtp2 says %d, we say %u", rc, status);
		if (status != SRTP_OK)
			continue;
		cr_assert_eq(mine_len, (uint32_t)len);
		cr_assert_arr_eq(mine, theirs, mine_len);
	}
	cr_assert(count[SRTP_OK] > RTCPS / 4 && count[SRTP_REPLAYED] > RTCPS / 8 &&
			  count[SRTP_FORGED] > RTCPS / 50,
		  "%u %u %u", count[SRTP_OK], count[SRTP_REPLAYED], count[SRTP_FORGED]);
}

static void suite_run(uint8_t mki_len, bool plain)
{
	static struct world w;

	for (unsigned s = SRTP_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		if (plain && s >= SRTP_AEAD_128)
			continue;
		world_open(&w, (enum srtp_suite)s, mki_len, plain);
		rtp_run(&w);
		rtcp_run(&w);
		world_close(&w);
	}
}

Test(srtp_oracle, every_suite)
{
	suite_run(0, false);
}

Test(srtp_oracle, every_suite_with_mki)
{
	suite_run(1, false);
	suite_run(4, false);
	suite_run(16, false);
}

Test(srtp_oracle, unencrypted)
{
	suite_run(0, true);
	suite_run(4, true);
}
