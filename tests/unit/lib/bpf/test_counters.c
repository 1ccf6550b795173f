#include "lib/bpf/counters.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void every_reason_has_a_unique_plain_name(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < SIXPN_REASON_SLOTS; i++) {
		const char *name = bpf_reason_name(i);

		if (!name)
			continue;
		n++;
		for (const char *p = name; *p; p++)
			assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
		for (unsigned j = 0; j < i; j++)
			assert_false(bpf_reason_name(j) && !strcmp(bpf_reason_name(j), name));
	}
	assert_true(n > 20);
}

static void every_reason_says_a_sentence_and_belongs_to_a_hook(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIXPN_REASON_SLOTS; i++) {
		const char *sentence = bpf_reason_sentence(i);

		assert_int_equal(!sentence, !bpf_reason_name(i));
		assert_int_equal(!sentence, !bpf_reason_hooks(i));
		if (sentence)
			assert_int_equal(sentence[strlen(sentence) - 1], '.');
	}
}

static void numbers_outside_the_table_have_no_name(void **state)
{
	(void)state;
	assert_null(bpf_reason_name(SIXPN_REASON_NONE));
	assert_null(bpf_reason_name(SIXPN_REASON_SLOTS));
	assert_null(bpf_reason_sentence(UINT32_MAX));
	assert_int_equal(bpf_reason_hooks(UINT32_MAX), 0);
	assert_null(bpf_hook_name(SIXPN_HOOK_COUNT));
}

/* Kept in pinned maps and dashboards: these numbers never change. */
static void numbers_of_reasons_and_hooks_are_stable(void **state)
{
	(void)state;
	assert_string_equal(bpf_reason_name(1), "device_unknown");
	assert_string_equal(bpf_reason_name(9), "source_foreign");
	assert_string_equal(bpf_reason_name(11), "destination_network");
	assert_string_equal(bpf_reason_name(19), "mark_missing");
	assert_string_equal(bpf_reason_name(23), "presence_missing");
	assert_string_equal(bpf_reason_name(26), "sixpn_from_outside");
	assert_string_equal(bpf_hook_name(0), "instance_ingress");
	assert_string_equal(bpf_hook_name(6), "underlay_ingress");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_unique_plain_name),
		cmocka_unit_test(every_reason_says_a_sentence_and_belongs_to_a_hook),
		cmocka_unit_test(numbers_outside_the_table_have_no_name),
		cmocka_unit_test(numbers_of_reasons_and_hooks_are_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
