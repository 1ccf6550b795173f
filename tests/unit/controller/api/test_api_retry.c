/* Idempotency-Key: who never saw a reply asks again, and nothing is written twice. */
#include "tests/unit/controller/api/api_fixture.h"

#include "controller/store/store_kept.h"

#define KEY "Idempotency-Key: 5f0c\r\n"

static void write_as(struct api_fixture *f, const char *headers, const char *target, const char *token, const char *body, int status,
		     const char *code, bool replayed, char ret_id[64])
{
	struct client_reply r = ask_with(f, "POST", target, token, headers, body);

	if (r.status != status || (code && strcmp(client_error_code(&r), code)) ||
	    (strcasestr(r.head, "\r\nIdempotent-Replayed: true\r\n") != NULL) != replayed)
		fail_msg("POST %s: %d %s%s (wanted %d, %s)", target, r.status, r.head, r.body, status, replayed ? "replayed" : "not replayed");
	if (ret_id)
		snprintf(ret_id, 64, "%s", text_of(&r, "id"));
	client_reply_deinit(&r);
}

static const char shop[] = "{\"name\":\"shop\",\"network\":\"default\"}";

static void the_same_request_with_the_same_key_gets_the_same_reply_and_writes_once(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply first = ask_with(f, "POST", "/v1/apps", f->acme, KEY, shop), again;
	uint64_t v = f->v;

	assert_int_equal(first.status, 201);
	assert_null(strcasestr(first.head, "Idempotent-Replayed"));
	again = ask_with(f, "POST", "/v1/apps", f->acme, KEY, shop);
	assert_int_equal(again.status, 201);
	assert_non_null(strcasestr(again.head, "\r\nIdempotent-Replayed: true\r\n"));
	assert_true(json_equal(first.json, again.json)); /* "v" too: that of the write */
	assert_int_equal(f->v, v);
	client_reply_deinit(&first);
	client_reply_deinit(&again);
	/* in another spelling it is the same request */
	write_as(f, KEY, "/v1/apps", f->acme, " { \"network\" : \"default\", \"n\\u0061me\" : \"shop\" }", 201, NULL, true, NULL);
	expect(f, "POST", "/v1/apps", f->acme, shop, 409, "name_taken"); /* without the key it is a new one */
}

/* Its version is that of the time when it was asked, which stands nowhere but in the reply. */
static void a_write_that_changed_nothing_is_told_again_as_it_was(void **state)
{
	static const char put[] = "{\"network\":\"default\"}";
	struct api_fixture *f = *state;
	struct client_reply first, again;

	expect(f, "PUT", "/v1/orgs/acme/apps/shop", f->acme, put, 201, NULL);
	first = ask_with(f, "PUT", "/v1/orgs/acme/apps/shop", f->acme, KEY, put);
	assert_int_equal(first.status, 200);
	assert_int_equal(json_integer_value(json_object_get(first.json, "v")), (json_int_t)f->v);
	expect(f, "POST", "/v1/apps", f->globex, shop, 201, NULL);
	again = ask_with(f, "PUT", "/v1/orgs/acme/apps/shop", f->acme, KEY, put);
	assert_non_null(strcasestr(again.head, "\r\nIdempotent-Replayed: true\r\n"));
	assert_true(json_equal(first.json, again.json));
	client_reply_deinit(&first);
	client_reply_deinit(&again);
}

static void the_same_key_with_another_request_is_refused(void **state)
{
	struct api_fixture *f = *state;
	uint64_t v;

	write_as(f, KEY, "/v1/apps", f->acme, shop, 201, NULL, false, NULL);
	v = f->v;
	write_as(f, KEY, "/v1/apps", f->acme, "{\"name\":\"shop2\",\"network\":\"default\"}", 422, "idempotency_mismatch", false, NULL);
	write_as(f, KEY, "/v1/apps", f->acme, "{\"name\":\"shop\"}", 422, "idempotency_mismatch", false, NULL);
	write_as(f, KEY, "/v1/networks", f->acme, "{\"name\":\"shop\"}", 422, "idempotency_mismatch", false, NULL);
	assert_int_equal(f->v, v);
}

