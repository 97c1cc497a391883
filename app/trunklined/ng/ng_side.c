// SPDX-License-Identifier: BSD-3-Clause
// A side of a call: its tags, where it is, and what its SDP says as a spec of its leg.
#include "ng_call_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WINDOW_MS 3000 // after the first packet, better evidence of the peer's address takes over

// ---- texts ----

bool ng_text_is(const char *text, struct ng_str s)
{
	if (text == NULL || s.at == NULL)
		return text == NULL && s.at == NULL;
	return strlen(text) == s.len && memcmp(text, s.at, s.len) == 0;
}

int ng_text_check(const struct ng_ask *k, enum ng_key key, struct ng_str *out)
{
	struct ng_str s = k->req->key[key].text;

	*out = (struct ng_str){0};
	if (!k->req->key[key].there || s.len == 0)
		return 0;
	if (s.len > NG_TEXT_MAX)
		return err_set(k->err, -EINVAL, "%s has %u bytes; at most %d are taken",
			       ng_key_name(key), s.len, NG_TEXT_MAX);
	for (uint32_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < ' ' || s.at[i] == 0x7f)
			return err_set(k->err, -EINVAL, "%s has control characters",
				       ng_key_name(key));
	*out = s;
	return 0;
}

char *ng_text_copy(struct ng_str s)
{
	return s.at == NULL ? NULL : strndup(s.at, s.len);
}

// ---- tags ----

bool ng_tag_has(const struct ng_side *s, struct ng_str tag)
{
	const struct ng_tag *t;

	SLIST_FOREACH(t, &s->tags, link)
	if (ng_text_is(t->text, tag))
		return true;
	return false;
}

const char *ng_tag_of(const struct ng_side *s)
{
	return SLIST_EMPTY(&s->tags) ? NULL : SLIST_FIRST(&s->tags)->text;
}

int ng_tag_use(struct ng_side *s, struct ng_str tag, struct err *err)
{
	struct ng_tag *t;
	unsigned n = 0;

	if (tag.at == NULL)
		return 0;
	SLIST_FOREACH(t, &s->tags, link)
	{
		n++;
		if (ng_text_is(t->text, tag))
			break;
	}
	if (t != NULL) {
		SLIST_REMOVE(&s->tags, t, ng_tag, link);
	} else if (n >= NG_TAGS_MAX) {
		return err_set(err, -E2BIG, "%d phones have answered this offer already", n);
	} else if ((t = malloc(sizeof(*t) + tag.len + 1)) == NULL) {
		return err_set(err, -ENOMEM, "out of memory");
	} else {
		memcpy(t->text, tag.at, tag.len);
		t->text[tag.len] = '\0';
	}
	SLIST_INSERT_HEAD(&s->tags, t, link);
	return 0;
}

void ng_tag_forget(struct ng_side *s, struct ng_str tag)
{
	struct ng_tag *t;

	SLIST_FOREACH(t, &s->tags, link)
	{
		if (!ng_text_is(t->text, tag))
			continue;
		SLIST_REMOVE(&s->tags, t, ng_tag, link);
		free(t);
		return;
	}
}

int ng_label_take(const struct ng_ask *k, struct ng_side *s)
{
	struct ng_str label, set;
	int rc;

	if ((rc = ng_text_check(k, NG_KEY_LABEL, &label)) < 0 ||
	    (rc = ng_text_check(k, NG_KEY_SET_LABEL, &set)) < 0)
		return rc;
	if (set.at == NULL)
		set = label;
	if (set.at == NULL)
		return 0;
	free(s->label);
	s->label = ng_text_copy(set);
	return 0;
}

void ng_side_clear(struct ng_side *s)
{
	struct ng_tag *t;

	while ((t = SLIST_FIRST(&s->tags)) != NULL) {
		SLIST_REMOVE_HEAD(&s->tags, link);
		free(t);
	}
	free(s->label);
	free(s->told.username);
	free(s->told.name);
}

int ng_branch_side(const struct ng_branch *b, struct ng_str tag)
{
	return ng_tag_has(&b->side[0], tag) ? 0 : ng_tag_has(&b->side[1], tag) ? 1 : -1;
}

