// SPDX-License-Identifier: BSD-3-Clause
// Snapshots of the machine for the API: status, ports, workers, stages, drops.
#include "view.h"

#include "control_priv.h"
#include "media/media_priv.h"
#include "view_priv.h"

#include <malloc.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_version.h>
#include <stdlib.h>
#include <string.h>

double view_seconds(const struct control *ctl)
{
	double s = (double)(ctl->now.tsc - ctl->before.tsc) / (double)ctl->plane->tsc_hz;

	return s > 0.01 ? s : 1.0; // before the first second is over all rates are 0
}

double view_age(const struct control *ctl, uint64_t tsc)
{
	uint64_t now = rte_rdtsc();

	if (tsc == 0)
		return -1;
	return tsc > now ? 0 : (double)(now - tsc) / (double)ctl->plane->tsc_hz;
}

struct view_rate view_rate_of(const struct control *ctl, uint64_t packets, uint64_t bytes)
{
	double s = view_seconds(ctl);

	return (struct view_rate){(double)packets / s, (double)bytes * 8 / s};
}

static void status_sas(struct control *ctl, struct view_status *v)
{
	const struct sa_pair *pair;

	v->sas_in = v->sas_out = ctl->n_sas;
	v->sas_max = ctl->config->max_sas;
	TAILQ_FOREACH (pair, &ctl->sas, link)
		v->sas_exhausted += (pair->out->flags & SA_EXHAUSTED) != 0;
	view_status_tunnels(ctl, v);
}

static void status_calls(struct control *ctl, struct view_status *v)
{
	const struct media *m;

	v->calls = ctl->media->n;
	v->calls_max = ctl->config->max_calls;
	TAILQ_FOREACH (m, &ctl->media->all, link) {
		enum media_state s = media_state_of(m);
		v->calls_hairpin += m->hairpin;
		v->calls_silent += s == MEDIA_SILENT;
		v->calls_one_way += s == MEDIA_ONE_WAY;
		v->calls_held += s == MEDIA_HELD;
		v->calls_ringing += s == MEDIA_RINGING;
	}
}

static void status_traffic(struct control *ctl, struct view_status *v)
{
	const struct rates *a = &ctl->before, *b = &ctl->now;
	uint64_t in = 0, in_bytes = 0, out = 0, out_bytes = 0, drops = 0;

	for (unsigned i = 0; i < ctl->plane->n_ports; i++) {
		in += b->rx_packets[i] - a->rx_packets[i];
		in_bytes += b->rx_bytes[i] - a->rx_bytes[i];
		out += b->tx_packets[i] - a->tx_packets[i];
		out_bytes += b->tx_bytes[i] - a->tx_bytes[i];
	}
	for (unsigned d = 0; d < DROP_COUNT; d++) {
		drops += b->drops[d] - a->drops[d];
		v->drops += b->drops[d];
	}
	v->in = view_rate_of(ctl, in, in_bytes);
	v->out = view_rate_of(ctl, out, out_bytes);
	v->drop_pps = (double)drops / view_seconds(ctl);
}

void view_status(struct control *ctl, struct view_status *v)
{
	const struct plane *p = ctl->plane;
	struct mirror_stats ms;

	memset(v, 0, sizeof(*v));
	v->pop = ctl->config->pop;
	v->crypto = crypto_describe(ctl->crypto);
	v->dpdk = rte_version();
	v->uptime = difftime(time(NULL), ctl->started);
	v->workers = p->n_workers;
	v->ports = p->n_ports;
	for (unsigned i = 0; i < p->n_ports; i++)
		v->ports_up += p->port[i].up;
	status_sas(ctl, v);
	status_calls(ctl, v);
	status_traffic(ctl, v);
	mirror_stats(ctl->mirror, &ms);
	v->routes = ms.routes;
	v->hugepages = rte_eal_has_hugepages() != 0;
	v->memory_mb = ctl->config->memory_mb;
	devices_pool_usage(ctl->devices, &v->mbufs, &v->mbufs_used);
	struct mallinfo2 heap = mallinfo2();
	v->heap_bytes = heap.uordblks + heap.hblkhd;
	v->tracing = ctl->tracing;
	v->records = ctl->records != NULL;
	records_stats(ctl->records, &v->record);
}

