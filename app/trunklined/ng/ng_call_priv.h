// SPDX-License-Identifier: BSD-3-Clause
// Inside of the call engine.
//
//     call (call-id) ── branches ── two sides (tags) and, for each media section, a stream of media.h
//
// An offer opens a branch, or changes one. What an offer asks for is kept beside the branch until it is
// answered: a re-offer that is refused changes nothing, and one offer may be answered by several
// phones, one after another (forking). Side 0 is who opened the branch.
#pragma once

#include "control_priv.h"
#include "media/media.h"
#include "media/record.h"
#include "media/recorder.h"
#include "ng_call.h"
#include "sdp/sdp.h"

#include <sys/queue.h>

#define NG_BRANCHES_MAX 32 // of one call
#define NG_TAGS_MAX 16     // of one side: phones that answered one offer
#define NG_TEXT_MAX 255    // bytes of a call ID, tag, branch or label
#define NG_SUITES (SRTP_SUITE_COUNT - 1)

// A tag; the one in use is the first.
struct ng_tag {
	SLIST_ENTRY(ng_tag) link;
	char text[];
};
SLIST_HEAD(ng_tags, ng_tag);

// What a side was told in o= and s=, for as long as flags want it to stay the same.
struct ng_told {
	char *username, *name; // or NULL
	uint64_t version, digest;
};

// Where a side is: our media address there, and the customer behind whose tunnel it is, or 0.
struct ng_place {
	unsigned address;
	uint16_t customer;
	bool set;   // the side may have been told
	bool known; // named, or found by an address; else guessed
	bool named; // by the proxy: it stays
};

// What is kept from going on.
struct ng_gate {
	bool media, dtmf;
	bool silenced; // it goes on as silence
};

struct ng_side {
	struct ng_tags tags;
	char *label; // or NULL
	struct ng_place place;
	struct ng_told told;
	struct ng_gate gate;
};

// a=crypto lines.
struct ng_keys {
	struct sdp_crypto theirs[NG_SUITES]; // that were offered to us and that we can do
	struct sdp_crypto ours[NG_SUITES];   // that we have offered
};

// One media section of an offer, until the next offer of the same side.
struct ng_wanted {
	struct media_side_spec spec;    // of the offerer; keys are chosen when it is answered
	enum sdp_proto proto, proto_to; // what it speaks, what the other side was offered
	uint64_t types[2];              // payload types that it takes
	bool ours;                      // a stream; else it was refused or is not RTP
	bool forget;                    // what was learned of the offerer's address
	bool mux, mux_to;               // RTCP on the RTP port was offered: to us, by us
	bool mux_accept, mux_reject;    // ... and is accepted, refused whatever the answer says
	uint8_t n_theirs, n_ours;       // of keys
	struct ng_keys *keys;           // NULL: no SRTP on either side
};

struct ng_offer {
	bool open;     // it was for whoever answers
	bool answered; // by one at least
	unsigned n;
	struct ng_wanted want[];
};

struct ng_stream {
	struct media *media; // NULL: not relayed
	enum sdp_proto proto[2];
	uint64_t silent_ms; // when it was last found without packets
	char type[12];      // "audio"
	// Of the stream before, if the section was rejected since; it may be back.
	bool ended;
	bool keys_spent; // it had SRTP keys in use, which no other stream may have
	uint16_t port[2];
	unsigned address[2];
	struct media_stats past;
};

struct ng_branch {
	TAILQ_ENTRY(ng_branch) link;
	TAILQ_ENTRY(ng_branch) dying; // with delete_ms
	struct ng_call *call;
	char *via; // via-branch, or NULL
	struct ng_side side[2];
	struct ng_offer *offer[2]; // last one of each side, or NULL
	unsigned n_streams;
	struct ng_stream *stream; // by section
	struct media_timeouts timeouts;
	uint64_t delete_ms;            // 0: it is not deleted
	uint64_t opened_ms, signal_ms; // its first and its last offer or answer
	uint64_t heard_ms;             // the last packet of streams that ended
	int64_t answer_ms, deleted_ms; // UTC: when it was answered, when it was deleted
	time_t created;
	int dscp;          // -1: as it comes
	bool forks[2];     // a side's offer was for whoever answers: there may be several
	unsigned answered; // which of the call's answers was the last one here; 0: none
};

// For the record: what is known of a branch that is gone.
struct ng_kept {
	char *from_tag, *to_tag;
	char customer[64]; // empty: none
	unsigned n;
	struct media_stats stats[RECORD_STREAMS_MAX];
};

// What speaks for a branch being the one that carries the call: that it was answered, then who was heard last, then
// who answered last.
struct ng_claim {
	unsigned answered;
	uint64_t heard_ms;
};

