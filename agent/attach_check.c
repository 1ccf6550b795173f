/* attach_check - what is there, beside what attach_netns.c makes. For all instances at once: one list of links, addresses, neighbours
 * and routes of the machine, one walk through the device map, and one thread that looks into each namespace, so that a round costs a
 * few system calls per instance. It looks only; attach() puts right what differs. What goes away here is what no instance asks for and
 * what would only let somebody through: routes through our devices, and entries of the device map. */
#include "agent/attach_netns.h"

#include "lib/base/file.h"
#include "lib/bpf/attach.h"
#include "lib/netlink/netns.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum part {
	DEVICE = 1 << 0,
	UP = 1 << 1,
	INNER_UP = 1 << 2,
	ENTRY = 1 << 3,
	INGRESS = 1 << 4,
	EGRESS = 1 << 5,
	OUTER_ADDRESS = 1 << 6,
	OUTER_NEIGHBOUR = 1 << 7,
	OUTER_ROUTE = 1 << 8,
	INNER_LINK_LOCAL = 1 << 9,
	INNER_ADDRESS = 1 << 10,
	INNER_NEIGHBOUR = 1 << 11,
	INNER_ROUTE = 1 << 12,
};
#define INNER_PARTS (INNER_UP | INNER_LINK_LOCAL | INNER_ADDRESS | INNER_NEIGHBOUR | INNER_ROUTE)

static const struct {
	enum part part;
	enum repair kind;
	const char *text;
	bool rest_follows; /* without it the rest cannot be there: it is told alone */
} parts[] = {
	{ DEVICE, REPAIR_INSTANCE_DEVICE, "the device", true },
	{ UP, REPAIR_INSTANCE_DEVICE, "the device up, with its MAC and MTU", true },
	{ INNER_UP, REPAIR_INSTANCE_DEVICE, "6pn0 up, with its MAC and MTU", true },
	{ ENTRY, REPAIR_INSTANCE_ENTRY, "the device map's entry", false },
	{ INGRESS, REPAIR_INSTANCE_PROGRAM, "instance_ingress", false },
	{ EGRESS, REPAIR_INSTANCE_PROGRAM, "instance_egress", false },
	{ OUTER_ADDRESS, REPAIR_INSTANCE_ADDRESS, "fe80::1", false },
	{ OUTER_NEIGHBOUR, REPAIR_INSTANCE_NEIGHBOUR, "the neighbour fe80::2", false },
	{ OUTER_ROUTE, REPAIR_INSTANCE_ROUTE, "the route to it", false },
	{ INNER_LINK_LOCAL, REPAIR_INSTANCE_ADDRESS, "fe80::2 inside", false },
	{ INNER_ADDRESS, REPAIR_INSTANCE_ADDRESS, "its address inside", false },
	{ INNER_NEIGHBOUR, REPAIR_INSTANCE_NEIGHBOUR, "the neighbour fe80::1 inside", false },
	{ INNER_ROUTE, REPAIR_INSTANCE_ROUTE, "its route into the 6PN inside", false },
};

struct pair {
	const struct attach_spec *spec;
	char name[ATTACH_NAME_SIZE];
	uint32_t ifindex; /* 0 = no device yet */
	unsigned seen;
};

struct round {
	struct attach_netns *env;
	const struct attach_sink *sink;
	struct pair *pairs; /* sorted by ifindex */
	size_t n;
	int *fds;           /* of the namespaces to look into, and whose they are */
	struct pair **whose;
	size_t n_fds;
};

static int by_ifindex(const void *a, const void *b)
{
	uint32_t x = ((const struct pair *)a)->ifindex, y = ((const struct pair *)b)->ifindex;

	return x < y ? -1 : x > y;
}

static struct pair *find(struct round *round, uint32_t ifindex)
{
	struct pair key = { .ifindex = ifindex };

	return ifindex ? bsearch(&key, round->pairs, round->n, sizeof key, by_ifindex) : NULL;
}

