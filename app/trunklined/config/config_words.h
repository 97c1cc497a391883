// SPDX-License-Identifier: BSD-3-Clause
// Words for what a file holds and what it should hold.
#pragma once

#include "config_schema.h"

#include <yaml.h>

// "a list", "a mapping", "a single value"
const char *node_kind(const yaml_node_t *n);

// What a value should be: "a number from 1 to 4094", "10M, 100M or none". buf is of size bytes; the
// result is it or a static text.
const char *schema_expected(const cyaml_schema_value_t *v, const struct key_info *k, char *buf,
			    size_t size);
#define EXPECTED(v, k) schema_expected(v, k, (char[256]){0}, 256)

// Changes of one character (another, one more, one less) that make a of b; 3 for long ones.
unsigned word_distance(const char *a, const char *b);
