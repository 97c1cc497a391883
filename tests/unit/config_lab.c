// SPDX-License-Identifier: BSD-3-Clause
#include "config_lab.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char lab[64];

char *config_lab_read(const char *file)
{
	FILE *f = fopen(file, "re");
	cr_assert_not_null(f, "%s: %s", file, strerror(errno));
	char *text = NULL;
	size_t size = 0;
	if (getdelim(&text, &size, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

void config_lab_write(const char *file, unsigned mode, const char *text)
{
	FILE *f = fopen(file, "we");
	cr_assert_not_null(f, "%s: %s", file, strerror(errno));
	fputs(text, f);
	fclose(f);
	cr_assert_eq(chmod(file, mode), 0);
}

void config_lab_remove(const char *file)
{
	cr_assert_eq(remove(file), 0, "%s: %s", file, strerror(errno));
}

static void copy_file(const char *from_dir, const char *file)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", from_dir, file);
	char *text = config_lab_read(path);
	config_lab_write(file, 0600, text);
	free(text);
}

static void empty(const char *dir)
{
	DIR *d = opendir(dir);
	cr_assert_not_null(d);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		char path[4096];
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR) {
			empty(path);
			cr_assert_eq(rmdir(path), 0);
		} else {
			config_lab_remove(path);
		}
	}
	closedir(d);
}

void config_lab_copy(const char *from)
{
	char dir[4096], file[512];
	empty(".");
	copy_file(from, "trunkline.yaml");
	cr_assert_eq(mkdir("customers.d", 0700), 0);
	snprintf(dir, sizeof(dir), "%s/customers.d", from);
	DIR *d = opendir(dir);
	cr_assert_not_null(d, "%s", dir);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		snprintf(file, sizeof(file), "customers.d/%s", e->d_name);
		if (e->d_name[0] != '.')
			copy_file(from, file);
	}
	closedir(d);
}

void config_lab_reset(void)
{
	config_lab_copy(CONFIG_GOOD);
}

void config_lab_open(void)
{
	snprintf(lab, sizeof(lab), "/tmp/trunkline-config-XXXXXX");
	cr_assert_not_null(mkdtemp(lab));
	cr_assert_eq(chdir(lab), 0);
	config_lab_reset();
}

void config_lab_close(void)
{
	empty(".");
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(rmdir(lab), 0);
}

bool config_lab_edit(const char *file, const char *from, const char *to)
{
	char *text = config_lab_read(file), *at = strstr(text, from), *changed;
	bool once = at != NULL && strstr(at + 1, from) == NULL;
	if (once) {
		cr_assert_geq(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, to,
				       at + strlen(from)),
			      0);
		config_lab_write(file, 0600, changed);
		free(changed);
	}
	free(text);
	return once;
}

static bool group_exists(const char *name)
{
	return strcmp(name, "nobody-knows") != 0;
}

int config_lab_load_ret(struct config **out, char **report)
{
	const struct config_machine machine = {8, group_exists};
	size_t size;
	FILE *f = open_memstream(report, &size);
	int ret = config_load_for(&machine, "trunkline.yaml", out, f);
	fclose(f);
	return ret;
}

char *config_lab_load(struct config **out)
{
	char *report = NULL;
	int ret = config_lab_load_ret(out, &report);
	cr_assert_eq(ret == 0, *out != NULL);
	return report;
}
