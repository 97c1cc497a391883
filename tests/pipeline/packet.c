// SPDX-License-Identifier: BSD-3-Clause
// Packets made by hand.
#include "esp/esp.h"
#include "ip/ip.h"
#include "rtp/rtp_hdr.h"
#include "world.h"

#include <string.h>

void ip_make(struct pkt *p, uint8_t proto, uint32_t src, uint32_t dst, const void *data,
	     uint32_t len)
{
	static uint16_t id;
	struct rte_ipv4_hdr h = {.version_ihl = 0x45,
				 .time_to_live = 64,
				 .next_proto_id = proto,
				 .packet_id = rte_cpu_to_be_16(++id),
				 .src_addr = rte_cpu_to_be_32(src),
				 .dst_addr = rte_cpu_to_be_32(dst)};

	p->ip = p->data;
	p->len = (uint32_t)sizeof(h) + len;
	memcpy(p->ip, &h, sizeof(h));
	if (data != NULL)
		memmove(p->ip + sizeof(h), data, len);
	else
		memset(p->ip + sizeof(h), 0, len);
	ip_fix(p);
}

void ip_fix(struct pkt *p)
{
	struct rte_ipv4_hdr h;

	memcpy(&h, p->ip, sizeof(h));
	h.total_length = rte_cpu_to_be_16((uint16_t)p->len);
	ip4_header_cksum_set(&h);
	memcpy(p->ip, &h, sizeof(h));
}

void udp_make(struct pkt *p, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport,
	      const void *data, uint32_t len)
{
	uint8_t all[PKT_MAX];
	uint16_t udp_len = (uint16_t)(sizeof(struct rte_udp_hdr) + len);
	struct rte_udp_hdr udp = {.src_port = rte_cpu_to_be_16(sport),
				  .dst_port = rte_cpu_to_be_16(dport),
				  .dgram_len = rte_cpu_to_be_16(udp_len)};

	memcpy(all, &udp, sizeof(udp));
	if (data != NULL)
		memcpy(all + sizeof(udp), data, len);
	else
		memset(all + sizeof(udp), 0, len);
	ip_make(p, IPPROTO_UDP, src, dst, all, udp_len);
	struct rte_udp_hdr *at = (struct rte_udp_hdr *)(p->ip + sizeof(struct rte_ipv4_hdr));
	at->dgram_cksum = udp4_cksum((const struct rte_ipv4_hdr *)p->ip, at, udp_len);
}

void rtp_make(struct pkt *p, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	static uint16_t seq;
	uint8_t data[172];
	struct rtp_hdr rtp = {.vpxcc = 0x80, .seq = rte_cpu_to_be_16(++seq), .ssrc = RTE_BE32(7)};

	memset(data, 0xd5, sizeof(data));
	memcpy(data, &rtp, sizeof(rtp));
	udp_make(p, src, sport, dst, dport, data, sizeof(data));
}

void rtcp_make(struct pkt *p, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	uint8_t data[32] = {0x81, RTCP_RR, 0, 7}; // one report block

	udp_make(p, src, sport, dst, dport, data, sizeof(data));
}

void esp_make(struct world *w, struct pkt *p, unsigned k)
{
	struct esp_out op = {.sa = w->tunnel[k].to_us, .inner = p->ip, .len = p->len};

	esp_encap_burst(w->crypto, &op, 1, 1);
	if (op.status != ESP_OK)
		rte_panic("a packet does not go into its tunnel\n");
	p->ip = op.outer;
	p->len = op.outer_len;
}
