/* What machines, hosts and writers ask of the controller besides polling: joining, reports, settling, waiting, status, copies. */
#include "tests/unit/controller/nodes/world.h"

#include "controller/nodes/report.h"

static struct world *one_org(uint32_t *ret_network)
{
	struct world *w = world_new(NULL);

	make_region(w, "ord");
	*ret_network = make_org(w, "acme", "web");
	return w;
}

/* ---- joining ---- */

static void joining_twice_with_one_token_and_key_gives_one_identity(void **state)
{
	char secret[STORE_NODE_SECRET_SIZE];
	uint32_t acme, host;
	struct world *w = one_org(&acme);
	struct store_node_token token = make_join_token(w, "ord", 1, secret);
	struct test_node *a = add_machine(w, NULL);

	(void)state;
	enroll(a, &token, secret);
	host = a->host;
	assert_true(addr_host_valid(host));
	a->host = 0;
	enroll(a, &token, secret);
	assert_int_equal(a->host, host);
	assert_int_equal(w->c->nodes.by_host.n, 1);
	world_free(w);
}

static void a_used_up_token_is_refused_to_another_machine(void **state)
{
	char secret[STORE_NODE_SECRET_SIZE];
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct store_node_token token = make_join_token(w, "ord", 1, secret);
	struct test_node *a = add_machine(w, NULL), *b = add_machine(w, NULL);

	(void)state;
	enroll(a, &token, secret);
	enroll(b, &token, secret);
	assert_int_equal(b->host, 0);
	assert_string_equal(b->join_error, "join_token_used_up");
	world_free(w);
}

static void a_wrong_secret_is_refused(void **state)
{
	char secret[STORE_NODE_SECRET_SIZE];
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct store_node_token token = make_join_token(w, "ord", 1, secret);
	struct test_node *a = add_machine(w, NULL);

	(void)state;
	secret[0] = secret[0] == 'a' ? 'b' : 'a';
	enroll(a, &token, secret);
	assert_string_equal(a->join_error, "join_token_invalid");
	world_free(w);
}

static void a_machine_that_has_not_joined_gets_no_answer_to_a_poll(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *stranger = add_machine(w, NULL);

	(void)state;
	link_client_start(stranger->client);
	send_poll(stranger);
	world_run(w, 5000);
	assert_int_equal(controller_stats(w->c)->polls, 0);
	assert_false(stranger->has_log);
	world_free(w);
}

static void a_deleted_node_loses_its_session_at_once(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct store_node out;
	uint64_t polls;

	(void)state;
	DO(w, store_node_delete(store, op, a->name, false, &out));
	world_run(w, 100);
	polls = controller_stats(w->c)->polls;
	b->hold = true;
	send_poll(a);
	world_run(w, 60000);
	assert_true(controller_stats(w->c)->polls <= polls + 1); /* only b's could come */
	assert_int_equal(count_kept(b, RECORD_NODE, 0), 1);
	world_free(w);
}

static void a_copy_of_a_node_is_fenced_while_the_node_polls(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *copy = add_machine(w, a);

	(void)state;
	copy->hold = true;
	link_client_start(copy->client);
	send_poll(copy);
	world_run(w, 1000);
	assert_int_equal(copy->last_kind, SIXPN__POLL_KIND__POLL_FENCED);
	assert_int_equal(controller_stats(w->c)->clones, 1);
	assert_true(controller_is_ready(w->c, node_table_find(&w->c->nodes, a->host)));
	world_free(w);
}

static void an_older_start_of_a_node_is_fenced_even_after_a_restart_of_the_controller(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_node(w, "ord"), *old = add_machine(w, a);

	(void)state;
	a->config.boot_count = 5;
	link_client_free(a->client);
	make_client(a);
	link_client_start(a->client);
	send_poll(a);
	world_run(w, 1000);
	stop_node(a);
	world_end(w);
	world_start(w);
	old->host = a->host;
	memcpy(old->name, a->name, sizeof old->name);
	link_client_start(old->client);
	send_poll(old);
	world_run(w, 1000);
	assert_int_equal(old->last_kind, SIXPN__POLL_KIND__POLL_FENCED);
	world_free(w);
}

/* ---- reports ---- */

