// SPDX-License-Identifier: GPL-2.0-or-later
// What an operator should know of charon goes to the gateway's log: that is where customers are looked for.
// charon tells it with its bus locked, so it is written down and sent by another of its threads.
#include "convert.h"
#include "events.h"
#include "ipsec.h"
#include "link.h"

#include <daemon.h>
#include <processing/jobs/callback_job.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 32 // notes that wait; an attacker's flood must not fill charon's queue

static refcount_t waiting;

static job_requeue_t note_send(void *arg)
{
	struct feed_msg m = {.type = FEED_NOTE, .note = *(const struct feed_note *)arg};
	struct link *l = trunkline_link();
	struct err err = {""};

	if (l != NULL)
		link_call(l, &m, LINK_NOW, &err); // charon's own log has it, if nobody is there
	return JOB_REQUEUE_NONE;
}

static void note_free(void *arg)
{
	free(arg);
	ignore_result(ref_put(&waiting));
}

static uint32_t customer_of(peer_cfg_t *peer)
{
	uint32_t if_id = peer->get_if_id(peer, true);
	child_cfg_t *child;

	enumerator_t *e = peer->create_child_cfg_enumerator(peer);
	while (if_id == 0 && e->enumerate(e, &child))
		if_id = child->get_if_id(child, true);
	e->destroy(e);
	return if_id;
}

static void about(struct feed_note *n, ike_sa_t *ike_sa)
{
	host_t *peer = ike_sa->get_other_host(ike_sa);
	peer_cfg_t *cfg = ike_sa->get_peer_cfg(ike_sa);

	if (peer != NULL && !peer->is_anyaddr(peer))
		endpoint_of(peer, &n->peer);
	if (cfg != NULL) {
		n->if_id = customer_of(cfg);
		snprintf(n->conn, sizeof(n->conn), "%s", cfg->get_name(cfg));
	}
}

// from: who it is about if there is no IKE SA yet; NULL: not known.
static void note_from(ike_sa_t *ike_sa, host_t *from, enum feed_note_level level, const char *text)
{
	struct feed_note *n;

	if (ref_get(&waiting) > WAITING_MAX || (n = calloc(1, sizeof(*n))) == NULL) {
		ignore_result(ref_put(&waiting));
		return;
	}
	n->level = (uint8_t)level;
	snprintf(n->text, sizeof(n->text), "%s", text);
	if (from != NULL)
		endpoint_of(from, &n->peer);
	if (ike_sa != NULL)
		about(n, ike_sa);
	lib->processor->queue_job(lib->processor,
				  (job_t *)callback_job_create(note_send, n, note_free, NULL));
}

static void note(ike_sa_t *ike_sa, enum feed_note_level level, const char *text)
{
	note_from(ike_sa, NULL, level, text);
}

