// SPDX-License-Identifier: BSD-3-Clause
// What is known of customers' tunnels, by what charon says: its lists, and the events that come in
// between.
#include "base/log.h"
#include "vici_bed.h"

#include <errno.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct vici_tunnel *tunnel(const char *name)
{
	return vici_find(ctl->vici, name);
}

static bool is_up(const char *name, unsigned installed)
{
	const struct vici_tunnel *t = tunnel(name);

	return t->installed == installed && t->status.state == IKE_ESTABLISHED && t->lost == 0;
}

// The next list, until charon has been asked for it.
static void list_begin(void)
{
	ctl->vici->next_list = 0;
	check(run_until(&list_asked, 1000), "charon is asked for a list");
}

static void test_start(void)
{
	check(run_until(&list_asked, 1000), "a list is asked for at once");
	check(seen_of("load-conn") == 2 && seen_of("load-shared") == 2, "after the connections");
	sa_tell("list-sa", "acme", 1, "ESTABLISHED", "INSTALLED", false);
	sa_tell("list-sa", "globex", 2, "ESTABLISHED", "INSTALLED", false);
	list_end();
	check(is_up("acme", 1) && is_up("globex", 1), "both tunnels are known");
}

static void test_reload_in_a_list(void)
{
	n_seen = 0;
	list_begin();
	sa_tell("list-sa", "acme", 1, "ESTABLISHED", "INSTALLED", false);
	check(reload(ctl) == 0, "a reload in the middle");
	run(600);
	sa_tell("list-sa", "globex", 2, "ESTABLISHED", "INSTALLED", false);
	list_end();
	run(20);
	check(is_up("acme", 1) && is_up("globex", 1), "what lives is not declared down");
	check(run_until(&list_asked, 1000), "another list follows");
	sa_tell("list-sa", "acme", 1, "ESTABLISHED", "INSTALLED", false);
	sa_tell("list-sa", "globex", 2, "ESTABLISHED", "INSTALLED", false);
	list_end();
	run(600);
	check(is_up("acme", 1) && is_up("globex", 1), "and both are up");
	check(seen_of("list-sas") == 2 && seen_of("initiate") == 0,
	      "nothing is brought up: %u lists, %u attempts", seen_of("list-sas"),
	      seen_of("initiate"));
}

static void test_events_in_a_list(void)
{
	list_begin();
	sa_tell("list-sa", "acme", 1, "ESTABLISHED", "INSTALLED", false);
	list_end();
	check(tunnel("globex")->installed == 0 && tunnel("globex")->status.state == IKE_DOWN,
	      "what is not in the list is down");
	list_begin();
	sa_tell("list-sa", "acme", 1, "ESTABLISHED", "INSTALLED", false);
	run(400); // the loss is logged
	sa_tell("ike-updown", "globex", 3, "ESTABLISHED", "", true);
	sa_tell("child-updown", "globex", 3, "ESTABLISHED", "INSTALLED", true);
	list_end();
	check(is_up("globex", 1), "one that came behind the list is up");
	list_begin();
	ike_rekey_tell("acme", 4);
	sa_tell("list-sa", "globex", 3, "ESTABLISHED", "INSTALLED", false);
	list_end();
	check(is_up("acme", 1), "so is one whose IKE SA was replaced");
	list_begin();
	sa_tell("child-updown", "acme", 4, "ESTABLISHED", "INSTALLED", true);
	sa_tell("list-sa", "acme", 4, "ESTABLISHED", "INSTALLED INSTALLED", false);
	sa_tell("list-sa", "globex", 3, "ESTABLISHED", "INSTALLED", false);
	list_end();
	check(is_up("acme", 2), "what both tell of counts once");
}

