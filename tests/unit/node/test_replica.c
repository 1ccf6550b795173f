/* The replica against what a controller may send: guarantees G4 to G7 and G14, and every reply that must change nothing. */
#include "tests/unit/node/made.h"

static struct record instance_key(uint32_t network, uint32_t host, unsigned number)
{
	struct instance_record i = made_instance_record(network, host, number);

	return instance_envelope(&i);
}

static struct record workload_key(uint32_t network, uint32_t host, unsigned number)
{
	struct instance_record i = made_instance_record(network, host, number);

	return workload_envelope(i.id, network, host);
}

/* Takes the reply, which must end with `expected` and leave the replica exactly as it was. */
static void refused(struct replica *r, struct made *m, int expected)
{
	struct digest before = replica_digest(r), after;
	uint64_t v = r->v, epoch = r->epoch, scope_version = r->scope_version;
	size_t bytes = r->bytes, n = r->records.n;

	made_take(r, m, expected);
	after = replica_digest(r);
	assert_true(digest_equal(&before, &after));
	assert_int_equal(r->v, v);
	assert_int_equal(r->epoch, epoch);
	assert_int_equal(r->scope_version, scope_version);
	assert_int_equal(r->bytes, bytes);
	assert_int_equal(r->records.n, n);
	assert_null(r->staging);
}

/* ---- G4: snapshots ---- */

static void g4_a_snapshot_of_one_part_is_the_whole_state(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	assert_int_equal(r->v, 20);
	assert_int_equal(r->epoch, MADE_EPOCH);
	assert_int_equal(r->records.n, 15);
	assert_int_equal(r->n_by_kind[RECORD_INSTANCE], 4);
	assert_int_equal(r->n_by_kind[RECORD_WORKLOAD], 2);
	assert_int_equal(r->parts.n, 2);
	assert_true(made_has(r, workload_key(MADE_NET, MADE_HOST, 1)));
	made_replica_free(r);
}

static void g4_nothing_of_a_snapshot_shows_before_its_end(void **state)
{
	struct replica *r = made_replica();
	struct made *one = made_part(30, 1, 2), *two = made_part(30, 2, 2);
	struct made *both[] = { one, two };
	struct replica_change c = { 0 };
	struct why why;

	(void)state;
	made_region(one, 25, "lhr", 51.5, 0, 0xa777);
	made_region(two, 26, "gru", -23.5, -46.6, 0xa778);
	made_end(two, both, 2);
	assert_int_equal(replica_take(r, &one->reply, &c, &why), 0);
	assert_int_equal(r->v, 20);
	assert_int_equal(r->records.n, 15);
	assert_false(c.all || c.fabric || c.n_networks);
	assert_int_equal(replica_take(r, &two->reply, &c, &why), 0);
	assert_true(c.all);
	assert_int_equal(r->v, 30);
	assert_int_equal(r->records.n, 2);
	assert_int_equal(r->parts.n, 0);
	replica_change_deinit(&c);
	made_free(one);
	made_free(two);
	made_replica_free(r);
}

static void g4_an_empty_snapshot_is_legal_and_removes_everything(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	made_take(r, made_ended(made_part(40, 1, 1)), 0);
	assert_int_equal(r->records.n, 0);
	assert_int_equal(r->bytes, 0);
	assert_int_equal(r->v, 40);
	made_replica_free(r);
}

static void g4_a_snapshot_with_a_wrong_count_changes_nothing(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_part(30, 1, 1);

	(void)state;
	made_region(m, 25, "lhr", 51.5, 0, 0xa777);
	made_ended(m)->reply.count++;
	refused(r, m, REPLICA_WRONG_DIGEST);
	made_replica_free(r);
}

static void g4_a_snapshot_with_a_wrong_or_missing_digest_changes_nothing(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	for (size_t i = 0; i <= DIGEST_LEN; i++) {
		struct made *m = made_part(30, 1, 1);

		made_region(m, 25, "lhr", 51.5, 0, 0xa777);
		made_ended(m);
		if (i < DIGEST_LEN)
			m->digest[i] ^= 0x10;
		else
			m->reply.digest.len = 0;
		refused(r, m, REPLICA_WRONG_DIGEST);
	}
	made_replica_free(r);
}

