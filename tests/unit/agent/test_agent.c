/* The whole life of instances with a fake runtime, a fake attachment, a fake node and a virtual clock. */
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
	bool refuse_attach, refuse_start, refuse_detach;
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

static void note(struct world *w, const char *word)
{
	size_t n = strlen(w->trace);

	snprintf(w->trace + n, sizeof w->trace - n, "%s%s", n ? " " : "", word);
}

static void expect_trace(struct world *w, const char *expected)
{
	assert_string_equal(w->trace, expected);
	w->trace[0] = 0;
}

/* ---- fakes ---- */

static void fake_listen(void *ctx, const struct runtime_listener *listener)
{
	((struct world *)ctx)->listener = *listener;
}

static int fake_start(void *ctx, const char *folder, const char *id)
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

static int fake_open(void *ctx, const char *id)
{
	(void)id;
	((struct world *)ctx)->process = RUNTIME_OPENED;
	note(ctx, "open");
	return 0;
}

static int fake_term(void *ctx, const char *id)
{
	(void)id;
	((struct world *)ctx)->asked_to_end = true;
	note(ctx, "term");
	return 0;
}

static int fake_kill(void *ctx, const char *id, bool force)
{
	(void)id;
	((struct world *)ctx)->asked_to_end = true;
	note(ctx, force ? "kill!" : "kill");
	return 0;
}

static int fake_adopt(void *ctx, const char *folder, const char *id, struct runtime_status *ret_status)
{
	struct world *w = ctx;

	(void)folder;
	(void)id;
	*ret_status = (struct runtime_status){ .state = w->process, .generation = w->process_generation, .exit_code = w->process_exit };
	note(w, "adopt");
	return 0;
}

static int fake_runtime_sweep(void *ctx, const char *instances)
{
	(void)ctx;
	(void)instances;
	return 0;
}

static int fake_netns(void *ctx, const char *id, int *ret_fd)
{
	(void)ctx;
	(void)id;
	*ret_fd = dup(0);
	return 0;
}

static void fake_release(void *ctx, const char *id)
{
	(void)ctx;
	(void)id;
}

static int fake_attach(void *ctx, const struct attach_spec *spec, struct why *why)
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

static int fake_detach(void *ctx, const char *folder)
{
	(void)folder;
	note(ctx, "detach");
	return ((struct world *)ctx)->refuse_detach ? -EBUSY : 0;
}

static int fake_sweep(void *ctx, const char *const *keep, size_t n)
{
	(void)ctx;
	(void)keep;
	(void)n;
	return 0;
}

static void fake_report(void *node, const char *id, const struct observed *observed)
{
	struct world *w = node;
	char word[32];

	assert_string_equal(id, ID);
	snprintf(word, sizeof word, "<%s>", instance_state_name(observed->state));
	note(w, word);
	w->last = *observed;
	w->instance.record.observed = *observed; /* the controller takes it over */
}

static void fake_error(void *node, uint32_t kind, const char *id, uint64_t v, const char *text)
{
	struct world *w = node;

	(void)id;
	snprintf(w->error, sizeof w->error, "%u/%llu %s", kind, (unsigned long long)v, text);
}

static void fake_await(void *node, uint32_t network, const char *id, void (*done)(void *, bool), void *arg)
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

static void fake_forget(void *node, void *arg)
{
	struct world *w = node;

	assert_ptr_equal(arg, w->awaited_arg);
	w->awaited = NULL;
	note(w, "forget-await");
}

static const struct runtime_ops fake_runtime = { fake_listen,	     fake_start, fake_open,  fake_term,	  fake_kill,
						 fake_runtime_sweep, fake_adopt, fake_netns, fake_release };
static int fake_check(void *ctx, const struct attach_spec *specs, size_t n, const struct attach_sink *sink)
{
	struct world *w = ctx;

	for (size_t i = 0; i < n; i++)
		note(w, specs[i].netns_fd >= 0 ? "look" : "pass-by");
	for (unsigned k = 0; k < w->drifted; k++)
		sink->differs(sink->ctx, 0, REPAIR_INSTANCE_ROUTE, "the route to it");
	w->drifted = 0;
	return 0;
}

