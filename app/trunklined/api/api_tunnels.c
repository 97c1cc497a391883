// SPDX-License-Identifier: BSD-3-Clause
// Customers' tunnels: what they are like, up, down, new keys.
#include "api_handlers.h"
#include "api_json.h"
#include "api_later.h"
#include "api_page.h"
#include "ike/ike.h"
#include "view.h"

#include <errno.h>
#include <stdlib.h>

static json_t *direction_json(const struct view_tunnel_sa *s, bool out)
{
	if (s->spi == 0)
		return json_null();
	json_t *o = json_object();
	put_spi(o, "spi", s->spi);
	put_text(o, "suite", s->suite);
	put_int(o, "packets", s->packets);
	put_int(o, "bytes", s->bytes);
	put_age(o, "age", s->age);
	put_age(o, "last", s->last);
	put_age(o, "rekey", s->rekey);
	put_int(o, "seq", s->seq);
	put_bool(o, "esn", s->esn);
	if (!out) {
		put_int(o, "replayed", s->replayed);
		put_int(o, "forged", s->forged);
		put_int(o, "refused", s->refused);
	}
	return o;
}

static json_t *ike_json(const struct view_tunnel *t)
{
	if (!t->ike)
		return json_null();
	json_t *o = json_object();
	put_text(o, "state", t->state);
	put_age(o, "changed", t->changed);
	put_text(o, "start", t->initiates ? "initiate" : "respond");
	if (t->version != 0)
		put_int(o, "version", t->version);
	else
		put_text(o, "version", NULL);
	put_text(o, "suite", t->suite[0] != '\0' ? t->suite : NULL);
	put_text(o, "peer_id", t->peer_id[0] != '\0' ? t->peer_id : NULL);
	put_age(o, "age", t->age);
	put_age(o, "rekey", t->rekey);
	return o;
}

static json_t *rate_json(const struct view_rate *r)
{
	json_t *o = json_object();

	put_real(o, "pps", r->pps);
	put_int(o, "bps", (uint64_t)llround(r->bps));
	return o;
}

static json_t *tunnel_json(const struct view_tunnel *t)
{
	json_t *o = json_object(), *rate = json_object();

	put_text(o, "customer", t->customer);
	put_bool(o, "up", t->up);
	put_text(o, "why", t->why[0] != '\0' ? t->why : NULL);
	put_text(o, "keys", t->ike ? "ike" : "static");
	put_endpoint(o, "peer", &t->peer);
	put_endpoint(o, "local", &t->local);
	json_object_set_new(o, "ike", ike_json(t));
	json_object_set_new(o, "in", direction_json(&t->in, false));
	json_object_set_new(o, "out", direction_json(&t->out, true));
	put_int(o, "sas_in", t->sas_in);
	put_int(o, "sas_out", t->sas_out);
	put_int(o, "tier", t->tier);
	json_object_set_new(rate, "in", rate_json(&t->rate_in));
	json_object_set_new(rate, "out", rate_json(&t->rate_out));
	json_object_set_new(o, "rate", rate);
	put_int(o, "calls", t->calls);
	return o;
}

int cmd_show_tunnels(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	const char *customer = api_arg_text(args, "customer");
	struct page page = page_of(args);
	struct view_tunnel *t;
	size_t total = 0;

	if (customer != NULL && control_customer_index(ctl, customer) < 0)
		return err_set(err, -ENOENT,
			       "there is no customer %s; see trunkline show customers", customer);
	size_t n = view_tunnels(ctl, customer, page.end, &t, &total);
	json_t *list = json_array();
	for (size_t i = page.first; i < n; i++)
		json_array_append_new(list, tunnel_json(&t[i]));
	free(t);
	*data = page_json(page, "tunnels", list, total);
	return 0;
}

// What came of it is a line for a person, either way.
static json_t *said_json(const struct err *text)
{
	return json_pack("{s:s}", "said", text->text);
}

static void on_answer(void *arg, int rc, const struct err *text)
{
	api_later_answer(arg, rc, rc < 0 ? NULL : said_json(text), text);
}

static int order(struct control *ctl, enum ike_order what, json_t *args, json_t **data,
		 struct err *err)
{
	int rc = ike_tunnel_order(ctl, what, api_arg_text(args, "customer"), on_answer,
				  api_later_of_request(), err);

	if (rc == 0)
		*data = said_json(err);
	return rc;
}

int cmd_tunnel_up(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	return order(ctl, IKE_UP, args, data, err);
}

int cmd_tunnel_down(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	return order(ctl, IKE_TAKE_DOWN, args, data, err);
}

int cmd_tunnel_rekey(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	return order(ctl, IKE_REKEY, args, data, err);
}
