// SPDX-License-Identifier: BSD-3-Clause
#include "srtp_peer.h"

#include "ip/ip.h"
#include "rtp/rtp_hdr.h"

#include <rte_cycles.h>
#include <string.h>

#define AUDIO 160

static void params_make(struct srtp_params *p, enum srtp_suite suite, uint8_t mki_len)
{
	memset(p, 0, sizeof(*p));
	p->suite = suite;
	p->mki_len = mki_len;
	memcpy(p->mki, "mki of a key ...", mki_len);
	if (suite != SRTP_NONE && srtp_params_random(p) < 0)
		rte_panic("no random numbers\n");
}

void peer_keys(struct peer *p, enum srtp_suite suite, uint8_t mki_len)
{
	if (p->tx.suite != SRTP_NONE) {
		srtp_dealloc(p->out);
		srtp_dealloc(p->in);
	}
	params_make(&p->tx, suite, mki_len);
	params_make(&p->rx, suite, mki_len);
	if (suite == SRTP_NONE)
		return;
	p->out = oracle_session(&p->tx, ssrc_any_outbound);
	p->in = oracle_session(&p->rx, ssrc_any_inbound);
}

static void leg_keys(struct world *w, struct secure_call *c, unsigned side,
		     const struct leg_srtp *old)
{
	const struct peer *p = &c->peer[side];
	struct err err = {0};

	if (leg_srtp_make(w->crypto, rte_get_tsc_hz(), &p->tx, &p->rx, old, &c->keys[side], &err) <
	    0)
		rte_panic("%s\n", err.text);
	c->pair->leg[side].srtp_in = c->keys[side].in;
	c->pair->leg[side].srtp_out = c->keys[side].out;
}

void secure_open(struct world *w, struct secure_call *c, uint16_t customer, enum srtp_suite first,
		 enum srtp_suite second, uint8_t mki_len, bool mux)
{
	*c = (struct secure_call){.peer = {{OUTSIDE,
					    customer != 0 ? PHONE(customer) : STRANGER,
					    MEDIA_A,
					    4000,
					    18000,
					    RTE_BE32(0xaaaa0001),
					    1000,
					    {0},
					    {0},
					    NULL,
					    NULL},
					   {INSIDE,
					    PLATFORM,
					    MEDIA_B,
					    5000,
					    28004,
					    RTE_BE32(0xbbbb0001),
					    60000,
					    {0},
					    {0},
					    NULL,
					    NULL}}};
	c->pair = call_make(
		w, (struct side){customer, MEDIA_A, 18000, c->peer[0].ip, 4000, false, mux},
		(struct side){0, MEDIA_B, 28004, PLATFORM, 5000, false, mux});
	peer_keys(&c->peer[0], first, mki_len);
	peer_keys(&c->peer[1], second, mki_len);
	for (unsigned i = 0; i < 2; i++)
		leg_keys(w, c, i, NULL);
	call_publish(w, c->pair);
}

// The bed has no worker threads: nobody holds anything.
static void keys_release(const struct leg_srtp *old, const struct leg_srtp *next)
{
	static struct rte_rcu_qsbr qsbr[1 + RTE_MAX_LCORE / 4] __attribute__((aligned(64)));
	struct defer *defer;

	if (rte_rcu_qsbr_init(qsbr, 1) != 0 || defer_open(&defer, qsbr, NULL, NULL) < 0)
		rte_panic("no memory\n");
	leg_srtp_release(defer, old, next);
	defer_close(defer);
}

void secure_close(struct world *w, struct secure_call *c)
{
	call_withdraw(w, c->pair);
	for (unsigned i = 0; i < 2; i++) {
		keys_release(&c->keys[i], NULL);
		peer_keys(&c->peer[i], SRTP_NONE, 0);
	}
	call_free(c->pair);
}

void secure_rekey(struct world *w, struct secure_call *c, unsigned side, enum srtp_suite suite)
{
	struct leg_pair *old_pair = c->pair;
	struct leg_srtp old[2] = {c->keys[0], c->keys[1]};
	const struct peer *a = &c->peer[0], *b = &c->peer[1];

	peer_keys(&c->peer[side], suite, 0);
	c->pair = call_make(w, (struct side){0, a->media, a->local, a->ip, a->port, false, true},
			    (struct side){0, b->media, b->local, b->ip, b->port, false, true});
	for (unsigned i = 0; i < 2; i++)
		leg_keys(w, c, i, &old[i]);
	call_publish(w, c->pair);
	for (unsigned i = 0; i < 2; i++)
		keys_release(&old[i], &c->keys[i]);
	for (unsigned i = 0; i < 2; i++)
		w->plane->leg_slot[old_pair->leg[i].id].leg = NULL;
	call_free(old_pair);
}

