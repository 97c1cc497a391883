// SPDX-License-Identifier: BSD-3-Clause
// The peers' sending side: RTP of every flow in turn, encrypted as their gateways would.
#include "esp/esp.h"
#include "ip/ip.h"
#include "wire.h"
#include "world_priv.h"

#include <rte_ethdev.h>
#include <rte_random.h>
#include <string.h>

#define CHUNK 32
#define STOCK_LOW 1024

const uint8_t *filler(uint32_t flow, uint32_t number)
{
	static uint8_t bytes[FILLER_SPAN + 2048];

	if (bytes[0] == 0) {
		for (unsigned i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rte_rand();
		bytes[0] = 1;
	}
	return bytes + (flow * 31 + number * 7) % FILLER_SPAN;
}

static struct flow *flow_next(struct world *w)
{
	if (w->next == w->n_flows) { // everyone has sent one: another order
		for (uint32_t i = w->n_flows - 1; i > 0; i--) {
			uint32_t j = (uint32_t)rte_rand_max(i + 1), t = w->order[i];
			w->order[i] = w->order[j];
			w->order[j] = t;
		}
		w->next = 0;
	}
	return &w->flow[w->order[w->next++]];
}

static void inner_write(struct world *w, struct flow *f, uint8_t *at)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)at;
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	struct rtp_hdr *rtp = (struct rtp_hdr *)(udp + 1);
	uint32_t len = w->spec.inner_len, number = (uint32_t)(f - w->flow);
	uint16_t ulen = (uint16_t)(len - sizeof(*ip));
	struct mark mark = {number, (uint32_t)f->sent};

	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
				    .total_length = rte_cpu_to_be_16((uint16_t)len),
				    .packet_id = rte_cpu_to_be_16(f->seq),
				    .time_to_live = 63,
				    .next_proto_id = IPPROTO_UDP,
				    .src_addr = f->src,
				    .dst_addr = f->dst};
	ip4_header_cksum_set(ip);
	*udp = (struct rte_udp_hdr){f->sport, f->dport, rte_cpu_to_be_16(ulen), 0};
	*rtp = (struct rtp_hdr){0x80, 0, rte_cpu_to_be_16(f->seq), rte_cpu_to_be_32(f->ts),
				rte_cpu_to_be_32(number + 1)};
	memcpy(rtp + 1, &mark, sizeof(mark));
	memcpy((uint8_t *)(rtp + 1) + sizeof(mark), filler(number, mark.number), len - INNER_MIN);
	udp->dgram_cksum = udp4_cksum(ip, udp, ulen);
	f->seq++;
	f->ts += 160;
	f->sent++;
}

// As a driver leaves a buffer after reception.
static void mbuf_received(struct rte_mbuf *m, uint16_t len, uint16_t port)
{
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->refcnt = 1;
	m->nb_segs = 1;
	m->port = port;
	m->ol_flags = 0;
	m->packet_type = 0;
	m->pkt_len = m->data_len = len;
	m->vlan_tci = m->vlan_tci_outer = 0;
	memset(&m->hash, 0, sizeof(m->hash));
}

static void ether_write(struct rte_mbuf *m, unsigned port)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	eth->dst_addr = mac_of_port[port];
	eth->src_addr = mac_of_peer[port];
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
}

static void chunk_make(struct world *w, struct rte_mbuf **pkt, unsigned n)
{
	struct esp_out op[CHUNK];
	uint8_t at[CHUNK];
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		struct flow *f = flow_next(w);
		struct sa_out *sa = w->peer[f->sa_in].to_us;
		uint8_t *inner = (uint8_t *)pkt[i]->buf_addr + RTE_PKTMBUF_HEADROOM +
				 RTE_ETHER_HDR_LEN + (sa != NULL ? tunnel_head(sa) : 0);
		inner_write(w, f, inner);
		uint16_t frame = (uint16_t)(RTE_ETHER_HDR_LEN + w->spec.inner_len);
		if (sa != NULL) {
			op[k] = (struct esp_out){
				.sa = sa, .inner = inner, .len = w->spec.inner_len};
			frame = (uint16_t)(RTE_ETHER_HDR_LEN + esp_out_len(sa, w->spec.inner_len));
			at[k++] = (uint8_t)i;
		}
		mbuf_received(pkt[i], frame, f->port_in);
	}
	esp_encap_burst(w->crypto, op, k, 0);
	for (unsigned j = 0; j < k; j++)
		if (op[j].status != ESP_OK)
			pkt[at[j]]->data_len = 0; // out of numbers: comes out as a drop
	for (unsigned i = 0; i < n; i++)
		ether_write(pkt[i], pkt[i]->port);
	if (w->spec.scene == SCENE_SRTP_PLAIN)
		srtp_frames_seal(w, pkt, n);
}

// What the worker has dropped is in the pool again.
static void stock_refill(struct world *w)
{
	while (w->n_stock < STOCK_LOW &&
	       rte_pktmbuf_alloc_bulk(w->pool, w->stock + w->n_stock, CHUNK) == 0)
		w->n_stock += CHUNK;
}

unsigned gen_make(struct world *w, struct rte_mbuf **pkt, unsigned n)
{
	if (unlikely(n > w->n_stock)) {
		stock_refill(w);
		n = n < w->n_stock ? n : w->n_stock;
	}
	for (unsigned done = 0; done < n;) {
		unsigned chunk = n - done < CHUNK ? n - done : CHUNK;
		w->n_stock -= chunk;
		memcpy(pkt + done, w->stock + w->n_stock, chunk * sizeof(*pkt));
		chunk_make(w, pkt + done, chunk);
		done += chunk;
	}
	return n;
}

// Out of this core's caches into the shared one, where a NIC's DMA puts packets (a hint, and nothing
// on CPUs without CLDEMOTE).
static void demote(const void *from, size_t len)
{
	for (const char *p = from, *end = p + len; p < end; p += 64)
		__asm__ volatile(".byte 0x0f, 0x1c, 0x07" : : "D"(p) : "memory");
}

unsigned gen_send(struct world *w, struct rte_mbuf **pkt, unsigned n)
{
	unsigned done = 0;

	for (unsigned i = 0; i < n && !w->spec.near; i++) {
		demote(pkt[i], sizeof(*pkt[i]));
		demote(rte_pktmbuf_mtod(pkt[i], void *), pkt[i]->data_len);
	}
	while (done < n) { // runs for one port
		unsigned end = done + 1, port = pkt[done]->port;
		while (end < n && pkt[end]->port == port)
			end++;
		unsigned put = rte_ring_sp_enqueue_burst(ports_ring(0, port), (void **)(pkt + done),
							 end - done, NULL);
		done += put;
		if (done < end)
			break;
	}
	return done;
}
