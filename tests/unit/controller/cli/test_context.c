/* Contexts: what is kept, who may read it, and that a key which must be there is asked for. */
#include "tests/unit/controller/cli/cli_fixture.h"

#include "controller/cli/pin.h"

#define PIN "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char *kept(struct fixture *f)
{
	char path[160];
	struct buf text = BUF_INIT(1u << 20);
	char *copy;
	struct stat st;

	snprintf(path, sizeof path, "%s/.config/sixpn/config", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_read(path, 1u << 20, &text), 0);
	copy = strdup(buf_str(&text));
	buf_deinit(&text);
	return copy;
}

static void by_context(struct fixture *f)
{
	f->env[0] = f->env[1];
	f->env[1] = NULL;
}

static void a_context_is_kept_private_and_used_from_then_on(void **state)
{
	struct fixture *f = *state;
	char words[300], file[100];
	char *text;

	snprintf(file, sizeof file, "%s/token", f->dir);
	assert_int_equal(file_create(file, "sx1_of-a-file\n", 14, 0600), 0);
	snprintf(words, sizeof words, "context add prod --url %s --token-file %s", f->url + 10, file);
	assert_int_equal(run(f, words), 0);
	text = kept(f);
	has(text, "sx1_of-a-file");
	has(text, "\"current\": \"prod\"");
	free(text);
	assert_int_equal(run(f, "context create other --url http://192.0.2.1:1"), 0);
	assert_int_equal(run(f, "context create prod --url http://192.0.2.1:1"), 1);
	has(f->err, "code: context_exists");
	text = kept(f);
	has(text, "sx1_of-a-file"); /* the only copy, perhaps */
	free(text);
	by_context(f);
	assert_int_equal(run(f, "context list --tsv"), 0);
	has(f->out, "prod\tno\thttp://127.0.0.1:");
	has(f->out, "other\tyes\thttp://192.0.2.1:1\tno\t\n");
	assert_null(strstr(f->out, "sx1_"));
	assert_int_equal(run(f, "context use prod"), 0);
	answer(f, 200, "{\"principal\":\"x\"}");
	assert_int_equal(run(f, "whoami"), 0);
	has(request(f, 0), "Bearer sx1_of-a-file");
	assert_int_equal(run(f, "context delete prod"), 2); /* nobody is here to say yes */
	assert_int_equal(run(f, "context delete prod --yes"), 0);
	text = kept(f);
	assert_null(strstr(text, "sx1_"));
	assert_null(strstr(text, "current"));
	has(text, "other");
	free(text);
}

static void what_cannot_be_a_context_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"context create ../x --url http://127.0.0.1:1",
		"context create prod",
		"context create prod --url ftp://x",
		"context create prod --url http://user@x",
		"context create prod --url http://127.0.0.1:1 --pin " PIN,
		"context create prod --url http://127.0.0.1:1 --trust-first-use",
		"context create prod --url https://127.0.0.1:1 --pin " PIN " --trust-first-use",
		"context create prod --url https://127.0.0.1:1 --pin sha256:00",
		"context create prod --url https://127.0.0.1:1 --pin md5:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"context create prod --url http://127.0.0.1:1 --token-file /nonexistent",
	};
	struct fixture *f = *state;
	char path[160];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (run(f, bad[i]) != 2)
			fail_msg("%s: %s", bad[i], f->err);
	assert_int_equal(run(f, "context create prod --url https://127.0.0.1:1 --pin " PIN), 5); /* nobody is there */
	assert_int_equal(run(f, "context use prod"), 3);
	assert_int_equal(run(f, "context delete prod --yes"), 3);
	snprintf(path, sizeof path, "%s/.config/sixpn/config", f->dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_pin_in_the_environment_or_the_file_must_be_one(void **state)
{
	struct fixture *f = *state;
	char path[160];

	f->env[4] = (char *)(uintptr_t) "SIXPN_PIN=sha256:xyz";
	assert_int_equal(run(f, "whoami"), 2);
	has(f->err, "code: pin_malformed");
	f->env[4] = NULL;
	snprintf(path, sizeof path, "%s/.config/sixpn", f->dir);
	assert_int_equal(file_make_dirs(path, 0700), 0);
	strcat(path, "/config");
	assert_int_equal(file_create(path, "{\"current\":\"a\",\"contexts\":{\"a\":{\"url\":\"https://127.0.0.1:1\",\"pin\":\"no\"}}}", 73, 0600), 0);
	f->env[3] = NULL;
	by_context(f);
	assert_int_equal(run(f, "whoami"), 2);
	has(f->err, "code: pin_malformed");
	assert_int_equal(f->n_requests, 0);
}

/* Its fixture's controller is at a plain http:// address, which has no key. */
static void with_a_pin_nothing_goes_over_plain_http(void **state)
{
	struct fixture *f = *state;

	f->env[4] = (char *)(uintptr_t) "SIXPN_PIN=" PIN;
	assert_int_equal(run(f, "whoami"), 2);
	has(f->err, "code: pin_without_https");
	assert_int_equal(f->n_requests, 0);
	f->env[4] = NULL;
}

static void a_pin_is_written_as_it_is_read(void **state)
{
	uint8_t pin[PIN_LEN];
	char text[PIN_TEXT_SIZE];

	(void)state;
	assert_int_equal(pin_parse("SHA256:00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff", pin), 0);
	pin_text(pin, text);
	assert_string_equal(text, PIN);
	assert_int_equal(pin_parse(PIN "0", pin), -EINVAL);
	assert_int_equal(pin_of_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 60, pin), -EINVAL);
	assert_int_equal(pin_of_pem("", 0, pin), -EINVAL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_context_is_kept_private_and_used_from_then_on),
		T(what_cannot_be_a_context_is_refused_and_changes_nothing),
		T(a_pin_in_the_environment_or_the_file_must_be_one),
		T(with_a_pin_nothing_goes_over_plain_http),
		cmocka_unit_test(a_pin_is_written_as_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
