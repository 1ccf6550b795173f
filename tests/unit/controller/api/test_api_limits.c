/* What one token and one organization may take of the controller. */
#include "tests/unit/controller/api/api_fixture.h"

#include "controller/api/http_stats.h"
#include "controller/api/shares.h"

struct limited {
	struct api_env env;
	struct api *api;
	struct http_server *http;
	uint16_t port;
};

static void limited_up(struct api_fixture *f, struct limited *l, uint32_t per_token)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	struct http_config config = { .listen = listen, .n_listen = 1 };
	struct clock clock = clock_real();
	struct why why;

	l->env = f->env;
	l->env.requests_per_token = per_token;
	assert_int_equal(api_new(&l->env, &l->api), 0);
	assert_int_equal(http_server_new(f->loop, &clock, &config, api_handle, l->api, &l->http, &why), 0);
	l->port = http_server_port(l->http, 0);
}

static int status_of(struct api_fixture *f, struct limited *l, const char *token)
{
	struct client_reply r = client_ask(f->loop, l->port, NULL, "GET", "/v1/whoami", token, NULL);
	int status = r.status;

	if (status == 429) {
		assert_non_null(strstr(r.head, "Retry-After: "));
		assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "error"), "code")), "rate_limited");
	}
	client_reply_deinit(&r);
	return status;
}

static void a_token_that_asks_too_often_is_told_and_no_other(void **state)
{
	struct api_fixture *f = *state;
	struct limited l;

	limited_up(f, &l, 2); /* the fixture's clock stands still unless it is moved */
	for (int i = 0; i < 10; i++)
		assert_int_equal(status_of(f, &l, f->acme), 200);
	assert_int_equal(status_of(f, &l, f->acme), 429);
	assert_int_equal(status_of(f, &l, f->acme_read), 200);
	assert_int_equal(status_of(f, &l, f->globex), 200);
	for (int i = 0; i < 30; i++)
		assert_int_equal(status_of(f, &l, f->operator_token), 200);
	f->base->time.now_ms += 500;
	assert_int_equal(status_of(f, &l, f->acme), 200);
	assert_int_equal(status_of(f, &l, f->acme), 429);
	assert_int_equal(api_http_stats(l.api)->limited_tokens, 2);
	http_server_free(l.http);
	api_free(l.api);
}

static void an_organization_holds_its_share_and_gives_back_what_it_held(void **state)
{
	static const uint8_t acme[ID_LEN] = { 1 }, globex[ID_LEN] = { 2 }, token[ID_LEN] = { 3 }, other[ID_LEN] = { 4 };
	struct principal a = principal_org_token(token, acme, PROFILE_ADMIN), b = principal_org_token(other, acme, PROFILE_READ),
			 c = principal_org_token(token, globex, PROFILE_ADMIN), boss = principal_operator(token);
	struct shares s = { 0 };

	(void)state;
	assert_true(shares_take(&s, &a, 2));
	assert_true(shares_take(&s, &b, 2));
	assert_false(shares_take(&s, &a, 2)); /* all its tokens together */
	assert_true(shares_take(&s, &c, 2));
	for (int i = 0; i < 10; i++)
		assert_true(shares_take(&s, &boss, 2));
	shares_give(&s, &b);
	assert_true(shares_take(&s, &a, 2));
	assert_false(shares_take(&s, &a, 2));
	assert_int_equal(s.refusals, 2);
	shares_deinit(&s);
}

/* Whoever writes as fast as he may, and whoever guesses, takes nothing from others, however many there are. */
static void a_thousand_organizations_and_sources_each_have_their_own_pace(void **state)
{
	struct api_fixture *f = *state;
	struct clock clock = clock_virtual(&f->base->time);
	struct auth_question q = { .writes_per_s = 3 };
	uint8_t org[ID_LEN] = { 0 }, token[ID_LEN] = { 3 };
	struct auth *auth;

	assert_int_equal(auth_new(f->loop, &clock, f->thread, 0, &auth), 0);
	for (unsigned i = 0; i < 3000; i++) {
		memcpy(org, &i, sizeof i);
		q.principal = principal_org_token(token, org, PROFILE_ADMIN);
		for (int n = 0; n < 3; n++)
			if (!auth_may_write(auth, &q))
				fail_msg("organization %u pays for another", i);
		if (i < 100)
			assert_false(auth_may_write(auth, &q));
	}
	auth_free(auth);
}

