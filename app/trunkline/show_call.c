// SPDX-License-Identifier: BSD-3-Clause
// One call in words: what an operator asks at three in the morning, in the order in which it is asked.
#include "cli.h"
#include "format.h"

#include <string.h>

void cli_call_id(const char *id, char *buf, size_t size)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789._@:/+,=%-";
	bool word = strspn(id, plain) == strlen(id) && id[0] != '-';

	// The daemon has made it printable, and left no single quote in it.
	snprintf(buf, size, word ? "%s" : "'%s'", id);
}

static void names_print(json_t *leg, const char *name, FILE *out)
{
	bool known = !json_is_null(at(leg, "remote"));

	fprintf(out, "  %s  %s", name, known ? text_at(leg, "remote") : "not heard of yet");
	if (!json_is_null(at(leg, "customer")))
		fprintf(out, " in the tunnel of %s", text_at(leg, "customer"));
	fprintf(out, ", talks to %s%s\n", text_at(leg, "local"),
		bool_at(leg, "hairpin") ? ", hairpinned" : "");
}

static void media_print(json_t *leg, FILE *out)
{
	bool in = !json_is_null(at(leg, "srtp_in")), to = !json_is_null(at(leg, "srtp_out"));

	fprintf(out, "     %s, ",
		json_is_null(at(leg, "codec")) ? "codec not known" : text_at(leg, "codec"));
	if (in && to && strcmp(text_at(leg, "srtp_in"), text_at(leg, "srtp_out")) == 0)
		fprintf(out, "SRTP %s", text_at(leg, "srtp_in"));
	else if (in || to)
		fprintf(out, "SRTP %s from it, %s to it", in ? text_at(leg, "srtp_in") : "none",
			to ? text_at(leg, "srtp_out") : "none");
	else
		fputs("plain RTP", out);
	fprintf(out, ", %s%s%s%s", text_at(leg, "direction"),
		bool_at(leg, "blocked") ? ", media BLOCKED" : "",
		bool_at(leg, "silenced") ? ", SILENCED" : "",
		bool_at(leg, "dtmf_blocked") ? ", DTMF BLOCKED" : "");
	if (!json_is_null(at(leg, "dscp")))
		fprintf(out, ", DSCP %llu", (unsigned long long)int_at(leg, "dscp"));
	fprintf(out, ", worker %llu\n", (unsigned long long)int_at(leg, "worker"));
}

static void latch_print(json_t *leg, FILE *out)
{
	char a[FORMAT_LEN], b[FORMAT_LEN];
	const char *latch = text_at(leg, "latch");
	json_t *last = at(leg, "last");
	uint64_t moves = int_at(leg, "moves");

	fprintf(out, "     latch %s", latch);
	if (strcmp(latch, "open") == 0)
		fputs(" (its first packets decide)", out);
	else if (!json_is_null(at(leg, "learned")))
		fprintf(out, " %s ago", format_duration(real_at(leg, "learned"), a));
	if (moves > 0)
		fprintf(out, ", moved %s times", format_count(moves, a));
	if (!json_is_null(at(leg, "seen")) &&
	    strcmp(text_at(leg, "seen"), text_at(leg, "remote")) != 0)
		fprintf(out, ", sends from %s", text_at(leg, "seen"));
	fprintf(out, "   last %s%s\n",
		format_duration(json_is_null(last) ? -1 : json_number_value(last), b),
		json_is_null(last) ? "" : " ago");
}

static void quality_print(json_t *leg, FILE *out)
{
	char a[FORMAT_LEN], b[FORMAT_LEN], c[FORMAT_LEN];

	fprintf(out, "     from  %s packets  %s", format_count(int_at(leg, "rx_packets"), a),
		format_unit(real_at(leg, "rx_bytes"), "B", b));
	fprintf(out, "  now %s %s  ssrc 0x%08llx\n", format_rate(real_at(leg, "pps"), a),
		format_unit(real_at(leg, "bps"), "bit/s", b),
		(unsigned long long)int_at(leg, "ssrc"));
	fprintf(out, "     lost %s (%s), at most %s in a row  jitter %s ms",
		format_count(int_at(leg, "lost"), a), format_share(real_at(leg, "lost_share"), b),
		format_count(int_at(leg, "burst"), c),
		format_real(real_at(leg, "jitter_ms"), (char[FORMAT_LEN]){0}));
	if (!json_is_null(at(leg, "rtt_ms")))
		fprintf(out, "  round trip %s ms", format_real(real_at(leg, "rtt_ms"), a));
	if (!json_is_null(at(leg, "mos")))
		fprintf(out, "  MOS %.2f", real_at(leg, "mos"));
	if (!json_is_null(at(leg, "silent_share")))
		fprintf(out, "  silent %s", format_share(real_at(leg, "silent_share"), a));
	fprintf(out, "  late %s", format_count(int_at(leg, "reordered"), a));
	fprintf(out, "  twice %s\n", format_count(int_at(leg, "duplicate"), a));
	fprintf(out, "     to    %s packets  %s\n", format_count(int_at(leg, "tx_packets"), a),
		format_unit(real_at(leg, "tx_bytes"), "B", b));
	fprintf(out, "     RTCP  %s from, %s to%s\n",
		format_count(int_at(leg, "rtcp_rx_packets"), a),
		format_count(int_at(leg, "rtcp_tx_packets"), b),
		bool_at(leg, "mux") ? ", on the RTP port" : "");
}

static void refused_print(const struct cli *cli, json_t *leg, FILE *out)
{
	static const struct {
		const char *key, *text;
	} why[] = {{"refused", "from a wrong source"},
		   {"waited", "from a source on probation"},
		   {"rtcp_refused", "RTCP from a wrong source"},
		   {"srtp_auth", "with a wrong SRTP tag"},
		   {"srtp_replay", "replayed"}};
	char a[FORMAT_LEN];
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(why) / sizeof(why[0]); i++) {
		if (int_at(leg, why[i].key) == 0)
			continue;
		fprintf(out, "%s%s%s %s", n++ == 0 ? "     refused " : ", ",
			cli->colour ? "\033[1;31m" : "", format_count(int_at(leg, why[i].key), a),
			why[i].text);
		fputs(cli->colour ? "\033[0m" : "", out);
	}
	fputs(n > 0 ? "\n" : "     nothing was refused\n", out);
}

static void stream_print(const struct cli *cli, json_t *d, FILE *out)
{
	static const char *const side[2][2] = {{"a", "A"}, {"b", "B"}};
	char id[1100], a[FORMAT_LEN];

	cli_call_id(text_at(d, "id"), id, sizeof(id));
	fprintf(out, "%s  %s, up %s, ", id, text_at(d, "state"),
		format_duration(real_at(d, "age"), a));
	fprintf(out, "%s%s, ", format_unit(real_at(d, "clock_rate"), "Hz", a),
		bool_at(d, "recorded") ? ", recorded" : "");
	if (int_at(d, "timeout") == 0)
		fputs("never ends by silence\n", out);
	else
		fprintf(out, "ends after %llu s of silence\n",
			(unsigned long long)int_at(d, "timeout"));
	for (unsigned i = 0; i < 2; i++) {
		json_t *leg = at(d, side[i][0]);
		names_print(leg, side[i][1], out);
		media_print(leg, out);
		latch_print(leg, out);
		quality_print(leg, out);
		refused_print(cli, leg, out);
	}
}

void cli_show_call(const struct cli *cli, json_t *d, FILE *out)
{
	json_t *stream;
	size_t i;

	stream_print(cli, d, out);
	json_array_foreach (at(d, "more_streams"), i, stream)
		stream_print(cli, stream, out);
}
