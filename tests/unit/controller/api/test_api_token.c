/* Tokens at work: revoked and expired while something waits or a connection stays open, and when each was used last. */
#include "tests/unit/controller/api/api_fixture.h"

struct made {
	char text[TOKEN_TEXT_SIZE], id[ID_TEXT_SIZE];
};

static struct made make_token(struct api_fixture *f, const char *body)
{
	struct client_reply r = ask(f, "POST", "/v1/tokens", f->operator_token, body);
	struct made out;

	assert_int_equal(r.status, 201);
	snprintf(out.text, sizeof out.text, "%s", json_string_value(json_object_get(r.json, "token")));
	snprintf(out.id, sizeof out.id, "%s", json_string_value(json_object_get(r.json, "id")));
	client_reply_deinit(&r);
	return out;
}

static void end_token(struct api_fixture *f, const struct made *token)
{
	char target[64];

	snprintf(target, sizeof target, "/v1/tokens/%s", token->id);
	expect(f, "DELETE", target, f->operator_token, NULL, 200, NULL);
}

static void send_request(int fd, const char *method, const char *target, const char *token, const char *body)
{
	CLEAN_BUF struct buf b = BUF_INIT(4096);

	buf_printf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s", method, target, token,
		   strlen(body), body);
	client_send(fd, b.data, b.len);
}

/* Until the request waits. */
static int park(struct api_fixture *f, const char *method, const char *target, const char *token, const char *body)
{
	int fd = client_connect(f->port);

	f->park = true;
	f->parked = NULL;
	send_request(fd, method, target, token, body);
	for (int i = 0; i < 6000 && !f->parked; i++)
		loop_round(f->loop, 5);
	assert_non_null(f->parked);
	f->park = false;
	return fd;
}

static struct client_reply unpark(struct api_fixture *f, int fd)
{
	struct api_wait_result result = { .applied = false, .nodes = 2, .n_laggards = 1, .laggards = { "ord-1" } };
	struct client_reply r;

	f->parked(f->parked_ctx, &result);
	r = client_receive(f->loop, fd);
	close(fd);
	return r;
}

static void what_waits_tells_nothing_to_a_token_that_was_revoked(void **state)
{
	struct api_fixture *f = *state;
	struct made token = make_token(f, "{\"org\":\"acme\"}");
	struct client_reply r;
	int fd = park(f, "GET", "/v1/wait", token.text, ""), other;

	/* something of somebody else changes: nothing to this one */
	make_token(f, "{\"org\":\"globex\"}");
	r = unpark(f, fd);
	assert_int_equal(r.status, 202);
	assert_non_null(strstr(r.body, "ord-1"));
	client_reply_deinit(&r);
	fd = park(f, "GET", "/v1/wait", token.text, "");
	end_token(f, &token);
	r = unpark(f, fd);
	assert_int_equal(r.status, 401);
	assert_null(strstr(r.body, "ord-1"));
	client_reply_deinit(&r);
	/* a write stands, and that is all that is said */
	token = make_token(f, "{\"org\":\"acme\"}");
	other = park(f, "POST", "/v1/apps?wait=applied", token.text, "{\"name\":\"shop\"}");
	end_token(f, &token);
	r = unpark(f, other);
	assert_int_equal(r.status, 202);
	assert_true(json_is_false(json_object_get(r.json, "applied")));
	assert_null(strstr(r.body, "ord-1"));
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/apps/shop", f->acme, NULL, 200, NULL);
}

static void what_waits_tells_nothing_to_a_token_whose_time_is_up(void **state)
{
	struct api_fixture *f = *state;
	struct made token = make_token(f, "{\"org\":\"acme\",\"expires\":\"1m\"}");
	int fd = park(f, "GET", "/v1/wait", token.text, "");
	struct client_reply r;

	f->base->time.now_ms += 60000;
	r = unpark(f, fd);
	assert_int_equal(r.status, 401);
	client_reply_deinit(&r);
}

static void what_waits_tells_nothing_to_who_was_a_member(void **state)
{
	struct api_fixture *f = *state;
	struct made token = make_token(f, "{\"kind\":\"user\",\"user\":\"zoe@example.net\"}");
	int fd = park(f, "GET", "/v1/wait", token.text, "");
	struct client_reply r;

	expect(f, "PATCH", "/v1/members/zoe%40example.net", f->acme, "{\"role\":\"admin\"}", 200, NULL); /* more than before */
	r = unpark(f, fd);
	assert_int_equal(r.status, 202);
	client_reply_deinit(&r);
	fd = park(f, "GET", "/v1/wait", token.text, "");
	expect(f, "PATCH", "/v1/members/zoe%40example.net?org=acme", f->operator_token, "{\"role\":\"read\"}", 200, NULL);
	r = unpark(f, fd);
	assert_int_equal(r.status, 401);
	client_reply_deinit(&r);
}

