// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"
#include "device.h"
#include "device_priv.h"
#include "pkt.h"

#include <dirent.h>
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf_dyn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define HUGE_DIR "/sys/kernel/mm/hugepages"
#define MAP_HUGE_2M (21 << MAP_HUGE_SHIFT)
#define MAP_HUGE_1G (30 << MAP_HUGE_SHIFT)

static uint64_t file_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long v = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &v) != 1)
		v = 0;
	fclose(f);
	return v;
}

// What is free and not promised to another process, in MB.
static uint64_t huge_free_mb(unsigned page_kb)
{
	char path[128];

	snprintf(path, sizeof(path), HUGE_DIR "/hugepages-%ukB/free_hugepages", page_kb);
	uint64_t n = file_number(path);
	snprintf(path, sizeof(path), HUGE_DIR "/hugepages-%ukB/resv_hugepages", page_kb);
	uint64_t reserved = file_number(path);
	return n > reserved ? (n - reserved) * page_kb / 1024 : 0;
}

// The count says nothing about limits of a container: try. A mapping reserves its pages.
static bool huge_try(uint64_t mb, uint64_t page_mb, int size_flag)
{
	size_t len = (size_t)((mb + page_mb - 1) / page_mb * page_mb) << 20;
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | size_flag, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, len);
	return true;
}

static int huge_decide(const struct config *cfg, bool *huge, struct err *err)
{
	uint64_t free_2m = huge_free_mb(2048), free_1g = huge_free_mb(1048576);

	*huge = false;
	if (cfg->hugepages == HUGE_OFF)
		return 0;
	*huge = (free_2m >= cfg->memory_mb && huge_try(cfg->memory_mb, 2, MAP_HUGE_2M)) ||
		(free_1g >= cfg->memory_mb && huge_try(cfg->memory_mb, 1024, MAP_HUGE_1G));
	if (!*huge && cfg->hugepages == HUGE_ON)
		return err_set(err, -ENOMEM,
			       "hugepages: on, but %u MB are wanted and %llu MB are free; "
			       "\"sysctl vm.nr_hugepages=%u\" reserves more, \"hugepages: auto\" "
			       "does without",
			       cfg->memory_mb, (unsigned long long)(free_2m + free_1g),
			       cfg->memory_mb / 2 + 1);
	return 0;
}

// The CPUs that this process may use, as a list.
static void cpus_allowed(char *buf, size_t size)
{
	cpu_set_t set;
	size_t n = 0;

	snprintf(buf, size, "0");
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return;
	for (int i = 0; i < CPU_SETSIZE && n + 12 < size; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		int last = i;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set))
			last++;
		n += (size_t)snprintf(buf + n, size - n, last > i ? "%s%d-%d" : "%s%d",
				      n == 0 ? "" : ",", i, last);
		i = last;
	}
}

static int mbuf_fields_reserve(struct err *err)
{
	const struct rte_mbuf_dynfield field = {
		.name = "trunkline_pkt_cold",
		.size = sizeof(struct pkt_cold),
		.align = _Alignof(struct pkt_cold),
	};
	size_t offset = PKT_COLD_OFFSET;

	if (rte_mbuf_dynfield_register_offset(&field, offset) != (int)offset)
		return err_set(err, -EBUSY,
			       "a driver has taken the packet buffers' dynamic fields");
	return 0;
}

// What drivers may lock in memory: rings of packet sockets, AF_XDP's buffers.
static uint64_t lock_limit(void)
{
	struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};

	if (setrlimit(RLIMIT_MEMLOCK, &r) == 0)
		return UINT64_MAX;
	if (getrlimit(RLIMIT_MEMLOCK, &r) != 0 || r.rlim_max == RLIM_INFINITY)
		return UINT64_MAX;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &r);
	return r.rlim_max;
}

// EAL makes a directory even if it shares nothing: where we may, and where it is not in the way.
static void runtime_dir_choose(const struct config *cfg)
{
	const char *dir = cfg->run_dir;

	if (dir != NULL)
		mkdir(dir, 0755);
	if (dir == NULL || access(dir, W_OK) != 0)
		dir = "/tmp";
	setenv("RUNTIME_DIRECTORY", dir, 0);
}

// Before the drivers see them: a packet socket that is bound to a netdev that is down remembers that
// as an error, and the first frame waits for the second.
static void ifaces_up(const struct config *cfg)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (unsigned i = 0; fd >= 0 && i < cfg->n_ports; i++) {
		const struct device_want want = {.mtu = cfg->ports[i].mtu};
		struct device_spec spec;
		if (device_spec_parse(cfg->ports[i].device, i, &want, 1, &spec, NULL) != 0 ||
		    (spec.kind != DEV_AF_PACKET && spec.kind != DEV_AF_XDP))
			continue;
		int rc = iface_up(fd, spec.iface);
		if (rc != 0 && rc != -ENODEV) // that it is missing is said when it is opened
			log_warn("port %s: cannot bring %s up: %s", cfg->ports[i].name, spec.iface,
				 strerror(-rc));
	}
	if (fd >= 0)
		close(fd);
}

static int eal_init(struct eal_args *args, struct err *err)
{
	char said[256];
	// rte_eal_init permutes its argv and keeps no pointer into it.
	char *argv[EAL_ARGS_MAX];

	memcpy(argv, args->argv, sizeof(argv));
	for (int i = 1; i < args->argc; i++)
		log_debug("eal argument %s", argv[i]);
	if (rte_eal_init(args->argc, argv) >= 0)
		return 0;
	eal_log_error(said, sizeof(said));
	return err_set(err, rte_errno > 0 ? -rte_errno : -EIO, "DPDK does not start: %s%s%s",
		       rte_strerror(rte_errno), said[0] != 0 ? ": " : "", said);
}

int eal_start(const struct config *cfg, struct err *err)
{
	char cpus[256];
	struct eal_env env = {.cpus = cpus, .pid = (int)getpid()};
	struct eal_args args;

	int rc = huge_decide(cfg, &env.huge, err);
	if (rc != 0)
		return rc;
	cpus_allowed(cpus, sizeof(cpus));
	env.lockable = lock_limit();
	if (packet_frames_fit(cfg, env.lockable) != 0)
		log_notice("packet sockets: %u frames a ring, for only %llu kB may be locked in "
			   "memory (LimitMEMLOCK, ulimit -l)",
			   packet_frames_fit(cfg, env.lockable),
			   (unsigned long long)env.lockable / 1024);
	runtime_dir_choose(cfg);
	rc = eal_args_build(cfg, &env, &args, err);
	if (rc != 0)
		return rc;
	rc = eal_log_open();
	if (rc != 0) {
		eal_args_free(&args);
		return err_set(err, rc, "out of memory");
	}
	ifaces_up(cfg);
	rc = eal_init(&args, err);
	eal_args_free(&args);
	if (rc != 0) {
		eal_log_close();
		return rc;
	}
	log_info("memory: %u MB, %s", cfg->memory_mb, env.huge ? "hugepages" : "no hugepages");
	bpf_log_quiet();
	rc = mbuf_fields_reserve(err);
	if (rc != 0)
		eal_stop();
	return rc;
}

void eal_stop(void)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	eal_log_close();
	// What it holds is ours alone: the name has our process id.
	DIR *d = opendir(dir);
	if (d == NULL)
		return;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(dir);
	char *slash = strrchr(dir, '/');
	if (slash != NULL) {
		*slash = 0;
		rmdir(dir); // if we were its last user
	}
}
