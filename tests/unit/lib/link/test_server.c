/* The server against those who would harm it: forged, replayed, late, too many, and two with one identity. */
#include "tests/unit/lib/link/rig.h"

#include "lib/link/handshake.h"
#include "lib/link/peers.h"

static int withheld_type;

static void withhold(struct rig *rig, struct link_memory_frame *frame)
{
	(void)rig;
	if (frame->bytes[0] == withheld_type)
		frame->copies = 0;
}

static void withhold_only(struct rig *rig, int type)
{
	withheld_type = type;
	rig->fate = type ? withhold : NULL;
}

static const struct link_source stranger = { .len = 16, .address = { 0x20, 1, [15] = 9 } };
static const struct link_route nowhere = { { 0x7f, 0, 0, 1, 0x80, 0, 0, 1 } };

static const uint8_t flips[] = { 0x01, 0x80, 0xff };

/* Gives every one-byte change of the frame to the server: each is dropped and counted, and nothing else changes. */
static void flip_all_to_server(struct rig *rig, const struct link_memory_frame *frame)
{
	struct link_server_stats before = *link_server_stats(rig->server);
	unsigned requests = rig->requests;
	uint64_t n = 0, drops = rig_server_drops(rig);
	uint8_t *copy = malloc(frame->len);

	for (size_t i = 0; i < frame->len; i++)
		for (size_t f = 0; f < sizeof flips; f++, n++) {
			memcpy(copy, frame->bytes, frame->len);
			copy[i] ^= flips[f];
			link_memory_inject_to_server(rig->net, &frame->route, &stranger, copy, frame->len);
			link_memory_settle(rig->net);
			assert_int_equal(rig_server_drops(rig), drops + n + 1);
		}
	assert_int_equal(rig->requests, requests);
	assert_int_equal(link_server_stats(rig->server)->handshakes, before.handshakes);
	assert_int_equal(link_server_stats(rig->server)->sessions, before.sessions);
	free(copy);
}

static void flip_all_to_client(struct rig *rig, struct rig_node *node, const struct link_memory_frame *frame)
{
	struct link_client_stats before = *link_client_stats(node->client);
	enum link_client_state state = link_client_state(node->client);
	uint64_t n = 0, drops = rig_client_drops(node);
	uint8_t *copy = malloc(frame->len);

	for (size_t i = 0; i < frame->len; i++)
		for (size_t f = 0; f < sizeof flips; f++, n++) {
			memcpy(copy, frame->bytes, frame->len);
			copy[i] ^= flips[f];
			link_memory_inject_to_client(rig->net, node->number, frame->request_id, copy, frame->len);
			link_memory_settle(rig->net);
			assert_int_equal(rig_client_drops(node), drops + n + 1);
		}
	assert_int_equal(link_client_state(node->client), state);
	assert_int_equal(link_client_stats(node->client)->sessions, before.sessions);
	assert_int_equal(link_client_stats(node->client)->replies, before.replies);
	free(copy);
}

static void any_flipped_byte_of_a_hello_is_dropped_and_counted(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);
	const struct link_memory_frame *hello;

	(void)state;
	withhold_only(rig, LINK_FRAME_HELLO);
	link_client_start(node->client);
	rig_run(rig, 10);
	hello = rig_last_frame(rig, LINK_FRAME_HELLO);
	flip_all_to_server(rig, hello);
	/* a flipped mac2 was answered with a cookie, which the node took: its hello is a newer one now */
	hello = rig_last_frame(rig, LINK_FRAME_HELLO);
	link_memory_inject_to_server(rig->net, &hello->route, &stranger, hello->bytes, hello->len);
	rig_run(rig, 10);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_READY);
	rig_free(rig);
}

