/* The client on the in-memory network: states, calls, lost connections, hints, rekey. */
#include "tests/unit/lib/link/rig.h"

static void a_call_made_before_the_link_is_up_is_answered_when_it_is(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

	(void)state;
	assert_int_equal(rig_call(node, LINK_POLL, "early"), 0);
	link_client_start(node->client);
	rig_run(rig, 10);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_READY);
	assert_string_equal(node->last, "re:early");
	assert_int_equal(rig->request.host, 0xa0000001);
	assert_int_equal(rig->request.features, 5);
	assert_int_equal(link_client_features(node->client), 3);
	assert_memory_equal(rig->request.boot_id, node->config.boot_id, 16);
	rig_free(rig);
}

static void nothing_that_travels_holds_the_payload(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);

	(void)state;
	assert_int_equal(rig_call(node, LINK_POLL, "fearsome-bagel-43"), 0);
	rig_run(rig, 10);
	assert_string_equal(node->last, "re:fearsome-bagel-43");
	for (unsigned i = 0; i < rig->n_frames; i++)
		assert_null(memmem(rig->frames[i].bytes, rig->frames[i].len, "bagel", 5));
	rig_free(rig);
}

static void poll_and_report_are_outstanding_at_once_and_a_second_report_is_busy(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);

	(void)state;
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	assert_true(link_client_busy(node->client, LINK_POLL));
	assert_int_equal(rig_call(node, LINK_REPORT, "r"), 0);
	assert_int_equal(rig_call(node, LINK_REPORT, "r2"), -EBUSY);
	rig_run(rig, 10);
	assert_string_equal(node->last, "re:r");
	assert_int_equal(link_server_reply(rig->server, rig->parked[0], "now", 3), 0);
	rig_run(rig, 10);
	assert_string_equal(node->last, "now");
	rig_free(rig);
}

static void a_newer_poll_replaces_the_parked_one_on_both_ends(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);

	(void)state;
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "one"), 0);
	rig_run(rig, 10);
	assert_int_equal(rig_call(node, LINK_POLL, "two"), 0);
	assert_int_equal(node->results[LINK_REPLACED], 1);
	rig_run(rig, 10);
	assert_int_equal(rig->abandoned, 1);
	assert_int_equal(rig->abandoned_last, rig->parked[0]);
	assert_int_equal(link_server_reply(rig->server, rig->parked[0], "x", 1), -ENOENT);
	assert_int_equal(link_server_reply(rig->server, rig->parked[1], "y", 1), 0);
	assert_int_equal(link_server_reply(rig->server, rig->parked[1], "y", 1), -ENOENT);
	rig_run(rig, 10);
	assert_string_equal(node->last, "y");
	rig_free(rig);
}

static void a_poll_unanswered_for_two_park_times_is_given_up_and_a_new_session_is_made(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	uint64_t sessions = link_client_stats(node->client)->sessions;

	(void)state;
	link_client_set_park_ms(node->client, 10000);
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 19999);
	assert_int_equal(node->results[LINK_TIMEOUT], 0);
	rig_run(rig, 1);
	assert_int_equal(node->results[LINK_TIMEOUT], 1);
	rig->park = false;
	assert_int_equal(rig_call(node, LINK_POLL, "again"), 0);
	rig_run(rig, 5000);
	assert_string_equal(node->last, "re:again");
	assert_int_equal(link_client_stats(node->client)->sessions, sessions + 1);
	rig_free(rig);
}

static void a_half_open_connection_is_found_and_replaced(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);

	(void)state;
	link_memory_set_cut(rig->net, node->number, LINK_CUT_TO_SERVER | LINK_CUT_TO_CLIENT);
	assert_int_equal(rig_call(node, LINK_REPORT, "lost"), 0);
	rig_run(rig, 31000);
	assert_int_equal(node->results[LINK_TIMEOUT], 1);
	link_memory_set_cut(rig->net, node->number, LINK_CUT_NONE);
	assert_int_equal(rig_call(node, LINK_REPORT, "back"), 0);
	rig_run(rig, 20000);
	assert_string_equal(node->last, "re:back");
	rig_free(rig);
}

static void a_lost_connection_keeps_the_session_and_says_lost_for_what_was_sent(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	uint64_t handshakes = link_client_stats(node->client)->handshakes;

	(void)state;
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	link_memory_disconnect(rig->net, node->number);
	rig_run(rig, 0);
	assert_int_equal(node->results[LINK_LOST], 1);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_DIALING);
	assert_string_equal(link_client_address(node->client), "b:2");
	rig->park = false;
	assert_int_equal(rig_call(node, LINK_POLL, "q"), 0);
	rig_run(rig, 1000);
	assert_string_equal(node->last, "re:q");
	assert_int_equal(link_client_stats(node->client)->handshakes, handshakes);
	assert_int_equal(rig->abandoned, 1); /* the poll that was parked on the dead connection */
	rig_free(rig);
}