static void a_key_belongs_to_who_used_it(void **state)
{
	struct api_fixture *f = *state;
	char first[64], other[64];

	write_as(f, KEY, "/v1/apps", f->acme, "{\"name\":\"shop\"}", 201, NULL, false, first);
	write_as(f, KEY, "/v1/apps", f->globex, "{\"name\":\"shop\"}", 201, NULL, false, other);
	assert_string_not_equal(first, other);
	write_as(f, KEY, "/v1/apps", f->operator_token, "{\"name\":\"shop\",\"org\":\"acme\"}", 409, "name_taken", false, NULL);
}

static void a_kept_reply_outlives_the_controller(void **state)
{
	struct api_fixture *f = *state;
	char first[64], again[64];

	write_as(f, KEY, "/v1/apps", f->acme, shop, 201, NULL, false, first);
	api_restart(f);
	write_as(f, KEY, "/v1/apps", f->acme, shop, 201, NULL, true, again);
	assert_string_equal(first, again);
	write_as(f, KEY, "/v1/apps", f->acme, "{\"name\":\"other\"}", 422, "idempotency_mismatch", false, NULL);
}

static void after_a_day_a_key_is_new(void **state)
{
	struct api_fixture *f = *state;

	write_as(f, KEY, "/v1/apps", f->acme, shop, 201, NULL, false, NULL);
	f->base->time.now_ms += STORE_KEPT_MS - 1;
	write_as(f, KEY, "/v1/apps", f->acme, shop, 201, NULL, true, NULL);
	f->base->time.now_ms += 1;
	write_as(f, KEY, "/v1/apps", f->acme, shop, 409, "name_taken", false, NULL);
	write_as(f, KEY, "/v1/apps", f->acme, "{\"name\":\"new\"}", 201, NULL, false, NULL);
}

static void a_refused_request_is_not_kept(void **state)
{
	struct api_fixture *f = *state;

	write_as(f, KEY, "/v1/apps", f->acme, "{\"name\":\"web\"}", 409, "name_taken", false, NULL);
	write_as(f, KEY, "/v1/apps", f->acme, shop, 201, NULL, false, NULL);
	write_as(f, "Idempotency-Key: dry\r\n", "/v1/apps?dry_run=1", f->acme, "{\"name\":\"dry\"}", 200, NULL, false, NULL);
	write_as(f, "Idempotency-Key: dry\r\n", "/v1/apps", f->acme, "{\"name\":\"dry\"}", 201, NULL, false, NULL);
}

static void a_replay_waits_for_what_the_write_was_to_wait_for(void **state)
{
	struct api_fixture *f = *state;
	static const char body[] = "{\"app\":\"web\",\"region\":\"ord\",\"command\":[\"/bin/true\"]}";
	char first[64], again[64];
	uint64_t v, first_v;

	write_as(f, KEY, "/v1/instances?wait=applied", f->acme, body, 201, NULL, false, first);
	v = f->last_wait.v;
	first_v = f->last_wait.first_v;
	assert_true(first_v < v); /* workload and instance */
	write_as(f, "", "/v1/apps", f->acme, shop, 201, NULL, false, NULL); /* others go on writing */
	f->last_wait = (struct api_wait){ .v = 0 };
	f->wait_result.applied = false;
	write_as(f, KEY, "/v1/instances?wait=applied&timeout=7s", f->acme, body, 202, NULL, true, again);
	assert_string_equal(first, again);
	assert_int_equal(f->last_wait.v, v);
	assert_int_equal(f->last_wait.first_v, first_v);
	assert_int_equal(f->last_wait.timeout_ms, 7000);
	assert_string_equal(f->last_wait.instance, first);
	assert_int_equal(f->last_wait.desired, DESIRED_STARTED);
	assert_int_equal(f->last_wait.generation, 1);
	assert_false(f->last_wait.foreign);

	f->wait_result.applied = true;
	write_as(f, "Idempotency-Key: peer\r\n", "/v1/peers", f->acme,
		 "{\"name\":\"phone\",\"public_key\":\"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\"}", 201, NULL, false, first);
	f->silent = 1; /* a replay makes no other peer because a gateway went silent */
	write_as(f, "Idempotency-Key: peer\r\n", "/v1/peers?wait=applied", f->acme,
		 "{\"name\":\"phone\",\"public_key\":\"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\"}", 202, NULL, true, again);
	assert_string_equal(first, again);
	assert_string_equal(f->last_wait.gateway, "ord-1");
	assert_string_equal(f->last_wait.peer, first);
}