static void a_flipped_hello_with_a_good_mac1_is_still_not_authentic(void **state)
{
	struct rig *rig;
	struct rig_node *node;
	const struct link_memory_frame *hello;
	struct noise_mac_keys keys;
	uint8_t copy[LINK_HANDSHAKE_MAX];

	(void)state;
	rig = rig_new();
	rig->server = link_server_free(rig->server);
	rig->server_config.admission = (struct link_admission_limits){ .source_burst = 100000, .total_burst = 100000, .load_per_second = 100000 };
	rig_start_server(rig);
	node = rig_add(rig, LINK_KIND_NODE, NULL);
	withhold_only(rig, LINK_FRAME_HELLO);
	link_client_start(node->client);
	rig_run(rig, 10);
	hello = rig_last_frame(rig, LINK_FRAME_HELLO);
	noise_mac_keys_init(&keys, NOISE_LINK_MAC1_LABEL, NOISE_LINK_COOKIE_LABEL, link_server_public_key(rig->server));
	for (size_t i = LINK_HANDSHAKE_HEADER; i < hello->len - LINK_MACS_LEN; i++) {
		memcpy(copy, hello->bytes, hello->len);
		copy[i] ^= 0x40;
		noise_mac1(&keys, copy, hello->len - LINK_MACS_LEN, copy + hello->len - LINK_MACS_LEN);
		link_memory_inject_to_server(rig->net, &hello->route, &stranger, copy, hello->len);
		link_memory_settle(rig->net);
		assert_int_equal(rig_dropped(rig, LINK_DROP_HANDSHAKE), i + 1 - LINK_HANDSHAKE_HEADER);
	}
	assert_int_equal(link_server_stats(rig->server)->handshakes, 0);
	rig_free(rig);
}

static void any_flipped_byte_of_a_welcome_is_dropped_and_counted(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);
	const struct link_memory_frame *welcome;

	(void)state;
	withhold_only(rig, LINK_FRAME_WELCOME);
	link_client_start(node->client);
	rig_run(rig, 10);
	welcome = rig_last_frame(rig, LINK_FRAME_WELCOME);
	flip_all_to_client(rig, node, welcome);
	link_memory_inject_to_client(rig->net, node->number, welcome->request_id, welcome->bytes, welcome->len);
	rig_run(rig, 10);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_READY);
	rig_free(rig);
}

static void any_flipped_byte_of_a_request_or_reply_is_dropped_and_counted(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	const struct link_memory_frame *frame;

	(void)state;
	withhold_only(rig, LINK_FRAME_REQUEST);
	assert_int_equal(rig_call(node, LINK_POLL, "poll"), 0);
	frame = rig_last_frame(rig, LINK_FRAME_REQUEST);
	flip_all_to_server(rig, frame);
	withhold_only(rig, LINK_FRAME_REPLY);
	link_memory_inject_to_server(rig->net, &frame->route, &stranger, frame->bytes, frame->len);
	rig_run(rig, 10);
	frame = rig_last_frame(rig, LINK_FRAME_REPLY);
	flip_all_to_client(rig, node, frame);
	link_memory_inject_to_client(rig->net, node->number, frame->request_id, frame->bytes, frame->len);
	rig_run(rig, 10);
	assert_string_equal(node->last, "re:poll");
	rig_free(rig);
}

static void any_flipped_byte_of_a_hint_is_dropped_and_counted(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	const struct link_memory_frame *hint;

	(void)state;
	rig->server = link_server_free(rig->server);
	rig_start_server(rig);
	withhold_only(rig, LINK_FRAME_HINT);
	assert_int_equal(rig_call(node, LINK_POLL, "poll"), 0);
	rig_run(rig, 10);
	hint = rig_last_frame(rig, LINK_FRAME_HINT);
	flip_all_to_client(rig, node, hint);
	link_memory_inject_to_client(rig->net, node->number, hint->request_id, hint->bytes, hint->len);
	rig_run(rig, 10);
	assert_int_equal(link_client_stats(node->client)->sessions, 2);
	rig_free(rig);
}

/* A server that is under load from the second handshake of a second on, and is. */
static struct rig *loaded_rig(void)
{
	struct rig *rig = rig_new();

	rig->server = link_server_free(rig->server);
	rig->server_config.admission.load_per_second = 1;
	rig_start_server(rig);
	link_client_start(rig_add(rig, LINK_KIND_NODE, NULL)->client);
	rig_run(rig, 0);
	return rig;
}

