// SPDX-License-Identifier: BSD-3-Clause
// What is known of customers' tunnels, by what charon says: its lists, and the events that come in
// between.
#include "base/log.h"
#include "vici_bed.h"

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
	bed_close();
	files_remove();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
