// SPDX-License-Identifier: BSD-3-Clause
// Answers that are lists, as tables. A view names its columns and where in an entry they are.
#include "cli.h"
#include "format.h"
#include "table.h"

#include <string.h>

#define MOS_POOR 3.6 // many users dissatisfied, ITU-T G.107 annex B

enum kind {
	END,
	TEXT,
	COUNT,
	BITS, // bit/s
	BYTES,
	RATE, // a second
	REAL,
	SHARE,     // 0..1
	AGE,       // seconds, null is "never"
	UP,        // up or DOWN
	YES,       // "yes" or nothing
	PLAIN,     // number without thousands: an id
	NONZERO,   // like PLAIN, 0 is none
	TIER,      // bit/s, 0 is no limit
	ADDRESSES, // a list
	NETS,      // a prefix, and how many more there are (path + "s")
	ENCAP,     // encap and esn of an SA
	TROUBLE,   // a count that should be 0
	CALL_ID,   // to be copied into a command
	STATE,     // of a call
	MOS,
};

struct column {
	const char *title, *path;
	enum kind kind;
};

struct view {
	enum api_command_id command;
	const char *list; // where in the data, and what the entries are called
	const char *none;
	const struct column *columns;
};

#define COLUMNS(...) ((const struct column[]){__VA_ARGS__, {NULL, NULL, END}})

