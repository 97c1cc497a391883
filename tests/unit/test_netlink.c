// SPDX-License-Identifier: BSD-3-Clause
// Canned rtnetlink messages, good and bad.
#include "edge/netlink.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

static uint32_t ip(const char *text)
{
	return inet_addr(text);
}

static struct nlmsghdr *route_start(void *buf, uint8_t len)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
	struct rtmsg *r = mnl_nlmsg_put_extra_header(m, sizeof(*r));

	m->nlmsg_type = RTM_NEWROUTE;
	r->rtm_family = AF_INET;
	r->rtm_dst_len = len;
	r->rtm_table = RT_TABLE_MAIN;
	r->rtm_type = RTN_UNICAST;
	r->rtm_protocol = RTPROT_BOOT;
	return m;
}

static struct rtmsg *rtm_of(struct nlmsghdr *m)
{
	return mnl_nlmsg_get_payload(m);
}

Test(nl_route, by_a_gateway)
{
	char buf[512] __attribute__((aligned(4)));
	struct nlmsghdr *m = route_start(buf, 24);
	struct nl_route r;

	m->nlmsg_flags = NLM_F_REPLACE;
	mnl_attr_put_u32(m, RTA_DST, ip("198.51.100.0"));
	mnl_attr_put_u32(m, RTA_GATEWAY, ip("192.0.2.1"));
	mnl_attr_put_u32(m, RTA_OIF, 7);
	mnl_attr_put_u32(m, RTA_PRIORITY, 20);
	mnl_attr_put_u32(m, RTA_TABLE, 300);
	struct nlattr *metrics = mnl_attr_nest_start(m, RTA_METRICS);
	mnl_attr_put_u32(m, RTAX_MTU, 1400);
	mnl_attr_nest_end(m, metrics);
	cr_assert_eq(nl_route_parse(m, &r), 0);
	cr_expect_eq(r.dst, ip("198.51.100.0"));
	cr_expect_eq(r.len, 24);
	cr_expect_eq(r.n_hops, 1);
	cr_expect_eq(r.hop[0].ifindex, 7);
	cr_expect_eq(r.hop[0].gateway, ip("192.0.2.1"));
	cr_expect_eq(r.metric, 20);
	cr_expect_eq(r.table, 300);
	cr_expect_eq(r.mtu, 1400);
	cr_expect(r.replace);
}

Test(nl_route, default_route_has_no_destination)
{
	char buf[512] __attribute__((aligned(4)));
	struct nlmsghdr *m = route_start(buf, 0);
	struct nl_route r;

	mnl_attr_put_u32(m, RTA_OIF, 7);
	cr_assert_eq(nl_route_parse(m, &r), 0);
	cr_expect_eq(r.dst, 0);
	cr_expect_eq(r.hop[0].gateway, 0);
	cr_expect_eq(r.table, RT_TABLE_MAIN);
	rtm_of(m)->rtm_dst_len = 8;
	cr_expect_eq(nl_route_parse(m, &r), -EBADMSG);
}

static void hop_put(struct nlmsghdr *m, int ifindex, uint32_t gateway, uint8_t flags)
{
	struct rtnexthop *nh = mnl_nlmsg_get_payload_tail(m);
	uint32_t before = m->nlmsg_len;

	memset(nh, 0, sizeof(*nh));
	nh->rtnh_ifindex = ifindex;
	nh->rtnh_flags = flags;
	m->nlmsg_len += sizeof(*nh);
	mnl_attr_put_u32(m, RTA_GATEWAY, gateway);
	nh->rtnh_len = (uint16_t)(m->nlmsg_len - before);
}

Test(nl_route, several_hops)
{
	char buf[512] __attribute__((aligned(4)));
	struct nlmsghdr *m = route_start(buf, 0);
	struct nl_route r;

	struct nlattr *nest = mnl_attr_nest_start(m, RTA_MULTIPATH);
	hop_put(m, 3, ip("192.0.2.1"), 0);
	hop_put(m, 4, ip("192.0.2.2"), RTNH_F_DEAD);
	hop_put(m, 5, ip("192.0.2.3"), RTNH_F_LINKDOWN);
	mnl_attr_nest_end(m, nest);
	cr_assert_eq(nl_route_parse(m, &r), 0);
	cr_assert_eq(r.n_hops, 2);
	cr_expect_eq(r.hop[1].ifindex, 5);
	cr_expect_eq(r.hop[1].gateway, ip("192.0.2.3"));
}

Test(nl_route, hops_whose_length_lies)
{
	static const uint16_t lies[] = {0, 1, 7, 200, 65535};
	char buf[512] __attribute__((aligned(4)));
	struct nl_route r;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct nlmsghdr *m = route_start(buf, 0);
		struct nlattr *nest = mnl_attr_nest_start(m, RTA_MULTIPATH);
		struct rtnexthop *nh = mnl_nlmsg_get_payload_tail(m);
		hop_put(m, 3, ip("192.0.2.1"), 0);
		mnl_attr_nest_end(m, nest);
		nh->rtnh_len = lies[i];
		cr_expect_eq(nl_route_parse(m, &r), -EBADMSG, "%u", lies[i]);
	}
}

