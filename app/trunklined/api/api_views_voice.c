// SPDX-License-Identifier: BSD-3-Clause
// Answers about customers: their tunnels and tiers.
#include "api_handlers.h"
#include "api_json.h"
#include "api_page.h"
#include "view.h"

#include <errno.h>
#include <stdlib.h>

static json_t *sa_json(const struct view_sa *s)
{
	json_t *o = json_object();

	put_text(o, "direction", s->out ? "out" : "in");
	put_spi(o, "spi", s->spi);
	put_spi(o, "pair", s->pair);
	put_text(o, "customer", s->customer);
	put_text(o, "suite", s->suite);
	put_endpoint(o, "local", &s->local);
	put_endpoint(o, "peer", &s->peer);
	put_bool(o, "encap", s->encap);
	put_bool(o, "esn", s->esn);
	put_int(o, "seq", s->seq);
	put_int(o, "packets", s->packets);
	put_int(o, "bytes", s->bytes);
	put_age(o, "age", s->age);
	put_age(o, "last", s->last);
	if (s->out) {
		put_bool(o, "exhausted", s->exhausted);
		put_int(o, "exhausted_packets", s->exhausted_packets);
	} else {
		put_int(o, "window", s->window);
		put_int(o, "replayed", s->replayed);
		put_int(o, "forged", s->forged);
		put_int(o, "refused", s->refused);
	}
	put_int(o, "worker", s->owner);
	put_prefix(o, "local_net", &s->local_net);
	put_int(o, "local_nets", s->n_local);
	put_prefix(o, "remote_net", &s->remote_net);
	put_int(o, "remote_nets", s->n_remote);
	return o;
}

int cmd_show_sas(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	const char *customer = api_arg_text(args, "customer");
	struct view_sa *s;
	struct page page = page_of(args);
	size_t total = 0;
	int r = api_customer_known(ctl, customer, err);

	if (r < 0)
		return r;
	size_t n = view_sas(ctl, customer, page.end, &s, &total);
	json_t *list = json_array();
	for (size_t i = page.first; i < n; i++)
		json_array_append_new(list, sa_json(&s[i]));
	free(s);
	*data = page_json(page, "sas", list, total);
	return 0;
}

static json_t *tier_json(const struct view_tier *t)
{
	json_t *o = json_object();

	put_real(o, "pps", t->rate.pps);
	put_int(o, "bps", (uint64_t)llround(t->rate.bps));
	put_int(o, "packets", t->packets);
	put_int(o, "bytes", t->bytes);
	put_int(o, "over_packets", t->over_packets);
	put_int(o, "over_bytes", t->over_bytes);
	put_real(o, "over_pps", t->over_pps);
	return o;
}

int cmd_show_customers(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct view_customer *c;
	size_t n = view_customers(ctl, &c);
	json_t *list = json_array();

	(void)args;
	(void)err;
	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();
		put_text(o, "name", c[i].name);
		put_int(o, "tier", c[i].tier);
		put_int(o, "worker", c[i].worker);
		put_addr(o, "gateway", &c[i].gateway);
		put_int(o, "sas", c[i].sas);
		put_int(o, "calls", c[i].calls);
		put_int(o, "domains", c[i].domains);
		json_object_set_new(o, "in", tier_json(&c[i].in));
		json_object_set_new(o, "out", tier_json(&c[i].out));
		put_age(o, "last", c[i].last);
		json_array_append_new(list, o);
	}
	free(c);
	*data = json_pack("{s:o}", "customers", list);
	return 0;
}
