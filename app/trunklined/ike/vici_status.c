// SPDX-License-Identifier: BSD-3-Clause
// What charon says of its IKE SAs becomes the state of customers' tunnels, and lines in the log.
//
// While an IKE SA is replaced there are two of one connection: the state is that of the newest that is
// established. Why one went is in charon's log only, which comes a moment after the event.
#include "base/log.h"
#include "vici_priv.h"

#include <stdlib.h>
#include <string.h>

#define REASON_MS 300 // that the reason may take
#define WHY_MS 5000   // that it holds

// ---- one IKE SA ----

struct sa_said {
	uint32_t uid;
	char name[64], state[32];
	char encr[32], bits[8], integ[32], prf[32], dh[32];
	unsigned installed;
	char in[12], out[12]; // SPIs of the last child
	char suite[96];       // of the last child
	struct ike_status status;
};

// "AES_GCM_16", "256" → "aes256gcm16" and so on: as people write it in a proposal.
static void algorithm(char *to, size_t size, const char *name, const char *bits)
{
	static const struct {
		const char *said, *written;
		bool bits; // in between
	} known[] = {
		{"AES_GCM_16", "aes%sgcm16", true},
		{"AES_CBC", "aes%s", true},
		{"CHACHA20_POLY1305", "chacha20poly1305", false},
		{"HMAC_SHA1_96", "sha1", false},
		{"HMAC_SHA2_256_128", "sha256", false},
		{"HMAC_SHA2_384_192", "sha384", false},
		{"HMAC_SHA2_512_256", "sha512", false},
		{"PRF_HMAC_SHA1", "prfsha1", false},
		{"PRF_HMAC_SHA2_256", "prfsha256", false},
		{"PRF_HMAC_SHA2_384", "prfsha384", false},
		{"PRF_HMAC_SHA2_512", "prfsha512", false},
		{"MODP_2048", "modp2048", false},
		{"MODP_3072", "modp3072", false},
		{"MODP_4096", "modp4096", false},
		{"MODP_6144", "modp6144", false},
		{"MODP_8192", "modp8192", false},
		{"ECP_256", "ecp256", false},
		{"ECP_384", "ecp384", false},
		{"ECP_521", "ecp521", false},
		{"CURVE_25519", "curve25519", false},
	};

	snprintf(to, size, "%s%s", name, bits);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(known[i].said, name) != 0)
			continue;
		const char *percent = strchr(known[i].written, '%');
		if (percent == NULL)
			snprintf(to, size, "%s", known[i].written);
		else
			snprintf(to, size, "%.*s%s%s", (int)(percent - known[i].written),
				 known[i].written, bits, percent + 2);
	}
}

static void suite_write(char *to, size_t size, const struct sa_said *s)
{
	const struct {
		const char *name, *bits;
	} parts[] = {{s->encr, s->bits}, {s->integ, ""}, {s->prf, ""}, {s->dh, ""}};
	char word[48];
	size_t n = 0;

	to[0] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && n < size; i++) {
		if (parts[i].name[0] == '\0')
			continue;
		// The function is the integrity's own unless there is none.
		if (i == 2 && s->integ[0] != '\0')
			continue;
		algorithm(word, sizeof(word), parts[i].name, parts[i].bits);
		n += (size_t)snprintf(to + n, size - n, "%s%s", n > 0 ? "-" : "", word);
	}
}

// Whether packets go by a child SA in this state. One that is REKEYED has a successor, which counts
// in its place.
static bool child_is_up(const struct vici_elem *state)
{
	return vici_value_is(state, "INSTALLED") || vici_value_is(state, "UPDATING") ||
	       vici_value_is(state, "REKEYING");
}

