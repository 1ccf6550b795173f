/* instance - see instance.h. The steps of plan.h, one small function each; what a step changes is written into local at once, so
 * that the next plan starts from what is true. */
#include "agent/instance.h"

#include "agent/identity.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AREA "agent"
#define ROUNDS_MAX 32         /* plans in a row; more would mean that a step does not do what the planner believes */

static uint64_t now_ms(const struct instance *in)
{
	return clock_mono_ms(&in->agent->env.clock);
}

int instance_new(struct agent *agent, const char *id, struct instance **ret_instance)
{
	struct instance *in = calloc(1, sizeof *in);
	int r;

	if (!in)
		return -ENOMEM;
	in->agent = agent;
	snprintf(in->id, sizeof in->id, "%s", id);
	snprintf(in->folder, sizeof in->folder, "%s/%s", agent->folder, id);
	r = map_set_str(&agent->instances, in->id, in);
	if (r < 0) {
		free(in);
		return r;
	}
	*ret_instance = in;
	return 0;
}

struct instance *instance_free(struct instance *in)
{
	struct agent *a = in->agent;

	if (in->local.awaiting)
		a->env.ops->forget_await(a->env.node, in);
	a->parts.runtime->release(a->parts.runtime_ctx, in->id);
	map_remove(&a->instances, in->id, strlen(in->id));
	spec_deinit(&in->spec);
	free(in);
	return NULL;
}

int instance_adopt(struct instance *in)
{
	static const enum plan_phase phases[] = {
		[RUNTIME_NONE] = PLAN_ENDED, /* its folder is here: something to clean */
		[RUNTIME_HELD] = PLAN_HELD,
		[RUNTIME_OPENED] = PLAN_OPENED,
		[RUNTIME_RUNNING] = PLAN_RUNNING,
		[RUNTIME_ENDED] = PLAN_ENDED,
	};
	const struct agent_parts *parts = &in->agent->parts;
	struct plan_local *l = &in->local;
	uint64_t now = now_ms(in);
	struct runtime_status status = { .state = RUNTIME_NONE };
	int64_t restarts;
	int r = parts->runtime->adopt(parts->runtime_ctx, in->folder, in->id, &status);

	if (r < 0)
		return r;
	if (identity_read(in->folder, "restarts", &restarts) == 0 && restarts > 0 && restarts <= UINT32_MAX)
		l->restarts = (uint32_t)restarts;
	memcpy(l->failure, status.failure, sizeof l->failure);
	l->phase = phases[status.state];
	l->generation = l->run_generation = status.state == RUNTIME_NONE ? 0 : status.generation;
	l->desired = DESIRED_STARTED;
	l->exit_code = status.exit_code;
	if (l->phase == PLAN_RUNNING)
		l->started_ms = now > status.age_ms ? now - status.age_ms : 1;
	l->attached = l->unchecked = true;
	return 0;
}

/* ---- what a sync says ---- */

/* First sight since this daemon started: what it and the record remember of the time before. */
static void remember(struct instance *in, const struct instance_record *record)
{
	const struct observed *o = &record->observed;
	struct plan_local *l = &in->local;

	if (l->restarts < o->restarts) /* ours counts on while nobody hears it */
		l->restarts = o->restarts;
	if (l->phase != PLAN_ABSENT)
		return;
	l->exit_code = o->exit_code;
	/* The machine was started anew: a command that had ended by itself stays under its restart policy. */
	if (record->desired == DESIRED_STARTED && o->generation == record->generation &&
	    (o->state == STATE_STOPPED || (o->state == STATE_FAILED && o->exit_code != 0))) {
		l->phase = PLAN_ENDED;
		l->generation = l->run_generation = o->generation;
		l->desired = DESIRED_STARTED;
	}
}

