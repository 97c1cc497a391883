// SPDX-License-Identifier: BSD-3-Clause
// The reference of all keys, from the schema.
#include "config_schema.h"

#include <inttypes.h>
#include <string.h>

// A text in a cell of a Markdown table.
static void cell(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void values(FILE *out, const cyaml_schema_value_t *v, const struct key_info *k)
{
	const cyaml_schema_value_t *entry;
	switch (v->type) {
	case CYAML_UINT:
		fprintf(out, "%" PRIu64 " to %" PRIu64, k->min, k->max);
		return;
	case CYAML_ENUM:
		for (uint32_t i = 0; i < v->enumeration.count; i++)
			fprintf(out, "%s`%s`", i ? ", " : "", v->enumeration.strings[i].str);
		return;
	case CYAML_MAPPING:
		fputs("a mapping, see below", out);
		return;
	case CYAML_SEQUENCE:
		entry = v->sequence.entry;
		fprintf(out, "list of at most %u: ", v->sequence.max);
		if (entry->type == CYAML_MAPPING)
			fputs("mappings, see below", out);
		else
			values(out, entry, k);
		return;
	default:
		cell(out, k->form);
	}
}

static void mapping(FILE *out, const char *title, const cyaml_schema_field_t *fields,
		    const struct key_info *info)
{
	fprintf(out, "\n### %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", title);
	for (size_t i = 0; fields[i].key != NULL; i++) {
		bool optional = fields[i].value.flags & CYAML_FLAG_OPTIONAL;
		fprintf(out, "| `%s` | ", fields[i].key);
		values(out, &fields[i].value, &info[i]);
		fputs(" | ", out);
		cell(out, !optional              ? "**required**"
			  : info[i].dflt != NULL ? info[i].dflt
						 : "none");
		fputs(" | ", out);
		cell(out, info[i].help);
		fputs(" |\n", out);
	}
	const struct key_info *leg = NULL; // both legs of a call have one description
	for (size_t i = 0; fields[i].key != NULL; i++) {
		const cyaml_schema_value_t *v = &fields[i].value;
		char sub[128];
		if (info[i].sub == NULL || info[i].sub == leg)
			continue;
		leg = info[i].sub;
		bool list = v->type == CYAML_SEQUENCE;
		bool twin = fields[i + 1].key != NULL && info[i + 1].sub == leg;
		const char *top = title[0] == '`' ? title : NULL;
		size_t n = top != NULL ? strlen(top) - 1 : 0; // without the closing quote
		snprintf(sub, sizeof(sub), "%.*s%s%s%s`", (int)n, top != NULL ? top : "",
			 top != NULL ? "." : "`", fields[i].key, list ? "[]" : "");
		if (twin)
			snprintf(sub + strlen(sub), sizeof(sub) - strlen(sub), " and `%s`",
				 fields[i + 1].key);
		mapping(out, sub, list ? v->sequence.entry->mapping.fields : v->mapping.fields,
			info[i].sub);
	}
}

void config_reference(FILE *out)
{
	mapping(out, "The main file", config_main_schema.mapping.fields, config_main_info);
	mapping(out, "A customer's file", config_customer_schema.mapping.fields,
		config_customer_info);
}
