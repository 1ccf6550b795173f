/* Deletes that come in masses and unexplained are held back (G21): the machine keeps what it had, digests stay comparable with the
 * controller's, and nothing but a reason or an operator lets them go. */
#include "tests/unit/node/made.h"

#include "node/breaker.h"
#include "node/statefile.h"

#define CROWD 100

static struct record instance_key(uint32_t network, unsigned number)
{
	struct instance_record i = made_instance_record(network, MADE_HOST2, number);

	return instance_envelope(&i);
}

/* n instances 100.. of the network, in one delta. */
static void add_crowd(struct replica *r, uint32_t network, unsigned n)
{
	struct made *m = made_delta(r->v, r->v + n);

	for (unsigned k = 0; k < n; k++) {
		struct instance_record i = made_instance_record(network, MADE_HOST2, 100 + k);

		made_instance(m, r->v + 1 + k, &i);
	}
	made_take(r, m, 0);
}

static struct replica *crowd(unsigned n)
{
	struct replica *r = calloc(1, sizeof *r);

	replica_init(r);
	made_take(r, made_world(), 0);
	add_crowd(r, MADE_NET, n);
	return r;
}

static void end(struct replica *r)
{
	replica_deinit(r);
	free(r);
}

static struct made *deletes(const struct replica *r, uint32_t network, unsigned n, uint32_t intent)
{
	struct made *m = made_delta(r->v, r->v + n);

	for (unsigned k = 0; k < n; k++)
		made_tombstone_of(m, instance_key(network, 100 + k), r->v + 1 + k, intent);
	return m;
}

static size_t present(const struct replica *r, uint32_t network)
{
	size_t n = 0;

	for (unsigned k = 0; k < CROWD * 2; k++)
		n += made_has(r, instance_key(network, 100 + k));
	return n;
}

/* What the controller has: all that is not held. */
static struct digest expected(const struct replica *r)
{
	struct digest sum = { 0 };
	struct replica_record *rec;

	for (size_t i = 0; (rec = map_next(&r->records, &i));)
		if (!rec->held_v)
			digest_add(&sum, rec->record);
	return sum;
}

static void assert_comparable(const struct replica *r)
{
	struct digest have = replica_digest(r), want = expected(r);

	assert_true(digest_equal(&have, &want));
	assert_int_equal(want.count + r->n_held, r->records.n);
}

/* ---- deltas ---- */

static void g21_a_mass_of_unexplained_deletes_is_set_aside_and_all_else_applies(void **state)
{
	struct replica *r = crowd(CROWD);
	struct made *m = deletes(r, MADE_NET, 60, INTENT_NONE);
	struct replica_change change = { 0 };
	uint64_t v = r->v;

	(void)state;
	m->reply.to_v++;
	made_network(m, v + 61, MADE_NET2, "globex", true);
	made_tombstone(m, instance_key(MADE_NET, 100 + CROWD - 1), v + 61); /* one with a reason */
	assert_int_equal(replica_take(r, &m->reply, &change, NULL), 0);
	assert_int_equal(r->v, v + 61);
	assert_int_equal(present(r, MADE_NET), CROWD - 1);
	assert_int_equal(r->n_held, 60);
	assert_int_equal(change.n_held, 60);
	assert_int_equal(change.n_deletes, 1);
	assert_int_equal(change.n_upserts, 1);
	assert_comparable(r);
	replica_change_deinit(&change);
	made_free(m);
	end(r);
}

static void g21_fifty_deletes_go_at_once_whatever_their_share(void **state)
{
	struct replica *r = crowd(BREAKER_RECORDS);

	(void)state;
	made_take(r, deletes(r, MADE_NET, BREAKER_RECORDS, INTENT_NONE), 0);
	assert_int_equal(present(r, MADE_NET), 0);
	assert_int_equal(r->n_held, 0);
	end(r);
}

static void g21_a_small_share_goes_at_once_whatever_its_number(void **state)
{
	struct replica *r = crowd(200); /* 205 records with those of the world: 61 are less than 30 %, 62 are more */

	(void)state;
	made_take(r, deletes(r, MADE_NET, 61, INTENT_NONE), 0);
	assert_int_equal(present(r, MADE_NET), 200 - 61);
	end(r);
	r = crowd(200);
	made_take(r, deletes(r, MADE_NET, 62, INTENT_NONE), 0);
	assert_int_equal(present(r, MADE_NET), 200);
	assert_int_equal(r->n_held, 62);
	end(r);
	r = crowd(195); /* 60 of 200 are 30 %: not more */
	made_take(r, deletes(r, MADE_NET, 60, INTENT_NONE), 0);
	assert_int_equal(present(r, MADE_NET), 195 - 60);
	end(r);
}

