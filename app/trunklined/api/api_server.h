// SPDX-License-Identifier: BSD-3-Clause
// The control API's server: a unix stream socket on the control thread's event loop. It never
// blocks the loop: every client has bounded input, bounded output and deadlines.
#pragma once

#include "base/err.h"

#include <stddef.h>

struct api_server;
struct control;
struct event_base;

// What a server takes from its clients.
struct api_limits {
	unsigned clients;   // connected at once; the idlest one makes room for a new one
	unsigned request_s; // from the first byte of a request to its last
	unsigned answer_s;  // for reading an answer
	unsigned idle_s;    // without a request
	size_t in_bytes;    // of requests being received, all clients
	size_t out_bytes;   // of answers being sent, all clients
	unsigned later_s;   // for an answer that comes later
};
#define API_LIMITS_DEFAULT                                                \
	(struct api_limits)                                               \
	{                                                                 \
		128, 10, 30, 600, (size_t)32 << 20, (size_t)256 << 20, 60 \
	}

// Listens on path with mode 0660 and, if group is not NULL, that owner group. A socket file that
// nobody answers on is replaced; if somebody does answer: -EADDRINUSE. ctl is passed on to the
// handlers of api_handlers.h. Other errors: negative errno of what failed, and a text.
int api_server_start(struct event_base *base, const char *path, const char *group,
		     struct control *ctl, struct api_server **out, struct err *err);
// Other limits than API_LIMITS_DEFAULT, for clients that connect from now on.
void api_server_limit(struct api_server *server, const struct api_limits *limits);
// Disconnects every client, removes the socket file, frees. NULL is fine. Not from within a handler.
void api_server_stop(struct api_server *server);