static void audio_make(uint8_t *p, uint32_t ssrc, uint32_t seq, uint32_t len)
{
	struct rtp_hdr rtp = {.vpxcc = 0x80,
			      .seq = rte_cpu_to_be_16((uint16_t)seq),
			      .ts = rte_cpu_to_be_32(seq * AUDIO),
			      .ssrc = ssrc};

	memcpy(p, &rtp, sizeof(rtp));
	for (uint32_t i = 0; i < len; i++)
		p[sizeof(rtp) + i] = (uint8_t)(seq * 7 + i);
}

void peer_rtp(struct peer *p, struct pkt *pkt, uint32_t len)
{
	uint8_t data[PKT_MAX];
	int n = (int)(sizeof(struct rtp_hdr) + len);

	audio_make(data, p->ssrc, p->seq++, len);
	if (p->tx.suite != SRTP_NONE &&
	    srtp_protect_mki(p->out, data, &n, p->tx.mki_len != 0, 0) != srtp_err_status_ok)
		rte_panic("libsrtp2 does not protect\n");
	udp_make(pkt, p->ip, p->port, p->media, p->local, data, (uint32_t)n);
}

void peer_rtcp(struct peer *p, struct pkt *pkt)
{
	uint8_t data[128] = {0x81, RTCP_RR, 0, 7};
	int n = 32;

	memcpy(data + 4, &p->ssrc, 4);
	if (p->tx.suite != SRTP_NONE &&
	    srtp_protect_rtcp_mki(p->out, data, &n, p->tx.mki_len != 0, 0) != srtp_err_status_ok)
		rte_panic("libsrtp2 does not protect\n");
	udp_make(pkt, p->ip, p->port, p->media, p->local, data, (uint32_t)n);
}

void peer_say(struct world *w, struct peer *p)
{
	struct pkt pkt;

	peer_rtp(p, &pkt, AUDIO);
	pkt_send(w, p->wire, &pkt, false);
}

// The UDP payload of what came out, if its headers are as they must be. *len: bytes.
static const uint8_t *payload_of(const struct world *w, const struct peer *to, unsigned i, int *len)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)w->out[i].ip;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	uint16_t ulen = rte_be_to_cpu_16(udp->dgram_len);

	if (i >= w->n_out || ip->src_addr != rte_cpu_to_be_32(to->media) ||
	    ip->dst_addr != rte_cpu_to_be_32(to->ip) ||
	    udp->src_port != rte_cpu_to_be_16(to->local) ||
	    udp->dst_port != rte_cpu_to_be_16(to->port) || !ip4_header_ok(ip) ||
	    w->out[i].len != sizeof(*ip) + ulen || udp->dgram_cksum == 0 ||
	    !udp4_cksum_ok(ip, udp, ulen))
		return NULL;
	*len = ulen - (int)sizeof(*udp);
	return (const uint8_t *)(udp + 1);
}

bool peer_hears(const struct world *w, const struct secure_call *c, unsigned side, unsigned i,
		uint32_t seq)
{
	const struct peer *to = &c->peer[side], *from = &c->peer[!side];
	uint8_t data[2048], want[2048];
	int len;
	const uint8_t *p = payload_of(w, to, i, &len);

	if (p == NULL)
		return false;
	memcpy(data, p, (size_t)len);
	if (to->rx.suite != SRTP_NONE &&
	    srtp_unprotect_mki(to->in, data, &len, to->rx.mki_len != 0) != srtp_err_status_ok)
		return false;
	audio_make(want, from->ssrc, seq, AUDIO);
	return len == sizeof(struct rtp_hdr) + AUDIO && memcmp(data, want, (size_t)len) == 0;
}

bool peer_hears_rtcp(const struct world *w, const struct secure_call *c, unsigned side, unsigned i)
{
	const struct peer *to = &c->peer[side], *from = &c->peer[!side];
	uint8_t data[2048];
	int len;
	const uint8_t *p = payload_of(w, to, i, &len);

	if (p == NULL)
		return false;
	memcpy(data, p, (size_t)len);
	if (to->rx.suite != SRTP_NONE &&
	    srtp_unprotect_rtcp_mki(to->in, data, &len, to->rx.mki_len != 0) != srtp_err_status_ok)
		return false;
	return len == 32 && data[1] == RTCP_RR && memcmp(data + 4, &from->ssrc, 4) == 0;
}
