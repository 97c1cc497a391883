// SPDX-License-Identifier: BSD-3-Clause
#include "cli.h"

#include <string.h>

json_t *at(json_t *o, const char *path)
{
	for (;;) {
		size_t n = strcspn(path, ".");
		char key[64];
		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		o = json_object_get(o, key);
		if (path[n] == '\0')
			return o;
		path += n + 1;
	}
}

const char *text_at(json_t *o, const char *path)
{
	const char *s = json_string_value(at(o, path));
	return s == NULL ? "-" : s;
}

double real_at(json_t *o, const char *path)
{
	return json_number_value(at(o, path));
}

uint64_t int_at(json_t *o, const char *path)
{
	return (uint64_t)json_integer_value(at(o, path));
}

bool bool_at(json_t *o, const char *path)
{
	return json_is_true(at(o, path));
}
