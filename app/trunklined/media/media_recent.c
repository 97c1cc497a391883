// SPDX-License-Identifier: BSD-3-Clause
// What streams did lately. Legs' counters are the workers' cache lines, and a look at all of them at once
// would keep the control loop; so each stream is looked at once a second or less often, a few at a time.
#include "media_priv.h"

bool media_on_hold(const struct media_spec *s)
{
	return !s->side[0].recv || !s->side[0].send || !s->side[1].recv || !s->side[1].send;
}

const char *media_state_name(enum media_state s)
{
	static const char *const name[MEDIA_STATES] = {
		[MEDIA_RINGING] = "ringing", [MEDIA_ACTIVE] = "active", [MEDIA_HELD] = "held",
		[MEDIA_ONE_WAY] = "one-way", [MEDIA_SILENT] = "silent",
	};

	return name[s];
}

// Since its last answer or change a side had time to speak, and did not.
static bool side_quiet(const struct media *m, unsigned side)
{
	uint64_t from = m->recent[side].heard_ms;

	from = from > m->quiet_ms ? from : m->quiet_ms;
	return m->looked_ms >= from + MEDIA_QUIET_MS;
}

enum media_state media_state_of(const struct media *m)
{
	if (!m->spec.answered)
		return MEDIA_RINGING;
	if (media_on_hold(&m->spec))
		return MEDIA_HELD;
	bool a = side_quiet(m, 0), b = side_quiet(m, 1);

	return a && b ? MEDIA_SILENT : a || b ? MEDIA_ONE_WAY : MEDIA_ACTIVE;
}

static void look(struct media *m, uint64_t now)
{
	double s = (double)(now - m->looked_ms) / 1000;
	struct media_stats stats;

	media_stats(m, &stats);
	for (unsigned i = 0; i < 2; i++) {
		const struct media_side_stats *is = &stats.side[i];
		struct media_recent *r = &m->recent[i];
		if (is->rx_packets > 0 && m->first[i] == 0)
			m->first[i] = is->first;
		if (is->rx_packets > r->rx_packets)
			r->heard_ms = now;
		r->pps = (float)((double)(is->rx_packets - r->rx_packets) / s);
		r->bps = (float)((double)(is->rx_bytes - r->rx_bytes) * 8 / s);
		r->rx_packets = is->rx_packets;
		r->rx_bytes = is->rx_bytes;
		r->refused = is->refused + is->rtcp_refused + is->srtp_auth + is->srtp_replay;
		r->lost_share =
			is->lost == 0
				? 0
				: (float)((double)is->lost / (double)(is->lost + is->rx_packets));
		r->jitter_ms = (float)is->jitter_us / 1000;
		r->mos = (float)is->mos;
	}
	m->hairpin = stats.hairpin;
	m->looked_ms = now;
}

void media_look_on(struct control *ctl, uint64_t tsc)
{
	struct media_engine *e = ctl->media;
	unsigned n = e->n / LOOK_TICKS + 1;
	uint64_t now = media_ms(ctl, tsc);

	for (n = n < LOOK_WORK ? n : LOOK_WORK; n > 0; n--) {
		if (e->look == NULL && (e->look = TAILQ_FIRST(&e->all)) == NULL)
			return;
		struct media *m = e->look;
		// Few streams come by more often: a rate needs a while.
		if (now < m->looked_ms + LOOK_TICKS * MEDIA_TICK_MS)
			return;
		e->look = TAILQ_NEXT(m, link);
		look(m, now);
	}
}
