// SPDX-License-Identifier: BSD-3-Clause
// Timers of media: a wheel, on which each stream stands where it has to be looked at next. Packets move
// nothing there: who has been heard from meanwhile is set back when its time comes. So the work is that of a
// look at each stream once a timeout, however many packets there are.
#include "media_priv.h"

#define OFF_WHEEL UINT16_MAX
#define NEVER UINT64_MAX
#define AGAIN_MS 1000
#define EXPIRE_WORK 1000 // ports of an address a tick

const char *media_end_name(enum media_end why)
{
	static const char *const name[MEDIA_ENDS] = {
		[MEDIA_END_SILENCE] = "silence",   [MEDIA_END_HELD] = "held",
		[MEDIA_END_OFFER] = "offer",       [MEDIA_END_FINAL] = "final",
		[MEDIA_END_CUSTOMER] = "customer",
	};

	return name[why];
}

uint64_t media_idle_ms(const struct control *ctl, const struct leg *leg, uint64_t tsc)
{
	uint32_t passed = (uint32_t)(tsc >> TICK_SHIFT) - leg->last_tick;

	if (passed > UINT32_MAX / 2) // a tick newer than our reading of the clock
		return 0;
	return ((uint64_t)passed << TICK_SHIFT) / (ctl->plane->tsc_hz / 1000);
}

static uint64_t after(uint64_t from_ms, uint32_t seconds)
{
	return seconds == 0 ? NEVER : from_ms + seconds * 1000ULL;
}

// When it ends if no packet comes any more, and why. NEVER: it does not.
static uint64_t end_of(const struct media *m, uint64_t tsc, enum media_end *why)
{
	const struct media_spec *s = &m->spec;
	uint64_t end = after(m->opened_ms, s->timeouts.final), other;

	*why = MEDIA_END_FINAL;
	if (!s->answered) {
		other = after(m->opened_ms, s->timeouts.offer);
		*why = other < end ? MEDIA_END_OFFER : *why;
		return other < end ? other : end;
	}
	uint64_t a = media_idle_ms(m->ctl, &m->pair->leg[0], tsc);
	uint64_t b = media_idle_ms(m->ctl, &m->pair->leg[1], tsc);
	uint64_t now = media_ms(m->ctl, tsc), idle = a < b ? a : b;
	uint64_t heard = idle < now && now - idle > m->quiet_ms ? now - idle : m->quiet_ms;
	bool held = media_on_hold(s);

	other = after(heard, held ? s->timeouts.held : s->timeouts.silence);
	if (other >= end)
		return end;
	*why = held ? MEDIA_END_HELD : MEDIA_END_SILENCE;
	return other;
}

static void place(struct media *m, uint64_t at_ms)
{
	struct media_engine *e = m->ctl->media;
	uint64_t tick = at_ms / MEDIA_TICK_MS + 1;

	if (tick <= e->ticked)
		tick = e->ticked + 1;
	if (tick - e->ticked >= WHEEL_SLOTS)
		tick = e->ticked + WHEEL_SLOTS - 1;
	m->slot = (uint16_t)(tick % WHEEL_SLOTS);
	TAILQ_INSERT_TAIL(&e->wheel[m->slot], m, timer);
}

void media_timer_drop(struct media *m)
{
	if (m->slot != OFF_WHEEL)
		TAILQ_REMOVE(&m->ctl->media->wheel[m->slot], m, timer);
	m->slot = OFF_WHEEL;
}

void media_timer_arm(struct media *m, uint64_t tsc)
{
	enum media_end why;
	uint64_t end = end_of(m, tsc, &why);

	m->slot = OFF_WHEEL;
	if (end != NEVER)
		place(m, end);
}

static void look(struct media *m, uint64_t tsc)
{
	struct media_engine *e = m->ctl->media;
	enum media_end why;
	uint64_t now = media_ms(m->ctl, tsc), end = end_of(m, tsc, &why);

	media_timer_drop(m);
	if (end == NEVER)
		return;
	if (end > now) {
		place(m, end);
		return;
	}
	place(m, now + AGAIN_MS);
	e->timed_out[why]++;
	m->ev->timed_out(m->arg, m, why);
}

static void ports_expire(struct control *ctl, uint64_t now)
{
	for (unsigned i = 0; i < ctl->config->n_media; i++) {
		unsigned work = EXPIRE_WORK;
		uint16_t port;
		while (work-- > 0 &&
		       (port = port_pool_expire(&ctl->media->ports[i], (uint32_t)now)) != 0)
			media_port_quiet_end(ctl, i, port);
	}
}

void media_tick(struct control *ctl, uint64_t tsc)
{
	struct media_engine *e = ctl->media;
	uint64_t now = media_ms(ctl, tsc), tick = now / MEDIA_TICK_MS;
	unsigned work = WHEEL_WORK;
	struct media *m;

	ports_expire(ctl, now);
	media_look_on(ctl, tsc);
	if (tick > e->ticked + WHEEL_SLOTS)
		e->ticked = tick - WHEEL_SLOTS; // each slot once
	while (e->ticked < tick) {
		struct media_list *slot = &e->wheel[(e->ticked + 1) % WHEEL_SLOTS];
		while ((m = TAILQ_FIRST(slot)) != NULL) {
			if (work-- == 0)
				return;
			look(m, tsc);
		}
		e->ticked++;
	}
}
