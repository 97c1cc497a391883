// SPDX-License-Identifier: BSD-3-Clause
// Which stage a packet for one of our own addresses goes to. Shared by the stages where such
// packets appear: from the wire (classify), put together (reassemble), out of a tunnel (policy).
#pragma once

#include "worker.h"

#include <rte_byteorder.h>
#include <rte_prefetch.h>

#define IPPROTO_ESP4 50
#define PORT_NAT_T 4500

// obj becomes the leg of a media port.
static inline uint8_t dispatch_leg(struct worker *w, struct rte_mbuf *m, ref_t ref,
				   enum stage_id resume)
{
	struct leg *leg = REF_PTR(ref);

	rte_prefetch0(leg);
	rte_prefetch0(&leg_other(leg, ref & REF_SECOND)->local_ip);
	pkt_obj_set(m, leg);
	if (unlikely(REF_OWNER(ref) != w->id))
		return pkt_handover(m, REF_OWNER(ref), resume, leg->id, leg->gen);
	return (uint8_t)resume;
}

// What dispatch_local will read for a UDP packet, if ip is one: its port's entry. len: bytes from ip
// on, whatever they are.
static inline void dispatch_prefetch(const struct plane *p, const struct rte_ipv4_hdr *ip, int len)
{
	if (unlikely(len < (int)sizeof(*ip) + 4))
		return;
	const struct local_addr *l = local_lookup(p, ip->dst_addr);

	if (likely(l != NULL && (l->kind & LOCAL_MEDIA))) {
		const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
		rte_prefetch0(&p->media[l->media]->leg[rte_be_to_cpu_16(udp->dst_port)]);
	}
}

// len: bytes from the SPI on.
static inline uint8_t dispatch_esp(struct worker *w, struct rte_mbuf *m, const uint8_t *esp,
				   uint32_t len)
{
	uint32_t spi_low = (uint32_t)esp[2] << 8 | esp[3];
	ref_t ref = ref_load(&w->plane->sa_in[spi_low]);

	if (unlikely(ref == 0))
		return pkt_drop(m, DROP_SPI_UNKNOWN);
	rte_prefetch0(REF_PTR(ref));
	for (uint32_t at = 64; at < len; at += 64)
		rte_prefetch0(esp + at);
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
				return dispatch_leg(w, m, ref, STAGE_rtp_relay);
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
				return dispatch_esp(w, m, pay, pay_len);
		}
		return STAGE_exception;
	}
	if (ip->next_proto_id == IPPROTO_ESP4 && from_wire && (l->kind & LOCAL_KERNEL)) {
		if (unlikely(len < 8))
			return pkt_drop(m, DROP_ESP_TRUNCATED);
		return dispatch_esp(w, m, l4, len);
	}
	return STAGE_exception;
}
