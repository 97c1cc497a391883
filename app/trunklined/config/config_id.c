// SPDX-License-Identifier: BSD-3-Clause
// Identities of IKE, read as charon reads them: a prefix says of which kind one is, else its form
// does. Names and mailboxes are compared without regard to case, keyid: byte by byte.
#include "config_build.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ID_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-@:"

// charon's prefixes. Those without a kind make an identity of the bytes as they are written, which
// is nobody's.
static const struct {
	const char *prefix, *kind;
} prefixes[] = {
	{"fqdn:", "fqdn:"},      {"dns:", "fqdn:"},    {"email:", "email:"}, {"rfc822:", "email:"},
	{"userfqdn:", "email:"}, {"keyid:", "keyid:"}, {"ipv4:", NULL},      {"ipv6:", NULL},
	{"ipv4net:", NULL},      {"ipv6net:", NULL},   {"ipv4range:", NULL}, {"ipv6range:", NULL},
	{"asn1dn:", NULL},       {"asn1gn:", NULL},    {"xmppaddr:", NULL},
};

static void form_write(char *form, const char *kind, const char *value)
{
	bool exact = strcmp(kind, "keyid:") == 0;
	size_t n = (size_t)snprintf(form, IKE_ID_FORM_LEN, "%s", kind);
	if (*value == '\0') {
		form[0] = '\0';
		return;
	}
	for (; *value != '\0' && n + 1 < IKE_ID_FORM_LEN; value++)
		form[n++] = (char)(exact ? *value : tolower((unsigned char)*value));
	form[n] = '\0';
}

static bool is_range(const char *text)
{
	const char *dash = strchr(text, '-');
	char first[IKE_ID_FORM_LEN];
	struct ip_addr a;
	if (dash == NULL || ip_addr_parse(dash + 1, &a) < 0)
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text);
	return ip_addr_parse(first, &a) == 0;
}

static bool is_any(const struct ip_addr *a)
{
	static const struct in6_addr none;
	return a->family == AF_INET ? a->v4.s_addr == 0 : memcmp(&a->v6, &none, sizeof(none)) == 0;
}

void ike_id_form(const char *text, char form[static IKE_ID_FORM_LEN])
{
	struct ip_addr a;
	form[0] = '\0';
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t n = strlen(prefixes[i].prefix);
		if (strncasecmp(text, prefixes[i].prefix, n) != 0)
			continue;
		if (prefixes[i].kind != NULL)
			form_write(form, prefixes[i].kind, text + n);
		return;
	}
	if (text[0] == '@')
		form_write(form,
			   text[1] == '@' ? "email:" : "fqdn:", text + (text[1] == '@' ? 2 : 1));
	else if (strchr(text, '@') != NULL)
		form_write(form, "email:", text);
	else if (ip_addr_parse(text, &a) == 0)
		ip_addr_str(&a, is_any(&a) ? (char[IP_ADDR_STRLEN]){0} : form);
	else if (!is_range(text))
		form_write(form, strchr(text, ':') != NULL ? "keyid:" : "fqdn:", text);
}

bool text_identity(const struct config_file *f, const char *key, const char *text)
{
	char form[IKE_ID_FORM_LEN];
	size_t n = strlen(text);
	if (n > IKE_ID_MAX || strspn(text, ID_CHARACTERS) != n) {
		mistake(f, key, "%s is no identity; expected " CONFIG_ID_FORM, SHOW(text));
		return false;
	}
	ike_id_form(text, form);
	if (form[0] == '\0')
		mistake(f, key,
			"%s is not one gateway's identity; expected an address without a prefix, "
			"or a "
			"value behind @, fqdn:, email: or keyid:",
			SHOW(text));
	return form[0] != '\0';
}
