/* role - the host role: the agent with its real parts. */
#include "agent/agent.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct host_role {
	struct attach_netns attach;
	struct runtime_process *runtime;
	struct agent *agent;
};

static int find_shim(const struct config *config, char ret_path[PATH_MAX], struct why *why)
{
	const char *given = config_str(config, "shim_path");
	char self[PATH_MAX] = "";
	ssize_t n;

	if (given && given[0]) {
		snprintf(ret_path, PATH_MAX, "%s", given);
	} else {
		n = readlink("/proc/self/exe", self, sizeof self - 1);
		if (n <= 0 || !strrchr(self, '/'))
			return why_set(why, "shim_path", "shim_path", "our own place is not known; say where sixpn-shim is with shim_path");
		*strrchr(self, '/') = 0;
		if ((size_t)snprintf(ret_path, PATH_MAX, "%s/sixpn-shim", self) >= PATH_MAX)
			return -ENAMETOOLONG;
	}
	if (access(ret_path, X_OK) < 0)
		return why_set(why, "shim_path", "shim_path", "%.200s cannot be run: %s; say where sixpn-shim is with shim_path", ret_path,
			       strerror(errno));
	return 0;
}

static void *role_free(struct host_role *role)
{
	agent_free(role->agent);
	runtime_process_free(role->runtime);
	free(role);
	return NULL;
}

static int role_start(const struct role_env *env, void **ret_role, struct why *why)
{
	struct agent_parts parts = { .attach = &attach_netns_ops, .runtime = &runtime_process_ops };
	struct host_role *role;
	char shim[PATH_MAX];
	int r = find_shim(env->config, shim, why);

	if (r != 0)
		return r;
	role = calloc(1, sizeof *role);
	if (!role)
		return -ENOMEM;
	role->attach = (struct attach_netns){ .rtnl = env->rtnl, .datapath = env->datapath };
	role->runtime = runtime_process_new(env->loop, shim);
	parts.attach_ctx = &role->attach;
	parts.runtime_ctx = role->runtime;
	r = role->runtime ? agent_new(env, &parts, &role->agent) : -ENOMEM;
	if (r < 0) {
		role_free(role);
		return r;
	}
	*ret_role = role;
	return 0;
}

static void role_sync(void *role, const struct role_desired *desired)
{
	agent_sync(((struct host_role *)role)->agent, desired);
}

static void role_repair(void *role)
{
	agent_repair(((struct host_role *)role)->agent);
}

static void role_stop(void *role)
{
	role_free(role);
}

static void role_wipe(void *role)
{
	agent_wipe(((struct host_role *)role)->agent);
}

const struct role_ops agent_role = {
	.name = "host",
	.bit = ROLE_HOST,
	.start = role_start,
	.sync = role_sync,
	.repair = role_repair,
	.stop = role_stop,
	.wipe = role_wipe,
};
