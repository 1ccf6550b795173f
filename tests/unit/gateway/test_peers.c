/* What is done to WireGuard and to the ways, and what is left alone: by a sync, by a restart of the daemon, by a death of the process, by
 * somebody else's hand. */
#include "tests/unit/gateway/device.h"

#include "gateway/stats.h"

static struct role_peer records[4];
static uint32_t networks[2] = { NET_A, NET_B };

static void sync(struct device *d, struct peers *peers, size_t n, uint64_t stamp)
{
	struct role_desired desired = { .peers = records, .n_peers = n, .networks = networks, .n_networks = n ? 2 : 0, .peers_stamp = stamp };

	d->steps[0] = 0;
	d->errors = d->self_errors = 0;
	peers_sync(peers, &desired);
}

static void fresh_records(void)
{
	records[0] = peer_of(NET_A, 1, 0x11);
	records[1] = peer_of(NET_A, 2, 0x22);
	records[2] = peer_of(NET_B, 3, 0x33);
	records[3] = peer_of(NET_B, 4, 0x44);
}

static struct peers *begin(struct device **ret_device, size_t n)
{
	struct device *d = device_new();
	struct peers *peers = device_peers(d);

	fresh_records();
	sync(d, peers, n, 1);
	*ret_device = d;
	return peers;
}

static void end(struct device *d, struct peers *peers)
{
	peers_free(peers);
	free(d);
}

static struct wg_observed dump(struct device *d)
{
	struct wg wg = { .ops = &device_wg_ops, .ctx = d };
	struct wg_observed observed;

	assert_int_equal(wg_observe(&wg, &observed), 0);
	return observed;
}

static void compare(struct device *d, struct peers *peers)
{
	struct wg_observed observed = dump(d);

	d->steps[0] = 0;
	peers_compare(peers, &observed);
	wg_observed_deinit(&observed);
}

static void the_same_again_touches_nothing_and_asks_nothing(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);
	unsigned dumps = d->dumps, applies = d->applies;

	(void)state;
	assert_int_equal(d->n, 3);
	sync(d, peers, 3, 1);
	sync(d, peers, 3, 2); /* something changed, but nothing of it is ours */
	assert_string_equal(d->steps, "");
	assert_int_equal(d->applies, applies);
	assert_int_equal(d->dumps, dumps);
	sync(d, peers, 4, 3);
	assert_string_equal(d->steps, "+44");
	assert_int_equal(d->dumps, dumps); /* one more peer needs no list of all */
	sync(d, peers, 0, 4);
	assert_int_equal(d->n, 0);
	assert_int_equal(d->n_ways, 0);
	end(d, peers);
}

static void a_daemon_that_starts_again_finds_its_peers_and_replays_nothing(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);

	(void)state;
	peers_free(peers);
	peers = device_peers(d);
	sync(d, peers, 3, 1);
	assert_string_equal(d->steps, "");
	assert_int_equal(peers_changes(peers), 0);
	assert_int_equal(peers_count(peers), 3);
	peers_free(peers);
	peers = device_peers(d);
	sync(d, peers, 2, 1); /* one was deleted meanwhile */
	assert_string_equal(d->steps, "-33");
	end(d, peers);
}

static void what_failed_half_way_is_told_and_finished_later(void **state)
{
	struct device *d = device_new();
	struct peers *peers = device_peers(d);

	(void)state;
	fresh_records();
	d->fail_after = 2;
	sync(d, peers, 4, 1);
	assert_int_equal(d->n, 2);
	assert_int_equal(d->self_errors, 1);
	assert_non_null(strstr(d->error, "gateway: peers: Input/output error"));
	d->fail_after = -1;
	sync(d, peers, 4, 1); /* nothing new, but it is not done yet */
	assert_int_equal(d->n, 4);
	assert_int_equal(d->self_errors, 0);
	sync(d, peers, 4, 1);
	assert_string_equal(d->steps, "");
	records[0].key.public_key[0] = 0x55; /* the same later, of a device that was known */
	records[1].key.public_key[0] = 0x66;
	d->fail_after = 3;
	sync(d, peers, 4, 2);
	assert_string_equal(d->steps, "-11 -22 +55");
	d->fail_after = -1;
	sync(d, peers, 4, 2);
	assert_string_equal(d->steps, "+66");
	end(d, peers);
}

