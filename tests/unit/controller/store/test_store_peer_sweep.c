/* Peers that go without anybody naming them, and the one that comes instead of another. */
#include "tests/unit/controller/store/peer_fixture.h"

/* ---- of itself ---- */

static void time_takes_those_whose_time_is_up_in_batches(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct principal acme = principal_org_token((const uint8_t *)"aaaaaaaa", p->acme.id, PROFILE_ADMIN);
	struct store_peer peer;
	int64_t left;
	struct store_peer_swept swept;

	for (unsigned i = 0; i < STORE_PEER_SWEEP_MAX + 20; i++) {
		struct store_peer_new in = peer_in("acme", NULL, NULL, i + 1, p->live, 2);
		char name[16];

		snprintf(name, sizeof name, "p%u", i);
		in.name = name;
		in.expires_ms = T0 + f->time.now_ms + 60000 + i;
		assert_good(f, create(p, &f->root, &in, &peer));
	}
	make_peer(f, "acme", "lasting", 9999, p->live, 2);
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, NULL, 0, 1, &swept)));
	assert_int_equal(swept.deleted, 0);
	assert_int_equal(f->op.v, 0);
	f->time.now_ms += 120000;
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, NULL, 0, 1, &swept)));
	assert_int_equal(swept.deleted, STORE_PEER_SWEEP_MAX);
	assert_true(swept.next_expiry_ms < T0 + f->time.now_ms); /* the others are due at once */
	assert_true(is_tombstone(f->op.records[0], RECORD_PEER, INTENT_EXPIRED));
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, NULL, 0, 1, &swept)));
	assert_int_equal(swept.deleted, 20);
	assert_true(swept.next_expiry_ms == UINT64_MAX);
	assert_int_equal(sql_get_int(f->store, &left, "SELECT count(*) FROM peer", ""), 0);
	assert_int_equal(left, 1);
	assert_refused(f, DO(f, &acme, store_peer_sweep(store, op, NULL, 0, 1, &swept)), "forbidden");
}

static void only_ephemeral_ones_that_are_old_enough_can_be_idle(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer lasting = make_peer(f, "acme", "lasting", 1, p->live, 2), ephemeral;
	struct store_peer_new in = peer_in("acme", "ephemeral", NULL, 2, p->live, 2);
	uint8_t ids[3][ID_LEN] = { { 1, 2, 3 } };
	struct store_peer_swept swept;

	in.ephemeral = true;
	assert_good(f, create(p, &f->root, &in, &ephemeral));
	memcpy(ids[1], lasting.record.id, ID_LEN);
	memcpy(ids[2], ephemeral.record.id, ID_LEN);
	f->time.now_ms += 5000;
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, (const uint8_t(*)[ID_LEN])ids, 3, 10000, &swept)));
	assert_int_equal(swept.deleted, 0);
	f->time.now_ms += 5000;
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, (const uint8_t(*)[ID_LEN])ids, 3, 10000, &swept)));
	assert_int_equal(swept.deleted, 1);
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "lasting", &lasting, NULL), 0);
}

static void who_is_not_let_in_is_not_idle(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_org_change org_change = { .set_suspended = true, .suspended = true };
	struct store_peer_update peer_change = { .set_suspended = true, .suspended = true };
	struct store_peer_new in = peer_in("acme", "ephemeral", NULL, 2, p->live, 2);
	struct store_peer_swept swept;
	struct store_peer peer;
	struct store_org org;

	in.ephemeral = true;
	assert_good(f, create(p, &f->root, &in, &peer));
	f->time.now_ms += 100000;
	assert_good(f, DO(f, &f->root, store_peer_update(store, op, "acme", "ephemeral", &peer_change, &peer)));
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, &peer.record.id, 1, 10000, &swept)));
	assert_int_equal(swept.deleted, 0);
	peer_change.suspended = false;
	assert_good(f, DO(f, &f->root, store_peer_update(store, op, "acme", "ephemeral", &peer_change, &peer)));
	assert_good(f, DO(f, &f->root, store_org_update(store, op, "acme", &org_change, &org)));
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, &peer.record.id, 1, 10000, &swept)));
	assert_int_equal(swept.deleted, 0);
	org_change.suspended = false;
	assert_good(f, DO(f, &f->root, store_org_update(store, op, "acme", &org_change, &org)));
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, &peer.record.id, 1, 10000, &swept)));
	assert_int_equal(swept.deleted, 1);
}