static void fake_repaired(void *node, enum repair kind, const char *object, int error)
{
	assert_int_equal(kind, REPAIR_INSTANCE_ROUTE);
	assert_string_equal(object, "the route to it");
	note(node, error ? "not-repaired" : "repaired");
}

static const struct attach_ops fake_attachment = { fake_attach, fake_detach, fake_check, fake_sweep };
static const struct role_node_ops fake_node = { fake_report, fake_error, fake_await, fake_forget, fake_repaired };

/* ---- the world ---- */

static void sync_with(struct world *w, bool synced)
{
	struct role_desired d = { .instances = &w->instance, .n_instances = w->there, .v = 1, .synced = synced };

	agent_sync(w->agent, &d);
}

static void want(struct world *w, uint32_t desired)
{
	w->instance.record.desired = desired;
	w->instance.record.generation++;
	sync_with(w, true);
}

static void pass(struct world *w, uint64_t ms)
{
	w->time.now_ms += ms;
	agent_tick(w->agent);
}

static void process_runs(struct world *w)
{
	assert_int_equal(w->process, RUNTIME_OPENED);
	w->process = RUNTIME_RUNNING;
	w->listener.running(w->listener.ctx, ID);
}

static void process_ends(struct world *w, int32_t code)
{
	w->process = RUNTIME_ENDED;
	w->process_exit = code;
	w->listener.ended(w->listener.ctx, ID, code, "");
}

static void new_daemon(struct world *w)
{
	agent_free(w->agent);
	assert_int_equal(agent_new(&w->env, &w->parts, &w->agent), 0);
}

static void give_workload(struct world *w, const char *spec)
{
	w->instance.spec = spec;
	w->instance.spec_len = strlen(spec);
	w->instance.workload_v++;
}

static int setup(void **state)
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

static int teardown(void **state)
{
	struct world *w = *state;

	agent_free(w->agent);
	loop_free(w->loop);
	files_remove(w->run_dir);
	free(w);
	return 0;
}

static void bring_up(struct world *w)
{
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	process_runs(w);
	w->trace[0] = 0;
}

/* ---- tests ---- */

static void a_start_goes_step_by_step_and_is_told_last(void **state)
{
	struct world *w = *state;

	w->settle_at_once = false;
	want(w, DESIRED_STARTED);
	expect_trace(w, "start <starting>");
	w->listener.ready(w->listener.ctx, ID);
	expect_trace(w, "attach await");
	sync_with(w, true);
	expect_trace(w, ""); /* nothing twice */
	w->awaited(w->awaited_arg, false);
	expect_trace(w, "open");
	process_runs(w);
	expect_trace(w, "<started>");
	assert_int_equal(w->last.generation, 1);
	sync_with(w, true);
	expect_trace(w, "");
}

static void a_stop_drains_then_terminates_then_kills(void **state)
{
	struct world *w = *state;

	bring_up(w);
	want(w, DESIRED_STOPPED);
	expect_trace(w, "<draining>");
	pass(w, 499);
	expect_trace(w, "");
	pass(w, 1);
	expect_trace(w, "term");
	pass(w, 900);
	expect_trace(w, "kill");
	pass(w, 2000);
	expect_trace(w, "kill!");
	process_ends(w, 137);
	expect_trace(w, "detach <stopped>");
	assert_int_equal(w->last.exit_code, 137);
	assert_int_equal(w->last.generation, 2);
}

