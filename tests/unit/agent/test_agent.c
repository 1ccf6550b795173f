/* The whole life of an instance, step by step, and what goes wrong on the way. */
#include "tests/unit/agent/agent_world.h"

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
	expect_trace(w, "silence attach-silent");
	w->instance.suspended = false;
	sync_with(w, true);
	expect_trace(w, "attach");
}

/* "Applied" is told with the sync: it does not wait until the interface's turn comes. */
static void a_suspension_silences_at_once_an_interface_that_is_not_finished(void **state)
{
	struct world *w = *state;

	w->pending = 5;
	want(w, DESIRED_STARTED);
	w->listener.ready(w->listener.ctx, ID);
	w->trace[0] = 0;
	w->instance.suspended = true;
	sync_with(w, true);
	expect_trace(w, "silence");
}

static void an_interface_that_cannot_be_silenced_is_told(void **state)
{
	struct world *w = *state;

	bring_up(w);
	w->instance.suspended = w->refuse_silence = true;
	sync_with(w, true);
	assert_non_null(strstr(w->error, "cannot be silenced"));
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
		TEST(stopped_is_told_only_when_the_interface_is_gone),
		TEST(a_bad_workload_is_a_record_error_and_a_good_one_mends_it),
		TEST(a_workload_that_comes_later_is_waited_for),
		TEST(a_suspended_network_is_silent_and_comes_back),
		TEST(a_suspension_silences_at_once_an_interface_that_is_not_finished),
		TEST(an_interface_that_cannot_be_silenced_is_told),
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
