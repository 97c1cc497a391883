// SPDX-License-Identifier: BSD-3-Clause
#include "api/api.h"
#include "api_handlers.h"
#include "api_later.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const api_handler handlers[API_COMMANDS] = {
#define COMMAND(id, ...) [API_CMD_##id] = cmd_##id,
#include "api/commands.def"
#undef COMMAND
};

static json_t *unknown_command(const char *name)
{
	const char *names[API_COMMANDS];
	struct err err;
	char shown[41];

	for (unsigned i = 0; i < API_COMMANDS; i++)
		names[i] = api_commands[i].name;
	const char *near = api_suggest(name, names, API_COMMANDS);
	size_t n = 0;
	for (; name[n] != '\0' && n < sizeof(shown) - 1; n++)
		shown[n] = name[n] < 32 || name[n] > 126 ? '?' : name[n];
	shown[n] = '\0';
	if (near != NULL)
		err_set(&err, 0, "there is no command \"%s\"; did you mean \"%s\"?", shown, near);
	else
		err_set(&err, 0, "there is no command \"%s\"; see trunkline --help", shown);
	return api_answer_error("unknown-command", err.text, NULL);
}

// Who changed what, for the log; keys stay out.
static void change_log(const struct api_command *cmd, json_t *args, const char *who,
		       const char *outcome)
{
	json_t *shown = json_object();
	const char *name;
	json_t *value;

	json_object_foreach (args, name, value)
		if (api_arg_find(cmd, name)->type != API_KEY)
			json_object_set(shown, name, value);
	char *text = json_dumps(shown, JSON_COMPACT);
	log_notice("%s by %s: %s %s", cmd->name, who, outcome, text == NULL ? "" : text);
	free(text);
	json_decref(shown);
}

static json_t *outcome(const struct api_later *l, int rc, json_t *data, const struct err *err)
{
	if (l->cmd->changes)
		change_log(l->cmd, l->args, l->who, rc < 0 ? err->text : "done");
	if (rc >= 0)
		return api_answer_ok(data);
	return api_answer_error(api_code(rc), err->text[0] == '\0' ? strerror(-rc) : err->text,
				data);
}

static struct api_later *current; // the request that is being handled

struct api_later *api_later_of_request(void)
{
	return current;
}

json_t *api_finish(struct api_later *l, int rc, json_t *data, const struct err *err)
{
	json_t *answer = outcome(l, rc, data, err);

	json_decref(l->args);
	l->args = NULL;
	l->pending = false;
	return answer;
}

static json_t *command_run(struct control *ctl, json_t *args, struct api_later *later)
{
	struct err err = {0};
	json_t *data = NULL;
	int r = api_args_check(later->cmd, args, &err);

	if (r < 0)
		return api_answer_error("bad-argument", err.text, NULL);
	if (later->gone && !later->cmd->changes)
		return NULL; // large answers that nobody reads are not worth the loop's time
	later->args = json_incref(args);
	later->pending = true;
	current = later;
	r = handlers[later->cmd - api_commands](ctl, args, &data, &err);
	current = NULL;
	return r == -EINPROGRESS ? NULL : api_finish(later, r, data, &err);
}

json_t *api_dispatch(struct control *ctl, const uint8_t *message, size_t len,
		     struct api_later *later)
{
	struct err err;
	json_t *answer, *request = api_json_load(message, len, true, &err);

	if (request == NULL)
		return api_answer_error("bad-request", err.text, NULL);
	json_t *version = json_object_get(request, "v");
	const char *name = json_string_value(json_object_get(request, "cmd"));
	if (!json_is_integer(version)) {
		answer = api_answer_error("bad-request", "\"v\" is missing; it must be 1", NULL);
	} else if (json_integer_value(version) != API_VERSION) {
		err_set(&err, 0,
			"this trunklined %s speaks version %d of the API, the request is version "
			"%lld; use the trunkline of the same release",
			TRUNKLINE_VERSION, API_VERSION, (long long)json_integer_value(version));
		answer = api_answer_error("version", err.text, NULL);
	} else if (name == NULL) {
		answer = api_answer_error(
			"bad-request", "\"cmd\" is missing; it must be a string, like \"status\"",
			NULL);
	} else {
		later->cmd = api_command_find(name);
		answer = later->cmd == NULL
				 ? unknown_command(name)
				 : command_run(ctl, json_object_get(request, "args"), later);
	}
	json_decref(request);
	return answer;
}
