// SPDX-License-Identifier: BSD-3-Clause
// Which stage a packet for one of our own addresses goes to. Shared by the stages where such
// packets appear: from the wire (classify), put together (reassemble), out of a tunnel (policy).
#pragma once

#include "base/line.h"
#include "worker.h"

#include <rte_byteorder.h>
#include <rte_prefetch.h>

#define IPPROTO_ESP4 50
#define PORT_NAT_T 4500

// obj becomes the leg of a media port.
static inline uint8_t dispatch_leg(struct worker *w, struct rte_mbuf *m, ref_t ref)
{
	struct leg *leg = REF_PTR(ref);
	enum stage_id resume = STAGE_rtp_relay;

	if (unlikely(ref & REF_SRTP))
		resume = STAGE_srtp_open;
	pkt_obj_set(m, leg);
	pkt_tag(m)->flags =
		(uint8_t)((pkt_tag(m)->flags & ~PKT_SECOND) | (ref & REF_SECOND ? PKT_SECOND : 0));
	if (unlikely(REF_OWNER(ref) != w->id))
		return pkt_handover(m, REF_OWNER(ref), resume, leg->id, leg->gen);
	return (uint8_t)resume;
}

// On to the far leg's half of the relay, at its owner. srtp: REF_SRTP of its reference.
static inline uint8_t dispatch_far(struct worker *w, struct rte_mbuf *m, struct leg *far,
				   uint16_t owner, ref_t srtp)
{
	enum stage_id resume = srtp ? STAGE_srtp_seal : STAGE_rtp_send;

	pkt_obj_set(m, far);
	if (unlikely(owner != w->id))
		return pkt_handover(m, owner, resume, far->id, far->gen);
	return (uint8_t)resume;
}

// What dispatch_local will read for a UDP packet, if ip is one: its port's entry; NULL: none. len: bytes from
// ip on, whatever they are.
static inline const ref_t *dispatch_entry(const struct plane *p, const struct rte_ipv4_hdr *ip,
					  int len)
{
	if (unlikely(len < (int)sizeof(*ip) + 4))
		return NULL;
	const struct local_addr *l = local_lookup(p, ip->dst_addr);

	if (unlikely(l == NULL || !(l->kind & LOCAL_MEDIA)))
		return NULL;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	return &p->media[l->media]->leg[rte_be_to_cpu_16(udp->dst_port)];
}

// Once a burst is dispatched: brings in what its next stage begins with, from packet from on.
static inline void dispatch_bring(const struct worker *w, struct rte_mbuf **pkt, uint16_t n,
				  const uint8_t *next, uint16_t from)
{
	for (uint16_t i = from; i < n; i++) {
		if (next[i] == STAGE_esp_decap) {
			line_load(pkt_obj(pkt[i]));
			for (uint32_t at = 64; !w->brought && at < pkt[i]->data_len; at += 64)
				line_own(rte_pktmbuf_mtod_offset(pkt[i], uint8_t *, at));
		} else if (next[i] == STAGE_rtp_relay || next[i] == STAGE_srtp_open) {
			struct leg *leg = pkt_obj(pkt[i]);
			line_load(leg);
			line_load(&leg_other(leg, pkt_tag(pkt[i])->flags & PKT_SECOND)->local_ip);
		}
	}
}

// The SPI at esp is one whose SA is being negotiated.
static inline bool early_is(const struct plane *p, const uint8_t *esp)
{
	uint32_t spi;

	memcpy(&spi, esp, sizeof(spi));
	spi = rte_be_to_cpu_32(spi);
	return spi != 0 &&
	       __atomic_load_n(&p->spi_early[spi & (SPI_SLOTS - 1)], __ATOMIC_RELAXED) == spi;
}

// esp: at the SPI.
static inline uint8_t dispatch_esp(struct worker *w, struct rte_mbuf *m, const uint8_t *esp)
{
	uint32_t spi_low = (uint32_t)esp[2] << 8 | esp[3];
	ref_t ref = ref_load(&w->plane->sa_in[spi_low]);

	if (unlikely(ref == 0))
		return early_is(w->plane, esp) ? STAGE_early : pkt_drop(m, DROP_SPI_UNKNOWN);
	pkt_obj_set(m, REF_PTR(ref));
	if (unlikely(REF_OWNER(ref) != w->id))
		return pkt_handover(m, REF_OWNER(ref), STAGE_esp_decap, 0, 0);
	return STAGE_esp_decap;
}

// A whole IPv4 packet without options for local address l; its data is cut to the IPv4 length.
// from_wire: ESP is taken from the wire only, never from inside a tunnel.
static inline uint8_t dispatch_local(struct worker *w, struct rte_mbuf *m,
				     const struct local_addr *l, bool from_wire)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	const uint8_t *l4 = (const uint8_t *)(ip + 1);
	uint32_t len = rte_pktmbuf_data_len(m) - (uint32_t)sizeof(*ip);

	if (ip->next_proto_id == IPPROTO_UDP) {
		const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)l4;
		if (unlikely(len < sizeof(*udp)))
			return pkt_drop(m, DROP_UDP_TRUNCATED);
		uint32_t ulen = rte_be_to_cpu_16(udp->dgram_len);
		if (unlikely(ulen < sizeof(*udp) || ulen > len))
			return pkt_drop(m, DROP_UDP_TRUNCATED);
		uint16_t port = rte_be_to_cpu_16(udp->dst_port);
		if (likely(l->kind & LOCAL_MEDIA)) {
			const struct media_addr *media = w->plane->media[l->media];
			ref_t ref = ref_load(&media->leg[port]);
			if (likely(ref != 0))
				return dispatch_leg(w, m, ref);
			if (media->ended[port / 8] & 1u << port % 8)
				return pkt_drop(m, DROP_CALL_ENDED);
			if (!(l->kind & LOCAL_KERNEL) || (port >= media->lo && port <= media->hi))
				return pkt_drop(m, DROP_NO_CALL);
		}
		if (port == PORT_NAT_T && from_wire) {
			const uint8_t *pay = l4 + sizeof(*udp);
			uint32_t pay_len = ulen - (uint32_t)sizeof(*udp);
			if (pay_len == 1 && pay[0] == 0xff)
				return pkt_drop(m, DROP_NAT_KEEPALIVE);
			if (pay_len < 8)
				return pkt_drop(m, DROP_ESP_TRUNCATED);
			if ((pay[0] | pay[1] | pay[2] | pay[3]) != 0)
				return dispatch_esp(w, m, pay);
		}
		return STAGE_exception;
	}
	if (ip->next_proto_id == IPPROTO_ESP4 && from_wire && (l->kind & LOCAL_KERNEL)) {
		if (unlikely(len < 8))
			return pkt_drop(m, DROP_ESP_TRUNCATED);
		return dispatch_esp(w, m, l4);
	}
	return STAGE_exception;
}
