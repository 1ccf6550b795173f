/* How programs get to the API, and flyctl's measurements, which are answered and thrown away. */
#include "tests/unit/controller/api/api_fixture.h"

static void set_access(struct api_fixture *f, const struct api_access *access)
{
	((struct api_env *)(uintptr_t)api_get_env(f->api))->access = access;
}

static void the_api_says_at_which_address_it_is(void **state)
{
	struct api_fixture *f = *state;
	static const struct api_access access = { .url = "http://192.0.2.1:4280" };
	struct client_reply r = ask(f, "GET", "/v1/access", f->acme_read, NULL);

	assert_int_equal(r.status, 503);
	client_reply_deinit(&r);
	set_access(f, &access);
	r = ask(f, "GET", "/v1/access", f->acme_read, NULL);
	assert_int_equal(r.status, 200);
	assert_string_equal(json_string_value(json_object_get(r.json, "url")), "http://192.0.2.1:4280");
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/access", NULL, NULL);
	assert_int_equal(r.status, 401);
	client_reply_deinit(&r);
}

static void measurements_of_flyctl_are_taken_whatever_they_are_and_a_stranger_s_are_not(void **state)
{
	struct api_fixture *f = *state;
	static const char *const bodies[] = { "[{\"m\":\"start\",\"p\":{}}]", "{", "\x01\x02", "" };
	struct client_reply r;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		r = ask(f, "POST", "/metrics_post", f->acme_read, bodies[i]);
		assert_int_equal(r.status, 200);
		client_reply_deinit(&r);
	}
	r = ask(f, "POST", "/metrics_post", NULL, bodies[0]);
	assert_int_equal(r.status, 401);
	client_reply_deinit(&r);
}

#define T(test) cmocka_unit_test_setup_teardown(test, api_setup, api_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_api_says_at_which_address_it_is),
		T(measurements_of_flyctl_are_taken_whatever_they_are_and_a_stranger_s_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
