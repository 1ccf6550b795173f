/* Buffers keep their limit and their failure; cursors never read past the end. */
#include "lib/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void numbers_are_written_big_endian(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT(0);
	static const uint8_t expected[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 1, 2, 3, 4, 5, 6, 7, 8 };

	(void)state;
	buf_add_u8(&b, 0x01);
	buf_add_u16(&b, 0x2345);
	buf_add_u32(&b, 0x6789abcd);
	buf_add_u64(&b, 0x0102030405060708u);
	assert_false(buf_failed(&b));
	assert_int_equal(b.len, sizeof expected);
	assert_memory_equal(b.data, expected, sizeof expected);
}

static void a_buffer_fills_up_to_its_limit_and_not_beyond(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT(5);

	(void)state;
	buf_add_str(&b, "abcde");
	assert_false(buf_failed(&b));
	buf_add_str(&b, "f");
	assert_true(buf_failed(&b));
	assert_string_equal(buf_str(&b), "abcde");
}

static void after_a_failure_appends_do_nothing(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT(4);

	(void)state;
	buf_add_str(&b, "ab");
	buf_printf(&b, "%d", 12345);
	buf_add_str(&b, "c");
	buf_add_u8(&b, 'd');
	buf_printf(&b, "e");
	assert_true(buf_failed(&b));
	assert_string_equal(buf_str(&b), "ab");
}

static void a_cleared_buffer_works_again(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT(3);

	(void)state;
	buf_add_str(&b, "toolong");
	buf_clear(&b);
	buf_add_str(&b, "yes");
	assert_false(buf_failed(&b));
	assert_string_equal(buf_str(&b), "yes");
}

static void printf_fills_the_limit_exactly(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT(8);

	(void)state;
	buf_printf(&b, "%s-%03d", "abcd", 7);
	assert_false(buf_failed(&b));
	assert_string_equal(buf_str(&b), "abcd-007");
}

static void a_size_that_would_wrap_is_a_failure(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT(0);

	(void)state;
	buf_add_u8(&b, 1);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(buf_failed(&b));
	assert_int_equal(b.len, 1);
}

static void an_empty_buffer_is_an_empty_string(void **state)
{
	struct buf b = BUF_INIT(0);

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_add(&b, NULL, 0);
	assert_string_equal(buf_str(&b), "");
	buf_deinit(&b);
}

static void growth_keeps_the_content(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT(0);

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		buf_add_u32(&b, i);
	assert_int_equal(b.len, 40000);
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(get_u32(b.data + 4 * i), i);
}

static void the_front_is_taken_off(void **state)
{
	static const struct {
		size_t n;
		const char *left;
	} rows[] = { { 0, "abcdef" }, { 1, "bcdef" }, { 5, "f" }, { 6, "" }, { 7, "" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEAN_BUF struct buf b = BUF_INIT(0);

		buf_add_str(&b, "abcdef");
		buf_take_front(&b, rows[i].n);
		assert_string_equal(buf_str(&b), rows[i].left);
	}
}

static void a_cursor_reads_what_was_written(void **state)
{
	static const uint8_t bytes[] = { 0xff, 0x01, 0x02, 0x80, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 2, 'x' };
	struct cursor c = cursor_over(bytes, sizeof bytes);

	(void)state;
	assert_int_equal(cursor_u8(&c), 0xff);
	assert_int_equal(cursor_u16(&c), 0x0102);
	assert_int_equal(cursor_u32(&c), 0x80000001u);
	assert_true(cursor_u64(&c) == 0x8000000000000002u);
	assert_int_equal(cursor_left(&c), 1);
	assert_int_equal(*cursor_take(&c, 1), 'x');
	assert_false(c.bad);
}

static void a_cursor_is_bad_one_byte_too_far(void **state)
{
	static const uint8_t bytes[8];

	(void)state;
	for (size_t width = 1; width <= 8; width *= 2) {
		struct cursor c = cursor_over(bytes, width - 1);

		switch (width) {
		case 1: assert_int_equal(cursor_u8(&c), 0); break;
		case 2: assert_int_equal(cursor_u16(&c), 0); break;
		case 4: assert_int_equal(cursor_u32(&c), 0); break;
		case 8: assert_true(cursor_u64(&c) == 0); break;
		}
		assert_true(c.bad);
		assert_int_equal(cursor_left(&c), width - 1);
	}
}

static void a_bad_cursor_gives_zeros_and_stays(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4 };
	struct cursor c = cursor_over(bytes, sizeof bytes);

	(void)state;
	assert_null(cursor_take(&c, 5));
	assert_null(cursor_take(&c, SIZE_MAX));
	assert_int_equal(cursor_u8(&c), 0);
	assert_null(cursor_take(&c, 0));
	assert_int_equal(cursor_left(&c), 4);
}

static void taking_exactly_all_is_good(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4 };
	struct cursor c = cursor_over(bytes, sizeof bytes);

	(void)state;
	assert_ptr_equal(cursor_take(&c, 4), bytes);
	assert_ptr_equal(cursor_take(&c, 0), bytes + 4);
	assert_false(c.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_written_big_endian),
		cmocka_unit_test(a_buffer_fills_up_to_its_limit_and_not_beyond),
		cmocka_unit_test(after_a_failure_appends_do_nothing),
		cmocka_unit_test(a_cleared_buffer_works_again),
		cmocka_unit_test(printf_fills_the_limit_exactly),
		cmocka_unit_test(a_size_that_would_wrap_is_a_failure),
		cmocka_unit_test(an_empty_buffer_is_an_empty_string),
		cmocka_unit_test(growth_keeps_the_content),
		cmocka_unit_test(the_front_is_taken_off),
		cmocka_unit_test(a_cursor_reads_what_was_written),
		cmocka_unit_test(a_cursor_is_bad_one_byte_too_far),
		cmocka_unit_test(a_bad_cursor_gives_zeros_and_stays),
		cmocka_unit_test(taking_exactly_all_is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
