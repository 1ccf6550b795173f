/* Peers over HTTP: what a reply holds and never holds, gateways that fall silent under a request, and what a status says. */
#include "tests/unit/controller/api/api_fixture.h"

#define KEY_A "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define KEY_B "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
#define SECRET "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="

static bool has_text(const json_t *list, const char *part)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (strstr(json_string_value(item), part))
			return true;
	return false;
}

static void a_reply_holds_all_that_goes_into_a_file_and_no_secret(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "POST", "/v1/peers", f->acme,
				    "{\"name\":\"Phone\",\"public_key\":\"" KEY_A "\",\"preshared_key\":\"" SECRET "\",\"region\":\"ord\"}");
	struct in6_addr prefix;
	char prefix_text[64], dns[64];

	assert_int_equal(r.status, 201);
	assert_string_equal(text_of(&r, "name"), "Phone");
	assert_string_equal(text_of(&r, "label"), "phone");
	assert_string_equal(text_of(&r, "endpoint"), "gw.example.net:51820");
	assert_int_equal(strlen(text_of(&r, "gateway_public_key")), 44);
	assert_string_equal(text_of(&r, "public_key"), KEY_A);
	assert_true(json_is_true(json_object_get(r.json, "preshared")));
	assert_int_equal(json_array_size(json_object_get(r.json, "warnings")), 0);
	snprintf(prefix_text, sizeof prefix_text, "%.*s", (int)strcspn(text_of(&r, "prefix"), "/"), text_of(&r, "prefix"));
	assert_int_equal(inet_pton(AF_INET6, prefix_text, &prefix), 1);
	assert_int_equal(prefix.s6_addr[15], 0);
	/* what flyctl and every other client derives from the address alone */
	memset(prefix.s6_addr + 6, 0, 10);
	prefix.s6_addr[15] = 3;
	assert_string_equal(text_of(&r, "dns"), addr_text(&prefix, dns));
	assert_null(strstr(r.body, SECRET));
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/peers/phone", f->acme_read, NULL);
	assert_int_equal(r.status, 200);
	assert_null(strstr(r.body, SECRET));
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/peers", f->acme_read, NULL);
	assert_int_equal(json_array_size(json_object_get(r.json, "items")), 2);
	assert_null(strstr(r.body, SECRET));
	client_reply_deinit(&r);
}

static void a_refusal_quotes_a_public_key_but_never_a_preshared_one(void **state)
{
	struct api_fixture *f = *state;
	/* of another length, no base64, zeros */
	static const char *const secrets[] = { "TOPSECRET", "TOPSECRET!TOPSECRET!TOPSECRET!TOPSECRET!TOP=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
	char body[256];
	struct client_reply r;

	expect(f, "POST", "/v1/peers", f->acme, "{\"name\":\"x\",\"public_key\":\"short\"}", 400, "key_invalid");
	expect(f, "POST", "/v1/peers", f->acme, "{\"name\":\"x\",\"public_key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}", 400,
	       "key_invalid");
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		snprintf(body, sizeof body, "{\"name\":\"x\",\"public_key\":\"" KEY_A "\",\"preshared_key\":\"%s\"}", secrets[i]);
		r = ask(f, "POST", "/v1/peers", f->acme, body);
		assert_int_equal(r.status, 400);
		assert_string_equal(client_error_code(&r), "key_invalid");
		assert_null(strstr(r.body, secrets[i]));
		client_reply_deinit(&r);
	}
	expect(f, "POST", "/v1/peers", f->acme_read, "{\"name\":\"x\",\"public_key\":\"" KEY_A "\"}", 403, "forbidden");
}

static void a_peer_whose_gateway_falls_silent_under_the_request_is_made_again(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;
	char id[ID_TEXT_SIZE];

	f->silent = 1;
	r = ask(f, "POST", "/v1/peers?wait=applied", f->acme, "{\"name\":\"phone\",\"public_key\":\"" KEY_A "\"}");
	assert_int_equal(r.status, 201);
	assert_true(json_is_true(json_object_get(r.json, "applied")));
	assert_true(has_text(json_object_get(r.json, "warnings"), "fell silent"));
	assert_int_equal(f->waits, 2);
	assert_string_equal(f->last_wait.gateway, "ord-1");
	assert_true(f->last_wait.give_up);
	strcpy(id, text_of(&r, "id"));
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/peers?prefix=phone", f->acme, NULL);
	assert_int_equal(json_array_size(json_object_get(r.json, "items")), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(r.json, "items"), 0), "id")), id);
	client_reply_deinit(&r);
}