static void g21_deletes_with_a_reason_go_whatever_their_number(void **state)
{
	(void)state;
	for (uint32_t intent = INTENT_DELETE; intent <= INTENT_EXPIRED + 1; intent++) { /* and one of a newer controller */
		struct replica *r = crowd(CROWD);

		made_take(r, deletes(r, MADE_NET, CROWD, intent), 0);
		assert_int_equal(present(r, MADE_NET), 0);
		assert_int_equal(r->n_held, 0);
		end(r);
	}
}

static void g21_the_share_is_that_of_one_network_not_of_all(void **state)
{
	struct replica *r = crowd(CROWD);

	(void)state;
	add_crowd(r, MADE_NET2, 200);
	made_take(r, deletes(r, MADE_NET, 60, INTENT_NONE), 0);
	assert_int_equal(r->n_held, 60);
	made_take(r, deletes(r, MADE_NET2, 51, INTENT_NONE), 0);
	assert_int_equal(r->n_held, 60);
	assert_int_equal(present(r, MADE_NET2), 200 - 51);
	assert_comparable(r);
	end(r);
}

static void g21_the_fabric_is_held_like_a_network(void **state)
{
	struct replica *r = crowd(0);
	struct made *m = made_delta(20, 100);

	(void)state;
	for (unsigned k = 0; k < 80; k++) {
		struct node_record n = made_node_record(0xa9990001u + k, "x", "ord");

		made_node(m, 21 + k, &n);
	}
	made_take(r, m, 0);
	m = made_delta(100, 160);
	for (unsigned k = 0; k < 60; k++) {
		struct node_record n = made_node_record(0xa9990001u + k, "x", "ord");

		made_tombstone_of(m, node_envelope(&n), 101 + k, INTENT_NONE);
	}
	made_take(r, m, 0);
	assert_int_equal(r->n_by_kind[RECORD_NODE], 83);
	assert_int_equal(r->n_held, 60);
	assert_comparable(r);
	end(r);
}

/* ---- what ends it ---- */

static struct replica *holding(void)
{
	struct replica *r = crowd(CROWD);

	made_take(r, deletes(r, MADE_NET, 60, INTENT_NONE), 0);
	assert_int_equal(r->n_held, 60);
	return r;
}

static void g21_a_later_record_of_the_key_takes_the_place_of_a_held_one(void **state)
{
	struct replica *r = holding();
	struct made *m = made_delta(r->v, r->v + 3);
	struct instance_record back = made_instance_record(MADE_NET, MADE_HOST2, 100);

	(void)state;
	made_instance(m, r->v + 1, &back);
	made_tombstone(m, instance_key(MADE_NET, 101), r->v + 2); /* now somebody says why */
	made_tombstone_of(m, instance_key(MADE_NET, 102), r->v + 3, INTENT_NONE);
	made_take(r, m, 0);
	assert_int_equal(r->n_held, 58);
	assert_int_equal(present(r, MADE_NET), CROWD - 1);
	assert_comparable(r);
	end(r);
}

static void g21_an_older_version_than_the_held_delete_changes_nothing(void **state)
{
	struct replica *r = holding();
	struct made *m = made_delta(r->v, r->v + 1);
	struct instance_record old = made_instance_record(MADE_NET, MADE_HOST2, 100);

	(void)state;
	made_instance(m, r->v - 60, &old); /* before its delete, as when a network enters again */
	made_take(r, m, 0);
	assert_int_equal(r->n_held, 60);
	assert_comparable(r);
	end(r);
}

static void g21_a_release_lets_go_what_is_held_and_says_what_it_touched(void **state)
{
	struct replica *r = holding();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, r->v, r->v);
	struct replica_change change = { 0 };

	(void)state;
	m->reply.release_held = true;
	assert_int_equal(replica_take(r, &m->reply, &change, NULL), 0);
	assert_int_equal(r->n_held, 0);
	assert_int_equal(present(r, MADE_NET), CROWD - 60);
	assert_int_equal(change.n_networks, 1);
	assert_int_equal(change.networks[0], MADE_NET);
	assert_int_equal(change.n_deletes, 60);
	assert_comparable(r);
	replica_change_deinit(&change);
	made_free(m);
	end(r);
}

