// SPDX-License-Identifier: BSD-3-Clause
// A command to the daemon, and its answer.
#include "api/api.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ANSWER_MS 30000

void cli_terminal_look(struct cli *cli)
{
	struct winsize ws;
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	cli->width = cli->height = 0;
	if (!isatty(STDOUT_FILENO))
		return;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0) {
		cli->width = ws.ws_col;
		cli->height = ws.ws_row;
	}
	cli->colour = (no == NULL || no[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

// An answer to the command; once more on a new connection if the daemon had closed the old one.
static int ask(const struct cli *cli, struct asking *a, json_t **answer, struct err *err)
{
	for (bool fresh = a->client == NULL;; fresh = true) {
		int r = 0;
		if (a->client == NULL)
			r = api_client_open(cli->socket, &a->client, err);
		if (r == 0)
			r = api_client_call(a->client, a->cmd->name, a->args, ANSWER_MS, answer,
					    err);
		if (r == 0)
			return 0;
		api_client_close(a->client);
		a->client = NULL;
		if (fresh)
			return r;
	}
}

// The list in an answer that comes in pages, or NULL.
static json_t *answer_list(json_t *data)
{
	json_t *value;
	const char *key;

	if (json_object_get(data, "offset") == NULL && json_object_get(data, "next") == NULL)
		return NULL;
	json_object_foreach (data, key, value)
		if (json_is_array(value))
			return value;
	return NULL;
}

// Makes args those of the page behind the ones that list holds so far. page: data of the last one; want 0: all. False: there is none.
static bool page_next(json_t *args, json_t *page, size_t had, size_t want)
{
	json_t *next = json_object_get(page, "next");
	size_t have = json_array_size(answer_list(page));

	if (have == 0 || (want != 0 && had >= want) || json_is_null(next))
		return false;
	if (next != NULL)
		json_object_set(args, "after", next);
	else
		json_object_set_new(args, "offset",
				    json_integer((json_int_t)(int_at(page, "offset") + have)));
	json_object_set_new(args, "limit", json_integer((json_int_t)(want == 0 ? 0 : want - had)));
	return true;
}

// Like ask; of a list that the daemon answers in pages, as many pages as were asked for.
int cli_ask(const struct cli *cli, struct asking *a, json_t **answer, struct err *err)
{
	struct asking more = *a;
	int r = ask(cli, a, answer, err);
	json_t *data = r == 0 ? json_object_get(*answer, "data") : NULL;
	json_t *list = answer_list(data);

	if (list == NULL)
		return r;
	json_t *page = json_incref(*answer);
	uint64_t want = api_arg_uint(a->args, "limit", API_LIST_DEFAULT);
	more.args = json_copy(a->args);
	while (page_next(more.args, json_object_get(page, "data"), json_array_size(list), want)) {
		json_decref(page);
		more.client = a->client;
		r = ask(cli, &more, &page, err);
		a->client = more.client;
		if (r < 0)
			break;
		if (!json_is_true(json_object_get(page, "ok"))) { // half a list is none
			json_decref(*answer);
			*answer = json_incref(page);
			break;
		}
		json_t *got = json_object_get(page, "data");
		json_array_extend(list, answer_list(got));
		if (json_object_get(got, "next") != NULL)
			json_object_set(data, "next", json_object_get(got, "next"));
	}
	if (r == 0)
		json_decref(page);
	else
		json_decref(*answer);
	json_decref(more.args);
	return r;
}

void cli_json_print(const struct cli *cli, json_t *data, FILE *out)
{
	size_t flags = cli->watch > 0 ? JSON_COMPACT : JSON_INDENT(2);

	json_dumpf(data, out, flags | JSON_REAL_PRECISION(12));
	fputc('\n', out);
}

int cli_answer_show(const struct cli *cli, const struct api_command *cmd, json_t *answer, FILE *out)
{
	json_t *data = json_object_get(answer, "data"), *line;
	size_t i;

	if (json_is_true(json_object_get(answer, "ok"))) {
		if (cli->json)
			cli_json_print(cli, data, out);
		else
			cli_show(cli, cmd, data, out);
		return CLI_OK;
	}
	json_array_foreach (json_object_get(answer, "details"), i, line)
		fprintf(stderr, "%s\n", json_string_value(line));
	fprintf(stderr, "trunkline: %s\n", text_at(answer, "error"));
	return CLI_REFUSED;
}
