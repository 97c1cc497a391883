// SPDX-License-Identifier: BSD-3-Clause
// Help, made from the table of commands.
#include "api/api.h"
#include "cli.h"

#include <string.h>

static void commands_print(FILE *out, bool changes)
{
	for (unsigned c = 0; c < API_COMMANDS; c++)
		if (api_commands[c].changes == changes)
			fprintf(out, "  %-16s %s\n", api_commands[c].name, api_commands[c].help);
}

// What is done without the daemon's help, or around its answers.
static const struct {
	const char *name, *usage, *what;
} here[] = {
	{"top", "top [-n COUNT] [OPTIONS]",
	 "the worst calls, live; options are those of show calls"},
	{"watch", "watch [SECONDS] COMMAND ...", "the same answer again and again"},
	{"help", "help COMMAND", "a command's arguments"},
	{"completion", "completion bash|zsh", "a script that completes commands in the shell"},
	{"version", "version", "which release this is"},
};

bool cli_help_here(const char *name, FILE *out)
{
	for (unsigned i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
		if (strcmp(here[i].name, name) != 0)
			continue;
		fprintf(out, "usage: trunkline %s\n\n%s\n", here[i].usage, here[i].what);
		return true;
	}
	return false;
}

void cli_help(FILE *out)
{
	fputs("usage: trunkline [--socket PATH] [--json] [--watch[=SECONDS]] COMMAND ...\n\n"
	      "Look:\n",
	      out);
	commands_print(out, false);
	fputs("\nChange:\n", out);
	commands_print(out, true);
	fputs("\nHere:\n", out);
	for (unsigned i = 0; i < sizeof(here) / sizeof(here[0]); i++)
		fprintf(out, "  %-29s %s\n", here[i].usage, here[i].what);
	fputs("\nOptions of every command:\n"
	      "  --socket PATH       the daemon's socket (or $TRUNKLINE_SOCKET; default " API_SOCKET
	      ")\n"
	      "  --json              the facts with stable names, for programs\n"
	      "  --watch[=SECONDS]   like watch (default 2)\n"
	      "  --help              help for the command\n"
	      "\nWords may be abbreviated: trunkline sh po. Exit status: 0 done, 1 the daemon said "
	      "no,\n2 wrong usage, 3 the daemon cannot be reached.\n",
	      out);
}

#define USAGE_WIDTH 90

// An argument in a usage line, on a new line where the last one is full. Returns the column.
static int usage_arg(const struct api_arg *a, int column, FILE *out)
{
	char option[32], what[100];
	bool optional = !(a->how & API_REQ);

	cli_option_name(a->name, option);
	if (a->how & API_POS)
		snprintf(what, sizeof(what), "%s", a->spec);
	else if (a->type == API_BOOL)
		snprintf(what, sizeof(what), "--%s", option);
	else
		snprintf(what, sizeof(what), "--%s %s", option,
			 a->type == API_UINT ? "N" : a->spec);
	int n = (int)strlen(what) + 6;
	if (column + n > USAGE_WIDTH)
		column = fprintf(out, "\n               ") - 1;
	fprintf(out, " %s%s%s%s", optional ? "[" : "", what, optional ? "]" : "",
		a->how & API_LIST ? "..." : "");
	return column + n;
}

static void option_line(const struct api_arg *a, FILE *out)
{
	char option[32], left[80];

	cli_option_name(a->name, option);
	if (a->type == API_BOOL)
		snprintf(left, sizeof(left), "--%s[=no]", option);
	else
		snprintf(left, sizeof(left), "--%s %s", option, a->spec);
	fprintf(out, "  %-34s %s%s%s\n", left, a->help, a->how & API_REQ ? "; required" : "",
		a->how & API_LIST ? "; may be given again" : "");
}

void cli_help_command(const struct api_command *cmd, FILE *out)
{
	unsigned n = 0;

	for (const struct api_arg *a = cmd->args; a->name != NULL; a++)
		n++;
	int column = fprintf(out, "usage: trunkline %s", cmd->name);
	for (const struct api_arg *a = cmd->args; a->name != NULL; a++)
		if (a->type != API_KEY && (n <= 6 || (a->how & API_REQ)))
			column = usage_arg(a, column, out);
	fprintf(out, "%s%s\n\n%s.\n", cli_has_keys(cmd) ? " --key-file FILE" : "",
		n > 6 ? " [OPTIONS]" : "", cmd->help);
	if (n > 0)
		fputs("\n", out);
	for (const struct api_arg *a = cmd->args; a->name != NULL; a++)
		if (a->type != API_KEY)
			option_line(a, out);
	if (cli_has_keys(cmd))
		fputs("  --key-file FILE                    key material; required\n\n"
		      "The key file (- for standard input) has a line \"key-in HEX\" and a line "
		      "\"key-out HEX\":\ncipher key, then salt, then authentication key. Keys are "
		      "not taken from the command line,\nwhere other users and the shell's "
		      "history see them.\n",
		      out);
}

void cli_help_group(char **word, int n, FILE *out)
{
	fputs("usage: trunkline COMMAND ...; commands that begin like this:\n\n", out);
	for (unsigned c = 0; c < API_COMMANDS; c++)
		if (cli_command_begins(&api_commands[c], word, n))
			fprintf(out, "  %-16s %s\n", api_commands[c].name, api_commands[c].help);
}
