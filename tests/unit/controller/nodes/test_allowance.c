/* How much a node may make all others do: its endpoints and its reports are limited, others are not touched, and nothing is lost. */
#include "tests/unit/controller/nodes/world.h"

#include "controller/nodes/allowance.h"

static struct world *one_org(uint32_t *ret_network)
{
	struct world *w = world_new(NULL);

	make_region(w, "ord");
	*ret_network = make_org(w, "acme", "web");
	return w;
}

static void so_many_at_once_and_so_many_a_minute(void **state)
{
	const struct allowance_rule rule = { .at_once = 5, .per_minute = 7 };
	struct allowance a = { 0 };
	uint64_t now = 1000000, taken = 0;

	(void)state;
	assert_int_equal(allowance_take(&a, rule, now, 100), 5);
	assert_int_equal(allowance_take(&a, rule, now, 1), 0);
	for (unsigned ms = 0; ms < 60000 * 10; ms++) /* asked each ms: what is left of one is not lost */
		taken += allowance_take(&a, rule, ++now, 1);
	assert_int_equal(taken, 70);
	assert_int_equal(allowance_left(&a, rule, now + 1000000000), 5); /* and no more than that is saved up */
	assert_int_equal(allowance_take(&a, rule, now + 1000000000, 3), 3);
	allowance_return(&a, 2);
	assert_int_equal(allowance_left(&a, rule, now + 1000000000), 4);
	allowance_return(&a, 100);
	assert_int_equal(allowance_left(&a, rule, now + 1000000000), 5);
	assert_int_equal(allowance_left(&a, rule, UINT64_MAX), 5);
}

/* 1,000 instances that are restarted at once: draining, stopped, starting, started. */
static void a_storm_of_restarts_passes(void **state)
{
	struct allowance a = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(allowance_take(&a, ALLOWANCE_REPORTS, 5000, 1000), 1000);
}

static struct node_entry *entry_of(const struct test_node *n)
{
	return node_table_find_name(&n->w->c->nodes, n->name);
}

static void leave(const struct test_node *n, struct allowance *a, struct allowance_rule rule, uint64_t left)
{
	*a = (struct allowance){ .used = (rule.at_once - left) * UINT64_C(60000), .at_ms = clock_mono_ms(&n->w->clock) };
}

static void endpoints_that_change_all_the_time_make_few_records(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	uint64_t before = store_head(w->store), made;

	(void)state;
	a->hold = true;
	for (unsigned n = 0; n < 300; n++) { /* in 30 s */
		a->endpoint_port = (uint16_t)(1000 + n);
		send_poll(a);
		world_run(w, 100);
	}
	made = store_head(w->store) - before;
	assert_in_range(made, ALLOWANCE_ENDPOINTS.at_once, ALLOWANCE_ENDPOINTS.at_once + 1);
	assert_int_equal(entry_of(a)->may_move.refused, 300 - made);
	assert_int_equal(entry_of(b)->may_move.refused, 0);
	b->endpoint_port = 4; /* another node's allowance is its own */
	send_poll(b);
	world_run(w, 100);
	assert_int_equal(store_head(w->store), before + made + 1);
	/* and where it has stayed is learnt */
	for (unsigned n = 0; n < 40; n++) {
		send_poll(a);
		world_run(w, 1000);
	}
	assert_int_equal(entry_of(a)->endpoints[0].port, 1299);
	world_free(w);
}

static void a_node_that_joins_again_and_again_is_told_to_wait(void **state)
{
	char secret[STORE_NODE_SECRET_SIZE];
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct store_node_token token = make_join_token(w, "ord", 1, secret);
	struct test_node *a = add_machine(w, NULL);

	(void)state;
	for (unsigned n = 0; n <= ALLOWANCE_ENDPOINTS.at_once; n++) {
		enroll(a, &token, secret);
		assert_string_equal(a->join_error, "");
	}
	enroll(a, &token, secret);
	assert_string_equal(a->join_error, "too_often");
	assert_non_null(strstr(a->join_text, "30 seconds"));
	assert_int_equal(entry_of(a)->may_move.refused, 1);
	world_run(w, 30000);
	enroll(a, &token, secret);
	assert_string_equal(a->join_error, "");
	world_free(w);
}

static void reports_that_never_end_are_heard_later(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct store_instance i;
	uint64_t before;

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	world_run(w, 100);
	leave(a, &entry_of(a)->may_report, ALLOWANCE_REPORTS, 3);
	before = store_head(w->store);
	for (unsigned n = 0; n < 8; n++) /* each is 100 ms: five come back in that time */
		report(a, i.record.id, n % 2 ? STATE_STARTED : STATE_STARTING, i.record.generation);
	assert_true(store_head(w->store) > before + 3);
	leave(a, &entry_of(a)->may_report, ALLOWANCE_REPORTS, 0);
	before = store_head(w->store);
	report(a, i.record.id, STATE_FAILED, i.record.generation);
	assert_int_equal(store_head(w->store), before);
	assert_int_equal(a->report_refused, 1);
	assert_in_range(a->report_later_ms, 1, 10000);
	assert_int_equal(entry_of(a)->may_report.refused, 1);
	assert_int_equal(entry_of(a)->may_report.refused, 1);
	leave(a, &entry_of(a)->may_report, ALLOWANCE_REPORTS, 3);
	report(a, i.record.id, STATE_STARTED, i.record.generation); /* what is known costs nothing; 100 ms give back five */
	assert_int_equal(a->report_refused, 0);
	assert_int_equal(allowance_left(&entry_of(a)->may_report, ALLOWANCE_REPORTS, clock_mono_ms(&w->clock)), 8);
	world_run(w, a->report_later_ms);
	report(a, i.record.id, STATE_FAILED, i.record.generation);
	assert_int_equal(a->report_refused, 0);
	assert_int_equal(store_head(w->store), before + 1);
	world_free(w);
}

/* Somebody asked for it, once for each instance: it is not the node's to make more of these. */
static void the_end_of_an_instance_is_always_heard(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct store_instance i, out;
	bool gone;

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	DO(w, store_instance_change(store, op, i.record.id, INSTANCE_DESTROY, false, &out, &gone));
	leave(a, &entry_of(a)->may_report, ALLOWANCE_REPORTS, 0);
	report(a, i.record.id, STATE_DESTROYED, out.record.generation);
	assert_int_equal(a->report_refused, 0);
	assert_null(find_instance(a, i.record.id));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_at_once_and_so_many_a_minute),
		cmocka_unit_test(a_storm_of_restarts_passes),
		cmocka_unit_test(endpoints_that_change_all_the_time_make_few_records),
		cmocka_unit_test(a_node_that_joins_again_and_again_is_told_to_wait),
		cmocka_unit_test(reports_that_never_end_are_heard_later),
		cmocka_unit_test(the_end_of_an_instance_is_always_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
