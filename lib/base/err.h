// SPDX-License-Identifier: BSD-3-Clause
// An error that a person will read: what was wrong, where, and what would be right.
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct err {
	char text[512];
};

// Writes the text (cut at the size) and returns code, so that a caller can
// "return err_set(err, -EINVAL, ...)". err may be NULL.
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int code, const char *fmt, ...);

// Puts "prefix: " in front of what is there.
__attribute__((format(printf, 2, 3))) void err_prefix(struct err *err, const char *fmt, ...);