static void g4_a_snapshot_that_lost_a_part_changes_nothing(void **state)
{
	struct replica *r = made_replica();
	struct made *one = made_part(30, 1, 3), *three = made_part(30, 3, 3);

	(void)state;
	made_region(one, 25, "lhr", 51.5, 0, 0xa777);
	made_take(r, one, 0);
	made_ended(three);
	refused(r, three, E_REFUSED);
	made_replica_free(r);
}

static void g4_a_part_before_the_first_is_refused(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	refused(r, made_ended(made_part(30, 2, 2)), E_REFUSED);
	refused(r, made_ended(made_part(30, 0, 2)), E_REFUSED);
	refused(r, made_ended(made_part(30, 3, 2)), E_REFUSED);
	refused(r, made_ended(made_part(30, 1, 0)), E_REFUSED);
	made_replica_free(r);
}

static void g4_only_the_last_part_is_the_end_and_the_last_part_is(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	refused(r, made_ended(made_part(30, 1, 2)), E_REFUSED);
	refused(r, made_part(30, 1, 1), E_REFUSED);
	made_replica_free(r);
}

enum mixed { MIXED_PARTS, MIXED_EPOCH, MIXED_LOG, MIXED_HEAL };

static void g4_parts_of_two_snapshots_are_not_mixed(void **state)
{
	(void)state;
	for (enum mixed how = MIXED_PARTS; how <= MIXED_HEAL; how++) {
		struct replica *r = made_replica();
		struct made *one = made_part(30, 1, 2), *two = made_part(30, 2, how == MIXED_PARTS ? 3 : 2);
		struct made *both[] = { one, two };

		made_region(one, 25, "lhr", 51.5, 0, 0xa777);
		made_end(two, both, 2);
		if (how == MIXED_PARTS)
			two->reply.end = false;
		if (how == MIXED_EPOCH || how == MIXED_LOG)
			two->reply.epoch++;
		if (how == MIXED_LOG)
			two->reply.log_id = pb_bytes(made_other_log_id, 16);
		if (how == MIXED_HEAL)
			made_heal(two, 0, false);
		made_take(r, one, 0);
		refused(r, two, E_REFUSED);
		made_replica_free(r);
	}
}

static void g4_a_new_first_part_begins_again(void **state)
{
	struct replica *r = made_replica();
	struct made *stale = made_part(30, 1, 2), *m = made_part(31, 1, 1);

	(void)state;
	made_region(stale, 25, "lhr", 51.5, 0, 0xa777);
	made_take(r, stale, 0);
	made_region(m, 26, "gru", -23.5, -46.6, 0xa778);
	made_take(r, made_ended(m), 0);
	assert_int_equal(r->records.n, 1);
	assert_non_null(replica_find(r, RECORD_REGION, "gru", 3));
	made_replica_free(r);
}

static void g4_a_delta_in_the_middle_ends_the_snapshot(void **state)
{
	struct replica *r = made_replica();
	struct made *one = made_part(30, 1, 2), *delta = made_delta(20, 31);

	(void)state;
	made_region(one, 25, "lhr", 51.5, 0, 0xa777);
	made_take(r, one, 0);
	made_region(delta, 31, "gru", -23.5, -46.6, 0xa778);
	made_take(r, delta, 0);
	assert_null(r->staging);
	refused(r, made_ended(made_part(30, 2, 2)), E_REFUSED);
	assert_int_equal(r->v, 31);
	made_replica_free(r);
}

static void g4_a_tombstone_without_a_reason_has_no_place_in_a_snapshot(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_part(30, 1, 1);

	(void)state;
	made_tombstone_of(m, instance_key(MADE_NET, MADE_HOST, 1), 25, INTENT_NONE);
	refused(r, made_ended(m), E_REFUSED);
	made_replica_free(r);
}