struct ng_call {
	LIST_ENTRY(ng_call) bucket;
	TAILQ_ENTRY(ng_call) age;
	struct ng_calls *all;
	TAILQ_HEAD(ng_branches, ng_branch) branches;
	unsigned n_branches;
	int64_t start_ms; // UTC
	unsigned answers;
	time_t last_signal;
	struct ng_gate gate;   // of both sides of all branches, beside each side's own
	uint32_t hash, record; // record.h
	bool recorded;         // record_begin was called
	struct recording *recording;
	// Of the branches that have ended, the one that carried the call.
	struct {
		struct ng_claim claim;
		int64_t answer_ms, end_ms; // UTC
		const char *why;           // NULL: none has ended
		struct ng_kept *kept;      // NULL: there are no records
	} ended;
	char id[];
};

struct ng_call_figures {
	uint64_t calls, regular, silent, final, offer, rejected, no_ports, load_limit;
	uint64_t seconds; // that calls which ended have lasted, from their answer
};

// An encryption domain, host byte order.
struct ng_domain {
	uint32_t lo, hi;
	uint16_t customer;
};

struct ng_calls {
	struct control *ctl;
	const struct ng_stats *stats;
	LIST_HEAD(ng_bucket, ng_call) * bucket;
	uint32_t mask, n;
	uint64_t seed;
	TAILQ_HEAD(, ng_call) ages;
	struct ng_call *look;                  // which is looked at next
	TAILQ_HEAD(ng_dying, ng_branch) dying; // by time
	struct event *tick;
	struct ng_call_figures figures;
	struct ng_domain *domain; // sorted
	unsigned n_domains;
	unsigned domains_gen;  // config_gen that they are of, and 1
	unsigned busy_seconds; // so long all workers have had no time to spare
	char loop_mark[48];    // a=trunkline:...
	struct sdp sdp;
	struct sdp_change change;
	size_t out_len;
	char out[SDP_BYTES_MAX]; // the SDP of the answer
};

// A message and what it is about.
struct ng_ask {
	struct ng_calls *all;
	const struct ng_request *req;
	struct ng_arena *a;
	struct ng_val *answer;
	struct err *err;
};

struct ng_texts {
	struct ng_str id, from, to, via;
};

// ng_call.c
struct ng_call *ng_call_find(const struct ng_calls *c, struct ng_str id);
// -EUSERS "Parallel session limit reached", -EBUSY, -ENOMEM. It has no branch yet.
int ng_call_new(struct ng_calls *c, struct ng_str id, struct ng_call **out, struct err *err);
// With all its branches.
void ng_call_end(struct ng_call *call, const char *why);
int ng_branch_new(struct ng_call *call, struct ng_str via, struct ng_branch **out, struct err *err);
// The call ends with its last branch. why is the record's reason.
void ng_branch_end(struct ng_branch *b, const char *why);
// What is relayed there ends, its ports rest; its figures stay for the call's record.
void ng_stream_end(struct ng_branch *b, struct ng_stream *s);
int64_t ng_utc_ms(void);
extern const struct media_events ng_media_events;

// ng_side.c
bool ng_text_is(const char *text, struct ng_str s); // text may be NULL: then s is none
// The key's text, or none. -EINVAL: it is too long or has bytes that no such text has.
int ng_text_check(const struct ng_ask *k, enum ng_key key, struct ng_str *out);
char *ng_text_copy(struct ng_str s);
bool ng_tag_has(const struct ng_side *s, struct ng_str tag);
const char *ng_tag_of(const struct ng_side *s); // the one in use, or NULL
// Puts it in front.
int ng_tag_use(struct ng_side *s, struct ng_str tag, struct err *err);
void ng_tag_forget(struct ng_side *s, struct ng_str tag);
// The label that the message has for the side, if any.
int ng_label_take(const struct ng_ask *k, struct ng_side *s);
void ng_side_clear(struct ng_side *s);
// Where the sender of the message and the other side are, as the message says (direction) or their addresses.
int ng_places_named(const struct ng_ask *k, struct ng_place *from, struct ng_place *to);
void ng_place_find(struct ng_calls *c, const struct ip_addr *peer, struct ng_place *out);
void ng_place_outside(struct ng_calls *c, struct ng_place *out);
void ng_place_opposite(struct ng_calls *c, const struct ng_place *of, struct ng_place *out);
// The address that media-address says, in place of what *out has.
int ng_place_address(const struct ng_ask *k, struct ng_place *out);
// What the other peer of a section says of itself, as a spec of its side; keys aside.
int ng_side_spec(const struct ng_ask *k, const struct ng_branch *b, const struct ng_side *s,
		 const struct sdp_section *sec, const struct media_side_spec *was,
		 struct media_side_spec *out);
// What is blocked and silenced, to spec.
void ng_spec_gate(const struct ng_branch *b, struct media_spec *spec);
// What of a policy depends on both sides.
void ng_spec_finish(struct ng_calls *c, const struct ng_branch *b, struct media_spec *spec,
		    const uint64_t types[2]);

