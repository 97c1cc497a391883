// SPDX-License-Identifier: BSD-3-Clause
// The control thread: start and stop in order, and the timers in between.
//
// Start: devices, TAPs, mirror, workers' memory, configuration, workers, API. Stop is the reverse,
// and each step is safe to run when its start did not happen.
#include "control.h"

#include "api/api_server.h"
#include "base/log.h"
#include "control_priv.h"
#include "ike/ike.h"
#include "media/media_priv.h"
#include "media/record.h"
#include "media/recorder.h"
#include "ng/ng.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PUMP_US 1000

// What workers want resolved, and the frames between them and the kernel.
static void on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct control *ctl = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < ctl->plane->n_ports; i++)
		tap_pump(ctl->tap[i]);
	for (unsigned i = 0; i < ctl->plane->n_workers; i++) {
		struct resolve_ring *r = &ctl->worker[i]->resolve;
		uint32_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
		for (; r->tail != head; __atomic_store_n(&r->tail, r->tail + 1, __ATOMIC_RELEASE))
			mirror_resolve(ctl->mirror, r->want[r->tail % RESOLVE_MAX].port,
				       r->want[r->tail % RESOLVE_MAX].ip);
	}
}

static void on_media(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	media_tick(arg, rte_rdtsc());
	calls_record_refresh(arg);
}

static void rates_take(struct control *ctl, struct rates *r)
{
	const struct plane *p = ctl->plane;

	memset(r, 0, sizeof(*r));
	r->tsc = rte_rdtsc();
	for (unsigned i = 0; i < p->n_workers; i++) {
		const struct worker *w = ctl->worker[i];
		r->busy[i] = w->busy_cycles;
		for (unsigned d = 0; d < DROP_COUNT; d++)
			r->drops[d] += w->drops[d];
		for (unsigned j = 0; j < p->n_ports; j++) {
			r->rx_packets[j] += w->rx_packets[j];
			r->rx_bytes[j] += w->rx_bytes[j];
			r->tx_packets[j] += w->tx_packets[j];
			r->tx_bytes[j] += w->tx_bytes[j];
		}
		for (unsigned s = 0; s < STAGE_COUNT; s++)
			r->stage_packets[i][s] = w->stage[s].packets;
		r->worker_packets[i] = w->stage[STAGE_rx].packets;
		r->handed_over[i] = w->handed_over;
		r->taken_over[i] = w->taken_over;
	}
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++) {
		const struct customer *c = ctl->customer[i].plane;
		if (c == NULL)
			continue;
		r->customer_in[i] =
			(struct flow_count){c->in.packets, c->in.bytes, c->in.over_packets};
		r->customer_out[i] =
			(struct flow_count){c->out.packets, c->out.bytes, c->out.over_packets};
	}
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct control *ctl = arg;

	(void)fd;
	(void)what;
	ctl->before = ctl->now;
	rates_take(ctl, &ctl->now);
	punt_peers_publish(ctl);
	mtu_second(ctl);
}

static void on_link(void *arg, unsigned port, bool up)
{
	struct control *ctl = arg;

	if (ctl->tap[port] != NULL)
		tap_carrier(ctl->tap[port], up);
}

// An address that the operator gives a TAP is ours from then on.
static void on_local(void *arg, uint32_t ip, unsigned port, bool present)
{
	struct control *ctl = arg;

	(void)port;
	local_set(ctl->plane, ip, LOCAL_KERNEL, 0, present);
}

static int timer_add(struct control *ctl, struct event **ev, event_callback_fn fn, long us)
{
	struct timeval tv = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};

	*ev = event_new(ctl->base, -1, EV_PERSIST, fn, ctl);
	return *ev == NULL || event_add(*ev, &tv) < 0 ? -ENOMEM : 0;
}

static int taps_open(struct control *ctl, int *ifindex, struct err *err)
{
	const struct config *cfg = ctl->config;

	for (unsigned i = 0; i < cfg->n_ports; i++) {
		struct ip_addr media[MEDIA_MAX];
		unsigned n = 0;
		for (unsigned j = 0; j < cfg->n_media; j++)
			if (cfg->media[j].port == i)
				media[n++] = cfg->media[j].address;
		struct tap_params params = {
			.plane = ctl->plane,
			.port = i,
			.pool = devices_pool(ctl->devices, SOCKET_ID_ANY),
			.base = ctl->base,
			.addresses = cfg->ports[i].addresses,
			.n_addresses = cfg->ports[i].n_addresses,
			.media = media,
			.n_media = n,
		};
		int rc = tap_open(&ctl->tap[i], &params, err);
		if (rc < 0)
			return rc;
		ifindex[i] = ctl->tap[i]->ifindex;
		if (cfg->ports[i].n_addresses > 0)
			ctl->plane->port[i].ip = cfg->ports[i].addresses[0].addr.v4.s_addr;
	}
	return 0;
}

static int mirror_start(struct control *ctl, const int *ifindex, struct err *err)
{
	struct mirror_params params = {
		.plane = ctl->plane,
		.defer = ctl->defer,
		.base = ctl->base,
		.ifindex = ifindex,
		.local_changed = on_local,
		.ctx = ctl,
	};

	return mirror_open(&ctl->mirror, &params, err);
}

static int call_records_open(struct control *ctl, struct err *err)
{
	const struct records_params p = {
		.sqlite = ctl->config->records_sqlite,
		.json = ctl->config->records_json,
		.live = ctl->config->records_live,
		.calls_max = ctl->config->max_calls,
	};

	return records_open(&ctl->records, &p, err);
}