static void g4_a_snapshot_with_a_record_later_than_itself_is_refused(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_part(30, 1, 1);

	(void)state;
	made_region(m, 31, "lhr", 51.5, 0, 0xa777);
	refused(r, made_ended(m), REPLICA_WRONG_DIGEST);
	made_replica_free(r);
}

/* ---- G5: removals ---- */

static void g5_a_tombstone_removes_and_counts(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 22);
	struct replica_change c = { 0 };
	struct why why;

	(void)state;
	made_tombstone(m, instance_key(MADE_NET, MADE_HOST2, 2), 21);
	made_tombstone(m, instance_key(MADE_NET, MADE_HOST2, 99), 22);
	assert_int_equal(replica_take(r, &m->reply, &c, &why), 0);
	assert_int_equal(c.n_deletes, 1);
	assert_int_equal(c.n_networks, 1);
	assert_int_equal(c.networks[0], MADE_NET);
	assert_false(c.fabric || c.all);
	assert_false(made_has(r, instance_key(MADE_NET, MADE_HOST2, 2)));
	replica_change_deinit(&c);
	made_free(m);
	made_replica_free(r);
}

static void g5_what_a_later_snapshot_does_not_hold_is_gone(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_part(50, 1, 1);

	(void)state;
	made_network(m, 6, MADE_NET, "acme", false);
	made_take(r, made_ended(m), 0);
	assert_int_equal(r->records.n, 1);
	assert_false(made_has(r, workload_key(MADE_NET, MADE_HOST, 1)));
	made_replica_free(r);
}

/* ---- G6, G7: deltas ---- */

static void g6_a_delta_that_starts_elsewhere_is_a_gap(void **state)
{
	struct replica *r = made_replica();
	const uint64_t starts[] = { 0, 19, 21, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		struct made *m = made_delta(starts[i], UINT64_MAX);

		made_network(m, 25, MADE_NET, "acme", true);
		refused(r, m, REPLICA_GAP);
	}
	made_replica_free(r);
}

static void g6_a_delta_to_a_node_that_has_nothing_is_a_gap(void **state)
{
	struct replica r;

	(void)state;
	replica_init(&r);
	refused(&r, made_delta(0, 5), REPLICA_GAP);
	replica_deinit(&r);
}

static void g6_a_delta_that_goes_back_is_refused(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	refused(r, made_delta(20, 19), E_REFUSED);
	made_replica_free(r);
}

static void g6_deltas_chain(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	for (uint64_t v = 20; v < 40; v++) {
		struct made *m = made_delta(v, v + 1);
		struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 2);

		i.generation = v;
		made_instance(m, v + 1, &i);
		made_take(r, m, 0);
	}
	assert_int_equal(r->v, 40);
	assert_int_equal(r->records.n, 15);
	made_replica_free(r);
}

static void g7_an_older_or_equal_record_is_ignored_and_counted(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 2);
	struct replica_change c = { 0 };
	struct digest before = replica_digest(r), after;
	struct why why;

	(void)state;
	i.generation = 9;
	made_instance(m, 12, &i);
	i = made_instance_record(MADE_NET, MADE_HOST, 1);
	i.generation = 9;
	made_instance(m, 9, &i);
	made_tombstone(m, instance_key(MADE_NET2, MADE_HOST3, 3), 13);
	assert_int_equal(replica_take(r, &m->reply, &c, &why), 0);
	after = replica_digest(r);
	assert_true(digest_equal(&before, &after));
	assert_int_equal(c.n_ignored, 3);
	assert_int_equal(c.n_networks, 0);
	assert_int_equal(r->v, 21);
	replica_change_deinit(&c);
	made_free(m);
	made_replica_free(r);
}

static void g7_the_same_delta_twice_is_a_gap_and_harmless(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21);
	struct why why;

	(void)state;
	made_network(m, 21, MADE_NET, "acme", true);
	assert_int_equal(replica_take(r, &m->reply, NULL, &why), 0);
	refused(r, m, REPLICA_GAP);
	made_replica_free(r);
}

