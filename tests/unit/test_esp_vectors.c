// SPDX-License-Identifier: BSD-3-Clause
// Published vectors, from tests/vectors/. The files name their sources.
#include "esp/replay.h"
#include "test_esp_util.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define FIELD_MAX 512

struct field {
	uint8_t data[FIELD_MAX];
	size_t len;
};

// One record: fields that are missing have length 0.
struct vector {
	char suite[32];
	struct field key, seq_hi, iv, packet, plain, cipher, data, icv;
	int line;
};

static FILE *vectors_open(const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", VECTORS, name);
	FILE *f = fopen(path, "r");
	cr_assert_not_null(f, "%s", path);
	return f;
}

static struct field *field_of(struct vector *v, const char *name)
{
	struct {
		const char *name;
		struct field *field;
	} all[] = {{"key", &v->key},       {"seq_hi", &v->seq_hi}, {"iv", &v->iv},
		   {"packet", &v->packet}, {"plain", &v->plain},   {"cipher", &v->cipher},
		   {"data", &v->data},     {"icv", &v->icv}};
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i].name, name) == 0)
			return all[i].field;
	}
	cr_assert_fail("unknown field %s", name);
	return NULL;
}

static void hex_append(struct field *f, const char *text)
{
	unsigned byte;
	for (; isxdigit((unsigned char)text[0]); text += 2) {
		cr_assert(sscanf(text, "%2x", &byte) == 1 && f->len < FIELD_MAX);
		f->data[f->len++] = (uint8_t)byte;
	}
}

