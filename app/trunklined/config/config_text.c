// SPDX-License-Identifier: BSD-3-Clause
// Values of the configuration that have a form of their own.
#include "config_build.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_FORM "an IPv4 address such as 198.18.10.1"
#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789-"

bool text_name(const struct config_file *f, const char *key, const char *text, size_t max)
{
	size_t n = strlen(text);
	if (n <= max && strspn(text, LOWER) == n)
		return true;
	mistake(f, key, "%s is not a name; expected 1 to %zu of a-z, 0-9 and -", SHOW(text), max);
	return false;
}

bool text_address(const struct config_file *f, const char *key, const char *text,
		  struct ip_addr *out)
{
	struct ip_addr a;
	if (ip_addr_parse(text, &a) < 0) {
		mistake(f, key, "%s is not an address; expected " ADDRESS_FORM, SHOW(text));
		return false;
	}
	if (a.family != AF_INET) {
		mistake(f, key, "%s is IPv6, which is not carried yet; expected " ADDRESS_FORM,
			SHOW(text));
		return false;
	}
	uint8_t first = (uint8_t)(ntohl(a.v4.s_addr) >> 24);
	if (first == 0 || first == 127 || first >= 224) {
		mistake(f, key, "%s is %s, not a host's; expected " ADDRESS_FORM, SHOW(text),
			first == 0     ? "\"this network\" (RFC 791)"
			: first == 127 ? "a loopback address"
			: first < 240  ? "a multicast address"
				       : "a reserved or broadcast address");
		return false;
	}
	*out = a;
	return true;
}

// Splits "ADDRESS/LEN" into a copy of ADDRESS and the length.
static bool split_prefix(const char *text, char *address, size_t size, unsigned *len)
{
	const char *slash = strchr(text, '/');
	if (slash == NULL || (size_t)(slash - text) >= size)
		return false;
	size_t n = strspn(slash + 1, "0123456789");
	if (n == 0 || n > 3 || slash[1 + n] != '\0' || (n > 1 && slash[1] == '0'))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	*len = (unsigned)strtoul(slash + 1, NULL, 10);
	return true;
}

bool text_interface(const struct config_file *f, const char *key, const char *text,
		    struct ip_prefix *out)
{
	char address[IP_ADDR_STRLEN];
	unsigned len;
	struct ip_addr a;
	if (!split_prefix(text, address, sizeof(address), &len)) {
		mistake(f, key,
			"%s has no prefix length; expected an address such as "
			"198.18.10.1/24",
			SHOW(text));
		return false;
	}
	if (!text_address(f, key, address, &a))
		return false;
	if (len < 8 || len > 32) {
		mistake(f, key,
			"%s: /%u is no length of an interface's network; expected /8 to /32",
			SHOW(text), len);
		return false;
	}
	uint32_t host = len == 32 ? 0 : 0xffffffffu >> len, ip = ntohl(a.v4.s_addr);
	if (len < 31 && ((ip & host) == 0 || (ip & host) == host)) {
		mistake(f, key, "%s is the network's %s; expected a host's address in it",
			SHOW(text), (ip & host) == 0 ? "own address" : "broadcast address");
		return false;
	}
	*out = (struct ip_prefix){.addr = a, .len = (uint8_t)len};
	return true;
}

bool text_network(const struct config_file *f, const char *key, const char *text,
		  struct ip_prefix *out)
{
	struct ip_prefix p;
	int ret = ip_prefix_parse(text, &p);
	char address[IP_ADDR_STRLEN];
	unsigned len;
	if (ret == -ERANGE && split_prefix(text, address, sizeof(address), &len) && len < 32 &&
	    ip_addr_parse(address, &p.addr) == 0 && p.addr.family == AF_INET) {
		p.len = (uint8_t)len;
		p.addr.v4.s_addr &= htonl(len == 0 ? 0 : ~(0xffffffffu >> len));
		mistake(f, key, "%s has bits set beyond its length; the network is %s", SHOW(text),
			PREFIX_STR(&p));
		return false;
	}
	if (ret < 0) {
		mistake(f, key, "%s is not a network; expected one such as 192.0.2.0/24",
			SHOW(text));
		return false;
	}
	if (p.addr.family != AF_INET) {
		mistake(f, key,
			"%s is IPv6, which is not carried yet; expected an IPv4 network such "
			"as 192.0.2.0/24",
			SHOW(text));
		return false;
	}
	*out = p;
	return true;
}

