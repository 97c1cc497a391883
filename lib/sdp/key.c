// SPDX-License-Identifier: BSD-3-Clause
// Values of a=crypto (RFC 4568 section 9.1, RFC 6188 section 7, RFC 7714 section 14).
#include "scan.h"

#include <errno.h>
#include <stdio.h>

#define TAG_MAX 999999999
#define MKI_LEN_MAX 128
#define LIFETIME_BITS 48

// ---- base64 (RFC 4648) ----

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Exactly want bytes, with or without '=' at the end.
static bool key_read(struct sdp_span text, uint8_t *out, size_t want, bool *padded)
{
	uint32_t bits = 0, n_bits = 0;
	size_t n = 0, pad = 0;

	while (text.len > 0 && text.at[text.len - 1] == '=') {
		text.len--;
		pad++;
	}
	if (pad > 0 && (text.len + pad) % 4 != 0)
		return false;
	*padded = pad > 0;
	if (text.len != (want * 8 + 5) / 6)
		return false;
	for (uint32_t i = 0; i < text.len; i++) {
		int v = digit_value(text.at[i]);
		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[n++] = (uint8_t)(bits >> n_bits);
		}
	}
	return n == want;
}

static char *key_write(char *to, const uint8_t *key, size_t len, bool padded)
{
	size_t i;

	for (i = 0; i + 2 < len; i += 3) {
		uint32_t bits = (uint32_t)key[i] << 16 | (uint32_t)key[i + 1] << 8 | key[i + 2];
		for (int shift = 18; shift >= 0; shift -= 6)
			*to++ = digits[bits >> shift & 63];
	}
	if (i == len)
		return to;
	uint32_t bits = (uint32_t)key[i] << 16 | (i + 1 < len ? (uint32_t)key[i + 1] << 8 : 0);
	*to++ = digits[bits >> 18 & 63];
	*to++ = digits[bits >> 12 & 63];
	if (i + 1 < len)
		*to++ = digits[bits >> 6 & 63];
	else if (padded)
		*to++ = '=';
	if (padded)
		*to++ = '=';
	return to;
}

// ---- key parameters ----

// "2^31" or a number of packets, 1 to 2^48.
static bool lifetime_read(struct scan *s, uint64_t *out)
{
	const uint64_t most = 1ULL << LIFETIME_BITS;
	const char *from = s->at;
	uint64_t n = 0;
	uint32_t bits;

	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
		n = n * 10 + (uint64_t)(*s->at - '0');
		if (n > most)
			return false;
	}
	if (s->at == from)
		return false;
	if (scan_char(s, '^')) {
		if (n != 2 || !scan_number(s, LIFETIME_BITS, &bits))
			return false;
		n = 1ULL << bits;
	}
	*out = n;
	return n > 0;
}

// "VALUE:LENGTH", a decimal number that fits LENGTH bytes. Longer ones than we keep: *served false.
static bool mki_read(struct scan *s, struct srtp_params *p, bool *served)
{
	uint8_t value[MKI_LEN_MAX] = {0};
	const char *from = s->at;
	uint32_t len, first = MKI_LEN_MAX; // first byte of the value that is not zero

	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
		unsigned carry = (unsigned)(*s->at - '0');
		if (first == 0)
			return false;
		for (uint32_t i = MKI_LEN_MAX; i > first; i--) {
			carry += value[i - 1] * 10u;
			value[i - 1] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry > 0)
			value[--first] = (uint8_t)carry;
	}
	if (s->at == from || !scan_char(s, ':') || !scan_number(s, MKI_LEN_MAX, &len) || len == 0 ||
	    MKI_LEN_MAX - first > len)
		return false;
	if (len > SRTP_MKI_MAX) {
		*served = false;
		return true;
	}
	p->mki_len = (uint8_t)len;
	memcpy(p->mki, value + MKI_LEN_MAX - len, len);
	return true;
}

// "inline:KEY|LIFETIME|MKI:LENGTH", each of the latter two perhaps not there.
static bool inline_read(struct scan *s, struct sdp_crypto *c, bool *served)
{
	struct srtp_params *p = &c->params;
	size_t want = (size_t)srtp_suites[p->suite].key_len + srtp_suites[p->suite].salt_len;
	const char *end = s->at;

	while (end < s->end && *end != '|' && *end != ';')
		end++;
	struct sdp_span key = {s->at, (uint32_t)(end - s->at)};
	if (!key_read(key, p->master, want, &c->padded))
		return false;
	s->at = end;
	if (!scan_char(s, '|'))
		return true;
	if (memchr(s->at, ':', scan_left(s)) == NULL || memchr(s->at, '|', scan_left(s)) != NULL) {
		if (!lifetime_read(s, &p->lifetime))
			return false;
		if (!scan_char(s, '|'))
			return true;
	}
	return mki_read(s, p, served);
}

// All keys of the line; more than one are well-formed, but not served.
static bool keys_read(struct sdp_span text, struct sdp_crypto *c, bool *served)
{
	static const char method[] = "inline:";
	struct scan s = scan_of(text);

	for (unsigned n = 0;; n++) {
		const char *semicolon = memchr(s.at, ';', scan_left(&s));
		struct scan one = {s.at, semicolon != NULL ? semicolon : s.end};
		bool ours = scan_left(&one) >= sizeof(method) - 1 &&
			    sdp_span_is((struct sdp_span){one.at, sizeof(method) - 1}, method);
		if (n > 0 || !ours)
			*served = false;
		if (n == 0 && ours) {
			one.at += sizeof(method) - 1;
			if (!inline_read(&one, c, served) || one.at != one.end)
				return false;
		}
		if (semicolon == NULL)
			return true;
		s.at = semicolon + 1;
	}
}

