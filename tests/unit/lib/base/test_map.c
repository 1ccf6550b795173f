/* The map against a plain array, tombstones included. */
#include "lib/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void what_is_set_is_found_and_nothing_else(void **state)
{
	struct map m = { 0 };
	int one, two;

	(void)state;
	assert_null(map_get_str(&m, "a"));
	assert_int_equal(map_set_str(&m, "a", &one), 0);
	assert_int_equal(map_set_str(&m, "ab", &two), 0);
	assert_ptr_equal(map_get_str(&m, "a"), &one);
	assert_ptr_equal(map_get_str(&m, "ab"), &two);
	assert_null(map_get_str(&m, "b"));
	assert_null(map_get_str(&m, ""));
	assert_null(map_get(&m, "a", 2)); /* with its NUL it is another key */
	map_deinit(&m);
}

static void keys_of_zeros_differ_by_length(void **state)
{
	static const uint8_t zeros[24];
	struct map m = { 0 };
	int values[24];

	(void)state;
	for (size_t n = 0; n < 24; n++)
		assert_int_equal(map_set(&m, zeros, n, &values[n], NULL), 0);
	assert_int_equal(m.n, 24);
	for (size_t n = 0; n < 24; n++)
		assert_ptr_equal(map_get(&m, zeros, n), &values[n]);
	map_deinit(&m);
}

static void setting_again_replaces_and_gives_the_old(void **state)
{
	struct map m = { 0 };
	char first_key[] = "key", second_key[] = "key";
	int one, two;
	void *old = &two;

	(void)state;
	assert_int_equal(map_set(&m, first_key, 3, &one, &old), 0);
	assert_null(old);
	assert_int_equal(map_set(&m, second_key, 3, &two, &old), 0);
	assert_ptr_equal(old, &one);
	first_key[0] = 'x'; /* the old key went with the old value */
	assert_ptr_equal(map_get_str(&m, "key"), &two);
	assert_int_equal(m.n, 1);
	map_deinit(&m);
}

static void a_removed_key_does_not_hide_those_behind_it(void **state)
{
	struct map m = { 0 };
	uint32_t keys[200];

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(keys); i++) {
		keys[i] = i;
		assert_int_equal(map_set(&m, &keys[i], sizeof keys[i], &keys[i], NULL), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i += 2)
		assert_ptr_equal(map_remove(&m, &keys[i], sizeof keys[i]), &keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_ptr_equal(map_get(&m, &keys[i], sizeof keys[i]), i % 2 ? &keys[i] : NULL);
	assert_null(map_remove(&m, &keys[0], sizeof keys[0]));
	assert_int_equal(m.n, ARRAY_LEN(keys) / 2);
	map_deinit(&m);
}

static void removing_from_an_empty_map_is_nothing(void **state)
{
	struct map m = { 0 };
	size_t at = 0;

	(void)state;
	assert_null(map_remove(&m, "x", 1));
	assert_null(map_next(&m, &at));
	map_deinit(&m);
}

static void tombstones_do_not_make_the_table_grow(void **state)
{
	struct map m = { 0 };
	uint32_t keys[100000];

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(keys); i++) {
		keys[i] = i;
		assert_int_equal(map_set(&m, &keys[i], sizeof keys[i], &keys[i], NULL), 0);
		if (i >= 10)
			assert_ptr_equal(map_remove(&m, &keys[i - 10], sizeof keys[0]), &keys[i - 10]);
	}
	assert_int_equal(m.n, 10);
	assert_true(m.cap <= 128);
	map_deinit(&m);
}

static void a_removed_slot_is_used_again_without_doubling_a_key(void **state)
{
	struct map m = { 0 };
	uint32_t keys[12];

	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		for (uint32_t i = 0; i < ARRAY_LEN(keys); i++) {
			keys[i] = i;
			assert_int_equal(map_set(&m, &keys[i], sizeof keys[i], &keys[i], NULL), 0);
		}
		assert_int_equal(m.n, ARRAY_LEN(keys));
		assert_ptr_equal(map_remove(&m, &keys[round % ARRAY_LEN(keys)], sizeof keys[0]), &keys[round % ARRAY_LEN(keys)]);
		assert_null(map_get(&m, &keys[round % ARRAY_LEN(keys)], sizeof keys[0]));
	}
	map_deinit(&m);
}

static void a_walk_may_remove_what_it_was_given(void **state)
{
	struct map m = { 0 };
	uint32_t keys[500], *value;
	size_t seen = 0;
	bool met[500] = { false };

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(keys); i++) {
		keys[i] = i;
		assert_int_equal(map_set(&m, &keys[i], sizeof keys[i], &keys[i], NULL), 0);
	}
	for (size_t at = 0; (value = map_next(&m, &at));) {
		assert_false(met[*value]);
		met[*value] = true;
		seen++;
		if (*value % 3)
			map_remove(&m, value, sizeof *value);
	}
	assert_int_equal(seen, ARRAY_LEN(keys));
	assert_int_equal(m.n, (ARRAY_LEN(keys) + 2) / 3);
	map_deinit(&m);
}

/* 200,000 random steps, compared with an array after each. */
static void the_map_agrees_with_an_array(void **state)
{
	static uint16_t keys[512];
	bool in[512] = { false };
	struct map m = { 0 };
	uint64_t x = 88172645463325252u;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		keys[i] = (uint16_t)i;
	for (unsigned step = 0; step < 200000; step++) {
		size_t i;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		i = x % ARRAY_LEN(keys);
		if (x >> 40 & 1) {
			assert_int_equal(map_set(&m, &keys[i], 2, &keys[i], NULL), 0);
			n += !in[i];
			in[i] = true;
		} else {
			assert_ptr_equal(map_remove(&m, &keys[i], 2), in[i] ? &keys[i] : NULL);
			n -= in[i];
			in[i] = false;
		}
		i = (x >> 20) % ARRAY_LEN(keys);
		assert_ptr_equal(map_get(&m, &keys[i], 2), in[i] ? &keys[i] : NULL);
		assert_int_equal(m.n, n);
	}
	map_deinit(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_is_found_and_nothing_else),
		cmocka_unit_test(keys_of_zeros_differ_by_length),
		cmocka_unit_test(setting_again_replaces_and_gives_the_old),
		cmocka_unit_test(a_removed_key_does_not_hide_those_behind_it),
		cmocka_unit_test(removing_from_an_empty_map_is_nothing),
		cmocka_unit_test(tombstones_do_not_make_the_table_grow),
		cmocka_unit_test(a_removed_slot_is_used_again_without_doubling_a_key),
		cmocka_unit_test(a_walk_may_remove_what_it_was_given),
		cmocka_unit_test(the_map_agrees_with_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