static void g7_records_apply_in_the_order_of_v_whatever_their_place(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 23);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 2), out;

	(void)state;
	made_tombstone(m, instance_key(MADE_NET2, MADE_HOST3, 3), 23);
	i.generation = 22;
	made_instance(m, 22, &i);
	i.generation = 21;
	made_instance(m, 21, &i);
	i = made_instance_record(MADE_NET2, MADE_HOST3, 3);
	made_instance(m, 21, &i);
	made_take(r, m, 0);
	assert_false(made_has(r, instance_key(MADE_NET2, MADE_HOST3, 3)));
	i = made_instance_record(MADE_NET, MADE_HOST2, 2);
	assert_int_equal(instance_decode(replica_find(r, RECORD_INSTANCE, i.id, 14), &out, NULL), 0);
	assert_int_equal(out.generation, 22);
	made_replica_free(r);
}

static void g8_a_bookmark_moves_the_cursor_alone(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 500);
	struct replica_change c = { 0 };
	struct why why;

	(void)state;
	assert_int_equal(replica_take(r, &m->reply, &c, &why), 0);
	assert_int_equal(r->v, 500);
	assert_int_equal(r->records.n, 15);
	assert_false(c.all || c.fabric || c.n_networks);
	made_free(m);
	made_replica_free(r);
}

static void the_newest_commit_time_is_kept(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 22);

	(void)state;
	made_commit(m, 21, 5000);
	made_commit(m, 22, 4000);
	made_take(r, m, 0);
	assert_int_equal(r->last_commit_ms, 5000);
	made_replica_free(r);
}

/* ---- G3: scope ---- */

static void g3_a_network_that_leaves_takes_private_records_with_it(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 25);
	struct replica_change c = { 0 };
	struct why why;

	(void)state;
	made_scope(m, MADE_NET2, false, 25);
	assert_int_equal(replica_take(r, &m->reply, &c, &why), 0);
	assert_int_equal(c.n_deletes, 5);
	assert_int_equal(c.n_networks, 1);
	assert_int_equal(c.networks[0], MADE_NET2);
	assert_false(made_has(r, workload_key(MADE_NET2, MADE_HOST, 4)));
	assert_true(made_has(r, workload_key(MADE_NET, MADE_HOST, 1)));
	assert_int_equal(r->n_by_kind[RECORD_NODE], 3);
	assert_int_equal(r->parts.n, 1);
	replica_change_deinit(&c);
	made_free(m);
	made_replica_free(r);
}

static void g3_a_network_that_enters_comes_with_records_older_than_the_cursor(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 25);
	const uint32_t network = 0x00020003u;
	struct instance_record i = made_instance_record(network, MADE_HOST, 9);

	(void)state;
	made_scope(m, network, true, 25);
	made_network(m, 4, network, "initech", false);
	made_instance(m, 25, &i);
	made_take(r, m, 0);
	assert_true(made_has(r, instance_key(network, MADE_HOST, 9)));
	assert_int_equal(r->parts.n, 3);
	made_replica_free(r);
}

static void g3_leaving_and_entering_in_one_reply_leaves_only_what_came(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 30);

	(void)state;
	made_scope(m, MADE_NET2, false, 25);
	made_scope(m, MADE_NET2, true, 30);
	made_network(m, 7, MADE_NET2, "globex", false);
	made_take(r, m, 0);
	assert_false(made_has(r, instance_key(MADE_NET2, MADE_HOST3, 3)));
	assert_int_equal(r->n_by_kind[RECORD_NETWORK], 2);
	made_replica_free(r);
}

static void g3_the_fabric_cannot_leave_the_scope(void **state)
{
	struct replica *r = made_replica();
	const uint32_t wrong[] = { 0, 1, 0xffff, 0xa0000001u };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct made *m = made_delta(20, 25);

		made_scope(m, wrong[i], false, 25);
		refused(r, m, E_REFUSED);
	}
	made_replica_free(r);
}

/* ---- G10: digests, healing ---- */