static void child_read(struct vici_in *in, struct sa_said *s)
{
	struct sa_said c = {0};
	struct vici_elem e;

	while (vici_next(in, &e) > 0 && e.type != VICI_SECTION_END) {
		if (e.type != VICI_VALUE)
			vici_skip(in, &e);
		else if (vici_named(&e, "state"))
			s->installed += child_is_up(&e);
		else if (vici_named(&e, "spi-in"))
			vici_value_text(&e, s->in, sizeof(s->in));
		else if (vici_named(&e, "spi-out"))
			vici_value_text(&e, s->out, sizeof(s->out));
		else if (vici_named(&e, "encr-alg"))
			vici_value_text(&e, c.encr, sizeof(c.encr));
		else if (vici_named(&e, "encr-keysize"))
			vici_value_text(&e, c.bits, sizeof(c.bits));
		else if (vici_named(&e, "integ-alg"))
			vici_value_text(&e, c.integ, sizeof(c.integ));
		else if (vici_named(&e, "dh-group"))
			vici_value_text(&e, c.dh, sizeof(c.dh));
	}
	suite_write(s->suite, sizeof(s->suite), &c);
}

static void children_read(struct vici_in *in, struct sa_said *s)
{
	struct vici_elem e;

	while (vici_next(in, &e) > 0 && e.type != VICI_SECTION_END) {
		if (e.type == VICI_SECTION)
			child_read(in, s);
		else
			vici_skip(in, &e);
	}
}

static void endpoint_read(const struct vici_elem *e, struct ip_endpoint *out, bool port)
{
	char text[IP_ADDR_STRLEN];

	if (port)
		out->port = (uint16_t)vici_value_uint(e, 10, 0);
	else if (ip_addr_parse(vici_value_text(e, text, sizeof(text)), &out->addr) < 0)
		out->addr.family = 0;
}

static enum ike_state state_of(const char *text)
{
	static const struct {
		const char *text;
		enum ike_state state;
	} states[] = {
		{"CREATED", IKE_CONNECTING}, {"CONNECTING", IKE_CONNECTING},
		{"PASSIVE", IKE_CONNECTING}, {"ESTABLISHED", IKE_ESTABLISHED},
		{"REKEYING", IKE_REKEYING},  {"REKEYED", IKE_REKEYING},
		{"DELETING", IKE_DELETING},
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(states[i].text, text) == 0)
			return states[i].state;
	return IKE_DOWN;
}

static void value_read(const struct vici_elem *e, struct sa_said *s, time_t now)
{
	struct ike_status *st = &s->status;

	if (vici_named(e, "uniqueid"))
		s->uid = (uint32_t)vici_value_uint(e, 10, 0);
	else if (vici_named(e, "version"))
		st->version = (unsigned)vici_value_uint(e, 10, 0);
	else if (vici_named(e, "state"))
		vici_value_text(e, s->state, sizeof(s->state));
	else if (vici_named(e, "local-host") || vici_named(e, "local-port"))
		endpoint_read(e, &st->local, vici_named(e, "local-port"));
	else if (vici_named(e, "remote-host") || vici_named(e, "remote-port"))
		endpoint_read(e, &st->peer, vici_named(e, "remote-port"));
	else if (vici_named(e, "remote-id"))
		vici_value_text(e, st->peer_id, sizeof(st->peer_id));
	else if (vici_named(e, "encr-alg"))
		vici_value_text(e, s->encr, sizeof(s->encr));
	else if (vici_named(e, "encr-keysize"))
		vici_value_text(e, s->bits, sizeof(s->bits));
	else if (vici_named(e, "integ-alg"))
		vici_value_text(e, s->integ, sizeof(s->integ));
	else if (vici_named(e, "prf-alg"))
		vici_value_text(e, s->prf, sizeof(s->prf));
	else if (vici_named(e, "dh-group"))
		vici_value_text(e, s->dh, sizeof(s->dh));
	else if (vici_named(e, "established"))
		st->since = now - (time_t)vici_value_uint(e, 10, 0);
	else if (vici_named(e, "rekey-time") || vici_named(e, "reauth-time"))
		st->rekey = now + (time_t)vici_value_uint(e, 10, 0);
}

// The inside of an IKE SA's section, up to its end.
static void sa_read(struct vici_in *in, struct sa_said *s)
{
	time_t now = time(NULL);
	struct vici_elem e;

	while (vici_next(in, &e) > 0 && e.type != VICI_SECTION_END) {
		if (e.type == VICI_VALUE)
			value_read(&e, s, now);
		else if (e.type == VICI_SECTION && vici_named(&e, "child-sas"))
			children_read(in, s);
		else
			vici_skip(in, &e);
	}
	s->status.state = state_of(s->state);
	suite_write(s->status.suite, sizeof(s->status.suite), s);
}