Test(nl_route, others)
{
	char buf[512] __attribute__((aligned(4)));
	struct nlmsghdr *m = route_start(buf, 24);
	struct nl_route r;

	mnl_attr_put_u32(m, RTA_DST, ip("198.51.100.0"));
	mnl_attr_put_u32(m, RTA_OIF, 7);
	rtm_of(m)->rtm_family = AF_INET6;
	cr_expect_eq(nl_route_parse(m, &r), -EAFNOSUPPORT);
	rtm_of(m)->rtm_family = AF_INET;
	rtm_of(m)->rtm_flags = RTM_F_CLONED;
	cr_expect_eq(nl_route_parse(m, &r), -ENOENT);
	rtm_of(m)->rtm_flags = 0;
	rtm_of(m)->rtm_dst_len = 33;
	cr_expect_eq(nl_route_parse(m, &r), -EBADMSG);
	rtm_of(m)->rtm_dst_len = 24;
	cr_expect_eq(nl_route_parse(m, &r), 0);
	m->nlmsg_len = NLMSG_HDRLEN + 4;
	cr_expect_eq(nl_route_parse(m, &r), -EBADMSG);
}

Test(nl_route, gateway_of_the_other_family_is_left_out)
{
	char buf[512] __attribute__((aligned(4)));
	struct nlmsghdr *m = route_start(buf, 0);
	uint8_t via[18] = {AF_INET6};
	struct nl_route r;

	mnl_attr_put_u32(m, RTA_OIF, 7);
	mnl_attr_put(m, RTA_VIA, sizeof(via), via);
	cr_assert_eq(nl_route_parse(m, &r), 0);
	cr_expect_eq(r.n_hops, 0);
}

Test(nl_route, attribute_of_the_wrong_size)
{
	char buf[512] __attribute__((aligned(4)));
	struct nlmsghdr *m = route_start(buf, 24);
	struct nl_route r;

	mnl_attr_put_u16(m, RTA_DST, 1);
	cr_expect_eq(nl_route_parse(m, &r), -EBADMSG);
}

// As the kernel sets them for ip route add, append, prepend and replace, and in a dump.
Test(nl_route, flags)
{
	static const struct {
		uint16_t flags;
		bool beside, replace;
	} t[] = {
		{NLM_F_CREATE | NLM_F_EXCL, false, false},
		{NLM_F_CREATE | NLM_F_APPEND, true, false},
		{NLM_F_CREATE, true, false},
		{NLM_F_REPLACE, false, true},
		{NLM_F_MULTI, false, false},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char buf[512] __attribute__((aligned(4)));
		struct nlmsghdr *m = route_start(buf, 0);
		struct nl_route r;
		m->nlmsg_flags = t[i].flags;
		cr_assert_eq(nl_route_parse(m, &r), 0);
		cr_expect_eq(r.beside, t[i].beside, "%zu", i);
		cr_expect_eq(r.replace, t[i].replace, "%zu", i);
	}
}

Test(nl_neigh, parse)
{
	char buf[512] __attribute__((aligned(4)));
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
	struct ndmsg *n = mnl_nlmsg_put_extra_header(m, sizeof(*n));
	struct nl_neigh out;

	n->ndm_family = AF_INET;
	n->ndm_ifindex = 7;
	n->ndm_state = NUD_STALE;
	cr_expect_eq(nl_neigh_parse(m, &out), -EBADMSG);
	mnl_attr_put_u32(m, NDA_DST, ip("192.0.2.1"));
	cr_assert_eq(nl_neigh_parse(m, &out), 0);
	cr_expect(!out.has_mac);
	mnl_attr_put(m, NDA_LLADDR, sizeof(mac), mac);
	cr_assert_eq(nl_neigh_parse(m, &out), 0);
	cr_expect(out.has_mac);
	cr_expect_arr_eq(&out.mac, mac, 6);
	cr_expect_eq(out.state, NUD_STALE);
	cr_expect_eq(out.ifindex, 7);
	n->ndm_flags = NTF_PROXY;
	cr_expect_eq(nl_neigh_parse(m, &out), -ENOENT);
	n->ndm_family = AF_BRIDGE;
	cr_expect_eq(nl_neigh_parse(m, &out), -EAFNOSUPPORT);
}

Test(nl_neigh, request)
{
	char buf[NL_USE_SIZE] __attribute__((aligned(4)));
	struct nlmsghdr *m = nl_neigh_use(buf, 7, ip("192.0.2.1"));
	const struct ndmsg *n = mnl_nlmsg_get_payload(m);
	struct nl_neigh out;

	cr_assert_leq(m->nlmsg_len, sizeof(buf));
	cr_expect_eq(m->nlmsg_type, RTM_NEWNEIGH);
	cr_expect_eq(m->nlmsg_flags & NLM_F_ACK, 0);
	cr_expect_eq(n->ndm_flags, NTF_USE);
	cr_assert_eq(nl_neigh_parse(m, &out), 0);
	cr_expect_eq(out.ip, ip("192.0.2.1"));
}