static void g10_a_healing_snapshot_replaces_only_its_parts(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_part(20, 1, 1);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST, 7);

	(void)state;
	made_heal(m, MADE_NET, false);
	made_network(m, 6, MADE_NET, "acme", false);
	made_instance(m, 16, &i);
	made_take(r, made_ended(m), 0);
	assert_true(made_has(r, instance_key(MADE_NET, MADE_HOST, 7)));
	assert_false(made_has(r, instance_key(MADE_NET, MADE_HOST, 1)));
	assert_true(made_has(r, workload_key(MADE_NET, MADE_HOST, 1))); /* private: another part */
	assert_true(made_has(r, instance_key(MADE_NET2, MADE_HOST3, 3)));
	assert_int_equal(r->n_by_kind[RECORD_NODE], 3);
	assert_int_equal(r->v, 20);
	made_replica_free(r);
}

static void g10_healing_takes_the_healed_version_even_if_ours_is_newer(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_part(20, 1, 1);

	(void)state;
	made_heal(m, 0, true);
	made_heal(m, 0, false);
	made_region(m, 1, "ord", 41.9, -87.6, 0xa124);
	made_take(r, made_ended(m), 0);
	assert_int_equal(r->n_by_kind[RECORD_WORKLOAD], 0);
	assert_int_equal(r->n_by_kind[RECORD_NODE], 0);
	assert_int_equal(r->n_by_kind[RECORD_REGION], 1);
	assert_int_equal(r->n_by_kind[RECORD_INSTANCE], 4);
	made_replica_free(r);
}

static void g10_a_record_outside_the_healed_parts_refuses_the_snapshot(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_part(20, 1, 1);

	(void)state;
	made_heal(m, MADE_NET2, false);
	made_network(m, 6, MADE_NET, "acme", false);
	refused(r, made_ended(m), E_REFUSED);
	made_replica_free(r);
}

static void g10_healing_to_an_older_v_is_a_gap(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_part(19, 1, 1);

	(void)state;
	made_heal(m, MADE_NET, false);
	refused(r, made_ended(m), REPLICA_GAP);
	made_replica_free(r);
}

static void g10_healing_to_a_later_v_keeps_ours_so_that_the_rest_is_not_skipped(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_part(29, 1, 1), *delta = made_delta(20, 30);

	(void)state;
	made_heal(m, MADE_NET, false);
	made_network(m, 28, MADE_NET, "acme", false);
	made_take(r, made_ended(m), 0);
	assert_int_equal(r->v, 20);
	made_network(delta, 22, MADE_NET2, "globex", true);
	made_network(delta, 28, MADE_NET, "acme", false);
	made_take(r, delta, 0);
	assert_int_equal(r->v, 30);
	made_replica_free(r);
}

static void g10_a_node_that_has_nothing_cannot_be_healed(void **state)
{
	struct made *m = made_part(20, 1, 1);
	struct replica r;

	(void)state;
	replica_init(&r);
	made_heal(m, MADE_NET, false);
	refused(&r, made_ended(m), REPLICA_GAP);
	replica_deinit(&r);
}

#define MODEL_KEYS 400

static int add_to_digest(void *ctx, const struct record *record)
{
	digest_add(ctx, record);
	return 0;
}

static struct record random_record(struct clock_virtual *rng, uint8_t body[64], uint64_t v)
{
	struct clock c = clock_virtual(rng);
	unsigned key = (unsigned)clock_random_below(&c, MODEL_KEYS);
	struct record r = { .v = v, .body = body, .body_len = clock_random_below(&c, 64) };

	r.kind = key % 3 == 0 ? RECORD_REGION : key % 3 == 1 ? RECORD_APP : RECORD_WORKLOAD;
	r.key_len = r.kind == RECORD_REGION ? 3 : r.kind == RECORD_APP ? 8 : 14;
	put_u32(r.key + (r.kind == RECORD_REGION ? 0 : 4), r.kind == RECORD_REGION ? key << 8 : key);
	r.network = r.kind == RECORD_REGION ? 0 : 0x00020000u + key % 7;
	r.node = r.kind == RECORD_WORKLOAD ? MADE_HOST : 0;
	clock_random(&c, body, 64);
	if (clock_random_below(&c, 3) == 0) {
		r.deleted = true;
		r.body_len = 0;
	}
	return r;
}