static void who_revokes_himself_is_told_how_far_that_is(void **state)
{
	struct api_fixture *f = *state;
	struct made token = make_token(f, "{\"org\":\"acme\",\"profile\":\"admin\"}");
	char target[80];
	struct client_reply r;

	snprintf(target, sizeof target, "/v1/tokens/%s?wait=applied", token.id);
	r = ask(f, "DELETE", target, token.text, NULL);
	assert_int_equal(r.status, 200);
	assert_true(json_is_true(json_object_get(r.json, "applied")));
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/whoami", token.text, NULL, 401, "unauthorized");
}

static void a_kept_connection_keeps_no_right(void **state)
{
	struct api_fixture *f = *state;
	struct made token = make_token(f, "{\"org\":\"acme\"}");
	int fd = client_connect(f->port);
	struct client_reply r;

	for (int i = 0; i < 2; i++) {
		send_request(fd, "GET", "/v1/whoami", token.text, "");
		r = client_receive(f->loop, fd);
		assert_int_equal(r.status, 200);
		client_reply_deinit(&r);
	}
	end_token(f, &token);
	send_request(fd, "GET", "/v1/whoami", token.text, "");
	r = client_receive(f->loop, fd);
	assert_int_equal(r.status, 401);
	client_reply_deinit(&r);
	close(fd);
}

/* ---- last use ---- */

static bool was_used(struct api_fixture *f, const struct made *token)
{
	char target[64];
	struct client_reply r;
	bool used;

	snprintf(target, sizeof target, "/v1/tokens/%s", token->id);
	r = ask(f, "GET", target, f->operator_token, NULL);
	assert_int_equal(r.status, 200);
	used = json_is_string(json_object_get(r.json, "last_use"));
	client_reply_deinit(&r);
	return used;
}

static uint64_t commits_of(struct api_fixture *f)
{
	struct histogram copy = histogram_read(&f->base->store->commits);

	return histogram_count(&copy);
}

static void use(struct api_fixture *f, const struct made *token)
{
	expect(f, "GET", "/v1/whoami", token->text, NULL, 200, NULL);
}

static void the_last_use_is_written_now_and_then_and_is_no_change(void **state)
{
	struct api_fixture *f = *state;
	struct made token = make_token(f, "{\"org\":\"acme\"}"), idle = make_token(f, "{\"org\":\"acme\"}");
	uint64_t v = f->v, commits = commits_of(f);

	for (int i = 0; i < 20; i++)
		use(f, &token);
	make_token(f, "{\"org\":\"acme\"}"); /* the door forgets all that it knows */
	assert_false(was_used(f, &token));
	assert_int_equal(commits_of(f), commits + 1); /* of that one */
	v = f->v;
	commits = commits_of(f);
	api_write_uses(f->api);
	for (int i = 0; i < 2000 && !was_used(f, &token); i++)
		loop_round(f->loop, 1);
	assert_true(was_used(f, &token));
	assert_false(was_used(f, &idle));
	assert_int_equal(f->v, v);
	assert_int_equal(store_head(f->base->store), v);
	assert_int_equal(commits_of(f), commits + 1);
}

static void however_many_are_used_each_is_written(void **state)
{
	struct api_fixture *f = *state;
	struct made tokens[90];
	size_t n = 0;

	expect(f, "PATCH", "/v1/orgs/acme", f->operator_token, "{\"limits\":{\"tokens\":200,\"writes\":1000}}", 200, NULL);
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		tokens[i] = make_token(f, "{\"org\":\"acme\"}");
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		use(f, &tokens[i]);
	api_write_uses(f->api);
	for (int round = 0; round < 200 && n < ARRAY_LEN(tokens); round++)
		for (n = 0; n < ARRAY_LEN(tokens) && was_used(f, &tokens[n]);)
			n++;
	assert_int_equal(n, ARRAY_LEN(tokens));
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_setup, api_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_waits_tells_nothing_to_a_token_that_was_revoked),
		T(what_waits_tells_nothing_to_a_token_whose_time_is_up),
		T(what_waits_tells_nothing_to_who_was_a_member),
		T(who_revokes_himself_is_told_how_far_that_is),
		T(a_kept_connection_keeps_no_right),
		T(the_last_use_is_written_now_and_then_and_is_no_change),
		T(however_many_are_used_each_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
