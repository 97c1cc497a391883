// SPDX-License-Identifier: BSD-3-Clause
// The table of API commands (commands.def) as data, and the checks of arguments against it.
#pragma once

#include "../base/err.h"
#include "../base/net.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// What a value is in JSON, and what is accepted.
enum api_type {
	API_NAME,   // string of [A-Za-z0-9._-], 1..63
	API_ID,     // string, a call's id or its beginning: printable ASCII without spaces, 1..255
	API_UINT,   // integer, within spec
	API_REAL,   // number, within spec
	API_BOOL,   // true or false
	API_SPI,    // integer, or string "0x..." or decimal; 256..4294967295 (RFC 4303 2.1)
	API_SUITE,  // string, name of a cipher suite
	API_KEY,    // string of hex digits, "0x" and ':' allowed; secret: never shown
	API_ADDR,   // string, IP address
	API_PREFIX, // string, IP prefix
	API_ENDPOINT, // string, IP address with or without port
	API_CHOICE,   // string, one of spec
	API_RANGE,    // string "low-high" or "one", 0..65535
};

enum api_how { API_OPT = 0, API_REQ = 1 << 0, API_POS = 1 << 1, API_LIST = 1 << 2 };

struct api_arg {
	const char *name; // NULL ends a list
	enum api_type type;
	unsigned how;
	const char *spec, *help;
};

struct api_command {
	const char *name;
	bool changes;
	const char *help;
	const struct api_arg *args;
};

enum api_command_id {
#define COMMAND(id, ...) API_CMD_##id,
#include "commands.def"
#undef COMMAND
	API_COMMANDS
};

extern const struct api_command api_commands[API_COMMANDS];

// The command of this name, or NULL.
const struct api_command *api_command_find(const char *name);
const struct api_arg *api_arg_find(const struct api_command *cmd, const char *name);

// Checks an object of arguments (or NULL for none): known, of the right type, the required ones
// there. 0, or -EINVAL and a text that says what is wrong and what would be right.
int api_args_check(const struct api_command *cmd, json_t *args, struct err *err);
// One value from a person's text: a new reference to what goes into the request, or NULL and a text.
json_t *api_arg_parse(const struct api_arg *arg, const char *text, struct err *err);

// The name among n that text was probably meant to be, or NULL.
const char *api_suggest(const char *text, const char *const *names, size_t n);

#define API_LIST_DEFAULT 1000 // "limit" of a list if none is given

// ---- values of checked arguments ----

const char *api_arg_text(json_t *args, const char *name); // NULL: not given
uint64_t api_arg_uint(json_t *args, const char *name, uint64_t otherwise);
double api_arg_real(json_t *args, const char *name, double otherwise);
bool api_arg_bool(json_t *args, const char *name, bool otherwise);
uint32_t api_arg_spi(json_t *args, const char *name); // 0: not given
bool api_arg_addr(json_t *args, const char *name, struct ip_addr *out);
bool api_arg_endpoint(json_t *args, const char *name, struct ip_endpoint *out);
// The lowest and highest of a range, 0..65535 if not given.
void api_arg_range(json_t *args, const char *name, uint16_t *low, uint16_t *high);

// ---- values as text ----

// Decimal or 0x hex. 0 or -EINVAL.
int api_uint_parse(const char *text, uint64_t *out);
// Decimal or 0x hex of 256..4294967295. 0 or -EINVAL.
int api_spi_parse(const char *text, uint32_t *spi);
// "ADDRESS", "ADDRESS:PORT" or "[V6]:PORT". 0 or -EINVAL; port is 0 if none is given.
int api_endpoint_parse(const char *text, struct ip_endpoint *out);
int api_range_parse(const char *text, uint16_t *low, uint16_t *high);
// Hex digits to bytes. The number of bytes, or -EINVAL, -EMSGSIZE if more than max.
int api_hex_parse(const char *text, uint8_t *out, size_t max);
