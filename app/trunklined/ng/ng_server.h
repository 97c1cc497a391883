// SPDX-License-Identifier: BSD-3-Clause
// Inside of the NG server: its two transports and what they share.
#pragma once

#include "control_priv.h"
#include "ng.h"
#include "ng/frame.h"
#include "ng_cache.h"

#define NG_LISTEN_MAX 8

struct ng_server {
	struct control *ctl;
	struct ng_cache *cache;
	struct ng_calls *calls;
	struct ng_arena arena;  // of the message at hand
	struct ng_request *req; // likewise
	struct event *udp[NG_LISTEN_MAX], *second;
	struct evconnlistener *tcp[NG_LISTEN_MAX];
	bool full_told; // in this second, that no more connections are accepted
	struct ng_clients *clients;
	struct ng_stats stats;
	uint64_t trimmed;       // messages so far when memory was last given back
	uint64_t told_ms;       // when a stranger was last logged
	struct ng_inbox *inbox; // datagrams that were taken at once
};

uint64_t ng_now_ms(void);
bool ng_allowed(struct ng_server *s, const struct sockaddr_in *from);
// Answers one frame: *answer, cookie and all. NG_ANSWER_KEPT: it is valid for the next NG_CACHE_NEXT calls of the same
// event; 0: until the next call. Or -EBADMSG, -ENOMEM: there is nothing to answer.
#define NG_ANSWER_KEPT 1
int ng_answer(struct ng_server *s, const struct sockaddr_in *from, const char *data, size_t len,
	      struct ng_str *answer);

// ng_tcp.c
int ng_tcp_listen(struct ng_server *s, unsigned i, const struct sockaddr_in *at, struct err *err);
// Once a second: listens again where accepting failed.
void ng_tcp_second(struct ng_server *s);
void ng_tcp_close(struct ng_server *s);