static const struct view views[] = {
	{API_CMD_show_ports, "ports", "there are no ports",
	 COLUMNS({"PORT", "name", TEXT}, {"SIDE", "side", TEXT}, {"LINK", "up", UP},
		 {"IN", "rx.bps", BITS}, {"PACKETS IN", "rx.pps", RATE}, {"OUT", "tx.bps", BITS},
		 {"PACKETS OUT", "tx.pps", RATE}, {"MISSED", "rx_missed", TROUBLE},
		 {"ERRORS IN", "rx_errors", TROUBLE}, {"ERRORS OUT", "tx_errors", TROUBLE},
		 {"ADDRESS", "addresses", ADDRESSES}, {"TOTAL IN", "rx_packets", COUNT},
		 {"TOTAL OUT", "tx_packets", COUNT}, {"TO KERNEL", "kernel_out", COUNT},
		 {"FROM KERNEL", "kernel_in", COUNT}, {"MTU", "mtu", PLAIN},
		 {"VLAN", "vlan", NONZERO}, {"MAC", "mac", TEXT}, {"QUEUES", "rx_queues", PLAIN},
		 {"DEVICE", "device", TEXT})},
	{API_CMD_show_workers, "workers", "there are no workers",
	 COLUMNS({"WORKER", "id", PLAIN}, {"CPU", "cpu", PLAIN}, {"BUSY", "busy", SHARE},
		 {"PACKETS", "pps", RATE}, {"CYCLES EACH", "cycles_per_packet", REAL},
		 {"HANDED OVER", "handed_over_pps", RATE}, {"CUSTOMERS", "customers", COUNT},
		 {"SAS", "sas", COUNT}, {"LEGS", "legs", COUNT}, {"TOTAL", "packets", COUNT},
		 {"OVER OUT", "handed_over", COUNT}, {"OVER IN", "taken_over", COUNT},
		 {"BUFFERS", "mbufs", COUNT}, {"QUEUES", "rx_queues", PLAIN},
		 {"POLLS", "polls", COUNT}, {"WITH PACKETS", "busy_polls", COUNT},
		 {"SLEEPS", "sleeps", YES})},
	{API_CMD_show_stages, "stages", "no stage has seen a packet",
	 COLUMNS({"STAGE", "name", TEXT}, {"WORKER", "worker", PLAIN}, {"PACKETS", "pps", RATE},
		 {"CYCLES EACH", "cycles_per_packet", REAL}, {"A BURST", "packets_per_burst", REAL},
		 {"TOTAL", "packets", COUNT}, {"BURSTS", "bursts", COUNT}, {"WHAT", "help", TEXT})},
	{API_CMD_show_drops, "drops", "nothing was dropped",
	 COLUMNS({"REASON", "name", TEXT}, {"NOW", "pps", RATE}, {"TOTAL", "packets", COUNT},
		 {"WHAT", "help", TEXT})},
	{API_CMD_show_sas, "sas", "there are no security associations",
	 COLUMNS({"DIR", "direction", TEXT}, {"SPI", "spi", TEXT}, {"CUSTOMER", "customer", TEXT},
		 {"PEER", "peer", TEXT}, {"LAST", "last", AGE}, {"PACKETS", "packets", COUNT},
		 {"REPLAYED", "replayed", TROUBLE}, {"FORGED", "forged", TROUBLE},
		 {"REFUSED", "refused", TROUBLE}, {"EXHAUSTED", "exhausted_packets", TROUBLE},
		 {"BYTES", "bytes", BYTES}, {"SUITE", "suite", TEXT}, {"FORM", "", ENCAP},
		 {"SEQ", "seq", COUNT}, {"WINDOW", "window", PLAIN}, {"UP", "age", AGE},
		 {"LOCAL", "local", TEXT}, {"OUR NETS", "local_net", NETS},
		 {"THEIR NETS", "remote_net", NETS}, {"WORKER", "worker", PLAIN})},
	{API_CMD_show_tunnels, "tunnels", "there are no tunnels: no customer has ike or sas",
	 COLUMNS({"CUSTOMER", "customer", TEXT}, {"TUNNEL", "up", UP}, {"PEER", "peer", TEXT},
		 {"IKE", "ike.state", TEXT}, {"V", "ike.version", PLAIN}, {"LAST", "in.last", AGE},
		 {"IN", "rate.in.bps", BITS}, {"OUT", "rate.out.bps", BITS}, {"UP", "in.age", AGE},
		 {"NEW KEYS", "in.rekey", AGE}, {"WHY", "why", TEXT},
		 {"REPLAYED", "in.replayed", TROUBLE}, {"FORGED", "in.forged", TROUBLE},
		 {"PACKETS IN", "in.packets", COUNT}, {"PACKETS OUT", "out.packets", COUNT},
		 {"SPI IN", "in.spi", TEXT}, {"SPI OUT", "out.spi", TEXT},
		 {"SUITE", "in.suite", TEXT}, {"IKE SUITE", "ike.suite", TEXT},
		 {"IDENTITY", "ike.peer_id", TEXT}, {"TIER", "tier", TIER},
		 {"CALLS", "calls", COUNT}, {"KEYS", "keys", TEXT}, {"HERE", "local", TEXT})},
	{API_CMD_show_calls, "calls", "there are no calls",
	 COLUMNS({"CALL", "id", CALL_ID}, {"STATE", "state", STATE}, {"UP", "age", AGE},
		 {"A", "a.remote", TEXT}, {"LOST", "a.lost_share", SHARE}, {"MOS", "a.mos", MOS},
		 {"B", "b.remote", TEXT}, {"LOST", "b.lost_share", SHARE}, {"MOS", "b.mos", MOS},
		 {"A PACKETS", "a.pps", RATE}, {"B PACKETS", "b.pps", RATE},
		 {"A JITTER MS", "a.jitter_ms", REAL}, {"B JITTER MS", "b.jitter_ms", REAL},
		 {"A LAST", "a.last", AGE}, {"B LAST", "b.last", AGE},
		 {"A CUSTOMER", "a.customer", TEXT}, {"B CUSTOMER", "b.customer", TEXT},
		 {"A REFUSED", "a.refused", TROUBLE}, {"B REFUSED", "b.refused", TROUBLE},
		 {"FROM A", "a.rx_packets", COUNT}, {"FROM B", "b.rx_packets", COUNT},
		 {"A CODEC", "a.codec", TEXT}, {"B CODEC", "b.codec", TEXT},
		 {"A LATCH", "a.latch", TEXT}, {"B LATCH", "b.latch", TEXT},
		 {"A HERE", "a.local", TEXT}, {"B HERE", "b.local", TEXT},
		 {"A SRTP", "a.srtp_in", TEXT}, {"B SRTP", "b.srtp_in", TEXT},
		 {"HAIRPIN", "a.hairpin", YES})},
	{API_CMD_show_routes, "routes", "there is no route",
	 COLUMNS({"PREFIX", "prefix", TEXT}, {"KIND", "kind", TEXT}, {"VIA", "gateway", TEXT},
		 {"PORT", "port", TEXT}, {"CUSTOMER", "customer", TEXT}, {"MAC", "mac", TEXT},
		 {"MTU", "mtu", NONZERO})},
	{API_CMD_show_customers, "customers", "there are no customers",
	 COLUMNS({"CUSTOMER", "name", TEXT}, {"TIER", "tier", TIER}, {"IN", "in.bps", BITS},
		 {"OUT", "out.bps", BITS}, {"OVER IN", "in.over_pps", RATE},
		 {"OVER OUT", "out.over_pps", RATE}, {"TUNNELS", "sas", COUNT},
		 {"CALLS", "calls", COUNT}, {"LAST", "last", AGE}, {"GATEWAY", "gateway", TEXT},
		 {"REFUSED IN", "in.over_packets", TROUBLE},
		 {"REFUSED OUT", "out.over_packets", TROUBLE}, {"DOMAINS", "domains", COUNT},
		 {"WORKER", "worker", PLAIN})},
};

