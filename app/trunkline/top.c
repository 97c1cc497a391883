// SPDX-License-Identifier: BSD-3-Clause
// The gateway and its worst calls, live: a screen with keys on a terminal, plain text in a pipe.
#include "api/api.h"
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define EVERY_S 2
#define PIPE_ROWS 20
#define HEAD_ROWS 9 // status, keys, a table's title and its last line

static const struct {
	char key;
	const char *sort;
} keys[] = {{'l', "loss"},    {'m', "mos"},    {'j', "jitter"}, {'p', "rate"},
	    {'x', "refused"}, {'o', "oldest"}, {'n', "newest"}};

struct top {
	struct cli *cli;
	struct asking status, calls;
	bool screen;          // with keys
	char *said;           // why it ended, for when the screen is gone; NULL: nothing
	unsigned long rounds; // left, with counted
	bool counted;
};

static volatile sig_atomic_t ended;

static void on_end(int sig)
{
	(void)sig;
	ended = 1;
}

// ---- the terminal ----

static struct termios cooked;

static void screen_open(struct top *t)
{
	struct termios raw;
	struct sigaction sa = {.sa_handler = on_end};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (!t->screen)
		return;
	raw = cooked;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout);
}

static void screen_close(struct top *t)
{
	if (!t->screen)
		return;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

// Over what was there: every line is cleared to its end, then the rest of the screen.
static void screen_draw(const struct cli *cli, const char *text)
{
	unsigned rows = cli->height > 1 ? cli->height - 1 : 23;

	fputs("\033[H", stdout);
	for (; *text != '\0' && rows > 0; rows--) {
		size_t n = strcspn(text, "\n");
		printf("%.*s\033[K\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

static const char *sort_is(const struct top *t)
{
	return api_arg_text(t->calls.args, "sort");
}

// True if it is to go on.
static bool key_take(struct top *t, char c)
{
	if (c == 'q' || c == 3)
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].key == c)
			json_object_set_new(t->calls.args, "sort", json_string(keys[i].sort));
	return true;
}

// Until the next round, a key, or the end. True if it is to go on.
static bool pause_or_key(struct top *t)
{
	int ms = (int)(t->cli->watch * 1000);
	struct pollfd p = {.fd = t->screen ? STDIN_FILENO : -1, .events = POLLIN};
	char c[32];

	if (poll(&p, 1, ms) <= 0)
		return !ended;
	ssize_t n = read(STDIN_FILENO, c, sizeof(c));
	if (n <= 0)
		return false; // the terminal is gone
	for (ssize_t i = 0; i < n; i++)
		if (!key_take(t, c[i]))
			return false;
	return !ended;
}

// ---- a round ----

static void keys_print(const struct top *t, FILE *out)
{
	fputs("sort by", out);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		bool on = strcmp(sort_is(t), keys[i].sort) == 0;
		fprintf(out, "  %s%c %s%s%s", on && t->cli->colour ? "\033[7m" : "", keys[i].key,
			keys[i].sort, on ? " *" : "", on && t->cli->colour ? "\033[0m" : "");
	}
	fputs("   q quit\n\n", out);
}

static void round_print(const struct top *t, json_t *status, json_t *calls, FILE *out)
{
	json_t *s = json_object_get(status, "data"), *c = json_object_get(calls, "data");

	if (t->cli->json) {
		json_t *both = json_pack("{s:O, s:O, s:O}", "status", s, "calls",
					 json_object_get(c, "calls"), "total",
					 json_object_get(c, "total"));
		cli_json_print(t->cli, both, out);
		json_decref(both);
		return;
	}
	cli_show_status(t->cli, s, out);
	if (t->screen)
		keys_print(t, out);
	else
		fprintf(out, "calls by %s\n", sort_is(t));
	cli_show_list(t->cli, t->calls.cmd, c, out);
	if (!t->screen)
		fputc('\n', out);
}

// The daemon's answers to both. 0, or an exit code and why on out.
static int both_ask(struct top *t, json_t **status, json_t **calls, FILE *out)
{
	struct err err = {""};
	json_t *answer[2] = {NULL, NULL};
	struct asking *a[2] = {&t->status, &t->calls};
	int code = CLI_OK;

	for (unsigned i = 0; i < 2 && code == CLI_OK; i++) {
		a[i]->client = a[!i]->client; // one connection for both
		if (cli_ask(t->cli, a[i], &answer[i], &err) < 0) {
			fprintf(out, "trunkline: %s\n", err.text);
			code = CLI_UNREACHABLE;
		} else if (!json_is_true(json_object_get(answer[i], "ok"))) {
			fprintf(out, "trunkline: %s\n", text_at(answer[i], "error"));
			code = CLI_REFUSED;
		}
		a[!i]->client = a[i]->client;
	}
	*status = answer[0];
	*calls = answer[1];
	return code;
}

static int top_round(struct top *t, bool first)
{
	unsigned rows = t->cli->height > HEAD_ROWS + 1 ? t->cli->height - HEAD_ROWS : PIPE_ROWS;
	json_t *status = NULL, *calls = NULL;
	char *text = NULL;
	size_t len;
	FILE *out = t->screen ? open_memstream(&text, &len) : stdout;

	if (out == NULL)
		return CLI_REFUSED;
	if (t->screen || json_object_get(t->calls.args, "limit") == NULL)
		json_object_set_new(t->calls.args, "limit",
				    json_integer(t->screen ? rows : PIPE_ROWS));
	int code = both_ask(t, &status, &calls, t->screen ? out : stderr);
	if (code == CLI_OK)
		round_print(t, status, calls, out);
	json_decref(status);
	json_decref(calls);
	if (!t->screen)
		return fflush(stdout) != 0 ? CLI_REFUSED : code;
	fclose(out);
	// A daemon that restarts is waited for, but there has to be one to begin with.
	if (code == CLI_UNREACHABLE && !first)
		code = CLI_OK;
	if (code == CLI_OK) {
		screen_draw(t->cli, text);
		free(text);
	} else {
		t->said = text;
	}
	return code;
}

// ---- the command ----

// Takes -n COUNT out of the words; the rest are arguments of "show calls". Their number, or -EINVAL.
static int words_take(struct top *t, char **word, int n, struct err *err)
{
	int left = 0;

	for (int i = 0; i < n; i++) {
		uint64_t count;
		if (strcmp(word[i], "-n") != 0 && strcmp(word[i], "--count") != 0) {
			word[left++] = word[i];
			continue;
		}
		if (i + 1 == n || api_uint_parse(word[++i], &count) < 0 || count < 1 ||
		    count > 1000000)
			return err_set(err, -EINVAL,
				       "top: -n needs a number of rounds, 1 to 1000000");
		t->counted = true;
		t->rounds = count;
	}
	return left;
}

static int top_run(struct top *t)
{
	int code = CLI_OK;

	if (t->screen && tcgetattr(STDIN_FILENO, &cooked) < 0)
		t->screen = false;
	screen_open(t);
	for (bool first = true; code == CLI_OK && !ended; first = false) {
		cli_terminal_look(t->cli);
		code = top_round(t, first);
		if (code != CLI_OK || (t->counted && --t->rounds == 0) || !pause_or_key(t))
			break;
	}
	screen_close(t);
	if (t->said != NULL)
		fputs(t->said, stderr);
	free(t->said);
	return code;
}

int cli_top(struct cli *cli, char **word, int n)
{
	struct top t = {.cli = cli,
			.status.cmd = &api_commands[API_CMD_status],
			.calls.cmd = &api_commands[API_CMD_show_calls],
			.screen = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !cli->json};
	struct err err = {""};

	n = words_take(&t, word, n, &err);
	if (n < 0 || cli_args(t.calls.cmd, word, n, &t.calls.args, &err) < 0) {
		fprintf(stderr, "trunkline: %s\n", err.text);
		json_decref(t.calls.args);
		return CLI_USAGE;
	}
	if (sort_is(&t) == NULL)
		json_object_set_new(t.calls.args, "sort", json_string("loss"));
	if (cli->watch <= 0)
		cli->watch = EVERY_S;
	int code = top_run(&t);
	api_client_close(t.calls.client);
	json_decref(t.calls.args);
	return code;
}
