/* The contract of the control protocol, from the node's end: snapshots with the reasons of what they leave out, how many run at
 * once, and healing of a copy that drifted. Tests are named after the guarantee they show; every reply is also checked (world.h). */
#include "tests/unit/controller/nodes/world.h"

static void g4_an_empty_scope_is_one_part_with_an_end(void **state)
{
	struct world *w = world_new(NULL);
	struct test_node *a;

	(void)state;
	make_region(w, "ord");
	a = add_running(w, "ord");
	assert_int_equal(a->parts_seen, 1);
	assert_int_equal(count_kept(a, 0, 0), 2); /* its region and itself */
	assert_in_step(a);
	world_free(w);
}

static void g4_a_large_snapshot_comes_in_parts_and_counts_at_its_end(void **state)
{
	struct controller_config config = { .batch_bytes = 4096 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	for (int i = 0; i < 20; i++)
		make_instance_of(w, "acme", "web", a->name, 1000);
	world_run(w, 10);
	stop_node(a);
	a->has_log = false;
	a->parts_seen = 0;
	start_node(a);
	assert_true(a->parts_seen > 4);
	assert_in_step(a);
	assert_int_equal(controller_stats(w->c)->snapshots_now, 0);
	world_free(w);
}

static void g4_a_part_whose_reply_is_lost_is_sent_again_and_not_skipped(void **state)
{
	struct controller_config config = { .batch_bytes = 4096 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	for (int i = 0; i < 20; i++)
		make_instance_of(w, "acme", "web", a->name, 1000);
	world_run(w, 10);
	stop_node(a);
	a->has_log = false;
	a->hold = true;
	a->parts_seen = 0;
	link_client_start(a->client);
	send_poll(a);
	world_run(w, 100);
	for (int i = 0; a->has_token && i < 100; i++) { /* the first reply with each part is lost, also with the last */
		a->loses = true;
		send_poll(a);
		world_run(w, 100);
		assert_false(a->loses);
		send_poll(a);
		world_run(w, 100);
	}
	assert_true(a->parts_seen > 4);
	a->hold = false;
	send_poll(a);
	world_run(w, 100);
	assert_in_step(a);
	assert_int_equal(controller_stats(w->c)->snapshots, 2); /* one at its first start */
	world_free(w);
}

static void g4_changes_during_a_snapshot_come_after_it_as_deltas(void **state)
{
	struct controller_config config = { .batch_bytes = 4096 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct store_instance first;

	(void)state;
	allow(a, acme);
	first = make_instance_of(w, "acme", "web", a->name, 3000);
	for (int i = 0; i < 5; i++)
		make_instance_of(w, "acme", "web", a->name, 3000);
	world_run(w, 10);
	stop_node(a);
	a->has_log = false;
	a->hold = true;
	link_client_start(a->client);
	send_poll(a);
	world_run(w, 100);
	assert_true(a->has_token);
	destroy_instance(w, first.record.id);
	a->hold = false;
	send_poll(a);
	world_run(w, 100);
	assert_null(find_instance(a, first.record.id));
	assert_in_step(a);
	world_free(w);
}

static void g10_only_the_part_that_drifted_is_healed(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct kept *k;

	(void)state;
	allow(a, acme);
	allow(a, globex);
	make_instance(w, "acme", "web", a);
	make_instance(w, "globex", "web", a);
	world_run(w, 10);
	assert_in_step(a);
	for (size_t i = 0; (k = map_next(&a->records, &i));)
		if (k->record->kind == RECORD_APP && k->record->network == acme) {
			forget(&a->records, k);
			break;
		}
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(controller_stats(w->c)->drifts, 1);
	assert_int_equal(controller_stats(w->c)->heals, 1);
	assert_int_equal(a->heals, 1);
	assert_in_step(a);
	world_free(w);
}

/* The head never waits for it: others write all the time. */
static void g10_a_copy_that_drifted_is_found_though_its_v_is_not_the_last(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct kept *k;

	(void)state;
	allow(a, acme);
	allow(b, globex);
	make_instance(w, "acme", "web", a);
	make_instance(w, "globex", "web", b);
	world_run(w, 10);
	assert_in_step(a);
	for (size_t i = 0; (k = map_next(&a->records, &i));)
		if (k->record->kind == RECORD_APP && k->record->network == acme) {
			forget(&a->records, k);
			break;
		}
	make_instance(w, "globex", "web", b); /* none of a's business */
	assert_true(a->v < controller_head(w->c));
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(controller_stats(w->c)->drifts, 1);
	assert_int_equal(a->heals, 1);
	world_run(w, 30000);
	assert_in_step(a);
	assert_int_equal(controller_stats(w->c)->drifts, 1);
	world_free(w);
}

/* A part of which nothing is left is in no list of the node's. */
static void g10_a_part_that_is_gone_as_a_whole_is_healed_too(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct kept *k;

	(void)state;
	allow(a, acme);
	allow(a, globex);
	make_instance(w, "acme", "web", a);
	make_instance(w, "globex", "web", a);
	world_run(w, 10);
	for (size_t i = 0; (k = map_next(&a->records, &i));)
		if (k->record->network == acme || k->record->node) {
			forget(&a->records, k);
			i = 0;
		}
	assert_int_equal(count_kept(a, 0, acme), 0);
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(a->heals, 1);
	assert_true(count_kept(a, 0, acme) > 0);
	assert_in_step(a);
	world_free(w);
}

static void g10_a_part_that_the_node_may_not_hold_heals_to_nothing(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct record foreign = { .kind = RECORD_APP, .key = "12345678", .key_len = 8, .network = 0x20000, .v = 3, .body = (const uint8_t *)"x",
				  .body_len = 1 };

	(void)state;
	allow(a, acme);
	allow(a, 0x20000); /* the network of the record that it holds by mistake */
	make_instance(w, "acme", "web", a);
	world_run(w, 10);
	keep(&a->records, &foreign);
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(count_kept(a, 0, 0x20000), 0);
	assert_in_step(a);
	world_free(w);
}

static void g10_a_node_that_drifts_again_at_once_waits_a_minute(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct record wrong = { .kind = RECORD_REGION, .key = "xyz", .key_len = 3, .v = 1, .body = (const uint8_t *)"x", .body_len = 1 };

	(void)state;
	for (int i = 0; i < 5; i++) {
		keep(&a->records, &wrong);
		send_poll(a);
		world_run(w, 100);
	}
	assert_int_equal(controller_stats(w->c)->heals, 1);
	for (int i = 0; i < 5; i++) { /* nor does it help to send what it was not asked for */
		keep(&a->records, &wrong);
		a->want_digests = true;
		send_poll(a);
		world_run(w, 100);
	}
	assert_int_equal(controller_stats(w->c)->heals, 1);
	world_run(w, 70000);
	assert_int_equal(controller_stats(w->c)->heals, 2);
	assert_in_step(a);
	world_free(w);
}

static void g10_a_node_that_sends_digests_unasked_is_healed_once_a_minute_too(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct record wrong = { .kind = RECORD_REGION, .key = "xyz", .key_len = 3, .v = 1, .body = (const uint8_t *)"x", .body_len = 1 };

	(void)state;
	for (int i = 0; i < 5; i++) {
		keep(&a->records, &wrong);
		a->want_digests = true;
		send_poll(a);
		world_run(w, 100);
	}
	assert_int_equal(controller_stats(w->c)->heals, 1);
	world_free(w);
}

static void g11_a_cursor_below_the_window_gets_a_snapshot(void **state)
{
	struct controller_config config = { .window_changes = 8 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	stop_node(a);
	for (int i = 0; i < 10; i++)
		make_instance(w, "acme", "web", a);
	start_node(a);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 2);
	assert_in_step(a);
	world_free(w);
}

static void g21_reasons_that_cannot_be_read_do_not_hold_up_a_snapshot(void **state)
{
	struct controller_config config = { .window_changes = 8 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	stop_node(a);
	for (int i = 0; i < 10; i++)
		make_instance(w, "acme", "web", a);
	world_run(w, 10);
	assert_int_equal(driver_exec(w->store->driver, "ALTER TABLE log RENAME TO elsewhere"), 0);
	start_node(a);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 2);
	assert_int_equal(driver_exec(w->store->driver, "ALTER TABLE elsewhere RENAME TO log"), 0);
	assert_in_step(a);
	world_free(w);
}

static void g12_only_so_many_snapshots_run_at_once(void **state)
{
	struct controller_config config = { .batch_bytes = 256, .snapshots_max = 2 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *n[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		n[i] = add_node(w, "ord");
		n[i]->hold = true;
		link_client_start(n[i]->client);
	}
	for (int i = 0; i < 3; i++) {
		send_poll(n[i]);
		world_run(w, 100);
	}
	assert_int_equal(n[0]->last_kind, SIXPN__POLL_KIND__POLL_SNAPSHOT);
	assert_int_equal(n[1]->last_kind, SIXPN__POLL_KIND__POLL_SNAPSHOT);
	assert_int_equal(n[2]->last_kind, SIXPN__POLL_KIND__POLL_RETRY_AFTER);
	assert_true(n[2]->last_retry_ms >= 200 && n[2]->last_retry_ms <= 1000);
	world_run(w, 31000); /* the two went away in the middle */
	send_poll(n[2]);
	world_run(w, 100);
	assert_int_equal(n[2]->last_kind, SIXPN__POLL_KIND__POLL_SNAPSHOT);
	world_free(w);
}

static void g12_who_was_just_given_everything_is_not_given_it_again_at_once(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	for (int i = 0; i < 5; i++) { /* the same session says again and again that it has nothing */
		a->has_log = false;
		send_poll(a);
		world_run(w, 100);
		assert_int_equal(a->last_kind, SIXPN__POLL_KIND__POLL_RETRY_AFTER);
		assert_true(a->last_retry_ms > 50000 && a->last_retry_ms <= 60000);
	}
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 1);
	stop_node(a); /* one that really lost it has started anew */
	start_node(a);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 2);
	assert_in_step(a);
	world_free(w);
}

/* It took all of it, and was then left behind by the window: that is not asking twice. */
static void g12_who_fell_out_of_the_window_after_a_snapshot_gets_another_at_once(void **state)
{
	struct controller_config config = { .window_changes = 8 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	a->hold = true;
	make_instance(w, "acme", "web", a);
	world_run(w, 10); /* the answer to its poll, of which it says nothing for a while */
	for (int i = 0; i < 20; i++)
		make_instance(w, "acme", "web", a);
	world_run(w, 100);
	a->hold = false;
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_RETRY_AFTER], 0);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 2);
	assert_in_step(a);
	world_free(w);
}

