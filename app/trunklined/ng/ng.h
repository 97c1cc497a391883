// SPDX-License-Identifier: BSD-3-Clause
// The NG protocol, by which SIP proxies (Kamailio's and OpenSIPS's rtpengine modules, FreeSWITCH)
// ask for calls: docs/ng.md.
//
//     datagram or stream ── ng_server: allow-list, cookies ──► lib/ng: dictionary, words
//                       ──► ng_call*: calls, their sides, SDP ──► media.h: ports, legs
#pragma once

#include "base/err.h"
#include "ng/request.h"

#include <stdbool.h>
#include <stdint.h>

struct control;
struct ng_server;
struct ng_calls;

struct ng_stats {
	uint64_t messages;    // answered, retransmissions too
	uint64_t again;       // retransmissions among them, answered from the cache
	uint64_t not_allowed; // from a source that is not in control.ng_allow
	uint64_t malformed;
	uint64_t errors;  // answers that said "error"
	uint64_t unknown; // keys and flags that we don't know
	uint64_t verb[NG_VERB_COUNT];
	uint32_t cached, connections; // now
	uint64_t cached_bytes;
};

// Listens where the configuration says (control.ng); *out is NULL if it says nothing.
int ng_server_start(struct control *ctl, struct ng_server **out, struct err *err);
void ng_server_stop(struct ng_server *s);
// Ends a proxy's call. False: there is no such call. s may be NULL.
bool ng_call_stop(struct ng_server *s, const char *id);
// s may be NULL.
void ng_server_stats(const struct ng_server *s, struct ng_stats *out);