// ---- places ----

static bool port_inside(const struct config *cfg, unsigned port)
{
	return cfg->ports[port].inside;
}

// The media address with the most free ports of a port (port >= 0) or of a side; -1: there is none.
static int address_best(const struct ng_calls *c, int port, bool inside)
{
	const struct config *cfg = c->ctl->config;
	unsigned most = 0;
	int best = -1;

	for (unsigned i = 0; i < cfg->n_media; i++) {
		unsigned n = media_ports_free(c->ctl, i);
		if (port >= 0 ? cfg->media[i].port != (unsigned)port
			      : port_inside(cfg, cfg->media[i].port) != inside)
			continue;
		if (best < 0 || n > most) {
			best = (int)i;
			most = n;
		}
	}
	return best;
}

// A PoP may have media addresses on one side only.
static void place_set(const struct ng_calls *c, int port, bool inside, uint16_t customer,
		      bool known, struct ng_place *out)
{
	int address = address_best(c, port, inside);

	if (address < 0)
		address = address_best(c, -1, inside);
	if (address < 0)
		address = address_best(c, -1, !inside);
	*out = (struct ng_place){.address = address < 0 ? 0 : (unsigned)address,
				 .customer = customer,
				 .known = known};
}

static bool word_is(struct ng_str s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

static int place_named(const struct ng_ask *k, struct ng_str name, struct ng_place *out)
{
	const struct config *cfg = k->all->ctl->config;
	char text[64];

	out->known = false;
	if (name.len == 0)
		return 0;
	for (unsigned i = 0; i < cfg->n_ports; i++) {
		if (!word_is(name, cfg->ports[i].name))
			continue;
		place_set(k->all, (int)i, cfg->ports[i].inside, 0, true, out);
		return 0;
	}
	if (word_is(name, "inside") || word_is(name, "internal") || word_is(name, "outside") ||
	    word_is(name, "external")) {
		place_set(k->all, -1, (name.at[0] | 0x20) == 'i', 0, true, out);
		return 0;
	}
	if (name.len < sizeof(text)) {
		memcpy(text, name.at, name.len);
		text[name.len] = '\0';
		uint16_t customer = customer_find(k->all->ctl, text);
		if (customer != 0) {
			place_set(k->all, -1, false, customer, true, out);
			return 0;
		}
	}
	return err_set(k->err, -EINVAL,
		       "direction: %.*s is neither outside, inside, a port nor a customer of ours",
		       name.len < 64 ? (int)name.len : 64, name.at);
}

int ng_places_named(const struct ng_ask *k, struct ng_place *from, struct ng_place *to)
{
	const struct ng_str *pair = k->req->pair[NG_DIRECTION];
	int rc = place_named(k, pair[0], from);

	if (rc == 0)
		rc = place_named(k, pair[1], to);
	from->named = from->known;
	to->named = to->known;
	return rc;
}

static int domain_order(const void *a, const void *b)
{
	const struct ng_domain *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

// Encryption domains do not overlap: the configuration is checked for that.
static void domains_read(struct ng_calls *c)
{
	unsigned n = 0, at = 0;

	c->domains_gen = c->ctl->config_gen + 1;
	c->n_domains = 0;
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++)
		if (c->ctl->customer[i].plane != NULL)
			n += c->ctl->customer[i].config->n_domain;
	struct ng_domain *d = reallocarray(c->domain, n + 1, sizeof(*d));
	if (d == NULL)
		return;
	c->domain = d;
	for (unsigned i = 1; i < CUSTOMERS_MAX; i++) {
		const struct customer_state *cs = &c->ctl->customer[i];
		for (unsigned j = 0; cs->plane != NULL && j < cs->config->n_domain; j++) {
			const struct ip_prefix *p = &cs->config->domain[j];
			if (p->addr.family != AF_INET)
				continue;
			uint32_t lo = ntohl(p->addr.v4.s_addr);
			uint32_t size = p->len == 0 ? UINT32_MAX : (1u << (32 - p->len)) - 1;
			d[at++] = (struct ng_domain){lo, lo + size, (uint16_t)i};
		}
	}
	qsort(d, at, sizeof(*d), domain_order);
	c->n_domains = at;
}

static uint16_t domain_customer(struct ng_calls *c, uint32_t ip)
{
	unsigned lo = 0;

	if (c->domains_gen != c->ctl->config_gen + 1)
		domains_read(c);
	unsigned hi = c->n_domains;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (c->domain[mid].hi < ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->n_domains && c->domain[lo].lo <= ip ? c->domain[lo].customer : 0;
}

void ng_place_find(struct ng_calls *c, const struct ip_addr *peer, struct ng_place *out)
{
	*out = (struct ng_place){0};
	if (peer->family != AF_INET || peer->v4.s_addr == 0)
		return;
	uint16_t customer = domain_customer(c, ntohl(peer->v4.s_addr));
	if (customer != 0) {
		place_set(c, -1, false, customer, true, out);
		return;
	}
	const struct nexthop *nh = mirror_lookup(c->ctl->mirror, peer->v4.s_addr);
	if (nh->kind == NH_ADJACENCY || nh->kind == NH_UNRESOLVED)
		place_set(c, nh->port, c->ctl->config->ports[nh->port].inside, 0, true, out);
}

void ng_place_outside(struct ng_calls *c, struct ng_place *out)
{
	place_set(c, -1, false, 0, false, out);
	out->set = true;
}

// Calls go through a PoP: from outside in, or from inside out.
void ng_place_opposite(struct ng_calls *c, const struct ng_place *of, struct ng_place *out)
{
	const struct config *cfg = c->ctl->config;

	place_set(c, -1, !port_inside(cfg, cfg->media[of->address].port), 0, false, out);
}

int ng_place_address(const struct ng_ask *k, struct ng_place *out)
{
	const struct config *cfg = k->all->ctl->config;
	struct ng_str s = k->req->key[NG_KEY_MEDIA_ADDRESS].text;
	char text[IP_ADDR_STRLEN];
	struct ip_addr a;

	if (s.len == 0)
		return 0;
	if (s.len >= sizeof(text))
		return err_set(k->err, -EINVAL, "media-address: no IP address");
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	if (ip_addr_parse(text, &a) < 0)
		return err_set(k->err, -EINVAL, "media-address: %s is no IP address", text);
	for (unsigned i = 0; i < cfg->n_media; i++) {
		if (!ip_addr_equal(&cfg->media[i].address, &a))
			continue;
		out->address = i;
		out->known = true;
		return 0;
	}
	return err_set(k->err, -EINVAL, "media-address: %s is no media address of ours", text);
}

// ---- specs ----

static const struct {
	const char *name;
	enum media_codec codec;
} codec_names[] = {
	{"PCMU", MEDIA_CODEC_G711}, {"PCMA", MEDIA_CODEC_G711}, {"G729", MEDIA_CODEC_G729},
	{"G722", MEDIA_CODEC_G722}, {"opus", MEDIA_CODEC_OPUS},
};

static enum media_codec codec_of(const struct sdp_codec *c)
{
	for (unsigned i = 0; i < sizeof(codec_names) / sizeof(codec_names[0]); i++)
		if (sdp_span_is(c->name, codec_names[i].name))
			return codec_names[i].codec;
	return MEDIA_CODEC_OTHER;
}

// Where the SIP message came from, where that is where media goes.
static int sip_source(const struct ng_ask *k, struct ip_addr *out)
{
	struct ng_str s = k->req->pair[NG_RECEIVED_FROM][1];
	char text[IP_ADDR_STRLEN];

	if (!ng_flag(k->req, NG_FLAG_SIP_SOURCE_ADDRESS) ||
	    ng_flag(k->req, NG_FLAG_TRUST_ADDRESS) || s.len == 0)
		return 0;
	if (s.len >= sizeof(text))
		return err_set(k->err, -EINVAL, "received-from: no IP address");
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	if (ip_addr_parse(text, out) < 0)
		return err_set(k->err, -EINVAL, "received-from: %s is no IP address", text);
	if (out->family != AF_INET)
		return err_set(k->err, -EAFNOSUPPORT, "received-from: %s: IPv4 only for now", text);
	return 0;
}

static int peer_set(const struct ng_ask *k, const struct sdp_section *sec,
		    const struct media_side_spec *was, struct media_side_spec *out)
{
	struct ip_addr a = sec->address;
	int rc = sip_source(k, &a);

	if (rc < 0)
		return rc;
	if (sec->address.family == AF_INET && sec->address.v4.s_addr == 0) {
		// Hold as RFC 2543 had it: nothing is sent there, but it is the same peer.
		out->rtp = was != NULL ? was->rtp : (struct ip_endpoint){0};
		out->rtcp = was != NULL ? was->rtcp : (struct ip_endpoint){0};
		out->send = false;
		return 0;
	}
	if (a.family != AF_INET)
		return err_set(k->err, -EAFNOSUPPORT,
			       "the SDP has no IPv4 address for a media section");
	out->rtp = (struct ip_endpoint){.addr = a, .port = sec->port};
	out->rtcp = (struct ip_endpoint){0};
	if (sec->rtcp.port != 0) {
		out->rtcp = (struct ip_endpoint){.addr = a, .port = sec->rtcp.port};
		if (sec->rtcp.addr.family == AF_INET && ip_addr_equal(&a, &sec->address))
			out->rtcp.addr = sec->rtcp.addr;
	}
	return 0;
}

int ng_side_spec(const struct ng_ask *k, const struct ng_branch *b, const struct ng_side *s,
		 const struct sdp_section *sec, const struct media_side_spec *was,
		 struct media_side_spec *out)
{
	const struct ng_request *r = k->req;
	const struct sdp_codec *first = &k->all->sdp.codec[sec->first_codec];
	bool learn = !ng_flag(r, NG_FLAG_ASYMMETRIC) && !ng_flag(r, NG_FLAG_UNIDIRECTIONAL);

	*out = (struct media_side_spec){
		.address = s->place.address,
		.customer = s->place.customer,
		.recv = sec->direction == SDP_SENDRECV || sec->direction == SDP_SENDONLY,
		.send = sec->direction == SDP_SENDRECV || sec->direction == SDP_RECVONLY,
		.dtmf_type = sec->dtmf_type,
		.dscp = b->dscp,
		.clock_rate = sec->n_codecs > 0 ? first->clock_rate : 0,
		.codec = sec->n_codecs > 0 ? codec_of(first) : MEDIA_CODEC_OTHER,
		.ptime_ms = sec->ptime,
		.latch = {.learn = learn || ng_flag(r, NG_FLAG_SYMMETRIC),
			  .strict = ng_flag(r, NG_FLAG_STRICT_SOURCE),
			  .handover = ng_flag(r, NG_FLAG_MEDIA_HANDOVER)},
	};
	return peer_set(k, sec, was, out);
}

void ng_spec_gate(const struct ng_branch *b, struct media_spec *spec)
{
	const struct ng_gate *all = &b->call->gate;

	for (unsigned i = 0; i < 2; i++) {
		const struct ng_gate *own = &b->side[i].gate;
		spec->side[i].blocked = own->media || all->media;
		spec->side[i].silenced = own->silenced || all->silenced;
		spec->side[i].dtmf_blocked = own->dtmf || all->dtmf;
	}
}

void ng_spec_finish(struct ng_calls *c, const struct ng_branch *b, struct media_spec *spec,
		    const uint64_t types[2])
{
	const struct config *cfg = c->ctl->config;
	for (unsigned i = 0; i < 2; i++) {
		struct media_side_spec *s = &spec->side[i];
		s->dscp = b->dscp;
		s->latch.authenticated = s->in.suite != SRTP_NONE;
		s->latch.first_come = latch_first_of(s->customer != 0,
						     port_inside(cfg, cfg->media[s->address].port));
		s->latch.ringing = !spec->answered;
		s->latch.window_ms = WINDOW_MS;
		s->latch.types[0] = types[0];
		s->latch.types[1] = types[1];
		if (types[0] != 0 || types[1] != 0)
			s->latch.types[0] |= UINT64_C(1) << 13; // comfort noise comes unasked
	}
	ng_spec_gate(b, spec);
	spec->recording = b->call->recording;
	spec->timeouts = b->timeouts;
}
