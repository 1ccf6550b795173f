/* Join tokens and controller addresses. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lib/link/token.h"

#include <stdio.h>
#include <string.h>

#define ID "00112233445566ff"
#define SECRET "000102030405060708090a0b0c0d0e0f"
#define KEY "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"

static void a_token_is_read_and_written_alike(void **state)
{
	static const char *const texts[] = {
		"sixpn1." ID "." SECRET "." KEY "@controller.example:4281",
		"sixpn1." ID "." SECRET "." KEY "@192.0.2.1:1",
		"sixpn1." ID "." SECRET "." KEY "@[2001:db8::1]:65535",
	};
	char out[LINK_TOKEN_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct link_token t;
		struct why why = { 0 };

		assert_int_equal(link_token_parse(texts[i], &t, &why), 0);
		assert_int_equal(t.id[7], 0xff);
		assert_int_equal(t.secret[15], 0x0f);
		assert_int_equal(t.controller_key[31], 0x3f);
		link_token_format(&t, out);
		assert_string_equal(out, texts[i]);
	}
}

static void anything_else_is_refused_with_a_reason_that_hides_the_secret(void **state)
{
	static const char *const texts[] = {
		"",
		"sixpn1.",
		"sx1_abc_def",
		"sixpn2." ID "." SECRET "." KEY "@a:1",
		" sixpn1." ID "." SECRET "." KEY "@a:1",
		"sixpn1." ID "." SECRET "." KEY "@a:1\n",
		"sixpn1." ID "." SECRET "." KEY "@a:1 ",
		"sixpn1." ID "." SECRET "." KEY,
		"sixpn1." ID "." SECRET "." KEY "@",
		"sixpn1." ID "." SECRET "." KEY "@a",
		"sixpn1." ID "." SECRET "." KEY "@a:",
		"sixpn1." ID "." SECRET "." KEY "@a:0",
		"sixpn1." ID "." SECRET "." KEY "@a:01",
		"sixpn1." ID "." SECRET "." KEY "@a:65536",
		"sixpn1." ID "." SECRET "." KEY "@a:99999999999",
		"sixpn1." ID "." SECRET "." KEY "@a:4x",
		"sixpn1." ID "." SECRET "." KEY "@:4281",
		"sixpn1." ID "." SECRET "." KEY "@a b:4281",
		"sixpn1." ID "." SECRET "." KEY "@a@b:4281",
		"sixpn1." ID "." SECRET "." KEY "@1.2.3:4281",
		"sixpn1." ID "." SECRET "." KEY "@1.2.3.400:4281",
		"sixpn1." ID "." SECRET "." KEY "@2001:db8::1:4281",
		"sixpn1." ID "." SECRET "." KEY "@[2001:db8::g]:4281",
		"sixpn1." ID "." SECRET "." KEY "@[]:4281",
		"sixpn1." ID "." SECRET "." KEY "@-a.example:4281",
		"sixpn1." ID "." SECRET "." KEY "@a-.example:4281",
		"sixpn1." ID "." SECRET "." KEY "@a..example:4281",
		"sixpn1." ID "." SECRET "." KEY "@a.example.:4281",
		"sixpn1." ID "." SECRET "@a:1",
		"sixpn1." ID ".." KEY "@a:1",
		"sixpn1." ID "." SECRET "0." KEY "@a:1",
		"sixpn1." ID "." SECRET "." KEY "0@a:1",
		"sixpn1.0" ID "." SECRET "." KEY "@a:1",
		"sixpn1.00112233445566FF." SECRET "." KEY "@a:1",
		"SIXPN1." ID "." SECRET "." KEY "@a:1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct link_token t;
		struct why why = { 0 };

		if (link_token_parse(texts[i], &t, &why) != E_REFUSED)
			fail_msg("taken: %s", texts[i]);
		assert_string_equal(why.field, "token");
		assert_true(strlen(why.text) > 10);
		assert_null(strstr(why.text, SECRET));
	}
}

static void an_endless_text_is_refused(void **state)
{
	static char text[100000];
	struct link_token t;
	struct why why;

	(void)state;
	memset(text, 'a', sizeof text - 1);
	memcpy(text, "sixpn1." ID "." SECRET "." KEY "@", 7 + 17 + 33 + 65);
	assert_int_equal(link_token_parse(text, &t, &why), E_REFUSED);
}

static void the_longest_host_name_fits(void **state)
{
	char text[300] = "";
	struct why why;

	(void)state;
	for (int i = 0; i < 3; i++)
		strcat(text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.");
	strcat(text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:65535");
	assert_int_equal(link_address_check(text, "controller", &why), 0);
	memmove(text + 1, text, strlen(text) + 1);
	assert_int_equal(link_address_check(text, "controller", &why), E_REFUSED);
	assert_string_equal(why.field, "controller");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_read_and_written_alike),
		cmocka_unit_test(anything_else_is_refused_with_a_reason_that_hides_the_secret),
		cmocka_unit_test(an_endless_text_is_refused),
		cmocka_unit_test(the_longest_host_name_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
