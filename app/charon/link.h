// SPDX-License-Identifier: GPL-2.0-or-later
// The plugin's connection to the gateway. A thread of its own connects, replays what the shadow has, and
// reads; charon's threads ask by link_call(), one at a time, and never wait longer than LINK_WAIT_MS for
// each of two things: that there is a connection, and that the gateway answers.
#pragma once

#include "ike/feed.h"

#define LINK_WAIT_MS 3000

struct link;

// Events (EXPIRE, MAPPING, ACQUIRE) are handed to on_event in the connection's thread, perhaps with its mutex
// held: it must neither call link_call() nor log. An SA that the gateway refuses in a replay comes as an EXPIRE with hard set.
typedef void (*link_event_fn)(const struct feed_msg *event);

struct link *link_create(const char *path, link_event_fn on_event);
void link_destroy(struct link *l);

enum link_patience {
	LINK_NOW,  // fails at once if there is no connection
	LINK_WAIT, // waits for one
	LINK_KEEP, // without a connection the request counts as done: the gateway hears of it later
};

// Sends request and puts the answer's status and content into it. 0, what the gateway says (with a
// text in err), -ENOTCONN or -ETIMEDOUT; -EINVAL or -EMSGSIZE, whatever the patience, if the feed has no words
// for it. Keys in request are left alone.
int link_call(struct link *l, struct feed_msg *request, enum link_patience patience,
	      struct err *err);
// The newest policy of these selectors, into p. -ENOENT if there is none.
int link_policy_find(struct link *l, struct feed_policy *p);
