/* Which host may speak in which network, from records alone. */
#include "tests/unit/node/made.h"

#include "node/presence.h"

/* The wanted pairs as "net:host net:host", last digits only. */
static const char *wanted(const struct replica *r)
{
	static char text[256];
	struct presence p = { 0 };

	text[0] = 0;
	assert_int_equal(presence_wanted(r, &p), 0);
	for (size_t i = 0; i < p.n; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%x:%x", i ? " " : "", p.pairs[i].network & 0xf,
			 p.pairs[i].host & 0xf);
	presence_deinit(&p);
	return text;
}

static void every_host_of_an_instance_is_there_once_and_sorted(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST, 77);

	(void)state;
	assert_string_equal(wanted(r), "1:7 1:8 2:7 2:9");
	made_instance(m, 21, &i);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1:7 1:8 2:7 2:9");
	made_replica_free(r);
}

static void an_empty_replica_wants_nothing(void **state)
{
	struct replica r;
	struct presence p;

	(void)state;
	replica_init(&r);
	assert_int_equal(presence_wanted(&r, &p), 0);
	assert_int_equal(p.n, 0);
	assert_false(presence_has(&p, MADE_NET, MADE_HOST));
	presence_deinit(&p);
}

static void a_moved_instance_does_not_let_its_home_speak(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 2);

	(void)state;
	i.host = MADE_HOST3;
	made_instance(m, 21, &i);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1:7 1:9 2:7 2:9");
	made_replica_free(r);
}

static void an_instance_that_is_stopped_or_being_destroyed_keeps_its_presence(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 22);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 2);

	(void)state;
	i.desired = DESIRED_DESTROYED;
	made_instance(m, 21, &i);
	i = made_instance_record(MADE_NET2, MADE_HOST3, 3);
	i.desired = DESIRED_STOPPED;
	made_instance(m, 22, &i);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1:7 1:8 2:7 2:9");
	made_replica_free(r);
}

static void the_last_instance_of_a_host_takes_its_presence_with_it(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 2);

	(void)state;
	made_tombstone(m, instance_envelope(&i), 21);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1:7 2:7 2:9");
	made_replica_free(r);
}

static void a_suspended_network_has_no_presence(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21);

	(void)state;
	made_network(m, 21, MADE_NET, "acme", true);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "2:7 2:9");
	made_replica_free(r);
}

static void a_network_without_a_record_has_no_presence(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21);
	struct network_record n = { .id = MADE_NET2 };

	(void)state;
	made_tombstone(m, network_envelope(&n), 21);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1:7 1:8");
	made_replica_free(r);
}

static void a_peer_lets_its_gateway_speak_and_not_its_home_after_a_move(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21), *moved = made_delta(21, 22), *suspended = made_delta(22, 23);
	struct peer_record p = made_peer_record(MADE_NET2, MADE_HOST2, 1);

	(void)state;
	made_peer(m, 21, &p);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1:7 1:8 2:7 2:8 2:9");
	p.home_gateway = 0xa456000eu;
	made_peer(moved, 22, &p);
	made_take(r, moved, 0);
	assert_string_equal(wanted(r), "1:7 1:8 2:7 2:8 2:9");
	p.suspended = true;
	made_peer(suspended, 23, &p);
	made_take(r, suspended, 0);
	assert_string_equal(wanted(r), "1:7 1:8 2:7 2:9");
	made_replica_free(r);
}

static void a_record_that_cannot_be_read_costs_only_itself(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 21);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 2);
	struct buf body = BUF_INIT(0);

	(void)state;
	buf_add_str(&body, "\xff");
	made_add(m, instance_envelope(&i), 21, body);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1:7 2:7 2:9");
	made_replica_free(r);
}

static void a_pair_is_found_and_its_neighbours_are_not(void **state)
{
	struct replica *r = made_replica();
	struct presence p;

	(void)state;
	assert_int_equal(presence_wanted(r, &p), 0);
	assert_true(presence_has(&p, MADE_NET, MADE_HOST));
	assert_true(presence_has(&p, MADE_NET2, MADE_HOST3));
	assert_false(presence_has(&p, MADE_NET, MADE_HOST3));
	assert_false(presence_has(&p, MADE_HOST, MADE_NET));
	presence_deinit(&p);
	made_replica_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_host_of_an_instance_is_there_once_and_sorted),
		cmocka_unit_test(an_empty_replica_wants_nothing),
		cmocka_unit_test(a_moved_instance_does_not_let_its_home_speak),
		cmocka_unit_test(an_instance_that_is_stopped_or_being_destroyed_keeps_its_presence),
		cmocka_unit_test(the_last_instance_of_a_host_takes_its_presence_with_it),
		cmocka_unit_test(a_suspended_network_has_no_presence),
		cmocka_unit_test(a_network_without_a_record_has_no_presence),
		cmocka_unit_test(a_peer_lets_its_gateway_speak_and_not_its_home_after_a_move),
		cmocka_unit_test(a_record_that_cannot_be_read_costs_only_itself),
		cmocka_unit_test(a_pair_is_found_and_its_neighbours_are_not),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
