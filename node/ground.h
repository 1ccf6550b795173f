/* ground - what must hold on the machine before a single packet may pass: routes that refuse, the rule, the arrival gate, the
 * sysctls, fdaa::3 on the loopback, programs on the mesh and on the uplinks. In the order of DESIGN 7, fail closed: if a step fails
 * nothing after it is done. Everything is idempotent and outlives the daemon; ground_wipe takes it back. */
#pragma once
#include "lib/base/config.h"
#include "lib/bpf/datapath.h"
#include "lib/netlink/nft.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/sysctl.h"
#include "node/moved.h"
#include "node/role.h"

/* IPv6 that is not the 6PN's, on a machine that forwards because of us. AUTO: as it was before us. */
enum ground_transit { GROUND_TRANSIT_AUTO, GROUND_TRANSIT_YES, GROUND_TRANSIT_NO };

struct ground {
	struct rtnl *rtnl;
	struct nft *nft;
	struct sysctl_ledger ledger;
	char ledger_path[256];
	struct nft_gate gate;
	uint32_t mark, mark_mask;
	bool manage_firewall;
	enum ground_transit transit;
	bool gate_known;          /* gate.no_transit was decided once */
	struct in6_addr resolver;
	char underlay[208];       /* of the config: "auto", or names */
	uint32_t *guarded;        /* interfaces that had the underlay program at the last look: a new one is no drift */
	size_t n_guarded;
	uint32_t firewall_seen;   /* generation of the nftables ruleset that was found good; 0 = none */
};

/* Routes, rules, gate, then sysctls and the resolver's address. */
int ground_lay(struct ground *ground, struct rtnl *rtnl, const struct config *config, struct why *why);
/* The route of everything 6PN that is not here: into the mesh. Once the mesh device is there and has its programs. */
int ground_route_mesh(struct ground *ground, uint32_t ifindex);
/* Programs of the uplinks: those the config names, "auto" = every device that is up, not loopback and not ours. */
int ground_guard_underlay(struct ground *ground, struct bpf_datapath *datapath, struct why *why);
void ground_deinit(struct ground *ground);

/* What is laid, as ground_repair.c compares it. */
struct rtnl_route ground_refusal(uint32_t table);
struct rtnl_route ground_mesh_route(uint32_t ifindex);
struct rtnl_rule ground_rule(const struct ground *ground);
#define GROUND_SYSCTLS 4
extern const struct ground_sysctl {
	const char *name, *value;
} ground_sysctls[GROUND_SYSCTLS];
/* Is it an uplink that the underlay program guards? */
bool ground_is_uplink(const struct ground *ground, const struct rtnl_link *link);
/* Notes which uplinks live from router advertisements and would no longer, once this machine forwards; SYSCTL_DIFFERS if there are any. */
int ground_plan_ra(struct ground *ground);
/* Whether the gate must let nothing through the machine that is not ours: nothing went through before us. Told in gate.no_transit; true
 * if that changed. */
bool ground_plan_transit(struct ground *ground);

/* Outside an apply (ground_repair.c): all of it as it must be, each difference told. What refuses first, what opens last. */
void ground_repair_gates(struct ground *ground, const struct repair_sink *sink);
void ground_repair_uplinks(struct ground *ground, struct bpf_datapath *datapath, const struct repair_sink *sink);
/* moved: with ways of their own into the mesh, from the node of this host word. */
void ground_repair_ways(struct ground *ground, uint32_t mesh_ifindex, uint32_t self, const struct moved *moved,
			const struct repair_sink *sink);
void ground_wipe(struct ground *ground);