static bool same(const struct in6_addr *a, const struct in6_addr *b)
{
	return !memcmp(a, b, sizeof *a);
}

static bool dressed(const struct rtnl_link *link, const uint8_t mac[6])
{
	return link->flags & IFF_UP && link->mtu == ADDR_MTU && link->has_mac && !memcmp(link->mac, mac, 6);
}

/* ---- the machine's side ---- */

static int see_link(void *ctx, const struct rtnl_link *link)
{
	struct pair *pair = find(ctx, link->ifindex);

	if (!pair || strcmp(link->name, pair->name) || strcmp(link->kind, "veth"))
		return 0;
	pair->seen |= DEVICE | (dressed(link, attach_outer_mac) ? UP : 0);
	return 0;
}

static int see_address(void *ctx, const struct rtnl_addr *addr)
{
	struct pair *pair = find(ctx, addr->ifindex);

	if (pair && addr->prefix_len == 64 && same(&addr->addr, &attach_outer_ll))
		pair->seen |= OUTER_ADDRESS;
	return 0;
}

static bool is_permanent(const struct rtnl_neigh *neigh, const struct in6_addr *addr, const uint8_t mac[6])
{
	return same(&neigh->addr, addr) && neigh->state & NUD_PERMANENT && neigh->has_mac && !memcmp(neigh->mac, mac, 6);
}

static int see_neighbour(void *ctx, const struct rtnl_neigh *neigh)
{
	struct pair *pair = find(ctx, neigh->ifindex);

	if (pair && is_permanent(neigh, &attach_inner_ll, attach_inner_mac))
		pair->seen |= OUTER_NEIGHBOUR;
	return 0;
}

static int see_route(void *ctx, const struct rtnl_route *route)
{
	struct round *round = ctx;
	struct pair *pair = find(round, route->oif);
	char object[160], dst[ADDR_TEXT_LEN], name[IF_NAMESIZE];
	struct rtnl_route wanted;
	int r;

	if (pair ? pair->spec->netns_fd < 0 : !if_indextoname(route->oif, name) || strncmp(name, "sx", 2) != 0)
		return 0; /* not to be judged now, or the node's */
	if (pair)
		wanted = attach_outer_route(pair->spec, pair->ifindex);
	if (pair && rtnl_route_same(&wanted, route)) {
		pair->seen |= OUTER_ROUTE;
		return 0;
	}
	r = rtnl_route_del(round->env->rtnl, route);
	snprintf(object, sizeof object, "%s/%u through %s in table %u", addr_text(&route->dst, dst), route->dst_len,
		 pair ? pair->name : name, ADDR_TABLE);
	round->sink->removed.repaired(round->sink->removed.ctx, REPAIR_FOREIGN_ROUTE, object, r);
	return 0;
}

static int see_entry(void *ctx, uint32_t ifindex, const struct sixpn_device *device)
{
	struct round *round = ctx;
	struct pair *pair = find(round, ifindex);
	struct sixpn_device made, wanted;
	char object[64];
	int r;

	if (pair) {
		made = attach_entry(pair->spec);
		bpf_device_value(&made, &wanted);
		if (pair->spec->suspended || memcmp(&wanted, device, sizeof wanted))
			pair->seen &= ~(unsigned)ENTRY;
		else
			pair->seen |= ENTRY;
		return 0;
	}
	r = bpf_device_remove(round->env->datapath, ifindex);
	snprintf(object, sizeof object, "the device map's entry for interface %u, which is no instance's", ifindex);
	round->sink->removed.repaired(round->sink->removed.ctx, REPAIR_INSTANCE_ENTRY, object, r);
	return 0;
}

static int see_programs(struct round *round, struct pair *pair)
{
	unsigned missing;
	int r = bpf_attach_missing(round->env->datapath, pair->ifindex, BPF_DEVICE_INSTANCE, &missing);

	if (r == 0)
		pair->seen |= (missing & BPF_MISSING_INGRESS ? 0 : INGRESS) | (missing & BPF_MISSING_EGRESS ? 0 : EGRESS);
	return r;
}

