/* rtnl_parse - see rtnl_parse.h. */
#include "lib/netlink/rtnl_parse.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define ATTRS_MAX 64 /* newer kernels may send higher numbers: they mean nothing to us */

struct attrs {
	const struct nlattr *of[ATTRS_MAX];
};

static void attrs_note(struct attrs *attrs, const struct nlattr *attr)
{
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ATTRS_MAX)
		attrs->of[type] = attr;
}

/* The fixed part of the message, and its attributes by number; NULL if the message is too short for the fixed part. */
static const void *attrs_of_message(const struct nlmsghdr *message, size_t fixed_size, struct attrs *ret_attrs)
{
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(message) < fixed_size)
		return NULL;
	memset(ret_attrs, 0, sizeof(*ret_attrs));
	mnl_attr_for_each(attr, message, fixed_size)
		attrs_note(ret_attrs, attr);
	return mnl_nlmsg_get_payload(message);
}

/* Copies exactly n bytes. An absent attribute leaves *ret as it is; one of another length is an error. */
static int attr_bytes(const struct attrs *attrs, uint16_t type, void *ret, size_t n)
{
	const struct nlattr *attr = attrs->of[type];

	if (!attr)
		return 0;
	if (mnl_attr_get_payload_len(attr) != n)
		return -EPROTO;
	memcpy(ret, mnl_attr_get_payload(attr), n);
	return 0;
}

/* A text that must end with NUL inside the attribute and fit. */
static int attr_text(const struct nlattr *attr, char *ret, size_t size)
{
	size_t n;

	if (!attr)
		return 0;
	n = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	if (n == mnl_attr_get_payload_len(attr) || n >= size)
		return -EPROTO;
	memcpy(ret, mnl_attr_get_payload(attr), n + 1);
	return 0;
}

static int attr_mac(const struct attrs *attrs, uint16_t type, uint8_t ret_mac[6], bool *ret_has_mac)
{
	const struct nlattr *attr = attrs->of[type];

	/* tunnels have addresses of other lengths, or none */
	*ret_has_mac = attr && mnl_attr_get_payload_len(attr) == 6;
	if (*ret_has_mac)
		memcpy(ret_mac, mnl_attr_get_payload(attr), 6);
	return 0;
}

int rtnl_parse_verdict(const struct nlmsghdr *message, int *ret_error, char *ret_text, size_t text_size)
{
	size_t len = mnl_nlmsg_get_payload_len(message), offset;
	const struct nlattr *attr;
	int32_t error = 0;

	ret_text[0] = '\0';
	if (message->nlmsg_type == NLMSG_ERROR) {
		struct nlmsgerr verdict;

		if (len < sizeof(verdict))
			return -EPROTO;
		memcpy(&verdict, mnl_nlmsg_get_payload(message), sizeof(verdict));
		error = verdict.error;
		offset = sizeof(verdict);
		if (!(message->nlmsg_flags & NLM_F_CAPPED) && verdict.msg.nlmsg_len > NLMSG_HDRLEN)
			offset += NLMSG_ALIGN((size_t)verdict.msg.nlmsg_len - NLMSG_HDRLEN);
	} else {
		offset = NLMSG_ALIGN(sizeof(error));
		if (len >= sizeof(error))
			memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
	}
	if (error > 0 || error < -4095)
		return -EPROTO;
	if (message->nlmsg_flags & NLM_F_ACK_TLVS && offset < len)
		mnl_attr_for_each(attr, message, offset)
			if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
				snprintf(ret_text, text_size, "%.*s", (int)mnl_attr_get_payload_len(attr),
					 (const char *)mnl_attr_get_payload(attr));
	*ret_error = error;
	return 0;
}

static int parse_link_kind(const struct nlattr *info, char *ret_kind, size_t size)
{
	const struct nlattr *attr;

	if (info)
		mnl_attr_for_each_nested(attr, info)
			if (mnl_attr_get_type(attr) == IFLA_INFO_KIND && attr_text(attr, ret_kind, size) < 0)
				return -EPROTO;
	return 0;
}