static void a_report_of_the_own_instance_becomes_a_record(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct store_instance i;
	struct instance_record rec;

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	world_run(w, 10);
	report(a, i.record.id, STATE_STARTED, i.record.generation);
	assert_true(a->reported);
	assert_int_equal(a->report_refused, 0);
	assert_int_equal(a->report_v, store_head(w->store));
	assert_int_equal(instance_decode(find_instance(a, i.record.id), &rec, NULL), 0);
	assert_int_equal(rec.observed.state, STATE_STARTED);
	report(a, i.record.id, STATE_STARTED, i.record.generation); /* the same again */
	assert_int_equal(a->report_v, 0);
	world_free(w);
}

static void a_report_of_another_hosts_instance_is_refused(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct store_instance i;
	uint64_t head;

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	head = store_head(w->store);
	report(b, i.record.id, STATE_DESTROYED, i.record.generation);
	assert_int_equal(b->report_refused, 1);
	assert_int_equal(store_head(w->store), head);
	world_free(w);
}

/* ---- settling ---- */

static void presence_of_a_sole_node_is_settled_at_once(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	make_instance(w, "acme", "web", a);
	world_run(w, 10);
	a->await = (struct node_await){ .network = acme, .v = store_head(w->store) };
	a->awaiting = true;
	send_poll(a);
	world_run(w, 10);
	assert_int_equal(a->settled, 1);
	world_free(w);
}

static void presence_is_settled_when_the_others_have_applied_it(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	allow(b, acme);
	make_instance(w, "acme", "web", b);
	world_run(w, 10);
	b->hold = true;
	make_instance(w, "acme", "web", a);
	world_run(w, 10);
	a->await = (struct node_await){ .network = acme, .v = store_head(w->store) };
	a->awaiting = true;
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(a->settled, 0);
	b->hold = false;
	send_poll(b);
	world_run(w, 10);
	assert_int_equal(a->settled, 1);
	world_free(w);
}

static void a_network_that_is_not_the_askers_is_never_settled(void **state)
{
	uint32_t acme, globex;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	globex = make_org(w, "globex", "web");
	a->await = (struct node_await){ .network = globex, .v = 1 };
	a->awaiting = true;
	send_poll(a);
	world_run(w, 1000);
	assert_int_equal(a->settled, 0);
	world_free(w);
}

static void a_node_that_is_gone_for_long_holds_nobody_up(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	allow(b, acme);
	make_instance(w, "acme", "web", b);
	world_run(w, 10);
	stop_node(b);
	world_run(w, 4 * PARK_MS);
	make_instance(w, "acme", "web", a);
	world_run(w, 10);
	a->await = (struct node_await){ .network = acme, .v = store_head(w->store) };
	a->awaiting = true;
	send_poll(a);
	world_run(w, 10);
	assert_int_equal(a->settled, 1);
	world_free(w);
}

/* ---- waiting (G16) ---- */

struct waited {
	unsigned times;
	struct api_wait_result result;
};

static void waited(void *ctx, const struct api_wait_result *result)
{
	struct waited *out = ctx;

	out->times++;
	out->result = *result;
}

static void start_wait(struct world *w, struct api_wait want, struct waited *ret)
{
	*ret = (struct waited){ 0 };
	want.timeout_ms = want.timeout_ms ? want.timeout_ms : 10000;
	assert_int_equal(controller_env(w->c)->ops->wait(w->c, &want, waited, ret), 0);
}

static void g16_a_wait_ends_when_every_node_has_applied(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	static struct waited got;

	(void)state;
	allow(a, acme);
	b->hold = true;
	make_region(w, "nrt");
	start_wait(w, (struct api_wait){ .v = w->op_v }, &got);
	world_run(w, 100);
	assert_int_equal(got.times, 0);
	send_poll(b);
	world_run(w, 10);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	assert_int_equal(got.result.nodes, 2);
	assert_int_equal(got.result.n_laggards + got.result.n_unknown, 0);
	world_free(w);
}

static void g16_what_does_not_concern_a_node_counts_as_applied(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	static struct waited got;

	(void)state;
	allow(a, acme);
	b->hold = true; /* parked, and says nothing */
	make_instance(w, "acme", "web", a);
	start_wait(w, (struct api_wait){ .v = w->op_v }, &got);
	world_run(w, 100);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	world_free(w);
}

