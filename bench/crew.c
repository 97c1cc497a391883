// SPDX-License-Identifier: BSD-3-Clause
// DPDK's start-up on two cores, and the loop on the worker's core that runs what it is given. The
// loop never sleeps, so that neither clock nor caches cool down between two measurements.
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#define HUGE "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define HUGE_WANT 700 // pages of 2 MB

static struct {
	void (*fn)(void *);
	void *arg;
	bool post __attribute__((aligned(64))); // written by main, taken back by the worker's core
	bool stop;
	bool shared; // one CPU for both
	bool huge;
	int nice_before;   // of the session
	long pages_before; // nr_hugepages that exit restores, -1: left alone
} crew = {.pages_before = -1};

static int crew_loop(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&crew.stop, __ATOMIC_RELAXED)) {
		if (__atomic_load_n(&crew.post, __ATOMIC_ACQUIRE)) {
			crew.fn(crew.arg);
			__atomic_store_n(&crew.post, false, __ATOMIC_RELEASE);
		} else if (crew.shared) {
			sched_yield();
		} else {
			rte_pause();
		}
	}
	return 0;
}

void crew_post(void (*fn)(void *), void *arg)
{
	crew.fn = fn;
	crew.arg = arg;
	__atomic_store_n(&crew.post, true, __ATOMIC_RELEASE);
}

bool crew_done(void)
{
	return !__atomic_load_n(&crew.post, __ATOMIC_ACQUIRE);
}

void crew_wait(void)
{
	while (!crew_done()) {
		if (crew.shared)
			sched_yield();
		else
			rte_pause();
	}
}

void crew_call(void (*fn)(void *), void *arg)
{
	crew_post(fn, arg);
	crew_wait();
}

void crew_stop(void)
{
	__atomic_store_n(&crew.stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
}

bool eal_huge(void)
{
	return crew.huge;
}

static long number_read(const char *path)
{
	FILE *f = fopen(path, "r");
	long v = -1;

	if (f != NULL) {
		if (fscanf(f, "%ld", &v) != 1)
			v = -1;
		fclose(f);
	}
	return v;
}

static bool number_write(const char *path, long v)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		return false;
	bool ok = fprintf(f, "%ld", v) > 0;
	return fclose(f) == 0 && ok;
}

static void hugepages_restore(void)
{
	if (crew.pages_before >= 0)
		number_write(HUGE "nr_hugepages", crew.pages_before);
}

static bool hugepages_take(void)
{
	long have = number_read(HUGE "free_hugepages"), total = number_read(HUGE "nr_hugepages");

	if (have >= HUGE_WANT)
		return true;
	if (have < 0 || !number_write(HUGE "nr_hugepages", total + HUGE_WANT - have))
		return false;
	crew.pages_before = total;
	atexit(hugepages_restore);
	return number_read(HUGE "free_hugepages") >= HUGE_WANT;
}

// Others' work on our CPUs is noise. Nice values count within a session only where the kernel groups
// tasks by session, so the session's own is raised too, where we may, and put back at exit.
static void autogroup_restore(void)
{
	number_write("/proc/self/autogroup", crew.nice_before);
}

static void priority_raise(void)
{
	FILE *f = fopen("/proc/self/autogroup", "r");

	setpriority(PRIO_PROCESS, 0, -20);
	if (f == NULL)
		return;
	if (fscanf(f, "/autogroup-%*d nice %d", &crew.nice_before) == 1 &&
	    number_write("/proc/self/autogroup", -20))
		atexit(autogroup_restore);
	fclose(f);
}

// The first and the last CPU that we may run on, unless the user says otherwise.
static int cpus_choose(struct options *opt, struct err *err)
{
	cpu_set_t set;
	int first = -1, last = -1;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return err_set(err, -errno, "sched_getaffinity: %s", strerror(errno));
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		first = first < 0 ? i : first;
		last = i;
	}
	if (opt->cpu[0] < 0)
		opt->cpu[0] = first;
	if (opt->cpu[1] < 0)
		opt->cpu[1] = last;
	crew.shared = opt->cpu[0] == opt->cpu[1];
	if (crew.shared)
		fprintf(stderr, "trunkline-bench: one CPU for generator and worker: batches are "
				"measured, latency and control are not worth reading\n");
	return 0;
}

// Two benches at once measure each other.
static void others_wait(void)
{
	int fd = open("/tmp/trunkline-bench.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return;
	fprintf(stderr, "trunkline-bench: waiting for another one to end\n");
	flock(fd, LOCK_EX); // held until we end
}

int eal_open(struct bench *b, struct err *err)
{
	const struct options *o = &b->opt;
	bool alone = o->vdev[0][0] != '\0'; // the other core is whoever's is measured
	char lcores[64], *argv[32];
	int argc = 0, rc = cpus_choose(&b->opt, err);

	if (rc < 0)
		return rc;
	others_wait();
	priority_raise();
	crew.huge = !o->no_huge && hugepages_take();
	snprintf(lcores, sizeof(lcores), alone ? "0@%d" : "0@%d,1@%d", o->cpu[0], o->cpu[1]);
	argv[argc++] = "trunkline-bench";
	argv[argc++] = "--lcores";
	argv[argc++] = lcores;
	if (crew.huge) {
		argv[argc++] = "--in-memory";
	} else {
		argv[argc++] = "--no-huge";
		argv[argc++] = "-m";
		argv[argc++] = "1600";
		argv[argc++] = "--no-shconf";
	}
	argv[argc++] = "--no-pci";
	argv[argc++] = "--no-telemetry";
	argv[argc++] = "--log-level=error";
	for (unsigned i = 0; alone && i < 2; i++) {
		argv[argc++] = "--vdev";
		argv[argc++] = b->opt.vdev[i];
	}
	if (rte_eal_init(argc, argv) < 0)
		return err_set(err, -rte_errno, "DPDK did not start: %s; try --no-huge",
			       rte_strerror(rte_errno));
	b->hz = rte_get_tsc_hz();
	if (alone)
		return 0;
	rc = rte_eal_remote_launch(crew_loop, NULL, 1);
	return rc < 0 ? err_set(err, rc, "worker core: %s", strerror(-rc)) : 0;
}

void eal_close(void)
{
	crew_stop();
	rte_eal_cleanup();
}
