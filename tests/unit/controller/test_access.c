/* What external_url may be, and what is said when it is empty. */
#include "controller/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void an_external_url_is_a_scheme_a_host_and_perhaps_a_port(void **state)
{
	static const char *const good[][2] = { { "http://127.0.0.1:4280", "127.0.0.1" }, { "https://sixpn.example", "sixpn.example" },
					       { "https://[fd00::1]:443", "[fd00::1]" }, { "https://a:1", "a" } };
	static const char *const bad[] = { "", "sixpn.example", "ftp://a", "http://", "http://:80", "http://a/", "http://a/b", "http://u@a",
					   "http://a:", "http://a:x", "http://a:123456", "http://a b", "http://a'b", "http://[fd00::1", "http://a?b" };
	char host[256];
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(access_check_url(good[i][0], host, sizeof host, &why), 0);
		assert_string_equal(host, good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (access_check_url(bad[i], host, sizeof host, &why) != E_REFUSED || strcmp(why.field, "external_url"))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void a_wildcard_is_loopback_for_who_asks_on_this_machine(void **state)
{
	char url[256];

	(void)state;
	access_url_of("[::]:4280", 4280, false, url, sizeof url);
	assert_string_equal(url, "http://[::1]:4280");
	access_url_of("0.0.0.0:0", 1234, true, url, sizeof url);
	assert_string_equal(url, "https://127.0.0.1:1234");
	access_url_of("192.0.2.7:80", 80, false, url, sizeof url);
	assert_string_equal(url, "http://192.0.2.7:80");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_external_url_is_a_scheme_a_host_and_perhaps_a_port),
		cmocka_unit_test(a_wildcard_is_loopback_for_who_asks_on_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
