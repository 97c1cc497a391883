// SPDX-License-Identifier: BSD-3-Clause
// The control API on the wire, and its client. docs/man/trunklined.8 documents it for users.
//
// A unix stream socket. Each message is a 4-byte big-endian length and that many bytes of JSON, one
// object. A client sends requests and gets one answer to each, in order:
//
//     {"v": 1, "cmd": "show sas", "args": {"customer": "acme"}}
//     {"v": 1, "ok": true, "data": {...}}
//     {"v": 1, "ok": false, "code": "not-found", "error": "text for a person", "details": [...]}
//
// The commands and their arguments are declared in commands.def. "details" is optional.
#pragma once

#include "../base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_VERSION 1
#define API_SOCKET "/run/trunkline/api.sock"
#define API_REQUEST_MAX ((size_t)4 << 20) // bytes of JSON
#define API_ANSWER_MAX ((size_t)64 << 20)
#define API_DEPTH_MAX 16 // nested objects and arrays in a request

// Makes jansson wipe what it frees, since requests hold keys; what was allocated before is freed as
// well. The daemon's API server does this for itself.
void api_json_wipes(void);

// ---- framing ----

// One message as it arrives. All memory that held a message is wiped before it is freed.
struct api_frame {
	size_t max;   // largest message that is accepted
	size_t len;   // of the message, known once head is complete
	size_t have;  // bytes of it so far
	size_t size;  // of buf; grows with what arrives, not with what is announced
	uint8_t *buf; // complete message: len bytes, not NUL-terminated
	uint8_t head[4];
	uint8_t n_head;
};

void api_frame_init(struct api_frame *f, size_t max);
// Wipes, frees, and is ready for the next message.
void api_frame_clear(struct api_frame *f);
// Where the next bytes of the message go, and how many at most (at least 1). 0 or -ENOMEM.
int api_frame_space(struct api_frame *f, uint8_t **at, size_t *n);
// n bytes were put there. 1: message complete, 0: more to come, -EMSGSIZE: larger than max,
// -EBADMSG: length 0.
int api_frame_got(struct api_frame *f, size_t n);
// The same from a buffer: takes at most n bytes, up to the end of the message; *used says how many.
int api_frame_feed(struct api_frame *f, const uint8_t *data, size_t n, size_t *used);

// A message with its length in front, in memory from malloc. -EMSGSIZE if the JSON is larger than
// max, -ENOMEM.
int api_frame_encode(const json_t *message, size_t max, uint8_t **out, size_t *len);

// Parses a message: one JSON object, UTF-8, no duplicate keys, at most API_DEPTH_MAX deep if
// bounded. NULL and a text if it is not; the text quotes nothing of the message.
json_t *api_json_load(const uint8_t *data, size_t len, bool bounded, struct err *err);

// ---- messages (each returns a new reference, NULL without memory) ----

json_t *api_request(const char *cmd, json_t *args); // args: borrowed, may be NULL
json_t *api_answer_ok(json_t *data);                // steals data; NULL becomes {}
// details: stolen, may be NULL.
json_t *api_answer_error(const char *code, const char *text, json_t *details);
// The error code of a handler's negative errno: "not-found", "exists", "bad-argument", ...
const char *api_code(int negative_errno);

// ---- client ----

struct api_client;

// Connects. Negative errno and a text that says what to do if that fails.
int api_client_open(const char *path, struct api_client **out, struct err *err);
void api_client_close(struct api_client *c);
// Sends a request and waits for its answer, timeout_ms for both. args: borrowed, may be NULL.
// 0 and *answer (an object with "ok"), or negative errno and a text; the client must then be closed.
int api_client_call(struct api_client *c, const char *cmd, json_t *args, int timeout_ms,
		    json_t **answer, struct err *err);