bool text_endpoint(const struct config_file *f, const char *key, const char *text, bool port_needed,
		   struct ip_endpoint *out)
{
	char address[IP_ADDR_STRLEN];
	const char *colon = strchr(text, ':');
	bool v6 = *text == '[' || (colon != NULL && strchr(colon + 1, ':') != NULL);
	if (colon == NULL && port_needed) {
		mistake(f, key, "%s has no port; expected ADDRESS:PORT such as 192.0.2.10:4000",
			SHOW(text));
		return false;
	}
	struct ip_endpoint e = {.port = 0};
	if (colon != NULL && !v6) {
		size_t n = strspn(colon + 1, "0123456789");
		unsigned long port = strtoul(colon + 1, NULL, 10);
		if (n == 0 || n > 5 || colon[1 + n] != '\0' || port == 0 || port > 65535) {
			mistake(f, key, "%s has no port from 1 to 65535 after the colon",
				SHOW(text));
			return false;
		}
		e.port = (uint16_t)port;
	}
	size_t n = colon != NULL && !v6 ? (size_t)(colon - text) : strlen(text);
	if (v6 || n >= sizeof(address)) {
		mistake(f, key, "%s is not an IPv4 address%s; expected %s", SHOW(text),
			v6 ? " (IPv6 is not carried yet)" : "",
			port_needed ? "ADDRESS:PORT such as 192.0.2.10:4000" : ADDRESS_FORM);
		return false;
	}
	memcpy(address, text, n);
	address[n] = '\0';
	if (!text_address(f, key, address, &e.addr))
		return false;
	*out = e;
	return true;
}

// Reads "N" or "N-M" of numbers up to 65535 and nothing else.
static bool parse_range(const char *text, unsigned long *lo, unsigned long *hi)
{
	size_t n = strspn(text, "0123456789");
	if (n == 0 || n > 5)
		return false;
	*lo = *hi = strtoul(text, NULL, 10);
	if (text[n] == '-') {
		text += n + 1;
		n = strspn(text, "0123456789");
		if (n == 0 || n > 5)
			return false;
		*hi = strtoul(text, NULL, 10);
	}
	return text[n] == '\0';
}

bool text_port_range(const struct config_file *f, const char *key, const char *text, uint16_t *lo,
		     uint16_t *hi)
{
	unsigned long from, to;
	if (!parse_range(text, &from, &to) || from < 1 || to > 65535 || from > 65535) {
		mistake(f, key,
			"%s is not a range of ports; expected LOWEST-HIGHEST or one, "
			"from 1 to 65535",
			SHOW(text));
		return false;
	}
	if (from > to) {
		mistake(f, key, "%s begins above its end; write %lu-%lu", SHOW(text), to, from);
		return false;
	}
	*lo = (uint16_t)from;
	*hi = (uint16_t)to;
	return true;
}

bool proto_has_ports(uint8_t proto)
{
	return proto == IPPROTO_UDP || proto == IPPROTO_TCP || proto == IPPROTO_SCTP;
}

bool text_proto(const struct config_file *f, const char *key, const char *text, uint8_t *out)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} names[] = {{"any", 0},
		     {"udp", IPPROTO_UDP},
		     {"tcp", IPPROTO_TCP},
		     {"icmp", IPPROTO_ICMP},
		     {"sctp", IPPROTO_SCTP},
		     {"esp", IPPROTO_ESP}};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(text, names[i].name) == 0) {
			*out = names[i].proto;
			return true;
		}
	}
	size_t n = strspn(text, "0123456789");
	unsigned long number = strtoul(text, NULL, 10);
	if (n == 0 || n > 3 || text[n] != '\0' || number < 1 || number > 255) {
		mistake(f, key, "%s is not a protocol; expected " CONFIG_PROTO_FORM, SHOW(text));
		return false;
	}
	*out = (uint8_t)number;
	return true;
}

