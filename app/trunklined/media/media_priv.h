// SPDX-License-Identifier: BSD-3-Clause
// The media engine's own structures, for media*.c, the views and tests.
#pragma once

#include "../control_priv.h"
#include "leg_srtp.h"
#include "media.h"
#include "rtp/mos.h"

#include <rte_cycles.h>
#include <rte_mempool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

// Counters that a worker only ever counts up. Losses are not among them: see media_lost().
enum figure {
	FIG_RX_PACKETS,
	FIG_RX_BYTES,
	FIG_TX_PACKETS,
	FIG_TX_BYTES,
	FIG_RTCP_RX_PACKETS,
	FIG_RTCP_TX_PACKETS,
	FIG_RTCP_RX_BYTES,
	FIG_RTCP_TX_BYTES,
	FIG_REORDERED,
	FIG_DUPLICATE,
	FIG_REFUSED,
	FIG_RTCP_REFUSED,
	FIG_WAITED,
	FIG_MOVES,
	FIG_SRTP_AUTH,
	FIG_SRTP_REPLAY,
	FIG_COUNT
};

struct figures {
	uint64_t n[FIG_COUNT];
};

// A pair of legs that a change has replaced. Its counters go on in the new pair from the moment of the
// copy; what a worker has counted since is missing there.
struct former {
	LIST_ENTRY(former) link;
	struct media *m;         // NULL: closed meanwhile
	struct leg_pair *pair;   // NULL: no worker sees it any more, since is all that was missing
	struct figures since[2]; // as of the copy; with pair NULL what is to be added
};

// What a side did lately, as the last look saw it: views sort and filter by it without touching legs.
struct media_recent {
	uint64_t rx_packets, rx_bytes; // then
	uint64_t heard_ms;    // when rx_packets grew last; before the first packet: opened_ms
	uint64_t refused;     // of all kinds: sources, SRTP tags, replays
	float pps, bps;       // between the last two looks; bit/s of UDP payload
	float lost_share;     // of the whole call
	float jitter_ms, mos; // mos 0: not known
};

enum media_state {
	MEDIA_RINGING, // not answered
	MEDIA_ACTIVE,
	MEDIA_HELD,
	MEDIA_ONE_WAY, // answered, not on hold, and only one side is heard
	MEDIA_SILENT,  // ... and neither is
	MEDIA_STATES
};

struct media {
	TAILQ_ENTRY(media) link;  // of all, oldest first
	TAILQ_ENTRY(media) timer; // of a wheel's slot
	struct control *ctl;
	struct leg_pair *pair;
	struct leg_srtp keys[2];
	struct media_spec spec;
	const struct media_events *ev;
	void *arg;
	LIST_HEAD(, former) formers;
	struct former *base; // NULL: nothing is missing
	uint64_t opened_ms;  // on the engine's clock
	uint64_t quiet_ms;   // not before this the count of silence begins
	uint16_t slot;       // of the wheel
	time_t since;        // UTC
	uint64_t serial;     // of all that were opened, from 1 on
	time_t first[2];     // of each side's first packet, 0: none was seen yet
	uint64_t looked_ms;
	bool hairpin; // then
	struct media_recent recent[2];
	char key[]; // what views show it by
};
TAILQ_HEAD(media_list, media);

#define MEDIA_TICK_MS 20
#define LOOK_TICKS 50    // all media are looked at once in so many ticks, ...
#define LOOK_WORK 500    // ... but no more than that in one
#define WHEEL_SLOTS 4096 // 82 s; what is due later is looked at in between
#define WHEEL_WORK 2000  // media a tick at most; the rest is the next tick's
#define MEDIA_SPARE 1024 // pairs beside limits.calls: replaced and ended ones wait for the workers

