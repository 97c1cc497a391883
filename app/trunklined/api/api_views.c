// SPDX-License-Identifier: BSD-3-Clause
// Answers about the gateway as a whole: status, ports, workers, stages, drops, routes.
#include "api/api.h"
#include "api_handlers.h"
#include "api_json.h"
#include "api_page.h"
#include "view.h"

#include <stdlib.h>

static json_t *rate_json(const struct view_rate *r)
{
	json_t *o = json_object();

	put_real(o, "pps", r->pps);
	put_int(o, "bps", (uint64_t)llround(r->bps));
	return o;
}

static int drop_order(const void *a, const void *b)
{
	const struct view_drop *x = a, *y = b;

	if (x->pps != y->pps)
		return x->pps < y->pps ? 1 : -1;
	return x->packets < y->packets ? 1 : x->packets > y->packets ? -1 : 0;
}

// The busiest reasons first; without all, only those that occurred.
static json_t *drops_json(struct control *ctl, bool all)
{
	struct view_drop *d;
	size_t n = view_drops(ctl, &d);
	json_t *list = json_array();

	if (!all && n > 0)
		qsort(d, n, sizeof(*d), drop_order);
	for (size_t i = 0; i < n; i++) {
		if (!all && d[i].packets == 0)
			continue;
		json_t *o = json_object();
		put_text(o, "name", d[i].name);
		put_int(o, "packets", d[i].packets);
		put_real(o, "pps", d[i].pps);
		put_text(o, "help", d[i].help);
		json_array_append_new(list, o);
	}
	free(d);
	return list;
}

static json_t *workers_json(struct control *ctl, bool brief)
{
	struct view_worker *w;
	size_t n = view_workers(ctl, &w);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();
		put_int(o, "id", w[i].id);
		put_int(o, "cpu", w[i].cpu);
		put_real(o, "busy", w[i].busy);
		json_array_append_new(list, o);
		if (brief)
			continue;
		put_bool(o, "sleeps", w[i].sleeps);
		put_real(o, "pps", w[i].pps);
		put_int(o, "packets", w[i].packets);
		put_real(o, "cycles_per_packet", w[i].cycles_per_packet);
		put_int(o, "polls", w[i].rounds);
		put_int(o, "busy_polls", w[i].busy_rounds);
		put_int(o, "handed_over", w[i].handed_over);
		put_int(o, "taken_over", w[i].taken_over);
		put_real(o, "handed_over_pps", w[i].handed_over_pps);
		put_int(o, "customers", w[i].customers);
		put_int(o, "sas", w[i].sas);
		put_int(o, "legs", w[i].legs);
		put_int(o, "mbufs", w[i].mbufs);
		put_int(o, "rx_queues", w[i].rx_queues);
	}
	free(w);
	return list;
}

// null: calls are not recorded.
static json_t *records_json(const struct view_status *s)
{
	if (!s->records)
		return json_null();
	json_t *o = json_object();
	put_int(o, "written", s->record.written);
	put_int(o, "waiting", s->record.waiting);
	put_int(o, "failed", s->record.failed);
	put_int(o, "recovered", s->record.recovered);
	put_int(o, "no_room", s->record.no_room);
	return o;
}

int cmd_status(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct view_status s = {0};

	(void)args;
	(void)err;
	view_status(ctl, &s);
	*data = json_pack(
		"{s:s, s:i, s:o, s:{s:I, s:I}, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I}, "
		"s:{s:I, s:I, s:I, s:I}, s:{s:o, s:o}, s:{s:I, s:o}, s:{s:b, s:I, s:I, s:I, s:I}}",
		"version", TRUNKLINE_VERSION, "api", API_VERSION, "workers",
		workers_json(ctl, true), "ports", "total", (json_int_t)s.ports, "up",
		(json_int_t)s.ports_up, "customers", "total", (json_int_t)s.customers, "up",
		(json_int_t)s.customers_up, "sas", "in", (json_int_t)s.sas_in, "out",
		(json_int_t)s.sas_out, "max_pairs", (json_int_t)s.sas_max, "exhausted",
		(json_int_t)s.sas_exhausted, "calls", "total", (json_int_t)s.calls, "max",
		(json_int_t)s.calls_max, "hairpin", (json_int_t)s.calls_hairpin, "silent",
		(json_int_t)s.calls_silent, "traffic", "in", rate_json(&s.in), "out",
		rate_json(&s.out), "drops", "total", (json_int_t)s.drops, "reasons",
		drops_json(ctl, false), "memory", "hugepages", s.hugepages, "mb",
		(json_int_t)s.memory_mb, "mbufs", (json_int_t)s.mbufs, "mbufs_used",
		(json_int_t)s.mbufs_used, "heap_bytes", (json_int_t)s.heap_bytes);
	json_t *tunnels = json_pack("{s:I, s:I}", "total", (json_int_t)s.tunnels, "up",
				    (json_int_t)s.tunnels_up);
	if (s.worst != NULL) {
		json_t *worst = json_object();
		put_text(worst, "customer", s.worst);
		put_text(worst, "why", s.worst_why[0] != '\0' ? s.worst_why : NULL);
		put_age(worst, "for", s.worst_for);
		json_object_set_new(tunnels, "worst", worst);
	}
	json_object_set_new(*data, "tunnels", tunnels);
	put_text(*data, "pop", s.pop);
	put_text(*data, "crypto", s.crypto);
	put_text(*data, "dpdk", s.dpdk);
	put_real(*data, "uptime", s.uptime);
	put_int(*data, "routes", s.routes);
	put_bool(*data, "tracing", s.tracing);
	json_object_set_new(*data, "records", records_json(&s));
	put_real(json_object_get(*data, "drops"), "pps", s.drop_pps);
	json_t *calls = json_object_get(*data, "calls");
	put_int(calls, "one_way", s.calls_one_way);
	put_int(calls, "held", s.calls_held);
	put_int(calls, "ringing", s.calls_ringing);
	return 0;
}

