/* ground - see ground.h. */
#include "node/ground.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/bpf/attach.h"
#include "lib/sixpn/addr.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Metric of the catch-all: behind every real route. */
#define REFUSE_METRIC 0x6000u

static struct rtnl_route refuse(uint32_t table, uint8_t type)
{
	return (struct rtnl_route){ .dst = addr_all_prefix(), .dst_len = 16, .type = type, .table = table, .metric = REFUSE_METRIC };
}

static int lay_routes(struct ground *g)
{
	struct rtnl_route in_main = refuse(RT_TABLE_MAIN, RTN_UNREACHABLE), in_ours = refuse(ADDR_TABLE, RTN_UNREACHABLE);
	struct rtnl_rule rule = { .mark = g->mark, .mask = g->mark_mask, .table = ADDR_TABLE, .priority = ADDR_RULE_PRIORITY };
	int e = rtnl_route_add(g->rtnl, &in_main);

	if (e == 0)
		e = rtnl_route_add(g->rtnl, &in_ours);
	return e == 0 ? rtnl_rule_add(g->rtnl, &rule) : e;
}

/* Before forwarding goes on: uplinks that live from router advertisements would otherwise lose their default route. */
static int keep_ra(struct ground *g)
{
	uint32_t links[32];
	size_t n = 0;
	int e = rtnl_ra_default_links(g->rtnl, links, ARRAY_LEN(links), &n);

	for (size_t i = 0; e == 0 && i < n; i++) {
		char name[SYSCTL_NAME_MAX];
		struct rtnl_link link;

		e = rtnl_link_by_index(g->rtnl, links[i], &link);
		if (e == 0) {
			snprintf(name, sizeof name, "net/ipv6/conf/%s/accept_ra", link.name);
			e = sysctl_ledger_set(&g->ledger, name, "2");
			log_info("ground", "%s has its default route from router advertisements: accept_ra = 2", link.name);
		}
	}
	return e;
}

static int lay_sysctls(struct ground *g, struct why *why)
{
	static const struct {
		const char *name, *value;
	} wanted[] = {
		{ "net/ipv6/fwmark_reflect", "1" },      /* ping replies, RST and Packet-Too-Big find the way back by the mark */
		{ "net/ipv4/tcp_fwmark_accept", "1" },   /* (IPv6 too) an accepted DNS connection answers with the query's mark */
		{ "net/ipv6/conf/lo/disable_ipv6", "0" },
		{ "net/ipv6/conf/all/forwarding", "1" },
	};
	int e = keep_ra(g), saved;

	for (size_t i = 0; e == 0 && i < ARRAY_LEN(wanted); i++) {
		e = sysctl_ledger_set(&g->ledger, wanted[i].name, wanted[i].value);
		if (e < 0)
			why_set(why, "sysctl", wanted[i].name, "%s cannot be set to %s: %s", wanted[i].name, wanted[i].value, strerror(-e));
	}
	saved = e == 0 ? sysctl_ledger_save(&g->ledger, g->ledger_path) : 0;
	if (saved < 0) /* what could not be noted is not put back by `leave`; no reason to keep the machine's network down */
		log_err("ground", "%s cannot be written: %s; going on", g->ledger_path, strerror(-saved));
	return e;
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
	if (inet_pton(AF_INET6, config_str(config, "listen"), &ground->resolver) != 1)
		return why_set(why, "value_invalid", "listen", "listen = \"%s\" is not an IPv6 address", config_str(config, "listen"));
	e = sysctl_ledger_load(&ground->ledger, ground->ledger_path, why);
	if (e)
		return e;
	e = lay_routes(ground);
	if (e == 0) {
		step = "arrival gate";
		e = nft_open(&ground->nft);
	}
	if (e == 0) {
		enum nft_gate_state state = NFT_GATE_MISSING;

		e = nft_gate_check(ground->nft, &ground->gate, &state);
		if (e == 0 && state != NFT_GATE_OK) /* an intact one stays, with its counter */
			e = nft_gate_load(ground->nft, &ground->gate);
	}
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
		e = rtnl_addr_add(rtnl, lo.ifindex, &ground->resolver, 128);
	if (e < 0)
		return why_set(why, "ground", "", "%s: %s%s%s", step, strerror(-e), rtnl_why(rtnl)->text[0] ? ": " : "", rtnl_why(rtnl)->text);
	return e;
}