static void a_crash_waits_longer_each_time_and_tells_the_exit_code(void **state)
{
	struct world *w = *state;

	bring_up(w);
	for (uint64_t wait = 1000; wait <= 60000; wait = wait == 32000 ? 60000 : wait * 2) {
		process_ends(w, 3);
		expect_trace(w, "detach <failed>");
		assert_int_equal(w->last.exit_code, 3);
		pass(w, wait - 1);
		expect_trace(w, "");
		pass(w, 1);
		expect_trace(w, "start <starting>");
		w->listener.ready(w->listener.ctx, ID);
		expect_trace(w, "attach await open");
	process_runs(w);
	expect_trace(w, "<started>");
		if (wait == 60000)
			break;
	}
	assert_int_equal(w->last.restarts, 7);
	pass(w, 60000);
	process_ends(w, 3);
	pass(w, 1000); /* a good life: from the beginning */
	assert_int_equal(w->process, RUNTIME_HELD);
}

static void a_new_generation_restarts_in_place_without_leaving_dns(void **state)
{
	struct world *w = *state;

	bring_up(w);
	want(w, DESIRED_STARTED);
	expect_trace(w, "term");
	process_ends(w, 143);
	expect_trace(w, "detach start");
	w->listener.ready(w->listener.ctx, ID);
	expect_trace(w, "attach await open");
	process_runs(w);
	expect_trace(w, "<started>");
	assert_int_equal(w->last.generation, 2);
	assert_int_equal(w->last.restarts, 0);
}

static void an_older_generation_changes_nothing(void **state)
{
	struct world *w = *state;

	w->instance.record.generation = 5;
	bring_up(w);
	w->instance.record.generation = 5;
	w->instance.record.desired = DESIRED_STOPPED;
	sync_with(w, true);
	expect_trace(w, "");
}

static void destroyed_is_told_when_nothing_is_left(void **state)
{
	struct world *w = *state;
	char path[300];

	bring_up(w);
	snprintf(path, sizeof path, "%s/instances/" ID, w->run_dir);
	want(w, DESIRED_DESTROYED);
	pass(w, 500);
	assert_int_equal(access(path, F_OK), 0);
	process_ends(w, 0);
	expect_trace(w, "<draining> term detach <destroyed>");
	assert_int_equal(access(path, F_OK), -1);
	w->there = false;
	sync_with(w, true);
	assert_null(agent_local(w->agent, ID));
}

static void a_vanished_record_stops_at_once(void **state)
{
	struct world *w = *state;

	bring_up(w);
	w->there = false;
	sync_with(w, true);
	expect_trace(w, "detach kill");
	process_ends(w, 137);
	expect_trace(w, "");
	assert_null(agent_local(w->agent, ID));
}

static void a_second_daemon_adopts_what_runs(void **state)
{
	struct world *w = *state;

	bring_up(w);
	new_daemon(w);
	expect_trace(w, "adopt");
	sync_with(w, false);
	expect_trace(w, "attach"); /* which changes nothing that is right */
	assert_int_equal(agent_local(w->agent, ID)->phase, PLAN_RUNNING);
}

static void a_second_daemon_goes_on_with_one_that_waits_at_its_gate(void **state)
{
	struct world *w = *state;

	w->settle_at_once = false;
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	w->trace[0] = 0;
	new_daemon(w);
	w->settle_at_once = true;
	sync_with(w, true);
	expect_trace(w, "forget-await adopt attach await open");
	process_runs(w);
	expect_trace(w, "<started>");
}

static void a_second_daemon_restarts_what_died_meanwhile(void **state)
{
	struct world *w = *state;

	bring_up(w);
	w->process = RUNTIME_ENDED;
	w->process_exit = 1;
	new_daemon(w);
	sync_with(w, true);
	expect_trace(w, "adopt detach start <starting>");
	assert_int_equal(agent_local(w->agent, ID)->restarts, 1);
}

static void a_state_that_may_be_old_kills_nothing_it_does_not_name(void **state)
{
	struct world *w = *state;

	bring_up(w);
	new_daemon(w);
	w->there = false;
	sync_with(w, false);
	expect_trace(w, "adopt");
	sync_with(w, true);
	expect_trace(w, "detach kill");
}

