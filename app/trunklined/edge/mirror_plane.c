// SPDX-License-Identifier: BSD-3-Clause
// Writes the mirror's decisions to the tables that workers read.
#include "base/log.h"
#include "defer.h"
#include "mirror_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rte_errno.h>
#include <rte_lpm.h>
#include <stdlib.h>

#define LPM_RULES 65536
#define LPM_TBL8S 8192

// Where indexes come back to. It outlives the mirror if notes still wait when that is closed.
struct index_home {
	struct mirror_core *core; // NULL: the mirror is closed
	unsigned refs;
};

// A nexthop, or an index, that workers may still hold. Linked until the generation has moved.
struct retired {
	struct retired *next;
	struct index_home *home;
	struct nexthop *nh;
	uint32_t index; // 0: only the nexthop
};

static const struct nexthop nexthop_none = {.kind = NH_NONE};

int mirror_lpm_make(struct mirror *m, struct err *err)
{
	const struct rte_lpm_config conf = {.max_rules = LPM_RULES, .number_tbl8s = LPM_TBL8S};
	struct rte_lpm_rcu_config rcu = {.v = m->plane->qsbr, .mode = RTE_LPM_QSBR_MODE_DQ};

	m->home = calloc(1, sizeof(*m->home));
	if (m->home == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	m->home->core = m->core;
	m->home->refs = 1;
	m->plane->lpm = rte_lpm_create("routes", SOCKET_ID_ANY, &conf);
	if (m->plane->lpm == NULL)
		return err_set(err, -rte_errno,
			       "no memory for the routing table (about 75 MB): %s; raise memory",
			       rte_strerror(rte_errno));
	if (rte_lpm_rcu_qsbr_add(m->plane->lpm, &rcu) != 0)
		return err_set(err, -rte_errno, "routing table: %s", rte_strerror(rte_errno));
	m->plane->nexthop[0] = &nexthop_none;
	__atomic_store_n(&m->plane->route_gen, 1, __ATOMIC_RELEASE);
	return 0;
}

// The LPM has no depth 0: a default route fills the halves that have no route of their own.
static int halves_write(struct mirror *m)
{
	int rc = 0;

	for (uint32_t i = 0; i < 2; i++) {
		uint32_t index = m->route_half[i] != 0 ? m->route_half[i] : m->route_default;
		if (index == 0)
			rte_lpm_delete(m->plane->lpm, i << 31, 1);
		else if (rte_lpm_add(m->plane->lpm, i << 31, 1, index) != 0)
			rc = -ENOSPC;
	}
	return rc;
}

static uint32_t *half_of(struct mirror *m, uint32_t ip, uint8_t len)
{
	return len == 0 ? &m->route_default : &m->route_half[ip >> 31];
}

int mirror_route_set(void *mirror, uint32_t dst, uint8_t len, uint32_t index)
{
	struct mirror *m = mirror;
	uint32_t ip = ntohl(dst);

	if (len > 1)
		return rte_lpm_add(m->plane->lpm, ip, len, index) == 0 ? 0 : -ENOSPC;
	*half_of(m, ip, len) = index;
	return halves_write(m);
}

void mirror_route_del(void *mirror, uint32_t dst, uint8_t len)
{
	struct mirror *m = mirror;
	uint32_t ip = ntohl(dst);

	if (len > 1) {
		rte_lpm_delete(m->plane->lpm, ip, len);
		return;
	}
	*half_of(m, ip, len) = 0;
	halves_write(m);
}

static void home_put(struct index_home *home)
{
	if (home != NULL && --home->refs == 0)
		free(home);
}

static void retire(struct mirror *m, struct retired *r, const struct nexthop *nh, uint32_t index)
{
	r->home = m->home;
	r->home->refs++;
	r->nh = (struct nexthop *)(uintptr_t)nh;
	r->index = index;
	r->next = m->retired;
	m->retired = r;
}

int mirror_hop_set(void *mirror, const struct nexthop *nh)
{
	struct mirror *m = mirror;
	const struct nexthop *old = m->plane->nexthop[nh->index];
	struct nexthop *copy = aligned_alloc(_Alignof(struct nexthop), sizeof(*copy));
	struct retired *r = calloc(1, sizeof(*r));

	if (copy == NULL || r == NULL) {
		free(copy);
		free(r);
		return -ENOMEM;
	}
	*copy = *nh;
	__atomic_store_n(&m->plane->nexthop[nh->index], copy, __ATOMIC_RELEASE);
	if (old == NULL || old == &nexthop_none)
		free(r);
	else
		retire(m, r, old, 0);
	return 0;
}

void mirror_hop_del(void *mirror, uint32_t index)
{
	struct mirror *m = mirror;
	const struct nexthop *old = m->plane->nexthop[index];
	struct retired *r = calloc(1, sizeof(*r));

	__atomic_store_n(&m->plane->nexthop[index], &nexthop_none, __ATOMIC_RELEASE);
	if (r != NULL)
		retire(m, r, old, index);
	else // the index and the nexthop are lost; better than freed too early
		log_error("mirror: out of memory");
}

static void retired_free(void *retired)
{
	struct retired *r = retired;

	if (r->index != 0 && r->home->core != NULL)
		mirror_core_index_free(r->home->core, r->index);
	home_put(r->home);
	free(r->nh);
	free(r);
}

void mirror_publish(struct mirror *m)
{
	uint32_t gen = m->plane->route_gen + 1;

	// First the generation, so that a worker that is quiescent after this looks routes up anew;
	// only then does the wait for the old nexthops' readers begin.
	__atomic_store_n(&m->plane->route_gen, gen != 0 ? gen : 1, __ATOMIC_RELEASE);
	while (m->retired != NULL) {
		struct retired *r = m->retired;
		m->retired = r->next;
		defer_free(m->defer, r, retired_free);
	}
}

void mirror_plane_free(struct mirror *m)
{
	struct plane *p = m->plane;

	while (m->retired != NULL) {
		struct retired *r = m->retired;
		m->retired = r->next;
		retired_free(r);
	}
	if (m->home != NULL)
		m->home->core = NULL;
	home_put(m->home);
	rte_lpm_free(p->lpm);
	p->lpm = NULL;
	for (unsigned i = 0; i < NEXTHOPS_MAX; i++) {
		if (p->nexthop[i] != NULL && p->nexthop[i] != &nexthop_none)
			free((struct nexthop *)(uintptr_t)p->nexthop[i]);
		p->nexthop[i] = NULL;
	}
}