static unsigned model_slot(const struct record *r)
{
	return r->kind == RECORD_REGION ? get_u32(r->key) >> 8 : get_u32(r->key + 4);
}

struct model {
	struct record records[MODEL_KEYS]; /* v 0 = none */
	uint8_t bodies[MODEL_KEYS][64];
};

static void model_drop_network(struct model *model, uint32_t network)
{
	for (size_t k = 0; k < MODEL_KEYS; k++)
		if (model->records[k].v && model->records[k].network == network)
			model->records[k].v = 0;
}

static void model_take(struct model *model, const struct record *r)
{
	unsigned k = model_slot(r);

	model->records[k] = *r;
	memcpy(model->bodies[k], r->body, r->body_len);
	model->records[k].body = model->bodies[k];
	if (r->deleted)
		model->records[k].v = 0;
}

static void same_as_model(const struct replica *r, const struct model *model)
{
	struct digest kept = replica_digest(r), walked = { 0 }, modelled = { 0 };

	replica_each(r, 0, add_to_digest, &walked);
	for (size_t k = 0; k < MODEL_KEYS; k++)
		if (model->records[k].v)
			digest_add(&modelled, &model->records[k]);
	assert_true(digest_equal(&kept, &walked));
	assert_true(digest_equal(&kept, &modelled));
	assert_int_equal(r->records.n, modelled.count);
}

static void g10_the_digest_equals_a_recomputation_after_thousands_of_random_operations(void **state)
{
	struct clock_virtual rng = { .seed = 7 };
	struct clock c = clock_virtual(&rng);
	struct model *model = calloc(1, sizeof *model);
	struct replica r;
	uint64_t v = 1;

	(void)state;
	replica_init(&r);
	made_take(&r, made_ended(made_part(1, 1, 1)), 0);
	for (int round = 0; round < 3000; round++) {
		struct made *m = made_delta(v, v + 4);
		uint8_t bodies[4][64];

		if (clock_random_below(&c, 40) == 0) {
			uint32_t network = 0x00020000u + (uint32_t)clock_random_below(&c, 7);

			made_scope(m, network, false, v + 1);
			model_drop_network(model, network);
		}
		for (size_t i = 0; i < 4; i++) {
			struct record rec = random_record(&rng, bodies[i], v + 1 + i);
			struct buf body = BUF_INIT(0);

			model_take(model, &rec);
			buf_add(&body, bodies[i], rec.body_len);
			made_add(m, rec, rec.v, body);
		}
		made_take(&r, m, 0);
		v += 4;
		if (round % 100 == 0)
			same_as_model(&r, model);
	}
	same_as_model(&r, model);
	replica_deinit(&r);
	free(model);
}

/* ---- G14, and what is no reply ---- */

static void g14_a_lower_epoch_or_another_log_of_the_same_epoch_is_not_obeyed(void **state)
{
	static const struct {
		uint64_t epoch;
		const uint8_t *log_id;
		size_t len;
	} rows[] = {
		{ MADE_EPOCH - 1, made_log_id, 16 }, { 0, made_log_id, 16 },	  { MADE_EPOCH, made_other_log_id, 16 },
		{ MADE_EPOCH, made_log_id, 15 },     { MADE_EPOCH + 1, NULL, 0 }, { MADE_EPOCH - 1, made_other_log_id, 16 },
	};
	struct replica *r = made_replica();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		struct made *m = i % 2 ? made_delta(20, 21) : made_ended(made_part(30, 1, 1));

		m->reply.epoch = rows[i / 2].epoch;
		m->reply.log_id = pb_bytes(rows[i / 2].log_id, rows[i / 2].len);
		refused(r, m, REPLICA_NOT_OURS);
	}
	made_replica_free(r);
}