static void any_flipped_byte_of_a_cookie_is_dropped_and_counted(void **state)
{
	struct rig *rig = loaded_rig();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);
	const struct link_memory_frame *cookie;

	(void)state;
	withhold_only(rig, LINK_FRAME_COOKIE);
	link_client_start(node->client);
	rig_run(rig, 0);
	cookie = rig_last_frame(rig, LINK_FRAME_COOKIE);
	flip_all_to_client(rig, node, cookie);
	link_memory_inject_to_client(rig->net, node->number, cookie->request_id, cookie->bytes, cookie->len);
	link_memory_settle(rig->net);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_READY);
	rig_free(rig);
}

static void under_load_a_cookie_is_demanded_before_anything_is_computed(void **state)
{
	struct rig *rig = loaded_rig();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

	(void)state;
	link_client_start(node->client);
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 0);
	assert_int_equal(rig_dropped(rig, LINK_DROP_COOKIE_WANTED), 1);
	assert_int_equal(link_client_stats(node->client)->cookies, 1);
	assert_string_equal(node->last, "re:p");
	rig_free(rig);
}

static void a_cookie_is_good_only_from_the_address_it_was_sent_to(void **state)
{
	struct rig *rig = loaded_rig();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);
	const struct link_memory_frame *hello;

	(void)state;
	link_client_start(node->client);
	rig_run(rig, 0);
	hello = rig_last_frame(rig, LINK_FRAME_HELLO);
	link_memory_inject_to_server(rig->net, &nowhere, &stranger, hello->bytes, hello->len);
	rig_run(rig, 0);
	assert_int_equal(rig_dropped(rig, LINK_DROP_COOKIE_WRONG), 1);
	rig_free(rig);
}

static void an_old_cookie_after_a_restart_is_replaced_at_once(void **state)
{
	struct rig *rig = loaded_rig();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

	(void)state;
	link_client_start(node->client);
	rig_run(rig, 0);
	assert_int_equal(link_client_stats(node->client)->cookies, 1);
	rig->server = link_server_free(rig->server);
	rig_start_server(rig);
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 100);
	assert_int_equal(rig_dropped(rig, LINK_DROP_COOKIE_WRONG), 1);
	assert_int_equal(link_client_state(node->client), LINK_CLIENT_READY);
	rig_free(rig);
}

static void a_replayed_hello_displaces_nothing(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	const struct link_memory_frame *hello = rig_last_frame(rig, LINK_FRAME_HELLO);

	(void)state;
	link_memory_inject_to_server(rig->net, &nowhere, &stranger, hello->bytes, hello->len);
	rig_run(rig, 10);
	assert_int_equal(rig_dropped(rig, LINK_DROP_STALE_HELLO), 1);
	assert_int_equal(link_server_stats(rig->server)->sessions, 1);
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	assert_string_equal(node->last, "re:p");
	rig_free(rig);
}

static void a_hello_replayed_to_a_restarted_server_stays_provisional_and_is_forgotten(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	const struct link_memory_frame *hello = rig_last_frame(rig, LINK_FRAME_HELLO);
	struct rig_node *other;

	(void)state;
	rig->server = link_server_free(rig->server);
	rig_start_server(rig);
	link_memory_inject_to_server(rig->net, &nowhere, &stranger, hello->bytes, hello->len);
	rig_run(rig, 10);
	assert_int_equal(link_server_stats(rig->server)->provisional, 1);
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	assert_int_equal(rig_call(node, LINK_POLL, "p2"), 0);
	rig_run(rig, 11000);
	assert_string_equal(node->last, "re:p2");
	other = rig_ready(rig);
	assert_int_equal(other->results[LINK_OK], 1);
	assert_int_equal(link_server_stats(rig->server)->provisional, 0);
	rig_free(rig);
}

static void a_poll_replayed_from_another_route_is_dropped_and_the_reply_goes_to_the_first(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	const struct link_memory_frame *poll;

	(void)state;
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	poll = rig_last_frame(rig, LINK_FRAME_REQUEST);
	link_memory_inject_to_server(rig->net, &nowhere, &stranger, poll->bytes, poll->len);
	rig_run(rig, 10);
	assert_int_equal(rig_dropped(rig, LINK_DROP_COUNTER), 1);
	assert_int_equal(rig->abandoned, 0);
	assert_int_equal(link_server_reply(rig->server, rig->parked[0], "mine", 4), 0);
	rig_run(rig, 10);
	assert_string_equal(node->last, "mine");
	rig_free(rig);
}

