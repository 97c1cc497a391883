// SPDX-License-Identifier: BSD-3-Clause
// The control API's input: framing in pieces, JSON, the checks of arguments, and texts.
#include "api/api.h"
#include "api/command.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void message(const uint8_t *data, size_t len)
{
	struct err err;
	json_t *request = api_json_load(data, len, true, &err);

	if (request == NULL)
		return;
	const char *name = json_string_value(json_object_get(request, "cmd"));
	const struct api_command *cmd = name == NULL ? NULL : api_command_find(name);
	json_t *args = json_object_get(request, "args");
	if (cmd != NULL && api_args_check(cmd, args, &err) == 0) {
		struct ip_endpoint endpoint;
		struct ip_addr addr;
		uint16_t low, high;
		for (const struct api_arg *a = cmd->args; a->name != NULL; a++) {
			if (a->type == API_SPI && json_object_get(args, a->name) != NULL &&
			    api_arg_spi(args, a->name) < 256)
				abort();
			if (a->type == API_ENDPOINT && api_arg_text(args, a->name) != NULL &&
			    !api_arg_endpoint(args, a->name, &endpoint))
				abort();
			if (a->type == API_ADDR && api_arg_text(args, a->name) != NULL &&
			    !api_arg_addr(args, a->name, &addr))
				abort();
			api_arg_range(args, a->name, &low, &high);
			if (low > high)
				abort();
		}
	}
	uint8_t *out;
	size_t n;
	if (api_frame_encode(request, API_REQUEST_MAX, &out, &n) == 0)
		free(out);
	json_decref(request);
}

static void texts(const uint8_t *data, size_t size)
{
	char text[256];
	struct err err;
	size_t n = size < sizeof(text) - 1 ? size : sizeof(text) - 1;

	memcpy(text, data, n);
	text[n] = '\0';
	for (unsigned c = 0; c < API_COMMANDS; c++)
		for (const struct api_arg *a = api_commands[c].args; a->name != NULL; a++)
			json_decref(api_arg_parse(a, text, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_frame f;
	size_t used, step = size > 0 ? (size_t)data[0] + 1 : 1;

	message(data, size);
	texts(data, size);
	api_frame_init(&f, 4096);
	for (size_t at = 0; at < size; at += used) {
		int r = api_frame_feed(&f, data + at, step < size - at ? step : size - at, &used);
		if (r == 1)
			message(f.buf, f.len);
		if (r == 1 || r < 0)
			api_frame_clear(&f);
		if (r < 0)
			break;
	}
	api_frame_clear(&f);
	return 0;
}
