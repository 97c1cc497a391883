// SPDX-License-Identifier: BSD-3-Clause
#include "config_report.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void report_add(struct report *r, unsigned file, const char *name, int line, const char *key,
		const char *fmt, va_list ap)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;
		struct mistake *list = reallocarray(r->list, cap, sizeof(*list));
		if (list == NULL) {
			r->oom = true;
			return;
		}
		r->list = list;
		r->cap = cap;
	}
	char *what = NULL, *text = NULL;
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	if (what == NULL || asprintf(&text, "%s:%d: %s: %s", name, line, key, what) < 0) {
		r->oom = true;
		free(what);
		return;
	}
	free(what);
	r->list[r->n] = (struct mistake){file, line, (unsigned)r->n, text};
	r->n++;
}

static int mistake_order(const void *pa, const void *pb)
{
	const struct mistake *a = pa, *b = pb;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->seq < b->seq ? -1 : 1;
}

int report_print(struct report *r, FILE *out)
{
	size_t files = 0;
	if (r->n > 0)
		qsort(r->list, r->n, sizeof(*r->list), mistake_order);
	for (size_t i = 0; i < r->n; i++) {
		fprintf(out, "%s\n", r->list[i].text);
		files += i == 0 || r->list[i].file != r->list[i - 1].file;
	}
	if (r->oom)
		fprintf(out, "out of memory: not every mistake is listed\n");
	if (r->n > 0)
		fprintf(out, "%zu mistake%s in %zu file%s; nothing was applied\n", r->n,
			r->n == 1 ? "" : "s", files, files == 1 ? "" : "s");
	return (int)r->n;
}

void report_free(struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->list[i].text);
	free(r->list);
	*r = (struct report){0};
}

// 32 hexadecimal digits in a row are the shortest cipher key.
static bool looks_like_key(const char *value)
{
	unsigned run = 0;
	for (; *value != '\0'; value++) {
		run = isxdigit((unsigned char)*value) ? run + 1 : 0;
		if (run >= 32)
			return true;
	}
	return false;
}

const char *shown(const char *value, char buf[static SHOWN_LEN])
{
	if (looks_like_key(value))
		return "(not shown: it looks like a key)";
	bool quote = *value == '\0' || strpbrk(value, " \t\r\n") != NULL;
	size_t n = 0;
	if (quote)
		buf[n++] = '"';
	for (const char *p = value; *p != '\0'; p++) {
		if (n >= SHOWN_LEN - 6) {
			memcpy(buf + n, "...", 3);
			n += 3;
			break;
		}
		// A character beyond ASCII may turn the terminal's writing around: one '?' for each.
		unsigned char c = (unsigned char)*p;
		if ((c & 0xc0) != 0x80)
			buf[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
	}
	if (quote)
		buf[n++] = '"';
	buf[n] = '\0';
	return buf;
}

const char *key_path(char buf[static KEY_LEN], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(buf, KEY_LEN, fmt, ap);
	va_end(ap);
	return buf;
}
