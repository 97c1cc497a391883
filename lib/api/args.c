// SPDX-License-Identifier: BSD-3-Clause
// What a value has to look like, and checking a request's arguments.
#include "command.h"
#include "crypto/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const suite_names[] = {
#define X(id, name, ...) name,
	SUITES(X)
#undef X
};

#define X(id, name, ...) " " name
static const char suite_list[] = SUITES(X);
#undef X

// What was given, for an error text: printable, and cut.
static const char *quote(const char *text, char buf[static 48])
{
	size_t n = 0;

	for (; text[n] != '\0' && n < 40; n++)
		buf[n] = text[n] < 32 || text[n] > 126 ? '?' : text[n];
	buf[n] = '\0';
	if (text[n] != '\0')
		memcpy(buf + n, "...", 4);
	return buf;
}

static bool name_valid(const char *text)
{
	size_t n =
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return n >= 1 && n <= 63 && text[n] == '\0';
}

static bool id_valid(const char *text)
{
	size_t n = 0;

	while (text[n] > ' ' && text[n] < 127)
		n++;
	return n >= 1 && n <= 255 && text[n] == '\0';
}

static bool choice_valid(const char *spec, const char *text)
{
	size_t len = strlen(text);

	for (const char *s = spec; *s != '\0';) {
		size_t n = strcspn(s, "|");
		if (n == len && memcmp(s, text, n) == 0)
			return true;
		s += n + (s[n] == '|');
	}
	return false;
}

static void uint_bounds(const struct api_arg *arg, uint64_t *low, uint64_t *high)
{
	const char *dots = strstr(arg->spec, "..");

	*low = strtoull(arg->spec, NULL, 10);
	*high = strtoull(dots + 2, NULL, 10);
}

static int text_check(const struct api_arg *arg, const char *text, struct err *err)
{
	char q[48];
	struct ip_addr addr;
	struct ip_prefix prefix;
	struct ip_endpoint endpoint;
	uint16_t low, high;
	uint8_t material[128];
	int r;

	quote(text, q);
	switch (arg->type) {
	case API_NAME:
		if (!name_valid(text))
			return err_set(err, -EINVAL,
				       "%s: \"%s\" is no name; 1 to 63 of A-Z a-z 0-9 . _ -",
				       arg->name, q);
		return 0;
	case API_ID:
		if (!id_valid(text))
			return err_set(err, -EINVAL,
				       "%s: \"%s\" is no call's id; as trunkline show calls has it",
				       arg->name, q);
		return 0;
	case API_SUITE:
		for (unsigned i = 0; i < SUITE_COUNT; i++)
			if (strcmp(suite_names[i], text) == 0)
				return 0;
		const char *near = api_suggest(text, suite_names, SUITE_COUNT);
		if (near != NULL)
			return err_set(err, -EINVAL,
				       "%s: there is no suite \"%s\"; did you mean %s?", arg->name,
				       q, near);
		return err_set(err, -EINVAL, "%s: there is no suite \"%s\"; one of%s", arg->name, q,
			       suite_list);
	case API_KEY:
		r = api_hex_parse(text, material, sizeof(material));
		explicit_bzero(material, sizeof(material));
		if (r == -EMSGSIZE)
			return err_set(err, -EINVAL, "%s: longer than any suite's key material",
				       arg->name);
		if (r <= 0)
			return err_set(err, -EINVAL,
				       "%s: not hex digits, two a byte (the value is not shown)",
				       arg->name);
		return 0;
	case API_ADDR:
		if (ip_addr_parse(text, &addr) < 0)
			return err_set(err, -EINVAL,
				       "%s: \"%s\" is no IP address; like 198.18.30.1", arg->name,
				       q);
		return 0;
	case API_PREFIX:
		r = ip_prefix_parse(text, &prefix);
		if (r == -ERANGE)
			return err_set(err, -EINVAL,
				       "%s: \"%s\" has bits set beyond its prefix length",
				       arg->name, q);
		if (r < 0)
			return err_set(err, -EINVAL,
				       "%s: \"%s\" is no IP prefix; like 192.0.2.0/24", arg->name,
				       q);
		return 0;
	case API_ENDPOINT:
		if (api_endpoint_parse(text, &endpoint) < 0)
			return err_set(
				err, -EINVAL,
				"%s: \"%s\" is no address, or none with a port; like 192.0.2.17 or "
				"192.0.2.17:14004",
				arg->name, q);
		return 0;
	case API_CHOICE:
		if (!choice_valid(arg->spec, text))
			return err_set(err, -EINVAL, "%s: \"%s\" is none of %s", arg->name, q,
				       arg->spec);
		return 0;
	case API_RANGE:
		if (api_range_parse(text, &low, &high) < 0)
			return err_set(err, -EINVAL,
				       "%s: \"%s\" is no range of ports; like 10000-19999",
				       arg->name, q);
		return 0;
	default:
		return -EINVAL;
	}
}

