// SPDX-License-Identifier: BSD-3-Clause
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 32
#define GAP 2

struct cell {
	char *text;
	enum table_mark mark;
};

struct table {
	unsigned columns;
	const char *title[COLUMNS_MAX];
	bool right[COLUMNS_MAX];
	size_t n, size;
	struct cell *cell;
};

static void *must(void *p)
{
	if (p == NULL) {
		fputs("trunkline: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

struct table *table_new(void)
{
	return must(calloc(1, sizeof(struct table)));
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cell[i].text);
	free(t->cell);
	free(t);
}

void table_column(struct table *t, const char *title, bool right)
{
	if (t->columns == COLUMNS_MAX)
		return;
	t->title[t->columns] = title;
	t->right[t->columns++] = right;
}

void table_cell(struct table *t, const char *text, enum table_mark mark)
{
	if (t->n == t->size) {
		t->size = t->size == 0 ? 64 : t->size * 2;
		t->cell = must(realloc(t->cell, t->size * sizeof(*t->cell)));
	}
	t->cell[t->n++] = (struct cell){must(strdup(text)), mark};
}

// Columns that a UTF-8 text takes on a terminal.
static unsigned text_width(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void pad(FILE *out, unsigned n)
{
	fprintf(out, "%*s", (int)n, "");
}

static void cell_print(FILE *out, const char *text, enum table_mark mark, unsigned width,
		       bool right, bool last, bool colour)
{
	static const char *const code[] = {[MARK_BAD] = "\033[1;31m", [MARK_GOOD] = "\033[32m"};
	unsigned space = width - text_width(text);

	if (right)
		pad(out, space);
	if (colour && mark != MARK_NONE)
		fprintf(out, "%s%s\033[0m", code[mark], text);
	else
		fputs(text, out);
	if (!right && !last)
		pad(out, space);
	if (!last)
		pad(out, GAP);
}

void table_print(const struct table *t, FILE *out, unsigned width, bool colour)
{
	unsigned w[COLUMNS_MAX], total = 0, shown = 0;

	for (unsigned c = 0; c < t->columns; c++) {
		w[c] = text_width(t->title[c]);
		for (size_t i = c; i < t->n; i += t->columns)
			if (text_width(t->cell[i].text) > w[c])
				w[c] = text_width(t->cell[i].text);
	}
	for (; shown < t->columns; shown++) {
		total += w[shown] + (shown > 0 ? GAP : 0);
		if (width > 0 && total > width && shown >= 2)
			break;
	}
	for (unsigned c = 0; c < shown; c++) {
		if (colour)
			fputs("\033[1m", out);
		cell_print(out, t->title[c], MARK_NONE, w[c], t->right[c], c + 1 == shown, false);
		if (colour)
			fputs("\033[0m", out);
	}
	fputc('\n', out);
	for (size_t row = 0; row + t->columns <= t->n; row += t->columns) {
		for (unsigned c = 0; c < shown; c++)
			cell_print(out, t->cell[row + c].text, t->cell[row + c].mark, w[c],
				   t->right[c], c + 1 == shown, colour);
		fputc('\n', out);
	}
	if (shown < t->columns) {
		fputs("(not shown for lack of room:", out);
		for (unsigned c = shown; c < t->columns; c++)
			fprintf(out, " %s%s", t->title[c], c + 1 < t->columns ? "," : ")\n");
	}
}