static void g21_a_network_that_leaves_takes_what_is_held_with_it(void **state)
{
	struct replica *r = holding();
	struct made *m = made_delta(r->v, r->v + 1);

	(void)state;
	made_scope(m, MADE_NET, false, r->v + 1);
	made_take(r, m, 0);
	assert_int_equal(r->n_held, 0);
	assert_int_equal(present(r, MADE_NET), 0);
	assert_comparable(r);
	end(r);
}

/* ---- snapshots ---- */

static void g21_what_a_snapshot_lacks_in_masses_is_held(void **state)
{
	struct replica *r = crowd(CROWD);
	struct made *m = made_world();

	(void)state;
	m->reply.to_v = 500;
	made_take(r, m, 0);
	assert_int_equal(r->v, 500);
	assert_int_equal(present(r, MADE_NET), CROWD);
	assert_int_equal(r->n_held, CROWD);
	assert_comparable(r);
	m = made_world(); /* once more: held stays held */
	m->reply.to_v = 600;
	made_take(r, m, 0);
	assert_int_equal(r->n_held, CROWD);
	assert_comparable(r);
	end(r);
}

/* A restore is not a reason: who puts back an old store has not said that the crowd shall go (decision 0012). */
static void g21_what_a_restored_log_lacks_in_masses_is_held_and_its_lower_versions_count(void **state)
{
	struct replica *r = crowd(CROWD);
	struct instance_record again = made_instance_record(MADE_NET, MADE_HOST2, 100);
	struct made *m = made_part(3, 1, 1);
	size_t held;

	(void)state;
	m->reply.epoch = MADE_EPOCH + 1;
	m->reply.log_id = pb_bytes(made_other_log_id, 16);
	made_take(r, made_ended(m), 0);
	assert_int_equal(r->v, 3);
	assert_int_equal(present(r, MADE_NET), CROWD);
	assert_comparable(r);
	held = r->n_held;
	m = made_delta(3, 4); /* one of them comes back, at a V far below the one it had in the old log */
	m->reply.epoch = MADE_EPOCH + 1;
	m->reply.log_id = pb_bytes(made_other_log_id, 16);
	made_instance(m, 4, &again);
	made_take(r, m, 0);
	assert_int_equal(r->n_held, held - 1);
	assert_comparable(r);
	end(r);
}

static void g21_an_empty_snapshot_takes_nothing_large_away(void **state)
{
	struct replica *r = crowd(CROWD);

	(void)state;
	made_take(r, made_ended(made_part(500, 1, 1)), 0);
	assert_int_equal(present(r, MADE_NET), CROWD);
	assert_true(made_has(r, instance_key(MADE_NET, 100)));
	assert_comparable(r);
	end(r);
}

static void g21_a_snapshot_may_explain_what_it_lacks(void **state)
{
	struct replica *r = crowd(CROWD);
	struct made *m = made_part(500, 1, 1);

	(void)state;
	for (unsigned k = 0; k < CROWD; k++)
		made_tombstone_of(m, instance_key(MADE_NET, 100 + k), 300 + k, INTENT_APP);
	made_take(r, made_ended(m), 0);
	assert_int_equal(present(r, MADE_NET), 0);
	assert_int_equal(r->n_held, 0);
	end(r);
	r = crowd(CROWD);
	m = made_part(500, 1, 1);
	made_scope(m, MADE_NET, false, 400);
	made_take(r, made_ended(m), 0);
	assert_int_equal(present(r, MADE_NET), 0);
	assert_int_equal(r->n_held, 0);
	end(r);
}

static void g21_a_reason_older_than_the_record_explains_nothing(void **state)
{
	struct replica *r = crowd(CROWD);
	struct made *m = made_part(500, 1, 1);

	(void)state;
	for (unsigned k = 0; k < CROWD; k++)
		made_tombstone_of(m, instance_key(MADE_NET, 100 + k), 21 + k, INTENT_APP); /* each was made again at just that V */
	made_take(r, made_ended(m), 0);
	assert_int_equal(present(r, MADE_NET), CROWD);
	end(r);
	r = crowd(CROWD);
	m = made_part(500, 1, 1);
	made_scope(m, MADE_NET, false, 20); /* it left, and came back with all of them */
	made_take(r, made_ended(m), 0);
	assert_int_equal(present(r, MADE_NET), CROWD);
	end(r);
}