// The message's one section is named like the connection.
static bool message_read(const struct vici_in *message, struct sa_said *s)
{
	struct vici_in in = *message;
	struct vici_elem e;

	memset(s, 0, sizeof(*s));
	while (vici_next(&in, &e) > 0) {
		if (e.type == VICI_SECTION) {
			vici_name_text(&e, s->name, sizeof(s->name));
			sa_read(&in, s);
			return true;
		}
		vici_skip(&in, &e);
	}
	return false;
}

// ---- what it means for the tunnel ----

static bool is_there(enum ike_state s)
{
	return s == IKE_ESTABLISHED || s == IKE_REKEYING;
}

static void status_set(struct vici_tunnel *t, const struct sa_said *s)
{
	struct ike_status was = t->status;

	t->status = s->status;
	t->uid = s->uid;
	t->status.changed = was.changed;
	if (was.state != s->status.state || was.changed == 0)
		t->status.changed = time(NULL);
	if (!is_there(s->status.state))
		memcpy(t->status.why, was.why, sizeof(was.why));
}

static void status_down(struct vici_tunnel *t)
{
	struct ike_status was = t->status;

	t->status = (struct ike_status){.state = IKE_DOWN, .changed = was.changed};
	memcpy(t->status.why, was.why, sizeof(was.why));
	if (was.state != IKE_DOWN || was.changed == 0)
		t->status.changed = time(NULL);
	t->uid = 0;
}

static void loss_note(struct vici_tunnel *t)
{
	if (t->lost != 0)
		return;
	t->lost = vici_now();
	t->lost_held = t->held;
}

void vici_losses_log(struct ike_vici *v, int64_t now)
{
	struct vici_tunnel *t;

	TAILQ_FOREACH (t, &v->tunnels, link) {
		if (t->lost == 0 || now - t->lost < REASON_MS)
			continue;
		bool fits = t->why[0] != '\0' && t->lost - t->why_at < WHY_MS;
		t->lost = 0;
		if (t->installed > 0)
			continue; // it is back already
		const char *why = t->lost_held ? "taken down by an operator" : fits ? t->why : "";
		if (t->held || !t->lost_held) // else it was asked for again meanwhile
			snprintf(t->status.why, sizeof(t->status.why), "%s", why);
		log_notice("ike: %s: the tunnel is down%s%s", t->name, why[0] != '\0' ? ": " : "",
			   why);
	}
}

static void ike_updown(struct ike_vici *v, const struct vici_in *message, bool up)
{
	struct sa_said s;
	char peer[IP_ENDPOINT_STRLEN];

	if (!message_read(message, &s))
		return;
	struct vici_tunnel *t = vici_find(v, s.name);
	if (t == NULL)
		return;
	t->moved |= up || s.uid == t->uid;
	if (up) {
		s.status.state = IKE_ESTABLISHED;
		status_set(t, &s);
		log_info("ike: %s: %s (%s) has authenticated itself: IKEv%u %s", t->name,
			 ip_endpoint_str(&s.status.peer, peer), s.status.peer_id, s.status.version,
			 s.status.suite);
	} else if (s.uid == t->uid) {
		status_down(t);
		loss_note(t);
	}
}

static void child_updown(struct ike_vici *v, const struct vici_in *message, bool up)
{
	struct sa_said s;

	if (!message_read(message, &s))
		return;
	struct vici_tunnel *t = vici_find(v, s.name);
	if (t == NULL)
		return;
	t->moved = true;
	if (!up) {
		t->installed -= t->installed > 0;
		if (t->installed == 0)
			loss_note(t);
		return;
	}
	char peer[IP_ENDPOINT_STRLEN];
	if (t->installed++ == 0)
		t->tries = 0;
	t->held = false;
	t->wanted = 0;
	t->status.why[0] = '\0';
	log_notice("ike: %s: the tunnel is up: %s, IKEv%u, SPI 0x%s in, 0x%s out, %s", t->name,
		   ip_endpoint_str(&s.status.peer, peer), s.status.version, s.in, s.out, s.suite);
}