static int see_machine(struct round *round)
{
	struct rtnl *rtnl = round->env->rtnl;
	int r = rtnl_link_list(rtnl, see_link, round);

	if (r == 0)
		r = rtnl_addr_list(rtnl, 0, see_address, round);
	if (r == 0)
		r = rtnl_neigh_list(rtnl, 0, see_neighbour, round);
	if (r == 0)
		r = rtnl_route_list(rtnl, ADDR_TABLE, see_route, round);
	if (r == 0)
		r = bpf_device_list(round->env->datapath, see_entry, round);
	for (size_t i = 0; r == 0 && i < round->n; i++)
		if (round->pairs[i].spec->netns_fd >= 0 && round->pairs[i].seen & DEVICE)
			r = see_programs(round, &round->pairs[i]);
	return r;
}

/* ---- the instance's side, in a thread of its own ---- */

/* By name, not by list: a command that is root in its namespace can make lists as long as it likes. */
static int see_inner_address(struct pair *pair, struct rtnl *inner, uint32_t ifindex, const struct in6_addr *address, uint8_t prefix_len,
			     enum part part)
{
	struct rtnl_addr addr;
	int r = rtnl_addr_get(inner, ifindex, address, &addr);

	if (r == 0 && addr.ifindex == ifindex && addr.prefix_len == prefix_len)
		pair->seen |= part;
	return r == -EADDRNOTAVAIL ? 0 : r;
}

static int see_inner_neighbour(struct pair *pair, struct rtnl *inner, uint32_t ifindex)
{
	struct rtnl_neigh neigh;
	int r = rtnl_neigh_get(inner, ifindex, &attach_outer_ll, &neigh);

	if (r == 0 && is_permanent(&neigh, &attach_outer_ll, attach_outer_mac))
		pair->seen |= INNER_NEIGHBOUR;
	return r == -ENOENT ? 0 : r;
}

static int see_inside(struct pair *pair, struct rtnl *inner)
{
	struct in6_addr own = addr_instance(pair->spec->network, pair->spec->home_host, pair->spec->instance);
	struct rtnl_route route;
	struct rtnl_link link;
	bool there = false;
	int r = rtnl_link_by_name(inner, ATTACH_INNER_NAME, &link);

	if (r == -ENODEV)
		return 0; /* the pair is gone from within */
	if (r < 0)
		return r;
	if (link.peer_ifindex == pair->ifindex && dressed(&link, attach_inner_mac))
		pair->seen |= INNER_UP;
	route = attach_inner_route(pair->spec, link.ifindex);
	r = see_inner_address(pair, inner, link.ifindex, &own, 128, INNER_ADDRESS);
	if (r == 0)
		r = see_inner_address(pair, inner, link.ifindex, &attach_inner_ll, 64, INNER_LINK_LOCAL);
	if (r == 0)
		r = see_inner_neighbour(pair, inner, link.ifindex);
	if (r == 0)
		r = rtnl_route_there(inner, &route, &there);
	pair->seen |= there ? INNER_ROUTE : 0;
	return r;
}

static void enter(void *ctx, size_t i)
{
	struct round *round = ctx;
	struct rtnl *inner;
	int r = rtnl_open(&inner);

	if (r == 0) {
		r = see_inside(round->whose[i], inner);
		rtnl_free(inner);
	}
	if (r < 0) /* what could not be looked at is not said to be wrong */
		round->whose[i]->seen |= INNER_PARTS;
}

static void not_entered(void *ctx, size_t i, int error)
{
	struct round *round = ctx;

	(void)error; /* its process has just ended, which is told in another way */
	round->whose[i]->seen |= INNER_PARTS;
}

/* ---- a round ---- */

