// SPDX-License-Identifier: BSD-3-Clause
// One YAML file of the configuration: its lines, its secrets, and its check against a schema.
//
// libcyaml stops at the first mistake and does not say where it was. So libyaml reads the file into a
// tree; the tree is checked against libcyaml's own schema structures, and every mistake is
// reported with its line; what is right of it is handed to libcyaml, so that the checks of meaning
// can run even on a file that has mistakes of form.
#pragma once

#include "config_report.h"
#include "config_schema.h"

#include <yaml.h>

#define CONFIG_FILE_MAX (32u << 20) // bytes

struct config_file {
	const char *name; // as it is printed
	unsigned order;   // in the report
	struct report *report;
	bool parsed; // doc is valid
	yaml_document_t doc;
	unsigned n_secrets;
	char **secrets; // values of secret keys, taken out before libyaml saw them
};

// Reads text: takes out secrets, parses. Mistakes are reported. Returns 0, -EINVAL if there
// is no document to check, or -ENOMEM.
int config_file_parse(struct config_file *f, const char *data, size_t len);
void config_file_close(struct config_file *f);

// Checks the document and loads what is right into a new *raw (free with config_raw_free). Returns
// 0 if *raw is set, mistakes or not; -EINVAL (reported) or -ENOMEM.
int config_file_load(struct config_file *f, const cyaml_schema_value_t *schema,
		     const struct key_info *info, void **raw);
void config_raw_free(const cyaml_schema_value_t *schema, void *raw);

// The line where a key is written, or where the innermost one is that is there.
int config_file_line(const struct config_file *f, const char *key);

// Reports a mistake, at the line of key or at a given line.
__attribute__((format(printf, 3, 4))) void mistake(const struct config_file *f, const char *key,
						   const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void mistake_at(const struct config_file *f, int line,
						      const char *key, const char *fmt, ...);

// The value behind a secret's stand-in, which is what the raw structs hold; NULL if there is none.
const char *config_file_secret(const struct config_file *f, const char *stand_in);