static void g14_a_greater_epoch_is_obeyed_from_then_on(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21);

	(void)state;
	m->reply.epoch = MADE_EPOCH + 5;
	made_take(r, m, 0);
	assert_int_equal(r->epoch, MADE_EPOCH + 5);
	refused(r, made_delta(21, 22), REPLICA_NOT_OURS);
	made_replica_free(r);
}

static void g2_another_log_with_a_greater_epoch_must_send_a_snapshot(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21), *snapshot = made_part(3, 1, 1);

	(void)state;
	m->reply.epoch = snapshot->reply.epoch = MADE_EPOCH + 1;
	m->reply.log_id = snapshot->reply.log_id = pb_bytes(made_other_log_id, 16);
	refused(r, m, REPLICA_GAP);
	made_take(r, made_ended(snapshot), 0);
	assert_int_equal(r->v, 3);
	assert_memory_equal(r->log_id, made_other_log_id, 16);
	made_replica_free(r);
}

static void one_bad_envelope_refuses_the_whole_reply(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	for (int how = 0; how < 7; how++) {
		struct made *m = made_delta(20, 25);

		made_network(m, 21, MADE_NET, "acme", true);
		made_network(m, 22, MADE_NET2, "globex", true);
		switch (how) {
		case 0: m->records[1].v = 0; break;
		case 1: m->records[1].key.len = 0; break;
		case 2: m->records[1].network = 1; break;
		case 3: m->records[1].node = MADE_HOST; break;
		case 4: m->records[1].deleted = true; break;
		case 5: m->records[1].kind = 0; break;
		case 6: m->records[1].kind = RECORD_KIND_MAX; break;
		}
		refused(r, m, E_REFUSED);
	}
	made_replica_free(r);
}

static void kinds_that_are_the_controllers_own_are_refused(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	for (uint32_t kind = RECORD_ORG; kind < RECORD_KIND_MAX; kind++) {
		struct made *m = made_delta(20, 25);
		struct record rec = { .kind = kind, .key = "abc", .key_len = 3 };

		made_add(m, rec, 21, BUF_INIT(0));
		refused(r, m, E_REFUSED);
	}
	made_replica_free(r);
}

static void g19_a_kind_of_a_newer_controller_is_kept_for_the_digest(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 25);
	struct record rec = { .kind = 12, .key = "abc", .key_len = 3 };

	(void)state;
	made_add(m, rec, 21, BUF_INIT(0));
	made_take(r, m, 0);
	assert_int_equal(r->n_by_kind[12], 1);
	assert_int_equal(replica_unknown_kinds(r), 1); /* acknowledged like all, and counted */
	made_replica_free(r);
}

static void g11_a_scope_beyond_all_measure_is_refused(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 25);

	(void)state;
	r->bytes += REPLICA_BYTES_MAX; /* as if */
	made_network(m, 21, MADE_NET, "acme", true);
	refused(r, m, E_REFUSED);
	r->bytes -= REPLICA_BYTES_MAX;
	made_replica_free(r);
}