static void take_workload(struct instance *in, const struct role_instance *wanted)
{
	struct why why = { .text = "" };
	struct spec spec;

	if (wanted->workload_v == 0 || (in->workload_v == wanted->workload_v && (in->has_spec || in->refusal[0])))
		return;
	in->workload_v = wanted->workload_v;
	in->refusal[0] = 0;
	if (spec_parse(wanted->spec, wanted->spec_len, &spec, &why) != 0) {
		snprintf(in->refusal, sizeof in->refusal, "%.159s", why.text);
		return;
	}
	if (spec.runtime != SPEC_RUNTIME_PROCESS) {
		snprintf(in->refusal, sizeof in->refusal, "runtime \"hook\": no runtime hook is configured on this host");
		spec_deinit(&spec);
		return;
	}
	spec_deinit(&in->spec);
	in->spec = spec;
	in->has_spec = true;
}

static void tell_errors(const struct instance *in)
{
	const struct role_env *env = &in->agent->env;

	if (in->refusal[0])
		env->ops->record_error(env->node, RECORD_WORKLOAD, in->id, in->workload_v, in->refusal);
	if (in->attach_error[0])
		env->ops->record_error(env->node, RECORD_INSTANCE, in->id, in->v, in->attach_error);
}

/* The plan may have a reason to come to the interface later; whoever suspends is told "applied" with this very sync. */
static void silence(struct instance *in)
{
	const struct agent_parts *parts = &in->agent->parts;
	struct attach_spec spec = instance_attach_spec(in, -1);
	int r = parts->attach->silence(parts->attach_ctx, &spec);

	if (r < 0)
		snprintf(in->attach_error, sizeof in->attach_error, "its network is suspended, but its interface cannot be silenced: %s",
			 strerror(-r));
}

void instance_update(struct instance *in, const struct role_instance *wanted)
{
	const struct instance_record *record = &wanted->record;

	if (!in->seen)
		remember(in, record);
	in->seen = in->wanted = true;
	in->v = wanted->v;
	in->network = record->network;
	in->home_host = record->home_host;
	in->instance = record->instance;
	memcpy(in->app, wanted->app, sizeof in->app);
	memcpy(in->region, wanted->region, sizeof in->region);
	memcpy(in->group, record->group, sizeof in->group);
	take_workload(in, wanted);
	in->desired = (struct plan_desired){
		.desired = record->desired,
		.generation = record->generation,
		.has_workload = in->has_spec || in->refusal[0],
		.refusal = in->refusal[0] ? in->refusal : NULL,
		.restart = in->spec.restart,
		.drain_ms = in->spec.drain_ms,
		.stop_timeout_ms = in->spec.stop_timeout_ms,
		.suspended = wanted->suspended,
	};
	in->local.reported = record->observed;
	if (in->desired.suspended && in->local.attached && !in->local.attached_suspended)
		silence(in);
	tell_errors(in);
}

/* ---- steps ---- */

static void start_failed(struct instance *in, const char *text)
{
	log_warn(AREA, "instance %s cannot be started: %s", in->id, text);
	plan_ended(&in->local, 0, text, now_ms(in));
}

static int kill_process(struct instance *in, bool force)
{
	const struct agent_parts *parts = &in->agent->parts;
	int r = parts->runtime->kill(parts->runtime_ctx, in->id, force);

	if (in->local.phase == PLAN_SPAWNING && r < 0) { /* it has not even said who it is */
		parts->runtime->release(parts->runtime_ctx, in->id);
		plan_ended(&in->local, 0, "its shim never came up", now_ms(in));
		return r;
	}
	if (in->local.phase == PLAN_SPAWNING && in->local.desired == DESIRED_STARTED)
		snprintf(in->local.failure, sizeof in->local.failure, "its shim did not come to its gate in time");
	in->local.phase = PLAN_KILLING;
	return 0;
}

/* A start that went wrong with the process held: it ends, and the back-off decides when to try again. */
static int abandon(struct instance *in, const char *text)
{
	log_warn(AREA, "instance %s cannot be started: %s", in->id, text);
	snprintf(in->local.failure, sizeof in->local.failure, "%s", text);
	in->local.deadline_ms = now_ms(in) + PLAN_KILL_AGAIN_MS;
	kill_process(in, false);
	return -ECANCELED;
}

