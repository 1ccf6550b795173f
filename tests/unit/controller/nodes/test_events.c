/* What happened lately, and who sleeps until something does. */
#include "tests/unit/controller/nodes/world.h"

#include "lib/base/metric.h"

struct watcher {
	int calls;
};

static void called(void *ctx)
{
	((struct watcher *)ctx)->calls++;
}

struct found {
	const char *what, *subject;
	const struct event *last;
	size_t n;
	uint64_t number;
	bool rising;
};

static void look(void *ctx, const struct event *event)
{
	struct found *f = ctx;

	f->rising = f->rising && event->number > f->number;
	f->number = event->number;
	if ((f->what && strcmp(event->what, f->what)) || (f->subject && !strstr(event->subject, f->subject)))
		return;
	f->n++;
	f->last = event;
}

static struct found find(struct world *w, uint64_t after, const char *what, const char *subject)
{
	struct found f = { .what = what, .subject = subject, .rising = true };

	controller_env(w->c)->ops->each_event(w->c, after, look, &f);
	assert_true(f.rising);
	return f;
}

static uint64_t revision(struct world *w)
{
	return controller_env(w->c)->ops->revision(w->c);
}

static void watch(struct world *w, bool events_only, uint64_t after, uint32_t timeout_ms, struct watcher *ret)
{
	*ret = (struct watcher){ 0 };
	assert_int_equal(controller_env(w->c)->ops->watch(w->c, events_only, after, timeout_ms, called, ret), 0);
}

static struct world *one_org(uint32_t *ret_network)
{
	struct world *w = world_new(NULL);

	make_region(w, "ord");
	*ret_network = make_org(w, "acme", "web");
	return w;
}

static void changes_and_what_became_of_them_are_events_in_their_order(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct store_instance i;
	struct found f;

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	world_run(w, 1000);
	report(a, i.record.id, STATE_STARTED, i.record.generation);
	world_run(w, 1000);
	destroy_instance(w, i.record.id);
	world_run(w, 1000);
	assert_int_equal(find(w, 0, "created", "region ord").n, 1);
	assert_int_equal(find(w, 0, "created", "app acme/web").n, 1);
	assert_int_equal(find(w, 0, "created", "network acme/default").n, 1);
	assert_int_equal(find(w, 0, "created", "node ord-").n, 1);
	assert_int_equal(find(w, 0, "ready", "node ord-").n, 1);
	assert_int_equal(find(w, 0, "snapshot", "node ord-").n, 1);
	f = find(w, 0, "created", i.record.id);
	assert_int_equal(f.n, 1);
	assert_non_null(strstr(f.last->text, "of acme/web on ord-"));
	assert_true(f.last->v > 0);
	f = find(w, 0, "observed", i.record.id);
	assert_int_equal(f.n, 1);
	assert_non_null(strstr(f.last->text, "is started on ord-"));
	assert_int_equal(find(w, f.last->number, "observed", NULL).n, 0); /* only what is newer */
	f = find(w, 0, "deleted", i.record.id);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.last->text, "of acme/web");
	world_free(w);
}

static void held_deletes_are_an_event_when_they_come_and_when_they_go(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	a->keeps_held = true;
	a->held = (struct node_held){ .kind = RECORD_REGION, .key = "nrt", .key_len = 3, .v = a->v };
	for (uint32_t total = 60;; total -= 30) {
		a->held_total = total;
		send_poll(a);
		world_run(w, 10);
		send_poll(a); /* that says the same is none */
		world_run(w, 10);
		if (!total)
			break;
	}
	assert_int_equal(find(w, 0, "held", a->name).n, 3);
	assert_string_equal(find(w, 0, "held", a->name).last->text, "holds back 0 deletes (before: 30)");
	world_free(w);
}

