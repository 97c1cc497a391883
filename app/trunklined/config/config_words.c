// SPDX-License-Identifier: BSD-3-Clause
#include "config_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *node_kind(const yaml_node_t *n)
{
	switch (n->type) {
	case YAML_MAPPING_NODE:
		return "a mapping";
	case YAML_SEQUENCE_NODE:
		return "a list";
	default:
		return "a single value";
	}
}

const char *schema_expected(const cyaml_schema_value_t *v, const struct key_info *k, char *buf,
			    size_t size)
{
	size_t n = 0;
	buf[0] = '\0';
	switch (v->type) {
	case CYAML_UINT:
		snprintf(buf, size, "a number from %" PRIu64 " to %" PRIu64, k->min, k->max);
		return buf;
	case CYAML_ENUM:
		for (uint32_t i = 0; i < v->enumeration.count && n < size; i++) {
			const char *sep = i == 0                         ? ""
					  : i + 1 < v->enumeration.count ? ", "
									 : " or ";
			n += (size_t)snprintf(buf + n, size - n, "%s%s", sep,
					      v->enumeration.strings[i].str);
		}
		return buf;
	case CYAML_SEQUENCE:
		n = (size_t)snprintf(buf, size, "a list: [ENTRY, ...] or '- ENTRY' lines");
		if (v->sequence.entry->type == CYAML_STRING)
			snprintf(buf + n, size - n, ", each %s", k->form);
		return buf;
	case CYAML_MAPPING:
		snprintf(buf, size, "a mapping: 'key: value' lines, or { key: value, ... }");
		return buf;
	default:
		return k->form;
	}
}
unsigned word_distance(const char *a, const char *b)
{
	enum { MAX = 24 };
	size_t la = strlen(a), lb = strlen(b);
	if (la > MAX || lb > MAX)
		return 3;
	unsigned row[MAX + 1];
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}
