/* The contract of the control protocol, from the node's end: deltas, the scope, acknowledgement and bookmarks. Tests are named after
 * the guarantee they show. Every reply is also checked as it comes (world.h): chained, in order, proven, and never a record of a
 * network that the test did not allow. Snapshots and healing: test_poll_snapshot.c; logs and epochs: test_poll_identity.c. */
#include "tests/unit/controller/nodes/world.h"

static void g1_every_change_of_the_store_reaches_memory_without_a_gap(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	allow(a, acme);
	make_instance(w, "acme", "web", a);
	assert_int_equal(controller_env(w->c)->ops->current_v(w->c), store_head(w->store));
	assert_int_equal(controller_stats(w->c)->gaps, 0);
	(void)state;
	world_free(w);
}

static void g3_a_network_enters_the_scope_whole_and_in_one_reply(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "nrt");

	(void)state;
	allow(a, acme);
	make_instance(w, "acme", "web", a);
	world_run(w, 10);
	assert_int_equal(count_kept(b, 0, acme), 0);
	allow(b, acme);
	b->hold = true;
	make_instance(w, "acme", "web", b);
	world_run(w, 10);
	assert_int_equal(b->last_kind, SIXPN__POLL_KIND__POLL_DELTA);
	assert_int_equal(b->last_entered, 1);
	assert_int_equal(count_kept(b, RECORD_NETWORK, acme), 1);
	assert_int_equal(count_kept(b, RECORD_APP, acme), 1);
	assert_int_equal(count_kept(b, RECORD_INSTANCE, acme), 2);
	assert_int_equal(count_kept(b, RECORD_WORKLOAD, acme), 1);
	assert_in_step(b);
	assert_int_equal(b->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 1);
	world_free(w);
}

static void g3_the_last_instance_takes_its_network_out_of_the_scope(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "nrt");
	struct store_instance i;

	(void)state;
	allow(a, acme);
	allow(b, acme);
	make_instance(w, "acme", "web", a);
	i = make_instance(w, "acme", "web", b);
	world_run(w, 10);
	assert_true(count_kept(b, 0, acme) > 0);
	destroy_instance(w, i.record.id);
	world_run(w, 10);
	assert_int_equal(count_kept(b, 0, acme), 0);
	assert_in_step(b);
	assert_int_equal(count_kept(a, RECORD_INSTANCE, acme), 1);
	assert_in_step(a);
	world_free(w);
}

static void g3_a_node_is_told_nothing_of_networks_that_are_not_on_it(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	allow(b, globex); /* check_allowed fails the test if another comes */
	for (int i = 0; i < 5; i++) {
		make_instance(w, "acme", "web", a);
		make_instance(w, "globex", "web", b);
		world_run(w, 10);
	}
	assert_int_equal(count_kept(a, RECORD_INSTANCE, 0), 5);
	assert_int_equal(count_kept(b, RECORD_INSTANCE, 0), 5);
	assert_int_equal(count_kept(a, RECORD_NODE, 0), 2);
	world_free(w);
}

static void g3_a_network_that_came_back_between_two_polls_replaces_the_old_stay(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct store_instance mine, others;

	(void)state;
	allow(a, acme);
	allow(b, acme);
	mine = make_instance(w, "acme", "web", a);
	others = make_instance(w, "acme", "web", b);
	world_run(w, 10);
	a->hold = true;
	stop_node(a);
	a->hold = true;
	destroy_instance(w, mine.record.id);
	destroy_instance(w, others.record.id); /* while acme is not on a: its tombstone is not for a */
	make_instance(w, "acme", "web", a);
	a->hold = false;
	start_node(a);
	assert_null(find_instance(a, others.record.id));
	assert_int_equal(count_kept(a, RECORD_INSTANCE, acme), 1);
	assert_in_step(a);
	assert_int_equal(controller_stats(w->c)->drifts, 0);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 1);
	world_free(w);
}

