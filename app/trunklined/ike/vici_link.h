// SPDX-License-Identifier: BSD-3-Clause
// A connection to charon's VICI socket on the control loop: requests wait in a queue, one is under way at a
// time, events come in between. Nothing here blocks, and what was sent is wiped.
#pragma once

#include "base/err.h"
#include "vici/vici.h"

#include <event2/event.h>

struct vici_link;

struct vici_link_ops {
	void (*up)(void *arg);
	// The connection is lost, or there is none: after it the requests that waited are answered.
	void (*down)(void *arg, const char *why);
	void (*event)(void *arg, const char *name, const struct vici_in *message);
};

// Answers a request: 0 and the message; or -ENOENT if charon knows no such command or event, -EREMOTEIO and why
// if charon says that it did not work (the message is there), -ENOTCONN if the connection went.
typedef void (*vici_done)(void *arg, int rc, const struct vici_in *message, const char *why);

// Connects at once. With retry also again and again, each second, until it is closed; down() is then told once
// a loss. ops stay the caller's.
int vici_link_open(struct event_base *base, const char *path, bool retry,
		   const struct vici_link_ops *ops, void *arg, struct vici_link **out,
		   struct err *err);
// Waiting requests are answered with -ENOTCONN. NULL is fine. Not from within a callback of its own, but up().
void vici_link_close(struct vici_link *l);
bool vici_link_is_up(const struct vici_link *l);

// Sends a packet that was made by vici_end(): its bytes are copied. done may be NULL. -ENOTCONN, -ENOMEM.
int vici_link_send(struct vici_link *l, const uint8_t *packet, size_t len, vici_done done,
		   void *arg);
// Wants an event's messages.
int vici_link_register(struct vici_link *l, const char *event);
