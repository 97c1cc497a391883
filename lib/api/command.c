// SPDX-License-Identifier: BSD-3-Clause
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define READS false
#define CHANGES true
#define OPT API_OPT
#define REQ API_REQ
#define POS API_POS
#define LIST API_LIST
#define NO_ARGS
#define ARG(name, type, how, spec, help) {name, API_##type, how, spec, help},
#define COMMAND(id, name, changes, help, ...) \
	[API_CMD_##id] = {name, changes, help, (const struct api_arg[]){__VA_ARGS__{0}}},
const struct api_command api_commands[API_COMMANDS] = {
#include "commands.def"
};
#undef COMMAND
#undef READS
#undef CHANGES
#undef OPT
#undef REQ
#undef POS
#undef LIST

const struct api_command *api_command_find(const char *name)
{
	for (unsigned i = 0; i < API_COMMANDS; i++)
		if (strcmp(api_commands[i].name, name) == 0)
			return &api_commands[i];
	return NULL;
}

const struct api_arg *api_arg_find(const struct api_command *cmd, const char *name)
{
	for (const struct api_arg *a = cmd->args; a->name != NULL; a++)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

// Levenshtein's distance, '-' and '_' and cases alike; texts beyond 31 bytes are far from anything.
static unsigned text_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[32];

	if (la > 31 || lb > 31)
		return 99;
	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			int x = a[i - 1] == '-' ? '_' : tolower((unsigned char)a[i - 1]);
			int y = b[j - 1] == '-' ? '_' : tolower((unsigned char)b[j - 1]);
			unsigned above = row[j];
			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (x != y));
			diagonal = above;
		}
	}
	return row[lb];
}

const char *api_suggest(const char *text, const char *const *names, size_t n)
{
	const char *best = NULL;
	unsigned best_distance = 99;

	for (size_t i = 0; i < n; i++) {
		unsigned d = text_distance(text, names[i]);
		// An abbreviation is meant, however much is missing.
		if (strlen(text) >= 2 && strncasecmp(text, names[i], strlen(text)) == 0)
			d = 1;
		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	size_t len = strlen(text);
	unsigned allowed = len <= 3 ? 1 : len <= 6 ? 2 : 3;
	return best_distance <= allowed ? best : NULL;
}