static void a_sentence_that_is_too_long_is_cut_between_two_characters(void **state)
{
	char text[500] = "";
	uint32_t acme;
	struct world *w = one_org(&acme);

	(void)state;
	for (int shift = 0; shift < 3; shift++) {
		struct found f;

		memset(text, 'x', (size_t)shift);
		text[shift] = 0;
		while (strlen(text) < 300)
			strcat(text, "\xe6\x9d\xb1");
		events_add(w->c, "test", 1, "s", "%s", text);
		f = find(w, 0, "test", "s");
		assert_true(name_is_utf8(f.last->text, strlen(f.last->text)));
		assert_in_range(strlen(f.last->text), sizeof f.last->text - 3, sizeof f.last->text - 1);
	}
	world_free(w);
}

/* What a controller before us gave out while its clock was ahead; and a controller of which nothing can be told keeps nobody busy. */
static void a_number_from_the_future_is_answered_and_no_event_is_no_news(void **state)
{
	struct world *w = world_new(NULL);
	struct watcher ahead, none;

	(void)state;
	watch(w, true, revision(w) + 1000000, 5000, &ahead);
	assert_int_equal(ahead.calls, 1);
	watch(w, true, 0, 5000, &none);
	world_run(w, 1000);
	assert_int_equal(none.calls, 0);
	make_region(w, "ord");
	world_run(w, 10);
	assert_int_equal(none.calls, 1);
	world_free(w);
}

static void a_watcher_sleeps_until_something_changes_or_its_time_is_up(void **state)
{
	struct watcher status, events, late;
	uint32_t acme;
	struct world *w = one_org(&acme);

	(void)state;
	add_running(w, "ord");
	world_run(w, 2 * PARK_MS);
	watch(w, false, revision(w), 5000, &status);
	watch(w, true, revision(w), 5000, &events);
	watch(w, false, revision(w), 1000, &late);
	world_run(w, 900);
	assert_int_equal(status.calls + events.calls + late.calls, 0);
	world_run(w, 200);
	assert_int_equal(late.calls, 1);
	make_region(w, "nrt");
	world_run(w, 10);
	assert_int_equal(status.calls, 1);
	assert_int_equal(events.calls, 1);
	world_run(w, 6000);
	assert_int_equal(status.calls + events.calls + late.calls, 3); /* each exactly once */
	world_free(w);
}

static void who_asks_after_an_old_or_foreign_number_is_told_at_once(void **state)
{
	struct watcher old, other_start;
	uint32_t acme;
	struct world *w = one_org(&acme);

	(void)state;
	watch(w, false, revision(w) - 1, 5000, &old);
	watch(w, false, revision(w) + 12345, 5000, &other_start);
	assert_int_equal(old.calls, 1);
	assert_int_equal(other_start.calls, 1);
	world_free(w);
}

static void an_acknowledgement_is_another_status_but_no_event(void **state)
{
	struct watcher status, events;
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	world_run(w, 1000);
	a->hold = true;
	make_region(w, "nrt");
	world_run(w, 500);
	watch(w, false, revision(w), 60000, &status);
	watch(w, true, revision(w), 60000, &events);
	world_run(w, 500);
	assert_int_equal(status.calls, 0);
	a->hold = false;
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(status.calls, 1);
	assert_int_equal(events.calls, 0);
	world_free(w);
}

static void a_node_that_falls_silent_wakes_the_watchers_by_itself(void **state)
{
	struct watcher watcher;
	uint64_t silent_ms;
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	world_run(w, 1000);
	silent_ms = node_table_find(&w->c->nodes, a->host)->polled_ms + 3 * PARK_MS;
	stop_node(a);
	watch(w, true, revision(w), 110000, &watcher);
	world_run(w, silent_ms - w->v.now_ms - 1);
	assert_int_equal(watcher.calls, 0);
	world_run(w, 2); /* at that time, not with the next thing that happens */
	assert_int_equal(watcher.calls, 1);
	assert_int_equal(find(w, 0, "unknown", a->name).n, 1);
	start_node(a);
	assert_int_equal(find(w, 0, "ready", a->name).n, 2);
	world_free(w);
}

