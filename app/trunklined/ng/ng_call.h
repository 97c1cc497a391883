// SPDX-License-Identifier: BSD-3-Clause
// The call engine: what each verb of the NG protocol does.
#pragma once

#include "ng.h"

struct ng_calls *ng_calls_new(struct control *ctl, const struct ng_stats *stats);
void ng_calls_free(struct ng_calls *c);
// Does what a message asks and fills the answer's dictionary. On a negative result the answer is err's text
// instead; -EBUSY makes it "load limit".
int ng_calls_do(struct ng_calls *c, const struct ng_request *req, struct ng_arena *a,
		struct ng_val *answer, struct err *err);
bool ng_calls_stop(struct ng_calls *c, const char *id); // false: there is no such call
uint32_t ng_calls_count(const struct ng_calls *c);      // in progress
// Once a second.
void ng_calls_second(struct ng_calls *c);
