// SPDX-License-Identifier: BSD-3-Clause
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- options of every command ----

// The value of an option: after '=', or the next word. NULL if there is none.
static const char *option_value(const char *word, int *i, int argc, char **argv)
{
	const char *equals = strchr(word, '=');

	if (equals != NULL)
		return equals + 1;
	return *i + 1 < argc ? argv[++*i] : NULL;
}

static bool option_is(const char *word, const char *name)
{
	size_t n = strlen(name);
	return strncmp(word, name, n) == 0 && (word[n] == '\0' || word[n] == '=');
}

static bool seconds_parse(const char *text, double *out)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= 0.1 && v <= 86400))
		return false;
	*out = v;
	return true;
}

static int watch_option(struct cli *cli, const char *word, int *i, int argc, char **argv,
			struct err *err)
{
	const char *equals = strchr(word, '=');

	cli->watch = 2;
	if (equals != NULL) {
		if (!seconds_parse(equals + 1, &cli->watch))
			return err_set(err, -EINVAL,
				       "--watch: seconds, 0.1 to 86400; like --watch=5");
	} else if (*i + 1 < argc && seconds_parse(argv[*i + 1], &cli->watch)) {
		++*i;
	}
	return 0;
}

int cli_options(struct cli *cli, int argc, char **argv, struct err *err)
{
	cli->n = 0;
	cli->word = argv;
	for (int i = 0; i < argc; i++) {
		char *w = argv[i];
		if (strcmp(w, "--json") == 0) {
			cli->json = true;
		} else if (strcmp(w, "--help") == 0 || strcmp(w, "-h") == 0) {
			cli->help = true;
		} else if (option_is(w, "--socket")) {
			cli->socket = option_value(w, &i, argc, argv);
			if (cli->socket == NULL || cli->socket[0] == '\0')
				return err_set(err, -EINVAL, "--socket: needs a path");
		} else if (option_is(w, "--watch") ||
			   (cli->n == 0 && cli->watch == 0 && strcmp(w, "watch") == 0)) {
			int r = watch_option(cli, w, &i, argc, argv, err);
			if (r < 0)
				return r;
		} else {
			argv[cli->n++] = w;
		}
	}
	return 0;
}

// ---- the command's name ----

// Does word abbreviate (or is) the k-th word of the name? 2: is, 1: abbreviates, 0: neither.
static int name_word(const char *name, int k, const char *word)
{
	while (k-- > 0) {
		name = strchr(name, ' ');
		if (name == NULL)
			return 0;
		name++;
	}
	size_t n = strcspn(name, " "), len = strlen(word);
	if (len > n || len == 0 || strncmp(name, word, len) != 0)
		return 0;
	return len == n ? 2 : 1;
}

static int name_words(const char *name)
{
	int n = 1;

	for (; *name != '\0'; name++)
		n += *name == ' ';
	return n;
}

// Which commands begin with these words? An exact word beats an abbreviation.
static unsigned names_filter(char **word, int n, bool fits[static API_COMMANDS])
{
	unsigned left = API_COMMANDS;

	memset(fits, true, API_COMMANDS);
	for (int k = 0; k < n; k++) {
		int best = 0;
		for (unsigned c = 0; c < API_COMMANDS; c++) {
			int m = fits[c] ? name_word(api_commands[c].name, k, word[k]) : 0;
			best = m > best ? m : best;
		}
		left = 0;
		for (unsigned c = 0; c < API_COMMANDS; c++) {
			fits[c] = fits[c] && best > 0 &&
				  name_word(api_commands[c].name, k, word[k]) == best;
			left += fits[c];
		}
	}
	return left;
}

bool cli_command_begins(const struct api_command *cmd, char **word, int n)
{
	bool fits[API_COMMANDS];

	names_filter(word, n, fits);
	return fits[cmd - api_commands];
}

// The names that the words may mean, for an error text.
static void names_list(const bool fits[static API_COMMANDS], char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned c = 0; c < API_COMMANDS; c++)
		if (fits[c] && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n > 0 ? ", " : "",
					      api_commands[c].name);
}

