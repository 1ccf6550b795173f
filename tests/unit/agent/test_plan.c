/* The planner as tables: what is wanted, what is here, the steps, and what is told. */
#include "agent/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define NOW 100000u

struct row {
	const char *name;
	uint32_t desired; /* 0 = the record has vanished */
	uint64_t generation;
	struct plan_local local;
	const char *steps;   /* names with spaces between */
	uint32_t state;      /* told or not, the truth; 0 = not looked at */
	uint64_t wake_ms;
	bool suspended, no_workload, refused;
	enum spec_restart restart;
};

#define RUNS(...) { .generation = 4, .desired = DESIRED_STARTED, .run_generation = 4, .attached = true, __VA_ARGS__ }
#define BARE(...) { .generation = 4, .desired = DESIRED_STARTED, .run_generation = 4, __VA_ARGS__ } /* not attached */
#define GONE(...) { __VA_ARGS__ }
#define ROW(name_, desired_, generation_, local_, steps_, state_, wake_, ...)                                                \
	{ .name = (name_), .desired = (desired_), .generation = (generation_), .local = local_, .steps = (steps_),              \
	  .state = (state_), .wake_ms = (wake_), ##__VA_ARGS__ }
#define TOLD(s) .reported = { .state = (s), .generation = 4 }

static const struct row rows[] = {
	/* start */
	ROW("a wanted instance gets its files, then its process", DESIRED_STARTED, 1, { 0 }, "files spawn report", STATE_STARTING, 0),
	ROW("without its workload it waits and says so", DESIRED_STARTED, 1, { 0 }, "report", STATE_CREATED, 0, .no_workload = true),
	ROW("a workload that cannot run is told, not tried", DESIRED_STARTED, 1, { 0 }, "report", STATE_FAILED, 0, .refused = true),
	ROW("a shim on its way is waited for", DESIRED_STARTED, 4, BARE(.phase = PLAN_SPAWNING, .deadline_ms = NOW + 9, TOLD(STATE_STARTING)), "", STATE_STARTING, NOW + 9),
	ROW("a shim that does not come is killed", DESIRED_STARTED, 4, BARE(.phase = PLAN_SPAWNING, .deadline_ms = NOW, TOLD(STATE_STARTING)), "kill", STATE_STARTING, 0),
	ROW("at its gate it is attached before presence is asked for", DESIRED_STARTED, 4, BARE(.phase = PLAN_HELD, TOLD(STATE_STARTING)), "attach await", STATE_STARTING, 0),
	ROW("the gate stays shut while presence is not settled", DESIRED_STARTED, 4, RUNS(.phase = PLAN_HELD, .awaiting = true, TOLD(STATE_STARTING)), "", STATE_STARTING, 0),
	ROW("the gate opens, which is not yet a start", DESIRED_STARTED, 4, RUNS(.phase = PLAN_HELD, .settled = true, TOLD(STATE_STARTING)), "open", STATE_STARTING, 0),
	ROW("settled but not attached: attached first", DESIRED_STARTED, 4, BARE(.phase = PLAN_HELD, .settled = true, TOLD(STATE_STARTING)), "attach open", STATE_STARTING, 0),
	ROW("an opened one is waited for", DESIRED_STARTED, 4, RUNS(.phase = PLAN_OPENED, .settled = true, TOLD(STATE_STARTING)), "", STATE_STARTING, 0),
	ROW("started is told when the command runs", DESIRED_STARTED, 4, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTING)), "report", STATE_STARTED, 0),
	ROW("opened for an older generation: ended and made anew", DESIRED_STARTED, 5, RUNS(.phase = PLAN_OPENED, TOLD(STATE_STARTING)), "term", STATE_STARTING, 0),
	ROW("an interface that is not finished keeps the gate shut", DESIRED_STARTED, 4, BARE(.phase = PLAN_HELD, .settled = true, .attach_again_ms = NOW + 5, TOLD(STATE_STARTING)), "", STATE_STARTING, NOW + 5),
	ROW("but presence is asked for meanwhile", DESIRED_STARTED, 4, BARE(.phase = PLAN_HELD, .attach_again_ms = NOW + 5, TOLD(STATE_STARTING)), "await", STATE_STARTING, NOW + 5),
	ROW("held for an older generation it is ended and made anew", DESIRED_STARTED, 5, RUNS(.phase = PLAN_HELD, TOLD(STATE_STARTING)), "kill", 0, 0),
	/* steady state */
	ROW("what runs as wanted is left alone", DESIRED_STARTED, 4, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTED)), "", STATE_STARTED, 0),
	ROW("a record that says otherwise is told the truth", DESIRED_STARTED, 4, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STOPPED)), "report", STATE_STARTED, 0),
	ROW("an older generation is ignored", DESIRED_STOPPED, 3, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTED)), "", STATE_STARTED, 0),
	ROW("an adopted one is attached again", DESIRED_STARTED, 4, RUNS(.phase = PLAN_RUNNING, .unchecked = true, TOLD(STATE_STARTED)), "attach", STATE_STARTED, 0),
	ROW("an adopted one that nobody wants is silenced first", 0, 0, RUNS(.phase = PLAN_RUNNING, .unchecked = true), "detach kill", 0, 0),
	ROW("an attachment that failed is tried again later", DESIRED_STARTED, 4, BARE(.phase = PLAN_RUNNING, .attach_again_ms = NOW + 7, TOLD(STATE_STARTED)), "", STATE_STARTED, NOW + 7),
	ROW("a suspended network silences what runs", DESIRED_STARTED, 4, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTED)), "attach", STATE_STARTED, 0, .suspended = true),
	ROW("and while it drains", DESIRED_STOPPED, 4, RUNS(.phase = PLAN_DRAINING, .deadline_ms = NOW + 5, TOLD(STATE_DRAINING)), "attach", STATE_DRAINING, NOW + 5, .suspended = true),
	/* restart in place */
	ROW("a new generation ends the command and tells nothing", DESIRED_STARTED, 5, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTED)), "term", STATE_STARTED, 0),
	ROW("not while the new workload is bad", DESIRED_STARTED, 5, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTED)), "report", STATE_STARTED, 0, .refused = true),
	ROW("in place it keeps its state until it is up again", DESIRED_STARTED, 5, RUNS(.phase = PLAN_ENDED, .in_place = true, .ended_wanted = true, .exit_code = 143, TOLD(STATE_STARTED)), "detach files spawn", STATE_STARTED, 0),
	/* stop */
	ROW("stop: out of DNS first, then the drain time", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTED)), "report drain", STATE_DRAINING, 0),
	ROW("draining ends with SIGTERM", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_DRAINING, .deadline_ms = NOW, .reported = { .state = STATE_DRAINING, .generation = 5 }), "term", STATE_DRAINING, 0),
	ROW("and not before", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_DRAINING, .deadline_ms = NOW + 1, .reported = { .state = STATE_DRAINING, .generation = 5 }), "", STATE_DRAINING, NOW + 1),
	ROW("what ignores SIGTERM is killed", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_STOPPING, .deadline_ms = NOW, .reported = { .state = STATE_DRAINING, .generation = 5 }), "kill", STATE_DRAINING, 0),
	ROW("and killed with force if that is not enough", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_KILLING, .deadline_ms = NOW, .reported = { .state = STATE_DRAINING, .generation = 5 }), "kill!", STATE_DRAINING, 0),
	ROW("stopped is told after the interface is gone", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_ENDED, .ended_wanted = true, .exit_code = 143, .reported = { .state = STATE_DRAINING, .generation = 5 }), "detach report", STATE_STOPPED, 0),
	ROW("what never ran is stopped at once", DESIRED_STOPPED, 5, { 0 }, "report", STATE_STOPPED, 0),
	ROW("what waits at its gate is killed, not drained", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_HELD, .awaiting = true, .reported = { .state = STATE_DRAINING, .generation = 5 }), "forget-await kill", STATE_DRAINING, 0),
	ROW("started again while it drains: no more waiting", DESIRED_STARTED, 6, RUNS(.phase = PLAN_DRAINING, .deadline_ms = NOW + 999, TOLD(STATE_DRAINING)), "term", STATE_DRAINING, 0),
	ROW("and what it last told stands until it has ended", DESIRED_STARTED, 6, RUNS(.phase = PLAN_DRAINING, .deadline_ms = NOW + 999, .reported = { .state = STATE_DRAINING, .generation = 5 }), "term", STATE_DRAINING, 0),
	ROW("opened, but nobody was told: no drain time", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_OPENED, TOLD(STATE_STARTING)), "term report", STATE_DRAINING, 0),
	ROW("an interface that does not go holds up the end", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_ENDED, .detach_again_ms = NOW + 3, .reported = { .state = STATE_DRAINING, .generation = 5 }), "report", STATE_DRAINING, NOW + 3),
	ROW("until it goes", DESIRED_STOPPED, 5, RUNS(.phase = PLAN_ENDED, .detach_again_ms = NOW, .reported = { .state = STATE_DRAINING, .generation = 5 }), "detach report", STATE_STOPPED, 0),
	/* destroy */
	ROW("destroyed while it drains: the same drain time", DESIRED_DESTROYED, 6, RUNS(.phase = PLAN_DRAINING, .deadline_ms = NOW + 5, .reported = { .state = STATE_DRAINING, .generation = 5 }), "report", STATE_DRAINING, NOW + 5),
	ROW("destroyed in its back-off: gone at once", DESIRED_DESTROYED, 5, BARE(.phase = PLAN_ENDED, .exit_code = 1, .next_start_ms = NOW + 5000, TOLD(STATE_FAILED)), "clean report", STATE_DESTROYED, 0),
	ROW("destroyed: drained like a stop", DESIRED_DESTROYED, 5, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTED)), "report drain", STATE_DRAINING, 0),
	ROW("destroyed: its files go before it is told", DESIRED_DESTROYED, 5, RUNS(.phase = PLAN_ENDED, .ended_wanted = true), "detach clean report", STATE_DESTROYED, 0),
	ROW("destroyed and told: nothing more", DESIRED_DESTROYED, 5, GONE(.generation = 5, .desired = DESIRED_DESTROYED, .reported = { .state = STATE_DESTROYED, .generation = 5 }), "", STATE_DESTROYED, 0),
	/* vanished */
	ROW("a vanished record silences and kills at once", 0, 0, RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTED)), "detach kill", 0, 0),
	ROW("killed though its interface does not go", 0, 0, RUNS(.phase = PLAN_RUNNING, .detach_again_ms = NOW + 3), "kill", 0, NOW + 3),
	ROW("and not forgotten before that has gone", 0, 0, RUNS(.phase = PLAN_ENDED, .detach_again_ms = NOW + 3), "", 0, NOW + 3),
	ROW("also if its gate was just opened", 0, 0, RUNS(.phase = PLAN_OPENED), "detach kill", 0, 0),
	ROW("then all of it is forgotten", 0, 0, BARE(.phase = PLAN_ENDED), "clean forget", 0, 0),
	/* the end of a command */
	ROW("on-failure: exit 1 waits for its back-off", DESIRED_STARTED, 4, RUNS(.phase = PLAN_ENDED, .exit_code = 1, .next_start_ms = NOW + 1000), "detach report", STATE_FAILED, NOW + 1000, .restart = SPEC_RESTART_ON_FAILURE),
	ROW("and starts again after it", DESIRED_STARTED, 4, BARE(.phase = PLAN_ENDED, .exit_code = 1, .next_start_ms = NOW, TOLD(STATE_FAILED)), "files spawn report", STATE_STARTING, 0, .restart = SPEC_RESTART_ON_FAILURE),
	ROW("on-failure: exit 0 stays stopped", DESIRED_STARTED, 4, RUNS(.phase = PLAN_ENDED), "detach report", STATE_STOPPED, 0, .restart = SPEC_RESTART_ON_FAILURE),
	ROW("always: exit 0 starts again", DESIRED_STARTED, 4, BARE(.phase = PLAN_ENDED, TOLD(STATE_FAILED)), "files spawn report", STATE_STARTING, 0, .restart = SPEC_RESTART_ALWAYS),
	ROW("never: exit 1 stays failed", DESIRED_STARTED, 4, RUNS(.phase = PLAN_ENDED, .exit_code = 1), "detach report", STATE_FAILED, 0, .restart = SPEC_RESTART_NEVER),
	ROW("never: but a start that failed on our side is tried again", DESIRED_STARTED, 4, BARE(.phase = PLAN_ENDED, .failure = "no interface", .next_start_ms = NOW), "files spawn report", STATE_STARTING, 0, .restart = SPEC_RESTART_NEVER),
	ROW("a new generation does not wait for the back-off", DESIRED_STARTED, 5, BARE(.phase = PLAN_ENDED, .exit_code = 1, .next_start_ms = NOW + 60000), "files spawn report", STATE_STARTING, 0),
};

