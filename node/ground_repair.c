/* ground_repair - see ground.h. Each check looks, tells, and puts right by the call that laid it. One that cannot look says so in the log
 * and leaves the others their turn. */
#include "node/ground.h"

#include "lib/base/log.h"
#include "lib/bpf/attach.h"
#include "lib/sixpn/addr.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOREIGN_RULES_MAX 16 /* taken away in one round */

struct round {
	struct ground *ground;
	struct bpf_datapath *datapath;
	uint32_t mesh_ifindex, self;
	const struct moved *moved;
	const struct repair_sink *sink;
};

static void tell(const struct round *r, enum repair kind, const char *object, int error)
{
	r->sink->repaired(r->sink->ctx, kind, object, error);
}

struct check {
	const char *what;
	int (*run)(struct round *r);
};

static void run_checks(struct round *r, const struct check *checks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int e = checks[i].run(r);

		if (e < 0)
			log_limited(LOG_L_ERR, "drift", "%s cannot be looked at: %s; trying again", checks[i].what, strerror(-e));
	}
}

/* ---- what refuses ---- */

static int refuse_in(struct round *r, uint32_t table, const char *name)
{
	struct rtnl_route route = ground_refusal(table);
	char object[64];
	bool there = false;
	int e = rtnl_route_there(r->ground->rtnl, &route, &there);

	if (e < 0 || there)
		return e;
	snprintf(object, sizeof object, "unreachable fdaa::/16 in table %s", name);
	tell(r, REPAIR_REFUSE_ROUTE, object, rtnl_route_replace(r->ground->rtnl, &route));
	return 0;
}

static int check_refusals(struct round *r)
{
	int e = refuse_in(r, RT_TABLE_MAIN, "main");

	return e < 0 ? e : refuse_in(r, ADDR_TABLE, "6000");
}

struct rule_walk {
	struct rtnl_rule wanted, foreign[FOREIGN_RULES_MAX];
	size_t n_foreign;
	bool there;
};

static int see_rule(void *ctx, const struct rtnl_rule *rule)
{
	struct rule_walk *w = ctx;

	if (rule->table != w->wanted.table)
		return 0;
	if (rule->mark == w->wanted.mark && rule->mask == w->wanted.mask && rule->priority == w->wanted.priority && !rule->other_selectors)
		w->there = true;
	else if (w->n_foreign < FOREIGN_RULES_MAX)
		w->foreign[w->n_foreign++] = *rule;
	return 0;
}

/* A delete names what it knows of a rule and takes the first that fits, perhaps ours: so ours is looked for afterwards. */
static int check_rules(struct round *r)
{
	struct rtnl *rtnl = r->ground->rtnl;
	struct rule_walk w = { .wanted = ground_rule(r->ground) };
	char object[96];
	int e = rtnl_rule_list(rtnl, see_rule, &w);

	for (size_t i = 0; e == 0 && i < w.n_foreign; i++) {
		struct rtnl_rule rule = w.foreign[i];

		rule.protocol = 0;
		snprintf(object, sizeof object, "priority %u (mark 0x%x/0x%x) to table %u, which is not ours", rule.priority, rule.mark, rule.mask,
			 rule.table);
		tell(r, REPAIR_RULE, object, rtnl_rule_del(rtnl, &rule));
	}
	if (e == 0 && w.n_foreign) {
		w = (struct rule_walk){ .wanted = w.wanted };
		e = rtnl_rule_list(rtnl, see_rule, &w);
	}
	if (e < 0 || w.there)
		return e;
	snprintf(object, sizeof object, "priority %u, mark 0x%x/0x%x to table %u", w.wanted.priority, w.wanted.mark, w.wanted.mask,
		 w.wanted.table);
	tell(r, REPAIR_RULE, object, rtnl_rule_add(rtnl, &w.wanted));
	return 0;
}

/* Both are looked at only when the ruleset has another generation than when all was well: a listing costs a hundred times as much. What
 * we change ourselves is looked at once more. */
static int check_firewall(struct round *r)
{
	struct ground *g = r->ground;
	enum nft_gate_state state = NFT_GATE_OK;
	struct nft_forward found = { 0 };
	uint32_t generation = 0;
	unsigned added = 0;
	int e = nft_generation(g->nft, &generation);

	if (ground_plan_transit(g)) /* before check_sysctls puts forwarding on again */
		g->firewall_seen = 0;
	if (e == 0 && generation == g->firewall_seen)
		return 0;
	e = nft_gate_check(g->nft, &g->gate, &state);
	if (e == 0 && state != NFT_GATE_OK)
		tell(r, REPAIR_GATE, state == NFT_GATE_MISSING ? "nftables table sixpn, which was gone" : "nftables table sixpn, which was changed",
		     nft_gate_load(g->nft, &g->gate));
	if (e == 0 && g->manage_firewall)
		e = nft_forward_accept(g->nft, &g->gate, &found, &added);
	if (e == 0 && added)
		tell(r, REPAIR_FORWARD_RULE, found.names, 0);
	g->firewall_seen = e == 0 && state == NFT_GATE_OK && !added ? generation : 0;
	return e;
}