static bool kind_right(enum kind k)
{
	return k != TEXT && k != UP && k != YES && k != ADDRESSES && k != NETS && k != ENCAP &&
	       k != CALL_ID && k != STATE;
}

static void list_text(json_t *list, char *buf, size_t size)
{
	size_t i, n = 0;
	json_t *v;

	buf[0] = '\0';
	json_array_foreach (list, i, v)
		if (n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", i > 0 ? " " : "",
					      json_string_value(v));
}

// A prefix and how many beside it there are.
static void nets_text(json_t *entry, const char *path, char *buf, size_t size)
{
	char counter[32];

	snprintf(counter, sizeof(counter), "%ss", path);
	uint64_t n = int_at(entry, counter);
	int len = snprintf(buf, size, "%s", text_at(entry, path));
	if (n > 1)
		snprintf(buf + len, size - (size_t)len, " +%llu", (unsigned long long)(n - 1));
}

static enum table_mark cell_text(json_t *entry, const struct column *c, char *buf, size_t size)
{
	json_t *v = c->path[0] != '\0' ? at(entry, c->path) : entry;
	char number[FORMAT_LEN] = "";

	buf[0] = '\0';
	if (v == NULL || (json_is_null(v) && c->kind != AGE) ||
	    (c->kind == NONZERO && json_integer_value(v) == 0)) {
		snprintf(buf, size, "-");
		return MARK_NONE;
	}
	switch (c->kind) {
	case TEXT:
		snprintf(buf, size, "%s", json_string_value(v));
		return MARK_NONE;
	case CALL_ID:
		cli_call_id(json_string_value(v), buf, size);
		return MARK_NONE;
	case STATE:
		snprintf(buf, size, "%s", json_string_value(v));
		return strcmp(buf, "one-way") == 0 || strcmp(buf, "silent") == 0 ? MARK_BAD
										 : MARK_NONE;
	case MOS:
		snprintf(buf, size, "%.2f", json_number_value(v));
		return json_number_value(v) < MOS_POOR ? MARK_BAD : MARK_NONE;
	case UP:
		snprintf(buf, size, json_is_true(v) ? "up" : "DOWN");
		return json_is_true(v) ? MARK_GOOD : MARK_BAD;
	case YES:
		snprintf(buf, size, json_is_true(v) ? "yes" : "");
		return MARK_NONE;
	case ADDRESSES:
		list_text(v, buf, size);
		return MARK_NONE;
	case NETS:
		nets_text(entry, c->path, buf, size);
		return MARK_NONE;
	case ENCAP:
		snprintf(buf, size, "%s%s", bool_at(v, "encap") ? "UDP" : "ESP",
			 bool_at(v, "esn") ? " ESN" : "");
		return MARK_NONE;
	case TIER:
		if (json_integer_value(v) == 0)
			snprintf(number, sizeof(number), "no limit");
		else
			format_unit(json_number_value(v), "bit/s", number);
		break;
	case AGE:
		format_duration(json_is_null(v) ? -1 : json_number_value(v), number);
		break;
	case BITS:
		format_unit(json_number_value(v), "bit/s", number);
		break;
	case BYTES:
		format_unit(json_number_value(v), "B", number);
		break;
	case RATE:
		format_rate(json_number_value(v), number);
		break;
	case REAL:
		format_real(json_number_value(v), number);
		break;
	case SHARE:
		format_share(json_number_value(v), number);
		break;
	case NONZERO:
	case PLAIN:
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
		break;
	default:
		format_count((uint64_t)json_integer_value(v), number);
	}
	snprintf(buf, size, "%s", number);
	return c->kind == TROUBLE && json_integer_value(v) > 0 ? MARK_BAD : MARK_NONE;
}

