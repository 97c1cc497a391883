// SPDX-License-Identifier: BSD-3-Clause
// The configuration's files as libcyaml fills them in, and the schema that says how. All of it is
// made from config_keys.h.
#pragma once

#include "config_keys.h"

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stdint.h>

// Fields that are absent are NULL. Texts that are required but absent or bad, and have been
// reported, are "", and numbers BAD_UINT, so that nobody reports them again.
#define BAD_UINT UINT64_MAX

#define RAW_STR(name, a) char *name;
#define RAW_SEC(name, a) char *name;
#define RAW_UINT(name, a) uint64_t *name;
#define RAW_BOOL(name, a) bool *name;
#define RAW_ENUM(name, a) int32_t *name;
#define RAW_MAP(name, a) struct raw_##a *name;
#define RAW_STRS(name, a) \
	char **name;      \
	uint32_t n_##name;
#define RAW_UINTS(name, a) \
	uint64_t *name;    \
	uint32_t n_##name;
#define RAW_MAPS(name, a)     \
	struct raw_##a *name; \
	uint32_t n_##name;
#define RAW_KEY(T, kind, name, need, a, b, dflt, help) RAW_##kind(name, a)
#define RAW_STRUCT(T)                \
	struct raw_##T {             \
		KEYS_##T(RAW_KEY, T) \
	};

RAW_STRUCT(memory)
RAW_STRUCT(limits)
RAW_STRUCT(timeouts)
RAW_STRUCT(api)
RAW_STRUCT(control)
RAW_STRUCT(ike)
RAW_STRUCT(records)
RAW_STRUCT(port)
RAW_STRUCT(media)
RAW_STRUCT(leg)
RAW_STRUCT(call)
RAW_STRUCT(main)
RAW_STRUCT(tunnel)
RAW_STRUCT(sa)
RAW_STRUCT(customer)

// What the cyaml schema has no place for; the same row in the same order as its fields.
struct key_info {
	const char *form;           // what is expected, in words, or NULL
	uint64_t min, max;          // of a number, or of each number of a list
	bool secret;                // never shown
	const char *dflt;           // default, in words, or NULL
	const char *help;           // what it is for
	const struct key_info *sub; // of a mapping, or of each mapping of a list
};

extern const cyaml_schema_value_t config_main_schema, config_customer_schema;
extern const struct key_info config_main_info[], config_customer_info[];
