// SPDX-License-Identifier: BSD-3-Clause
// One function a command of the control API, and the step from a message to its answer.
#pragma once

#include "api/command.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control;

// args have been checked against commands.def (NULL: none were given). 0 and *data (a new
// reference, stays NULL for "nothing to say"); or negative errno and a text for a person, and *data
// may be an array of strings with more lines; or -EINPROGRESS: see api_later.h.
typedef int (*api_handler)(struct control *ctl, json_t *args, json_t **data, struct err *err);

#define COMMAND(id, ...) \
	int cmd_##id(struct control *ctl, json_t *args, json_t **data, struct err *err);
#include "api/commands.def"
#undef COMMAND

// api_views_calls.c: a customer's name that nobody has is a mistake, not an empty list. NULL is fine.
int api_customer_known(struct control *ctl, const char *name, struct err *err);

// A request whose answer may come later. The server's, from before the dispatch until it is answered.
struct api_later {
	void *client; // the server's; NULL: gone meanwhile
	const struct api_command *cmd;
	json_t *args;
	char who[48];
	bool pending;
	bool gone; // already: a command that changes nothing is not worth answering
};

// Answers one message, whatever it holds. later->who is the client in the log ("uid 0, pid 123").
// A new reference; NULL without memory, for a reader that is gone, or if later->pending, when the answer comes by api_later_answer().
json_t *api_dispatch(struct control *ctl, const uint8_t *message, size_t len,
		     struct api_later *later);
// The answer to a request that was pending, which is over then. data is stolen. NULL only without memory.
json_t *api_finish(struct api_later *later, int rc, json_t *data, const struct err *err);
