// SPDX-License-Identifier: BSD-3-Clause
// Published vectors, from tests/vectors/srtp.txt, which names their sources.
#include "srtp/kdf.h"
#include "test_srtp_util.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_MAX 256

struct field {
	uint8_t data[FIELD_MAX];
	uint32_t len;
};

enum name {
	MASTER,
	KEY,
	AUTH,
	SALT,
	KEYSTREAM,
	PLAIN,
	PACKET,
	RTCP_PLAIN,
	RTCP_PACKET,
	RTCP_CLEAR,
	FIELDS
};
static const char *names[] = {"master", "key",    "auth",       "salt",        "keystream",
			      "plain",  "packet", "rtcp_plain", "rtcp_packet", "rtcp_clear"};

// One record; fields that are missing have length 0.
struct vector {
	enum srtp_suite suite;
	struct field field[FIELDS];
};

static void hex_append(struct field *f, const char *text)
{
	for (; isxdigit((unsigned char)text[0]); text += 2) {
		unsigned byte = 0;
		cr_assert(sscanf(text, "%2x", &byte) == 1 && f->len < FIELD_MAX);
		f->data[f->len++] = (uint8_t)byte;
	}
}

// The next record; false at the end of the file.
static bool vector_next(FILE *f, struct vector *v)
{
	char text[512], name[32], value[256];
	struct field *more = NULL;

	memset(v, 0, sizeof(*v));
	while (fgets(text, sizeof(text), f) != NULL) {
		if (text[0] == '#')
			continue;
		if (text[0] == '\n') {
			if (v->suite != SRTP_NONE)
				return true;
			continue;
		}
		if (text[0] == ' ') {
			hex_append(more, text + strspn(text, " "));
			continue;
		}
		cr_assert_eq(sscanf(text, "%31[a-z_] = %255s", name, value), 2, "%s", text);
		if (strcmp(name, "suite") == 0) {
			v->suite = srtp_suite_by_name(value, strlen(value));
			cr_assert_neq(v->suite, SRTP_NONE, "%s", value);
			continue;
		}
		unsigned i = 0;
		while (i < FIELDS && strcmp(names[i], name) != 0)
			i++;
		cr_assert_lt(i, (unsigned)FIELDS, "%s", name);
		more = &v->field[i];
		hex_append(more, value);
	}
	return v->suite != SRTP_NONE;
}

static void field_check(const struct field *f, const uint8_t *is)
{
	cr_assert_gt(f->len, 0u);
	cr_assert_arr_eq(f->data, is, f->len);
}

static void derivation_check(struct crypto *c, const struct vector *v)
{
	struct srtp_params p = {.suite = v->suite};
	struct srtp_session s;

	memcpy(p.master, v->field[MASTER].data, v->field[MASTER].len);
	srtp_derive(c, &p, false, &s);
	field_check(&v->field[KEY], s.key);
	field_check(&v->field[AUTH], s.auth);
	field_check(&v->field[SALT], s.salt);
}

// A context whose session keys are those of the vector.
static struct srtp_ctx *ctx_of(struct crypto *c, const struct vector *v, bool clear)
{
	struct srtp_params p = {.suite = v->suite, .unencrypted_srtcp = clear};
	struct srtp_ctx *ctx = ctx_make(c, &p);

	memset(&ctx->rtcp, 0, sizeof(ctx->rtcp));
	memcpy(ctx->rtcp.key, v->field[KEY].data, v->field[KEY].len);
	memcpy(ctx->rtcp.salt, v->field[SALT].data, v->field[SALT].len);
	memcpy(ctx->salt, ctx->rtcp.salt, sizeof(ctx->salt));
	srtp_keys_expand(c, v->suite, &ctx->rtcp, &ctx->keys);
	return ctx;
}

static void keystream_check(struct crypto *c, const struct vector *v)
{
	struct srtp_ctx *ctx = ctx_of(c, v, false);
	uint8_t p[PACKET_MAX] = {0x80};
	uint32_t len = 12 + v->field[KEYSTREAM].len;

	cr_assert_eq(seal_one(c, ctx, p, &len), SRTP_OK);
	field_check(&v->field[KEYSTREAM], p + 12);
	ctx_free(ctx);
}

// Sealed as the vector says, and opened again.
static void packet_check(struct crypto *c, const struct vector *v, enum name plain,
			 enum name sealed, bool rtcp)
{
	struct srtp_ctx *out = ctx_of(c, v, sealed == RTCP_CLEAR),
			*in = ctx_of(c, v, sealed == RTCP_CLEAR);
	uint8_t p[PACKET_MAX];
	uint32_t len = v->field[plain].len;

	out->rtcp_index = 0x5d4;
	memcpy(p, v->field[plain].data, len);
	cr_assert_eq((rtcp ? rtcp_seal_one : seal_one)(c, out, p, &len), SRTP_OK);
	cr_assert_eq(len, v->field[sealed].len);
	field_check(&v->field[sealed], p);
	cr_assert_eq((rtcp ? rtcp_open_one : open_one)(c, in, p, &len), SRTP_OK);
	cr_assert_eq(len, v->field[plain].len);
	field_check(&v->field[plain], p);
	ctx_free(out);
	ctx_free(in);
}

Test(srtp_vectors, all)
{
	struct crypto *c = crypto_new();
	FILE *f = fopen(VECTORS "/srtp.txt", "r");
	struct vector v;
	unsigned n = 0;

	cr_assert_not_null(f);
	for (; vector_next(f, &v); n++) {
		if (v.field[MASTER].len != 0)
			derivation_check(c, &v);
		if (v.field[KEYSTREAM].len != 0)
			keystream_check(c, &v);
		if (v.field[PACKET].len != 0)
			packet_check(c, &v, PLAIN, PACKET, false);
		if (v.field[RTCP_PACKET].len != 0)
			packet_check(c, &v, RTCP_PLAIN, RTCP_PACKET, true);
		if (v.field[RTCP_CLEAR].len != 0)
			packet_check(c, &v, RTCP_PLAIN, RTCP_CLEAR, true);
	}
	cr_assert_eq(n, 8u);
	fclose(f);
	crypto_free(c);
}
