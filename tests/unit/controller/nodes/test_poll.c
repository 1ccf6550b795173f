/* The contract of the control protocol, from the node's end: tests are named after the guarantee they show. Every reply is also
 * checked as it comes (world.h): chained, in order, proven, and never a record of a network that the test did not allow. */
#include "tests/unit/controller/nodes/world.h"

static struct world *two_orgs(const struct controller_config *config, uint32_t *ret_acme, uint32_t *ret_globex)
{
	struct world *w = world_new(config);

	make_region(w, "ord");
	make_region(w, "nrt");
	*ret_acme = make_org(w, "acme", "web");
	*ret_globex = make_org(w, "globex", "web");
	return w;
}

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

/* A part of which nothing is left is in no list of the node's. */
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

static void g14_a_node_that_obeys_a_later_controller_stops_this_one(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");

	(void)state;
	a->epoch += 5;
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(a->last_kind, SIXPN__POLL_KIND__POLL_FENCED);
	assert_non_null(strstr(w->stopped, a->name));
	send_poll(b);
	world_run(w, 100);
	assert_int_equal(b->last_kind, SIXPN__POLL_KIND__POLL_FENCED);
	world_free(w);
}

/* Two that began in the same millisecond: neither is the later, so whoever is told of the other ends. */
static void g14_a_node_that_obeys_another_log_of_the_same_epoch_stops_this_one(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	a->log_id[0] ^= 1;
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(a->last_kind, SIXPN__POLL_KIND__POLL_FENCED);
	assert_non_null(strstr(w->stopped, a->name));
	world_free(w);
}

static void g2_a_node_of_another_log_gets_a_snapshot(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	world_run(w, 61000);
	a->log_id[0] ^= 1;
	a->epoch--;
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 2);
	assert_string_equal(w->stopped, "");
	world_free(w);
}

static void g2_a_v_above_the_head_without_proof_gets_a_snapshot(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	world_run(w, 61000);
	a->v += 100;
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 2);
	assert_int_equal(controller_stats(w->c)->roll_backs, 0);
	world_free(w);
}

static void g2_a_forged_proof_does_nothing(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct store_identity before = w->c->identity, other = before;
	uint8_t right[32];

	(void)state;
	world_run(w, 61000);
	for (int how = 0; how < 5; how++) {
		uint64_t v = controller_head(w->c) + 100;

		store_head_proof(&before, v, right);
		memcpy(a->proof, right, 32);
		a->has_proof = true;
		switch (how) {
		case 0: a->proof[31] ^= 1; break; /* one bit */
		case 1: a->has_proof = false; break; /* none */
		case 2: store_head_proof(&before, v + 1, a->proof); break; /* of another V */
		case 3: /* of another log */
			other.log_id[0] ^= 1;
			store_head_proof(&other, v, a->proof);
			break;
		case 4: /* by another secret */
			other = before;
			other.secret[5] ^= 1;
			store_head_proof(&other, v, a->proof);
			break;
		}
		a->v = v;
		send_poll(a);
		world_run(w, 1000);
		assert_int_equal(controller_stats(w->c)->roll_backs, 0);
		assert_memory_equal(w->c->identity.log_id, before.log_id, STORE_LOG_ID_LEN);
		assert_int_equal(w->c->identity.epoch, before.epoch);
		assert_in_step(a); /* it got a snapshot, as any that is lost does */
	}
	memcpy(a->proof, right, 32); /* and the right one would have done it */
	a->has_proof = true;
	a->v = controller_head(w->c) + 100;
	store_head_proof(&before, a->v, a->proof);
	send_poll(a);
	world_run(w, 1000);
	assert_int_equal(controller_stats(w->c)->roll_backs, 1);
	world_free(w);
}

static void g2_a_store_that_was_rolled_back_takes_a_new_log(void **state)
{
	CLEAN_BUF struct buf old = BUF_INIT(64u << 20);
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	uint8_t log_id[16];

	(void)state;
	allow(a, acme);
	world_end(w);
	assert_int_equal(file_read(w->path, 64u << 20, &old), 0);
	world_start(w);
	world_run(w, 100000);
	make_instance(w, "acme", "web", a);
	world_run(w, 30000);
	assert_int_equal(a->v, store_head(w->store));
	memcpy(log_id, a->log_id, 16);
	world_end(w);
	assert_int_equal(file_replace(w->path, old.data, old.len, 0600), 0);
	world_start(w);
	world_run(w, 100000);
	assert_int_equal(controller_stats(w->c)->roll_backs, 1);
	assert_int_not_equal(memcmp(log_id, w->c->identity.log_id, 16), 0);
	send_poll(a);
	world_run(w, 1000);
	assert_memory_equal(a->log_id, w->c->identity.log_id, 16);
	assert_in_step(a);
	world_free(w);
}