static void g12_the_window_waits_for_who_has_just_taken_a_snapshot(void **state)
{
	struct controller_config config = { .window_changes = 16, .batch_bytes = 4096 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	for (int i = 0; i < 4; i++)
		make_instance_of(w, "acme", "web", a->name, 3000);
	world_run(w, 100);
	stop_node(a);
	a->has_log = false;
	a->hold = true;
	link_client_start(a->client);
	send_poll(a);
	world_run(w, 100);
	while (a->has_token) {
		send_poll(a);
		world_run(w, 10);
	}
	for (int i = 0; i < 6; i++) /* 12 changes, more than one reply holds */
		make_instance_of(w, "acme", "web", a->name, 3000);
	a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT] = 0;
	send_poll(a); /* it is taken: the first of them come */
	world_run(w, 10);
	assert_int_equal(controller_stats(w->c)->snapshots_now, 0);
	for (int i = 0; i < 6; i++) /* 12 more: the window is full above it */
		make_instance_of(w, "acme", "web", a->name, 3000);
	a->hold = false;
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 0);
	assert_in_step(a);
	assert_null(w->c->snapshots);
	world_free(w);
}

/* a was away for longer than the window; meanwhile most of what it held was deleted on purpose. */
static struct world *long_away(struct test_node **ret_a, uint64_t features, bool busy)
{
	struct controller_config config = { .window_changes = 16 };
	uint32_t acme, globex, initech;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct store_instance gone[3], foreign;