/* A peer whose gateway fell silent is made again under the same request: what is kept is the last of them. */
static void what_is_kept_is_what_the_request_ended_with(void **state)
{
	struct api_fixture *f = *state;
	static const char body[] = "{\"name\":\"phone\",\"public_key\":\"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\"}";
	char first[64], again[64];

	f->silent = 1;
	write_as(f, KEY, "/v1/peers?wait=applied", f->acme, body, 201, NULL, false, first);
	assert_int_equal(f->waits, 2);
	write_as(f, KEY, "/v1/peers", f->acme, body, 201, NULL, true, again);
	assert_string_equal(first, again);
	expect(f, "GET", "/v1/peers/phone", f->acme, NULL, 200, NULL);
}

/* Its gateway fell silent and there is no other: the peer was taken back, and so is what was kept of it. */
static void what_was_taken_back_is_not_replayed(void **state)
{
	struct api_fixture *f = *state;
	static const char body[] = "{\"name\":\"phone\",\"public_key\":\"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\"}";
	struct client_reply r;
	char line[300];
	int fd = client_connect(f->port);
	struct api_wait_result silent = { .lost = true, .nodes = 1 };

	snprintf(line, sizeof line, "POST /v1/peers?wait=applied HTTP/1.1\r\nHost: 127.0.0.1\r\n" KEY "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n",
		 f->acme, strlen(body));
	f->park = true;
	client_send(fd, line, strlen(line));
	client_send(fd, body, strlen(body));
	for (int i = 0; i < 6000 && !f->parked; i++)
		loop_round(f->loop, 5);
	assert_non_null(f->parked);
	f->park = false;
	f->none_lives = true;
	f->parked(f->parked_ctx, &silent);
	r = client_receive(f->loop, fd);
	assert_int_equal(r.status, 409);
	client_reply_deinit(&r);
	close(fd);
	expect(f, "GET", "/v1/peers/phone", f->acme, NULL, 404, NULL);
	f->none_lives = false;
	write_as(f, KEY, "/v1/peers", f->acme, body, 201, NULL, false, NULL);
}

static void while_a_request_is_under_way_its_key_is_taken(void **state)
{
	struct api_fixture *f = *state;
	static const char head[] = "POST /v1/apps?wait=applied HTTP/1.1\r\nHost: 127.0.0.1\r\n" KEY;
	struct api_wait_result result = { .applied = true, .nodes = 1 };
	CLEAN_BUF struct buf b = BUF_INIT(4096);
	struct client_reply r;
	int fd = client_connect(f->port);

	f->park = true;
	buf_printf(&b, "%sAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s", head, f->acme, strlen(shop), shop);
	client_send(fd, b.data, b.len);
	for (int i = 0; i < 6000 && !f->parked; i++)
		loop_round(f->loop, 5);
	assert_non_null(f->parked);
	f->park = false;
	r = ask_with(f, "POST", "/v1/apps", f->acme, KEY, shop);
	assert_int_equal(r.status, 409);
	assert_string_equal(client_error_code(&r), "request_in_flight");
	assert_non_null(strcasestr(r.head, "\r\nRetry-After: 1\r\n"));
	client_reply_deinit(&r);
	write_as(f, "Idempotency-Key: other\r\n", "/v1/apps", f->acme, "{\"name\":\"other\"}", 201, NULL, false, NULL);
	f->parked(f->parked_ctx, &result);
	r = client_receive(f->loop, fd);
	assert_int_equal(r.status, 201);
	client_reply_deinit(&r);
	close(fd);
	write_as(f, KEY, "/v1/apps", f->acme, shop, 201, NULL, true, NULL);
}

