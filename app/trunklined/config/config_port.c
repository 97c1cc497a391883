// SPDX-License-Identifier: BSD-3-Clause
// Ports and media addresses.
#include "config_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Inside or outside: as given, or as the name says.
static bool side_build(struct config_build *b, const char *key, const struct raw_port *raw)
{
	if (raw->side != NULL)
		return *raw->side;
	if (strncmp(raw->name, "in", 2) == 0)
		return true;
	if (!text_none(raw->name) && strncmp(raw->name, "out", 3) != 0)
		mistake(&b->main, KEY("%s.side", key),
			"is missing, and the name %s does not say it; expected inside or outside",
			SHOW(raw->name));
	return false;
}

static void name_check(struct config_build *b, const char *key, unsigned i)
{
	const char *name = b->raw->ports[i].name;
	if (text_none(name) || !text_name(&b->main, key, name, 15))
		return;
	if (strcmp(name, "lo") == 0 || strcmp(name, "all") == 0 || strcmp(name, "default") == 0)
		mistake(&b->main, key, "%s has a meaning of its own in the kernel; choose another",
			name);
	for (unsigned j = 0; j < i; j++) {
		if (strcmp(b->c->ports[j].name, name) == 0) {
			mistake(&b->main, key, "%s is ports[%u]'s name already; choose another",
				name, j);
			return;
		}
	}
}

static void device_check(struct config_build *b, const char *key, unsigned i)
{
	const struct config_port *p = &b->c->ports[i];
	if (text_none(p->device) || !text_device(&b->main, KEY("%s.device", key), p->device))
		return;
	for (unsigned j = 0; j < i; j++) {
		const struct config_port *q = &b->c->ports[j];
		if (strcasecmp(p->device, q->device) != 0 || p->vlan != q->vlan)
			continue;
		if (p->vlan != 0)
			mistake(&b->main, KEY("%s.vlan", key),
				"VLAN %u of %s is port %s's already; choose another", p->vlan,
				SHOW(p->device), SHOW(q->name));
		else
			mistake(&b->main, KEY("%s.device", key),
				"%s is port %s's already; give each a vlan of its own, or another "
				"device",
				SHOW(p->device), SHOW(q->name));
		return;
	}
}

static bool address_is_port(const struct config *c, unsigned n_ports, const struct ip_addr *a,
			    const char **name)
{
	for (unsigned i = 0; i < n_ports; i++) {
		for (unsigned j = 0; j < c->ports[i].n_addresses; j++) {
			if (a->family != 0 && ip_addr_equal(&c->ports[i].addresses[j].addr, a)) {
				*name = c->ports[i].name;
				return true;
			}
		}
	}
	return false;
}

static int addresses_build(struct config_build *b, const char *key, unsigned i)
{
	const struct raw_port *raw = &b->raw->ports[i];
	struct config_port *p = &b->c->ports[i];
	const char *other;
	p->addresses = calloc(raw->n_addresses + 1, sizeof(*p->addresses));
	if (p->addresses == NULL)
		return -ENOMEM;
	for (unsigned j = 0; j < raw->n_addresses; j++, p->n_addresses++) {
		const char *at = KEY("%s.addresses[%u]", key, j), *text = raw->addresses[j];
		if (text_none(text) || !text_interface(&b->main, at, text, &p->addresses[j]))
			continue;
		if (address_is_port(b->c, i + 1, &p->addresses[j].addr, &other))
			mistake(&b->main, at, "%s is port %s's already; an address is given once",
				IP_STR(&p->addresses[j].addr), SHOW(other));
	}
	return 0;
}

static int port_build(struct config_build *b, unsigned i)
{
	struct raw_port *raw = &b->raw->ports[i];
	struct config_port *p = &b->c->ports[i];
	const char *key = KEY("ports[%u]", i);
	p->line = config_file_line(&b->main, key);
	p->inside = side_build(b, key, raw);
	p->vlan = (uint16_t)uint_or(raw->vlan, 0);
	p->mtu = (uint16_t)uint_or(raw->mtu, 1500);
	p->queues = (uint16_t)uint_or(raw->queues, 0);
	name_check(b, KEY("%s.name", key), i);
	p->name = text_take(&raw->name);
	p->device = text_take(&raw->device);
	device_check(b, key, i);
	return addresses_build(b, key, i);
}

