/* rtnl_route - see rtnl.h: IPv6 routes and rules. */
#include "lib/netlink/rtnl_internal.h"
#include "lib/netlink/rtnl_parse.h"

#include <linux/fib_rules.h>
#include <string.h>

#define ROUTE_METRIC_DEFAULT 1024 /* what the kernel makes of 0 (IP6_RT_PRIO_USER) */

static void begin_route(struct rtnl_request *request, uint16_t type, uint16_t flags, const struct rtnl_route *route)
{
	struct rtmsg *info = rtnl_begin(request, type, flags, sizeof(*info));
	struct nlmsghdr *header = request->header;

	info->rtm_family = AF_INET6;
	info->rtm_dst_len = route->dst_len;
	info->rtm_type = route->type;
	info->rtm_protocol = route->protocol;
	info->rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC;
	if (type == RTM_NEWROUTE && !route->protocol)
		info->rtm_protocol = RTNL_PROTO_SIXPN;
	if (route->dst_len)
		mnl_attr_put(header, RTA_DST, sizeof(route->dst), &route->dst);
	mnl_attr_put_u32(header, RTA_TABLE, route->table);
	if (route->has_via)
		mnl_attr_put(header, RTA_GATEWAY, sizeof(route->via), &route->via);
	if (route->oif)
		mnl_attr_put_u32(header, RTA_OIF, route->oif);
	if (route->metric)
		mnl_attr_put_u32(header, RTA_PRIORITY, route->metric);
	if (route->has_source)
		mnl_attr_put(header, RTA_PREFSRC, sizeof(route->source), &route->source);
}

static bool route_is_valid(const struct rtnl_route *route)
{
	return route->dst_len <= 128 && route->table && route->type;
}

static uint32_t metric_of(const struct rtnl_route *route)
{
	return route->metric ? route->metric : ROUTE_METRIC_DEFAULT;
}

static bool has_device(const struct rtnl_route *route)
{
	/* the kernel shows routes that lead nowhere with the loopback device */
	return route->type == RTN_UNICAST || route->type == RTN_LOCAL;
}

