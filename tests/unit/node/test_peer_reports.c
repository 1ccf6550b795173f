/* What a gateway saw of its peers reaches the controller: the newest of each, in reports of bounded size, again after a loss. */
#include "tests/unit/node/made.h"

#include "node/peer_reports.h"

struct rig {
	struct replica replica;
	struct peer_reports *peers;
};

static struct peer_record peer(unsigned number)
{
	return made_peer_record(MADE_NET, MADE_HOST, number);
}

static struct rig *rig_new(unsigned n)
{
	struct rig *rig = calloc(1, sizeof *rig);

	replica_init(&rig->replica);
	made_take(&rig->replica, made_world(), 0);
	for (unsigned at = 0; at < n;) {
		struct made *m = made_delta(rig->replica.v, rig->replica.v + 200);

		for (unsigned k = 0; k < 200 && at < n; k++, at++) {
			struct peer_record p = peer(at);

			made_peer(m, rig->replica.v + 1 + k, &p);
		}
		made_take(&rig->replica, m, 0);
	}
	assert_int_equal(peer_reports_new(&rig->replica, &rig->peers), 0);
	return rig;
}

static void rig_end(struct rig *rig)
{
	peer_reports_free(rig->peers);
	replica_deinit(&rig->replica);
	free(rig);
}

static void saw(struct rig *rig, unsigned number, uint64_t rx)
{
	struct role_peer_stats stats = { .rx_bytes = rx, .last_handshake_ms = 5, .endpoint = "192.0.2.1:4711" };
	struct peer_record p = peer(number);

	memcpy(stats.peer, p.id, sizeof stats.peer);
	peer_reports_set(rig->peers, &stats);
}

static void the_newest_of_each_is_said_once(void **state)
{
	struct rig *rig = rig_new(3);
	Sixpn__ReportRequest m = SIXPN__REPORT_REQUEST__INIT;

	(void)state;
	saw(rig, 1, 10);
	saw(rig, 2, 20);
	saw(rig, 1, 11);
	assert_int_equal(peer_reports_fill(rig->peers, &m), 2);
	assert_int_equal(m.n_peer_stats, 2);
	assert_memory_equal(m.peer_stats[0]->peer.data, peer(1).id, 8);
	assert_int_equal(m.peer_stats[0]->rx_bytes, 11);
	assert_int_equal(m.peer_stats[0]->last_handshake_ms, 5);
	assert_memory_equal(m.peer_stats[0]->endpoint.data, "192.0.2.1:4711", m.peer_stats[0]->endpoint.len);
	peer_reports_landed(rig->peers, true);
	assert_int_equal(peer_reports_fill(rig->peers, &m), 0);
	rig_end(rig);
}

static void a_lost_report_is_said_again_with_what_is_newest_then(void **state)
{
	struct rig *rig = rig_new(3);
	Sixpn__ReportRequest m = SIXPN__REPORT_REQUEST__INIT;

	(void)state;
	saw(rig, 1, 10);
	assert_int_equal(peer_reports_fill(rig->peers, &m), 1);
	saw(rig, 1, 12);
	peer_reports_landed(rig->peers, false);
	assert_int_equal(peer_reports_fill(rig->peers, &m), 1);
	assert_int_equal(m.peer_stats[0]->rx_bytes, 12);
	peer_reports_landed(rig->peers, false); /* nothing newer: the same again */
	assert_int_equal(peer_reports_fill(rig->peers, &m), 1);
	assert_int_equal(m.peer_stats[0]->rx_bytes, 12);
	peer_reports_landed(rig->peers, true);
	assert_int_equal(peer_reports_waiting(rig->peers), 0);
	rig_end(rig);
}

static void many_go_in_reports_of_bounded_size_and_each_has_its_turn(void **state)
{
	enum { N = 2 * PEER_REPORTS_MAX + 1 };
	struct rig *rig = rig_new(N);
	Sixpn__ReportRequest m = SIXPN__REPORT_REQUEST__INIT;
	unsigned heard[N] = { 0 };
	size_t n, rounds = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++)
		saw(rig, i, i);
	while ((n = peer_reports_fill(rig->peers, &m))) {
		assert_true(n <= PEER_REPORTS_MAX);
		for (size_t i = 0; i < n; i++)
			heard[m.peer_stats[i]->rx_bytes]++;
		peer_reports_landed(rig->peers, true);
		if (rounds++ == 0)
			saw(rig, 0, 0); /* one that changes all the time does not hold up the others */
	}
	assert_int_equal(rounds, 3);
	for (unsigned i = 1; i < N; i++)
		assert_int_equal(heard[i], 1);
	rig_end(rig);
}

static void a_peer_without_a_record_is_forgotten(void **state)
{
	struct rig *rig = rig_new(3);
	Sixpn__ReportRequest m = SIXPN__REPORT_REQUEST__INIT;
	struct made *d = made_delta(rig->replica.v, rig->replica.v + 1);
	struct peer_record p = peer(1);

	(void)state;
	saw(rig, 1, 10);
	made_tombstone_of(d, peer_envelope(&p), rig->replica.v + 1, INTENT_DELETE);
	made_take(&rig->replica, d, 0);
	assert_int_equal(peer_reports_fill(rig->peers, &m), 0);
	assert_int_equal(peer_reports_waiting(rig->peers), 0);
	rig_end(rig);
}

/* Enough of them for a sweep, which must leave those alone that are in line. */
static void a_storm_of_peers_that_are_gone_again_is_forgotten_when_its_turn_comes(void **state)
{
	struct rig *rig = rig_new(3);
	Sixpn__ReportRequest m = SIXPN__REPORT_REQUEST__INIT;

	(void)state;
	saw(rig, 1, 10);
	for (unsigned i = 100; i < 400; i++)
		saw(rig, i, i);
	assert_int_equal(peer_reports_waiting(rig->peers), 301);
	assert_int_equal(peer_reports_fill(rig->peers, &m), 1);
	assert_int_equal(m.peer_stats[0]->rx_bytes, 10);
	peer_reports_landed(rig->peers, true);
	assert_int_equal(peer_reports_waiting(rig->peers), 0);
	rig_end(rig);
}

static void another_controller_hears_all_of_it(void **state)
{
	struct rig *rig = rig_new(3);
	Sixpn__ReportRequest m = SIXPN__REPORT_REQUEST__INIT;

	(void)state;
	saw(rig, 1, 10);
	saw(rig, 2, 10);
	assert_int_equal(peer_reports_fill(rig->peers, &m), 2);
	peer_reports_landed(rig->peers, true);
	rig->replica.epoch++;
	assert_int_equal(peer_reports_fill(rig->peers, &m), 2);
	rig_end(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_of_each_is_said_once),
		cmocka_unit_test(a_lost_report_is_said_again_with_what_is_newest_then),
		cmocka_unit_test(many_go_in_reports_of_bounded_size_and_each_has_its_turn),
		cmocka_unit_test(a_peer_without_a_record_is_forgotten),
		cmocka_unit_test(a_storm_of_peers_that_are_gone_again_is_forgotten_when_its_turn_comes),
		cmocka_unit_test(another_controller_hears_all_of_it),
	};

	crypto_init();
	log_set_level(LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