struct guess {
	struct auth_question question;
	bool answered;
};

static void now_answered(struct auth_question *question)
{
	container_of(question, struct guess, question)->answered = true;
}

static enum auth_result guess(struct api_fixture *f, struct auth *auth, const char *authorization, const uint8_t source[16])
{
	struct guess g = { .question.answered = now_answered };

	auth_ask(auth, authorization, source, &g.question);
	while (!g.answered)
		assert_true(loop_round(f->loop, 100) >= 0);
	return g.question.result;
}

static void guesses_from_everywhere_do_not_shut_others_out(void **state)
{
	struct api_fixture *f = *state;
	struct clock clock = clock_virtual(&f->base->time);
	uint8_t source[16] = { 0x20, 1 };
	char header[TOKEN_TEXT_SIZE + 8];
	struct auth *auth;

	snprintf(header, sizeof header, "Bearer %s", f->acme);
	header[strlen(header) - 1] ^= 1;
	assert_int_equal(auth_new(f->loop, &clock, f->thread, 0, &auth), 0);
	for (unsigned i = 0; i < 3000; i++) { /* so many networks, each of which guesses until it is told to stop */
		memcpy(source + 4, &i, sizeof i);
		for (int n = 0; n < AUTH_FAILURES_BURST; n++)
			assert_int_equal(guess(f, auth, "Bearer nonsense", source), AUTH_WRONG);
	}
	assert_int_equal(guess(f, auth, header, source), AUTH_TOO_MANY);
	for (unsigned i = 5000; i < 5050; i++) {
		memcpy(source + 4, &i, sizeof i);
		assert_int_equal(guess(f, auth, header, source), AUTH_WRONG); /* it was looked up */
	}
	auth_free(auth);
}

/* A share that was never given back would shut an organization out for ever. */
static void shares_come_back_however_a_request_ends(void **state)
{
	struct api_fixture *f = *state;
	static const struct {
		const char *method, *target, *body;
	} rows[] = { { "GET", "/v1/apps", NULL }, { "GET", "/v1/apps/nosuch", NULL }, { "POST", "/v1/apps", "{" }, { "GET", "/v1/status", NULL },
		     { "POST", "/v1/apps?dry_run=1&wait=applied", "{\"org\":\"acme\",\"name\":\"fresh\"}" }, { "POST", "/graphql", "{\"query\":\"{ nope }\"}" } };

	for (int i = 0; i < 3 * API_CALLS_PER_ORG; i++) {
		struct client_reply r = ask(f, rows[i % ARRAY_LEN(rows)].method, rows[i % ARRAY_LEN(rows)].target, f->acme, rows[i % ARRAY_LEN(rows)].body);

		f->base->time.now_ms += 1000; /* another limit is that of writes a second */
		if (r.status == 429 || r.status < 200)
			fail_msg("request %d: %d %s", i, r.status, r.body ? r.body : "");
		client_reply_deinit(&r);
	}
}

/* Anybody may ask for it, as often as his address may ask anything, and it has a quarter of a megabyte. */
static void the_description_is_made_once(void **state)
{
	struct api_fixture *f = *state;
	const char *first = api_description(f->api);
	struct client_reply r = ask(f, "GET", "/v1/openapi.json", NULL, NULL);

	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, first);
	assert_ptr_equal(api_description(f->api), first);
	assert_non_null(strstr(r.head, "Content-Type: application/json"));
	client_reply_deinit(&r);
}

#define T(test) cmocka_unit_test_setup_teardown(test, api_setup, api_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_token_that_asks_too_often_is_told_and_no_other),
		cmocka_unit_test(an_organization_holds_its_share_and_gives_back_what_it_held),
		T(a_thousand_organizations_and_sources_each_have_their_own_pace),
		T(guesses_from_everywhere_do_not_shut_others_out),
		T(the_description_is_made_once),
		T(shares_come_back_however_a_request_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
