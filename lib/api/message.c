// SPDX-License-Identifier: BSD-3-Clause
#include "api/api.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void free_wiped(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void api_json_wipes(void)
{
	json_set_alloc_funcs(malloc, free_wiped);
}

// How deep objects and arrays nest; jansson's parser recurses, so this is looked at first.
static unsigned json_depth(const uint8_t *data, size_t len)
{
	unsigned depth = 0, deepest = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted) {
			if (data[i] == '\\')
				i++;
			else if (data[i] == '"')
				quoted = false;
			continue;
		}
		if (data[i] == '"')
			quoted = true;
		else if (data[i] == '{' || data[i] == '[')
			deepest = ++depth > deepest ? depth : deepest;
		else if ((data[i] == '}' || data[i] == ']') && depth > 0)
			depth--;
	}
	return deepest;
}

json_t *api_json_load(const uint8_t *data, size_t len, bool bounded, struct err *err)
{
	json_error_t where;

	if (bounded && json_depth(data, len) > API_DEPTH_MAX) {
		err_set(err, 0, "the message nests deeper than %d levels", API_DEPTH_MAX);
		return NULL;
	}
	json_t *message = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, &where);
	if (message == NULL) {
		err_set(err, 0, "the message is not valid JSON (at byte %d of %zu)", where.position,
			len);
		return NULL;
	}
	if (!json_is_object(message)) {
		json_decref(message);
		err_set(err, 0, "the message is no JSON object");
		return NULL;
	}
	return message;
}

json_t *api_request(const char *cmd, json_t *args)
{
	return json_pack("{s:i, s:s, s:O*}", "v", API_VERSION, "cmd", cmd, "args", args);
}

json_t *api_answer_ok(json_t *data)
{
	if (data == NULL)
		data = json_object();
	return json_pack("{s:i, s:b, s:o}", "v", API_VERSION, "ok", 1, "data", data);
}

json_t *api_answer_error(const char *code, const char *text, json_t *details)
{
	// The text quotes what the client sent, which may have been cut within a UTF-8 sequence.
	json_t *error = json_string(text);

	if (error == NULL)
		error = json_string("(the error text is not valid UTF-8)");
	return json_pack("{s:i, s:b, s:s, s:o, s:o*}", "v", API_VERSION, "ok", 0, "code", code,
			 "error", error, "details", details);
}

const char *api_code(int negative_errno)
{
	switch (-negative_errno) {
	case ENOENT:
	case ESRCH:
		return "not-found";
	case EEXIST:
	case EADDRINUSE:
		return "exists";
	case EINVAL:
	case ERANGE:
	case EDOM:
		return "bad-argument";
	case EBUSY:
	case EAGAIN:
		return "busy";
	case ENOTCONN:
	case ECONNREFUSED:
		return "unreachable";
	case ETIMEDOUT:
		return "timeout";
	case EREMOTEIO:
		return "refused";
	case EALREADY:
		return "already";
	case ENOSPC:
	case ENOMEM:
	case EMFILE:
		return "no-space";
	case EMSGSIZE:
		return "too-large";
	case EPERM:
	case EACCES:
		return "denied";
	case ENOTSUP:
		return "not-supported";
	default:
		return "failed";
	}
}