static void a_reply_held_back_is_no_answer_to_a_later_request(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	const struct link_memory_frame *held, *later;
	uint8_t copy[128];

	(void)state;
	withhold_only(rig, LINK_FRAME_REPLY);
	assert_int_equal(rig_call(node, LINK_POLL, "old"), 0);
	rig_run(rig, 10);
	held = rig_last_frame(rig, LINK_FRAME_REPLY);
	withhold_only(rig, 0);
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "new"), 0);
	rig_run(rig, 10);
	later = rig_last_frame(rig, LINK_FRAME_REQUEST);
	link_memory_inject_to_client(rig->net, node->number, held->request_id, held->bytes, held->len);
	link_memory_inject_to_client(rig->net, node->number, later->request_id, held->bytes, held->len);
	memcpy(copy, held->bytes, held->len);
	memcpy(copy + 16, later->bytes + 8, 8); /* claims to answer the later one */
	link_memory_inject_to_client(rig->net, node->number, later->request_id, copy, held->len);
	rig_run(rig, 10);
	assert_int_equal(link_client_stats(node->client)->dropped[LINK_DROP_UNASKED], 1);
	assert_int_equal(link_client_stats(node->client)->dropped[LINK_DROP_WRONG_ANSWER], 1);
	assert_int_equal(link_client_stats(node->client)->dropped[LINK_DROP_FORGED], 1);
	assert_int_equal(link_server_reply(rig->server, rig->parked[0], "true", 4), 0);
	rig_run(rig, 10);
	assert_string_equal(node->last, "true");
	rig_free(rig);
}

static void a_poll_overtaken_by_a_newer_one_does_not_displace_it(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	const struct link_memory_frame *late;

	(void)state;
	rig->park = true;
	withhold_only(rig, LINK_FRAME_REQUEST);
	assert_int_equal(rig_call(node, LINK_POLL, "late"), 0);
	late = rig_last_frame(rig, LINK_FRAME_REQUEST);
	withhold_only(rig, 0);
	assert_int_equal(rig_call(node, LINK_POLL, "newer"), 0);
	rig_run(rig, 10);
	link_memory_inject_to_server(rig->net, &late->route, &stranger, late->bytes, late->len);
	rig_run(rig, 10);
	assert_int_equal(rig_dropped(rig, LINK_DROP_OVERTAKEN), 1);
	assert_int_equal(rig->abandoned, 0);
	assert_int_equal(link_server_reply(rig->server, rig->parked[0], "ok", 2), 0);
	rig_free(rig);
}

static void a_report_that_overtakes_a_poll_does_not_hurt_it(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	const struct link_memory_frame *poll;

	(void)state;
	withhold_only(rig, LINK_FRAME_REQUEST);
	assert_int_equal(rig_call(node, LINK_POLL, "poll"), 0);
	poll = rig_last_frame(rig, LINK_FRAME_REQUEST);
	withhold_only(rig, 0);
	assert_int_equal(rig_call(node, LINK_REPORT, "report"), 0);
	rig_run(rig, 10);
	assert_string_equal(node->last, "re:report");
	link_memory_inject_to_server(rig->net, &poll->route, &stranger, poll->bytes, poll->len);
	rig_run(rig, 10);
	assert_string_equal(node->last, "re:poll");
	rig_free(rig);
}

static void provisional_sessions_are_limited_and_strangers_have_their_own_share(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node;

	(void)state;
	for (int i = 0; i < 30; i++) {
		node = rig_add(rig, LINK_KIND_ENROLL, NULL);
		link_memory_set_cut(rig->net, node->number, LINK_CUT_TO_CLIENT);
		link_client_start(node->client);
	}
	rig_run(rig, 0);
	assert_int_equal(link_server_stats(rig->server)->provisional, LINK_PROVISIONAL_ENROLL);
	assert_int_equal(rig_dropped(rig, LINK_DROP_PROVISIONAL_FULL), 30 - LINK_PROVISIONAL_ENROLL);
	node = rig_ready(rig);
	for (int i = 0; i < 49; i++) {
		node = rig_add(rig, LINK_KIND_NODE, NULL);
		link_memory_set_cut(rig->net, node->number, LINK_CUT_TO_CLIENT);
		link_client_start(node->client);
	}
	rig_run(rig, 0);
	assert_int_equal(link_server_stats(rig->server)->provisional, LINK_PROVISIONAL_MAX);
	assert_int_equal(rig_dropped(rig, LINK_DROP_PROVISIONAL_FULL), 30 - LINK_PROVISIONAL_ENROLL + 1);
	rig_run(rig, 30000);
	assert_in_range(link_server_stats(rig->server)->provisional, 1, LINK_PROVISIONAL_MAX);
	rig_free(rig);
}

