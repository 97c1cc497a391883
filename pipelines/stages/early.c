// SPDX-License-Identifier: BSD-3-Clause
// ESP whose SA is being negotiated. With IKEv1 the gateway that has asked for an SA uses it at once, and ours has it
// only when the last message of the exchange was worked on (RFC 2409 section 5.5): packets overtake that message. They
// are kept until the SA is there, or until it is clear that it won't come.
//
// Only an SPI that IKE has just given to a peer opens this door, all 32 bits of it; what doesn't fit is dropped.
#include "dispatch.h"
#include "worker.h"

#define LOOK_US 200
#define PATIENCE_MS 500

void stage_early(struct worker *w, struct rte_mbuf **pkt, uint16_t n, uint8_t *next)
{
	struct early *e = &w->early;

	for (uint16_t i = 0; i < n; i++) {
		if (unlikely(e->n == EARLY_MAX)) {
			next[i] = pkt_drop(pkt[i], DROP_SPI_UNKNOWN);
			continue;
		}
		e->pkt[e->n] = pkt[i];
		e->since[e->n++] = w->now;
		next[i] = STAGE_KEPT;
	}
}

// Where it goes now; STAGE_early if it stays.
static uint8_t early_next(struct worker *w, struct rte_mbuf *m, uint64_t since)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	bool udp = ip->next_proto_id == IPPROTO_UDP;
	const uint8_t *esp = (const uint8_t *)(ip + 1) + (udp ? sizeof(struct rte_udp_hdr) : 0);
	uint8_t to = dispatch_esp(w, m, esp);

	if (to == STAGE_early && w->now - since > w->plane->tsc_hz / 1000 * PATIENCE_MS)
		return pkt_drop(m, DROP_SPI_UNKNOWN);
	return to;
}

void early_poll(struct worker *w)
{
	struct early *e = &w->early;
	uint16_t kept = 0;

	e->next = w->now + w->plane->tsc_hz / 1000000 * LOOK_US;
	for (uint16_t i = 0; i < e->n; i++) {
		uint8_t to = early_next(w, e->pkt[i], e->since[i]);
		if (to == STAGE_early) {
			e->pkt[kept] = e->pkt[i];
			e->since[kept++] = e->since[i];
		} else {
			stage_emit(w, to, e->pkt[i]); // fewer than fit into an empty vector
		}
	}
	e->n = kept;
	worker_run(w);
}
