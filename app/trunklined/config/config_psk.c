// SPDX-License-Identifier: BSD-3-Clause
// Pre-shared keys: a file each, which holds nothing else. No message shows what is in one.
#include "config_build.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PSK_MIN 8
#define PSK_MAX 1024
#define PSK_FORM "one line with the key as it is, 0x and hexadecimal digits, or 0s and base64"

// The path of a customer's key, from the place of the customer's own file.
static char *path_make(const struct config_file *f, const char *given, const char *name)
{
	const char *slash = strrchr(f->name, '/');
	int up = slash == NULL || (given != NULL && given[0] == '/') ? 0
								     : (int)(slash - f->name + 1);
	char *path;
	if (asprintf(&path, "%.*s%s%s", up, f->name, given != NULL ? given : name,
		     given != NULL ? "" : ".psk") < 0)
		return NULL;
	return path;
}

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

static int hex_decode(char *text, size_t n)
{
	if (n % 2 != 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!isxdigit((unsigned char)text[i]))
			return -EINVAL;
	for (size_t i = 0; i < n / 2; i++)
		text[i] = (char)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	return (int)(n / 2);
}

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;
	return at != NULL ? (int)(at - digits) : -1;
}

// In place (RFC 4648 section 4).
static int base64_decode(char *text, size_t n)
{
	unsigned bits = 0, have = 0;
	int len = 0;
	size_t whole = n;
	while (n > 0 && text[n - 1] == '=')
		n--;
	if (n % 4 == 1 || (whole != n && (whole % 4 != 0 || whole - n > 2)))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int v = base64_value(text[i]);
		if (v < 0)
			return -EINVAL;
		bits = (bits << 6 | (unsigned)v) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			text[len++] = (char)(bits >> have & 0xff);
		}
	}
	return len;
}

// The key in a file's text, in place: its length, or -EINVAL after a report.
static int psk_decode(const struct config_file *f, const char *path, char *text, size_t n)
{
	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0 && text[n - 1] == '\r')
		n--;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f)
			continue;
		mistake(f, "ike.psk",
			"%s holds more than one line, or control characters; "
			"expected " PSK_FORM,
			SHOW(path));
		return -EINVAL;
	}
	int len = (int)n;
	if (n >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 's')) {
		char base = text[1];
		memmove(text, text + 2, n - 2);
		len = base == 'x' ? hex_decode(text, n - 2) : base64_decode(text, n - 2);
		if (len < 0) {
			mistake(f, "ike.psk", "%s begins with 0%c, and what follows is not %s",
				SHOW(path), base,
				base == 'x' ? "hexadecimal, two digits a byte" : "base64");
			return -EINVAL;
		}
	}
	if (len >= PSK_MIN && len <= PSK_MAX)
		return len;
	mistake(f, "ike.psk",
		"%s holds a key of %d bytes; expected %d to %d, better 32 random ones", SHOW(path),
		len, PSK_MIN, PSK_MAX);
	return -EINVAL;
}

static int psk_read(const struct config_file *f, struct config_ike *ike)
{
	struct config_text t;
	const char *path = ike->psk_file;
	int ret = config_text_read(path, &t);
	if (ret < 0) {
		mistake(f, "ike.psk",
			"%s cannot be read: %s; expected a file of mode 0600 that holds the "
			"pre-shared key",
			SHOW(path), ret == -EINVAL ? "not a regular file" : strerror(-ret));
		return 0;
	}
	if ((t.mode & 077) != 0)
		mistake(f, "ike.psk",
			"%s has mode %04o, which lets others read the key; chmod 600 %s",
			SHOW(path), t.mode, SHOW(path));
	int len = psk_decode(f, path, t.data, t.len);
	ret = 0;
	if (len > 0) {
		ike->psk = malloc((size_t)len);
		ike->psk_len = (size_t)len;
		if (ike->psk != NULL)
			memcpy(ike->psk, t.data, (size_t)len);
		else
			ret = -ENOMEM;
	}
	config_text_free(&t);
	return ret;
}

int config_build_psk(struct config_build *b, unsigned customer)
{
	struct config_customer *c = &b->c->customers[customer];
	const struct customer_file *cf = &b->customers[customer];
	const char *given = cf->raw->ike->psk;
	if (given != NULL ? *given == '\0' : text_none(c->name))
		return 0;
	c->ike->psk_file = path_make(&cf->f, given, c->name);
	if (c->ike->psk_file == NULL)
		return -ENOMEM;
	return b->in_memory ? 0 : psk_read(&cf->f, c->ike);
}