static void without_an_interface_nothing_runs(void **state)
{
	struct world *w = *state;

	w->refuse_attach = true;
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	expect_trace(w, "start <starting> kill");
	assert_string_equal(w->error, "5/7 no interface: no programs");
	process_ends(w, 137);
	expect_trace(w, "<failed>");
	assert_string_equal(w->last.message, "no interface: no programs");
	w->error[0] = 0;
	sync_with(w, true);
	assert_string_equal(w->error, "5/7 no interface: no programs"); /* as long as it is true */
	w->refuse_attach = false;
	pass(w, 1000);
	w->listener.ready(w->listener.ctx, ID);
	expect_trace(w, "start <starting> attach await open");
	process_runs(w);
	expect_trace(w, "<started>");
	w->error[0] = 0;
	sync_with(w, true);
	assert_string_equal(w->error, "");
}

static void the_gate_waits_for_the_kernel_to_finish_the_interface(void **state)
{
	struct world *w = *state;

	w->pending = 2;
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	expect_trace(w, "start <starting> attach await");
	pass(w, PLAN_ATTACH_WAIT_MS);
	expect_trace(w, "attach");
	pass(w, PLAN_ATTACH_WAIT_MS);
	expect_trace(w, "attach open");
	process_runs(w);
	expect_trace(w, "<started>");
}

static void an_interface_that_is_not_finished_is_taken_away_too(void **state)
{
	struct world *w = *state;

	w->pending = 5;
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	w->trace[0] = 0;
	w->there = false;
	sync_with(w, true);
	expect_trace(w, "detach kill");
}

static void a_process_that_cannot_be_started_is_tried_again(void **state)
{
	struct world *w = *state;

	w->refuse_start = true;
	want(w, DESIRED_STARTED);
	expect_trace(w, "<failed>");
	pass(w, 999);
	expect_trace(w, "");
	w->refuse_start = false;
	pass(w, 1);
	expect_trace(w, "start <starting>");
}

static void what_cannot_be_run_was_never_started(void **state)
{
	struct world *w = *state;

	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	expect_trace(w, "start <starting> attach await open");
	w->process = RUNTIME_ENDED;
	w->listener.ended(w->listener.ctx, ID, 127, "its command: cannot run /x: No such file or directory");
	expect_trace(w, "detach <failed>");
	assert_string_equal(w->last.message, "its command: cannot run /x: No such file or directory");
	pass(w, 1000);
	expect_trace(w, "start <starting>");
	assert_int_equal(w->last.restarts, 0); /* nothing of its own had run */
}

static void a_start_during_the_drain_waits_for_no_more_than_the_end(void **state)
{
	struct world *w = *state;

	bring_up(w);
	want(w, DESIRED_STOPPED);
	want(w, DESIRED_STARTED);
	expect_trace(w, "<draining> term");
	process_ends(w, 143);
	expect_trace(w, "detach start <starting>");
	w->listener.ready(w->listener.ctx, ID);
	process_runs(w);
	assert_int_equal(w->last.generation, 3);
	assert_int_equal(w->last.restarts, 0);
}

static void a_delete_during_the_drain_does_not_prolong_it(void **state)
{
	struct world *w = *state;

	bring_up(w);
	want(w, DESIRED_STOPPED);
	pass(w, 400);
	want(w, DESIRED_DESTROYED);
	expect_trace(w, "<draining> <draining>");
	assert_int_equal(w->last.generation, 3);
	pass(w, 100);
	expect_trace(w, "term");
	process_ends(w, 0);
	expect_trace(w, "detach <destroyed>");
}

static void a_delete_during_the_back_off_is_done_at_once(void **state)
{
	struct world *w = *state;

	bring_up(w);
	process_ends(w, 1);
	pass(w, 500);
	want(w, DESIRED_DESTROYED);
	expect_trace(w, "detach <failed> <destroyed>");
	pass(w, 120000);
	expect_trace(w, "");
	assert_int_equal(w->starts, 1);
}

