// SPDX-License-Identifier: BSD-3-Clause
// Answers that are no tables: status, a trace, and what was done.
#include "cli.h"
#include "format.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *bad(const struct cli *cli, bool on)
{
	return !cli->colour ? "" : on ? "\033[1;31m" : "\033[0m";
}

static void status_head(const struct cli *cli, json_t *d, FILE *out)
{
	char up[FORMAT_LEN];
	uint64_t ports = int_at(d, "ports.total"), ports_up = int_at(d, "ports.up");
	size_t workers = json_array_size(at(d, "workers"));

	fprintf(out, "trunkline %s at %s, up %s, %zu worker%s, ", text_at(d, "version"),
		text_at(d, "pop"), format_duration(real_at(d, "uptime"), up), workers,
		workers == 1 ? "" : "s");
	if (ports_up < ports)
		fprintf(out, "%s%llu of %llu ports DOWN%s\n", bad(cli, true),
			(unsigned long long)(ports - ports_up), (unsigned long long)ports,
			bad(cli, false));
	else
		fprintf(out, "%llu port%s up\n", (unsigned long long)ports, ports == 1 ? "" : "s");
}

// One that is down says why: the one that went last.
static void status_worst(const struct cli *cli, json_t *d, FILE *out)
{
	char a[FORMAT_LEN];
	uint64_t down = int_at(d, "tunnels.total") - int_at(d, "tunnels.up");
	json_t *worst = at(d, "tunnels.worst");

	fprintf(out, ", %s%s DOWN%s", bad(cli, true), format_count(down, a), bad(cli, false));
	if (!json_is_object(worst))
		return;
	// On a terminal the line stays one.
	int room = cli->width > 100 ? (int)cli->width - 90 : cli->width > 0 ? 32 : 200;
	const char *why = json_is_null(at(worst, "why")) ? "" : text_at(worst, "why");
	fprintf(out, " (%s%s%.*s%s", text_at(worst, "customer"), why[0] != '\0' ? ": " : "", room,
		why, strlen(why) > (size_t)room ? "…" : "");
	if (real_at(worst, "for") > 0)
		fprintf(out, ", for %s", format_duration(real_at(worst, "for"), a));
	fputc(')', out);
}

static void status_tunnels(const struct cli *cli, json_t *d, FILE *out)
{
	char a[FORMAT_LEN], b[FORMAT_LEN];
	uint64_t total = int_at(d, "tunnels.total"), up = int_at(d, "tunnels.up");
	uint64_t exhausted = int_at(d, "sas.exhausted");

	fprintf(out, "tunnels %s up", format_count(up, a));
	if (total > up)
		status_worst(cli, d, out);
	if (exhausted > 0)
		fprintf(out, "; %s%s SA%s EXHAUSTED%s", bad(cli, true), format_count(exhausted, b),
			exhausted == 1 ? "" : "s", bad(cli, false));
	fputc('\n', out);
	fprintf(out, "calls   %s of %s", format_count(int_at(d, "calls.total"), a),
		format_count(int_at(d, "calls.max"), b));
	fprintf(out, " (%s silent, ", format_count(int_at(d, "calls.silent"), a));
	fprintf(out, "%s one-way, ", format_count(int_at(d, "calls.one_way"), a));
	fprintf(out, "%s hairpinned)\n", format_count(int_at(d, "calls.hairpin"), a));
}

static void status_traffic(const struct cli *cli, json_t *d, FILE *out)
{
	char a[FORMAT_LEN], b[FORMAT_LEN];
	double busiest = 0;
	json_t *worker;
	size_t i;

	json_array_foreach (at(d, "workers"), i, worker)
		if (real_at(worker, "busy") > busiest)
			busiest = real_at(worker, "busy");
	fprintf(out, "traffic %s in (%s packets), ",
		format_unit(real_at(d, "traffic.in.bps"), "bit/s", a),
		format_rate(real_at(d, "traffic.in.pps"), b));
	fprintf(out, "%s out (%s packets), ",
		format_unit(real_at(d, "traffic.out.bps"), "bit/s", a),
		format_rate(real_at(d, "traffic.out.pps"), b));
	fprintf(out, "busiest worker %s%s%s%s\n", bad(cli, busiest > 0.8), format_share(busiest, a),
		busiest > 0.8 ? " HIGH" : "", bad(cli, false));
}

