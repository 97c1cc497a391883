// SPDX-License-Identifier: BSD-3-Clause
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *v, unsigned n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), double_cmp);
	return n % 2 != 0 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

void case_add(struct bench *b, json_t *object)
{
	json_array_append_new(b->cases, object);
}

bool case_wanted(const struct bench *b, const char *name)
{
	const char *filter = b->opt.filter;
	size_t len = filter != NULL ? strlen(filter) : 0, name_len = strlen(name);

	if (len == 0 || filter[len - 1] != '$')
		return len == 0 || strstr(name, filter) != NULL;
	return name_len >= len - 1 && memcmp(name + name_len - (len - 1), filter, len - 1) == 0;
}

static void parents_make(const char *path)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s", path);
	for (char *p = strchr(dir + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(dir, 0755);
		*p = '/';
	}
}

int results_write(const struct bench *b, const char *path)
{
	json_t *all = json_pack("{s:s, s:o, s:o, s:O}", "command", b->command, "machine",
				machine_json(), "versions", versions_json(), "cases", b->cases);

	parents_make(path);
	int rc = json_dump_file(all, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	json_decref(all);
	if (rc != 0) {
		fprintf(stderr, "trunkline-bench: %s: %s\n", path, strerror(errno));
		return -EIO;
	}
	printf("results: %s\n", path);
	return 0;
}