static void a_stop_during_the_back_off_keeps_it_stopped(void **state)
{
	struct world *w = *state;

	bring_up(w);
	process_ends(w, 7);
	want(w, DESIRED_STOPPED);
	expect_trace(w, "detach <failed> <stopped>");
	assert_int_equal(w->last.exit_code, 7);
	pass(w, 120000);
	expect_trace(w, "");
	want(w, DESIRED_STARTED);
	expect_trace(w, "start <starting>");
}

static void a_stop_before_the_process_is_there_kills_it(void **state)
{
	struct world *w = *state;

	want(w, DESIRED_STARTED);
	want(w, DESIRED_STOPPED);
	expect_trace(w, "start <starting> kill <draining>");
	w->process = RUNTIME_ENDED;
	w->listener.ended(w->listener.ctx, ID, 0, "the shim: it ended before it was at its gate");
	expect_trace(w, "<stopped>");
}

static void a_stop_while_the_gate_is_open_terminates(void **state)
{
	struct world *w = *state;

	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	w->trace[0] = 0;
	want(w, DESIRED_STOPPED);
	expect_trace(w, "term <draining>");
	process_runs(w); /* the word that it runs was on its way */
	expect_trace(w, "");
	process_ends(w, 143);
	expect_trace(w, "detach <stopped>");
}

static void a_start_while_it_is_being_ended_starts_it_once(void **state)
{
	struct world *w = *state;

	bring_up(w);
	want(w, DESIRED_STOPPED);
	pass(w, 500);
	want(w, DESIRED_STARTED);
	want(w, DESIRED_STARTED);
	expect_trace(w, "<draining> term");
	process_ends(w, 143);
	w->listener.ready(w->listener.ctx, ID);
	process_runs(w);
	expect_trace(w, "detach start <starting> attach await open <started>");
	assert_int_equal(w->last.generation, 4);
}

static void two_restarts_quickly_are_one_or_two_but_end_with_the_last(void **state)
{
	struct world *w = *state;

	bring_up(w);
	want(w, DESIRED_STARTED);
	want(w, DESIRED_STARTED);
	process_ends(w, 143);
	want(w, DESIRED_STARTED); /* while the new process is on its way */
	w->listener.ready(w->listener.ctx, ID);
	expect_trace(w, "term detach start kill");
	process_ends(w, 137);
	w->listener.ready(w->listener.ctx, ID);
	process_runs(w);
	expect_trace(w, "start attach await open <started>");
	assert_int_equal(w->last.generation, 4);
	assert_int_equal(w->last.restarts, 0);
}

static void a_stop_during_a_restart_in_place_takes_it_out_of_dns(void **state)
{
	struct world *w = *state;

	bring_up(w);
	want(w, DESIRED_STARTED);
	want(w, DESIRED_STOPPED);
	expect_trace(w, "term <draining>");
	process_ends(w, 143);
	expect_trace(w, "detach <stopped>");
}

static void a_record_that_vanishes_during_the_start_leaves_nothing(void **state)
{
	struct world *w = *state;

	w->settle_at_once = false;
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	w->trace[0] = 0;
	w->there = false;
	sync_with(w, true);
	expect_trace(w, "forget-await detach kill");
	process_ends(w, 137);
	assert_null(agent_local(w->agent, ID));
}

static void a_new_wish_begins_the_back_off_anew(void **state)
{
	struct world *w = *state;

	bring_up(w);
	for (int i = 0; i < 3; i++) {
		process_ends(w, 3);
		pass(w, 4000);
		w->listener.ready(w->listener.ctx, ID);
		process_runs(w);
	}
	process_ends(w, 3);
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	process_runs(w);
	process_ends(w, 3);
	w->trace[0] = 0;
	pass(w, 1000);
	expect_trace(w, "start <starting>");
}

