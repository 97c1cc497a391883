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
struct view_rate view_rate_of(const struct control *ctl, uint64_t packets, uint64_t bytes);