static void g16_who_waits_for_a_start_is_told_when_it_will_not_come_and_may_wait_for_several_ends(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	static struct waited start, patient, either;
	struct store_instance i;
	struct api_wait want = { .desired = DESIRED_STARTED, .generation = 1, .ends_stopped = true, .ends_failed = true, .timeout_ms = 60000 };

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	world_run(w, 100);
	snprintf(want.instance, sizeof want.instance, "%s", i.record.id);
	want.v = w->op_v;
	start_wait(w, want, &start);
	want.ends_stopped = want.ends_failed = false; /* its host starts it again */
	start_wait(w, want, &patient);
	want.also = 1u << DESIRED_STOPPED | 1u << DESIRED_DESTROYED;
	start_wait(w, want, &either);
	report(a, i.record.id, STATE_CREATED, 1); /* on its way to a start: no end */
	assert_int_equal(start.times + either.times, 0);
	report(a, i.record.id, STATE_FAILED, 1);
	assert_int_equal(start.times, 1);
	assert_true(start.result.ended && !start.result.applied);
	assert_string_equal(start.result.observed, "failed");
	assert_int_equal(patient.times + either.times, 0);
	report(a, i.record.id, STATE_STOPPED, 1);
	assert_int_equal(either.times, 1);
	assert_true(either.result.applied && !either.result.ended);
	assert_int_equal(patient.times, 0);
	report(a, i.record.id, STATE_STARTED, 1);
	assert_int_equal(patient.times, 1);
	assert_true(patient.result.applied);
	world_free(w);
}

static void g16_laggards_are_named_when_the_time_is_up(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	static struct waited got;

	(void)state;
	a->hold = true;
	make_region(w, "nrt");
	start_wait(w, (struct api_wait){ .v = w->op_v, .timeout_ms = 500 }, &got);
	world_run(w, 499);
	assert_int_equal(got.times, 0);
	world_run(w, 2);
	assert_int_equal(got.times, 1);
	assert_false(got.result.applied);
	assert_int_equal(got.result.n_laggards, 1);
	assert_string_equal(got.result.laggards[0], a->name);
	world_free(w);
}

static void g16_unknown_nodes_are_listed_and_waited_for_only_if_strict(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	static struct waited got, strict;

	(void)state;
	stop_node(a);
	world_run(w, 4 * PARK_MS);
	make_region(w, "nrt");
	start_wait(w, (struct api_wait){ .v = w->op_v }, &got);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	assert_int_equal(got.result.n_unknown, 1);
	assert_string_equal(got.result.unknown[0], a->name);
	start_wait(w, (struct api_wait){ .v = w->op_v, .strict = true, .timeout_ms = 100 }, &strict);
	world_run(w, 200);
	assert_false(strict.result.applied);
	/* also one that lacks nothing of it may have lost all since */
	start_wait(w, (struct api_wait){ .v = 1, .strict = true, .timeout_ms = 100 }, &strict);
	world_run(w, 50);
	assert_int_equal(strict.times, 0);
	world_run(w, 100);
	assert_int_equal(strict.times, 1);
	assert_false(strict.result.applied);
	world_free(w);
}

static void g16_a_deleted_node_is_not_waited_for(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct store_node out;
	static struct waited got;

	(void)state;
	b->hold = true;
	DO(w, store_node_delete(store, op, b->name, false, &out));
	start_wait(w, (struct api_wait){ .v = w->op_v, .strict = true }, &got);
	world_run(w, 100);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	assert_int_equal(got.result.nodes, 1);
	assert_string_not_equal(a->name, b->name);
	world_free(w);
}

static void g16_a_wait_for_an_instance_ends_with_its_hosts_report(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct store_instance i;
	struct api_wait want = { .desired = DESIRED_STARTED };
	static struct waited got;

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	want.v = w->op_v;
	want.generation = i.record.generation;
	memcpy(want.instance, i.record.id, sizeof want.instance);
	start_wait(w, want, &got);
	world_run(w, 100);
	assert_int_equal(got.times, 0);
	report(a, i.record.id, STATE_STARTING, i.record.generation);
	assert_int_equal(got.times, 0);
	report(a, i.record.id, STATE_STARTED, i.record.generation);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	assert_int_equal(got.result.v_observed, a->report_v);
	assert_string_equal(got.result.observed, "started");
	world_free(w);
}