static void one_key_has_one_provisional_session(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

	(void)state;
	link_memory_set_cut(rig->net, node->number, LINK_CUT_TO_CLIENT);
	link_client_start(node->client);
	rig_run(rig, 9000);
	assert_true(link_server_stats(rig->server)->handshakes > 2);
	assert_int_equal(link_server_stats(rig->server)->provisional, 1);
	assert_int_equal(link_server_stats(rig->server)->sessions, 1);
	rig_free(rig);
}

static void an_unknown_key_may_only_enroll_and_a_revoked_one_nothing(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *unknown = rig_add(rig, LINK_KIND_NODE, NULL), *revoked = rig_add(rig, LINK_KIND_ENROLL, NULL);

	(void)state;
	unknown->who = LINK_WHO_UNKNOWN;
	revoked->who = LINK_WHO_REVOKED;
	link_client_start(unknown->client);
	link_client_start(revoked->client);
	rig_run(rig, 100);
	assert_int_equal(rig_dropped(rig, LINK_DROP_UNKNOWN_KEY), 1);
	assert_int_equal(rig_dropped(rig, LINK_DROP_REVOKED), 1);
	assert_int_equal(link_server_stats(rig->server)->sessions, 0);
	rig_free(rig);
}

static void a_key_revoked_meanwhile_is_refused_at_its_next_message_and_its_poll_abandoned(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);

	(void)state;
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	node->who = LINK_WHO_REVOKED;
	assert_int_equal(rig_call(node, LINK_REPORT, "r"), 0);
	rig_run(rig, 10);
	assert_int_equal(rig_dropped(rig, LINK_DROP_REVOKED), 1);
	assert_int_equal(rig->abandoned, 1);
	assert_int_equal(link_server_stats(rig->server)->sessions, 0);
	assert_int_equal(link_server_stats(rig->server)->calls, 0);
	rig_free(rig);
}

static void ending_a_peer_abandons_its_calls_at_once(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);

	(void)state;
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	link_server_end_peer(rig->server, node->public_key);
	assert_int_equal(rig->abandoned, 1);
	assert_int_equal(link_server_reply(rig->server, rig->parked[0], "x", 1), -ENOENT);
	link_server_end_peer(rig->server, node->public_key);
	rig_free(rig);
}

static void a_session_past_its_life_gets_a_hint_instead_of_an_answer(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

	(void)state;
	link_client_free(node->client);
	node->config.rekey_ms = 100ull * 3600 * 1000;
	rig_new_client(node);
	link_client_start(node->client);
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 71 * 60 * 1000);
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	assert_int_equal(rig_dropped(rig, LINK_DROP_EXPIRED), 1);
	assert_int_equal(rig_call(node, LINK_POLL, "p3"), 0);
	rig_run(rig, 10);
	assert_string_equal(node->last, "re:p3");
	rig_free(rig);
}

/* ------------------------------------------------------------------------------------------------ two with one identity */

static struct rig_node *second_with_the_key(struct rig *rig, const struct rig_node *first, uint64_t boot_count)
{
	struct rig_node *second = rig_add(rig, LINK_KIND_NODE, first);

	link_client_free(second->client);
	second->config.boot_count = boot_count;
	rig_new_client(second);
	rig_run(rig, 10); /* its stamps are later */
	link_client_start(second->client);
	assert_int_equal(rig_call(second, LINK_POLL, "second"), 0);
	rig_run(rig, 10);
	return second;
}