/* Live once more, and then never. */
static size_t fake_live_once(void *ctx, uint32_t *ret_hosts, size_t max)
{
	size_t n = fake_live(ctx, ret_hosts, max);

	((struct api_fixture *)ctx)->none_lives = true;
	return n;
}

static void without_another_gateway_it_is_taken_back_and_the_answer_says_so(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	f->silent = 1;
	f->ops.live_nodes = fake_live_once;
	r = ask(f, "POST", "/v1/peers?wait=applied", f->acme, "{\"name\":\"phone\",\"public_key\":\"" KEY_A "\"}");
	assert_int_equal(r.status, 409);
	assert_string_equal(client_error_code(&r), "no_gateway");
	assert_non_null(strstr(r.body, "taken back"));
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/peers/phone", f->acme, NULL, 404, "peer_not_found");
	f->none_lives = false;
	f->ops.live_nodes = fake_live;
	expect(f, "POST", "/v1/peers", f->acme, "{\"name\":\"phone\",\"public_key\":\"" KEY_A "\"}", 201, NULL); /* name and key are free */
}

static void gateways_that_fall_silent_one_after_the_other_end_after_a_few_tries(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	f->silent = 100;
	r = ask(f, "POST", "/v1/peers?wait=applied", f->acme, "{\"name\":\"phone\",\"public_key\":\"" KEY_A "\"}");
	assert_int_equal(r.status, 202);
	assert_int_equal(f->waits, 4);
	assert_non_null(strstr(r.body, "&peer="));
	client_reply_deinit(&r);
}

static void waiting_on_follows_a_peer_to_its_gateway_but_only_ones_own(void **state)
{
	struct api_fixture *f = *state;
	char target[96];

	snprintf(target, sizeof target, "/v1/wait?v=1&peer=%s", f->peer_id);
	expect(f, "GET", target, f->acme_read, NULL, 200, NULL);
	assert_string_equal(f->last_wait.gateway, "ord-1");
	assert_false(f->last_wait.give_up); /* whoever asks again and again is not answered at once */
	expect(f, "GET", target, f->globex, NULL, 200, NULL);
	assert_string_equal(f->last_wait.gateway, "");
	expect(f, "GET", "/v1/wait?v=1&peer=laptop", f->acme_read, NULL, 400, "id_invalid");
	expect(f, "GET", "/v1/wait?v=1&peer=00000000000000aa", f->acme_read, NULL, 200, NULL);
	assert_string_equal(f->last_wait.gateway, "");
}

static const char *state_of(struct api_fixture *f, char ret[32])
{
	struct client_reply r = ask(f, "GET", "/v1/peers/laptop/status", f->acme_read, NULL);

	assert_int_equal(r.status, 200);
	snprintf(ret, 32, "%s", text_of(&r, "state"));
	client_reply_deinit(&r);
	return ret;
}

static void a_status_tells_not_known_from_never_from_offline(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;
	char text[32];

	assert_string_equal(state_of(f, text), "unknown");
	f->peer_state = (struct api_peer_state){ .known = true, .gateway_live = true, .reported_ms = T0 };
	assert_string_equal(state_of(f, text), "never");
	f->peer_state.last_handshake_ms = T0 - 1000;
	assert_string_equal(state_of(f, text), "offline");
	f->peer_state.online = true;
	f->peer_state.rx_bytes = 7;
	strcpy(f->peer_state.endpoint, "[2001:db8::1]:4711");
	r = ask(f, "GET", "/v1/peers/laptop/status", f->acme_read, NULL);
	assert_string_equal(text_of(&r, "state"), "online");
	assert_string_equal(text_of(&r, "endpoint"), "[2001:db8::1]:4711");
	assert_string_equal(text_of(&r, "transport"), "udp");
	assert_int_equal(json_integer_value(json_object_get(r.json, "rx_bytes")), 7);
	assert_true(json_is_true(json_object_get(r.json, "gateway_live")));
	assert_true(json_integer_value(json_object_get(r.json, "handshake_age_s")) >= 1);
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/peers", f->acme_read, NULL);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(r.json, "items"), 0), "state")), "online");
	client_reply_deinit(&r);
}

