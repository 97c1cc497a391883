// SPDX-License-Identifier: BSD-3-Clause
#include "err.h"

#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (err == NULL)
		return code;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	if (err == NULL)
		return;
	char head[sizeof(err->text)];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(head, sizeof(head) - 2, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	size_t len = strlen(head), rest = strlen(err->text);
	memcpy(head + len, ": ", 2);
	len += 2;
	if (rest > sizeof(err->text) - 1 - len)
		rest = sizeof(err->text) - 1 - len;
	memmove(err->text + len, err->text, rest);
	memcpy(err->text, head, len);
	err->text[len + rest] = '\0';
}