static void a_secret_is_never_kept(void **state)
{
	static const struct {
		const char *target, *body;
	} rows[] = { { "/v1/tokens", "{\"org\":\"acme\",\"name\":\"ci\"}" }, { "/v1/node-tokens", "{\"region\":\"ord\"}" } };
	struct api_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEAN_STATEMENT struct statement *st = NULL;
		struct client_reply r = ask_with(f, "POST", rows[i].target, f->operator_token, i ? KEY : "Idempotency-Key: t\r\n", rows[i].body);
		char secret[400];
		uint64_t v = f->v;
		int e;

		assert_int_equal(r.status, 201);
		snprintf(secret, sizeof secret, "%s", text_of(&r, "token"));
		assert_true(strlen(secret) > 20);
		r.status = 0;
		client_reply_deinit(&r);
		r = ask_with(f, "POST", rows[i].target, f->operator_token, i ? KEY : "Idempotency-Key: t\r\n", rows[i].body);
		assert_int_equal(r.status, 409);
		assert_string_equal(client_error_code(&r), "reply_not_kept");
		assert_non_null(strstr(r.body, "id ")); /* it says which one was made */
		assert_null(strstr(r.body, secret));
		client_reply_deinit(&r);
		assert_int_equal(f->v, v);
		api_stop(f); /* the store is looked into by this thread */
		e = sql_query(f->base->store, &st, "SELECT reply, about, wait FROM kept_reply", "");
		while (e == 0 && sql_next(st, &e))
			for (int column = 0; column < 3; column++)
				assert_null(strstr(driver_text(st, column), secret));
		assert_int_equal(e, 0);
		driver_finish(TAKE(st));
		api_start(f);
	}
}

/* Whoever adds a route whose reply shows a secret once has to say so in the table. */
static void keys_have_a_form_and_routes_that_keep_nothing_say_so(void **state)
{
	struct api_fixture *f = *state;
	char line[400] = "Idempotency-Key: ";
	uint64_t v = f->v;

	memset(line + 17, 'k', 256);
	strcpy(line + 17 + 256, "\r\n");
	write_as(f, line, "/v1/apps", f->acme, shop, 400, "header_invalid", false, NULL);
	write_as(f, "Idempotency-Key: a b\r\n", "/v1/apps", f->acme, shop, 400, "header_invalid", false, NULL);
	write_as(f, "Idempotency-Key: \xc3\xbc\r\n", "/v1/apps", f->acme, shop, 400, "header_invalid", false, NULL);
	write_as(f, "Idempotency-Key: \r\n", "/v1/apps", f->acme, shop, 400, "header_invalid", false, NULL);
	write_as(f, KEY KEY, "/v1/apps", f->acme, shop, 400, "header_invalid", false, NULL);
	write_as(f, KEY, "/v1/nodes/ord-1/release-held", f->operator_token, NULL, 400, "header_invalid", false, NULL);
	assert_int_equal(f->v, v);
	strcpy(line + 17 + 255, "\r\n");
	write_as(f, line, "/v1/apps", f->acme, shop, 201, NULL, false, NULL);
	write_as(f, line, "/v1/apps", f->acme, shop, 201, NULL, true, NULL);
}

static void other_writes_take_a_key_too(void **state)
{
	struct api_fixture *f = *state;

	for (int i = 0; i < 2; i++) { /* a second delete would find nothing */
		struct client_reply r = ask_with(f, "DELETE", "/v1/peers/laptop", f->acme, KEY, NULL);

		assert_int_equal(r.status, 200);
		client_reply_deinit(&r);
	}
	expect(f, "DELETE", "/v1/peers/laptop", f->acme, NULL, 404, "peer_not_found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, api_setup, api_teardown)
		T(the_same_request_with_the_same_key_gets_the_same_reply_and_writes_once),
		T(a_write_that_changed_nothing_is_told_again_as_it_was),
		T(the_same_key_with_another_request_is_refused),
		T(a_key_belongs_to_who_used_it),
		T(a_kept_reply_outlives_the_controller),
		T(after_a_day_a_key_is_new),
		T(a_refused_request_is_not_kept),
		T(a_replay_waits_for_what_the_write_was_to_wait_for),
		T(what_is_kept_is_what_the_request_ended_with),
		T(what_was_taken_back_is_not_replayed),
		T(while_a_request_is_under_way_its_key_is_taken),
		T(a_secret_is_never_kept),
		T(keys_have_a_form_and_routes_that_keep_nothing_say_so),
		T(other_writes_take_a_key_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
