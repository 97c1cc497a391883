// SPDX-License-Identifier: BSD-3-Clause
// Values of arguments: from text, and out of a request that was checked.
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int api_uint_parse(const char *text, uint64_t *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*out = strtoull(text, &end, strncasecmp(text, "0x", 2) == 0 ? 16 : 10);
	return *end != '\0' || errno != 0 ? -EINVAL : 0;
}

int api_spi_parse(const char *text, uint32_t *spi)
{
	uint64_t v;

	if (api_uint_parse(text, &v) < 0 || v < 256 || v > UINT32_MAX)
		return -EINVAL;
	*spi = (uint32_t)v;
	return 0;
}

int api_endpoint_parse(const char *text, struct ip_endpoint *out)
{
	struct ip_endpoint e = {0};

	if (ip_addr_parse(text, &e.addr) < 0 && ip_endpoint_parse(text, &e) < 0)
		return -EINVAL;
	*out = e;
	return 0;
}

int api_range_parse(const char *text, uint16_t *low, uint16_t *high)
{
	char first[8];
	const char *dash = strchr(text, '-');
	size_t n = dash == NULL ? strlen(text) : (size_t)(dash - text);
	uint64_t a, b;

	if (n >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, n);
	first[n] = '\0';
	if (api_uint_parse(first, &a) < 0 ||
	    api_uint_parse(dash == NULL ? first : dash + 1, &b) < 0)
		return -EINVAL;
	if (a > b || b > 65535)
		return -EINVAL;
	*low = (uint16_t)a;
	*high = (uint16_t)b;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int api_hex_parse(const char *text, uint8_t *out, size_t max)
{
	size_t n = 0;

	if (strncasecmp(text, "0x", 2) == 0)
		text += 2;
	while (*text != '\0') {
		if (*text == ':' && n > 0 && text[1] != '\0') {
			text++;
			continue;
		}
		int hi = hex_digit(text[0]), lo = hi < 0 ? -1 : hex_digit(text[1]);
		if (lo < 0)
			return -EINVAL;
		if (n == max)
			return -EMSGSIZE;
		out[n++] = (uint8_t)(hi << 4 | lo);
		text += 2;
	}
	return (int)n;
}

const char *api_arg_text(json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

uint64_t api_arg_uint(json_t *args, const char *name, uint64_t otherwise)
{
	json_t *v = json_object_get(args, name);
	return v == NULL ? otherwise : (uint64_t)json_integer_value(v);
}

double api_arg_real(json_t *args, const char *name, double otherwise)
{
	json_t *v = json_object_get(args, name);
	return v == NULL ? otherwise : json_number_value(v);
}

bool api_arg_bool(json_t *args, const char *name, bool otherwise)
{
	json_t *v = json_object_get(args, name);
	return v == NULL ? otherwise : json_is_true(v);
}

uint32_t api_arg_spi(json_t *args, const char *name)
{
	json_t *v = json_object_get(args, name);
	uint32_t spi = 0;

	if (json_is_string(v))
		api_spi_parse(json_string_value(v), &spi);
	else if (json_is_integer(v))
		spi = (uint32_t)json_integer_value(v);
	return spi;
}

bool api_arg_addr(json_t *args, const char *name, struct ip_addr *out)
{
	const char *text = api_arg_text(args, name);
	return text != NULL && ip_addr_parse(text, out) == 0;
}

bool api_arg_endpoint(json_t *args, const char *name, struct ip_endpoint *out)
{
	const char *text = api_arg_text(args, name);
	return text != NULL && api_endpoint_parse(text, out) == 0;
}

void api_arg_range(json_t *args, const char *name, uint16_t *low, uint16_t *high)
{
	const char *text = api_arg_text(args, name);

	if (text == NULL || api_range_parse(text, low, high) < 0) {
		*low = 0;
		*high = 65535;
	}
}
