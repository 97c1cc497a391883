// SPDX-License-Identifier: BSD-3-Clause
// What operators ask of one tunnel: up, down, new keys. Each has a connection to charon of its own, where charon
// may take its time without keeping others waiting, and where it says why something did not work.
#include "control_priv.h"
#include "vici_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// What charon gets, and we on top of it; the command line waits for 30 s.
#define UP_MS 20000
#define DOWN_MS 3000
#define REKEY_S 10
#define PATIENCE_S 25

struct ask {
	TAILQ_ENTRY(ask) link;
	struct ike_vici *vici;
	char name[64];
	enum ike_order order;
	struct vici_link *connection;
	struct event *timer; // the end of patience, and then of the connection
	ike_answer answer;   // NULL: was given
	void *arg;
	char why[128];
};

static void ask_free(struct ask *a)
{
	TAILQ_REMOVE(&a->vici->asks, a, link);
	vici_link_close(a->connection);
	if (a->timer != NULL)
		event_free(a->timer);
	free(a);
}

// The connection is closed by the timer, out of its own callbacks.
__attribute__((format(printf, 3, 4))) static void finish(struct ask *a, int rc, const char *fmt,
							 ...)
{
	static const struct timeval now;
	ike_answer answer = a->answer;
	struct err err;
	va_list args;

	if (answer == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(err.text, sizeof(err.text), fmt, args);
	va_end(args);
	a->answer = NULL;
	event_add(a->timer, &now);
	answer(a->arg, rc, &err);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;

	(void)fd;
	(void)what;
	if (a->answer == NULL)
		ask_free(a);
	else if (a->order == IKE_REKEY)
		finish(a, -ETIMEDOUT,
		       "%s: charon was asked for new keys, and there are none after %d s%s%s",
		       a->name, REKEY_S, a->why[0] != '\0' ? ": " : "; its log says more", a->why);
	else
		finish(a, -ETIMEDOUT, "%s: charon does not answer", a->name);
}

// ---- answers ----

static struct vici_tunnel *tunnel_of(const struct ask *a)
{
	return vici_find(a->vici, a->name);
}

static void up_done(struct ask *a, int rc, const char *why)
{
	const struct vici_tunnel *t = tunnel_of(a);
	char name[VICI_CHILD_LEN];

	if (rc == 0) {
		for (unsigned i = 1; t != NULL && i < t->children; i++)
			vici_initiate_child(a->vici, t, vici_child_name(i, name));
		finish(a, 0, "%s is up", a->name);
	} else if (strstr(why, "not established after") != NULL) {
		finish(a, -ETIMEDOUT, "%s is not up after %d s%s%s; charon goes on trying", a->name,
		       UP_MS / 1000, a->why[0] != '\0' ? ": " : "", a->why);
	} else {
		finish(a, rc, "%s does not come up: %s", a->name, a->why[0] != '\0' ? a->why : why);
	}
}

// charon knows nothing of SAs of before its last start, and packets go by them: we remove them.
static void down_done(struct ask *a, int rc, const char *why)
{
	struct control *ctl = a->vici->ctl;
	bool none = rc < 0 && strstr(why, "no matching SAs") != NULL;
	bool deaf = rc < 0 && (strstr(why, "terminating SA failed") != NULL ||
			       strstr(why, "not all") != NULL);

	if (rc < 0 && !none && !deaf) {
		finish(a, rc, "%s: charon does not take it down: %s", a->name, why);
		return;
	}
	unsigned orphans = ike_orphans_drop(ctl, customer_find(ctl, a->name));
	if (deaf)
		finish(a, 0, "%s is down; its gateway did not answer, and may not know", a->name);
	else if (none && orphans > 0)
		finish(a, 0,
		       "%s is down; charon had no part in it since it was restarted, and its "
		       "gateway may not know",
		       a->name);
	else if (none)
		finish(a, 0, "%s was down already", a->name);
	else
		finish(a, 0, "%s is down", a->name);
}

static void rekey_done(struct ask *a, int rc, const char *why)
{
	static const struct timeval wait = {.tv_sec = REKEY_S};

	if (rc == 0)
		event_add(a->timer, &wait); // for the event
	else if (strstr(why, "no matching SAs") != NULL)
		finish(a, -ENOTCONN, "%s is down; there are no keys to replace", a->name);
	else
		finish(a, rc, "%s: charon does not replace its keys: %s", a->name, why);
}

static void on_answer(void *arg, int rc, const struct vici_in *message, const char *why)
{
	struct ask *a = arg;

	(void)message;
	if (a->answer == NULL)
		return;
	if (rc == -ENOTCONN)
		finish(a, rc, "%s: the connection to charon is lost: %s", a->name, why);
	else if (a->order == IKE_UP)
		up_done(a, rc, why);
	else if (a->order == IKE_TAKE_DOWN)
		down_done(a, rc, why);
	else
		rekey_done(a, rc, why);
}

static void on_event(void *arg, const char *event, const struct vici_in *message)
{
	struct ask *a = arg;
	char name[64], text[512];

	if (strcmp(event, "child-rekey") == 0) {
		struct vici_in in = *message;
		struct vici_elem e;
		if (a->order == IKE_REKEY && vici_next(&in, &e) > 0 && vici_named(&e, a->name))
			finish(a, 0, "%s has new keys", a->name);
		return;
	}
	// Of "log" and "control-log", which is of our own request alone.
	if (vici_find_text(*message, "ikesa-name", name, sizeof(name)) &&
	    strcmp(name, a->name) == 0 && vici_find_text(*message, "msg", text, sizeof(text))) {
		const char *why = vici_reason(text);
		if (why != NULL)
			snprintf(a->why, sizeof(a->why), "%.127s", why);
	}
}

// ---- requests ----

static int request_pack(const struct ask *a, uint8_t *buf, size_t size)
{
	static const char *const commands[] = {
		[IKE_UP] = "initiate", [IKE_TAKE_DOWN] = "terminate", [IKE_REKEY] = "rekey"};
	char name[VICI_CHILD_LEN];
	struct vici_out o;

	vici_begin(&o, buf, size, VICI_REQUEST, commands[a->order]);
	vici_text(&o, "ike", a->name);
	if (a->order == IKE_UP) {
		vici_text(&o, "child", vici_child_name(0, name));
		vici_uint(&o, "timeout", UP_MS);
	} else if (a->order == IKE_TAKE_DOWN) {
		vici_bool(&o, "force", true);
		vici_uint(&o, "timeout", DOWN_MS);
	} else {
		vici_text(&o, "child", vici_child_name(0, name));
	}
	return vici_end(&o);
}

static void on_up(void *arg)
{
	struct ask *a = arg;
	uint8_t buf[512];
	int len = request_pack(a, buf, sizeof(buf));

	vici_link_register(a->connection, a->order == IKE_REKEY ? "log" : "control-log");
	if (a->order == IKE_REKEY)
		vici_link_register(a->connection, "child-rekey");
	if (len < 0 || vici_link_send(a->connection, buf, (size_t)len, on_answer, a) < 0)
		finish(a, -ENOMEM, "no memory for a request to charon");
}

static void on_down(void *arg, const char *why)
{
	struct ask *a = arg;

	finish(a, -ENOTCONN, "charon does not answer at %s: %s", a->vici->ctl->config->ike_vici,
	       why);
}

static int order_check(struct control *ctl, enum ike_order order, const char *customer,
		       struct vici_tunnel **t, struct err *err)
{
	uint16_t id = customer_find(ctl, customer);
	const struct ike_vici *v = ctl->vici;

	if (id == 0)
		return err_set(err, -ENOENT,
			       "there is no customer %s; see trunkline show customers", customer);
	*t = v != NULL ? vici_find(v, customer) : NULL;
	if (*t == NULL)
		return err_set(err, -ENOENT,
			       "%s has no ike in its file (%s): IKE has no part in its tunnel",
			       customer, ctl->customer[id].config->file);
	if (!vici_link_is_up(v->link))
		return err_set(err, -ENOTCONN,
			       "charon does not answer at %s; is it running? (systemctl status "
			       "strongswan-starter)",
			       ctl->config->ike_vici);
	if ((*t)->refused && order != IKE_TAKE_DOWN) // what is there can go
		return err_set(err, -EINVAL, "%s: %s", customer, (*t)->status.why);
	return 0;
}

int ike_tunnel_order(struct control *ctl, enum ike_order order, const char *customer,
		     ike_answer answer, void *arg, struct err *err)
{
	static const struct vici_link_ops ops = {on_up, on_down, on_event};
	static const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct vici_tunnel *t = NULL;
	int rc = order_check(ctl, order, customer, &t, err);

	if (rc < 0)
		return rc;
	if (order == IKE_UP && t->installed > 0) {
		t->held = false;
		return err_set(err, 0, "%s is up already", customer);
	}
	if (order == IKE_UP &&
	    ctl->customer[customer_find(ctl, customer)].config->gateway.family == 0)
		return err_set(err, -EDESTADDRREQ,
			       "%s has no gateway in its file, so only its gateway can begin",
			       customer);
	struct ask *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return err_set(err, -ENOMEM, "no memory");
	*a = (struct ask){.vici = ctl->vici, .order = order, .answer = answer, .arg = arg};
	snprintf(a->name, sizeof(a->name), "%s", customer);
	TAILQ_INSERT_TAIL(&ctl->vici->asks, a, link);
	a->timer = evtimer_new(ctl->base, on_timer, a);
	if (a->timer == NULL || vici_link_open(ctl->base, ctl->config->ike_vici, false, &ops, a,
					       &a->connection, err) < 0) {
		ask_free(a);
		return err_set(err, -ENOMEM, "no memory for a request to charon");
	}
	event_add(a->timer, &patience);
	if (order == IKE_UP)
		t->status.why[0] = '\0';
	t->held = order == IKE_TAKE_DOWN || (t->held && order == IKE_REKEY);
	return -EINPROGRESS;
}

void vici_asks_drop(struct ike_vici *v)
{
	struct ask *a;

	while ((a = TAILQ_FIRST(&v->asks)) != NULL) {
		finish(a, -ENOTCONN, "trunklined is about to stop");
		ask_free(a);
	}
}
