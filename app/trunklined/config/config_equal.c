// SPDX-License-Identifier: BSD-3-Clause
// What a reload has to change.
#include "config.h"

#include <stdlib.h>
#include <string.h>

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
	return ip_addr_equal(&a->addr, &b->addr) && a->port == b->port;
}

static bool endpoints_equal(const struct ip_endpoint *a, unsigned na, const struct ip_endpoint *b,
			    unsigned nb)
{
	if (na != nb)
		return false;
	for (unsigned i = 0; i < na; i++)
		if (!endpoint_equal(&a[i], &b[i]))
			return false;
	return true;
}

static bool prefixes_equal(const struct ip_prefix *a, unsigned na, const struct ip_prefix *b,
			   unsigned nb)
{
	if (na != nb)
		return false;
	for (unsigned i = 0; i < na; i++) {
		if (a[i].len != b[i].len || !ip_addr_equal(&a[i].addr, &b[i].addr))
			return false;
	}
	return true;
}

static bool secret_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t d = 0;
	for (size_t i = 0; i < len; i++)
		d = (uint8_t)(d | (a[i] ^ b[i]));
	return d == 0;
}

bool config_sa_equal(const struct config_sa *a, const struct config_sa *b)
{
	return a->suite == b->suite && a->spi_in == b->spi_in && a->spi_out == b->spi_out &&
	       a->encap == b->encap && a->esn == b->esn && a->ecn == b->ecn && a->dscp == b->dscp &&
	       a->df == b->df && a->window == b->window && a->tfc_pad == b->tfc_pad &&
	       a->proto == b->proto && a->port_lo == b->port_lo && a->port_hi == b->port_hi &&
	       endpoint_equal(&a->local, &b->local) && endpoint_equal(&a->peer, &b->peer) &&
	       prefixes_equal(a->local_nets, a->n_local, b->local_nets, b->n_local) &&
	       prefixes_equal(a->remote_nets, a->n_remote, b->remote_nets, b->n_remote) &&
	       secret_equal(a->material_in, b->material_in, sizeof(a->material_in)) &&
	       secret_equal(a->material_out, b->material_out, sizeof(a->material_out));
}

static bool texts_equal(char **a, unsigned na, char **b, unsigned nb)
{
	if (na != nb)
		return false;
	for (unsigned i = 0; i < na; i++)
		if (!text_equal(a[i], b[i]))
			return false;
	return true;
}

bool config_ike_equal(const struct config_ike *a, const struct config_ike *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->version == b->version && a->psk_len == b->psk_len &&
	       secret_equal(a->psk, b->psk, a->psk_len) && ip_addr_equal(&a->local, &b->local) &&
	       text_equal(a->local_id, b->local_id) && text_equal(a->remote_id, b->remote_id) &&
	       a->initiate == b->initiate && a->mobike == b->mobike && a->encap == b->encap &&
	       texts_equal(a->proposals, a->n_proposals, b->proposals, b->n_proposals) &&
	       texts_equal(a->esp, a->n_esp, b->esp, b->n_esp) && a->rekey == b->rekey &&
	       a->child_rekey == b->child_rekey && a->dpd_delay == b->dpd_delay &&
	       a->dpd_timeout == b->dpd_timeout && a->window == b->window &&
	       prefixes_equal(a->local_nets, a->n_local, b->local_nets, b->n_local) &&
	       prefixes_equal(a->remote_nets, a->n_remote, b->remote_nets, b->n_remote);
}

bool config_domain_equal(const struct config_customer *a, const struct config_customer *b)
{
	return prefixes_equal(a->domain, a->n_domain, b->domain, b->n_domain);
}

bool config_customer_equal(const struct config_customer *a, const struct config_customer *b)
{
	if (!text_equal(a->name, b->name) || a->rate != b->rate || a->burst_ms != b->burst_ms ||
	    a->worker != b->worker || !ip_addr_equal(&a->gateway, &b->gateway) ||
	    !config_domain_equal(a, b) || a->n_allow != b->n_allow ||
	    !config_ike_equal(a->ike, b->ike))
		return false;
	for (unsigned i = 0; i < a->n_allow; i++) {
		const struct config_allow *x = &a->allow[i], *y = &b->allow[i];
		if (!prefixes_equal(&x->net, 1, &y->net, 1) || x->proto != y->proto ||
		    x->port_lo != y->port_lo || x->port_hi != y->port_hi)
			return false;
	}
	return true;
}