static void what_a_node_cannot_apply_is_told_once_and_so_is_its_end(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct found f;

	(void)state;
	a->error = (struct node_error){ .kind = RECORD_REGION, .v = 1, .key = "ord", .key_len = 3, .text = "no room" };
	send_poll(a);
	world_run(w, 100);
	send_poll(a);
	world_run(w, 100);
	f = find(w, 0, "rejected", a->name);
	assert_int_equal(f.n, 1);
	assert_non_null(strstr(f.last->text, "no room"));
	a->error.v = 0;
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(find(w, 0, "accepted", a->name).n, 1);
	world_free(w);
}

static void the_oldest_are_forgotten_the_newest_are_kept(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);

	(void)state;
	for (int i = 0; i < EVENTS_KEPT + 10; i++)
		events_add(w->c, "test", 0, "x", "%d", i);
	assert_int_equal(find(w, 0, NULL, NULL).n, EVENTS_KEPT);
	assert_string_equal(find(w, 0, NULL, NULL).last->text, "265");
	world_free(w);
}

static void the_end_of_the_controller_ends_the_watches(void **state)
{
	struct watcher watcher;
	uint32_t acme;
	struct world *w = one_org(&acme);

	(void)state;
	watch(w, false, revision(w), 60000, &watcher);
	world_end(w);
	assert_int_equal(watcher.calls, 1);
	world_free(w);
}

static void add_name(void *ctx, const struct network_record *network)
{
	strcat(ctx, network->org);
	strcat(ctx, "/");
	strcat(ctx, network->name);
	strcat(ctx, " ");
}

static void suspending_and_resuming_are_events_and_told_as_they_are(void **state)
{
	struct store_org_change change = { .set_suspended = true, .suspended = true };
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	const struct api_env_ops *ops = controller_env(w->c)->ops;
	CLEAN_BUF struct buf text = BUF_INIT(METRIC_TEXT_MAX);
	char names[200] = "";
	struct store_org org;
	struct found f;

	(void)state;
	(void)acme;
	ops->each_suspended(w->c, add_name, names);
	assert_string_equal(names, "");
	DO(w, store_org_update(store, op, "globex", &change, &org));
	ops->each_suspended(w->c, add_name, names);
	assert_string_equal(names, "globex/default ");
	ops->metrics(w->c, NULL, &text);
	assert_non_null(strstr(buf_str(&text), "\nsixpn_networks_suspended 1\n"));
	f = find(w, 0, "changed", "network globex/default");
	assert_int_equal(f.n, 1);
	assert_string_equal(f.last->text, "is suspended: nothing of it passes");
	change.suspended = false;
	DO(w, store_org_update(store, op, "globex", &change, &org));
	f = find(w, f.last->number, "changed", "network globex/default");
	assert_int_equal(f.n, 1);
	assert_string_equal(f.last->text, "is resumed");
	names[0] = 0;
	ops->each_suspended(w->c, add_name, names);
	assert_string_equal(names, "");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_and_what_became_of_them_are_events_in_their_order),
		cmocka_unit_test(held_deletes_are_an_event_when_they_come_and_when_they_go),
		cmocka_unit_test(a_sentence_that_is_too_long_is_cut_between_two_characters),
		cmocka_unit_test(a_number_from_the_future_is_answered_and_no_event_is_no_news),
		cmocka_unit_test(a_watcher_sleeps_until_something_changes_or_its_time_is_up),
		cmocka_unit_test(who_asks_after_an_old_or_foreign_number_is_told_at_once),
		cmocka_unit_test(an_acknowledgement_is_another_status_but_no_event),
		cmocka_unit_test(a_node_that_falls_silent_wakes_the_watchers_by_itself),
		cmocka_unit_test(what_a_node_cannot_apply_is_told_once_and_so_is_its_end),
		cmocka_unit_test(the_oldest_are_forgotten_the_newest_are_kept),
		cmocka_unit_test(the_end_of_the_controller_ends_the_watches),
		cmocka_unit_test(suspending_and_resuming_are_events_and_told_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