static void unknown_text(char **word, int n, struct err *err)
{
	const char *names[API_COMMANDS + 5];
	char given[80] = "", first[40];
	unsigned k = 0;

	for (; k < API_COMMANDS; k++)
		names[k] = api_commands[k].name;
	names[k++] = "help";
	names[k++] = "watch";
	names[k++] = "top";
	names[k++] = "completion";
	names[k++] = "version";
	snprintf(first, sizeof(first), "%.39s", word[0]);
	snprintf(given, sizeof(given), n > 1 ? "%.39s %.39s" : "%.39s", first,
		 n > 1 ? word[1] : "");
	const char *near = api_suggest(given, names, k);
	if (near == NULL)
		near = api_suggest(first, names, k);
	if (near != NULL)
		err_set(err, 0, "there is no command \"%s\"; did you mean \"%s\"?", given, near);
	else
		err_set(err, 0, "there is no command \"%s\"; trunkline --help lists them", given);
}

const struct api_command *cli_command(char **word, int n, int *used, bool *group, struct err *err)
{
	bool fits[API_COMMANDS];
	char list[400];
	int k = 0;

	*group = false;
	while (k < n && word[k][0] != '-' && names_filter(word, k + 1, fits) > 0)
		k++;
	names_filter(word, k, fits);
	for (unsigned c = 0; k > 0 && c < API_COMMANDS; c++) {
		if (!fits[c] || name_words(api_commands[c].name) != k)
			continue;
		for (unsigned d = c + 1; d < API_COMMANDS; d++) {
			if (!fits[d] || name_words(api_commands[d].name) != k)
				continue;
			names_list(fits, list, sizeof(list));
			err_set(err, 0, "\"%s\" may mean %s", word[k - 1], list);
			return NULL;
		}
		*used = k;
		return &api_commands[c];
	}
	if (k > 0 && (k == n || word[k][0] == '-')) {
		names_list(fits, list, sizeof(list));
		err_set(err, 0, "\"%s\" what? %s", word[k - 1], list);
		*group = true;
	} else {
		unknown_text(word, n, err);
	}
	return NULL;
}

// ---- arguments ----

char *cli_option_name(const char *name, char buf[static 32])
{
	snprintf(buf, 32, "%s", name);
	for (char *c = buf; *c != '\0'; c++)
		if (*c == '_')
			*c = '-';
	return buf;
}

bool cli_has_keys(const struct api_command *cmd)
{
	for (const struct api_arg *a = cmd->args; a->name != NULL; a++)
		if (a->type == API_KEY)
			return true;
	return false;
}

// The argument whose option this is; if abbreviated is allowed, by a prefix that only it has.
static const struct api_arg *option_find(const struct api_command *cmd, const char *text,
					 size_t len, bool abbreviated)
{
	const struct api_arg *found = NULL;
	char name[32];

	for (const struct api_arg *a = cmd->args; a->name != NULL; a++) {
		cli_option_name(a->name, name);
		if (strncmp(name, text, len) != 0)
			continue;
		if (name[len] == '\0')
			return a;
		if (found != NULL)
			abbreviated = false;
		found = a;
	}
	return abbreviated && len > 0 ? found : NULL;
}

static int unknown_option(const struct api_command *cmd, const char *word, struct err *err)
{
	char buf[64][32];
	const char *names[64] = {NULL};
	size_t n = 0;

	for (const struct api_arg *a = cmd->args; a->name != NULL && n < 58; a++, n++)
		names[n] = cli_option_name(a->name, buf[n]);
	static const char *const always[] = {"socket", "json", "watch", "help"};
	for (size_t i = 0; i < 4 && n < 63; i++)
		names[n++] = always[i];
	if (cli_has_keys(cmd))
		names[n++] = "key-file";
	char given[40];
	snprintf(given, sizeof(given), "%.*s", (int)strcspn(word, "="), word);
	const char *near = api_suggest(given + strspn(given, "-"), names, n);
	if (near != NULL)
		return err_set(err, -EINVAL, "%s: there is no %s; did you mean --%s?", cmd->name,
			       given, near);
	return err_set(err, -EINVAL, "%s: \"%s\" is too much; trunkline help %s", cmd->name, given,
		       cmd->name);
}

