/* Logging in, as flyctl does it: the bytes that it sends, the fields that it reads; and who must not get a token this way. */
#include "tests/unit/controller/api/api_fixture.h"

#include "controller/api/login_page.h"

/* RFC 7636, appendix B. */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define STARTED "{\"code_challenge\":\"" CHALLENGE "\",\"code_challenge_method\":\"S256\",\"name\":\"laptop\",\"redirect_port\":41234,\"signup\":false,\"state\":\"c3RhdGU\",\"target\":\"auth\"}"
#define OLD "{\"name\":\"laptop\",\"signup\":false,\"target\":\"auth\"}"

struct started {
	char id[64], code[32], url[200];
	bool pkce;
};

static struct started start(struct api_fixture *f, const char *body)
{
	struct client_reply r = ask(f, "POST", "/api/v1/cli_sessions", NULL, body);
	struct started s = { 0 };

	if (r.status != 201)
		fail_msg("%d %s", r.status, r.body);
	snprintf(s.id, sizeof s.id, "%s", text_of(&r, "id"));
	snprintf(s.code, sizeof s.code, "%s", text_of(&r, "code"));
	snprintf(s.url, sizeof s.url, "%s", text_of(&r, "auth_url"));
	assert_true(json_is_boolean(json_object_get(r.json, "pkce")));
	s.pkce = json_is_true(json_object_get(r.json, "pkce"));
	client_reply_deinit(&r);
	return s;
}

static struct client_reply approve(struct api_fixture *f, const char *code, const char *token)
{
	char target[100];

	snprintf(target, sizeof target, "/v1/logins/%s", code);
	return ask(f, "POST", target, token, NULL);
}

static struct client_reply redeem(struct api_fixture *f, const struct started *s, const char *code, const char *verifier)
{
	char target[120], body[400];

	snprintf(target, sizeof target, "/api/v1/cli_sessions/%s/redeem", s->id);
	snprintf(body, sizeof body, "{\"code\":\"%s\",\"code_verifier\":\"%s\"}", code, verifier);
	return ask(f, "POST", target, NULL, body);
}

static int redeem_status(struct api_fixture *f, const struct started *s, const char *code, const char *verifier)
{
	struct client_reply r = redeem(f, s, code, verifier);
	int status = r.status;

	if (status != 200) { /* nothing of a token in a refusal */
		assert_null(strstr(r.body, "sx1_"));
		assert_true(json_is_string(json_object_get(r.json, "error")));
	}
	client_reply_deinit(&r);
	return status;
}

static void flyctl_gets_the_token_that_a_person_gave_on_the_page_once(void **state)
{
	struct api_fixture *f = *state;
	struct started s = start(f, STARTED);
	char completion[64], wanted[100];
	struct client_reply r;

	assert_true(s.pkce);
	snprintf(wanted, sizeof wanted, "/login/%s", s.code);
	assert_non_null(strstr(s.url, wanted));
	assert_ptr_equal(strstr(s.url, "http://"), s.url);
	assert_null(strstr(s.url, s.id)); /* who sees the link cannot fetch the token */
	assert_int_equal(redeem_status(f, &s, "x", VERIFIER), 409);
	r = approve(f, s.code, f->acme_read);
	assert_int_equal(r.status, 200);
	snprintf(completion, sizeof completion, "%s", text_of(&r, "completion"));
	assert_int_equal(strlen(completion), 26);
	assert_string_equal(text_of(&r, "state"), "c3RhdGU");
	assert_int_equal(json_integer_value(json_object_get(r.json, "redirect_port")), 41234);
	assert_null(strstr(r.body, "sx1_"));
	client_reply_deinit(&r);
	r = redeem(f, &s, completion, VERIFIER);
	assert_int_equal(r.status, 200);
	assert_string_equal(text_of(&r, "access_token"), f->acme_read);
	client_reply_deinit(&r);
	assert_int_equal(redeem_status(f, &s, completion, VERIFIER), 404);
}