static void a_clone_with_an_equal_or_lower_boot_count_is_flagged_while_the_holder_polls(void **state)
{
	(void)state;
	for (uint64_t boot_count = 0; boot_count <= 1; boot_count++) {
		struct rig *rig = rig_new();
		struct rig_node *holder = rig_ready(rig), *clone;

		assert_int_equal(rig_call(holder, LINK_POLL, "holder"), 0);
		rig_run(rig, 10);
		assert_false(rig->request.clone);
		clone = second_with_the_key(rig, holder, boot_count);
		assert_true(rig->request.clone);
		assert_int_equal(rig->clones, 1);
		assert_int_equal(rig->clone.host, 0xa0000001);
		assert_memory_equal(rig->clone.holder_boot_id, holder->config.boot_id, 16);
		assert_memory_equal(rig->clone.clone_boot_id, clone->config.boot_id, 16);
		assert_int_equal(rig->clone.clone_source.address[15], 2);
		for (int i = 0; i < 10; i++) {
			assert_int_equal(rig_call(holder, LINK_POLL, "holder"), 0);
			rig_run(rig, 10);
			assert_false(rig->request.clone);
			assert_int_equal(rig_call(clone, LINK_POLL, "clone"), 0);
			rig_run(rig, 20000);
			assert_true(rig->request.clone);
		}
		assert_int_equal(holder->results[LINK_OK], 12);
		assert_int_equal(rig->clones, 1);
		rig_free(rig);
	}
}

static void a_higher_boot_count_supersedes_at_once(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *old = rig_ready(rig), *new;

	(void)state;
	rig->park = true;
	assert_int_equal(rig_call(old, LINK_POLL, "old"), 0);
	rig_run(rig, 10);
	new = second_with_the_key(rig, old, 2);
	assert_false(rig->request.clone);
	assert_int_equal(rig->abandoned, 1);
	assert_int_equal(rig->clones, 0);
	rig->park = false;
	/* the one that was superseded comes back by a hint, and is the clone now */
	assert_int_equal(rig_call(old, LINK_POLL, "old"), 0);
	rig_run(rig, 10);
	assert_int_equal(rig_call(old, LINK_POLL, "old"), 0);
	rig_run(rig, 10);
	assert_true(rig->request.clone);
	assert_int_equal(rig->clones, 1);
	assert_int_equal(rig_call(new, LINK_POLL, "new"), 0);
	rig_run(rig, 10);
	assert_false(rig->request.clone);
	rig_free(rig);
}

static void a_clone_takes_over_when_the_holder_was_silent_for_two_park_times(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *holder = rig_ready(rig), *clone;

	(void)state;
	assert_int_equal(rig_call(holder, LINK_POLL, "holder"), 0);
	rig_run(rig, 10);
	clone = second_with_the_key(rig, holder, 1);
	assert_true(rig->request.clone);
	rig_run(rig, 49000);
	assert_int_equal(rig_call(clone, LINK_POLL, "clone"), 0);
	rig_run(rig, 10);
	assert_true(rig->request.clone);
	rig_run(rig, 2000);
	assert_int_equal(rig_call(clone, LINK_POLL, "clone"), 0);
	rig_run(rig, 10);
	assert_false(rig->request.clone);
	rig_free(rig);
}

static void a_restarted_node_whose_clock_went_back_is_let_in_but_its_old_hellos_are_not(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	const struct link_memory_frame *old = rig_last_frame(rig, LINK_FRAME_HELLO);

	(void)state;
	link_client_free(node->client);
	rig->v.real_offset_ms -= 86400000;
	rig_new_client(node); /* same boot count: as good as a replay */
	link_client_start(node->client);
	rig_run(rig, 100);
	assert_int_equal(rig_dropped(rig, LINK_DROP_STALE_HELLO), 1);
	link_client_free(node->client);
	node->config.boot_count = 2;
	rig_new_client(node);
	link_client_start(node->client);
	assert_int_equal(rig_call(node, LINK_POLL, "back"), 0);
	rig_run(rig, 100);
	assert_string_equal(node->last, "re:back");
	link_memory_inject_to_server(rig->net, &nowhere, &stranger, old->bytes, old->len);
	rig_run(rig, 10);
	assert_int_equal(rig_dropped(rig, LINK_DROP_STALE_HELLO), 2);
	rig_free(rig);
}

/* -------------------------------------------------------------------------------------------------------------- garbage */