static void steps_text(const struct plan *p, char *ret_text, size_t size)
{
	size_t n = 0;

	ret_text[0] = 0;
	for (size_t i = 0; i < p->n; i++)
		n += (size_t)snprintf(ret_text + n, size - n, "%s%s%s", i ? " " : "", plan_kind_name(p->steps[i].kind),
				      p->steps[i].force ? "!" : "");
}

static void every_row_gives_its_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct plan_desired d = { .desired = r->desired,
					  .generation = r->generation,
					  .has_workload = !r->no_workload,
					  .refusal = r->refused ? "bad" : NULL,
					  .restart = r->restart,
					  .drain_ms = 5000,
					  .stop_timeout_ms = 10000,
					  .suspended = r->suspended };
		struct plan p;
		char text[200];

		plan_instance(r->desired ? &d : NULL, &r->local, NOW, &p);
		steps_text(&p, text, sizeof text);
		if (strcmp(text, r->steps) || (r->state && p.truth.state != r->state) || p.wake_ms != r->wake_ms)
			fail_msg("%s: steps \"%s\" (expected \"%s\"), state %u (%u), wake %llu (%llu)", r->name, text, r->steps,
				 p.truth.state, r->state, (unsigned long long)p.wake_ms, (unsigned long long)r->wake_ms);
	}
}

