/* gateway - the role that terminates customers' WireGuard peers. */
#include "node/role.h"

#include "lib/base/log.h"

#include <stdlib.h>

struct gateway {
	const struct role_env *env;
};

static int gateway_start(const struct role_env *env, void **ret_role, struct why *why)
{
	struct gateway *g = calloc(1, sizeof *g);

	(void)why;
	if (!g)
		return -ENOMEM;
	g->env = env;
	*ret_role = g;
	return 0;
}

static void gateway_sync(void *role, const struct role_desired *desired)
{
	(void)role;
	log_debug("gateway", "%zu peers in %zu networks", desired->n_peers, desired->n_networks);
}

static void gateway_stop(void *role)
{
	free(role);
}

static void gateway_wipe(void *role)
{
	(void)role;
}

const struct role_ops gateway_role = {
	.name = "gateway",
	.bit = ROLE_GATEWAY,
	.start = gateway_start,
	.sync = gateway_sync,
	.stop = gateway_stop,
	.wipe = gateway_wipe,
};
