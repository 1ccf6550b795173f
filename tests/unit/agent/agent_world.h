/* agent_world - for tests of the agent: one instance with a fake runtime, a fake attachment, a fake node and a virtual clock. What was
 * done is a line of words, in order. */
#pragma once
#include "agent/agent.h"
#include "agent/files.h"
#include "lib/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID "e784079b449483"

struct world {
	struct loop *loop;
	struct clock_virtual time;
	struct role_env env;
	struct agent_parts parts;
	struct agent *agent;
	char run_dir[64];
	char trace[1024]; /* what was done, in order, one word each */
	/* fake runtime */
	struct runtime_listener listener;
	enum runtime_state process;
	uint64_t process_generation;
	int32_t process_exit;
	bool refuse_attach, refuse_start, refuse_detach, refuse_silence;
	bool asked_to_end; /* by SIGTERM or SIGKILL */
	unsigned starts;
	unsigned drifted; /* so many findings of the next check */
	unsigned pending; /* so many calls of attach find it unfinished */
	/* fake node */
	struct observed last;
	char error[200];
	void (*awaited)(void *arg, bool timed_out);
	void *awaited_arg;
	bool settle_at_once;
	/* the one instance */
	struct role_instance instance;
	bool there;
};

static inline void note(struct world *w, const char *word)
{
	size_t n = strlen(w->trace);

	snprintf(w->trace + n, sizeof w->trace - n, "%s%s", n ? " " : "", word);
}

static inline void expect_trace(struct world *w, const char *expected)
{
	assert_string_equal(w->trace, expected);
	w->trace[0] = 0;
}

/* ---- fakes ---- */

static inline void fake_listen(void *ctx, const struct runtime_listener *listener)
{
	((struct world *)ctx)->listener = *listener;
}

static inline int fake_start(void *ctx, const char *folder, const char *id)
{
	struct world *w = ctx;
	struct launch launch;
	char path[300];

	(void)id;
	if (w->refuse_start)
		return -EMFILE;
	if (w->process != RUNTIME_NONE && w->process != RUNTIME_ENDED)
		fail_msg("a second process is started beside one in state %d", (int)w->process);
	w->starts++;
	w->asked_to_end = false;
	snprintf(path, sizeof path, "%s/launch", folder);
	assert_int_equal(launch_read(path, &launch, NULL), 0);
	w->process_generation = launch.generation;
	launch_deinit(&launch);
	w->process = RUNTIME_HELD;
	note(w, "start");
	return 0;
}

static inline int fake_open(void *ctx, const char *id)
{
	(void)id;
	((struct world *)ctx)->process = RUNTIME_OPENED;
	note(ctx, "open");
	return 0;
}

static inline int fake_term(void *ctx, const char *id)
{
	(void)id;
	((struct world *)ctx)->asked_to_end = true;
	note(ctx, "term");
	return 0;
}

static inline int fake_kill(void *ctx, const char *id, bool force)
{
	(void)id;
	((struct world *)ctx)->asked_to_end = true;
	note(ctx, force ? "kill!" : "kill");
	return 0;
}

static inline int fake_adopt(void *ctx, const char *folder, const char *id, struct runtime_status *ret_status)
{
	struct world *w = ctx;

	(void)folder;
	(void)id;
	*ret_status = (struct runtime_status){ .state = w->process, .generation = w->process_generation, .exit_code = w->process_exit };
	note(w, "adopt");
	return 0;
}

static inline int fake_runtime_sweep(void *ctx, const char *instances)
{
	(void)ctx;
	(void)instances;
	return 0;
}

static inline int fake_netns(void *ctx, const char *id, int *ret_fd)
{
	(void)ctx;
	(void)id;
	*ret_fd = dup(0);
	return 0;
}

static inline void fake_release(void *ctx, const char *id)
{
	(void)ctx;
	(void)id;
}

static inline int fake_attach(void *ctx, const struct attach_spec *spec, struct why *why)
{
	struct world *w = ctx;

	if (w->refuse_attach)
		return why_set(why, "attach", "", "no programs");
	note(w, spec->suspended ? "attach-silent" : "attach");
	if (w->pending) {
		w->pending--;
		return ATTACH_E_PENDING;
	}
	return 0;
}

static inline int fake_silence(void *ctx, const struct attach_spec *spec)
{
	assert_true(spec->suspended);
	note(ctx, "silence");
	return ((struct world *)ctx)->refuse_silence ? -EIO : 0;
}

static inline int fake_detach(void *ctx, const char *folder)
{
	(void)folder;
	note(ctx, "detach");
	return ((struct world *)ctx)->refuse_detach ? -EBUSY : 0;
}

static inline int fake_sweep(void *ctx, const char *const *keep, size_t n)
{
	(void)ctx;
	(void)keep;
	(void)n;
	return 0;
}

static inline void fake_report(void *node, const char *id, const struct observed *observed)
{
	struct world *w = node;
	char word[32];

	assert_string_equal(id, ID);
	snprintf(word, sizeof word, "<%s>", instance_state_name(observed->state));
	note(w, word);
	w->last = *observed;
	w->instance.record.observed = *observed; /* the controller takes it over */
}