// Inside the connection's section: old and new, or child-sas with a section that has them.
static void rekey(struct ike_vici *v, const struct vici_in *message, bool child)
{
	struct vici_in in = *message;
	struct vici_elem e;
	struct vici_tunnel *t = NULL;
	struct sa_said s = {0};
	char name[64];

	while (vici_next(&in, &e) > 0) {
		if (e.type != VICI_SECTION)
			continue;
		if (t == NULL) {
			if ((t = vici_find(v, vici_name_text(&e, name, sizeof(name)))) == NULL)
				return;
			continue;
		}
		if (!vici_named(&e, "new"))
			continue;
		if (child)
			child_read(&in, &s);
		else
			sa_read(&in, &s);
	}
	if (t == NULL)
		return;
	if (child) {
		log_info("ike: %s: new keys: SPI 0x%s in, 0x%s out, %s", t->name, s.in, s.out,
			 s.suite);
		return;
	}
	t->moved = true;
	s.status.state = IKE_ESTABLISHED;
	status_set(t, &s);
	log_info("ike: %s: the IKE SA has new keys: %s", t->name, s.status.suite);
}

static void list_one(struct ike_vici *v, const struct vici_in *message)
{
	struct sa_said s;

	if (!v->listing || v->list_old || !message_read(message, &s))
		return;
	struct vici_tunnel *t = vici_find(v, s.name);
	if (t == NULL)
		return;
	t->found += s.installed;
	if ((!t->seen && !t->moved) || is_there(s.status.state))
		status_set(t, &s);
	t->seen = true;
}

void vici_list_begin(struct ike_vici *v)
{
	struct vici_tunnel *t;

	v->list_old = false;
	TAILQ_FOREACH (t, &v->tunnels, link) {
		t->seen = t->moved = false;
		t->found = 0;
	}
}

bool vici_list_end_all(struct ike_vici *v)
{
	struct vici_tunnel *t;
	bool any_moved = false;

	TAILQ_FOREACH (t, &v->tunnels, link) {
		any_moved |= t->moved;
		if (t->moved) {
			// Events before the first list had nothing to count from.
			if (!v->listed && t->installed < t->found)
				t->installed = t->found;
			continue;
		}
		if (t->installed > 0 && t->found == 0)
			loss_note(t);
		t->installed = t->found;
		if (!t->seen)
			status_down(t);
	}
	return any_moved;
}

void vici_forget(struct ike_vici *v)
{
	struct vici_tunnel *t;

	v->listing = v->listed = false;
	v->charon[0] = '\0';
	TAILQ_FOREACH (t, &v->tunnels, link) {
		t->installed = 0;
		t->lost = 0;
		t->tries = 0;
		t->next_try = 0;
		t->refused = false;
		status_down(t);
	}
}

// ---- reasons ----

static void why_set(struct vici_tunnel *t, const char *why)
{
	snprintf(t->why, sizeof(t->why), "%.127s", why);
	t->why_at = vici_now();
	if (t->installed == 0 && !t->held)
		memcpy(t->status.why, t->why, sizeof(t->why));
}

static void log_line(struct ike_vici *v, const struct vici_in *message)
{
	char name[64], text[512];
	struct vici_tunnel *t;

	if (!vici_find_text(*message, "ikesa-name", name, sizeof(name)) ||
	    (t = vici_find(v, name)) == NULL ||
	    !vici_find_text(*message, "msg", text, sizeof(text)))
		return;
	const char *why = vici_reason(text);
	if (why != NULL)
		why_set(t, why);
}

void vici_event(struct ike_vici *v, const char *name, const struct vici_in *message)
{
	char up[8];

	if (strcmp(name, "log") == 0) {
		log_line(v, message);
	} else if (strcmp(name, "list-sa") == 0) {
		list_one(v, message);
	} else if (strcmp(name, "ike-updown") == 0) {
		ike_updown(v, message, vici_find_text(*message, "up", up, sizeof(up)));
	} else if (strcmp(name, "child-updown") == 0) {
		child_updown(v, message, vici_find_text(*message, "up", up, sizeof(up)));
	} else if (strcmp(name, "ike-rekey") == 0) {
		rekey(v, message, false);
	} else if (strcmp(name, "child-rekey") == 0) {
		rekey(v, message, true);
	}
}
