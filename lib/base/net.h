// SPDX-License-Identifier: BSD-3-Clause
// Addresses as the control side holds them: either family, network byte order inside.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// An IPv4 or IPv6 address. family is AF_INET, AF_INET6, or 0 for "none".
struct ip_addr {
	uint8_t family;
	union {
		struct in_addr v4; // network byte order
		struct in6_addr v6;
	};
};

// An address with a prefix length (0..32 or 0..128); bits beyond the length are zero.
struct ip_prefix {
	struct ip_addr addr;
	uint8_t len;
};

// An address and a UDP port; port in host byte order, 0 for "any" or "not known yet".
struct ip_endpoint {
	struct ip_addr addr;
	uint16_t port;
};

#define IP_ADDR_STRLEN 46
#define IP_PREFIX_STRLEN 50
#define IP_ENDPOINT_STRLEN 54

// Each parser takes exactly the whole text and returns 0, or -EINVAL and leaves *out alone.
int ip_addr_parse(const char *text, struct ip_addr *out);
// Accepts "a.b.c.d/len"; a bare address is /32. Bits set beyond the length: -ERANGE.
int ip_prefix_parse(const char *text, struct ip_prefix *out);
// Accepts "a.b.c.d:port" and "[v6]:port", port 1..65535.
int ip_endpoint_parse(const char *text, struct ip_endpoint *out);

// Each printer writes a NUL-terminated text to buf (of the size named above) and returns buf.
char *ip_addr_str(const struct ip_addr *a, char buf[static IP_ADDR_STRLEN]);
char *ip_prefix_str(const struct ip_prefix *p, char buf[static IP_PREFIX_STRLEN]);
char *ip_endpoint_str(const struct ip_endpoint *e, char buf[static IP_ENDPOINT_STRLEN]);

bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b);
bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);
bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);

// Why an address is no public unicast address ("private (RFC 1918)", "loopback (RFC 1122)",
// "multicast (RFC 5771)", ...), from the IANA special-purpose registries; NULL if it is one. A
// prefix that overlaps such a network at all is not public: 0.0.0.0/0 is not. Documentation
// (RFC 5737) and benchmarking (RFC 2544) networks count as public, so that examples and
// laboratories can use them.
const char *ip_prefix_not_public(const struct ip_prefix *p);
