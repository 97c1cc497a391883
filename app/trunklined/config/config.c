// SPDX-License-Identifier: BSD-3-Clause
// Reading the files of a configuration, and the order of the checks.
#include "config.h"

#include "config_build.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void config_text_free(struct config_text *t)
{
	if (t->data != NULL)
		explicit_bzero(t->data, t->len);
	free(t->data);
	*t = (struct config_text){0};
}

static int text_read_fd(int fd, struct config_text *t)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > CONFIG_FILE_MAX)
		return -EFBIG;
	t->mode = st.st_mode & 07777;
	size_t size = (size_t)st.st_size;
	t->data = malloc(size + 1);
	if (t->data == NULL)
		return -ENOMEM;
	while (t->len < size) {
		ssize_t n = read(fd, t->data + t->len, size - t->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		t->len += (size_t)n;
	}
	return 0;
}

int config_text_read(const char *path, struct config_text *t)
{
	*t = (struct config_text){0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	int ret = text_read_fd(fd, t);
	close(fd);
	if (ret < 0)
		config_text_free(t);
	return ret;
}

static void unreadable(const struct config_file *f, int error)
{
	if (error == -EINVAL)
		mistake_at(f, 1, "file", "is not a regular file; expected a text file in YAML");
	else if (error == -EFBIG)
		mistake_at(f, 1, "file", "is larger than %u MiB; expected a configuration",
			   CONFIG_FILE_MAX >> 20);
	else
		mistake_at(f, 1, "file", "cannot be read: %s", strerror(-error));
}

static int main_open(struct config_build *b, const struct config_source *s)
{
	b->main = (struct config_file){.name = s->name, .report = &b->report};
	int ret = config_file_parse(&b->main, s->data, s->len);
	if (ret == 0)
		ret = config_file_load(&b->main, &config_main_schema, config_main_info,
				       (void **)&b->raw);
	return ret == -EINVAL ? 0 : ret;
}

// Makes room for one more customer file; its name is taken over.
static struct customer_file *customer_new(struct config_build *b, char *name)
{
	if (name != NULL && b->n_customers == b->cap_customers) {
		unsigned cap = b->cap_customers ? 2 * b->cap_customers : 16;
		struct customer_file *list = reallocarray(b->customers, cap, sizeof(*list));
		if (list != NULL) {
			b->customers = list;
			b->cap_customers = cap;
		}
	}
	if (name == NULL || b->n_customers == b->cap_customers) {
		free(name);
		return NULL;
	}
	struct customer_file *c = &b->customers[b->n_customers++];
	*c = (struct customer_file){
		.f = {.name = name, .order = b->n_customers, .report = &b->report}};
	return c;
}

static int customer_open(struct config_build *b, struct customer_file *c, const char *data,
			 size_t len, unsigned mode)
{
	c->mode = mode;
	int ret = config_file_parse(&c->f, data, len);
	if (ret == 0)
		ret = config_file_load(&c->f, &config_customer_schema, config_customer_info,
				       (void **)&c->raw);
	if (c->raw == NULL || text_none(c->raw->name))
		b->customers_unread = true;
	return ret == -EINVAL ? 0 : ret;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n > m && strcmp(name + n - m, end) == 0;
}

static int customer_entry(const struct dirent *d)
{
	return d->d_name[0] != '.' &&
	       (ends_with(d->d_name, ".yaml") || ends_with(d->d_name, ".yml"));
}

static int entry_cmp(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int customer_read(struct config_build *b, const char *dir, const char *entry)
{
	char *name;
	if (asprintf(&name, "%s%s%s", dir, ends_with(dir, "/") ? "" : "/", entry) < 0)
		return -ENOMEM;
	struct customer_file *c = customer_new(b, name);
	if (c == NULL)
		return -ENOMEM;
	if (ends_with(entry, ".yml")) {
		mistake_at(&c->f, 1, "file",
			   "ends in .yml and would not be read; rename it to .yaml");
		b->customers_unread = true;
		return 0;
	}
	struct config_text t;
	int ret = config_text_read(name, &t);
	if (ret < 0) {
		unreadable(&c->f, ret);
		b->customers_unread = true;
		return 0;
	}
	ret = customer_open(b, c, t.data, t.len, t.mode);
	config_text_free(&t);
	return ret;
}

static int customers_read(struct config_build *b)
{
	if (b->raw == NULL || b->raw->customers == NULL)
		return 0;
	if (text_none(b->raw->customers)) {
		b->customers_unread = true;
		return 0;
	}
	const char *given = b->raw->customers, *slash = strrchr(b->main.name, '/');
	int up = given[0] == '/' || slash == NULL ? 0 : (int)(slash - b->main.name + 1);
	char *dir;
	if (asprintf(&dir, "%.*s%s", up, b->main.name, given) < 0)
		return -ENOMEM;
	struct dirent **entries;
	int n = scandir(dir, &entries, customer_entry, entry_cmp), ret = 0;
	if (n < 0) {
		mistake(&b->main, "customers",
			"%s cannot be read: %s; expected a directory of one NAME.yaml a customer",
			SHOW(dir), strerror(errno));
		b->customers_unread = true;
		free(dir);
		return 0;
	}
	for (int i = 0; i < n; i++) {
		if (ret == 0)
			ret = customer_read(b, dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	free(dir);
	return ret;
}

static int build(struct config_build *b)
{
	int (*const steps[])(struct config_build *) = {
		config_build_pop,     config_build_ports,     config_build_memory,
		config_build_media,   config_build_control,   config_build_ike_sockets,
		config_build_records, config_build_customers, config_check_customers,
		config_check_sas,     config_check_ike,       config_build_calls,
	};
	if (b->raw == NULL)
		return 0;
	b->c = calloc(1, sizeof(*b->c));
	if (b->c == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		int ret = steps[i](b);
		if (ret < 0)
			return ret;
	}
	return 0;
}

// Reports, hands over what was built if all of it is right, and frees the rest.
static int finish(struct config_build *b, int ret, struct config **out, FILE *report)
{
	int n = report_print(&b->report, report);
	if (b->report.oom)
		ret = -ENOMEM;
	if (ret == 0 && n == 0) {
		*out = b->c;
		b->c = NULL;
	}
	config_free(b->c);
	for (unsigned i = 0; i < b->n_customers; i++) {
		config_raw_free(&config_customer_schema, b->customers[i].raw);
		config_file_close(&b->customers[i].f);
		free((char *)b->customers[i].f.name);
	}
	free(b->customers);
	config_raw_free(&config_main_schema, b->raw);
	config_file_close(&b->main);
	report_free(&b->report);
	return ret < 0 ? ret : n;
}

int config_load_sources(const struct config_machine *machine, const struct config_source *main,
			const struct config_source *customers, unsigned n, struct config **out,
			FILE *report)
{
	struct config_build b = {.machine = machine, .in_memory = true};
	int ret = main_open(&b, main);
	for (unsigned i = 0; i < n && ret == 0; i++) {
		struct customer_file *c = customer_new(&b, strdup(customers[i].name));
		ret = c == NULL ? -ENOMEM
				: customer_open(&b, c, customers[i].data, customers[i].len,
						customers[i].mode);
	}
	if (ret == 0)
		ret = build(&b);
	return finish(&b, ret, out, report);
}

int config_load_for(const struct config_machine *machine, const char *path, struct config **out,
		    FILE *report)
{
	struct config_build b = {.machine = machine};
	struct config_text t;
	int ret = config_text_read(path, &t);
	if (ret < 0) {
		b.main = (struct config_file){.name = path, .report = &b.report};
		unreadable(&b.main, ret);
		return finish(&b, ret, out, report);
	}
	const struct config_source s = {path, t.data, t.len, t.mode};
	ret = main_open(&b, &s);
	config_text_free(&t);
	if (ret == 0)
		ret = customers_read(&b);
	if (ret == 0)
		ret = build(&b);
	return finish(&b, ret, out, report);
}

static bool group_exists(const char *name)
{
	return getgrnam(name) != NULL;
}

int config_load(const char *path, struct config **out, FILE *report)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	const struct config_machine here = {cpus > 0 ? (unsigned)cpus : 1, group_exists};
	return config_load_for(&here, path, out, report);
}

static void customer_free(struct config_customer *c)
{
	for (unsigned i = 0; i < c->n_sas; i++) {
		struct config_sa *sa = &c->sas[i];
		explicit_bzero(sa->material_in, sizeof(sa->material_in));
		explicit_bzero(sa->material_out, sizeof(sa->material_out));
		free(sa->local_nets);
		free(sa->remote_nets);
	}
	config_ike_free(c->ike);
	free(c->sas);
	free(c->allow);
	free(c->domain);
	free(c->file);
	free(c->name);
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (unsigned i = 0; i < c->n_calls; i++)
		free(c->calls[i].id);
	for (unsigned i = 0; i < c->n_customers; i++)
		customer_free(&c->customers[i]);
	for (unsigned i = 0; i < c->n_ports; i++) {
		free(c->ports[i].name);
		free(c->ports[i].device);
		free(c->ports[i].addresses);
	}
	free(c->ng);
	free(c->ng_allow);
	free(c->calls);
	free(c->customers);
	free(c->media);
	free(c->ports);
	free(c->workers);
	free(c->pop);
	free(c->run_dir);
	free(c->recordings);
	free(c->records_sqlite);
	free(c->records_json);
	free(c->records_live);
	free(c->ike_feed);
	free(c->ike_vici);
	free(c->api_socket);
	free(c->api_group);
	free(c);
}
