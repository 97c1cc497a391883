// SPDX-License-Identifier: BSD-3-Clause
// trunkline: asks trunklined, and shows the answer.
#include "api/api.h"
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static int usage_error(const struct err *err)
{
	fprintf(stderr, "trunkline: %s\n", err->text);
	return CLI_USAGE;
}

static int run_once(const struct cli *cli, struct asking *a)
{
	struct err err = {0};
	json_t *answer;

	if (cli_ask(cli, a, &answer, &err) < 0) {
		fprintf(stderr, "trunkline: %s\n", err.text);
		return CLI_UNREACHABLE;
	}
	int code = cli_answer_show(cli, a->cmd, answer, stdout);
	json_decref(answer);
	if (fflush(stdout) != 0 && code == CLI_OK) {
		fprintf(stderr, "trunkline: writing the answer: %s\n", strerror(errno));
		return CLI_REFUSED;
	}
	return code;
}

// ---- again and again ----

// Draws over what was there: every line is cleared to its end, then the rest of the screen.
static void screen_draw(const struct cli *cli, const char *text)
{
	unsigned rows = cli->height > 2 ? cli->height - 2 : 22, row = 0;
	char now[16];
	time_t t = time(NULL);
	struct tm tm;

	strftime(now, sizeof(now), "%T", localtime_r(&t, &tm));
	printf("\033[H%s  every %g s, Ctrl-C ends\033[K\n", now, cli->watch);
	while (*text != '\0' && row < rows) {
		size_t n = strcspn(text, "\n");
		printf("%.*s\033[K\n", (int)n, text);
		text += n + (text[n] == '\n');
		row++;
	}
	if (*text != '\0')
		fputs("... more than the screen holds", stdout);
	fputs("\033[J", stdout);
	fflush(stdout);
}

static int watch_round(struct cli *cli, struct asking *a, bool screen, bool first)
{
	struct err err = {0};
	json_t *answer;
	char *text = NULL;
	size_t len;
	int code = CLI_OK;
	FILE *out = screen ? open_memstream(&text, &len) : stdout;

	if (out == NULL)
		return CLI_REFUSED;
	if (cli_ask(cli, a, &answer, &err) < 0) {
		fprintf(screen && !first ? out : stderr, "trunkline: %s\n", err.text);
		code = CLI_UNREACHABLE;
	} else {
		code = cli_answer_show(cli, a->cmd, answer, out);
		json_decref(answer);
	}
	if (screen) {
		fclose(out);
		// A daemon that restarts is waited for, but there has to be one to begin with.
		if (code == CLI_OK || (code == CLI_UNREACHABLE && !first)) {
			if (first)
				fputs("\033[?25l\033[2J", stdout);
			screen_draw(cli, text);
			code = CLI_OK;
		} else {
			fputs(text, stderr);
		}
		free(text);
	} else {
		if (!cli->json)
			fputc('\n', stdout);
		if (fflush(stdout) != 0)
			code = CLI_REFUSED;
	}
	return code;
}

static int run_watch(struct cli *cli, struct asking *a)
{
	bool screen = isatty(STDOUT_FILENO) && !cli->json;
	struct sigaction sa = {.sa_handler = on_signal};
	struct timespec pause = {.tv_sec = (time_t)cli->watch};
	int code = CLI_OK;

	pause.tv_nsec = (long)((cli->watch - (double)pause.tv_sec) * 1e9);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	for (bool first = true; !stopped && code == CLI_OK; first = false) {
		cli_terminal_look(cli);
		code = watch_round(cli, a, screen, first);
		if (!stopped && code == CLI_OK)
			nanosleep(&pause, NULL);
	}
	if (screen)
		fputs("\033[?25h", stdout);
	return code;
}

// ---- commands ----

static int run_help(struct cli *cli, char **word, int n)
{
	struct err err;
	bool group;
	int used;

	if (n == 0) {
		cli_help(stdout);
		return CLI_OK;
	}
	if (cli_help_here(word[0], stdout))
		return CLI_OK;
	const struct api_command *cmd = cli_command(word, n, &used, &group, &err);
	if (cmd != NULL)
		cli_help_command(cmd, stdout);
	else if (group)
		cli_help_group(word, n, stdout);
	else
		return usage_error(&err);
	(void)cli;
	return CLI_OK;
}

static int run_command(struct cli *cli)
{
	struct asking a = {0};
	struct err err = {0};
	bool group;
	int used;

	a.cmd = cli_command(cli->word, cli->n, &used, &group, &err);
	if (a.cmd == NULL)
		return usage_error(&err);
	if (cli->watch > 0 && a.cmd->changes) {
		err_set(&err, 0, "%s changes something; only what looks can be watched",
			a.cmd->name);
		return usage_error(&err);
	}
	if (cli_args(a.cmd, cli->word + used, cli->n - used, &a.args, &err) < 0) {
		json_decref(a.args);
		return usage_error(&err);
	}
	cli_terminal_look(cli);
	int code = cli->watch > 0 ? run_watch(cli, &a) : run_once(cli, &a);
	api_client_close(a.client);
	json_decref(a.args);
	return code;
}

static int run_here(struct cli *cli)
{
	const char *first = cli->word[0];

	if (strcmp(first, "help") == 0)
		return run_help(cli, cli->word + 1, cli->n - 1);
	if (strcmp(first, "version") == 0 || strcmp(first, "--version") == 0) {
		printf(cli->json ? "{\"version\": \"%s\"}\n" : "trunkline %s\n", TRUNKLINE_VERSION);
		return CLI_OK;
	}
	if (strcmp(first, "top") == 0)
		return cli_top(cli, cli->word + 1, cli->n - 1);
	if (strcmp(first, "completion") == 0) {
		int code = cli_completion(cli->n > 1 ? cli->word[1] : NULL);
		if (code != CLI_OK)
			fputs("trunkline: completion: bash or zsh\n", stderr);
		return code;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct cli cli = {.socket = getenv("TRUNKLINE_SOCKET")};
	struct err err;

	api_json_wipes();
	if (argc > 1 && strcmp(argv[1], "complete") == 0)
		return cli_complete(argc - 2, argv + 2);
	if (cli.socket == NULL || cli.socket[0] == '\0')
		cli.socket = API_SOCKET;
	if (cli_options(&cli, argc - 1, argv + 1, &err) < 0)
		return usage_error(&err);
	if (cli.help)
		return run_help(&cli, cli.word, cli.n);
	if (cli.n == 0) {
		cli_help(cli.watch > 0 ? stderr : stdout);
		return cli.watch > 0 ? CLI_USAGE : CLI_OK;
	}
	int code = run_here(&cli);
	return code >= 0 ? code : run_command(&cli);
}
