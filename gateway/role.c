/* gateway - the role that terminates customers' WireGuard peers. The room, its records (Peer, PeerKey), its hooks (peer_ingress,
 * peer_egress) and its place in the table of roles exist; the peers themselves are the next capability. Until then a node that is
 * asked to be a gateway says so and does not start, rather than pretend. */
#include "node/role.h"

static int gateway_start(const struct role_env *env, void **ret_role, struct why *why)
{
	(void)env;
	(void)ret_role;
	return why_set(why, "role_unavailable", "roles", "this version cannot be a gateway yet: set roles = host");
}

static void gateway_sync(void *role, const struct role_desired *desired)
{
	(void)role;
	(void)desired;
}

static void gateway_stop(void *role)
{
	(void)role;
}

const struct role_ops gateway_role = {
	.name = "gateway",
	.bit = ROLE_GATEWAY,
	.start = gateway_start,
	.sync = gateway_sync,
	.stop = gateway_stop,
	.wipe = gateway_stop,
};