void ground_repair_gates(struct ground *ground, const struct repair_sink *sink)
{
	static const struct check checks[] = {
		{ "routes that refuse", check_refusals },
		{ "rules", check_rules },
		{ "nftables", check_firewall },
	};
	struct round r = { .ground = ground, .sink = sink };

	run_checks(&r, checks, ARRAY_LEN(checks));
}

/* ---- uplinks ---- */

struct uplink_walk {
	struct round *round;
	uint32_t *guarded; /* at this look */
	size_t n, cap;
};

static bool was_guarded(const struct ground *g, uint32_t ifindex)
{
	for (size_t i = 0; i < g->n_guarded; i++)
		if (g->guarded[i] == ifindex)
			return true;
	return false;
}

static int note_guarded(struct uplink_walk *w, uint32_t ifindex)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 16;
		uint32_t *bigger = reallocarray(w->guarded, cap, sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		w->guarded = bigger;
		w->cap = cap;
	}
	w->guarded[w->n++] = ifindex;
	return 0;
}

/* A link that was never guarded is new (each container that starts brings one): that is nobody's doing to us. */
static int guard_again(struct round *r, const struct rtnl_link *link)
{
	bool is_new = r->ground->guarded && !was_guarded(r->ground, link->ifindex);
	int e = bpf_attach(r->datapath, link->ifindex, link->name, BPF_DEVICE_UNDERLAY);
	char object[64];

	if (e == -ENODEV)
		return e; /* gone between the two */
	snprintf(object, sizeof object, "underlay_ingress on %s", link->name);
	if (e == 0 && is_new)
		log_info("ground", "%s is new: fdaa::/16 from there is dropped", link->name);
	else
		tell(r, REPAIR_UNDERLAY_PROGRAM, object, e);
	return e;
}

static int check_uplink(void *ctx, const struct rtnl_link *link)
{
	struct uplink_walk *w = ctx;
	unsigned missing = 0;
	int e;

	if (!ground_is_uplink(w->round->ground, link))
		return 0;
	e = bpf_attach_missing(w->round->datapath, link->ifindex, BPF_DEVICE_UNDERLAY, &missing);
	if (e < 0)
		return e;
	return missing && guard_again(w->round, link) < 0 ? 0 : note_guarded(w, link->ifindex);
}

static int check_uplinks(struct round *r)
{
	struct uplink_walk w = { .round = r };
	int e = rtnl_link_list(r->ground->rtnl, check_uplink, &w);

	if (e < 0) {
		free(w.guarded);
		return e;
	}
	free(r->ground->guarded);
	r->ground->guarded = w.guarded;
	r->ground->n_guarded = w.n;
	return 0;
}

void ground_repair_uplinks(struct ground *ground, struct bpf_datapath *datapath, const struct repair_sink *sink)
{
	static const struct check checks[] = { { "uplinks", check_uplinks } };
	struct round r = { .ground = ground, .datapath = datapath, .sink = sink };

	run_checks(&r, checks, ARRAY_LEN(checks));
}

/* ---- what opens ---- */

struct table_walk {
	struct round *round;
	struct rtnl_route mesh;
	bool mesh_there;
	bool *moved_there; /* of the moved addresses */
};

/* The way to an address that moved, if the route is one. */
static bool see_moved(struct table_walk *w, const struct rtnl_route *route)
{
	const struct moved_address *a = moved_find(w->round->moved, route->dst.s6_addr);
	struct rtnl_route wanted;

	if (!a || !moved_needs_route(a, w->round->self))
		return false;
	wanted = moved_route(a, w->round->mesh_ifindex);
	if (!rtnl_route_same(&wanted, route))
		return false;
	w->moved_there[a - w->round->moved->items] = true;
	return true;
}

static int see_6000(void *ctx, const struct rtnl_route *route)
{
	struct table_walk *w = ctx;
	struct rtnl_route refusal = ground_refusal(ADDR_TABLE);
	char object[128], dst[ADDR_TEXT_LEN], name[IF_NAMESIZE] = "?";
	struct rtnl_route foreign = *route;

	if (rtnl_route_same(&refusal, route))
		return 0;
	if (w->mesh.oif && rtnl_route_same(&w->mesh, route)) {
		w->mesh_there = true;
		return 0;
	}
	if (see_moved(w, route))
		return 0;
	if (route->oif && if_indextoname(route->oif, name) && (!strncmp(name, "sx", 2) || !strcmp(name, "sixpn-peers")))
		return 0; /* a role's, which looks after it */
	if (route->type != RTN_UNICAST)
		foreign.oif = 0; /* shown with the loopback device, and not to be deleted by it */
	snprintf(object, sizeof object, "%s/%u through %s in table %u", addr_text(&route->dst, dst), route->dst_len, name, ADDR_TABLE);
	tell(w->round, REPAIR_FOREIGN_ROUTE, object, rtnl_route_del(w->round->ground->rtnl, &foreign));
	return 0;
}

