// SPDX-License-Identifier: BSD-3-Clause
// Where classify sends a plain ESP packet. In a file of its own: dispatch.h has parameters that are called as
// the bed's variables.
#include "dispatch.h"

uint8_t esp_first(struct worker *worker, struct rte_mbuf *m);

uint8_t esp_first(struct worker *worker, struct rte_mbuf *m)
{
	return dispatch_esp(worker, m, (const uint8_t *)(pkt_ip(m) + 1));
}
