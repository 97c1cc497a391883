// SPDX-License-Identifier: BSD-3-Clause
// The peers' receiving side. A wrong answer has no speed: every packet is checked in full.
#include "esp/esp.h"
#include "ip/ip.h"
#include "wire.h"
#include "world_priv.h"

#include <string.h>

#define CHUNK 32

struct out_pkt {
	const uint8_t *inner;
	uint32_t len;
	uint16_t customer; // whose tunnel it left by, 0: none
};

static void wrong(struct world *w, const char *what, uint32_t flow)
{
	if (w->out_wrong++ != 0)
		return;
	if (flow == UINT32_MAX)
		err_set(&w->fault, 0, "%s", what);
	else
		err_set(&w->fault, 0, "flow %u: %s", flow, what);
}

// Takes the outer headers off. NULL if all is well, or what is wrong.
static const char *outer_open(struct world *w, struct rte_mbuf *m, struct out_pkt *o,
			      struct esp_in *op)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
	const uint8_t *esp = (const uint8_t *)(ip + 1);
	uint32_t len = rte_be_to_cpu_16(ip->total_length), spi;
	bool udp = w->spec.udp;

	if (ip->src_addr != OUTSIDE_IP || ip->next_proto_id != (udp ? IPPROTO_UDP : IPPROTO_ESP))
		return "outer addresses or protocol";
	if (udp) {
		const struct rte_udp_hdr *u = (const struct rte_udp_hdr *)esp;
		if (u->src_port != RTE_BE16(4500) || u->dst_port != RTE_BE16(4500) ||
		    rte_be_to_cpu_16(u->dgram_len) + sizeof(*ip) != len)
			return "outer UDP header";
		esp += sizeof(*u);
	}
	memcpy(&spi, esp, sizeof(spi));
	spi = rte_be_to_cpu_32(spi);
	o->customer = (uint16_t)SPI_CUSTOMER(spi);
	if (o->customer == 0 || o->customer > w->spec.customers || spi != SPI_OUT(o->customer) ||
	    ip->dst_addr != gateway_ip(o->customer))
		return "SPI or gateway";
	*op = (struct esp_in){.sa = w->peer[o->customer].from_us,
			      .esp = (uint8_t *)(uintptr_t)esp,
			      .len = len - (uint32_t)(esp - (const uint8_t *)ip),
			      .outer_tos = ip->type_of_service};
	return NULL;
}

static const char *frame_check(struct rte_mbuf *m, unsigned port)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);

	if (m->data_len < sizeof(*eth) + sizeof(*ip) ||
	    !rte_is_same_ether_addr(&eth->dst_addr, &mac_of_peer[port]) ||
	    !rte_is_same_ether_addr(&eth->src_addr, &mac_of_port[port]) ||
	    eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4))
		return "Ethernet header";
	if (ip->version_ihl != 0x45 ||
	    rte_be_to_cpu_16(ip->total_length) + sizeof(*eth) != m->data_len || !ip4_header_ok(ip))
		return "IPv4 header";
	return NULL;
}

static const char *inner_check(struct world *w, const struct out_pkt *o, unsigned port,
			       uint32_t *id)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)o->inner;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	const struct rtp_hdr *rtp = (const struct rtp_hdr *)(udp + 1);
	struct mark mark;

	if (o->len != w->spec.inner_len || ip->version_ihl != 0x45 || !ip4_header_ok(ip) ||
	    rte_be_to_cpu_16(ip->total_length) != o->len)
		return "inner IPv4 header";
	memcpy(&mark, rtp + 1, sizeof(mark));
	*id = mark.flow;
	if (mark.flow >= w->n_flows)
		return "payload";
	struct flow *f = &w->flow[mark.flow];
	if (f->port_out != port || f->sa_out != o->customer)
		return "left by another port or tunnel";
	if (ip->src_addr != f->want_src || ip->dst_addr != f->want_dst ||
	    udp->src_port != f->want_sport || udp->dst_port != f->want_dport ||
	    ip->time_to_live != f->want_ttl)
		return "addresses, ports or TTL";
	uint16_t gap = (uint16_t)(rte_be_to_cpu_16(rtp->seq) - f->want_seq);
	if (gap != 0 && (!w->lossy || gap >= 0x8000))
		return "lost, doubled or out of order";
	f->want_seq = (uint16_t)(f->want_seq + gap + 1);
	if (memcmp((const uint8_t *)(rtp + 1) + sizeof(mark), filler(mark.flow, mark.number),
		   o->len - INNER_MIN) != 0)
		return "payload";
	uint16_t ulen = rte_be_to_cpu_16(udp->dgram_len);
	if (ulen + sizeof(*ip) != o->len || udp->dgram_cksum == 0 || !udp4_cksum_ok(ip, udp, ulen))
		return "UDP length or checksum";
	return NULL;
}

static void chunk_check(struct world *w, unsigned port, struct rte_mbuf **pkt, unsigned n)
{
	bool tunnel = port == OUTSIDE && scene_esp_out(w->spec.scene);
	struct out_pkt out[CHUNK];
	struct esp_in op[CHUNK];
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		const char *bad = frame_check(pkt[i], port);
		if (bad == NULL && w->spec.scene == SCENE_PLAIN_SRTP)
			bad = srtp_frame_open(w, pkt[i]);
		if (bad == NULL && tunnel)
			bad = outer_open(w, pkt[i], &out[k], &op[k]);
		if (bad != NULL) {
			wrong(w, bad, UINT32_MAX);
			continue;
		}
		if (!tunnel) {
			out[k].inner =
				rte_pktmbuf_mtod_offset(pkt[i], uint8_t *, RTE_ETHER_HDR_LEN);
			out[k].len = pkt[i]->data_len - RTE_ETHER_HDR_LEN;
			out[k].customer = 0;
		}
		k++;
	}
	if (tunnel)
		esp_decap_burst(w->crypto, op, k, 0);
	for (unsigned j = 0; j < k; j++) {
		uint32_t id = UINT32_MAX;
		const char *bad = NULL;
		if (tunnel) {
			bad = op[j].status != ESP_OK ? "does not decrypt, or replayed" : NULL;
			out[j].inner = op[j].inner;
			out[j].len = op[j].inner_len;
		}
		if (bad == NULL)
			bad = inner_check(w, &out[j], port, &id);
		if (bad != NULL)
			wrong(w, bad, id);
	}
}

void sink_check(struct world *w, unsigned port, struct rte_mbuf **pkt, unsigned n)
{
	for (unsigned done = 0; done < n; done += CHUNK)
		chunk_check(w, port, pkt + done, n - done < CHUNK ? n - done : CHUNK);
	w->out_packets += n;
	memcpy(w->stock + w->n_stock, pkt, n * sizeof(*pkt));
	w->n_stock += n;
}

unsigned sink_take(struct world *w, unsigned port, struct rte_mbuf **pkt, unsigned n)
{
	(void)w;
	return rte_ring_sc_dequeue_burst(ports_ring(1, port), (void **)pkt, n, NULL);
}

unsigned sink_drain(struct world *w)
{
	struct rte_mbuf *pkt[CHUNK];
	unsigned n, all = 0;

	for (unsigned port = 0; port < 2; port++) {
		while ((n = sink_take(w, port, pkt, CHUNK)) != 0) {
			sink_check(w, port, pkt, n);
			all += n;
		}
	}
	return all;
}