	initech = make_org(w, "initech", "web");
	allow(a, acme);
	allow(a, globex);
	allow(b, acme);
	allow(b, initech);
	a->features = features;
	gone[0] = make_instance(w, "acme", "web", a);
	gone[1] = make_instance(w, "acme", "web", a);
	make_instance(w, "acme", "web", a);
	gone[2] = make_instance(w, "globex", "web", a);
	foreign = make_instance(w, "initech", "web", b);
	world_run(w, 100);
	stop_node(a);
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		destroy_instance(w, gone[i].record.id);
	destroy_instance(w, foreign.record.id);
	for (int i = 0; i < 20; i++)
		make_instance(w, "acme", "web", b);
	world_end(w);
	world_start(w);
	a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT] = a->last_left = 0;
	w->c->n_ops += busy ? CONTROLLER_OPS_MAX : 0;
	start_node(a);
	world_run(w, 5000);
	if (busy) {
		assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 0);
		assert_int_equal(a->last_kind, SIXPN__POLL_KIND__POLL_RETRY_AFTER);
		w->c->n_ops -= CONTROLLER_OPS_MAX;
		send_poll(a);
		world_run(w, 5000);
	}
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 1);
	assert_in_step(a);
	*ret_a = a;
	return w;
}

static void g21_a_snapshot_says_why_records_are_gone_and_nothing_of_others(void **state)
{
	struct test_node *a;
	struct world *w = long_away(&a, 7, false);

	(void)state;
	assert_int_equal(a->explained, 4); /* two instances of acme and their workloads; initech's would fail check_allowed */
	assert_int_equal(a->last_left, 1); /* globex */
	assert_int_equal(w->c->reasons_now, 0);
	world_free(w);
}

