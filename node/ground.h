/* ground - what must hold on the machine before a single packet may pass: routes that refuse, the rule, the arrival gate, the
 * sysctls, fdaa::3 on the loopback, programs on the mesh and on the uplinks. In the order of DESIGN 7, fail closed: if a step fails
 * nothing after it is done. Everything is idempotent and outlives the daemon; ground_wipe takes it back. */
#pragma once
#include "lib/base/config.h"
#include "lib/bpf/datapath.h"
#include "lib/netlink/nft.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/sysctl.h"

struct ground {
	struct rtnl *rtnl;
	struct nft *nft;
	struct sysctl_ledger ledger;
	char ledger_path[256];
	struct nft_gate gate;
	uint32_t mark, mark_mask;
	bool manage_firewall;
	struct in6_addr resolver;
};

/* Routes, rules, gate, then sysctls and the resolver's address. */
int ground_lay(struct ground *ground, struct rtnl *rtnl, const struct config *config, struct why *why);
/* The route of everything 6PN that is not here: into the mesh. Once the mesh device is there and has its programs. */
int ground_route_mesh(struct ground *ground, uint32_t ifindex);
/* Programs of the uplinks: `devices` of the config, "auto" = every device that is up, not loopback and not ours. */
int ground_guard_underlay(struct ground *ground, struct bpf_datapath *datapath, const char *devices, struct why *why);
void ground_deinit(struct ground *ground);
void ground_wipe(struct ground *ground);
