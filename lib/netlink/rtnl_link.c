/* rtnl_link - see rtnl.h: links. */
#include "lib/netlink/rtnl_internal.h"
#include "lib/netlink/rtnl_parse.h"

#include <linux/if_link.h>
#include <linux/veth.h>
#include <string.h>

static bool is_link_name(const char *name)
{
	size_t n = name ? strlen(name) : 0;

	return n > 0 && n < IFNAMSIZ;
}

static struct ifinfomsg *begin_link(struct rtnl_request *request, uint16_t type, uint16_t flags, uint32_t ifindex)
{
	struct ifinfomsg *info = rtnl_begin(request, type, flags, sizeof(*info));

	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)ifindex;
	return info;
}

static void put_veth_peer(struct nlmsghdr *header, const struct rtnl_veth *veth)
{
	struct nlattr *data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(header, VETH_INFO_PEER);

	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, veth->peer_name);
	if (veth->mtu)
		mnl_attr_put_u32(header, IFLA_MTU, veth->mtu);
	if (veth->peer_netns_fd >= 0)
		mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)veth->peer_netns_fd);
	else if (veth->peer_pid > 0)
		mnl_attr_put_u32(header, IFLA_NET_NS_PID, (uint32_t)veth->peer_pid);
	mnl_attr_nest_end(header, peer);
	mnl_attr_nest_end(header, data);
}

/* Turns EEXIST into 0 when what is there is of the kind that was asked for. */
static int forgive_same_kind(struct rtnl *rtnl, int r, const char *name, const char *kind)
{
	struct why first = rtnl->why;
	struct rtnl_link there;

	if (r != -EEXIST)
		return r;
	if (rtnl_link_by_name(rtnl, name, &there) == 0 && !strcmp(there.kind, kind))
		return 0;
	rtnl->why = first;
	return -EEXIST;
}