static json_t *port_json(const struct view_port *p)
{
	json_t *o = json_object(), *addresses = json_array();

	for (unsigned i = 0; i < p->n_addresses && i < VIEW_ADDRESSES_MAX; i++) {
		char text[IP_PREFIX_STRLEN];
		json_array_append_new(addresses,
				      json_string(ip_prefix_str(&p->addresses[i], text)));
	}
	put_text(o, "name", p->name);
	put_text(o, "side", p->inside ? "inside" : "outside");
	put_bool(o, "up", p->up);
	json_object_set_new(o, "addresses", addresses);
	json_object_set_new(o, "rx", rate_json(&p->rx));
	json_object_set_new(o, "tx", rate_json(&p->tx));
	put_int(o, "rx_packets", p->rx_packets);
	put_int(o, "rx_bytes", p->rx_bytes);
	put_int(o, "tx_packets", p->tx_packets);
	put_int(o, "tx_bytes", p->tx_bytes);
	put_int(o, "rx_missed", p->rx_missed);
	put_int(o, "rx_errors", p->rx_errors);
	put_int(o, "tx_errors", p->tx_errors);
	put_int(o, "rx_nombuf", p->rx_nombuf);
	put_int(o, "kernel_in", p->kernel_in);
	put_int(o, "kernel_out", p->kernel_out);
	put_text(o, "device", p->device);
	put_mac(o, "mac", p->mac);
	put_int(o, "mtu", p->mtu);
	put_int(o, "vlan", p->vlan);
	put_int(o, "speed_mbps", p->speed_mbps);
	put_int(o, "rx_queues", p->rx_queues);
	put_int(o, "tx_queues", p->tx_queues);
	return o;
}

int cmd_show_ports(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct view_port *p;
	size_t n = view_ports(ctl, &p);
	json_t *list = json_array();

	(void)args;
	(void)err;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, port_json(&p[i]));
	free(p);
	*data = json_pack("{s:o}", "ports", list);
	return 0;
}

int cmd_show_workers(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	(void)args;
	(void)err;
	*data = json_pack("{s:o}", "workers", workers_json(ctl, false));
	return 0;
}

int cmd_show_stages(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct view_stage *s;
	size_t n = view_stages(ctl, api_arg_bool(args, "per_worker", false), &s);
	json_t *list = json_array();

	(void)err;
	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();
		put_text(o, "name", s[i].name);
		if (s[i].worker >= 0)
			put_int(o, "worker", (uint64_t)s[i].worker);
		put_real(o, "pps", s[i].pps);
		put_int(o, "packets", s[i].packets);
		put_int(o, "bursts", s[i].bursts);
		put_real(o, "packets_per_burst",
			 s[i].bursts == 0 ? 0 : (double)s[i].packets / (double)s[i].bursts);
		put_real(o, "cycles_per_packet", s[i].cycles_per_packet);
		put_text(o, "help", s[i].help);
		json_array_append_new(list, o);
	}
	free(s);
	*data = json_pack("{s:o}", "stages", list);
	return 0;
}

int cmd_show_drops(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	(void)err;
	*data = json_pack("{s:o}", "drops", drops_json(ctl, api_arg_bool(args, "all", false)));
	return 0;
}

int cmd_show_routes(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct ip_addr to;
	bool one = api_arg_addr(args, "to", &to);
	struct view_route *r;
	struct page page = page_of(args);
	size_t total = 0;
	size_t n = view_routes(ctl, one ? &to : NULL, page.end, &r, &total);
	json_t *list = json_array();

	(void)err;
	for (size_t i = page.first; i < n; i++) {
		json_t *o = json_object();
		put_prefix(o, "prefix", &r[i].prefix);
		put_text(o, "kind", r[i].kind);
		put_addr(o, "gateway", &r[i].gateway);
		put_text(o, "port", r[i].port);
		put_text(o, "customer", r[i].customer);
		if (r[i].has_mac)
			put_mac(o, "mac", r[i].mac);
		else
			put_text(o, "mac", NULL);
		put_int(o, "mtu", r[i].mtu);
		json_array_append_new(list, o);
	}
	free(r);
	*data = page_json(page, "routes", list, total);
	return 0;
}
