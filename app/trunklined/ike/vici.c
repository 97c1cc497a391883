// SPDX-License-Identifier: BSD-3-Clause
// Customers' connections in charon: loaded when it comes, kept as the configuration has them, and brought up
// where the configuration says so.
//
// What charon was told is remembered packet by packet, so that a reload sends the difference. Secrets that an
// earlier life of ours has loaded are known by their names; whose customer is gone goes with its connection.
#include "base/log.h"
#include "control_priv.h"
#include "vici_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US 250000
#define LIST_MS 60000     // between two looks at everything
#define LIST_SOON_MS 5000 // while a tunnel that we bring up is not there
#define TRY_MS 5000       // between two attempts at first
#define TRY_MAX_MS 60000
#define WANTED_MS 30000

int64_t vici_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct vici_tunnel *vici_find(const struct ike_vici *v, const char *name)
{
	struct vici_tunnel *t;

	TAILQ_FOREACH (t, &v->bucket[ike_number(name) % VICI_BUCKETS], hashed)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

const struct ike_status *ike_status_of(const struct ike_vici *v, uint16_t customer)
{
	if (v == NULL || v->ctl->customer[customer].plane == NULL)
		return NULL;
	const struct vici_tunnel *t = vici_find(v, v->ctl->customer[customer].plane->name);
	return t != NULL ? &t->status : NULL;
}

// ---- telling charon ----

// Returns whether done will be called.
static bool tell(struct ike_vici *v, int len, vici_done done, void *arg)
{
	int rc = -ENOTCONN;

	if (len > 0 && vici_link_is_up(v->link) &&
	    (rc = vici_link_send(v->link, v->buf, (size_t)len, done, arg)) < 0)
		log_error("ike: no memory for a message to charon");
	explicit_bzero(v->buf, len > 0 ? (size_t)len : 0);
	return rc == 0;
}

static void tell_named(struct ike_vici *v, const char *command, const char *key, const char *value)
{
	tell(v, vici_named_pack(command, key, value, v->buf, sizeof(v->buf)), NULL, NULL);
}

static void told_free(struct vici_told *told)
{
	if (told->packet != NULL)
		explicit_bzero(told->packet, told->len);
	free(told->packet);
	*told = (struct vici_told){0};
}

static void on_psk_loaded(void *arg, int rc, const struct vici_in *message, const char *why)
{
	(void)arg;
	(void)message;
	if (rc < 0 && rc != -ENOTCONN)
		log_error("ike: charon does not take a pre-shared key: %s", why);
}

// The tunnel may be gone when the answer comes: it goes by name.
struct loading {
	struct ike_vici *vici;
	char name[64];
};

static void on_conn_loaded(void *arg, int rc, const struct vici_in *message, const char *why)
{
	struct loading *l = arg;
	struct vici_tunnel *t = vici_find(l->vici, l->name);

	(void)message;
	if (t != NULL && rc != -ENOTCONN) {
		t->refused = rc < 0;
		if (rc < 0)
			snprintf(t->status.why, sizeof(t->status.why),
				 "charon does not take the connection: %s", why);
	}
	if (rc < 0 && rc != -ENOTCONN)
		log_error("ike: %s: charon does not take the connection: %s", l->name, why);
	free(l);
}

static void told_send(struct ike_vici *v, const struct vici_tunnel *t)
{
	struct loading *l;

	if (t->psk.len == 0 || t->conn.len == 0) // could not be made: was said then
		return;
	if (!vici_link_is_up(v->link) || (l = calloc(1, sizeof(*l))) == NULL)
		return;
	l->vici = v;
	memcpy(l->name, t->name, sizeof(l->name));
	if (vici_link_send(v->link, t->psk.packet, t->psk.len, on_psk_loaded, NULL) < 0 ||
	    vici_link_send(v->link, t->conn.packet, t->conn.len, on_conn_loaded, l) < 0) {
		log_error("ike: %s: no memory for a message to charon", t->name);
		free(l);
	}
}

static void unload(struct ike_vici *v, const char *name)
{
	char id[VICI_PSK_ID_LEN];
	struct vici_out o;

	vici_psk_id(name, id);
	tell_named(v, "unload-conn", "name", name);
	tell_named(v, "unload-shared", "id", id);
	vici_begin(&o, v->buf, sizeof(v->buf), VICI_REQUEST, "terminate");
	vici_text(&o, "ike", name);
	vici_text(&o, "timeout", "-1");
	tell(v, vici_end(&o), NULL, NULL);
}

// ---- tunnels ----

static struct vici_tunnel *tunnel_new(struct ike_vici *v, const char *name)
{
	struct vici_tunnel *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->vici = v;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->status.changed = time(NULL);
	TAILQ_INSERT_TAIL(&v->tunnels, t, link);
	TAILQ_INSERT_TAIL(&v->bucket[ike_number(name) % VICI_BUCKETS], t, hashed);
	v->n++;
	return t;
}

static void tunnel_free(struct ike_vici *v, struct vici_tunnel *t)
{
	TAILQ_REMOVE(&v->tunnels, t, link);
	TAILQ_REMOVE(&v->bucket[ike_number(t->name) % VICI_BUCKETS], t, hashed);
	v->n--;
	told_free(&t->conn);
	told_free(&t->psk);
	free(t);
}

// Remembers the packet in buf. 1 if it is another than before, 0, or -ENOMEM.
static int told_set(struct ike_vici *v, struct vici_told *told, int len)
{
	if (len < 0)
		return len;
	if (told->len == (size_t)len && memcmp(told->packet, v->buf, told->len) == 0) {
		explicit_bzero(v->buf, (size_t)len);
		return 0;
	}
	uint8_t *packet = malloc((size_t)len);
	if (packet != NULL)
		memcpy(packet, v->buf, (size_t)len);
	explicit_bzero(v->buf, (size_t)len);
	if (packet == NULL)
		return -ENOMEM;
	told_free(told);
	*told = (struct vici_told){packet, (size_t)len};
	return 1;
}

static void tunnel_update(struct ike_vici *v, const struct config_customer *cc)
{
	struct vici_tunnel *t = vici_find(v, cc->name);
	bool is_new = t == NULL;

	if (is_new && (t = tunnel_new(v, cc->name)) == NULL) {
		log_error("ike: %s: no memory for its tunnel", cc->name);
		return;
	}
	int psk = told_set(v, &t->psk, vici_psk_pack(cc, v->buf, sizeof(v->buf)));
	int conn = told_set(v, &t->conn, vici_conn_pack(cc, v->buf, sizeof(v->buf)));
	t->initiate = cc->ike->initiate;
	t->children = vici_children(cc->ike);
	t->reachable = cc->gateway.family != 0;
	t->kept = true;
	if (psk < 0 || conn < 0) {
		log_error("ike: %s: its connection cannot be told to charon: %s", t->name,
			  strerror(psk < 0 ? -psk : -conn));
		return;
	}
	if (psk == 0 && conn == 0)
		return;
	t->next_try = 0;
	t->tries = 0;
	if (!is_new && t->installed > 0)
		t->wanted = vici_now() + WANTED_MS; // if the change cuts it off
	told_send(v, t);
	if (!is_new)
		log_info("ike: %s: charon has its connection as it is now configured", t->name);
}

void ike_vici_reload(struct ike_vici *v)
{
	const struct config *cfg = v->ctl->config;
	struct vici_tunnel *t, *next;

	TAILQ_FOREACH (t, &v->tunnels, link)
		t->kept = false;
	// One that is under way is of others, but has to end before the next can begin.
	v->list_old = true;
	for (unsigned i = 0; i < cfg->n_customers; i++)
		if (cfg->customers[i].ike != NULL)
			tunnel_update(v, &cfg->customers[i]);
	for (t = TAILQ_FIRST(&v->tunnels); t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		if (t->kept)
			continue;
		unload(v, t->name);
		log_info("ike: %s: charon has no connection of it any more", t->name);
		tunnel_free(v, t);
	}
	v->next_list = 0;
}

// ---- bringing tunnels up ----

void vici_initiate_child(struct ike_vici *v, const struct vici_tunnel *t, const char *child)
{
	struct vici_out o;

	vici_begin(&o, v->buf, sizeof(v->buf), VICI_REQUEST, "initiate");
	vici_text(&o, "child", child);
	vici_text(&o, "ike", t->name);
	vici_text(&o, "timeout", "-1");
	tell(v, vici_end(&o), NULL, NULL);
}

void vici_initiate(struct ike_vici *v, const struct vici_tunnel *t)
{
	char name[VICI_CHILD_LEN];

	for (unsigned i = 0; i < t->children; i++)
		vici_initiate_child(v, t, vici_child_name(i, name));
}

static bool is_missing(const struct vici_tunnel *t, int64_t now)
{
	if (t->installed > 0 || t->held || t->refused)
		return false;
	return t->initiate ||
	       (t->wanted > now && (t->reachable || t->status.state == IKE_ESTABLISHED));
}

// Where a tunnel is missing that ought to be there. One that is being set up is left alone.
static bool missing_start(struct ike_vici *v, int64_t now)
{
	struct vici_tunnel *t;
	bool any = false;

	TAILQ_FOREACH (t, &v->tunnels, link) {
		if (!is_missing(t, now))
			continue;
		any = true;
		if (t->next_try > now || t->status.state == IKE_CONNECTING ||
		    t->status.state == IKE_DELETING)
			continue;
		int64_t wait = TRY_MS << (t->tries < 4 ? t->tries : 4);
		t->next_try = now + (wait < TRY_MAX_MS ? wait : TRY_MAX_MS);
		t->tries++;
		t->wanted = 0;
		vici_initiate(v, t);
	}
	return any;
}

// SAs of a charon that is no more: they work on, but nobody would replace them, and their gateways have yet to
// notice. So the tunnel is set up anew.
static void leftovers_want(struct ike_vici *v)
{
	struct vici_tunnel *t;

	TAILQ_FOREACH (t, &v->tunnels, link) {
		uint16_t id = t->installed == 0 ? customer_find(v->ctl, t->name) : 0;
		if (id != 0 && v->ctl->customer[id].n_ike > 0)
			t->wanted = vici_now() + WANTED_MS;
	}
}

static void on_listed(void *arg, int rc, const struct vici_in *message, const char *why)
{
	struct ike_vici *v = arg;

	(void)message;
	v->listing = false;
	if (rc < 0 && rc != -ENOTCONN)
		log_warn("ike: charon does not list its SAs: %s", why);
	if (rc < 0 || v->list_old)
		return;
	bool unsure = vici_list_end_all(v);
	if (!v->listed) {
		leftovers_want(v);
		if (unsure) // events alone do not tell how many there are
			v->next_list = vici_now() + LIST_SOON_MS;
	}
	v->listed = true;
}

static void list_ask(struct ike_vici *v, int64_t now)
{
	vici_list_begin(v);
	v->listing = tell(v, vici_named_pack("list-sas", NULL, NULL, v->buf, sizeof(v->buf)),
			  on_listed, v);
	v->next_list = now + (v->listing ? LIST_MS : LIST_SOON_MS);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ike_vici *v = arg;
	int64_t now = vici_now();

	(void)fd;
	(void)what;
	vici_losses_log(v, now);
	if (!vici_link_is_up(v->link))
		return;
	bool missing = v->listed && missing_start(v, now);
	if (missing && v->next_list > now + LIST_SOON_MS)
		v->next_list = now + LIST_SOON_MS;
	if (!v->listing && v->next_list <= now)
		list_ask(v, now);
}

// ---- charon comes and goes ----

static void on_version(void *arg, int rc, const struct vici_in *message, const char *why)
{
	struct ike_vici *v = arg;
	char version[32];

	(void)why;
	if (rc < 0)
		return;
	vici_find_text(*message, "version", version, sizeof(version));
	snprintf(v->charon, sizeof(v->charon), "strongSwan %s", version);
	log_notice("ike: %s is there; %u customers' connections go to it", v->charon, v->n);
}

// Secrets of ours whose customers are gone.
static void on_shared(void *arg, int rc, const struct vici_in *message, const char *why)
{
	const size_t prefix = strlen(VICI_PSK_PREFIX);
	struct ike_vici *v = arg;
	struct vici_elem e;
	char id[VICI_PSK_ID_LEN];

	(void)why;
	if (rc < 0)
		return;
	struct vici_in in = *message;
	while (vici_next(&in, &e) > 0) {
		if (e.type != VICI_ITEM)
			continue;
		vici_value_text(&e, id, sizeof(id));
		if (strncmp(id, VICI_PSK_PREFIX, prefix) == 0 &&
		    vici_find(v, id + prefix) == NULL) {
			log_info("ike: %s: charon forgets the connection of before", id + prefix);
			unload(v, id + prefix);
		}
	}
}

static void on_up(void *arg)
{
	static const char *const events[] = {"list-sa",      "ike-updown",  "ike-rekey",
					     "child-updown", "child-rekey", "log"};
	struct ike_vici *v = arg;
	struct vici_tunnel *t;

	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		vici_link_register(v->link, events[i]);
	tell(v, vici_named_pack("version", NULL, NULL, v->buf, sizeof(v->buf)), on_version, v);
	tell(v, vici_named_pack("get-shared", NULL, NULL, v->buf, sizeof(v->buf)), on_shared, v);
	TAILQ_FOREACH (t, &v->tunnels, link)
		told_send(v, t);
	list_ask(v, vici_now());
}

static void on_down(void *arg, const char *why)
{
	struct ike_vici *v = arg;

	if (v->charon[0] != '\0')
		log_warn("ike: charon is gone (%s): tunnels work on as long as their keys do", why);
	else
		log_notice("ike: charon does not answer at %s (%s); tunnels come when it does",
			   v->ctl->config->ike_vici, why);
	vici_forget(v);
}

static void on_event(void *arg, const char *name, const struct vici_in *message)
{
	vici_event(arg, name, message);
}

int ike_vici_open(struct control *ctl, const char *path, struct ike_vici **out, struct err *err)
{
	static const struct vici_link_ops ops = {on_up, on_down, on_event};
	static const struct timeval tick = {.tv_usec = TICK_US};
	struct ike_vici *v = calloc(1, sizeof(*v));

	*out = v;
	if (v == NULL)
		return err_set(err, -ENOMEM, "no memory for IKE's connections");
	v->ctl = ctl;
	TAILQ_INIT(&v->tunnels);
	TAILQ_INIT(&v->asks);
	for (unsigned i = 0; i < VICI_BUCKETS; i++)
		TAILQ_INIT(&v->bucket[i]);
	ike_vici_reload(v);
	v->tick = event_new(ctl->base, -1, EV_PERSIST, on_tick, v);
	if (v->tick == NULL || event_add(v->tick, &tick) < 0)
		return err_set(err, -ENOMEM, "no memory for IKE's timer");
	return vici_link_open(ctl->base, path, true, &ops, v, &v->link, err);
}

void ike_vici_close(struct ike_vici *v)
{
	struct vici_tunnel *t;

	if (v == NULL)
		return;
	vici_asks_drop(v);
	vici_link_close(v->link);
	if (v->tick != NULL)
		event_free(v->tick);
	while ((t = TAILQ_FIRST(&v->tunnels)) != NULL)
		tunnel_free(v, t);
	free(v);
}