static void g21_no_snapshot_comes_without_its_reasons_because_the_store_is_busy(void **state)
{
	struct test_node *a;
	struct world *w = long_away(&a, 7, true);

	(void)state;
	assert_int_equal(a->explained, 4);
	assert_int_equal(a->last_left, 1);
	world_free(w);
}

static void g19_reasons_are_not_told_to_a_node_that_does_not_know_them(void **state)
{
	struct test_node *a;
	struct world *w = long_away(&a, SIXPN__FEATURE__FEATURE_AWAIT, false);

	(void)state;
	assert_int_equal(a->explained + a->last_left, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g4_an_empty_scope_is_one_part_with_an_end),
		cmocka_unit_test(g4_a_large_snapshot_comes_in_parts_and_counts_at_its_end),
		cmocka_unit_test(g4_a_part_whose_reply_is_lost_is_sent_again_and_not_skipped),
		cmocka_unit_test(g4_changes_during_a_snapshot_come_after_it_as_deltas),
		cmocka_unit_test(g10_only_the_part_that_drifted_is_healed),
		cmocka_unit_test(g10_a_copy_that_drifted_is_found_though_its_v_is_not_the_last),
		cmocka_unit_test(g10_a_part_that_is_gone_as_a_whole_is_healed_too),
		cmocka_unit_test(g10_a_part_that_the_node_may_not_hold_heals_to_nothing),
		cmocka_unit_test(g10_a_node_that_drifts_again_at_once_waits_a_minute),
		cmocka_unit_test(g10_a_node_that_sends_digests_unasked_is_healed_once_a_minute_too),
		cmocka_unit_test(g11_a_cursor_below_the_window_gets_a_snapshot),
		cmocka_unit_test(g21_reasons_that_cannot_be_read_do_not_hold_up_a_snapshot),
		cmocka_unit_test(g12_only_so_many_snapshots_run_at_once),
		cmocka_unit_test(g12_who_was_just_given_everything_is_not_given_it_again_at_once),
		cmocka_unit_test(g12_who_fell_out_of_the_window_after_a_snapshot_gets_another_at_once),
		cmocka_unit_test(g12_the_window_waits_for_who_has_just_taken_a_snapshot),
		cmocka_unit_test(g21_a_snapshot_says_why_records_are_gone_and_nothing_of_others),
		cmocka_unit_test(g21_no_snapshot_comes_without_its_reasons_because_the_store_is_busy),
		cmocka_unit_test(g19_reasons_are_not_told_to_a_node_that_does_not_know_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