static int spi_check(const struct api_arg *arg, json_t *value, struct err *err)
{
	uint32_t spi;
	bool fine = false;

	if (json_is_integer(value))
		fine = json_integer_value(value) >= 256 && json_integer_value(value) <= UINT32_MAX;
	else if (json_is_string(value))
		fine = api_spi_parse(json_string_value(value), &spi) == 0;
	if (fine)
		return 0;
	return err_set(err, -EINVAL,
		       "%s: not an SPI; a number from 256 to 4294967295, like 0xc1000a2f",
		       arg->name);
}

static int value_check(const struct api_arg *arg, json_t *value, struct err *err)
{
	uint64_t low, high;

	switch (arg->type) {
	case API_BOOL:
		if (!json_is_boolean(value))
			return err_set(err, -EINVAL, "%s: true or false", arg->name);
		return 0;
	case API_UINT:
		uint_bounds(arg, &low, &high);
		if (!json_is_integer(value) || json_integer_value(value) < (json_int_t)low ||
		    json_integer_value(value) > (json_int_t)high)
			return err_set(err, -EINVAL, "%s: a whole number, %s", arg->name,
				       arg->spec);
		return 0;
	case API_REAL:
		uint_bounds(arg, &low, &high);
		if (!json_is_number(value) || !(json_number_value(value) >= (double)low) ||
		    !(json_number_value(value) <= (double)high))
			return err_set(err, -EINVAL, "%s: a number, %s", arg->name, arg->spec);
		return 0;
	case API_SPI:
		return spi_check(arg, value, err);
	default:
		if (!json_is_string(value))
			return err_set(err, -EINVAL, "%s: a string (%s)", arg->name, arg->spec);
		return text_check(arg, json_string_value(value), err);
	}
}

static int list_check(const struct api_arg *arg, json_t *value, struct err *err)
{
	if (!json_is_array(value))
		return value_check(arg, value, err);
	if (json_array_size(value) == 0 && (arg->how & API_REQ))
		return err_set(err, -EINVAL, "%s: at least one", arg->name);
	if (json_array_size(value) > 256)
		return err_set(err, -EINVAL, "%s: 256 at most", arg->name);
	size_t i;
	json_t *v;
	json_array_foreach (value, i, v) {
		int r = value_check(arg, v, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int unknown_arg(const struct api_command *cmd, const char *name, struct err *err)
{
	const char *names[64] = {NULL}, *near;
	size_t n = 0;
	char q[48];

	for (const struct api_arg *a = cmd->args; a->name != NULL && n < 64; a++)
		names[n++] = a->name;
	near = api_suggest(name, names, n);
	quote(name, q);
	if (near != NULL)
		return err_set(err, -EINVAL, "\"%s\" has no argument \"%s\"; did you mean %s?",
			       cmd->name, q, near);
	if (n == 0)
		return err_set(err, -EINVAL, "\"%s\" takes no arguments, but there is \"%s\"",
			       cmd->name, q);
	return err_set(err, -EINVAL, "\"%s\" has no argument \"%s\"; see trunkline help %s",
		       cmd->name, q, cmd->name);
}

int api_args_check(const struct api_command *cmd, json_t *args, struct err *err)
{
	const char *name;
	json_t *value;

	if (args != NULL && !json_is_object(args))
		return err_set(err, -EINVAL, "\"args\" must be an object");
	json_object_foreach (args, name, value) {
		const struct api_arg *arg = api_arg_find(cmd, name);
		if (arg == NULL)
			return unknown_arg(cmd, name, err);
		int r = arg->how & API_LIST ? list_check(arg, value, err)
					    : value_check(arg, value, err);
		if (r < 0)
			return r;
	}
	for (const struct api_arg *a = cmd->args; a->name != NULL; a++)
		if ((a->how & API_REQ) && json_object_get(args, a->name) == NULL)
			return err_set(err, -EINVAL, "\"%s\" needs %s: %s", cmd->name, a->name,
				       a->help);
	return 0;
}

json_t *api_arg_parse(const struct api_arg *arg, const char *text, struct err *err)
{
	json_t *value;
	uint64_t n;

	if (arg->type == API_UINT) {
		if (api_uint_parse(text, &n) < 0 || n > INT64_MAX) {
			char q[48];
			err_set(err, -EINVAL, "%s: \"%s\" is no whole number, %s", arg->name,
				quote(text, q), arg->spec);
			return NULL;
		}
		value = json_integer((json_int_t)n);
	} else if (arg->type == API_REAL) {
		char *end, q[48];
		double v = strtod(text, &end);
		if (end == text || *end != '\0' || (value = json_real(v)) == NULL) {
			err_set(err, -EINVAL, "%s: \"%s\" is no number, %s", arg->name,
				quote(text, q), arg->spec);
			return NULL;
		}
	} else if (arg->type == API_BOOL) {
		bool yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 ||
			   strcmp(text, "on") == 0;
		if (!yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0 &&
		    strcmp(text, "off") != 0) {
			err_set(err, -EINVAL, "%s: yes or no", arg->name);
			return NULL;
		}
		value = json_boolean(yes);
	} else {
		value = json_string(text);
	}
	if (value == NULL) {
		err_set(err, -EINVAL, "%s: not valid UTF-8", arg->name);
		return NULL;
	}
	if (value_check(arg, value, err) < 0) {
		json_decref(value);
		return NULL;
	}
	return value;
}
