// SPDX-License-Identifier: BSD-3-Clause
// Mistakes in configuration files: collected from everywhere, printed in the order of the files.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct mistake {
	unsigned file; // order of the files; equal for mistakes of one file
	int line;
	unsigned seq;
	char *text;
};

struct report {
	struct mistake *list;
	size_t n, cap;
	bool oom; // a mistake could not be kept
};

// key says where in the file ("ports[1].mtu"); the text what is wrong and what would be right.
__attribute__((format(printf, 6, 0))) void report_add(struct report *r, unsigned file,
						      const char *name, int line, const char *key,
						      const char *fmt, va_list ap);
// Prints "FILE:LINE: KEY: TEXT" lines and the closing one. Returns the number of mistakes.
int report_print(struct report *r, FILE *out);
void report_free(struct report *r);

// A value from a file as a message shows it: short, printable, in quotes if it has blanks. What
// looks like a key is not shown.
#define SHOWN_LEN 80
const char *shown(const char *value, char buf[static SHOWN_LEN]);
#define SHOW(value) shown(value, (char[SHOWN_LEN]){0})

// A key's path, alive as long as the block it is written in.
#define KEY_LEN 96
__attribute__((format(printf, 2, 3))) const char *key_path(char buf[static KEY_LEN],
							   const char *fmt, ...);
#define KEY(...) key_path((char[KEY_LEN]){0}, __VA_ARGS__)
