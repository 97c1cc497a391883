// SPDX-License-Identifier: BSD-3-Clause
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t *addr_bytes(const struct ip_addr *a)
{
	return a->family == AF_INET ? (const uint8_t *)&a->v4 : (const uint8_t *)&a->v6;
}

static unsigned addr_bits(const struct ip_addr *a)
{
	return a->family == AF_INET ? 32 : a->family == AF_INET6 ? 128 : 0;
}

// The first len bits of a and b are the same.
static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	unsigned whole = len / 8, rest = len % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

// ---- text in ----

int ip_addr_parse(const char *text, struct ip_addr *out)
{
	struct ip_addr a = {0};

	if (inet_pton(AF_INET, text, &a.v4) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a.v6) == 1)
		a.family = AF_INET6;
	else
		return -EINVAL;
	*out = a;
	return 0;
}

// A decimal number without sign, space or leading zero, up to max.
static int number_parse(const char *text, unsigned max, unsigned *out)
{
	unsigned n = 0;

	if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > max)
			return -EINVAL;
	}
	*out = n;
	return 0;
}

// Parses the first n characters of text as an address.
static int addr_parse_n(const char *text, size_t n, struct ip_addr *out)
{
	char buf[IP_ADDR_STRLEN];

	if (n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, n);
	buf[n] = '\0';
	return ip_addr_parse(buf, out);
}

int ip_prefix_parse(const char *text, struct ip_prefix *out)
{
	const char *slash = strchr(text, '/');
	size_t n = slash == NULL ? strlen(text) : (size_t)(slash - text);
	struct ip_prefix p = {0};
	unsigned len;

	if (addr_parse_n(text, n, &p.addr) < 0)
		return -EINVAL;
	len = addr_bits(&p.addr);
	if (slash != NULL && number_parse(slash + 1, len, &len) < 0)
		return -EINVAL;
	p.len = (uint8_t)len;

	const uint8_t *b = addr_bytes(&p.addr);
	for (unsigned bit = len; bit < addr_bits(&p.addr); bit++)
		if (b[bit / 8] & (0x80 >> bit % 8))
			return -ERANGE;
	*out = p;
	return 0;
}

int ip_endpoint_parse(const char *text, struct ip_endpoint *out)
{
	bool v6 = text[0] == '[';
	const char *end = v6 ? strchr(text, ']') : strchr(text, ':');
	struct ip_endpoint e = {0};
	unsigned port;

	if (end == NULL)
		return -EINVAL;
	const char *start = v6 ? text + 1 : text;
	if (addr_parse_n(start, (size_t)(end - start), &e.addr) < 0)
		return -EINVAL;
	if (e.addr.family != (v6 ? AF_INET6 : AF_INET))
		return -EINVAL;
	end += v6;
	if (*end != ':' || number_parse(end + 1, 65535, &port) < 0 || port == 0)
		return -EINVAL;
	e.port = (uint16_t)port;
	*out = e;
	return 0;
}

// ---- text out ----

// By hand: inet_ntop goes through printf, and every call of a proxy has addresses written.
static void ipv4_str(const uint8_t *bytes, char *to)
{
	for (unsigned i = 0; i < 4; i++) {
		uint8_t b = bytes[i];
		if (b >= 100)
			*to++ = (char)('0' + b / 100);
		if (b >= 10)
			*to++ = (char)('0' + b / 10 % 10);
		*to++ = (char)('0' + b % 10);
		*to++ = i < 3 ? '.' : '\0';
	}
}

char *ip_addr_str(const struct ip_addr *a, char buf[static IP_ADDR_STRLEN])
{
	if (a->family == AF_INET)
		ipv4_str((const uint8_t *)&a->v4, buf);
	else if (addr_bits(a) == 0 ||
		 inet_ntop(a->family, addr_bytes(a), buf, IP_ADDR_STRLEN) == NULL)
		memcpy(buf, "none", sizeof("none"));
	return buf;
}

char *ip_prefix_str(const struct ip_prefix *p, char buf[static IP_PREFIX_STRLEN])
{
	char addr[IP_ADDR_STRLEN];

	ip_addr_str(&p->addr, addr);
	if (p->addr.family == 0)
		snprintf(buf, IP_PREFIX_STRLEN, "%s", addr);
	else
		snprintf(buf, IP_PREFIX_STRLEN, "%s/%u", addr, p->len);
	return buf;
}