static void one_that_does_not_answer_is_not_asked(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 2);

	(void)state;
	d->mute = true;
	sync(d, peers, 3, 2);
	assert_string_equal(d->steps, "");
	assert_int_equal(d->self_errors, 1);
	d->mute = false;
	sync(d, peers, 3, 2);
	assert_string_equal(d->steps, "+33");
	d->mute = true;
	sync(d, peers, 4, 3);
	compare(d, peers); /* a look that comes before the next apply finishes it, and nobody else is blamed */
	assert_string_equal(d->steps, "+44");
	assert_int_equal(d->repairs, 0);
	end(d, peers);
}

static void a_refused_peer_is_an_error_in_every_apply_until_it_is_mended(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 2);

	(void)state;
	records[2].key.public_key[0] = 0x11;
	for (unsigned i = 0; i < 2; i++) {
		sync(d, peers, 4, 2);
		assert_int_equal(d->errors, 1);
		assert_memory_equal(d->error_of, records[2].record.id, 8);
		assert_string_equal(d->error, "its public key is that of another live peer: 0000000100000001");
	}
	assert_int_equal(d->n, 3);
	records[2].key.public_key[0] = 0x33;
	sync(d, peers, 4, 3);
	assert_int_equal(d->errors, 0);
	assert_int_equal(d->n, 4);
	end(d, peers);
}

/* ---- the process died ---- */

static void talk(struct device *d, size_t at, uint64_t handshake_s, uint16_t port)
{
	struct sockaddr_in *in4 = (void *)&d->peers[at].peer.endpoint;

	in4->sin_family = AF_INET;
	in4->sin_port = htons(port);
	in4->sin_addr.s_addr = htonl(0xc0000201);
	d->peers[at].last_handshake_s = handshake_s;
	d->peers[at].rx_bytes += 100;
}

static void see(struct device *d, struct peers *peers, struct stats *stats)
{
	struct wg_observed observed = dump(d);

	d->stats = 0;
	stats_take(stats, peers, &observed, &d->env.clock, device_stats, d);
	wg_observed_deinit(&observed);
}

static void after_a_death_all_come_back_and_those_who_talked_are_greeted_where_they_were(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);
	struct stats stats = { 0 };
	uint64_t now_s = clock_real_ms(&d->env.clock) / 1000;
	struct why why = { 0 };

	(void)state;
	talk(d, 0, now_s - 5, 4711);
	talk(d, 1, now_s - 500, 4712); /* long ago */
	see(d, peers, &stats);
	d->n = 0;
	d->n_ways = 0;
	d->steps[0] = 0;
	assert_int_equal(peers_replay(peers, &why), 0);
	assert_int_equal(d->n, 3);
	assert_int_equal(d->n_ways, 4);
	assert_int_equal(ntohs(((struct sockaddr_in *)&d->peers[0].peer.endpoint)->sin_port), 4711);
	assert_int_equal(d->peers[1].peer.endpoint.ss_family, 0);
	assert_int_equal(d->peers[2].peer.endpoint.ss_family, 0);
	assert_non_null(strstr(d->steps, "+33"));
	assert_non_null(strstr(d->steps, "~11 ~11")); /* the greeting: keepalive on and off again */
	assert_null(strstr(d->steps, "~22"));
	assert_int_equal(d->peers[0].peer.keepalive_s, 0);
	compare(d, peers);
	assert_string_equal(d->steps, "");
	end(d, peers);
}

static void a_replay_that_failed_half_way_is_finished_without_those_who_went_meanwhile(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);
	struct why why = { 0 };

	(void)state;
	d->n = 0;
	d->fail_after = 2;
	assert_int_equal(peers_replay(peers, &why), -EIO);
	assert_int_equal(d->n, 2);
	d->fail_after = -1;
	d->mute = true; /* until it is whole */
	records[0] = records[2];
	sync(d, peers, 2, 3); /* one of the two that are there was deleted */
	assert_int_equal(d->self_errors, 1);
	d->mute = false;
	assert_int_equal(peers_replay(peers, &why), 0);
	assert_int_equal(d->n, 2);
	compare(d, peers);
	assert_string_equal(d->steps, "");
	end(d, peers);
}

/* Nothing changes in the records: nobody but the look at the ways would find out. */
static void after_a_second_replay_ways_are_looked_after_as_before(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);
	struct why why = { 0 };

	(void)state;
	d->n = 0;
	d->fail_after = 1;
	assert_int_equal(peers_replay(peers, &why), -EIO);
	d->fail_after = -1;
	assert_int_equal(peers_replay(peers, &why), 0);
	d->n_ways--;
	peers_compare_ways(peers);
	assert_int_equal(d->n_ways, 4);
	assert_int_equal(d->repairs, 1);
	end(d, peers);
}

