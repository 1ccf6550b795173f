/* ground - see ground.h. */
#include "node/ground.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/bpf/attach.h"
#include "lib/sixpn/addr.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Metric of the catch-all: behind every real route. */
#define REFUSE_METRIC 0x6000u

struct rtnl_route ground_refusal(uint32_t table)
{
	return (struct rtnl_route){
		.dst = addr_all_prefix(), .dst_len = 16, .type = RTN_UNREACHABLE, .table = table, .metric = REFUSE_METRIC
	};
}

struct rtnl_route ground_mesh_route(uint32_t ifindex)
{
	return (struct rtnl_route){
		.dst = addr_all_prefix(), .dst_len = 16, .type = RTN_UNICAST, .table = ADDR_TABLE, .oif = ifindex, .metric = 1024
	};
}

struct rtnl_rule ground_rule(const struct ground *g)
{
	return (struct rtnl_rule){ .mark = g->mark, .mask = g->mark_mask, .table = ADDR_TABLE, .priority = ADDR_RULE_PRIORITY };
}

/* What somebody put in its place while no daemon looked is taken over: a node that refused to start would leave it there. */
static int lay_refusal(struct ground *g, uint32_t table)
{
	struct rtnl_route route = ground_refusal(table);
	int e = rtnl_route_add(g->rtnl, &route);

	if (e != -EEXIST)
		return e;
	log_warn("ground", "a route in the place of unreachable fdaa::/16 in table %u is replaced", table);
	return rtnl_route_replace(g->rtnl, &route);
}

static int lay_routes(struct ground *g)
{
	struct rtnl_rule rule = ground_rule(g);
	int e = lay_refusal(g, RT_TABLE_MAIN);

	if (e == 0)
		e = lay_refusal(g, ADDR_TABLE);
	return e == 0 ? rtnl_rule_add(g->rtnl, &rule) : e;
}

/* ---- settings ---- */

#define FORWARDING "net/ipv6/conf/all/forwarding"

const struct ground_sysctl ground_sysctls[GROUND_SYSCTLS] = {
	{ "net/ipv6/fwmark_reflect", "1" },    /* ping replies, RST and Packet-Too-Big find the way back by the mark */
	{ "net/ipv4/tcp_fwmark_accept", "1" }, /* (IPv6 too) an accepted DNS connection answers with the query's mark */
	{ "net/ipv6/conf/lo/disable_ipv6", "0" },
	{ FORWARDING, "1" },
};

static bool has_value(const char *device, const char *key, const char *value)
{
	char name[SYSCTL_NAME_MAX], now[SYSCTL_VALUE_MAX];

	snprintf(name, sizeof name, "net/ipv6/conf/%s/%s", device, key);
	return sysctl_read(name, now, sizeof now) == 0 && !strcmp(now, value);
}

/* A machine that forwards takes router advertisements no longer where accept_ra is 1, the kernel's default; 2 says "all the same". What is
 * 0 stays 0: there somebody else (a network manager) reads them, or nobody is to. */
static int plan_ra_of(struct ground *g, const char *device)
{
	char name[SYSCTL_NAME_MAX];
	int e;

	if (!has_value(device, "accept_ra", "1"))
		return 0;
	snprintf(name, sizeof name, "net/ipv6/conf/%s/accept_ra", device);
	e = sysctl_ledger_plan(&g->ledger, name, "2");
	if (e == SYSCTL_DIFFERS)
		log_info("ground", "%s lives from router advertisements, and a machine that forwards ignores them: accept_ra = 2", device);
	return e;
}

struct ra_walk {
	struct ground *ground;
	uint32_t links[32]; /* that have a default route from an advertisement */
	size_t n_links;
	bool we_forward; /* it was us who switched it on, or will be */
	bool differs;
};

/* Hardware without such a route may get it any moment: a machine that boots starts us before the first advertisement. */
static int plan_ra_link(void *ctx, const struct rtnl_link *link)
{
	struct ra_walk *w = ctx;
	bool lives = false;
	int e;

	for (size_t i = 0; i < w->n_links; i++)
		lives |= w->links[i] == link->ifindex;
	if (!lives && !(w->we_forward && !link->kind[0] && ground_is_uplink(w->ground, link)))
		return 0;
	e = plan_ra_of(w->ground, link->name);
	w->differs |= e == SYSCTL_DIFFERS;
	return e < 0 ? e : 0;
}

