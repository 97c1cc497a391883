// SPDX-License-Identifier: BSD-3-Clause
// What changed between two results.
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SHOW 0.02 // changes of less than this share are noise

static json_t *cases_load(const char *path, json_t **all)
{
	json_error_t e;

	*all = json_load_file(path, 0, &e);
	if (*all == NULL) {
		fprintf(stderr, "trunkline-bench: %s:%d: %s\n", path, e.line, e.text);
		return NULL;
	}
	json_t *cases = json_object_get(*all, "cases");
	if (!json_is_array(cases))
		fprintf(stderr, "trunkline-bench: %s holds no cases\n", path);
	return json_is_array(cases) ? cases : NULL;
}

static json_t *case_find(json_t *cases, const char *name)
{
	json_t *c;
	size_t i;

	json_array_foreach (cases, i, c) {
		const char *n = json_string_value(json_object_get(c, "name"));
		if (n != NULL && strcmp(n, name) == 0)
			return c;
	}
	return NULL;
}

// The figure that two cases of a name are compared by: the first that both have.
static const char *figure_of(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {
		"cycles_per_packet", "p9999_us",   "lossless_share_of_tier",
		"customers",         "per_second", "bytes",
		"seconds",           "mpps"};

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_is_number(json_object_get(a, keys[i])) &&
		    json_is_number(json_object_get(b, keys[i])))
			return keys[i];
	return NULL;
}

static void case_compare(const struct bench *b, const char *name, const json_t *x, const json_t *y)
{
	const char *key = figure_of(x, y);

	if (json_object_get(y, "error") != NULL) {
		printf("%-48s now fails: %s\n", name,
		       json_string_value(json_object_get(y, "error")));
		return;
	}
	if (key == NULL)
		return;
	double before = json_number_value(json_object_get(x, key));
	double after = json_number_value(json_object_get(y, key));
	double change = before != 0 ? after / before - 1 : 0;
	if (fabs(change) < SHOW && !b->opt.full)
		return;
	printf("%-48s %-22s %10.2f %10.2f %+7.1f %%", name, key, before, after, change * 100);
	double r0 = json_number_value(json_object_get(x, "ratio"));
	double r1 = json_number_value(json_object_get(y, "ratio"));
	if (r0 != 0 && r1 != 0)
		printf("   ratio %.2f, now %.2f", r0, r1);
	putchar('\n');
}

static void where_print(const char *label, const char *path, const json_t *all)
{
	const json_t *v = json_object_get(all, "versions"), *m = json_object_get(all, "machine");
	const char *commit = json_string_value(json_object_get(v, "commit"));
	const char *time = json_string_value(json_object_get(v, "time"));
	const char *cpu = json_string_value(json_object_get(m, "cpu"));

	printf("%s %s: %s, %s, %s\n", label, path, commit != NULL ? commit : "?",
	       time != NULL ? time : "?", cpu != NULL ? cpu : "?");
}

int cmd_compare(struct bench *b, int argc, char **argv)
{
	json_t *all[2] = {NULL, NULL}, *cases[2], *c;
	int rc = 1;
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "usage: trunkline-bench compare BEFORE.json AFTER.json [--full]\n");
		return 1;
	}
	cases[0] = cases_load(argv[0], &all[0]);
	cases[1] = cases[0] != NULL ? cases_load(argv[1], &all[1]) : NULL;
	if (cases[1] == NULL)
		goto out;
	where_print("before", argv[0], all[0]);
	where_print("after ", argv[1], all[1]);
	json_array_foreach (cases[1], i, c) {
		const char *name = json_string_value(json_object_get(c, "name"));
		const json_t *old = name != NULL ? case_find(cases[0], name) : NULL;
		if (name == NULL || !case_wanted(b, name))
			continue;
		if (old == NULL)
			printf("%-48s new\n", name);
		else
			case_compare(b, name, old, c);
	}
	json_array_foreach (cases[0], i, c) {
		const char *name = json_string_value(json_object_get(c, "name"));
		if (name != NULL && case_wanted(b, name) && case_find(cases[1], name) == NULL)
			printf("%-48s gone\n", name);
	}
	rc = 0;
out:
	json_decref(all[0]);
	json_decref(all[1]);
	return rc;
}
