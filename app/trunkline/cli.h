// SPDX-License-Identifier: BSD-3-Clause
// The command line's parts.
#pragma once

#include "api/command.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_REFUSED = 1, // the daemon said no
	CLI_USAGE = 2,
	CLI_UNREACHABLE = 3, // no daemon, or it does not answer
};

struct cli {
	const char *socket;
	bool json;
	bool help;
	double watch; // seconds, 0: once
	// what is left of the command line
	int n;
	char **word;
	// where output goes
	unsigned width; // of the terminal, 0: a pipe
	unsigned height;
	bool colour;
};

// parse.c

// Takes the options that hold for every command out of the words, wherever they are. 0, or
// -EINVAL and a text.
int cli_options(struct cli *cli, int argc, char **argv, struct err *err);
// The command that the first words name, abbreviated or not; *used says how many words that were.
// NULL and a text if there is none. With words that only begin commands ("show"), *group is true.
const struct api_command *cli_command(char **word, int n, int *used, bool *group, struct err *err);
// Does a command's name begin with these (possibly abbreviated) words?
bool cli_command_begins(const struct api_command *cmd, char **word, int n);
// The arguments of a command, as the request wants them (*args may stay NULL). 0, or -EINVAL and a
// text.
int cli_args(const struct api_command *cmd, char **word, int n, json_t **args, struct err *err);
// A table name as an option: underscores become hyphens.
char *cli_option_name(const char *name, char buf[static 32]);
// Does a command take keys, and so --key-file?
bool cli_has_keys(const struct api_command *cmd);

// keys.c: "key-in HEX" and "key-out HEX", a line each, from a file or "-" into args.
int cli_keys_read(const struct api_command *cmd, const char *path, json_t *args, struct err *err);

// help.c
void cli_help(FILE *out);
void cli_help_command(const struct api_command *cmd, FILE *out);
void cli_help_group(char **word, int n, FILE *out);
// Help for top, watch and what else is no command of the daemon's. False: name is none of these.
bool cli_help_here(const char *name, FILE *out);

// complete.c
int cli_completion(const char *shell);   // prints the script
int cli_complete(int argc, char **argv); // prints candidates

// show.c: an answer's data for a person.
void cli_show(const struct cli *cli, const struct api_command *cmd, json_t *data, FILE *out);

// False if the command's answer is no table.
bool cli_show_list(const struct cli *cli, const struct api_command *cmd, json_t *data, FILE *out);
// Says how much of a list is not there.
void cli_show_rest(json_t *data, const char *list, FILE *out);

// show_text.c: the answers that are no tables.
void cli_show_status(const struct cli *cli, json_t *data, FILE *out);
void cli_show_trace(json_t *data, FILE *out);
bool cli_show_done(const struct api_command *cmd, json_t *data, FILE *out);

// show_call.c
void cli_show_call(const struct cli *cli, json_t *data, FILE *out);
// A call's id so that a shell takes it for one word.
void cli_call_id(const char *id, char *buf, size_t size);

// ask.c
struct asking {
	const struct api_command *cmd;
	json_t *args;
	struct api_client *client; // stays open between requests while the daemon lets it
};
// The whole answer to a command, of a list as many pages as were asked for. 0, or negative errno and a text.
int cli_ask(const struct cli *cli, struct asking *a, json_t **answer, struct err *err);
// Shows what the daemon answered, or says on stderr why it refused.
int cli_answer_show(const struct cli *cli, const struct api_command *cmd, json_t *answer,
		    FILE *out);
void cli_json_print(const struct cli *cli, json_t *data, FILE *out);
// Where output goes now.
void cli_terminal_look(struct cli *cli);

// top.c: the words after "top".
int cli_top(struct cli *cli, char **word, int n);

// show_tunnels.c
void cli_show_tunnel(const struct cli *cli, json_t *tunnel, FILE *out);

// json.c: values by path ("rx.bps"); NULL, 0 or false if there is none.
json_t *at(json_t *o, const char *path);
const char *text_at(json_t *o, const char *path); // "-" if there is none
double real_at(json_t *o, const char *path);
uint64_t int_at(json_t *o, const char *path);
bool bool_at(json_t *o, const char *path);
