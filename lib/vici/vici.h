// SPDX-License-Identifier: BSD-3-Clause
// strongSwan's VICI on the wire (README.md in its src/libcharon/plugins/vici): packets of a unix stream
// socket, and the messages in them, which are trees of sections, lists and values.
//
// A packet is a length (4 bytes, big-endian, of what follows), an operation (1 byte), for requests and events a
// name (1 byte of length, then the name), then the message's elements one after the other. Writing goes into
// the caller's buffer, reading walks over the bytes where they are; nothing is allocated.
#pragma once

#include "../base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VICI_HEADER 4
#define VICI_PACKET_MAX (512 * 1024) // bytes after the length, as charon has it
#define VICI_DEPTH_MAX 16            // sections within sections
#define VICI_NAME_MAX 255
#define VICI_VALUE_MAX 65535

enum vici_op {
	VICI_REQUEST = 0,   // name, message → RESPONSE or UNKNOWN
	VICI_RESPONSE,      // message
	VICI_UNKNOWN,       // nothing: there is no such command
	VICI_REGISTER,      // name of an event → CONFIRM or EVENT_UNKNOWN
	VICI_UNREGISTER,    // likewise
	VICI_CONFIRM,       // nothing
	VICI_EVENT_UNKNOWN, // nothing: there is no such event
	VICI_EVENT,         // name, message
	VICI_OPS
};

// ---- writing ----

struct vici_out {
	uint8_t *buf;
	size_t size, len;
	unsigned depth;
	bool list; // inside a list
	int error; // the first: -EMSGSIZE, or -EINVAL for what is no tree. Nothing is written after it
};

// Starts a packet; name is that of the command or event, NULL for operations without.
void vici_begin(struct vici_out *o, uint8_t *buf, size_t size, enum vici_op op, const char *name);
void vici_section(struct vici_out *o, const char *name);
void vici_section_end(struct vici_out *o);
void vici_list(struct vici_out *o, const char *name);
void vici_item(struct vici_out *o, const char *text);
void vici_list_end(struct vici_out *o);
void vici_value(struct vici_out *o, const char *name, const void *value, size_t len);
void vici_text(struct vici_out *o, const char *name, const char *text);
void vici_uint(struct vici_out *o, const char *name, uint64_t value); // decimal
void vici_bool(struct vici_out *o, const char *name, bool value);     // yes, no
// Length of the whole packet, or the first error: -EMSGSIZE if buf is too small or a name or value too long,
// -EINVAL if sections or lists are not closed, or are where they cannot be.
int vici_end(struct vici_out *o);

// ---- reading ----

enum vici_type {
	VICI_SECTION = 1, // name
	VICI_SECTION_END,
	VICI_VALUE, // name, value
	VICI_LIST,  // name
	VICI_ITEM,  // value
	VICI_LIST_END,
};

struct vici_elem {
	enum vici_type type;
	const uint8_t *name, *value; // in the packet; not terminated
	size_t name_len, value_len;
};

struct vici_in {
	const uint8_t *p, *end;
	unsigned depth;
	bool list;
};

struct vici_packet {
	enum vici_op op;
	char name[VICI_NAME_MAX + 1]; // "" without; bytes that are not printable are '?'
	struct vici_in message;
};

// Bytes of the packet at p with its length, of which n are there: 0 if the length is not complete yet, or
// -EBADMSG if no packet is that short or that long.
int vici_len(const uint8_t *p, size_t n);
// One whole packet. 0, or -EBADMSG with a text. The message is well formed throughout afterwards: every name
// and value lies inside, sections and lists close, depths are at most VICI_DEPTH_MAX.
int vici_decode(const uint8_t *p, size_t n, struct vici_packet *out, struct err *err);
// The next element: 1, 0 at the end, or -EBADMSG, which does not come in a message that was decoded.
int vici_next(struct vici_in *in, struct vici_elem *e);
// Goes on behind the section or list that e has opened. As vici_next().
int vici_skip(struct vici_in *in, const struct vici_elem *e);
bool vici_named(const struct vici_elem *e, const char *name);
// The value or the name as text, cut to fit, '?' for bytes that are not printable ASCII. Returns buf.
char *vici_value_text(const struct vici_elem *e, char *buf, size_t size);
char *vici_name_text(const struct vici_elem *e, char *buf, size_t size);
// A decimal number, or hexadecimal without prefix for base 16; otherwise if it is none.
uint64_t vici_value_uint(const struct vici_elem *e, int base, uint64_t otherwise);
bool vici_value_is(const struct vici_elem *e, const char *text);

// The value of a name at the message's top. buf becomes "" if there is none, then false.
bool vici_find_text(struct vici_in in, const char *name, char *buf, size_t size);