static void the_count_of_restarts_survives_a_daemon_that_told_nobody(void **state)
{
	struct world *w = *state;

	bring_up(w);
	for (int i = 0; i < 2; i++) {
		process_ends(w, 3);
		pass(w, 2000);
		w->listener.ready(w->listener.ctx, ID);
		process_runs(w);
	}
	w->instance.record.observed.restarts = 0; /* no controller heard of them */
	w->trace[0] = 0;
	new_daemon(w);
	sync_with(w, false);
	expect_trace(w, "adopt attach <started>");
	assert_int_equal(w->last.restarts, 2);
}

static void each_restart_policy_does_what_it_says(void **state)
{
	static const struct {
		const char *restart;
		int32_t code;
		bool again;
		uint32_t told;
	} cases[] = {
		{ "always", 0, true, STATE_FAILED },	  { "always", 1, true, STATE_FAILED },	  { "on-failure", 0, false, STATE_STOPPED },
		{ "on-failure", 1, true, STATE_FAILED }, { "never", 0, false, STATE_STOPPED }, { "never", 1, false, STATE_FAILED },
	};
	struct world *w = *state;
	char spec[200];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(spec, sizeof spec, "{\"schema\":1,\"command\":[\"/x\"],\"restart\":\"%s\"}", cases[i].restart);
		give_workload(w, spec);
		bring_up(w);
		process_ends(w, cases[i].code);
		assert_int_equal(w->last.state, cases[i].told);
		assert_int_equal(w->last.exit_code, cases[i].code);
		pass(w, 60000);
		assert_int_equal(w->process == RUNTIME_HELD, cases[i].again);
		if (cases[i].again)
			process_ends(w, 137);
		want(w, DESIRED_STOPPED);
	}
}

static void stopped_is_told_only_when_the_interface_is_gone(void **state)
{
	struct world *w = *state;

	bring_up(w);
	w->refuse_detach = true;
	want(w, DESIRED_DESTROYED);
	pass(w, 500);
	process_ends(w, 0);
	expect_trace(w, "<draining> term detach <draining>");
	pass(w, PLAN_ATTACH_AGAIN_MS);
	expect_trace(w, "detach");
	w->refuse_detach = false;
	pass(w, PLAN_ATTACH_AGAIN_MS);
	expect_trace(w, "detach <destroyed>");
}

/* ---- a daemon that is killed at any step ---- */

/* One thing happens in the world; after the `kill_at`-th the daemon is replaced. */
static void happens(struct world *w, unsigned *step, unsigned kill_at)
{
	if (w->asked_to_end && w->process != RUNTIME_ENDED && w->process != RUNTIME_NONE)
		process_ends(w, 143);
	else if (w->process == RUNTIME_HELD && agent_local(w->agent, ID)->phase == PLAN_SPAWNING)
		w->listener.ready(w->listener.ctx, ID);
	else if (w->process == RUNTIME_OPENED)
		process_runs(w);
	else
		pass(w, 500);
	if ((*step)++ == kill_at) {
		new_daemon(w);
		sync_with(w, false);
		sync_with(w, true);
	}
}

static void live_until(struct world *w, uint32_t told, unsigned *step, unsigned kill_at)
{
	for (unsigned i = 0; i < 50; i++) {
		if (w->last.state == told && w->last.generation == w->instance.record.generation)
			return;
		happens(w, step, kill_at);
	}
	fail_msg("killed after step %u: %s is not told, but %s", kill_at, instance_state_name(told), instance_state_name(w->last.state));
}

