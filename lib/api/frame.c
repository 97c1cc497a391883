// SPDX-License-Identifier: BSD-3-Clause
#include "api/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_FIRST ((size_t)4096)

void api_frame_init(struct api_frame *f, size_t max)
{
	*f = (struct api_frame){.max = max};
}

void api_frame_clear(struct api_frame *f)
{
	if (f->buf != NULL) {
		explicit_bzero(f->buf, f->size);
		free(f->buf);
	}
	api_frame_init(f, f->max);
}

static int frame_grow(struct api_frame *f)
{
	size_t size = f->size == 0 ? FRAME_FIRST : f->size * 2;

	if (size > f->len)
		size = f->len;
	// No realloc: it would leave a copy behind that nobody wipes.
	uint8_t *buf = malloc(size);
	if (buf == NULL)
		return -ENOMEM;
	if (f->buf != NULL) {
		memcpy(buf, f->buf, f->have);
		explicit_bzero(f->buf, f->size);
		free(f->buf);
	}
	f->buf = buf;
	f->size = size;
	return 0;
}

int api_frame_space(struct api_frame *f, uint8_t **at, size_t *n)
{
	if (f->n_head < sizeof(f->head)) {
		*at = f->head + f->n_head;
		*n = sizeof(f->head) - f->n_head;
		return 0;
	}
	if (f->have == f->size) {
		int r = frame_grow(f);
		if (r < 0)
			return r;
	}
	*at = f->buf + f->have;
	*n = f->size - f->have;
	return 0;
}

int api_frame_got(struct api_frame *f, size_t n)
{
	if (f->n_head < sizeof(f->head)) {
		f->n_head = (uint8_t)(f->n_head + n);
		if (f->n_head < sizeof(f->head))
			return 0;
		f->len = (size_t)f->head[0] << 24 | (size_t)f->head[1] << 16 |
			 (size_t)f->head[2] << 8 | f->head[3];
		if (f->len == 0)
			return -EBADMSG;
		return f->len > f->max ? -EMSGSIZE : 0;
	}
	f->have += n;
	return f->have == f->len ? 1 : 0;
}

int api_frame_feed(struct api_frame *f, const uint8_t *data, size_t n, size_t *used)
{
	int r = 0;

	*used = 0;
	while (r == 0 && *used < n) {
		uint8_t *at;
		size_t room;
		r = api_frame_space(f, &at, &room);
		if (r < 0)
			return r;
		if (room > n - *used)
			room = n - *used;
		memcpy(at, data + *used, room);
		*used += room;
		r = api_frame_got(f, room);
	}
	return r;
}

struct encoder {
	uint8_t *buf;
	size_t len, size, max;
	int error;
};

static int encoder_put(const char *text, size_t n, void *arg)
{
	struct encoder *e = arg;

	if (e->len + n > e->max) {
		e->error = -EMSGSIZE;
		return -1;
	}
	if (e->len + n > e->size) {
		size_t size = e->size * 2 > e->len + n ? e->size * 2 : e->len + n;
		uint8_t *buf = malloc(size);
		if (buf == NULL) {
			e->error = -ENOMEM;
			return -1;
		}
		memcpy(buf, e->buf, e->len);
		explicit_bzero(e->buf, e->len);
		free(e->buf);
		e->buf = buf;
		e->size = size;
	}
	memcpy(e->buf + e->len, text, n);
	e->len += n;
	return 0;
}

int api_frame_encode(const json_t *message, size_t max, uint8_t **out, size_t *len)
{
	struct encoder e = {.len = 4, .size = FRAME_FIRST, .max = max + 4, .error = -ENOMEM};

	e.buf = malloc(e.size);
	if (e.buf == NULL)
		return -ENOMEM;
	if (json_dump_callback(message, encoder_put, &e, JSON_COMPACT | JSON_REAL_PRECISION(12)) <
	    0) {
		explicit_bzero(e.buf, e.len);
		free(e.buf);
		return e.error;
	}
	size_t n = e.len - 4;
	e.buf[0] = (uint8_t)(n >> 24);
	e.buf[1] = (uint8_t)(n >> 16);
	e.buf[2] = (uint8_t)(n >> 8);
	e.buf[3] = (uint8_t)n;
	*out = e.buf;
	*len = e.len;
	return 0;
}