static bool is_in_ledger(const struct sysctl_ledger *ledger, const char *name)
{
	for (size_t i = 0; i < ledger->n; i++)
		if (!strcmp(ledger->changes[i].name, name))
			return true;
	return false;
}

int ground_plan_ra(struct ground *g)
{
	struct ra_walk w = { .ground = g, .we_forward = has_value("all", "forwarding", "0") || is_in_ledger(&g->ledger, FORWARDING) };
	int e = rtnl_ra_default_links(g->rtnl, w.links, ARRAY_LEN(w.links), &w.n_links);

	if (e == 0)
		e = rtnl_link_list(g->rtnl, plan_ra_link, &w);
	return e < 0 ? e : w.differs ? SYSCTL_DIFFERS : 0;
}

/* Putting conf/all/forwarding back to 0 takes it from every device, also from those that had it before us. */
static int expect_forwarding(void *ctx, const struct rtnl_link *link)
{
	struct ground *g = ctx;
	char name[SYSCTL_NAME_MAX];

	snprintf(name, sizeof name, "net/ipv6/conf/%s/forwarding", link->name);
	return has_value(link->name, "forwarding", "1") ? sysctl_ledger_expect(&g->ledger, name, "1", "0") : 0;
}

/* Without forwarding for all devices no packet was forwarded, whatever a device said; and then it is we who switch it on. The ledger
 * knows that of earlier starts; where it is lost, the chain that is still there does. */
static bool forwards_for_us(struct ground *g)
{
	struct nft_gate closed = g->gate;
	enum nft_gate_state state;

	closed.no_transit = true;
	return is_in_ledger(&g->ledger, FORWARDING) || has_value("all", "forwarding", "0") ||
	       (!g->gate_known && nft_gate_check(g->nft, &closed, &state) == 0 && state == NFT_GATE_OK);
}

bool ground_plan_transit(struct ground *g)
{
	bool before = g->gate.no_transit;

	if (g->transit == GROUND_TRANSIT_AUTO)
		g->gate.no_transit = (g->gate_known && before) || forwards_for_us(g);
	else
		g->gate.no_transit = g->transit == GROUND_TRANSIT_NO;
	g->gate_known = true;
	return g->gate.no_transit != before;
}

static int plan_sysctls(struct ground *g, struct why *why)
{
	struct rtnl_link defaults = { .name = "default" };
	int e = ground_plan_ra(g);

	if (e >= 0 && has_value("all", "forwarding", "0")) {
		e = rtnl_link_list(g->rtnl, expect_forwarding, g);
		if (e == 0)
			e = expect_forwarding(g, &defaults);
	}
	for (size_t i = 0; e >= 0 && i < GROUND_SYSCTLS; i++) {
		e = sysctl_ledger_plan(&g->ledger, ground_sysctls[i].name, ground_sysctls[i].value);
		if (e < 0)
			why_set(why, "sysctl", ground_sysctls[i].name, "%s cannot be read: %s", ground_sysctls[i].name, strerror(-e));
	}
	return e < 0 ? e : 0;
}

/* Only what this start planned: an older entry may be of a device that is gone. */
static int set_ra(void *ctx, const struct rtnl_link *link)
{
	struct ground *g = ctx;
	char name[SYSCTL_NAME_MAX];

	snprintf(name, sizeof name, "net/ipv6/conf/%s/accept_ra", link->name);
	return is_in_ledger(&g->ledger, name) && has_value(link->name, "accept_ra", "1") ? sysctl_write(name, "2") : 0;
}

static int set_sysctls(struct ground *g, struct why *why)
{
	int e = rtnl_link_list(g->rtnl, set_ra, g);

	for (size_t i = 0; e == 0 && i < GROUND_SYSCTLS; i++) {
		e = sysctl_ledger_set(&g->ledger, ground_sysctls[i].name, ground_sysctls[i].value);
		if (e < 0)
			why_set(why, "sysctl", ground_sysctls[i].name, "%s cannot be set to %s: %s", ground_sysctls[i].name,
				ground_sysctls[i].value, strerror(-e));
	}
	return e;
}