/* It keeps the proof that it was given today, and says that it was yesterday. */
static void g2_a_node_that_lies_about_its_epoch_does_not_make_the_log_a_new_one(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	uint8_t log_id[16];

	(void)state;
	allow(a, acme);
	world_end(w);
	world_start(w);
	world_run(w, 100000);
	make_instance(w, "acme", "web", a);
	world_run(w, 30000);
	assert_true(a->v > w->c->start_v && a->has_proof);
	memcpy(log_id, w->c->identity.log_id, 16);
	a->epoch--;
	send_poll(a);
	world_run(w, 1000);
	assert_int_equal(controller_stats(w->c)->roll_backs, 0);
	assert_memory_equal(log_id, w->c->identity.log_id, 16);
	assert_in_step(a);
	world_free(w);
}

/* Nobody came before it had written as far again: the node's V is one that this log has, and means something else. */
static void g2_a_store_that_was_rolled_back_and_written_again_takes_a_new_log(void **state)
{
	CLEAN_BUF struct buf old = BUF_INIT(64u << 20);
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	uint8_t log_id[16];

	(void)state;
	allow(a, acme);
	allow(a, globex);
	world_end(w);
	assert_int_equal(file_read(w->path, 64u << 20, &old), 0);
	world_start(w);
	world_run(w, 100000);
	make_instance(w, "acme", "web", a);
	world_run(w, 30000);
	assert_int_equal(a->v, store_head(w->store));
	memcpy(log_id, a->log_id, 16);
	stop_node(a);
	world_end(w);
	assert_int_equal(file_replace(w->path, old.data, old.len, 0600), 0);
	world_start(w);
	while (store_head(w->store) <= a->v)
		make_instance(w, "globex", "web", a);
	start_node(a);
	world_run(w, 100000);
	assert_int_equal(controller_stats(w->c)->roll_backs, 1);
	assert_int_not_equal(memcmp(log_id, w->c->identity.log_id, 16), 0);
	send_poll(a);
	world_run(w, 1000);
	assert_in_step(a);
	world_free(w);
}

static void a_restarted_controller_goes_on_with_deltas(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct store_instance gone;

	(void)state;
	allow(a, acme);
	allow(b, acme);
	allow(b, globex);
	make_instance(w, "acme", "web", a);
	gone = make_instance(w, "globex", "web", b);
	world_run(w, 10);
	stop_node(b);
	make_instance(w, "acme", "web", b);       /* acme comes to b */
	destroy_instance(w, gone.record.id);      /* globex leaves it */
	world_run(w, 10);
	world_end(w);
	world_start(w);
	start_node(b);
	world_run(w, 60000);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 1);
	assert_int_equal(b->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 1);
	assert_int_equal(count_kept(b, 0, globex), 0);
	assert_in_step(a);
	assert_in_step(b);
	assert_int_equal(controller_stats(w->c)->drifts, 0);
	make_instance(w, "acme", "web", b);
	world_run(w, 100);
	assert_in_step(a);
	world_free(w);
}

static void a_restarted_controller_lets_no_older_stay_of_a_network_survive(void **state)
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
	stop_node(a);
	destroy_instance(w, mine.record.id);
	destroy_instance(w, others.record.id);
	make_instance(w, "acme", "web", a);
	world_end(w);
	world_start(w);
	start_node(a);
	assert_null(find_instance(a, others.record.id));
	assert_in_step(a);
	assert_int_equal(controller_stats(w->c)->drifts, 0);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 1);
	world_free(w);
}