static void garbage_of_any_length_is_dropped_and_counted_on_both_ends(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	uint8_t junk[700];

	(void)state;
	rig->park = true;
	assert_int_equal(rig_call(node, LINK_POLL, "p"), 0);
	rig_run(rig, 10);
	for (uint64_t i = 0; i < 20000; i++) {
		size_t len = clock_random_below(&rig->clock, sizeof junk);

		clock_random(&rig->clock, junk, len);
		if (i % 2)
			junk[0] = (uint8_t)(junk[0] % 8);
		link_memory_inject_to_server(rig->net, &nowhere, &stranger, junk, len);
		link_memory_inject_to_client(rig->net, node->number, rig_last_frame(rig, LINK_FRAME_REQUEST)->request_id, junk, len);
		link_memory_settle(rig->net);
		assert_int_equal(rig_server_drops(rig), i + 1);
		assert_int_equal(rig_client_drops(node), i + 1);
	}
	assert_int_equal(link_server_reply(rig->server, rig->parked[0], "fine", 4), 0);
	rig_run(rig, 10);
	assert_string_equal(node->last, "fine");
	rig_free(rig);
}

static void every_truncation_and_every_oversized_frame_is_dropped(void **state)
{
	struct rig *rig = rig_new();
	struct rig_node *node = rig_ready(rig);
	uint8_t *big = calloc(1, LINK_TO_CLIENT_MAX + 1);
	uint64_t drops = 0;

	(void)state;
	for (unsigned i = 0, n = rig->n_frames; i < n; i++) {
		const struct link_memory_frame *f = &rig->frames[i];

		for (size_t len = 0; f->to_server && len < f->len; len++, drops++)
			link_memory_inject_to_server(rig->net, &f->route, &stranger, f->bytes, len);
	}
	link_memory_settle(rig->net);
	assert_int_equal(rig_server_drops(rig), drops);
	for (uint8_t type = 0; type < 8; type++) {
		big[0] = type;
		big[1] = type == LINK_FRAME_HELLO ? LINK_KIND_NODE : LINK_POLL;
		link_memory_inject_to_server(rig->net, &nowhere, &stranger, big, LINK_TO_SERVER_MAX + 1);
		link_memory_inject_to_client(rig->net, node->number, 0x80000001, big, LINK_TO_CLIENT_MAX + 1);
	}
	link_memory_settle(rig->net);
	assert_int_equal(rig_dropped(rig, LINK_DROP_LONG), 2);
	assert_int_equal(link_client_stats(node->client)->dropped[LINK_DROP_LONG], 4);
	assert_int_equal(rig_server_drops(rig), drops + 8);
	free(big);
	rig_free(rig);
}

/* A client written against the wire alone, which does what the real one would not. */
struct raw {
	struct link_client_transport *transport;
	struct link_knock knock;
	struct link_session session;
	struct rig *rig;
};

static void raw_up(void *owner)
{
	(void)owner;
}

static void raw_reply(void *owner, uint32_t request_id, const uint8_t *bytes, size_t len)
{
	struct raw *raw = owner;
	struct link_frame frame;
	enum link_drop reason;
	uint64_t features;

	(void)request_id;
	assert_int_equal(link_frame_parse(bytes, len, false, &frame, &reason), 0);
	if (frame.type == LINK_FRAME_WELCOME)
		assert_int_equal(link_knock_read_welcome(&raw->knock, &raw->rig->clock, &frame, &raw->session, &features, &reason), 0);
}

