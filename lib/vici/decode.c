// SPDX-License-Identifier: BSD-3-Clause
#include "vici.h"

#include <errno.h>
#include <string.h>

static size_t left(const struct vici_in *in)
{
	return (size_t)(in->end - in->p);
}

static bool name_take(struct vici_in *in, struct vici_elem *e)
{
	if (left(in) < 1 || left(in) < 1 + (size_t)in->p[0])
		return false;
	e->name_len = in->p[0];
	e->name = in->p + 1;
	in->p += 1 + e->name_len;
	return true;
}

static bool value_take(struct vici_in *in, struct vici_elem *e)
{
	if (left(in) < 2)
		return false;
	e->value_len = (size_t)in->p[0] << 8 | in->p[1];
	if (left(in) < 2 + e->value_len)
		return false;
	e->value = in->p + 2;
	in->p += 2 + e->value_len;
	return true;
}

int vici_next(struct vici_in *in, struct vici_elem *e)
{
	*e = (struct vici_elem){0};
	if (in->p == in->end)
		return in->depth == 0 && !in->list ? 0 : -EBADMSG;
	e->type = (enum vici_type) * in->p++;
	if (in->list && e->type != VICI_ITEM && e->type != VICI_LIST_END)
		return -EBADMSG;
	switch (e->type) {
	case VICI_SECTION:
		return name_take(in, e) && in->depth++ < VICI_DEPTH_MAX ? 1 : -EBADMSG;
	case VICI_SECTION_END:
		return in->depth-- > 0 ? 1 : -EBADMSG;
	case VICI_VALUE:
		return name_take(in, e) && value_take(in, e) ? 1 : -EBADMSG;
	case VICI_LIST:
		in->list = true;
		return name_take(in, e) ? 1 : -EBADMSG;
	case VICI_ITEM:
		return in->list && value_take(in, e) ? 1 : -EBADMSG;
	case VICI_LIST_END:
		if (!in->list)
			return -EBADMSG;
		in->list = false;
		return 1;
	default:
		return -EBADMSG;
	}
}

int vici_skip(struct vici_in *in, const struct vici_elem *e)
{
	struct vici_elem inner;
	int rc;

	if (e->type == VICI_LIST) {
		while ((rc = vici_next(in, &inner)) > 0 && inner.type != VICI_LIST_END)
			;
		return rc;
	}
	if (e->type != VICI_SECTION)
		return 1;
	for (unsigned depth = in->depth; in->depth >= depth;)
		if ((rc = vici_next(in, &inner)) <= 0)
			return rc;
	return 1;
}

int vici_len(const uint8_t *p, size_t n)
{
	if (n < VICI_HEADER)
		return 0;
	uint32_t len = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return len < 1 || len > VICI_PACKET_MAX ? -EBADMSG : (int)(VICI_HEADER + len);
}

static bool has_name(enum vici_op op)
{
	return op == VICI_REQUEST || op == VICI_REGISTER || op == VICI_UNREGISTER ||
	       op == VICI_EVENT;
}

static bool has_message(enum vici_op op)
{
	return op == VICI_REQUEST || op == VICI_RESPONSE || op == VICI_EVENT;
}

int vici_decode(const uint8_t *p, size_t n, struct vici_packet *out, struct err *err)
{
	struct vici_elem e;
	int rc;

	*out = (struct vici_packet){0};
	if (n < VICI_HEADER + 1 || vici_len(p, n) != (int)n)
		return err_set(err, -EBADMSG, "a VICI packet of another length than it says");
	if (p[VICI_HEADER] >= VICI_OPS)
		return err_set(err, -EBADMSG, "VICI has no operation %u", p[VICI_HEADER]);
	out->op = (enum vici_op)p[VICI_HEADER];
	struct vici_in in = {.p = p + VICI_HEADER + 1, .end = p + n};
	if (has_name(out->op)) {
		e = (struct vici_elem){0};
		if (!name_take(&in, &e))
			return err_set(err, -EBADMSG, "a VICI packet ends in its name");
		vici_name_text(&e, out->name, sizeof(out->name));
	}
	if (!has_message(out->op) && in.p != in.end)
		return err_set(err, -EBADMSG, "a VICI packet of operation %u with a message",
			       out->op);
	out->message = in;
	while ((rc = vici_next(&in, &e)) > 0)
		;
	return rc == 0 ? 0 : err_set(err, -EBADMSG, "a VICI message that is no tree");
}

bool vici_named(const struct vici_elem *e, const char *name)
{
	size_t len = strlen(name);

	return e->name_len == len && memcmp(e->name, name, len) == 0;
}

static char *text(const uint8_t *from, size_t len, char *buf, size_t size)
{
	size_t n = len < size - 1 ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		buf[i] = from[i] < 0x20 || from[i] > 0x7e ? '?' : (char)from[i];
	buf[n] = '\0';
	return buf;
}

char *vici_value_text(const struct vici_elem *e, char *buf, size_t size)
{
	return text(e->value, e->value_len, buf, size);
}

char *vici_name_text(const struct vici_elem *e, char *buf, size_t size)
{
	return text(e->name, e->name_len, buf, size);
}

static int digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : 99;
}

uint64_t vici_value_uint(const struct vici_elem *e, int base, uint64_t otherwise)
{
	uint64_t v = 0;

	for (size_t i = 0; i < e->value_len; i++) {
		int d = digit(e->value[i]);
		if (d >= base || v > (UINT64_MAX - (uint64_t)d) / (uint64_t)base)
			return otherwise;
		v = v * (uint64_t)base + (uint64_t)d;
	}
	return e->value_len > 0 ? v : otherwise;
}

bool vici_value_is(const struct vici_elem *e, const char *what)
{
	size_t len = strlen(what);

	return e->value_len == len && memcmp(e->value, what, len) == 0;
}

bool vici_find_text(struct vici_in in, const char *name, char *buf, size_t size)
{
	struct vici_elem e;

	while (vici_next(&in, &e) > 0) {
		if (e.type == VICI_VALUE && vici_named(&e, name)) {
			vici_value_text(&e, buf, size);
			return true;
		}
		vici_skip(&in, &e);
	}
	buf[0] = '\0';
	return false;
}