static void status_drops(json_t *d, FILE *out)
{
	char a[FORMAT_LEN], b[FORMAT_LEN];
	json_t *reason;
	size_t i, named = 0;

	fprintf(out, "drops   %s", format_rate(real_at(d, "drops.pps"), a));
	json_array_foreach (at(d, "drops.reasons"), i, reason) {
		if (real_at(reason, "pps") <= 0 || named == 4)
			break;
		fprintf(out, "%s%s %s", named++ > 0 ? ", " : ": ", text_at(reason, "name"),
			format_rate(real_at(reason, "pps"), a));
	}
	fprintf(out, "; %s since start", format_count(int_at(d, "drops.total"), b));
	json_t *most = json_array_get(at(d, "drops.reasons"), 0);
	if (named == 0 && most != NULL)
		fprintf(out, ", most of them %s", text_at(most, "name"));
	fputc('\n', out);
}

static void status_records(const struct cli *cli, json_t *d, FILE *out)
{
	char a[FORMAT_LEN];
	uint64_t waiting = int_at(d, "records.waiting"), lost = int_at(d, "records.no_room");
	uint64_t failed = int_at(d, "records.failed");

	if (!json_is_object(at(d, "records")))
		return;
	fprintf(out, "records %s written", format_count(int_at(d, "records.written"), a));
	if (waiting > 0)
		fprintf(out, ", %s waiting", format_count(waiting, a));
	if (failed > 0)
		fprintf(out, ", %s writes FAILED", format_count(failed, a));
	if (lost > 0)
		fprintf(out, ", %s%s calls NOT recorded%s", bad(cli, true), format_count(lost, a),
			bad(cli, false));
	fputc('\n', out);
}

void cli_show_status(const struct cli *cli, json_t *d, FILE *out)
{
	char a[FORMAT_LEN], b[FORMAT_LEN];

	status_head(cli, d, out);
	status_tunnels(cli, d, out);
	status_traffic(cli, d, out);
	status_drops(d, out);
	status_records(cli, d, out);
	fprintf(out, "memory  %llu MB%s, %s of %s packet buffers in use\n",
		(unsigned long long)int_at(d, "memory.mb"),
		bool_at(d, "memory.hugepages") ? " in hugepages" : ", no hugepages",
		format_count(int_at(d, "memory.mbufs_used"), a),
		format_count(int_at(d, "memory.mbufs"), b));
	fprintf(out, "runs    %s; %s%s\n", text_at(d, "crypto"), text_at(d, "dpdk"),
		bool_at(d, "tracing") ? "; a trace is running" : "");
}

// ---- traces ----

static unsigned hex_bytes(const char *hex, uint8_t *out, unsigned max)
{
	int n = api_hex_parse(hex, out, max);
	return n < 0 ? 0 : (unsigned)n;
}

// An IPv4 header in a few words: "192.0.2.17:14004 > 198.18.30.1:10000 UDP ttl 63 tos 0xb8".
static void packet_text(const char *hex, char *buf, size_t size)
{
	uint8_t b[64] = {0};
	unsigned n = hex_bytes(hex, b, sizeof(b));
	char ports[2][8] = {"", ""};
	unsigned ihl = (b[0] & 15u) * 4;

	buf[0] = '\0';
	if (n < 20 || b[0] >> 4 != 4)
		return;
	if ((b[9] == IPPROTO_UDP || b[9] == IPPROTO_TCP) && n >= ihl + 4 &&
	    ((b[6] & 0x1f) | b[7]) == 0) {
		snprintf(ports[0], sizeof(ports[0]), ":%u", (b[ihl] << 8 | b[ihl + 1]) & 0xffffu);
		snprintf(ports[1], sizeof(ports[1]), ":%u",
			 (b[ihl + 2] << 8 | b[ihl + 3]) & 0xffffu);
	}
	int len = snprintf(buf, size, "%u.%u.%u.%u%s > %u.%u.%u.%u%s ", b[12], b[13], b[14], b[15],
			   ports[0], b[16], b[17], b[18], b[19], ports[1]);
	if (b[9] == IPPROTO_ESP && n >= ihl + 8)
		snprintf(buf + len, size - (size_t)len, "ESP spi 0x%02x%02x%02x%02x", b[ihl],
			 b[ihl + 1], b[ihl + 2], b[ihl + 3]);
	else if (b[9] == IPPROTO_UDP || b[9] == IPPROTO_TCP || b[9] == IPPROTO_ICMP)
		snprintf(buf + len, size - (size_t)len, "%s",
			 b[9] == IPPROTO_UDP   ? "UDP"
			 : b[9] == IPPROTO_TCP ? "TCP"
					       : "ICMP");
	else
		snprintf(buf + len, size - (size_t)len, "protocol %u", b[9]);
	len = (int)strlen(buf);
	snprintf(buf + len, size - (size_t)len, " ttl %u tos 0x%02x", b[8], b[1]);
}

