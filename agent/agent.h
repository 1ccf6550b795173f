/* agent - the instances of this host: takes the desired set, keeps what is here of each, plans (plan.h) and carries the plans out
 * through the runtime and the attachment given to it. The real ones are put together in role.c, the fakes in the tests. */
#pragma once
#include "agent/attach.h"
#include "agent/plan.h"
#include "agent/runtime.h"
#include "node/role.h"

struct agent;

struct agent_parts {
	const struct attach_ops *attach;
	void *attach_ctx;
	const struct runtime_ops *runtime;
	void *runtime_ctx;
};

/* Adopts what it finds below run_dir/instances. Nothing is started, stopped or reported before the first sync. env and parts
 * are copied; what they point to must outlive the agent. */
int agent_new(const struct role_env *env, const struct agent_parts *parts, struct agent **ret_agent) MUST_CHECK;
/* Instances and interfaces stay. NULL is fine; returns NULL. */
struct agent *agent_free(struct agent *agent);
void agent_sync(struct agent *agent, const struct role_desired *desired);
/* Looks at every instance whose time has come; the agent's own timer calls this. */
void agent_tick(struct agent *agent);
/* Compares all interfaces with what they must be, and puts them right (repair.c). */
void agent_repair(struct agent *agent);
/* Ends and removes everything. */
void agent_wipe(struct agent *agent);
/* Of one instance, for status and tests. NULL: not known. */
const struct plan_local *agent_local(const struct agent *agent, const char *id);