static void g3_an_older_stay_does_not_survive_a_delta_that_is_cut_before_the_network_came_back(void **state)
{
	struct controller_config config = { .batch_bytes = 2000 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct store_instance mine, others;

	(void)state;
	allow(a, acme);
	allow(b, acme);
	mine = make_instance(w, "acme", "web", a);
	others = make_instance(w, "acme", "web", b);
	world_run(w, 10);
	stop_node(a);
	destroy_instance(w, mine.record.id);
	destroy_instance(w, others.record.id);
	make_region(w, "syd"); /* told in a batch of its own: the network that follows does not fit beside it */
	make_instance_of(w, "acme", "web", a->name, 2000);
	start_node(a);
	assert_null(find_instance(a, others.record.id));
	assert_in_step(a);
	assert_int_equal(controller_stats(w->c)->drifts, 0);
	world_free(w);
}

static void g9_an_older_stay_is_gone_with_the_first_v_that_is_acknowledged_after_it(void **state)
{
	struct controller_config config = { .batch_bytes = 2000 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct store_instance mine;

	(void)state;
	allow(a, acme);
	allow(b, acme);
	mine = make_instance(w, "acme", "web", a);
	make_instance(w, "acme", "web", b);
	world_run(w, 10);
	stop_node(a);
	destroy_instance(w, mine.record.id); /* acme leaves a ... */
	make_region(w, "syd");
	make_instance_of(w, "acme", "web", a->name, 2000); /* ... and comes back, in a later batch */
	a->hold = true;
	start_node(a);
	assert_true(a->v < controller_head(w->c));
	assert_int_equal(count_kept(a, 0, acme), 0); /* at this V it was gone, and the next poll says that this is applied */
	a->hold = false;
	send_poll(a);
	world_run(w, 100);
	assert_in_step(a);
	world_free(w);
}

static void g6_every_delta_brings_the_node_on_however_large_the_next_change_is(void **state)
{
	struct controller_config config = { .batch_bytes = 1000 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct store_instance gone;

	(void)state;
	link_memory_set_delay(w->net, 1); /* telling the same for ever takes for ever */
	allow(a, acme);
	allow(a, globex);
	gone = make_instance(w, "acme", "web", a);
	world_run(w, 100);
	stop_node(a);
	make_instance_of(w, "globex", "web", a->name, 3000); /* does not fit beside the word that acme went */
	destroy_instance(w, gone.record.id);
	start_node(a);
	assert_in_step(a);
	world_free(w);
}

static void g5_removals_survive_a_disconnect(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct store_instance gone;

	(void)state;
	allow(a, acme);
	make_instance(w, "acme", "web", a);
	gone = make_instance(w, "acme", "web", a);
	world_run(w, 10);
	stop_node(a);
	destroy_instance(w, gone.record.id);
	start_node(a);
	assert_null(find_instance(a, gone.record.id));
	assert_in_step(a);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 1);
	world_free(w);
}

static void g8_a_quiet_node_gets_a_bookmark_when_its_park_time_is_up(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	uint64_t v;
	unsigned before;

	(void)state;
	allow(b, acme);
	world_run(w, 1000);
	v = a->v;
	before = a->kinds[SIXPN__POLL_KIND__POLL_NOTHING];
	make_instance(w, "acme", "web", b);
	world_run(w, 1000);
	assert_int_equal(a->v, v); /* it does not concern a: not woken */
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_NOTHING], before);
	world_run(w, PARK_MS + 1000);
	assert_int_equal(a->v, store_head(w->store));
	assert_true(a->kinds[SIXPN__POLL_KIND__POLL_NOTHING] > before);
	world_free(w);
}

static void g8_a_quiet_node_is_moved_on_before_the_window_leaves_it_behind(void **state)
{
	struct controller_config config = { .window_changes = 16 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	unsigned bookmarks, snapshots = a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT];

	(void)state;
	allow(a, acme);
	allow(b, globex);
	make_instance(w, "acme", "web", a);
	world_run(w, 100);
	bookmarks = a->kinds[SIXPN__POLL_KIND__POLL_NOTHING];
	for (int i = 0; i < 20; i++) { /* 40 changes within one park time, none of them a's */
		make_instance(w, "globex", "web", b);
		world_run(w, 10);
	}
	assert_true(a->v > ring_floor(&w->c->ring));
	assert_true(a->kinds[SIXPN__POLL_KIND__POLL_NOTHING] > bookmarks);
	assert_true(a->kinds[SIXPN__POLL_KIND__POLL_NOTHING] < bookmarks + 20); /* not one for each */
	stop_node(a);
	world_end(w);
	world_start(w); /* it knows nobody's cursor, and has no more than the window */
	start_node(a);
	world_run(w, 5000);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], snapshots);
	assert_in_step(a);
	world_free(w);
}

/* After a restart or a lost connection a node wants to know that it is in step, not wait for as long as a poll is parked. */
static void g8_a_node_that_asks_for_it_is_answered_at_once_though_nothing_is_new(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	unsigned before;

	(void)state;
	world_run(w, 1000);
	before = a->kinds[SIXPN__POLL_KIND__POLL_NOTHING];
	a->at_once = true;
	send_poll(a);
	world_run(w, 1000);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_NOTHING], before + 1); /* and the next one is parked again */
	assert_int_equal(a->v, store_head(w->store));
	world_free(w);
}