static int step_files(struct instance *in, const struct plan *plan)
{
	const struct launch_facts facts = { .id = in->id,
					    .app = in->app,
					    .region = in->region,
					    .group = in->group,
					    .address = addr_instance(in->network, in->home_host, in->instance),
					    .generation = plan->generation };
	struct plan_local *l = &in->local;
	struct why why = { .text = "" };
	struct launch launch = { .generation = 0 };
	char path[PATH_MAX + 16];
	int r;

	if (l->run_generation < plan->generation)
		l->backoff_ms = 0; /* what is wanted now has not failed yet */
	if (l->phase == PLAN_ENDED && l->run_generation == plan->generation && !l->ended_wanted && !l->failure[0])
		l->restarts++;
	l->run_generation = plan->generation;
	l->failure[0] = 0;
	snprintf(path, sizeof path, "%s/launch", in->folder);
	r = launch_make(&in->spec, &facts, &launch, &why);
	if (r == 0)
		r = file_make_dirs(in->agent->folder, 0755);
	if (r == 0)
		r = file_make_dirs(in->folder, 0700);
	if (r == 0)
		r = identity_write(in->folder, "restarts", l->restarts);
	if (r == 0)
		r = files_write(in->folder, &facts, &in->spec, &launch);
	if (r == 0)
		r = launch_write(&launch, path);
	launch_deinit(&launch);
	if (r < 0)
		why_set(&why, "files", "", "its files cannot be written: %s", strerror(-r));
	if (r != 0)
		start_failed(in, why.text);
	return r;
}

static int step_spawn(struct instance *in, const struct plan *plan)
{
	const struct agent_parts *parts = &in->agent->parts;
	char text[160];
	int r = parts->runtime->start(parts->runtime_ctx, in->folder, in->id);

	if (r < 0) {
		snprintf(text, sizeof text, "its process cannot be started: %s", strerror(-r));
		start_failed(in, text);
		return r;
	}
	in->local.phase = PLAN_SPAWNING;
	in->local.settled = false;
	in->local.attach_again_ms = 0;
	in->local.attach_waits = 0;
	in->local.deadline_ms = plan->deadline_ms;
	return 0;
}

static void attach_failed(struct instance *in, const char *text)
{
	snprintf(in->attach_error, sizeof in->attach_error, "no interface: %.140s", text);
	tell_errors(in);
	if (in->local.phase == PLAN_HELD) {
		abandon(in, in->attach_error);
		return;
	}
	log_err(AREA, "instance %s runs but has %s; trying again", in->id, in->attach_error);
	in->local.attach_again_ms = now_ms(in) + PLAN_ATTACH_AGAIN_MS;
	in->local.attach_waits = 0;
}

struct attach_spec instance_attach_spec(const struct instance *in, int netns_fd)
{
	return (struct attach_spec){ .kind = ATTACH_NETNS,
				     .id = in->id,
				     .folder = in->folder,
				     .network = in->network,
				     .home_host = in->home_host,
				     .instance = in->instance,
				     .netns_fd = netns_fd,
				     .suspended = in->desired.suspended };
}

static int step_attach(struct instance *in)
{
	const struct agent_parts *parts = &in->agent->parts;
	struct attach_spec spec;
	CLEAN_CLOSE int netns = -1;
	struct why why = { .text = "" };
	int r = parts->runtime->netns(parts->runtime_ctx, in->id, &netns);

	spec = instance_attach_spec(in, netns);
	if (r == 0)
		r = parts->attach->attach(parts->attach_ctx, &spec, &why);
	if (r == 0) {
		in->local.attached = true;
		in->local.unchecked = false;
		in->local.attached_suspended = spec.suspended;
		in->attach_error[0] = 0;
		return 0;
	}
	if (r == ATTACH_E_PENDING && in->local.attach_waits++ < PLAN_ATTACH_WAITS_MAX) {
		in->local.attached = in->local.unchecked = true; /* begun: whatever ends it now has something to take away */
		in->local.attach_again_ms = now_ms(in) + PLAN_ATTACH_WAIT_MS;
		return -EAGAIN;
	}
	if (r == ATTACH_E_PENDING)
		why_set(&why, "attach", "", "its link or address does not become usable");
	attach_failed(in, why.text[0] ? why.text : strerror(-r));
	return -ECANCELED;
}