int rtnl_veth_add(struct rtnl *rtnl, const struct rtnl_veth *veth)
{
	struct rtnl_request request;
	struct nlattr *info;

	if (!is_link_name(veth->name) || !is_link_name(veth->peer_name))
		return -EINVAL;
	begin_link(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	mnl_attr_put_strz(request.header, IFLA_IFNAME, veth->name);
	if (veth->mtu)
		mnl_attr_put_u32(request.header, IFLA_MTU, veth->mtu);
	info = mnl_attr_nest_start(request.header, IFLA_LINKINFO);
	mnl_attr_put_str(request.header, IFLA_INFO_KIND, "veth");
	put_veth_peer(request.header, veth);
	mnl_attr_nest_end(request.header, info);
	return forgive_same_kind(rtnl, rtnl_send(rtnl, &request), veth->name, "veth");
}

int rtnl_link_add(struct rtnl *rtnl, const char *name, const char *kind, uint32_t mtu)
{
	struct rtnl_request request;
	struct nlattr *info;

	if (!is_link_name(name) || strlen(kind) >= sizeof(((struct rtnl_link *)0)->kind))
		return -EINVAL;
	begin_link(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
	if (mtu)
		mnl_attr_put_u32(request.header, IFLA_MTU, mtu);
	info = mnl_attr_nest_start(request.header, IFLA_LINKINFO);
	mnl_attr_put_str(request.header, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(request.header, info);
	return forgive_same_kind(rtnl, rtnl_send(rtnl, &request), name, kind);
}

int rtnl_link_del(struct rtnl *rtnl, uint32_t ifindex)
{
	struct rtnl_request request;
	int r;

	if (!ifindex)
		return -EINVAL;
	begin_link(&request, RTM_DELLINK, 0, ifindex);
	r = rtnl_send(rtnl, &request);
	return r == -ENODEV ? 0 : r;
}

int rtnl_link_set_up(struct rtnl *rtnl, uint32_t ifindex, bool up)
{
	struct rtnl_request request;
	struct ifinfomsg *info = begin_link(&request, RTM_NEWLINK, 0, ifindex);

	info->ifi_flags = up ? IFF_UP : 0;
	info->ifi_change = IFF_UP;
	return rtnl_send(rtnl, &request);
}

int rtnl_link_set_mtu(struct rtnl *rtnl, uint32_t ifindex, uint32_t mtu)
{
	struct rtnl_request request;

	begin_link(&request, RTM_NEWLINK, 0, ifindex);
	mnl_attr_put_u32(request.header, IFLA_MTU, mtu);
	return rtnl_send(rtnl, &request);
}

int rtnl_link_set_mac(struct rtnl *rtnl, uint32_t ifindex, const uint8_t mac[6])
{
	struct rtnl_request request;

	begin_link(&request, RTM_NEWLINK, 0, ifindex);
	mnl_attr_put(request.header, IFLA_ADDRESS, 6, mac);
	return rtnl_send(rtnl, &request);
}

int rtnl_link_set_addrgenmode_none(struct rtnl *rtnl, uint32_t ifindex)
{
	struct rtnl_request request;
	struct nlattr *spec, *family;

	begin_link(&request, RTM_NEWLINK, 0, ifindex);
	spec = mnl_attr_nest_start(request.header, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(request.header, AF_INET6);
	mnl_attr_put_u8(request.header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(request.header, family);
	mnl_attr_nest_end(request.header, spec);
	return rtnl_send(rtnl, &request);
}

int rtnl_link_rename(struct rtnl *rtnl, uint32_t ifindex, const char *name)
{
	struct rtnl_request request;

	if (!is_link_name(name))
		return -EINVAL;
	begin_link(&request, RTM_NEWLINK, 0, ifindex);
	mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
	return rtnl_send(rtnl, &request);
}

int rtnl_link_move(struct rtnl *rtnl, uint32_t ifindex, int netns_fd, const char *new_name)
{
	struct rtnl_request request;

	if (new_name && !is_link_name(new_name))
		return -EINVAL;
	begin_link(&request, RTM_NEWLINK, 0, ifindex);
	mnl_attr_put_u32(request.header, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	if (new_name)
		mnl_attr_put_strz(request.header, IFLA_IFNAME, new_name);
	return rtnl_send(rtnl, &request);
}

static int parse_one(void *ctx, const struct nlmsghdr *message)
{
	int r = rtnl_parse_link(message, ctx);

	return r < 0 ? r : 1;
}

static int get_link(struct rtnl *rtnl, struct rtnl_request *request, struct rtnl_link *ret_link)
{
	CLEAN_BUF struct buf replies = BUF_INIT(0);
	int r = rtnl_ask(rtnl, request, &replies);

	if (r < 0)
		return r;
	r = rtnl_each(&replies, RTM_NEWLINK, parse_one, ret_link);
	return r == 1 ? 0 : r < 0 ? r : -ENODEV;
}

int rtnl_link_by_name(struct rtnl *rtnl, const char *name, struct rtnl_link *ret_link)
{
	struct rtnl_request request;

	if (!is_link_name(name))
		return -EINVAL;
	begin_link(&request, RTM_GETLINK, 0, 0);
	mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
	return get_link(rtnl, &request, ret_link);
}

int rtnl_link_by_index(struct rtnl *rtnl, uint32_t ifindex, struct rtnl_link *ret_link)
{
	struct rtnl_request request;

	if (!ifindex)
		return -ENODEV;
	begin_link(&request, RTM_GETLINK, 0, ifindex);
	return get_link(rtnl, &request, ret_link);
}

struct link_walk {
	int (*each)(void *ctx, const struct rtnl_link *link);
	void *ctx;
};

static int deliver_link(void *ctx, const struct nlmsghdr *message)
{
	const struct link_walk *walk = ctx;
	struct rtnl_link link;
	int r = rtnl_parse_link(message, &link);

	return r < 0 ? r : walk->each(walk->ctx, &link);
}

int rtnl_link_list(struct rtnl *rtnl, int (*each)(void *ctx, const struct rtnl_link *link), void *ctx)
{
	struct link_walk walk = { .each = each, .ctx = ctx };
	CLEAN_BUF struct buf replies = BUF_INIT(0);
	struct rtnl_request request;
	int r;

	begin_link(&request, RTM_GETLINK, 0, 0);
	r = rtnl_dump(rtnl, &request, &replies);
	return r < 0 ? r : rtnl_each(&replies, RTM_NEWLINK, deliver_link, &walk);
}
