/* What is wanted of an instance changes in every phase of its life, it ends by itself, and daemons are killed at each step: it ends in
 * what was wanted last, was started as often as it should be, and the right thing is told. */
#include "tests/unit/agent/agent_world.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		TEST(killed_after_any_step_the_next_daemon_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