static void presence_done(void *arg, bool timed_out)
{
	struct instance *in = arg;
	struct agent *agent = in->agent;

	if (timed_out)
		log_info(AREA, "instance %s starts though not every node has said that it knows of network %08x here", in->id, in->network);
	in->local.awaiting = false;
	in->local.settled = true;
	if (in->executing)
		return; /* it said so at once: the plan under way goes on */
	instance_run(in);
	agent_arm(agent);
}

static int step_await(struct instance *in)
{
	const struct role_env *env = &in->agent->env;

	in->local.awaiting = true;
	env->ops->await_presence(env->node, in->network, in->id, presence_done, in);
	return 0;
}

static int step_forget_await(struct instance *in)
{
	const struct role_env *env = &in->agent->env;

	env->ops->forget_await(env->node, in);
	in->local.awaiting = false;
	return 0;
}

static int step_open(struct instance *in)
{
	const struct agent_parts *parts = &in->agent->parts;
	char text[160];
	int r = parts->runtime->open(parts->runtime_ctx, in->id);

	if (r < 0) {
		snprintf(text, sizeof text, "its gate cannot be opened: %s", strerror(-r));
		return abandon(in, text);
	}
	in->local.phase = PLAN_OPENED;
	return 0;
}

static int step_drain(struct instance *in, const struct plan *plan)
{
	in->local.phase = PLAN_DRAINING;
	in->local.deadline_ms = plan->deadline_ms;
	return 0;
}

static int step_term(struct instance *in, const struct plan *plan)
{
	const struct agent_parts *parts = &in->agent->parts;

	if (plan->desired == DESIRED_STARTED && in->local.phase == PLAN_RUNNING)
		in->local.in_place = true; /* OPENED: as it was */
	in->local.phase = PLAN_STOPPING;
	in->local.deadline_ms = plan->deadline_ms;
	parts->runtime->term(parts->runtime_ctx, in->id); /* gone already: then its end is on its way to us */
	return 0;
}

static int step_kill(struct instance *in, const struct plan *plan, bool force)
{
	in->local.deadline_ms = plan->deadline_ms;
	return kill_process(in, force);
}

static int step_detach(struct instance *in)
{
	const struct agent_parts *parts = &in->agent->parts;
	int r = parts->attach->detach(parts->attach_ctx, in->folder);

	if (r < 0) {
		log_err(AREA, "the interface of instance %s cannot be removed: %s; trying again", in->id, strerror(-r));
		in->local.unchecked = true; /* whatever is left of it */
		in->local.detach_again_ms = now_ms(in) + PLAN_ATTACH_AGAIN_MS;
		return r;
	}
	in->local.attached = in->local.unchecked = false;
	in->local.detach_again_ms = 0;
	in->attach_error[0] = 0;
	return 0;
}

static int step_report(struct instance *in, const struct plan *plan)
{
	const struct role_env *env = &in->agent->env;
	struct observed told = plan->truth;
	const struct observed *last = &in->local.reported;

	told.restarts = in->local.restarts; /* a step before this one may have counted */
	told.since_ms = told.state == last->state && told.generation == last->generation ? last->since_ms :
											    clock_real_ms(&env->clock);
	if (told.state != last->state)
		log_info(AREA, "instance %s is %s%s%s", in->id, instance_state_name(told.state), told.message[0] ? ": " : "",
			 told.message);
	in->local.reported = told;
	env->ops->report(env->node, in->id, &told);
	return 0;
}

static int step_clean(struct instance *in)
{
	const struct agent_parts *parts = &in->agent->parts;
	int r;

	parts->runtime->release(parts->runtime_ctx, in->id);
	r = files_remove(in->folder);
	if (r < 0)
		log_warn(AREA, "the files of instance %s cannot be removed: %s, ignoring", in->id, strerror(-r));
	in->local.phase = PLAN_ABSENT;
	return 0;
}

