// SPDX-License-Identifier: BSD-3-Clause
// ESP in: from the outer IPv4 header to the inner one. The crypto and the checks are lib/esp's.
#include "dispatch.h"
#include "esp/esp.h"

// Named drops of lib/esp.
static const uint8_t drop_of[] = {
	[ESP_DUMMY] = DROP_ESP_DUMMY,       [ESP_TOO_SHORT] = DROP_ESP_TRUNCATED,
	[ESP_REPLAYED] = DROP_ESP_REPLAYED, [ESP_FORGED] = DROP_ESP_FORGED,
	[ESP_BAD_PAD] = DROP_ESP_PADDING,   [ESP_BAD_NEXT] = DROP_ESP_NEXT_HEADER,
	[ESP_BAD_INNER] = DROP_ESP_INNER,   [ESP_ECN] = DROP_ECN,
};

// Finds the SA and fills op, or returns the reason why not.
static inline int op_fill(struct worker *w, const struct rte_mbuf *m, struct esp_in *op)
{
	struct rte_ipv4_hdr *ip = pkt_ip(m);
	bool udp = ip->next_proto_id == IPPROTO_UDP;
	uint8_t *esp = (uint8_t *)(ip + 1) + (udp ? sizeof(struct rte_udp_hdr) : 0);
	uint32_t spi;

	memcpy(&spi, esp, sizeof(spi));
	spi = rte_be_to_cpu_32(spi);
	ref_t ref = ref_load(&w->plane->sa_in[spi & (SPI_SLOTS - 1)]);
	struct sa_in *sa = REF_PTR(ref);
	if (unlikely(ref == 0 || sa->spi != spi))
		return DROP_SPI_UNKNOWN;
	if (unlikely(REF_OWNER(ref) != w->id))
		return DROP_HANDOVER_STALE;
	if (unlikely(udp != ((sa->flags & SA_ENCAP) != 0)))
		return DROP_SA_MODE;
	op->sa = sa;
	op->esp = esp;
	op->outer_tos = ip->type_of_service;
	if (udp)
		op->len = rte_be_to_cpu_16(((struct rte_udp_hdr *)(ip + 1))->dgram_len) -
			  (uint32_t)sizeof(struct rte_udp_hdr);
	else
		op->len = rte_pktmbuf_data_len(m) - (uint32_t)sizeof(*ip);
	return -1;
}

// Remembers where the peer is, from authentic packets only (RFC 3948: NATs move).
static inline void peer_note(struct sa_in *sa, const struct rte_ipv4_hdr *ip)
{
	uint16_t port = 0;

	if (ip->next_proto_id == IPPROTO_UDP) // not the SA's flag: control may just have changed it
		port = ((const struct rte_udp_hdr *)(ip + 1))->src_port;
	if (unlikely(sa->peer_ip != ip->src_addr || sa->peer_port != port)) {
		sa->peer_ip = ip->src_addr;
		sa->peer_port = port;
	}
}

static inline uint8_t decap_finish(struct rte_mbuf *m, const struct esp_in *op)
{
	const struct rte_ipv4_hdr *outer = pkt_ip(m);

	if (unlikely(op->status != ESP_OK))
		return pkt_drop(m, drop_of[op->status]);
	peer_note(op->sa, outer);
	pkt_wire_len_set(m, rte_pktmbuf_data_len(m));
	m->data_off = (uint16_t)(m->data_off + (op->inner - (const uint8_t *)outer));
	m->data_len = op->inner_len;
	m->pkt_len = op->inner_len;
	struct pkt_tag *tag = pkt_tag(m);
	tag->customer = op->sa->customer;
	tag->flags |= PKT_FROM_TUNNEL;
	pkt_obj_set(m, op->sa);
	return STAGE_policy;
}

// What policy and rtp_relay will need of the packet, if it goes to a media port. The legs of one are behind the
// entry of its port, which is asked for first.
#define LEGS_LAG 3

static inline void legs_prefetch(const ref_t *entry)
{
	if (unlikely(entry == NULL))
		return;
	ref_t ref = ref_load(entry);
	struct leg *leg = REF_PTR(ref);
	if (likely(ref != 0)) {
		rte_prefetch0(leg);
		rte_prefetch0(&leg_other(leg, ref & REF_SECOND)->local_ip);
	}
}

void esp_opened(void *worker, const struct esp_in *op)
{
	struct worker *w = worker;
	const struct customer *c = customer_load(w->plane, op->sa->customer);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)op->inner;
	unsigned i = w->opened++;

	if (likely(c != NULL))
		rte_prefetch0(&c->in);
	w->entry[i] = dispatch_entry(w->plane, ip, op->inner_len);
	if (likely(w->entry[i] != NULL))
		rte_prefetch0(w->entry[i]);
	if (i >= LEGS_LAG)
		legs_prefetch(w->entry[i - LEGS_LAG]);
}

void stage_esp_decap(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	struct esp_in op[BURST_MAX];
	uint8_t at[BURST_MAX];
	unsigned k = 0;

	for (uint16_t i = 0; i < n; i++) {
		int drop = op_fill(w, pkt[i], &op[k]);
		if (unlikely(drop >= 0)) {
			next[i] = pkt_drop(pkt[i], (enum drop_reason)drop);
			continue;
		}
		if (op[k].sa->family == SUITE_CBC_HMAC)
			esp_in_prefetch(op[k].sa, op[k].len);
		at[k++] = (uint8_t)i;
	}
	worker_ahead(w);
	w->next = NULL; // few SAs serve many packets: they are left to classify
	w->opened = 0;
	esp_decap_burst(w->crypto, op, k, w->now);
	for (unsigned i = w->opened > LEGS_LAG ? w->opened - LEGS_LAG : 0; i < w->opened; i++)
		legs_prefetch(w->entry[i]);
	for (unsigned j = 0; j < k; j++)
		next[at[j]] = decap_finish(pkt[at[j]], &op[j]);
}
