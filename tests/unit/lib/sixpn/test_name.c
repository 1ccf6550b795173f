/* Names: what is allowed, and that a refusal says which character, where, and what would do. */
#include "lib/sixpn/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define LABEL_63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"

static void app_names(void **state)
{
	static const struct {
		const char *name;
		bool good;
		const char *says;
	} rows[] = {
		{ "fearsome-bagel-43", true, NULL },
		{ "a", true, NULL },
		{ LABEL_63, true, NULL },
		{ LABEL_63 "x", false, "64 characters" },
		{ "", false, "empty" },
		{ "my_app", false, "\"_\" at position 3" },
		{ "My-app", false, "\"my-app\"" },
		{ "4app", false, "position 1" },
		{ "-app", false, "position 1" },
		{ "app-", false, "position 4" },
		{ "a.b", false, "position 2" },
		{ "a b", false, "position 2" },
		{ "caf\xc3\xa9", false, "position 4" },
		{ "global", false, "reserved" },
		{ "vms", false, "reserved" },
		{ "regions", false, "reserved" },
		{ "all", false, "reserved" },
		{ "vm", false, "reserved" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };

		assert_int_equal(name_check_app(rows[i].name, &why), rows[i].good ? 0 : E_REFUSED);
		if (!rows[i].good) {
			assert_non_null(strstr(why.text, rows[i].says));
			assert_string_equal(why.field, "name");
		}
	}
}

static void region_names(void **state)
{
	static const char *const good[] = { "ord", "nrt", "dev" };
	static const char *const bad[] = { "", "or", "ordx", "ORD", "o1d", "all", "any", "vms", "not" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(name_check_region(good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(name_check_region(bad[i], NULL), E_REFUSED);
}

static void instance_ids(void **state)
{
	(void)state;
	assert_int_equal(name_check_instance_id("4d891ef2a03b58", NULL), 0);
	assert_int_equal(name_check_instance_id("4D891ef2a03b58", NULL), E_REFUSED);
	assert_int_equal(name_check_instance_id("4d891ef2a03b5", NULL), E_REFUSED);
	assert_int_equal(name_check_instance_id("4d891ef2a03b588", NULL), E_REFUSED);
	assert_int_equal(name_check_instance_id("", NULL), E_REFUSED);
}

static void a_tamed_text_is_always_a_good_one(void **state)
{
	static const struct {
		const char *text, *tamed;
	} cases[] = {
		{ "plain", "plain" },
		{ "a\nb\x1b[2Jc\x7f", "a b [2Jc " },
		{ "S\xc3\xa3o", "S\xc3\xa3o" },
		{ "cut \xc3", "cut ?" },
		{ "cut \xf0\x9f\x90", "cut ???" },
		{ "\xc0\x80\xff.", "???." },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[32];

		snprintf(text, sizeof text, "%s", cases[i].text);
		name_tame(text);
		assert_string_equal(text, cases[i].tamed);
		assert_int_equal(name_check_text("text", text, sizeof text, NULL), 0);
	}
}

static void utf8_is_judged_by_the_book(void **state)
{
	(void)state;
	assert_true(name_is_utf8("S\xc3\xa3o", 4));
	assert_true(name_is_utf8("\xf0\x9f\x90\xa6", 4));
	assert_false(name_is_utf8("\xc0\x80", 2));         /* overlong */
	assert_false(name_is_utf8("\xe0\x80\x80", 3));     /* overlong */
	assert_false(name_is_utf8("\xed\xa0\x80", 3));     /* surrogate */
	assert_false(name_is_utf8("\xf4\x90\x80\x80", 4)); /* beyond U+10FFFF */
	assert_false(name_is_utf8("\xc3", 1));
	assert_false(name_is_utf8("\xff", 1));
}

static void texts_hold_no_control_characters(void **state)
{
	(void)state;
	assert_int_equal(name_check_text("city", "Chicago", 63, NULL), 0);
	assert_int_equal(name_check_text("city", "Chi\ncago", 63, NULL), E_REFUSED);
	assert_int_equal(name_check_text("city", "Chicago", 3, NULL), E_REFUSED);
	assert_int_equal(name_check_metadata("a.b_c-D", "v", NULL), 0);
	assert_int_equal(name_check_metadata("", "v", NULL), E_REFUSED);
	assert_int_equal(name_check_metadata("a b", "v", NULL), E_REFUSED);
}

static void what_customers_dial_is_a_host_name_or_an_address(void **state)
{
	static const char *const right[] = { "gw-ord.example.net", "GW1", "192.0.2.1", "2001:db8::1", "1.gw.example", "a", "xn--bcher-kva.example" };
	static const char *const wrong[] = { "", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a b", "a\nPostUp = x", "gw:51820", "[2001:db8::1]",
					     "192.0.2.256", "1.2.3", "a_b", "g\xc3\xbc", "https://gw",
					     "a123456789b123456789c123456789d123456789e123456789f123456789g123" "4" };
	char longest[255];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(right); i++)
		assert_int_equal(name_check_hostname("gateway_host", right[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(name_check_hostname("gateway_host", wrong[i], NULL), E_REFUSED);
	for (size_t i = 0; i < sizeof longest; i++)
		longest[i] = i % 2 ? '.' : 'a';
	longest[253] = longest[254] = 0;
	assert_int_equal(name_check_hostname("gateway_host", longest, NULL), 0);
	longest[253] = 'a';
	assert_int_equal(name_check_hostname("gateway_host", longest, NULL), E_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(app_names),
		cmocka_unit_test(region_names),
		cmocka_unit_test(instance_ids),
		cmocka_unit_test(utf8_is_judged_by_the_book),
		cmocka_unit_test(a_tamed_text_is_always_a_good_one),
		cmocka_unit_test(texts_hold_no_control_characters),
		cmocka_unit_test(what_customers_dial_is_a_host_name_or_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