static int steps(struct control *ctl, struct err *err)
{
	const struct config *cfg = ctl->config;
	int ifindex[PORTS_MAX];
	int rc;

	if ((rc = plane_open(ctl, err)) < 0 ||
	    (rc = defer_open(&ctl->defer, ctl->plane->qsbr, ctl->base, err)) < 0 ||
	    (rc = devices_open(&ctl->devices, ctl->plane, cfg, ctl->base, err)) < 0 ||
	    (rc = taps_open(ctl, ifindex, err)) < 0 || (rc = mirror_start(ctl, ifindex, err)) < 0 ||
	    (rc = workers_open(ctl, err)) < 0 ||
	    (cfg->recordings != NULL &&
	     (rc = recorder_open(ctl, cfg->recordings, &ctl->recorder, err)) < 0) ||
	    (rc = media_engine_open(ctl, err)) < 0 || (rc = call_records_open(ctl, err)) < 0 ||
	    (rc = calls_open(ctl, err)) < 0 || (rc = config_apply(ctl, ctl->config, err)) < 0 ||
	    (rc = workers_launch(ctl, err)) < 0)
		return rc;
	punt_peers_publish(ctl);
	devices_on_link(ctl->devices, on_link, ctl);
	rates_take(ctl, &ctl->now);
	ctl->before = ctl->now;
	if (timer_add(ctl, &ctl->pump, on_pump, PUMP_US) < 0 ||
	    timer_add(ctl, &ctl->second, on_second, 1000000) < 0 ||
	    timer_add(ctl, &ctl->media_timer, on_media, MEDIA_TICK_MS * 1000) < 0)
		return err_set(err, -ENOMEM, "no memory for timers");
	if (cfg->ike_feed != NULL && (rc = ike_feed_open(ctl, cfg->ike_feed, &ctl->ike, err)) < 0)
		return rc;
	if (cfg->ike_vici != NULL && (rc = ike_vici_open(ctl, cfg->ike_vici, &ctl->vici, err)) < 0)
		return rc;
	if ((rc = mtu_open(ctl, err)) < 0 || (rc = ng_server_start(ctl, &ctl->ng, err)) < 0)
		return rc;
	return api_server_start(ctl->base, cfg->api_socket, cfg->api_group, ctl, &ctl->api, err);
}

int control_start(struct control **out, struct config *cfg, const char *path,
		  struct event_base *base, struct err *err)
{
	struct control *ctl = calloc(1, sizeof(*ctl));

	if (ctl == NULL)
		return err_set(err, -ENOMEM, "no memory");
	ctl->base = base;
	ctl->config = cfg;
	ctl->started = time(NULL);
	TAILQ_INIT(&ctl->sas);
	TAILQ_INIT(&ctl->calls);
	if ((ctl->config_path = strdup(path)) == NULL || (ctl->crypto = crypto_new()) == NULL) {
		control_stop(ctl);
		return err_set(err, -ENOTSUP, "no memory, or this CPU has no AES instructions");
	}
	if (mkdir(cfg->run_dir, 0755) < 0 && errno != EEXIST) {
		int rc = err_set(err, -errno, "%s: %s; run_dir must be a directory we can make",
				 cfg->run_dir, strerror(errno));
		control_stop(ctl);
		return rc;
	}
	int rc = steps(ctl, err);
	if (rc < 0) {
		control_stop(ctl);
		return rc;
	}
	*out = ctl;
	return 0;
}

static void event_drop(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

void control_stop(struct control *ctl)
{
	api_server_stop(ctl->api);
	ng_server_stop(ctl->ng);
	event_drop(ctl->pump);
	event_drop(ctl->second);
	mtu_close(ctl);
	ike_vici_close(ctl->vici);
	event_drop(ctl->media_timer);
	workers_stop(ctl);
	if (ctl->defer != NULL) {
		calls_close(ctl);
		media_engine_close(ctl);
	}
	ike_feed_close(ctl->ike);
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++) {
		struct sa_pair *pair;
		if (ctl->customer[i].plane == NULL)
			continue;
		while ((pair = TAILQ_FIRST(&ctl->customer[i].sas)) != NULL)
			sa_remove(ctl, pair);
		customer_remove(ctl, (uint16_t)i);
	}
	records_close(ctl->records); // the calls have ended
	recorder_close(ctl->recorder);
	workers_close(ctl);
	mirror_close(ctl->mirror);
	defer_close(ctl->defer);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (ctl->tap[i] != NULL)
			tap_close(ctl->tap[i]);
	if (ctl->devices != NULL)
		devices_close(ctl->devices);
	plane_close(ctl);
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		free(ctl->trace[i]);
	crypto_free(ctl->crypto);
	config_free(ctl->config);
	free(ctl->config_path);
	free(ctl);
}

int control_sa_check(struct control *ctl, const char *customer, const struct config_sa *sa,
		     struct err *err)
{
	uint16_t id = customer_find(ctl, customer);

	if (memcmp(sa->material_in, sa->material_out, suite_material_len(&suites[sa->suite])) == 0)
		return err_set(
			err, -EINVAL,
			"key_out is the same as key_in; each direction needs a key of its own");
	int rc = control_peer_check(ctl->config, &sa->peer.addr, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; id != 0 && i < sa->n_remote; i++) {
		char text[IP_PREFIX_STRLEN];
		if (!config_in_domain(ctl->customer[id].config, &sa->remote_nets[i]))
			return err_set(
				err, -EINVAL,
				"remote_net: %s is outside the domain of customer %s; add it "
				"there, or leave it out",
				ip_prefix_str(&sa->remote_nets[i], text), customer);
	}
	return 0;
}

int control_call_del(struct control *ctl, const char *id, struct err *err)
{
	int rc = call_end(ctl, id, "delete", err);

	return rc == -ENOENT && ng_call_stop(ctl->ng, id) ? 0 : rc;
}