static inline void fake_error(void *node, uint32_t kind, const char *id, uint64_t v, const char *text)
{
	struct world *w = node;

	(void)id;
	snprintf(w->error, sizeof w->error, "%u/%llu %s", kind, (unsigned long long)v, text);
}

static inline void fake_await(void *node, uint32_t network, const char *id, void (*done)(void *, bool), void *arg)
{
	struct world *w = node;

	(void)network;
	(void)id;
	note(w, "await");
	if (w->settle_at_once) {
		done(arg, false);
		return;
	}
	w->awaited = done;
	w->awaited_arg = arg;
}

static inline void fake_forget(void *node, void *arg)
{
	struct world *w = node;

	assert_ptr_equal(arg, w->awaited_arg);
	w->awaited = NULL;
	note(w, "forget-await");
}

static const struct runtime_ops fake_runtime = { .listen = fake_listen,
						 .start = fake_start,
						 .open = fake_open,
						 .term = fake_term,
						 .kill = fake_kill,
						 .sweep = fake_runtime_sweep,
						 .adopt = fake_adopt,
						 .netns = fake_netns,
						 .release = fake_release };
static inline int fake_check(void *ctx, const struct attach_spec *specs, size_t n, const struct attach_sink *sink)
{
	struct world *w = ctx;

	for (size_t i = 0; i < n; i++)
		note(w, specs[i].netns_fd >= 0 ? "look" : "pass-by");
	for (unsigned k = 0; k < w->drifted; k++)
		sink->differs(sink->ctx, 0, REPAIR_INSTANCE_ROUTE, "the route to it");
	w->drifted = 0;
	return 0;
}

static inline void fake_repaired(void *node, enum repair kind, const char *object, int error)
{
	assert_int_equal(kind, REPAIR_INSTANCE_ROUTE);
	assert_string_equal(object, "the route to it");
	note(node, error ? "not-repaired" : "repaired");
}

static const struct attach_ops fake_attachment = { fake_attach, fake_detach, fake_check, fake_silence, fake_sweep };
static const struct role_node_ops fake_node = { .report = fake_report,
						.record_error = fake_error,
						.await_presence = fake_await,
						.forget_await = fake_forget,
						.repaired = fake_repaired };

/* ---- the world ---- */

static inline void sync_with(struct world *w, bool synced)
{
	struct role_desired d = { .instances = &w->instance, .n_instances = w->there, .v = 1, .synced = synced };

	agent_sync(w->agent, &d);
}

static inline void want(struct world *w, uint32_t desired)
{
	w->instance.record.desired = desired;
	w->instance.record.generation++;
	sync_with(w, true);
}

static inline void pass(struct world *w, uint64_t ms)
{
	w->time.now_ms += ms;
	agent_tick(w->agent);
}

static inline void process_runs(struct world *w)
{
	assert_int_equal(w->process, RUNTIME_OPENED);
	w->process = RUNTIME_RUNNING;
	w->listener.running(w->listener.ctx, ID);
}

static inline void process_ends(struct world *w, int32_t code)
{
	w->process = RUNTIME_ENDED;
	w->process_exit = code;
	w->listener.ended(w->listener.ctx, ID, code, "");
}

static inline void new_daemon(struct world *w)
{
	agent_free(w->agent);
	assert_int_equal(agent_new(&w->env, &w->parts, &w->agent), 0);
}

static inline void give_workload(struct world *w, const char *spec)
{
	w->instance.spec = spec;
	w->instance.spec_len = strlen(spec);
	w->instance.workload_v++;
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	*state = w;
	snprintf(w->run_dir, sizeof w->run_dir, "/tmp/sixpn-agent-XXXXXX");
	if (!mkdtemp(w->run_dir) || loop_new(&w->loop) < 0)
		return -1;
	w->time.now_ms = 1000000;
	w->settle_at_once = true;
	w->env = (struct role_env){ .loop = w->loop,
				    .clock = clock_virtual(&w->time),
				    .host = 0xa9a80001,
				    .name = "ord-1",
				    .region = "ord",
				    .run_dir = w->run_dir,
				    .ops = &fake_node,
				    .node = w };
	w->parts = (struct agent_parts){ &fake_attachment, w, &fake_runtime, w };
	w->instance = (struct role_instance){
		.record = { .id = ID, .network = 0x2a0001, .home_host = 0xa9a80001, .host = 0xa9a80001, .instance = 0x51c290ab },
		.v = 7, .app = "web", .region = "ord" };
	w->there = true;
	give_workload(w, "{\"schema\":1,\"command\":[\"/x\"],\"drain_ms\":500,\"stop_timeout_ms\":900}");
	return agent_new(&w->env, &w->parts, &w->agent);
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	agent_free(w->agent);
	loop_free(w->loop);
	files_remove(w->run_dir);
	free(w);
	return 0;
}

static inline void bring_up(struct world *w)
{
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	process_runs(w);
	w->trace[0] = 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
