/* `sixpn login` against a faked controller: what proves that it is the one that started, and where the token goes. */
#include "tests/unit/controller/cli/cli_fixture.h"

#include "lib/base/crypto.h"

#define STARTED "{\"id\":\"00112233\",\"auth_url\":\"http://192.0.2.1/login/BCDF-GHJK\",\"pkce\":true,\"code\":\"BCDF-GHJK\"}"

static void field_of(const char *request, const char *name, char *ret, size_t size)
{
	char begin[64];
	const char *at;

	snprintf(begin, sizeof begin, "\"%s\":\"", name);
	at = strstr(request, begin);
	assert_non_null(at);
	at += strlen(begin);
	snprintf(ret, size, "%.*s", (int)strcspn(at, "\""), at);
}

static void the_verifier_stays_here_until_the_code_is_known(void **state)
{
	struct fixture *f = *state;
	char challenge[64], verifier[64], text[64], path[160];
	uint8_t hash[32];
	struct stat st;

	f->env[2] = f->env[3]; /* no token yet */
	f->env[3] = NULL;
	answer(f, 201, STARTED);
	answer(f, 400, "{\"error\":\"that is not the code\",\"code\":\"login_wrong\"}");
	answer(f, 200, "{\"access_token\":\"sx1_fresh\"}");
	assert_int_equal(run_on(f, true, "wrong\nthe-code\n", "login"), 0);
	has(f->err, "http://192.0.2.1/login/BCDF-GHJK");
	has(f->err, "sixpn login approve BCDF-GHJK");
	has(f->err, "that is not the code");
	has(f->err, "code: login_wrong");
	assert_null(strstr(f->out, "sx1_"));
	assert_null(strstr(request(f, 0), "code_verifier"));
	has(request(f, 0), "\"code_challenge_method\":\"S256\"");
	field_of(request(f, 0), "code_challenge", challenge, sizeof challenge);
	has(request(f, 2), "POST /api/v1/cli_sessions/00112233/redeem ");
	has(request(f, 2), "\"code\":\"the-code\"");
	field_of(request(f, 2), "code_verifier", verifier, sizeof verifier);
	assert_int_equal(strlen(verifier), 43);
	crypto_sha256(verifier, strlen(verifier), hash);
	crypto_base64(hash, sizeof hash, text);
	for (char *p = text; *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? 0 : *p;
	assert_string_equal(text, challenge);
	snprintf(path, sizeof path, "%s/.config/sixpn/config", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_login_that_fails_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	char path[160];

	answer(f, 429, "{\"error\":\"8 logins wait\",\"code\":\"rate_limited\"}");
	assert_int_equal(run_on(f, true, "x\n", "login"), 1);
	has(f->err, "8 logins wait");
	answer(f, 201, STARTED);
	answer(f, 404, "{\"error\":\"too old\",\"code\":\"login_not_found\"}");
	assert_int_equal(run_on(f, true, "x\ny\nz\n", "login"), 3); /* and is not asked again */
	assert_int_equal(f->n_requests, 3);
	answer(f, 201, STARTED);
	assert_int_equal(run_on(f, true, "", "login"), 130);
	snprintf(path, sizeof path, "%s/.config/sixpn/config", f->dir);
	assert_int_equal(access(path, F_OK), -1);
	strcat(path, ".new");
	assert_int_equal(access(path, F_OK), -1);
}

static void who_approves_sends_his_token_and_is_shown_the_code(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, "{\"name\":\"laptop\",\"completion\":\"abc\",\"state\":null,\"redirect_port\":null}");
	assert_int_equal(run(f, "login approve BCDF-GHJK"), 0);
	has(request(f, 0), "POST /v1/logins/BCDF-GHJK ");
	has(request(f, 0), "Bearer sx1_test");
	assert_string_equal(f->out, "abc\n");
	has(f->err, "laptop");
	assert_int_equal(run(f, "login approve"), 2);
	assert_int_equal(run(f, "login disapprove BCDF-GHJK"), 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_verifier_stays_here_until_the_code_is_known),
		T(a_login_that_fails_leaves_nothing),
		T(who_approves_sends_his_token_and_is_shown_the_code),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