static void g16_what_was_true_of_an_earlier_wish_ends_no_wait(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct store_instance i, again;
	struct api_wait want = { .desired = DESIRED_STARTED };
	static struct waited got;
	bool gone;

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	world_run(w, 100);
	report(a, i.record.id, STATE_STARTED, i.record.generation);
	DO(w, store_instance_change(store, op, i.record.id, INSTANCE_RESTART, false, &again, &gone));
	assert_true(again.record.generation > i.record.generation);
	want.v = w->op_v;
	want.generation = again.record.generation;
	memcpy(want.instance, i.record.id, sizeof want.instance);
	start_wait(w, want, &got); /* it is started, but not yet again */
	world_run(w, 100);
	assert_int_equal(got.times, 0);
	report(a, i.record.id, STATE_STARTED, again.record.generation);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	world_free(w);
}

static void g16_a_wait_for_a_stop_ends_also_if_it_never_ran(void **state)
{
	static const uint32_t ends[] = { STATE_STOPPED, STATE_CREATED };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
		uint32_t acme;
		struct world *w = one_org(&acme);
		struct test_node *a = add_running(w, "ord");
		struct store_instance i, out;
		struct api_wait want = { .desired = DESIRED_STOPPED };
		static struct waited got;
		bool gone;

		allow(a, acme);
		i = make_instance(w, "acme", "web", a);
		DO(w, store_instance_change(store, op, i.record.id, INSTANCE_STOP, false, &out, &gone));
		want.v = w->op_v;
		want.generation = out.record.generation;
		memcpy(want.instance, i.record.id, sizeof want.instance);
		start_wait(w, want, &got);
		world_run(w, 100);
		assert_int_equal(got.times, 0);
		report(a, i.record.id, ends[k], out.record.generation);
		assert_int_equal(got.times, 1);
		assert_true(got.result.applied);
		world_free(w);
	}
}

static void g16_a_wait_for_a_delete_ends_with_the_tombstone(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct store_instance i, out;
	struct api_wait want = { .desired = DESIRED_DESTROYED };
	static struct waited got;
	bool gone;

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	DO(w, store_instance_change(store, op, i.record.id, INSTANCE_DESTROY, false, &out, &gone));
	want.v = w->op_v;
	want.generation = out.record.generation;
	memcpy(want.instance, i.record.id, sizeof want.instance);
	start_wait(w, want, &got);
	world_run(w, 100);
	assert_int_equal(got.times, 0);
	report(a, i.record.id, STATE_DESTROYED, out.record.generation);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	assert_true(got.result.withdrawn_ms > 0);
	assert_true(got.result.v_observed > want.v);
	assert_null(find_instance(a, i.record.id));
	world_free(w);
}

static void g16_a_wait_on_one_node_looks_at_no_other(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct api_wait want = { .v = 0 };
	static struct waited got, none;

	(void)state;
	b->hold = true;
	make_region(w, "nrt");
	want.v = w->op_v;
	memcpy(want.on, a->name, sizeof want.on);
	start_wait(w, want, &got);
	world_run(w, 10);
	assert_true(got.result.applied);
	assert_int_equal(got.result.nodes, 1);
	strcpy(want.on, "nobody");
	want.timeout_ms = 50;
	start_wait(w, want, &none);
	world_run(w, 10);
	assert_int_equal(none.times, 0); /* it may be about to join */
	world_run(w, 90);
	assert_int_equal(none.times, 1);
	assert_false(none.result.applied);
	world_free(w);
}

