/* rtnl_addr - see rtnl.h: IPv6 addresses and neighbours. */
#include "lib/netlink/rtnl_internal.h"
#include "lib/netlink/rtnl_parse.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <string.h>

static void begin_addr(struct rtnl_request *request, uint16_t type, uint16_t flags, uint32_t ifindex, const struct in6_addr *addr,
		       uint8_t prefix_len)
{
	struct ifaddrmsg *info = rtnl_begin(request, type, flags, sizeof(*info));

	info->ifa_family = AF_INET6;
	info->ifa_prefixlen = prefix_len;
	info->ifa_index = ifindex;
	if (addr)
		mnl_attr_put(request->header, IFA_LOCAL, sizeof(*addr), addr);
}

int rtnl_addr_add(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, uint8_t prefix_len)
{
	struct rtnl_request request;
	struct rtnl_addr there;
	struct why first;
	int r;

	begin_addr(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, addr, prefix_len);
	mnl_attr_put_u32(request.header, IFA_FLAGS, IFA_F_NODAD);
	r = rtnl_send(rtnl, &request);
	if (r != -EEXIST)
		return r;
	first = rtnl->why;
	r = rtnl_addr_get(rtnl, ifindex, addr, &there);
	if (r < 0)
		return r;
	if (there.ifindex == ifindex && there.prefix_len == prefix_len)
		return 0;
	rtnl->why = first;
	return -EEXIST;
}

int rtnl_addr_replace(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, uint8_t prefix_len)
{
	struct rtnl_addr there;
	int r = rtnl_addr_add(rtnl, ifindex, addr, prefix_len);

	if (r != -EEXIST)
		return r;
	r = rtnl_addr_get(rtnl, ifindex, addr, &there);
	if (r == 0)
		r = rtnl_addr_del(rtnl, ifindex, addr, there.prefix_len);
	return r == 0 || r == -EADDRNOTAVAIL ? rtnl_addr_add(rtnl, ifindex, addr, prefix_len) : r;
}

int rtnl_addr_del(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, uint8_t prefix_len)
{
	struct rtnl_request request;
	int r;

	begin_addr(&request, RTM_DELADDR, 0, ifindex, addr, prefix_len);
	r = rtnl_send(rtnl, &request);
	return r == -EADDRNOTAVAIL || r == -ENODEV || r == -ENXIO ? 0 : r;
}

struct addr_walk {
	uint32_t ifindex;
	int (*each)(void *ctx, const struct rtnl_addr *addr);
	void *ctx;
};

static int deliver_addr(void *ctx, const struct nlmsghdr *message)
{
	const struct addr_walk *walk = ctx;
	struct rtnl_addr addr;
	int r = rtnl_parse_addr(message, &addr);

	if (r < 0 || (walk->ifindex && walk->ifindex != addr.ifindex))
		return r;
	return walk->each(walk->ctx, &addr);
}

int rtnl_addr_list(struct rtnl *rtnl, uint32_t ifindex, int (*each)(void *ctx, const struct rtnl_addr *addr), void *ctx)
{
	struct addr_walk walk = { .ifindex = ifindex, .each = each, .ctx = ctx };
	CLEAN_BUF struct buf replies = BUF_INIT(0);
	struct rtnl_request request;
	int r;

	begin_addr(&request, RTM_GETADDR, 0, ifindex, NULL, 0);
	r = rtnl_dump(rtnl, &request, &replies);
	if (r == -ENODEV) /* a link that is gone has no addresses */
		return 0;
	return r < 0 ? r : rtnl_each(&replies, RTM_NEWADDR, deliver_addr, &walk);
}

static int take_addr(void *ctx, const struct nlmsghdr *message)
{
	int r = rtnl_parse_addr(message, ctx);

	return r < 0 ? r : 1;
}

