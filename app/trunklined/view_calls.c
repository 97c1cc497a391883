// SPDX-License-Identifier: BSD-3-Clause
// Snapshots of calls for the API. What is sorted and filtered by is what the engine saw lately
// (media_recent.c); only the calls that are shown have their legs read.
#include "media/media_priv.h"
#include "view_priv.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

char *view_call_id(const char *key, char buf[static VIEW_CALL_ID_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	// A leading hyphen would make an option of it.
	for (; *key != '\0' && n + 5 < VIEW_CALL_ID_MAX; key++) {
		uint8_t c = (uint8_t)*key;
		if (c > ' ' && c < 127 && c != '\\' && c != '\'' && (n > 0 || c != '-')) {
			buf[n++] = (char)c;
			continue;
		}
		buf[n++] = '\\';
		buf[n++] = 'x';
		buf[n++] = hex[c >> 4];
		buf[n++] = hex[c & 15];
	}
	buf[n] = '\0';
	return buf;
}

// ---- one ----

static struct ip_endpoint endpoint_of(uint32_t ip, uint16_t port)
{
	struct ip_endpoint e = {.port = ntohs(port)};

	if (ip != 0) {
		e.addr.family = AF_INET;
		e.addr.v4.s_addr = ip;
	}
	return e;
}

static const char *codec_name(const struct media_side_spec *s, const struct leg *leg)
{
	static const char *const name[] = {
		[MEDIA_CODEC_G711] = "G.711",
		[MEDIA_CODEC_G729] = "G.729",
		[MEDIA_CODEC_G722] = "G.722",
		[MEDIA_CODEC_OPUS] = "Opus",
	};
	enum mos_codec codec = media_codec_of(s, leg);

	return codec == MOS_CODEC_OTHER ? NULL : name[codec];
}

static const char *suite_name(const struct srtp_params *p)
{
	return p->suite == SRTP_NONE ? NULL : srtp_suites[p->suite].name;
}

static void leg_signalled(const struct control *ctl, const struct media_side_spec *s,
			  struct view_leg *v)
{
	if (s->customer != 0 && ctl->customer[s->customer].plane != NULL)
		v->customer = ctl->customer[s->customer].plane->name;
	v->srtp_in = suite_name(&s->in);
	v->srtp_out = suite_name(&s->out);
	v->recv = s->recv;
	v->send = s->send;
	v->blocked = s->blocked;
	v->silenced = s->silenced;
	v->dtmf_block = s->dtmf_blocked;
	v->mux = s->rtcp_mux;
	v->dscp = s->dscp;
}

static void leg_counted(const struct media_side_stats *s, struct view_leg *v)
{
	v->seen = s->seen;
	v->payload_type = s->payload_type;
	v->ssrc = s->ssrc;
	v->rx_packets = s->rx_packets;
	v->rx_bytes = s->rx_bytes;
	v->lost = s->lost;
	v->reordered = s->reordered;
	v->duplicate = s->duplicate;
	v->burst = s->burst_loss_max;
	v->lost_share = s->lost > 0 ? (double)s->lost / (double)(s->lost + s->rx_packets) : 0;
	v->jitter_ms = s->jitter_us / 1000.0;
	v->rtt_ms = s->rtt_us / 1000.0;
	v->mos = s->mos;
	v->refused = s->refused;
	v->waited = s->waited;
	v->moves = s->moves;
	v->srtp_auth = s->srtp_auth;
	v->srtp_replay = s->srtp_replay;
	v->tx_packets = s->tx_packets;
	v->tx_bytes = s->tx_bytes;
	v->rtcp_rx_packets = s->rtcp_rx_packets;
	v->rtcp_tx_packets = s->rtcp_tx_packets;
	v->rtcp_refused = s->rtcp_refused;
}

static void leg_fill(const struct media *m, unsigned side, const struct media_side_stats *s,
		     struct view_leg *v)
{
	const struct leg *leg = &m->pair->leg[side];
	const struct control *ctl = m->ctl;

	leg_signalled(ctl, &m->spec.side[side], v);
	leg_counted(s, v);
	v->local = endpoint_of(leg->local_ip, leg->local_port);
	v->remote = endpoint_of(leg->out_ip, leg->out_port);
	v->rtcp = endpoint_of(leg_rtcp_ip(leg), leg_rtcp_port(leg));
	v->codec = codec_name(&m->spec.side[side], leg);
	v->latch = leg->latch == LATCH_OPEN      ? VIEW_LATCH_OPEN
		   : leg->latch == LATCH_LEARNED ? VIEW_LATCH_LEARNED
						 : VIEW_LATCH_FIXED;
	v->learned = leg->latch == LATCH_LEARNED ? view_tick_age(ctl, leg->guard.learned_tick) : -1;
	v->hairpin = leg->hairpin != 0;
	v->owner = leg->owner;
	v->silent_share = leg->detail.sampled > 0
				  ? (double)leg->detail.silent / (double)leg->detail.sampled
				  : -1;
	v->rate = (struct view_rate){(double)m->recent[side].pps, (double)m->recent[side].bps};
	v->last = s->rx_packets + s->rtcp_rx_packets > 0 ? view_tick_age(ctl, leg->last_tick) : -1;
}

static void call_fill(const struct media *m, struct view_call *v)
{
	struct media_stats s;

	media_stats(m, &s);
	v->id = m->key;
	v->age = difftime(time(NULL), m->since);
	v->clock_rate = m->spec.side[0].clock_rate != 0 ? m->spec.side[0].clock_rate : 8000;
	v->timeout = m->spec.timeouts.silence;
	v->state = media_state_name(media_state_of(m));
	v->recorded = m->spec.recording != NULL;
	for (unsigned i = 0; i < 2; i++)
		leg_fill(m, i, &s.side[i], &v->leg[i]);
}

// ---- many ----

static enum view_security security_of(const struct media *m)
{
	bool a = m->spec.side[0].in.suite != SRTP_NONE, b = m->spec.side[1].in.suite != SRTP_NONE;

	return a && b ? VIEW_SECURITY_SRTP : a || b ? VIEW_SECURITY_MIXED : VIEW_SECURITY_PLAIN;
}

static bool quality_fits(const struct media *m, const struct view_calls_filter *f)
{
	const struct media_recent *a = &m->recent[0], *b = &m->recent[1];

	if (f->refused && a->refused + b->refused == 0)
		return false;
	if (f->min_loss > 0 && (double)a->lost_share < f->min_loss &&
	    (double)b->lost_share < f->min_loss)
		return false;
	return f->max_mos <= 0 || (a->mos > 0 && (double)a->mos <= f->max_mos) ||
	       (b->mos > 0 && (double)b->mos <= f->max_mos);
}

static bool id_begins(const struct media *m, const char *begin)
{
	char id[VIEW_CALL_ID_MAX];

	return strncmp(view_call_id(m->key, id), begin, strlen(begin)) == 0;
}

static bool fits(const struct media *m, const struct view_calls_filter *f, uint16_t customer)
{
	if (customer != 0 && m->spec.side[0].customer != customer &&
	    m->spec.side[1].customer != customer)
		return false;
	if (f->security != VIEW_SECURITY_ANY && security_of(m) != f->security)
		return false;
	if (!quality_fits(m, f))
		return false;
	if (f->state != NULL && strcmp(media_state_name(media_state_of(m)), f->state) != 0)
		return false;
	return f->id == NULL || id_begins(m, f->id);
}

struct ranked {
	struct view_calls_place at; // the greatest key first; the older of equals
	const struct media *m;
};

static double worst_mos(const struct media *m)
{
	double a = (double)m->recent[0].mos, b = (double)m->recent[1].mos;

	return a <= 0 ? b : b <= 0 || a < b ? a : b;
}

static double key_of(const struct media *m, enum view_call_sort sort)
{
	const struct media_recent *a = &m->recent[0], *b = &m->recent[1];

	switch (sort) {
	case VIEW_CALLS_NEWEST:
		return (double)m->serial;
	case VIEW_CALLS_LOSS:
		return (double)(a->lost_share > b->lost_share ? a->lost_share : b->lost_share);
	case VIEW_CALLS_JITTER:
		return (double)(a->jitter_ms > b->jitter_ms ? a->jitter_ms : b->jitter_ms);
	case VIEW_CALLS_MOS:
		return worst_mos(m) > 0 ? -worst_mos(m) : -9;
	case VIEW_CALLS_RATE:
		return (double)(a->pps + b->pps);
	case VIEW_CALLS_REFUSED:
		return (double)(a->refused + b->refused);
	default:
		return 0;
	}
}

static bool place_before(const struct view_calls_place *a, const struct view_calls_place *b)
{
	return a->key != b->key ? a->key > b->key : a->serial < b->serial;
}

static bool ranks_before(const struct ranked *a, const struct ranked *b)
{
	return place_before(&a->at, &b->at);
}

static int ranked_compare(const void *a, const void *b)
{
	return ranks_before(a, b) ? -1 : 1;
}

// A heap of the best so far with the worst of them at its top: the rest of many calls costs one look.
static void heap_sink(struct ranked *heap, size_t n)
{
	for (size_t at = 0;;) {
		size_t child = 2 * at + 1;
		if (child >= n)
			return;
		if (child + 1 < n && ranks_before(&heap[child], &heap[child + 1]))
			child++;
		if (!ranks_before(&heap[at], &heap[child]))
			return;
		struct ranked t = heap[at];
		heap[at] = heap[child];
		heap[child] = t;
		at = child;
	}
}

static void heap_rise(struct ranked *heap, size_t at)
{
	while (at > 0 && ranks_before(&heap[(at - 1) / 2], &heap[at])) {
		struct ranked t = heap[at];
		heap[at] = heap[(at - 1) / 2];
		heap[(at - 1) / 2] = t;
		at = (at - 1) / 2;
	}
}

static size_t choose(struct control *ctl, const struct view_calls_filter *f, struct ranked *best,
		     size_t *total)
{
	uint16_t customer = f->customer != NULL ? customer_find(ctl, f->customer) : 0;
	const struct media *m;
	size_t n = 0;

	TAILQ_FOREACH (m, &ctl->media->all, link) {
		if (!fits(m, f, customer))
			continue;
		++*total;
		struct ranked r = {{key_of(m, f->sort), m->serial}, m};
		if (f->after.serial != 0 && !place_before(&f->after, &r.at))
			continue;
		if (n < f->limit) {
			best[n] = r;
			heap_rise(best, n++);
		} else if (ranks_before(&r, &best[0])) {
			best[0] = r;
			heap_sink(best, n);
		}
	}
	qsort(best, n, sizeof(*best), ranked_compare);
	return n;
}

static bool takes_all(const struct view_calls_filter *f)
{
	return f->sort == VIEW_CALLS_OLDEST && f->customer == NULL && f->id == NULL &&
	       f->state == NULL && f->security == VIEW_SECURITY_ANY && f->min_loss <= 0 &&
	       f->max_mos <= 0 && !f->refused;
}

// All in the order that they have anyway: nothing is looked at twice if the page before ended where this one begins.
static size_t choose_next(struct media_engine *e, const struct view_calls_filter *f,
			  struct ranked *best)
{
	struct media *m = e->listed;
	size_t n = 0;

	if (m == NULL || m->serial > f->after.serial)
		m = TAILQ_FIRST(&e->all);
	for (; m != NULL && n < f->limit; m = TAILQ_NEXT(m, link)) {
		if (m->serial <= f->after.serial)
			continue;
		best[n++] = (struct ranked){{0, m->serial}, m};
		e->listed = m;
	}
	return n;
}

size_t view_calls(struct control *ctl, const struct view_calls_filter *f, struct view_call **out,
		  size_t *total, struct view_calls_place *last)
{
	struct media_engine *e = ctl->media;
	struct ranked *best = NULL;
	size_t n = 0;

	*total = 0;
	*out = NULL;
	if (e->n == 0 || (f->customer != NULL && customer_find(ctl, f->customer) == 0))
		return 0;
	best = calloc(f->limit, sizeof(*best));
	if (best != NULL && takes_all(f)) {
		*total = e->n;
		n = choose_next(e, f, best);
	} else if (best != NULL) {
		n = choose(ctl, f, best, total);
	}
	if (n > 0 && (*out = calloc(n, sizeof(**out))) == NULL)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		call_fill(best[i].m, &(*out)[i]);
		*last = best[i].at;
	}
	free(best);
	return n;
}

const struct media *view_call_find(const struct control *ctl, const char *id, size_t *total)
{
	const struct media *m, *found = NULL;
	char is[VIEW_CALL_ID_MAX];
	size_t len = strlen(id);

	*total = 0;
	TAILQ_FOREACH (m, &ctl->media->all, link) {
		if (strncmp(view_call_id(m->key, is), id, len) != 0)
			continue;
		if (is[len] == '\0') {
			*total = 1;
			return m;
		}
		if (found != NULL && strcmp(found->key, m->key) == 0)
			continue;
		++*total;
		found = m;
	}
	return *total == 1 ? found : NULL;
}

size_t view_call(struct control *ctl, const char *id, struct view_call **out, size_t *total)
{
	const struct media *first = view_call_find(ctl, id, total), *m;
	size_t n = 0;

	*out = NULL;
	if (first == NULL)
		return 0;
	TAILQ_FOREACH (m, &ctl->media->all, link)
		n += strcmp(m->key, first->key) == 0;
	if ((*out = calloc(n, sizeof(**out))) == NULL)
		return 0;
	n = 0;
	TAILQ_FOREACH (m, &ctl->media->all, link)
		if (strcmp(m->key, first->key) == 0)
			call_fill(m, &(*out)[n++]);
	return n;
}
