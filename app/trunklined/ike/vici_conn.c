// SPDX-License-Identifier: BSD-3-Clause
// What charon is told of a customer: its connection and its secret.
//
// A connection has the customer's name, and one child, except with IKEv1, where an SA has one network on each side
// (RFC 2409 section 5.5): then one child a pair. charon starts nothing by itself, so that loading a
// connection anew never ends a tunnel: bringing tunnels up is vici.c's.
#include "vici_priv.h"

#include <errno.h>
#include <string.h>

static void list(struct vici_out *o, const char *name, char *const *texts, unsigned n)
{
	vici_list(o, name);
	for (unsigned i = 0; i < n; i++)
		vici_item(o, texts[i]);
	vici_list_end(o);
}

static void addresses(struct vici_out *o, const char *name, const struct ip_addr *a)
{
	char text[IP_ADDR_STRLEN] = "%any";

	vici_list(o, name);
	vici_item(o, a->family != 0 ? ip_addr_str(a, text) : text);
	vici_list_end(o);
}

static void networks(struct vici_out *o, const char *name, const struct ip_prefix *nets, unsigned n)
{
	char text[IP_PREFIX_STRLEN];

	vici_list(o, name);
	for (unsigned i = 0; i < n; i++)
		vici_item(o, ip_prefix_str(&nets[i], text));
	vici_list_end(o);
}

static void end(struct vici_out *o, const char *name, const char *id)
{
	vici_section(o, name);
	vici_text(o, "auth", "psk");
	vici_text(o, "id", id);
	vici_section_end(o);
}

struct nets {
	const struct ip_prefix *local, *remote;
	unsigned n_local, n_remote;
};

static void child(struct vici_out *o, const char *name, const struct config_ike *ike,
		  const struct nets *nets)
{
	vici_section(o, name);
	vici_text(o, "mode", "tunnel");
	list(o, "esp_proposals", ike->esp, ike->n_esp);
	networks(o, "local_ts", nets->local, nets->n_local);
	networks(o, "remote_ts", nets->remote, nets->n_remote);
	vici_uint(o, "rekey_time", ike->child_rekey);
	vici_text(o, "start_action", "none");
	vici_text(o, "close_action", ike->initiate ? "start" : "none");
	vici_text(o, "dpd_action", ike->initiate ? "restart" : "clear");
	vici_uint(o, "replay_window", ike->window);
	vici_section_end(o);
}

// "net", then "net-2" and so on.
const char *vici_child_name(unsigned i, char buf[static VICI_CHILD_LEN])
{
	if (i == 0)
		snprintf(buf, VICI_CHILD_LEN, "net");
	else
		snprintf(buf, VICI_CHILD_LEN, "net-%u", i + 1);
	return buf;
}

unsigned vici_children(const struct config_ike *ike)
{
	return ike->version == 1 ? ike->n_local * ike->n_remote : 1;
}

static void children(struct vici_out *o, const struct config_ike *ike)
{
	char name[VICI_CHILD_LEN];

	vici_section(o, "children");
	for (unsigned i = 0; i < vici_children(ike); i++) {
		struct nets nets = {ike->local_nets, ike->remote_nets, ike->n_local, ike->n_remote};
		if (ike->version == 1)
			nets = (struct nets){&ike->local_nets[i / ike->n_remote],
					     &ike->remote_nets[i % ike->n_remote], 1, 1};
		child(o, vici_child_name(i, name), ike, &nets);
	}
	vici_section_end(o);
}

int vici_conn_pack(const struct config_customer *cc, uint8_t *buf, size_t size)
{
	const struct config_ike *ike = cc->ike;
	struct vici_out o;

	vici_begin(&o, buf, size, VICI_REQUEST, "load-conn");
	vici_section(&o, cc->name);
	vici_uint(&o, "version", ike->version);
	addresses(&o, "local_addrs", &ike->local);
	addresses(&o, "remote_addrs", &cc->gateway);
	list(&o, "proposals", ike->proposals, ike->n_proposals);
	vici_uint(&o, "rekey_time", ike->rekey);
	vici_uint(&o, "reauth_time", 0);
	vici_uint(&o, "dpd_delay", ike->dpd_delay);
	if (ike->dpd_timeout != 0)
		vici_uint(&o, "dpd_timeout", ike->dpd_timeout);
	vici_bool(&o, "mobike", ike->mobike);
	vici_bool(&o, "encap", ike->encap);
	vici_text(&o, "unique", "replace");
	vici_uint(&o, "keyingtries", ike->initiate ? 0 : 1);
	vici_text(&o, "send_certreq", "no");
	vici_uint(&o, "if_id_in", ike_number(cc->name));
	vici_uint(&o, "if_id_out", ike_number(cc->name));
	end(&o, "local", ike->local_id);
	end(&o, "remote", ike->remote_id);
	children(&o, ike);
	vici_section_end(&o);
	return vici_end(&o);
}

void vici_psk_id(const char *customer, char buf[static VICI_PSK_ID_LEN])
{
	snprintf(buf, VICI_PSK_ID_LEN, VICI_PSK_PREFIX "%.63s", customer);
}

int vici_psk_pack(const struct config_customer *cc, uint8_t *buf, size_t size)
{
	const struct config_ike *ike = cc->ike;
	char id[VICI_PSK_ID_LEN], gateway[IP_ADDR_STRLEN];
	struct vici_out o;

	vici_psk_id(cc->name, id);
	vici_begin(&o, buf, size, VICI_REQUEST, "load-shared");
	vici_text(&o, "id", id);
	vici_text(&o, "type", "IKE");
	vici_value(&o, "data", ike->psk, ike->psk_len);
	vici_list(&o, "owners");
	vici_item(&o, ike->remote_id);
	// IKEv1's main mode looks for the key by the peer's address.
	if (ike->version != 2 && cc->gateway.family != 0)
		vici_item(&o, ip_addr_str(&cc->gateway, gateway));
	vici_list_end(&o);
	return vici_end(&o);
}

int vici_named_pack(const char *command, const char *key, const char *value, uint8_t *buf,
		    size_t size)
{
	struct vici_out o;

	vici_begin(&o, buf, size, VICI_REQUEST, command);
	if (key != NULL)
		vici_text(&o, key, value);
	return vici_end(&o);
}