static void test_child_states(void)
{
	static const struct {
		const char *states;
		unsigned installed;
	} cases[] = {
		{"REKEYING", 1},           {"UPDATING", 1},           {"REKEYED INSTALLED", 1},
		{"INSTALLED DELETING", 1}, {"INSTALLED ROUTED", 1},   {"REKEYING INSTALLING", 1},
		{"INSTALLED RETRYING", 1}, {"INSTALLED REKEYING", 2},
	};

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		list_begin();
		sa_tell("list-sa", "acme", 4, "ESTABLISHED", cases[i].states, false);
		sa_tell("list-sa", "globex", 3, "ESTABLISHED", "INSTALLED", false);
		list_end();
		check(is_up("acme", cases[i].installed), "%s: %u child SAs", cases[i].states,
		      tunnel("acme")->installed);
	}
}

// What could not be made is not sent as nothing at all, for which charon would wait.
static void test_not_made(void)
{
	struct vici_told *told[] = {&tunnel("acme")->conn, &tunnel("acme")->psk};

	for (unsigned i = 0; i < RTE_DIM(told); i++) {
		struct vici_told was = *told[i];
		*told[i] = (struct vici_told){0};
		charon_restart();
		n_seen = 0;
		check(run_until(&list_asked, 2000), "charon comes, and is asked for a list");
		check(seen_of("load-conn") == 1 && seen_of("load-shared") == 1,
		      "one customer's connection is told to it");
		*told[i] = was;
		list_end();
	}
}

static bool answered;
static struct err said;

static void on_order(void *arg, int rc, const struct err *text)
{
	(void)arg;
	check(rc == 0, "it is done: %s", text->text);
	said = *text;
	answered = true;
}

static void down(const char *name)
{
	struct err err;

	answered = false;
	check(ike_tunnel_order(ctl, IKE_TAKE_DOWN, name, on_order, NULL, &err) == -EINPROGRESS &&
		      run_until(&answered, 2000),
	      "%s is taken down", name);
}

static void test_orphans(void)
{
	orphans_make("acme", 0, 0x20001);
	orphans_make("globex", 16, 0x20002);
	check(strcmp(whose(ctl, 0), "acme") == 0 && ctl->sad->n == 4, "they work on");
	terminate_why = "no matching SAs to terminate found";
	tunnel("acme")->refused = true; // its connection
	down("acme");
	tunnel("acme")->refused = false;
	check(strcmp(whose(ctl, 0), "nobody") == 0 &&
		      ike_sas_of(ctl, customer_find(ctl, "acme")) == NULL,
	      "nothing of it is left");
	check(strstr(said.text, "acme is down; charon had no part") != NULL, "%s", said.text);
	down("acme");
	check(strcmp(said.text, "acme was down already") == 0, "%s", said.text);
	check(strcmp(whose(ctl, 16), "globex") == 0 && ctl->sad->n == 2, "others' work on");
	terminate_why = NULL;
	down("globex");
	check(strcmp(whose(ctl, 16), "nobody") == 0 && ctl->sad->n == 0,
	      "with charon's own as well");
	check(strcmp(said.text, "globex is down") == 0, "%s", said.text);
}

static void test_ike_goes(void)
{
	orphans_make("acme", 0, 0x20003);
	check(reload(ctl) == 0 && ctl->sad->n == 2, "a reload without a change");
	customer_write("acme", 1, 0, 0, -1);
	check(reload(ctl) == 0, "ike goes from a customer's file");
	check(ctl->sad->n == 0 && strcmp(whose(ctl, 0), "nobody") == 0, "and its tunnel with it");
	check(tunnel("acme") == NULL && tunnel("globex") != NULL, "charon forgets it");
}

int main(void)
{
	char *eal[] = {"vici", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		       "-m",   "256",       "-l",          "0",        "--log-level=4",
		       NULL};

	if (rte_eal_init((int)RTE_DIM(eal) - 1, eal) < 0)
		return 1;
	alarm(120);
	log_level_set(LOG_ERROR);
	files_make();
	bed_open();
	test_start();
	test_reload_in_a_list();
	test_events_in_a_list();
	test_child_states();
	test_not_made();
	test_orphans();
	test_ike_goes();
	bed_close();
	files_remove();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
