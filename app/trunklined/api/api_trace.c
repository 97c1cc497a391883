// SPDX-License-Identifier: BSD-3-Clause
// Packet traces in the API.
#include "api_handlers.h"
#include "api_json.h"
#include "api_page.h"
#include "view.h"

#include <stdio.h>
#include <stdlib.h>

#define TRACE_COUNT_DEFAULT 100

int cmd_trace_start(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct view_trace_filter f = {
		.count = (uint32_t)api_arg_uint(args, "count", TRACE_COUNT_DEFAULT),
		.customer = api_arg_text(args, "customer"),
		.call = api_arg_text(args, "call"),
	};
	int r = control_trace_start(ctl, &f, err);

	if (r < 0)
		return r;
	*data = json_object();
	put_int(*data, "count", f.count);
	return 0;
}

int cmd_trace_stop(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	(void)args;
	(void)data;
	return control_trace_stop(ctl, err);
}

static json_t *step_json(const struct view_trace_step *s)
{
	json_t *o = json_object();
	char hex[2 * 256 + 1] = "";
	unsigned n = s->head_len < 256 ? s->head_len : 256;

	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", s->head[i]);
	put_int(o, "packet", s->packet);
	put_int(o, "worker", s->worker);
	put_real(o, "ns", s->ns);
	put_text(o, "stage", s->stage);
	put_text(o, "drop", s->drop);
	put_int(o, "len", s->len);
	put_text(o, "head", hex);
	return o;
}

int cmd_trace_show(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct view_trace t = {0};
	uint64_t only = api_arg_uint(args, "packet", 0);
	struct page page = page_of(args);
	json_t *list = json_array();
	size_t n = 0;

	(void)err;
	view_trace(ctl, &t);
	for (size_t i = 0; i < t.n; i++) {
		if (only != 0 && t.step[i].packet != only)
			continue;
		if (n >= page.first && n < page.end)
			json_array_append_new(list, step_json(&t.step[i]));
		n++;
	}
	free(t.step);
	*data = page_json(page, "steps", list, n);
	put_bool(*data, "running", t.running);
	put_int(*data, "wanted", t.want);
	put_int(*data, "packets", t.packets);
	return 0;
}