static void a_restarted_server_hints_and_the_node_is_back_with_one_handshake(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);

	(void)state;
	link_memory_set_server_up(rig->net, false);
	rig_run(rig, 10);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_DIALING);
	rig->server = link_server_free(rig->server);
	rig_start_server(rig);
	link_memory_set_server_up(rig->net, true);
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10000);
	assert_int_equal(node->results[LINK_LOST], 1);
	assert_int_equal(rig_dropped(rig, LINK_DROP_NO_SESSION), 1);
	assert_int_equal(link_client_stats(node->client)->hints, 1);
	assert_int_equal(rig_call(node, LINK_POLL, "p2"), 0);
	rig_run(rig, 10);
	assert_string_equal(node->last, "re:p2");
	rig_free(rig);
}

static void a_forged_hint_costs_one_handshake_in_five_seconds_and_no_call_is_stuck(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	uint8_t hint[16] = { LINK_FRAME_HINT, 0x08 };
	const struct link_memory_frame *poll;
	size_t n = 2;

	(void)state;
	rig->park = true;
	for (int round = 0; round < 50; round++) {
		uint32_t session;

		if (!link_client_busy(node->client, LINK_POLL)) {
			assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
		}
		rig_run(rig, 100);
		poll = rig_last_frame(rig, LINK_FRAME_REQUEST);
		session = get_u32(poll->bytes + 4);
		for (n = 2; session > 127; session >>= 7)
			hint[n++] = (uint8_t)(session | 0x80);
		hint[n++] = (uint8_t)session;
		link_memory_inject_to_client(rig->net, node->number, poll->request_id, hint, n);
	}
	assert_in_range(link_client_stats(node->client)->hints, 1, 2);
	assert_true(link_client_stats(node->client)->dropped[LINK_DROP_HINT_RATE] > 30);
	rig->park = false;
	rig_run(rig, 6000);
	assert_int_equal(rig_call(node, LINK_REPORT, "fine"), 0);
	rig_run(rig, 100);
	assert_string_equal(node->last, "re:fine");
	rig_free(rig);
}

static void the_session_is_renewed_after_an_hour_and_nothing_is_lost(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	unsigned calls = 1;

	(void)state;
	for (int minute = 0; minute < 150; minute++) {
		assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
		calls++;
		rig_run(rig, 60000);
	}
	assert_int_equal(node->results[LINK_OK], calls);
	assert_int_equal(link_client_stats(node->client)->sessions, 3);
	assert_int_equal(link_server_stats(rig->server)->sessions, 1);
	assert_int_equal(rig_server_drops(rig), 0);
	rig_free(rig);
}

static void the_session_is_renewed_after_so_many_messages(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

	(void)state;
	link_client_free(node->client);
	node->config.rekey_messages = 10;
	rig_new_client(node);
	link_client_start(node->client);
	for (int i = 0; i < 35; i++) {
		assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
		rig_run(rig, 100);
	}
	assert_int_equal(node->results[LINK_OK], 35);
	assert_int_equal(link_client_stats(node->client)->sessions, 4);
	rig_free(rig);
}

static void redialling_backs_off_with_full_jitter_up_to_half_a_minute(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);
	uint64_t dials, at_first;

	(void)state;
	link_memory_set_server_up(rig->net, false);
	link_client_start(node->client);
	rig_run(rig, 4000);
	at_first = link_client_stats(node->client)->dials;
	assert_true(at_first >= 3);
	rig_run(rig, 600000);
	dials = link_client_stats(node->client)->dials - at_first;
	assert_in_range(dials, 20, 90);
	link_memory_set_server_up(rig->net, true);
	rig_run(rig, 31000);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_READY);
	rig_free(rig);
}

static void a_dial_that_never_answers_is_given_up(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

	(void)state;
	link_memory_set_cut(rig->net, node->number, LINK_CUT_DIAL);
	link_client_start(node->client);
	rig_run(rig, 20000);
	assert_true(link_client_stats(node->client)->dials > 2);
	link_memory_set_cut(rig->net, node->number, LINK_CUT_NONE);
	rig_run(rig, 40000);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_READY);
	rig_free(rig);
}

static void stopping_ends_every_call(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);

	(void)state;
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	link_client_stop(node->client);
	assert_int_equal(node->results[LINK_STOPPED], 1);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_IDLE);
	rig_run(rig, 100000);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_IDLE);
	rig_free(rig);
}

static void an_oversized_call_is_refused_before_sending(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	uint8_t *big = calloc(1, LINK_REPLY_MAX + 1);

	(void)state;
	assert_int_equal(link_client_call(node->client, LINK_REPORT, big, LINK_REQUEST_MAX + 1, rig_done, node), -EMSGSIZE);
	assert_int_equal(link_client_call(node->client, LINK_REPORT, big, LINK_REQUEST_MAX, rig_done, node), 0);
	rig_run(rig, 10);
	assert_int_equal(rig->payload_len, LINK_REQUEST_MAX);
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	assert_int_equal(link_server_reply(rig->server, rig->parked[0], big, LINK_REPLY_MAX + 1), -EMSGSIZE);
	assert_int_equal(link_server_reply(rig->server, rig->parked[0], big, LINK_REPLY_MAX), 0);
	rig_run(rig, 10);
	assert_int_equal(node->results[LINK_OK], 3);
	free(big);
	rig_free(rig);
}

