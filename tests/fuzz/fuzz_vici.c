// SPDX-License-Identifier: BSD-3-Clause
// VICI packets: whatever is taken can be walked over to its end without another error, written again it is the
// same bytes, and nothing beyond the packet is read.
#include "vici/vici.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *terminated(const uint8_t *p, size_t n)
{
	char *text = malloc(n + 1);

	if (n > 0)
		memcpy(text, p, n);
	text[n] = '\0';
	return text;
}

static void element_write(struct vici_out *o, const struct vici_elem *e)
{
	char *name = terminated(e->name, e->name_len), *value = terminated(e->value, e->value_len);

	switch (e->type) {
	case VICI_SECTION:
		vici_section(o, name);
		break;
	case VICI_SECTION_END:
		vici_section_end(o);
		break;
	case VICI_VALUE:
		vici_value(o, name, value, e->value_len);
		break;
	case VICI_LIST:
		vici_list(o, name);
		break;
	case VICI_ITEM:
		vici_item(o, value);
		break;
	case VICI_LIST_END:
		vici_list_end(o);
		break;
	}
	free(name);
	free(value);
}

// Names and items are texts when they are written: one with a zero inside is not to be had again.
static bool has_zero(const struct vici_elem *e)
{
	return (e->name_len > 0 && memchr(e->name, 0, e->name_len) != NULL) ||
	       (e->type == VICI_ITEM && e->value_len > 0 &&
		memchr(e->value, 0, e->value_len) != NULL);
}

static void walk(const uint8_t *packet, size_t size, const struct vici_packet *p)
{
	static uint8_t again[VICI_HEADER + VICI_PACKET_MAX];
	struct vici_in in = p->message, top = p->message;
	struct vici_out o;
	struct vici_elem e;
	char text[40];
	bool same = true;
	int rc;

	vici_begin(&o, again, sizeof(again), p->op, p->name[0] != '\0' ? p->name : NULL);
	while ((rc = vici_next(&in, &e)) > 0) {
		same &= !has_zero(&e);
		element_write(&o, &e);
		vici_value_uint(&e, 10, 0);
		vici_value_text(&e, text, sizeof(text));
	}
	if (rc != 0)
		abort();
	int n = vici_end(&o);
	size_t head = (size_t)(p->message.p - packet);
	if (same && (n < 0 || (size_t)n < size - head ||
		     memcmp(again + ((size_t)n - (size - head)), packet + head, size - head) != 0))
		abort();
	while ((rc = vici_next(&top, &e)) > 0)
		if (vici_skip(&top, &e) <= 0)
			abort();
	if (rc != 0)
		abort();
	vici_find_text(p->message, "success", text, sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vici_packet p;
	struct err err;

	if (size < VICI_HEADER + 1 || size > VICI_PACKET_MAX)
		return 0;
	// The length is set right, so that what follows it is reached; the heap catches what reads beyond.
	uint8_t *copy = malloc(size);
	memcpy(copy, data, size);
	size_t len = size - VICI_HEADER;
	for (unsigned i = 0; i < VICI_HEADER; i++)
		copy[i] = (uint8_t)(len >> (24 - 8 * i));
	if (vici_len(copy, size) != (int)size)
		abort();
	if (vici_decode(copy, size, &p, &err) == 0)
		walk(copy, size, &p);
	free(copy);
	return 0;
}