static void tell(struct round *round, const struct attach_spec *specs, const struct pair *pair)
{
	for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
		char object[160];

		if (pair->seen & parts[k].part)
			continue;
		snprintf(object, sizeof object, "%s of instance %s: %s", pair->name[0] ? pair->name : "the device", pair->spec->id, parts[k].text);
		round->sink->differs(round->sink->ctx, (size_t)(pair->spec - specs), parts[k].kind, object);
		if (parts[k].rest_follows)
			return;
	}
}

static int take_pairs(struct round *round, const struct attach_spec *specs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct pair *pair = &round->pairs[i];
		int r;

		*pair = (struct pair){ .spec = &specs[i], .seen = specs[i].suspended ? ENTRY : 0 };
		r = attach_note_read(specs[i].folder, pair->name, &pair->ifindex);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	qsort(round->pairs, n, sizeof *round->pairs, by_ifindex);
	round->n = n;
	return 0;
}

static int look(struct round *round)
{
	int r = see_machine(round);

	for (size_t i = 0; r == 0 && i < round->n; i++) {
		struct pair *pair = &round->pairs[i];

		if (pair->spec->netns_fd < 0 || !(pair->seen & DEVICE))
			continue;
		round->fds[round->n_fds] = pair->spec->netns_fd;
		round->whose[round->n_fds++] = pair;
	}
	return r < 0 ? r : netns_visit(round->fds, round->n_fds, enter, not_entered, round);
}

int attach_netns_check(void *ctx, const struct attach_spec *specs, size_t n, const struct attach_sink *sink)
{
	struct round round = { .env = ctx, .sink = sink };
	int r = -ENOMEM;

	round.pairs = calloc(n + 1, sizeof *round.pairs);
	round.fds = calloc(n + 1, sizeof *round.fds);
	round.whose = calloc(n + 1, sizeof *round.whose);
	if (round.pairs && round.fds && round.whose)
		r = take_pairs(&round, specs, n);
	if (r == 0)
		r = look(&round);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (round.pairs[i].spec->netns_fd >= 0)
			tell(&round, specs, &round.pairs[i]);
	free(round.pairs);
	free(round.fds);
	free(round.whose);
	return r;
}

/* ---- leftovers ---- */

struct leftovers {
	char (*keep)[ATTACH_NAME_SIZE];
	size_t n_keep;
	uint32_t *found;
	size_t n_found;
	struct attach_netns *env;
};

static int note_leftover(void *ctx, const struct rtnl_link *link)
{
	struct leftovers *l = ctx;
	uint32_t *more;

	if (strcmp(link->kind, "veth") || !attach_is_name(link->name))
		return 0;
	for (size_t i = 0; i < l->n_keep; i++)
		if (!strcmp(l->keep[i], link->name))
			return 0;
	more = realloc(l->found, (l->n_found + 1) * sizeof *more);
	if (!more)
		return -ENOMEM;
	l->found = more;
	l->found[l->n_found++] = link->ifindex;
	return 0;
}

static int drop_dead_entry(void *ctx, uint32_t ifindex, const struct sixpn_device *device)
{
	struct leftovers *l = ctx;
	struct rtnl_link link;

	(void)device;
	return rtnl_link_by_index(l->env->rtnl, ifindex, &link) == -ENODEV ? bpf_device_remove(l->env->datapath, ifindex) : 0;
}

int attach_netns_sweep(void *ctx, const char *const *keep_folders, size_t n)
{
	struct leftovers l = { .env = ctx, .keep = calloc(n + 1, sizeof *l.keep) };
	uint32_t ifindex;
	int r = l.keep ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		if (attach_note_read(keep_folders[i], l.keep[l.n_keep], &ifindex) == 0)
			l.n_keep++;
	if (r == 0)
		r = rtnl_link_list(l.env->rtnl, note_leftover, &l);
	for (size_t i = 0; r == 0 && i < l.n_found; i++)
		r = attach_remove_device(l.env, l.found[i]);
	if (r == 0)
		r = bpf_device_list(l.env->datapath, drop_dead_entry, &l);
	free(l.keep);
	free(l.found);
	return r;
}