static void port_fill(struct control *ctl, unsigned i, struct view_port *v)
{
	const struct rates *a = &ctl->before, *b = &ctl->now;
	const struct port *port = &ctl->plane->port[i];
	const struct device *dev = &ctl->plane->device[port->device];
	const struct config_port *cfg = &ctl->config->ports[i];
	struct device_stats ds = {0};
	struct rte_eth_link link = {0};

	v->name = port->name;
	v->device = cfg->device;
	v->inside = port->inside;
	v->up = port->up;
	v->vlan = port->vlan;
	v->mtu = port->mtu;
	memcpy(v->mac, port->mac.addr_bytes, sizeof(v->mac));
	v->rx_queues = dev->n_rxq;
	v->tx_queues = dev->n_txq;
	for (unsigned j = 0; j < cfg->n_addresses && j < VIEW_ADDRESSES_MAX; j++)
		v->addresses[v->n_addresses++] = cfg->addresses[j];
	v->rx_packets = b->rx_packets[i];
	v->rx_bytes = b->rx_bytes[i];
	v->tx_packets = b->tx_packets[i];
	v->tx_bytes = b->tx_bytes[i];
	if (rte_eth_link_get_nowait(dev->id, &link) == 0 &&
	    link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		v->speed_mbps = link.link_speed;
	if (device_stats(ctl->devices, dev->id, &ds) == 0) {
		v->rx_missed = ds.rx_missed;
		v->rx_errors = ds.rx_errors;
		v->tx_errors = ds.tx_errors;
		v->rx_nombuf = ds.rx_nombuf;
	}
	v->kernel_in = ctl->tap[i]->kernel_packets;
	v->kernel_out = ctl->tap[i]->wire_packets;
	v->rx = view_rate_of(ctl, b->rx_packets[i] - a->rx_packets[i],
			     b->rx_bytes[i] - a->rx_bytes[i]);
	v->tx = view_rate_of(ctl, b->tx_packets[i] - a->tx_packets[i],
			     b->tx_bytes[i] - a->tx_bytes[i]);
}

size_t view_ports(struct control *ctl, struct view_port **out)
{
	size_t n = ctl->plane->n_ports;

	if ((*out = calloc(n, sizeof(**out))) == NULL)
		return 0;
	for (unsigned i = 0; i < n; i++)
		port_fill(ctl, i, &(*out)[i]);
	return n;
}

static void shard_count(struct control *ctl, struct view_worker *v)
{
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++)
		v->customers +=
			ctl->customer[i].plane != NULL && ctl->customer[i].plane->owner == v->id;
	const struct sa_pair *pair;
	TAILQ_FOREACH (pair, &ctl->sas, link)
		v->sas += pair->in->owner == v->id;
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++)
		if (ctl->customer[i].plane != NULL && ctl->customer[i].plane->owner == v->id)
			v->sas += ctl->customer[i].n_ike;
	v->legs = ctl->media->legs_of[v->id];
}

size_t view_workers(struct control *ctl, struct view_worker **out)
{
	const struct rates *a = &ctl->before, *b = &ctl->now;
	size_t n = ctl->plane->n_workers;
	double s = view_seconds(ctl);

	if ((*out = calloc(n, sizeof(**out))) == NULL)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct view_worker *v = &(*out)[i];
		const struct worker *w = ctl->worker[i];
		uint64_t packets = b->worker_packets[i] - a->worker_packets[i];
		uint64_t taken = b->taken_over[i] - a->taken_over[i];
		uint64_t busy = b->busy[i] - a->busy[i];
		v->id = i;
		v->cpu = w->cpu;
		v->sleeps = w->sleep;
		v->busy = (double)busy / (s * (double)ctl->plane->tsc_hz);
		v->rounds = w->rounds;
		v->busy_rounds = w->busy_rounds;
		v->packets = w->stage[STAGE_rx].packets;
		v->pps = (double)(packets + taken) / s;
		v->cycles_per_packet =
			packets + taken > 0 ? (double)busy / (double)(packets + taken) : 0;
		v->handed_over = w->handed_over;
		v->taken_over = w->taken_over;
		v->handed_over_pps = (double)(b->handed_over[i] - a->handed_over[i]) / s;
		v->rx_queues = w->n_rxq;
		for (unsigned d = 0; d < DEVICES_MAX; d++)
			v->mbufs += w->tx[d].n;
		for (unsigned j = 0; j < n; j++)
			if (w->in[j] != NULL)
				v->mbufs += rte_ring_count(w->in[j]);
		shard_count(ctl, v);
	}
	return n;
}

static void stage_add(const struct worker *w, unsigned s, struct view_stage *v, uint64_t *cycles,
		      uint64_t *sampled)
{
	v->packets += w->stage[s].packets;
	v->bursts += w->stage[s].bursts;
	*cycles += w->stage[s].cycles;
	*sampled += w->stage[s].cycle_packets;
}

size_t view_stages(struct control *ctl, bool per_worker, struct view_stage **out)
{
	unsigned workers = ctl->plane->n_workers;
	size_t n = 0;

	*out = calloc(per_worker ? STAGE_COUNT * workers : STAGE_COUNT, sizeof(**out));
	if (*out == NULL)
		return 0;
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		for (unsigned first = 0; first < (per_worker ? workers : 1); first++) {
			struct view_stage *v = &(*out)[n++];
			uint64_t cycles = 0, sampled = 0;
			v->name = stage_info[s].name;
			v->help = stage_info[s].help;
			v->worker = per_worker ? (int)first : -1;
			for (unsigned i = first; i < (per_worker ? first + 1 : workers); i++) {
				stage_add(ctl->worker[i], s, v, &cycles, &sampled);
				v->pps += (double)(ctl->now.stage_packets[i][s] -
						   ctl->before.stage_packets[i][s]) /
					  view_seconds(ctl);
			}
			v->cycles_per_packet = sampled > 0 ? (double)cycles / (double)sampled : 0;
		}
	}
	return n;
}

size_t view_drops(struct control *ctl, struct view_drop **out)
{
	if ((*out = calloc(DROP_COUNT, sizeof(**out))) == NULL)
		return 0;
	for (unsigned d = 0; d < DROP_COUNT; d++) {
		struct view_drop *v = &(*out)[d];
		v->name = drop_info[d].name;
		v->help = drop_info[d].help;
		for (unsigned i = 0; i < ctl->plane->n_workers; i++)
			v->packets += ctl->worker[i]->drops[d];
		v->pps = (double)(ctl->now.drops[d] - ctl->before.drops[d]) / view_seconds(ctl);
	}
	return DROP_COUNT;
}
