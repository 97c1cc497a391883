// SPDX-License-Identifier: BSD-3-Clause
#include "base/net.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	cr_assert_eq(ip_addr_parse(text, &a), 0, "%s", text);
	return a;
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	cr_assert_eq(ip_prefix_parse(text, &p), 0, "%s", text);
	return p;
}

Test(net, addresses_in_and_out)
{
	const char *good[][2] = {
		{"0.0.0.0", "0.0.0.0"},
		{"198.18.10.1", "198.18.10.1"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"2001:DB8::0001", "2001:db8::1"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8:1111:2222:3333:4444:5555:6666",
		 "2001:db8:1111:2222:3333:4444:5555:6666"},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char buf[IP_ADDR_STRLEN];
		struct ip_addr a = addr(good[i][0]);
		cr_expect_str_eq(ip_addr_str(&a, buf), good[i][1]);
	}
	const char *bad[] = {"",
			     "1.2.3",
			     "1.2.3.4.5",
			     "256.1.1.1",
			     "1.2.3.4 ",
			     " 1.2.3.4",
			     "1.2.3.4/32",
			     "host",
			     "1.2.3.4:5",
			     "12345::",
			     "1::2::3",
			     "0x1.2.3.4",
			     "1.2.3.-4",
			     "fe80::1%eth0",
			     "2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ip_addr a = {.family = 99};
		cr_expect_eq(ip_addr_parse(bad[i], &a), -EINVAL, "\"%s\"", bad[i]);
		cr_expect_eq(a.family, 99, "left alone");
	}
	char buf[IP_ADDR_STRLEN];
	cr_expect_str_eq(ip_addr_str(&(struct ip_addr){0}, buf), "none");
}

Test(net, prefixes_in_and_out)
{
	const char *good[][2] = {
		{"198.18.10.0/24", "198.18.10.0/24"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"192.0.2.1", "192.0.2.1/32"},
		{"192.0.2.1/32", "192.0.2.1/32"},
		{"192.0.2.128/25", "192.0.2.128/25"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"::1", "::1/128"},
		{"::/0", "::/0"},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char buf[IP_PREFIX_STRLEN];
		struct ip_prefix p = prefix(good[i][0]);
		cr_expect_str_eq(ip_prefix_str(&p, buf), good[i][1]);
	}
	const struct {
		const char *text;
		int error;
	} bad[] = {
		{"", -EINVAL},
		{"/8", -EINVAL},
		{"10.0.0.0/", -EINVAL},
		{"10.0.0.0/33", -EINVAL},
		{"10.0.0.0/-1", -EINVAL},
		{"10.0.0.0/ 8", -EINVAL},
		{"10.0.0.0/08", -EINVAL},
		{"10.0.0.0/8 ", -EINVAL},
		{"10.0.0.0/8/8", -EINVAL},
		{"10.0.0.0/99999999999", -EINVAL},
		{"10/8", -EINVAL},
		{"::/129", -EINVAL},
		{"10.0.0.1/24", -ERANGE},
		{"192.0.2.1/31", -ERANGE},
		{"0.0.0.1/0", -ERANGE},
		{"2001:db8::1/64", -ERANGE},
		{"128.0.0.0/0", -ERANGE},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ip_prefix p = {.len = 99};
		cr_expect_eq(ip_prefix_parse(bad[i].text, &p), bad[i].error, "\"%s\"", bad[i].text);
		cr_expect_eq(p.len, 99, "left alone");
	}
}

Test(net, endpoints_in_and_out)
{
	const char *good[][2] = {
		{"192.0.2.1:4500", "192.0.2.1:4500"},
		{"192.0.2.1:1", "192.0.2.1:1"},
		{"192.0.2.1:65535", "192.0.2.1:65535"},
		{"[2001:db8::1]:4500", "[2001:db8::1]:4500"},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char buf[IP_ENDPOINT_STRLEN];
		struct ip_endpoint e;
		cr_assert_eq(ip_endpoint_parse(good[i][0], &e), 0, "%s", good[i][0]);
		cr_expect_str_eq(ip_endpoint_str(&e, buf), good[i][1]);
	}
	const char *bad[] = {"",
			     "192.0.2.1",
			     "192.0.2.1:",
			     "192.0.2.1:0",
			     "192.0.2.1:65536",
			     "192.0.2.1:05",
			     "192.0.2.1:+5",
			     "192.0.2.1: 5",
			     "192.0.2.1:5:6",
			     ":5",
			     "[192.0.2.1]:5",
			     "2001:db8::1:5",
			     "[2001:db8::1]",
			     "[2001:db8::1]5",
			     "[2001:db8::1:5",
			     "[]:5",
			     "[",
			     "host:5"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ip_endpoint e = {.port = 99};
		cr_expect_eq(ip_endpoint_parse(bad[i], &e), -EINVAL, "\"%s\"", bad[i]);
		cr_expect_eq(e.port, 99, "left alone");
	}
	char longest[] = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535";
	char buf[IP_ENDPOINT_STRLEN];
	struct ip_endpoint e;
	cr_assert_eq(ip_endpoint_parse(longest, &e), 0);
	cr_expect_str_eq(ip_endpoint_str(&e, buf), longest);
	cr_expect_str_eq(ip_endpoint_str(&(struct ip_endpoint){0}, buf), "none");
}