bool text_allow(const struct config_file *f, const char *key, const char *text,
		struct config_allow *out)
{
	char copy[256], *save = NULL;
	snprintf(copy, sizeof(copy), "%s", text);
	const char *net = strtok_r(copy, " ", &save), *proto = strtok_r(NULL, " ", &save);
	const char *ports = strtok_r(NULL, " ", &save), *more = strtok_r(NULL, " ", &save);
	struct config_allow a = {.port_lo = 0, .port_hi = 65535};
	if (net == NULL || more != NULL) {
		mistake(f, key, "%s has %s words; expected " CONFIG_ALLOW_FORM, SHOW(text),
			net == NULL ? "no" : "too many");
		return false;
	}
	if (!text_network(f, key, net, &a.net))
		return false;
	if (proto != NULL && !text_proto(f, key, proto, &a.proto))
		return false;
	if (ports != NULL && !proto_has_ports(a.proto)) {
		mistake(f, key,
			"%s has ports, which %s has not; leave them out, or use udp, tcp or "
			"sctp",
			SHOW(text), proto);
		return false;
	}
	if (ports != NULL && !text_port_range(f, key, ports, &a.port_lo, &a.port_hi))
		return false;
	*out = a;
	return true;
}

static unsigned hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10) & 0xf;
}

bool text_key(const struct config_file *f, const char *key, const char *hex, uint8_t *out,
	      size_t len, const char *what)
{
	if (hex[0] == '0' && (hex[1] == 'x' || hex[1] == 'X'))
		hex += 2;
	size_t n = 0;
	while (isxdigit((unsigned char)hex[n]))
		n++;
	if (hex[n] != '\0') {
		mistake(f, key,
			"character %zu is not a hexadecimal digit; expected %zu of them: %s", n + 1,
			2 * len, what);
		return false;
	}
	if (n != 2 * len) {
		mistake(f, key, "has %zu hexadecimal digits; expected %zu: %s", n, 2 * len, what);
		return false;
	}
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	return true;
}

static bool is_pci(const char *t)
{
	static const char form[] = "xxxx:xx:xx.o"; // x: hexadecimal, o: 0..7
	for (size_t i = 0; i < sizeof(form); i++) {
		bool ok = form[i] == 'x'   ? isxdigit((unsigned char)t[i]) != 0
			  : form[i] == 'o' ? t[i] >= '0' && t[i] <= '7'
					   : t[i] == form[i];
		if (!ok)
			return false;
	}
	return true;
}

bool text_device(const struct config_file *f, const char *key, const char *text)
{
	// The rest of a device after its driver; ifname: the name of a network interface.
	static const struct {
		const char *driver;
		bool ifname;
	} drivers[] = {{"af_xdp:", true}, {"af_packet:", true}, {"tap:", true},
		       {"ring:", false},  {"pcap:", false},     {"vdev:net_", false}};
	if (is_pci(text))
		return true;
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++) {
		size_t n = strlen(drivers[i].driver);
		if (strncmp(text, drivers[i].driver, n) != 0)
			continue;
		const char *rest = text + n;
		bool comma = strchr(rest, ',') != NULL && strncmp(text, "pcap:", 5) != 0;
		if (*rest == '\0' || strpbrk(rest, " \t") != NULL) {
			mistake(f, key,
				"%s names nothing, or something with blanks, after the colon; "
				"expected " CONFIG_DEVICE_FORM,
				SHOW(text));
			return false;
		}
		if (drivers[i].ifname &&
		    (strlen(rest) > 15 || strpbrk(rest, "/:") != NULL || comma)) {
			mistake(f, key,
				"%s is not the name of a network interface: 1 to 15 "
				"characters without / : ,",
				SHOW(rest));
			return false;
		}
		if (strncmp(text, "ring:", 5) == 0 &&
		    (strlen(rest) > RING_NAME_MAX || strpbrk(rest, "/:,") != NULL)) {
			mistake(f, key, "%s is not a ring's name: 1 to %d characters without / : ,",
				SHOW(rest), RING_NAME_MAX);
			return false;
		}
		return true;
	}
	mistake(f, key, "%s is not a device; expected " CONFIG_DEVICE_FORM, SHOW(text));
	return false;
}