static void g21_what_is_held_already_is_neither_told_again_nor_a_reason_to_hold_more(void **state)
{
	struct replica *r = crowd(CROWD);
	struct made *m = made_world();
	struct replica_change change = { 0 };

	(void)state;
	m->reply.to_v = 500;
	made_take(r, m, 0);
	m = made_delta(500, 510);
	for (unsigned k = 0; k < 10; k++) {
		struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 400 + k);

		made_instance(m, 501 + k, &i);
	}
	made_take(r, m, 0);
	m = made_world();
	m->reply.to_v = 600;
	assert_int_equal(replica_take(r, &m->reply, &change, NULL), 0);
	assert_int_equal(change.n_held, 0);
	assert_int_equal(r->n_held, CROWD);
	for (unsigned k = 0; k < 10; k++) /* ten are not many */
		assert_false(made_has(r, instance_key(MADE_NET, 400 + k)));
	assert_comparable(r);
	replica_change_deinit(&change);
	made_free(m);
	end(r);
}

static void g21_a_heal_holds_too_and_what_follows_finds_it(void **state)
{
	struct replica *r = crowd(CROWD);
	struct made *m = made_part(r->v + 10, 1, 1);
	uint64_t v = r->v;

	(void)state;
	made_heal(m, MADE_NET, false);
	made_network(m, 6, MADE_NET, "acme", false);
	made_take(r, made_ended(m), 0);
	assert_int_equal(r->v, v);
	assert_int_equal(present(r, MADE_NET), CROWD);
	assert_true(r->n_held >= CROWD);
	assert_comparable(r);
	made_take(r, deletes(r, MADE_NET, CROWD, INTENT_APP), 0); /* the log between our V and the heal's said why */
	assert_int_equal(present(r, MADE_NET), 0);
	assert_comparable(r);
	end(r);
}

/* ---- restarts ---- */

static void g21_what_is_held_comes_back_from_the_state_file(void **state)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	struct replica *a = holding(), b;
	uint8_t hash[32];
	struct why why;

	(void)state;
	replica_init(&b);
	assert_int_equal(statefile_encode(a, &bytes, hash), 0);
	assert_int_equal(get_u32(bytes.data + 8), 2);
	assert_int_equal(statefile_decode(bytes.data, bytes.len, &b, hash, &why), 0);
	assert_true(made_same(a, &b));
	assert_int_equal(b.n_held, 60);
	assert_comparable(&b);
	replica_deinit(&b);
	end(a);
}

static void an_older_version_can_read_the_state_while_nothing_is_held(void **state)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	struct replica *r = crowd(1);
	uint8_t hash[32];

	(void)state;
	assert_int_equal(statefile_encode(r, &bytes, hash), 0);
	assert_int_equal(get_u32(bytes.data + 8), 1);
	end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g21_a_mass_of_unexplained_deletes_is_set_aside_and_all_else_applies),
		cmocka_unit_test(g21_fifty_deletes_go_at_once_whatever_their_share),
		cmocka_unit_test(g21_a_small_share_goes_at_once_whatever_its_number),
		cmocka_unit_test(g21_deletes_with_a_reason_go_whatever_their_number),
		cmocka_unit_test(g21_the_share_is_that_of_one_network_not_of_all),
		cmocka_unit_test(g21_the_fabric_is_held_like_a_network),
		cmocka_unit_test(g21_a_later_record_of_the_key_takes_the_place_of_a_held_one),
		cmocka_unit_test(g21_an_older_version_than_the_held_delete_changes_nothing),
		cmocka_unit_test(g21_a_release_lets_go_what_is_held_and_says_what_it_touched),
		cmocka_unit_test(g21_a_network_that_leaves_takes_what_is_held_with_it),
		cmocka_unit_test(g21_what_a_snapshot_lacks_in_masses_is_held),
		cmocka_unit_test(g21_what_a_restored_log_lacks_in_masses_is_held_and_its_lower_versions_count),
		cmocka_unit_test(g21_an_empty_snapshot_takes_nothing_large_away),
		cmocka_unit_test(g21_a_snapshot_may_explain_what_it_lacks),
		cmocka_unit_test(g21_a_reason_older_than_the_record_explains_nothing),
		cmocka_unit_test(g21_what_is_held_already_is_neither_told_again_nor_a_reason_to_hold_more),
		cmocka_unit_test(g21_a_heal_holds_too_and_what_follows_finds_it),
		cmocka_unit_test(g21_what_is_held_comes_back_from_the_state_file),
		cmocka_unit_test(an_older_version_can_read_the_state_while_nothing_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
