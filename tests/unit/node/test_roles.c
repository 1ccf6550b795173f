/* `roles = host, gateway` */
#include "tests/unit/node/made.h"

#include "node/roles.h"

static void lists_of_known_roles_are_taken(void **state)
{
	static const struct {
		const char *text;
		uint32_t bits;
	} rows[] = {
		{ "host", ROLE_HOST },
		{ "gateway", ROLE_GATEWAY },
		{ "host, gateway", ROLE_HOST | ROLE_GATEWAY },
		{ "gateway,host", ROLE_HOST | ROLE_GATEWAY },
		{ " host  ", ROLE_HOST },
		{ "host,,host,", ROLE_HOST },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t bits = 0;
		struct why why;

		assert_int_equal(roles_parse(rows[i].text, &bits, &why), 0);
		assert_int_equal(bits, rows[i].bits);
	}
}

static void anything_else_is_refused_and_quoted(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "no role" },	     { " , ", "no role" },	 { "hosts", "\"hosts\"" }, { "hos", "\"hos\"" },
		{ "host gatewa", "\"gatewa\"" }, { "Host", "\"Host\"" }, { "host;gateway", "\"host;gateway\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t bits = 0x55;
		struct why why = { 0 };

		assert_int_equal(roles_parse(rows[i].text, &bits, &why), E_REFUSED);
		assert_non_null(strstr(why.text, rows[i].says));
		assert_string_equal(why.field, "roles");
		assert_int_equal(bits, 0x55);
	}
}

static void every_role_has_all_that_the_node_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_roles; i++)
		assert_true(roles[i]->name && roles[i]->bit && roles[i]->start && roles[i]->sync && roles[i]->stop && roles[i]->wipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_known_roles_are_taken),
		cmocka_unit_test(anything_else_is_refused_and_quoted),
		cmocka_unit_test(every_role_has_all_that_the_node_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
