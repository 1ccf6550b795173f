/* The gateway role gets the peers whose tunnel ends here, joined with key and network, and nothing else. */
#include "tests/unit/node/made.h"

#include "node/role_peers.h"
#include "tests/unit/memory.h"

static struct replica *world(void)
{
	struct replica *r = calloc(1, sizeof *r);
	struct made *m = made_delta(20, 26);
	struct peer_record p = made_peer_record(MADE_NET2, MADE_HOST, 2);

	replica_init(r);
	made_take(r, made_world(), 0);
	made_peer(m, 21, &p);
	made_peer_key(m, 22, &p, 2);
	p = made_peer_record(MADE_NET, MADE_HOST, 1);
	made_peer(m, 23, &p);
	made_peer_key(m, 24, &p, 1);
	p = made_peer_record(MADE_NET, MADE_HOST, 3); /* without a key */
	made_peer(m, 25, &p);
	p = made_peer_record(MADE_NET, MADE_HOST2, 4); /* of another gateway */
	made_peer(m, 26, &p);
	made_take(r, m, 0);
	return r;
}

static void end(struct replica *r, struct role_peers *peers)
{
	role_peers_deinit(peers);
	replica_deinit(r);
	free(r);
}

static void peers_of_this_gateway_come_with_key_and_network_sorted_by_id(void **state)
{
	struct role_peers peers = { 0 };
	struct role_desired d = { 0 };
	struct replica *r = world();

	(void)state;
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	assert_int_equal(d.n_peers, 3);
	assert_string_equal(d.peers[0].record.name, "laptop-1");
	assert_true(d.peers[0].has_key);
	assert_int_equal(d.peers[0].key.public_key[0], 1);
	assert_int_equal(d.peers[0].v, 23);
	assert_int_equal(d.peers[0].key_v, 24);
	assert_string_equal(d.peers[0].org, "acme");
	assert_false(d.peers[1].has_key);
	assert_string_equal(d.peers[2].org, "globex");
	assert_int_equal(d.n_networks, 2);
	assert_int_equal(d.networks[0], MADE_NET);
	assert_int_equal(d.networks[1], MADE_NET2);
	end(r, &peers);
}

static void a_peer_that_moves_is_let_in_where_its_key_is(void **state)
{
	struct peer_record p = made_peer_record(MADE_NET, MADE_HOST2, 4);
	struct made *m = made_delta(26, 27);
	struct role_peers peers = { 0 };
	struct role_desired d = { 0 };
	struct replica *r = world();
	struct peer_key_record key = { .public_key = { 9 } };
	struct buf body = BUF_INIT(0);

	(void)state;
	memcpy(key.peer, p.id, sizeof key.peer);
	assert_int_equal(peer_key_encode(&key, &body), 0);
	made_add(m, peer_key_envelope(&key, p.network, MADE_HOST), 27, body);
	made_take(r, m, 0);
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	assert_int_equal(d.n_peers, 4);
	assert_string_equal(d.peers[2].record.name, "laptop-4");
	assert_int_equal(d.peers[2].record.gateway, MADE_HOST2);
	assert_true(d.peers[2].has_key);
	end(r, &peers);
}

static void a_suspended_network_or_peer_is_present_nowhere(void **state)
{
	struct peer_record p = made_peer_record(MADE_NET2, MADE_HOST, 2);
	struct made *m = made_delta(26, 28);
	struct role_peers peers = { 0 };
	struct role_desired d = { 0 };
	struct replica *r = world();

	(void)state;
	p.suspended = true;
	made_network(m, 27, MADE_NET, "acme", true);
	made_peer(m, 28, &p);
	made_take(r, m, 0);
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	assert_int_equal(d.n_peers, 3);
	for (size_t i = 0; i < d.n_peers; i++)
		assert_true(d.peers[i].suspended);
	assert_int_equal(d.n_networks, 0);
	end(r, &peers);
}

static void nothing_passes_of_a_network_that_is_not_known(void **state)
{
	struct made *m = made_delta(26, 27);
	struct role_peers peers = { 0 };
	struct role_desired d = { 0 };
	struct replica *r = world();

	(void)state;
	made_tombstone(m, network_envelope(&(struct network_record){ .id = MADE_NET2 }), 27);
	made_take(r, m, 0);
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	assert_true(d.peers[2].suspended);
	assert_int_equal(d.n_networks, 1);
	end(r, &peers);
}