static bool starts_with(struct sdp_span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len > n && sdp_span_is((struct sdp_span){s.at, (uint32_t)n}, prefix);
}

// RFC 4568 section 6.3. What begins with '-' may be ignored, and so may a hint on the size of a window.
static void session_read(struct scan *s, struct srtp_params *p, bool *served)
{
	for (;;) {
		struct sdp_span word = scan_word(s);
		if (word.len == 0)
			return;
		if (sdp_span_is(word, "UNENCRYPTED_SRTP"))
			p->unencrypted_srtp = true;
		else if (sdp_span_is(word, "UNENCRYPTED_SRTCP"))
			p->unencrypted_srtcp = true;
		else if (sdp_span_is(word, "UNAUTHENTICATED_SRTP"))
			p->unauthenticated_srtp = true;
		else if (!starts_with(word, "WSH=") && !sdp_span_is(word, "KDR=0") &&
			 word.at[0] != '-')
			*served = false;
	}
}

int sdp_crypto_parse(const char *text, size_t len, struct sdp_crypto *out)
{
	struct scan s = {text, text + len};
	struct sdp_crypto c = {0};
	struct sdp_span suite, keys;
	bool served = true, good = true;
	uint32_t tag;

	scan_blanks(&s);
	if (!scan_number(&s, TAG_MAX, &tag) || tag == 0 || !scan_at_gap(&s))
		return -EINVAL;
	suite = scan_word(&s);
	keys = scan_word(&s);
	if (suite.len == 0 || keys.len == 0)
		return -EINVAL;
	c.tag = tag;
	c.params.suite = srtp_suite_by_name(suite.at, suite.len);
	if (c.params.suite == SRTP_NONE) {
		good = memchr(keys.at, ':', keys.len) != NULL; // a method and its keys
		served = false;
	} else {
		good = keys_read(keys, &c, &served);
		session_read(&s, &c.params, &served);
		if (served && srtp_params_check(&c.params, NULL) < 0)
			served = false;
	}
	c.usable = served;
	if (!served || !good)
		explicit_bzero(&c.params, sizeof(c.params));
	if (good)
		*out = c;
	explicit_bzero(&c, sizeof(c));
	return good ? 0 : -EINVAL;
}

// ---- out ----

// In decimal, as a=crypto has it.
static char *mki_write(char *to, char *end, const struct srtp_params *p)
{
	char text[SRTP_MKI_MAX * 3];
	uint8_t rest[SRTP_MKI_MAX];
	unsigned n = sizeof(text), left = 1;

	memcpy(rest, p->mki, p->mki_len);
	while (left != 0) {
		unsigned remainder = 0;
		left = 0;
		for (unsigned i = 0; i < p->mki_len; i++) {
			remainder = remainder << 8 | rest[i];
			rest[i] = (uint8_t)(remainder / 10);
			left |= rest[i];
			remainder %= 10;
		}
		text[--n] = (char)('0' + remainder);
	}
	return to + snprintf(to, (size_t)(end - to), "|%.*s:%u", (int)(sizeof(text) - n), text + n,
			     p->mki_len);
}

int sdp_crypto_write(const struct sdp_crypto *c, char out[static SDP_CRYPTO_LINE_MAX])
{
	const struct srtp_params *p = &c->params;
	char *to = out, *end = out + SDP_CRYPTO_LINE_MAX;

	if (p->suite <= SRTP_NONE || p->suite >= SRTP_SUITE_COUNT || p->mki_len > SRTP_MKI_MAX ||
	    c->tag == 0 || c->tag > TAG_MAX)
		return -EINVAL;
	const struct srtp_suite_info *suite = &srtp_suites[p->suite];
	// The longest: 9 digits of tag, 23 of suite, 64 of key, 16 of lifetime, 43 of MKI, 55 of parameters.
	to += snprintf(to, (size_t)(end - to), "a=crypto:%u %s inline:", c->tag, suite->name);
	to = key_write(to, p->master, (size_t)suite->key_len + suite->salt_len, c->padded);
	if (p->lifetime > 0 && (p->lifetime & (p->lifetime - 1)) == 0 && p->lifetime > 1)
		to += snprintf(to, (size_t)(end - to), "|2^%d", __builtin_ctzll(p->lifetime));
	else if (p->lifetime > 0)
		to += snprintf(to, (size_t)(end - to), "|%llu", (unsigned long long)p->lifetime);
	if (p->mki_len > 0)
		to = mki_write(to, end, p);
	if (p->unencrypted_srtp)
		to += snprintf(to, (size_t)(end - to), " UNENCRYPTED_SRTP");
	if (p->unencrypted_srtcp)
		to += snprintf(to, (size_t)(end - to), " UNENCRYPTED_SRTCP");
	if (p->unauthenticated_srtp)
		to += snprintf(to, (size_t)(end - to), " UNAUTHENTICATED_SRTP");
	return (int)(to - out);
}
