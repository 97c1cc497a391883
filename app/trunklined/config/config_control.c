// SPDX-License-Identifier: BSD-3-Clause
// Where signalling reaches us.
#include "config_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_loopback(const struct ip_addr *a)
{
	return ntohl(a->v4.s_addr) >> 24 == 127;
}

static int ng_build(struct config_build *b, const struct raw_control *raw)
{
	struct config *c = b->c;

	c->ng = calloc(raw->n_ng + 1, sizeof(*c->ng));
	if (c->ng == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->n_ng; i++) {
		const char *key = KEY("control.ng[%u]", i);
		struct ip_endpoint e;
		if (text_none(raw->ng[i]))
			continue;
		// Loopback is right here, as nowhere else.
		bool local = ip_endpoint_parse(raw->ng[i], &e) == 0 && e.addr.family == AF_INET &&
			     is_loopback(&e.addr);
		if (!local && !text_endpoint(&b->main, key, raw->ng[i], true, &e))
			continue;
		for (unsigned j = 0; j < c->n_ng; j++)
			if (c->ng[j].port == e.port && ip_addr_equal(&c->ng[j].addr, &e.addr))
				mistake(&b->main, key, "%s is there already; leave one out",
					SHOW(raw->ng[i]));
		c->ng[c->n_ng++] = e;
	}
	return 0;
}

static int ng_allow_build(struct config_build *b, const struct raw_control *raw)
{
	struct config *c = b->c;

	c->ng_allow = calloc(raw->n_ng_allow + 1, sizeof(*c->ng_allow));
	if (c->ng_allow == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->n_ng_allow; i++)
		if (!text_none(raw->ng_allow[i]) &&
		    text_network(&b->main, KEY("control.ng_allow[%u]", i), raw->ng_allow[i],
				 &c->ng_allow[c->n_ng_allow]))
			c->n_ng_allow++;
	if (raw->n_ng_allow > 0 && raw->n_ng == 0)
		mistake(&b->main, "control.ng_allow",
			"says who may use control.ng, which is missing; add it, or leave this out");
	if (raw->n_ng_allow > 0)
		return 0;
	for (unsigned i = 0; i < c->n_ng; i++) {
		if (is_loopback(&c->ng[i].addr))
			continue;
		mistake(&b->main, "control.ng",
			"%s is reachable from elsewhere; say who may use it: "
			"ng_allow: [network of the SIP proxies]",
			IP_STR(&c->ng[i].addr));
		return 0;
	}
	c->ng_allow[c->n_ng_allow++] = (struct ip_prefix){
		.addr = {.family = AF_INET, .v4.s_addr = htonl(0x7f000000)}, .len = 8};
	return 0;
}

static int socket_build(struct config_build *b, const char *key, char **raw, const char *dflt,
			char **out)
{
	if (*raw != NULL && **raw != '/' && !text_none(*raw))
		mistake(&b->main, key, "%s is relative; expected an absolute path", SHOW(*raw));
	*out = *raw != NULL ? text_take(raw) : strdup(dflt);
	return *out == NULL ? -ENOMEM : 0;
}

int config_build_ike_sockets(struct config_build *b)
{
	struct raw_ike *raw = b->raw->ike;
	if (raw == NULL)
		return 0;
	int ret = socket_build(b, "ike.feed", &raw->feed, FEED_SOCKET, &b->c->ike_feed);
	if (ret == 0)
		ret = socket_build(b, "ike.vici", &raw->vici, "/run/charon.vici", &b->c->ike_vici);
	if (ret == 0 && strcmp(b->c->ike_feed, b->c->ike_vici) == 0 && *b->c->ike_feed != '\0')
		mistake(&b->main, "ike.vici",
			"%s is ike.feed as well; the one is charon's socket, the other ours",
			SHOW(b->c->ike_vici));
	return ret;
}

static void path_build(struct config_build *b, const char *key, char **raw, char **out)
{
	if (*raw == NULL)
		return;
	if (**raw != '/' && !text_none(*raw))
		mistake(&b->main, key, "%s is relative; expected an absolute path", SHOW(*raw));
	*out = text_take(raw);
}

int config_build_records(struct config_build *b)
{
	struct raw_records *raw = b->raw->records;
	struct config *c = b->c;

	if (raw == NULL)
		return 0;
	path_build(b, "records.sqlite", &raw->sqlite, &c->records_sqlite);
	path_build(b, "records.json", &raw->json, &c->records_json);
	path_build(b, "records.live", &raw->live, &c->records_live);
	if (c->records_sqlite == NULL && c->records_json == NULL)
		mistake(&b->main, "records",
			"says neither sqlite nor json, so nothing would be recorded; add one, or "
			"leave records out");
	if (c->records_live == NULL && asprintf(&c->records_live, "%s/calls.live", c->run_dir) < 0)
		c->records_live = NULL;
	if (c->records_live == NULL)
		return -ENOMEM;
	if (c->records_sqlite != NULL && strcmp(c->records_sqlite, c->records_live) == 0)
		mistake(&b->main, "records.live",
			"%s is records.sqlite as well; calls in progress need a file of their own",
			SHOW(c->records_live));
	return 0;
}

int config_build_control(struct config_build *b)
{
	const struct raw_control *raw = b->raw->control;
	if (raw == NULL)
		return 0;
	int ret = ng_build(b, raw);
	return ret < 0 ? ret : ng_allow_build(b, raw);
}