static void add_moved(const struct table_walk *w)
{
	const struct round *r = w->round;
	char object[128], text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < r->moved->n; i++) {
		struct rtnl_route route = moved_route(&r->moved->items[i], r->mesh_ifindex);

		if (w->moved_there[i] || !moved_needs_route(&r->moved->items[i], r->self))
			continue;
		snprintf(object, sizeof object, "%s/%u into the mesh in table %u", addr_text(&route.dst, text), route.dst_len, ADDR_TABLE);
		tell(r, REPAIR_MOVED_ROUTE, object, rtnl_route_replace(r->ground->rtnl, &route));
	}
}

static int check_table(struct round *r)
{
	struct table_walk w = { .round = r, .mesh = ground_mesh_route(r->mesh_ifindex), .moved_there = calloc(r->moved->n + 1, 1) };
	struct rtnl_link link;
	int e = w.moved_there ? rtnl_route_list(r->ground->rtnl, ADDR_TABLE, see_6000, &w) : -ENOMEM;

	/* without the device there is no way; it brings its own */
	if (e == 0 && rtnl_link_by_index(r->ground->rtnl, r->mesh_ifindex, &link) == 0 && link.flags & IFF_UP) {
		if (!w.mesh_there)
			tell(r, REPAIR_MESH_ROUTE, "fdaa::/16 into the mesh in table 6000", rtnl_route_replace(r->ground->rtnl, &w.mesh));
		add_moved(&w);
	}
	free(w.moved_there);
	return e;
}

static int see_resolver(void *ctx, const struct rtnl_addr *addr)
{
	return addr->prefix_len == 128 && !memcmp(&addr->addr, ctx, sizeof addr->addr) ? 1 : 0;
}

static int check_resolver(struct round *r)
{
	struct rtnl *rtnl = r->ground->rtnl;
	char object[80], text[ADDR_TEXT_LEN];
	struct rtnl_link lo;
	int e = rtnl_link_by_name(rtnl, "lo", &lo);

	if (e == 0)
		e = rtnl_addr_list(rtnl, lo.ifindex, see_resolver, &r->ground->resolver);
	if (e < 0 || (e > 0 && lo.flags & IFF_UP))
		return e;
	snprintf(object, sizeof object, "%s on lo", addr_text(&r->ground->resolver, text));
	e = rtnl_link_set_up(rtnl, lo.ifindex, true);
	if (e == 0)
		e = rtnl_addr_replace(rtnl, lo.ifindex, &r->ground->resolver, 128);
	tell(r, REPAIR_RESOLVER_ADDRESS, object, e);
	return 0;
}

static void save_ledger(struct ground *g)
{
	int e = sysctl_ledger_save(&g->ledger, g->ledger_path);

	if (e < 0)
		log_limited(LOG_L_ERR, "ground", "%s cannot be written: %s; going on", g->ledger_path, strerror(-e));
}

static int set_ra(void *ctx, const struct rtnl_link *link)
{
	struct round *r = ctx;
	char name[SYSCTL_NAME_MAX], now[SYSCTL_VALUE_MAX];

	snprintf(name, sizeof name, "net/ipv6/conf/%s/accept_ra", link->name);
	for (size_t i = 0; i < r->ground->ledger.n; i++)
		if (!strcmp(r->ground->ledger.changes[i].name, name) && sysctl_read(name, now, sizeof now) == 0 && !strcmp(now, "1"))
			tell(r, REPAIR_SYSCTL, name, sysctl_write(name, "2"));
	return 0;
}

static int check_sysctls(struct round *r)
{
	struct ground *g = r->ground;
	int e = ground_plan_ra(g);

	if (e == SYSCTL_DIFFERS) {
		save_ledger(g);
		e = rtnl_link_list(g->rtnl, set_ra, r);
	}
	for (size_t i = 0; e >= 0 && i < GROUND_SYSCTLS; i++) {
		e = sysctl_ledger_plan(&g->ledger, ground_sysctls[i].name, ground_sysctls[i].value);
		if (e != SYSCTL_DIFFERS)
			continue;
		save_ledger(g);
		tell(r, REPAIR_SYSCTL, ground_sysctls[i].name, sysctl_write(ground_sysctls[i].name, ground_sysctls[i].value));
	}
	return e < 0 ? e : 0;
}

void ground_repair_ways(struct ground *ground, uint32_t mesh_ifindex, uint32_t self, const struct moved *moved,
			const struct repair_sink *sink)
{
	static const struct check checks[] = {
		{ "settings", check_sysctls }, /* first: where IPv6 is off there is neither route nor address */
		{ "table 6000", check_table },
		{ "the resolver's address", check_resolver },
	};
	struct round r = { .ground = ground, .mesh_ifindex = mesh_ifindex, .self = self, .moved = moved, .sink = sink };

	run_checks(&r, checks, ARRAY_LEN(checks));
}