void cli_show_trace(json_t *d, FILE *out)
{
	uint64_t packet = 0, worker = 0;
	char packet_is[160], a[FORMAT_LEN], b[FORMAT_LEN];
	json_t *step;
	size_t i;

	fprintf(out, "%s of %s packets traced, %s\n", format_count(int_at(d, "packets"), a),
		format_count(int_at(d, "wanted"), b),
		bool_at(d, "running") ? "the trace is running" : "no trace is running");
	json_array_foreach (at(d, "steps"), i, step) {
		if (i == 0 || int_at(step, "packet") != packet ||
		    int_at(step, "worker") != worker) {
			packet = int_at(step, "packet");
			worker = int_at(step, "worker");
			fprintf(out, "packet %llu at worker %llu\n", (unsigned long long)packet,
				(unsigned long long)worker);
		}
		packet_text(text_at(step, "head"), packet_is, sizeof(packet_is));
		fprintf(out, "  %9.0f ns  %-11s %5llu B  %s%s%s\n", real_at(step, "ns"),
			text_at(step, "stage"), (unsigned long long)int_at(step, "len"),
			json_is_null(at(step, "drop")) ? "" : text_at(step, "drop"),
			json_is_null(at(step, "drop")) ? "" : "  ", packet_is);
	}
	cli_show_rest(d, "steps", out);
}

// ---- what was done ----

static void call_added(json_t *d, FILE *out)
{
	static const char *const side[] = {"a", "b"};

	fprintf(out, "call %s: ", text_at(d, "id"));
	for (unsigned i = 0; i < 2; i++) {
		json_t *leg = at(d, side[i]);
		fprintf(out, "%s%s sends to %s", i > 0 ? "; " : "", i == 0 ? "A" : "B",
			text_at(leg, "local"));
		if (!json_is_null(at(leg, "remote")))
			fprintf(out, " and is at %s", text_at(leg, "remote"));
	}
	fputc('\n', out);
}

static void report_print(json_t *lines, FILE *out)
{
	size_t i;
	json_t *line;

	json_array_foreach (lines, i, line)
		fprintf(out, "%s\n", json_string_value(line));
	if (json_array_size(lines) == 0)
		fputs("configuration read again\n", out);
}

bool cli_show_done(const struct api_command *cmd, json_t *d, FILE *out)
{
	switch (cmd - api_commands) {
	case API_CMD_ping:
		fprintf(out, "trunklined %s answers (API version %llu)\n", text_at(d, "version"),
			(unsigned long long)int_at(d, "api"));
		return true;
	case API_CMD_sa_add:
		fprintf(out, "SAs of %s: in %s, out %s, %s to %s\n", text_at(d, "customer"),
			text_at(d, "spi_in"), text_at(d, "spi_out"), text_at(d, "local"),
			text_at(d, "peer"));
		return true;
	case API_CMD_tunnel_up:
	case API_CMD_tunnel_down:
	case API_CMD_tunnel_rekey:
		fprintf(out, "%s\n", text_at(d, "said"));
		return true;
	case API_CMD_sa_del:
		fprintf(out, "SAs with inbound SPI %s are gone\n", text_at(d, "spi_in"));
		return true;
	case API_CMD_call_add:
		call_added(d, out);
		return true;
	case API_CMD_call_del:
		fprintf(out, "call %s is gone\n", text_at(d, "id"));
		return true;
	case API_CMD_trace_start:
		fprintf(out, "tracing %llu packets a worker; trunkline trace show\n",
			(unsigned long long)int_at(d, "count"));
		return true;
	case API_CMD_trace_stop:
		fputs("trace stopped; trunkline trace show\n", out);
		return true;
	case API_CMD_reload:
		report_print(at(d, "report"), out);
		return true;
	case API_CMD_log_level:
		fprintf(out, "logging %s and what is more important\n", text_at(d, "level"));
		return true;
	default:
		return false;
	}
}