static void g16_errors_of_the_change_are_told_with_node_and_key_and_hold_nobody_up(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct api_wait want = { 0 };
	static struct waited got;

	(void)state;
	a->hold = b->hold = true;
	make_region(w, "nrt");
	want.first_v = w->op_v;
	make_region(w, "syd");
	want.v = w->op_v;
	world_run(w, 10);
	a->error = (struct node_error){ .kind = RECORD_REGION, .key = "nrt", .key_len = 3, .v = want.first_v, .text = "no room" };
	b->error = (struct node_error){ .kind = RECORD_REGION, .key = "ord", .key_len = 3, .v = want.first_v - 1, .text = "of before" };
	start_wait(w, want, &got);
	send_poll(a);
	send_poll(b);
	world_run(w, 10);
	send_poll(a);
	send_poll(b);
	world_run(w, 10);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	assert_int_equal(got.result.n_errors, 1);
	assert_string_equal(got.result.errors[0].node, a->name);
	assert_string_equal(got.result.errors[0].error.record, "region nrt");
	assert_string_equal(got.result.errors[0].error.text, "no room");
	want.foreign = want.released = true; /* the same, for somebody whose changes these are not */
	start_wait(w, want, &got);
	assert_int_equal(got.times, 1);
	assert_int_equal(got.result.n_errors, 0);
	world_free(w);
}

/* ---- held deletes ---- */

static void say_held(struct test_node *n, uint32_t total)
{
	n->held = (struct node_held){ .kind = RECORD_REGION, .key = "nrt", .key_len = 3, .v = n->v };
	n->held_total = total;
	send_poll(n);
	world_run(n->w, 10);
}

static void see_node(void *ctx, const struct api_node_state *node)
{
	*(struct api_node_state *)ctx = *node;
}

static void a_copy_of_a_node_is_shown_in_its_state_until_it_is_gone(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *copy = add_machine(w, a);
	static struct api_node_state seen;

	(void)state;
	controller_env(w->c)->ops->each_node(w->c, see_node, &seen);
	assert_false(seen.cloned);
	copy->hold = true;
	link_client_start(copy->client);
	send_poll(copy);
	world_run(w, 1000);
	controller_env(w->c)->ops->each_node(w->c, see_node, &seen);
	assert_true(seen.cloned);
	assert_true(seen.ready); /* the holder goes on */
	world_run(w, 120000);
	controller_env(w->c)->ops->each_node(w->c, see_node, &seen);
	assert_false(seen.cloned);
	world_free(w);
}

static void g14_a_controller_whose_store_was_taken_ends_itself_without_being_asked_to_write(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);

	(void)state;
	world_run(w, 10000);
	assert_string_equal(w->stopped, "");
	assert_int_equal(driver_exec(w->store->driver, "UPDATE meta SET epoch = epoch + 1"), 0);
	world_run(w, 5000);
	assert_non_null(strstr(w->stopped, "another controller"));
	world_free(w);
}

static void g21_held_deletes_are_seen_and_a_release_lets_them_go(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	const struct api_env_ops *ops = controller_env(w->c)->ops;
	struct api_wait want = { .released = true, .timeout_ms = 500 };
	static struct api_node_state seen;
	static struct waited late, got;

	(void)state;
	assert_int_equal(ops->release_held(w->c, a->host), 0);
	assert_int_equal(ops->release_held(w->c, 0xafff0001), -ENOENT);
	say_held(a, 60);
	ops->each_node(w->c, see_node, &seen);
	assert_int_equal(seen.n_held, 60);
	assert_string_equal(seen.held[0], "region nrt");
	want.v = a->v;
	memcpy(want.on, a->name, sizeof want.on);
	start_wait(w, want, &late);
	world_run(w, 600);
	assert_false(late.result.applied);
	assert_int_equal(late.result.n_held, 1);
	assert_string_equal(late.result.held[0].error.record, "region nrt");
	assert_int_equal(a->releases, 0); /* nobody has said so yet */
	assert_int_equal(ops->release_held(w->c, a->host), 60);
	start_wait(w, want, &got);
	world_run(w, 100);
	assert_int_equal(a->releases, 1);
	assert_true(got.result.applied);
	ops->each_node(w->c, see_node, &seen);
	assert_int_equal(seen.n_held, 0);
	world_free(w);
}

static void g21_a_held_delete_of_the_change_is_told(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	static struct waited got;

	(void)state;
	say_held(a, 60);
	start_wait(w, (struct api_wait){ .v = a->v }, &got);
	world_run(w, 10);
	assert_int_equal(got.result.n_held, 1);
	assert_string_equal(got.result.held[0].node, a->name);
	start_wait(w, (struct api_wait){ .v = a->v - 1 }, &got);
	world_run(w, 10);
	assert_int_equal(got.result.n_held, 0);
	world_free(w);
}