int rtnl_parse_link(const struct nlmsghdr *message, struct rtnl_link *ret_link)
{
	struct rtnl_link link = { .link_netnsid = -1 };
	const struct ifinfomsg *info;
	struct attrs attrs;

	info = attrs_of_message(message, sizeof(*info), &attrs);
	if (!info || info->ifi_index <= 0 || !attrs.of[IFLA_IFNAME])
		return -EPROTO;
	link.ifindex = (uint32_t)info->ifi_index;
	link.flags = info->ifi_flags;
	attr_mac(&attrs, IFLA_ADDRESS, link.mac, &link.has_mac);
	if (attr_text(attrs.of[IFLA_IFNAME], link.name, sizeof(link.name)) < 0 ||
	    attr_bytes(&attrs, IFLA_MTU, &link.mtu, sizeof(link.mtu)) < 0 ||
	    attr_bytes(&attrs, IFLA_LINK, &link.peer_ifindex, sizeof(link.peer_ifindex)) < 0 ||
	    attr_bytes(&attrs, IFLA_LINK_NETNSID, &link.link_netnsid, sizeof(link.link_netnsid)) < 0 ||
	    parse_link_kind(attrs.of[IFLA_LINKINFO], link.kind, sizeof(link.kind)) < 0)
		return -EPROTO;
	*ret_link = link;
	return 0;
}

int rtnl_parse_addr(const struct nlmsghdr *message, struct rtnl_addr *ret_addr)
{
	struct rtnl_addr addr = { 0 };
	const struct ifaddrmsg *info;
	struct attrs attrs;

	info = attrs_of_message(message, sizeof(*info), &attrs);
	if (!info || info->ifa_family != AF_INET6 || info->ifa_prefixlen > 128 || !attrs.of[IFA_ADDRESS])
		return -EPROTO;
	addr.ifindex = info->ifa_index;
	addr.prefix_len = info->ifa_prefixlen;
	addr.scope = info->ifa_scope;
	addr.flags = info->ifa_flags;
	/* on a point-to-point address IFA_ADDRESS is the other end and IFA_LOCAL ours */
	if (attr_bytes(&attrs, IFA_ADDRESS, &addr.addr, sizeof(addr.addr)) < 0 ||
	    attr_bytes(&attrs, IFA_LOCAL, &addr.addr, sizeof(addr.addr)) < 0 ||
	    attr_bytes(&attrs, IFA_FLAGS, &addr.flags, sizeof(addr.flags)) < 0)
		return -EPROTO;
	*ret_addr = addr;
	return 0;
}

static int parse_via(const struct attrs *attrs, struct rtnl_route *route)
{
	route->has_via = attrs->of[RTA_GATEWAY];
	return attr_bytes(attrs, RTA_GATEWAY, &route->via, sizeof(route->via));
}

static int parse_hops(const struct nlattr *hops, struct rtnl_route *route, int (*each)(void *ctx, const struct rtnl_route *route),
		      void *ctx)
{
	const uint8_t *at = mnl_attr_get_payload(hops);
	size_t left = mnl_attr_get_payload_len(hops);

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const void *)at;
		struct attrs attrs = { 0 };
		const void *inside = at + sizeof(*hop);
		const struct nlattr *attr;
		size_t step;
		int r;

		if (hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > left)
			return -EPROTO;
		mnl_attr_for_each_payload(inside, hop->rtnh_len - sizeof(*hop))
			attrs_note(&attrs, attr);
		memset(&route->via, 0, sizeof(route->via));
		route->oif = (uint32_t)hop->rtnh_ifindex;
		if (parse_via(&attrs, route) < 0)
			return -EPROTO;
		r = each(ctx, route);
		if (r)
			return r;
		step = RTNH_ALIGN(hop->rtnh_len);
		if (step >= left)
			return 0;
		at += step;
		left -= step;
	}
	return left ? -EPROTO : 0;
}

