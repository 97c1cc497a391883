// SPDX-License-Identifier: BSD-3-Clause
// The PoP itself: name, workers, limits, sockets, log.
#include "config_build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static void cpu_check(const struct config_build *b, const char *key, uint64_t cpu)
{
	if (cpu == BAD_UINT || cpu < b->machine->cpus)
		return;
	if (b->machine->cpus == 1)
		mistake(&b->main, key,
			"CPU %" PRIu64 " does not exist; this machine has only CPU 0", cpu);
	else
		mistake(&b->main, key, "CPU %" PRIu64 " does not exist; this machine has 0 to %u",
			cpu, b->machine->cpus - 1);
}

static int workers_build(struct config_build *b)
{
	const struct raw_main *raw = b->raw;
	struct config *c = b->c;
	c->workers = calloc(raw->n_workers + 1, sizeof(*c->workers));
	if (c->workers == NULL)
		return -ENOMEM;
	c->n_workers = raw->n_workers;
	for (unsigned i = 0; i < raw->n_workers; i++) {
		uint64_t cpu = raw->workers[i];
		c->workers[i] = (unsigned)uint_or(&cpu, 0);
		cpu_check(b, KEY("workers[%u]", i), cpu);
		for (unsigned j = 0; j < i && cpu != BAD_UINT; j++) {
			if (raw->workers[j] == cpu) {
				mistake(&b->main, KEY("workers[%u]", i),
					"CPU %" PRIu64
					" is workers[%u]'s already; give each worker "
					"a CPU of its own",
					cpu, j);
				break;
			}
		}
	}
	c->control_cpu = raw->control_cpu != NULL ? (int)*raw->control_cpu : -1;
	if (raw->control_cpu != NULL)
		cpu_check(b, "control_cpu", *raw->control_cpu);
	return 0;
}

// Busy polling is only for workers that take nobody's CPU away.
static void idle_build(struct config_build *b)
{
	struct config *c = b->c;
	bool shared = false;
	for (unsigned i = 0; i < c->n_workers; i++)
		shared |= c->control_cpu >= 0 && c->workers[i] == (unsigned)c->control_cpu;
	bool roomy = b->machine->cpus > 2 && b->machine->cpus > c->n_workers;
	c->idle =
		(enum config_idle)enum_or(b->raw->idle, roomy && !shared ? IDLE_POLL : IDLE_SLEEP);
	if (shared && c->idle == IDLE_POLL)
		mistake(&b->main, "idle",
			"poll on CPU %d would starve the control thread, which has the same; "
			"choose "
			"another control_cpu, or sleep",
			c->control_cpu);
}

static void limits_build(struct config_build *b)
{
	static const struct raw_limits none;
	const struct raw_limits *raw = b->raw->limits != NULL ? b->raw->limits : &none;
	b->c->max_calls = (unsigned)uint_or(raw->calls, 50000);
	b->c->max_sas = (unsigned)uint_or(raw->sas, 8192);
	b->c->max_customers = (unsigned)uint_or(raw->customers, 4096);
	b->c->punt_rate = (uint32_t)uint_or(raw->punt_rate, 2000);
	b->c->punt_source_rate = (uint32_t)uint_or(raw->punt_source_rate, 200);
	b->c->port_quarantine = (uint32_t)uint_or(raw->port_quarantine, 10);
}

static void timeouts_build(struct config_build *b)
{
	static const struct raw_timeouts none;
	const struct raw_timeouts *raw = b->raw->timeouts != NULL ? b->raw->timeouts : &none;
	b->c->timeouts.silence = (uint32_t)uint_or(raw->silence, 60);
	b->c->timeouts.held = (uint32_t)uint_or(raw->held, 3600);
	b->c->timeouts.offer = (uint32_t)uint_or(raw->offer, 300);
	b->c->timeouts.final = (uint32_t)uint_or(raw->final, 0);
}

static void path_check(const struct config_build *b, const char *key, const char *path)
{
	if (*path != '/')
		mistake(&b->main, key, "%s is relative; expected an absolute path", SHOW(path));
}

static int api_build(struct config_build *b)
{
	static struct raw_api none;
	struct raw_api *raw = b->raw->api != NULL ? b->raw->api : &none;
	struct config *c = b->c;
	c->run_dir =
		b->raw->run_dir != NULL ? text_take(&b->raw->run_dir) : strdup("/run/trunkline");
	if (c->run_dir == NULL)
		return -ENOMEM;
	path_check(b, "run_dir", c->run_dir);
	if (b->raw->recordings != NULL) {
		c->recordings = text_take(&b->raw->recordings);
		path_check(b, "recordings", c->recordings);
	}
	bool given = !text_none(raw->socket);
	if (given)
		c->api_socket = text_take(&raw->socket);
	else if (asprintf(&c->api_socket, "%s/api.sock", c->run_dir) < 0)
		c->api_socket = NULL;
	if (c->api_socket == NULL)
		return -ENOMEM;
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	if (given)
		path_check(b, "api.socket", c->api_socket);
	if (strlen(c->api_socket) > max)
		mistake(&b->main, given ? "api.socket" : "run_dir",
			"%s %zu characters; a socket's path can have %zu",
			given ? "has" : "makes api.socket a path of", strlen(c->api_socket), max);
	c->api_group = text_take(&raw->group);
	if (!text_none(c->api_group) && !b->machine->group_exists(c->api_group))
		mistake(&b->main, "api.group",
			"there is no group %s on this machine; make it (groupadd --system), or "
			"leave "
			"the key out",
			SHOW(c->api_group));
	return 0;
}

int config_build_pop(struct config_build *b)
{
	struct config *c = b->c;
	c->pop = text_take(&b->raw->pop);
	if (!text_none(c->pop))
		text_name(&b->main, "pop", c->pop, 63);
	c->log_level = enum_or(b->raw->log, LOGL_INFO);
	int ret = workers_build(b);
	if (ret < 0)
		return ret;
	idle_build(b);
	limits_build(b);
	timeouts_build(b);
	return api_build(b);
}
