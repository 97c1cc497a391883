// SPDX-License-Identifier: BSD-3-Clause
// Proposals of algorithms, as strongSwan writes them: words with hyphens in between.
#include "config_build.h"

#include <string.h>

enum kind { ENCR = 1, AEAD = 2, INTEG = 4, PRF = 8, GROUP = 16, ESN = 32, BROKEN = 64 };

struct word {
	const char *name;
	unsigned kind;
	bool ike, esp;
};

static const struct word words[] = {
	{"aes128gcm16", AEAD, true, true}, {"aes192gcm16", AEAD, true, true},
	{"aes256gcm16", AEAD, true, true}, {"chacha20poly1305", AEAD, true, true},
	{"aes128", ENCR, true, true},      {"aes192", ENCR, true, false},
	{"aes256", ENCR, true, true},      {"sha1", INTEG, true, true},
	{"sha256", INTEG, true, true},     {"sha384", INTEG, true, true},
	{"sha512", INTEG, true, true},     {"prfsha1", PRF, true, false},
	{"prfsha256", PRF, true, false},   {"prfsha384", PRF, true, false},
	{"prfsha512", PRF, true, false},   {"modp2048", GROUP, true, true},
	{"modp3072", GROUP, true, true},   {"modp4096", GROUP, true, true},
	{"modp6144", GROUP, true, true},   {"modp8192", GROUP, true, true},
	{"ecp256", GROUP, true, true},     {"ecp384", GROUP, true, true},
	{"ecp521", GROUP, true, true},     {"curve25519", GROUP, true, true},
	{"modpnone", GROUP, false, true},  {"esn", ESN, false, true},
	{"noesn", ESN, false, true},       {"null", BROKEN, true, true},
	{"des", BROKEN, true, true},       {"3des", BROKEN, true, true},
	{"md5", BROKEN, true, true},       {"modp768", BROKEN, true, true},
	{"modp1024", BROKEN, true, true},  {"modp1536", BROKEN, true, true},
};

static const struct word *word_find(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i].name) == len && memcmp(words[i].name, text, len) == 0)
			return &words[i];
	return NULL;
}

static void word_unknown(const struct config_file *f, const char *key, const char *word, bool esp)
{
	char list[512] = "";
	size_t n = 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words) && n < sizeof(list); i++) {
		if (words[i].kind != BROKEN && (esp ? words[i].esp : words[i].ike))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "",
					      words[i].name);
	}
	mistake(f, key, "%s is no algorithm of %s; expected some of %s", SHOW(word),
		esp ? "ESP that we have" : "IKE that we use", list);
}

// The kinds of a proposal's words, 0 if one was reported.
static unsigned kinds_of(const struct config_file *f, const char *key, const char *text, bool esp)
{
	unsigned kinds = 0;
	for (const char *p = text;; p++) {
		size_t len = strcspn(p, "-");
		const struct word *w = word_find(p, len);
		char word[64];
		snprintf(word, sizeof(word), "%.*s", (int)(len < 63 ? len : 63), p);
		if (w != NULL && w->kind == BROKEN) {
			mistake(f, key, "%s is too weak to protect anything (RFC 8221, RFC 8247)",
				word);
			return 0;
		}
		if (w == NULL || !(esp ? w->esp : w->ike)) {
			word_unknown(f, key, word, esp);
			return 0;
		}
		kinds |= w->kind;
		p += len;
		if (*p == '\0')
			return kinds;
	}
}

bool text_proposal(const struct config_file *f, const char *key, const char *text, bool esp)
{
	unsigned kinds = kinds_of(f, key, text, esp);
	const char *why = NULL;
	if (kinds == 0)
		return false;
	if (!(kinds & (ENCR | AEAD)))
		why = "has no encryption; add one such as aes256gcm16";
	else if ((kinds & ENCR) && (kinds & AEAD))
		why = "mixes AES-CBC with AES-GCM or ChaCha20; make two proposals of it";
	else if ((kinds & ENCR) && !(kinds & INTEG))
		why = "has no integrity; add one such as sha256";
	else if ((kinds & AEAD) && (kinds & INTEG))
		why = esp ? "has an integrity algorithm, which AES-GCM and ChaCha20 do without; "
			    "leave it out"
			  : "has an integrity algorithm, which AES-GCM and ChaCha20 do without; "
			    "write prfsha256 for a pseudo-random function";
	else if (!esp && (kinds & AEAD) && !(kinds & PRF))
		why = "has no pseudo-random function; add one such as prfsha256";
	else if (!esp && !(kinds & GROUP))
		why = "has no group; add one such as ecp256 (19), ecp384 (20) or modp2048 (14)";
	if (why != NULL)
		mistake(f, key, "%s %s", SHOW(text), why);
	return why == NULL;
}