static bool in6_equal(const struct in6_addr *a, const struct in6_addr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool rtnl_route_same(const struct rtnl_route *wanted, const struct rtnl_route *there)
{
	if (there->type != wanted->type || there->dst_len != wanted->dst_len || !in6_equal(&there->dst, &wanted->dst) ||
	    metric_of(there) != metric_of(wanted))
		return false;
	if (has_device(wanted) && wanted->oif && there->oif != wanted->oif)
		return false;
	if (there->has_via != wanted->has_via || (wanted->has_via && !in6_equal(&there->via, &wanted->via)))
		return false;
	return there->has_source == wanted->has_source && (!wanted->has_source || in6_equal(&there->source, &wanted->source));
}

static int is_same_route(void *ctx, const struct rtnl_route *there)
{
	return rtnl_route_same(ctx, there);
}

int rtnl_route_add(struct rtnl *rtnl, const struct rtnl_route *route)
{
	struct rtnl_route wanted = *route;
	struct rtnl_request request;
	struct why first;
	int r;

	if (!route_is_valid(route))
		return -EINVAL;
	begin_route(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
	r = rtnl_send(rtnl, &request);
	if (r != -EEXIST)
		return r;
	first = rtnl->why;
	r = rtnl_route_list(rtnl, route->table, is_same_route, &wanted);
	if (r < 0)
		return r;
	if (r > 0)
		return 0;
	rtnl->why = first;
	return -EEXIST;
}

int rtnl_route_replace(struct rtnl *rtnl, const struct rtnl_route *route)
{
	struct rtnl_request request;

	if (!route_is_valid(route))
		return -EINVAL;
	begin_route(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
	return rtnl_send(rtnl, &request);
}

int rtnl_route_del(struct rtnl *rtnl, const struct rtnl_route *route)
{
	struct rtnl_request request;
	int r;

	if (!route->table || route->dst_len > 128)
		return -EINVAL;
	begin_route(&request, RTM_DELROUTE, 0, route);
	r = rtnl_send(rtnl, &request);
	return r == -ESRCH || r == -ENODEV || r == -ENOENT ? 0 : r;
}

struct route_walk {
	uint32_t table;
	int (*each)(void *ctx, const struct rtnl_route *route);
	void *ctx;
};

static int filter_route(void *ctx, const struct rtnl_route *route)
{
	const struct route_walk *walk = ctx;

	return route->table == walk->table ? walk->each(walk->ctx, route) : 0;
}

static int deliver_route(void *ctx, const struct nlmsghdr *message)
{
	return rtnl_parse_route(message, filter_route, ctx);
}

#define FEW_ROUTES_MAX (4u << 20) /* bytes of a filtered list */

/* The kernel leaves out what has another type, protocol or device (0 = any), so that a table with a million routes costs little. */
static int list_filtered(struct rtnl *rtnl, const struct rtmsg *only, uint32_t table, uint32_t oif,
			 int (*each)(void *ctx, const struct rtnl_route *route), void *ctx)
{
	struct route_walk walk = { .table = table, .each = each, .ctx = ctx };
	CLEAN_BUF struct buf replies = BUF_INIT(only->rtm_type || only->rtm_protocol ? FEW_ROUTES_MAX : 0);
	struct rtnl_request request;
	struct rtmsg *info;
	int r;

	info = rtnl_begin(&request, RTM_GETROUTE, 0, sizeof(*info));
	*info = *only;
	mnl_attr_put_u32(request.header, RTA_TABLE, table);
	if (oif)
		mnl_attr_put_u32(request.header, RTA_OIF, oif);
	r = rtnl_dump(rtnl, &request, &replies);
	if (r == -ENOENT) /* a table exists from its first route on */
		return 0;
	return r < 0 ? r : rtnl_each(&replies, RTM_NEWROUTE, deliver_route, &walk);
}

int rtnl_route_list(struct rtnl *rtnl, uint32_t table, int (*each)(void *ctx, const struct rtnl_route *route), void *ctx)
{
	const struct rtmsg only = { .rtm_family = AF_INET6 };

	return list_filtered(rtnl, &only, table, 0, each, ctx);
}

int rtnl_route_list_of(struct rtnl *rtnl, uint32_t table, uint8_t protocol, uint32_t oif,
		       int (*each)(void *ctx, const struct rtnl_route *route), void *ctx)
{
	const struct rtmsg only = { .rtm_family = AF_INET6, .rtm_protocol = protocol };

	return list_filtered(rtnl, &only, table, oif, each, ctx);
}

int rtnl_route_there(struct rtnl *rtnl, const struct rtnl_route *route, bool *ret_there)
{
	const struct rtmsg only = { .rtm_family = AF_INET6, .rtm_type = route->type };
	struct rtnl_route wanted = *route;
	int r;

	if (!route_is_valid(route))
		return -EINVAL;
	r = list_filtered(rtnl, &only, route->table, has_device(route) ? route->oif : 0, is_same_route, &wanted);
	if (r < 0)
		return r;
	*ret_there = r > 0;
	return 0;
}

static int take_route(void *ctx, const struct rtnl_route *route)
{
	*(struct rtnl_route *)ctx = *route;
	return 1;
}

static int parse_taken(void *ctx, const struct nlmsghdr *message)
{
	return rtnl_parse_route(message, take_route, ctx);
}

int rtnl_route_get(struct rtnl *rtnl, const struct in6_addr *dst, struct rtnl_route *ret_route)
{
	CLEAN_BUF struct buf replies = BUF_INIT(RTNL_ONE_MAX);
	struct rtnl_request request;
	struct rtmsg *info = rtnl_begin(&request, RTM_GETROUTE, 0, sizeof(*info));
	int r;

	info->rtm_family = AF_INET6;
	info->rtm_dst_len = 128;
	info->rtm_flags = RTM_F_FIB_MATCH;
	mnl_attr_put(request.header, RTA_DST, sizeof(*dst), dst);
	r = rtnl_ask(rtnl, &request, &replies);
	if (r == 0)
		r = rtnl_each(&replies, RTM_NEWROUTE, parse_taken, ret_route);
	return r == 1 ? 0 : r < 0 ? r : -ENETUNREACH;
}

struct ra_list {
	uint32_t *ifindex;
	size_t n, cap;
};

static int note_ra_default(void *ctx, const struct rtnl_route *route)
{
	struct ra_list *list = ctx;

	if (route->dst_len || route->protocol != RTPROT_RA || route->type != RTN_UNICAST || !route->oif)
		return 0;
	for (size_t i = 0; i < list->n; i++)
		if (list->ifindex[i] == route->oif)
			return 0;
	if (list->n == list->cap)
		return -ENOSPC;
	list->ifindex[list->n++] = route->oif;
	return 0;
}

int rtnl_ra_default_links(struct rtnl *rtnl, uint32_t *ret_ifindex, size_t cap, size_t *ret_n)
{
	struct ra_list list = { .ifindex = ret_ifindex, .cap = cap };
	const struct rtmsg only = { .rtm_family = AF_INET6, .rtm_protocol = RTPROT_RA };
	int r = list_filtered(rtnl, &only, RT_TABLE_MAIN, 0, note_ra_default, &list);

	if (r == 0)
		*ret_n = list.n;
	return r;
}

static void begin_rule(struct rtnl_request *request, uint16_t type, uint16_t flags, const struct rtnl_rule *rule)
{
	struct fib_rule_hdr *info = rtnl_begin(request, type, flags, sizeof(*info));
	struct nlmsghdr *header = request->header;
	uint8_t protocol = rule->protocol;

	if (type == RTM_NEWRULE && !protocol)
		protocol = RTNL_PROTO_SIXPN;
	info->family = AF_INET6;
	info->action = FR_ACT_TO_TBL;
	info->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
	mnl_attr_put_u32(header, FRA_TABLE, rule->table);
	mnl_attr_put_u32(header, FRA_PRIORITY, rule->priority);
	if (rule->mark || rule->mask) {
		mnl_attr_put_u32(header, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(header, FRA_FWMASK, rule->mask);
	}
	if (protocol)
		mnl_attr_put_u8(header, FRA_PROTOCOL, protocol);
}

int rtnl_rule_add(struct rtnl *rtnl, const struct rtnl_rule *rule)
{
	struct rtnl_request request;
	int r;

	if (!rule->table)
		return -EINVAL;
	begin_rule(&request, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
	r = rtnl_send(rtnl, &request);
	return r == -EEXIST ? 0 : r; /* the kernel compares the whole rule */
}

int rtnl_rule_del(struct rtnl *rtnl, const struct rtnl_rule *rule)
{
	struct rtnl_request request;
	int r;

	begin_rule(&request, RTM_DELRULE, 0, rule);
	r = rtnl_send(rtnl, &request);
	return r == -ENOENT || r == -ESRCH ? 0 : r;
}

struct rule_walk {
	int (*each)(void *ctx, const struct rtnl_rule *rule);
	void *ctx;
};

static int deliver_rule(void *ctx, const struct nlmsghdr *message)
{
	const struct rule_walk *walk = ctx;
	struct rtnl_rule rule;
	int r = rtnl_parse_rule(message, &rule);

	return r < 0 ? r : walk->each(walk->ctx, &rule);
}

int rtnl_rule_list(struct rtnl *rtnl, int (*each)(void *ctx, const struct rtnl_rule *rule), void *ctx)
{
	struct rule_walk walk = { .each = each, .ctx = ctx };
	CLEAN_BUF struct buf replies = BUF_INIT(0);
	struct fib_rule_hdr *info;
	struct rtnl_request request;
	int r;

	info = rtnl_begin(&request, RTM_GETRULE, 0, sizeof(*info));
	info->family = AF_INET6;
	r = rtnl_dump(rtnl, &request, &replies);
	return r < 0 ? r : rtnl_each(&replies, RTM_NEWRULE, deliver_rule, &walk);
}
