/* The endpoints that other nodes are told. */
#include "tests/unit/node/made.h"

#include "node/enroll.h"
#include "node/settings.h"

#include <sched.h>
#include <unistd.h>

static int endpoints(const char *setting, const char *towards, struct addr_endpoint *ret, size_t *ret_n, struct why *why)
{
	char argument[600] = "--endpoint", value[600];
	char *argv[] = { "sixpn-node", argument, value, "--port", "4444", NULL };
	int argc = 5, e;
	struct config config;

	snprintf(value, sizeof value, "%s", setting);
	memset(why, 0, sizeof *why);
	assert_int_equal(settings_init(&config), 0);
	assert_int_equal(config_read_args(&config, &argc, argv, why), 0);
	e = enroll_endpoints(&config, towards, ret, ret_n, why);
	config_deinit(&config);
	return e;
}

static void settings_are_taken_in_their_order(void **state)
{
	static const struct {
		const char *setting, *result;
	} rows[] = {
		{ "192.0.2.1:5", "192.0.2.1:5" },
		{ "192.0.2.1:5,[2001:db8::1]:6", "192.0.2.1:5 [2001:db8::1]:6" },
		{ "192.0.2.1:5 , 192.0.2.2:6", "192.0.2.1:5 192.0.2.2:6" },
		{ "auto", "127.0.0.1:4444" },
		{ "192.0.2.1:5, auto", "192.0.2.1:5 127.0.0.1:4444" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr_endpoint found[RECORD_ENDPOINTS_MAX];
		char text[400] = "", one[ADDR_ENDPOINT_TEXT_LEN];
		struct why why;
		size_t n = 99;

		assert_int_equal(endpoints(rows[i].setting, "127.0.0.1:4281", found, &n, &why), 0);
		for (size_t k = 0; k < n; k++) {
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", k ? " " : "", addr_endpoint_text(&found[k], one));
			assert_false(found[k].lan);
		}
		assert_string_equal(text, rows[i].result);
	}
}

static void auto_speaks_the_family_of_the_controller(void **state)
{
	struct addr_endpoint found[RECORD_ENDPOINTS_MAX];
	char text[ADDR_ENDPOINT_TEXT_LEN];
	struct why why;
	size_t n;
	int e = endpoints("auto", "[::1]:4281", found, &n, &why);

	(void)state;
	if (e == E_REFUSED) {
		print_message("SKIP: this machine has no ::1\n");
		skip();
	}
	assert_int_equal(e, 0);
	assert_string_equal(addr_endpoint_text(&found[0], text), "[::1]:4444");
}

static void what_is_no_endpoint_is_refused_and_quoted(void **state)
{
	static const char *const rows[] = { "192.0.2.1",     "192.0.2.1:0", "192.0.2.1:65536", "2001:db8::1:5",
					    "[2001:db8::1:5", "example:5",   ":5",	       "auto:5",
					    "[]:5",	     "[:5",	    "192.0.2.1:5x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr_endpoint found[RECORD_ENDPOINTS_MAX];
		struct why why;
		size_t n;

		assert_int_equal(endpoints(rows[i], "127.0.0.1:4281", found, &n, &why), E_REFUSED);
		assert_non_null(strstr(why.text, rows[i]));
	}
}

static void more_than_a_record_may_hold_are_refused(void **state)
{
	struct addr_endpoint found[RECORD_ENDPOINTS_MAX];
	char setting[400] = "";
	struct why why;
	size_t n;

	(void)state;
	for (int i = 0; i < RECORD_ENDPOINTS_MAX; i++)
		snprintf(setting + strlen(setting), sizeof setting - strlen(setting), "192.0.2.%d:5,", i + 1);
	assert_int_equal(endpoints(setting, "127.0.0.1:1", found, &n, &why), 0);
	assert_int_equal(n, RECORD_ENDPOINTS_MAX);
	strcat(setting, "192.0.2.99:5");
	assert_int_equal(endpoints(setting, "127.0.0.1:1", found, &n, &why), E_REFUSED);
}

/* Last: it leaves the network of this machine for one of its own. */
static void auto_without_a_way_to_the_controller_is_refused(void **state)
{
	struct addr_endpoint found[RECORD_ENDPOINTS_MAX];
	struct why why;
	size_t n;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		print_message("SKIP: a network namespace of our own needs root\n");
		skip();
	}
	assert_int_equal(endpoints("auto", "192.0.2.1:4281", found, &n, &why), E_REFUSED);
	assert_non_null(strstr(why.text, "192.0.2.1:4281"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_taken_in_their_order),
		cmocka_unit_test(auto_speaks_the_family_of_the_controller),
		cmocka_unit_test(what_is_no_endpoint_is_refused_and_quoted),
		cmocka_unit_test(more_than_a_record_may_hold_are_refused),
		cmocka_unit_test(auto_without_a_way_to_the_controller_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
