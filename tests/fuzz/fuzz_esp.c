// SPDX-License-Identifier: BSD-3-Clause
// Decapsulation of hostile bytes. The first bytes choose suite, ESN, outer TOS and mode: raw (the
// bytes are the ESP packet), or sealed (the bytes are the plaintext of a packet with a good ICV,
// so that padding, trailer and inner header are reached). Several packets a run go to one SA, in
// one burst.
#include "crypto/crypto.h"
#include "esp/esp.h"
#include "esp/esp_cbc.h"
#include "esp/replay.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKETS 4
#define PLAIN_MAX 2048
#define PACKET_MAX (24 + PLAIN_MAX + 32)

static struct crypto *crypto;
static struct sa_in *sas[SUITE_COUNT][2];

static void die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static void setup(void)
{
	crypto = crypto_new();
	uint8_t material[128];
	memset(material, 0x42, sizeof(material));
	for (int suite = 0; suite < SUITE_COUNT; suite++) {
		for (int esn = 0; esn < 2; esn++) {
			struct sa_spec spec = {.spi = 0x1000,
					       .suite = suite,
					       .window = 64,
					       .flags = esn ? SA_ESN : 0,
					       .material = material,
					       .n_selectors = 1};
			struct err err;
			spec.local.addr.family = spec.peer.addr.family = AF_INET;
			sas[suite][esn] = aligned_alloc(64, sa_in_size(&spec));
			if (crypto == NULL || sa_in_init(sas[suite][esn], &spec, crypto, &err) != 0)
				die("no SA");
		}
	}
}

// An ESP packet with a good ICV around the plaintext; its length.
static uint32_t seal(struct sa_in *sa, uint32_t seq, const uint8_t *plain, uint32_t len,
		     uint8_t *esp)
{
	uint32_t head = 8u + sa->iv_len, be = htonl(seq), spi = htonl(sa->spi), hi = 0;
	memset(esp, 0, head);
	memcpy(esp, &spi, 4);
	memcpy(esp + 4, &be, 4);
	memcpy(esp + head, plain, len);
	if (sa->family == SUITE_CBC_HMAC) {
		struct cbc_pkt pkt = {.esp = esp,
				      .icv_at = head + len,
				      .seq_hi = hi,
				      .keys = &sa->keys,
				      .suite = sa->suite,
				      .esn = (sa->flags & SA_ESN) != 0};
		cbc_seal(crypto, &pkt, 1);
		return head + len + sa->icv_len;
	}
	uint8_t nonce[16] = {0}, aad[12];
	unsigned aad_len = sa->flags & SA_ESN ? 12 : 8;
	memcpy(nonce, &sa->salt, 4);
	memcpy(aad, &spi, 4);
	memcpy(aad + 4, &hi, 4);
	memcpy(aad + aad_len - 4, &be, 4);
	if (sa->family == SUITE_GCM)
		crypto->gcm_enc[sa->suite](&sa->keys.gcm, &crypto->gcm_ctx, esp + head, esp + head,
					   len, nonce, aad, aad_len, esp + head + len, 16);
	else
		crypto_chacha(crypto, CRYPTO_ENCRYPT, &sa->keys, nonce, aad, aad_len, esp + head,
			      len, esp + head + len);
	return head + len + 16;
}

static void result_check(const struct esp_in *in, const struct sa_in *sa, bool sealed)
{
	if (in->status > ESP_ECN)
		die("a status that is not one of decapsulation");
	if (sealed && (in->status == ESP_FORGED || in->status == ESP_TOO_SHORT))
		die("a good packet was refused");
	if (in->status != ESP_OK)
		return;
	uint32_t head = 8u + sa->iv_len;
	if (in->inner != in->esp + head || in->inner_len < 20 ||
	    head + in->inner_len + 2 + sa->icv_len > in->len)
		die("the inner packet lies outside the payload");
	if (in->inner[0] >> 4 != 4 || (in->inner[0] & 15) < 5 ||
	    (in->inner[2] << 8 | in->inner[3]) != in->inner_len)
		die("the inner header is not one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (crypto == NULL)
		setup();
	if (size < 4)
		return 0;
	bool sealed = data[1] & 2;
	struct sa_in *sa = sas[data[0] % SUITE_COUNT][data[1] & 1];
	struct esp_in in[PACKETS];
	uint32_t block = sa->iv_len == 8 ? 4 : 16;
	uint8_t tos = data[2];
	unsigned n = 1 + data[3] % PACKETS;
	data += 4;
	size -= 4;
	sa->seq_top = 0;
	replay_init(sa->bitmap, sa->window_mask + 1u, 0);
	size_t each = size / n;
	for (unsigned i = 0; i < n; i++) {
		static uint8_t made[PACKET_MAX];
		const uint8_t *from = data + i * each;
		uint32_t len = (uint32_t)(each > PLAIN_MAX ? PLAIN_MAX : each);
		if (sealed) {
			len = len < block ? block : len & ~(block - 1);
			uint8_t plain[PLAIN_MAX] = {0};
			memcpy(plain, from, len < each ? len : each);
			len = seal(sa, i + 1, plain, len, made);
			from = made;
		}
		// Memory exactly as long as the packet: the sanitizer sees the next byte.
		uint8_t *esp = malloc(len + (len == 0));
		memcpy(esp, from, len);
		in[i] = (struct esp_in){.sa = sa, .esp = esp, .len = len, .outer_tos = tos};
	}
	esp_decap_burst(crypto, in, n, 1);
	for (unsigned i = 0; i < n; i++) {
		result_check(&in[i], sa, sealed);
		free(in[i].esp);
	}
	return 0;
}
