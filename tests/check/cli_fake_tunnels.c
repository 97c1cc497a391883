// SPDX-License-Identifier: BSD-3-Clause
// The made-up control thread's tunnels: one that is up, one that is down, and a charon that takes its time.
#include "cli_fake.h"
#include "ike/ike.h"

#include <errno.h>

size_t view_tunnels(struct control *ctl, const char *customer, size_t limit,
		    struct view_tunnel **out, size_t *total)
{
	static const struct view_tunnel tunnels[] = {
		{.customer = "acme",
		 .ike = true,
		 .up = true,
		 .state = "up",
		 .why = "",
		 .changed = 3 * 3600,
		 .initiates = true,
		 .version = 2,
		 .suite = "aes256gcm16-prfsha384-ecp256",
		 .peer_id = "gw.acme.example.net",
		 .age = 3 * 3600,
		 .rekey = 41 * 60,
		 .local = AT(198, 18, 10, 1, 4500),
		 .peer = AT(203, 0, 113, 9, 4500),
		 .sas_in = 2,
		 .sas_out = 1,
		 .in = {0xc1000a2f, "aes256gcm16", 1200000000, 288000000000, 1800, 0.012, 1500, 2,
			0, 0, 1200000000, false},
		 .out = {0x8fd01c77, "aes256gcm16", 1190000000, 287000000000, 1800, 0.004, 1500, 0,
			 0, 0, 1331439862, false},
		 .tier = 100000000,
		 .rate_in = {20000, 41.2e6},
		 .rate_out = {20000, 41.0e6},
		 .calls = 402},
		{.customer = "many",
		 .ike = true,
		 .state = "down",
		 .why = "its gateway does not answer",
		 .changed = 41,
		 .suite = "",
		 .peer_id = "",
		 .age = -1,
		 .rekey = -1,
		 .local = AT(198, 18, 10, 1, 0),
		 .peer = AT(203, 0, 113, 77, 0)},
	};
	(void)ctl;
	(void)limit;
	if (customer != NULL) {
		const struct view_tunnel *t = &tunnels[strcmp(customer, "many") == 0];
		*total = 1;
		*out = copy(t, sizeof(*t));
		return 1;
	}
	*total = COUNT(tunnels);
	*out = copy(tunnels, sizeof(tunnels));
	return *total;
}

// An answer that comes later, as charon's.
struct later {
	ike_answer answer;
	void *arg;
	int rc;
};

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct later *l = arg;
	struct err text;

	(void)fd;
	(void)what;
	err_set(&text, 0, l->rc == 0 ? "acme is up" : "acme does not come up: the keys differ");
	l->answer(l->arg, l->rc, &text);
	free(l);
}

int ike_tunnel_order(struct control *ctl, enum ike_order order, const char *customer,
		     ike_answer answer, void *arg, struct err *err)
{
	static const struct timeval soon = {.tv_sec = 1};
	struct later *l = malloc(sizeof(*l));

	*l = (struct later){answer, arg, order == IKE_UP ? 0 : -EREMOTEIO};
	if (strcmp(customer, "many") == 0) {
		free(l);
		return err_set(err, 0, "many was down already");
	}
	if (strcmp(customer, "acme") != 0) {
		free(l);
		return err_set(err, -ENOENT, "there is no customer %s", customer);
	}
	event_base_once(ctl->base, -1, EV_TIMEOUT, on_later, l, &soon);
	return -EINPROGRESS;
}
