// SPDX-License-Identifier: BSD-3-Clause
// What the subcommands of the bench share: options, the two cores, and the results.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <rte_cycles.h>
#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *json;   // file for the results, NULL: none
	const char *filter; // cases whose name holds this, NULL: all
	double seconds;     // how long a case may take, 0: the subcommand's own choice
	unsigned burst;     // packets a poll at most, 0: the subcommand's own choice
	unsigned batch;     // packets a drain
	unsigned pairs;     // pairs of limit and path; 0: the command's own
	bool full, no_huge, stages;
	bool near;        // packets in the generator's caches, not in the shared one
	int cpu[2];       // generator and sink, worker; -1: chosen
	char vdev[2][96]; // ports of "wire"; with them there is no worker
	int pid;          // whose CPU time "wire" takes
	double rate;      // packets a second that "wire" sends, 0: it searches for the highest
};

struct bench {
	struct options opt;
	const char *command;
	json_t *cases;
	uint64_t hz; // of the TSC
	unsigned failed;
};

// ---- the two cores ----

// Starts DPDK with the generator's core as the main one. 0, or a negative errno and a text.
int eal_open(struct bench *b, struct err *err);
void eal_close(void);
bool eal_huge(void);
// Runs fn on the worker's core. One at a time.
void crew_post(void (*fn)(void *), void *arg);
bool crew_done(void);
void crew_wait(void);
void crew_call(void (*fn)(void *), void *arg);
void crew_stop(void);

// ---- results ----

// Takes a case's object (stolen); it has a "name".
void case_add(struct bench *b, json_t *object);
bool case_wanted(const struct bench *b, const char *name);
// Writes {machine, versions, commit, cases} to path and says so. 0 or a negative errno.
int results_write(const struct bench *b, const char *path);
json_t *machine_json(void);
json_t *versions_json(void);
// "Intel Xeon, 2 cores, TSC 2.60 GHz, hugepages": the line above every table.
void machine_print(const struct bench *b);

// Median of n values; sorts them. 0 for none.
double median(double *v, unsigned n);

// ---- subcommands: 0, or a number of failures ----

int cmd_floor(struct bench *b, int argc, char **argv);
int cmd_limit(struct bench *b, int argc, char **argv);
int cmd_path(struct bench *b, int argc, char **argv);
int cmd_latency(struct bench *b, int argc, char **argv);
int cmd_tiers(struct bench *b, int argc, char **argv);
int cmd_control(struct bench *b, int argc, char **argv);
int cmd_quick(struct bench *b, int argc, char **argv);
int cmd_compare(struct bench *b, int argc, char **argv);
int cmd_wire(struct bench *b, int argc, char **argv);
int cmd_list(struct bench *b, int argc, char **argv);
