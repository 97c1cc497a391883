// SPDX-License-Identifier: BSD-3-Clause
// Shell completion: the scripts ask this program for candidates, so they never go stale.
#include "api/api.h"
#include "cli.h"
#include "crypto/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 1000

static const char script[] =
	"_trunkline() {\n"
	"\tlocal IFS=$'\\n'\n"
	"\tCOMPREPLY=($(\"${COMP_WORDS[0]}\" complete \"$COMP_CWORD\" \"${COMP_WORDS[@]}\" "
	"2>/dev/null))\n"
	"}\n"
	"complete -o default -F _trunkline trunkline\n";

int cli_completion(const char *shell)
{
	if (shell != NULL && strcmp(shell, "zsh") == 0)
		fputs("autoload -U +X bashcompinit && bashcompinit\n", stdout);
	else if (shell == NULL || strcmp(shell, "bash") != 0)
		return CLI_USAGE;
	fputs(script, stdout);
	return CLI_OK;
}

static void offer(const char *candidate, size_t len, const char *begin)
{
	if (strncmp(candidate, begin, strlen(begin)) == 0 && strlen(begin) <= len)
		printf("%.*s\n", (int)len, candidate);
}

static void offer_choices(const char *spec, const char *begin)
{
	while (*spec != '\0') {
		size_t n = strcspn(spec, "|");
		char one[32];
		if (n < sizeof(one)) {
			memcpy(one, spec, n);
			one[n] = '\0';
			offer(one, n, begin);
		}
		spec += n + (spec[n] == '|');
	}
}

// Values that the daemon knows: the field of each entry of a list in the answer to cmd.
static void offer_known(const struct cli *cli, const char *cmd, const char *list, const char *field,
			const char *direction, const char *begin)
{
	struct api_client *c;
	json_t *answer, *o;
	size_t i;

	if (api_client_open(cli->socket, &c, NULL) < 0)
		return;
	if (api_client_call(c, cmd, NULL, ASK_MS, &answer, NULL) == 0) {
		json_array_foreach (json_object_get(at(answer, "data"), list), i, o) {
			const char *value = text_at(o, field);
			if (direction == NULL || strcmp(text_at(o, "direction"), direction) == 0)
				offer(value, strlen(value), begin);
		}
		json_decref(answer);
	}
	api_client_close(c);
}

static void offer_values(const struct cli *cli, const struct api_command *cmd,
			 const struct api_arg *arg, const char *begin)
{
	static const char *const suite_names[] = {
#define X(id, name, ...) name,
		SUITES(X)
#undef X
	};

	if (arg->type == API_CHOICE)
		offer_choices(arg->spec, begin);
	else if (arg->type == API_SUITE)
		for (unsigned i = 0; i < SUITE_COUNT; i++)
			offer(suite_names[i], strlen(suite_names[i]), begin);
	else if (arg->type == API_NAME && strstr(arg->name, "customer") != NULL)
		offer_known(cli, "show customers", "customers", "name", NULL, begin);
	else if (arg->type == API_ID ||
		 (arg->type == API_NAME && strcmp(cmd->name, "call add") != 0))
		offer_known(cli, "show calls", "calls", "id", NULL, begin);
	else if (arg->type == API_SPI && strcmp(cmd->name, "sa del") == 0)
		offer_known(cli, "show sas", "sas", "spi", "in", begin);
}

static void offer_options(const struct api_command *cmd, const char *begin)
{
	char option[40] = "--";

	for (const struct api_arg *a = cmd->args; a->name != NULL; a++) {
		cli_option_name(a->name, option + 2);
		if (a->type != API_KEY)
			offer(option, strlen(option), begin);
	}
	if (cli_has_keys(cmd))
		offer("--key-file", 10, begin);
	offer("--json", 6, begin);
	offer("--help", 6, begin);
}

static void offer_arguments(const struct cli *cli, const struct api_command *cmd, char **word,
			    int n, const char *begin)
{
	const char *last = n > 0 ? word[n - 1] : "";
	char option[32];

	for (const struct api_arg *a = cmd->args; a->name != NULL; a++) {
		if (strncmp(last, "--", 2) == 0 && a->type != API_BOOL &&
		    strcmp(last + 2, cli_option_name(a->name, option)) == 0) {
			offer_values(cli, cmd, a, begin);
			return;
		}
	}
	if (strcmp(last, "--key-file") == 0)
		return;
	if (begin[0] == '-') {
		offer_options(cmd, begin);
		return;
	}
	for (const struct api_arg *a = cmd->args; a->name != NULL; a++)
		if ((a->how & API_POS) && (n == 0 || strncmp(last, "--", 2) == 0))
			offer_values(cli, cmd, a, begin);
	if (begin[0] == '\0')
		offer_options(cmd, "--");
}

// The next word of every command that begins with the words so far; each once.
static void offer_words(char **word, int n, const char *begin)
{
	char before[32] = "";

	for (unsigned c = 0; c < API_COMMANDS; c++) {
		if (!cli_command_begins(&api_commands[c], word, n))
			continue;
		const char *w = api_commands[c].name;
		for (int k = 0; k < n && w != NULL; k++) {
			w = strchr(w, ' ');
			w = w == NULL ? NULL : w + 1;
		}
		size_t len = w == NULL ? 0 : strcspn(w, " ");
		if (len == 0 || len >= sizeof(before) ||
		    (strncmp(before, w, len) == 0 && before[len] == '\0'))
			continue;
		memcpy(before, w, len);
		before[len] = '\0';
		offer(before, len, begin);
	}
	if (n == 0) {
		offer("watch", 5, begin);
		offer("top", 3, begin);
		offer("help", 4, begin);
		offer("completion", 10, begin);
		offer("version", 7, begin);
	}
}

// argv: index of the word under the cursor, then all words, the program's name first.
int cli_complete(int argc, char **argv)
{
	int index = argc > 1 ? (int)strtol(argv[0], NULL, 10) : 0, used;
	struct cli cli = {.socket = getenv("TRUNKLINE_SOCKET")};
	struct err err;
	bool group;

	if (index < 1 || index > argc - 1)
		return CLI_USAGE;
	const char *begin = index < argc - 1 ? argv[1 + index] : "";
	if (cli.socket == NULL || cli.socket[0] == '\0')
		cli.socket = API_SOCKET;
	const char *last = argv[index];
	if (strcmp(last, "--socket") == 0 || cli_options(&cli, index - 1, argv + 2, &err) < 0)
		return CLI_OK;
	if (cli.n > 0 && strcmp(cli.word[0], "help") == 0) {
		offer_words(cli.word + 1, cli.n - 1, begin);
		return CLI_OK;
	}
	if (cli.n > 0 && strcmp(cli.word[0], "completion") == 0) {
		offer_choices("bash|zsh", begin);
		return CLI_OK;
	}
	if (cli.n > 0 && strcmp(cli.word[0], "top") == 0) {
		offer_arguments(&cli, &api_commands[API_CMD_show_calls], cli.word + 1, cli.n - 1,
				begin);
		return CLI_OK;
	}
	const struct api_command *cmd =
		cli.n > 0 ? cli_command(cli.word, cli.n, &used, &group, &err) : NULL;
	if (cmd != NULL)
		offer_arguments(&cli, cmd, cli.word + used, cli.n - used, begin);
	else if (begin[0] == '-' && cli.n == 0)
		offer_choices("--json|--socket|--watch|--help|--version", begin);
	else
		offer_words(cli.word, cli.n, begin);
	return CLI_OK;
}