static const char *customer_name(const struct config *c, int customer)
{
	return customer < 0 ? NULL : c->customers[customer].name;
}

static bool leg_equal(const struct config *ca, const struct config_leg *a, const struct config *cb,
		      const struct config_leg *b)
{
	return ip_addr_equal(&a->media, &b->media) && a->port == b->port &&
	       endpoint_equal(&a->remote, &b->remote) && a->latch == b->latch && a->mux == b->mux &&
	       a->dscp == b->dscp &&
	       text_equal(customer_name(ca, a->customer), customer_name(cb, b->customer));
}

bool config_call_equal(const struct config *ca, const struct config_call *a,
		       const struct config *cb, const struct config_call *b)
{
	return text_equal(a->id, b->id) && a->clock_rate == b->clock_rate &&
	       a->timeout == b->timeout && leg_equal(ca, &a->leg[0], cb, &b->leg[0]) &&
	       leg_equal(ca, &a->leg[1], cb, &b->leg[1]);
}

// The first key of a port that differs, or NULL.
static const char *port_change(const struct config_port *a, const struct config_port *b)
{
	if (!text_equal(a->name, b->name))
		return "name";
	if (!text_equal(a->device, b->device))
		return "device";
	if (a->inside != b->inside)
		return "side";
	if (a->vlan != b->vlan)
		return "vlan";
	if (a->mtu != b->mtu)
		return "mtu";
	if (a->queues != b->queues)
		return "queues";
	return prefixes_equal(a->addresses, a->n_addresses, b->addresses, b->n_addresses)
		       ? NULL
		       : "addresses";
}

static const char *media_change(const struct config_media *a, const struct config_media *b)
{
	if (!ip_addr_equal(&a->address, &b->address))
		return "address";
	if (a->port_lo != b->port_lo || a->port_hi != b->port_hi)
		return "ports";
	return a->port == b->port ? NULL : "on";
}

const char *config_static_change(const struct config *old, const struct config *new)
{
	static char text[64];
	const struct {
		const char *key;
		bool same;
	} settings[] = {
		{"workers",
		 old->n_workers ==
			 new->n_workers &&memcmp(old->workers, new->workers,
						 old->n_workers * sizeof(*old->workers)) == 0},
		{"control_cpu", old->control_cpu == new->control_cpu},
		{"idle", old->idle == new->idle},
		{"memory.hugepages", old->hugepages == new->hugepages},
		{"memory.megabytes", old->memory_mb == new->memory_mb},
		{"memory.mbufs", old->mbufs == new->mbufs},
		{"limits.calls", old->max_calls == new->max_calls},
		{"limits.sas", old->max_sas == new->max_sas},
		{"limits.customers", old->max_customers == new->max_customers},
		{"limits.punt_rate", old->punt_rate == new->punt_rate},
		{"limits.punt_source_rate", old->punt_source_rate == new->punt_source_rate},
		{"limits.port_quarantine", old->port_quarantine == new->port_quarantine},
		{"recordings", text_equal(old->recordings, new->recordings)},
		{"records.sqlite", text_equal(old->records_sqlite, new->records_sqlite)},
		{"records.json", text_equal(old->records_json, new->records_json)},
		{"records.live", text_equal(old->records_live, new->records_live)},
		{"ike.feed", text_equal(old->ike_feed, new->ike_feed)},
		{"ike.vici", text_equal(old->ike_vici, new->ike_vici)},
		{"run_dir", text_equal(old->run_dir, new->run_dir)},
		{"api.socket", text_equal(old->api_socket, new->api_socket)},
		{"api.group", text_equal(old->api_group, new->api_group)},
		{"control.ng", endpoints_equal(old->ng, old->n_ng, new->ng, new->n_ng)},
		{"ports", old->n_ports == new->n_ports},
		{"media", old->n_media == new->n_media},
	};
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (!settings[i].same)
			return settings[i].key;
	}
	for (unsigned i = 0; i < old->n_ports; i++) {
		const char *key = port_change(&old->ports[i], &new->ports[i]);
		if (key != NULL) {
			snprintf(text, sizeof(text), "ports[%u].%s", i, key);
			return text;
		}
	}
	for (unsigned i = 0; i < old->n_media; i++) {
		const char *key = media_change(&old->media[i], &new->media[i]);
		if (key != NULL) {
			snprintf(text, sizeof(text), "media[%u].%s", i, key);
			return text;
		}
	}
	return NULL;
}