static void g21_a_node_that_does_not_let_go_is_not_told_for_ever(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	a->keeps_held = true;
	say_held(a, 60);
	assert_int_equal(controller_env(w->c)->ops->release_held(w->c, a->host), 60);
	world_run(w, 1000);
	assert_int_equal(a->releases, NODE_RELEASES_MAX);
	world_free(w);
}

static void g19_a_node_that_knows_no_held_deletes_is_told_of_no_release(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	a->features = 0;
	say_held(a, 60);
	assert_int_equal(controller_env(w->c)->ops->release_held(w->c, a->host), -EOPNOTSUPP);
	world_run(w, 1000);
	assert_int_equal(a->releases, 0);
	world_free(w);
}

static void waits_end_when_the_controller_does(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	static struct waited got;

	(void)state;
	a->hold = true;
	make_region(w, "nrt");
	start_wait(w, (struct api_wait){ .v = w->op_v }, &got);
	controller_stop(w->c);
	assert_int_equal(got.times, 1);
	assert_false(got.result.applied);
	world_free(w);
}

/* ---- what the API sees ---- */

static void g18_a_node_is_ready_while_it_polls_and_unknown_after_three_park_times(void **state)
{
	uint32_t acme, live[4];
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	static struct api_node_state seen;

	(void)state;
	controller_env(w->c)->ops->each_node(w->c, see_node, &seen);
	assert_true(seen.ready);
	assert_int_equal(seen.lag, 0);
	assert_int_equal(seen.applied_v, store_head(w->store));
	assert_string_equal(seen.name, a->name);
	assert_string_equal(seen.version, "0.1");
	stop_node(a);
	make_region(w, "nrt");
	world_run(w, 3 * PARK_MS + 1);
	controller_env(w->c)->ops->each_node(w->c, see_node, &seen);
	assert_false(seen.ready);
	assert_int_equal(seen.lag, 1);
	assert_int_equal(controller_env(w->c)->ops->live_nodes(w->c, live, 4), 0);
	world_free(w);
}

static void g18_the_park_time_grows_with_the_number_of_nodes(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct node_entry *entry, *own = node_table_find(&w->c->nodes, a->host);

	(void)state;
	assert_int_equal(w->c->park_ms, 20000);
	for (uint32_t i = 0; i < 30000; i++) {
		struct store_node n = { .host = 0xb0000001u + i };

		put_u32(n.link_key, i + 1);
		assert_int_equal(node_table_put(&w->c->nodes, &n, &entry), 0);
		if (i == 6000) {
			controller_fit_park(w->c);
			assert_in_range(w->c->park_ms, 30000, 30100);
		}
	}
	controller_fit_park(w->c);
	assert_int_equal(w->c->park_ms, 120000);
	send_poll(a);
	world_run(w, 10);
	assert_int_equal(own->park_ms, 120000);
	for (size_t i = 0; (entry = node_table_next(&w->c->nodes, &i));)
		entry->revoked = entry != own;
	controller_fit_park(w->c);
	assert_int_equal(w->c->park_ms, 20000);
	a->hold = true;
	world_run(w, 110000); /* it is still parked for the time that it was told: that is no silence */
	assert_true(controller_is_ready(w->c, own));
	world_free(w);
}

static void g18_after_a_start_all_nodes_count_as_live_for_three_park_times(void **state)
{
	uint32_t acme, live[4];
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	stop_node(a);
	world_end(w);
	world_start(w);
	assert_int_equal(controller_env(w->c)->ops->live_nodes(w->c, live, 4), 1);
	assert_int_equal(live[0], a->host);
	world_run(w, 3 * PARK_MS + 1);
	assert_int_equal(controller_env(w->c)->ops->live_nodes(w->c, live, 4), 0);
	world_free(w);
}