int rtnl_addr_get(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, struct rtnl_addr *ret_addr)
{
	CLEAN_BUF struct buf replies = BUF_INIT(RTNL_ONE_MAX);
	struct rtnl_request request;
	struct ifaddrmsg *info = rtnl_begin(&request, RTM_GETADDR, 0, sizeof(*info));
	int r;

	info->ifa_family = AF_INET6;
	info->ifa_index = ifindex;
	mnl_attr_put(request.header, IFA_ADDRESS, sizeof(*addr), addr);
	r = rtnl_ask(rtnl, &request, &replies);
	if (r == 0)
		r = rtnl_each(&replies, RTM_NEWADDR, take_addr, ret_addr);
	return r == 1 ? 0 : r < 0 ? r : -EADDRNOTAVAIL;
}

static struct ndmsg *begin_neigh(struct rtnl_request *request, uint16_t type, uint16_t flags, uint32_t ifindex)
{
	struct ndmsg *info = rtnl_begin(request, type, flags, sizeof(*info));

	info->ndm_family = AF_INET6;
	info->ndm_ifindex = (int)ifindex;
	return info;
}

int rtnl_neigh_add(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, const uint8_t mac[6])
{
	struct rtnl_request request;
	struct ndmsg *info = begin_neigh(&request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex);

	info->ndm_state = NUD_PERMANENT;
	mnl_attr_put(request.header, NDA_DST, sizeof(*addr), addr);
	mnl_attr_put(request.header, NDA_LLADDR, 6, mac);
	return rtnl_send(rtnl, &request);
}

int rtnl_neigh_del(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr)
{
	struct rtnl_request request;
	int r;

	begin_neigh(&request, RTM_DELNEIGH, 0, ifindex);
	mnl_attr_put(request.header, NDA_DST, sizeof(*addr), addr);
	r = rtnl_send(rtnl, &request);
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

struct neigh_walk {
	uint32_t ifindex;
	int (*each)(void *ctx, const struct rtnl_neigh *neigh);
	void *ctx;
};

static int deliver_neigh(void *ctx, const struct nlmsghdr *message)
{
	const struct neigh_walk *walk = ctx;
	struct rtnl_neigh neigh;
	int r = rtnl_parse_neigh(message, &neigh);

	if (r < 0 || (walk->ifindex && walk->ifindex != neigh.ifindex))
		return r;
	return walk->each(walk->ctx, &neigh);
}

int rtnl_neigh_list(struct rtnl *rtnl, uint32_t ifindex, int (*each)(void *ctx, const struct rtnl_neigh *neigh), void *ctx)
{
	struct neigh_walk walk = { .ifindex = ifindex, .each = each, .ctx = ctx };
	CLEAN_BUF struct buf replies = BUF_INIT(0);
	struct rtnl_request request;
	int r;

	/* strict checking wants the index as an attribute here, not in the header */
	begin_neigh(&request, RTM_GETNEIGH, 0, 0);
	if (ifindex)
		mnl_attr_put_u32(request.header, NDA_IFINDEX, ifindex);
	r = rtnl_dump(rtnl, &request, &replies);
	return r < 0 ? r : rtnl_each(&replies, RTM_NEWNEIGH, deliver_neigh, &walk);
}

static int take_neigh(void *ctx, const struct nlmsghdr *message)
{
	int r = rtnl_parse_neigh(message, ctx);

	return r < 0 ? r : 1;
}

int rtnl_neigh_get(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, struct rtnl_neigh *ret_neigh)
{
	CLEAN_BUF struct buf replies = BUF_INIT(RTNL_ONE_MAX);
	struct rtnl_request request;
	int r;

	begin_neigh(&request, RTM_GETNEIGH, 0, ifindex);
	mnl_attr_put(request.header, NDA_DST, sizeof(*addr), addr);
	r = rtnl_ask(rtnl, &request, &replies);
	if (r == 0)
		r = rtnl_each(&replies, RTM_NEWNEIGH, take_neigh, ret_neigh);
	return r == 1 ? 0 : r < 0 ? r : -ENOENT;
}