/* The ledger is on disk before the first change: whenever we are killed, `leave` knows what was. Advertisements come before forwarding. */
static int lay_sysctls(struct ground *g, struct why *why)
{
	int e = plan_sysctls(g, why), saved = e == 0 ? sysctl_ledger_save(&g->ledger, g->ledger_path) : 0;

	if (saved < 0) /* what could not be noted is not put back by `leave`; no reason to keep the machine's network down */
		log_err("ground", "%s cannot be written: %s; going on", g->ledger_path, strerror(-saved));
	return e == 0 ? set_sysctls(g, why) : e;
}

/* One that cannot be read is set aside: what was before us is not known then, but that is no reason to keep the machine's network down. */
static int load_ledger(struct ground *g)
{
	char aside[sizeof g->ledger_path + 8];
	struct why why = { 0 };
	int e = sysctl_ledger_load(&g->ledger, g->ledger_path, &why);

	if (e <= 0)
		return e;
	snprintf(aside, sizeof aside, "%s.broken", g->ledger_path);
	log_err("ground", "%s cannot be read: %s; set aside as %s: leave will not put back what it named", g->ledger_path, why.text, aside);
	return rename(g->ledger_path, aside) < 0 ? -errno : 0;
}

static int lay_forward(struct ground *g)
{
	struct nft_forward found;
	unsigned added = 0;
	int e;

	if (!g->manage_firewall)
		return 0;
	e = nft_forward_accept(g->nft, &g->gate, &found, &added);
	if (e == 0 && added)
		log_info("ground", "forward chains that would drop us got one rule that accepts our mark: %s", found.names);
	return e;
}

static int lay_gate(struct ground *g)
{
	enum nft_gate_state state = NFT_GATE_MISSING;
	int e;

	ground_plan_transit(g);
	e = nft_gate_check(g->nft, &g->gate, &state);
	if (e == 0 && state != NFT_GATE_OK) /* an intact one stays, with its counter */
		e = nft_gate_load(g->nft, &g->gate);
	if (e == 0 && g->gate.no_transit)
		log_info("ground", "this machine forwards IPv6 of the 6PN and no other");
	return e;
}

static int transit_of(const char *value, enum ground_transit *ret_transit)
{
	static const char *const values[] = { [GROUND_TRANSIT_AUTO] = "auto", [GROUND_TRANSIT_YES] = "yes", [GROUND_TRANSIT_NO] = "no" };

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (!strcmp(value, values[i])) {
			*ret_transit = (enum ground_transit)i;
			return 0;
		}
	return -EINVAL;
}

int ground_lay(struct ground *ground, struct rtnl *rtnl, const struct config *config, struct why *why)
{
	const char *step = "routes and rule";
	struct rtnl_link lo;
	int e;

	*ground = (struct ground){ .rtnl = rtnl,
				   .gate = nft_gate_default,
				   .mark = (uint32_t)config_int(config, "mark"),
				   .mark_mask = (uint32_t)config_int(config, "mark_mask"),
				   .manage_firewall = config_bool(config, "manage") };
	ground->gate.mark = ground->mark;
	ground->gate.mask = ground->mark_mask;
	snprintf(ground->ledger_path, sizeof ground->ledger_path, "%s/sysctl.json", config_str(config, "state_dir"));
	snprintf(ground->underlay, sizeof ground->underlay, "%s", config_str(config, "underlay"));
	if (inet_pton(AF_INET6, config_str(config, "listen"), &ground->resolver) != 1)
		return why_set(why, "value_invalid", "listen", "listen = \"%s\" is not an IPv6 address", config_str(config, "listen"));
	if (transit_of(config_str(config, "transit"), &ground->transit) < 0)
		return why_set(why, "value_invalid", "transit", "transit = \"%s\" is none of auto, yes, no", config_str(config, "transit"));
	e = load_ledger(ground);
	if (e < 0)
		return why_set(why, "ground", "", "%s: %s", ground->ledger_path, strerror(-e));
	e = lay_routes(ground);
	if (e == 0) {
		step = "arrival gate";
		e = nft_open(&ground->nft);
	}
	if (e == 0)
		e = lay_gate(ground);
	if (e == 0) {
		step = "forward chains";
		e = lay_forward(ground);
	}
	if (e == 0) {
		step = "sysctls";
		e = lay_sysctls(ground, why);
	}
	if (e == 0) {
		step = "resolver address";
		e = rtnl_link_by_name(rtnl, "lo", &lo);
	}
	if (e == 0)
		e = rtnl_link_set_up(rtnl, lo.ifindex, true);
	if (e == 0)
		e = rtnl_addr_replace(rtnl, lo.ifindex, &ground->resolver, 128);
	if (e < 0)
		return why_set(why, "ground", "", "%s: %s%s%s", step, strerror(-e), rtnl_why(rtnl)->text[0] ? ": " : "", rtnl_why(rtnl)->text);
	return e;
}

