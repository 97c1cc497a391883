// SPDX-License-Identifier: BSD-3-Clause
// What EAL and drivers print, line by line into our log.
#include <errno.h>
#include <rte_log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device_priv.h"

// Lives as the cookie of DPDK's log stream; only the control thread makes DPDK log.
struct eal_log {
	FILE *stream;
	size_t n;
	char line[512];
	char last[256];
};

static void line_end(struct eal_log *l)
{
	l->line[l->n] = 0;
	l->n = 0;
	if (l->line[0] == 0)
		return;
	if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR) {
		snprintf(l->last, sizeof(l->last), "%.*s", (int)sizeof(l->last) - 1, l->line);
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

// Reading the stream is how the newest error is found again without a global of ours.
static ssize_t stream_read(void *cookie, char *buf, size_t size)
{
	struct eal_log *l = cookie;
	size_t n = strnlen(l->last, size);

	memcpy(buf, l->last, n);
	l->last[0] = 0;
	return (ssize_t)n;
}

static int stream_close(void *cookie)
{
	free(cookie);
	return 0;
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

void eal_log_last(char *buf, size_t size)
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
