// SPDX-License-Identifier: BSD-3-Clause
// One tunnel in detail.
#include "cli.h"
#include "format.h"

#include <string.h>

static const char *bad(const struct cli *cli, bool on)
{
	return !cli->colour ? "" : on ? "\033[1;31m" : "\033[0m";
}

// When its keys are replaced next, of IKE or of an SA; nothing if that is not planned.
static void rekey_print(json_t *o, FILE *out)
{
	char a[FORMAT_LEN];

	if (!json_is_null(at(o, "rekey")) && at(o, "rekey") != NULL)
		fprintf(out, ", new keys in %s", format_duration(real_at(o, "rekey"), a));
}

static void head_print(const struct cli *cli, json_t *t, FILE *out)
{
	char a[FORMAT_LEN];
	json_t *ike = at(t, "ike");
	bool up = bool_at(t, "up");

	fprintf(out, "%s  %s → %s  %s%s%s", text_at(t, "customer"), text_at(t, "peer"),
		text_at(t, "local"), bad(cli, !up), up ? "up" : "DOWN", bad(cli, false));
	if (!up && !json_is_null(at(t, "why")))
		fprintf(out, ": %s", text_at(t, "why"));
	if (!up && json_is_object(ike))
		fprintf(out, ", for %s", format_duration(real_at(ike, "changed"), a));
	fputc('\n', out);
}

static void ike_print(json_t *t, FILE *out)
{
	char a[FORMAT_LEN];
	json_t *ike = at(t, "ike");

	if (!json_is_object(ike)) {
		fputs("  keys are static\n", out);
		return;
	}
	const char *state = text_at(ike, "state");
	fputs("  IKE", out);
	if (!json_is_null(at(ike, "version")))
		fprintf(out, "v%llu %s with %s", (unsigned long long)int_at(ike, "version"),
			text_at(ike, "suite"), text_at(ike, "peer_id"));
	fprintf(out, "%s %s", json_is_null(at(ike, "version")) ? " SA" : ",",
		strcmp(state, "-") == 0 ? "not known: charon is away" : state);
	if (!json_is_null(at(ike, "age")))
		fprintf(out, " for %s", format_duration(real_at(ike, "age"), a));
	rekey_print(ike, out);
	fprintf(out, "; %s\n",
		strcmp(text_at(ike, "start"), "initiate") == 0 ? "we initiate"
							       : "its gateway initiates");
}

static void sa_print(json_t *t, const char *way, FILE *out)
{
	char a[FORMAT_LEN];
	json_t *s = at(t, way);

	if (!json_is_object(s)) {
		fprintf(out, "  %-3s no SA\n", way);
		return;
	}
	fprintf(out, "  %-3s SPI %s  %s  %s packets", way, text_at(s, "spi"), text_at(s, "suite"),
		format_count(int_at(s, "packets"), a));
	fprintf(out, "  %s", format_unit(real_at(s, "bytes"), "B", a));
	fprintf(out, "  last %s%s",
		format_duration(json_is_null(at(s, "last")) ? -1 : real_at(s, "last"), a),
		json_is_null(at(s, "last")) ? "" : " ago");
	if (strcmp(way, "in") == 0) {
		fprintf(out, "  replayed %s", format_count(int_at(s, "replayed"), a));
		fprintf(out, "  forged %s", format_count(int_at(s, "forged"), a));
		if (int_at(s, "refused") > 0)
			fprintf(out, "  refused %s", format_count(int_at(s, "refused"), a));
	} else if (!bool_at(s, "esn")) {
		fprintf(out, "  sequence at %s", format_share(real_at(s, "seq") / 4294967296.0, a));
	}
	fprintf(out, ", up %s", format_duration(real_at(s, "age"), a));
	rekey_print(s, out);
	fputc('\n', out);
}

void cli_show_tunnel(const struct cli *cli, json_t *t, FILE *out)
{
	char a[FORMAT_LEN], b[FORMAT_LEN];

	head_print(cli, t, out);
	ike_print(t, out);
	sa_print(t, "in", out);
	sa_print(t, "out", out);
	if (int_at(t, "sas_in") > 1 || int_at(t, "sas_out") > 1)
		fprintf(out, "  in all %llu SAs in, %llu out; trunkline show sas %s\n",
			(unsigned long long)int_at(t, "sas_in"),
			(unsigned long long)int_at(t, "sas_out"), text_at(t, "customer"));
	if (int_at(t, "tier") > 0)
		fprintf(out, "  tier %s", format_unit(real_at(t, "tier"), "bit/s", a));
	else
		fputs("  no tier", out);
	fprintf(out, "  in %s  out %s  calls %s\n",
		format_unit(real_at(t, "rate.in.bps"), "bit/s", a),
		format_unit(real_at(t, "rate.out.bps"), "bit/s", b),
		format_count(int_at(t, "calls"), (char[FORMAT_LEN]){0}));
}