int ground_route_mesh(struct ground *ground, uint32_t ifindex)
{
	struct rtnl_route route = ground_mesh_route(ifindex);

	return rtnl_route_replace(ground->rtnl, &route);
}

static bool listed(const char *devices, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = devices; (p = strstr(p, name)); p += n)
		if ((p == devices || p[-1] == ',' || p[-1] == ' ') && (!p[n] || p[n] == ',' || p[n] == ' '))
			return true;
	return false;
}

bool ground_is_uplink(const struct ground *ground, const struct rtnl_link *link)
{
	if (!strncmp(link->name, "sx", 2) || !strncmp(link->name, "sixpn-", 6) || link->flags & IFF_LOOPBACK)
		return false;
	return strcmp(ground->underlay, "auto") ? listed(ground->underlay, link->name) : link->flags & IFF_UP;
}

struct guard {
	const struct ground *ground;
	struct bpf_datapath *datapath;
	unsigned guarded;
};

static int guard_link(void *ctx, const struct rtnl_link *link)
{
	struct guard *g = ctx;
	int e;

	if (!ground_is_uplink(g->ground, link))
		return 0;
	e = bpf_attach(g->datapath, link->ifindex, link->name, BPF_DEVICE_UNDERLAY);
	if (e == -ENODEV)
		return 0; /* gone since the list was made, as a container's is */
	if (e < 0)
		log_err("ground", "%s: the guard against fdaa::/16 from outside cannot be attached: %s", link->name, strerror(-e));
	g->guarded += e == 0;
	return e;
}

int ground_guard_underlay(struct ground *ground, struct bpf_datapath *datapath, struct why *why)
{
	struct guard g = { .ground = ground, .datapath = datapath };
	int e = rtnl_link_list(ground->rtnl, guard_link, &g);

	if (e < 0)
		return why_set(why, "underlay", "underlay", "uplinks (underlay = %s) cannot be guarded: %s", ground->underlay, strerror(-e));
	if (!g.guarded)
		return why_set(why, "underlay", "underlay", "no uplink fits underlay = %s", ground->underlay);
	return 0;
}

void ground_deinit(struct ground *ground)
{
	ground->nft = nft_free(ground->nft);
	free(ground->guarded);
	ground->guarded = NULL;
	sysctl_ledger_deinit(&ground->ledger);
}

void ground_wipe(struct ground *ground)
{
	struct rtnl_route in_main = ground_refusal(RT_TABLE_MAIN), in_ours = ground_refusal(ADDR_TABLE);
	struct rtnl_rule rule = ground_rule(ground);
	struct rtnl_link lo;
	unsigned removed;
	size_t left;

	if (rtnl_link_by_name(ground->rtnl, "lo", &lo) == 0)
		rtnl_addr_del(ground->rtnl, lo.ifindex, &ground->resolver, 128);
	if (sysctl_ledger_restore(&ground->ledger, &left) == 0 && sysctl_ledger_save(&ground->ledger, ground->ledger_path) < 0)
		unlink(ground->ledger_path); /* a ledger of what is put back already would put it back once more */
	nft_forward_remove(ground->nft, &ground->gate, &removed);
	nft_gate_remove(ground->nft, &ground->gate);
	rtnl_rule_del(ground->rtnl, &rule);
	rtnl_route_del(ground->rtnl, &in_ours);
	rtnl_route_del(ground->rtnl, &in_main);
}