static int execute(struct instance *in, const struct plan *plan, const struct plan_step *step)
{
	switch (step->kind) {
	case PLAN_FILES: return step_files(in, plan);
	case PLAN_SPAWN: return step_spawn(in, plan);
	case PLAN_ATTACH: return step_attach(in);
	case PLAN_AWAIT: return step_await(in);
	case PLAN_FORGET_AWAIT: return step_forget_await(in);
	case PLAN_OPEN: return step_open(in);
	case PLAN_DRAIN: return step_drain(in, plan);
	case PLAN_TERM: return step_term(in, plan);
	case PLAN_KILL: return step_kill(in, plan, step->force);
	case PLAN_DETACH: return step_detach(in);
	case PLAN_REPORT: return step_report(in, plan);
	case PLAN_CLEAN: return step_clean(in);
	case PLAN_FORGET: instance_free(in); return 1;
	}
	return -EINVAL;
}

/* 0 = nothing (more) to do now, 1 = the instance is gone, -EAGAIN = plan again */
static int run_once(struct instance *in)
{
	struct plan plan;

	plan_instance(in->wanted ? &in->desired : NULL, &in->local, now_ms(in), &plan);
	in->local.generation = plan.generation;
	in->local.desired = plan.desired;
	if (plan.desired != DESIRED_STARTED)
		in->local.in_place = false;
	in->wake_ms = plan.wake_ms;
	for (size_t i = 0; i < plan.n; i++) {
		int r = execute(in, &plan, &plan.steps[i]);

		if (r == 1)
			return 1;
		if (r != 0)
			break;
	}
	return plan.n ? -EAGAIN : 0;
}

void instance_run(struct instance *in)
{
	int r = -EAGAIN;

	/* Not named by a state that may be old, and by none before: it stays as it is until the controller has spoken. */
	if (in->executing || (!in->wanted && !in->seen && !in->agent->synced))
		return;
	in->executing = true;
	for (int round = 0; r == -EAGAIN && round < ROUNDS_MAX; round++)
		r = run_once(in);
	if (r == 1)
		return;
	in->executing = false;
	if (r == -EAGAIN) {
		log_err(AREA, "instance %s: the plan does not come to an end, waiting", in->id);
		in->wake_ms = now_ms(in) + PLAN_ATTACH_AGAIN_MS;
	}
}

void instance_ready(struct instance *in)
{
	if (in->local.phase == PLAN_SPAWNING)
		in->local.phase = PLAN_HELD;
	instance_run(in);
}

void instance_running(struct instance *in)
{
	struct plan_local *l = &in->local;

	if (l->phase == PLAN_OPENED) { /* else it is being ended already */
		l->phase = PLAN_RUNNING;
		l->started_ms = now_ms(in);
		l->in_place = false;
		log_info(AREA, "instance %s of %s started, generation %llu", in->id, in->app, (unsigned long long)l->run_generation);
	}
	instance_run(in);
}

void instance_ended(struct instance *in, int32_t exit_code, const char *text)
{
	plan_ended(&in->local, exit_code, text, now_ms(in));
	instance_run(in);
}

void instance_wipe_begin(struct instance *in)
{
	const struct agent_parts *parts = &in->agent->parts;

	parts->attach->detach(parts->attach_ctx, in->folder);
	parts->runtime->kill(parts->runtime_ctx, in->id, false);
}

void instance_wipe(struct instance *in)
{
	const struct agent_parts *parts = &in->agent->parts;

	if (in->local.phase != PLAN_ABSENT && in->local.phase != PLAN_ENDED && parts->runtime->end &&
	    parts->runtime->end(parts->runtime_ctx, in->id) < 0)
		log_warn(AREA, "the processes of instance %s do not go", in->id);
	parts->runtime->release(parts->runtime_ctx, in->id);
	files_remove(in->folder);
	instance_free(in);
}