static void one_whose_time_is_up_is_let_in_no_more_even_if_nobody_takes_it_back(void **state)
{
	enum { UNTIL = 1000000 };
	struct peer_record p = made_peer_record(MADE_NET2, MADE_HOST, 2);
	struct made *m = made_delta(26, 27);
	struct role_peers peers = { 0 };
	struct role_desired d = { 0 };
	struct replica *r = world();

	(void)state;
	p.expires_at_ms = UNTIL;
	made_peer(m, 27, &p);
	made_take(r, m, 0);
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, UNTIL - 1, &d), 0);
	assert_false(d.peers[2].suspended);
	assert_int_equal(peers.errors.n + peers.n_over, 0);
	assert_int_equal(peers.due_ms, UNTIL);
	peers.stale = true;
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, UNTIL, &d), 0);
	for (size_t i = 0; i < d.n_peers; i++)
		assert_int_equal(d.peers[i].suspended, d.peers[i].record.expires_at_ms != 0);
	assert_int_equal(d.n_networks, 1); /* that was all of globex */
	assert_int_equal(peers.errors.n, 1);
	assert_int_equal(peers.n_over, 1);
	assert_int_equal(peers.due_ms, UINT64_MAX);
	peers.stale = true; /* the controller is back, and knows better */
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	assert_false(d.peers[2].suspended);
	assert_int_equal(d.n_networks, 2);
	end(r, &peers);
}

/* Takes a delta that changes one thing; is it about peers? */
static bool concerns_peers(struct replica *r, struct made *m)
{
	struct replica_change c = { 0 };
	struct role_peers peers = { .stamp = 7 };

	assert_int_equal(replica_take(r, &m->reply, &c, NULL), 0);
	made_free(m);
	role_peers_changed(&peers, &c);
	replica_change_deinit(&c);
	return peers.stale;
}

static void only_changes_of_peers_keys_and_networks_make_it_read_again(void **state)
{
	struct peer_record p = made_peer_record(MADE_NET, MADE_HOST, 3);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST, 9);
	struct replica *r = world();
	struct made *m = made_delta(26, 27);

	(void)state;
	made_instance(m, 27, &i);
	assert_false(concerns_peers(r, m));
	m = made_delta(27, 28);
	made_peer_key(m, 28, &p, 9);
	assert_true(concerns_peers(r, m));
	m = made_delta(28, 29);
	made_tombstone(m, peer_envelope(&p), 29);
	assert_true(concerns_peers(r, m));
	m = made_delta(29, 30);
	made_network(m, 30, MADE_NET, "acme", true);
	assert_true(concerns_peers(r, m));
	m = made_delta(30, 31);
	made_scope(m, MADE_NET2, false, 31);
	assert_true(concerns_peers(r, m));
	replica_deinit(r);
	free(r);
}

static void what_did_not_change_keeps_its_stamp(void **state)
{
	struct replica_change c = { .fabric = true }, p = { .peers = true };
	struct role_peers peers = { 0 };
	struct role_desired d = { 0 };
	struct replica *r = world();
	const struct role_peer *before;
	uint64_t stamp;

	(void)state;
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	before = d.peers;
	stamp = d.peers_stamp;
	role_peers_changed(&peers, &c);
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	assert_ptr_equal(d.peers, before);
	assert_int_equal(d.peers_stamp, stamp);
	role_peers_changed(&peers, &p);
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	assert_int_not_equal(d.peers_stamp, stamp);
	end(r, &peers);
}

static void without_memory_the_peers_stay_as_they_were(void **state)
{
	struct replica_change p = { .peers = true };
	struct role_peers peers = { 0 };
	struct role_desired d = { 0 };
	struct replica *r = world();
	unsigned failed = 0;

	(void)state;
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	for (int from = 0; from < 3; from++) {
		role_peers_changed(&peers, &p);
		memory_fails_after(from);
		failed += role_peers_get(&peers, r, MADE_HOST, 0, &d) == -ENOMEM;
		memory_is_there();
		assert_int_equal(d.n_peers, 3);
		assert_int_equal(d.n_networks, 2);
	}
	assert_true(failed);
	assert_int_equal(role_peers_get(&peers, r, MADE_HOST, 0, &d), 0);
	assert_int_equal(d.n_peers, 3);
	end(r, &peers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_of_this_gateway_come_with_key_and_network_sorted_by_id),
		cmocka_unit_test(a_peer_that_moves_is_let_in_where_its_key_is),
		cmocka_unit_test(a_suspended_network_or_peer_is_present_nowhere),
		cmocka_unit_test(nothing_passes_of_a_network_that_is_not_known),
		cmocka_unit_test(one_whose_time_is_up_is_let_in_no_more_even_if_nobody_takes_it_back),
		cmocka_unit_test(only_changes_of_peers_keys_and_networks_make_it_read_again),
		cmocka_unit_test(what_did_not_change_keeps_its_stamp),
		cmocka_unit_test(without_memory_the_peers_stay_as_they_were),
	};

	crypto_init();
	log_set_level(LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