struct media_engine {
	struct media_list all;
	unsigned n;
	struct media *cursor;     // where a walk that may close media goes on
	struct media *look;       // where media_look_on goes on
	struct media *listed;     // where the last page of a list ended; NULL: at the beginning
	struct rte_mempool *legs; // pairs
	uint32_t *free_slot;      // stack of leg slots
	uint32_t n_free_slots;
	unsigned legs_of[WORKERS_MAX]; // legs by owner
	struct port_pool ports[MEDIA_MAX];
	struct media_list wheel[WHEEL_SLOTS];
	uint64_t ticked;                               // ticks that the wheel has turned
	uint64_t opened, ended, timed_out[MEDIA_ENDS]; // since start
};

// Before anything else of the engine, after plane_open; and at the end, without events.
int media_engine_open(struct control *ctl, struct err *err);
void media_engine_close(struct control *ctl);
// Turns the wheel up to tsc and frees ports whose quarantine is over; bounded work. Every MEDIA_TICK_MS.
void media_tick(struct control *ctl, uint64_t tsc);
// A customer goes: all media with a side of it end.
void media_customer_gone(struct control *ctl, uint16_t customer);

// The engine's clock.
static inline uint64_t media_ms(const struct control *ctl, uint64_t tsc)
{
	return tsc / (ctl->plane->tsc_hz / 1000);
}

// media_leg.c
// What spec asks for, as far as it can be said without resources: 0, -EINVAL, -EAFNOSUPPORT, -ENOENT.
int media_spec_check(const struct control *ctl, const struct media_spec *spec, struct err *err);
// Both legs as specified, at these ports; old: what they replace, or NULL. keys are set already.
void media_legs_fill(const struct media *m, const struct media_spec *spec, const uint16_t port[2],
		     const struct leg_srtp keys[2], const struct leg_pair *old,
		     struct leg_pair *pair);
uint16_t media_owner(const struct control *ctl, const struct media_side_spec *s, uint16_t port,
		     const struct leg *old);
void media_leg_publish(struct control *ctl, struct leg *leg, unsigned address, bool second);
// Late packets of these ports are those of a call that ended.
void media_port_withdraw(struct control *ctl, unsigned address, uint16_t port);
void media_port_quiet_end(struct control *ctl, unsigned address, uint16_t port);

// media_port.c
// Does this side of spec want the port that it has?
bool media_port_stays(const struct media *m, const struct media_spec *spec, unsigned side);
// Both ports that spec wants; fresh: m has none yet. What does not stay is taken, on errors nothing.
int media_ports_take(const struct media *m, const struct media_spec *spec, bool fresh,
		     uint16_t port[2], struct err *err);
// One that was taken and of which nobody has heard yet.
void media_port_untake(struct control *ctl, unsigned address, uint16_t port);
// No packet finds it any more, and it rests.
void media_port_end(struct control *ctl, unsigned address, uint16_t port);

// media_stats.c
// keys NULL: without what SRTP has refused.
void figures_read(const struct leg *leg, const struct leg_srtp *keys, struct figures *f);
uint64_t srtp_figure(const struct leg_srtp *keys, enum figure which);
// The sum over what a change has left behind.
void figures_missing(const struct media *m, unsigned side, struct figures *f);
// pair is no worker's any more: what is missing of it goes to its media. For defer_free.
void former_end(void *former);
uint64_t media_lost(const struct media *m, unsigned side);
// As signalled, or by the payload type that was seen.
enum mos_codec media_codec_of(const struct media_side_spec *spec, const struct leg *leg);

// media_recent.c
#define MEDIA_QUIET_MS 5000 // a side that was not heard for so long does not speak
// Looks at the next few.
void media_look_on(struct control *ctl, uint64_t tsc);
enum media_state media_state_of(const struct media *m);
const char *media_state_name(enum media_state s); // "ringing", "one-way", ...
bool media_on_hold(const struct media_spec *spec);

// media_timer.c
// Afterwards it stands where it has to be looked at next. It is off the wheel before.
void media_timer_arm(struct media *m, uint64_t tsc);
void media_timer_drop(struct media *m);
// Since the last packet of a leg; at most from when it was made.
uint64_t media_idle_ms(const struct control *ctl, const struct leg *leg, uint64_t tsc);
