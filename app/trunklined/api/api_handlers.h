// SPDX-License-Identifier: BSD-3-Clause
// One function a command of the control API, and the step from a message to its answer.
#pragma once

#include "api/command.h"
#include "base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct control;

// args have been checked against commands.def (NULL: none were given). 0 and *data (a new
// reference, stays NULL for "nothing to say"); or negative errno and a text for a person, and *data
// may be an array of strings with more lines.
typedef int (*api_handler)(struct control *ctl, json_t *args, json_t **data, struct err *err);

#define COMMAND(id, ...) \
	int cmd_##id(struct control *ctl, json_t *args, json_t **data, struct err *err);
#include "api/commands.def"
#undef COMMAND

// Answers one message, whatever it holds. who is the client in the log ("uid 0, pid 123").
// A new reference; NULL only without memory.
json_t *api_dispatch(struct control *ctl, const uint8_t *message, size_t len, const char *who);
