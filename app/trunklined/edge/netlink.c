// SPDX-License-Identifier: BSD-3-Clause
#include "netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define ANSWER_SIZE 65536
#define ANSWER_S 2 // an answer that takes longer will not come

int nl_open(struct nl *nl, struct err *err)
{
	int on = 1;

	nl->seq = 0;
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (nl->sock == NULL)
		return err_set(err, -errno, "netlink: %s", strerror(errno));
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) != 0) {
		int rc = err_set(err, -errno, "netlink: %s", strerror(errno));
		nl_close(nl);
		return rc;
	}
	struct timeval limit = {.tv_sec = ANSWER_S};
	setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

void nl_close(struct nl *nl)
{
	if (nl->sock != NULL)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

static int answers_read(struct nl *nl, void *buf, uint32_t seq, mnl_cb_t cb, void *ctx)
{
	unsigned port_id = mnl_socket_get_portid(nl->sock);

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(nl->sock, buf, ANSWER_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		// What is left of an earlier request that was given up has another number.
		const struct nlmsghdr *first = buf;
		if (n >= (ssize_t)sizeof(*first) && first->nlmsg_seq != seq)
			continue;
		int rc = mnl_cb_run(buf, (size_t)n, seq, port_id, cb, ctx);
		if (rc == MNL_CB_STOP)
			return 0;
		if (rc == MNL_CB_ERROR)
			return errno == 0 ? -EPROTO : -errno;
	}
}

int nl_talk(struct nl *nl, struct nlmsghdr *msg, mnl_cb_t cb, void *ctx)
{
	void *buf = malloc(ANSWER_SIZE);

	if (buf == NULL)
		return -ENOMEM;
	msg->nlmsg_seq = ++nl->seq;
	int rc = 0;
	if (mnl_socket_sendto(nl->sock, msg, msg->nlmsg_len) < 0)
		rc = -errno;
	else
		rc = answers_read(nl, buf, msg->nlmsg_seq, cb, ctx);
	free(buf);
	return rc;
}

static struct nlmsghdr *request(void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);

	msg->nlmsg_type = type;
	msg->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return msg;
}

int nl_dump(struct nl *nl, uint16_t type, mnl_cb_t cb, void *ctx)
{
	char buf[256];
	struct nlmsghdr *msg = request(buf, type, NLM_F_DUMP);

	// Longer than any of the family headers: the kernel takes what it needs.
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(msg, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	return nl_talk(nl, msg, cb, ctx);
}

static struct nlmsghdr *link_request(void *buf, int ifindex)
{
	struct nlmsghdr *msg = request(buf, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(msg, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = ifindex;
	return msg;
}

int nl_link_setup(struct nl *nl, int ifindex, const struct rte_ether_addr *mac, uint32_t mtu,
		  uint32_t txqlen)
{
	char buf[512];
	struct nlmsghdr *msg = link_request(buf, ifindex);

	mnl_attr_put(msg, IFLA_ADDRESS, sizeof(*mac), mac);
	mnl_attr_put_u32(msg, IFLA_MTU, mtu);
	mnl_attr_put_u32(msg, IFLA_TXQLEN, txqlen);
	return nl_talk(nl, msg, NULL, NULL);
}

int nl_link_no_ipv6(struct nl *nl, int ifindex)
{
	char buf[512];
	struct nlmsghdr *msg = link_request(buf, ifindex);
	struct nlattr *spec = mnl_attr_nest_start(msg, IFLA_AF_SPEC);
	struct nlattr *v6 = mnl_attr_nest_start(msg, AF_INET6);

	mnl_attr_put_u8(msg, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(msg, v6);
	mnl_attr_nest_end(msg, spec);
	return nl_talk(nl, msg, NULL, NULL);
}

int nl_link_up(struct nl *nl, int ifindex)
{
	char buf[512];
	struct nlmsghdr *msg = link_request(buf, ifindex);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(msg);

	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	return nl_talk(nl, msg, NULL, NULL);
}

int nl_addr_add(struct nl *nl, int ifindex, const struct ip_prefix *addr)
{
	char buf[512];
	struct nlmsghdr *msg = request(buf, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(msg, sizeof(*ifa));
	uint32_t ip = addr->addr.v4.s_addr;

	if (addr->addr.family != AF_INET)
		return -EAFNOSUPPORT;
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = addr->len;
	ifa->ifa_index = (uint32_t)ifindex;
	mnl_attr_put_u32(msg, IFA_LOCAL, ip);
	mnl_attr_put_u32(msg, IFA_ADDRESS, ip);
	if (addr->len < 31)
		mnl_attr_put_u32(msg, IFA_BROADCAST, ip | htonl(~0u >> addr->len));
	return nl_talk(nl, msg, NULL, NULL);
}

int nl_route_change(struct nl *nl, bool add, uint32_t dst, uint8_t len, int ifindex, uint8_t proto)
{
	char buf[512];
	struct nlmsghdr *msg = request(buf, add ? RTM_NEWROUTE : RTM_DELROUTE,
				       add ? NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL : NLM_F_ACK);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(msg, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = proto;
	rtm->rtm_scope = RT_SCOPE_LINK;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(msg, RTA_DST, dst);
	mnl_attr_put_u32(msg, RTA_PRIORITY, NL_ROUTE_METRIC);
	mnl_attr_put_u32(msg, RTA_OIF, (uint32_t)ifindex);
	return nl_talk(nl, msg, NULL, NULL);
}

struct nlmsghdr *nl_neigh_use(void *buf, int ifindex, uint32_t ip)
{
	struct nlmsghdr *msg = request(buf, RTM_NEWNEIGH, NLM_F_CREATE);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(msg, sizeof(*ndm));

	ndm->ndm_family = AF_INET;
	ndm->ndm_ifindex = ifindex;
	ndm->ndm_state = NUD_NONE;
	ndm->ndm_flags = NTF_USE;
	mnl_attr_put_u32(msg, NDA_DST, ip);
	return msg;
}
