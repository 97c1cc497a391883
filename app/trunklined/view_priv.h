// SPDX-License-Identifier: BSD-3-Clause
// Shared by the view files.
#pragma once

#include "control_priv.h"
#include "view.h"

// Length of the last second, in seconds.
double view_seconds(const struct control *ctl);
// Seconds since a TSC value or a leg's tick; negative for a TSC of 0.
double view_age(const struct control *ctl, uint64_t tsc);
double view_tick_age(const struct control *ctl, uint32_t tick);
// The call that is meant: the one with this id (as view_call_id() makes it), else the only one whose id
// begins so; its oldest stream. NULL, and *total how many begin so.
const struct media *view_call_find(const struct control *ctl, const char *id, size_t *total);
struct view_rate view_rate_of(const struct control *ctl, uint64_t packets, uint64_t bytes);
// Customers and their tunnels, into a status that is otherwise filled.
void view_status_tunnels(struct control *ctl, struct view_status *s);
struct ike_sa;
// An SA that IKE has made.
void view_ike_sa(const struct control *ctl, const struct ike_sa *sa, struct view_sa *v);
