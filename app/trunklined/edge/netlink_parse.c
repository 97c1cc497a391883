// SPDX-License-Identifier: BSD-3-Clause
#include "netlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

struct attrs {
	const struct nlattr *tb[RTA_MAX + 1];
};

static int attr_note(const struct nlattr *attr, void *ctx)
{
	struct attrs *a = ctx;
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= RTA_MAX)
		a->tb[type] = attr;
	return MNL_CB_OK;
}

// True if the attribute is there with exactly four bytes.
static bool attr_u32(const struct nlattr *attr, uint32_t *out)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != sizeof(*out))
		return false;
	memcpy(out, mnl_attr_get_payload(attr), sizeof(*out));
	return true;
}

static void hop_add(struct nl_route *r, uint32_t flags, int ifindex, const struct attrs *a)
{
	uint32_t gateway = 0;

	if ((flags & RTNH_F_DEAD) || r->n_hops == NL_HOPS_MAX || ifindex <= 0)
		return;
	if (a->tb[RTA_VIA] != NULL) // a gateway of the other family
		return;
	if (a->tb[RTA_GATEWAY] != NULL && !attr_u32(a->tb[RTA_GATEWAY], &gateway))
		return;
	r->hop[r->n_hops].ifindex = ifindex;
	r->hop[r->n_hops].gateway = gateway;
	r->n_hops++;
}

static int multipath_parse(const struct nlattr *attr, struct nl_route *r)
{
	const uint8_t *at = mnl_attr_get_payload(attr);
	size_t left = mnl_attr_get_payload_len(attr);

	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop nh;
		struct attrs a = {0};
		memcpy(&nh, at, sizeof(nh));
		if (nh.rtnh_len < sizeof(nh) || nh.rtnh_len > left)
			return -EBADMSG;
		if (mnl_attr_parse_payload(at + sizeof(nh), nh.rtnh_len - sizeof(nh), attr_note,
					   &a) < 0)
			return -EBADMSG;
		hop_add(r, nh.rtnh_flags, nh.rtnh_ifindex, &a);
		size_t step = RTNH_ALIGN(nh.rtnh_len);
		step = step < left ? step : left;
		at += step;
		left -= step;
	}
	return 0;
}

static void metrics_parse(const struct nlattr *attr, struct nl_route *r)
{
	struct attrs a = {0};

	if (attr != NULL && mnl_attr_parse_nested(attr, attr_note, &a) >= 0)
		attr_u32(a.tb[RTAX_MTU], &r->mtu);
}

int nl_route_parse(const struct nlmsghdr *msg, struct nl_route *out)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(msg);
	struct attrs a = {0};
	uint32_t oif = 0;

	memset(out, 0, sizeof(*out));
	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*rtm))
		return -EBADMSG;
	if (rtm->rtm_family != AF_INET)
		return -EAFNOSUPPORT;
	if (rtm->rtm_flags & RTM_F_CLONED)
		return -ENOENT;
	if (rtm->rtm_dst_len > 32 || mnl_attr_parse(msg, sizeof(*rtm), attr_note, &a) < 0)
		return -EBADMSG;
	out->len = rtm->rtm_dst_len;
	out->type = rtm->rtm_type;
	out->protocol = rtm->rtm_protocol;
	out->tos = rtm->rtm_tos;
	out->replace = (msg->nlmsg_flags & NLM_F_REPLACE) != 0;
	out->beside = (msg->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL)) == NLM_F_CREATE;
	out->table = rtm->rtm_table;
	attr_u32(a.tb[RTA_TABLE], &out->table);
	attr_u32(a.tb[RTA_PRIORITY], &out->metric);
	if (a.tb[RTA_DST] != NULL ? !attr_u32(a.tb[RTA_DST], &out->dst) : out->len != 0)
		return -EBADMSG;
	metrics_parse(a.tb[RTA_METRICS], out);
	if (a.tb[RTA_MULTIPATH] != NULL)
		return multipath_parse(a.tb[RTA_MULTIPATH], out);
	if (attr_u32(a.tb[RTA_OIF], &oif))
		hop_add(out, rtm->rtm_flags, (int)oif, &a);
	return 0;
}

int nl_neigh_parse(const struct nlmsghdr *msg, struct nl_neigh *out)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(msg);
	struct attrs a = {0};

	memset(out, 0, sizeof(*out));
	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*ndm))
		return -EBADMSG;
	if (ndm->ndm_family != AF_INET)
		return -EAFNOSUPPORT;
	if (mnl_attr_parse(msg, sizeof(*ndm), attr_note, &a) < 0)
		return -EBADMSG;
	if (ndm->ndm_flags & NTF_PROXY)
		return -ENOENT;
	if (!attr_u32(a.tb[NDA_DST], &out->ip))
		return -EBADMSG;
	out->ifindex = ndm->ndm_ifindex;
	out->state = ndm->ndm_state;
	const struct nlattr *mac = a.tb[NDA_LLADDR];
	if (mac != NULL && mnl_attr_get_payload_len(mac) == sizeof(out->mac)) {
		out->has_mac = true;
		memcpy(&out->mac, mnl_attr_get_payload(mac), sizeof(out->mac));
	}
	return 0;
}

int nl_ifindex(const struct nlmsghdr *msg)
{
	size_t len = mnl_nlmsg_get_payload_len(msg);

	if (msg->nlmsg_type == RTM_NEWLINK || msg->nlmsg_type == RTM_DELLINK) {
		const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(msg);
		return len >= sizeof(*ifi) ? ifi->ifi_index : 0;
	}
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(msg);
	return len >= sizeof(*ifa) ? (int)ifa->ifa_index : 0;
}
