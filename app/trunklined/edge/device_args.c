// SPDX-License-Identifier: BSD-3-Clause
#include "device_priv.h"
#include "plane.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static int arg_add(struct eal_args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->argc >= EAL_ARGS_MAX - 1)
		return -E2BIG;
	va_start(ap, fmt);
	int n = vasprintf(&a->argv[a->argc], fmt, ap);
	va_end(ap);
	if (n < 0) {
		a->argv[a->argc] = NULL;
		return -ENOMEM;
	}
	a->argc++;
	return 0;
}

// "0@(0-3),1@2,2@3": several lcores may share a CPU.
static int lcores_add(const struct config *cfg, const struct eal_env *env, struct eal_args *a)
{
	char text[64 + 16 * WORKERS_MAX + 256];
	size_t n;

	if (cfg->control_cpu >= 0)
		n = (size_t)snprintf(text, sizeof(text), "0@%d", cfg->control_cpu);
	else
		n = (size_t)snprintf(text, sizeof(text), "0@(%s)", env->cpus);
	for (unsigned i = 0; i < cfg->n_workers && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",%u@%u", i + 1, cfg->workers[i]);
	if (n >= sizeof(text))
		return -E2BIG;
	int rc = arg_add(a, "--lcores=%s", text);
	return rc == 0 ? arg_add(a, "--main-lcore=0") : rc;
}

static int memory_add(const struct config *cfg, const struct eal_env *env, struct eal_args *a)
{
	int rc = arg_add(a, "--file-prefix=trunkline-%d", env->pid);

	if (rc != 0)
		return rc;
	if (env->huge) // taken as needed, invisible to other processes
		return arg_add(a, "--in-memory");
	rc = arg_add(a, "--no-huge");
	if (rc == 0)
		rc = arg_add(a, "--no-shconf"); // --in-memory fails with --no-huge on DPDK 22.11
	if (rc == 0)
		rc = arg_add(a, "-m");
	return rc == 0 ? arg_add(a, "%u", cfg->memory_mb) : rc;
}

static int devices_add(const struct config *cfg, const struct eal_env *env, struct eal_args *a,
		       struct err *err)
{
	unsigned frames = packet_frames_fit(cfg, env->lockable);
	bool pci = false;

	for (unsigned i = 0; i < cfg->n_ports; i++) {
		struct device_want want = device_want(cfg, cfg->ports[i].device);
		struct device_spec spec;
		want.frames = frames;
		if (device_first_port(cfg, i) != i)
			continue;
		int rc = device_spec_parse(cfg->ports[i].device, i, &want, cfg->n_workers, &spec,
					   err);
		if (rc != 0) {
			err_prefix(err, "port %s", cfg->ports[i].name);
			return rc;
		}
		pci = pci || spec.kind == DEV_PCI;
		rc = arg_add(a, "%s=%s", spec.kind == DEV_PCI ? "--allow" : "--vdev", spec.args);
		if (rc != 0)
			return err_set(err, rc, "too many devices, or out of memory");
	}
	int rc = pci ? 0 : arg_add(a, "--no-pci");
	return rc == 0 ? 0 : err_set(err, rc, "too many devices, or out of memory");
}

int eal_args_build(const struct config *cfg, const struct eal_env *env, struct eal_args *out,
		   struct err *err)
{
	memset(out, 0, sizeof(*out));
	if (cfg->n_workers == 0 || cfg->n_workers > WORKERS_MAX)
		return err_set(err, -EINVAL, "workers: %u given; 1 to %d CPUs", cfg->n_workers,
			       WORKERS_MAX);
	int rc = arg_add(out, "trunklined");
	if (rc == 0)
		rc = lcores_add(cfg, env, out);
	if (rc == 0)
		rc = memory_add(cfg, env, out);
	if (rc == 0)
		rc = arg_add(out, "--no-telemetry");
	if (rc == 0)
		rc = arg_add(out, "--log-level=*:%s",
			     cfg->log_level >= LOGL_DEBUG ? "info" : "error");
	if (rc != 0)
		err_set(err, rc, "too many workers, or out of memory");
	else
		rc = devices_add(cfg, env, out, err);
	if (rc != 0)
		eal_args_free(out);
	return rc;
}

void eal_args_free(struct eal_args *args)
{
	for (int i = 0; i < args->argc; i++)
		free(args->argv[i]);
	memset(args, 0, sizeof(*args));
}
