// SPDX-License-Identifier: BSD-3-Clause
// Commands that change something.
#include "api_handlers.h"

#include "api/api.h"
#include "api_json.h"
#include "base/log.h"
#include "control.h"
#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cmd_ping(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	(void)ctl;
	(void)args;
	(void)err;
	*data = json_pack("{s:s, s:i}", "version", TRUNKLINE_VERSION, "api", API_VERSION);
	return 0;
}

// ---- SAs ----

static int material_read(json_t *args, const char *name, enum suite_id suite, uint8_t *out,
			 size_t max, struct err *err)
{
	const struct suite *s = &suites[suite];
	size_t want = suite_material_len(s);
	int n = api_hex_parse(api_arg_text(args, name), out, max);

	if (n >= 0 && (size_t)n == want)
		return 0;
	if (n < 0)
		n = 0;
	return err_set(err, -EINVAL,
		       "%s: %d bytes; %s takes %zu: cipher key %u, salt %u, authentication key %u",
		       name, n, s->name, want, s->key_len, s->salt_len, s->auth_len);
}

// One prefix or a list of them.
static int prefixes_read(json_t *args, const char *name, unsigned *n, struct ip_prefix **out,
			 struct err *err)
{
	json_t *v = json_object_get(args, name);
	size_t count = json_is_array(v) ? json_array_size(v) : v != NULL ? 1 : 0;

	if (count == 0)
		return 0;
	*out = calloc(count, sizeof(**out));
	if (*out == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		json_t *one = json_is_array(v) ? json_array_get(v, i) : v;
		if (ip_prefix_parse(json_string_value(one), &(*out)[i]) < 0)
			return err_set(err, -EINVAL, "%s: not an IP prefix", name);
	}
	*n = (unsigned)count;
	return 0;
}

static void selectors_read(json_t *args, struct config_sa *sa)
{
	const char *proto = api_arg_text(args, "proto");

	api_arg_range(args, "ports", &sa->port_lo, &sa->port_hi);
	if (proto == NULL || strcmp(proto, "any") == 0)
		sa->proto = IPPROTO_IP;
	else if (strcmp(proto, "udp") == 0)
		sa->proto = IPPROTO_UDP;
	else if (strcmp(proto, "tcp") == 0)
		sa->proto = IPPROTO_TCP;
	else if (strcmp(proto, "sctp") == 0)
		sa->proto = IPPROTO_SCTP;
	else
		sa->proto = IPPROTO_ICMP;
}

static int endpoints_read(json_t *args, struct config_sa *sa, struct err *err)
{
	api_arg_endpoint(args, "local", &sa->local);
	api_arg_endpoint(args, "peer", &sa->peer);
	if (!sa->encap && (sa->local.port != 0 || sa->peer.port != 0))
		return err_set(err, -EINVAL,
			       "local, peer: a port without encap; add encap, or leave "
			       "the port out");
	if (sa->encap && sa->local.port == 0)
		sa->local.port = 4500;
	if (sa->encap && sa->peer.port == 0)
		sa->peer.port = 4500;
	return 0;
}

static int sa_read(json_t *args, struct config_sa *sa, struct err *err)
{
	const char *df = api_arg_text(args, "df");
	int suite = suite_by_name(api_arg_text(args, "suite"));

	if (suite < 0)
		return err_set(err, suite, "suite: not known");
	sa->suite = (enum suite_id)suite;
	sa->spi_in = api_arg_spi(args, "spi_in");
	sa->spi_out = api_arg_spi(args, "spi_out");
	sa->encap = api_arg_bool(args, "encap", false);
	sa->esn = api_arg_bool(args, "esn", false);
	sa->dscp = api_arg_bool(args, "dscp", true);
	sa->ecn = api_arg_bool(args, "ecn", true);
	sa->df = df == NULL || strcmp(df, "copy") == 0 ? DF_COPY
		 : strcmp(df, "set") == 0              ? DF_SET
						       : DF_CLEAR;
	sa->window = (uint16_t)api_arg_uint(args, "window", 1024);
	sa->tfc_pad = (uint16_t)api_arg_uint(args, "tfc_pad", 0);
	if ((sa->window & (sa->window - 1)) != 0)
		return err_set(err, -EINVAL, "window: %u is no power of two; like 1024",
			       sa->window);
	selectors_read(args, sa);
	if ((sa->proto == IPPROTO_IP || sa->proto == IPPROTO_ICMP) &&
	    api_arg_text(args, "ports") != NULL)
		return err_set(err, -EINVAL, "ports: only with proto udp, tcp or sctp");
	int r = endpoints_read(args, sa, err);
	if (r == 0)
		r = material_read(args, "key_in", sa->suite, sa->material_in,
				  sizeof(sa->material_in), err);
	if (r == 0)
		r = material_read(args, "key_out", sa->suite, sa->material_out,
				  sizeof(sa->material_out), err);
	if (r == 0)
		r = prefixes_read(args, "local_net", &sa->n_local, &sa->local_nets, err);
	if (r == 0)
		r = prefixes_read(args, "remote_net", &sa->n_remote, &sa->remote_nets, err);
	return r;
}