int ground_route_mesh(struct ground *ground, uint32_t ifindex)
{
	struct rtnl_route route = { .dst = addr_all_prefix(), .dst_len = 16, .type = RTN_UNICAST, .table = ADDR_TABLE, .oif = ifindex, .metric = 1024 };

	return rtnl_route_replace(ground->rtnl, &route);
}

struct guard {
	struct bpf_datapath *datapath;
	const char *devices;
	unsigned guarded;
};

static bool listed(const char *devices, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = devices; (p = strstr(p, name)); p += n)
		if ((p == devices || p[-1] == ',' || p[-1] == ' ') && (!p[n] || p[n] == ',' || p[n] == ' '))
			return true;
	return false;
}

static int guard_link(void *ctx, const struct rtnl_link *link)
{
	struct guard *g = ctx;
	bool ours = !strncmp(link->name, "sx", 2) || !strncmp(link->name, "sixpn-", 6);
	int e;

	if (ours || (link->flags & IFF_LOOPBACK))
		return 0;
	if (strcmp(g->devices, "auto") ? !listed(g->devices, link->name) : !(link->flags & IFF_UP))
		return 0;
	e = bpf_attach(g->datapath, link->ifindex, link->name, BPF_DEVICE_UNDERLAY);
	if (e < 0)
		log_err("ground", "%s: the guard against fdaa::/16 from outside cannot be attached: %s", link->name, strerror(-e));
	g->guarded += e == 0;
	return e;
}

int ground_guard_underlay(struct ground *ground, struct bpf_datapath *datapath, const char *devices, struct why *why)
{
	struct guard g = { .datapath = datapath, .devices = devices };
	int e = rtnl_link_list(ground->rtnl, guard_link, &g);

	if (e < 0)
		return why_set(why, "underlay", "underlay", "uplinks (underlay = %s) cannot be guarded: %s", devices, strerror(-e));
	if (!g.guarded)
		return why_set(why, "underlay", "underlay", "no uplink fits underlay = %s", devices);
	return 0;
}

void ground_deinit(struct ground *ground)
{
	ground->nft = nft_free(ground->nft);
	sysctl_ledger_deinit(&ground->ledger);
}

void ground_wipe(struct ground *ground)
{
	struct rtnl_route in_main = refuse(RT_TABLE_MAIN, RTN_UNREACHABLE), in_ours = refuse(ADDR_TABLE, RTN_UNREACHABLE);
	struct rtnl_rule rule = { .mark = ground->mark, .mask = ground->mark_mask, .table = ADDR_TABLE, .priority = ADDR_RULE_PRIORITY };
	struct rtnl_link lo;
	unsigned removed;
	size_t left;

	if (rtnl_link_by_name(ground->rtnl, "lo", &lo) == 0)
		rtnl_addr_del(ground->rtnl, lo.ifindex, &ground->resolver, 128);
	if (sysctl_ledger_restore(&ground->ledger, &left) == 0 && sysctl_ledger_save(&ground->ledger, ground->ledger_path) < 0)
		unlink(ground->ledger_path); /* a ledger of what is put back already would put it back once more */
	nft_forward_remove(ground->nft, &removed);
	nft_gate_remove(ground->nft, &ground->gate);
	rtnl_rule_del(ground->rtnl, &rule);
	rtnl_route_del(ground->rtnl, &in_ours);
	rtnl_route_del(ground->rtnl, &in_main);
}
