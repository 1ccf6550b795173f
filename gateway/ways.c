/* ways - see ways.h. */
#include "gateway/ways.h"

#include "lib/netlink/rtnl.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A local route, not an address: nothing of the machine ever speaks from it unasked. Sockets bind to it with IPV6_FREEBIND. */
static struct rtnl_route to_route(const struct ways *w, const struct plan_way *way)
{
	if (way->kind == PLAN_RESOLVER)
		return (struct rtnl_route){ .dst = way->dst, .dst_len = way->dst_len, .type = RTN_LOCAL, .table = RT_TABLE_LOCAL,
					    .oif = w->loopback, .metric = 1024, .protocol = RTNL_PROTO_SIXPN };
	return (struct rtnl_route){ .dst = way->dst, .dst_len = way->dst_len, .type = RTN_UNICAST, .table = ADDR_TABLE, .oif = w->device,
				    .metric = 1024, .protocol = RTNL_PROTO_SIXPN };
}

static int add(void *ctx, const struct plan_way *way)
{
	const struct ways *w = ctx;
	struct rtnl_route route = to_route(w, way);

	return rtnl_route_replace(w->rtnl, &route);
}

/* Whoever made it, with whatever metric. */
static int remove_way(void *ctx, const struct plan_way *way)
{
	const struct ways *w = ctx;
	struct rtnl_route route = to_route(w, way);

	if (way->kind == PLAN_ROUTE)
		route.protocol = 0;
	route.metric = 0;
	return rtnl_route_del(w->rtnl, &route);
}

struct list {
	struct plan_way *ways;
	size_t n, cap;
	enum plan_way_kind kind;
};

static int note(void *ctx, const struct rtnl_route *route)
{
	struct list *l = ctx;

	if (l->kind == PLAN_RESOLVER && route->type != RTN_LOCAL)
		return 0;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct plan_way *bigger = reallocarray(l->ways, cap, sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		l->ways = bigger;
		l->cap = cap;
	}
	l->ways[l->n++] = (struct plan_way){ .kind = l->kind, .dst = route->dst, .dst_len = route->dst_len };
	return 0;
}

static int list(void *ctx, struct plan_way **ret_ways, size_t *ret_n)
{
	const struct ways *w = ctx;
	struct list l = { .kind = PLAN_ROUTE };
	int e = w->device ? rtnl_route_list_of(w->rtnl, ADDR_TABLE, 0, w->device, note, &l) : 0;

	l.kind = PLAN_RESOLVER;
	if (e == 0)
		e = rtnl_route_list_of(w->rtnl, RT_TABLE_LOCAL, RTNL_PROTO_SIXPN, w->loopback, note, &l);
	if (e < 0) {
		free(l.ways);
		return e;
	}
	*ret_ways = l.ways;
	*ret_n = l.n;
	return 0;
}

const struct ways_ops ways_ops = { .add = add, .remove = remove_way, .list = list };

int ways_remove_all(struct ways *w, size_t *ret_n)
{
	struct plan_way *ways = NULL;
	int e = list(w, &ways, ret_n), first = 0;

	for (size_t i = 0; e == 0 && i < *ret_n; i++) {
		int r = remove_way(w, &ways[i]);

		first = first ? first : r;
	}
	free(ways);
	return e ? e : first;
}

const char *way_text(const struct plan_way *way, char ret_text[WAY_TEXT_LEN])
{
	char address[ADDR_TEXT_LEN];

	snprintf(ret_text, WAY_TEXT_LEN, "%s/%u", addr_text(&way->dst, address), way->dst_len);
	return ret_text;
}
