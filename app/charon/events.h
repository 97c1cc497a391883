// SPDX-License-Identifier: GPL-2.0-or-later
// The gateway's events, and what its operator should know of charon.
#pragma once

#include "ike/feed.h"

#include <bus/listeners/listener.h>
#include <bus/listeners/logger.h>

// Hands an event to one of charon's threads. Neither blocks nor logs.
void event_queue(const struct feed_msg *event);

// Alerts, and the few lines of charon's log that have no alert, go to the gateway's log as NOTEs.
extern listener_t notes_listener;
extern logger_t notes_logger;