int cmd_sa_add(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct config_sa sa = {0};
	int r = sa_read(args, &sa, err);

	if (r == 0)
		r = control_sa_check(ctl, api_arg_text(args, "customer"), &sa, err);
	if (r == 0)
		r = control_sa_add(ctl, api_arg_text(args, "customer"), &sa, err);
	explicit_bzero(sa.material_in, sizeof(sa.material_in));
	explicit_bzero(sa.material_out, sizeof(sa.material_out));
	free(sa.local_nets);
	free(sa.remote_nets);
	if (r < 0)
		return r;
	*data = json_object();
	put_text(*data, "customer", api_arg_text(args, "customer"));
	put_spi(*data, "spi_in", sa.spi_in);
	put_spi(*data, "spi_out", sa.spi_out);
	put_endpoint(*data, "local", &sa.local);
	put_endpoint(*data, "peer", &sa.peer);
	return 0;
}

int cmd_sa_del(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	uint32_t spi = api_arg_spi(args, "spi");
	int r = control_sa_del(ctl, spi, err);

	if (r < 0)
		return r;
	*data = json_object();
	put_spi(*data, "spi_in", spi);
	return 0;
}

// ---- calls ----

// name is "media", "port", ...; side is 'a' or 'b'.
static const char *leg_arg(char side, const char *name)
{
	static char buf[16];

	buf[0] = side;
	buf[1] = '_';
	strncpy(buf + 2, name, sizeof(buf) - 3);
	return buf;
}

static int leg_read(struct control *ctl, json_t *args, char side, struct config_leg *leg,
		    struct err *err)
{
	api_arg_addr(args, leg_arg(side, "media"), &leg->media);
	leg->port = (uint16_t)api_arg_uint(args, leg_arg(side, "port"), 0);
	if (leg->port & 1)
		return err_set(err, -EINVAL, "%s: %u is odd; an RTP port is even",
			       leg_arg(side, "port"), leg->port);
	if (api_arg_endpoint(args, leg_arg(side, "remote"), &leg->remote) && leg->remote.port == 0)
		return err_set(err, -EINVAL, "%s: needs a port; like 192.0.2.17:14004",
			       leg_arg(side, "remote"));
	leg->latch = api_arg_bool(args, leg_arg(side, "latch"), leg->remote.addr.family == 0);
	leg->mux = api_arg_bool(args, leg_arg(side, "mux"), false);
	leg->dscp = -1;
	if (json_object_get(args, leg_arg(side, "dscp")) != NULL)
		leg->dscp = (int)api_arg_uint(args, leg_arg(side, "dscp"), 0);
	leg->customer = -1;
	const char *customer = api_arg_text(args, leg_arg(side, "customer"));
	if (customer == NULL)
		return 0;
	leg->customer = control_customer_index(ctl, customer);
	if (leg->customer < 0)
		return err_set(err, -ENOENT,
			       "%s: there is no customer %s; see trunkline show customers",
			       leg_arg(side, "customer"), customer);
	return 0;
}

static json_t *leg_ports(const struct config_leg *leg)
{
	struct ip_endpoint e = {.addr = leg->media, .port = leg->port};
	json_t *o = json_object();

	put_endpoint(o, "local", &e);
	put_endpoint(o, "remote", &leg->remote);
	return o;
}

int cmd_call_add(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	struct config_call call = {
		.clock_rate = (uint32_t)api_arg_uint(args, "clock_rate", 8000),
		.timeout = (uint32_t)api_arg_uint(args, "timeout", 60),
	};
	int r = leg_read(ctl, args, 'a', &call.leg[0], err);

	if (r == 0)
		r = leg_read(ctl, args, 'b', &call.leg[1], err);
	if (r < 0)
		return r;
	call.id = strdup(api_arg_text(args, "id"));
	if (call.id == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	r = control_call_add(ctl, &call, err);
	free(call.id);
	if (r < 0)
		return r;
	*data = json_object();
	put_text(*data, "id", api_arg_text(args, "id"));
	json_object_set_new(*data, "a", leg_ports(&call.leg[0]));
	json_object_set_new(*data, "b", leg_ports(&call.leg[1]));
	return 0;
}

int cmd_call_del(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	int r = control_call_del(ctl, api_arg_text(args, "id"), err);

	if (r < 0)
		return r;
	*data = json_object();
	put_text(*data, "id", api_arg_text(args, "id"));
	return 0;
}

// ---- daemon ----

int cmd_reload(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	char *report = NULL;
	int r = control_reload(ctl, &report, err);
	json_t *lines = json_array();

	(void)args;
	for (char *rest = report, *line; (line = strsep(&rest, "\n")) != NULL;)
		if (line[0] != '\0')
			json_array_append_new(lines, json_string(line));
	free(report);
	*data = r < 0 ? lines : json_pack("{s:o}", "report", lines);
	return r;
}

int cmd_log_level(struct control *ctl, json_t *args, json_t **data, struct err *err)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{"error", LOG_ERROR}, {"warn", LOG_WARN},   {"notice", LOG_NOTICE},
		{"info", LOG_INFO},   {"debug", LOG_DEBUG},
	};
	const char *name = api_arg_text(args, "level");

	(void)ctl;
	(void)err;
	for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].name, name) == 0)
			log_level_set(levels[i].level);
	*data = json_object();
	put_text(*data, "level", name);
	return 0;
}