// A column that no entry has anything in ("worker" of summed stages) is left out.
static bool column_used(json_t *list, const struct column *c)
{
	size_t i;
	json_t *entry;

	if (c->kind == ENCAP)
		return true;
	json_array_foreach (list, i, entry)
		if (at(entry, c->path) != NULL)
			return true;
	return false;
}

void cli_show_rest(json_t *data, const char *list, FILE *out)
{
	char shown[FORMAT_LEN], all[FORMAT_LEN];
	size_t n = json_array_size(json_object_get(data, list));
	uint64_t total = int_at(data, "total");

	if (total > n)
		fprintf(out, "%s of %s %s; --limit 0 shows all\n", format_count(n, shown),
			format_count(total, all), list);
}

static void view_print(const struct cli *cli, const struct view *view, json_t *data, FILE *out)
{
	json_t *list = json_object_get(data, view->list), *entry;
	struct table *t = table_new();
	char text[512];
	size_t i;

	const struct column *column[32];
	unsigned n = 0;

	for (const struct column *c = view->columns; c->kind != END && n < 32; c++) {
		if (!column_used(list, c))
			continue;
		table_column(t, c->title, kind_right(c->kind));
		column[n++] = c;
	}
	json_array_foreach (list, i, entry) {
		for (unsigned c = 0; c < n; c++) {
			enum table_mark mark = cell_text(entry, column[c], text, sizeof(text));
			table_cell(t, text, mark);
		}
	}
	table_print(t, out, cli->width, cli->colour);
	table_free(t);
	cli_show_rest(data, view->list, out);
}

bool cli_show_list(const struct cli *cli, const struct api_command *cmd, json_t *data, FILE *out)
{
	for (size_t v = 0; v < sizeof(views) / sizeof(views[0]); v++) {
		if (&api_commands[views[v].command] != cmd)
			continue;
		size_t n = json_array_size(json_object_get(data, views[v].list));
		if (n == 0)
			fprintf(out, "%s\n", views[v].none);
		else if (n == 1 && cmd == &api_commands[API_CMD_show_tunnels])
			cli_show_tunnel(cli, json_array_get(at(data, "tunnels"), 0), out);
		else
			view_print(cli, &views[v], data, out);
		return true;
	}
	return false;
}

static void plain_print(json_t *data, FILE *out)
{
	json_dumpf(data, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	fputc('\n', out);
}

void cli_show(const struct cli *cli, const struct api_command *cmd, json_t *data, FILE *out)
{
	enum api_command_id id = (enum api_command_id)(cmd - api_commands);

	if (cli_show_list(cli, cmd, data, out))
		return;
	if (id == API_CMD_status)
		cli_show_status(cli, data, out);
	else if (id == API_CMD_show_call)
		cli_show_call(cli, data, out);
	else if (id == API_CMD_trace_show)
		cli_show_trace(data, out);
	else if (!cli_show_done(cmd, data, out))
		plain_print(data, out);
}
