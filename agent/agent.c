/* agent - see agent.h. One timer for all instances, armed for the earliest; every event plans its own instance only. */
#include "agent/instance.h"

#include "lib/base/log.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AREA "agent"

void agent_arm(struct agent *a)
{
	uint64_t now = clock_mono_ms(&a->env.clock), wake = 0;
	struct instance *in;

	for (size_t i = 0; (in = map_next(&a->instances, &i)); )
		if (in->wake_ms && (!wake || in->wake_ms < wake))
			wake = in->wake_ms;
	if (!wake)
		loop_cancel_timer(&a->timer);
	else if (loop_set_timer_in(a->env.loop, &a->timer, wake > now ? wake - now : 0) < 0)
		log_err(AREA, "no memory for a timer; instances are looked at with the next change");
}

void agent_tick(struct agent *a)
{
	uint64_t now = clock_mono_ms(&a->env.clock);
	struct instance *in;

	for (size_t i = 0; (in = map_next(&a->instances, &i)); )
		if (in->wake_ms && in->wake_ms <= now)
			instance_run(in);
	agent_arm(a);
}

static void timer_expired(struct loop_timer *timer)
{
	agent_tick(container_of(timer, struct agent, timer));
}

static void on_ready(void *ctx, const char *id)
{
	struct agent *a = ctx;
	struct instance *in = map_get_str(&a->instances, id);

	if (in)
		instance_ready(in);
	agent_arm(a);
}

static void on_running(void *ctx, const char *id)
{
	struct agent *a = ctx;
	struct instance *in = map_get_str(&a->instances, id);

	if (in)
		instance_running(in);
	agent_arm(a);
}

static void on_ended(void *ctx, const char *id, int32_t exit_code, const char *text)
{
	struct agent *a = ctx;
	struct instance *in = map_get_str(&a->instances, id);

	if (in)
		instance_ended(in, exit_code, text);
	agent_arm(a);
}

static int adopt_one(struct agent *a, const char *id)
{
	struct instance *in;
	int r = instance_new(a, id, &in);

	if (r < 0)
		return r;
	r = instance_adopt(in);
	if (r < 0) {
		log_err(AREA, "instance %s, left by an earlier run, cannot be looked at: %s", id, strerror(-r));
		instance_free(in);
	}
	return r;
}

static int sweep(struct agent *a)
{
	const char **keep = calloc(a->instances.n + 1, sizeof *keep);
	struct instance *in;
	size_t n = 0;
	int r;

	if (!keep)
		return -ENOMEM;
	for (size_t i = 0; (in = map_next(&a->instances, &i)); )
		keep[n++] = in->folder;
	r = a->parts.attach->sweep(a->parts.attach_ctx, keep, n);
	free(keep);
	return r;
}

static int adopt_all(struct agent *a)
{
	DIR *dir = opendir(a->folder);
	struct dirent *entry;
	int r = 0;

	if (!dir && errno != ENOENT)
		return -errno;
	if (dir && a->parts.runtime->sweep(a->parts.runtime_ctx, a->folder) < 0)
		log_warn(AREA, "processes of an earlier run that belong to no instance do not go, ignoring");
	while (r == 0 && dir && (entry = readdir(dir)))
		if (name_check_instance_id(entry->d_name, NULL) == 0)
			r = adopt_one(a, entry->d_name);
	if (dir)
		closedir(dir);
	if (r == 0)
		r = sweep(a);
	if (r == 0 && a->instances.n)
		log_info(AREA, "%zu instances of an earlier run found", a->instances.n);
	return r;
}

int agent_new(const struct role_env *env, const struct agent_parts *parts, struct agent **ret_agent)
{
	struct runtime_listener listener = { .ready = on_ready, .running = on_running, .ended = on_ended };
	struct agent *a = calloc(1, sizeof *a);
	int r;

	if (!a)
		return -ENOMEM;
	a->env = *env;
	a->parts = *parts;
	a->timer.expired = timer_expired;
	listener.ctx = a;
	parts->runtime->listen(parts->runtime_ctx, &listener);
	if ((size_t)snprintf(a->folder, sizeof a->folder, "%s/instances", env->run_dir) >= sizeof a->folder)
		r = -ENAMETOOLONG;
	else
		r = adopt_all(a);
	if (r < 0) {
		agent_free(a);
		return r;
	}
	*ret_agent = a;
	return 0;
}

struct agent *agent_free(struct agent *a)
{
	struct instance *in;

	if (!a)
		return NULL;
	loop_cancel_timer(&a->timer);
	for (size_t i = 0; (in = map_next(&a->instances, &i)); )
		instance_free(in);
	map_deinit(&a->instances);
	free(a);
	return NULL;
}

void agent_sync(struct agent *a, const struct role_desired *desired)
{
	struct instance *in;

	a->synced = desired->synced;
	for (size_t i = 0; (in = map_next(&a->instances, &i)); )
		in->wanted = false;
	for (size_t i = 0; i < desired->n_instances; i++) {
		const struct role_instance *wanted = &desired->instances[i];

		in = map_get_str(&a->instances, wanted->record.id);
		if (!in && instance_new(a, wanted->record.id, &in) < 0) {
			a->env.ops->record_error(a->env.node, RECORD_INSTANCE, wanted->record.id, wanted->v, "no memory");
			continue;
		}
		instance_update(in, wanted);
	}
	for (size_t i = 0; (in = map_next(&a->instances, &i)); )
		instance_run(in);
	agent_arm(a);
}

void agent_wipe(struct agent *a)
{
	struct instance *in;

	for (size_t i = 0; (in = map_next(&a->instances, &i)); ) /* all end at the same time */
		instance_wipe_begin(in);
	for (size_t i = 0; (in = map_next(&a->instances, &i)); )
		instance_wipe(in);
	loop_cancel_timer(&a->timer);
}

const struct plan_local *agent_local(const struct agent *a, const char *id)
{
	const struct instance *in = map_get_str(&a->instances, id);

	return in ? &in->local : NULL;
}
