/* Settings that only a part of the node understands are refused before anything is done. */
#include "tests/unit/node/made.h"

#include "node/settings.h"

static int check(const char *forward, const char *listen, struct why *why)
{
	struct config config;
	char text[256];
	int r;

	*why = (struct why){ 0 };
	assert_int_equal(settings_init(&config), 0);
	snprintf(text, sizeof text, "[dns]\nforward = %s\nlisten = %s\n", forward, listen);
	assert_int_equal(config_read_text(&config, text, "test", why), 0);
	r = settings_check(&config, why);
	config_deinit(&config);
	return r;
}

static void upstreams_that_can_be_are_taken(void **state)
{
	struct why why;

	(void)state;
	assert_int_equal(check("auto", "fdaa::3", &why), 0);
	assert_int_equal(check("off", "fdaa::3", &why), 0);
	assert_int_equal(check("192.0.2.1, [2001:db8::1]:5353", "fdaa::3", &why), 0);
}

static void those_that_cannot_are_refused_by_name(void **state)
{
	static const char *const rows[][3] = {
		{ "fdaa::3", "fdaa::3", "fdaa::3" },
		{ "192.0.2.1, dns.example", "fdaa::3", "dns.example" },
		{ "fdaa:1234:5678::3", "fdaa:1234:5678::3", "fdaa:1234:5678::3" },
		{ "of", "fdaa::3", "\"of\"" },
	};
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(check(rows[i][0], rows[i][1], &why), E_REFUSED);
		assert_string_equal(why.field, "forward");
		assert_non_null(strstr(why.text, rows[i][2]));
	}
	assert_int_equal(check("auto", "192.0.2.1", &why), E_REFUSED);
	assert_string_equal(why.field, "listen");
}

static void the_name_server_is_at_a_resolver_address_and_nowhere_else(void **state)
{
	static const char *const wrong[] = { "::", "::1", "fe80::1", "ff02::1", "::ffff:192.0.2.1", "2001:db8::9", "fdaa::2", "fdaa::1:3",
					     "fdaa:1234:5678:a111:1:7:7777:2", "fdaa:0:5::3" };
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(check("off", wrong[i], &why), E_REFUSED);
		assert_string_equal(why.field, "listen");
		assert_non_null(strstr(why.text, wrong[i]));
	}
	assert_int_equal(check("off", "fdaa:1234:5678::3", &why), 0);
}

static int check_gateway(const char *text, struct why *why)
{
	struct config config;
	int r;

	*why = (struct why){ 0 };
	assert_int_equal(settings_init(&config), 0);
	assert_int_equal(config_read_text(&config, text, "test", why), 0);
	r = settings_check(&config, why);
	if (r == 0)
		r = settings_check_roles(&config, ROLE_HOST | ROLE_GATEWAY, why);
	config_deinit(&config);
	return r;
}

static void a_gateway_says_what_customers_dial(void **state)
{
	static const char *const wrong[][2] = {
		{ "", "gateway_host" },
		{ "[wireguard]\nbackend = kernal\n", "backend" },
		{ "[gateway]\ngateway_host = gw.example:51820\n", "gateway_host" },
		{ "[gateway]\ngateway_host = gw.example\ngateway_port = 51821\n", "gateway_port" },
	};
	struct why why;

	(void)state;
	assert_int_equal(check_gateway("[gateway]\ngateway_host = gw-ord.example.net\n[wireguard]\nbackend = kernel\n", &why), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(check_gateway(wrong[i][0], &why), E_REFUSED);
		assert_string_equal(why.field, wrong[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upstreams_that_can_be_are_taken),
		cmocka_unit_test(the_name_server_is_at_a_resolver_address_and_nowhere_else),
		cmocka_unit_test(those_that_cannot_are_refused_by_name),
		cmocka_unit_test(a_gateway_says_what_customers_dial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