int config_build_ports(struct config_build *b)
{
	struct config *c = b->c;
	unsigned n = b->raw->n_ports;
	c->ports = calloc(n + 1, sizeof(*c->ports));
	if (c->ports == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		c->n_ports = i + 1;
		int ret = port_build(b, i);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void on_build(struct config_build *b, const char *key, const char *on,
		     struct config_media *m)
{
	bool unsure = b->c->n_ports == 0;
	char names[256] = "";
	size_t n = 0;
	for (unsigned i = 0; i < b->c->n_ports; i++) {
		const char *name = b->c->ports[i].name;
		unsure |= text_none(name);
		if (strcmp(name, on) == 0) {
			m->port = i;
			return;
		}
		if (n < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
					      SHOW(name));
	}
	if (!unsure)
		mistake(&b->main, key, "there is no port %s; the ports are %s", SHOW(on), names);
}

static void media_address_check(struct config_build *b, const char *key, unsigned i)
{
	const struct config_media *m = &b->c->media[i];
	for (unsigned j = 0; j < i; j++) {
		if (b->c->media[j].address.family != 0 &&
		    ip_addr_equal(&b->c->media[j].address, &m->address)) {
			mistake(&b->main, KEY("%s.address", key),
				"%s is media[%u]'s already; give an address once, with one range "
				"of "
				"ports",
				IP_STR(&m->address), j);
			return;
		}
	}
	const char *port;
	if (m->port_lo <= 4500 && m->port_hi >= 4500 &&
	    address_is_port(b->c, b->c->n_ports, &m->address, &port))
		mistake(&b->main, KEY("%s.ports", key),
			"takes UDP 4500 of %s, which is port %s's, from IKE and ESP; begin above "
			"4500",
			IP_STR(&m->address), SHOW(port));
}

static void media_ports_build(struct config_build *b, const char *key, const char *text,
			      struct config_media *m)
{
	uint16_t lo, hi;
	if (text_none(text) || !text_port_range(&b->main, key, text, &lo, &hi))
		return;
	if (lo < 1024)
		mistake(&b->main, key,
			"%s begins below 1024, among other services' ports; begin above",
			SHOW(text));
	else if (lo % 2 != 0)
		mistake(&b->main, key,
			"%s begins with an odd port; RTP takes even ones, begin with %u",
			SHOW(text), lo + 1);
	else if (lo == hi)
		mistake(&b->main, key, "%s is one port; a call takes two, RTP and RTCP",
			SHOW(text));
	else {
		m->port_lo = lo;
		m->port_hi = hi;
	}
}

int config_build_media(struct config_build *b)
{
	struct config *c = b->c;
	unsigned total = 0;
	c->media = calloc(b->raw->n_media + 1, sizeof(*c->media));
	if (c->media == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < b->raw->n_media; i++) {
		const struct raw_media *raw = &b->raw->media[i];
		struct config_media *m = &c->media[i];
		const char *key = KEY("media[%u]", i);
		m->line = config_file_line(&b->main, key);
		media_ports_build(b, KEY("%s.ports", key), raw->ports, m);
		if (!text_none(raw->on))
			on_build(b, KEY("%s.on", key), raw->on, m);
		if (!text_none(raw->address) &&
		    text_address(&b->main, KEY("%s.address", key), raw->address, &m->address))
			media_address_check(b, key, i);
		c->n_media = i + 1;
	}
	for (unsigned i = 0; i < c->n_ports; i++)
		total += c->ports[i].n_addresses;
	if (total + c->n_media > CONFIG_ADDRESSES_MAX)
		mistake(&b->main, "ports", "have %u addresses with those of media; there can be %u",
			total + c->n_media, CONFIG_ADDRESSES_MAX);
	return 0;
}
