// SPDX-License-Identifier: BSD-3-Clause
// Which gateways are known: those of the configuration, and the peers of all SAs. Looked up anew each
// second, and published if something has changed.
#include "base/log.h"
#include "control_priv.h"
#include "ike/ike_priv.h"
#include "punt.h"

#include <stdlib.h>
#include <string.h>

static bool gateway_add(struct punt_peers *p, const struct ip_addr *a)
{
	return a->family != AF_INET || punt_peers_add(p, a->v4.s_addr);
}

static bool gateways_collect(const struct control *ctl, struct punt_peers *p)
{
	const struct sa_pair *pair;
	const struct ike_sa *sa;
	bool all = true;

	for (unsigned i = 0; i < ctl->config->n_customers; i++)
		all &= gateway_add(p, &ctl->config->customers[i].gateway);
	TAILQ_FOREACH (pair, &ctl->sas, link)
		all &= gateway_add(p, &pair->spec.peer.addr);
	if (ctl->sad != NULL)
		TAILQ_FOREACH (sa, &ctl->sad->all, link)
			all &= gateway_add(p, sa->inbound ? &sa->src.addr : &sa->dst.addr);
	return all;
}

void punt_peers_publish(struct control *ctl)
{
	struct plane *plane = ctl->plane;
	const struct punt_peers *old = plane->punt_peers;
	struct punt_peers *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return; // the next second tries again
	if (!gateways_collect(ctl, p) && (old == NULL || old->n != p->n))
		log_warn("only %u gateways have a limit of their own to the kernel", p->n);
	if (old != NULL && memcmp(old, p, sizeof(*p)) == 0) {
		free(p);
		return;
	}
	__atomic_store_n(&plane->punt_peers, p, __ATOMIC_RELEASE);
	defer_free(ctl->defer, (void *)(uintptr_t)old, free);
}