static void who_has_not_both_the_code_and_the_verifier_gets_nothing(void **state)
{
	struct api_fixture *f = *state;
	struct started s = start(f, STARTED);
	char completion[64], target[120];
	struct client_reply r = approve(f, s.code, f->acme);

	snprintf(completion, sizeof completion, "%s", text_of(&r, "completion"));
	client_reply_deinit(&r);
	snprintf(target, sizeof target, "/api/v1/cli_sessions/%s", s.id); /* with PKCE there is nothing to be polled */
	expect(f, "GET", target, NULL, NULL, 409, NULL);
	assert_int_equal(redeem_status(f, &s, completion, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXx"), 400);
	assert_int_equal(redeem_status(f, &s, "aaaaaaaaaaaaaaaaaaaaaaaaaa", VERIFIER), 400);
	assert_int_equal(redeem_status(f, &s, completion, ""), 400);
	assert_int_equal(redeem_status(f, &s, "", VERIFIER), 400);
	assert_int_equal(redeem_status(f, &s, completion, CHALLENGE), 400);
	assert_int_equal(redeem_status(f, &s, completion, VERIFIER), 404); /* five were enough */
}

static void a_login_is_approved_once_and_only_with_a_token(void **state)
{
	struct api_fixture *f = *state;
	struct started s = start(f, STARTED);
	char target[100], lower[32];
	struct client_reply r;

	snprintf(target, sizeof target, "/v1/logins/%s", s.code);
	expect(f, "POST", target, NULL, NULL, 401, NULL);
	expect(f, "POST", target, "sx1_0000000000000000_0000", NULL, 401, NULL);
	r = ask_locally(f, "POST", target, NULL); /* an operator of the machine, but there is no token to hand over */
	assert_int_equal(r.status, 400);
	client_reply_deinit(&r);
	for (size_t i = 0; i <= strlen(s.code); i++)
		lower[i] = s.code[i] >= 'A' ? (char)(s.code[i] | 0x20) : s.code[i];
	memmove(lower + 4, lower + 5, 5); /* as people type it */
	r = approve(f, lower, f->acme);
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	r = approve(f, s.code, f->globex); /* nobody puts another token in its place */
	assert_int_equal(r.status, 404);
	client_reply_deinit(&r);
	r = approve(f, "BBBB-BBBB", f->globex);
	assert_int_equal(r.status, 404);
	client_reply_deinit(&r);
}

static void a_program_without_pkce_may_ask_until_somebody_approves(void **state)
{
	struct api_fixture *f = *state;
	struct started s = start(f, OLD);
	char target[120];
	struct client_reply r;

	assert_false(s.pkce);
	snprintf(target, sizeof target, "/api/v1/cli_sessions/%s", s.id);
	r = ask(f, "GET", target, NULL, NULL); /* flyctl takes any 200 for the end */
	assert_int_equal(r.status, 409);
	client_reply_deinit(&r);
	assert_int_equal(redeem_status(f, &s, "", ""), 404);
	r = approve(f, s.code, f->acme);
	assert_int_equal(r.status, 200);
	assert_true(json_is_null(json_object_get(r.json, "completion")));
	client_reply_deinit(&r);
	r = ask(f, "GET", target, NULL, NULL);
	assert_int_equal(r.status, 200);
	assert_string_equal(text_of(&r, "access_token"), f->acme);
	client_reply_deinit(&r);
	expect(f, "GET", target, NULL, NULL, 404, NULL);
}

static void waiting_logins_are_few_short_lived_and_of_many(void **state)
{
	static const uint8_t here[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 1 }, near[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 2 };
	struct api_fixture *f = *state;
	struct logins l = { .clock = f->env.clock };
	struct login_new in = { .name = "x", .source = here };
	char token[LOGIN_TOKEN_SIZE], first[LOGIN_ID_SIZE], code[LOGIN_CODE_SIZE];
	const struct login *one;
	uint8_t source[16] = { 0x20, 2 };
	struct why why;

	for (int i = 0; i < LOGINS_PER_SOURCE; i++)
		assert_int_equal(logins_start(&l, &in, &one, &why), 0);
	in.source = near; /* the same /64 */
	assert_int_equal(logins_start(&l, &in, &one, &why), E_REFUSED);
	assert_string_equal(why.code, "rate_limited");
	logins_deinit(&l);
	in.source = source;
	for (unsigned i = 0; i < LOGINS_MAX + 1; i++) { /* of as many places: the oldest makes room */
		source[2] = (uint8_t)i;
		source[3] = (uint8_t)(i >> 8);
		assert_int_equal(logins_start(&l, &in, &one, &why), 0);
		if (i == 0)
			strcpy(first, one->id);
	}
	assert_int_equal(l.n, LOGINS_MAX);
	assert_int_equal(logins_poll(&l, first, token, &why), E_REFUSED);
	assert_string_equal(why.code, "login_not_found");
	strcpy(code, one->code);
	assert_non_null(logins_find(&l, code));
	assert_int_equal(logins_approve(&l, code, "sx1_x", 5, here, &one, &why), E_REFUSED); /* no PKCE, and from elsewhere */
	assert_string_equal(why.code, "login_elsewhere");
	assert_int_equal(logins_approve(&l, code, "sx1_x", 5, NULL, &one, &why), E_REFUSED); /* or through a proxy, behind which all are one address */
	assert_string_equal(why.code, "login_elsewhere");
	in.source = here;
	in.forwarded = true;
	assert_int_equal(logins_start(&l, &in, &one, &why), 0);
	strcpy(code, one->code);
	assert_int_equal(logins_approve(&l, code, "sx1_x", 5, here, &one, &why), E_REFUSED);
	assert_string_equal(why.code, "login_elsewhere");
	f->base->time.now_ms += LOGINS_MS;
	assert_null(logins_find(&l, code));
	assert_int_equal(l.n, 0);
	logins_deinit(&l);
}

static void what_is_no_login_is_refused(void **state)
{
	static const char *const bad[] = {
		"{", "[]", "{\"name\":1}", "{\"code_challenge\":\"short\",\"code_challenge_method\":\"S256\"}",
		"{\"code_challenge\":\"" CHALLENGE "\"}", "{\"code_challenge\":\"" CHALLENGE "\",\"code_challenge_method\":\"plain\"}",
		"{\"code_challenge\":\"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM\",\"code_challenge_method\":\"S256\"}",
		"{\"redirect_port\":0}", "{\"redirect_port\":65536}", "{\"redirect_port\":\"80\"}", "{\"state\":\"a b\"}", "{\"state\":\"<script>\"}",
	};
	struct api_fixture *f = *state;
	char *large = malloc(20001);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect(f, "POST", "/api/v1/cli_sessions", NULL, bad[i], 400, NULL);
	memset(large, ' ', 20000);
	large[20000] = 0;
	expect(f, "POST", "/api/v1/cli_sessions", NULL, large, 413, NULL);
	free(large);
}

static void the_page_shows_what_asks_as_text_and_lets_no_other_script_run(void **state)
{
	struct api_fixture *f = *state;
	struct started s = start(f, "{\"name\":\"<img src=x onerror=alert(1)>\\\" data-x=\\\"\",\"code_challenge\":\"" CHALLENGE "\",\"code_challenge_method\":\"S256\"}");
	char hash[64], policy[100];
	uint8_t bytes[32];
	struct client_reply r = ask(f, "GET", strstr(s.url, "/login/"), NULL, NULL);

	assert_int_equal(r.status, 200);
	assert_non_null(strstr(r.head, "Content-Type: text/html"));
	assert_null(strstr(r.body, "<img"));
	assert_null(strstr(r.body, "\" data-x"));
	assert_null(strstr(r.body, s.id));
	assert_non_null(strstr(r.head, "Content-Security-Policy: default-src 'none';"));
	assert_non_null(strstr(r.head, "frame-ancestors 'none'"));
	assert_non_null(strstr(r.head, "Referrer-Policy: no-referrer"));
	assert_null(strstr(r.head, "unsafe"));
	assert_null(strcasestr(r.head, "Set-Cookie"));
	assert_non_null(strstr(r.body, login_page_script));
	crypto_sha256(login_page_script, strlen(login_page_script), bytes);
	crypto_base64(bytes, sizeof bytes, hash);
	snprintf(policy, sizeof policy, "script-src 'sha256-%s'", hash);
	assert_non_null(strstr(r.head, policy));
	client_reply_deinit(&r);
	expect(f, "GET", "/login/BBBB-BBBB", NULL, NULL, 404, "login_not_found");
	r = approve(f, s.code, f->acme);
	client_reply_deinit(&r);
	expect(f, "GET", strstr(s.url, "/login/"), NULL, NULL, 404, "login_not_found"); /* a page for what is done would only invite a second token */
}

static void a_token_as_password_is_given_back_and_nothing_else_is(void **state)
{
	struct api_fixture *f = *state;
	char body[400];
	struct client_reply r;

	snprintf(body, sizeof body, "{\"data\":{\"attributes\":{\"email\":\"me@example.com\",\"password\":\"%s\",\"otp\":\"\"}}}", f->acme_read);
	r = ask(f, "POST", "/api/v1/sessions", NULL, body);
	assert_int_equal(r.status, 200);
	assert_string_equal(json_string_value(json_object_get(json_object_get(json_object_get(r.json, "data"), "attributes"), "access_token")), f->acme_read);
	client_reply_deinit(&r);
	snprintf(body, sizeof body, "{\"data\":{\"attributes\":{\"email\":\"me@example.com\",\"password\":\"hunter2\"}}}");
	expect(f, "POST", "/api/v1/sessions", NULL, body, 401, NULL);
	expect(f, "POST", "/api/v1/sessions", NULL, "{\"data\":[]}", 401, NULL);
	snprintf(body, sizeof body, "{\"data\":{\"attributes\":{\"email\":\"a\",\"password\":\"%.*s%c\"}}}", (int)strlen(f->acme) - 1, f->acme,
		 f->acme[strlen(f->acme) - 1] == 'a' ? 'b' : 'a');
	for (int i = 0; i < 20; i++) { /* nor may it be guessed for long */
		r = ask(f, "POST", "/api/v1/sessions", NULL, body);
		assert_true(r.status == 401 || (i >= 10 && r.status == 429));
		if (i == 19)
			assert_int_equal(r.status, 429);
		client_reply_deinit(&r);
	}
}

#define T(test) cmocka_unit_test_setup_teardown(test, api_setup, api_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(flyctl_gets_the_token_that_a_person_gave_on_the_page_once),
		T(who_has_not_both_the_code_and_the_verifier_gets_nothing),
		T(a_login_is_approved_once_and_only_with_a_token),
		T(a_program_without_pkce_may_ask_until_somebody_approves),
		T(waiting_logins_are_few_short_lived_and_of_many),
		T(what_is_no_login_is_refused),
		T(the_page_shows_what_asks_as_text_and_lets_no_other_script_run),
		T(a_token_as_password_is_given_back_and_nothing_else_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
