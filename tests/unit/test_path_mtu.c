// SPDX-License-Identifier: BSD-3-Clause
#include "ip/path_mtu.h"

#include <criterion/criterion.h>
#include <string.h>

// ICMP 3/4 of 1400 bytes from 198.51.100.1 about ESP from 198.18.10.1 to 203.0.113.9, SPI 0x1001.
static const uint8_t about_esp[] = {
	0x45, 0, 0,    56,   0,   0, 0,    0,    64,  1,
	0,    0, 198,  51,   100, 1, 198,  18,   10,  1, // outer
	3,    4, 0,    0,    0,   0, 5,    0x78,         // ICMP
	0x45, 0, 5,    0xdc, 0,   7, 0x40, 0,    63,  50,
	0,    0, 198,  18,   10,  1, 203,  0,    113, 9, // quoted
	0,    0, 0x10, 1,    0,   0, 0,    1,            // ESP
};

static size_t in_udp(uint8_t *p)
{
	memcpy(p, about_esp, 48);
	p[28 + 9] = 17;
	memcpy(p + 48, (const uint8_t[]){0x11, 0x94, 0x30, 0x39, 0, 100, 0, 0, 0, 0, 0x10, 1}, 12);
	return 60;
}

Test(path_mtu, esp)
{
	struct path_mtu t;

	cr_assert(path_mtu_read(about_esp, sizeof(about_esp), &t));
	cr_expect_eq(t.mtu, 1400);
	cr_expect_eq(t.spi, 0x1001);
	cr_expect_eq(t.sport, 0);
	cr_expect_eq(memcmp(&t.src, about_esp + 40, 4), 0);
	cr_expect_eq(memcmp(&t.dst, about_esp + 44, 4), 0);
}

Test(path_mtu, esp_in_udp)
{
	uint8_t p[60];
	struct path_mtu t;

	cr_assert(path_mtu_read(p, in_udp(p), &t));
	cr_expect_eq(t.sport, 4500);
	cr_expect_eq(t.dport, 12345);
	cr_expect_eq(t.spi, 0x1001);
	memset(p + 56, 0, 4);
	cr_expect_not(path_mtu_read(p, 60, &t), "IKE, not ESP");
}

Test(path_mtu, anything_shorter_is_nothing)
{
	uint8_t p[60];
	struct path_mtu t;

	for (size_t len = 0; len < sizeof(about_esp) - 4; len++)
		cr_expect_not(path_mtu_read(about_esp, len, &t), "%zu bytes", len);
	for (size_t len = 0, all = in_udp(p); len < all; len++)
		cr_expect_not(path_mtu_read(p, len, &t), "in UDP, %zu bytes", len);
}

Test(path_mtu, what_says_something_else)
{
	static const struct {
		unsigned at;
		uint8_t is;
	} other[] = {{0, 0x46},  {0, 0x65},  {0, 0x44},          {9, 17},     {20, 11},    {21, 1},
		     {28, 0x65}, {28, 0x4f}, {28 + 6, 0x20 | 1}, {28 + 9, 6}, {28 + 9, 17}};
	struct path_mtu t;

	for (unsigned i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		uint8_t p[sizeof(about_esp)];
		memcpy(p, about_esp, sizeof(p));
		p[other[i].at] = other[i].is;
		cr_expect_not(path_mtu_read(p, sizeof(p), &t), "byte %u is 0x%02x", other[i].at,
			      other[i].is);
	}
	uint8_t old[sizeof(about_esp)];
	memcpy(old, about_esp, sizeof(old));
	old[26] = old[27] = 0;
	cr_expect_not(path_mtu_read(old, sizeof(old), &t), "a router that says no MTU");
}
