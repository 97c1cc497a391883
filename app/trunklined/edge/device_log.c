// SPDX-License-Identifier: BSD-3-Clause
// What EAL and drivers print, line by line into our log.
#include "base/log.h"
#include "device_priv.h"

#include <dlfcn.h>
#include <errno.h>
#include <rte_log.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Lives as the cookie of DPDK's log stream; only the control thread makes DPDK log.
struct eal_log {
	FILE *stream;
	size_t n;
	char line[512];
	size_t taken;    // bytes of first that have been read
	char first[256]; // the first error since that was last asked for
};

static void line_end(struct eal_log *l)
{
	l->line[l->n] = 0;
	l->n = 0;
	if (l->line[0] == 0)
		return;
	if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR) {
		if (l->first[0] == 0) // what follows is mostly others giving up because of it
			snprintf(l->first, sizeof(l->first), "%.*s", (int)sizeof(l->first) - 1,
				 l->line);
		log_warn("dpdk: %s", l->line);
	} else {
		log_debug("dpdk: %s", l->line);
	}
}

static ssize_t stream_write(void *cookie, const char *buf, size_t size)
{
	struct eal_log *l = cookie;

	for (size_t i = 0; i < size; i++) {
		if (buf[i] == '\n')
			line_end(l);
		else if (l->n < sizeof(l->line) - 1)
			l->line[l->n++] = buf[i];
	}
	return (ssize_t)size;
}

// Reading the stream is how the error is found again without a global of ours.
static ssize_t stream_read(void *cookie, char *buf, size_t size)
{
	struct eal_log *l = cookie;
	size_t n = strnlen(l->first + l->taken, size);

	memcpy(buf, l->first + l->taken, n);
	l->taken += n;
	if (n == 0) { // read to the end: it has been told
		l->taken = 0;
		l->first[0] = 0;
	}
	return (ssize_t)n;
}

static int stream_close(void *cookie)
{
	free(cookie);
	return 0;
}

enum bpf_level { BPF_WARN, BPF_INFO, BPF_DEBUG };
typedef int (*bpf_print_fn)(enum bpf_level level, const char *fmt, va_list ap);

__attribute__((format(printf, 2, 0))) static int bpf_print(enum bpf_level level, const char *fmt,
							   va_list ap)
{
	char line[512];

	(void)level;
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	if (n > 0 && (size_t)n < sizeof(line) && line[n - 1] == '\n')
		line[n - 1] = 0;
	log_debug("xdp: %s", line);
	return n;
}

// AF_XDP's libraries come with the driver's plugin and chat on stderr; their warnings are of no use
// to an operator (no bpffs: they do without).
void bpf_log_quiet(void)
{
	static const char *const lib[][2] = {{"libbpf.so.1", "libbpf_set_print"},
					     {"libxdp.so.1", "libxdp_set_print"}};

	for (size_t i = 0; i < sizeof(lib) / sizeof(lib[0]); i++) {
		void *h = dlopen(lib[i][0], RTLD_NOW | RTLD_NOLOAD);
		if (h == NULL)
			continue;
		void (*set)(bpf_print_fn) = (void (*)(bpf_print_fn))dlsym(h, lib[i][1]);
		if (set != NULL)
			set(bpf_print);
		dlclose(h);
	}
}

int eal_log_open(void)
{
	struct eal_log *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -ENOMEM;
	l->stream = fopencookie(l, "w+",
				(cookie_io_functions_t){.read = stream_read,
							.write = stream_write,
							.close = stream_close});
	if (l->stream == NULL) {
		free(l);
		return -ENOMEM;
	}
	setvbuf(l->stream, NULL, _IONBF, 0);
	return rte_openlog_stream(l->stream);
}

void eal_log_error(char *buf, size_t size)
{
	FILE *f = rte_log_get_stream();
	size_t n = fread(buf, 1, size - 1, f);

	buf[n] = 0;
	clearerr(f);
}

void eal_log_close(void)
{
	FILE *f = rte_log_get_stream();

	rte_openlog_stream(NULL);
	if (f != stderr && f != stdout)
		fclose(f);
}
