// SPDX-License-Identifier: BSD-3-Clause
// trunklined: the daemon. Options, signals, and the order of a life.
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/log.h"
#include "config/config.h"
#include "control_priv.h"
#include "edge/device.h"
#include "view.h"

#define CONFIG_DEFAULT "/etc/trunkline/trunkline.yaml"

struct options {
	const char *config;
	bool check, debug;
};

static void usage(FILE *f)
{
	fputs("Usage: trunklined [options]\n"
	      "\n"
	      "The media relay and VPN gateway. Runs in the foreground; systemd starts it.\n"
	      "\n"
	      "  -c, --config FILE       configuration (default " CONFIG_DEFAULT ")\n"
	      "  -t, --check             check the configuration, print every mistake, and exit\n"
	      "  -d, --debug             log more, whatever the configuration says\n"
	      "      --config-reference  print every configuration key and what it means\n"
	      "  -V, --version           print the version\n"
	      "  -h, --help              print this\n"
	      "\n"
	      "SIGHUP reads the configuration again; SIGTERM and SIGINT end the daemon.\n"
	      "Exit status: 0 ended as asked, 1 could not start or configuration wrong, 2 usage.\n",
	      f);
}

// Returns -1 to go on, or an exit status.
static int options_read(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 't'},
		{"debug", no_argument, NULL, 'd'},
		{"config-reference", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*o = (struct options){.config = CONFIG_DEFAULT};
	while ((c = getopt_long(argc, argv, "c:tdVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 't':
			o->check = true;
			break;
		case 'd':
			o->debug = true;
			break;
		case 'r':
			config_reference(stdout);
			return 0;
		case 'V':
			puts("trunklined " TRUNKLINE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			fputs("See: trunklined --help\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "trunklined: unexpected argument %s\nSee: trunklined --help\n",
			argv[optind]);
		return 2;
	}
	return -1;
}

static void notify(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#else
	(void)state;
#endif
}

static void on_end(evutil_socket_t sig, short what, void *base)
{
	(void)what;
	log_notice("ending: %s", strsignal((int)sig));
	notify("STOPPING=1");
	event_base_loopexit(base, NULL);
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct control *ctl = arg;
	struct err err;
	char *report = NULL;

	(void)sig;
	(void)what;
	notify("RELOADING=1");
	if (control_reload(ctl, &report, &err) < 0) {
		for (char *line = report, *end; line != NULL && *line != '\0'; line = end) {
			end = line + strcspn(line, "\n");
			if (*end != '\0')
				*end++ = '\0';
			log_error("%s", line);
		}
		log_error("reload: %s", err.text);
	}
	free(report);
	notify("READY=1");
}

static int run(struct config *cfg, const struct options *o)
{
	struct event_base *base = event_base_new();
	struct event *term = NULL, *intr = NULL, *hup = NULL;
	struct control *ctl = NULL;
	struct err err = {""};
	int status = 1;

	if (base == NULL) {
		log_error("no event loop");
		config_free(cfg);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	// From here on: who is told to end while he starts ends in order as soon as he has.
	term = evsignal_new(base, SIGTERM, on_end, base);
	intr = evsignal_new(base, SIGINT, on_end, base);
	if (term == NULL || intr == NULL || event_add(term, NULL) < 0 ||
	    event_add(intr, NULL) < 0) {
		log_error("no signal handlers");
		config_free(cfg);
		goto out;
	}
	if (eal_start(cfg, &err) < 0) {
		log_error("%s", err.text);
		config_free(cfg);
		goto out;
	}
	if (control_start(&ctl, cfg, o->config, base, &err) < 0) {
		log_error("%s", err.text);
		goto eal;
	}
	hup = evsignal_new(base, SIGHUP, on_hup, ctl);
	if (hup == NULL || event_add(hup, NULL) < 0) {
		log_error("no signal handlers");
	} else {
		log_notice("trunkline %s at %s: %u workers, %u ports, %u SA pairs, %u calls",
			   TRUNKLINE_VERSION, ctl->config->pop, ctl->plane->n_workers,
			   ctl->plane->n_ports, ctl->n_sas, ctl->n_calls);
		notify("READY=1");
		event_base_dispatch(base);
		status = 0;
	}
	control_stop(ctl);
eal:
	eal_stop();
out:
	if (term != NULL)
		event_free(term);
	if (intr != NULL)
		event_free(intr);
	if (hup != NULL)
		event_free(hup);
	event_base_free(base);
	if (status == 0)
		log_notice("ended");
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	struct config *cfg = NULL;
	int status = options_read(argc, argv, &o);

	if (status >= 0)
		return status;
	if (config_load(o.config, &cfg, stderr) != 0)
		return 1;
	if (o.check) {
		printf("%s: no mistakes\n", o.config);
		config_free(cfg);
		return 0;
	}
	log_level_set(o.debug ? LOG_DEBUG : (enum log_level)cfg->log_level);
	return run(cfg, &o);
}