static void a_controller_whose_store_was_taken_ends_itself(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct store_instance i;

	(void)state;
	allow(a, acme);
	i = make_instance(w, "acme", "web", a);
	assert_int_equal(driver_exec(w->store->driver, "UPDATE meta SET epoch = epoch + 1"), 0);
	report(a, i.record.id, STATE_STARTED, i.record.generation);
	assert_false(a->reported);
	assert_non_null(strstr(w->stopped, "another controller"));
	world_free(w);
}

static void nodes_that_poll_are_stored_as_seen_once_a_minute(void **state)
{
	uint32_t acme;
	struct principal who = principal_local("test");
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");
	struct store_node row;
	struct why why;

	(void)state;
	world_run(w, 130000);
	assert_int_equal(store_node_find(w->store, &who, a->name, &row, &why), 0);
	assert_true(row.last_seen_ms + 61000 > clock_real_ms(&w->clock));
	assert_int_equal(row.boot_count, 1);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joining_twice_with_one_token_and_key_gives_one_identity),
		cmocka_unit_test(a_used_up_token_is_refused_to_another_machine),
		cmocka_unit_test(a_wrong_secret_is_refused),
		cmocka_unit_test(a_machine_that_has_not_joined_gets_no_answer_to_a_poll),
		cmocka_unit_test(a_deleted_node_loses_its_session_at_once),
		cmocka_unit_test(a_copy_of_a_node_is_fenced_while_the_node_polls),
		cmocka_unit_test(an_older_start_of_a_node_is_fenced_even_after_a_restart_of_the_controller),
		cmocka_unit_test(a_report_of_the_own_instance_becomes_a_record),
		cmocka_unit_test(a_report_of_another_hosts_instance_is_refused),
		cmocka_unit_test(presence_of_a_sole_node_is_settled_at_once),
		cmocka_unit_test(presence_is_settled_when_the_others_have_applied_it),
		cmocka_unit_test(a_network_that_is_not_the_askers_is_never_settled),
		cmocka_unit_test(a_node_that_is_gone_for_long_holds_nobody_up),
		cmocka_unit_test(g16_a_wait_ends_when_every_node_has_applied),
		cmocka_unit_test(g16_what_does_not_concern_a_node_counts_as_applied),
		cmocka_unit_test(g16_who_waits_for_a_start_is_told_when_it_will_not_come_and_may_wait_for_several_ends),
		cmocka_unit_test(g16_laggards_are_named_when_the_time_is_up),
		cmocka_unit_test(g16_unknown_nodes_are_listed_and_waited_for_only_if_strict),
		cmocka_unit_test(g16_a_deleted_node_is_not_waited_for),
		cmocka_unit_test(g16_what_was_true_of_an_earlier_wish_ends_no_wait),
		cmocka_unit_test(g16_a_wait_for_a_stop_ends_also_if_it_never_ran),
		cmocka_unit_test(g16_a_wait_for_an_instance_ends_with_its_hosts_report),
		cmocka_unit_test(g16_a_wait_for_a_delete_ends_with_the_tombstone),
		cmocka_unit_test(g16_a_wait_on_one_node_looks_at_no_other),
		cmocka_unit_test(g16_errors_of_the_change_are_told_with_node_and_key_and_hold_nobody_up),
		cmocka_unit_test(g21_held_deletes_are_seen_and_a_release_lets_them_go),
		cmocka_unit_test(g21_a_held_delete_of_the_change_is_told),
		cmocka_unit_test(g21_a_node_that_does_not_let_go_is_not_told_for_ever),
		cmocka_unit_test(g19_a_node_that_knows_no_held_deletes_is_told_of_no_release),
		cmocka_unit_test(waits_end_when_the_controller_does),
		cmocka_unit_test(g18_a_node_is_ready_while_it_polls_and_unknown_after_three_park_times),
		cmocka_unit_test(g18_the_park_time_grows_with_the_number_of_nodes),
		cmocka_unit_test(g18_after_a_start_all_nodes_count_as_live_for_three_park_times),
		cmocka_unit_test(a_controller_whose_store_was_taken_ends_itself),
		cmocka_unit_test(g14_a_controller_whose_store_was_taken_ends_itself_without_being_asked_to_write),
		cmocka_unit_test(a_copy_of_a_node_is_shown_in_its_state_until_it_is_gone),
		cmocka_unit_test(nodes_that_poll_are_stored_as_seen_once_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