static void a_kind_may_call_only_its_own_methods(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL), *new_node = rig_add(rig, LINK_KIND_ENROLL, NULL);

	(void)state;
	assert_int_equal(rig_call(node, LINK_ENROLL, "x"), -EINVAL);
	assert_int_equal(rig_call(new_node, LINK_POLL, "x"), -EINVAL);
	link_client_start(new_node->client);
	assert_int_equal(rig_call(new_node, LINK_ENROLL, "token"), 0);
	rig_run(rig, 100);
	assert_string_equal(new_node->last, "re:token");
	assert_int_equal(rig->request.host, 0);
	assert_memory_equal(rig->request.peer_key, new_node->public_key, 32);
	rig_free(rig);
}

static void lost_frames_anywhere_in_the_handshake_are_repaired(void **state)
{
	(void)state;
	for (unsigned lose = 0; lose < 4; lose++) {
		struct rig *rig = rig_new();
		struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

		link_memory_set_cut(rig->net, node->number, lose & 1 ? LINK_CUT_TO_SERVER : LINK_CUT_TO_CLIENT);
		link_client_start(node->client);
		rig_run(rig, lose < 2 ? 500 : 30000);
		link_memory_set_cut(rig->net, node->number, LINK_CUT_NONE);
		assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
		rig_run(rig, 30000);
		assert_string_equal(node->last, "re:p");
		rig_free(rig);
	}
}

static void a_session_left_unused_is_made_anew_before_the_next_call(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

	(void)state;
	link_client_start(node->client);
	rig_run(rig, 60000);
	assert_int_equal(link_client_stats(node->client)->handshakes, 1);
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 100);
	assert_string_equal(node->last, "re:p");
	assert_int_equal(node->results[LINK_LOST], 0);
	rig_free(rig);
}

static void late_and_doubled_frames(struct rig *rig, struct link_memory_frame *frame)
{
	frame->copies = 1 + (unsigned)clock_random_below(&rig->clock, 2);
	frame->delay_ms = clock_random_below(&rig->clock, 200);
	if (clock_random_below(&rig->clock, 10) == 0)
		frame->copies = 0;
}

static void a_bad_network_delivers_each_reply_at_most_once_and_in_the_end_all(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	unsigned answered = 0;

	(void)state;
	rig->fate = late_and_doubled_frames;
	for (int i = 0; i < 200; i++) {
		unsigned ok = node->results[LINK_OK];
		char text[32];

		snprintf(text, sizeof text, "call %d", i);
		assert_int_equal(rig_call(node, LINK_POLL, text), 0);
		rig_run(rig, 80000);
		assert_false(link_client_busy(node->client, LINK_POLL));
		if (node->results[LINK_OK] == ok)
			continue;
		assert_int_equal(node->results[LINK_OK], ok + 1);
		assert_string_equal(node->last + 3, text);
		answered++;
	}
	assert_true(answered > 120);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_made_before_the_link_is_up_is_answered_when_it_is),
		cmocka_unit_test(nothing_that_travels_holds_the_payload),
		cmocka_unit_test(poll_and_report_are_outstanding_at_once_and_a_second_report_is_busy),
		cmocka_unit_test(a_newer_poll_replaces_the_parked_one_on_both_ends),
		cmocka_unit_test(a_poll_unanswered_for_two_park_times_is_given_up_and_a_new_session_is_made),
		cmocka_unit_test(a_half_open_connection_is_found_and_replaced),
		cmocka_unit_test(a_lost_connection_keeps_the_session_and_says_lost_for_what_was_sent),
		cmocka_unit_test(a_restarted_server_hints_and_the_node_is_back_with_one_handshake),
		cmocka_unit_test(a_forged_hint_costs_one_handshake_in_five_seconds_and_no_call_is_stuck),
		cmocka_unit_test(the_session_is_renewed_after_an_hour_and_nothing_is_lost),
		cmocka_unit_test(the_session_is_renewed_after_so_many_messages),
		cmocka_unit_test(redialling_backs_off_with_full_jitter_up_to_half_a_minute),
		cmocka_unit_test(a_dial_that_never_answers_is_given_up),
		cmocka_unit_test(stopping_ends_every_call),
		cmocka_unit_test(an_oversized_call_is_refused_before_sending),
		cmocka_unit_test(a_kind_may_call_only_its_own_methods),
		cmocka_unit_test(lost_frames_anywhere_in_the_handshake_are_repaired),
		cmocka_unit_test(a_session_left_unused_is_made_anew_before_the_next_call),
		cmocka_unit_test(a_bad_network_delivers_each_reply_at_most_once_and_in_the_end_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