/* Since when a network is in a scope, a restarted controller only guesses: no V may be acknowledged that brings less than its log says. */
static void a_restarted_controller_leaves_no_network_to_a_batch_that_may_be_too_late_for_it(void **state)
{
	struct controller_config config = { .batch_bytes = 2000 };
	uint32_t acme, globex;
	struct world *w = two_orgs(&config, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct store_instance_update touch = { .set_dns_skip = true, .dns_skip = true };
	struct store_instance mine, out;

	(void)state;
	allow(a, acme);
	stop_node(a);
	mine = make_instance(w, "acme", "web", a);
	for (int i = 0; i < 60; i++)
		DO(w, store_region_update(store, op, "ord", &(struct store_region_new){ .city = i % 2 ? "Here" : "There" }, &(struct store_region){ 0 }));
	DO(w, store_instance_update(store, op, mine.record.id, &touch, &out)); /* all records of it are young now */
	world_end(w);
	world_start(w);
	start_node(a);
	assert_int_equal(a->kinds[SIXPN__POLL_KIND__POLL_SNAPSHOT], 2);
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
		cmocka_unit_test(g2_a_node_of_another_log_gets_a_snapshot),
		cmocka_unit_test(g2_a_v_above_the_head_without_proof_gets_a_snapshot),
		cmocka_unit_test(g2_a_forged_proof_does_nothing),
		cmocka_unit_test(g2_a_store_that_was_rolled_back_takes_a_new_log),
		cmocka_unit_test(g2_a_node_that_lies_about_its_epoch_does_not_make_the_log_a_new_one),
		cmocka_unit_test(g2_a_store_that_was_rolled_back_and_written_again_takes_a_new_log),
		cmocka_unit_test(g3_a_network_enters_the_scope_whole_and_in_one_reply),
		cmocka_unit_test(g3_the_last_instance_takes_its_network_out_of_the_scope),
		cmocka_unit_test(g3_a_node_is_told_nothing_of_networks_that_are_not_on_it),
		cmocka_unit_test(g3_a_network_that_came_back_between_two_polls_replaces_the_old_stay),
		cmocka_unit_test(g3_an_older_stay_does_not_survive_a_delta_that_is_cut_before_the_network_came_back),
		cmocka_unit_test(g9_an_older_stay_is_gone_with_the_first_v_that_is_acknowledged_after_it),
		cmocka_unit_test(g6_every_delta_brings_the_node_on_however_large_the_next_change_is),
		cmocka_unit_test(g4_an_empty_scope_is_one_part_with_an_end),
		cmocka_unit_test(g4_a_large_snapshot_comes_in_parts_and_counts_at_its_end),
		cmocka_unit_test(g4_a_part_whose_reply_is_lost_is_sent_again_and_not_skipped),
		cmocka_unit_test(g4_changes_during_a_snapshot_come_after_it_as_deltas),
		cmocka_unit_test(g5_removals_survive_a_disconnect),
		cmocka_unit_test(g8_a_quiet_node_gets_a_bookmark_when_its_park_time_is_up),
		cmocka_unit_test(g8_a_quiet_node_is_moved_on_before_the_window_leaves_it_behind),
		cmocka_unit_test(g8_a_node_that_asks_for_it_is_answered_at_once_though_nothing_is_new),
		cmocka_unit_test(g9_errors_of_a_node_are_told_with_its_state),
		cmocka_unit_test(g10_only_the_part_that_drifted_is_healed),
		cmocka_unit_test(g10_a_copy_that_drifted_is_found_though_its_v_is_not_the_last),
		cmocka_unit_test(g10_a_part_that_is_gone_as_a_whole_is_healed_too),
		cmocka_unit_test(g10_a_part_that_the_node_may_not_hold_heals_to_nothing),
		cmocka_unit_test(g10_a_node_that_drifts_again_at_once_waits_a_minute),
		cmocka_unit_test(g10_a_node_that_sends_digests_unasked_is_healed_once_a_minute_too),
		cmocka_unit_test(g11_what_a_slow_node_missed_comes_in_one_reply),
		cmocka_unit_test(g11_a_long_delta_is_cut_between_two_changes),
		cmocka_unit_test(g11_a_cursor_below_the_window_gets_a_snapshot),
		cmocka_unit_test(g21_reasons_that_cannot_be_read_do_not_hold_up_a_snapshot),
		cmocka_unit_test(g12_only_so_many_snapshots_run_at_once),
		cmocka_unit_test(g12_who_was_just_given_everything_is_not_given_it_again_at_once),
		cmocka_unit_test(g12_who_fell_out_of_the_window_after_a_snapshot_gets_another_at_once),
		cmocka_unit_test(g12_the_window_waits_for_who_has_just_taken_a_snapshot),
		cmocka_unit_test(g21_a_snapshot_says_why_records_are_gone_and_nothing_of_others),
		cmocka_unit_test(g21_no_snapshot_comes_without_its_reasons_because_the_store_is_busy),
		cmocka_unit_test(g19_reasons_are_not_told_to_a_node_that_does_not_know_them),
		cmocka_unit_test(g14_a_node_that_obeys_a_later_controller_stops_this_one),
		cmocka_unit_test(g14_a_node_that_obeys_another_log_of_the_same_epoch_stops_this_one),
		cmocka_unit_test(a_restarted_controller_goes_on_with_deltas),
		cmocka_unit_test(a_restarted_controller_lets_no_older_stay_of_a_network_survive),
		cmocka_unit_test(a_restarted_controller_leaves_no_network_to_a_batch_that_may_be_too_late_for_it),
		cmocka_unit_test(a_random_life_keeps_every_node_in_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