static void killed_after_any_step_the_next_daemon_goes_on(void **state)
{
	unsigned steps = 0;

	for (unsigned kill_at = 0; kill_at <= steps; kill_at++) {
		struct world *w;

		teardown(state);
		assert_int_equal(setup(state), 0);
		w = *state;
		steps = 0;
		want(w, DESIRED_STARTED);
		live_until(w, STATE_STARTED, &steps, kill_at);
		process_ends(w, 3);
		live_until(w, STATE_STARTED, &steps, kill_at);
		assert_int_equal(w->last.restarts, 1);
		assert_int_equal(w->starts, 2);
		want(w, DESIRED_STARTED);
		live_until(w, STATE_STARTED, &steps, kill_at);
		assert_int_equal(w->starts, 3);
		want(w, DESIRED_STOPPED);
		live_until(w, STATE_STOPPED, &steps, kill_at);
		assert_int_equal(w->process, RUNTIME_ENDED);
		want(w, DESIRED_STARTED);
		live_until(w, STATE_STARTED, &steps, kill_at);
		want(w, DESIRED_DESTROYED);
		live_until(w, STATE_DESTROYED, &steps, kill_at);
		assert_int_equal(w->process, RUNTIME_ENDED);
		assert_int_equal(w->starts, 4);
	}
	assert_true(steps > 12);
}

static void a_bad_workload_is_a_record_error_and_a_good_one_mends_it(void **state)
{
	struct world *w = *state;

	give_workload(w, "{\"schema\":1}");
	want(w, DESIRED_STARTED);
	expect_trace(w, "<failed>");
	assert_non_null(strstr(w->error, "6/2 command must be a list"));
	give_workload(w, "{\"schema\":1,\"command\":[\"/x\"]}");
	sync_with(w, true);
	expect_trace(w, "start <starting>");
}

static void a_workload_that_comes_later_is_waited_for(void **state)
{
	struct world *w = *state;

	w->instance.workload_v = 0;
	want(w, DESIRED_STARTED);
	expect_trace(w, "<created>");
	give_workload(w, w->instance.spec);
	sync_with(w, true);
	expect_trace(w, "start <starting>");
}

static void a_suspended_network_is_silent_and_comes_back(void **state)
{
	struct world *w = *state;

	bring_up(w);
	w->instance.suspended = true;
	sync_with(w, true);
	expect_trace(w, "attach-silent");
	w->instance.suspended = false;
	sync_with(w, true);
	expect_trace(w, "attach");
}

static void a_stop_before_the_gate_opens_forgets_the_wait(void **state)
{
	struct world *w = *state;

	w->settle_at_once = false;
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	w->trace[0] = 0;
	want(w, DESIRED_STOPPED);
	expect_trace(w, "forget-await kill <draining>");
	process_ends(w, 137);
	expect_trace(w, "detach <stopped>");
}

static void after_a_machine_start_a_finished_command_stays_finished(void **state)
{
	struct world *w = *state;

	w->instance.record.desired = DESIRED_STARTED;
	w->instance.record.generation = 4;
	w->instance.record.observed = (struct observed){ .state = STATE_STOPPED, .generation = 4, .exit_code = 0,
							 .message = "ended by itself with exit code 0; its restart policy leaves it so" };
	sync_with(w, false);
	expect_trace(w, "");
}

static void the_time_of_a_state_is_kept_while_it_lasts(void **state)
{
	struct world *w = *state;
	uint64_t since;

	bring_up(w);
	since = w->last.since_ms;
	pass(w, 5000);
	w->instance.record.observed.restarts = 9; /* the record is wrong in a detail */
	sync_with(w, true);
	expect_trace(w, "<started>");
	assert_int_equal(w->last.since_ms, since);
}

static void an_interface_that_somebody_changed_is_attached_again_and_told(void **state)
{
	struct world *w = *state;

	agent_repair(w->agent);
	expect_trace(w, ""); /* nobody is known */
	bring_up(w);
	agent_repair(w->agent);
	expect_trace(w, "look");
	w->drifted = 2;
	agent_repair(w->agent);
	expect_trace(w, "look attach repaired repaired");
	agent_repair(w->agent);
	expect_trace(w, "look");
}