static void a_region_says_how_many_gateways_take_peers_there(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "GET", "/v1/regions/ord", f->acme_read, NULL);

	assert_int_equal(json_integer_value(json_object_get(r.json, "gateways")), 1);
	client_reply_deinit(&r);
	expect(f, "POST", "/v1/nodes/ord-1/drain", f->operator_token, NULL, 200, NULL);
	r = ask(f, "GET", "/v1/regions/ord", f->acme_read, NULL);
	assert_int_equal(json_integer_value(json_object_get(r.json, "gateways")), 0);
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/nodes/ord-1", f->operator_token, NULL);
	assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "gateway"), "host")), "gw.example.net");
	client_reply_deinit(&r);
}

static void pruning_names_what_it_would_delete_and_then_deletes_it(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "POST", "/v1/peers/prune?dry_run=1", f->acme, "{\"older_than_s\":0}");

	assert_int_equal(r.status, 200);
	assert_int_equal(json_integer_value(json_object_get(r.json, "count")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(r.json, "pruned"), 0)), "laptop");
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/peers/laptop", f->acme, NULL, 200, NULL);
	r = ask(f, "POST", "/v1/peers/prune", f->acme, "{}"); /* it was made a moment ago */
	assert_int_equal(json_integer_value(json_object_get(r.json, "count")), 0);
	client_reply_deinit(&r);
	expect(f, "POST", "/v1/peers/prune", f->acme, "{\"never_used\":false}", 400, "value_invalid");
	expect(f, "POST", "/v1/peers/prune", f->acme, "{\"older_than_s\":0}", 200, NULL);
	expect(f, "GET", "/v1/peers/laptop", f->acme, NULL, 404, "peer_not_found");
}

static void a_new_key_takes_the_preshared_one_away_only_if_that_is_said(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	expect(f, "POST", "/v1/peers", f->acme, "{\"name\":\"phone\",\"public_key\":\"" KEY_A "\",\"preshared_key\":\"" SECRET "\"}", 201, NULL);
	expect(f, "POST", "/v1/peers/phone/rekey", f->acme, "{\"public_key\":\"" KEY_B "\"}", 409, "preshared_key_missing");
	r = ask(f, "GET", "/v1/peers/phone", f->acme, NULL);
	assert_string_equal(text_of(&r, "public_key"), KEY_A);
	assert_true(json_is_true(json_object_get(r.json, "preshared")));
	client_reply_deinit(&r);
	r = ask(f, "POST", "/v1/peers/phone/rekey", f->acme, "{\"public_key\":\"" KEY_B "\",\"preshared_key\":null}");
	assert_int_equal(r.status, 200);
	assert_true(json_is_false(json_object_get(r.json, "preshared")));
	client_reply_deinit(&r);
	expect(f, "POST", "/v1/peers/phone/rekey", f->acme, "{\"public_key\":\"" KEY_A "\"}", 200, NULL); /* has none: nothing to say */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reply_holds_all_that_goes_into_a_file_and_no_secret, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_refusal_quotes_a_public_key_but_never_a_preshared_one, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_peer_whose_gateway_falls_silent_under_the_request_is_made_again, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(without_another_gateway_it_is_taken_back_and_the_answer_says_so, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(gateways_that_fall_silent_one_after_the_other_end_after_a_few_tries, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(waiting_on_follows_a_peer_to_its_gateway_but_only_ones_own, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_status_tells_not_known_from_never_from_offline, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_region_says_how_many_gateways_take_peers_there, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_new_key_takes_the_preshared_one_away_only_if_that_is_said, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(pruning_names_what_it_would_delete_and_then_deletes_it, api_setup, api_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