Test(net, equal_contains_overlaps)
{
	const struct {
		const char *p, *a;
		bool in;
	} row[] = {
		{"198.18.0.0/15", "198.19.255.255", true},
		{"198.18.0.0/15", "198.20.0.0", false},
		{"198.18.0.0/15", "198.17.255.255", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"203.0.113.9/32", "203.0.113.9", true},
		{"203.0.113.9/32", "203.0.113.8", false},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "1.2.3.4", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
	};
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct ip_prefix p = prefix(row[i].p);
		struct ip_addr a = addr(row[i].a);
		cr_expect_eq(ip_prefix_contains(&p, &a), row[i].in, "%s %s", row[i].p, row[i].a);
	}
	const struct {
		const char *a, *b;
		bool both;
	} pair[] = {
		{"10.0.0.0/8", "10.1.0.0/16", true},    {"10.0.0.0/9", "10.128.0.0/9", false},
		{"0.0.0.0/0", "1.1.1.1/32", true},      {"0.0.0.0/0", "::/0", false},
		{"192.0.2.0/25", "192.0.2.0/24", true}, {"2001:db8::/32", "2001:db9::/32", false},
	};
	for (size_t i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
		struct ip_prefix a = prefix(pair[i].a), b = prefix(pair[i].b);
		cr_expect_eq(ip_prefix_overlaps(&a, &b), pair[i].both, "%s %s", pair[i].a,
			     pair[i].b);
		cr_expect_eq(ip_prefix_overlaps(&b, &a), pair[i].both, "%s %s", pair[i].b,
			     pair[i].a);
	}
	struct ip_addr a = addr("1.2.3.4"), b = addr("1.2.3.5"), c = addr("::1"), d = addr("::1");
	cr_expect(ip_addr_equal(&a, &a) && ip_addr_equal(&c, &d));
	cr_expect_not(ip_addr_equal(&a, &b) || ip_addr_equal(&a, &c));
	struct ip_addr none = {0};
	struct ip_prefix none_p = {0};
	cr_expect(ip_addr_equal(&none, &none));
	cr_expect_not(ip_prefix_contains(&none_p, &none));
}

Test(net, special_purpose_networks)
{
	// First and last address of each network, and its neighbours, which are public.
	const struct {
		const char *first, *last, *before, *after, *word;
	} row[] = {
		{"0.0.0.0", "0.255.255.255", NULL, "1.0.0.0", "1122"},
		{"10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0", "1918"},
		{"100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0", "6598"},
		{"127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0", "loopback"},
		{"169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0", "3927"},
		{"172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0", "1918"},
		{"192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0", "IETF"},
		{"192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0", "6to4"},
		{"192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0", "1918"},
		{"224.0.0.0", "239.255.255.255", "223.255.255.255", NULL, "5771"},
		{"240.0.0.0", "255.255.255.254", NULL, NULL, "reserved"},
		{"255.255.255.255", "255.255.255.255", NULL, NULL, "broadcast"},
		{"::", "::", NULL, "::2", "unspecified"},
		{"::1", "::1", NULL, "::2", "loopback"},
		{"::ffff:0.0.0.0", "::ffff:255.255.255.255", NULL, NULL, "mapped"},
		{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b::1",
		 "64:ff9b:2::", "8215"},
		{"100::", "100::ffff:ffff:ffff:ffff", NULL, "100:0:0:1::", "6666"},
		{"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
		 "2000:ffff::", "2001:1::", "Teredo"},
		{"2001:10::", "2001:1f:ffff::", "2001:f::", NULL, "4843"},
		{"2001:20::", "2001:2f:ffff::", NULL, "2001:30::", "7343"},
		{"2002::", "2002:ffff::1", "2001:ffff::", "2003::", "3056"},
		{"5f00::", "5f00:ffff::1", "5eff::", "5f01::", "9602"},
		{"fc00::", "fdff:ffff::", "fbff::", NULL, "4193"},
		{"fe80::", "febf::1", NULL, NULL, "link-local"},
		{"fec0::", "feff::1", NULL, NULL, "site-local"},
		{"ff00::", "ffff::1", NULL, NULL, "multicast"},
	};
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const char *in[] = {row[i].first, row[i].last};
		const char *out[] = {row[i].before, row[i].after};
		for (int j = 0; j < 2; j++) {
			struct ip_prefix p = prefix(in[j]);
			const char *why = ip_prefix_not_public(&p);
			cr_assert_not_null(why, "%s", in[j]);
			cr_expect_not_null(strstr(why, row[i].word), "%s: %s", in[j], why);
			if (out[j] == NULL)
				continue;
			p = prefix(out[j]);
			why = ip_prefix_not_public(&p);
			cr_expect_null(why, "%s: %s", out[j], why);
		}
	}
}

Test(net, whole_prefixes_are_public_or_not)
{
	const char *public[] = {"192.0.2.0/24",  "198.51.100.0/24", "203.0.113.0/24",
				"198.18.0.0/15", "8.8.8.0/24",      "2001:db8::/32",
				"3fff::/20",     "2606:4700::/32",  "192.31.196.0/24"};
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
		struct ip_prefix p = prefix(public[i]);
		const char *why = ip_prefix_not_public(&p);
		cr_expect_null(why, "%s: %s", public[i], why);
	}
	const char * not [] = {"0.0.0.0/0",   "172.20.0.0/16", "172.0.0.0/8",
			       "192.0.0.0/8", "::/0",          "fd00:1::/32"};
	for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++) {
		struct ip_prefix p = prefix(not [i]);
		cr_expect_not_null(ip_prefix_not_public(&p), "%s", not [i]);
	}
	struct ip_prefix p = prefix("172.20.0.0/16");
	cr_expect_str_eq(ip_prefix_not_public(&p), "private (RFC 1918)");
	cr_expect_not_null(ip_prefix_not_public(&(struct ip_prefix){0}));
}