// With charon's own conversions (%P, %R) in fmt, which no compiler knows.
static void note_f(ike_sa_t *ike_sa, enum feed_note_level level, const char *fmt, ...)
{
	char text[FEED_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	note(ike_sa, level, text);
}

// Alerts without arguments that say all.
static const struct {
	alert_t alert;
	enum feed_note_level level;
	const char *text;
} plain[] = {
	{ALERT_PEER_AUTH_FAILED, FEED_NOTE_WARN,
	 "its authentication failed: its pre-shared key or its identity is not the one that we "
	 "have"},
	{ALERT_LOCAL_AUTH_FAILED, FEED_NOTE_WARN,
	 "it does not accept ours: the pre-shared key or the identities differ"},
	{ALERT_PEER_ADDR_FAILED, FEED_NOTE_WARN, "its address cannot be resolved"},
	{ALERT_RETRANSMIT_SEND_TIMEOUT, FEED_NOTE_WARN,
	 "it does not answer any more; its IKE SA is given up"},
	{ALERT_HALF_OPEN_TIMEOUT, FEED_NOTE_WARN, "it began to negotiate and did not go on"},
	{ALERT_UNIQUE_REPLACE, FEED_NOTE_INFO, "it has come again; its older IKE SA goes"},
	{ALERT_UNIQUE_KEEP, FEED_NOTE_NOTICE, "it has an IKE SA already and gets no second one"},
	{ALERT_AUTHORIZATION_FAILED, FEED_NOTE_WARN, "it is not authorised"},
	{ALERT_IKE_SA_EXPIRED, FEED_NOTE_WARN, "its IKE SA was not rekeyed in time and is over"},
	{ALERT_INSTALL_CHILD_SA_FAILED, FEED_NOTE_WARN, "its tunnel is not set up"},
	{ALERT_INSTALL_CHILD_POLICY_FAILED, FEED_NOTE_WARN,
	 "its tunnel is not set up: the policies are refused"},
};

static void parse_error(ike_sa_t *ike_sa, va_list args)
{
	message_t *m = va_arg(args, message_t *);
	bool v1 = m->get_major_version(m) == 1;

	note_from(ike_sa, m->get_source(m), FEED_NOTE_WARN,
		  v1 ? "a message that does not decrypt to IKE: either it is malformed, or the "
		       "pre-shared "
		       "key is another one than we have"
		     : "a malformed IKE message");
}

static bool alert(listener_t *this, ike_sa_t *ike_sa, alert_t what, va_list args)
{
	linked_list_t *list, *other;

	(void)this;
	for (unsigned i = 0; i < countof(plain); i++)
		if (plain[i].alert == what)
			note(ike_sa, plain[i].level, plain[i].text);
	switch (what) {
	case ALERT_PROPOSAL_MISMATCH_IKE:
		list = va_arg(args, linked_list_t *);
		note_f(ike_sa, FEED_NOTE_WARN,
		       "no common proposal for IKE (ike.proposals); it offers %#P", list);
		break;
	case ALERT_PROPOSAL_MISMATCH_CHILD:
		list = va_arg(args, linked_list_t *);
		note_f(ike_sa, FEED_NOTE_WARN,
		       "no common proposal for ESP (ike.esp); it offers %#P", list);
		break;
	case ALERT_TS_MISMATCH:
		list = va_arg(args, linked_list_t *);
		other = va_arg(args, linked_list_t *);
		note_f(ike_sa, FEED_NOTE_WARN,
		       "its traffic selectors %#R === %#R are not within what the customer has",
		       list, other);
		break;
	case ALERT_PARSE_ERROR_HEADER:
	case ALERT_PARSE_ERROR_BODY:
		parse_error(ike_sa, args);
		break;
	default:
		break;
	}
	return true;
}

listener_t notes_listener = {.alert = alert};

// ---- lines without an alert ----

static const struct {
	debug_t group;
	const char *begins, *before;
} lines[] = {
	{DBG_IKE, "no IKE config found for ", "a gateway that no customer has: "},
	{DBG_IKE, "no peer config found", "a gateway whose address or identity no customer has: "},
	{DBG_CFG, "no matching peer config found",
	 "a gateway whose address or identity no customer has: "},
	{DBG_NET, "received invalid IKE header from ", ""},
	{DBG_NET, "received unsupported IKE version ", ""},
	{DBG_IKE, "no shared key found for ", ""},
};

static void logged(logger_t *this, debug_t group, level_t level, int thread, ike_sa_t *ike_sa,
		   const char *message)
{
	char text[FEED_TEXT_MAX];

	(void)this;
	(void)level;
	(void)thread;
	for (unsigned i = 0; i < countof(lines); i++) {
		if (lines[i].group != group ||
		    strncmp(message, lines[i].begins, strlen(lines[i].begins)) != 0)
			continue;
		snprintf(text, sizeof(text), "%s%s", lines[i].before, message);
		note(ike_sa, FEED_NOTE_WARN, text);
	}
}

static level_t level_of(logger_t *this, debug_t group)
{
	(void)this;
	return group == DBG_IKE || group == DBG_NET || group == DBG_CFG ? LEVEL_CTRL : LEVEL_SILENT;
}

logger_t notes_logger = {.log = logged, .get_level = level_of};