static void g9_errors_of_a_node_are_told_with_its_state(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	const struct node_entry *entry;

	(void)state;
	a->error = (struct node_error){ .kind = RECORD_INSTANCE, .key = "0123456789abcd", .key_len = 14, .v = 3, .text = "no \033room" };
	send_poll(a);
	world_run(w, 10);
	entry = node_table_find(&w->c->nodes, a->host);
	assert_int_equal(entry->n_errors, 1);
	assert_string_equal(entry->errors[0].text, "no  room");
	world_free(w);
}

static void g11_what_a_slow_node_missed_comes_in_one_reply(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	make_instance(w, "acme", "web", a);
	world_run(w, 10);
	stop_node(a);
	for (int i = 0; i < 10; i++)
		make_instance(w, "acme", "web", a);
	a->kinds[SIXPN__POLL_KIND__POLL_DELTA] = 0;
	start_node(a);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_DELTA], 1);
	assert_int_equal(a->last_commits, 20);
	assert_in_step(a);
	world_free(w);
}

static void g11_a_long_delta_is_cut_between_two_changes(void **state)
{
	struct controller_config config = { .batch_bytes = 8192 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	make_instance(w, "acme", "web", a);
	world_run(w, 10);
	stop_node(a);
	for (int i = 0; i < 20; i++)
		make_instance_of(w, "acme", "web", a->name, 2000);
	a->kinds[SIXPN__POLL_KIND__POLL_DELTA] = 0;
	start_node(a);
	assert_true(a->kinds[SIXPN__POLL_KIND__POLL_DELTA] > 4);
	assert_true(a->last_len < 9000);
	assert_in_step(a);
	world_free(w);
}

static void a_random_life_keeps_every_node_in_step(void **state)
{
	struct controller_config config = { .batch_bytes = 2000, .window_changes = 40 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	char ids[200][NAME_INSTANCE_ID_SIZE];
	struct test_node *n[4];
	bool down[4] = { false };
	size_t n_ids = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		n[i] = add_running(w, i % 2 ? "ord" : "nrt");
		allow(n[i], acme);
		allow(n[i], globex);
	}
	for (int step = 0; step < 150; step++) {
		size_t at = clock_random_below(&w->clock, 4), dice = clock_random_below(&w->clock, 10);

		if (dice < 5 && n_ids < 200) {
			memcpy(ids[n_ids++], make_instance(w, dice & 1 ? "acme" : "globex", "web", n[at]).record.id, NAME_INSTANCE_ID_SIZE);
		} else if (dice < 8 && n_ids) {
			size_t which = clock_random_below(&w->clock, n_ids);

			destroy_instance(w, ids[which]);
			memcpy(ids[which], ids[--n_ids], NAME_INSTANCE_ID_SIZE);
		} else if (down[at]) {
			start_node(n[at]);
			down[at] = false;
		} else {
			stop_node(n[at]);
			down[at] = true;
		}
		if (dice & 1)
			world_run(w, 20);
	}
	for (int i = 0; i < 4; i++)
		if (down[i])
			start_node(n[i]);
	world_run(w, 1000);
	for (int i = 0; i < 4; i++)
		assert_in_step(n[i]);
	assert_int_equal(controller_stats(w->c)->drifts, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g1_every_change_of_the_store_reaches_memory_without_a_gap),
		cmocka_unit_test(g3_a_network_enters_the_scope_whole_and_in_one_reply),
		cmocka_unit_test(g3_the_last_instance_takes_its_network_out_of_the_scope),
		cmocka_unit_test(g3_a_node_is_told_nothing_of_networks_that_are_not_on_it),
		cmocka_unit_test(g3_a_network_that_came_back_between_two_polls_replaces_the_old_stay),
		cmocka_unit_test(g3_an_older_stay_does_not_survive_a_delta_that_is_cut_before_the_network_came_back),
		cmocka_unit_test(g9_an_older_stay_is_gone_with_the_first_v_that_is_acknowledged_after_it),
		cmocka_unit_test(g6_every_delta_brings_the_node_on_however_large_the_next_change_is),
		cmocka_unit_test(g5_removals_survive_a_disconnect),
		cmocka_unit_test(g8_a_quiet_node_gets_a_bookmark_when_its_park_time_is_up),
		cmocka_unit_test(g8_a_quiet_node_is_moved_on_before_the_window_leaves_it_behind),
		cmocka_unit_test(g8_a_node_that_asks_for_it_is_answered_at_once_though_nothing_is_new),
		cmocka_unit_test(g9_errors_of_a_node_are_told_with_its_state),
		cmocka_unit_test(g11_what_a_slow_node_missed_comes_in_one_reply),
		cmocka_unit_test(g11_a_long_delta_is_cut_between_two_changes),
		cmocka_unit_test(a_random_life_keeps_every_node_in_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