static void a_device_that_was_down_opens_sessions_with_those_who_talked(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);
	struct stats stats = { 0 };

	(void)state;
	talk(d, 1, clock_real_ms(&d->env.clock) / 1000 - 5, 4711);
	talk(d, 2, clock_real_ms(&d->env.clock) / 1000 - 500, 4712); /* by now that may be somebody else's address */
	see(d, peers, &stats);
	d->steps[0] = 0;
	peers_greet(peers);
	assert_string_equal(d->steps, "~22 ~22");
	compare(d, peers);
	assert_string_equal(d->steps, "");
	end(d, peers);
}

static void a_device_that_comes_back_before_the_records_is_left_empty(void **state)
{
	struct device *d = device_new();
	struct peers *peers = device_peers(d);
	struct why why = { 0 };

	(void)state;
	assert_int_equal(peers_replay(peers, &why), 0);
	assert_int_equal(d->applies, 0);
	fresh_records();
	sync(d, peers, 2, 1);
	assert_int_equal(d->n, 2);
	end(d, peers);
}

/* ---- others' hands ---- */

static void what_was_changed_by_hand_is_put_right_and_told(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);
	struct stats stats = { 0 };
	struct wg_prefix foreign = plan_peer_prefix(&(struct peer_record){ .network = NET_B, .home_gateway = SELF, .instance = 0x0a, .slot = 9 });
	struct wg_peer_status *one;

	(void)state;
	compare(d, peers);
	assert_int_equal(d->repairs, 0);
	device_drop(d, &d->peers[1]);
	compare(d, peers);
	assert_string_equal(d->steps, "+22");
	assert_string_equal(d->repaired, "peer: peer 0000000100000002, IgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= was missing");
	device_give(d, device_find(d, records[0].key.public_key), &foreign); /* a window into another network */
	compare(d, peers);
	assert_string_equal(d->steps, "+e0 -e0");
	assert_non_null(strstr(d->repaired, "at a peer that may not have it"));
	device_give(d, device_add(d, (uint8_t[WG_KEY_LEN]){ 0x99 }), &foreign);
	compare(d, peers);
	assert_string_equal(d->steps, "-99");
	assert_non_null(strstr(d->repaired, "is nobody's"));
	assert_int_equal(d->repairs, 3);
	compare(d, peers);
	assert_int_equal(d->repairs, 3);
	talk(d, 0, clock_real_ms(&d->env.clock) / 1000, 4711);
	see(d, peers, &stats);
	device_drop(d, &d->peers[0]); /* one who was connected is found where he was */
	compare(d, peers);
	assert_string_equal(d->steps, "+11 ~11 ~11");
	one = device_find(d, records[0].key.public_key);
	assert_int_equal(one->peer.endpoint.ss_family, AF_INET);
	talk(d, (size_t)(one - d->peers), clock_real_ms(&d->env.clock) / 1000, 4712); /* he roams, and is not called back */
	one->peer.keepalive_s = 25;
	compare(d, peers);
	assert_string_equal(d->steps, "~11");
	assert_int_equal(ntohs(((struct sockaddr_in *)&one->peer.endpoint)->sin_port), 4712);
	end(d, peers);
}

static void ways_that_went_or_came_are_put_right_and_told(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);
	struct plan_way foreign = { .kind = PLAN_ROUTE, .dst = addr_network_prefix(0x00020003), .dst_len = 48 };

	(void)state;
	assert_int_equal(d->n_ways, 4);
	d->n_ways--;
	d->ways[d->n_ways++] = foreign;
	d->steps[0] = 0;
	peers_compare_ways(peers);
	assert_string_equal(d->steps, ">r2 <r3");
	assert_int_equal(d->repairs, 2);
	peers_compare_ways(peers);
	assert_int_equal(d->repairs, 2);
	end(d, peers);
}

static void nothing_is_taken_away_before_the_records_are_known(void **state)
{
	struct device *d = device_new();
	struct peers *peers = device_peers(d);

	(void)state;
	device_add(d, (uint8_t[WG_KEY_LEN]){ 0x99 });
	compare(d, peers);
	peers_compare_ways(peers);
	assert_int_equal(d->n, 1);
	assert_int_equal(d->repairs, 0);
	end(d, peers);
}