// Puts a value into args; a list grows, anything else must not come twice.
static int arg_put(const struct api_arg *arg, const char *text, json_t *args, struct err *err)
{
	char option[32];
	json_t *value, *old = json_object_get(args, arg->name);

	cli_option_name(arg->name, option);
	if (arg->type == API_KEY)
		return err_set(err, -EINVAL,
			       "--%s: keys are not taken from the command line, where other users "
			       "and the shell's history see them; put \"%s HEX\" into a file and "
			       "name it with --key-file (- for standard input)",
			       option, option);
	if (old != NULL && !(arg->how & API_LIST))
		return err_set(err, -EINVAL, "--%s: given twice", option);
	value = api_arg_parse(arg, text, err);
	if (value == NULL)
		return -EINVAL;
	if (!(arg->how & API_LIST))
		return json_object_set_new(args, arg->name, value);
	if (old == NULL) {
		old = json_array();
		json_object_set_new(args, arg->name, old);
	}
	return json_array_append_new(old, value);
}

// The next argument that may be given without its name.
static const struct api_arg *position_next(const struct api_command *cmd, json_t *args)
{
	for (const struct api_arg *a = cmd->args; a->name != NULL; a++)
		if ((a->how & API_POS) && json_object_get(args, a->name) == NULL)
			return a;
	return NULL;
}

static int word_take(const struct api_command *cmd, char **word, int n, int *i, json_t *args,
		     struct err *err)
{
	const char *w = word[*i];
	bool dashed = w[0] == '-' && w[1] == '-';
	const char *name = dashed ? w + 2 : w;
	size_t len = strcspn(name, "=");
	const struct api_arg *position = position_next(cmd, args);
	const struct api_arg *arg = NULL;

	if (w[0] == '-' && !dashed)
		return unknown_option(cmd, w, err);
	if (dashed && cli_has_keys(cmd) && len == 8 && strncmp(name, "key-file", 8) == 0) {
		const char *path = option_value(w, i, n, word);
		if (path == NULL)
			return err_set(err, -EINVAL,
				       "--key-file: needs a path, or - for standard input");
		return cli_keys_read(cmd, path, args, err);
	}
	if (dashed || position == NULL || !(position->how & API_REQ))
		arg = option_find(cmd, name, len, dashed);
	if (arg == NULL && !dashed && position != NULL)
		return arg_put(position, w, args, err);
	if (arg == NULL)
		return unknown_option(cmd, w, err);
	if (arg->type == API_BOOL && name[len] == '\0')
		return arg_put(arg, "yes", args, err);
	if (arg->type == API_KEY)
		return arg_put(arg, "", args, err);
	const char *value = name[len] == '=' ? name + len + 1 : option_value(w, i, n, word);
	if (value == NULL)
		return err_set(err, -EINVAL, "--%.*s: needs a value, %s", (int)len, name,
			       arg->spec);
	return arg_put(arg, value, args, err);
}

static int required_check(const struct api_command *cmd, json_t *args, struct err *err)
{
	char option[32];

	for (const struct api_arg *a = cmd->args; a->name != NULL; a++) {
		if (!(a->how & API_REQ) || json_object_get(args, a->name) != NULL)
			continue;
		cli_option_name(a->name, option);
		if (a->type == API_KEY)
			return err_set(err, -EINVAL, "%s needs --key-file with a line \"%s HEX\"",
				       cmd->name, option);
		return err_set(err, -EINVAL,
			       a->how & API_POS ? "%s needs %s: %s" : "%s needs --%s: %s",
			       cmd->name, a->how & API_POS ? a->spec : option, a->help);
	}
	return 0;
}

int cli_args(const struct api_command *cmd, char **word, int n, json_t **args, struct err *err)
{
	*args = json_object();
	for (int i = 0; i < n; i++) {
		int r = word_take(cmd, word, n, &i, *args, err);
		if (r < 0)
			return r;
	}
	return required_check(cmd, *args, err);
}