static void what_a_large_delete_left_over_goes_with_the_sweeps(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer_new in = peer_in("acme", NULL, NULL, 0, p->live, 2);
	struct store_peer_swept swept;
	struct store_network network;
	struct store_peer peer;
	char name[16];

	assert_good(f, DO(f, &f->root, store_network_create(store, op, "acme", "staging", &network)));
	for (unsigned i = 0; i < STORE_PEER_SWEEP_MAX + 5; i++) {
		snprintf(name, sizeof name, "p%u", i);
		in.name = name;
		in.network = "staging";
		make_public_key(i + 1, in.public_key);
		assert_good(f, create(p, &f->root, &in, &peer));
	}
	make_peer(f, "acme", "elsewhere", 9999, p->live, 2);
	assert_int_equal(driver_exec(f->store->driver, "UPDATE network SET deleting = 1 WHERE name = 'staging'"), 0);
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, NULL, 0, 1, &swept)));
	assert_int_equal(swept.deleted, STORE_PEER_SWEEP_MAX);
	assert_true(swept.more);
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, NULL, 0, 1, &swept)));
	assert_int_equal(swept.deleted, 5);
	assert_true(is_tombstone(f->op.records[f->op.n_records - 1], RECORD_NETWORK, INTENT_DELETE)); /* and the network with the last */
	assert_good(f, DO(f, &f->root, store_peer_sweep(store, op, NULL, 0, 1, &swept)));
	assert_false(swept.more);
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "elsewhere", &peer, NULL), 0);
}

static void note_pruned(void *arg, const struct store_peer *peer)
{
	(void)peer;
	++*(size_t *)arg;
}

static void pruning_takes_what_was_never_used_and_is_old_enough(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer used = make_peer(f, "acme", "used", 1, p->live, 2);
	struct principal gateway = principal_node(used.record.gateway, "gw"), other = principal_node(used.record.gateway ^ 1, "other");
	struct store_peer_prune in = { .org = "acme", .older_than_ms = 1000 };
	struct store_peer peer;
	size_t n = 0;
	bool more;

	make_peer(f, "acme", "unused", 2, p->live, 2);
	make_peer(f, "globex", "unused", 3, p->live, 2);
	assert_good(f, DO(f, &other, store_peer_note_used(store, op, (const uint8_t(*)[ID_LEN])used.record.id, 1)));
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "used", &peer, NULL), 0);
	assert_int_equal(peer.used_ms, 0); /* only its gateway is believed */
	assert_good(f, DO(f, &gateway, store_peer_note_used(store, op, (const uint8_t(*)[ID_LEN])used.record.id, 1)));
	assert_int_equal(f->op.v, 0);
	assert_good(f, DO(f, &f->root, store_peer_prune(store, op, &in, note_pruned, &n, &more)));
	assert_int_equal(n, 0);
	f->time.now_ms += 1000;
	assert_good(f, DO(f, &f->root, store_peer_prune(store, op, &in, note_pruned, &n, &more)));
	assert_int_equal(n, 1);
	assert_false(more);
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "used", &peer, NULL), 0);
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "unused", &peer, NULL), E_REFUSED);
	assert_int_equal(store_peer_find(f->store, &f->root, "globex", "unused", &peer, NULL), 0);
}

/* ---- instead of one whose gateway fell silent ---- */

static void the_one_instead_comes_in_the_same_change_or_the_old_one_just_goes(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer old = make_peer(f, "acme", "laptop", 1, &p->live[0], 1), peer;
	struct store_peer_new in = peer_in("acme", "laptop", "ord", 1, &p->live[1], 1);

	in.instead_of = old.record.id;
	assert_good(f, create(p, &f->root, &in, &peer));
	assert_int_equal(peer.record.gateway, p->dev.host);
	assert_int_equal(f->op.n_records, 4); /* two tombstones, a key and a peer */
	in.instead_of = peer.record.id;
	in.strict = true;
	in.n_live = 0;
	old = peer;
	assert_refused(f, create(p, &f->root, &in, &peer), "no_gateway");
	assert_int_equal(f->op.n_records, 2);
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "laptop", &peer, NULL), E_REFUSED);
	/* gone already: nothing to make instead */
	in.n_live = 1;
	assert_refused(f, create(p, &f->root, &in, &peer), "peer_not_found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(time_takes_those_whose_time_is_up_in_batches),
		T(only_ephemeral_ones_that_are_old_enough_can_be_idle),
		T(who_is_not_let_in_is_not_idle),
		T(what_a_large_delete_left_over_goes_with_the_sweeps),
		T(pruning_takes_what_was_never_used_and_is_old_enough),
		T(the_one_instead_comes_in_the_same_change_or_the_old_one_just_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