/* ---- stats ---- */

static void a_handshake_or_another_endpoint_is_told_at_once_and_bytes_alone_later(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);
	struct stats stats = { 0 };
	uint64_t now_s = clock_real_ms(&d->env.clock) / 1000;

	(void)state;
	see(d, peers, &stats);
	assert_int_equal(d->stats, 0); /* that nobody came is no news */
	assert_int_equal(stats.never, 3);
	talk(d, 0, now_s, 4711);
	see(d, peers, &stats);
	assert_int_equal(d->stats, 1);
	assert_memory_equal(d->told.peer, records[0].record.id, 8);
	assert_string_equal(d->told.endpoint, "192.0.2.1:4711");
	assert_int_equal(d->told.last_handshake_ms, now_s * 1000);
	assert_int_equal(stats.online, 1);
	assert_int_equal(stats.handshakes, 1);
	talk(d, 0, now_s, 4711); /* bytes alone */
	see(d, peers, &stats);
	assert_int_equal(d->stats, 0);
	talk(d, 0, now_s, 4712); /* it roamed */
	see(d, peers, &stats);
	assert_int_equal(d->stats, 1);
	talk(d, 0, now_s, 4712);
	d->v.now_ms += STATS_BYTES_MS;
	see(d, peers, &stats);
	assert_int_equal(d->stats, 1);
	assert_int_equal(d->told.rx_bytes, 400);
	see(d, peers, &stats);
	assert_int_equal(d->stats, 0);
	d->peers[0].tx_bytes++; /* he only listens */
	d->v.now_ms += STATS_BYTES_MS;
	see(d, peers, &stats);
	assert_int_equal(d->stats, 1);
	d->v.now_ms += 1000 * STATS_ONLINE_S;
	see(d, peers, &stats);
	assert_int_equal(stats.offline, 1);
	assert_int_equal(stats.handshakes, 1);
	end(d, peers);
}

static void what_was_seen_of_a_peer_survives_changes_of_others_and_goes_with_its_key(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 2);
	struct stats stats = { 0 };

	(void)state;
	talk(d, 0, 1700000000, 4711);
	see(d, peers, &stats);
	sync(d, peers, 3, 2);
	assert_true(peers_find(peers, records[0].key.public_key)->is_seen);
	see(d, peers, &stats);
	assert_int_equal(d->stats, 0);
	records[0].key.public_key[0] = 0x55;
	sync(d, peers, 3, 3);
	assert_null(peers_find(peers, (uint8_t[WG_KEY_LEN]){ 0x11 }));
	assert_false(peers_find(peers, records[0].key.public_key)->is_seen);
	end(d, peers);
}

static void a_wipe_takes_the_ways_away(void **state)
{
	struct device *d;
	struct peers *peers = begin(&d, 3);

	(void)state;
	peers_wipe(peers);
	assert_int_equal(d->n_ways, 0);
	end(d, peers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_again_touches_nothing_and_asks_nothing),
		cmocka_unit_test(a_daemon_that_starts_again_finds_its_peers_and_replays_nothing),
		cmocka_unit_test(what_failed_half_way_is_told_and_finished_later),
		cmocka_unit_test(one_that_does_not_answer_is_not_asked),
		cmocka_unit_test(a_refused_peer_is_an_error_in_every_apply_until_it_is_mended),
		cmocka_unit_test(after_a_death_all_come_back_and_those_who_talked_are_greeted_where_they_were),
		cmocka_unit_test(a_replay_that_failed_half_way_is_finished_without_those_who_went_meanwhile),
		cmocka_unit_test(after_a_second_replay_ways_are_looked_after_as_before),
		cmocka_unit_test(a_device_that_was_down_opens_sessions_with_those_who_talked),
		cmocka_unit_test(a_device_that_comes_back_before_the_records_is_left_empty),
		cmocka_unit_test(what_was_changed_by_hand_is_put_right_and_told),
		cmocka_unit_test(ways_that_went_or_came_are_put_right_and_told),
		cmocka_unit_test(nothing_is_taken_away_before_the_records_are_known),
		cmocka_unit_test(a_handshake_or_another_endpoint_is_told_at_once_and_bytes_alone_later),
		cmocka_unit_test(what_was_seen_of_a_peer_survives_changes_of_others_and_goes_with_its_key),
		cmocka_unit_test(a_wipe_takes_the_ways_away),
	};

	crypto_init();
	log_set_level(LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
