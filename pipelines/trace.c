// SPDX-License-Identifier: BSD-3-Clause
#include "trace.h"

#include "worker.h"

#include <rte_cycles.h>
#include <string.h>

static void step_record(struct trace *t, enum stage_id stage, struct rte_mbuf *m)
{
	const struct pkt_cold *cold = pkt_cold(m);
	struct trace_step *s = &t->step[t->n];
	uint16_t len = rte_pktmbuf_data_len(m);

	s->packet = cold->trace;
	s->stage = (uint8_t)stage;
	s->drop = stage == STAGE_drop ? (uint8_t)cold->drop : 0;
	s->len = len;
	s->tsc = rte_rdtsc();
	memset(s->head, 0, sizeof(s->head));
	memcpy(s->head, rte_pktmbuf_mtod(m, void *), len < TRACE_BYTES ? len : TRACE_BYTES);
	__atomic_store_n(&t->n, t->n + 1, __ATOMIC_RELEASE);
}

// A packet is taken on where what the trace asks for is first known of it.
static bool packet_wanted(const struct trace *t, enum stage_id stage, struct rte_mbuf *m)
{
	if (t->by_call) {
		if (stage != STAGE_rtp_relay && stage != STAGE_srtp_open)
			return false;
		const struct leg *leg = pkt_obj(m);
		return (leg->id == t->leg[0].id && leg->gen == t->leg[0].gen) ||
		       (leg->id == t->leg[1].id && leg->gen == t->leg[1].gen);
	}
	if (t->customer != 0)
		return stage != STAGE_classify && pkt_tag(m)->customer == t->customer;
	return true;
}

void trace_burst(struct worker *w, enum stage_id stage, struct rte_mbuf **pkt, uint16_t n)
{
	struct trace *t = w->trace;

	if (t == NULL)
		return;
	for (uint16_t i = 0; i < n && t->n < t->max; i++) {
		struct pkt_tag *tag = pkt_tag(pkt[i]);
		if (stage == STAGE_classify) // what the driver left there
			memset(tag, 0, sizeof(*tag));
		if (!(tag->flags & PKT_TRACED)) {
			if (t->packets >= t->want || !packet_wanted(t, stage, pkt[i]))
				continue;
			tag->flags |= PKT_TRACED;
			pkt_cold(pkt[i])->trace = ++t->packets;
		}
		step_record(t, stage, pkt[i]);
	}
}
