// SPDX-License-Identifier: BSD-3-Clause
#include "vici.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put(struct vici_out *o, const void *data, size_t len)
{
	if (o->error != 0)
		return;
	if (len > o->size - o->len) {
		o->error = -EMSGSIZE;
		return;
	}
	memcpy(o->buf + o->len, data, len);
	o->len += len;
}

static void put_byte(struct vici_out *o, unsigned byte)
{
	uint8_t b = (uint8_t)byte;

	put(o, &b, 1);
}

static void put_name(struct vici_out *o, const char *name)
{
	size_t len = strlen(name);

	if (o->error == 0 && len > VICI_NAME_MAX)
		o->error = -EMSGSIZE;
	put_byte(o, (unsigned)len);
	put(o, name, len);
}

static void put_value(struct vici_out *o, const void *value, size_t len)
{
	if (o->error == 0 && len > VICI_VALUE_MAX)
		o->error = -EMSGSIZE;
	put_byte(o, (unsigned)(len >> 8));
	put_byte(o, (unsigned)len & 0xff);
	put(o, value, len);
}

static void need(struct vici_out *o, bool right)
{
	if (!right && o->error == 0)
		o->error = -EINVAL;
}

void vici_begin(struct vici_out *o, uint8_t *buf, size_t size, enum vici_op op, const char *name)
{
	static const uint8_t length[VICI_HEADER];

	*o = (struct vici_out){.buf = buf, .size = size};
	put(o, length, sizeof(length));
	put_byte(o, op);
	if (name != NULL)
		put_name(o, name);
}

void vici_section(struct vici_out *o, const char *name)
{
	need(o, !o->list && o->depth < VICI_DEPTH_MAX);
	put_byte(o, VICI_SECTION);
	put_name(o, name);
	o->depth++;
}

void vici_section_end(struct vici_out *o)
{
	need(o, !o->list && o->depth > 0);
	put_byte(o, VICI_SECTION_END);
	o->depth--;
}

void vici_list(struct vici_out *o, const char *name)
{
	need(o, !o->list);
	put_byte(o, VICI_LIST);
	put_name(o, name);
	o->list = true;
}

void vici_item(struct vici_out *o, const char *text)
{
	need(o, o->list);
	put_byte(o, VICI_ITEM);
	put_value(o, text, strlen(text));
}

void vici_list_end(struct vici_out *o)
{
	need(o, o->list);
	put_byte(o, VICI_LIST_END);
	o->list = false;
}

void vici_value(struct vici_out *o, const char *name, const void *value, size_t len)
{
	need(o, !o->list);
	put_byte(o, VICI_VALUE);
	put_name(o, name);
	put_value(o, value, len);
}

void vici_text(struct vici_out *o, const char *name, const char *text)
{
	vici_value(o, name, text, strlen(text));
}

void vici_uint(struct vici_out *o, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	vici_text(o, name, text);
}

void vici_bool(struct vici_out *o, const char *name, bool value)
{
	vici_text(o, name, value ? "yes" : "no");
}

int vici_end(struct vici_out *o)
{
	size_t len = o->len - (o->error == 0 ? VICI_HEADER : 0);

	need(o, o->depth == 0 && !o->list);
	if (o->error == 0 && len > VICI_PACKET_MAX)
		o->error = -EMSGSIZE;
	if (o->error != 0)
		return o->error;
	for (unsigned i = 0; i < VICI_HEADER; i++)
		o->buf[i] = (uint8_t)(len >> (24 - 8 * i));
	return (int)o->len;
}