int rtnl_parse_route(const struct nlmsghdr *message, int (*each)(void *ctx, const struct rtnl_route *route), void *ctx)
{
	struct rtnl_route route = { 0 };
	const struct rtmsg *info;
	struct attrs attrs;

	info = attrs_of_message(message, sizeof(*info), &attrs);
	if (!info)
		return -EPROTO;
	if (info->rtm_family != AF_INET6 || info->rtm_flags & RTM_F_CLONED)
		return 0;
	route.dst_len = info->rtm_dst_len;
	route.type = info->rtm_type;
	route.protocol = info->rtm_protocol;
	route.table = info->rtm_table;
	route.has_source = attrs.of[RTA_PREFSRC];
	if (route.dst_len > 128 || attr_bytes(&attrs, RTA_DST, &route.dst, sizeof(route.dst)) < 0 ||
	    attr_bytes(&attrs, RTA_TABLE, &route.table, sizeof(route.table)) < 0 ||
	    attr_bytes(&attrs, RTA_OIF, &route.oif, sizeof(route.oif)) < 0 ||
	    attr_bytes(&attrs, RTA_PRIORITY, &route.metric, sizeof(route.metric)) < 0 ||
	    attr_bytes(&attrs, RTA_PREFSRC, &route.source, sizeof(route.source)) < 0 || parse_via(&attrs, &route) < 0)
		return -EPROTO;
	if (attrs.of[RTA_MULTIPATH])
		return parse_hops(attrs.of[RTA_MULTIPATH], &route, each, ctx);
	return each(ctx, &route);
}

/* Anything that narrows the rule beyond the mark, known to us or not, is in an attribute that is not on this list. */
static bool is_other_selector(const struct nlattr *attr)
{
	uint8_t byte = 0;
	int32_t number = 0;

	switch (mnl_attr_get_type(attr)) {
	case FRA_TABLE:
	case FRA_PRIORITY:
	case FRA_FWMARK:
	case FRA_FWMASK:
	case FRA_PROTOCOL:
	case FRA_PAD:
		return false;
	case FRA_L3MDEV:
		if (mnl_attr_get_payload_len(attr) == 1)
			memcpy(&byte, mnl_attr_get_payload(attr), 1);
		return byte != 0;
	case FRA_SUPPRESS_PREFIXLEN:
		if (mnl_attr_get_payload_len(attr) == 4)
			memcpy(&number, mnl_attr_get_payload(attr), 4);
		return number != -1;
	default:
		return true;
	}
}

int rtnl_parse_rule(const struct nlmsghdr *message, struct rtnl_rule *ret_rule)
{
	struct rtnl_rule rule = { 0 };
	const struct fib_rule_hdr *info;
	const struct nlattr *attr;
	struct attrs attrs;

	info = attrs_of_message(message, sizeof(*info), &attrs);
	if (!info || info->family != AF_INET6)
		return -EPROTO;
	rule.table = info->table;
	rule.other_selectors = info->action != FR_ACT_TO_TBL || info->flags & FIB_RULE_INVERT || info->dst_len ||
			       info->src_len || info->tos;
	mnl_attr_for_each(attr, message, sizeof(*info))
		rule.other_selectors |= is_other_selector(attr);
	if (attr_bytes(&attrs, FRA_TABLE, &rule.table, sizeof(rule.table)) < 0 ||
	    attr_bytes(&attrs, FRA_PRIORITY, &rule.priority, sizeof(rule.priority)) < 0 ||
	    attr_bytes(&attrs, FRA_FWMARK, &rule.mark, sizeof(rule.mark)) < 0 ||
	    attr_bytes(&attrs, FRA_FWMASK, &rule.mask, sizeof(rule.mask)) < 0 ||
	    attr_bytes(&attrs, FRA_PROTOCOL, &rule.protocol, sizeof(rule.protocol)) < 0)
		return -EPROTO;
	*ret_rule = rule;
	return 0;
}

int rtnl_parse_neigh(const struct nlmsghdr *message, struct rtnl_neigh *ret_neigh)
{
	struct rtnl_neigh neigh = { 0 };
	const struct ndmsg *info;
	struct attrs attrs;

	info = attrs_of_message(message, sizeof(*info), &attrs);
	if (!info || info->ndm_family != AF_INET6 || info->ndm_ifindex <= 0 || !attrs.of[NDA_DST])
		return -EPROTO;
	neigh.ifindex = (uint32_t)info->ndm_ifindex;
	neigh.state = info->ndm_state;
	attr_mac(&attrs, NDA_LLADDR, neigh.mac, &neigh.has_mac);
	if (attr_bytes(&attrs, NDA_DST, &neigh.addr, sizeof(neigh.addr)) < 0)
		return -EPROTO;
	*ret_neigh = neigh;
	return 0;
}
