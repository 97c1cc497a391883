// SPDX-License-Identifier: BSD-3-Clause
// SDP is read, written again with and without changes, and read again. The first bytes choose the changes.
#include "sdp/sdp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sdp sdp, again;
static struct sdp_change change;
static char out[2 * SDP_BYTES_MAX];

static void check(int holds)
{
	if (!holds)
		abort();
}

// What was read lies within the text and within its tables.
static void check_read(const struct sdp *s, const char *text, size_t len)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < s->n_lines; i++) {
		check(s->line[i].at == at && s->line[i].end <= 2);
		at += s->line[i].len + s->line[i].end;
	}
	check(at == len && s->text == text);
	unsigned next = s->session_lines, codec = 0, crypto = 0;
	for (unsigned i = 0; i < s->n_sections; i++) {
		const struct sdp_section *sec = &s->section[i];
		check(sec->first_line == next && sec->n_lines > 0);
		check(sec->first_codec == codec && sec->first_crypto == crypto);
		check(sec->proto_text.at >= text &&
		      sec->proto_text.at + sec->proto_text.len <= text + len);
		check((unsigned)__builtin_popcountll(sec->types[0]) +
			      (unsigned)__builtin_popcountll(sec->types[1]) ==
		      sec->n_codecs);
		next += sec->n_lines;
		codec += sec->n_codecs;
		crypto += sec->n_crypto;
	}
	check(next == s->n_lines && codec == s->n_codecs && crypto == s->n_crypto);
	for (unsigned i = 0; i < s->n_crypto; i++)
		check(s->crypto[i].usable == (s->crypto[i].params.suite != SRTP_NONE));
}

static void choose(uint32_t bits, const struct sdp_crypto *key)
{
	static const char *const extra[] = {"a=extra:1", NULL};

	memset(&change, 0, sizeof(change));
	if (bits & 1)
		ip_addr_parse("198.18.0.1", &change.connection);
	if (bits & 2)
		ip_addr_parse("2001:db8::1", &change.origin);
	change.username = bits & 4 ? "user" : NULL;
	change.version = bits & 4 ? "99" : NULL;
	change.name = bits & 8 ? "name" : NULL;
	change.cut_group = change.cut_ice = change.cut_dtls = bits & 16;
	for (unsigned i = 0; i < sdp.n_sections; i++) {
		struct sdp_section_change *c = &change.section[i];
		uint32_t mine = bits >> 5 ^ i;
		c->pass = (mine & 7) == 0;
		c->reject = (mine & 7) == 1;
		c->port = (uint16_t)(mine & 8 ? 30000 + i : 0);
		c->rtcp_port = (uint16_t)(mine & 16 ? 31000 + i : 0);
		if (mine & 32)
			ip_addr_parse("198.18.0.2", &c->address);
		c->rtcp_mux = (enum sdp_choice)((mine >> 6) % 3);
		if (sdp.section[i].proto != SDP_PROTO_OTHER)
			c->proto = (enum sdp_proto)((mine >> 8) % SDP_PROTO_COUNT);
		c->cut_crypto = c->cut_dtls = c->cut_ice = mine & 1 << 11;
		c->n_crypto = mine >> 12 & 1;
		c->crypto = key;
		c->set_direction = mine & 1 << 13;
		c->direction = (enum sdp_direction)(mine >> 14 & 3);
		c->strip[0] = mine & 1 << 16 ? 0x101 : 0;
		c->strip[1] = mine & 1 << 17 ? 1ULL << 32 : 0;
		c->ptime = (uint16_t)(mine & 1 << 18 ? 30 : 0);
		c->mid = mine & 1 << 19 ? "mid" : NULL;
		c->label = mine & 1 << 20 ? "label" : NULL;
		c->extra = mine & 1 << 21 ? extra : NULL;
	}
}

static void check_rewritten(int n)
{
	check(sdp_parse(&again, out, (size_t)n, 0, NULL) == 0);
	check_read(&again, out, (size_t)n);
	check(again.n_sections == sdp.n_sections);
	for (unsigned i = 0; i < sdp.n_sections; i++) {
		const struct sdp_section *was = &sdp.section[i], *is = &again.section[i];
		const struct sdp_section_change *c = &change.section[i];
		if (c->pass)
			check(is->port == was->port && is->n_crypto == was->n_crypto);
		else if (c->reject)
			check(is->port == 0 && is->n_crypto == 0);
		else
			check(is->port == (c->port != 0 ? c->port : was->port));
		if (is->port != 0)
			check(ip_addr_equal(&is->address, !c->pass && c->address.family != 0
								  ? &c->address
								  : &was->address));
		if (c->pass || c->reject)
			continue;
		check(!(is->types[0] & c->strip[0]) && !(is->types[1] & c->strip[1]));
		if (c->cut_crypto && is->proto != SDP_PROTO_OTHER && was->proto != SDP_PROTO_OTHER)
			check(is->n_crypto == c->n_crypto);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sdp_crypto key = {.tag = 1, .params.suite = SRTP_AEAD_128};
	uint32_t bits;
	int n;

	if (size < sizeof(bits))
		return 0;
	memcpy(&bits, data, sizeof(bits));
	size -= sizeof(bits);
	char *text = malloc(size + (size == 0));
	if (text == NULL)
		return 0;
	memcpy(text, data + sizeof(bits), size);
	if (sdp_parse(&sdp, text, size, 0, NULL) == 0) {
		check_read(&sdp, text, size);
		memset(&change, 0, sizeof(change));
		n = sdp_rewrite(&sdp, &change, out, sizeof(out), NULL);
		check(n == (int)size && memcmp(out, text, size) == 0);
		choose(bits, &key);
		n = sdp_rewrite(&sdp, &change, out, sizeof(out), NULL);
		if (n >= 0 && n <= SDP_BYTES_MAX)
			check_rewritten(n);
	}
	sdp_wipe(&sdp);
	free(text);
	return 0;
}
