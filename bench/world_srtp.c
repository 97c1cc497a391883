// SPDX-License-Identifier: BSD-3-Clause
// Calls with one SRTP leg: its contexts, and its peers' work.
#include "ip/ip.h"
#include "rtp/rtp_hdr.h"
#include "world_priv.h"

#include <errno.h>
#include <rte_malloc.h>
#include <string.h>

#define CHUNK 32

static struct srtp_ctx *ctx_make(struct world *w, const struct srtp_params *p, struct err *err)
{
	struct srtp_ctx *ctx = rte_malloc("srtp", srtp_ctx_size(p), 64);

	if (ctx != NULL)
		srtp_ctx_init(ctx, p, w->crypto, err);
	return ctx;
}

int srtp_make(struct world *w, struct err *err)
{
	bool in = w->spec.scene == SCENE_SRTP_PLAIN;
	struct srtp_params p = {.suite = w->spec.srtp};

	w->srtp = rte_zmalloc("srtp", w->spec.calls * sizeof(*w->srtp), 64);
	w->srtp_peer = rte_zmalloc("srtp", w->spec.calls * sizeof(*w->srtp), 64);
	if (w->srtp == NULL || w->srtp_peer == NULL)
		return err_set(err, -ENOMEM, "no memory for SRTP");
	for (uint32_t call = 0; call < w->spec.calls; call++) {
		struct leg *a = &w->legs[2 * call], *b = a + 1;
		if (srtp_params_random(&p) < 0)
			return err_set(err, -EIO, "no random numbers");
		w->srtp[call] = ctx_make(w, &p, err);
		w->srtp_peer[call] = ctx_make(w, &p, err);
		if (w->srtp[call] == NULL || w->srtp_peer[call] == NULL)
			return err_set(err, -ENOMEM, "no memory for SRTP");
		if (in)
			a->srtp_in = w->srtp[call];
		else
			b->srtp_out = w->srtp[call];
		a->onward = leg_onward(a, b);
		struct media_addr *media = w->plane->media[media_of(call, 0)];
		media->leg[call_port(call)] = leg_port_ref(a, false);
	}
	return 0;
}

void srtp_free(struct world *w)
{
	for (uint32_t i = 0; w->srtp != NULL && w->srtp_peer != NULL && i < w->spec.calls; i++) {
		rte_free(w->srtp[i]);
		rte_free(w->srtp_peer[i]);
	}
	rte_free(w->srtp);
	rte_free(w->srtp_peer);
}

// The headers of a packet whose RTP has len bytes now.
static void headers_fit(struct rte_mbuf *m, uint32_t len)
{
	struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	uint16_t ulen = (uint16_t)(len + sizeof(*udp));

	udp->dgram_len = rte_cpu_to_be_16(ulen);
	ip->total_length = rte_cpu_to_be_16((uint16_t)(ulen + sizeof(*ip)));
	ip4_header_cksum_set(ip);
	udp->dgram_cksum = udp4_cksum(ip, udp, ulen);
	m->data_len = (uint16_t)(RTE_ETHER_HDR_LEN + sizeof(*ip) + ulen);
	m->pkt_len = m->data_len;
}

// SSRCs are numbers of flows, plus 1; a flow is a call here.
static bool op_fill(struct world *w, struct rte_mbuf *m, struct srtp_op *op)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, RTE_ETHER_HDR_LEN);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + sizeof(struct rte_ipv4_hdr));
	struct rtp_hdr *rtp = (struct rtp_hdr *)(udp + 1);
	uint32_t call = rte_be_to_cpu_32(rtp->ssrc) - 1;

	if (call >= w->spec.calls)
		return false;
	*op = (struct srtp_op){
		.ctx = w->srtp_peer[call],
		.data = (uint8_t *)rtp,
		.len = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof(*udp),
	};
	return true;
}

void srtp_frames_seal(struct world *w, struct rte_mbuf **pkt, unsigned n)
{
	struct srtp_op op[CHUNK];

	for (unsigned i = 0; i < n; i++)
		op_fill(w, pkt[i], &op[i]);
	srtp_seal_burst(w->crypto, op, n);
	for (unsigned i = 0; i < n; i++)
		headers_fit(pkt[i], op[i].len);
}

const char *srtp_frame_open(struct world *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	struct srtp_op op;

	if (udp->dgram_cksum == 0 || !udp4_cksum_ok(ip, udp, rte_be_to_cpu_16(udp->dgram_len)))
		return "UDP checksum of SRTP";
	if (!op_fill(w, m, &op))
		return "SSRC of SRTP";
	srtp_open_burst(w->crypto, &op, 1, 0);
	if (op.status != SRTP_OK)
		return "SRTP does not open, or is replayed";
	headers_fit(m, op.len);
	return NULL;
}