char *ip_endpoint_str(const struct ip_endpoint *e, char buf[static IP_ENDPOINT_STRLEN])
{
	char addr[IP_ADDR_STRLEN];

	ip_addr_str(&e->addr, addr);
	if (e->addr.family == 0)
		snprintf(buf, IP_ENDPOINT_STRLEN, "%s", addr);
	else
		snprintf(buf, IP_ENDPOINT_STRLEN, e->addr.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
			 addr, e->port);
	return buf;
}

// ---- comparisons ----

bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && bits_equal(addr_bytes(a), addr_bytes(b), addr_bits(a));
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
	return p->addr.family != 0 && p->addr.family == a->family &&
	       bits_equal(addr_bytes(&p->addr), addr_bytes(a), p->len);
}

bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len <= b->len ? ip_prefix_contains(a, &b->addr) : ip_prefix_contains(b, &a->addr);
}

// ---- special-purpose addresses ----

// IANA's special-purpose address registries (RFC 6890 and its successors), less the documentation
// and benchmarking networks, which net.h calls public, and anycast services that are global
// (192.31.196.0/24, 192.52.193.0/24, 192.175.48.0/24, 2620:4f:8000::/48, ...).
struct special {
	const char *prefix, *what;
};

static const struct special special_v4[] = {
	{"0.0.0.0/8", "\"this network\" (RFC 1122)"},
	{"10.0.0.0/8", "private (RFC 1918)"},
	{"100.64.0.0/10", "shared, carrier-grade NAT (RFC 6598)"},
	{"127.0.0.0/8", "loopback (RFC 1122)"},
	{"169.254.0.0/16", "link-local (RFC 3927)"},
	{"172.16.0.0/12", "private (RFC 1918)"},
	{"192.0.0.0/24", "IETF protocol assignments (RFC 6890)"},
	{"192.88.99.0/24", "6to4 relay anycast, deprecated (RFC 7526)"},
	{"192.168.0.0/16", "private (RFC 1918)"},
	{"224.0.0.0/4", "multicast (RFC 5771)"},
	{"255.255.255.255/32", "limited broadcast (RFC 919)"},
	{"240.0.0.0/4", "reserved (RFC 1112)"},
};

static const struct special special_v6[] = {
	{"::/128", "unspecified (RFC 4291)"},
	{"::1/128", "loopback (RFC 4291)"},
	{"::ffff:0:0/96", "IPv4-mapped (RFC 4291)"},
	{"64:ff9b:1::/48", "local-use IPv4/IPv6 translation (RFC 8215)"},
	{"100::/64", "discard-only (RFC 6666)"},
	{"2001::/32", "Teredo (RFC 4380)"},
	{"2001:10::/28", "ORCHID, deprecated (RFC 4843)"},
	{"2001:20::/28", "ORCHIDv2 (RFC 7343)"},
	{"2002::/16", "6to4 (RFC 3056)"},
	{"5f00::/16", "segment routing SIDs (RFC 9602)"},
	{"fc00::/7", "unique local, private (RFC 4193)"},
	{"fe80::/10", "link-local (RFC 4291)"},
	{"fec0::/10", "site-local, deprecated (RFC 3879)"},
	{"ff00::/8", "multicast (RFC 4291)"},
};

static const char *special_overlap(const struct ip_prefix *p, const struct special *s, size_t n)
{
	struct ip_prefix q;

	for (size_t i = 0; i < n; i++)
		if (ip_prefix_parse(s[i].prefix, &q) == 0 && ip_prefix_overlaps(p, &q))
			return s[i].what;
	return NULL;
}

const char *ip_prefix_not_public(const struct ip_prefix *p)
{
	if (p->addr.family == AF_INET)
		return special_overlap(p, special_v4, sizeof(special_v4) / sizeof(special_v4[0]));
	if (p->addr.family == AF_INET6)
		return special_overlap(p, special_v6, sizeof(special_v6) / sizeof(special_v6[0]));
	return "no address";
}
