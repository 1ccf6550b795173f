/* JSON at the door: what is not exactly what we asked for is refused, with the field and the value named. */
#include "lib/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void documents(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "{}", true }, { "[]", true }, { " { \"a\" : 1 } \n", true }, { "{\"a\":{\"a\":1}}", true },
		{ "{\"a\":\"caf\xc3\xa9\"}", true }, { "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}", true },
		{ "{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}", true },
		{ "", false }, { " ", false }, { "1", false }, { "\"a\"", false }, { "null", false }, { "{} x", false }, { "{}{}", false },
		{ "{\"a\":1,\"a\":2}", false }, { "{\"a\":1,}", false }, { "{'a':1}", false }, { "{a:1}", false }, { "{\"a\":01}", false },
		{ "{\"a\":NaN}", false }, { "{\"a\":1", false }, { "{\"a\":\"x}", false }, { "{\"a\":\"\xff\"}", false },
		{ "{\"a\":\"\\u0000\"}", false }, { "{\"a\":\"\\ud800\"}", false }, { "{\"a\\u0000b\":1}", false },
		{ "{\"a\":99999999999999999999}", false }, { "{\"a\":1e999}", false }, { "// c\n{}", false }, { "\xef\xbb\xbf{}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { .code = "" };
		CLEAN_JSON json_t *doc = json_parse(rows[i].text, strlen(rows[i].text), &why);

		if (rows[i].good != !!doc)
			fail_msg("%s", rows[i].text);
		assert_string_equal(why.code, doc ? "" : "json_invalid");
	}
}

static void a_nul_byte_is_not_the_end(void **state)
{
	(void)state;
	assert_null(json_parse("{}\0{}", 5, NULL));
	assert_null(json_parse("{\"a\":\"b\0c\"}", 11, NULL));
	assert_null(json_parse(NULL, 0, NULL));
}

static void nesting_has_a_limit(void **state)
{
	(void)state;
	for (size_t depth = 1; depth < 3000; depth = depth < 40 ? depth + 1 : depth * 2) {
		static char text[6000];
		struct why why;
		json_t *doc;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		doc = json_parse(text, 2 * depth, &why);
		assert_int_equal(!!doc, depth <= JSON_DEPTH_MAX);
		json_decref(doc);
	}
}

static void known_names_only(void **state)
{
	static const char *const names[] = { "name", "region", NULL };
	static const struct {
		const char *text, *code, *field;
	} rows[] = {
		{ "{}", "", "" },
		{ "{\"name\":1,\"region\":2}", "", "" },
		{ "{\"Name\":1}", "field_unknown", "Name" },
		{ "{\"name\":1,\"nam\":2}", "field_unknown", "nam" },
		{ "{\"\":1}", "field_unknown", "" },
		{ "[]", "json_invalid", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEAN_JSON json_t *doc = json_parse(rows[i].text, strlen(rows[i].text), NULL);
		struct why why = { .code = "" };

		assert_non_null(doc);
		assert_int_equal(json_known(doc, names, &why), *rows[i].code ? E_REFUSED : 0);
		assert_string_equal(why.code, rows[i].code);
		assert_string_equal(why.field, rows[i].field);
	}
}

/* One field of every getter: the text of its value and what each getter makes of it. -1 refused, 0 untouched, 1 taken. */
static void getters_are_strict(void **state)
{
	static const struct {
		const char *value;
		int str, integer, number, boolean;
	} rows[] = {
		{ "null", 0, 0, 0, 0 },	    { "\"abc\"", 1, -1, -1, -1 }, { "\"abcd\"", -1, -1, -1, -1 }, { "\"\"", 1, -1, -1, -1 },
		{ "5", -1, 1, 1, -1 },	    { "5.0", -1, -1, 1, -1 },	  { "-3", -1, 1, 1, -1 },	  { "-4", -1, -1, -1, -1 },
		{ "10", -1, 1, 1, -1 },	    { "11", -1, -1, -1, -1 },	  { "10.001", -1, -1, -1, -1 },	  { "\"5\"", 1, -1, -1, -1 },
		{ "true", -1, -1, -1, 1 },  { "false", -1, -1, -1, 1 },	  { "[]", -1, -1, -1, -1 },	  { "{}", -1, -1, -1, -1 },
		{ "9223372036854775807", -1, -1, -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[64], str[4] = "?";
		int64_t integer = 77;
		double number = 77;
		bool boolean = !strcmp(rows[i].value, "false");
		struct why why;
		CLEAN_JSON json_t *doc = NULL;

		assert_true((size_t)snprintf(text, sizeof text, "{\"f\":%s}", rows[i].value) < sizeof text);
		doc = json_parse(text, strlen(text), NULL);
		assert_non_null(doc);
		assert_int_equal(json_get_str(doc, "f", str, sizeof str, &why), rows[i].str < 0);
		assert_int_equal(strcmp(str, "?") != 0, rows[i].str > 0);
		assert_int_equal(json_get_int(doc, "f", -3, 10, &integer, &why), rows[i].integer < 0);
		assert_int_equal(integer != 77, rows[i].integer > 0);
		assert_int_equal(json_get_num(doc, "f", -3, 10, &number, &why), rows[i].number < 0);
		assert_int_equal(number != 77, rows[i].number > 0);
		assert_int_equal(json_get_bool(doc, "f", &boolean, &why), rows[i].boolean < 0);
		assert_int_equal(boolean, !strcmp(rows[i].value, "true"));
	}
}

static void a_refusal_names_field_and_value(void **state)
{
	CLEAN_JSON json_t *doc = json_parse("{\"count\":500,\"name\":\"abcdef\"}", 29, NULL);
	struct why why;
	int64_t count;
	char name[4];

	(void)state;
	assert_int_equal(json_get_int(doc, "count", 1, 99, &count, &why), E_REFUSED);
	assert_string_equal(why.code, "out_of_range");
	assert_string_equal(why.field, "count");
	assert_non_null(strstr(why.text, "500"));
	assert_non_null(strstr(why.text, "1 to 99"));
	assert_int_equal(json_get_str(doc, "name", name, sizeof name, &why), E_REFUSED);
	assert_string_equal(why.code, "too_long");
	assert_non_null(strstr(why.text, "at most 3"));
	assert_int_equal(json_get_bool(doc, "name", &(bool){ false }, &why), E_REFUSED);
	assert_non_null(strstr(why.text, "a string"));
}

static void what_is_needed_must_be_there_and_not_null(void **state)
{
	CLEAN_JSON json_t *doc = json_parse("{\"a\":0,\"b\":null}", 16, NULL);
	struct why why;

	(void)state;
	assert_int_equal(json_need(doc, "a", &why), 0);
	assert_int_equal(json_need(doc, "b", &why), E_REFUSED);
	assert_int_equal(json_need(doc, "c", &why), E_REFUSED);
	assert_string_equal(why.code, "field_missing");
	assert_string_equal(why.field, "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents),
		cmocka_unit_test(a_nul_byte_is_not_the_end),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(known_names_only),
		cmocka_unit_test(getters_are_strict),
		cmocka_unit_test(a_refusal_names_field_and_value),
		cmocka_unit_test(what_is_needed_must_be_there_and_not_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