static void what_is_told_of_a_customers_text_can_be_taken(void **state)
{
	struct plan_desired d = { .desired = DESIRED_STARTED, .generation = 1, .has_workload = true, .refusal = "no file /a\x1b[2J\n\xc3" };
	struct plan_local l = { 0 };
	struct plan p;

	(void)state;
	plan_instance(&d, &l, NOW, &p);
	assert_string_equal(p.truth.message, "no file /a [2J ?");
}

static void deadlines_come_from_the_workload(void **state)
{
	struct plan_desired d = { .desired = DESIRED_STOPPED, .generation = 5, .has_workload = true, .drain_ms = 700, .stop_timeout_ms = 900 };
	struct plan_local l = RUNS(.phase = PLAN_RUNNING, TOLD(STATE_STARTED));
	struct plan p;

	(void)state;
	plan_instance(&d, &l, NOW, &p);
	assert_int_equal(p.deadline_ms, NOW + 700);
	l.phase = PLAN_DRAINING;
	plan_instance(&d, &l, NOW, &p);
	assert_int_equal(p.deadline_ms, NOW + 900);
}

static void back_off_doubles_to_its_limit_and_starts_anew_after_a_good_life(void **state)
{
	static const uint32_t expected[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct plan_local l = { .generation = 1 };
	uint64_t now = NOW;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		l.phase = PLAN_RUNNING;
		l.started_ms = now;
		now += 5;
		plan_ended(&l, 1, "", now);
		assert_int_equal(l.next_start_ms - now, expected[i]);
		now = l.next_start_ms;
	}
	l.phase = PLAN_RUNNING;
	l.started_ms = now;
	plan_ended(&l, 1, "", now + PLAN_GOOD_LIFE_MS);
	assert_int_equal(l.backoff_ms, 1000);
}

static void an_end_of_our_doing_costs_no_back_off(void **state)
{
	struct plan_local l = { .phase = PLAN_STOPPING, .started_ms = 5 };

	(void)state;
	plan_ended(&l, 143, "", NOW);
	assert_true(l.ended_wanted);
	assert_int_equal(l.next_start_ms, 0);
}

static void the_time_of_a_report_alone_is_no_news(void **state)
{
	struct observed a = { .state = STATE_STARTED, .since_ms = 1 }, b = a;

	(void)state;
	b.since_ms = 2;
	assert_true(plan_same_report(&a, &b));
	b.exit_code = 1;
	assert_false(plan_same_report(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_gives_its_steps),
		cmocka_unit_test(what_is_told_of_a_customers_text_can_be_taken),
		cmocka_unit_test(deadlines_come_from_the_workload),
		cmocka_unit_test(back_off_doubles_to_its_limit_and_starts_anew_after_a_good_life),
		cmocka_unit_test(an_end_of_our_doing_costs_no_back_off),
		cmocka_unit_test(the_time_of_a_report_alone_is_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
