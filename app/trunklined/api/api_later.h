// SPDX-License-Identifier: BSD-3-Clause
// Answers that come later than the handler returns, because something outside takes its time. The client waits,
// or has gone by then; the control loop goes on meanwhile.
#pragma once

#include "base/err.h"

#include <jansson.h>

struct api_command;
struct api_later;

// From within a handler: its request, which the handler then answers by returning -EINPROGRESS and calling
// api_later_answer() once, afterwards.
struct api_later *api_later_of_request(void);
// rc, data (stolen) and err are what the handler would have returned.
void api_later_answer(struct api_later *l, int rc, json_t *data, const struct err *err);