static void a_session_may_not_call_the_methods_of_the_other_kind(void **state)
{
	static const struct {
		enum link_kind kind;
		enum link_method method;
	} rows[] = { { LINK_KIND_ENROLL, LINK_POLL }, { LINK_KIND_ENROLL, LINK_REPORT }, { LINK_KIND_NODE, LINK_ENROLL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig *rig = rig_new();
		struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL); /* a known key */
		struct raw raw = { .rig = rig };
		struct link_hello hello = { .boot_count = 1 };
		CLEAN_BUF struct buf knock = BUF_INIT(0), call = BUF_INIT(0);
		uint64_t counter;
		unsigned number;

		assert_int_equal(link_memory_add_client(rig->net, &raw.transport, &number), 0);
		raw.transport->owner = &raw;
		raw.transport->connected = raw.transport->disconnected = raw_up;
		raw.transport->reply = raw_reply;
		assert_int_equal(raw.transport->ops->dial(raw.transport, "x:1"), 0);
		link_memory_settle(rig->net);
		assert_int_equal(link_knock_write(&raw.knock, &rig->clock, rows[i].kind, node->private_key,
						  link_server_public_key(rig->server), &hello, NULL, &knock), 0);
		assert_int_equal(raw.transport->ops->send(raw.transport, 0x80000001, knock.data, knock.len), 0);
		link_memory_settle(rig->net);
		assert_int_not_equal(raw.session.id, 0);
		assert_int_equal(link_session_seal(&raw.session, LINK_FRAME_REQUEST, rows[i].method, 0, "x", 1, &call, &counter), 0);
		assert_int_equal(raw.transport->ops->send(raw.transport, 0x80000002, call.data, call.len), 0);
		link_memory_settle(rig->net);
		assert_int_equal(rig_dropped(rig, LINK_DROP_METHOD), 1);
		assert_int_equal(rig->requests, 0);
		rig_free(rig);
	}
}

static void every_reason_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < LINK_DROPS; i++) {
		assert_non_null(link_drop_texts[i].name);
		assert_non_null(link_drop_texts[i].text);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(link_drop_name(i), link_drop_name(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_flipped_byte_of_a_hello_is_dropped_and_counted),
		cmocka_unit_test(a_flipped_hello_with_a_good_mac1_is_still_not_authentic),
		cmocka_unit_test(any_flipped_byte_of_a_welcome_is_dropped_and_counted),
		cmocka_unit_test(any_flipped_byte_of_a_request_or_reply_is_dropped_and_counted),
		cmocka_unit_test(any_flipped_byte_of_a_hint_is_dropped_and_counted),
		cmocka_unit_test(any_flipped_byte_of_a_cookie_is_dropped_and_counted),
		cmocka_unit_test(under_load_a_cookie_is_demanded_before_anything_is_computed),
		cmocka_unit_test(a_cookie_is_good_only_from_the_address_it_was_sent_to),
		cmocka_unit_test(an_old_cookie_after_a_restart_is_replaced_at_once),
		cmocka_unit_test(a_replayed_hello_displaces_nothing),
		cmocka_unit_test(a_hello_replayed_to_a_restarted_server_stays_provisional_and_is_forgotten),
		cmocka_unit_test(a_poll_replayed_from_another_route_is_dropped_and_the_reply_goes_to_the_first),
		cmocka_unit_test(a_reply_held_back_is_no_answer_to_a_later_request),
		cmocka_unit_test(a_poll_overtaken_by_a_newer_one_does_not_displace_it),
		cmocka_unit_test(a_report_that_overtakes_a_poll_does_not_hurt_it),
		cmocka_unit_test(provisional_sessions_are_limited_and_strangers_have_their_own_share),
		cmocka_unit_test(one_key_has_one_provisional_session),
		cmocka_unit_test(an_unknown_key_may_only_enroll_and_a_revoked_one_nothing),
		cmocka_unit_test(a_key_revoked_meanwhile_is_refused_at_its_next_message_and_its_poll_abandoned),
		cmocka_unit_test(ending_a_peer_abandons_its_calls_at_once),
		cmocka_unit_test(a_session_past_its_life_gets_a_hint_instead_of_an_answer),
		cmocka_unit_test(a_clone_with_an_equal_or_lower_boot_count_is_flagged_while_the_holder_polls),
		cmocka_unit_test(a_higher_boot_count_supersedes_at_once),
		cmocka_unit_test(a_clone_takes_over_when_the_holder_was_silent_for_two_park_times),
		cmocka_unit_test(a_restarted_node_whose_clock_went_back_is_let_in_but_its_old_hellos_are_not),
		cmocka_unit_test(garbage_of_any_length_is_dropped_and_counted_on_both_ends),
		cmocka_unit_test(every_truncation_and_every_oversized_frame_is_dropped),
		cmocka_unit_test(a_session_may_not_call_the_methods_of_the_other_kind),
		cmocka_unit_test(every_reason_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