// ng_match.c: the branch that a message is about, or NULL; *x is the offerer's side.
// What an offer changes; NULL: it opens a branch.
struct ng_branch *ng_match_offer(struct ng_call *call, const struct ng_texts *t, unsigned *x);
// The branch whose offer is answered: by an "offer", by an "answer".
struct ng_branch *ng_match_answered(struct ng_call *call, const struct ng_texts *t, unsigned *x);
struct ng_branch *ng_match_answer(struct ng_call *call, const struct ng_texts *t, unsigned *x);
enum ng_match { NG_MATCH_NO, NG_MATCH_OPEN, NG_MATCH_SIDE, NG_MATCH_VIA, NG_MATCH_BOTH };
// How well a branch fits what a delete says; it is for those that fit best.
enum ng_match ng_match_delete(const struct ng_branch *b, const struct ng_texts *t);

// ng_sdes.c
// Our keys for the other side's a=crypto lines; now is what the leg has, before what was offered last.
int ng_keys_offer(const struct ng_ask *k, struct ng_wanted *w, const struct srtp_params *now,
		  const struct ng_wanted *before);
// The other side has answered: its keys and which of ours it took, to spec.
int ng_keys_answered(const struct ng_wanted *w, const struct sdp *sdp,
		     const struct sdp_section *sec, struct media_side_spec *spec, struct err *err);
// What is answered to the offerer: chosen like the other side's if that is possible. *line is for its SDP.
int ng_keys_answer(const struct ng_wanted *w, enum srtp_suite other,
		   const struct media_side_spec *now, struct media_side_spec *spec,
		   struct sdp_crypto *line, struct err *err);
// Those of a section that we can do.
void ng_keys_take(const struct sdp *sdp, const struct sdp_section *sec, struct ng_wanted *w);

// ng_sdp.c: the text for the other side.
// An SDP that we have marked already.
bool ng_sdp_looped(const struct ng_calls *c, const struct sdp *sdp);
// The session's part of all->change; the sections are set already. to: who gets it.
int ng_sdp_write(const struct ng_ask *k, struct ng_side *to, const struct ip_addr *local);
// Payload types of a section that codec-strip and the like take away: none if none would be left.
void ng_codecs_strip(const struct ng_ask *k, const struct sdp_section *sec, bool offer,
		     uint64_t strip[2]);

// ng_offer.c, ng_answer.c
// The four texts that name a call, a branch, its sides; call-id and, with need_from, from-tag are needed.
int ng_texts_read(const struct ng_ask *k, bool need_from, struct ng_texts *out);
int ng_sdp_read(const struct ng_ask *k);
int ng_do_offer(const struct ng_ask *k);
int ng_do_answer(const struct ng_ask *k);
// Side x's offer is answered by who has tag.
int ng_answer_to(const struct ng_ask *k, struct ng_branch *b, unsigned x, struct ng_str tag);
void ng_offer_free(struct ng_offer *o);
// "reset", "no-port-latching": the address of who sent the message is learned anew.
static inline bool ng_forgets(const struct ng_request *r)
{
	return ng_flag(r, NG_FLAG_RESET) || ng_flag(r, NG_FLAG_NO_PORT_LATCHING);
}
// A stream becomes what spec says, if that is anything new.
int ng_stream_set(struct ng_stream *s, const struct media_spec *spec, struct err *err);
// Index of the branch's side with this tag, or -1.
int ng_branch_side(const struct ng_branch *b, struct ng_str tag);
void ng_branch_settle(struct ng_branch *b); // it is not deleted after all
// What keys of the message hold for the whole branch.
int ng_branch_keys(const struct ng_ask *k, struct ng_branch *b);
// A stream that nobody has answered: the other side is whoever it will be.
void ng_spec_open(const struct ng_branch *b, unsigned x, const struct ng_wanted *w,
		  struct media_spec *spec);
// The part of a section's change that is the same for offers and answers.
void ng_section_change(const struct ng_ask *k, unsigned i, const struct ng_stream *s, unsigned to,
		       bool mux, struct sdp_section_change *ch);

// ng_verbs.c
int ng_do_delete(const struct ng_ask *k);
int ng_do_gate(const struct ng_ask *k);
int ng_do_recording(const struct ng_ask *k);
// As the offer or answer says (record-call). A warning if there are no recordings.
int ng_record_call(const struct ng_ask *k, struct ng_call *call);

// ng_figures.c: what rtpengine answers to query and delete.
struct ng_figures {
	const struct ng_ask *k;
	struct ng_val *ssrc, *tags;
	uint64_t packets[2], bytes[2], errors[2]; // RTP, RTCP
};
// The call's own, then its branches', one by one, then their sum.
void ng_figures_begin(struct ng_figures *f, const struct ng_ask *k, const struct ng_call *call);
void ng_figures_branch(struct ng_figures *f, const struct ng_branch *b);
void ng_figures_end(struct ng_figures *f);
int ng_do_query(const struct ng_ask *k);
int ng_do_list(const struct ng_ask *k);
int ng_do_statistics(const struct ng_ask *k);

// ng_record.c: call records.
uint64_t ng_heard_ms(const struct media_stats *s); // when the last packet came; 0: none did
void ng_record_begin(struct ng_call *call);
void ng_record_update(struct ng_call *call);
// As call->ended says.
void ng_record_end(struct ng_call *call);
// A branch is about to end: the call's end and figures are its own, if it has carried the call so far.
void ng_record_keep(struct ng_branch *b, const char *why);