static void other_kinds_of_reply_are_refused(void **state)
{
	struct replica *r = made_replica();
	const int kinds[] = { 0, SIXPN__POLL_KIND__POLL_RETRY_AFTER, SIXPN__POLL_KIND__POLL_FENCED, 6, 1000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		refused(r, made_new(kinds[i], 20, 21), E_REFUSED);
	made_replica_free(r);
}

static void touched_networks_are_listed_once_in_order(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 60);
	struct replica_change c = { 0 };
	struct why why;

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		made_network(m, 21 + i, 0x00030000u + i * 7 % 20, "acme", false);
	assert_int_equal(replica_take(r, &m->reply, &c, &why), 0);
	assert_int_equal(c.n_networks, 20);
	for (size_t i = 1; i < c.n_networks; i++)
		assert_true(c.networks[i - 1] < c.networks[i]);
	replica_change_deinit(&c);
	made_free(m);
	made_replica_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g4_a_snapshot_of_one_part_is_the_whole_state),
		cmocka_unit_test(g4_nothing_of_a_snapshot_shows_before_its_end),
		cmocka_unit_test(g4_an_empty_snapshot_is_legal_and_removes_everything),
		cmocka_unit_test(g4_a_snapshot_with_a_wrong_count_changes_nothing),
		cmocka_unit_test(g4_a_snapshot_with_a_wrong_or_missing_digest_changes_nothing),
		cmocka_unit_test(g4_a_snapshot_that_lost_a_part_changes_nothing),
		cmocka_unit_test(g4_a_part_before_the_first_is_refused),
		cmocka_unit_test(g4_only_the_last_part_is_the_end_and_the_last_part_is),
		cmocka_unit_test(g4_parts_of_two_snapshots_are_not_mixed),
		cmocka_unit_test(g4_a_new_first_part_begins_again),
		cmocka_unit_test(g4_a_delta_in_the_middle_ends_the_snapshot),
		cmocka_unit_test(g4_a_tombstone_without_a_reason_has_no_place_in_a_snapshot),
		cmocka_unit_test(g4_a_snapshot_with_a_record_later_than_itself_is_refused),
		cmocka_unit_test(g5_a_tombstone_removes_and_counts),
		cmocka_unit_test(g5_what_a_later_snapshot_does_not_hold_is_gone),
		cmocka_unit_test(g6_a_delta_that_starts_elsewhere_is_a_gap),
		cmocka_unit_test(g6_a_delta_to_a_node_that_has_nothing_is_a_gap),
		cmocka_unit_test(g6_a_delta_that_goes_back_is_refused),
		cmocka_unit_test(g6_deltas_chain),
		cmocka_unit_test(g7_an_older_or_equal_record_is_ignored_and_counted),
		cmocka_unit_test(g7_the_same_delta_twice_is_a_gap_and_harmless),
		cmocka_unit_test(g7_records_apply_in_the_order_of_v_whatever_their_place),
		cmocka_unit_test(g8_a_bookmark_moves_the_cursor_alone),
		cmocka_unit_test(the_newest_commit_time_is_kept),
		cmocka_unit_test(g3_a_network_that_leaves_takes_private_records_with_it),
		cmocka_unit_test(g3_a_network_that_enters_comes_with_records_older_than_the_cursor),
		cmocka_unit_test(g3_leaving_and_entering_in_one_reply_leaves_only_what_came),
		cmocka_unit_test(g3_the_fabric_cannot_leave_the_scope),
		cmocka_unit_test(g10_a_healing_snapshot_replaces_only_its_parts),
		cmocka_unit_test(g10_healing_takes_the_healed_version_even_if_ours_is_newer),
		cmocka_unit_test(g10_a_record_outside_the_healed_parts_refuses_the_snapshot),
		cmocka_unit_test(g10_healing_to_an_older_v_is_a_gap),
		cmocka_unit_test(g10_healing_to_a_later_v_keeps_ours_so_that_the_rest_is_not_skipped),
		cmocka_unit_test(g10_a_node_that_has_nothing_cannot_be_healed),
		cmocka_unit_test(g10_the_digest_equals_a_recomputation_after_thousands_of_random_operations),
		cmocka_unit_test(g14_a_lower_epoch_or_another_log_of_the_same_epoch_is_not_obeyed),
		cmocka_unit_test(g14_a_greater_epoch_is_obeyed_from_then_on),
		cmocka_unit_test(g2_another_log_with_a_greater_epoch_must_send_a_snapshot),
		cmocka_unit_test(one_bad_envelope_refuses_the_whole_reply),
		cmocka_unit_test(kinds_that_are_the_controllers_own_are_refused),
		cmocka_unit_test(g19_a_kind_of_a_newer_controller_is_kept_for_the_digest),
		cmocka_unit_test(g11_a_scope_beyond_all_measure_is_refused),
		cmocka_unit_test(other_kinds_of_reply_are_refused),
		cmocka_unit_test(touched_networks_are_listed_once_in_order),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
