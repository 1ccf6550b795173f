/* instance - one instance of this host, as the agent keeps it: what is wanted of it, what is here, and the steps between. */
#pragma once
#include "agent/agent.h"
#include "agent/files.h"
#include "lib/base/map.h"

#include <limits.h>

struct agent {
	struct role_env env;
	struct agent_parts parts;
	struct map instances; /* id -> struct instance */
	struct loop_timer timer;
	char folder[PATH_MAX - 64]; /* run_dir/instances */
	bool synced; /* of the last sync */
};

struct instance {
	struct agent *agent;
	char id[NAME_INSTANCE_ID_SIZE];
	char folder[PATH_MAX];
	struct plan_local local;
	uint64_t wake_ms;
	bool executing; /* an event during a step is noted only */
	bool seen;      /* in a desired set since this start */
	bool wanted;    /* in the last one */

	/* what is wanted, of the last sync that named it */
	struct plan_desired desired;
	uint64_t v, workload_v;
	uint32_t network, home_host, instance;
	char app[NAME_SIZE], region[NAME_REGION_SIZE], group[NAME_SIZE];
	struct spec spec;
	bool has_spec;
	char refusal[160];      /* of the workload */
	char attach_error[160]; /* told again at each sync until it is gone */
};

/* Sets the timer for the earliest wake_ms of all. */
void agent_arm(struct agent *agent);

int instance_new(struct agent *agent, const char *id, struct instance **ret_instance) MUST_CHECK;
struct instance *instance_free(struct instance *instance); /* takes it out of the agent; returns NULL */
/* What an earlier daemon left of it becomes its local state. */
int instance_adopt(struct instance *instance) MUST_CHECK;
/* Takes over what a sync says of it. Does nothing yet. */
void instance_update(struct instance *instance, const struct role_instance *in);
/* Plans and acts until there is nothing to do now. May free the instance. */
void instance_run(struct instance *instance);
/* What its interface must be. netns_fd is borrowed. */
struct attach_spec instance_attach_spec(const struct instance *instance, int netns_fd);
/* Events. Each runs it. */
void instance_ready(struct instance *instance);
void instance_running(struct instance *instance);
void instance_ended(struct instance *instance, int32_t exit_code, const char *text);
/* Ends and removes it without being gentle; begin for all of them first. */
void instance_wipe_begin(struct instance *instance);
void instance_wipe(struct instance *instance);