// The next record; false at the end of the file.
static bool vector_next(FILE *f, struct vector *v)
{
	char text[1024], name[32], value[512];
	struct field *more = NULL;
	memset(v, 0, sizeof(*v));
	while (fgets(text, sizeof(text), f) != NULL) {
		if (text[0] == '#')
			continue;
		if (text[0] == '\n') {
			if (v->line > 0)
				return true;
			continue;
		}
		v->line++;
		if (text[0] == ' ') {
			hex_append(more, text + strspn(text, " "));
		} else {
			cr_assert_eq(sscanf(text, "%31[a-z_] = %511s", name, value), 2, "%s", text);
			if (strcmp(name, "suite") == 0) {
				memcpy(v->suite, value, sizeof(v->suite));
				continue;
			}
			more = field_of(v, name);
			hex_append(more, value);
		}
	}
	return v->line > 0;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Opens a whole packet; the plaintext must stand where the ciphertext stood.
static uint8_t packet_opens(struct crypto *c, struct pair *p, const struct vector *v,
			    const uint8_t *packet, size_t len, struct esp_in *in)
{
	static uint8_t work[BUF_SIZE];
	memcpy(work, packet, len);
	*in = (struct esp_in){.sa = p->in, .esp = work, .len = (uint32_t)len};
	esp_decap_burst(c, in, 1, 0);
	cr_assert(memcmp(work + 8 + p->in->iv_len, v->plain.data, v->plain.len) == 0, "%s",
		  v->suite);
	return in->status;
}

// By the next header of the plaintext: only tunnel mode's gives a packet.
static uint8_t status_of(const struct vector *v)
{
	return v->plain.data[v->plain.len - 1] == 4 ? ESP_OK : ESP_BAD_NEXT;
}

static void aead_seals(struct crypto *c, struct pair *p, const struct vector *v)
{
	uint8_t work[FIELD_MAX], nonce[16] = {0}, aad[12], icv[16];
	const uint8_t *packet = v->packet.data;
	unsigned aad_len = v->seq_hi.len ? 12 : 8;
	memcpy(nonce, &p->out->salt, 4);
	memcpy(nonce + 4, packet + 8, 8);
	memcpy(aad, packet, 4);
	memcpy(aad + 4, v->seq_hi.data, 4);
	memcpy(aad + aad_len - 4, packet + 4, 4);
	memcpy(work, v->plain.data, v->plain.len);
	if (p->out->family == SUITE_GCM)
		c->gcm_enc[p->out->suite](&p->out->keys.gcm, &c->gcm_ctx, work, work, v->plain.len,
					  nonce, aad, aad_len, icv, 16);
	else
		crypto_chacha(c, CRYPTO_ENCRYPT, &p->out->keys, nonce, aad, aad_len, work,
			      v->plain.len, icv);
	cr_assert(memcmp(work, packet + 16, v->plain.len) == 0);
	cr_assert(memcmp(icv, packet + 16 + v->plain.len, 16) == 0);
}

// The whole encapsulation gives the published packet, if the plaintext is a tunnelled one.
static void aead_encapsulates(struct crypto *c, struct pair *p, const struct vector *v,
			      uint64_t seq)
{
	static uint8_t buf[BUF_SIZE];
	uint64_t iv;
	memcpy(&iv, v->packet.data + 8, 8);
	p->out->spi = be32(v->packet.data);
	p->out->seq = seq - 1;
	p->out->iv_base = __builtin_bswap64(iv) - seq;
	uint32_t len = (uint32_t)(v->plain.data[2] << 8 | v->plain.data[3]);
	memcpy(buf + INNER_AT, v->plain.data, len);
	struct esp_out o = {.sa = p->out, .inner = buf + INNER_AT, .len = len};
	esp_encap_burst(c, &o, 1, 0);
	cr_assert_eq(o.status, ESP_OK);
	cr_assert_eq(o.outer_len, 20 + v->packet.len);
	cr_assert(memcmp(o.outer + 20, v->packet.data, v->packet.len) == 0);
}

static unsigned aead_file(const char *name)
{
	struct crypto *c = crypto_new();
	FILE *f = vectors_open(name);
	struct vector v;
	struct rng r = {1};
	unsigned n = 0;
	for (; vector_next(f, &v); n++) {
		struct pair p;
		bool esn = v.seq_hi.len != 0;
		uint64_t seq = be32(v.packet.data + 4);
		if (esn)
			seq |= (uint64_t)be32(v.seq_hi.data) << 32;
		int suite = suite_by_name(v.suite);
		cr_assert(suite >= 0, "%s", v.suite);
		cr_assert_eq(v.key.len, suite_material_len(&suites[suite]));
		pair_spec(&p, suite, esn ? SA_ESN : 0, &r);
		memcpy(p.material, v.key.data, v.key.len);
		pair_make(&p, c);
		pair_seek(&p, seq - 1);
		struct esp_in in;
		cr_assert_eq(packet_opens(c, &p, &v, v.packet.data, v.packet.len, &in),
			     status_of(&v), "%s, record %u: status %u", name, n + 1, in.status);
		aead_seals(c, &p, &v);
		if (status_of(&v) == ESP_OK)
			aead_encapsulates(c, &p, &v, seq);
		pair_free(&p);
	}
	fclose(f);
	crypto_free(c);
	return n;
}

Test(vectors, aes_gcm)
{
	cr_assert_eq(aead_file("esp-aes-gcm.txt"), 14);
}

Test(vectors, chacha20_poly1305)
{
	cr_assert_eq(aead_file("esp-chacha20-poly1305.txt"), 1);
}

static void cbc_job(struct crypto *c, const struct keys *k, enum crypto_dir dir, const uint8_t *iv,
		    uint8_t *data, size_t len)
{
	memset(&c->jobs[0], 0, sizeof(c->jobs[0]));
	c->jobs[0].src = c->jobs[0].dst = data;
	c->jobs[0].msg_len_to_cipher_in_bytes = len;
	c->jobs[0].iv = iv;
	c->jobs[0].iv_len_in_bytes = 16;
	c->jobs[0].enc_keys = k->cbc.enc;
	c->jobs[0].dec_keys = k->cbc.dec;
	c->jobs[0].key_len_in_bytes = 16;
	crypto_cbc_burst(c, dir, 16, 1);
}

// A published packet has no ICV: OpenSSL makes one.
static void cbc_packet(struct crypto *c, const struct vector *v)
{
	struct rng r = {2};
	struct pair p;
	uint8_t packet[FIELD_MAX + 64];
	pair_spec(&p, SUITE_AES_CBC_128_SHA256, 0, &r);
	memcpy(p.material, v->key.data, 16);
	pair_make(&p, c);
	memcpy(packet, v->packet.data, v->packet.len);
	HMAC(EVP_sha256(), p.material + 16, 32, packet, v->packet.len, packet + v->packet.len,
	     NULL);
	struct esp_in in;
	cr_assert_eq(packet_opens(c, &p, v, packet, v->packet.len + 16, &in), status_of(v));
	if (in.status == ESP_OK)
		cr_assert_eq(in.inner_len, v->plain.data[2] << 8 | v->plain.data[3]);
	pair_free(&p);
}

Test(vectors, aes_cbc)
{
	struct crypto *c = crypto_new();
	FILE *f = vectors_open("esp-aes-cbc.txt");
	struct vector v;
	unsigned n = 0;
	for (; vector_next(f, &v); n++) {
		static struct keys k;
		uint8_t material[64] = {0}, work[FIELD_MAX];
		const uint8_t *iv = v.iv.len ? v.iv.data : v.packet.data + 8;
		const uint8_t *cipher = v.cipher.len ? v.cipher.data : v.packet.data + 24;
		memcpy(material, v.key.data, 16);
		keys_expand(c, SUITE_AES_CBC_128_SHA256, material, &k);
		memcpy(work, v.plain.data, v.plain.len);
		cbc_job(c, &k, CRYPTO_ENCRYPT, iv, work, v.plain.len);
		cr_assert(memcmp(work, cipher, v.plain.len) == 0, "case %u", n + 1);
		cbc_job(c, &k, CRYPTO_DECRYPT, iv, work, v.plain.len);
		cr_assert(memcmp(work, v.plain.data, v.plain.len) == 0, "case %u", n + 1);
		if (v.packet.len)
			cbc_packet(c, &v);
	}
	cr_assert_eq(n, 8);
	fclose(f);
	crypto_free(c);
}

Test(vectors, hmac)
{
	struct crypto *c = crypto_new();
	FILE *f = vectors_open("hmac.txt");
	struct vector v;
	unsigned n = 0;
	for (; vector_next(f, &v); n++) {
		static struct keys k;
		uint8_t material[MATERIAL_MAX] = {0};
		int suite = suite_by_name(v.suite);
		cr_assert(suite >= SUITE_AES_CBC_128_SHA1 && v.key.len == suites[suite].auth_len);
		cr_assert_eq(v.icv.len, suites[suite].icv_len);
		memcpy(material + suites[suite].key_len, v.key.data, v.key.len);
		keys_expand(c, suite, material, &k);
		// Up to 37 at once, more than any machine has lanes.
		for (unsigned count = 1; count <= 37; count++) {
			memset(c->tag, 0, sizeof(c->tag));
			for (unsigned i = 0; i < count; i++) {
				memset(&c->jobs[i], 0, sizeof(c->jobs[i]));
				c->jobs[i].src = v.data.data;
				c->jobs[i].msg_len_to_hash_in_bytes = v.data.len;
				c->jobs[i].auth_tag_output = c->tag[i];
				c->jobs[i].auth_tag_output_len_in_bytes = v.icv.len;
				c->jobs[i].u.HMAC._hashed_auth_key_xor_ipad = k.cbc.hmac;
				c->jobs[i].u.HMAC._hashed_auth_key_xor_opad =
					k.cbc.hmac + hmac_outer(suite);
			}
			crypto_hmac_burst(c, (unsigned)suite - SUITE_AES_CBC_128_SHA1, count);
			for (unsigned i = 0; i < count; i++)
				cr_assert(memcmp(c->tag[i], v.icv.data, v.icv.len) == 0, "%s",
					  v.suite);
		}
	}
	cr_assert_eq(n, 4);
	fclose(f);
	crypto_free(c);
}