static void an_interface_that_cannot_be_put_right_is_said_to_be_wrong_and_tried_again(void **state)
{
	struct world *w = *state;

	bring_up(w);
	w->drifted = 1;
	w->refuse_attach = true;
	agent_repair(w->agent);
	expect_trace(w, "look not-repaired");
	assert_non_null(strstr(w->error, "no interface: no programs"));
	agent_repair(w->agent);
	expect_trace(w, "pass-by"); /* its own plan is at it */
	w->refuse_attach = false;
	pass(w, PLAN_ATTACH_AGAIN_MS);
	agent_repair(w->agent);
	expect_trace(w, "attach look");
}

static void an_interface_under_way_is_passed_by(void **state)
{
	struct world *w = *state;

	want(w, DESIRED_STARTED);
	w->trace[0] = 0;
	agent_repair(w->agent); /* no interface yet */
	w->pending = 1;
	w->listener.ready(w->listener.ctx, ID);
	agent_repair(w->agent); /* not finished */
	expect_trace(w, "pass-by attach await pass-by");
}

static void wipe_leaves_nothing(void **state)
{
	struct world *w = *state;
	char path[300];

	bring_up(w);
	agent_wipe(w->agent);
	expect_trace(w, "detach kill");
	snprintf(path, sizeof path, "%s/instances/" ID, w->run_dir);
	assert_int_equal(access(path, F_OK), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_start_goes_step_by_step_and_is_told_last),
		TEST(a_stop_drains_then_terminates_then_kills),
		TEST(a_crash_waits_longer_each_time_and_tells_the_exit_code),
		TEST(a_new_generation_restarts_in_place_without_leaving_dns),
		TEST(an_older_generation_changes_nothing),
		TEST(destroyed_is_told_when_nothing_is_left),
		TEST(a_vanished_record_stops_at_once),
		TEST(a_second_daemon_adopts_what_runs),
		TEST(a_second_daemon_goes_on_with_one_that_waits_at_its_gate),
		TEST(a_second_daemon_restarts_what_died_meanwhile),
		TEST(a_state_that_may_be_old_kills_nothing_it_does_not_name),
		TEST(without_an_interface_nothing_runs),
		TEST(the_gate_waits_for_the_kernel_to_finish_the_interface),
		TEST(an_interface_that_is_not_finished_is_taken_away_too),
		TEST(a_process_that_cannot_be_started_is_tried_again),
		TEST(what_cannot_be_run_was_never_started),
		TEST(a_start_during_the_drain_waits_for_no_more_than_the_end),
		TEST(a_delete_during_the_drain_does_not_prolong_it),
		TEST(a_delete_during_the_back_off_is_done_at_once),
		TEST(a_stop_during_the_back_off_keeps_it_stopped),
		TEST(a_stop_before_the_process_is_there_kills_it),
		TEST(a_stop_while_the_gate_is_open_terminates),
		TEST(a_start_while_it_is_being_ended_starts_it_once),
		TEST(two_restarts_quickly_are_one_or_two_but_end_with_the_last),
		TEST(a_stop_during_a_restart_in_place_takes_it_out_of_dns),
		TEST(a_record_that_vanishes_during_the_start_leaves_nothing),
		TEST(a_new_wish_begins_the_back_off_anew),
		TEST(the_count_of_restarts_survives_a_daemon_that_told_nobody),
		TEST(each_restart_policy_does_what_it_says),
		TEST(stopped_is_told_only_when_the_interface_is_gone),
		TEST(killed_after_any_step_the_next_daemon_goes_on),
		TEST(a_bad_workload_is_a_record_error_and_a_good_one_mends_it),
		TEST(a_workload_that_comes_later_is_waited_for),
		TEST(a_suspended_network_is_silent_and_comes_back),
		TEST(a_stop_before_the_gate_opens_forgets_the_wait),
		TEST(after_a_machine_start_a_finished_command_stays_finished),
		TEST(the_time_of_a_state_is_kept_while_it_lasts),
		TEST(an_interface_that_somebody_changed_is_attached_again_and_told),
		TEST(an_interface_that_cannot_be_put_right_is_said_to_be_wrong_and_tried_again),
		TEST(an_interface_under_way_is_passed_by),
		TEST(wipe_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
