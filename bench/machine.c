// SPDX-License-Identifier: BSD-3-Clause
// On what was measured, and with what.
#include "bench.h"
#include "bench_commit.h"
#include "crypto/keys.h"

#include <intel-ipsec-mb.h>
#include <rte_version.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void line_of(const char *path, const char *key, char *out, size_t size)
{
	char line[512];
	FILE *f = fopen(path, "r");

	snprintf(out, size, "unknown");
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		char *value = line;
		if (key != NULL) {
			if (strncmp(line, key, strlen(key)) != 0 ||
			    (value = strchr(line, ':')) == NULL)
				continue;
			value++;
		}
		value += strspn(value, " \t");
		value[strcspn(value, "\n")] = '\0';
		snprintf(out, size, "%s", value);
		break;
	}
	fclose(f);
}

json_t *machine_json(void)
{
	char model[128], stepping[32], family[64], l2[32], l3[32];
	struct utsname u;

	uname(&u);
	line_of("/proc/cpuinfo", "model name", model, sizeof(model));
	line_of("/proc/cpuinfo", "model\t", family, sizeof(family));
	line_of("/proc/cpuinfo", "stepping", stepping, sizeof(stepping));
	line_of("/sys/devices/system/cpu/cpu0/cache/index2/size", NULL, l2, sizeof(l2));
	line_of("/sys/devices/system/cpu/cpu0/cache/index3/size", NULL, l3, sizeof(l3));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:b, s:s}", "cpu", model, "model",
			 family, "stepping", stepping, "l2", l2, "l3", l3, "cpus",
			 (int)sysconf(_SC_NPROCESSORS_ONLN), "tsc_ghz",
			 (double)rte_get_tsc_hz() / 1e9, "hugepages", (int)eal_huge(), "arch",
			 u.machine);
}

json_t *versions_json(void)
{
	struct utsname u;
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	struct crypto *c = crypto_new();

	uname(&u);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	json_t *v = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "trunkline", TRUNKLINE_VERSION,
			      "commit", BENCH_COMMIT, "dpdk", rte_version() + strlen("DPDK "),
			      "crypto", c != NULL ? crypto_describe(c) : "none", "compiler",
			      __VERSION__, "kernel", u.release, "time", stamp);
	crypto_free(c);
	return v;
}

void machine_print(const struct bench *b)
{
	json_t *m = machine_json(), *v = versions_json();

	printf("%s, %d CPUs, TSC %.2f GHz, L2 %s, %s; generator on CPU %d, worker on CPU %d\n",
	       json_string_value(json_object_get(m, "cpu")),
	       (int)json_integer_value(json_object_get(m, "cpus")), (double)b->hz / 1e9,
	       json_string_value(json_object_get(m, "l2")),
	       eal_huge() ? "hugepages" : "no hugepages", b->opt.cpu[0], b->opt.cpu[1]);
	printf("trunkline %s (%s), DPDK %s, %s\n", TRUNKLINE_VERSION, BENCH_COMMIT,
	       json_string_value(json_object_get(v, "dpdk")),
	       json_string_value(json_object_get(v, "crypto")));
	json_decref(m);
	json_decref(v);
}
