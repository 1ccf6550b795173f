/* The contract of the control protocol, from the node's end: which log and which epoch it is, roll-backs and their proof, the end of
 * an outdated controller, and restarts. Tests are named after the guarantee they show; every reply is also checked (world.h). */
#include "tests/unit/controller/nodes/world.h"

/* What a controller of that epoch and log, on the same store or a copy of it, would have given the node. */
static void give_proof(const struct world *w, struct test_node *n)
{
	struct store_identity other = w->c->identity;

	other.epoch = n->epoch;
	memcpy(other.log_id, n->log_id, sizeof other.log_id);
	store_head_proof(&other, n->v, n->proof);
	n->has_proof = true;
}

static void g14_a_node_that_obeys_a_later_controller_stops_this_one(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");

	(void)state;
	a->epoch += 5;
	give_proof(w, a);
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
	give_proof(w, a);
	send_poll(a);
	world_run(w, 100);
	assert_int_equal(a->last_kind, SIXPN__POLL_KIND__POLL_FENCED);
	assert_non_null(strstr(w->stopped, a->name));
	world_free(w);
}

/* A node that was taken over: it has all that it was ever told, and would like to have nobody above it. */
static void g14_a_later_controller_that_a_node_cannot_prove_stops_nobody(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct node_entry *entry = node_table_find_name(&w->c->nodes, a->name);
	struct store_identity other;

	(void)state;
	allow(b, acme);
	for (int how = 0; how < 6; how++) {
		uint64_t before = entry->unproven;

		world_run(w, 61000);
		a->epoch = how == 5 ? w->c->identity.epoch : UINT64_MAX - (unsigned)how;
		other = w->c->identity;
		other.epoch = a->epoch;
		switch (how) {
		case 0: break; /* the proof that it has, of our epoch */
		case 1: a->has_proof = false; break;
		case 2: memset(a->proof, 7, sizeof a->proof); break;
		case 3: store_head_proof(&other, a->v + 1, a->proof); break; /* of another V */
		case 4: /* by another secret */
			other.secret[0] ^= 1;
			store_head_proof(&other, a->v, a->proof);
			break;
		case 5: a->log_id[3] ^= 1; break; /* another log of the same epoch */
		}
		send_poll(a);
		world_run(w, 5000);
		assert_string_equal(w->stopped, "");
		assert_int_not_equal(a->last_kind, SIXPN__POLL_KIND__POLL_FENCED);
		assert_true(entry->unproven > before);
		assert_in_step(a); /* it was given ours, as any that holds nothing of it */
	}
	make_instance(w, "acme", "web", b); /* and the others are served */
	world_run(w, 100);
	assert_in_step(b);
	world_free(w);
}

/* What it claims to hold of a log that it cannot prove is no acknowledgement of ours. */
static void g14_a_node_that_cannot_prove_its_epoch_acknowledges_nothing(void **state)
{
	uint32_t acme, globex;
	struct world *w = two_orgs(NULL, &acme, &globex);
	struct test_node *a = add_running(w, "ord");
	struct node_entry *entry = node_table_find_name(&w->c->nodes, a->name);

	(void)state;
	a->hold = true;
	a->epoch += 5;
	send_poll(a);
	world_run(w, 100);
	assert_false(entry->acked);
	assert_string_equal(w->stopped, "");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g2_a_node_of_another_log_gets_a_snapshot),
		cmocka_unit_test(g2_a_v_above_the_head_without_proof_gets_a_snapshot),
		cmocka_unit_test(g2_a_forged_proof_does_nothing),
		cmocka_unit_test(g2_a_store_that_was_rolled_back_takes_a_new_log),
		cmocka_unit_test(g2_a_node_that_lies_about_its_epoch_does_not_make_the_log_a_new_one),
		cmocka_unit_test(g2_a_store_that_was_rolled_back_and_written_again_takes_a_new_log),
		cmocka_unit_test(g14_a_node_that_obeys_a_later_controller_stops_this_one),
		cmocka_unit_test(g14_a_node_that_obeys_another_log_of_the_same_epoch_stops_this_one),
		cmocka_unit_test(g14_a_later_controller_that_a_node_cannot_prove_stops_nobody),
		cmocka_unit_test(g14_a_node_that_cannot_prove_its_epoch_acknowledges_nothing),
		cmocka_unit_test(a_restarted_controller_goes_on_with_deltas),
		cmocka_unit_test(a_restarted_controller_lets_no_older_stay_of_a_network_survive),
		cmocka_unit_test(a_restarted_controller_leaves_no_network_to_a_batch_that_may_be_too_late_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
