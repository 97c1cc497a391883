// SPDX-License-Identifier: BSD-3-Clause
// Columns of text that fit a terminal.
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct table;

enum table_mark { MARK_NONE, MARK_BAD, MARK_GOOD };

struct table *table_new(void);
void table_free(struct table *t);
// Columns in order of importance: on a narrow terminal the last ones are left out.
void table_column(struct table *t, const char *title, bool right);
// The next cell, from left to right; after the last column comes the next row.
void table_cell(struct table *t, const char *text, enum table_mark mark);
// width 0: as wide as it gets, nothing is left out. What was left out is named below the table.
void table_print(const struct table *t, FILE *out, unsigned width, bool colour);
