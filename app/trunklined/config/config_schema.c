// SPDX-License-Identifier: BSD-3-Clause
#include "config_schema.h"

#define REQ CYAML_FLAG_DEFAULT
#define OPT CYAML_FLAG_OPTIONAL

static const cyaml_strval_t config_hugepages_values[] = {
	{"auto", HUGE_AUTO}, {"on", HUGE_ON}, {"off", HUGE_OFF}};
static const cyaml_strval_t config_side_values[] = {{"inside", 1}, {"outside", 0}};
static const cyaml_strval_t config_idle_values[] = {{"poll", IDLE_POLL}, {"sleep", IDLE_SLEEP}};
static const cyaml_strval_t config_log_values[] = {{"error", LOGL_ERROR},
						   {"warn", LOGL_WARN},
						   {"notice", LOGL_NOTICE},
						   {"info", LOGL_INFO},
						   {"debug", LOGL_DEBUG}};
static const cyaml_strval_t config_df_values[] = {
	{"clear", DF_CLEAR}, {"set", DF_SET}, {"copy", DF_COPY}};
static const cyaml_strval_t config_version_values[] = {{"1", 1}, {"2", 2}, {"any", 0}};
static const cyaml_strval_t config_start_values[] = {{"respond", 0}, {"initiate", 1}};
// Mbit/s
static const cyaml_strval_t config_tier_values[] = {
	{"10M", 10}, {"100M", 100}, {"500M", 500}, {"1G", 1000}, {"none", 0}};

static const cyaml_schema_value_t text_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, 255)};
static const cyaml_schema_value_t uint_entry = {CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint64_t)};

#define FIELD_STR(T, name, need, a, b) \
	CYAML_FIELD_STRING_PTR(#name, need, struct raw_##T, name, 0, b),
#define FIELD_SEC FIELD_STR
#define FIELD_UINT(T, name, need, a, b) CYAML_FIELD_UINT_PTR(#name, need, struct raw_##T, name),
#define FIELD_BOOL(T, name, need, a, b) CYAML_FIELD_BOOL_PTR(#name, need, struct raw_##T, name),
#define FIELD_ENUM(T, name, need, a, b)                                                  \
	CYAML_FIELD_ENUM_PTR(#name, (need) | CYAML_FLAG_STRICT, struct raw_##T, name, a, \
			     CYAML_ARRAY_LEN(a)),
#define FIELD_MAP(T, name, need, a, b) \
	CYAML_FIELD_MAPPING_PTR(#name, need, struct raw_##T, name, a##_fields),
#define FIELD_LIST(T, name, need, entry, b)                                                  \
	CYAML_FIELD_SEQUENCE_COUNT(#name, (need) | CYAML_FLAG_POINTER, struct raw_##T, name, \
				   n_##name, &entry, 0, b),
#define FIELD_STRS(T, name, need, a, b) FIELD_LIST(T, name, need, text_entry, b)
#define FIELD_UINTS(T, name, need, a, b) FIELD_LIST(T, name, need, uint_entry, b)
#define FIELD_MAPS(T, name, need, a, b) FIELD_LIST(T, name, need, a##_entry, b)
#define FIELD_KEY(T, kind, name, need, a, b, dflt, help) FIELD_##kind(T, name, need, a, b)

#define INFO_STR(a, b) .form = (a)
#define INFO_SEC(a, b) .form = (a), .secret = true
#define INFO_UINT(a, b) .min = (a), .max = (b)
#define INFO_BOOL(a, b) .form = "true or false"
#define INFO_ENUM(a, b) .form = NULL
#define INFO_MAP(a, b) .sub = a##_info
#define INFO_STRS(a, b) .form = (a)
#define INFO_UINTS(a, b) .max = (a)
#define INFO_MAPS(a, b) .sub = a##_info
#define INFO_KEY(T, kind, name, need, a, b, d, h) {INFO_##kind(a, b), .dflt = (d), .help = (h)},

#define TABLES(T)                                                                                  \
	static const cyaml_schema_field_t T##_fields[] = {KEYS_##T(FIELD_KEY, T) CYAML_FIELD_END}; \
	static const struct key_info T##_info[] = {KEYS_##T(INFO_KEY, T)};
#define ENTRY(T)                                        \
	static const cyaml_schema_value_t T##_entry = { \
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_##T, T##_fields)};

TABLES(memory)
TABLES(limits)
TABLES(timeouts)
TABLES(api)
TABLES(control)
TABLES(ike)
TABLES(records)
TABLES(port)
ENTRY(port)
TABLES(media)
ENTRY(media)
TABLES(leg)
TABLES(call)
ENTRY(call)
TABLES(tunnel)
TABLES(sa)
ENTRY(sa)

static const cyaml_schema_field_t main_fields[] = {KEYS_main(FIELD_KEY, main) CYAML_FIELD_END};
static const cyaml_schema_field_t customer_fields[] = {KEYS_customer(FIELD_KEY, customer)
							       CYAML_FIELD_END};

const struct key_info config_main_info[] = {KEYS_main(INFO_KEY, main)};
const struct key_info config_customer_info[] = {KEYS_customer(INFO_KEY, customer)};
const cyaml_schema_value_t config_main_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_main, main_fields)};
const cyaml_schema_value_t config_customer_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_customer, customer_fields)};
